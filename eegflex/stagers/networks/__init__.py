"""Published networks by name, written anew from their papers: their weights come from files.

Each has the two methods by which a `Stager` encodes the neighbours of an epoch once: ``encode``, (n, ...) -> (n, ...), of
epochs by themselves, and ``decode``, (batch, epoch, ...) -> scores. Its parameters have the names by which they are found
in the checkpoints that there are.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from eegflex.errors import MissingExtraError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "network_class"]

_OWN = "eegflex.stagers.networks"

#: The class of each network; imported only when it is asked for.
NETWORKS = {
    "chambon2018": f"{_OWN}.chambon2018:Chambon2018",
    "seqsleepnet": f"{_OWN}.seqsleepnet:SeqSleepNet",
    "sleeptransformer": f"{_OWN}.sleeptransformer:SleepTransformer",
    "tinysleepnet": f"{_OWN}.tinysleepnet:TinySleepNet",
    "usleep": "braindecode.models:USleep",
    "braindecode:AttnSleep": "braindecode.models:AttnSleep",
    "braindecode:DeepSleepNet": "braindecode.models:DeepSleepNet",
    "braindecode:SleepStagerBlanco2020": "braindecode.models:SleepStagerBlanco2020",
    "braindecode:SleepStagerChambon2018": "braindecode.models:SleepStagerChambon2018",
    "braindecode:USleep": "braindecode.models:USleep",
}


def network_class(name: str) -> Callable[..., nn.Module]:
    """The class of one of `NETWORKS`.

    Raises
    ------
    MissingExtraError
        If it is of a package that is not installed.
    """
    module, _, kind = NETWORKS[name].partition(":")
    try:
        found: Callable[..., nn.Module] = getattr(import_module(module), kind)
    except (ImportError, AttributeError) as error:  # it may also be older than the network
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"The network {name} needs the package {package}, or a newer version of it", package
        ) from error
    return found
