"""Values of a dataclass that came from a file, against the types that its fields declare."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from eegflex.errors import SpecError

__all__ = ["check_types"]


def check_types(values: Any, called: Mapping[str, str]) -> None:
    """Refuse values that are not of their fields' types.

    Parameters
    ----------
    values : dataclass
        What to check. Fields that are dataclasses themselves are passed over.
    called : mapping of str to str
        What each field is called in a message.

    Raises
    ------
    SpecError
        Naming the key, the value, and the choices.
    """
    hints = get_type_hints(type(values))
    for field in dataclasses.fields(values):
        value, hint = getattr(values, field.name), hints[field.name]
        if not _fits(value, hint):
            raise SpecError(f"The spec's {called[field.name]} cannot be that", seen=repr(value), allowed=_words(hint))


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin in (Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(member, arguments[0]) for member in value)
    if origin is dict:
        key, member = arguments
        return isinstance(value, dict) and all(_fits(k, key) and _fits(v, member) for k, v in value.items())
    if hint is Any or dataclasses.is_dataclass(hint):
        return True
    if hint in (int, float):
        return isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint)


def _words(hint: Any) -> Any:
    """What a type allows, for a reader who does not know Python."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments
    if origin in (Union, types.UnionType):
        return " or ".join(str(_words(argument)) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"a list, each {_words(arguments[0])}"
    if origin is dict:
        return "a table"
    return {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}.get(hint, str(hint))
