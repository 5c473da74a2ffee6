"""How far the attributions add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegflex.viz.style import add_note, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eegflex.result import FlexResult

__all__ = ["plot_completeness"]

#: A gap above this is worth a look.
LIMIT = 0.01
_SMALLEST = 1e-8


def plot_completeness(result: FlexResult, *, show: bool = True) -> Figure:
    """Draw how large the completeness gaps are, relative to the absolute total of the band sums.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        A histogram on a logarithmic axis, with the limit of 1 %.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator
    from mne.viz.utils import plt_show

    gaps = np.maximum(result.relative_gap().ravel(), _SMALLEST)
    low = np.floor(np.log10(min(gaps.min(), LIMIT / 10)))
    high = np.ceil(np.log10(max(gaps.max(), LIMIT * 10)))
    fig, ax = plt.subplots(figsize=(7, 2.9), layout="constrained")
    ax.hist(gaps, bins=np.logspace(low, high, int(4 * (high - low)) + 1).tolist(), color="#0072B2", edgecolor="white")
    ax.axvline(LIMIT, color="#D55E00", linestyle="--", linewidth=1.2)
    ax.annotate(
        "1 %", (LIMIT, 1), xycoords=("data", "axes fraction"), va="bottom", ha="center", color="#D55E00", fontsize=9
    )
    ax.set_xscale("log")
    ax.set_xlabel("Completeness gap / absolute total of the band sums")
    ax.set_ylabel("Epochs" if result.relative_gap().shape[1] == 1 else "Epochs × combinations")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(f"{plain(result.model)}: how far the attributions add up to F(x) − F(x_b)", fontsize=11, pad=16)
    add_note(fig, f"{100 * (gaps <= LIMIT).mean():.0f} % of {gaps.size} gaps are within 1 %.")
    plt_show(show, fig)
    return fig
