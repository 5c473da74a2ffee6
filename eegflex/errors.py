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

    See Also
    --------
    eegflex.errors.ParameterError, eegflex.errors.RecordingError, eegflex.errors.HypnogramError, eegflex.errors.ModelError

    Examples
    --------
    Whoever catches it catches all that a user can mend:

    >>> import eegflex
    >>> try:
    ...     eegflex.Bands({"slow": (4, 1)})
    ... except eegflex.EegflexError as error:
    ...     print(type(error).__name__)
    ParameterError
    """

    what: str
    seen: object
    allowed: object
    remedy: str | None

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
    """Refuse a value that is not one of its choices, by a `ParameterError` that names the parameter."""
    try:
        known = value in allowed
    except ValueError:  # an array, which is equal to nothing as a whole
        known = False
    if not known:
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
    """An argument has a value that is not allowed.

    See Also
    --------
    eegflex.EegflexError, eegflex.errors.ChannelError

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=-1)
    Traceback (most recent call last):
        ...
    eegflex.errors.ParameterError: ...
    """


class RecordingError(EegflexError, ValueError):
    """A recording cannot be read as it stands.

    See Also
    --------
    eegflex.errors.UnitError, eegflex.errors.EmptyRecordingError, eegflex.readers.describe_psg

    Examples
    --------
    >>> import eegflex, pathlib
    >>> _ = pathlib.Path("night.edf").write_text("no recording")
    >>> raw = eegflex.read_psg("night.edf")
    Traceback (most recent call last):
        ...
    eegflex.errors.RecordingError: ...
    """


class EmptyRecordingError(RecordingError):
    """A recording holds no data.

    See Also
    --------
    eegflex.errors.RecordingError, eegflex.read_psg

    Examples
    --------
    >>> import eegflex, pathlib
    >>> pathlib.Path("night.edf").touch()
    >>> raw = eegflex.read_psg("night.edf")
    Traceback (most recent call last):
        ...
    eegflex.errors.EmptyRecordingError: ...
    """


class UnitError(RecordingError):
    """A physical unit is missing, unknown or not a voltage.

    See Also
    --------
    eegflex.errors.RecordingError, eegflex.read_psg

    Examples
    --------
    >>> from eegflex.errors import UnitError
    >>> print(UnitError("The unit of C3 is blank", remedy="Say it with units="))
    The unit of C3 is blank. Say it with units=.
    """


class ChannelError(EegflexError, ValueError):
    """A channel is missing, ambiguous or unfit.

    See Also
    --------
    eegflex.read_psg, eegflex.stage_epochs

    Examples
    --------
    >>> import eegflex
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save("night.edf")
    >>> raw = eegflex.read_psg(files.psg, channels=["Oz"], verbose="error")
    Traceback (most recent call last):
        ...
    eegflex.errors.ChannelError: ...
    """


class HypnogramError(EegflexError, ValueError):
    """A hypnogram cannot be read, or does not fit its recording.

    See Also
    --------
    eegflex.errors.EmptyHypnogramError, eegflex.read_hypnogram

    Examples
    --------
    >>> import eegflex, pathlib
    >>> _ = pathlib.Path("stages.txt").write_text("no stages at all")
    >>> stages = eegflex.read_hypnogram("stages.txt")
    Traceback (most recent call last):
        ...
    eegflex.errors.HypnogramError: ...
    """


class EmptyHypnogramError(HypnogramError):
    """A file that should be a hypnogram holds no stages.

    See Also
    --------
    eegflex.errors.HypnogramError, eegflex.read_hypnogram

    Examples
    --------
    >>> from eegflex.errors import EmptyHypnogramError, HypnogramError
    >>> issubclass(EmptyHypnogramError, HypnogramError)
    True
    """


class ModelError(EegflexError, ValueError):
    """A model cannot be loaded, run or explained.

    See Also
    --------
    eegflex.errors.SpecError, eegflex.load_model, eegflex.check_model

    Examples
    --------
    >>> import eegflex
    >>> stager = eegflex.load_model("no such stager")
    Traceback (most recent call last):
        ...
    eegflex.errors.ModelError: ...
    """


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

    See Also
    --------
    eegflex.errors.AttributionStopped, eegflex.attribute_epochs

    Examples
    --------
    >>> from eegflex.errors import AttributionFailed
    >>> failed = AttributionFailed(None, 12, 40, RuntimeError("the device was taken away"))
    >>> failed.n_finished, failed.n_wanted
    (12, 40)
    """

    result: Any
    n_finished: int
    n_wanted: int

    def __init__(self, result: Any, n_finished: int, n_wanted: int, why: BaseException) -> None:
        self.result, self.n_finished, self.n_wanted = result, n_finished, n_wanted
        said = str(why).rstrip(".")[:500] or "no message"
        super().__init__(
            f"{said if isinstance(why, EegflexError) else f'{type(why).__name__}: {said}'}. "
            f"That was after {n_finished} of {n_wanted} epochs, which are the `result` of this exception",
            remedy="Save it, and go on from there with resume= (--resume) once the cause is mended",
        )


class MemoryShortError(ModelError):
    """A model does not fit into memory, however little it is given at a time.

    See Also
    --------
    eegflex.errors.ModelError, eegflex.attribute_epochs

    Examples
    --------
    >>> from eegflex.errors import MemoryShortError, ModelError
    >>> issubclass(MemoryShortError, ModelError)
    True
    """


class SpecError(EegflexError, ValueError):
    """A stager's contract is incomplete or contradicts itself.

    See Also
    --------
    eegflex.ModelSpec, eegflex.check_model

    Examples
    --------
    >>> import eegflex
    >>> spec = eegflex.ModelSpec(name="mine", scores="percent")
    Traceback (most recent call last):
        ...
    eegflex.errors.SpecError: ...
    """


class DownloadError(EegflexError, OSError):
    """A file of a public data set, or the weights of a model, cannot be downloaded.

    See Also
    --------
    eegflex.datasets.fetch_sleep_edf, eegflex.load_model

    Examples
    --------
    >>> from eegflex.errors import DownloadError
    >>> issubclass(DownloadError, OSError)
    True
    """


class OutputError(EegflexError, OSError):
    """A file cannot be written.

    See Also
    --------
    eegflex.FlexResult, eegflex.report.Report

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> files = night.save("night.edf")
    >>> files = night.save("night.edf")  # the same file again, without overwrite=True
    Traceback (most recent call last):
        ...
    eegflex.errors.OutputError: ...
    """


class MissingExtraError(EegflexError, ImportError):
    """An optional dependency is not installed.

    See Also
    --------
    eegflex.EegflexError

    Examples
    --------
    >>> from eegflex.errors import MissingExtraError
    >>> print(MissingExtraError("YASA is not installed", "yasa"))
    YASA is not installed. Install it with: pip install 'eegflex[yasa]'.
    """

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

    See Also
    --------
    eegflex.errors.AttributionFailed, eegflex.attribute_epochs

    Examples
    --------
    >>> from eegflex.errors import AttributionStopped
    >>> stopped = AttributionStopped(None, 12, 40)  # Ctrl-C raises it, with the result in the place of None
    >>> stopped.n_finished, stopped.n_wanted
    (12, 40)
    """

    result: Any
    n_finished: int
    n_wanted: int

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

    See Also
    --------
    eegflex.errors.AttributionStopped, eegflex.evaluate

    Examples
    --------
    >>> from eegflex.errors import EvaluationStopped
    >>> issubclass(EvaluationStopped, KeyboardInterrupt)
    True
    """

    def __init__(self, evaluation: Any) -> None:
        super().__init__(
            "Stopped: what was measured is the `evaluation` of this exception (in a notebook: sys.last_value.evaluation); to "
            "evaluate its `result` goes on from there."
        )
        self.evaluation = evaluation

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.evaluation,)
