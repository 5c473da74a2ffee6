"""The panels of an epoch's card: one function each, which draws one epoch on one channel into an axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.decided import within_error
from eegflex.results.marks import cell_errors, within
from eegflex.results.resolution import time_of
from eegflex.scores import probabilities
from eegflex.viz.spectrum import bin_edges, decibels, draw_signed, into_bins
from eegflex.viz.style import (
    GREY,
    LOWERED,
    RAISED,
    diverging,
    hatch_bars,
    ink,
    plain,
    points,
    shade_bands,
    stage_colours,
    symmetric,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = [
    "EpochCard",
    "draw_attribution",
    "draw_band_sums",
    "draw_chances",
    "draw_power",
    "draw_signal",
    "draw_time_frequency",
    "per_frequency",
    "shown_sets",
]

#: Highest frequency that is drawn, in Hz.
FMAX = 30.0
#: Attributions to samples are summed over windows this long, in s.
WINDOW = 0.5
#: Channel sets whose probabilities are drawn one by one; of more, the first and their mean.
MOST_SETS = 10
#: Characters of names of bands that stand side by side below their sums; more are turned.
_ROOM = 24


@dataclass(frozen=True)
class EpochCard:
    """One epoch on one channel of a result.

    Attributes
    ----------
    dataset : xarray.Dataset
        Of the result.
    bands : Bands
        Frequency bands.
    unit : str
        Of the attributions.
    epoch, channel, channel_set : int
        Places among the explained epochs, the channels, and the channel sets.
    """

    dataset: xr.Dataset
    bands: Bands
    unit: str
    epoch: int
    channel: int
    channel_set: int

    @property
    def members(self) -> npt.NDArray[np.bool_]:
        """The channels that the stager got together with this one, and itself."""
        return np.asarray(self.dataset["of_channel_set"].values == self.channel_set)

    @property
    def duration(self) -> float:
        """Length of the epoch in s."""
        times = self.dataset["time"].values
        return float(times[-1] + times[1])

    def values(self, variable: str) -> npt.NDArray[np.float64]:
        """Return a variable of the epoch on the channel."""
        return self.dataset[variable].isel(epoch=self.epoch, channel=self.channel).values.astype(np.float64)

    def band_sums(self) -> npt.NDArray[np.float64]:
        """Sums in each band and outside them, shape (n_channels, n_names)."""
        one = self.dataset.isel(epoch=[self.epoch])
        found: npt.NDArray[np.float64] = tables.band_sums(one, self.bands)[0]
        return found

    def band_errors(self) -> npt.NDArray[np.float64]:
        """Their errors; NaN where there is no estimate."""
        found: npt.NDArray[np.float64] = cell_errors(self.dataset.isel(epoch=[self.epoch]), self.bands)[0]
        return found

    def per(self, edges: npt.NDArray[np.float64]) -> str:
        """What attributions to frequencies are sums over: bins with these edges, or bands where the method has only those."""
        return f"per {edges[1]:g} Hz" if "frequency_view" in self.dataset else "per band"

    @property
    def is_explained(self) -> bool:
        """Whether the epoch changed the score by more than the error of its attribution."""
        return not within_error(self.dataset.isel(epoch=[self.epoch]))[0, self.channel_set]


def draw_signal(ax: Axes, case: EpochCard) -> QuadMesh | None:
    """Draw the signal; behind it, and returned, the attribution to time where the result has it."""
    signal, times = case.values("signal"), case.dataset["time"].values
    top = 1.08 * float(np.abs(signal).max()) or 1.0
    kind = str(case.dataset["ch_type"].values[case.channel])
    voltage = kind in {"eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio"}
    mesh = None
    if "time_view" in case.dataset:
        edges = np.arange(int(np.ceil(case.duration / WINDOW - 1e-9)) + 1, dtype=np.float64) * WINDOW
        sums = into_bins(case.values("time_view"), time_of(case.dataset), edges)
        colours = symmetric(sums)
        mesh = ax.pcolormesh(
            edges, [-top, top], sums[None], cmap=diverging(), norm=colours, alpha=0.55, rasterized=True
        )
    ax.plot(times, signal, color="black", linewidth=0.6)
    ax.set(xlim=(0, case.duration), ylim=(-top, top))
    ax.set_ylabel("Signal (µV)" if voltage else "Signal")
    return mesh


def draw_time_frequency(ax: Axes, case: EpochCard, fmax: float) -> QuadMesh:
    """Draw the attribution to each frequency in each frame."""
    freqs, frames = case.dataset["frame_freq"].values, case.dataset["frame"].values
    chosen = freqs <= fmax
    values = case.values("time_frequency_view")[chosen]
    mesh = ax.pcolormesh(
        frames, freqs[chosen], values, cmap=diverging(), norm=symmetric(values), shading="nearest", rasterized=True
    )
    edges = [edge for band in case.bands.values() for edge in band if 0 < edge < fmax]
    ax.hlines(sorted(set(edges)), 0, case.duration, color="0.5", linewidth=0.4, linestyle=":")
    for name, (low, high) in case.bands.items():
        if low < fmax:
            middle = (low + min(high, fmax)) / 2
            ax.text(0.004 * case.duration, middle, plain(name), fontsize=points(7), color="0.3", va="center")
    ax.set(xlim=(0, case.duration), ylim=(0, fmax), ylabel="Frequency (Hz)")
    return mesh


def draw_power(ax: Axes, case: EpochCard) -> None:
    """Draw the power spectrum."""
    freqs = case.dataset["freq"].values
    edges = bin_edges(freqs, FMAX)
    shade_bands(ax, case.bands, edges[-1], names=True)
    level = decibels(into_bins(case.values("power"), freqs, edges, mean=True))
    ax.stairs(level, edges, baseline=None, color=GREY, linewidth=1.2)
    ax.set_xlim(0, edges[-1])
    ax.set_ylabel("Power density\n(dB re 1 µV²/Hz)")


def draw_attribution(ax: Axes, case: EpochCard) -> None:
    """Draw the attribution to frequencies, or to bands where the method has only those."""
    freqs = case.dataset["freq"].values
    edges = bin_edges(freqs, FMAX)
    shade_bands(ax, case.bands, edges[-1], names=False)
    for own, heights in per_frequency(case, edges):
        draw_signed(ax, own, heights)
    ax.set_xlim(0, edges[-1])
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel(f"Attribution {case.per(edges)}\n({case.unit})")


def per_frequency(
    case: EpochCard, edges: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Edges and attributions of bins of frequency, or of one band after the other where the method has only those."""
    if "frequency_view" in case.dataset:
        yield edges, into_bins(case.values("frequency_view"), case.dataset["freq"].values, edges)
        return
    for value, span in zip(case.band_sums()[case.channel], case.bands.values(), strict=False):
        yield np.array(span), np.array([value])


def draw_band_sums(ax: Axes, case: EpochCard) -> None:
    """Draw the band sums of the channel, and of the others that the stager got with it."""
    sums = case.band_sums()
    own, others = sums[case.channel], case.members
    others[case.channel] = False
    places = np.arange(len(own))
    errors = case.band_errors()[case.channel]
    bars = ax.bar(places, own, width=0.7, color=[RAISED if value >= 0 else LOWERED for value in own])
    hatch_bars(bars, within(own, errors))
    known = np.isfinite(errors)
    ax.errorbar(places[known], own[known], errors[known], fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    if others.any():
        rest = sums[others].sum(axis=0)
        label = _others(case.dataset, others)
        ax.plot(places, rest, "D", color="white", markeredgecolor="black", markersize=5, label=label)
        ax.legend(fontsize=points(8), frameon=False, loc="best")
    ax.axhline(0, color="0.3", linewidth=0.6)
    ax.margins(y=0.15)
    crowded = len(places) * max(map(len, case.bands.names)) > _ROOM
    ax.set_xticks(places, [plain(name) for name in case.bands.names], rotation=90 if crowded else 0)
    ax.set_ylabel(f"Sum in the band\n({case.unit})")


def draw_chances(ax: Axes, case: EpochCard) -> None:
    """Draw the probability of each stage by channel set, one bar each, the mean of all on top where there are several."""
    data = case.dataset
    stages, sets = data["stage_name"].values.astype(str).tolist(), data["channel_set"].values.astype(str).tolist()
    chances = probabilities(data["scores"].values[case.epoch], tables.score_kind(data))
    names = [_short(name, int(n)) for name, n in zip(sets, data["n_channels"].values, strict=True)][:MOST_SETS]
    rows = chances[:MOST_SETS]
    if len(sets) > 1:
        rows, names = np.vstack([chances.mean(axis=0), rows]), ["mean", *names]
    colours = stage_colours(stages)
    left = np.zeros(len(rows))
    for stage, widths in zip(stages, rows.T, strict=True):
        ax.barh(np.arange(len(rows)), widths, left=left, height=0.86, color=colours[stage], label=plain(stage))
        for row in np.flatnonzero(widths > 0.06 + 0.028 * len(stage)).tolist():
            ax.text(left[row] + widths[row] / 2, row, plain(stage), ha="center", va="center", fontsize=points(7),
                    color=ink(colours[stage]))  # fmt: skip
        left += widths
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    ax.set_yticks(range(len(rows)), [plain(name) for name in names])
    ax.set(xlabel="Probability of each stage", ylabel="Channels")


def _short(name: str, n_channels: int) -> str:
    return name if len(name) <= 16 else (f"{name[:14]}…" if n_channels == 1 else f"{n_channels} channels")


def shown_sets(dataset: xr.Dataset) -> str:
    """Say of how many channel sets probabilities are drawn, where not of all."""
    n_sets = dataset.sizes["channel_set"]
    return f"Probabilities: of {MOST_SETS} of {n_sets} channel sets, and their mean." if n_sets > MOST_SETS else ""


def _others(dataset: xr.Dataset, others: npt.NDArray[np.bool_]) -> str:
    names = dataset["ch_name"].values.astype(str)[others]
    one = names[0] if len(names[0]) <= 20 else f"{names[0][:19]}…"
    return plain(one if len(names) == 1 else f"the other {len(names)} channels")
