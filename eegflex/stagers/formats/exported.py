"""Graphs of torch.export (``.pt2``).

torch itself unpickles parts of such an archive, parses its expressions with ``eval`` and resolves its targets by name, so
everything that could be more than a graph of arithmetic is refused before torch sees the file.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from eegflex.errors import ModelError
from eegflex.stagers.formats.batches import in_batches
from eegflex.stagers.formats.safety import Archive, check_expansion, refuse_code
from eegflex.stagers.formats.table import ModelFile

__all__ = ["load_exported"]

#: The members of an archive that is a graph, its weights and its example inputs; compiled libraries are not among them.
_MEMBER = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|models/\w+\.json|data/sample_inputs/\w+\.pt"
    r"|data/(weights|constants)/(\w+_config\.json|(weight|tensor)_\w+)|\.format_version|\.storage_alignment|version"
)
#: Arithmetic on tensors, and on sizes.
_TARGET = re.compile(
    r"torch\.ops\.aten\.(?!from_file|save|load)\w+(\.\w+)?|torch\.sym_\w+|math\.\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_|not_)"
)
#: A name of a node or a weight: torch writes these into the source of a function.
_NAME = re.compile(r"[\w.]*")
#: Strings that are data.
_TEXTS = {"as_string", "as_strings", "in_spec", "out_spec", "torch_version"}
#: A number, or the name of a size, where an expression has a text.
_TEXT = re.compile(r"[\w.+-]{1,40}")
#: Larger than any size, and than any exponents of an expression together.
_LARGEST, _LARGEST_POWER = 2**63, 64
#: What may be called in an expression of sizes.
_FUNCTIONS = {
    *("Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Mod", "PythonMod", "Max", "Min", "FloorDiv"),
    *("CeilDiv", "CleanDiv", "IntTrueDiv", "FloatTrueDiv", "TruncToInt", "CeilToInt", "FloorToInt", "ToFloat"),
    *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Not", "And", "Or"),
}
#: What is computed with in such expressions.
_PARTS = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.BinOp, ast.UnaryOp, ast.Compare),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.unaryop, ast.cmpop),
)


class _Exported(nn.Module):
    """A graph, whose mode (training or not) is that of its export."""

    def __init__(self, graph: nn.Module, batch: int | None) -> None:
        super().__init__()
        self.graph, self.batch = graph, batch

    def train(self, mode: bool = True) -> _Exported:
        self.training = mode
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Exported:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch copies its graphs in a way that it warns of
            return _Exported(copy.deepcopy(self.graph, memo), self.batch).train(self.training)

    def forward(self, fed: Any) -> Any:
        return in_batches(self.graph, fed, self.batch)


def load_exported(file: ModelFile) -> nn.Module:
    """Load a graph of torch.export that does nothing but compute."""
    if not file.trusted:
        _inspect(file)
    try:
        program = torch.export.load(io.BytesIO(file.path.read_bytes()))
        return _Exported(program.module(), _batch(program))
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError, AttributeError) as error:
        raise ModelError(f"This .pt2 is damaged, or of another version of torch: {error}", seen=file.path) from error


def _batch(program: torch.export.ExportedProgram) -> int | None:
    """The size of the batch, where the graph takes no other."""
    (name, *_) = program.graph_signature.user_inputs
    shapes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.op == "placeholder"}
    first = shapes[str(name)][0]
    return first if isinstance(first, int) else None


def _inspect(file: ModelFile) -> None:
    archive = Archive(file.path)
    for member in archive.members:
        name = member.filename.partition("/")[2]
        if not _MEMBER.fullmatch(name):
            raise refuse_code(file.path, "a .pt2 with more than a graph in it", {name})
        if name.endswith(".json"):
            beyond = _inspect_description(archive.read(member.filename), archive)
            if beyond:
                raise refuse_code(file.path, "a .pt2 that does more than compute", beyond)
        elif name.endswith(".pt"):
            _inspect_inputs(archive.read(member.filename), file)


def _inspect_inputs(data: bytes, file: ModelFile) -> None:
    """The example inputs are a file of torch.save, which torch opens without asking."""
    Archive(file.path, data).scan_torch_file()
    unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
    if unsafe:
        raise refuse_code(file.path, "a .pt2 with a pickled Python object in it", unsafe)


def _inspect_description(data: bytes, archive: Archive) -> set[str]:
    """All in a description that does more than compute, its weights being of a size that can be."""
    try:
        described = json.loads(data)
        check_expansion(archive.size, _weights_of(described), archive.path)
        return set(_beyond(described))
    except ModelError:
        raise
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise ModelError(f"This .pt2 is damaged: {error}", seen=archive.path) from error


def _weights_of(described: Any) -> int:
    """Bytes of the weights that a description declares: strides of zero make them of any size from a single number."""
    entries = described.get("config") if isinstance(described, dict) else None
    found = [entry.get("tensor_meta") for entry in (entries or {}).values() if isinstance(entry, dict)]
    sizes = [[abs(int(size.get("as_int", 1))) for size in meta["sizes"]] for meta in found if isinstance(meta, dict)]
    return sum(math.prod(own) for own in sizes) * 4


def _beyond(value: Any, key: str = "") -> Iterator[str]:
    """All in a description of a graph that torch would evaluate, import or unpickle, or write into code that it makes."""
    checks = {
        "target": lambda v: _TARGET.fullmatch(str(v)),
        "expr_str": _is_arithmetic,
        "guards_code": lambda v: not v,
        "use_pickle": lambda v: not v,
        "range_constraints": lambda v: all(re.fullmatch(r"\w+", name) for name in v),
    }
    if key in checks:
        if not checks[key](value):
            yield f"{key} = {value!s:.60}"
    elif isinstance(value, str) and key not in _TEXTS and not _NAME.fullmatch(value):
        yield f"the name {value!s:.60}"
    if isinstance(value, dict) and key != "metadata":
        yield from (f"the name {name!s:.60}" for name in value if not _NAME.fullmatch(name))
        for name, own in value.items():
            yield from _beyond(own, name)
    elif isinstance(value, list):
        for own in value:
            yield from _beyond(own, key)


def _is_arithmetic(expression: Any) -> bool:
    """Whether an expression, which is going to be evaluated, is one of sizes and nothing else, and no endless sum."""
    try:
        parts = list(ast.walk(ast.parse(str(expression), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    calls = [part for part in parts if isinstance(part, ast.Call)]
    texts = [own for call in calls if _called(call) in {"Symbol", "Float"} for own in call.args]
    return (
        all(isinstance(part, _PARTS) for part in parts)
        and all(_called(call) in _FUNCTIONS for call in calls)
        and all(_is_small(part.value, part in texts) for part in parts if isinstance(part, ast.Constant))
        and math.prod(_exponent(call) for call in calls if _called(call) == "Pow") <= _LARGEST_POWER
        and all(
            isinstance(word.value, ast.Constant) and word.value.value in range(65) for c in calls for word in c.keywords
        )
    )


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_small(value: Any, can_be_text: bool) -> bool:
    if isinstance(value, str):
        return can_be_text and bool(_TEXT.fullmatch(value))
    return isinstance(value, int | float) and abs(value) <= _LARGEST


def _exponent(call: ast.Call) -> float:
    """The size of a power's exponent, at least 1; infinite for what is no number.

    A power of powers would keep whoever evaluates it busy for ever.
    """
    found = re.fullmatch(r"(?:Integer\()?(-?\d{1,3})\)?", ast.unparse(call.args[-1])) if len(call.args) == 2 else None
    return max(abs(int(found[1])), 1) if found else math.inf
