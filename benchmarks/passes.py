"""What a point on a path costs, score and slopes, against torch's own way: CPU time of one thread, both in turn in one process.

CPU time is measured, and not how long it takes, so that it can be run on a machine that does other things besides; these still
make both sides slower, for caches are shared.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import mne
import numpy as np
import torch
from torch import nn

import eegflex
from benchmarks.nights import SEQUENCES, STAGERS, night
from benchmarks.speed import TinySleepNetShaped, noise
from benchmarks.table import Row, markdown, seconds
from eegflex import ModelSpec
from eegflex.spec.model_spec import ContextSpec
from eegflex.stagers import Stager
from eegflex.stagers.passes import torchs_own
from eegflex.stagers.stager import BoundStager

__all__ = ["text"]

#: Points of a batch, of so many epochs, and passes of each side.
N_POINTS, N_EPOCHS, REPEATS = 64, 4, 7
#: Windows in which GSSC's recurrent layers are measured, and points of a batch such as the last of a chunk are.
WINDOWS, FEW = (21, 41, 81), 8
#: The least that GSSC's pass is to gain; and that others are not to lose, where there is nothing to gain.
LEAST, NO_SLOWER = 1.4, 0.95

#: A pass: slopes of a batch.
Task = Callable[[], torch.Tensor]


def text() -> str:
    """The section: how it was measured, and the table."""
    return (
        f"CPU time of one thread, score and slopes, batches of {N_POINTS}; both sides in turn.\n\n{markdown(_rows())}"
    )


def _rows() -> list[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        epochs = night(hours=1.0)
        whole = [_whole(name, load(), epochs) for name, load in (STAGERS | {"sequence": SEQUENCES["sequence"]}).items()]
        wide = night(hours=2.0)  # in which all windows have their epochs in the middle
        return [*_of_gssc(wide), *whole, *(_in_turn(pooled) for pooled in (False, True))]
    finally:
        torch.set_num_threads(threads)


def _bound(stager: Stager, epochs: mne.BaseEpochs) -> tuple[BoundStager, torch.Tensor, torch.Tensor]:
    """A stager on a night, its epochs of a batch, and points half on the way to them."""
    staged = eegflex.stage_epochs(epochs, stager, verbose="error")
    explicable = np.flatnonzero(staged.bound[0].windows.explicable)
    chosen = explicable[np.linspace(len(explicable) // 4, 3 * len(explicable) // 4, N_EPOCHS).astype(int)]
    index = torch.from_numpy(chosen).repeat_interleave(N_POINTS // N_EPOCHS)
    return staged.bound[0], index, 0.5 * staged.bound[0].inputs(index)


def _pass(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> Task:
    def slopes() -> torch.Tensor:
        points = x.clone().requires_grad_(True)
        return torch.autograd.grad(function(points).sum(0)[0], points)[0]

    return slopes


def _plain(task: Task) -> Task:
    def plain() -> torch.Tensor:
        with torchs_own():
            return task()

    return plain


def _row(what: str, ours: Task, theirs: Task, least: float = NO_SLOWER, n_points: int = N_POINTS) -> Row:
    """A way against another, and how far their slopes are apart."""
    found, expected = ours(), theirs()
    apart = float((found - expected).norm() / expected.norm())
    own, others = (1e3 * one / n_points for one in seconds(ours, theirs, repeats=REPEATS, clock=time.process_time))
    ratio = others / own
    floor = f"at least {least:g}, slopes the same to 1e-5"
    met = ratio >= least and apart <= 1e-5
    return Row(f"{what}; slopes differ by {apart:.0e}", f"{own:.2f} ms", f"torch {others:.2f} ms", ratio, floor, met)


def _whole(name: str, stager: Stager, epochs: mne.BaseEpochs) -> Row:
    bound, index, x = _bound(stager, epochs)
    ours = _pass(lambda points: bound(points, index), x)
    return _row(f"{name}: a point", ours, _plain(ours), LEAST if name == "GSSC" else NO_SLOWER)


def _of_gssc(epochs: mne.BaseEpochs) -> list[Row]:
    """Its encoders, and its recurrent layers in windows of several lengths."""
    bound, index, x = _bound(STAGERS["GSSC"](), epochs)
    with torch.no_grad():
        codes = bound.encode(x)
    encoder = _pass(bound.encode, x)
    rows = [_row("GSSC: encoders", encoder, _plain(encoder))]
    for length in WINDOWS:
        there = bound.with_window_length(length)
        for n in (N_POINTS, FEW):
            some = slice(None, None, N_POINTS // n)
            layers = _pass(lambda own, there=there, some=some: there.decode(own, index[some]), codes[some])  # type: ignore[misc]
            rows.append(
                _row(f"GSSC: recurrent layers, {length} epochs, {n} points", layers, _plain(layers), n_points=n)
            )
    return rows


class _NotEntered(TinySleepNetShaped):
    """The same, which nobody can enter at an epoch."""

    state_before = None  # type: ignore[assignment]


def _in_turn(pooled: bool) -> Row:
    """A network that reads epochs in turn: entered at the one explained, against torch's way through all twenty."""
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(10, 9), target_index=10)
    made: list[nn.Module] = [kind(pooled=pooled).eval() for kind in (TinySleepNetShaped, _NotEntered)]
    tasks = []
    for module in made:
        bound, index, x = _bound(eegflex.load_model(module, spec=spec), noise(50))
        tasks.append(_pass(lambda points, bound=bound, index=index: bound(points, index), x))  # type: ignore[misc]
    code = 128 if pooled else 1920
    return _row(f"TinySleepNet-shaped, 20 epochs, codes of {code}: a point", tasks[0], _plain(tasks[1]))


if __name__ == "__main__":
    sys.stdout.write(text())
