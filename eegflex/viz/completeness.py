"""How far the attributions add up, and how large their error is estimated to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.results.wording import sum_words, sums_to_change
from eegflex.viz.style import add_note, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["plot_completeness"]

#: A gap above this is worth a look.
LIMIT = 0.01
_SMALLEST = 1e-8


def plot_completeness(result: FlexResult, *, show: bool = True) -> Figure:
    """Draw how large the completeness gaps and the estimated errors are, relative to the absolute total of the band sums.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording. One of all stages speaks for the predicted one.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        A histogram of the gaps on a logarithmic axis, with the limit of 1 %; where there is an estimate, one of the errors,
        with the tolerance that was asked for. Of a method whose attributions are not meant to add up, a sentence that says so.
    """
    import matplotlib.pyplot as plt
    from mne.viz.utils import plt_show

    result = result.for_target()
    judged = _judged(result)
    fig, axes = plt.subplots(
        1,
        max(len(judged), 1),
        figsize=(7 if len(judged) < 2 else 10, 2.9),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    notes = []
    for ax, (name, values, limit) in zip(axes[0], judged, strict=False):
        _draw_histogram(ax, values, limit)
        ax.set_xlabel(f"{name} / absolute total of the band sums", fontsize=9)
        notes.append(
            f"{100 * (values <= limit).mean():.0f} % of {values.size} {name.casefold()}s are within {_percent(limit)}."
        )
    if judged:
        axes[0, 0].set_ylabel("Epochs" if result.relative_gap().shape[1] == 1 else "Epochs × channel sets")
    else:
        _say_there_is_none(axes[0, 0])
        notes.append(sum_words(result))
    fig.suptitle(f"{plain(result.model)}: how far the attributions add up to F(x) − F(x_b)", fontsize=11)
    add_note(fig, *notes)
    plt_show(show, fig)
    return fig


def _judged(result: FlexResult) -> list[tuple[str, npt.NDArray[np.float64], float]]:
    """Return what can be judged: its name, the values that there are, and the limit that they should be within."""
    error = result.data["error"].values.ravel().astype(np.float64)
    error = error[np.isfinite(error)]
    judged = [("Completeness gap", result.relative_gap().ravel(), LIMIT)] if sums_to_change(result) else []
    return [*judged, *([("Estimated error", error, float(result.parameters.get("tol", LIMIT)))] if error.size else [])]


def _draw_histogram(ax: Axes, values: npt.NDArray[np.float64], limit: float) -> None:
    from matplotlib.ticker import MaxNLocator

    values = np.maximum(values, _SMALLEST)
    low = np.floor(np.log10(min(values.min() / limit, 0.1)))
    high = np.floor(np.log10(max(values.max() / limit, 1))) + 1
    # The limit is an edge, so that no bar is on both sides of it.
    edges = limit * 10.0 ** (np.arange(4 * low, 4 * high + 1) / 4)
    ax.hist(values, bins=edges.tolist(), color="#0072B2", edgecolor="white")
    ax.axvline(limit, color="#D55E00", linestyle="--", linewidth=1.2)
    ax.annotate(
        _percent(limit),
        (limit, 1),
        xycoords=("data", "axes fraction"),
        va="bottom",
        ha="center",
        color="#D55E00",
        fontsize=9,
    )
    ax.set_xscale("log")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _say_there_is_none(ax: Axes) -> None:
    ax.axis("off")
    ax.text(
        0.5, 0.5, "There is no completeness gap:\nthese attributions are not meant to add up.", ha="center", va="center",
        fontsize=11, transform=ax.transAxes,
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
