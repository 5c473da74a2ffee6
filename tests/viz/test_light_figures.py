"""Figures of a light result show what those of every bin do."""

from __future__ import annotations

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pytest

from eegflex import viz


@pytest.fixture(scope="module")
def both():
    asked = {"target": "all", "views": ("time", "time-frequency")}
    return [
        example_results.explain(example_results.make_epochs(), **asked, resolution=resolution)
        for resolution in ("light", "full")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["plot_epoch", "plot_examples", "plot_spectrum", "plot_bands", "plot_topomap", "plot_night"]
)
def test_a_light_result_draws_the_same(both, name):
    drawn = []
    for result in both:
        fig = getattr(viz, name)(result, show=False)
        fig.draw_without_rendering()
        lines = [np.asarray(line.get_ydata(), dtype=float) for ax in fig.axes for line in ax.get_lines()]
        stairs = [patch.get_data().values for patch in fig.findobj(plt.matplotlib.patches.StepPatch)]
        images = [np.ma.filled(one.get_array(), 0) for ax in fig.axes for one in (*ax.images, *ax.collections)
                  if one.get_array() is not None]  # fmt: skip
        drawn.append(([text.get_text() for text in fig.findobj(plt.Text)], [*lines, *stairs, *images]))
        plt.close(fig)
    assert drawn[0][0] == drawn[1][0]
    assert drawn[0][1]
    for one, other in zip(drawn[0][1], drawn[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(other), initial=0.0))
