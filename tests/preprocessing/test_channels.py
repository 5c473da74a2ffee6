"""Channels: which of a recording's go into which input of a stager, and in how many ways."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.errors import ChannelError
from eegflex.preprocessing.channels import choose_inputs
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ChannelSpec, ModelSpec

GSSC_LIKE = ModelSpec(
    channels=(
        ChannelSpec("eeg", types=("eeg",), use="each"),
        ChannelSpec("eog", types=("eog",), sites=("E1-E2", "E1", "E2", "EOG"), use="first"),
    )
)


def names(raw, spec=GSSC_LIKE, picks=None):
    inputs = choose_inputs(cut(raw), spec, picks)
    return [[inputs.channels[i].name for i in channel_set] for channel_set in inputs.channel_sets]


def test_each_eeg_channel_is_connected_by_itself():
    raw = continuous(names=("C3-M2", "F4-M1", "E1-M2", "Chin"), types=("eeg", "eeg", "eog", "emg"))
    assert names(raw) == [["C3-M2", "E1-M2"], ["F4-M1", "E1-M2"]]
    assert names(raw, picks=["F4-M1", "E1-M2"]) == [["F4-M1", "E1-M2"]]
    raw.info["bads"] = ["C3-M2"]
    assert names(raw) == [["F4-M1", "E1-M2"]]


def test_a_horizontal_eog_is_derived_where_both_eyes_share_their_reference():
    shared = continuous(names=("C3-M2", "E1-M2", "E2-M2"), types=("eeg", "eog", "eog"))
    assert names(shared) == [["C3-M2", "E1-E2"]]
    signals = prepare(cut(shared), GSSC_LIKE).signals[:, 1]
    data = cut(shared).get_data()
    np.testing.assert_allclose(signals, data[:, 1] - data[:, 2], atol=1e-10)
    apart = continuous(names=("C3-M2", "E1-M2", "E2-M1"), types=("eeg", "eog", "eog"))
    assert names(apart) == [["C3-M2", "E1-M2"]]
    there = continuous(names=("C3-M2", "E1-M2", "E2-M2", "E1-E2"), types=("eeg", "eog", "eog", "eog"))
    assert prepare(cut(there), GSSC_LIKE).notes["derived"] == []


def test_a_missing_channel_lists_what_there_is():
    raw = continuous(names=("C3-M2", "Chin"), types=("eeg", "emg"))
    with pytest.raises(ChannelError, match=r"'eog'.*C3-M2 \(eeg\), Chin \(emg\)"):
        names(raw)
    with pytest.raises(ChannelError, match="picks"):
        names(raw, picks=["Cz"])


def test_an_input_of_each_is_joined_by_all_of_the_others():
    spec = ModelSpec(
        channels=(ChannelSpec("eeg", types=("eeg",), use="each"), ChannelSpec("eog", types=("eog",), use="all"))
    )
    raw = continuous(names=("C3-M2", "F4-M1", "E1-M2", "E2-M2"), types=("eeg", "eeg", "eog", "eog"))
    assert names(raw, spec) == [[eeg, "E1-M2", "E2-M2"] for eeg in ("C3-M2", "F4-M1")]
    summed = spec.replace(channels=(spec.channels[0], ChannelSpec("eog", types=("eog",), use="first")), combine="sum")
    assert names(raw, summed) == [["C3-M2", "F4-M1", "E1-M2"]]


def test_each_channel_of_the_recording_is_read_once():
    left = ChannelSpec("left eye", types=("eog",), sites=("E1",), use="first")
    raw = continuous(names=("C3-M2", "E1-M2", "E2-M2"), types=("eeg", "eog", "eog"))
    inputs = choose_inputs(cut(raw), GSSC_LIKE.replace(channels=(*GSSC_LIKE.channels, left)))
    assert [channel.name for channel in inputs.channels] == ["C3-M2", "E1-E2", "E1-M2"]
    assert inputs.recorded == ["C3-M2", "E1-M2", "E2-M2"]


def test_only_a_voltage_has_another_unit():
    raw = continuous(names=("C3-M2", "Belt"), types=("eeg", "misc"))
    volt, belt = choose_inputs(cut(raw), ModelSpec()).channels
    assert [volt.in_unit(unit) for unit in ("V", "mV", "uV")] == [1.0, 1e3, 1e6]
    assert [belt.in_unit(unit) for unit in ("V", "mV", "uV")] == [1.0, 1.0, 1.0]


PSG = ("C3-M2", "C4-M1", "E1-M2", "EMG chin", "SpO2", "Pulse", "Nasal flow", "Snore", "Position", "X1")


def test_labels_outrank_the_type_that_mne_gives_to_all_of_an_edf():
    """What is no EEG by its label is not explained as EEG, and is offered as what it is."""
    raw = continuous(names=PSG, types=("eeg",) * len(PSG))
    inputs = choose_inputs(cut(raw), GSSC_LIKE)
    assert [[inputs.channels[i].name for i in one] for one in inputs.channel_sets] == [
        ["C3-M2", "E1-M2"],
        ["C4-M1", "E1-M2"],
    ]
    (told,) = inputs.warnings
    assert told.startswith("8 channels are typed EEG and are something else by their labels")
    for words in ("E1-M2 (E1)", "EMG chin (CHIN)", "SpO2 (bio)", "Nasal flow (resp)", "Snore (misc)", "X1 (misc)"):
        assert words in told
    assert "set_channel_types" in told
    assert prepare(cut(raw), GSSC_LIKE).notes["warnings"] == [told]


def test_types_that_somebody_set_are_the_recordings_own():
    raw = continuous(names=("Left", "Right", "Eyes"), types=("eeg", "eeg", "eog"))
    assert names(raw) == [["Left", "Eyes"], ["Right", "Eyes"]]
    assert choose_inputs(cut(raw), GSSC_LIKE).warnings == ()


def test_mastoids_typed_eeg_are_references_and_no_inputs():
    raw = continuous(names=("C3", "C4", "M1", "M2"), types=("eeg",) * 4)
    spec = ModelSpec(channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))
    assert names(raw, spec) == [["C3"], ["C4"]]
    derived = ModelSpec(channels=(ChannelSpec("eeg", types=("eeg",), sites=("C3-M2",), use="first"),))
    inputs = choose_inputs(cut(raw), derived)
    assert [(channel.plus, channel.minus) for channel in inputs.channels] == [("C3", "M2")]


def test_sockets_are_at_no_site():
    bank = tuple(f"{letter}{k}" for letter in "ABC" for k in range(1, 9))
    raw = continuous(names=bank, types=("eeg",) * len(bank))
    at_c3 = ModelSpec(channels=(ChannelSpec("eeg", types=("eeg",), sites=("C3",), use="first"),))
    with pytest.raises(ChannelError, match="No channel fits"):
        choose_inputs(cut(raw), at_c3)
    each = ModelSpec(channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))
    assert len(names(raw, each)) == len(bank)


@pytest.mark.parametrize("name", ["\x00C4", "C4\x1b[31m", "C4\r\nX: 1", "\ud83d\ude00", "\u202eC4", "\u2066C4"])
def test_names_that_no_file_holds_or_that_turn_what_is_behind_them_are_refused_at_once(name):
    epochs = cut(continuous(names=("C3-M2", "C4-M1", "Chin"), types=("eeg", "eeg", "emg")))
    spec = ModelSpec(channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))
    epochs.rename_channels({"Chin": name})  # which this stager is not given
    assert [one.name for one in choose_inputs(epochs, spec).channels] == ["C3-M2", "C4-M1"]
    epochs.rename_channels({"C4-M1": f"{name}!"})
    with pytest.raises(ChannelError, match="control characters"):
        choose_inputs(epochs, spec)
    assert [one.name for one in choose_inputs(epochs, spec, ["C3-M2"]).channels] == ["C3-M2"]
