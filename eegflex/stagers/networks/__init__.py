"""Published networks by name, written anew from their papers: their weights come from files.

Each has the two methods by which a `Stager` encodes the neighbours of an epoch once: ``encode``, (n, ...) -> (n, ...), of
epochs by themselves, and ``decode``, (batch, epoch, ...) -> scores. Its parameters have the names by which they are found
in the checkpoints that there are.
"""

from __future__ import annotations

__all__ = ["NETWORKS"]

_OWN = "eegflex.stagers.networks"

#: The class of each network; imported only when it is asked for.
NETWORKS = {
    "chambon2018": f"{_OWN}.chambon2018:Chambon2018",
    "seqsleepnet": f"{_OWN}.seqsleepnet:SeqSleepNet",
    "sleeptransformer": f"{_OWN}.sleeptransformer:SleepTransformer",
    "tinysleepnet": f"{_OWN}.tinysleepnet:TinySleepNet",
    "usleep": "braindecode.models:USleep",
}
