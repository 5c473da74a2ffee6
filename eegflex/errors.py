"""Errors that the user can fix: what was wrong, the value seen, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

__all__ = [
    "AttributionFailed",
    "AttributionStopped",
    "ChannelError",
    "DownloadError",
    "EegflexError",
    "EmptyHypnogramError",
    "EmptyRecordingError",
    "EvaluationStopped",
    "HypnogramError",
    "MemoryShortError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "ParameterError",
    "RecordingError",
    "SpecError",
    "UnitError",
]


_MOST_TEXT = 1000  # characters of one value in a message
_MOST_WORD, _MOST_WORDS = 100, 256  # characters of each value of a list, and values


class EegflexError(Exception):
    """Base of all errors that the user can fix.

    Parameters
    ----------
    what : str
        What was wrong, as a sentence without its full stop.
    seen : object, optional
        The value that was seen.
    allowed : object, optional
        What is allowed, or the candidates.
    remedy : str, optional
        What to do about it.
    """

    def __init__(self, what: str, *, seen: object = None, allowed: object = None, remedy: str | None = None) -> None:
        self.what, self.seen, self.allowed, self.remedy = what, seen, allowed, remedy
        sentences = [
            shorten(what, _MOST_TEXT),
            None if seen is None else f"Got {_text(seen)}",
            None if allowed is None else f"Allowed: {_text(allowed)}",
            None if remedy is None else shorten(remedy, _MOST_TEXT),
        ]
        super().__init__(" ".join(f"{sentence}." for sentence in sentences if sentence))

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        # Python's own way calls the class with ``args``; a worker's error must come back as it was.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[EegflexError], args: tuple[str, ...], state: dict[str, object]) -> EegflexError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse a value that is not one of its choices.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        What it was given.
    allowed : sequence
        Its choices.

    Raises
    ------
    ParameterError
        If it is not.
    """
    if value not in allowed:
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, allowed))}", seen=repr(value))


def shorten(text: str, most: int) -> str:
    """Cut a text out of a file to what a person reads: at most so many characters, and none that a terminal obeys."""
    cut = text if len(text) <= most else f"{text[: most - 3]}..."
    return cut if cut.isprintable() else "".join(char if char in "\n\t" or char.isprintable() else "�" for char in cut)


def _text(value: object) -> str:
    """Say what was seen or is allowed; what a file holds may be as long as it likes, an error may not."""
    if isinstance(value, list | tuple | set | frozenset):
        words = [shorten(str(word), _MOST_WORD) for word in islice(value, _MOST_WORDS)]
        more = len(value) - len(words)
        return ", ".join(words) + (f" and {more} more" if more else "") or "none"
    return shorten(str(value), _MOST_TEXT)


class ParameterError(EegflexError, ValueError):
    """An argument has a value that is not allowed."""


class RecordingError(EegflexError, ValueError):
    """A recording cannot be read as it stands."""


class EmptyRecordingError(RecordingError):
    """A recording holds no data."""


class UnitError(RecordingError):
    """A physical unit is missing, unknown or not a voltage."""


class ChannelError(EegflexError, ValueError):
    """A channel is missing, ambiguous or unfit."""


class HypnogramError(EegflexError, ValueError):
    """A hypnogram cannot be read, or does not fit its recording."""


class EmptyHypnogramError(HypnogramError):
    """A file that should be a hypnogram holds no stages."""


class ModelError(EegflexError, ValueError):
    """A model cannot be loaded, run or explained."""


class AttributionFailed(ModelError):  # noqa: N818  (the sister of AttributionStopped)
    """An attribution failed after epochs had been finished; these are kept. Its cause is the error that ended it.

    Parameters
    ----------
    result : FlexResult
        The epochs that were finished, flagged as partial.
    n_finished, n_wanted : int
        How many were finished, and how many there were to be.
    why : BaseException
        What went wrong.

    Attributes
    ----------
    result, n_finished, n_wanted
        As given.
    """

    def __init__(self, result: Any, n_finished: int, n_wanted: int, why: BaseException) -> None:
        self.result, self.n_finished, self.n_wanted = result, n_finished, n_wanted
        said = str(why).rstrip(".")[:500] or "no message"
        super().__init__(
            f"{said if isinstance(why, EegflexError) else f'{type(why).__name__}: {said}'}. "
            f"That was after {n_finished} of {n_wanted} epochs, which are the `result` of this exception",
            remedy="Save it, and go on from there with resume= (--resume) once the cause is mended",
        )


class MemoryShortError(ModelError):
    """A model does not fit into memory, however little it is given at a time."""


class SpecError(EegflexError, ValueError):
    """A stager's contract is incomplete or contradicts itself."""


class DownloadError(EegflexError, OSError):
    """A file of a public data set, or the weights of a model, cannot be downloaded."""


class OutputError(EegflexError, OSError):
    """A file cannot be written."""


class MissingExtraError(EegflexError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, remedy=f"Install it with: pip install 'eegflex[{extra}]'")


class AttributionStopped(KeyboardInterrupt):
    """An attribution was stopped, by Ctrl-C or another signal; what was finished is kept.

    A ``KeyboardInterrupt``, so that whatever else was to follow is stopped too.

    Attributes
    ----------
    result : FlexResult
        The epochs that were finished, flagged as partial.
    n_finished, n_wanted : int
        How many were finished, and how many there were to be.
    """

    def __init__(self, result: Any, n_finished: int, n_wanted: int) -> None:
        super().__init__(
            f"Stopped: {n_finished} of {n_wanted} epochs are explained. They are the `result` of this exception "
            "(in a notebook: sys.last_value.result); go on from there with resume=."
        )
        self.result, self.n_finished, self.n_wanted = result, n_finished, n_wanted

    def __reduce__(self) -> tuple[object, ...]:
        # A worker raises it, and Python's own way would call the class with the message alone.
        return type(self), (self.result, self.n_finished, self.n_wanted)


class EvaluationStopped(KeyboardInterrupt):
    """An evaluation was stopped, by Ctrl-C or another signal; what was measured is kept.

    Attributes
    ----------
    evaluation : Evaluation
        What was measured so far.
    """

    def __init__(self, evaluation: Any) -> None:
        super().__init__(
            "Stopped: what was measured is the `evaluation` of this exception (in a notebook: sys.last_value.evaluation); to "
            "evaluate its `result` goes on from there."
        )
        self.evaluation = evaluation

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.evaluation,)
