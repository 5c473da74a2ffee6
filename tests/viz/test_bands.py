"""The heat map of bands by stages."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results.wording import number_text
from eegflex.viz.bands import band_means


def means(result, kind):
    data = result.data
    return band_means(data, Bands(), (data["ch_type"] == kind).values, example_results.STAGES, "predicted")


ROWS = ["above", "beta", "sigma", "alpha", "theta", "delta", "below"]


def test_cells_are_the_band_table_summed_over_the_channels(result):
    table = result.band_table().groupby("stage", observed=True)[ROWS].sum().loc[list(example_results.STAGES)]
    np.testing.assert_allclose(means(result, "eeg"), table.to_numpy().T, atol=1e-9)


def test_cells_of_channel_sets_are_their_mean(pair_result):
    table = pair_result.band_table()
    for kind, part in (("eeg", "M"), ("eog", "EOG-L (with")):
        own = table[[part in channel for channel in table.index.get_level_values("channel")]]
        own = own[~own.index.get_level_values("channel").str.startswith("EOG")] if kind == "eeg" else own
        weights = own["n_epochs"]
        expected = own[ROWS].mul(weights, axis=0).groupby("stage", observed=True).sum()
        expected = expected.div(weights.groupby("stage", observed=True).sum(), axis=0).loc[list(example_results.STAGES)]
        np.testing.assert_allclose(means(pair_result, kind), expected.to_numpy().T, atol=1e-9)


def test_all_cells_of_a_stage_add_up_to_the_change_of_the_score(pair_result):
    data = pair_result.to_xarray()
    total = sum(means(pair_result, kind).sum(axis=0) for kind in ("eeg", "eog"))
    change = (data["score"] - data["baseline_score"] + data["gap"]).values
    for column, stage in enumerate(example_results.STAGES):
        assert total[column] == pytest.approx(change[data["predicted"].values == stage].mean(), abs=1e-6)


def test_numbers_in_the_cells_are_the_values(result):
    (ax, *_) = viz.plot_bands(result, scale_by="figure", show=False).axes
    values = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(values, means(result, "eeg"))
    written = {text.get_position(): text.get_text().strip("()") for text in ax.texts}
    for (row, column), value in np.ndenumerate(values):
        assert written[(column, row)] == number_text(value, np.abs(values).max())


def test_colours_are_symmetric_about_zero(result):
    for scale_by in ("stage", "figure"):
        image = viz.plot_bands(result, scale_by=scale_by, show=False).axes[0].images[0]
        assert image.norm.vmin == -image.norm.vmax
        assert np.abs(image.get_array()).max() == pytest.approx(image.norm.vmax)


def test_by_stage_the_largest_cell_of_each_stage_is_one(pair_result):
    fig = viz.plot_bands(pair_result, show=False)
    shown = np.stack([ax.images[0].get_array() for ax in fig.axes if ax.images])
    np.testing.assert_allclose(np.abs(shown).max(axis=(0, 1)), 1)


def test_one_panel_a_channel_type_eeg_first(pair_result):
    titles = [ax.get_title() for ax in viz.plot_bands(pair_result, show=False).axes]
    assert titles[:2] == ["EEG", "EOG"]


def test_the_stages_rhythm_is_the_largest_cell(result):
    cells = means(result, "eeg")
    largest = [ROWS[row] for row in cells.argmax(axis=0)]
    assert largest == ["alpha", "theta", "sigma", "delta", "beta"]


def test_own_bands(result):
    fig = viz.plot_bands(result, bands={"spindle": (12, 15), "slow": (0.5, 2)}, show=False)
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == [
        "above ≥ 15 Hz",
        "slow 0.5–2 Hz",
        "spindle 12–15 Hz",
        "between in no band",
        "below < 0.5 Hz",
    ]


@pytest.mark.parametrize("options", [{"scale_by": "row"}, {"bands": 3}, {"stage_from": "guessed"}])
def test_wrong_options_are_refused(result, options):
    with pytest.raises(ParameterError, match=r"Allowed|must be one of"):
        viz.plot_bands(result, show=False, **options)


@pytest.mark.parametrize(
    ("value", "largest", "text"),
    [
        (0.42, None, "+0.420"),
        (-18.313, None, "−18.31"),
        (1e-4, 2.0, "0.00"),
        (-0.0042, 0.042, "−0.0042"),
        (np.nan, 1, "–"),
    ],
)
def test_numbers_have_signs_and_three_digits_of_the_largest(value, largest, text):
    assert number_text(value, largest) == text
