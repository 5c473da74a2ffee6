"""The night: hypnograms, scored and predicted, and the hypnodensity, on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex import aggregate
from eegflex.agreement import consensus
from eegflex.results.select import hypnogram_order
from eegflex.viz.style import add_note, count_epochs, plain, stage_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["plot_night", "probabilities"]

#: Nights shorter than this are drawn in minutes, in s.
_SHORT = 1800.0


def plot_night(result: FlexResult, *, show: bool = True) -> Figure:
    """Draw the night as it was scored and as it was staged.

    Of a stager that is run once for each EEG channel, the stage and the probabilities of the most confident combination
    are drawn. Epochs without a stage, and those whose signal is not fit to be staged, are gaps.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The hypnogram that was scored, if there is one; the predicted one, with the epochs that were explained; and the
        hypnodensity.
    """
    import matplotlib.pyplot as plt
    from mne.viz.utils import plt_show

    result = result.for_target()
    dataset = result.to_xarray()
    chances = probabilities(dataset, str(result.spec["output"]["scores"]))
    scored, predicted = dataset["night_stage"].values.astype(str), _predicted(result, dataset, chances)
    order = hypnogram_order(result.stages)
    has_scored = bool(np.isin(scored, order).any())
    ratios = [1.0] * (1 + has_scored) + [0.8]
    fig, axes = plt.subplots(
        len(ratios), 1, figsize=(10, 1.75 * len(ratios) + 1.2), sharex=True, height_ratios=ratios, layout="constrained"
    )
    left, right, unit = _edges(dataset)
    if has_scored:
        _draw_hypnogram(axes[0], left, right, scored, order, "Scored")
    _draw_hypnogram(axes[-2], left, right, predicted, order, "Predicted")
    _mark_explained(axes[-2], dataset, left, right)
    _draw_density(axes[-1], left, right, chances, result.stages, order)
    axes[-1].set_xlabel(f"Time from the start of the recording ({unit})")
    axes[-1].set_xlim(left[0], right[-1])
    fig.suptitle(_title(result, dataset), fontsize=11)
    add_note(fig, *_notes(result, dataset, scored, has_scored=has_scored))
    plt_show(show, fig)
    return fig


def probabilities(dataset: xr.Dataset, scores: str) -> npt.NDArray[np.float64]:
    """Return the probability of each stage by the most confident combination, shape (n_night, n_stages).

    NaN for epochs that were not staged, or whose signal is faulty.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    scores : {"logits", "log_probs", "probs"}
        What the stager returned.
    """
    returned = dataset["night_scores"].values.astype(float)
    sound = np.isfinite(returned).all(axis=(1, 2)) & (dataset["night_fault"].values.astype(str) == "")
    finite = np.nan_to_num(returned)
    shares = finite if scores == "probs" else np.exp(finite - finite.max(axis=-1, keepdims=True))
    shares = np.divide(shares, total := shares.sum(axis=-1, keepdims=True), out=np.zeros_like(shares), where=total > 0)
    surest = shares.max(axis=-1).argmax(axis=-1)
    chosen = shares[np.arange(len(shares)), surest]
    chosen[~sound] = np.nan
    return chosen


def _predicted(result: FlexResult, dataset: xr.Dataset, chances: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    names = np.array(result.stages, dtype=str)[consensus(dataset["night_scores"].values, aggregate.score_kind(dataset))]
    return np.where(np.isfinite(chances).all(axis=1), names, "")


def _edges(dataset: xr.Dataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], str]:
    """Return the beginnings and ends of the epochs in the unit of the axis, and that unit."""
    onset = dataset["night_onset"].values.astype(float)
    duration = dataset.sizes["time"] / float(dataset.attrs["sfreq"])
    scale, unit = (60.0, "min") if onset[-1] + duration - onset[0] < _SHORT else (3600.0, "h")
    return onset / scale, (onset + duration) / scale, unit


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


def _mark_explained(
    ax: Axes, dataset: xr.Dataset, left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> None:
    if dataset.sizes["epoch"] == dataset.sizes["night"]:
        return
    numbers = dataset["number"].values.astype(int)
    centres = (left[numbers] + right[numbers]) / 2
    ax.plot(centres, np.full(len(centres), -0.62), "v", color="black", markersize=4, clip_on=False)


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
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=8,
        handlelength=1, handleheight=1,
    )  # fmt: skip


def _title(result: FlexResult, dataset: xr.Dataset) -> str:
    agreed, model = aggregate.agreement(dataset), plain(result.model)
    if agreed is None:
        return f"{model}: the night as it was staged"
    kappa, confusion = agreed
    return f"{model} against the hypnogram: Cohen's kappa {kappa:.2f} ({int(confusion.to_numpy().sum())} epochs)"


def _notes(result: FlexResult, dataset: xr.Dataset, scored: npt.NDArray[Any], *, has_scored: bool) -> list[str]:
    explained, night = dataset.sizes["epoch"], dataset.sizes["night"]
    sample = ", before it was stopped" if result.is_partial else ", a sample" if result.is_sample else ""
    notes = [
        f"All {night} epochs were explained."
        if explained == night
        else f"Triangles: the {explained} of {night} epochs that were explained{sample}."
    ]
    if dataset.sizes["combination"] > 1:
        notes.append("Stage and probability by the most confident of the channel combinations.")
    missing = int((~np.isin(scored, result.stages)).sum())
    if has_scored and missing:
        notes.append(f"Gaps in the scored hypnogram: {count_epochs(missing)} without a stage.")
    faulty = int((dataset["night_fault"].values.astype(str) != "").sum())
    if faulty:
        notes.append(f"Gaps in the predicted hypnogram: {count_epochs(faulty)} whose signal cannot be staged.")
    if not has_scored:
        notes.append("There is no hypnogram to compare with.")
    return notes
