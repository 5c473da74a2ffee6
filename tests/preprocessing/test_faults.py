"""Faults: of epochs, which are masked, and of whole channels, which are refused."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.errors import ChannelError
from eegflex.preprocessing.faults import bridged, faults_of, impossible
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec, ScaleSpec


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


WAYS = {
    "NaN": np.nan,
    "infinity": -np.inf,
    "beyond float32": 1e39,
    "a float's largest": np.finfo(float).max,
    "a megavolt": 1e6,
    "a kilovolt below": -1e3,
}


@pytest.mark.parametrize("value", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("offset", [0.0, 0.1], ids=["", "on an offset"])
@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(filter=FilterSpec(0.3, 35.0), unit="uV"),
        ModelSpec(sfreq=100.0, n_times=3000),
        ModelSpec(scale=ScaleSpec("zscore", per="recording")),
    ],
    ids=["filtered", "resampled", "standardised"],
)
def test_a_sample_that_is_no_signal_masks_its_epoch_and_no_other(spec, value, offset):
    """The others are within a thousandth of what they would be, far beyond the reach of any filter."""
    epochs, spoilt = (cut(continuous(n_epochs=7)) for _ in range(2))
    for one in (epochs, spoilt):
        one._data += offset
    spoilt._data[3, 0, 1000] = value
    found, expected = prepare(spoilt, spec), prepare(epochs, spec)
    name = "out of range" if abs(value) < 1e300 else "not finite"  # in microvolts
    assert found.fault.tolist() == ["", "", "", name, "", "", ""]
    others = [0, 1, 2, 4, 5, 6]
    spread = expected.signals[others, 0].std()
    np.testing.assert_allclose(found.signals[others], expected.signals[others], rtol=0, atol=1e-3 * spread)
    assert np.isfinite(found.signals).all()


def test_an_epoch_that_stands_alone_is_masked_too():
    spoilt = cut(continuous(n_epochs=2))[[1]]
    spoilt._data[0, 0, 5] = 1e30
    with pytest.raises(ChannelError):
        prepare(spoilt, ModelSpec(filter=FilterSpec(0.3, 35.0), unit="uV"))


@pytest.mark.parametrize("size", [0.05, 5.0])
def test_an_artifact_is_a_signal(size):
    """A pop of 50 mV, an amplifier that wanders by volts: what an amplifier can give is not called impossible."""
    epochs = cut(continuous())
    epochs._data[2, 0, 100:110] += size
    assert (prepare(epochs, ModelSpec()).fault == "").all()


def test_networks_own_units_and_silence_are_no_fault():
    epochs = cut(continuous())
    epochs._data *= 1e5  # volts, as one feeds a bare network
    epochs._data[1, 0, :3000] = 0.0
    assert prepare(epochs, ModelSpec()).fault.tolist()[2:] == ["", "", ""]
    epochs._data[0] = 0.0
    assert prepare(epochs, ModelSpec()).fault[0] == "flat"


def test_bursts_among_what_is_nearly_silence_are_signal():
    epochs = cut(continuous())
    epochs._data *= 1e-12
    epochs._data[:, :, 2000:2500] += np.sin(np.arange(500) / 10)
    assert (prepare(epochs, ModelSpec()).fault == "").all()


def test_a_line_bridges_what_is_bad():
    recorded = np.array([[1.0, np.nan, 3.0], [4.0, 9e13, np.inf]])
    bad = np.array([[False, True, False], [False, True, True]])
    assert bridged(recorded, bad).tolist() == [[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]]
    assert bridged(recorded, np.ones_like(bad)).tolist() == [[0.0] * 3] * 2
    assert impossible(recorded).tolist() == [[False, True, False], [False, True, True]]
