"""A light result is evaluated by its bins, which say of groups, bands and moments what every bin does; or it says why not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import eegflex
from eegflex.errors import ParameterError
from eegflex.evaluation import evaluate, shortcuts, truth
from eegflex.evaluation.event_shares import Moments
from eegflex.evaluation.faithfulness import sum_by_group
from eegflex.evaluation.question import ask


@pytest.fixture(scope="module")
def night():
    psg = eegflex.simulate_psg(hours=0.6, sfreq=128, seed=1, verbose="error")
    return eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")


@pytest.fixture(scope="module")
def both(night):
    asked = {"target": "all", "views": ("time",), "sample_per_stage": 3, "spectral_share": 0, "verbose": "error"}
    return [eegflex.attribute_epochs(night, **asked, resolution=resolution) for resolution in ("light", "full")]


def near(one, other):
    np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())


def test_groups_and_bands_of_bins_are_those_of_every_bin(both, night):
    questions = [ask(result, night) for result in both]
    for one, other in zip(*(question.sample(1) for question in questions), strict=True):
        assert (one.number, one.values.shape) == (other.number, other.values.shape)
        near(*(sum_by_group(own.values, own.groups) for own in (one, other)))
        near(one.band_sums, other.band_sums)


def test_what_is_explained_anew_is_as_fine_as_what_is_kept(both, night):
    question = ask(both[0], night)
    one = question.sample(1)[0]
    assert np.allclose(one.anew(question), one.values, atol=1e-5 * np.abs(one.values).max())
    assert len(np.unique(one.values[0])) <= len(both[0].freqs)


def test_areas_are_those_of_every_bin(both, night):
    tables = []
    for result in both:
        data = evaluate(result, night, parts="faithfulness", sample_per_stage=1, verbose="error").result.data
        tables.append(data["measures"].values)
    known = np.isfinite(tables[1])
    assert known.any()
    np.testing.assert_allclose(tables[0][known], tables[1][known], atol=2e-3)


@pytest.mark.parametrize("groups", [0.25, 1 / 3])
def test_groups_that_divide_bins_are_refused(both, night, groups):
    with pytest.raises(ParameterError, match=r"divide the bins.*multiples of 0\.1 Hz, or 'bands'.*resolution='full'"):
        ask(both[0], night, groups=groups)
    for result, allowed in zip((both[0], both[0], both[1]), (0.3, "bands", groups), strict=True):
        ask(result, night, groups=allowed)


def test_moments_are_those_of_every_sample(both):
    one, other = (Moments.of(result) for result in both)
    np.testing.assert_array_equal(one.times, other.times)
    near(one.values, other.values)


def test_samples_that_are_not_kept_are_explained_anew(both, night):
    one, other = (shortcuts._in_time(ask(result, night).sample(1)[0]) for result in both)
    near(one, other)


def test_a_true_band_that_divides_a_bin_is_refused():
    psg = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
    asked = {"target": "all", "sample_per_stage": 1, "spectral_share": 0, "verbose": "error"}
    epochs = eegflex.make_epochs(psg.raw, verbose="error")
    result = eegflex.attribute_epochs(epochs, "known-spindle", **asked).for_target("N2")
    known = truth.TRUTHS["known-spindle"]
    assert (truth.share_in_truth(result, known) > 0.99).all()
    with pytest.raises(ParameterError, match=r"Got 11\.04 Hz.*resolution='full'"):
        truth.share_in_truth(result, dataclasses.replace(known, band=(11.04, 16.0)))
