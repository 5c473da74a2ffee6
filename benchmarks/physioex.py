"""FLEX beside the explanations of PhysioEx 2.0.4, the real package, on the same networks, signals and scores.

Its DFT-IG and STFT-IG are run as they come: 64 steps from silence, all epochs in one batch. The networks are two of
its own, with the weights of its release 1.0.0.dev4: Chambon2018, which is given the signal, and SeqSleepNet, which is
given a spectrogram. PhysioEx computes that in numpy, outside the graph, where no gradient passes: a row says what
comes of it. So that there is anything to compare, its methods are given the score as a function of the signal, with
the spectrogram of eegflex inside, neighbours as recorded and encoded once. Ours is what `attribute_epochs` does by
default, but from silence, and without the checks, windows and random phases that PhysioEx has no like of.

The exact answer has 1,440 nodes for each epoch, graded towards silence, by a rule that is not of eegflex. Errors are
absolute differences from it, relative to its absolute total: of the band sums for DFT-IG, of the cells of its own
plane for STFT-IG (there ours is the time-frequency view, against the exact one of its plane). Gaps are relative to
the absolute total of the exact band sums. Signs are those of all frequencies from 0.5 to 30 Hz, or of all cells,
against the exact ones. Medians over epochs, the largest in brackets; the ratio is that of the median errors. The
commands::

    pip install --no-deps physioex==1.0.0.dev4
    pip download --no-deps --dest DIR physioex==2.0.4
    export EEGFLEX_PHYSIOEX2=DIR/physioex-2.0.4-py3-none-any.whl
    OMP_NUM_THREADS=1 python -m benchmarks.physioex

The wheel of 2.0.4 is imported from where it lies, and of it only ``physioex.explain.posthoc``, which needs torch
alone, and the step that makes its spectrograms, which needs scipy.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import mne
import numpy as np
import numpy.typing as npt
import torch

import eegflex
from benchmarks.table import Row, markdown
from eegflex.attribution.spectra import attribution_in_frequency, frames
from eegflex.stagers import Stager
from eegflex.stagers.bound import BoundStager

__all__ = ["rows"]

VARIABLE, RELEASE, WEIGHTS = "EEGFLEX_PHYSIOEX2", "2.0.4", "1.0.0.dev4"
NETWORKS = ("physioex:chambon-eeg", "physioex:seqsleepnet-eeg")
SITE, SFREQ, PER_STAGE, TOL = "C4-M1", 100.0, 2, 0.02
#: Ours is asked for band sums; nothing is asked of cells in time and frequency.
FLOOR = f"error of ours at most {TOL:g}"
#: Of the STFT: windows of 2 s; the hop is a quarter of them, which is the package's default.
N_FFT = 200
#: Of the exact answer: octaves towards silence, parts of each, nodes of a part.
OCTAVES, PARTS, NODES = 30, 6, 8
#: Where the bands begin, and the last one ends, in Hz.
EDGES = (0.5, 4.0, 8.0, 12.0, 16.0, 30.0)

Array = npt.NDArray[np.float64]
Score = Callable[[torch.Tensor], torch.Tensor]


def rows(hours: float = 2.0) -> list[Row]:
    """Measure both networks; where one of the two releases is missing, a row says which."""
    path = os.environ.get(VARIABLE, "")
    if not path or not Path(path).exists():
        return [_words(f"not measured: {VARIABLE} does not say where the wheel of PhysioEx {RELEASE} is")]
    if find_spec("physioex") is None:
        return [_words(f"not measured: physioex=={WEIGHTS}, which has the weights, is not installed")]
    night = eegflex.simulate_psg(hours=hours, sfreq=SFREQ, seed=1, verbose="error")
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    stagers = {name: eegflex.load_model(name) for name in NETWORKS}  # before the other release is imported
    with _release(path):
        found = [row for name, stager in stagers.items() for row in _measure(name, stager, epochs)]
        return [*found, _outside_the_graph()]


def _words(what: str, ours: str = "", against: str = "") -> Row:
    return Row(what, ours, against, float("nan"))


@contextmanager
def _release(path: str) -> Iterator[None]:
    """Import from a wheel or folder in the place of the installed release, which has other methods, or none."""
    kept = {name: sys.modules.pop(name) for name in _imported()}
    sys.path.insert(0, path)
    try:
        found = importlib.import_module("physioex").__version__
        if found != RELEASE:
            raise RuntimeError(f"{VARIABLE} names PhysioEx {found}, not {RELEASE}")
        yield
    finally:
        sys.path.remove(path)
        for name in _imported():
            del sys.modules[name]
        sys.modules.update(kept)


def _imported() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "physioex"]


@dataclass(frozen=True)
class _Case:
    """Epochs of one network.

    Attributes
    ----------
    score : callable
        Variants of the signals of all of them, (n, n_times) -> scores of the stages predicted, (n, 1).
    signals : Tensor, shape (n, n_times)
        As the network is given them.
    change : array, shape (n,)
        F(x) - F(0).
    gradient : Tensor, shape (n, n_times)
        Averaged over the path from silence, by dense nodes.
    """

    score: Score
    signals: torch.Tensor
    change: Array
    gradient: torch.Tensor

    @property
    def exact(self) -> Array:
        """Exact attribution to frequencies, shape (n, n_freqs)."""
        return attribution_in_frequency(self.signals, self.gradient).double().numpy()

    @property
    def total(self) -> Array:
        """Absolute total of the exact band sums, shape (n,)."""
        total: Array = np.abs(self.exact @ _bands(self.signals.shape[1])).sum(1)
        return total

    def numbers(self, values: Array, exact: Array, signs: Array | slice, parts: Array | None = None) -> _Numbers:
        """Hold attributions, shape (n, n_cells), against exact ones; `parts` sums cells before errors are taken."""
        own, true = (values, exact) if parts is None else (values @ parts, exact @ parts)
        gap = np.abs(values.sum(1) - self.change) / self.total
        error = np.abs(own - true).sum(1) / np.abs(true).sum(1)
        agreeing = float((np.sign(values) == np.sign(exact))[:, signs].mean())
        return _Numbers(error, gap, agreeing)


@dataclass(frozen=True)
class _Numbers:
    """What is said of the attributions of some epochs by one method."""

    error: Array
    gap: Array
    agreeing: float

    @property
    def within(self) -> bool:
        return bool(self.error.max() <= TOL)

    def words(self, seconds: float) -> str:
        """What a cell of the table says."""
        error, gap = (f"{_share(np.median(one))} (at most {_share(one.max())})" for one in (self.error, self.gap))
        return f"error {error}, gap {gap}, {100 * self.agreeing:.0f} % of signs, {seconds:.2f} s an epoch"


def _share(value: float) -> str:
    return f"{100 * value:.2g} %" if value < 1 else f"{value:,.3g} times"


def _measure(name: str, stager: Stager, epochs: mne.Epochs) -> list[Row]:
    night = eegflex.stage_epochs(epochs, stager, picks=[SITE], verbose="error")
    asked = {
        "views": ("time-frequency",),
        "spectral_share": 0,
        "windows_per_stage": 0,
        "on_check": "ignore",
        "tol": TOL,
    }
    start = time.perf_counter()
    result = eegflex.attribute_epochs(night, baseline="zero", sample_per_stage=PER_STAGE, **asked, verbose="error")
    data = result.to_xarray()
    seconds = (time.perf_counter() - start) / len(result)
    case = _case(night.bound[0], torch.as_tensor(data["number"].values))
    low, high = np.searchsorted(result.freqs, (EDGES[0], EDGES[-1]))
    parts, signs = _bands(case.signals.shape[1]), slice(low, high)
    flex = case.numbers(data["frequency_view"].values[:, 0], case.exact, signs, parts)
    found = []
    for words, values, taken in _dft(case):
        theirs = case.numbers(values, case.exact, signs, parts)
        found.append(_row(f"{name}: DFT-IG, {words}", flex, seconds, theirs, taken, FLOOR))
    view = data["time_frequency_view"].values[:, 0].reshape(len(result), -1)
    true = frames(case.signals.shape[1], SFREQ).attribution(case.signals, case.gradient).numpy().reshape(view.shape)
    flex, true = case.numbers(view, true, slice(None)), _exact_stft(case)
    for words, values, taken in _stft(case, true):
        theirs = case.numbers(values, true, slice(None))
        found.append(_row(f"{name}: STFT-IG, {words}", flex, seconds, theirs, taken))
    return found


def _row(what: str, flex: _Numbers, seconds: float, theirs: _Numbers, taken: float, floor: str = "") -> Row:
    ratio = float(np.median(flex.error) / np.median(theirs.error))
    return Row(what, flex.words(seconds), theirs.words(taken), ratio, floor, flex.within if floor else None)


def _case(bound: BoundStager, index: torch.Tensor) -> _Case:
    signals = bound.inputs(index)
    with torch.no_grad():
        stage = bound(signals, index).argmax(1)

    def score(x: torch.Tensor, members: torch.Tensor) -> torch.Tensor:
        return bound(x[:, None], index[members]).gather(1, stage[members, None])

    def of_all(x: torch.Tensor) -> torch.Tensor:
        return score(x, torch.arange(len(index)))

    x = signals[:, 0]
    with torch.no_grad():
        change = (of_all(x) - of_all(0 * x))[:, 0].double().numpy()
    alone = [lambda y, at=at: score(y, torch.full((len(y),), at)) for at in range(len(index))]
    gradient = torch.stack([_dense(one, signal) for one, signal in zip(alone, x, strict=True)])
    return _Case(of_all, x, change, gradient)


def _dense(score: Score, x: torch.Tensor) -> torch.Tensor:
    """The gradient averaged over the path from silence to a signal, by a rule that is not of eegflex."""
    points, weights = np.polynomial.legendre.leggauss(NODES)
    octaves = [np.linspace(2.0 ** (-k - 1), 2.0**-k, PARTS + 1)[:-1] for k in reversed(range(OCTAVES))]
    edges = np.concatenate([[0.0], *octaves, [1.0]])
    nodes = (edges[:-1, None] + np.diff(edges)[:, None] * (points + 1) / 2).ravel()
    by = (np.diff(edges)[:, None] * weights / 2).ravel()
    total = torch.zeros_like(x)
    for part in np.array_split(np.arange(len(nodes)), len(nodes) // 100):
        variants = (torch.as_tensor(nodes[part]).to(x)[:, None] * x).requires_grad_()
        (gradient,) = torch.autograd.grad(score(variants).sum(), variants)
        total += torch.as_tensor(by[part]).to(x) @ gradient
    return total


def _dft(case: _Case) -> Iterator[tuple[str, Array, float]]:
    """The package's DFT-IG: as it comes, real-valued, and with the factor that its sum lacks."""
    posthoc = importlib.import_module("physioex.explain.posthoc")
    n_times = case.signals.shape[1]
    asked = {"n": n_times, "expects_batch": True}
    values, taken = _run(posthoc.DFTIntegratedGradients(case.score, **asked), case)
    yield "as it comes, real part", values, taken
    values, taken = _run(posthoc.DFTIntegratedGradients(case.score, real_valued=True, **asked), case)
    yield "real_valued=True", values, taken
    yield "real_valued=True, times w_f / T", values * _weights(n_times), taken


def _stft(case: _Case, exact: Array) -> Iterator[tuple[str, Array, float]]:
    """The package's STFT-IG likewise; last, of a score that is linear, so that only the way back through its istft is wrong."""
    posthoc = importlib.import_module("physioex.explain.posthoc")
    asked = {"n_fft": N_FFT, "length": case.signals.shape[1], "expects_batch": True}

    def linear(x: torch.Tensor) -> torch.Tensor:
        return (x * case.gradient).sum(1, keepdim=True)

    values, taken = _run(posthoc.STFTIntegratedGradients(case.score, **asked), case)
    yield "as it comes, real part", values, taken
    weights = np.repeat(_weights(N_FFT), values.shape[1] // (N_FFT // 2 + 1))
    for words, score in (("", case.score), (", of a score with the exact gradient everywhere", linear)):
        values, taken = _run(posthoc.STFTIntegratedGradients(score, real_valued=True, **asked), case)
        yield f"real_valued=True{words}, times w_f / n_fft", values * weights, taken
        best = (values * exact).sum(1) / (values**2).sum(1)
        yield f"real_valued=True{words}, times what fits each epoch best", values * best[:, None], taken


def _run(explainer: Callable[[torch.Tensor], torch.Tensor], case: _Case) -> tuple[Array, float]:
    """Attributions of all epochs, shape (n, n_cells), and seconds an epoch."""
    start = time.perf_counter()
    values = explainer(case.signals).detach()
    taken = (time.perf_counter() - start) / len(values)
    return values.real.double().numpy().reshape(len(values), -1), taken


def _exact_stft(case: _Case) -> Array:
    """The exact answer in the plane of the package's STFT: its product with what torch's own istft hands back."""
    n_times, window = case.signals.shape[1], torch.hann_window(N_FFT)
    plane = torch.stft(case.signals, N_FFT, window=window, return_complex=True).requires_grad_()
    wave = torch.istft(plane, N_FFT, window=window, length=n_times)
    (back,) = torch.autograd.grad((wave * case.gradient).sum(), plane)
    product: Array = (plane.detach().conj() * back).real.double().numpy()
    return product.reshape(len(product), -1)


def _outside_the_graph() -> Row:
    """What comes of a signal whose spectrogram the package makes."""
    step = importlib.import_module("physioex.data.steps.spectrogram").XSleepNetSpectrogram().compile(SFREQ)
    signal = torch.zeros(1, int(30 * SFREQ), requires_grad=True)
    try:
        made = "an array, without a graph" if isinstance(step.apply(signal), np.ndarray) else "a graph"
    except RuntimeError as error:
        made = f"{type(error).__name__}: {error}"
    ours = "the signal's own frequencies and times"
    return _words("its own spectrogram of a signal that is to have a gradient", ours, made)


def _bands(n_times: int) -> Array:
    """What sums frequencies to bands, and to what lies below and above them, shape (n_freqs, n_bands)."""
    freqs = np.fft.rfftfreq(n_times, 1 / SFREQ)
    return np.eye(len(EDGES) + 1)[np.digitize(freqs, EDGES)]


def _weights(n_times: int) -> Array:
    """``w_f / T`` for an even T."""
    weights = np.full(n_times // 2 + 1, 2.0 / n_times)
    weights[[0, -1]] /= 2
    return weights


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
