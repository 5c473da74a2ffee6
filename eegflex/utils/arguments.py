"""What is said of an argument of the wrong kind: which it is, what it must be and what it was given, by its annotation.

Arguments are looked at when a call has failed with an error that is not of eegflex, so that what works is never refused. Only
what must be True or False is looked at before, since any text would do for True.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, TypeVar, cast

import numpy as np

from eegflex.errors import EegflexError, ParameterError
from eegflex.utils.given import whole_number

__all__ = ["checked", "checked_methods", "refuse_wrong_kinds"]

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)

#: A class of an argument, by its name -> what it is called, and how one gets it.
_CLASSES = {
    "FlexResult": ("a FlexResult", "Make one with eegflex.attribute_epochs, or read it with eegflex.read_result"),
    "StagedNight": ("a StagedNight", "Make one with eegflex.stage_epochs"),
    "Stager": ("a Stager", "Load it with eegflex.load_model"),
    "ModelSpec": ("a ModelSpec", "Write it as TOML, or make an eegflex.ModelSpec"),
    "Bands": ("Bands", "Such as {'low': (0.5, 4), 'high': (4, 30)}"),
    "BaseEpochs": ("mne.Epochs", "Make them with eegflex.make_epochs"),
    "BaseRaw": ("an mne.io.Raw", "Read it with eegflex.read_psg"),
    "Annotations": ("mne.Annotations", "Read them with eegflex.read_hypnogram"),
    "Report": ("a report of MNE, mne.Report()", None),
    "Cohort": ("a Cohort", "Make one with eegflex.cohort.run_cohort, or read it with eegflex.cohort.read_cohort"),
    "Comparison": ("a Comparison", "Make one with eegflex.cohort.compare_groups, correlate or mixed_model"),
    "Recording": ("a Recording", "Find them with eegflex.cohort.list_recordings"),
    "KnownTruth": ("a KnownTruth", None),
    "DataFrame": ("a pandas.DataFrame", None),
    "Dataset": ("an xarray.Dataset", None),
    "Axes": ("axes of matplotlib", None),
    "TextIO": ("a file that text can be written to", None),
    "datetime": ("a datetime", None),
    "device": ("a torch.device", None),
}


def checked(function: Function) -> Function:
    """Say which argument is of the wrong kind, where a call fails for it.

    Parameters
    ----------
    function : callable
        With annotations.

    Examples
    --------
    >>> @checked
    ... def half(number: float) -> float:
    ...     return number / 2
    >>> half(3)
    1.5
    >>> half("three")
    Traceback (most recent call last):
    eegflex.errors.ParameterError: number must be a number. Got 'three', a str.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        refuse_wrong_kinds(function, args, kwargs, only=("bool",))
        try:
            return function(*args, **kwargs)
        except EegflexError:
            raise
        except Exception as error:
            refuse_wrong_kinds(function, args, kwargs, cause=error)
            raise

    return cast(Function, called)


def checked_methods(own: Class) -> Class:
    """The same for the public methods of a class, and what makes one of it."""
    for name, method in list(vars(own).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(method):
            setattr(own, name, checked(method))
        elif isinstance(method, classmethod):
            setattr(own, name, classmethod(checked(method.__func__)))
    return own


def refuse_wrong_kinds(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    only: tuple[str, ...] = (),
    cause: BaseException | None = None,
) -> None:
    """Refuse arguments that are not what their annotation says.

    Parameters
    ----------
    function : callable
        What was called.
    args, kwargs
        What it was given.
    only : tuple of str
        Annotations to look at; all of them if there is none here.
    cause : Exception | None
        What became of it.

    Raises
    ------
    ParameterError
        If one of them is not.
    """
    signature = _signature(function)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:  # an argument too many, or one that is missing: Python's words name it
        return
    for name, value in given.items():
        annotation = signature.parameters[name].annotation
        if not isinstance(annotation, str) or (only and annotation not in only):
            continue
        if name in _BY_NAME:
            allowed, fits = _BY_NAME[name]
            if not fits(value):
                raise ParameterError(f"{name} must be {allowed}", seen=_said(value)) from cause
            continue
        kind = _parsed(annotation)
        if not _fits(kind, value):
            words = " or ".join(dict.fromkeys(_words(kind)))
            remedy = next((_CLASSES[one][1] for one in _names(kind) if one in _CLASSES), None)
            raise ParameterError(f"{name} must be {words}", seen=_said(value), remedy=remedy) from cause


@functools.lru_cache(maxsize=512)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


@functools.lru_cache(maxsize=512)
def _parsed(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


def _said(value: object) -> str:
    """What was given, and of what class: short, and without what a large one holds."""
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    if value is None or isinstance(value, bool | int | float | str | bytes | os.PathLike):
        return f"{str(value) if isinstance(value, os.PathLike) else repr(value):.80}, {article} {kind}"
    if isinstance(value, list | tuple | dict | set) and len(value) < 10:
        return f"{value!r:.80}, {article} {kind}"
    return f"{article} {kind}"


# -- annotations, as they are written


def _options(kind: ast.expr) -> Iterator[ast.expr]:
    """What a union is of."""
    if isinstance(kind, ast.BinOp):
        yield from _options(kind.left)
        yield from _options(kind.right)
    else:
        yield kind


def _names(kind: ast.expr) -> list[str]:
    """The names of the options, without their modules."""
    return [name for option in _options(kind) if (name := _name(option))]


def _name(option: ast.expr) -> str:
    if isinstance(option, ast.Subscript):
        return _name(option.value)
    if isinstance(option, ast.Constant):
        return str(option.value)
    return option.attr if isinstance(option, ast.Attribute) else option.id if isinstance(option, ast.Name) else ""


def _of(option: ast.expr) -> list[ast.expr]:
    """What stands in the brackets."""
    if not isinstance(option, ast.Subscript):
        return []
    return list(option.slice.elts) if isinstance(option.slice, ast.Tuple) else [option.slice]


def _fits(kind: ast.expr, value: Any) -> bool:
    return any(_is(option, value) for option in _options(kind))


def _is(option: ast.expr, value: Any) -> bool:
    """Whether a value is what one option says; of what is not known here, anything is."""
    name, of = _name(option), _of(option)
    if name in _PLAIN:
        return _PLAIN[name][1](value)
    if name in _CLASSES:
        return any(one.__name__ == name for one in type(value).__mro__) or (
            name == "TextIO" and hasattr(value, "write")
        )
    return _HOLDERS[name](of, value) if name in _HOLDERS else True


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and bool(value == value)  # NaN is none


def _are_numbers(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:  # of other lengths, such as [[1], [2, 3]]
        return False


#: What a plain annotation is called in words, and what is one.
_PLAIN: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "int": ("a whole number", lambda value: whole_number(value) is not None),
    "float": ("a number", _is_number),
    "bool": ("True or False", lambda value: isinstance(value, bool | np.bool_) or whole_number(value) in (0, 1)),
    "Path": ("a path", lambda value: isinstance(value, os.PathLike)),
    "None": ("None", lambda value: value is None),
    "ArrayLike": ("an array of numbers", lambda value: _are_numbers(value)),
}


_LEVELS = ("debug", "info", "warning", "error", "critical")
#: What MNE takes in a way of its own, by the argument's name.
_BY_NAME: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "verbose": (
        f"True, False, None, a whole number, or one of {', '.join(map(repr, _LEVELS))}",
        lambda value: (
            value is None or isinstance(value, bool | int) or (isinstance(value, str) and value.casefold() in _LEVELS)
        ),
    )
}


def _has_parts(value: Any) -> bool:
    """Whether there is something in it, one after the other; an array without axes only looks so."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes) and getattr(value, "ndim", 1) != 0


def _several(of: list[ast.expr], value: Any) -> bool:
    if isinstance(value, Mapping) or not isinstance(value, Sized) or not _has_parts(value):
        return False
    return not of or all(_fits(of[0], one) for one in cast(Iterable[Any], value))


def _pairs(of: list[ast.expr], value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return len(of) < 2 or all(_fits(of[0], key) and _fits(of[1], one) for key, one in value.items())


def _tuple(of: list[ast.expr], value: Any) -> bool:
    if not isinstance(value, tuple | list):
        return False
    if len(of) == 2 and isinstance(of[1], ast.Constant) and of[1].value is Ellipsis:
        return all(_fits(of[0], one) for one in value)
    return len(value) == len(of) and all(_fits(kind, one) for kind, one in zip(of, value, strict=True))


_HOLDERS: dict[str, Callable[[list[ast.expr], Any], bool]] = {
    "Sequence": _several,
    "Iterable": lambda of, value: _has_parts(value),
    "Mapping": _pairs,
    "tuple": _tuple,
    "Literal": lambda of, value: any(isinstance(one, ast.Constant) and value == one.value for one in of),
    "Callable": lambda of, value: callable(value),
}


def _words(kind: ast.expr) -> Iterator[str]:
    """What a union is in words."""
    for option in _options(kind):
        name, of = _name(option), _of(option)
        if name in _PLAIN:
            yield _PLAIN[name][0]
        elif name in _CLASSES:
            yield _CLASSES[name][0]
        elif name == "Literal":
            yield from (repr(one.value) for one in of if isinstance(one, ast.Constant))
        elif name == "Mapping":
            yield f"a mapping of {_together(of[0])} to {_together(of[1])}" if len(of) == 2 else "a mapping"
        elif name == "tuple" and not any(isinstance(one, ast.Constant) and one.value is Ellipsis for one in of):
            yield f"({', '.join(map(_together, of))})"
        elif name in _HOLDERS:
            yield f"a list of {_together(of[0])}" if of else "a list"


def _together(kind: ast.expr) -> str:
    return " or ".join(_words(kind)) or "anything"
