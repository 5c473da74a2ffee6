"""Standardisation by given numbers, and by statistics that move through the recording."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

import eegflex
from eegflex.doctor.case import Case
from eegflex.doctor.input_output import unit
from eegflex.errors import SpecError
from eegflex.preprocessing.segments import prepare
from eegflex.spec import ChannelSpec, ModelSpec, ScaleSpec

TWO = (ChannelSpec("eeg", types=("eeg",)), ChannelSpec("eog", types=("eog",)))


@pytest.fixture(scope="module")
def epochs():
    return cut(continuous(n_epochs=6))


def spec_of(channels=TWO, **scale):
    return ModelSpec(unit="uV", channels=channels, scale=ScaleSpec(**scale))


def test_given_numbers_are_subtracted_and_divided_by(epochs):
    segments = prepare(epochs, spec_of(kind="given", mean=(1.0, -2.0), sd=(10.0, 40.0)))
    recorded = 1e6 * epochs.get_data()
    for place, (mean, sd) in enumerate([(1.0, 10.0), (-2.0, 40.0)]):
        np.testing.assert_allclose(segments.signals[:, place], (recorded[:, place] - mean) / sd, atol=1e-4)
    np.testing.assert_allclose(segments.gain, [[10.0, 40.0]] * 6)


def test_one_number_is_for_all_inputs_and_clip_comes_after(epochs):
    segments = prepare(epochs, spec_of(kind="given", mean=(0.0,), sd=(20.0,), clip=1.0))
    np.testing.assert_allclose(segments.signals, np.clip(1e6 * epochs.get_data() / 20, -1, 1), atol=1e-5)


def test_all_channels_of_an_input_have_its_numbers():
    epochs = cut(continuous(names=("C3-M2", "C4-M1", "E1-M2"), types=("eeg", "eeg", "eog")))
    gain = prepare(epochs, spec_of(kind="given", mean=(0.0,) * 2, sd=(3.0, 7.0))).gain
    np.testing.assert_allclose(gain[0], [3.0, 3.0, 7.0])


def moved(signal, factor, first=0, eps=1e-4):
    """Sample by sample, as it is defined."""
    out = np.empty_like(signal)
    total = weight = squares = 0.0
    for n, x in enumerate(signal):
        total, weight = (1 - factor) * total + x, (1 - factor) * weight + 1
        mean = total / weight
        squares = (1 - factor) * squares + (x - mean) ** 2
        out[n] = (x - mean) / max(eps, np.sqrt(squares / weight))
    if first:
        out[:first] = (signal[:first] - signal[:first].mean()) / max(eps, signal[:first].std())
    return out


@pytest.mark.parametrize(("factor", "first"), [(1e-3, 0), (1e-2, 500), (0.3, 1)])
def test_moving_statistics_are_those_of_what_came_before(epochs, factor, first):
    segments = prepare(epochs, spec_of(kind="moving", factor=factor, first=first))
    signal = 1e6 * epochs.get_data()[:, 1].ravel()
    np.testing.assert_allclose(segments.signals[:, 1].ravel(), moved(signal, factor, first), atol=2e-4)


def test_they_are_braindecodes(epochs):
    preprocess = pytest.importorskip("braindecode.preprocessing", reason="braindecode is not installed")
    signal = 1e6 * epochs.get_data()[:, 0].ravel()
    theirs = preprocess.exponential_moving_standardize(signal[None], factor_new=1e-3, init_block_size=1000)[0]
    ours = prepare(epochs, spec_of(kind="moving", factor=1e-3, first=1000)).signals[:, 0].ravel()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_each_run_begins_anew(epochs):
    segments = prepare(epochs[[0, 1, 3, 4]], spec_of(kind="moving", factor=1e-3))
    signal = 1e6 * epochs.get_data()[3:5, 0].ravel()
    np.testing.assert_allclose(segments.signals[2:, 0].ravel(), moved(signal, 1e-3), atol=2e-4)


def test_a_sample_that_two_epochs_share_is_one(epochs):
    spec = spec_of(kind="moving", factor=1e-3).replace(sfreq=200.0, n_times=6001)
    shared = prepare(epochs, spec).signals[:, 0]
    np.testing.assert_array_equal(shared[:-1, -1], shared[1:, 0])
    alone = prepare(epochs, spec.replace(n_times=6000)).signals[:, 0]
    np.testing.assert_allclose(shared[:, :-1], alone, atol=1e-5)


def test_the_way_back_has_the_size_of_the_epoch(epochs):
    segments = prepare(epochs, spec_of(kind="moving", factor=1e-4, first=2000))
    physical = (segments.signals * segments.gain[..., None])[1:]
    np.testing.assert_allclose(physical.std(axis=2), 1e6 * epochs.get_data()[1:].std(axis=2), rtol=0.1)


WRONG = {
    "no numbers": ({"kind": "given"}, "mean does not fit"),
    "too few": ({"kind": "given", "mean": (0.0,), "sd": (1.0, 1.0, 1.0)}, "sd does not fit"),
    "sd of zero": ({"kind": "given", "mean": (0.0,), "sd": (0.0,)}, "above zero"),
    "not finite": ({"kind": "given", "mean": (float("nan"),), "sd": (1.0,)}, "mean does not fit"),
    "given with another kind": ({"kind": "zscore", "mean": (0.0,)}, "mean is for another kind"),
    "no factor": ({"kind": "moving"}, "factor does not fit"),
    "a factor of one": ({"kind": "moving", "factor": 1.0}, "factor does not fit"),
    "first below zero": ({"kind": "moving", "factor": 0.1, "first": -1}, "first does not fit"),
    "eps of zero": ({"kind": "moving", "factor": 0.1, "eps": 0.0}, "eps does not fit"),
    "a factor with another kind": ({"factor": 0.1}, "factor is for another kind"),
}


@pytest.mark.parametrize("name", WRONG)
def test_numbers_that_are_none_are_refused(name):
    scale, said = WRONG[name]
    with pytest.raises(SpecError, match=said):
        spec_of(**scale)


def test_the_unit_matters_to_given_numbers():
    """So the doctor looks at it: they are of one unit, and the signals of another."""
    raw = eegflex.simulate_psg(hours=0.3, sfreq=100, seed=1, verbose="error").raw
    epochs = eegflex.make_epochs(raw.pick(["C4-M1"]), verbose="error")
    spec = spec_of(kind="given", mean=(0.0,), sd=(1.0,), channels=(ChannelSpec(),)).replace(unit="V")

    def scores(x):
        return (x.square().mean(-1) + 1.0).log() @ x.new_ones(1, 5).cumsum(1)

    finding = unit(Case(eegflex.stage_epochs(epochs, scores, spec=spec, verbose="error")))
    assert "standardised" not in finding.measured
