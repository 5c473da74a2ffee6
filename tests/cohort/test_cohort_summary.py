"""The summary of a result, against numbers computed from its variables one by one."""

import numpy as np
import pytest

from eegflex.bands import Bands
from eegflex.cohort.summary import summarise


def jackknife(values, blocks):
    names = sorted(set(blocks))
    if len(names) < 2:
        return np.nan
    without = np.array([np.mean([v for v, b in zip(values, blocks, strict=True) if b != name]) for name in names])
    return np.sqrt((len(names) - 1) / len(names) * ((without - without.mean()) ** 2).sum())


def with_blocks(result):
    """The same result, of a night in which every other epoch is in another stretch of ten minutes."""
    data = result.to_xarray()
    data["onset"] = ("epoch", 1000.0 * np.arange(data.sizes["epoch"]))
    return type(result)(data)


@pytest.mark.parametrize("name", ["result", "pair_result"])
def test_means_and_errors_of_bands(name, request):
    result = with_blocks(request.getfixturevalue(name))
    data, found = result.data, summarise(result)
    assert found.names == result.stages
    assert found.bands[-1] == "total"
    view, freqs = data["frequency_view"].values, data["freq"].values
    of, scores = data["of_channel_set"].values, data["scores"].values  # logits
    chances = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    surest = chances.max(axis=-1).argmax(axis=1)
    said = data["predicted"].values[np.arange(len(surest)), surest]  # the one stage of an epoch
    for s, stage in enumerate(found.names):
        for c in range(data.sizes["channel"]):
            explained = data["predicted"].values[:, of[c]]
            own = [e for e in range(len(data["epoch"])) if said[e] == explained[e] == stage]
            assert found.n_epochs[s, c] == len(own)
            for band, (low, high) in Bands().items():
                sums = [sum(view[e, c, k] for k, f in enumerate(freqs) if low <= f < high) for e in own]
                place = found.bands.index(band)
                if not own:
                    assert np.isnan(found.mean[s, c, place])
                    continue
                assert found.mean[s, c, place] == pytest.approx(np.mean(sums), rel=1e-5, abs=1e-9)
                unknown = np.array([data["band_error"].values[e, c, place] for e in own]) / len(own)
                known = np.sqrt((unknown**2).sum() + (0.2 * unknown.sum()) ** 2)
                error = np.hypot(jackknife(sums, own), np.nan_to_num(known))
                assert found.error[s, c, place] == pytest.approx(error, rel=1e-4, nan_ok=True)
            if own:
                assert found.mean[s, c, -1] == pytest.approx(view[own, c].sum(axis=-1, dtype=float).mean(), rel=1e-5)


def scored_otherwise(result):
    """The same result with blocks, in which somebody scored two epochs of each stage, and one otherwise."""
    data = with_blocks(result).to_xarray()
    stages = data["stage"].values.astype(str).copy()
    predicted = data["predicted"].values[:, 0].astype(str)
    for stage in result.stages:
        own = np.flatnonzero(predicted == stage)
        stages[own], stages[own[:1]] = stage, "N1" if stage != "N1" else "N3"
    data["stage"] = ("epoch", stages)
    return type(result)(data)


@pytest.mark.parametrize("name", ["result", "pair_result"])
def test_means_over_the_epochs_on_which_stager_and_scorer_agree(name, request):
    result = scored_otherwise(request.getfixturevalue(name))
    data, found = result.data, summarise(result)
    scored, predicted = data["stage"].values.astype(str), data["predicted"].values.astype(str)
    chances = np.exp(data["scores"].values) / np.exp(data["scores"].values).sum(axis=-1, keepdims=True)
    said = predicted[np.arange(len(scored)), chances.max(axis=-1).argmax(axis=1)]
    view, of = data["frequency_view"].values, data["of_channel_set"].values
    assert 0 < found.n_agreed.sum() < found.n_epochs.sum()
    for s, stage in enumerate(found.names):
        for c in range(data.sizes["channel"]):
            own = np.flatnonzero((said == stage) & (predicted[:, of[c]] == stage) & (scored == stage))
            assert found.n_agreed[s, c] == len(own)
            if not len(own):
                assert np.isnan(found.mean_agreed[s, c]).all()
                assert np.isnan(found.spectra[2, s, c]).all()
                continue
            whole = view[own][:, c].sum(axis=-1, dtype=float)
            assert found.mean_agreed[s, c, -1] == pytest.approx(whole.mean(), rel=1e-5, abs=1e-9)
            unknown = data["band_error"].values[own][:, c, 0] / len(own)
            known = np.hypot(np.sqrt((unknown**2).sum()), 0.2 * unknown.sum())
            delta = view[own][:, c][:, (data["freq"].values >= Bands()["delta"][0]) & (data["freq"].values < 4)].sum(
                axis=-1
            )
            error = np.hypot(jackknife(delta, own), np.nan_to_num(known))
            assert found.error_agreed[s, c, 0] == pytest.approx(error, rel=1e-4, nan_ok=True)


def test_where_all_agree_both_are_the_same_and_where_nobody_scored_there_are_none(result):
    data = with_blocks(result).to_xarray()
    data["stage"] = ("epoch", data["predicted"].values[:, 0].astype(str))
    found = summarise(type(result)(data))
    np.testing.assert_array_equal(found.mean_agreed, found.mean)
    np.testing.assert_array_equal(found.error_agreed, found.error)
    np.testing.assert_array_equal(found.spectra[2], found.spectra[0])
    np.testing.assert_array_equal(found.n_agreed, found.n_epochs)
    data["stage"] = ("epoch", [""] * data.sizes["epoch"])
    nobody = summarise(type(result)(data))
    assert not nobody.n_agreed.any()
    assert np.isnan(nobody.mean_agreed).all()
    np.testing.assert_array_equal(nobody.mean, found.mean)


def test_spectra_are_densities_that_sum_to_the_bands(result):
    found, view = summarise(result), result.data["frequency_view"].values
    predicted = result.data["predicted"].values[:, 0]
    assert found.freqs[:3].tolist() == [0.25, 0.75, 1.25]
    assert found.spectra.shape == (3, len(found.names), len(found.channels), len(found.freqs))
    inside = result.data["freq"].values < found.freqs[-1] + 0.25 - 1e-9
    for s, stage in enumerate(found.names):
        own = predicted == stage
        if own.any():
            whole = view[own][..., inside].sum(axis=-1, dtype=float).mean(axis=0)
            np.testing.assert_allclose(found.spectra[0, s].sum(axis=-1) * 0.5, whole, rtol=1e-3, atol=1e-5)
    place = int(12.75 / 0.5)  # one bin by hand: 12.5 to 13 Hz of the first channel
    freqs = result.data["freq"].values
    chosen = (freqs >= 12.5) & (freqs < 13)
    own = np.flatnonzero(predicted == found.names[2])
    assert found.spectra[0, 2, 0, place] == pytest.approx(view[own][:, 0, chosen].sum(axis=-1).mean() / 0.5, rel=1e-4)


def test_every_bin_and_bins_of_a_light_result_say_the_same(of_all, every_bin):
    light, full = summarise(of_all), summarise(every_bin)
    np.testing.assert_allclose(light.freqs, full.freqs)
    np.testing.assert_allclose(light.spectra[0], full.spectra[0], rtol=1e-3, atol=1e-4)


def test_one_block_has_no_error(result):
    data = result.to_xarray()
    data["onset"] = ("epoch", np.zeros(data.sizes["epoch"]))
    assert np.isnan(summarise(type(result)(data)).error).all()


def test_counts_and_agreement(result):
    found, data = summarise(result), result.data
    scored, predicted = (
        data["night_stage"].values.astype(str),
        np.array(found.names)[data["night_scores"].values[:, 0].argmax(-1)],
    )
    for row in found.stages:
        assert row["n_scored"] == (scored == row["stage"]).sum()
        assert row["n_predicted"] == (predicted == row["stage"]).sum()
        assert row["n_explained"] == (data["predicted"].values[:, 0] == row["stage"]).sum()
        assert row["n_trusted"] == -1
    assert found.recording["n_epochs"] == len(scored)
    assert np.isnan(found.recording["disagreement"])


def test_channels_that_disagree_are_counted(pair_result):
    scores = pair_result.data["night_scores"].values.argmax(-1)
    expected = (scores != scores[:, :1]).any(axis=1).mean()
    assert summarise(pair_result).recording["disagreement"] == pytest.approx(expected)


def test_a_method_of_whole_bands_has_no_spectra(of_all):
    bare = type(of_all)(of_all.to_xarray().drop_vars("frequency_view"))
    found = summarise(bare)
    assert found.spectra.shape == (3, 5, 6, 0)
    np.testing.assert_allclose(found.mean, summarise(of_all).mean)
