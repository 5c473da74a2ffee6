"""Example epochs below each other: of each its signal, when which frequency spoke, and which frequencies did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.choice import typical_places
from eegflex.results.means import refuse_single
from eegflex.results.once import computed_once
from eegflex.results.recordings import one_recording
from eegflex.results.select import PICKED, as_bands, check_stages, is_whole, stage_order
from eegflex.results.spectral_share import share_words
from eegflex.results.subset import numbers_text
from eegflex.results.wording import positive_means, unit
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import Canvas, figure_of, given_axes
from eegflex.viz.epoch import UNEXPLAINED, case_of, clock_of, highest_drawn, signed
from eegflex.viz.panels import WINDOW, EpochCard, draw_signal, draw_time_frequency, per_frequency
from eegflex.viz.spectrum import bin_edges, draw_signed
from eegflex.viz.style import LIGHT, plain, points, stage_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["plot_examples"]

#: Heights in inches of the signal of an epoch, and of its plane of time and frequency.
_HEIGHTS = (0.78, 0.95)


@checked
def plot_examples(
    result: FlexResult,
    *,
    numbers: Sequence[int] | None = None,
    recording: str | None = None,
    stage: str | Sequence[str] | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Draw some epochs below each other: when which frequency spoke for the stage that each was given, and which against it.

    Of each the EEG channel with the largest attributions is drawn, of those that explain its stage. `plot_epoch` draws one
    epoch on any channel, with more beside it.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, or of several.
    numbers : sequence of int | None
        Places of the epochs in the recording, from 0. By default one epoch of each stage: that whose attributions are most like
        those of the others.
    recording : str | None
        Which recording. Must be named with `numbers`, where there are several.
    stage : str | sequence of str | None
        Draw an epoch of these predicted stages only, if there are no `numbers`.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into: for each epoch the signal, the attribution to time and frequency if the result has that view, and
        the attribution to frequencies. By default those of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        Of each epoch the signal, with the attribution to time as its background where the result has a time view; the
        attribution to time and frequency where it has that view; and beside it the attribution to frequencies, or to bands
        where the method has only those. A result of all stages speaks for the predicted one.

    Raises
    ------
    ParameterError
        If an epoch or a stage was not explained, the epochs' recording is not named, or `axes` are not as many as the panels.

    See Also
    --------
    eegflex.viz.plot_epoch : One epoch, with more of what was found.
    eegflex.viz.plot_night : The night as it was staged.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> fig = eegflex.viz.plot_examples(result, stage=["W", "N3"], show=False)
    >>> [ax.get_title(loc="left").split(",")[0] for ax in fig.axes[::2]]
    ['W', 'N3']
    """
    result = result.for_target()
    cases = _find_cases(result, as_bands(bands, result.data), numbers, recording, stage)
    canvas = _make_canvas(axes, cases, annotate)
    top, colours = highest_drawn(result), stage_colours(result.stages)
    for case, (signal, *plane, spectrum) in zip(cases, canvas.axes, strict=True):
        meshes = [draw_signal(signal, case), *(draw_time_frequency(ax, case, top) for ax in plane)]
        channel = str(case.dataset["channel"].values[case.channel])
        named = plain(f"{_stage(case)}, epoch {_number(case)}, {clock_of(case)}, {channel}")
        signal.set_title(named, loc="left", fontsize=points(8.5), y=1)
        signal.spines["left"].set(color=colours.get(_stage(case), LIGHT.muted), linewidth=3)
        edges = bin_edges(case.dataset["freq"].values, top)
        for own, heights in per_frequency(case, edges):
            draw_signed(spectrum, own, heights, upright=False)
        spectrum.set_ylim(0, top)
        spectrum.set_xlabel(f"Attribution {case.per(edges)}\n({case.unit})")
        _write_facts(spectrum, case, meshes, in_layout=not canvas.own)
        _label(canvas, (signal, *plane, spectrum), is_last=case is cases[-1])
    return canvas.finish(
        f"{result.model}: {'a typical epoch of each stage' if numbers is None else 'single epochs'}",
        *_notes(result, cases),
        share_words(result.data, list(dict.fromkeys(map(_stage, cases))), "predicted"),
        show=show,
    )


def _find_cases(
    result: FlexResult,
    bands: Bands,
    numbers: Sequence[int] | None,
    recording: str | None,
    stage: str | Sequence[str] | None,
) -> list[EpochCard]:
    """The epochs that were asked for, or a typical one of each stage."""
    dataset = result.data
    refuse_single(dataset, "a figure of single epochs")
    if numbers is not None or recording is not None:
        dataset = one_recording(dataset, recording, "The number of an epoch")
    if numbers is None:
        stages = check_stages(stage, stage_order(dataset, "predicted"))
        there = set(tables.counted_stages(dataset, "predicted").tolist())
        with computed_once():
            places = [typical_places(dataset, one, 1)[0] for one in stages if one in there]
    else:
        known = dataset["number"].values.astype(int).tolist()
        missing = [number for number in numbers if number not in known]
        if stage is not None:
            raise ParameterError("Give the numbers of epochs or stages, not both", seen=f"{numbers}, stage={stage!r}")
        if missing or not len(numbers):
            raise ParameterError(
                "These epochs were not explained", seen=missing or "no number", allowed=numbers_text(known)
            )
        places = [known.index(number) for number in numbers]
    return [case_of(dataset, bands, unit(result), place) for place in places]


def _make_canvas(axes: Axes | Sequence[Axes] | None, cases: Sequence[EpochCard], annotate: bool) -> Canvas:
    """Make a figure with the panels of each epoch, or take axes that the caller gave."""
    has_plane = "time_frequency_view" in cases[0].dataset
    kinds = ["signal", "attribution to time and frequency", "attribution to frequencies"]
    kinds = kinds if has_plane else kinds[::2]
    if axes is not None:
        given = given_axes(axes, [f"{kind} of epoch {_number(case)}" for case in cases for kind in kinds])
        return Canvas(figure_of(given[0]), given.reshape(len(cases), -1), own=False, annotate=False)
    import matplotlib.pyplot as plt

    from eegflex.viz.layout import MeasuredOnce

    fig = plt.figure(figsize=(7.2, (sum(_HEIGHTS) + 0.3) * len(cases) + 0.75), layout=MeasuredOnce())
    grid = fig.add_gridspec(2 * len(cases), 2, width_ratios=[3.2, 1], height_ratios=_HEIGHTS * len(cases))
    made = []
    for row in range(0, 2 * len(cases), 2):
        signal = fig.add_subplot(grid[row if has_plane else slice(row, row + 2), 0])
        plane = [fig.add_subplot(grid[row + 1, 0])] if has_plane else []
        made.append([signal, *plane, fig.add_subplot(grid[row + 1, 1])])
    return Canvas(fig, np.array(made, dtype=object), own=True, annotate=annotate)


def _label(canvas: Canvas, axes: Sequence[Axes], *, is_last: bool) -> None:
    """Label the axes of an epoch: what is along them only below the last one, or each where they are the caller's."""
    *in_time, spectrum = axes
    in_time[-1].set_xlabel("Time in the epoch (s)")
    spectrum.locator_params(axis="x", nbins=3)
    spectrum.set_ylabel("Frequency (Hz)")
    for ax in axes:
        ax.tick_params(labelsize=points(7))
        ax.xaxis.label.set_fontsize(points(8))
        ax.yaxis.label.set_fontsize(points(8))
    if not canvas.own:
        in_time[0].set_xlabel("Time in the epoch (s)")
        return
    if len(in_time) > 1:  # which have one axis of time, and the last and the spectrum one of frequency
        in_time[0].xaxis.set_visible(False)
        spectrum.yaxis.set_visible(False)
    if not is_last:
        in_time[-1].set_xlabel("")
        spectrum.set_xlabel("")


def _write_facts(ax: Axes, case: EpochCard, meshes: Sequence[QuadMesh | None], *, in_layout: bool) -> None:
    """Write above the spectrum how the epoch was scored and staged, what changed the score, and what colours are full at."""
    scored = str(case.dataset["stage"].values[case.epoch])
    change = float(_value(case, "score")) - float(_value(case, "baseline_score"))
    lines = [
        "not scored" if scored == "UNSCORED" else f"scored {scored}",
        f"F(x) − F(x_b) = {signed(change)}",
        "" if case.is_explained else "not explained by it",
        *(
            f"full colour {what}: ±{mesh.norm.vmax:.2g}"
            for what, mesh in zip(("above", "below"), meshes, strict=False)
            if mesh
        ),
    ]
    text = ax.annotate(
        plain("\n".join(filter(None, lines))),
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        va="bottom",
        fontsize=points(7),
        linespacing=1.25,
        color=LIGHT.muted,
    )
    text.set_in_layout(in_layout)


def _value(case: EpochCard, name: str) -> Any:
    return case.dataset[name].values[case.epoch, case.channel_set]


def _stage(case: EpochCard) -> str:
    return str(_value(case, "predicted"))


def _number(case: EpochCard) -> int:
    return int(case.dataset["number"].values[case.epoch])


def _notes(result: FlexResult, cases: Sequence[EpochCard]) -> Iterator[str]:
    data = cases[0].dataset
    yield positive_means(result, "what the epoch has here")
    yield "Of each epoch the EEG channel with the largest attributions is drawn; its stage is that which the stager gave it."
    if "time_view" in data:
        yield f"Background of the signal: attribution to time, summed over {WINDOW:g} s."
    if "time_frequency_view" in data:
        frame, freq = (float(np.diff(data[name].values[:2])[0]) for name in ("frame", "frame_freq"))
        yield f"Below it: attribution per {frame:.2g} s and {freq:.2g} Hz."
    if {"time_view", "time_frequency_view"} & set(data):
        yield "Red raised the score, blue lowered it; the colours of a panel are full at the number that is told beside it."
    yield "" if all(case.is_explained for case in cases) else UNEXPLAINED
    yield "" if is_whole(data) else PICKED
