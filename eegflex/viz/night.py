"""The night: hypnograms, scored and predicted, and the hypnodensity, on one axis of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.agreement import cohens_kappa
from eegflex.errors import ParameterError
from eegflex.results.collapse import facts
from eegflex.results.decided import DECIDES, epoch_shares, explained_epochs
from eegflex.results.means import only_means
from eegflex.results.night import Night, night_of
from eegflex.results.recordings import one_recording, provenances, shown_label
from eegflex.results.result import FlexResult
from eegflex.results.select import hypnogram_order
from eegflex.results.trust import Trust, has_evidence, judge
from eegflex.results.wording import count_epochs
from eegflex.scores import probabilities
from eegflex.utils.arguments import checked
from eegflex.utils.clock import clock_text, since_midnight
from eegflex.viz.canvas import make_canvas
from eegflex.viz.style import plain, points, stage_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.staging import StagedNight

__all__ = ["plot_night"]

#: Nights shorter than this are drawn in minutes, in s.
_SHORT = 1800.0
#: Steps of the clock in s, so that labels have room.
_CLOCK_STEPS = (300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0)


@dataclass(frozen=True)
class _Row:
    """Epochs that are marked below the night.

    Attributes
    ----------
    name : str
        What they are.
    places : array of int
        Their places in the night.
    note : str
        What is said of them below the figure.
    """

    name: str
    places: npt.NDArray[np.intp]
    note: str = ""


@dataclass(frozen=True)
class _Drawn:
    """What is drawn of a night, wherever it comes from.

    Attributes
    ----------
    model : str
        The stager's name, and the recording's label if it has one.
    night : Night
        The night.
    rows : tuple of _Row
        What is known of its explanations.
    explained : str
        Which epochs were explained; nothing where none was.
    began : float | None
        The clock when the recording began, in s from midnight, where it is known.
    """

    model: str
    night: Night
    rows: tuple[_Row, ...] = ()
    explained: str = ""
    began: float | None = None

    @property
    def left(self) -> npt.NDArray[np.float64]:
        """Beginnings of the epochs, in s."""
        return self.night.onset

    @property
    def right(self) -> npt.NDArray[np.float64]:
        """Ends of the epochs, in s."""
        return self.night.onset + self.night.length


@checked
def plot_night(
    night: FlexResult | StagedNight,
    *,
    recording: str | None = None,
    began: str | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot the scored and the predicted hypnogram of a night.

    Of a stager that is run once for each EEG channel, the stage is that of the most confident channel set, and the
    probabilities are the mean over all of them. Epochs without a stage, and those whose signal is not fit to be staged, are
    gaps.

    Parameters
    ----------
    night : FlexResult | StagedNight
        Attributions of a recording, or what `eegflex.stage_epochs` returned.
    recording : str | None
        Which recording, of a result of several.
    began : str | None
        The clock when the recording began, such as ``"22:30"``, if the axis is to show it. A result does not keep it; of a
        `StagedNight` it is known if the recording says so.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into: for the scored hypnogram, if there is one, the predicted one, the hypnodensity, and marks of epochs,
        which a night that was only staged has if there is a hypnogram or more than one channel set. By default those of a
        figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The hypnogram that was scored, if there is one; the predicted one; the mean hypnodensity; and below it a mark for each
        epoch that is called otherwise than it was scored, on which channels disagree, that was explained, that is trusted,
        that its explanation does not explain, and that its context decided, so far as these are known.

    Raises
    ------
    ParameterError
        If there is no such recording, or one of several is not named, `began` is no time, or `axes` are not as many as the
        panels.

    See Also
    --------
    eegflex.StagedNight : A recording as it was staged.
    eegflex.viz.plot_confusion : Which stage was taken for which, and why.
    eegflex.viz.plot_epoch : One epoch.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> staged = eegflex.stage_epochs(eegflex.make_epochs(night.raw, verbose="error"), "bandpower", verbose="error")
    >>> fig = eegflex.viz.plot_night(staged, show=False)
    >>> [ax.get_ylabel().split()[0] for ax in fig.axes]
    ['Scored', 'Predicted', 'Probability', 'Epochs']
    """
    drawn = _of_result(night, recording) if isinstance(night, FlexResult) else _of_staged(night, recording)
    drawn = drawn if began is None else replace(drawn, began=since_midnight("began", began))
    whole, order = drawn.night, hypnogram_order(drawn.night.stages)
    has_scored = bool(np.isin(whole.scored, order).any())
    rows = [*_of_staging(whole, has_scored=has_scored), *drawn.rows]
    panels = (
        ["scored hypnogram"] * has_scored + ["predicted hypnogram", "hypnodensity"] + ["marks of epochs"] * bool(rows)
    )
    heights = [0.16 * max(len(order), 4) + 0.2] * (1 + has_scored) + [0.85] + [0.17 * len(rows) + 0.05] * bool(rows)
    canvas = make_canvas(
        axes,
        [[name] for name in panels],
        annotate,
        figsize=(7.2, sum(heights) + 0.95),
        sharex=True,
        height_ratios=heights,
    )
    scale, unit = (60.0, "min") if drawn.right[-1] - drawn.left[0] < _SHORT else (3600.0, "h")
    left, right = drawn.left / scale, drawn.right / scale
    by_name = dict(zip(panels, canvas.axes[:, 0], strict=True))
    if has_scored:
        _draw_hypnogram(by_name["scored hypnogram"], left, right, whole.scored, order, "Scored")
    _draw_hypnogram(by_name["predicted hypnogram"], left, right, whole.predicted, order, "Predicted")
    _draw_density(by_name["hypnodensity"], left, right, whole.mean, whole.stages, order)
    if rows:
        _draw_rows(by_name["marks of epochs"], (left + right) / 2, rows)
    for ax in canvas.axes[:, 0]:
        ax.set_xlim(left[0], right[-1])
        ax.tick_params(labelsize=points(8))
        if ax is canvas.axes[-1, 0] or not canvas.own:
            _label_time(ax, drawn.began, scale, unit)
    return canvas.finish(_title(drawn), *_notes(drawn, rows, has_scored=has_scored), show=show)


def _of_staged(night: StagedNight, recording: str | None) -> _Drawn:
    if recording is not None:
        raise ParameterError(
            "A StagedNight is of one recording, which has no label",
            seen=f"recording={recording!r}",
            remedy="Leave it out",
        )
    segments, began = night.segments, night.epochs.info["meas_date"]
    seconds = None if began is None else began.hour * 3600.0 + began.minute * 60 + began.second
    whole = Night(
        stages=night.stages,
        onset=segments.onset,
        length=segments.signals.shape[-1] / segments.sfreq,
        scored=segments.stage,
        predicted=night.predicted,
        probabilities=np.where(
            night.sound[:, None, None], probabilities(night.scores, night.stager.spec.scores), np.nan
        ),
        faulty=segments.fault != "",
    )
    return _Drawn(
        model=night.stager.spec.name,
        night=whole,
        began=seconds or None,  # midnight sharp is what is written where the time was taken away
    )


def _of_result(result: FlexResult, recording: str | None) -> _Drawn:
    dataset = one_recording(result.data, recording, "A night")
    ((label, found),) = provenances(dataset).items()
    shown, night = shown_label(result.data, label), night_of(dataset)
    return _Drawn(
        model=f"{result.model} on {shown}" if shown else result.model,
        night=night,
        rows=tuple(_of_explanations(facts(dataset), _trust(result, recording))),
        explained=_which(dataset.sizes["epoch"], len(night.onset), found, is_sample=result.is_sample),
    )


def _of_staging(night: Night, *, has_scored: bool) -> Iterator[_Row]:
    """What is marked of a night that was staged."""
    if has_scored:
        yield _Row("not as scored", np.flatnonzero(night.is_wrong))
    if night.probabilities.shape[1] > 1:
        told = "Channels disagree: some of them give another stage than the others."
        yield _Row("channels disagree", np.flatnonzero(night.is_disputed), told)


def _trust(result: FlexResult, recording: str | None) -> Trust | None:
    """What holds of the explanations, if they were tested: that takes their views, which are not read otherwise."""
    if not has_evidence(facts(result.data)):
        return None
    return judge(one_recording(result.for_target().data, recording, "A night"))


def _of_explanations(dataset: xr.Dataset, found: Trust | None) -> Iterator[_Row]:
    """What is marked of the explained epochs of a result of one target."""
    numbers = dataset["number"].values.astype(np.intp)
    if len(numbers) < dataset.sizes["night"]:
        yield _Row("explained", numbers)
    if found is not None:
        if not found.tested.all():
            yield _Row("tested", numbers[found.tested])
        yield _Row("trusted", numbers[found.epochs], "Trusted: with most of the tested channel sets.")
    if only_means(dataset):
        return
    told = "Not by the epoch: its change of the score is within the error of the attribution."
    yield _Row("not by the epoch", numbers[~explained_epochs(dataset)], told)
    if "replaced_scores" in dataset:
        share = epoch_shares(dataset)
        if not np.isfinite(share).any():  # a stager without context
            return
        told = "Context decided: its share of the change is the larger one."
        yield _Row("context decided", numbers[share > DECIDES], told)


def _which(n_epochs: int, n_night: int, provenance: Mapping[str, Any], *, is_sample: bool) -> str:
    """Say which epochs of the night are there."""
    if n_epochs == n_night:
        return f"All {n_night} epochs were explained."
    return f"Explained: the {n_epochs} of {n_night} epochs that {_how(n_epochs, provenance, is_sample=is_sample)}."


def _how(n_epochs: int, provenance: Mapping[str, Any], *, is_sample: bool) -> str:
    if n_epochs < provenance["explained"]:
        return f"are in this result; {provenance['explained']} were explained"
    if provenance.get("partial", False):
        return "were explained, before it was stopped"
    return "were explained, a sample" if is_sample else "were explained"


def _label_time(ax: Axes, began: float | None, scale: float, unit: str) -> None:
    """Label the axis of time, by the clock where that is known."""
    if began is None:
        ax.set_xlabel(f"Time from the start of the recording ({unit})", fontsize=points(9))
        return
    low, high = (scale * end for end in ax.get_xlim())
    step = next((one for one in _CLOCK_STEPS if (high - low) / one <= 9), _CLOCK_STEPS[-1])
    ticks = np.arange(np.ceil((began + low) / step), (began + high) / step + 1e-9) * step
    names = [clock_text(tick, short=True) for tick in ticks]
    ax.set_xticks((ticks - began) / scale, names)
    ax.set_xlabel("Clock time", fontsize=points(9))


def _draw_rows(ax: Axes, centres: npt.NDArray[np.float64], rows: Sequence[_Row]) -> None:
    """Draw a row of marks for each kind of epoch, with its name and how many there are."""
    for place, row in enumerate(rows):
        chosen = centres[row.places]
        ax.vlines(chosen, place - 0.36, place + 0.36, color="black", linewidth=0.9, gid=row.name)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [f"{row.name} (n = {len(row.places)})" for row in rows])
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("Epochs", fontsize=points(9))
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


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
    ax.set_ylabel(f"{title}\nstage", fontsize=points(9))
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
    ax.set_ylabel("Probability", fontsize=points(9))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=points(8),
        handlelength=1, handleheight=1,
    )  # fmt: skip


def _title(drawn: _Drawn) -> str:
    model, counts = drawn.model, drawn.night.confusion()
    n_scored = int(counts.sum())
    if not n_scored:
        return f"{model}: predicted hypnogram"
    return f"{model} compared with the hypnogram: Cohen's kappa {cohens_kappa(counts):.2f} ({n_scored} epochs)"


def _notes(drawn: _Drawn, rows: Sequence[_Row], *, has_scored: bool) -> list[str]:
    night = drawn.night
    n_sets, faulty = night.probabilities.shape[1], int(night.faulty.sum())
    notes = [f"{len(night.onset)} epochs." if not drawn.explained else drawn.explained]
    notes.append(
        f"Stage: by the most confident of the {n_sets} channel sets; probabilities: their mean."
        if n_sets > 1
        else "Probabilities: as the stager gave them (hypnodensity)."
    )
    notes += [row.note for row in rows if len(row.places)]
    missing = int((~np.isin(night.scored, night.stages)).sum())
    if has_scored and missing:
        notes.append(f"Gaps in the scored hypnogram: {count_epochs(missing)} without a stage.")
    if faulty:
        notes.append(f"Gaps in the predicted hypnogram: {count_epochs(faulty)} whose signal cannot be staged.")
    if not has_scored:
        notes.append("There is no hypnogram to compare with.")
    return notes
