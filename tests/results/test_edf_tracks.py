"""Tracks on the disk: the values of the result in every reader, labels and fields that fit, and nothing of a person."""

from __future__ import annotations

import datetime as dt
import json

import edfio
import example_results
import mne
import numpy as np
import pandas as pd
import pyedflib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eegflex
from eegflex import Bands
from eegflex.errors import EegflexError, OutputError, ParameterError
from eegflex.readers import describe_psg
from eegflex.results.edf_tracks import FORMATS, exponent_of, labels_of_tracks, limit_of, pieces
from eegflex.results.export_methods import NOT_HERE
from eegflex.results.result import FlexResult
from eegflex.results.tracks import Seconds, Track, attribution_tracks

READERS = {
    ".edf": (mne.io.read_raw_edf, edfio.read_edf),
    ".bdf": (mne.io.read_raw_bdf, edfio.read_bdf),
}


@pytest.fixture(scope="module")
def result():
    return example_results.explain(example_results.make_epochs(), views=("time-frequency",))


def of_tracks(result):
    data = result.for_target().data
    every = np.ones(data.sizes["channel"], dtype=bool)
    return [track.values for track in attribution_tracks(Seconds(data, Bands(), every))]


def limits(path):
    with pyedflib.EdfReader(str(path)) as file:
        return np.array([file.getPhysicalMaximum(k) for k in range(file.signals_in_file)])


@pytest.mark.parametrize("suffix", READERS)
def test_every_reader_has_the_values_of_the_result_to_half_a_step(result, suffix, tmp_path):
    path = result.export_edf(tmp_path / f"tracks{suffix}")
    wanted = np.array(of_tracks(result))
    step = limits(path)[: len(wanted), None] / FORMATS[suffix][1]
    assert (step * FORMATS[suffix][1] <= 1.2 * np.abs(wanted).max(axis=1, keepdims=True)).all()
    by_mne, by_edfio = READERS[suffix]
    raw = by_mne(path, preload=True, verbose="error")
    assert (raw.info["sfreq"], raw.n_times) == (1.0, 300)
    other = by_edfio(path)
    with pyedflib.EdfReader(str(path)) as file:
        read = {
            "mne": raw.get_data()[: len(wanted)],
            "edfio": np.array([one.data for one in other.signals[: len(wanted)]]),
            "pyedflib": np.array([file.readSignal(k) for k in range(len(wanted))]),
        }
        assert [one.label for one in other.signals] == file.getSignalLabels() == raw.ch_names
    for values in read.values():
        assert (np.abs(values - wanted) <= step / 2 * (1 + 1e-6)).all()


def test_what_the_steps_lose_is_far_below_the_error_of_the_result(result, tmp_path):
    raw = mne.io.read_raw_edf(result.export_edf(tmp_path / "tracks.edf"), preload=True, verbose="error")
    table = result.to_data_frame()
    table = table[table["band"].isin(list(Bands()))]
    read = raw.get_data()[:36].reshape(6, 6, 10, 30).sum(axis=-1)[:, :5].transpose(2, 0, 1).ravel()
    off = np.abs(read - table["attribution"].to_numpy())
    assert (off < 0.05 * table["error"].to_numpy()).all()


def test_an_export_is_told_apart_from_a_recording_and_from_a_hypnogram(result, tmp_path):
    path = result.export_edf(tmp_path / "tracks.edf")
    with pytest.raises(EegflexError):
        eegflex.read_psg(path, verbose="error")
    assert not [one for one in describe_psg(path).signals if one.kind in ("eeg", "eog", "emg", "ecg")]
    with pytest.raises(EegflexError):
        eegflex.read_hypnogram(path)


def test_the_header_says_what_it_is_and_nothing_of_a_person(result, tmp_path):
    data = result.to_xarray()
    notes = json.loads(data.attrs["provenance"]) | {"warnings": ["'Jane Roe, born 1.2.1950'"], "source": "roe.edf"}
    data.attrs["provenance"] = json.dumps(notes)
    path = FlexResult(data).export_edf(tmp_path / "tracks.edf")
    content = path.read_bytes()
    assert b"Roe" not in content
    assert b"roe" not in content
    head = content[:256].decode("ascii")
    assert head[8:88].split() == ["X", "X", "X", "X"]
    assert head[88:168].split() == [
        "Startdate",
        "01-JAN-1985",
        "X",
        "X",
        f"eegflex_{eegflex.__version__}",
        "attribution_tracks",
    ]
    assert head[168:184] == "01.01.8500.00.00"
    assert head[192:197] == "EDF+C"
    with pyedflib.EdfReader(str(path)) as file:
        assert file.getTransducer(3) == "attribution, F3-M2, sigma 12-16 Hz"
        assert file.getPrefilter(3) == "per s, by the time-frequency view; 0: none known"
        assert file.getPhysicalDimension(3) == "logP/s"
        dimensions = [file.getPhysicalDimension(k) for k in range(36, file.signals_in_file)]
    assert dimensions == ["share", "stage", "stage", *["share"] * 5]


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ("2021-03-04T22:10:05", dt.datetime(2021, 3, 4, 22, 10, 5)),
        (dt.datetime(2021, 3, 4, 22, 10, 4, 900_000, tzinfo=dt.UTC), dt.datetime(2021, 3, 4, 22, 10, 5)),
    ],
)
def test_the_start_is_told_where_it_is_given(result, given, start, tmp_path):
    path = result.export_edf(tmp_path / "tracks.edf", meas_date=given)
    assert mne.io.read_raw_edf(path, verbose="error").info["meas_date"].replace(tzinfo=None) == start


def test_the_start_is_that_of_the_recording_where_that_is_given(result, tmp_path):
    night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save(tmp_path / "night.edf")
    began = mne.io.read_raw_edf(night.psg, verbose="error").info["meas_date"]
    for recording in (night.psg, str(night.psg)):
        path = result.export_edf(tmp_path / "tracks.edf", meas_date=recording, overwrite=True)
        assert mne.io.read_raw_edf(path, verbose="error").info["meas_date"] == began


def test_a_recording_that_does_not_say_when_it_began_is_refused(result, tmp_path):
    undated = result.export_edf(tmp_path / "undated.edf")
    for recording, said in (
        (undated, "does not say when"),
        (tmp_path / "none.edf", "no such recording"),
        (__file__, "meas_date"),
    ):
        with pytest.raises(EegflexError, match=said):
            result.export_edf(tmp_path / "tracks.edf", meas_date=recording)
    assert not (tmp_path / "tracks.edf").exists()


@pytest.mark.parametrize("given", ["yesterday", "1970-01-01", dt.datetime(2100, 1, 1), 5, "12:00"])
def test_a_start_that_is_none_is_refused(result, given, tmp_path):
    with pytest.raises(ParameterError, match="meas_date"):
        result.export_edf(tmp_path / "tracks.edf", meas_date=given)
    assert not list(tmp_path.iterdir())


def test_it_lies_on_the_recording(tmp_path):
    night = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    recording = night.save(tmp_path / "night.edf")
    epochs = eegflex.make_epochs(
        eegflex.read_psg(recording.psg, hypnogram=recording.hypnogram, verbose="error"), verbose="error"
    )
    result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, spectral_share=0, verbose="error")
    psg = mne.io.read_raw_edf(recording.psg, preload=True, verbose="error")
    path = result.export_edf(tmp_path / "t.edf", picks="eeg", meas_date=psg.info["meas_date"])
    tracks = mne.io.read_raw_edf(path, preload=True, verbose="error")
    assert tracks.n_times == psg.n_times / psg.info["sfreq"]
    psg.set_annotations(tracks.annotations)
    np.testing.assert_allclose(psg.annotations.onset, tracks.annotations.onset, atol=1e-6)
    # as the documentation says it
    seconds = mne.io.RawArray(
        np.repeat(tracks.get_data(), int(psg.info["sfreq"]), axis=1),
        mne.create_info(tracks.ch_names, psg.info["sfreq"], "misc"),
        verbose="error",
    )
    seconds.set_meas_date(psg.info["meas_date"])
    psg.add_channels([seconds], force_update_info=True)
    sigma = psg.get_data("C3-M2 sigma")[0].reshape(-1, int(psg.info["sfreq"]))
    assert (sigma == tracks.get_data("C3-M2 sigma").T).all()
    psg.set_annotations(result.to_annotations(), on_missing="ignore")


def test_annotations_are_those_of_the_result_and_what_is_not_explained(result, tmp_path):
    part = result[[0, 1, 5]]
    read = mne.io.read_raw_edf(part.export_edf(tmp_path / "tracks.edf", n_review=2), verbose="error").annotations
    away = [(one["onset"], one["duration"]) for one in read if one["description"] == NOT_HERE["all"]]
    assert away == [(60.0, 90.0), (180.0, 120.0)]
    wanted = part.to_annotations(n_review=2)
    assert [(one["onset"], piece) for one in wanted for piece in pieces(one["description"])] == [
        (one["onset"], one["description"]) for one in read if one["description"] != NOT_HERE["all"]
    ]


def test_targets_of_a_result_of_all_stages(tmp_path):
    result = example_results.make_result(target="all")
    n2, margin, own = (np.array(of_tracks(result.for_target(target))) for target in ("N2", ("N2", "N1"), None))
    for target, wanted in (("N2", n2), (("N2", "N1"), margin), (None, own)):
        path = result.export_edf(tmp_path / "tracks.edf", target=target, overwrite=True)
        read = mne.io.read_raw_edf(path, preload=True, verbose="error").get_data()[: len(wanted)]
        np.testing.assert_allclose(read, wanted, atol=np.abs(wanted).max() / 30_000)
    assert not np.allclose(n2, own)
    with pyedflib.EdfReader(str(result.export_edf(tmp_path / "n2.edf", target="N2"))) as file:
        assert file.getTransducer(0) == "attribution to N2, F3-M2, delta 0.5-4 Hz"
    with pytest.raises(ParameterError, match="one target"):
        result.export_edf(tmp_path / "all.edf", target="all")


def test_several_recordings_are_refused_or_chosen_from(result, tmp_path):
    other = example_results.explain(example_results.make_epochs(seed=1), views=("time-frequency",))
    both = eegflex.concatenate_results([result, other], recordings=["a", "b"])
    with pytest.raises(ParameterError, match="of one recording, and this result holds 2"):
        both.export_edf(tmp_path / "tracks.edf")
    with pytest.raises(ParameterError, match="of one recording"):
        both.to_annotations()
    one = both.export_edf(tmp_path / "b.edf", recording="b").read_bytes()
    assert one == other.export_edf(tmp_path / "own.edf").read_bytes()


def test_files_are_whole_or_not_there_and_replaced_only_on_demand(result, tmp_path, monkeypatch):
    path = tmp_path / "tracks.edf"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        result.export_edf(path)
    with pytest.raises(ParameterError, match="suffix"):
        result.export_edf(tmp_path / "tracks.csv")
    monkeypatch.setattr(pyedflib.EdfWriter, "blockWriteDigitalSamples", lambda *_: -1)
    with pytest.raises(OutputError, match="could not be written"):
        result.export_edf(path, overwrite=True)
    monkeypatch.undo()
    monkeypatch.setattr(pyedflib.EdfWriter, "blockWriteDigitalSamples", stop)
    with pytest.raises(KeyboardInterrupt):
        result.export_edf(path, overwrite=True)
    assert path.read_bytes() == b"mine"
    assert [one.name for one in tmp_path.iterdir()] == ["tracks.edf"]
    monkeypatch.undo()
    assert result.export_edf(path, overwrite=True) == path
    assert path.read_bytes()[:1] == b"0"


def stop(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_recording_is_never_replaced(result, suffix, tmp_path):
    path = tmp_path / f"night{suffix}"
    kind = {".edf": pyedflib.FILETYPE_EDFPLUS, ".bdf": pyedflib.FILETYPE_BDFPLUS}[suffix]
    with pyedflib.EdfWriter(str(path), 1, file_type=kind) as writer:
        writer.setSignalHeaders([{"label": "C3", "dimension": "uV", "sample_frequency": 10}])
        writer.writeSamples([np.zeros(100)])
    was = path.read_bytes()
    with pytest.raises(OutputError, match="A recording of this name is there"):
        result.export_edf(path, overwrite=True)
    assert path.read_bytes() == was


def made(names, values=None):
    return [Track(channel, name, np.zeros(2) if values is None else values, "about", "how") for channel, name in names]


def test_labels_as_documented():
    names = [("C4-M1", "sigma"), ("E1-M2 (with C3-M2)", "sigma"), ("E1-M2 (with C3-M2)", "all"), ("", "P N2")]
    assert labels_of_tracks(made(names)) == ["C4-M1 sigma", "E1-M2/C3-M sigma", "E1-M2/C3-M all", "P N2"]
    accents = [("Électrode Élargie 1", "sigma"), ("Électrode Élargie 2", "sigma"), ("脳波", "sigma"), ("", "wide")]
    assert labels_of_tracks(made(accents)) == ["Electrode sigma", "Electrod~2 sigma", "__ sigma", "wide"]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), min_size=1, max_size=40))
def test_labels_fit_and_no_two_are_alike(names):
    labels = labels_of_tracks(made(names))
    assert len({label.casefold() for label in labels}) == len(names)
    for label in labels:
        assert 0 < len(label) <= 16
        assert label.isascii()
        assert label.isprintable()
        assert label == label.strip()
        assert "annotations" not in label.casefold() or label.casefold() not in ("edf annotations", "bdf annotations")


@settings(max_examples=300)
@given(st.floats(1e-300, 1e300))
def test_limits_fit_into_their_fields_and_waste_little(peak):
    exponent = exponent_of(peak)
    scaled = peak / 10.0**exponent
    assert exponent % 3 == 0
    assert exponent == 0 or not 1e-2 <= peak < 9e6
    limit = limit_of(scaled)
    assert scaled * (1 - 1e-6) <= limit <= 1.2 * scaled + 1e-5
    for places in range(6):  # as the library writes it
        if round(limit, places) == limit:
            assert len(f"-{limit:.{places}f}") <= 8
            break
    else:
        pytest.fail("more than five places")
    assert len(f"1e{exponent}/s") <= 8


@settings(max_examples=25)
@given(exponent=st.integers(-40, 40), seed=st.integers(0, 1000))
def test_values_of_any_size_are_read_back(exponent, seed, tmp_path_factory):
    from eegflex.results.edf_tracks import write_tracks

    rng = np.random.default_rng(seed)
    values = rng.standard_normal((3, 20)) * 10.0**exponent * np.array([[1.0], [1e-2], [0.0]])
    tracks = [Track("C3", f"b{k}", own, "about", "how") for k, own in enumerate(values)]
    path = tmp_path_factory.mktemp("any") / "t.edf"
    nothing = mne.Annotations([], [], [])
    write_tracks(path, tracks, nothing, unit="logit", start=dt.datetime(1985, 1, 1))
    with pyedflib.EdfReader(str(path)) as file:
        unit = file.getPhysicalDimension(0)
        scale = 1.0 if unit == "logit/s" else float(unit.removesuffix("/s"))
        read = np.array([file.readSignal(k) for k in range(3)]) * scale
    assert (np.abs(read - values).max(axis=1) <= np.abs(values).max(axis=1) / 50_000).all()


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200))
def test_pieces_of_an_annotation_fit_and_lose_no_word(text):
    found = pieces(text)
    assert all(0 < len(piece.encode()) <= 40 for piece in found)
    assert all(piece.startswith("... ") for piece in found[1:])
    if len(text.encode()) > 40:
        whole = "".join([*found[:1], *(piece[4:] for piece in found[1:])])
        assert "".join(whole.split()) == "".join(text.replace("; ", " ").split())


def test_a_long_annotation_is_told_in_parts():
    text = "review 1: scored N1, the model says N2; 3 of 6 channel sets say W; between N2"
    assert pieces(text) == ["review 1: scored N1, the model says N2", "... 3 of 6 channel sets say W", "... between N2"]
    assert pieces("against REM: sigma at E1-E2 -0.0406 of -0.0935") == [
        "against REM: sigma at E1-E2",
        "... -0.0406 of -0.0935",
    ]


def many(n_channels):
    names = [f"E{k + 1}" for k in range(n_channels)]
    epochs = example_results.make_epochs(names, positions=False, n_epochs=3)
    return example_results.explain(epochs)


def test_64_channels_of_5_bands_fit_and_too_many_are_refused(tmp_path):
    result = many(64)
    path = result.export_edf(tmp_path / "tracks.edf")
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    assert len(raw.ch_names) == 64 * 6 + 8
    assert len(edfio.read_edf(path).signals) == 64 * 6 + 8
    narrow = {f"b{k}": (k, k + 1) for k in range(1, 12)}
    with pytest.raises(ParameterError, match="does not hold so many tracks"):
        result.export_edf(tmp_path / "more.edf", bands=narrow)
    assert not (tmp_path / "more.edf").exists()
    result.export_edf(tmp_path / "more.edf", bands=narrow, picks=["E1", "E64"])
    assert mne.io.read_raw_edf(tmp_path / "more.edf", verbose="error").ch_names[12:14] == ["E64 b1", "E64 b2"]


def test_more_annotations_than_seconds_are_all_written(result, tmp_path):
    part = result[:1]
    table = pd.DataFrame(
        {
            "number": int(part.data["number"].values[0]), "channel_set": str(part.data["channel_set"].values[0]),
            "stage": "W", "kind": "alpha", "channel": "F3-M2", "time": np.linspace(0, 29, 1000), "duration": 0.5, "share": 0.01,
        }
    )  # fmt: skip
    path = part.export_edf(tmp_path / "tracks.edf", carried=table, n_review=0)
    read = mne.io.read_raw_edf(path, verbose="error").annotations
    assert sum(one["description"] == "W: alpha at F3-M2 carries 1 %" for one in read) == 1000


@pytest.mark.slow
def test_only_what_is_trusted_is_told_where_that_is_asked_for(tmp_path):
    psg = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    explained = eegflex.attribute_epochs(night, sample_per_stage=3, verbose="error")
    result = eegflex.evaluate(explained, night, parts="one by one", verbose="error").result
    trusted = result.trust().query("verdict == 'trusted'")["onset"].to_numpy()
    every = result.data["onset"].values
    assert 0 < len(trusted) < len(every)
    read = {}
    for trust in ("all", "trusted"):
        path = result.export_edf(tmp_path / f"{trust}.edf", trust=trust)
        raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
        there = raw.get_data("explained")[0].reshape(-1, 30).all(axis=1)
        assert (30.0 * np.flatnonzero(there)).tolist() == sorted(every if trust == "all" else trusted)
        assert (raw.get_data("trusted")[0].sum() / 30) == len(trusted)
        assert NOT_HERE[trust] in raw.annotations.description
        read[trust] = raw.get_data("C3-M2 delta")[0]
    seconds = np.isin(np.arange(len(read["all"])) // 30 * 30, trusted)
    np.testing.assert_allclose(read["trusted"][seconds], read["all"][seconds], atol=np.abs(read["all"]).max() / 30_000)
    assert not read["trusted"][~seconds].any()
    assert read["all"][~seconds].any()
    with pytest.raises(ParameterError, match="trust"):
        result.export_edf(tmp_path / "no.edf", trust="mine")
