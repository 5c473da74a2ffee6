"""The card of one epoch: its signal, its spectra, its attributions, and how far they can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex import aggregate
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.viz.select import as_bands
from eegflex.viz.spectrum import bin_edges, decibels, draw_signed, into_bins
from eegflex.viz.style import (
    DIVERGING,
    GREY,
    NEGATIVE,
    POSITIVE,
    add_note,
    plain,
    positive_means,
    shade_bands,
    symmetric,
    unit,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.result import FlexResult

__all__ = ["default_number", "plot_epoch", "surest_numbers"]

#: Highest frequency that is drawn, in Hz.
FMAX = 30.0
#: Attributions to samples are summed over windows this long, in s.
WINDOW = 0.5


@dataclass(frozen=True)
class _Case:
    """One epoch on one channel."""

    epoch: int  # place among the explained epochs
    channel: int
    combination: int
    of_combination: npt.NDArray[np.bool_]  # its channels


def plot_epoch(
    result: FlexResult,
    number: int | None = None,
    *,
    channel: str | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    show: bool = True,
) -> Figure:
    """Draw the card of one epoch.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    number : int | None
        Place of the epoch in the recording, from 0. By default the one that the stager was surest of, among the
        explained epochs of the most frequent stage.
    channel : str | None
        Which channel. By default the EEG channel with the largest attributions.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        Signal, with the attribution to time as its background where the result has a time view; power spectrum;
        attribution to frequencies and bands; scores and completeness gap.

    Raises
    ------
    ParameterError
        If the epoch was not explained.
    ChannelError
        If there is no such channel.
    """
    import matplotlib.pyplot as plt
    from mne.viz.utils import plt_show

    bands, dataset = as_bands(bands), result.to_xarray()
    case = _find_case(dataset, bands, number, channel)
    fig = plt.figure(figsize=(10, 8), layout="constrained")
    grid = fig.add_gridspec(3, 2, width_ratios=[1.25, 1], height_ratios=[1, 1.25, 1])
    notes = _draw_signal(fig, fig.add_subplot(grid[0, :]), dataset, case, unit(result))
    upper, lower = fig.add_subplot(grid[1, 0]), fig.add_subplot(grid[2, 0])
    _draw_power(upper, dataset, case, bands)
    _draw_attribution(lower, dataset, case, bands, unit(result))
    _draw_bands(fig.add_subplot(grid[2, 1]), dataset, case, bands, unit(result))
    _write_facts(fig.add_subplot(grid[1, 1]), result, dataset, case)
    name = str(dataset["channel"].values[case.channel])
    title = f"Epoch {int(dataset['number'].values[case.epoch])} at {_clock(dataset, case)}, {name}"
    fig.suptitle(plain(title), fontsize=11)
    add_note(fig, positive_means(result, "what the epoch has here"), *notes)
    plt_show(show, fig)
    return fig


def default_number(dataset: xr.Dataset) -> int:
    """Return the number of the epoch that the stager was surest of, among those of the most frequent stage."""
    predicted = aggregate.consensus(dataset["scores"].values, aggregate.score_kind(dataset))
    counts = np.bincount(predicted, minlength=dataset.sizes["stage_name"])
    stage = str(dataset["stage_name"].values[int(counts.argmax())])
    return surest_numbers(dataset, stage, 1)[0]


def surest_numbers(dataset: xr.Dataset, stage: str, n: int) -> list[int]:
    """Return the numbers of the explained epochs of a stage that the stager was surest of, the surest first.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    stage : str
        The stage that was predicted by the most confident combination.
    n : int
        How many at most.
    """
    scores = dataset["scores"].values
    predicted = dataset["stage_name"].values.astype(str)[aggregate.consensus(scores, aggregate.score_kind(dataset))]
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    sure = (1 / shares.sum(axis=-1)).max(axis=-1)
    places = np.flatnonzero(predicted == stage)
    return dataset["number"].values[places[np.argsort(-sure[places], kind="stable")][:n]].astype(int).tolist()


def _find_case(dataset: xr.Dataset, bands: Bands, number: int | None, channel: str | None) -> _Case:
    numbers = dataset["number"].values.astype(int)
    if number is None:
        number = default_number(dataset)
    if number not in numbers:
        raise ParameterError("This epoch was not explained", seen=number, allowed=numbers.tolist())
    epoch = int(np.flatnonzero(numbers == number)[0])
    names, labels = dataset["ch_name"].values.astype(str), dataset["channel"].values.astype(str)
    if channel is None:
        candidates = dataset["ch_type"].values.astype(str) == "eeg"
        candidates = candidates if candidates.any() else np.ones(len(names), dtype=bool)
    else:
        candidates = (labels == channel) if (labels == channel).any() else (names == channel)
        if not candidates.any():
            raise ChannelError("The result has no such channel", seen=repr(channel), allowed=labels.tolist())
    size = np.abs(aggregate.band_sums(dataset, bands)[epoch]).sum(axis=1)
    chosen = int(np.where(candidates, size, -1).argmax())
    of = dataset["of_combination"].values
    return _Case(epoch, chosen, int(of[chosen]), of == of[chosen])


def _draw_signal(fig: Figure, ax: Axes, dataset: xr.Dataset, case: _Case, score_unit: str) -> list[str]:
    signal = dataset["signal"].values[case.epoch, case.channel].astype(float)
    times = dataset["time"].values
    duration = float(times[-1] + times[1])
    top = 1.08 * float(np.abs(signal).max()) or 1.0
    voltage = str(dataset["ch_type"].values[case.channel]) in {"eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio"}
    notes = []
    if "time_view" in dataset:
        attribution = dataset["time_view"].values[case.epoch, case.channel].astype(float)
        edges = np.arange(int(np.ceil(duration / WINDOW - 1e-9)) + 1, dtype=np.float64) * WINDOW
        sums = into_bins(attribution, times, edges)
        colours = symmetric(sums)
        ax.pcolormesh(edges, [-top, top], sums[None], cmap=DIVERGING, norm=colours, alpha=0.55, rasterized=True)
        bar = fig.colorbar(ax.collections[0], ax=ax, pad=0.01, aspect=14)
        bar.set_label(f"Attribution per {WINDOW:g} s\n({score_unit})", fontsize=8)
        bar.ax.tick_params(labelsize=8)
        notes.append(f"Background of the signal: attribution to time, summed over {WINDOW:g} s.")
    ax.plot(times, signal, color="black", linewidth=0.6)
    ax.set(xlim=(0, duration), ylim=(-top, top), xlabel="Time in the epoch (s)")
    ax.set_ylabel("Signal (µV)" if voltage else "Signal")
    return notes


def _draw_power(ax: Axes, dataset: xr.Dataset, case: _Case, bands: Bands) -> None:
    freqs = dataset["freq"].values
    edges = bin_edges(freqs, FMAX)
    shade_bands(ax, bands, edges[-1], names=True)
    level = decibels(into_bins(dataset["power"].values[case.epoch, case.channel], freqs, edges, mean=True))
    ax.stairs(level, edges, baseline=None, color=GREY, linewidth=1.2)
    ax.set_xlim(0, edges[-1])
    ax.set_ylabel("Power density\n(dB re 1 µV²/Hz)")
    ax.tick_params(labelbottom=False)


def _draw_attribution(ax: Axes, dataset: xr.Dataset, case: _Case, bands: Bands, score_unit: str) -> None:
    freqs = dataset["freq"].values
    edges = bin_edges(freqs, FMAX)
    shade_bands(ax, bands, edges[-1], names=False)
    draw_signed(ax, edges, into_bins(dataset["frequency_view"].values[case.epoch, case.channel], freqs, edges))
    ax.set_xlim(0, edges[-1])
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel(f"Attribution per {edges[1]:g} Hz\n({score_unit})")


def _draw_bands(ax: Axes, dataset: xr.Dataset, case: _Case, bands: Bands, score_unit: str) -> None:
    """Draw the band sums of the channel, and of the others that the stager got with it."""
    sums = aggregate.band_sums(dataset, bands)[case.epoch]
    own = sums[case.channel]
    others = case.of_combination.copy()
    others[case.channel] = False
    places = np.arange(len(own))
    ax.bar(places, own, width=0.7, color=[POSITIVE if value >= 0 else NEGATIVE for value in own])
    if others.any():
        rest = sums[others].sum(axis=0)
        ax.plot(places, rest, "D", color="white", markeredgecolor="black", markersize=5, label=_others(dataset, others))
        ax.legend(fontsize=8, frameon=False, loc="best")
    ax.axhline(0, color="0.3", linewidth=0.6)
    ax.margins(y=0.15)
    ax.set_xticks(places, bands.names, fontsize=8)
    ax.set_ylabel(f"Sum in the band\n({score_unit})")


def _others(dataset: xr.Dataset, others: npt.NDArray[np.bool_]) -> str:
    names = dataset["ch_name"].values.astype(str)[others]
    text = names[0] if len(names) == 1 else f"the other {len(names)} channels"
    return plain(text)


def _write_facts(ax: Axes, result: FlexResult, dataset: xr.Dataset, case: _Case) -> None:
    """Write what the stager said and how far the attributions add up, in two columns."""
    facts = _facts(result, dataset, case)
    ax.axis("off")
    for x, column, colour in ((0, facts, "0.35"), (0.47, facts.values(), "black")):
        text = ax.text(
            x, 1, plain("\n".join(column)), va="top", fontsize=9, linespacing=1.4, color=colour, transform=ax.transAxes
        )
        text.set_in_layout(False)


def _facts(result: FlexResult, dataset: xr.Dataset, case: _Case) -> dict[str, str]:
    def value(name: str) -> Any:
        return dataset[name].values[case.epoch, case.combination]

    def signed(number: float) -> str:
        return f"{round(number, 3) + 0.0:+.3f}".replace("-", "−")

    sums = dataset["frequency_view"].values[case.epoch].astype(float).sum(axis=1)
    score, baseline = float(value("score")), float(value("baseline_score"))
    relative = float(result.relative_gap()[case.epoch, case.combination])
    scored = str(dataset["stage"].values[case.epoch])
    given = str(dataset["combination"].values[case.combination])
    return {
        "Given to the stager": given if len(given) <= 26 else f"{int(case.of_combination.sum())} channels",
        "Scored": "–" if scored == "UNSCORED" else scored,
        "Predicted": str(value("predicted")),
        "Explained": f"score of {value('target')}" if value("target") else "nothing",
        "F(x), as recorded": signed(score),
        "F(x_b), baseline": signed(baseline),
        "F(x) − F(x_b)": signed(score - baseline),
        "Sum of attributions": signed(float(sums[case.of_combination].sum())),
        "  of this channel": signed(float(sums[case.channel])),
        "Completeness gap": signed(float(value("gap"))),
        "  of |band sums|": _percent(relative),
        "Gradient evaluations": str(int(value("n_gradients"))),
    }


def _percent(share: float) -> str:
    return "under 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"


def _clock(dataset: xr.Dataset, case: _Case) -> str:
    seconds = int(dataset["onset"].values[case.epoch])
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
