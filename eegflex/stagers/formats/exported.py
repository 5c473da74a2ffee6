"""Graphs of torch.export (``.pt2``).

torch itself unpickles parts of such an archive, parses its expressions with ``eval`` and resolves its targets by name, so
everything that could be more than a graph of arithmetic is refused before torch sees the file.
"""

from __future__ import annotations

import ast
import copy
import functools
import io
import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from eegflex.errors import ModelError
from eegflex.stagers.formats.archive import Archive
from eegflex.stagers.formats.batches import in_batches
from eegflex.stagers.formats.dtypes import check_network, refuse_kinds
from eegflex.stagers.formats.registry import ModelFile
from eegflex.stagers.formats.safety import check_expansion, refuse_code
from eegflex.stagers.formats.shapes import Shape, Shapes

__all__ = ["load_exported"]

#: The members of an archive that is a graph, its weights and its example inputs; compiled libraries are not among them.
_MEMBER = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|models/model\.json|data/sample_inputs/model\.pt"
    r"|data/(weights|constants)/(model_(weights|constants)_config\.json|(weight|tensor)_\d+)"
    r"|\.format_version|\.storage_alignment|version",
    re.ASCII,
)
#: Arithmetic on sizes.
_ON_SIZES = re.compile(
    r"torch\.sym_(int|float|max|min|not|ite|sum)|torch\._sym_sqrt|math\.(trunc|floor|ceil|sqrt|log|log2|pow)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|lshift|rshift)"
)
#: An operator on tensors.
_ON_TENSORS = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)", re.ASCII)
#: A name of a node or a weight: torch writes these into the source of a function.
_NAME = re.compile(r"[\w.]*", re.ASCII)
#: What an operator is told in words: a mode of padding, an equation, what is wrong if an assertion fails.
_WORDS = re.compile(r"[\w .,:;<>=()'+*/%!|&~^\[\]-]*", re.ASCII)
#: What is fed and returned: a tensor, or containers of Python that hold it. torch imports what any other kind names.
_CONTAINERS = {"builtins.tuple", "builtins.list", "builtins.dict"}
#: Floats that JSON has no numbers for.
_NO_NUMBERS = {"Infinity", "-Infinity", "NaN"}
#: A number, or the name of a size, where an expression has a text.
_TEXT = re.compile(r"[\w.+-]{1,40}", re.ASCII)
#: What an expression is written with.
_EXPRESSION = re.compile(r"[\w .,()'=<>!+*/%-]*", re.ASCII)
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

    def __init__(self, graph: nn.Module, batch: int | None, shapes: Shapes) -> None:
        super().__init__()
        self.graph, self.batch, self.shapes = graph, batch, shapes

    def train(self, mode: bool = True) -> _Exported:
        self.training = mode
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Exported:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch copies its graphs in a way that it warns of
            return _Exported(copy.deepcopy(self.graph, memo), self.batch, self.shapes).train(self.training)

    def forward(self, fed: Any) -> Any:
        return in_batches(self.graph, fed, self.batch)


def load_exported(file: ModelFile) -> nn.Module:
    """Load a graph of torch.export that does nothing but compute."""
    opened = _inspected(file)
    try:
        program = torch.export.load(opened)
        _check_kinds(program, file)
        module, shapes = program.module(), _shapes(program)
    except ModelError:
        raise
    except Exception as error:  # of whatever part of torch
        raise ModelError(f"This .pt2 is damaged, or of another version of torch: {error}", seen=file.path) from error
    check_network(module, file.path)
    return _Exported(module, shapes.batch, shapes)


def _check_kinds(program: torch.export.ExportedProgram, file: ModelFile) -> None:
    """Refuse weights of other kinds than the graph computes with."""
    nodes = {node.name: node for node in program.graph.nodes}
    held = {**program.constants, **program.state_dict}
    found = {
        spec.target: (own.dtype, nodes[spec.arg.name].meta["val"].dtype)
        for spec in program.graph_signature.input_specs
        if isinstance(own := held.get(spec.target), torch.Tensor)
    }
    refuse_kinds(
        {name: f"{own} in place of {meant}" for name, (own, meant) in found.items() if own != meant}, file.path
    )


def _shapes(program: torch.export.ExportedProgram) -> Shapes:
    """What the graph takes and returns; an axis has a size where it takes no other."""
    nodes = {node.name: node.meta.get("val") for node in program.graph.nodes}

    def of(names: Iterable[Any]) -> tuple[Shape | None, ...]:
        tensors = (own for name in names if isinstance(own := nodes.get(str(name)), torch.Tensor))
        return tuple(tuple(size if isinstance(size, int) else None for size in own.shape) for own in tensors)

    return Shapes(of(program.graph_signature.user_inputs), of(program.graph_signature.user_outputs))


def _inspected(file: ModelFile) -> io.BytesIO:
    """What torch is given to open: a copy, in which nothing is left that does more than compute."""
    archive = Archive(file.path)
    if file.trusted:
        return archive.copied()
    archive.refuse_others(_MEMBER, "a .pt2 with more than a graph in it")
    changed = {}
    for name, full in archive.names.items():
        if name.endswith(".json"):
            changed[name] = _description(archive.read(full), archive)
        elif name.endswith(".pt"):
            changed[name] = _inputs(archive.read(full), file)
    return archive.copied(changed)


def _inputs(data: bytes, file: ModelFile) -> bytes:
    """The example inputs, a file of torch.save, which torch would open whatever is in it: tensors only, and saved anew."""
    if not data:
        return data
    archive = Archive(file.path, data)
    archive.scan_torch_file()
    opened, saved = archive.copied(), io.BytesIO()
    unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(opened)
    if unsafe:
        raise refuse_code(file.path, "a .pt2 with a pickled Python object in it", unsafe)
    opened.seek(0)
    try:
        torch.save(torch.load(opened, map_location="cpu", weights_only=True), saved)
    except Exception as error:  # of whatever is in it
        raise ModelError(f"The example inputs of this .pt2 are damaged: {error}", seen=file.path) from error
    return saved.getvalue()


def _description(data: bytes, archive: Archive) -> bytes:
    """A description that does nothing but compute, its weights being of a size that can be; notes are left out."""
    try:
        described = _without_notes(json.loads(data))
        check_expansion(archive.size, _weights_of(described), archive.path)
        beyond = set(_beyond(described))
    except ModelError:
        raise
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise ModelError(f"This .pt2 is damaged: {error}", seen=archive.path) from error
    if beyond:
        raise refuse_code(archive.path, "a .pt2 that does more than compute", beyond)
    return json.dumps(described).encode()


def _without_notes(value: Any) -> Any:
    """A description without what its author's code was like, in which torch looks up names; nothing is computed with it."""
    if isinstance(value, list):
        return [_without_notes(own) for own in value]
    if not isinstance(value, dict):
        return value
    notes = isinstance(value.get("metadata"), dict) and all(isinstance(own, str) for own in value["metadata"].values())
    return {name: {} if notes and name == "metadata" else _without_notes(own) for name, own in value.items()}


def _weights_of(described: Any) -> int:
    """Bytes of the weights that a description declares: strides of zero make them of any size from a single number."""
    entries = described.get("config") if isinstance(described, dict) else None
    found = [entry.get("tensor_meta") for entry in (entries or {}).values() if isinstance(entry, dict)]
    sizes = [[abs(int(size.get("as_int", 1))) for size in meta["sizes"]] for meta in found if isinstance(meta, dict)]
    return sum(math.prod(own) for own in sizes) * 4


def _beyond(value: Any, key: str = "") -> Iterator[str]:
    """All in a description of a graph that torch would evaluate, import or unpickle, or write into code that it makes."""
    if key in _CHECKS:
        if not _CHECKS[key](value):
            yield f"{key} = {str(value)!r:.60}"
    elif isinstance(value, str):
        if not _NAME.fullmatch(value):
            yield f"the name {value!r:.60}"
    elif isinstance(value, dict):
        yield from (f"the name {name!r:.60}" for name in value if not _NAME.fullmatch(name))
        for name, own in value.items():
            yield from _beyond(own, "" if key in _BY_NAME else name)
    elif isinstance(value, list):
        for own in value:
            yield from _beyond(own, key)


def _is_operator(target: Any) -> bool:
    """Whether a target is one of torch's own operators that compute: one that it dispatches, and that opens no file."""
    on_tensors = _ON_TENSORS.fullmatch(str(target))
    if not on_tensors:
        return bool(_ON_SIZES.fullmatch(str(target)))
    name, overload = on_tensors.groups()
    return name != "from_file" and f"aten::{name}.{overload}".removesuffix(".default") in _dispatched()


@functools.cache
def _dispatched() -> frozenset[str]:
    return frozenset(torch._C._dispatch_get_all_op_names())


def _is_tree(text: Any) -> bool:
    """Whether a text describes containers of Python's own and nothing else."""
    protocol, tree = json.loads(text)
    return protocol == 1 and _is_plain(tree)


def _is_plain(tree: dict[str, Any]) -> bool:
    kind, context, inner = tree["type"], tree["context"], tree["children_spec"]
    if set(tree) != {"type", "context", "children_spec"} or not all(map(_is_plain, inner)):
        return False
    if kind is None:
        return context is None and not inner
    if kind not in _CONTAINERS:
        return False
    keys = json.loads(context)
    if kind != "builtins.dict":
        return keys is None
    return isinstance(keys, list) and len(keys) == len(inner) and all(_NAME.fullmatch(str(key)) for key in keys)


def _is_arithmetic(expression: Any) -> bool:
    """Whether an expression, which is going to be evaluated, is one of sizes and nothing else, and no endless sum."""
    if not _EXPRESSION.fullmatch(str(expression)):
        return False
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


#: Keys of descriptions by name, where a name may be any.
_BY_NAME = {"tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values", "config"}
#: Keys whose values are no plain names, and what may be there.
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "target": _is_operator,
    "as_operator": _is_operator,
    "expr_str": _is_arithmetic,
    "in_spec": _is_tree,
    "out_spec": _is_tree,
    "as_float": lambda v: isinstance(v, int | float) or v in _NO_NUMBERS,
    "as_floats": lambda v: all(isinstance(own, int | float) or own in _NO_NUMBERS for own in v),
    "as_string": lambda v: _WORDS.fullmatch(str(v)),
    "as_strings": lambda v: all(_WORDS.fullmatch(str(own)) for own in v),
    "range_constraints": lambda v: all(re.fullmatch(r"\w+", name, re.ASCII) for name in v),
    "torch_version": lambda v: re.fullmatch(r"[\w.+<=-]*", str(v), re.ASCII),
    **dict.fromkeys(("guards_code", "use_pickle", "custom_obj_values", "treespec_namedtuple_fields"), lambda v: not v),
    **dict.fromkeys(("as_custom_obj", "custom_obj", "class_fqn"), lambda v: False),
}
