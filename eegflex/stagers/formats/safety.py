"""What is in a pickle, found out without opening it: nothing here imports, allocates or runs what a file asks for."""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegflex.errors import ModelError

if TYPE_CHECKING:
    from eegflex.stagers.formats.registry import ModelFile

__all__ = ["Pickled", "check_expansion", "names_in_pickle", "refuse_code", "refuse_unless_trusted", "scan_pickle"]

#: What an archive unpacks to may be so many times its own size, weights being hard to compress ...
MOST_EXPANSION = 100
#: ... if it is more than this.
SMALL = 64 * 2**20
#: torch before 1.6 wrote five, and the weights after them.
MOST_PICKLES = 5

_ITEMSIZE = {
    "Double": 8, "Long": 8, "ComplexFloat": 8, "ComplexDouble": 16, "Float": 4, "Int": 4, "QInt32": 4, "Half": 2,
    "BFloat16": 2, "Short": 2, "Char": 1, "Byte": 1, "Bool": 1, "QInt8": 1, "QUInt8": 1, "Untyped": 1,
}  # fmt: skip


#: What makes a tensor of a storage: its arguments are the storage, an offset, sizes and strides.
_REBUILD = re.compile(r"_rebuild_q?tensor(_v\d)?")


@dataclass
class Pickled:
    """What a pickle would do.

    Attributes
    ----------
    names : set of str
        All that it would import and may call.
    storages : list of tuple
        Of a torch file: name of the record, and how many bytes of it are asked for.
    declared : int
        Bytes of all that it would make, copied by itself.
    """

    names: set[str] = field(default_factory=set)
    storages: list[tuple[str, int]] = field(default_factory=list)
    declared: int = 0


class _Inert:
    """Stands for whatever a pickle names, and does nothing whatever is done with it but to note what it would allocate."""

    eegflex_name = ""
    eegflex_found = Pickled()

    def __init__(self, *arguments: Any, **_: Any) -> None:
        self.state: Any = None
        kind = self.eegflex_name
        if kind == "_rebuild_from_type_v2" and len(arguments) >= 3:  # a function, and what it is called with
            kind, arguments = getattr(arguments[0], "eegflex_name", ""), arguments[2]
        self.eegflex_found.declared += _declared(kind, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


def _declared(kind: str, arguments: Any) -> int:
    """Bytes that a call would allocate sooner or later: strides of zero make a tensor of any size from a single number."""
    if kind == "bytearray":
        return next((abs(n) for n in arguments if isinstance(n, int)), 0)
    if not _REBUILD.fullmatch(kind) or not isinstance(arguments, tuple) or len(arguments) < 3:
        return 0
    storage, size = arguments[0], arguments[2]
    size = getattr(size, "state", size)
    sizes = [abs(n) for n in size if isinstance(n, int)] if isinstance(size, tuple) else []
    return math.prod(sizes) * getattr(storage, "eegflex_itemsize", 1)


class _Scanner(pickle._Unpickler):
    """An unpickler to which every name is the same inert class.

    It is Python's own in Python: the one in C makes room for as many objects as a pickle says that it remembers.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.found = Pickled()

    def find_class(self, module: str, name: str) -> Any:
        self.found.names.add(f"{module}.{name}")
        return type(_Inert.__name__, (_Inert,), {"eegflex_name": name, "eegflex_found": self.found})

    def persistent_load(self, pid: Any) -> Any:
        if isinstance(pid, tuple) and len(pid) >= 5 and isinstance(pid[4], int):
            kind = str(getattr(pid[1], "eegflex_name", "Untyped")).removesuffix("Storage")
            itemsize = _ITEMSIZE.get(kind, 1)
            self.found.storages.append((str(pid[2]), pid[4] * itemsize))
            return type(_Inert.__name__, (_Inert,), {"eegflex_itemsize": itemsize})()
        return _Inert()


def _scan(data: bytes) -> tuple[Pickled, Exception | None]:
    """What a pickle and those that follow it in the same file would do, and what the first of them is damaged by."""
    scanner = _Scanner(data)
    for number in range(MOST_PICKLES):
        try:
            scanner.load()
        except Exception as error:  # a damaged pickle may raise anything
            return scanner.found, error if number == 0 else None
    return scanner.found, None


def names_in_pickle(data: bytes) -> set[str]:
    """All that a pickle would import, as far as it can be read."""
    return _scan(data)[0].names


def scan_pickle(data: bytes) -> Pickled:
    """Find out what a pickle, and those that follow it in the same file, would import and call.

    Raises
    ------
    ModelError
        If the data are no pickle.
    """
    found, damage = _scan(data)
    if damage is not None:
        raise ModelError(f"This is a damaged pickle: {damage}") from damage
    return found


def check_expansion(size: int, declared: int, path: Path) -> None:
    """Refuse a file that declares to unpack to far more than any weights do.

    Raises
    ------
    ModelError
        With both sizes.
    """
    if declared > max(MOST_EXPANSION * size, SMALL):
        raise ModelError(
            f"This file of {size:,} bytes declares {declared:,}, more than weights can be",
            seen=path,
            remedy="Do not open it: it is made to exhaust the memory",
        )


def refuse_unless_trusted(file: ModelFile, what: str, names: Iterable[str]) -> None:
    """Refuse a file that would run code when it is opened, unless the caller trusts its author.

    Raises
    ------
    ModelError
        If not.
    """
    if not file.trusted:
        raise refuse_code(file.path, what, names)


def refuse_code(path: Path, what: str, names: Iterable[str]) -> ModelError:
    """The error for a file that would run code when it is opened."""
    return ModelError(
        f"{path.name} is {what}: opening it would run any code that its author put there",
        seen=f"it names {', '.join(sorted(names)[:5]) or 'nothing that is known'}",
        allowed="a state dict or safetensors with module=, torch.export (.pt2), TorchScript, ONNX, Keras",
        remedy="Ask its author for one of these, such as torch.save(model.state_dict(), 'weights.pt'); or, only if you would "
        "run a program by that author, pass trusted=True",
    )
