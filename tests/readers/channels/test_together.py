"""What labels mean beside each other: sockets, paddings, prefixes, and types that only MNE's default gave."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from edf_files import Edf, Sig
from recording_files import noise, write_brainvision

from eegflex.errors import ChannelError
from eegflex.readers import describe_psg, get_notes, read_psg
from eegflex.readers.channels.together import parse_channels
from eegflex.readers.channels.units import parse_unit

VOLTS = parse_unit("uV")


def roles(*labels, stated=""):
    channels = parse_channels(labels, [VOLTS] * len(labels), [stated] * len(labels))
    return {label: (channel.kind, channel.role) for label, channel in zip(labels, channels, strict=True)}


def bank(letter, count, first=1):
    return [f"{letter}{k}" for k in range(first, first + count)]


SOCKETS = {
    "64 of BioSemi": bank("A", 32) + bank("B", 32),
    "128 of BioSemi": bank("A", 32) + bank("B", 32) + bank("C", 32) + bank("D", 32),
    "256 of BioSemi": [name for letter in "ABCDEFGH" for name in bank(letter, 32)],
    "half a bank": bank("A", 16),
    "a net of EGI": bank("E", 128),
    "depth electrodes": bank("A", 10) + bank("B", 8) + bank("C", 6) + bank("O", 4),
    "depth electrodes of Nihon Kohden": [f"POL {name}" for name in bank("A", 10) + bank("C", 12)],
    "pairs of contacts": [f"{a}-{b}" for a, b in zip(bank("A", 9), bank("A", 9, 2), strict=True)],
}


@pytest.mark.parametrize("case", SOCKETS)
def test_banks_of_sockets_are_no_electrodes_no_mastoids_and_no_eyes(case):
    found = roles(*SOCKETS[case])
    assert set(found.values()) == {("eeg", "")}
    assert "C3" not in {role for _, role in roles(*SOCKETS[case], stated="eeg").values()}


NO_SOCKETS = {
    "mastoids": ["C3", "C4", "A1", "A2", "E1", "E2"],
    "temporal": ["T1", "T2", "T3", "T4", "T5", "T6", "A1", "A2"],
    "a cap": ["Fz", *bank("C", 6), *bank("F", 8), *bank("P", 8), "O1", "O2", "Cz"],
}


@pytest.mark.parametrize("case", NO_SOCKETS)
def test_electrodes_in_rows_are_electrodes(case):
    assert not [
        label for label, (_, role) in roles(*NO_SOCKETS[case]).items() if not role and label not in {"T1", "T2"}
    ]


def test_a_cap_beside_a_bank_stays_a_cap():
    found = roles("Fz", "Cz", *bank("C", 4), *bank("A", 8))
    assert [found[name][1] for name in ("C1", "C3", "C4", "A1")] == ["C1", "C3", "C4", ""]


def test_a_recording_of_sockets_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "biosemi.bdf"
    wide = [Sig(name, bottom="-8388608", top="8388607") for name in bank("A", 8) + bank("B", 8)]
    path.write_bytes(Edf(wide, n_records=10, bdf=True).to_bytes())
    with pytest.raises(ChannelError, match=r"sockets.*profile="):
        read_psg(path)
    assert "sockets" in describe_psg(path).problem
    with pytest.raises(ChannelError):
        read_psg(path, channels=["M1"])
    assert read_psg(path, channels=["A1", "B3"], verbose="ERROR").ch_names == ["A1", "B3"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["C3..", "Fc5.", "Cz.."], ["C3", "FC5", "Cz"]),
        (["C3-0", "C4-M1-0", "E1-M2-0"], ["C3", "C4", "E1"]),
        (["C3'", "C4′", "O1’-A2’"], ["C3", "C4", "O1"]),
        (["C3.M2", "EEG F4.M1", "E1.M2"], ["C3", "F4", "E1"]),
        (["C3|M2", "C4−M1", "O1—M2"], ["C3", "C4", "O1"]),
        (["PSG_F3", "PSG_C4-M1", "PSG_E1-M2", "PSG_M1"], ["F3", "C4", "E1", "M1"]),
        (["Alice F3", "Alice EEG C4:A1", "Alice C3"], ["F3", "C4", "C3"]),
        (["HD.F3..", "HD.F4..", "HD.O1.."], ["F3", "F4", "O1"]),
    ],
)
def test_what_surrounds_a_name_is_taken_off(labels, expected):
    assert [role for _, role in roles(*labels).values()] == expected


@pytest.mark.parametrize(
    "labels",
    [
        ["C3-0", "C3-1"],  # twins
        ["C3'", "C3"],  # two centimetres behind C3
        ["Alpha_C3", "Delta_C3", "Alpha_C4", "Delta_C4"],  # of the signal, not the signal
        ["Alpha_C3", "Alpha_C4", "C3", "C4"],
        ["X1_M2", "X1_M1"],  # an electrode that we do not know, and its reference
        ["PSG_F3"],  # nothing else says that "PSG" is no electrode
    ],
)
def test_what_is_not_certain_is_not_taken_off(labels):
    found = roles(*labels)
    assert not [label for label in labels if found[label][1] and label not in {"C3", "C4"}]


def test_derivations_and_requests_go_by_the_bare_name(write):
    edf = Edf([Sig("PSG_C3"), Sig("PSG_M2"), Sig("PSG_F4"), Sig("PSG_ECG")])
    raw = read_psg(write(edf), verbose="ERROR")
    assert raw.ch_names == ["C3-M2", "F4-M2", "PSG_ECG"]
    np.testing.assert_allclose(raw.get_data()[0], (edf.physical(0) - edf.physical(1)) * 1e-6, atol=1e-15)
    assert read_psg(write(edf), channels=["F4", "psg_c3"], verbose="ERROR").ch_names == ["PSG_F4", "PSG_C3"]


def test_a_fif_that_kept_the_types_of_a_reader_is_read_by_its_labels(tmp_path):
    """What MNE reads from EDF is typed EEG throughout, and stays so in a FIF file."""
    labels = ["C3-M2", "C4-M1", "E1-M2", "SpO2", "Snore", "Pulse", "Flow", "F"]
    raw = mne.io.RawArray(noise(60, len(labels)), mne.create_info(labels, 100.0, "eeg"), verbose="ERROR")
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    found = read_psg(tmp_path / "x_raw.fif", verbose="ERROR")
    assert dict(zip(found.ch_names, found.get_channel_types(), strict=True)) == {
        "C3-M2": "eeg",
        "C4-M1": "eeg",
        "E1-M2": "eog",
    }
    told = "the file types 6 channels EEG whose labels say otherwise; the labels are used: "
    told += "E1-M2 (E1), SpO2 (bio), Snore (misc), Pulse (bio), Flow (resp), F (misc)"
    assert told in get_notes(found.info).warnings
    assert told in describe_psg(tmp_path / "x_raw.fif").warnings


def test_brainvision_of_sockets(tmp_path):
    path = write_brainvision(tmp_path / "x", noise(60, 8), labels=bank("A", 8))
    with pytest.raises(ChannelError, match="sockets"):
        read_psg(path)
