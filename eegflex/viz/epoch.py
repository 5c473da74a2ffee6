"""The card of one epoch: its signal, its spectra, its attributions, and how far they can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.results import tables
from eegflex.results.choice import typical_places
from eegflex.results.marks import within
from eegflex.results.means import refuse_single
from eegflex.results.recordings import one_recording, shown_label
from eegflex.results.select import PICKED, as_bands, is_whole, pick
from eegflex.results.spectral_share import share_words
from eegflex.results.subset import numbers_text
from eegflex.results.wording import positive_means, sums_to_change, unit
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import Canvas, figure_of, given_axes
from eegflex.viz.panels import (
    FMAX,
    MOST_SETS,
    WINDOW,
    EpochCard,
    draw_attribution,
    draw_band_sums,
    draw_chances,
    draw_power,
    draw_signal,
    draw_time_frequency,
    shown_sets,
)
from eegflex.viz.style import LIGHT, plain, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

    from eegflex.results.result import FlexResult

__all__ = ["UNEXPLAINED", "case_of", "clock_of", "highest_drawn", "plot_epoch", "signed"]


#: Said of an epoch whose change of the score is within the error of its attribution.
UNEXPLAINED = (
    "Not explained by this epoch: its change of the score, F(x) − F(x_b), is within the error of the attribution."
)


@checked
def plot_epoch(
    result: FlexResult,
    number: int | None = None,
    *,
    recording: str | None = None,
    stage: str | None = None,
    channel: str | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot one epoch: signal, spectrum and attributions.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, or of several.
    number : int | None
        Place of the epoch in the recording, from 0. By default the explained epoch of a stage whose attributions are most
        like those of the others, and not the one that the stager was surest of, whose score is saturated.
    recording : str | None
        Which recording. Must be named with `number`, where there are several.
    stage : str | None
        Which stage, as predicted by the most confident channel set, if there is no `number`; by default the most frequent.
    channel : str | None
        Which channel. By default the EEG channel with the largest attributions, of those that explain the epoch's stage.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into: for the signal, the attribution to time and frequency if the result has that view, the power
        spectrum, the attribution to frequencies, the band sums, and the probabilities of the stages. By default those of a
        figure of its own.
    annotate : bool
        Whether to write a title, notes and, in a panel of its own, scores, completeness gap and estimated error. They are
        never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        Signal, with the attribution to time as its background where the result has a time view; attribution to time and
        frequency where it has that view; power spectrum; attribution to frequencies (or to bands, where the method has
        only those) and band sums; the probability of each stage by channel set; scores, completeness gap and estimated
        error. A result of all stages speaks for the predicted one.

    Raises
    ------
    ParameterError
        If the epoch or the stage was not explained, the epoch's recording is not named, or `axes` are not as many as the
        panels.
    ChannelError
        If there is no such channel.

    See Also
    --------
    eegflex.viz.plot_spectrum : Frequencies, by stage.
    eegflex.viz.plot_night : The night as it was staged.
    eegflex.evaluation.decisive_events : Which events carried an epoch.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> fig = eegflex.viz.plot_epoch(result, 9, channel="C4-M1", show=False)
    >>> fig.get_suptitle()
    'Epoch 9, 0:04:30 from the start, C4-M1'
    """
    result = result.for_target()
    case = _find_card(result, as_bands(bands, result.data), number, recording, stage, channel)
    told = _facts(result, case)
    card = _make_card(axes, case, len(told) if annotate else 0)
    *in_time, power, attribution, sums, chances = card.axes
    notes = _draw_in_time(card, in_time, result, case)
    draw_power(power, case)
    draw_attribution(attribution, case)
    draw_band_sums(sums, case)
    draw_chances(chances, case)
    for ax in card.axes:
        ax.tick_params(labelsize=points(8 if ax not in (sums, chances) else 7))
        ax.xaxis.label.set_size(points(8.5))
        ax.yaxis.label.set_size(points(8.5))
    if card.own:
        power.tick_params(labelbottom=False)
    else:
        power.set_xlabel("Frequency (Hz)")
    if card.facts is not None:
        _write_facts(card.facts, told)
    errors = case.band_errors()[case.channel]
    notes.append("Whiskers: estimated error of a sum." if np.isfinite(errors).any() else "")
    notes.append("Hatched: within its error." if within(case.band_sums()[case.channel], errors).any() else "")
    notes.append("" if case.is_explained else UNEXPLAINED)
    notes.append(shown_sets(case.dataset))
    notes = [positive_means(result, "what the epoch has here"), *notes, "" if is_whole(case.dataset) else PICKED]
    stage = str(case.dataset["predicted"].values[case.epoch, case.channel_set])
    return card.finish(_title(case), *notes, share_words(case.dataset, [stage]), show=show)


def _find_card(
    result: FlexResult, bands: Bands, number: int | None, recording: str | None, stage: str | None, channel: str | None
) -> EpochCard:
    dataset = result.data
    refuse_single(dataset, "a card of an epoch")
    if number is not None or recording is not None:
        dataset = one_recording(dataset, recording, "The number of an epoch")
    if number is not None and stage is not None:
        raise ParameterError("Give the number of an epoch or its stage, not both", seen=f"{number}, stage={stage!r}")
    numbers = dataset["number"].values.astype(int).tolist()
    if number is not None and number not in numbers:
        raise ParameterError("This epoch was not explained", seen=number, allowed=numbers_text(numbers))
    epoch = typical_places(dataset, stage, 1)[0] if number is None else numbers.index(number)
    return case_of(dataset, bands, unit(result), epoch, channel)


def case_of(dataset: xr.Dataset, bands: Bands, score_unit: str, epoch: int, channel: str | None = None) -> EpochCard:
    """Return an epoch, by its place among those explained, on a channel, by default on that with the largest attributions."""
    chosen = _find_channel(dataset, bands, epoch, channel)
    if not np.isfinite(dataset["signal"][epoch, chosen].values).all():
        raise ParameterError(
            "An epoch whose signal is not finite cannot be drawn",
            seen=f"epoch {int(dataset['number'].values[epoch])}, {dataset['channel'].values[chosen]}",
            remedy="Attribute the recording again",
        )
    return EpochCard(dataset, bands, score_unit, epoch, chosen, int(dataset["of_channel_set"].values[chosen]))


def _find_channel(dataset: xr.Dataset, bands: Bands, epoch: int, channel: str | None) -> int:
    """The channel that was asked for, or the EEG channel with the largest attributions of those that explain the stage."""
    if channel is None:
        candidates = pick(dataset, None)
        own = tables.counted_sets(dataset, "predicted")[epoch][dataset["of_channel_set"].values]
        candidates = candidates & own if (candidates & own).any() else candidates
    else:
        names, labels = dataset["ch_name"].values.astype(str), dataset["channel"].values.astype(str)
        candidates = (labels == channel) if (labels == channel).any() else (names == channel)
        if not candidates.any():
            raise ChannelError("The result has no such channel", seen=repr(channel), allowed=labels.tolist())
    size = np.abs(tables.band_sums(dataset.isel(epoch=[epoch]), bands)[0]).sum(axis=1)
    return int(np.where(candidates, size, -1).argmax())


@dataclass(frozen=True)
class _Card(Canvas):
    """The panels of a card: those of time, power, attribution, band sums, stages.

    Attributes
    ----------
    bars : tuple of SubplotSpec
        Where the colour bars of the panels of time go, so that these have one axis of time; none in axes of the caller's.
    facts : Axes | None
        Where the facts go, if they are to be written.
    """

    bars: tuple[SubplotSpec, ...] = ()
    facts: Axes | None = None


def _make_card(axes: Axes | Sequence[Axes] | None, case: EpochCard, n_facts: int) -> _Card:
    in_time = ["signal", "attribution to time and frequency"][: 1 + ("time_frequency_view" in case.dataset)]
    if axes is not None:
        given = given_axes(axes, [*in_time, "power spectrum", "attribution to frequencies", "band sums", "stages"])
        return _Card(figure_of(given[0]), given, own=False, annotate=False)
    return _own_card(case, [1.3, 1.75][: len(in_time)], n_facts)


def _own_card(case: EpochCard, heights: Sequence[float], n_facts: int) -> _Card:
    """Make a figure with the panels of time above, and those of frequencies and the facts below; heights are in inches."""
    import matplotlib.pyplot as plt

    from eegflex.viz.layout import MeasuredOnce

    of_sets = 0.7 + 0.13 * min(case.dataset.sizes["channel_set"], MOST_SETS)
    on_right = [0.14 * n_facts + 0.01, 1.35, of_sets]
    fig = plt.figure(figsize=(7.2, sum(heights) + sum(on_right) + 0.9), layout=MeasuredOnce())
    halves = fig.add_gridspec(2, 1, height_ratios=[sum(heights), sum(on_right)])
    above = halves[0].subgridspec(len(heights), 2, width_ratios=[1, 0.012], height_ratios=heights)
    width = 0 if {"time_view", "time_frequency_view"} & set(case.dataset) else slice(None)
    first = fig.add_subplot(above[0, width])
    axes = [first, *(fig.add_subplot(above[row, 0], sharex=first) for row in range(1, len(heights)))]
    columns = halves[1].subgridspec(1, 2, width_ratios=[1.1, 1])
    on_left = columns[0].subgridspec(2, 1, height_ratios=[1.25, 1])
    axes += [*on_left.subplots(squeeze=False)[:, 0]]
    facts, *right = columns[1].subgridspec(3, 1, height_ratios=on_right).subplots(squeeze=False)[:, 0]
    axes += right
    if not n_facts:
        facts.remove()
    bars = tuple(above[row, 1] for row in range(len(heights)))
    return _Card(fig, np.array(axes, dtype=object), True, n_facts > 0, bars, facts if n_facts else None)


def _draw_in_time(card: _Card, axes: Sequence[Axes], result: FlexResult, case: EpochCard) -> list[str]:
    """Draw the panels that have an axis of time, and say what their colours are."""
    notes = []
    mesh = draw_signal(axes[0], case)
    if mesh is not None:
        _add_bar(card, mesh, 0, f"Attribution per {WINDOW:g} s\n({case.unit})")
        notes.append(f"Background of the signal: attribution to time, summed over {WINDOW:g} s.")
    if len(axes) > 1:
        mesh = draw_time_frequency(axes[1], case, highest_drawn(result))
        frame, freq = (float(np.diff(case.dataset[name].values[:2])[0]) for name in ("frame", "frame_freq"))
        _add_bar(card, mesh, 1, f"Attribution per {frame:.2g} s\nand {freq:.2g} Hz ({case.unit})")
        notes.append(
            "Below the signal: attribution to time and frequency, in frames of about 2 s; short events appear about 1 s wide."
        )
    for ax in axes:
        if ax is axes[-1] or not card.own:
            ax.set_xlabel("Time in the epoch (s)")
        else:
            ax.tick_params(labelbottom=False)
    return notes


def highest_drawn(result: FlexResult) -> float:
    """The highest frequency that is drawn in Hz: no more than the stager is given."""
    highest = (result.spec["input"].get("filter") or {}).get("h_freq") or FMAX
    return min(FMAX, float(highest), result.sfreq / 2)


def _add_bar(card: _Card, mesh: QuadMesh, panel: int, label: str) -> None:
    """Add the colour bar of a panel of time, where there is room for it or beside the caller's axes."""
    place = {"cax": card.fig.add_subplot(card.bars[panel])} if card.bars else {"ax": card.axes[panel], "pad": 0.02}
    bar = card.fig.colorbar(mesh, **place)
    bar.set_label(label, fontsize=points(8))
    bar.ax.tick_params(labelsize=points(8))


def _write_facts(ax: Axes, facts: Mapping[str, str]) -> None:
    """Write names and values in two columns, each line by itself: how high a text is depends on its letters."""
    ax.axis("off")
    for line, fact in enumerate(facts.items()):
        for x, words, colour in zip((0, 0.48), fact, (LIGHT.muted, "black"), strict=True):
            text = ax.text(
                x,
                1 - (line + 0.5) / len(facts),
                plain(words),
                va="center_baseline",
                fontsize=points(7.2),
                color=colour,
                transform=ax.transAxes,
            )
            text.set_in_layout(False)


def _facts(result: FlexResult, case: EpochCard) -> dict[str, str]:
    """Return what the stager said, what the attributions add up to, and how far that can be believed."""
    scored = str(case.dataset["stage"].values[case.epoch])
    given = str(case.dataset["channel_set"].values[case.channel_set])
    target, score, baseline = (_value(case, name) for name in ("target", "score", "baseline_score"))
    return {
        "Stager": result.model if len(result.model) <= 26 else f"{result.model[:25]}…",
        "Given to the stager": given if len(given) <= 26 else f"{int(case.members.sum())} channels",
        "Scored": "–" if scored == "UNSCORED" else scored,
        "Predicted": str(_value(case, "predicted")),
        "Explained": f"score of {target}",
        "F(x), as recorded": signed(score),
        "F(x_b), baseline": signed(baseline),
        "F(x) − F(x_b)": signed(score - baseline),
        **_sums(result, case),
        **_spent(case),
    }


def _sums(result: FlexResult, case: EpochCard) -> dict[str, str]:
    sums = case.band_sums().sum(axis=1)
    whole, found = float(sums[case.members].sum()), {}
    name = "Sum of attributions" if is_whole(case.dataset) else "Sum, channels picked"
    if "context_map" in case.dataset:
        around = _of_context(case)
        whole, found["  of the context"] = whole + around, signed(around)
        if "beyond" in case.dataset:
            beyond = float(_value(case, "beyond"))
            whole, found["  of the night beyond it"] = whole + beyond, signed(beyond)
    facts = {name: signed(whole), "  of this channel": signed(float(sums[case.channel])), **found}
    if not sums_to_change(result):
        return facts | {"Completeness": "not meant to sum to it"}
    relative = float(tables.relative_gap(case.dataset)[case.epoch, case.channel_set])
    return facts | {"Completeness gap": signed(_value(case, "gap")), "  of |band sums|": _percent(relative)}


def _of_context(case: EpochCard) -> float:
    neighbours = case.dataset["context"].values != 0
    parts = case.dataset["context_map"].isel(epoch=case.epoch).transpose("context", "channel", "band").values
    return float(np.nansum(parts[neighbours][:, case.members], dtype=np.float64))


def _spent(case: EpochCard) -> dict[str, str]:
    """Return the estimated error, where there is one, and how many evaluations were spent."""
    error, gradients = float(_value(case, "error")), int(_value(case, "n_gradients"))
    facts = {"Estimated error": _percent(error)} if np.isfinite(error) else {}
    if gradients:
        return facts | {"Gradient evaluations": str(gradients)}
    return facts | {"Scores evaluated": str(int(_value(case, "n_forwards")))}


def _value(case: EpochCard, name: str) -> Any:
    return case.dataset[name].values[case.epoch, case.channel_set]


def signed(number: float) -> str:
    """Write a number with its sign and three decimals."""
    return f"{round(float(number), 3) + 0.0:+.3f}".replace("-", "−")


def _percent(share: float) -> str:
    return "under 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"


def _title(case: EpochCard) -> str:
    label, number = (case.dataset[name].values[case.epoch] for name in ("recording", "number"))
    label = shown_label(case.dataset, str(label))
    name = case.dataset["channel"].values[case.channel]
    unexplained = "" if case.is_explained else "\n(not explained by this epoch)"
    return f"{f'{label}, epoch' if label else 'Epoch'} {number}, {clock_of(case)} from the start, {name}{unexplained}"


def clock_of(case: EpochCard) -> str:
    """Write when the epoch began, from the start of the recording."""
    seconds = int(case.dataset["onset"].values[case.epoch])
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
