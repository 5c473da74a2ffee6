"""Faults: of epochs, which are masked, and of whole channels, which are refused."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.errors import ChannelError
from eegflex.preprocessing.faults import faults_of
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ModelSpec, ScaleSpec


def test_faults():
    epochs = cut(continuous())
    epochs._data[0, 0, 3] = np.nan
    epochs._data[1, 1] = 1e-5
    epochs._data[2, 0, :2000] = epochs._data[2, 0].max()
    assert prepare(epochs, ModelSpec()).fault.tolist() == ["not finite", "flat", "saturated", "", ""]


@pytest.mark.parametrize(
    "spec", [ModelSpec(), ModelSpec(scale=ScaleSpec("zscore")), ModelSpec(sfreq=100.0, n_times=3000)]
)
def test_one_bad_sample_does_not_spoil_the_others(spec):
    epochs, spoilt = cut(continuous()), cut(continuous())
    spoilt._data[4, 0, -1] = np.nan
    expected = prepare(epochs, spec).signals[:4]
    np.testing.assert_allclose(prepare(spoilt, spec).signals[:4], expected, rtol=0, atol=1e-3 * expected.std())


def test_a_channel_without_signal_is_refused_with_the_others_named():
    epochs = cut(continuous(names=("C3-M2", "C4-M1", "O1-M2"), types=("eeg",) * 3))
    epochs._data[:, 0] = 1e-5
    epochs._data[:, 2] = np.clip(epochs._data[:, 2], -1e-5, 1e-5)
    with pytest.raises(
        ChannelError, match=r"C3-M2: flat, O1-M2: \d\d% of its samples saturated.*Allowed: C4-M1\..*bads"
    ):
        prepare(epochs, ModelSpec())
    epochs.info["bads"] = ["C3-M2", "O1-M2"]
    assert prepare(epochs, ModelSpec()).ch_names == ("C4-M1",)


def test_an_epoch_is_saturated_when_more_than_a_fifth_of_it_sits_at_its_extremes():
    """Of 100 samples that rise, some are held at the highest; that itself and the lowest lie at extremes anyway."""
    ramp = np.linspace(-1, 1, 100)
    held = np.stack([np.where((np.arange(100) > 0) & (np.arange(100) <= n), 1.0, ramp) for n in (0, 10, 18, 19, 50)])
    assert faults_of(held).tolist() == ["", "", "", "saturated", "saturated"]
