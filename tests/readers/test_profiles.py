"""Cards of data sets: valid, found, and used."""

from __future__ import annotations

import tomllib
from pathlib import Path

import hypnogram_files as files
import pytest
from edf_files import Edf, Sig

from eegflex.cli import main
from eegflex.errors import ChannelError, ParameterError
from eegflex.readers import describe_psg, get_notes, load_profile, profile_names, read_psg
from eegflex.readers.profiles import Profile

ASKED = {
    "sleep_edf", "shhs", "mesa", "mass", "isruc", "dreams", "cap", "hmc", "physionet_2018", "dod", "anphy",
    "surrey_ceegrid", "ucddb", "boas",
}  # fmt: skip
ROOT = Path(__file__).parents[2]


def card(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text, "utf-8")
    return path


def shhs(tmp_path, labels=("EEG(sec)", "ECG", "EMG", "EOG(L)", "EOG(R)", "EEG")):
    path = tmp_path / "shhs1-200001.edf"
    sigs = [Sig(label, n=10) for label in labels]
    path.write_bytes(Edf(sigs, n_records=600, date="01.01.85", time="23.55.00").to_bytes())
    return path


def test_the_profiles_are_those_of_the_folder_datasets():
    assert set(profile_names()) == ASKED
    assert {path.stem for path in (ROOT / "datasets").glob("*.toml")} == {*ASKED, "simulated"}


def test_a_wheel_carries_the_folder():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"datasets": "eegflex/cards"}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_each_card_is_valid_and_says_where_its_facts_are_from(name):
    profile = load_profile(name)
    assert isinstance(profile, Profile)
    assert profile.name == name
    assert profile.title
    assert profile.url.startswith("http")
    assert profile.sources
    assert all("http" in source for source in profile.sources)


def test_shhs(tmp_path):
    hypnogram = tmp_path / "shhs1-200001-nsrr.xml"
    hypnogram.write_bytes(files.nsrr())
    with pytest.raises(ChannelError):
        read_psg(shhs(tmp_path))
    raw = read_psg(shhs(tmp_path), hypnogram=hypnogram, profile="shhs", verbose="ERROR")
    assert raw.ch_names == ["C3-A2", "ECG", "EMG", "EOG(L)", "EOG(R)", "C4-A1"]
    notes = get_notes(raw.info)
    assert (notes.roles["C3-A2"], notes.roles["C4-A1"]) == ("C3", "C4")
    assert (notes.profile, notes.renamed) == ("shhs", {"C3-A2": "EEG(sec)", "C4-A1": "EEG"})
    assert notes.alignment["matched"] == 20
    assert not any("expects" in warning for warning in notes.warnings)
    text = describe_psg(shhs(tmp_path), hypnogram=hypnogram, profile="shhs").to_text()
    assert "C4-A1" in text
    assert "NSRR XML; coding labels" in text


def test_the_command_line_takes_a_profile(tmp_path, capsys):
    hypnogram = tmp_path / "x.xml"
    hypnogram.write_bytes(files.nsrr())
    assert main(["info", str(shhs(tmp_path)), "--hypnogram", str(hypnogram), "--profile", "shhs"]) == 0
    shown = capsys.readouterr().out
    assert "W 5, N1 2, N2 6, N3 4, REM 3" in shown
    assert "NSRR XML; coding labels; epochs of 30 s; starts +0 s; grid at 0 s" in shown
    assert "20 epochs matched, 0 without a stage, 0 dropped; 2 other events" in shown
    assert main(["info", str(shhs(tmp_path)), "--profile", "shh"]) == 1
    assert "Nearest: shhs" in capsys.readouterr().err


def test_a_hypnogram_of_another_format_is_told(tmp_path):
    hypnogram = tmp_path / "shhs1-200001-profusion.xml"
    hypnogram.write_bytes(files.profusion())
    raw = read_psg(shhs(tmp_path), hypnogram=hypnogram, profile="shhs", verbose="ERROR")
    assert any("expects its hypnograms as NSRR XML" in warning for warning in get_notes(raw.info).warnings)


def test_a_recording_of_another_data_set_is_refused(tmp_path):
    with pytest.raises(ChannelError, match="no channel of the profile 'shhs'"):
        read_psg(shhs(tmp_path, ["EEG Fpz-Cz"]), profile="shhs")
    with pytest.raises(ChannelError, match="would have the name 'C4-A1'"):
        read_psg(shhs(tmp_path, ["EEG", "C4-A1"]), profile="shhs")


def test_dreams_eyes_are_no_parietal_site(tmp_path):
    path = shhs(tmp_path, ["CZ-A1", "P8-A1", "P18-A1"])
    assert get_notes(read_psg(path).info).roles["P8-A1"] == "P8"
    raw = read_psg(path, profile="dreams")
    assert raw.get_channel_types() == ["eeg", "eog", "eog"]


def test_a_card_of_ones_own(tmp_path):
    own = card(
        tmp_path,
        """
        channels = [{ label = "eeg", name = "C4-M1", unit = "mV" }]
        [hypnogram]
        coding = "aasm"
        epoch_length = 20
        """,
    )
    text = tmp_path / "h.txt"
    text.write_text("\n".join(["0", "1", "2", "3", "4"] * 6))  # 30 epochs of 20 s
    raw = read_psg(shhs(tmp_path), hypnogram=text, profile=own, verbose="ERROR")
    notes = get_notes(raw.info)
    assert (notes.profile, notes.units["C4-M1"]) == ("my", "mV")
    assert (notes.alignment["coding"], notes.alignment["epoch_length_s"]) == ("aasm", 20)
    # what is said outranks the card
    again = read_psg(shhs(tmp_path), hypnogram=text, profile=str(own), coding="rk", verbose="ERROR")
    assert get_notes(again.info).alignment["coding"] == "rk"


BAD = {
    "an unknown key": ("licens = 'x'", r"not known \(in my.toml\)\. Got 'licens'\. Allowed: name, title.*Nearest: licence"),
    "an unknown key of a channel": ("[[channels]]\nlabel = 'a'\nrole = 'C4'", r"\[\[channels\]\] 1 .* 'role'\. Allowed: label"),
    "an unknown key of the hypnogram": ("[hypnogram]\nepoch = 30", r"key in \[hypnogram\] that.*Got 'epoch'\. Allowed: format"),
    "a channel without a label": ("channels = [{ name = 'C4' }]", r"lacks the key \[\[channels\]\] 1: label"),
    "a wrong type": ("persons = 'many'", "profile's persons must be a whole number .*Got 'many'"),
    "a truth for a number": ("persons = true", "profile's persons must be a whole number .*Got True"),
    "channels that are no list": ("channels = 'EEG'", r"\[\[channels\]\] must be a list of tables"),
    "a channel that is no table": ("channels = ['EEG']", r"\[\[channels\]\] 1 must be a table .*Got 'EEG'"),
    "an unknown format": ("[hypnogram]\nformat = 'EDF'", r"format must be one of 'EDF\+ annotations', 'N.*\(in my.toml\)"),
    "an unknown coding": ("[hypnogram]\ncoding = 'AASM'", r"coding must be one of 'auto', 'aasm'.*\(in my.toml\)\. Got 'AASM'"),
    "an impossible epoch": ("[hypnogram]\nepoch_length = -30", "epoch_length must be 0.5 to 3600 s"),
    "broken TOML": ("title = ", "This profile is not TOML"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=list(BAD))
def test_a_bad_card_is_refused_by_the_key(tmp_path, text, words):
    with pytest.raises(ParameterError, match=words):
        load_profile(card(tmp_path, text))


def test_an_unknown_profile_is_refused_with_the_choices(tmp_path):
    with pytest.raises(ParameterError, match=r"Got 'SHSS'\. Allowed: anphy, boas, cap.*Nearest: shhs"):
        load_profile("SHSS")
    with pytest.raises(ParameterError, match="no data set with this name"):
        load_profile("simulated")
    with pytest.raises(ParameterError, match="no such profile"):
        load_profile(tmp_path / "none.toml")
    assert load_profile("SHHS").name == "shhs"
