"""TOML files that hold a dataclass: read, checked against the types of its fields, refused by the key that is wrong; written.

A stager's spec and a data set's card are both read here, and refused in the same words.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tomli_w

from eegflex.errors import EegflexError
from eegflex.spec.plain import LARGEST, short
from eegflex.utils.files import check_input, check_output, write_whole

__all__ = ["Schema"]

T = TypeVar("T")
#: Bytes of a file that is written by hand.
_LONGEST = 2**20
#: Where a value stands: sections and keys, and the numbers, from 1, of tables in lists.
_Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Schema(Generic[T]):
    """What a kind of TOML file holds.

    Tables become the dataclasses of the fields that they are for, and lists become tuples.

    Attributes
    ----------
    kind : type
        The dataclass that a file becomes.
    called : str
        What such a file is called in a message.
    error : type of EegflexError
        What is raised.
    sections : mapping of str to mapping of str to str
        Sections of the file, their keys, and the field that each key is for. Empty: no sections, and the keys are the
        fields.
    """

    kind: type[T]
    called: str
    error: type[EegflexError]
    sections: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def read(self, fname: str | Path, **defaults: Any) -> T:
        """Read a file.

        Parameters
        ----------
        fname : path-like
            The file.
        **defaults : object
            Fields that the file may leave out.

        Returns
        -------
        values : dataclass
            What it holds.

        Raises
        ------
        EegflexError
            The schema's, if the file is not there, is not TOML, has a key that is not known, lacks one that is needed, or
            has a value that is not allowed. The file, the key and the choices are named.
        """
        path = check_input(fname, self.error, self.called, folder=True)
        try:
            if path.stat().st_size > _LONGEST:
                raise self.error(f"This {self.called} is too long", seen=path, allowed=f"{_LONGEST:,} bytes")
            tables = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise self.error(f"This {self.called} cannot be read: {error.strerror}", seen=path) from error
        except RecursionError as error:
            raise self.error(f"This {self.called} has too many tables in tables", seen=path) from error
        except ValueError as error:  # of TOML, of UTF-8, of numbers with thousands of digits
            if isinstance(error, EegflexError):
                raise
            raise self.error(f"This {self.called} is not TOML: {error}", seen=path) from error
        try:
            return self.build(tables, **defaults)
        except EegflexError as error:
            what = f"{error.what} (in {path.name})"
            raise type(error)(what, seen=error.seen, allowed=error.allowed, remedy=error.remedy) from error

    def write(self, values: T, fname: str | Path, *, overwrite: bool) -> Path:
        """Write a file that `read` reads as the same values; what is as by default is left out.

        Parameters
        ----------
        values : dataclass
            What it is to hold.
        fname : path-like
            The file, ``*.toml``.
        overwrite : bool
            Whether an existing file may be replaced.

        Returns
        -------
        path : Path
            The file.

        Raises
        ------
        EegflexError
            The schema's, if the file is not called ``*.toml``, or a value has no words in TOML; `OutputError` as for every
            other file that is written.
        """
        path = Path(fname)
        if path.suffix != ".toml":
            raise self.error(f"A {self.called} is saved as TOML", seen=fname, allowed="*.toml")
        kept = _kept(values)
        tables = {
            section: {key: kept[name] for key, name in keys.items() if name in kept}
            for section, keys in self.sections.items()
        }
        try:
            text = tomli_w.dumps({section: content for section, content in tables.items() if content})
            same = self.build(tomllib.loads(text)) == values
        except (TypeError, ValueError) as error:  # such as None in the arguments of a network
            raise self.error(f"This {self.called} cannot be written as TOML: {error}", seen=fname) from error
        if not same:  # such as None where the default is a value
            raise self.error(
                f"This {self.called} cannot be written as TOML: read again, it would be another", seen=fname
            )
        path = check_output(path, overwrite=overwrite)
        return write_whole(path, lambda file: file.write_text(text, "utf-8"), overwrite=overwrite)

    def build(self, tables: Mapping[str, Any], **defaults: Any) -> T:
        """Build the dataclass from the tables of a file; raises as `read` does."""
        values = defaults | self._fields(tables)
        made: T = self._made(self.kind, values, self._paths())
        return made

    def check(self, values: T) -> None:
        """Refuse values that are not of their fields' types, however they came there; raises as `read` does."""
        self._check(values, self._paths())

    def to_dict(self, values: T) -> dict[str, Any]:
        """Give plain values in the sections of a file."""
        plain = dataclasses.asdict(values)  # type: ignore[call-overload]
        return {section: {key: plain[name] for key, name in keys.items()} for section, keys in self.sections.items()}

    def _paths(self) -> dict[str, _Path]:
        """Where each field stands in the file."""
        if not self.sections:
            return {name: (name,) for name in _names(self.kind)}
        return {name: (section, key) for section, keys in self.sections.items() for key, name in keys.items()}

    def _fields(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a file by their fields' names."""
        if not self.sections:
            self._refuse_unknown(tables, _names(self.kind), "key")
            return dict(tables)
        self._refuse_unknown(tables, self.sections, "section")
        values: dict[str, Any] = {}
        for section, content in tables.items():
            if not isinstance(content, Mapping):
                raise self._wrong(_table((section,)), "a table", content)
            self._refuse_unknown(content, self.sections[section], f"key in {_table((section,))}")
            values |= {self.sections[section][key]: value for key, value in content.items()}
        return values

    def _made(self, kind: Any, values: Mapping[str, Any], paths: Mapping[str, _Path]) -> Any:
        hints = _hints(kind)
        for field in dataclasses.fields(kind):
            needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if needed and field.name not in values:
                what = f"The {self.called} lacks the key {_key(paths[field.name])}"
                raise self.error(what, seen=sorted(values) or "no keys")
        return kind(**{name: self._value(value, hints[name], paths[name]) for name, value in values.items()})

    def _check(self, values: Any, paths: Mapping[str, _Path]) -> None:
        kind: Any = type(values)
        for name, hint in _hints(kind).items():
            value = getattr(values, name)
            made = self._value(value, hint, paths[name])
            if made is not value and made != value:  # a list or a table, which only a file may have in its place
                raise self._wrong(_key(paths[name]), f"a {type(made).__name__} in Python", value)

    def _value(self, value: Any, hint: Any, path: _Path) -> Any:
        """Give a value as its field has it: a table as its dataclass, a list as a tuple."""
        table = _table_kind(hint)
        if table is not None and not (value is None and table is not hint):
            return self._of_table(value, table, path)
        if get_origin(hint) is tuple and dataclasses.is_dataclass(get_args(hint)[0]):
            if not isinstance(value, list | tuple):
                raise self._wrong(f"[{_table(path)}]", "a list of tables", value)
            return tuple(self._of_table(row, get_args(hint)[0], (*path, n)) for n, row in enumerate(value, start=1))
        value = tuple(value) if isinstance(value, list) else value
        if not _fits(value, hint):
            raise self._wrong(_key(path), _words(hint), value)
        return value

    def _of_table(self, value: Any, kind: Any, path: _Path) -> Any:
        paths: dict[str, _Path] = {name: (*path, name) for name in _names(kind)}
        if isinstance(value, kind):
            self._check(value, paths)
            return value
        if not isinstance(value, Mapping):
            raise self._wrong(_table(path), "a table", value)
        self._refuse_unknown(value, paths, f"key in {_table(path)}")
        return self._made(kind, value, paths)

    def _refuse_unknown(self, found: Iterable[str], known: Iterable[str], what: str) -> None:
        known = list(known)
        for name in found:
            if name not in known:
                near = difflib.get_close_matches(str(name)[:100], known, n=1)
                raise self.error(
                    f"The {self.called} has a {what} that is not known",
                    seen=short(name),
                    allowed=known,
                    remedy=f"Nearest: {near[0]}" if near else None,
                )

    def _wrong(self, where: str, words: str, value: Any) -> EegflexError:
        return self.error(f"The {self.called}'s {where} must be {words}", seen=short(value))


def _kept(value: Any) -> Any:
    """A value as TOML has it, and of a dataclass only the fields that are not as by default."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: _kept(own)
            for field in dataclasses.fields(value)
            if (own := getattr(value, field.name)) is not None and own != _default_of(field)
        }
    if isinstance(value, Mapping):
        return {name: _kept(own) for name, own in value.items()}
    return [_kept(own) for own in value] if isinstance(value, (list, tuple)) else value


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """Types of a dataclass's fields: read once, since they are compiled from their text, and a run checks many specs."""
    return get_type_hints(kind)


def _table_kind(hint: Any) -> Any:
    """The dataclass that a table becomes where one may or must stand."""
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((choice for choice in choices if dataclasses.is_dataclass(choice)), None)


def _names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _table(path: _Path) -> str:
    """A table as TOML writes its heading, with its number where there are several."""
    if isinstance(path[-1], int):
        return f"[[{'.'.join(map(str, path[:-1]))}]] {path[-1]}"
    return f"[{'.'.join(map(str, path))}]"


def _key(path: _Path) -> str:
    """A key with the heading that it stands under."""
    *above, key = path
    if not above:
        return str(key)
    return f"{_table(tuple(above))}{':' * isinstance(above[-1], int)} {key}"


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
    if hint is Any:
        return True
    if hint in (int, float):
        is_number = isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
        return is_number and (isinstance(value, float) or abs(value) <= LARGEST)
    return isinstance(value, hint)


#: Types in TOML's own words.
_WORDS: dict[Any, str] = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def _words(hint: Any) -> str:
    """What a type allows, for a reader who does not know Python."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin in (Union, types.UnionType):
        return " or ".join(_words(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"a list, each {_words(arguments[0])}"
    if origin is dict:
        return "a table" if arguments[1] is Any else f"a table, each {_words(arguments[1])}"
    return _WORDS[hint]
