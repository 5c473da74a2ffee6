"""The formats of recordings, in the order in which they are tried, and what opens them."""

from __future__ import annotations

from pathlib import Path

from eegflex.errors import RecordingError
from eegflex.readers.file_heads import begin, open_head
from eegflex.readers.recordings.breaks import divide
from eegflex.readers.recordings.edf import EdfSource, is_edf
from eegflex.readers.recordings.guard import check_plausible, guarded
from eegflex.readers.recordings.mne_files import MNE_FORMATS
from eegflex.readers.recordings.source import Source

__all__ = ["open_source"]


def open_source(path: Path) -> Source:
    """Open a recording of any format.

    Raises
    ------
    RecordingError
        If it is none that can be read.
    EmptyRecordingError
        If there is nothing in it, or only gaps.
    """
    with guarded(path):
        source = _open(path)
        source.events, source.runs, told = divide(source.events, source.runs)
        source.warnings += told
        check_plausible(source)
    return source


def _open(path: Path) -> Source:
    head = open_head(path)
    if is_edf(head):
        source = EdfSource(path)
        if not source.signals:
            raise RecordingError(
                f"{path.name!r} holds annotations and no signal: it is a hypnogram",
                seen=f"{len(source.events)} annotations",
                remedy="Give the recording, and pass this file as hypnogram=",
            )
        return source
    for name, (sniff, open_file) in MNE_FORMATS.items():
        if sniff(head, path):
            return open_file(path, name)
    raise RecordingError(
        f"{path.name!r} is not a recording that can be read",
        seen=f"a file that begins {begin(head)}",
        allowed=["EDF", "BDF", *MNE_FORMATS],
        remedy="Export the recording as EDF+" + _hint(path),
    )


def _hint(path: Path) -> str:
    partner = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}.get(path.suffix.lower())
    return f", or give the {partner} file beside it" if partner else ""
