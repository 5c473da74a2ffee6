"""The card of one epoch: its signal, its spectra, its attributions, and how far they can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eegflex.agreement import consensus, probabilities
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.results import tables
from eegflex.results.select import as_bands
from eegflex.results.wording import positive_means, sums_to_change, unit
from eegflex.viz.panels import (
    FMAX,
    WINDOW,
    Case,
    draw_attribution,
    draw_band_sums,
    draw_power,
    draw_signal,
    draw_time_frequency,
)
from eegflex.viz.style import add_note, plain

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    from eegflex.results.result import FlexResult

__all__ = ["default_number", "plot_epoch", "surest_numbers"]


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
        Signal, with the attribution to time as its background where the result has a time view; attribution to time and
        frequency where it has that view; power spectrum; attribution to frequencies (or to bands, where the method has
        only those) and band sums; scores, completeness gap and estimated error. A result of all stages speaks for the
        predicted one.

    Raises
    ------
    ParameterError
        If the epoch was not explained.
    ChannelError
        If there is no such channel.
    """
    import matplotlib.pyplot as plt
    from mne.viz.utils import plt_show

    result = result.for_target()
    case = _find_case(result, as_bands(bands), number, channel)
    heights = [1, 1.35] if "time_frequency_view" in case.dataset else [1]
    fig = plt.figure(figsize=(10, 6 + 2 * sum(heights)), layout="constrained")
    halves = fig.add_gridspec(2, 1, height_ratios=[sum(heights), 2.25])
    # The narrow column is for colour bars, so that the panels beside them have one axis of time.
    notes = _draw_in_time(
        fig, halves[0].subgridspec(len(heights), 2, width_ratios=[1, 0.012], height_ratios=heights), result, case
    )
    grid = halves[1].subgridspec(2, 2, width_ratios=[1.25, 1], height_ratios=[1.25, 1])
    draw_power(fig.add_subplot(grid[0, 0]), case)
    draw_attribution(fig.add_subplot(grid[1, 0]), case)
    draw_band_sums(fig.add_subplot(grid[1, 1]), case)
    _write_facts(fig.add_subplot(grid[0, 1]), _facts(result, case))
    name = str(case.dataset["channel"].values[case.channel])
    title = f"Epoch {int(case.dataset['number'].values[case.epoch])} at {_clock(case)}, {name}"
    fig.suptitle(plain(title), fontsize=11)
    add_note(fig, positive_means(result, "what the epoch has here"), *notes)
    plt_show(show, fig)
    return fig


def default_number(dataset: xr.Dataset) -> int:
    """Return the number of the epoch that the stager was surest of, among those of the most frequent stage."""
    predicted = consensus(dataset["scores"].values, tables.score_kind(dataset))
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
        The stage that was predicted by the most confident channel set.
    n : int
        How many at most.
    """
    scores, kind = dataset["scores"].values, tables.score_kind(dataset)
    predicted = dataset["stage_name"].values.astype(str)[consensus(scores, kind)]
    sure = probabilities(scores, kind).max(axis=(1, 2))
    places = np.flatnonzero(predicted == stage)
    return dataset["number"].values[places[np.argsort(-sure[places], kind="stable")][:n]].astype(int).tolist()


def _find_case(result: FlexResult, bands: Bands, number: int | None, channel: str | None) -> Case:
    dataset = result.data
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
    size = np.abs(tables.band_sums(dataset.isel(epoch=[epoch]), bands)[0]).sum(axis=1)
    chosen = int(np.where(candidates, size, -1).argmax())
    return Case(dataset, bands, unit(result), epoch, chosen, int(dataset["of_channel_set"].values[chosen]))


def _draw_in_time(fig: Figure, grid: GridSpecFromSubplotSpec, result: FlexResult, case: Case) -> list[str]:
    """Draw the panels that have an axis of time, and say what their colours are."""
    bars = {"time_view", "time_frequency_view"} & set(case.dataset)
    width = 0 if bars else slice(None)
    first = fig.add_subplot(grid[0, width])
    mesh, last, notes = draw_signal(first, case), first, []
    if mesh is not None:
        _add_bar(fig, mesh, grid[0, 1], f"Attribution per {WINDOW:g} s\n({case.unit})")
        notes.append(f"Background of the signal: attribution to time, summed over {WINDOW:g} s.")
    if "time_frequency_view" in case.dataset:
        highest = (result.spec["input"].get("filter") or {}).get("h_freq") or FMAX
        last = fig.add_subplot(grid[1, 0], sharex=first)
        first.tick_params(labelbottom=False)
        mesh = draw_time_frequency(last, case, min(FMAX, float(highest), result.sfreq / 2))
        frame, freq = (float(np.diff(case.dataset[name].values[:2])[0]) for name in ("frame", "frame_freq"))
        _add_bar(fig, mesh, grid[1, 1], f"Attribution per {frame:.2g} s\nand {freq:.2g} Hz ({case.unit})")
        notes.append(
            "Below the signal: when which frequency spoke, in frames of about 2 s, so that what is there for a moment is "
            "drawn about 1 s wide."
        )
    last.set_xlabel("Time in the epoch (s)")
    return notes


def _add_bar(fig: Figure, mesh: QuadMesh, place: Any, label: str) -> None:
    bar = fig.colorbar(mesh, cax=fig.add_subplot(place))
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _write_facts(ax: Axes, facts: Mapping[str, str]) -> None:
    """Write names and values in two columns."""
    ax.axis("off")
    for x, column, colour in ((0, facts, "0.35"), (0.47, facts.values(), "black")):
        text = ax.text(
            x, 1, plain("\n".join(column)), va="top", fontsize=9, linespacing=1.25, color=colour, transform=ax.transAxes
        )
        text.set_in_layout(False)


def _facts(result: FlexResult, case: Case) -> dict[str, str]:
    """Return what the stager said, what the attributions add up to, and how far that can be believed."""
    scored = str(case.dataset["stage"].values[case.epoch])
    given = str(case.dataset["channel_set"].values[case.channel_set])
    target, score, baseline = (_value(case, name) for name in ("target", "score", "baseline_score"))
    return {
        "Given to the stager": given if len(given) <= 26 else f"{int(case.members.sum())} channels",
        "Scored": "–" if scored == "UNSCORED" else scored,
        "Predicted": str(_value(case, "predicted")),
        "Explained": f"score of {target}",
        "F(x), as recorded": _signed(score),
        "F(x_b), baseline": _signed(baseline),
        "F(x) − F(x_b)": _signed(score - baseline),
        **_sums(result, case),
        **_spent(case),
    }


def _sums(result: FlexResult, case: Case) -> dict[str, str]:
    sums = case.band_sums().sum(axis=1)
    whole, found = float(sums[case.members].sum()), {}
    if "context_map" in case.dataset:
        around = _of_context(case)
        whole, found["  of the context"] = whole + around, _signed(around)
    facts = {"Sum of attributions": _signed(whole), "  of this channel": _signed(float(sums[case.channel])), **found}
    if not sums_to_change(result):
        return facts | {"Completeness": "not meant to sum to it"}
    relative = float(result.relative_gap()[case.epoch, case.channel_set])
    return facts | {"Completeness gap": _signed(_value(case, "gap")), "  of |band sums|": _percent(relative)}


def _of_context(case: Case) -> float:
    neighbours = case.dataset["context"].values != 0
    parts = case.dataset["context_map"].isel(epoch=case.epoch).transpose("context", "channel", "band").values
    return float(np.nansum(parts[neighbours][:, case.members], dtype=np.float64))


def _spent(case: Case) -> dict[str, str]:
    """Return the estimated error, where there is one, and how many evaluations were spent."""
    error, gradients = float(_value(case, "error")), int(_value(case, "n_gradients"))
    facts = {"Estimated error": _percent(error)} if np.isfinite(error) else {}
    if gradients:
        return facts | {"Gradient evaluations": str(gradients)}
    return facts | {"Scores evaluated": str(int(_value(case, "n_forwards")))}


def _value(case: Case, name: str) -> Any:
    return case.dataset[name].values[case.epoch, case.channel_set]


def _signed(number: float) -> str:
    return f"{round(float(number), 3) + 0.0:+.3f}".replace("-", "−")


def _percent(share: float) -> str:
    return "under 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"


def _clock(case: Case) -> str:
    seconds = int(case.dataset["onset"].values[case.epoch])
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
