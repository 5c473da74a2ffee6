"""TorchScript: a network with its own code, in a language that torch interprets."""

from __future__ import annotations

import re
import warnings

import torch
from torch import nn

from eegflex.errors import ModelError
from eegflex.stagers.formats.archive import Archive
from eegflex.stagers.formats.dtypes import check_network, refuse_kinds
from eegflex.stagers.formats.registry import ModelFile
from eegflex.stagers.formats.safety import refuse_code, scan_pickle

__all__ = ["load_torchscript"]

#: The members of an archive that is a network and its code. What was noted beside them is left out of what torch is given.
_MEMBER = re.compile(
    r"(data|constants|attributes|traced_inputs)\.pkl|(data|constants|traced_inputs)/\d+|code/__torch__[\w/]*\.py(\.debug_pkl)?"
    r"|version|byteorder|\.data/\w+|extra/[\w./-]+",
    re.ASCII,
)
_NOTES = r".*\.debug_pkl|extra/.*|traced_inputs.*|attributes\.pkl"
#: All that the pickles of an archive name: classes of its own code, and what tensors and lists are made with.
_OWN = re.compile(
    r"__torch__\.(?!torch\.classes\.).+|torch\.jit\._pickle\.\w+|torch\.(\w*Storage|storage\.\w*Storage|device|Size)"
    r"|torch\._utils\._rebuild_\w+|torch\.per_\w+_affine|collections\.OrderedDict"
)
#: What is named where weights are quantised.
_QUANTISED = re.compile(r"torch\.Q\w+Storage|torch\._utils\._rebuild_qtensor|__torch__\.torch\.classes\.quantized\..*")
#: What TorchScript can do beside computing: it writes and maps files, and makes objects of compiled libraries. The words are
#: refused wherever they stand, since its grammar knows many ways to call an operator.
_BEYOND = re.compile(r"\b(?:save|from_file|torch\s*\.\s*classes)\b")
#: Operators that are none of the known kinds; ``ops`` is a word that nothing else in the code may be called.
_OPERATORS = re.compile(r"(?<![\w.])(?:torch\s*\.\s*)?ops\b(?!\.(?:aten|prim|prims)\.)[\s.]*\w*")
#: How an attribute is asked for by a name in quotes. Other quotes may spell a word so that it is not seen.
_PLAIN_GETATTR = re.compile(r'\bgetattr\([\w.() ]*, "\w*"\)')


def load_torchscript(file: ModelFile) -> nn.Module:
    """Load a TorchScript archive whose pickles and code do nothing but make and run a network."""
    archive = Archive(file.path)
    _inspect(archive, file)
    opened = archive.copied(without="" if file.trusted else _NOTES)
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning):  # torch would rather have a .pt2
                warnings.simplefilter("ignore", kind)
            loaded: nn.Module = torch.jit.load(opened, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"This TorchScript is damaged: {str(error).splitlines()[0]}", seen=file.path) from error
    check_network(loaded, file.path)
    return loaded


def _inspect(archive: Archive, file: ModelFile) -> None:
    """Refuse an archive that would do more than compute, before torch opens it."""
    if not file.trusted:
        archive.refuse_others(_MEMBER, "a TorchScript archive with more than a network in it")
    named: set[str] = set()
    beyond: set[str] = set()
    for name in archive.names.values():
        if name.endswith(".pkl"):
            # the inputs of a trace are noted without their values
            pickled = scan_pickle(archive.read(name)) if name.endswith("/traced_inputs.pkl") else archive.scan(name)
            named |= pickled.names
        elif name.endswith(".py"):
            beyond.update(_beyond(archive.read(name).decode("utf-8", "replace")))
    refuse_kinds({name: "quantised" for name in sorted(named) if _QUANTISED.fullmatch(name)}, file.path)
    if file.trusted:
        return
    foreign = {name for name in named if not _OWN.fullmatch(name)}
    if foreign:
        raise refuse_code(file.path, "a TorchScript archive with a foreign pickle in it", foreign)
    if beyond:
        raise refuse_code(file.path, "TorchScript that does more than compute", beyond)


def _beyond(code: str) -> set[str]:
    """All words in a code by which it may do more than compute."""
    found = {*_BEYOND.findall(code), *_OPERATORS.findall(code)}
    while _PLAIN_GETATTR.search(code):  # from the innermost outwards
        code = _PLAIN_GETATTR.sub("_", code)
    return found | set(re.findall(r"\bgetattr\b.{0,60}", code))
