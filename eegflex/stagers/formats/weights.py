"""Weights of a network that the caller has: state dicts of torch.save, and safetensors."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from eegflex.errors import MissingExtraError, ModelError
from eegflex.stagers.copies import own_copy
from eegflex.stagers.failures import in_our_words, said
from eegflex.stagers.formats.archive import Archive
from eegflex.stagers.formats.beside import beside
from eegflex.stagers.formats.braindecode import arguments
from eegflex.stagers.formats.checkpoints import fill, stand_ins
from eegflex.stagers.formats.registry import ModelFile
from eegflex.stagers.formats.safety import refuse_unless_trusted
from eegflex.stagers.networks import NETWORKS, network_class

__all__ = ["into_network", "load_safetensors", "load_torch"]

#: What a file of torch.save raises that is damaged, or refused.
_DAMAGE = (
    pickle.UnpicklingError,
    RuntimeError,
    AttributeError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    MemoryError,
)
#: The members of a file of torch.save.
_MEMBER = re.compile(
    r"data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id", re.ASCII
)
_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
#: Packages of classes that an extra brings.
_EXTRAS = ("braindecode", "gssc", "keras")


def load_safetensors(file: ModelFile) -> nn.Module:
    """Load safetensors, which hold nothing but numbers, into their network."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = _network(file)  # first: without it there is no need to read
    try:
        return fill(network, load_file(file.path), file)
    except SafetensorError as error:
        raise ModelError(f"This file is damaged, or not safetensors: {error}", seen=file.path) from error


def load_torch(file: ModelFile) -> nn.Module:
    """Load what torch.save wrote: a state dict into its network; a whole module only from those who are trusted."""
    archive = Archive(file.path)
    archive.scan_torch_file()
    if not file.trusted:
        archive.refuse_others(_MEMBER, "a file of torch.save with more than weights in it")
    opened = archive.copied()
    unsafe = _unsafe(opened)
    opened.seek(0)
    try:
        with torch.serialization.safe_globals(stand_ins(unsafe) or []):
            saved = torch.load(opened, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        if not unsafe:
            raise ModelError(f"This file of torch.save is damaged: {said(error)}", seen=file.path) from error
        refuse_unless_trusted(file, "a pickled Python object, not weights only", unsafe)
        opened.seek(0)
        with in_our_words(f"{file.path.name} cannot be opened"):
            saved = torch.load(opened, map_location="cpu", weights_only=False)
    return saved if isinstance(saved, nn.Module) else into_network(saved, file)


def _unsafe(opened: io.BytesIO) -> set[str]:
    """What torch refuses to import for a file; nothing, where it is only damaged."""
    opened.seek(0)
    try:
        return set(torch.serialization.get_unsafe_globals_in_checkpoint(opened))
    except _DAMAGE:
        return set()


def into_network(saved: Any, file: ModelFile) -> nn.Module:
    """Put the weights in what was saved into their network."""
    return fill(_network(file), saved, file)


def _network(file: ModelFile) -> nn.Module:
    """The network that the weights belong to."""
    source = file.network
    if source is None and file.spec.class_name in NETWORKS:
        source = _published(file)
    if source is None:
        source = _named_class(file)
    if not isinstance(source, nn.Module):
        with in_our_words("The network cannot be created from the spec's [model] kwargs", seen=file.spec.kwargs):
            source = source(**arguments(source, file.spec))
    if not isinstance(source, nn.Module):
        raise ModelError("module= must be a torch.nn.Module", seen=type(source).__name__)
    return own_copy(source)  # type: ignore[return-value]


def _published(file: ModelFile) -> Callable[..., nn.Module]:
    """The class of a network that is known by its name: no code of others, and no more weights than the file can hold."""
    name = file.spec.class_name
    kind = network_class(name)
    made_with = arguments(kind, file.spec)
    cannot = "The network cannot be created from the spec's [model] kwargs"
    with in_our_words(cannot, seen=made_with), torch.device("meta"):  # sizes, and no numbers
        wanted = sum(weight.numel() for weight in kind(**made_with).state_dict().values())
    held = file.path.stat().st_size
    if wanted > held:  # a number takes a byte at least
        raise ModelError(
            f"The network {name} has more weights than this file can hold",
            seen=f"{wanted:,} weights, {held:,} bytes",
            remedy="Create the network with the arguments that it was trained with: kwargs in the spec's [model]",
        )
    return kind


def _named_class(file: ModelFile) -> Callable[..., nn.Module]:
    """The class that the spec names. Importing it runs the code of its package, which the spec may come without."""
    name = file.spec.class_name
    if not name:
        raise ModelError(
            "This file has weights but no network",
            seen=file.path,
            remedy="Pass the network: load_model(path, module=MyNetwork(...))",
        )
    if not file.trusted:
        raise ModelError(
            f"The spec of {file.path.name} names a class, and to import it runs the code of its package",
            seen=name,
            remedy="Pass the class yourself, load_model(path, module=TheClass), or trusted=True",
        )
    if not _CLASS.fullmatch(name):
        raise ModelError(
            "The spec's [model] class is not the address of a class", seen=repr(name), allowed="'package.module:Class'"
        )
    module, _, path = name.partition(":")
    try:
        with beside(file.folder or file.path.parent, module):
            found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # of whatever it does when it is imported
        package = module.partition(".")[0]
        if package in _EXTRAS and find_spec(package) is None:
            raise MissingExtraError(f"The network {name} needs the package {package}", package) from error
        raise ModelError(
            f"The network of the spec cannot be imported: {said(error)}",
            seen=name,
            remedy="Install the package, put its module beside the spec, or pass the class: load_model(path, module=TheClass)",
        ) from error
    own: Callable[..., nn.Module] = found
    return own
