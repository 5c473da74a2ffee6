"""Theorems about errors: of cells, of sums, of means, and of epochs; and about who says so."""

from __future__ import annotations

import example_results
import numpy as np
import pytest
from scipy import stats

from eegflex import Bands, concatenate_results
from eegflex.results.marks import cell_errors, mean_error, unexplained_words, within

BANDS = list(Bands().names)


@pytest.fixture(scope="module")
def rough():
    """Attributions that need not be exact, so that errors are there."""
    return example_results.explain(example_results.make_epochs(n_epochs=15), tol=0.2)


@pytest.fixture(scope="module")
def exact():
    rule = {"quadrature": "graded", "n_steps": 1008}
    return example_results.explain(example_results.make_epochs(n_epochs=15), dtype="float64", **rule)


def test_every_cell_has_its_error_and_says_whether_it_is_within(rough):
    table = rough.to_data_frame()
    errors = rough.to_xarray()["band_error"].transpose("epoch", "channel", "band").values
    np.testing.assert_allclose(table["error"], errors.ravel(), rtol=1e-6)
    assert (table["within_error"] == (table["attribution"].abs() <= table["error"])).all()
    assert 0 < table["within_error"].mean() < 1
    assert table["explained"].all()


def test_the_errors_of_cells_and_of_means_cover_the_true_ones(rough, exact):
    ours, true = (one.to_data_frame() for one in (rough, exact))
    assert (np.abs(ours["attribution"] - true["attribution"]) <= ours["error"]).mean() >= 0.95
    for by in ("stage", ("stage", "channel"), "channel"):
        missed = (rough.band_table(by=by)[BANDS] - exact.band_table(by=by)[BANDS]).abs()
        assert (missed <= rough.band_table(by=by, statistic="error")[BANDS]).to_numpy().mean() >= 0.95


def test_without_an_estimate_nothing_is_marked(exact):
    table = exact.to_data_frame()
    assert table["error"].isna().all()
    assert not table["within_error"].any()
    assert table["explained"].all()
    assert not exact.band_table(statistic="within_error")[BANDS].to_numpy().any()


def changed(result, **factors):
    data = result.to_xarray()
    for name, factor in factors.items():
        data[name] = data[name] * factor
    return type(result)(data)


def test_an_epoch_whose_change_is_within_the_error_is_not_explained(rough):
    """Of half of the epochs the error is as large as the change, of the others a hair smaller."""
    data = rough.to_xarray()
    change = np.abs(data["score"] - data["baseline_score"])
    data["error"].values[:] = (change / data["size"]).values
    data["error"].values[::2] *= 0.999
    table = type(rough)(data).to_data_frame().groupby("number")["explained"]
    assert table.nunique().eq(1).all()
    np.testing.assert_array_equal(table.first(), np.arange(15) % 2 == 0)
    words = unexplained_words(data)
    assert words.startswith("n = 15, of which 7 are not explained by the epoch (W 1, N1 2, N2 1, N3 2, REM 1)")


def test_a_band_of_ones_own_has_the_errors_of_all_that_it_shares_something_with(rough):
    known = cell_errors(rough.data, Bands())
    own = Bands({"slow": (0.5, 6.0), "spindles": (12.0, 16.0)})
    found = dict(zip(own.names, np.moveaxis(cell_errors(rough.data, own), -1, 0), strict=True))
    delta, theta, sigma = (known[..., BANDS.index(name)] for name in ("delta", "theta", "sigma"))
    np.testing.assert_allclose(found["slow"], delta + theta, rtol=1e-6)
    np.testing.assert_allclose(found["spindles"], sigma, rtol=1e-6)


def test_errors_of_channels_add_up_but_to_no_more_than_that_of_all(rough):
    """And of a mean over one epoch the error is that epoch's, but for what all may share."""
    errors = rough.to_xarray()["band_error"].transpose("epoch", "channel", "band").values.astype(float)
    whole = (rough.to_xarray()["error"] * rough.to_xarray()["size"]).values
    whole = np.maximum(whole, np.abs(rough.to_xarray()["gap"].values))
    expected = np.minimum(errors.sum(axis=1), whole) * np.hypot(1, 0.2)
    np.testing.assert_allclose(rough.band_table(by="epoch", statistic="error")[BANDS], expected, rtol=1e-5)


@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_the_error_of_a_mean_is_covered_whether_epochs_share_a_part_of_theirs_or_not(shared):
    """Errors of epochs at the edge of what their estimates cover in 95 %, with weights."""
    rng = np.random.default_rng(0)
    sizes, weights = rng.uniform(0.5, 2, (40, 1)), rng.uniform(1, 20, 40)
    unit = stats.norm.ppf(0.975)
    own = np.sqrt(1 - shared**2) * rng.standard_normal((2000, 40)) + shared * rng.standard_normal((2000, 1))
    means = (own * sizes[:, 0]) @ weights / weights.sum()
    assert (np.abs(means) <= mean_error(unit * sizes, weights)).mean() >= 0.94
    # and it is not as if all had one sign
    assert mean_error(sizes, weights)[0] < 0.4 * np.average(sizes[:, 0], weights=weights)


def test_an_interval_within_the_error_is_marked_too():
    values, errors = np.array([0.5, 1.5, 1.5, np.nan, 1.0]), np.array([1.0, 1.0, 1.0, 1.0, np.nan])
    low, high = np.array([-3.0, -0.5, 1.2, 0, 0]), np.array([4.0, 0.9, 1.8, 0, 0])
    assert within(values, errors).tolist() == [True, False, False, False, False]
    assert within(values, errors, low, high).tolist() == [True, True, False, True, False]


def test_the_table_and_its_long_form_say_the_same(rough):
    long = rough.band_table(by="stage", statistic="all")
    assert long["within_error"].dtype == bool
    marks, errors, means = (rough.band_table(by="stage", statistic=one) for one in ("within_error", "error", "mean"))
    for stage in rough.stages:
        of = long.loc[stage]
        np.testing.assert_array_equal(of.loc[BANDS, "within_error"], marks.loc[stage, BANDS].astype(bool))
        np.testing.assert_array_equal(of.loc[BANDS, "error"], errors.loc[stage, BANDS].astype(float))
    strong = means[BANDS].abs() > errors[BANDS]
    assert not (marks[BANDS] & strong).to_numpy().any()


@pytest.fixture(scope="module")
def nights():
    """Two nights: (all that was explained, a sample of it), of 20 and 40 epochs with other shares of stages."""
    found = []
    rules = ((1, 40, 15, ("N2",)), (2, 60, 10, ("N2", "N3")))  # the first epochs, and all of some stages
    for seed, n_epochs, first, all_of in rules:
        stages = [example_results.STAGES[n % 5] for n in range(n_epochs)]
        kept = [n for n, stage in enumerate(stages) if stage in all_of or n < first]
        epochs = example_results.make_epochs(n_epochs=n_epochs, seed=seed)[kept]
        found.append([example_results.explain(epochs, **more) for more in ({}, {"sample_per_stage": 2})])
    return found


def same_within_stages(result, seed):
    """The same attributions in all epochs of a stage of a recording: a sample then tells exactly what the night does."""
    data = result.to_xarray()
    stages = data["predicted"].values[:, 0].astype(str)
    values = np.random.default_rng(seed).standard_normal((5, *data["frequency_view"].shape[1:]))
    data["frequency_view"].values[:] = values[[example_results.STAGES.index(stage) for stage in stages]]
    return type(result)(data)


@pytest.mark.parametrize("by", ["channel", "stage", ("stage", "channel"), "recording", ("recording", "stage")])
@pytest.mark.parametrize("stage_from", ["predicted", "scored", "target"])
def test_a_sample_of_several_nights_tells_what_all_their_epochs_do(nights, by, stage_from):
    """Each recording's stages as its own night has them, and each recording by its epochs; of every grouping."""
    whole, sample = (
        concatenate_results(
            [same_within_stages(one[k], seed) for seed, one in enumerate(nights)], recordings=["a", "b"]
        )
        for k in (0, 1)
    )
    if stage_from == "scored":  # the hypnogram says something else of two stages, and the same of all their epochs
        for one in (whole, sample):
            names = one.data["predicted"].values[:, 0].astype(str)
            one.data["stage"].values[:] = np.where(np.isin(names, ["N1", "REM"]), "N1", names)
    expected = whole.band_table(by=by, stage_from=stage_from)[BANDS]
    np.testing.assert_allclose(sample.band_table(by=by, stage_from=stage_from)[BANDS], expected, rtol=1e-6)


def test_recordings_that_are_to_count_the_same_are_averaged_by_hand(nights):
    both = concatenate_results([one[1] for one in nights], recordings=["a", "b"])
    alone = [one[1].band_table(by="channel")[BANDS] for one in nights]
    apart = both.band_table(by=("recording", "channel"))[BANDS]
    np.testing.assert_allclose(apart.groupby(level="channel", observed=True).mean(), sum(alone) / 2)


def test_a_sample_asked_for_one_stage_is_weighed_by_that_of_the_night(nights):
    """All epochs have the target N2, whatever they were predicted to be: that is no stratum."""
    epochs = example_results.make_epochs(n_epochs=40, seed=1)[[n for n in range(40) if n % 5 == 2 or n < 15]]
    whole, sample = (
        same_within_stages(example_results.explain(epochs, target="N2", **more), 0)
        for more in ({}, {"sample_per_stage": 2})
    )
    tables = [one.band_table(by="stage", stage_from="target")[BANDS] for one in (whole, sample)]
    np.testing.assert_allclose(*tables, rtol=1e-6)
