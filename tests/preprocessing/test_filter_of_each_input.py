"""An input may have a pass band of its own: EMG above 10 Hz beside EEG from 0.3 to 40 Hz."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from noise import continuous, cut

import eegflex
from eegflex.attribution.baselines import make_baseline
from eegflex.errors import SpecError
from eegflex.preprocessing.segments import prepare
from eegflex.spec import ChannelSpec, FilterSpec, ModelSpec

EEG, EMG = FilterSpec(0.3, 40.0), FilterSpec(10.0, None)
SPEC = ModelSpec(
    unit="uV",
    filter=EEG,
    channels=(ChannelSpec("eeg", types=("eeg",)), ChannelSpec("emg", types=("emg",), filter=EMG)),
)


@pytest.fixture(scope="module")
def epochs():
    return cut(continuous(names=("C3-M2", "Chin"), types=("eeg", "emg"), n_epochs=6))


def by_mne(epochs, channel, l_freq, h_freq):
    x = epochs.get_data(picks=[channel])[:, 0].ravel()
    return 1e6 * mne.filter.filter_data(x, 200.0, l_freq, h_freq, verbose="error").reshape(len(epochs), -1)


def test_each_channel_is_filtered_by_its_own_band(epochs):
    segments = prepare(epochs, SPEC)
    np.testing.assert_allclose(segments.signals[:, 0], by_mne(epochs, "C3-M2", 0.3, 40.0), atol=1e-3)
    np.testing.assert_allclose(segments.signals[:, 1], by_mne(epochs, "Chin", 10.0, None), atol=1e-3)
    assert segments.passed == (None, EMG)


def test_an_edge_reaches_as_far_as_the_longest_filter(epochs):
    both, eeg = prepare(epochs, SPEC), prepare(epochs, SPEC.replace(channels=SPEC.channels[:1]))
    np.testing.assert_array_equal(both.filter_edge, eeg.filter_edge)
    assert both.notes["edge_reach_s"] == eeg.notes["edge_reach_s"]


def test_what_is_done_to_each_is_noted(epochs):
    notes = prepare(epochs, SPEC).notes["filter"]
    assert {name: note["asked"] for name, note in notes.items()} == {"C3-M2": [0.3, 40.0], "Chin": [10.0, None]}
    same = SPEC.replace(channels=(SPEC.channels[0], ChannelSpec("emg", types=("emg",))))
    assert prepare(epochs, same).notes["filter"]["asked"] == [0.3, 40.0]


def test_an_input_without_any_filter_among_others(epochs):
    open_ = SPEC.replace(channels=(SPEC.channels[0], ChannelSpec("emg", types=("emg",), filter=FilterSpec())))
    np.testing.assert_allclose(
        prepare(epochs, open_).signals[:, 1], 1e6 * epochs.get_data(picks=["Chin"])[:, 0], rtol=1e-5
    )


def test_one_channel_in_two_inputs_is_filtered_twice(epochs):
    two = tuple(ChannelSpec(str(f), types=("eeg",), filter=f) for f in (FilterSpec(None, 8.0), FilterSpec(12.0, None)))
    segments = prepare(epochs, SPEC.replace(channels=two))
    np.testing.assert_allclose(segments.signals[:, 0], by_mne(epochs, "C3-M2", None, 8.0), atol=1e-3)
    np.testing.assert_allclose(segments.signals[:, 1], by_mne(epochs, "C3-M2", 12.0, None), atol=1e-3)


@pytest.mark.parametrize("band", [(20.0, 10.0), (-1.0, None), (None, 0.0), (float("nan"), None), (None, 1e9)])
def test_an_empty_band_is_refused_with_the_input(band):
    with pytest.raises(SpecError, match="filter of 'emg' is empty"):
        SPEC.replace(channels=(ChannelSpec("emg", filter=FilterSpec(*band)),))


def test_a_spec_in_toml_says_it(tmp_path):
    (tmp_path / "spec.toml").write_text(
        "[input]\nfilter = { l_freq = 0.3, h_freq = 40 }\n"
        "[[input.channels]]\nname = 'emg'\ntypes = ['emg']\nfilter = { l_freq = 10 }\n"
    )
    spec = ModelSpec.from_toml(tmp_path / "spec.toml")
    assert spec.channels[0].filter == FilterSpec(10, None)
    assert ModelSpec.from_dict(spec.to_dict()) == spec


def test_bands_of_a_result_reach_as_far_as_any_input(epochs):
    raw = eegflex.simulate_psg(hours=0.2, sfreq=200, seed=1, verbose="error").raw
    night = eegflex.make_epochs(raw.pick(["C4-M1", "Chin1-Chin2"]), verbose="error")

    def scores(x):
        return x.square().mean(-1) @ x.new_ones(2, 5).cumsum(1)

    result = eegflex.attribute_epochs(night, scores, spec=SPEC, sample_per_stage=1, verbose="error", on_check="ignore")
    table = result.band_table({"fast": (40.0, 90.0)})
    assert (table.xs("Chin1-Chin2", level="channel")["fast"].abs() > 0).all()


def test_no_line_is_fitted_to_what_an_inputs_own_filter_took_away():
    """The aperiodic baseline of EMG is the same beside EEG as alone."""
    raw = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=2, verbose="error").raw
    epochs = eegflex.make_epochs(raw.pick(["C4-M1", "Chin1-Chin2"]), verbose="error")
    alone = ModelSpec(unit="uV", channels=(ChannelSpec("emg", types=("emg",)),), filter=EMG)
    magnitudes = []
    for spec, place in ((alone, 0), (SPEC, 1)):
        segments = prepare(epochs, spec)
        baseline = make_baseline("aperiodic", segments, spec.filter)
        magnitudes.append(baseline.magnitudes(segments.signals[:3, [place]], np.arange(3), (place,)))
    np.testing.assert_allclose(*magnitudes, rtol=1e-3)
