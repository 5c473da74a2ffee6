"""Units, labels and picks: what a signal is, and which of them make a sleep recording."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from edf_files import Edf, Sig
from mne.channels.layout import _find_topomap_coords
from mne.io.constants import FIFF

from eegflex.errors import ChannelError, ParameterError, UnitError
from eegflex.readers import describe_psg, get_notes, read_psg
from eegflex.readers.channels.electrodes import position
from eegflex.readers.channels.labels import match_key, parse_channel
from eegflex.readers.channels.units import parse_unit
from eegflex.readers.text import decode_header


@pytest.mark.parametrize(
    ("raw", "volts"),
    [
        (b"V", 1),
        (b"mV", 1e-3),
        (b"uV", 1e-6),
        (b"\xb5V", 1e-6),  # latin-1
        ("µV".encode(), 1e-6),  # micro sign
        ("μV".encode(), 1e-6),  # Greek mu
        ("µV".encode().decode("latin-1").encode(), 1e-6),  # encoded twice
        (b"uv", 1e-6),
        (b"UV", 1e-6),
        (b"microV", 1e-6),
        (b"nV", 1e-9),
        (b" uV\x00\x00 ", 1e-6),
        (b"[uV]", 1e-6),
        *[
            (text, 1e-6)
            for text in (b"uVolt", b"uVolts", b"uVolt(s", b"\xb5Volt", b"UVOLT", b"MICROVOLT", b"micro-volt")
        ],
        *[(text, 1e-3) for text in (b"mVolt", b"mVolts", b"Millivolt", b"mVOLT")],
        *[(text, 1) for text in (b"Volt", b"VOLTS")],
        *[("µV".encode(codec), 1e-6) for codec in ("cp437", "cp850")],
        *[("μV".encode(codec), 1e-6) for codec in ("cp1253", "shift_jis", "gbk", "big5", "euc_jp", "euc_kr")],
        *[("мкВ".encode(codec), 1e-6) for codec in ("utf-8", "cp1251", "koi8-r", "cp866")],
        ("µV".encode().decode("cp437").encode(), 1e-6),  # encoded twice, by way of DOS
        ("㎶".encode(), 1e-6),
        ("㎷".encode(), 1e-3),
    ],
)
def test_voltages(raw, volts):
    unit = parse_unit(decode_header(raw))
    assert (unit.kind, unit.volts) == ("voltage", volts)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *[(text, "blank") for text in ("", "  ", "n/a")],
        *[(text, "other") for text in ("Ohm", "kΩ", "%", "g", "V/s", "bpm", "°")],
        *[(text, "unknown") for text in ("ADU", "MV", "pV", "Vrms", "MVolt", "Mv", "NV", "uVpp", "�V", "?V", "Â")],
    ],
)
def test_no_voltages(text, kind):
    assert parse_unit(text).kind == kind
    assert np.isnan(parse_unit(text).volts)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"C3 Imp\xc3\xa9dance", "C3 Impédance"),
        ("ImpÃ©dance".encode(), "Impédance"),
        (b"Imp\xe9dance", "Impédance"),
        (b"EEG C3\x00\x00", "EEG C3"),
        (b"abcdefghijk\xc3\xa9lm\xc3", "abcdefghijkélm"),  # cut inside a character
        (b"", ""),
    ],
)
def test_labels_are_repaired(raw, text):
    assert decode_header(raw) == text


CHANNELS = {
    "C3": ("eeg", "C3", ""),
    "C3-M2": ("eeg", "C3", "M2"),
    "EEG C4-A1": ("eeg", "C4", "M1"),
    "C3A2": ("eeg", "C3", "M2"),
    "C3:A2": ("eeg", "C3", "M2"),
    "F4_M1": ("eeg", "F4", "M1"),
    "EEG Fpz-Cz": ("eeg", "Fpz", "Cz"),
    "EEG Pz-Oz": ("eeg", "Pz", "Oz"),
    "EEG C3-LER": ("eeg", "C3", "ler"),
    "T3-A2": ("eeg", "T7", "M2"),
    "CZ": ("eeg", "Cz", ""),
    "M1": ("misc", "M1", ""),
    "A2": ("misc", "M2", ""),
    "M1M2": ("misc", "", "-"),
    "E1-M2": ("eog", "E1", "M2"),
    "LOC": ("eog", "E1", ""),
    "ROC-A1": ("eog", "E2", "M1"),
    "EOG(L)": ("eog", "E1", ""),
    "EOG-R": ("eog", "E2", ""),
    "EOG Left Horiz": ("eog", "E1", ""),
    "L-EOG": ("eog", "E1", ""),
    "R EOG": ("eog", "E2", ""),
    "ROC-LOC": ("eog", "E2", "E1"),
    "LOC-ROC": ("eog", "E1", "E2"),
    "E1-E2": ("eog", "E1", "E2"),
    "EOG horizontal": ("eog", "EOG", ""),
    "EMG submental": ("emg", "CHIN", ""),
    "EMG": ("emg", "CHIN", ""),
    "Left Leg": ("emg", "LEG", ""),
    "EMG LAT": ("emg", "LEG", ""),
    "Jambe droite": ("emg", "LEG", ""),
    "EKG": ("ecg", "ECG", ""),
    "PLMr": ("emg", "LEG", ""),
    "THO": ("resp", "", ""),
    "ABD": ("resp", "", ""),
    "Pulse": ("bio", "", ""),
    **dict.fromkeys(("Position", "Light", "X Axis", "Audio Volume", "CO2"), ("misc", "", "")),
    "Abdomen": ("resp", "", ""),
    "Resp oro-nasal": ("resp", "", ""),
    "SpO2": ("bio", "", ""),
    "Temp rectal": ("temperature", "", ""),
    "Snore": ("misc", "", ""),
    "Voltage (battery": ("misc", "", ""),
    "EEG(sec)": ("eeg", "", ""),  # only a profile knows which electrode that is
    "C3 (Imp)": ("misc", "", ""),
    "C3 Impédance": ("misc", "", ""),
    "1": ("misc", "", ""),  # a number says nothing by itself
    "NREM": ("misc", "", ""),
}


@pytest.mark.parametrize("label", CHANNELS)
def test_what_a_label_means(label):
    channel = parse_channel(label, parse_unit("uV"))
    assert (channel.kind, channel.role, channel.reference) == CHANNELS[label]


@pytest.mark.parametrize("label", ["C3-M2", "E1-M2", "EMG chin", "ECG"])
def test_the_unit_outranks_the_name(label):
    assert parse_channel(label, parse_unit("Ohm")).kind == "misc"


def test_names_that_match():
    assert len({match_key(name) for name in ["C3-M2", "EEG C3-A2", "c3:m2", "C3A2", "C3_A2"]}) == 1
    assert match_key("T4-A1") == match_key("T8-M1")
    assert match_key("M1M2") != match_key("M1")


def picks(write, *labels, **keys):
    sigs = [label if isinstance(label, Sig) else Sig(label) for label in labels]
    return read_psg(write(Edf(sigs)), verbose="ERROR", **keys).ch_names


def test_default_picks(write):
    assert picks(write, "C3", "M2", "C3-M2") == ["C3-M2"]
    assert picks(write, "C3", "C4", "M1", "M2") == ["C3-M2", "C4-M1"]
    assert picks(write, "EEG C3", "EEG C4", "EEG A1", "EEG A2") == ["C3-A2", "C4-A1"]
    assert picks(write, "C3", "C4") == ["C3", "C4"]
    assert picks(write, "Cz", "M1", "M2") == ["Cz-M2"]
    assert picks(write, "C3-M1", "C3-M2", "C4") == ["C3-M2", "C4"]
    assert picks(write, "EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal") == ["EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal"]
    assert picks(write, "C4-P4", "C4-A1", "P4-O2") == ["C4-A1", "P4-O2"]
    assert picks(write, "C3", "E1", "E2", "M1", "M2") == ["C3-M2", "E1-M2", "E2-M1"]
    assert picks(write, "C3", "Left Leg", "Chin1-Chin2", "EMG", "ECG", "Abdomen") == ["C3", "Chin1-Chin2", "ECG"]


def test_a_mastoid_of_another_rate_or_unit_is_no_reference(write):
    assert picks(write, "C3", Sig("M2", n=50)) == ["C3"]
    assert picks(write, "C3", Sig("M2", unit="mV")) == ["C3"]


def test_an_eeg_of_no_electrode_is_picked_only_by_name(write):
    assert picks(write, "EEG", "C3") == ["C3"]
    raw = read_psg(write(Edf([Sig("EEG"), Sig("EEG(sec)")])), channels=["EEG"])
    assert raw.get_channel_types() == ["eeg"]
    with pytest.raises(ChannelError, match="channels="):
        picks(write, "EEG", "EEG(sec)")


def test_chin_of_noxturnal_only_as_a_whole(write):
    chin = ["1", "2", "F", "1-2", "1-F", "2-F"]
    assert picks(write, "C3", *chin) == ["C3", "1-F"]
    assert picks(write, "C3", "1", "2") == ["C3"]
    assert picks(write, "C3", "1-2", "2", "1") == ["C3"]


def test_derivations_are_differences(write):
    edf = Edf([Sig("EEG C3"), Sig("M2"), Sig("F3")])
    raw = read_psg(write(edf), channels=["c3-a2", "F3-C3", "F3"])
    assert raw.ch_names == ["C3-M2", "F3-C3", "F3"]
    c3, m2, f3 = (edf.physical(k) * 1e-6 for k in range(3))
    np.testing.assert_allclose(raw.get_data(), [c3 - m2, f3 - c3, f3], atol=1e-15)
    assert get_notes(raw.info).derivations["C3-M2"] == "EEG C3 - M2"
    assert raw.get_channel_types() == ["eeg"] * 3


def test_what_is_in_the_file_wins(write):
    edf = Edf([Sig("C3"), Sig("M2"), Sig("C3-M2", sd=500)])
    raw = read_psg(write(edf), channels=["C3-M2"])
    np.testing.assert_allclose(raw.get_data()[0], edf.physical(2) * 1e-6, atol=1e-15)


def test_requests_keep_order_and_original_names(write):
    assert picks(write, "EEG T3-A2", "SaO2", "C4-A1", channels=["C4-M1", "t7-m2"]) == ["C4-A1", "EEG T3-A2"]
    assert picks(write, "C3", "C3", channels=[1]) == ["C3"]
    assert picks(write, "C3", "C3", channels=[1, 0]) == ["C3 #1", "C3 #0"]
    assert picks(write, "C3", Sig("SaO2", "%", 100, "0", "100"), channels=["sao2"]) == ["SaO2"]


def test_a_slow_signal_in_its_own_unit(write):
    edf = Edf([Sig("SaO2", "%", 1, "0", "100")])
    raw = read_psg(write(edf), channels=["SaO2"], verbose="ERROR")
    assert raw.info["sfreq"] == 1
    assert raw.get_channel_types() == ["bio"]
    np.testing.assert_allclose(raw.get_data()[0], edf.physical(0), atol=1e-12)


BAD_REQUESTS = {
    "missing": (["C3"], ["Fz-M2"], ChannelError, "C3"),
    "near miss": (["C3-M2"], ["C3-M22"], ChannelError, "Nearest: C3-M2"),
    "twins": (["C3", "C3"], ["C3"], ChannelError, "index 0"),
    "two that mean the same": (["EEG C3-A2", "C3:M2"], ["C3-M2"], ChannelError, "index 1"),
    "twice": (["C3", "C4"], ["C3", "c3"], ChannelError, "twice"),
    "rates differ": (["C3", Sig("M2", n=50)], ["C3-M2"], ChannelError, "50 Hz"),
    "units differ": (["C3", Sig("M2", "mV")], ["C3-M2"], ChannelError, "mV"),
    "impedances": ([Sig("C3", "Ohm"), Sig("M2", "Ohm"), "C4"], ["C3-M2"], ChannelError, "Allowed: C4"),
    "an impedance and a voltage": ([Sig("C3", "Ohm"), "M2", "C4"], ["C3-M2"], ChannelError, "not voltages"),
    "no such index": (["C3"], [4], ChannelError, "0 to 0"),
    "a str": (["C3"], "C3", ParameterError, "list"),
    "nothing": (["C3"], [], ParameterError, "list"),
    "no unit": ([Sig("EOG horizontal", ""), "C3"], ["EOG horizontal"], UnitError, "units="),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_requests_list_the_candidates(write, case):
    labels, channels, error, words = BAD_REQUESTS[case]
    with pytest.raises(error) as caught:
        picks(write, *labels, channels=channels)
    assert words in str(caught.value)


def test_units_given_by_the_user(write):
    edf = Edf([Sig("C3", ""), Sig("C4", "mV"), Sig("SaO2", "%")])
    path = write(edf)
    raw = read_psg(path, units="uV", verbose="ERROR")
    np.testing.assert_allclose(raw.get_data(), [edf.physical(0) * 1e-6, edf.physical(1) * 1e-3], atol=1e-12)
    raw = read_psg(path, units={"c3": "nV", "C4": "µV"}, verbose="ERROR")
    np.testing.assert_allclose(raw.get_data(), [edf.physical(0) * 1e-9, edf.physical(1) * 1e-6], atol=1e-15)
    for units, error in [("furlong", UnitError), ({"C9": "uV"}, ChannelError), (3, ParameterError)]:
        with pytest.raises(error):
            read_psg(path, units=units)


def test_a_unit_for_all_fills_blanks_and_overrides_nothing(write):
    """What is merely unknown to us is listed, and not read as what the user said of others."""
    edf = Edf(
        [Sig("C3-M2", ""), Sig("E1-M2", "mVolt", low="-1", high="1"), Sig("E2-M2", "furlong"), Sig("C4-M1", "uVolts")]
    )
    path = write(edf)
    raw = read_psg(path, units="uV", verbose="ERROR")
    assert raw.ch_names == ["C3-M2", "E1-M2", "C4-M1"]
    expected = [edf.physical(0) * 1e-6, edf.physical(1) * 1e-3, edf.physical(3) * 1e-6]
    np.testing.assert_allclose(raw.get_data(), expected, atol=1e-12)
    assert "E2-M2 cannot be read: its unit 'furlong' is not known" in " ".join(get_notes(raw.info).warnings)
    assert "'furlong' is not known" in describe_psg(path, units="uV").to_text()
    raw = read_psg(path, units={"E2-M2": "uV", "C3-M2": "uV"}, verbose="ERROR")
    np.testing.assert_allclose(raw.get_data("E2-M2")[0], edf.physical(2) * 1e-6, atol=1e-12)
    with pytest.raises(UnitError, match=r"C3: 'furlong'.*units=\{name: unit\}"):
        read_psg(write(Edf([Sig("C3", "furlong"), Sig("C4", "uV")])), units="uV")


def test_a_unit_that_no_signal_lacks_is_said_to_be_unused(write):
    path = write(Edf([Sig("C3", "uV"), Sig("C4", "mV")]))
    with mne.utils.catch_logging() as log:
        read_psg(path, units="mV", verbose="warning")
    assert "units='mV' was not used" in log.getvalue()


def test_positions_are_the_anodes(write):
    raw = read_psg(
        write(Edf([Sig("C3-M2"), Sig("EEG Fpz-Cz"), Sig("O2"), Sig("E1-M2"), Sig("SaO2", "%")])), verbose="ERROR"
    )
    eeg = mne.pick_types(raw.info, eeg=True)
    standard = mne.create_info(["C3", "O2", "Fpz", "Cz"], 100, "eeg")
    names = mne.channels.get_builtin_montages()
    montage = "colin27_1005" if "colin27_1005" in names else "standard_1005"
    standard.set_montage(montage)
    here = {chan["ch_name"]: chan["loc"][:3] for chan in raw.info["chs"]}
    there = {chan["ch_name"]: chan["loc"][:3] for chan in standard["chs"]}
    np.testing.assert_allclose(here["C3-M2"], there["C3"], atol=1e-6)
    np.testing.assert_allclose(here["O2"], there["O2"], atol=1e-6)
    np.testing.assert_allclose(here["EEG Fpz-Cz"], (there["Fpz"] + there["Cz"]) / 2, atol=1e-6)
    assert np.isfinite(_find_topomap_coords(raw.info, eeg)).all()
    assert position("M22") is None


def test_bipolar_pairs_are_marked_as_mne_marks_them(write):
    path = write(Edf([Sig("C3"), Sig("C4"), Sig("M2"), Sig("EEG Pz-Oz")]))
    raw = read_psg(path, channels=["C3-M2", "C3-C4", "EEG Pz-Oz"], verbose="ERROR")
    coils = {chan["ch_name"]: int(chan["coil_type"]) for chan in raw.info["chs"]}
    bipolar = int(FIFF.FIFFV_COIL_EEG_BIPOLAR)
    assert coils == {"C3-M2": int(FIFF.FIFFV_COIL_EEG), "C3-C4": bipolar, "EEG Pz-Oz": bipolar}
    assert raw.get_channel_types() == ["eeg"] * 3
    assert len(mne.pick_types(raw.info, eeg=True)) == 3


def test_describe_warns_of_an_implausible_scale(write):
    text = describe_psg(write(Edf([Sig("C3-M2", "mV")]))).to_text()
    assert "standard deviation of 4.5" in text


def test_describe_needs_no_pickable_eeg(write):
    described = describe_psg(write(Edf([Sig("EEG C3", ""), Sig("SaO2", "%")])))
    assert "units=" in described.problem
    assert not described.picked
    assert described.problem in described.to_text()
