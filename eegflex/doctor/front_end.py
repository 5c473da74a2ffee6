"""The check of a front end: whether the spectrogram that a spec describes fits the recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eegflex.doctor.case import Case
from eegflex.findings import Finding, error, ok, warning
from eegflex.spec.spectrogram import samples
from eegflex.stagers.fronts import Front

__all__ = ["front_end"]

Array = npt.NDArray[np.float64]

#: Epochs that are looked at.
N_EPOCHS = 60
#: Standard deviations that a bin's mean may be off: those of one sleeper are hardly those of another, but not so far.
FAR = 3.0
#: Shares of bins, or of values, from which on something is told, and is an error.
SOME, MOST = 0.05, 0.5
#: Ratio of the recording's spread to the given sd, either way, that no sleeper has.
SPREAD = 2.5
#: Sound epochs of a recording whose statistics stand for those of many: an hour.
FEWEST = 120
#: Share of an epoch that may be in no window.
LEFT_OUT = 0.02
_PER_VOLT = {"V": 1.0, "mV": 1e3, "uV": 1e6}


@dataclass(frozen=True, eq=False)
class _Look:
    """A front end and what it makes of a recording: values before clip, mean and sd, shape (epoch, channel, window, bin)."""

    case: Case
    front: Front
    values: Array


@torch.no_grad()
def front_end(case: Case) -> Finding:
    """Whether floor, limits, windows and statistics of the spectrogram fit the recording; a fault of unit shows there."""
    if not case.stager.fronts:
        return ok("it gets the signal itself")
    found = [finding for front in case.stager.fronts for finding in _findings(_look(case, front))]
    worst = [one for status in ("error", "warning") for one in found if one.status == status]
    return worst[0] if worst else found[-1]


def _look(case: Case, front: Front) -> _Look:
    channels = list(case.segments.channel_sets[0])
    few = case.numbers[np.unique(np.linspace(0, len(case.numbers) - 1, N_EPOCHS).round().astype(int))]
    signals = torch.from_numpy(case.segments.signals[few][:, channels]).double()
    own = front.of_channels(channels)
    return _Look(case, own, own.before_statistics(signals).numpy())


def _findings(look: _Look) -> Iterator[Finding]:
    for check in _CHECKS:
        yield from check(look)
    n_windows, n_bins = look.values.shape[-2:]
    recorded = " and ".join(look.front.recorded)
    own = f"; {recorded} are those of this recording" if recorded else ""
    low, high = np.quantile(look.values, [0.01, 0.99])
    yield ok(f"{n_windows} windows of {n_bins} frequencies, from {low:.3g} to {high:.3g}{own}")


def _floor(look: _Look) -> Iterator[Finding]:
    log = look.front.spec.log
    if log is None:
        return
    near = (look.values - log.factor * np.log10(log.floor)) / log.factor < np.log10(2)
    share = float(near.mean())
    if share > MOST:
        kind = error if share > 1 - SOME else warning
        yield kind(
            f"{share:.0%} of the spectrogram of signals in {look.case.spec.unit} lie below its floor of {log.floor:g}, "
            "so the model cannot distinguish them",
            "Check the unit in which the model was trained, and the floor",
        )


def _level(look: _Look) -> Iterator[Finding]:
    front = look.front
    if front.mean is None or "mean" in front.recorded:
        return
    mean = np.broadcast_to(front.mean, look.values.shape[1:])
    own_sd = look.values.std(axis=(0, 2), keepdims=True)[0]
    sd = np.broadcast_to(own_sd if front.sd is None else front.sd, mean.shape)
    found = _clipped(look).mean(axis=0)
    off = np.abs((found - mean) / np.maximum(sd, 1e-30)).mean(axis=1)  # of each channel and bin
    share = float((off > FAR).mean())
    if share <= SOME:
        return
    shift = float(np.median(found - mean))
    unit = _other_unit(look, shift)
    kind = error if share > MOST else warning
    bins = front.frequencies[(off > FAR).any(axis=0)] if front.bank is None else np.zeros(0)
    where = f", between {bins.min():.3g} and {bins.max():.3g} Hz" if len(bins) and share <= MOST else ""
    yield kind(
        f"the given mean does not fit: {share:.0%} of the recording's bins are more than {FAR:g} sd from it{where}; its values "
        f"are {abs(shift):.3g} {'higher' if shift > 0 else 'lower'}"
        + (f", as signals in {look.case.spec.unit} are if the model was trained in {unit}" if unit else ""),
        f"Declare unit = {unit!r}"
        if unit
        else "Check scaling, factor, filter and unit of the spectrogram, and the data of these statistics",
    )


def _other_unit(look: _Look, shift: float) -> str:
    """The unit in which the recording's values would lie where the given mean has them; empty for none."""
    log, own = look.front.spec.log, look.case.spec.unit
    if log is None:
        return ""
    power = 1 if look.front.spec.scaling == "magnitude" else 2
    for unit, per_volt in _PER_VOLT.items():
        change = log.factor * power * np.log10(per_volt / _PER_VOLT[own])
        if change and abs(shift + change) < abs(change) / 4:
            return unit
    return ""


def _spread(look: _Look) -> Iterator[Finding]:
    front = look.front
    if front.sd is None or "sd" in front.recorded:
        return
    own = _clipped(look).std(axis=(0, 2))
    ratio = float(np.median(own / np.broadcast_to(front.sd, look.values.shape[1:]).mean(axis=1)))
    if not 1 / SPREAD < ratio < SPREAD:
        yield warning(
            f"the given sd does not fit: the recording's values spread {ratio:.2g} times as far",
            "Check scaling and factor of the spectrogram, and the data of these statistics",
        )


def _limits(look: _Look) -> Iterator[Finding]:
    clip = look.front.spec.clip
    if clip is None:
        return
    share = float(((look.values <= clip[0]) | (look.values >= clip[1])).mean())
    if share > SOME:
        kind = error if share > 1 - SOME else warning
        yield kind(
            f"{share:.0%} of the spectrogram lie beyond clip = [{clip[0]:g}, {clip[1]:g}], where nothing has a gradient",
            "Check the limits, and the unit of the signals",
        )


def _windows(look: _Look) -> Iterator[Finding]:
    length, hop, _ = samples(look.front.spec, look.front.sfreq)
    n_times, n = look.case.segments.signals.shape[-1], look.values.shape[-2]
    covered = n * length if hop >= length else length + (n - 1) * hop
    share = 1 - covered / n_times
    if share > LEFT_OUT:
        yield warning(
            f"{share:.1%} of each epoch are in no window of its spectrogram, and are not used",
            "Check length and hop, and whether pad = 'reflect' was meant",
        )


def _few(look: _Look) -> Iterator[Finding]:
    n = int((look.case.segments.fault == "").sum())
    if look.front.recorded and n < FEWEST:
        yield warning(
            f"{' and '.join(look.front.recorded)} of the spectrogram are those of this recording, and of its {n} "
            f"usable epochs only; such statistics are unreliable for what is rare in them",
            "Give the training set's statistics as files, or a whole night",
        )


def _clipped(look: _Look) -> Array:
    clip = look.front.spec.clip
    return look.values if clip is None else np.clip(look.values, clip[0], clip[1])


#: The gravest first.
_CHECKS: tuple[Callable[[_Look], Iterator[Finding]], ...] = (_floor, _level, _limits, _spread, _windows, _few)
