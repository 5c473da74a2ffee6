"""How long an attribution takes: against freqIG 0.1.8, against the bare passes through the network, and against itself.

Both sides of a ratio run on the same threads, in turn, in one run.
"""

from __future__ import annotations

import contextlib
import copy
import io
import sys
import time
from collections.abc import Callable
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import eegflex
from benchmarks.nights import Bench, night, trained
from benchmarks.table import Row, markdown, seconds
from eegflex import ModelSpec
from eegflex.scores import negligible_size
from eegflex.spec.model_spec import ContextSpec
from eegflex.stagers import Stager

__all__ = ["TinySleepNetShaped", "noise", "rows"]

N_STEPS = 50
GAUSS = {"quadrature": "gauss-legendre", "n_steps": N_STEPS}
#: Epochs on which both are compared in float64, which is dear.
N_EXACT = 250
#: The tolerance by default.
TOL = 0.02
BATCHES = (8, 16, 32, 64, 128, 256)


class TinySleepNetShaped(nn.Module):
    """A convolutional encoder of one epoch and an LSTM over twenty, of TinySleepNet's sizes, untrained.

    With `pooled`, the code of an epoch is averaged over time: 128 numbers in place of 1,920, which the LSTM reads faster.
    """

    def __init__(self, *, pooled: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        stages: list[nn.Module] = [nn.Conv1d(1, 128, 50, stride=6), nn.BatchNorm1d(128), nn.ReLU(), nn.MaxPool1d(8)]
        for _ in range(3):
            stages += [nn.Conv1d(128, 128, 8, padding="same"), nn.BatchNorm1d(128), nn.ReLU()]
        last = nn.AdaptiveAvgPool1d(1) if pooled else nn.MaxPool1d(4)
        self.cnn = nn.Sequential(*stages, last, nn.Flatten())
        self.lstm = nn.LSTM(128 if pooled else 128 * 15, 128, batch_first=True)
        self.head = nn.Linear(128, 5)

    def encode(self, segments: torch.Tensor) -> torch.Tensor:
        """(n, channel, time) -> (n, code)."""
        return self.cnn(segments)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, code) -> logits of every epoch, (batch, epoch, stage)."""
        return self.head(self.lstm(codes)[0])

    def state_before(self, codes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the LSTM keeps of epochs: (batch, epoch, code) -> two of (batch, 1, 128)."""
        return tuple(own.transpose(0, 1) for own in self.lstm(codes)[1])

    def decode_from(self, codes: torch.Tensor, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Logits of epochs, (batch, epoch, stage), of which the first follows on a state."""
        return self.head(self.lstm(codes, tuple(own.transpose(0, 1).contiguous() for own in state))[0])

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, channel, time) -> logits of every epoch, (batch, epoch, stage)."""
        return self.decode(self.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]))


class _Undivided(nn.Module):
    """The same network, of which nobody knows that it factors; freqIG feeds it samples in one row."""

    def __init__(self, net: TinySleepNetShaped, at: int | None = None) -> None:
        super().__init__()
        self.net, self.at = net, at

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows -> logits of every epoch, or a row of samples -> those of one."""
        if self.at is None:
            return self.net(windows)
        return self.net(windows.reshape(len(windows), 20, 1, 3000))[:, self.at]


def rows(n_epochs: int = 1000, few: int = 60) -> list[Row]:
    """Measure all; `n_epochs` for the night that freqIG is timed on, `few` for what is compared with ourselves."""
    contexts = [row for pooled in (False, True) for row in _context(TinySleepNetShaped(pooled=pooled).eval())]
    return [*contexts, *_whole_night(n_epochs), _bare(8 * few), _all_stages(few), _views(2 * few)]


def freqig(*args: Any, **kwargs: Any) -> npt.NDArray[np.floating[Any]]:
    """FreqIG's answer, without what it prints."""
    from scripts.freqIG import attribute

    with contextlib.redirect_stdout(io.StringIO()):
        return attribute(*args, **kwargs)


def explain(epochs: mne.BaseEpochs, model: Any, **kwargs: Any) -> eegflex.FlexResult:
    """Ours, quietly."""
    return eegflex.attribute_epochs(epochs, model, baseline="zero", verbose="error", **kwargs)


def noise(n_epochs: int, n_channels: int = 1) -> mne.BaseEpochs:
    """Epochs of noise in the size that networks are given."""
    data = np.random.default_rng(0).standard_normal((n_epochs, n_channels, 3000)).astype(np.float32)
    info = mne.create_info(n_channels, 100.0, "eeg")
    events = np.column_stack([3000 * np.arange(n_epochs), np.zeros(n_epochs, int), np.ones(n_epochs, int)])
    return mne.EpochsArray(data.astype(float), info, events=events, baseline=None, verbose="error")


def _context(net: TinySleepNetShaped) -> list[Row]:
    """Epochs in the middle of twenty, of a recording of fifty: what one of them takes.

    The epochs alone, which is what freqIG explains; and with the whole windows of some of them beside, as by default.
    """
    epochs, at = noise(50), 10
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(at, 19 - at), target_index=at)
    asked = {"spec": spec, "target": "N2", **GAUSS}
    row = epochs[:20].get_data().astype(np.float32).reshape(1, -1)
    part = {"segment": row[:, 3000 * at : 3000 * (at + 1)], "start_idx": 3000 * at}
    cached, plain = (explain(epochs[:20], model, **asked) for model in (net, _Undivided(net)))
    views = [one.to_xarray()["frequency_view"].values for one in (cached, plain)]
    same = float(np.abs(views[0] - views[1]).max() / np.abs(views[1]).max())
    ours, ours_with, theirs = seconds(
        lambda: explain(epochs, net, **asked, windows_per_stage=0),
        lambda: explain(epochs, net, **asked),
        lambda: freqig(row, _Undivided(net, at), target=2, n_steps=N_STEPS, **part),
        repeats=3,
    )
    what = f"one epoch in 20 of context, TinySleepNet-shaped, codes of {net.lstm.input_size}, 50 nodes"
    made = []
    for words, taken, least in (
        (f"; as uncached to {same:.0e}", ours, 25),
        ("; with whole windows beside", ours_with, 0),
    ):
        taken /= 31  # as many of the fifty have their neighbours
        ratio = theirs / taken
        floor, met = (f"at least {least}", ratio >= least and same <= 1e-5) if least else ("", None)
        made.append(Row(f"{what}{words}", f"{taken:.3f} s", f"freqIG {theirs:.2f} s", ratio, floor, met))
    return made


def _whole_night(n_epochs: int) -> list[Row]:
    """A night of a single-epoch network: at 2 %, at a tolerance that is as exact as freqIG, and with freqIG's own nodes.

    Both sides begin with the epochs: who explains in a loop filters, resamples and stages them too.
    """
    stager = trained.chambon()
    epochs = night(hours=max(7.0, n_epochs / 120 + 0.01))[:n_epochs]
    start = time.perf_counter()
    bench = Bench.of(stager, epochs)
    signals, predicted = bench.night.segments.signals, bench.night.scores[:, 0].argmax(1)
    theirs = [freqig(x, stager.module, target=int(c), n_steps=N_STEPS) for x, c in zip(signals, predicted, strict=True)]
    loop = time.perf_counter() - start
    exact = bench.explain(np.arange(len(epochs)), quadrature="graded", n_steps=504)
    reference = np.stack([bench.band_sums(exact[number]) for number in range(len(epochs))])
    # as the engine promises it: an attribution that is negligible is to be as exact as the largest of these
    size = np.maximum(np.abs(reference).sum((1, 2)), negligible_size(bench.night.scores)[0])

    def error(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.abs(sums - reference).sum((1, 2)) / size

    their_error = error(eegflex.Bands().sum(np.stack(theirs), np.fft.rfftfreq(3000, 0.01)))
    made = []
    for name, arguments in {"default, 2 %": {}, "tol 0.5 %": {"tol": 0.005}, "50 Gauss-Legendre nodes": GAUSS}.items():
        start = time.perf_counter()
        result = explain(epochs, stager, **arguments)
        taken = time.perf_counter() - start
        own = error(_bands(result))
        made.append(_against(name, result, taken, own, loop, np.stack(theirs), their_error))
    return [*made, _parity(stager, epochs[:N_EXACT])]


def _against(
    name: str,
    result: eegflex.FlexResult,
    taken: float,
    error: npt.NDArray[np.float64],
    loop: float,
    theirs: npt.NDArray[np.floating[Any]],
    their_error: npt.NDArray[np.float64],
) -> Row:
    """One way of explaining the night against freqIG's."""
    ratio, ours = loop / taken, result.to_xarray()["frequency_view"].values
    # A rectifier that is just at its kink goes one way or the other with the rounding: a few epochs differ by it.
    parity = float(np.quantile(_differences(ours, theirs), 0.95))
    what = f"night of {len(theirs)} epochs, single-epoch CNN, {name}"
    within = float(np.mean(error <= TOL))
    floor, met = {
        "default, 2 %": (
            f"at least 2.5, 95 % of epochs within 2 % ({100 * within:.1f} %)",
            ratio >= 2.5 and within >= 0.95,
        ),
        "50 Gauss-Legendre nodes": (
            f"at least 1 (they differ by {parity:.0e} in 95 % of epochs; see below)",
            ratio >= 1,
        ),
    }.get(name, ("", None))
    against = f"freqIG {loop:.0f} s, error {_quantiles(their_error)}"
    return Row(what, f"{taken:.0f} s, error {_quantiles(error)}", against, ratio, floor, met)


class _Exactly(nn.Module):
    """A network in float64 for freqIG, which gives it float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(module).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of float32, computed in float64."""
        return self.module(x.double()).float()


def _parity(stager: Stager, epochs: mne.BaseEpochs) -> Row:
    """FreqIG's nodes, the network in float64: rounding decides for fewer rectifiers which way they go."""
    ours = explain(epochs, stager, dtype="float64", **GAUSS).to_xarray()["frequency_view"].values
    bench = Bench.of(stager, epochs)
    asked = list(zip(bench.night.segments.signals, bench.night.scores[:, 0].argmax(1), strict=True))
    theirs, rounded = (
        np.stack([freqig(x, module, target=int(c), n_steps=N_STEPS) for x, c in asked])
        for module in (_Exactly(stager.module), stager.module)
    )
    own, others = _differences(ours, theirs), _differences(rounded, theirs)
    said = (f"{np.quantile(d, 0.95):.0e} in 95 % of epochs, at most {d.max():.0e}" for d in (own, others))
    what = f"difference from freqIG, {len(epochs)} epochs, 50 Gauss-Legendre nodes, the network in float64"
    close = float(np.quantile(own, 0.95))
    return Row(what, next(said), f"freqIG in float32 from itself {next(said)}", close, "95 %: 1e-5", close <= 1e-5)


def _differences(ours: npt.NDArray[np.floating[Any]], theirs: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """The largest difference in each epoch, relative to the largest attribution."""
    return np.abs(ours - theirs).max((1, 2)) / np.abs(theirs).max((1, 2))


def _bands(result: eegflex.FlexResult) -> npt.NDArray[np.float64]:
    data = result.to_xarray()
    return eegflex.Bands().sum(data["frequency_view"].values, data["freq"].values)


def _quantiles(error: npt.NDArray[np.float64]) -> str:
    return f"{100 * np.median(error):.2f} % (95 %: {100 * np.quantile(error, 0.95):.2f} %)"


def _bare(n_epochs: int) -> Row:
    """Ours against as many passes through the network, at the batch size that is best for it; nothing is to be prepared."""
    module, spec, epochs = trained.chambon().module, ModelSpec(), noise(n_epochs, 2)
    result = explain(epochs, module, spec=spec, **GAUSS).to_xarray()
    n_gradients = int(result["n_gradients"].sum())
    n_forwards = int(result["n_forwards"].sum()) + n_epochs
    x = torch.from_numpy(epochs.get_data().astype(np.float32))

    def gradients(batch: int, n: int = 4096) -> None:
        for start in range(0, n, batch):
            points = x[torch.arange(start, min(start + batch, n)) % len(x)].requires_grad_(True)
            torch.autograd.grad(module(points).max(dim=1).values.sum(), points)

    def forwards(batch: int, n: int = 4096) -> None:
        with torch.no_grad():
            for start in range(0, n, batch):
                module(x[torch.arange(start, min(start + batch, n)) % len(x)])

    def best(passes: Callable[[int], None]) -> int:
        return BATCHES[int(np.argmin(seconds(*(lambda b=b: passes(b, 1024) for b in BATCHES), repeats=3)))]

    sizes = best(gradients), best(forwards)
    ours, bare = seconds(
        lambda: explain(epochs, module, spec=spec, **GAUSS),
        lambda: (gradients(sizes[0], n_gradients), forwards(sizes[1], n_forwards)),
        repeats=3,
    )
    what = f"our time, {n_epochs} epochs, 50 nodes"
    against = f"{bare:.2f} s, bare passes in batches of {sizes[0]}"
    return Row(what, f"{ours:.2f} s", against, ours / bare, "at most 1.05", ours / bare <= 1.05)


def _all_stages(n_epochs: int) -> Row:
    stager, epochs = trained.chambon(), night()[:n_epochs]
    every, single = seconds(
        lambda: explain(epochs, stager, target="all", **GAUSS),
        lambda: [explain(epochs, stager, target=stage, **GAUSS) for stage in stager.spec.stages],
        repeats=3,
    )
    ratio = every / single
    return Row(
        "target='all', equal nodes", f"{every:.2f} s", f"{single:.2f} s, five runs", ratio, "at most 0.7", ratio <= 0.7
    )


def _views(n_epochs: int) -> Row:
    stager, epochs = trained.chambon(), night()[:n_epochs]
    three, one = seconds(
        lambda: explain(epochs, stager, views=("frequency", "time", "time-frequency")),
        lambda: explain(epochs, stager),
        repeats=3,
    )
    ratio = three / one
    return Row("three views", f"{three:.2f} s", f"{one:.2f} s, frequency alone", ratio, "at most 1.1", ratio <= 1.1)


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
