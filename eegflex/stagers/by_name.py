"""Networks by name: their class, their contract, and weights from a file, a folder, a package or a hub; or random ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from mne.utils import logger
from torch import nn

from eegflex.errors import ParameterError, SpecError
from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.published import load_spec, spec_names
from eegflex.stagers.failures import in_our_words
from eegflex.stagers.formats.braindecode import arguments, class_named
from eegflex.stagers.networks import NETWORKS, network_class
from eegflex.stagers.stager import Stager

__all__ = ["RANDOM", "contract_of", "of_other_weights", "own_weights", "random_stager"]

#: What is given for weights where none are wanted.
RANDOM = "random"
#: Of random weights, so that they are the same tomorrow.
SEED = 0

Class = Callable[..., nn.Module]


def contract_of(name: str, spec: ModelSpec | None) -> tuple[ModelSpec, Class | None]:
    """The contract of a network that is given by name, and its class where the contract does not have that.

    Parameters
    ----------
    name : str
        ``"usleep"``, ``"braindecode:USleep"``, ``"physioex:seqsleepnet-eeg"``.
    spec : ModelSpec | None
        In the place of the published one.

    Raises
    ------
    ParameterError
        If there is none published, and none given.
    SpecError
        If the weights that come with the network are of one contract, or the spec is that of another network.
    """
    own = load_spec(name) if name in spec_names() else None
    if spec is None and own is not None:
        return own, None
    kind = network_class(own.class_name) if own and own.class_name else class_named(name) if own is None else None
    if spec is None:
        raise ParameterError(
            f"{name} is not only a network of sleep, so it has no published spec",
            seen="no spec=",
            remedy="Give its spec, spec='mine.toml'; eegflex specs prints some to start from",
        )
    if kind is None or (own is not None and own.sha256):
        raise SpecError(
            "These weights have their own spec, which cannot be replaced",
            seen=f"spec={spec.name!r} for {name!r}",
            remedy="Leave spec= out, or load the file of weights with it: load_model('the file', spec=...)"
            if own is None or not own.class_name
            else f"Leave spec= out; for weights of your own, load_model({own.class_name!r}, spec=..., weights='mine.ckpt')",
        )
    named = spec.class_name
    if named and named != name and _address(named) != f"{kind.__module__.partition('.')[0]}:{kind.__name__}":
        raise SpecError(
            f"This is the spec of another network than {name}",
            seen=f"class = {named!r}",
            remedy="Leave class out of its [model], or load the network that it names",
        )
    return (spec.replace(class_name=name), None) if name in NETWORKS else (spec, kind)


def of_other_weights(spec: ModelSpec) -> ModelSpec:
    """A published contract for weights that the caller has: those that it was published with are not meant."""
    if not spec.sha256:
        return spec
    note = f"weights: given by the user, not necessarily those of {spec.name}"
    paper = spec.citation.partition("; weights:")[0]
    return spec.replace(
        name=f"{spec.name}, other weights",
        file="",
        sha256="",
        licence="",
        citation=paper,
        assumed=(*spec.assumed, note),
    )


def own_weights(name: str, spec: ModelSpec) -> str:
    """How weights of one's own are loaded into the network that a package has weights of, after "if it is meant, "."""
    return f"load it by the name of its network: load_model({spec.class_name!r}, spec={name!r}, weights='mine.ckpt')"


def _address(named: str) -> str:
    """Package and class, however long the way between them is."""
    module, _, kind = NETWORKS.get(named, named).partition(":")
    return f"{module.partition('.')[0]}:{kind}"


def random_stager(spec: ModelSpec, kind: Class | None) -> Stager:
    """A network as it is before training, which is said wherever it is named."""
    kind = kind or network_class(spec.class_name)
    with torch.random.fork_rng(devices=[]), in_our_words("The network cannot be created", seen=spec.kwargs):
        torch.manual_seed(SEED)
        network = kind(**arguments(kind, spec))
    note = f"weights: random, as requested (seed {SEED}); its scores have no meaning"
    logger.warning(f"{spec.name} is untrained: its weights are random")
    return Stager(network, spec.replace(name=f"{spec.name}, random weights", assumed=(*spec.assumed, note)))
