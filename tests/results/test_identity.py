"""Theorems about whose a result is: nothing that is written says it, and a recording has one name whatever is done with it."""

from __future__ import annotations

import datetime as dt
import io
import logging
import re
import shutil

import example_results
import h5py
import mne
import numpy as np
import pytest
import scipy.io
from safetensors.torch import save_file

import eegflex
from eegflex import cli
from eegflex.errors import ParameterError
from eegflex.readers.notes import ReadingNotes, get_notes, put_notes
from eegflex.results.identity import without_texts

#: A string for each place that a person may be named in.
CANARIES = {
    place: f"qz{place}7"
    for place in (
        "patient", "recording", "transducer", "prefilter", "reserved", "note", "turning", "lights", "file", "folder", "hypno",
        "model", "wide",
    )
}  # fmt: skip
DATE, BORN = "14.03.32", "07-JUL-1931"
N_EPOCHS = 60
STAGES = ["W"] * 12 + ["N1"] * 12 + ["N2"] * 12 + ["N3"] * 12 + ["R"] * 12


def texts(*rows):
    """Annotations of one record, as EDF+ has them."""
    return b"".join(f"{onset:+g}\x15{length:g}\x14{text}\x14\x00".encode() for onset, length, text in rows)


def edf(path, signals, annotations, *, patient="X X X X", recording="Startdate X X X X", n_records=N_EPOCHS):
    """An EDF+ file of 30-s records: signals of 128 Hz, and one list of annotations for each record."""
    n_signals, n_times, n_bytes = len(signals) + 1, 30 * 128, 120
    columns = {
        16: [*signals, "EDF Annotations"], 80: [CANARIES["transducer"]] * len(signals) + [""],
        8: ["uV"] * len(signals) + [""], 81: ["-3276.8"] * len(signals) + ["-1"], 82: ["3276.7"] * len(signals) + ["1"],
        83: ["-32768"] * n_signals, 84: ["32767"] * n_signals, 85: [f"HP:{CANARIES['prefilter']}"] * len(signals) + [""],
        86: [str(n_times)] * len(signals) + [str(n_bytes // 2)], 87: [CANARIES["reserved"]] * len(signals) + [""],
    }  # fmt: skip
    widths = {81: 8, 82: 8, 83: 8, 84: 8, 85: 80, 86: 8, 87: 32}
    head = "".join(
        text.ljust(width)
        for text, width in (
            ("0", 8), (patient, 80), (recording, 80), (DATE, 8), ("22.10.30", 8), (str(256 * (n_signals + 1)), 8),
            ("EDF+C", 44), (str(n_records), 8), ("30", 8), (str(n_signals), 4),
        )
    )  # fmt: skip
    head += "".join(text.ljust(widths.get(width, width)) for width, own in columns.items() for text in own)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(head.encode("latin-1"))
        for record in range(n_records):
            for _ in signals:
                file.write(rng.integers(-400, 400, n_times).astype("<i2").tobytes())
            times = f"{30 * record:+d}\x14\x14\x00".encode() + annotations.get(record, b"")
            file.write(times.ljust(n_bytes, b"\x00"))
    return path


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night whose every free text, name of file and folder is a canary."""
    folder = tmp_path_factory.mktemp("nights") / CANARIES["folder"]
    folder.mkdir()
    notes = {1: texts((31, 0, CANARIES["note"])), 5: texts((160, 4, f"{CANARIES['note']} bathroom"))}
    psg = edf(
        folder / f"{CANARIES['file']}.edf",
        ["C3-M2", "C4-M1", "E1-M2", "E2-M2", "EMG Chin"],
        notes,
        patient=f"{CANARIES['patient']} F {BORN} Anna",
        recording=f"Startdate 14-MAR-2032 {CANARIES['recording']} tech dev",
    )
    stages = {record: texts((30 * record, 30, f"Sleep stage {stage}")) for record, stage in enumerate(STAGES)}
    stages[0] += texts((2, 0, f"Lights {CANARIES['lights']}"))
    stages[20] = texts((600, 30, CANARIES["turning"]))  # as long as an epoch, and in the place of one
    hypnogram = edf(folder / f"{CANARIES['hypno']}.edf", [], stages, patient=f"{CANARIES['patient']} F X Anna")
    model = tmp_path_factory.mktemp("models") / CANARIES["model"]
    model.mkdir()
    network = {name: weights.contiguous() for name, weights in example_results.TinyStager(2).state_dict().items()}
    save_file(network, model / "weights.safetensors")
    (model / "spec.toml").write_text(
        '[[input.channels]]\nname = "eeg"\ntypes = ["eeg"]\n[output]\nscores = "log_probs"\n[model]\nname = "tiny"\n'
        'file = "weights.safetensors"\nclass = "example_results:TinyStager"\nkwargs = { n_channels = 2 }\n'
    )
    return psg, hypnogram, model


@pytest.fixture
def log():
    """What is written into the log of MNE."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    mne.utils.logger.addHandler(handler)
    yield stream
    mne.utils.logger.removeHandler(handler)


def held(path):
    """All bytes of a file, compressed ones too."""
    content = path.read_bytes()
    if path.suffix == ".nc":
        parts = []
        with h5py.File(path) as file:
            file.visititems(lambda name, one: parts.append(f"{name} {dict(one.attrs)}"))
            parts.append(str(dict(file.attrs)))
            parts += [str(one[()].tolist()) for one in file.values() if one.dtype.kind == "O"]
        content += "\n".join(parts).encode()
    return content.decode("latin-1")


@pytest.mark.slow
@pytest.mark.parametrize("label", [None, "sub-01"])
def test_no_canary_leaves(night, label, tmp_path, capsys, log, monkeypatch):
    psg, hypnogram, model = night
    monkeypatch.chdir(tmp_path)
    asked = [psg, "--hypnogram", hypnogram, "--model", model, "--trusted", "--on-check", "ignore"]
    more = ["--sample-per-stage", 1, *(() if label is None else ("--label", label))]
    runs = [["stage", *asked[:-2], "-o", f"s.{suffix}"] for suffix in ("csv", "edf", "tsv")]
    runs += [["attribute", *asked, *more, "-o", "r.nc"], ["report", "r.nc", "-o", "r.html"]]
    runs += [["report", *asked, *more, "-o", "other.html"]]
    for words in runs:
        assert cli.main([str(word) for word in words]) == 0
    written = {path.name: held(path) for path in tmp_path.iterdir()}
    assert set(written) == {"s.csv", "s.edf", "s.tsv", "r.nc", "r.html", "other.html"}
    for name, content in written.items():
        assert [canary for canary in CANARIES.values() if canary in content] == [], name
        assert BORN not in content
    for name in ("r.nc", "r.html", "other.html"):
        assert not re.search(r"2032|14[.-]0?3[.-]32|14-MAR|22[:.]10[:.]30", written[name], re.IGNORECASE), name
        assert (label or "recording ") in written[name]
    # The log is the user's own: it names files as they were typed, and the one label to be looked at.
    out, err = capsys.readouterr()
    said = (out + err + log.getvalue()).replace(psg.name, "").replace(hypnogram.name, "")
    assert "tiny" in said
    assert {canary for canary in CANARIES.values() if canary in said} <= {CANARIES["turning"]}
    result = eegflex.read_result("r.nc")
    assert any("'…' (once between the stages)" in warning for warning in result.provenance["warnings"])
    assert result.recordings == ((label,) if label else (f"recording {result.provenance['recording_sha256'][:8]}",))


@pytest.mark.slow
def test_texts_of_an_mne_recording_do_not_leave_either(tmp_path):
    info = mne.create_info(["C3", "C4"], 64.0, "eeg")
    raw = mne.io.RawArray(1e-5 * np.random.default_rng(0).standard_normal((2, 64 * 30 * 12)), info, verbose="error")
    raw.set_meas_date(dt.datetime(2032, 3, 14, 22, 10, 30, tzinfo=dt.UTC))
    raw.info["subject_info"] = {"his_id": CANARIES["patient"], "last_name": CANARIES["recording"]}
    raw.info["description"], raw.info["experimenter"] = CANARIES["note"], CANARIES["wide"]
    raw.set_annotations(mne.Annotations([3.0, 50.0], [0, 30], [CANARIES["lights"], CANARIES["turning"]]))
    folder = tmp_path / CANARIES["folder"]
    folder.mkdir()
    fname = folder / f"{CANARIES['file']}_raw.fif"
    raw.save(fname, verbose="error")
    made = {
        "by our reader": eegflex.make_epochs(eegflex.read_psg(fname, verbose="error"), verbose="error"),
        "by MNE": eegflex.make_epochs(mne.io.read_raw_fif(fname, verbose="error"), verbose="error"),
    }
    for name, epochs in made.items():
        night = eegflex.stage_epochs(epochs, example_results.TinyStager(2), verbose="error")
        result = eegflex.attribute_epochs(night, sample_per_stage=1, on_check="ignore", verbose="error")
        content = held(result.save(tmp_path / f"{name}.nc"))
        for suffix in ("csv", "edf", "tsv"):
            content += held(night.save(tmp_path / f"{name}.{suffix}"))
        eegflex.make_report(result, verbose="error").save(tmp_path / f"{name}.html")
        content += held(tmp_path / f"{name}.html")
        assert [canary for canary in CANARIES.values() if canary in content] == [], name


@pytest.mark.parametrize(
    ("warning", "left"),
    [
        (
            "'Anna' (3 times 30 s between the stages) is treated as an event",
            "'…' (3 times 30 s between the stages) is treated as an event",
        ),
        ("'it\\'s \"Anna\"' and \"O'Brien\" twice", "'…' and '…' twice"),
        ("MNE warns: 'Anna was cut off in the mid", "MNE warns: '…'"),
        ("a file that begins b'Anna'", "a file that begins '…'"),
        ("'two\\nlines of\nAnna' are there", "'…' are there"),
        ("labels=['Anna', \"Anna\"]", "labels=['…', '…']"),
        (
            "the header gives two dates, 1962-03-14 and 2032-03-14; the second is used",
            "two dates, a date and a date; the",
        ),
        ("the stage codes are read as 'rk' (4 = N3, 5 = REM)", "read as 'rk' (4 = N3, 5 = REM)"),
        ("the recording's own stages' times", "the recording's own stages' times"),
        ("C4-M1: 4 of 10 samples are at its limits", "C4-M1: 4 of 10 samples are at its limits"),
    ],
)
def test_a_warning_keeps_counts_and_places(warning, left):
    assert left in without_texts(warning)
    assert "Anna" not in without_texts(warning)


def test_whatever_a_text_is_nothing_of_it_remains():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        text = "".join(rng.choice(list("ab'\"\\\n\t é()0"), 12)) + "Anna" + "".join(rng.choice(list("ab'\"\\\n "), 5))
        for written in (repr(text), repr(text)[:15], ascii(text), repr(text.encode())):
            assert "Anna" not in without_texts(f"the label {written}")


# Names


def sha(path, **options):
    return get_notes(eegflex.read_psg(path, verbose="error", **options).info).content


def test_a_recording_and_its_anonymised_copy_have_one_name(night, tmp_path):
    psg, hypnogram, _ = night
    own = sha(psg)
    assert re.fullmatch("[0-9a-f]{64}", own)
    assert sha(psg, hypnogram=hypnogram) == sha(psg, channels=["C4-M1"]) == own
    named = shutil.copy(psg, tmp_path / "other.edf")
    content = bytearray(named.read_bytes())
    content[8:88] = b"X X X X".ljust(80)  # patient
    content[88:168] = b"Startdate X X X X".ljust(80)
    content[168:176] = b"01.01.85"
    for canary in CANARIES.values():
        while (place := content.find(canary.encode())) >= 0:
            content[place : place + len(canary)] = b"x" * len(canary)
    named.write_bytes(content)
    assert sha(named) == own


@pytest.mark.parametrize("place", [0, 1000, -2000])
def test_another_sample_is_another_recording(night, place, tmp_path):
    psg, _, _ = night
    content = bytearray(psg.read_bytes())
    header, annotations = 256 * 7, 120
    at = header + 1000 + place if place >= 0 else len(content) - annotations + place
    content[at] ^= 1
    other = tmp_path / psg.name
    other.write_bytes(content)
    assert sha(other) != sha(psg)


def test_one_recording_has_one_name_whatever_model_explains_it():
    epochs = example_results.make_epochs(n_epochs=5)
    first, second = (
        example_results.explain(epochs.copy().pick(names), target=target)
        for names, target in ((epochs.ch_names, "N2"), (epochs.ch_names, "predicted"))
    )
    known = eegflex.attribute_epochs(epochs, example_results.TinyStager(1), picks=["C3-M2"], verbose="error")
    assert first.recordings == second.recordings == known.recordings
    assert first.provenance["input_sha256"] != known.provenance["input_sha256"]
    assert example_results.explain(example_results.make_epochs(n_epochs=5, seed=1)).recordings != first.recordings


def fif(path, raw):
    raw.save(path.with_name(f"{path.name}_raw.fif"), verbose="error")
    return path.with_name(f"{path.name}_raw.fif")


def epochs_fif(path, raw):
    fname = path.with_name(f"{path.name}-epo.fif")
    mne.make_fixed_length_epochs(raw, 30, verbose="error").save(fname, verbose="error")
    return fname


def brainvision(path, raw):
    (raw.get_data().T * 1e7).astype("<i2").tofile(path.with_suffix(".eeg"))
    path.with_suffix(".vmrk").write_text("Brain Vision Data Exchange Marker File, Version 1.0\n[Marker Infos]\n")
    path.with_suffix(".vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels=2\nSamplingInterval=15625\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
        "Ch1=C3,,0.1,µV\nCh2=C4,,0.1,µV\n",
        encoding="utf-8",
    )
    return path.with_suffix(".vhdr")


def eeglab(path, raw):
    places = np.array([(name, "EEG") for name in raw.ch_names], dtype=[("labels", object), ("type", object)])
    data = raw.get_data() * 1e6
    eeg = {"data": data, "nbchan": 2, "pnts": data.shape[1], "trials": 1, "srate": 64.0, "xmin": 0.0, "chanlocs": places,
           "event": np.array([]), "epoch": np.array([]), "icawinv": np.array([]), "icaweights": np.array([]),
           "icasphere": np.array([]), "ref": "common"}  # fmt: skip
    scipy.io.savemat(path.with_suffix(".set"), {"EEG": eeg}, appendmat=False)
    return path.with_suffix(".set")


@pytest.mark.parametrize("write", [fif, epochs_fif, brainvision, eeglab])
def test_every_format_has_a_name(write, tmp_path):
    names = []
    for seed in (0, 0, 1):
        data = 1e-5 * np.random.default_rng(seed).standard_normal((2, 64 * 60))
        raw = mne.io.RawArray(data, mne.create_info(["C3", "C4"], 64.0, "eeg"), verbose="error")
        names.append(sha(write(tmp_path / f"night{len(names)}", raw)))
    assert names[0] == names[1] != names[2]


def test_epochs_that_are_not_loaded_have_the_name_of_their_samples():
    data = 1e-5 * np.random.default_rng(0).standard_normal((2, 64 * 90))
    raw = mne.io.RawArray(data, mne.create_info(["C3", "C4"], 64.0, "eeg"), verbose="error")
    lazy = mne.make_fixed_length_epochs(raw, 30, verbose="error")
    loaded = lazy.copy().load_data()
    assert example_results.explain(lazy).recordings == example_results.explain(loaded).recordings
    assert not lazy.preload


def test_a_label_is_what_the_recording_is_called(tmp_path):
    epochs = example_results.make_epochs(n_epochs=5)
    result = example_results.explain(epochs, label="sub-01")
    assert result.recordings == ("sub-01",)
    assert set(result.to_data_frame()["recording"]) == {"sub-01"}
    assert result.plot_night(show=False).get_suptitle().startswith("tiny on sub-01")
    assert example_results.explain(epochs).plot_night(show=False).get_suptitle().startswith("tiny")
    assert "label" not in result.parameters
    assert result.provenance["recording_sha256"] == example_results.explain(epochs).provenance["recording_sha256"]


def test_the_name_of_the_file_is_given_to_who_asks_for_it(night, tmp_path):
    epochs = eegflex.make_epochs(eegflex.read_psg(night[0], verbose="error"), verbose="error")
    asked = {"sample_per_stage": 1, "on_check": "ignore", "verbose": "error"}
    result = eegflex.attribute_epochs(epochs, "bandpower", label="file", **asked)
    assert result.recordings == (night[0].name,)
    staged = eegflex.stage_epochs(epochs, "bandpower", verbose="error")
    assert eegflex.attribute_epochs(staged, label="file", **asked).recordings == (night[0].name,)
    made = example_results.make_epochs(n_epochs=5)
    with pytest.raises(ParameterError, match="not known of these epochs"):
        example_results.explain(made, label="file")
    made.metadata = None
    made.save(tmp_path / "made-epo.fif", verbose="error")
    read = mne.read_epochs(tmp_path / "made-epo.fif", verbose="error")
    assert example_results.explain(read, label="file").recordings == ("made-epo.fif",)


def test_what_the_reader_noted_as_a_warning_is_told_without_its_texts():
    epochs = example_results.make_epochs(n_epochs=5)
    put_notes(epochs.info, ReadingNotes("anna.edf", "EDF", start_date="1962-03-14", warnings=["'Anna' twice", "a gap"]))
    told = example_results.explain(epochs).provenance
    assert told["warnings"] == ["'…' twice", "a gap"]
    assert "anna" not in str(told).casefold()
    assert "1962" not in str(told)
