"""Figures mark what is within its error: cells, sites, bands, bars, and epochs that do not explain their score."""

from __future__ import annotations

import example_results
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from eegflex import Bands
from eegflex.report import html
from eegflex.results.select import bands_in_rows

mpl.use("agg")


@pytest.fixture(scope="module")
def doubtful():
    """Errors of cells four times as large as estimated; of ten epochs the first four change by less than theirs."""
    result = example_results.explain(example_results.make_epochs(), tol=0.2, views=("time",))
    data = result.to_xarray()
    data["band_error"] = 4 * data["band_error"]
    change = np.abs(data["score"] - data["baseline_score"])
    data["error"].values[:4] = (1.01 * change / data["size"]).values[:4]
    return type(result)(data)


def texts(fig):
    return " ".join(text.get_text().replace("\n", " ") for text in fig.findobj(plt.Text))


def hatched(artist):
    return [patch for patch in artist.findobj(plt.matplotlib.patches.Patch) if patch.get_hatch() == "////"]


def left(patch):
    """Where a span begins; before matplotlib 3.9 it was a polygon."""
    return patch.get_x() if hasattr(patch, "get_x") else patch.get_xy()[:, 0].min()


def test_marks_of_bands_within_their_error_are_grey(doubtful):
    fig = doubtful.plot_bands(show=False)
    data, rows = doubtful.data, bands_in_rows(Bands())
    sums = Bands().sum(data["frequency_view"].values.astype(float), data["freq"].values).sum(axis=1)
    table = doubtful.band_table(by="stage", statistic="error")  # of the mean of two epochs: less than theirs
    own = data["band_error"].transpose("epoch", "channel", "band").values.astype(float).sum(axis=1)
    of_all = np.maximum(data["error"].values * data["size"].values, np.abs(data["gap"].values))
    small = np.abs(sums) <= np.minimum(own, of_all)
    for ax, stage in zip(fig.axes, table.index, strict=True):
        of_stage = data["predicted"].values[:, 0] == stage
        lines = [one for one in ax.get_lines() if "within error" in (one.get_gid() or "").split(", ")]
        grey = np.concatenate([one.get_xydata() for one in lines])
        assert {one.get_color() for one in lines} == {"0.62"}
        found = sorted((rows[round(y)], round(x, 9)) for x, y in grey)
        assert found == sorted(
            (name, round(value, 9))
            for name, values, marks in zip(Bands().names, sums[of_stage].T, small[of_stage].T, strict=True)
            for value in values[marks]
        )
    assert 0 < small.sum() < small.size
    assert "Grey: within its error." in texts(fig)


@pytest.mark.parametrize("plot", ["plot_bands", "plot_topomap", "plot_spectrum"])
def test_epochs_that_do_not_explain_their_score_are_counted(plot, doubtful, result):
    told = "n = 10, of which 4 are not explained by the epoch (W 1, N1 1, N2 1, N3 1)"
    assert told in texts(getattr(doubtful, plot)(show=False))
    assert "not explained" not in texts(getattr(result, plot)(show=False))


def test_sites_within_their_error_are_crossed_out(doubtful):
    fig = doubtful.plot_topomap(stage="N2", show=False)
    table = doubtful.band_table(statistic="within_error").loc["N2"]
    crosses = [sum(len(one.get_offsets()) for one in ax.collections if one.get_zorder() == 7) for ax in fig.axes[:5]]
    assert crosses == [int(table[name].sum()) for name in ("beta", "sigma", "alpha", "theta", "delta")]
    assert crosses[1] < max(crosses)
    assert "Crossed out: within its error." in texts(fig)


def test_bands_of_spectra_within_their_error_are_hatched_on_top(doubtful):
    fig = doubtful.plot_spectrum(stage="W", picks="all", show=False)
    marks = doubtful.band_table(by="stage", statistic="within_error").loc["W"]
    expected = {lo for name, (lo, _) in Bands().items() if marks[name]}
    assert {left(patch) for patch in hatched(fig.axes[0])} == expected
    assert expected == {0.5, 4, 12, 16}


def test_bars_of_an_epoch_have_whiskers_and_are_hatched_within_them(doubtful):
    table = doubtful.to_data_frame().query("number == 7 and channel == 'C3-M2'")
    fig = doubtful.plot_epoch(7, channel="C3-M2", show=False)
    sums = next(ax for ax in fig.axes if ax.get_ylabel().startswith("Sum"))
    bars = [bar.get_hatch() == "////" for bar in sums.containers[0]]
    assert bars == table["within_error"].tolist()
    assert 0 < sum(bars) < len(bars)
    (whiskers,) = sums.containers[1].lines[2]
    lengths = [np.ptp(segment[:, 1]) / 2 for segment in whiskers.get_segments()]
    np.testing.assert_allclose(lengths, table["error"], rtol=1e-5)


def test_the_card_says_where_the_epoch_explains_nothing(doubtful):
    assert "(not explained by this epoch)" in doubtful.plot_epoch(2, show=False).get_suptitle()
    assert "not explained" not in doubtful.plot_epoch(7, show=False).get_suptitle()


def test_the_night_marks_them(doubtful):
    fig = doubtful.plot_night(show=False)
    (marks,) = [one for one in fig.axes[-1].collections if one.get_gid() == "not by the epoch"]
    np.testing.assert_allclose([segment[0, 0] for segment in marks.get_segments()], (np.arange(4) + 0.5) / 2)
    assert "not by the epoch (n = 4)" in [label.get_text() for label in fig.axes[-1].get_yticklabels()]
    assert "Not by the epoch: its change of the score is within the error" in texts(fig)


def test_a_night_of_which_nothing_is_explained_keeps_its_panels(doubtful):
    data = doubtful.to_xarray()
    data["error"].values[:] = 10
    fig = type(doubtful)(data).plot_night(show=False)
    fig.draw_without_rendering()
    heights = [ax.get_position().height * fig.get_figheight() for ax in fig.axes]
    assert min(heights[:3]) > 0.4


def test_the_bar_of_the_epoch_itself_is_hatched_among_its_context(context_result):
    data = context_result.to_xarray()
    assert not hatched(context_result.plot_context(show=False))
    data["error"], data["band_error"] = 1e4 * data["error"], 1e4 * data["band_error"]
    fig = type(context_result)(data).plot_context(show=False)
    for ax in fig.axes[:5]:
        assert [bar.get_x() + 0.4 for bar in hatched(ax)] == [0]
    assert "hatched where it is within its error" in texts(fig)


def test_a_table_in_a_report_is_grey_and_in_parentheses():
    import pandas as pd

    text = html.frame(pd.DataFrame([["+1", "<b"]], index=["W"], columns=["a", "b"]), grey=np.array([[False, True]]))
    assert '<td class="num muted">(&lt;b)</td>' in text
    assert "(+1)" not in text


def test_means_by_scored_stage_are_those_of_the_night():
    """A sample has as many epochs of each predicted stage; the hypnogram's stages mix them."""
    epochs = example_results.make_epochs(n_epochs=40)[[n for n in range(40) if n % 5 == 2 or n < 15]]
    whole, sample = (example_results.explain(epochs, **more) for more in ({}, {"sample_per_stage": 2}))
    for one in (whole, sample):
        one.data["stage"].values[:] = "N1"
    drawn = [one.band_table(by="stage", stage_from="scored").loc["N1"] for one in (whole, sample)]
    names = bands_in_rows(Bands())
    np.testing.assert_allclose(*(one[names].astype(float) for one in drawn[::-1]), rtol=0.05, atol=2e-3)
    table = drawn[1]
    for plot in ("plot_bands", "plot_spectrum", "plot_topomap"):
        assert "Epochs of the sample are weighed" in texts(getattr(sample, plot)(stage_from="scored", show=False))
        assert "weighed" not in texts(getattr(sample, plot)(show=False))
        assert "weighed" not in texts(getattr(whole, plot)(stage_from="scored", show=False))
    bars = sample.plot_spectrum(stage_from="scored", picks="all", fmax=16, show=False).axes[0].patches
    heights = sum(patch.get_data().values.sum() for patch in bars if hasattr(patch, "get_data"))
    np.testing.assert_allclose(heights, table[["below", "delta", "theta", "alpha", "sigma"]].sum(), rtol=1e-4)
