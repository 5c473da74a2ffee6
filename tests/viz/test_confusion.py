"""The confusion matrix and what its cells say."""

from __future__ import annotations

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pytest

from eegflex import Bands, viz
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.viz.confusion import what_spoke


@pytest.fixture(scope="module")
def confused(of_all):
    """Of ten epochs two of N2 and one of W are scored N1."""
    data = of_all.to_xarray()
    for name in ("stage", "night_stage"):
        data[name].values[[2, 7, 5]] = "N1"
    return type(of_all)(data)


def written(fig):
    return {text.get_text() for text in fig.findobj(plt.Text)}


def test_cells_count_the_night(confused):
    counts = tables.night_confusion(confused.data)
    stages = list(confused.stages)
    n1, n2, w = (stages.index(name) for name in ("N1", "N2", "W"))
    assert (counts[n1, n2], counts[n1, w], counts[n1].sum()) == (2, 1, 5)
    found = written(viz.plot_confusion(confused, show=False))
    assert {"2 (40 %)", "1 (20 %)", "N1\nn = 5"} <= found


def test_a_cell_tells_what_spoke_for_the_predicted_stage_over_the_scored_one(confused):
    spoke = what_spoke(confused, Bands())
    every = confused.data["frequency_view"]
    own = every.isel(epoch=[2, 7]).sel(target_stage="N2") - every.isel(epoch=[2, 7]).sel(target_stage="N1")
    sums = Bands().sum(own.transpose("epoch", "channel", "freq").values.astype(float), confused.freqs).sum(axis=1)
    medians = dict(zip(Bands().names, np.median(sums, axis=0), strict=True))
    first = spoke["N1", "N2"][0]
    assert first.band == max(medians, key=medians.get) == "sigma"
    assert first.median == pytest.approx(medians["sigma"], abs=1e-6)
    assert (first.n_agreeing, first.n_epochs) == (2, 2)
    against = [one for one in spoke["N1", "N2"] if one.median < 0]
    assert [one.band for one in against] == [min(medians, key=medians.get)]
    assert any(
        text.startswith("+ sigma ") and text.endswith("2/2")
        for text in written(viz.plot_confusion(confused, show=False))
    )


def test_on_the_diagonal_and_of_one_target_it_is_what_was_explained(confused):
    by_target = confused.for_target()
    alone, of_all = what_spoke(by_target, Bands()), what_spoke(confused, Bands())
    assert alone["N3", "N3"] == of_all["N3", "N3"]
    assert alone["N1", "N2"] != of_all["N1", "N2"]
    note = viz.plot_confusion(by_target, show=False).get_supxlabel().replace("\n", " ")
    assert "raised the score of the predicted stage" in note


def test_what_is_within_its_error_is_grey(confused):
    data = confused.to_xarray()
    data["band_error"] = 1e6 * data["band_error"]
    data["error"].values[:] = 1e6
    fig = viz.plot_confusion(type(confused)(data), show=False)
    told = [text for text in fig.findobj(plt.Text) if text.get_text().startswith(("+ ", "○ "))]
    assert told
    assert {text.get_style() for text in told} == {"italic"}
    assert "Grey, slanted: within its error." in fig.get_supxlabel().replace("\n", " ")


def test_without_a_hypnogram_there_is_none():
    unscored = example_results.explain(example_results.make_epochs(scored=False))
    with pytest.raises(ParameterError, match="hypnogram"):
        viz.plot_confusion(unscored, show=False)


def test_lines_of_a_cell_do_not_leave_it(confused):
    fig = viz.plot_confusion(confused, show=False)
    fig.draw_without_rendering()
    ax = fig.axes[0]
    width = np.diff(ax.transData.transform([[0, 0], [1, 0]])[:, 0])[0]
    inside = [text for text in ax.texts if text.get_text()]
    assert max(text.get_window_extent().width for text in inside) < width
