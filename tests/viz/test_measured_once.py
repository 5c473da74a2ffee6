"""A figure whose texts are measured once is laid out as one is that is measured twice."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from eegflex.viz.layout import MeasuredOnce
from eegflex.viz.style import add_note


def figure(layout, heights):
    """Two panels and a colour bar whose labels are as long as their numbers, a title and a note."""
    fig, axes = plt.subplots(2, 2, figsize=(6, 5), layout=layout)
    for ax, height in zip(axes.flat, heights, strict=True):
        ax.plot([0, height], label="a")
        ax.set(xlabel="Time (s)", ylabel="Attribution\n(logit)", title="A title")
    axes[0, 0].set_aspect("equal", adjustable="datalim")
    fig.colorbar(axes[1, 1].imshow(np.arange(6.0).reshape(2, 3), aspect="auto"), ax=axes[1, 1], label="Bar")
    fig.suptitle("All of it")
    add_note(
        fig, "A note that is as long as a line and some more, so that it stands on two lines below the figure. " * 2
    )
    return fig


@pytest.mark.parametrize("heights", [(1, 1, 1, 1), (0.13, 1e5, 3e-7, 27.3)])
def test_panels_are_where_they_would_be(heights):
    once, twice = figure(MeasuredOnce(), heights), figure("constrained", heights)
    for fig in (once, twice):
        fig.draw_without_rendering()
    for one, other in zip(once.axes, twice.axes, strict=True):
        np.testing.assert_allclose(one.get_position().extents, other.get_position().extents, atol=2e-3)
    assert all("get_tightbbox" not in vars(ax) for ax in once.axes)
