"""TorchScript: a network with its own code, in a language that torch interprets."""

from __future__ import annotations

import re
import warnings

import torch
from torch import nn

from eegflex.errors import ModelError
from eegflex.stagers.formats.safety import Archive, refuse_code, scan_pickle
from eegflex.stagers.formats.table import ModelFile

__all__ = ["load_torchscript"]

#: All that the pickles of an archive name: classes of its own code, and what tensors and lists are made with.
_OWN = re.compile(
    r"__torch__\..+|torch\.jit\._pickle\.\w+|torch\.(\w*Storage|storage\.\w*Storage|device|Size)"
    r"|torch\._utils\._rebuild_\w+|torch\.per_\w+_affine|collections\.OrderedDict"
)
#: What TorchScript can do beside computing: it writes and maps files. The words are refused wherever they stand, since its
#: grammar knows many ways to call an operator.
_BEYOND = re.compile(r"\b(?:save|from_file)\b")
_OPERATORS = re.compile(r"\bops\s*\.\s*(\w+)")
_KNOWN = {"aten", "prim", "quantized", "prims", "torchvision", "torchaudio"}


def load_torchscript(file: ModelFile) -> nn.Module:
    """Load a TorchScript archive whose pickles and code do nothing but make and run a network."""
    _inspect(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather have a .pt2
            loaded: nn.Module = torch.jit.load(str(file.path), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"This TorchScript is damaged: {str(error).splitlines()[0]}", seen=file.path) from error
    return loaded


def _inspect(file: ModelFile) -> None:
    """Refuse an archive that would do more than compute, before torch opens it."""
    archive = Archive(file.path)
    named, beyond = set(), set()
    for name in (member.filename for member in archive.members):
        if name.endswith(".pkl"):
            # the inputs of a trace are noted without their values
            pickled = scan_pickle(archive.read(name)) if name.endswith("/traced_inputs.pkl") else archive.scan(name)
            named |= {own for own in pickled.names if not _OWN.fullmatch(own)}
        elif name.endswith(".py"):
            code = archive.read(name).decode("utf-8", "replace")
            beyond |= set(_BEYOND.findall(code))
            beyond |= {f"ops.{namespace}" for namespace in _OPERATORS.findall(code) if namespace not in _KNOWN}
    if named and not file.trusted:
        raise refuse_code(file.path, "a TorchScript archive with a foreign pickle in it", named)
    if beyond and not file.trusted:
        raise refuse_code(file.path, "TorchScript that does more than compute", beyond)
