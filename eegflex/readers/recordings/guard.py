"""What can go wrong in any reader's own library, and in a file that changes under it, as one of our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegflex.errors import EegflexError, EmptyRecordingError, RecordingError
from eegflex.readers.recordings.source import Source

__all__ = ["check_plausible", "guarded", "reason"]

#: Hz that the fastest signal of a recording may have: audio comes with some, and a trend of a minute is none.
_RATES = (1.0, 1e5)
_LONGEST = 366 * 86400.0  # s
_WORDS = 200  # characters of another library's message


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Make whatever opening or reading a file raises a `RecordingError`.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordingError
        If anything but an error of ours is raised inside.
    """
    try:
        yield
    except EegflexError:
        raise
    except Exception as error:
        raise RecordingError(
            f"{path.name!r} cannot be read",
            seen=reason(error),
            remedy="It is damaged, or was truncated, moved or replaced after it was opened: copy or export it again",
        ) from error


def reason(error: Exception) -> str:
    """Say what another library's error says, which may be nothing, or a page, or a path."""
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error!s:.{_WORDS}}"


def check_plausible(source: Source) -> None:
    """Refuse what cannot be a recording of sleep, before anything is made of it.

    Raises
    ------
    EmptyRecordingError
        If there is nothing in it, or only gaps.
    RecordingError
        If it has a rate or a duration that no EEG has.
    """
    if not source.runs:
        raise EmptyRecordingError(
            "The recording consists of one gap", seen=f"{source.duration:g} s", remedy="Export it again"
        )
    fastest = max(signal.rate for signal in source.signals)
    if not _RATES[0] <= fastest <= _RATES[1]:
        raise RecordingError(
            "The sampling rate of the recording is impossible for EEG",
            seen=f"{fastest:g} Hz",
            allowed=f"{_RATES[0]:g} to {_RATES[1]:g} Hz",
            remedy="Its header is damaged, or uses another unit; export it again",
        )
    if not 0 < source.duration <= _LONGEST:
        raise RecordingError(
            "The duration of the recording is impossible for EEG",
            seen=f"{source.duration:g} s",
            allowed="at most a year",
            remedy="Its header is damaged; export it again",
        )
