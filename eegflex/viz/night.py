"""The night: hypnograms, scored and predicted, and the hypnodensity, on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.agreement import cohens_kappa
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.collapse import facts
from eegflex.results.decided import explained_epochs
from eegflex.results.recordings import one_recording, provenances, shown_label
from eegflex.results.result import FlexResult
from eegflex.results.select import hypnogram_order
from eegflex.results.wording import count_epochs
from eegflex.viz.canvas import make_canvas
from eegflex.viz.style import plain, points, stage_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.staging import StagedNight

__all__ = ["plot_night"]

#: Nights shorter than this are drawn in minutes, in s.
_SHORT = 1800.0


@dataclass(frozen=True)
class _Night:
    """What is drawn of a night, wherever it comes from.

    Attributes
    ----------
    model : str
        The stager's name, and the recording's label if it has one.
    stages : tuple of str
        Its stages.
    left, right : array, shape (n_epochs,)
        Beginnings and ends of the epochs in s.
    scored, predicted : array of str, shape (n_epochs,)
        The hypnogram's stages, and the stager's; anything else where there is none.
    chances : array, shape (n_epochs, n_stages)
        Probabilities of the stages; NaN for an epoch that was not staged.
    faulty : int
        How many epochs have a signal that cannot be staged.
    n_channel_sets : int
        How many channel sets staged it.
    confusion : array of int, shape (n_stages, n_stages)
        Scored by predicted, in epochs that have both.
    explained : array of int | None
        Epochs whose explanations are there; None where nothing was explained.
    which : str
        What is said of these, where they are not all.
    unexplained : array of bool | None
        Which of these are not explained by the epoch.
    """

    model: str
    stages: tuple[str, ...]
    left: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    scored: npt.NDArray[np.str_]
    predicted: npt.NDArray[np.str_]
    chances: npt.NDArray[np.float64]
    faulty: int
    n_channel_sets: int
    confusion: npt.NDArray[np.int64]
    explained: npt.NDArray[np.intp] | None = None
    which: str = ""
    unexplained: npt.NDArray[np.bool_] | None = None


def plot_night(
    night: FlexResult | StagedNight,
    *,
    recording: str | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Draw the night as it was scored and as it was staged.

    Of a stager that is run once for each EEG channel, the stage and the probabilities of the most confident channel set
    are drawn. Epochs without a stage, and those whose signal is not fit to be staged, are gaps.

    Parameters
    ----------
    night : FlexResult | StagedNight
        Attributions of a recording, or what `eegflex.stage_epochs` returned.
    recording : str | None
        Which recording, of a result of several.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into: for the scored hypnogram, if there is one, the predicted one, and the hypnodensity. By default those
        of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into a figure of yours.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The hypnogram that was scored, if there is one; the predicted one, with the epochs that were explained; and the
        hypnodensity.

    Raises
    ------
    ParameterError
        If there is no such recording, or one of several is not named, or `axes` are not as many as the panels.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> staged = eegflex.stage_epochs(eegflex.make_epochs(night.raw, verbose="error"), "bandpower", verbose="error")
    >>> fig = eegflex.viz.plot_night(staged, show=False)
    >>> [ax.get_ylabel().split()[0] for ax in fig.axes]
    ['Scored', 'Predicted', 'Probability']
    """
    drawn = _of_result(night, recording) if isinstance(night, FlexResult) else _of_staged(night, recording)
    order = hypnogram_order(drawn.stages)
    has_scored = bool(np.isin(drawn.scored, order).any())
    panels = ["scored hypnogram"] * has_scored + ["predicted hypnogram", "hypnodensity"]
    canvas = make_canvas(
        axes,
        [[name] for name in panels],
        annotate,
        figsize=(10, 1.75 * len(panels) + 1.2),
        sharex=True,
        height_ratios=[1.0] * (len(panels) - 1) + [0.8],
    )
    scale, unit = (60.0, "min") if drawn.right[-1] - drawn.left[0] < _SHORT else (3600.0, "h")
    left, right = drawn.left / scale, drawn.right / scale
    *hypnograms, density = canvas.axes[:, 0]
    if has_scored:
        _draw_hypnogram(hypnograms[0], left, right, drawn.scored, order, "Scored")
    _draw_hypnogram(hypnograms[-1], left, right, drawn.predicted, order, "Predicted")
    if drawn.explained is not None and (len(drawn.explained) < len(left) or _n_unexplained(drawn)):
        centres = ((left + right) / 2)[drawn.explained]
        _mark(hypnograms[-1], centres, drawn.unexplained)
    _draw_density(density, left, right, drawn.chances, drawn.stages, order)
    for ax in canvas.axes[:, 0]:
        ax.set_xlim(left[0], right[-1])
        if ax is density or not canvas.own:
            ax.set_xlabel(f"Time from the start of the recording ({unit})")
    return canvas.finish(_title(drawn), *_notes(drawn, has_scored=has_scored), show=show)


def _of_staged(night: StagedNight, recording: str | None) -> _Night:
    if recording is not None:
        raise ParameterError(
            "A StagedNight is of one recording, which has no label",
            seen=f"recording={recording!r}",
            remedy="Leave it out",
        )
    segments = night.segments
    length = segments.signals.shape[-1] / segments.sfreq
    return _Night(
        model=night.stager.spec.name,
        stages=night.stages,
        left=segments.onset,
        right=segments.onset + length,
        scored=segments.stage,
        predicted=night.predicted,
        chances=night.probabilities,
        faulty=int((segments.fault != "").sum()),
        n_channel_sets=len(night.bound),
        confusion=night.confusion,
    )


def _of_result(result: FlexResult, recording: str | None) -> _Night:
    dataset = one_recording(result.data, recording, "A night")
    ((label, found),) = provenances(dataset).items()
    shown = shown_label(result.data, label)
    chances, predicted = tables.night_stages(dataset)
    onset = dataset["night_onset"].values.astype(float)
    return _Night(
        model=f"{result.model} on {shown}" if shown else result.model,
        stages=result.stages,
        left=onset,
        right=onset + dataset.sizes["time"] / float(dataset.attrs["sfreq"]),
        scored=dataset["night_stage"].values.astype(str),
        predicted=predicted,
        chances=chances,
        faulty=int((dataset["night_fault"].values.astype(str) != "").sum()),
        n_channel_sets=dataset.sizes["channel_set"],
        confusion=tables.night_confusion(dataset),
        explained=dataset["number"].values.astype(int),
        unexplained=~explained_epochs(facts(dataset)),
        which=_which(dataset.sizes["epoch"], found, is_sample=result.is_sample),
    )


def _mark(ax: Axes, centres: npt.NDArray[np.float64], hollow: npt.NDArray[np.bool_] | None) -> None:
    """Mark epochs on top of a hypnogram."""
    hollow = np.zeros(len(centres), dtype=bool) if hollow is None else hollow
    for chosen, fill in ((~hollow, "black"), (hollow, "white")):
        if chosen.any():  # nothing, drawn outside the axes, would leave the layout no place
            height = np.full(int(chosen.sum()), -0.62)
            ax.plot(centres[chosen], height, "v", color="black", markerfacecolor=fill, markersize=4, clip_on=False)


def _which(n_epochs: int, provenance: Mapping[str, Any], *, is_sample: bool) -> str:
    """Say which epochs of the night are there."""
    if n_epochs < provenance["explained"]:
        return f"are in this result; {provenance['explained']} were explained"
    if provenance.get("partial", False):
        return "were explained, before it was stopped"
    return "were explained, a sample" if is_sample else "were explained"


def _draw_hypnogram(
    ax: Axes,
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    stages: npt.NDArray[np.str_],
    order: Sequence[str],
    title: str,
) -> None:
    """Draw steps from stage to stage, with a thick line for REM and none where there is no stage."""
    levels = np.array([order.index(stage) if stage in order else np.nan for stage in stages], dtype=float)
    times, steps = _steps(left, right, levels)
    ax.plot(times, steps, color="black", linewidth=0.9)
    if "REM" in order:
        rem = np.where(levels == order.index("REM"), levels, np.nan)
        colour = stage_colours(["REM"])["REM"]
        ax.plot(*_steps(left, right, rem), color=colour, linewidth=4.5, solid_capstyle="butt", zorder=3)
    ax.set_ylim(len(order) - 0.5, -0.9)
    ax.set_yticks(range(len(order)), [plain(stage) for stage in order])
    ax.set_ylabel(f"{title}\nstage")
    ax.grid(axis="y", color="0.9", linewidth=0.6)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _steps(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the corners of a staircase, broken where epochs are not contiguous."""
    times = np.stack([left, right], axis=1).ravel()
    steps = np.repeat(levels, 2)
    gaps = np.flatnonzero(left[1:] - right[:-1] > 1e-6 * (right[-1] - left[0])) + 1
    return np.insert(times, 2 * gaps, right[gaps - 1]), np.insert(steps, 2 * gaps, np.nan)


def _draw_density(
    ax: Axes,
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    chances: npt.NDArray[np.float64],
    stages: Sequence[str],
    order: Sequence[str],
) -> None:
    """Stack the probabilities of each epoch, the topmost stage on top; epochs that were not staged stay white."""
    colours = stage_colours(stages)
    bottom = np.zeros(len(chances))
    for stage in reversed(order):
        top = bottom + chances[:, stages.index(stage)]
        (times, low), (_, high) = _steps(left, right, bottom), _steps(left, right, top)
        ax.fill_between(times, low, high, color=colours[stage], linewidth=0, antialiased=False, label=plain(stage))
        bottom = top
    ax.set_ylim(0, 1)
    ax.set_ylabel("Probability")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=points(8),
        handlelength=1, handleheight=1,
    )  # fmt: skip


def _n_unexplained(night: _Night) -> int:
    return 0 if night.unexplained is None else int(night.unexplained.sum())


def _title(night: _Night) -> str:
    model, n_scored = night.model, int(night.confusion.sum())
    if not n_scored:
        return f"{model}: the night as it was staged"
    return f"{model} against the hypnogram: Cohen's kappa {cohens_kappa(night.confusion):.2f} ({n_scored} epochs)"


def _notes(night: _Night, *, has_scored: bool) -> list[str]:
    notes, n_night = [], len(night.left)
    if night.explained is not None:
        n_explained = len(night.explained)
        notes.append(
            f"All {n_night} epochs were explained."
            if n_explained == n_night
            else f"Triangles: the {n_explained} of {n_night} epochs that {night.which}."
        )
        if n_left := _n_unexplained(night):
            notes.append(
                f"Hollow: {n_left} of them, not explained by the epoch, whose change of the score is within its error."
            )
    if night.n_channel_sets > 1:
        notes.append("Stage and probability by the most confident of the channel sets.")
    missing = int((~np.isin(night.scored, night.stages)).sum())
    if has_scored and missing:
        notes.append(f"Gaps in the scored hypnogram: {count_epochs(missing)} without a stage.")
    if night.faulty:
        notes.append(f"Gaps in the predicted hypnogram: {count_epochs(night.faulty)} whose signal cannot be staged.")
    if not has_scored:
        notes.append("There is no hypnogram to compare with.")
    return notes
