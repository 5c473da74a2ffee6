"""The command line: what it writes, what it says of bad input, and the status that it leaves with."""

import dataclasses
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

import eegflex
import eegflex.readers
from eegflex import cli
from eegflex.doctor.registry import CHECKS
from eegflex.output_settings import ReportSettings
from eegflex.settings import StagingSettings

COMMANDS = (
    "info",
    "stage",
    "check",
    "attribute",
    "report",
    "simulate",
    "datasets",
    "specs",
    "demo",
    "evaluate",
    "export",
    "cohort",
)
QUICK = ("--model", "bandpower", "--sample-per-stage", "1", "--quadrature", "gauss-legendre", "--n-steps", "4")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A simulated night on disk: psg, hypnogram and events."""
    night = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    return night.save(tmp_path_factory.mktemp("night") / "night.edf")


@pytest.fixture(scope="module")
def result_file(night, tmp_path_factory):
    output = tmp_path_factory.mktemp("result") / "r.nc"
    assert (
        cli.main(["-q", "attribute", str(night.psg), *QUICK, "--hypnogram", str(night.hypnogram), "-o", str(output)])
        == 0
    )
    return output


def run(capsys, *arguments):
    capsys.readouterr()
    status = cli.main([str(word) for word in arguments])
    return status, *capsys.readouterr()


def test_help_names_every_command(capsys):
    status, out, err = run(capsys, "--help")
    assert (status, err) == (0, "")
    assert all(re.search(rf"^ +{name} ", out, re.MULTILINE) for name in COMMANDS)
    assert set(typer.main.get_command(cli.app).commands) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_its_options(command, capsys):
    status, out, err = run(capsys, command, "--help")
    assert (status, err) == (0, "")
    options = [opt for p in typer.main.get_command(cli.app).commands[command].params for opt in p.opts if opt[0] == "-"]
    assert options
    assert [option for option in options if option not in out] == []


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"eegflex {eegflex.__version__}\n", "")


def test_python_m_eegflex_is_the_same_program():
    done = subprocess.run([sys.executable, "-m", "eegflex", "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"eegflex {eegflex.__version__}\n", "")
    wrong = subprocess.run(
        [sys.executable, "-m", "eegflex", "info", "none.edf"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr


def test_info_shows_signals_and_stages(night, capsys):
    status, out, err = run(capsys, "info", night.psg, "--hypnogram", night.hypnogram)
    assert (status, err) == (0, "")
    for name, kind in night_channels(night):
        assert re.search(rf"^ *\d+ +{name} +{kind} .*\b128\b.*\buV\b", out, re.MULTILINE), name
    assert "0:12:00 (720 s)" in out
    assert "9 in the file, 9 picked" in out
    assert all(re.search(rf"\b{stage}\b", out) for stage in ("W", "N1", "N2", "N3", "REM"))


def night_channels(night):
    raw = eegflex.read_psg(night.psg, verbose="error")
    return list(zip(raw.ch_names, raw.get_channel_types(), strict=True))


def test_info_of_a_real_recording(real_psg, capsys):
    status, out, err = run(capsys, "info", real_psg)
    assert (status, err) == (0, "")
    picked, not_picked = out.split("Not picked")
    assert re.search(r"^ *\d+ +C3-M2 +eeg +C3 +200 +V +68\.6$", picked, re.MULTILINE)
    assert "Ohm" not in picked
    assert "Ohm" in not_picked
    assert str(real_psg.parent) not in out


def test_simulate_writes_what_it_says(tmp_path, capsys):
    path = tmp_path / "sim.edf"
    status, out, _ = run(capsys, "-q", "simulate", path, "--hours", 0.2, "--sfreq", 64, "--seed", 3)
    assert status == 0
    said = dict(line.split(": ", 1) for line in out.splitlines())
    assert set(said) == {"psg", "hypnogram", "events"}
    assert sorted(said.values()) == sorted(str(p) for p in tmp_path.iterdir())
    status, _, err = run(capsys, "-q", "simulate", path, "--hours", 0.2)
    assert status == 1
    assert "already exists" in err


def test_simulate_takes_electrodes_and_artifacts(tmp_path, capsys):
    path = tmp_path / "sim.edf"
    words = ("--hours", 0.2, "--sfreq", 128, "--electrodes", "Fz, Oz", "--artifacts", "line,pop", "--line-freq", 60)
    status, out, _ = run(capsys, "-q", "simulate", path, *words)
    assert status == 0
    events = pd.read_csv(dict(line.split(": ", 1) for line in out.splitlines())["events"], sep="\t", na_values="n/a")
    expected = eegflex.simulate_psg(
        hours=0.2, sfreq=128, electrodes=["Fz", "Oz"], artifacts=["line", "pop"], line_freq=60, verbose="error"
    )
    pd.testing.assert_frame_equal(events, expected.events, rtol=1e-5, check_dtype=False)


def test_simulate_has_the_knobs_of_the_function(tmp_path, capsys):
    knobs = {"spindle_density": 2, "spindle_amplitude": 0.5, "slow_wave_amplitude": 1.5, "alpha": 0}
    words = [word for name, value in knobs.items() for word in (f"--{name.replace('_', '-')}", value)]
    status, out, _ = run(capsys, "-q", "simulate", tmp_path / "sim.edf", "--hours", 0.2, "--sfreq", 64, *words)
    assert status == 0
    events = pd.read_csv(dict(line.split(": ", 1) for line in out.splitlines())["events"], sep="\t", na_values="n/a")
    expected = eegflex.simulate_psg(hours=0.2, sfreq=64, verbose="error", **knobs)
    pd.testing.assert_frame_equal(events, expected.events, rtol=1e-5, check_dtype=False)


def test_simulate_writes_bids_besides_or_instead(tmp_path, capsys):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    status, out, _ = run(
        capsys, "-q", "simulate", "--bids", tmp_path / "nights", "--subject", "07", "--hours", 0.2, "--sfreq", 64
    )
    assert status == 0
    assert out.strip() == f"bids: {tmp_path / 'nights' / 'sub-07' / 'eeg' / 'sub-07_task-sleep_eeg.edf'}"
    assert Path(out.strip().removeprefix("bids: ")).is_file()


def test_simulate_says_what_is_wrong(tmp_path, capsys):
    assert "night.edf" in refused(capsys, "simulate", "--hours", 0.2)
    assert "Got Xz" in refused(capsys, "simulate", tmp_path / "n.edf", "--electrodes", "Cz,Xz")
    assert "0 to 3" in refused(capsys, "simulate", tmp_path / "n.edf", "--spindle-density", 4)
    assert "line, ecg, sweat, movement, pop" in refused(capsys, "simulate", tmp_path / "n.edf", "--artifacts", "snore")
    assert not list(tmp_path.iterdir())


def test_attribute_writes_a_result(result_file):
    result = eegflex.read_result(result_file)
    assert result.model == "bandpower"
    assert result.is_sample
    assert set(result.counts().values()) == {1}
    assert set(result.to_data_frame()["stage"]) <= {*result.stages, "UNSCORED"}
    assert [p.name for p in result_file.parent.iterdir()] == [result_file.name]


@pytest.mark.slow
def test_report_of_a_result_is_one_html_file(result_file, tmp_path, capsys):
    path = tmp_path / "r.html"
    status, out, err = run(capsys, "report", result_file, "-o", path)
    assert (status, out, err) == (0, f"Report: {path}\n", "")
    html = path.read_text("utf-8")
    assert html.lstrip().lower().startswith("<!doctype html")
    assert "</html>" in html[-200:]
    assert "bandpower" in html
    assert str(result_file.parent) not in html
    assert str(tmp_path) not in html
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--model", "bandpower"), "--model"),
        (("--sample-per-stage", "2", "--seed", "3"), "--sample-per-stage, --seed"),
        (("--channels", "C3-M2"), "--channels"),
        (("--precision", "mean"), "--precision."),
        (("--target", "predicted"), "--target."),  # as by default, and said
        (("--resume", "other.nc"), "--resume"),
    ],
)
def test_what_only_a_recording_can_be_asked_is_not_ignored(words, named, result_file, tmp_path, capsys):
    status, _, err = run(capsys, "-q", "report", result_file, *words, "-o", tmp_path / "page.html")
    assert status == 1
    assert f"options are for a recording. Got {named}" in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_asked_the_same_in_the_shell_and_in_python():
    fields = {one.name: one.default for one in dataclasses.fields(ReportSettings)}
    of_python = inspect.signature(eegflex.make_report).parameters
    assert fields == {name: one.default for name, one in of_python.items() if name in fields}
    assert set(of_python) - set(fields) == {"result", "compare_with", "verbose"}
    options = {one.name: one.default for one in typer.main.get_command(cli.app).commands["report"].params}
    assert {name: options.get(name, "missing") for name in fields} == fields


@pytest.mark.slow
def test_a_report_is_written_as_it_was_asked_for(result_file, tmp_path, capsys):
    path = tmp_path / "r.html"
    asked = ("--no-signal", "--began", "22:30", "--title", "One night", "--note", "For Anna")
    assert run(capsys, "report", result_file, "-o", path, *asked)[0] == 0
    html = path.read_text("utf-8")
    assert "<title>One night</title>" in html
    assert "For Anna" in html
    assert "This page holds no signals" in html
    assert 'id="section-epochs"' not in html  # cards show them
    assert re.search(r">22:[3-5]\d<|>23:\d\d<", html)  # the axis of the night


@pytest.mark.parametrize(
    ("name", "value"), [("--began", "half past ten"), ("--began", "25:00"), ("--epochs-per-stage", "-1")]
)
def test_what_no_report_can_be_asked_is_refused_before_any_work(name, value, result_file, tmp_path, capsys):
    status, _, err = run(capsys, "report", result_file, "-o", tmp_path / "r.html", name, value)
    assert status != 0
    assert name.strip("-").split("-")[0] in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_report_of_a_recording(night, tmp_path, capsys):
    path = tmp_path / "r.html"
    status, out, _ = run(capsys, "-q", "report", night.psg, *QUICK, "-o", path)
    assert status == 0
    assert out.endswith(f"Report: {path}\n")
    assert str(night.psg.parent) not in path.read_text("utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_quiet_says_only_where_the_result_is(night, tmp_path, capsys):
    arguments = ("attribute", night.psg, *QUICK, "-o")
    assert run(capsys, "-q", *arguments, tmp_path / "q.nc") == (0, f"Result: {tmp_path / 'q.nc'}\n", "")


@pytest.mark.parametrize("extra", [("--target", "N2,N1"), ("--target", "margin"), ("--quadrature", "gauss-legendre")])
def test_options_reach_the_attribution(extra, night, tmp_path, capsys):
    status, *_ = run(capsys, "-q", "attribute", night.psg, *QUICK, *extra, "-o", tmp_path / "r.nc")
    assert status == 0
    wanted = ["N2", "N1"] if extra[1] == "N2,N1" else extra[1]
    assert eegflex.read_result(tmp_path / "r.nc").parameters[extra[0].strip("-")] == wanted


@pytest.mark.parametrize("suffix", [".csv", ".edf", ".tsv"])
def test_stage_writes_what_a_reader_opens(suffix, night, tmp_path, capsys):
    fname = tmp_path / f"stages{suffix}"
    asked = ("stage", night.psg, "--model", "bandpower", "--hypnogram", night.hypnogram, "-o", fname)
    status, out, err = run(capsys, "-q", *asked)
    assert (status, err) == (0, "")
    assert out.startswith("<StagedNight | bandpower, 24 epochs (")
    assert out.endswith(f"Stages: {fname}\n")
    epochs = eegflex.make_epochs(eegflex.read_psg(night.psg, verbose="error"), verbose="error")
    wanted = eegflex.stage_epochs(epochs, "bandpower", verbose="error").predicted.tolist()
    column = {"column": "predicted"} if suffix == ".csv" else {}
    assert eegflex.read_hypnogram(fname, verbose="error", **column).description.tolist() == wanted
    assert "already exists" in refused(capsys, "-q", *asked)


def test_stage_writes_what_to_look_at_first(night, tmp_path, capsys):
    fname = tmp_path / "review.csv"
    asked = ("stage", night.psg, "--model", "bandpower", "--hypnogram", night.hypnogram, "-o", tmp_path / "stages.csv")
    status, out, err = run(capsys, "-q", *asked, "--review", fname)
    assert (status, err) == (0, "")
    assert out.endswith(f"Review: {fname}\n")
    table = pd.read_csv(fname)
    assert table["rank"].tolist() == list(range(1, 25))
    wrong = (table["stage"] != table["predicted"]).to_numpy()
    assert wrong[: wrong.sum()].all()
    refused(
        capsys, "-q", *asked, "--overwrite", "--review", tmp_path / "stages.csv"
    )  # the stages are not overwritten by it
    assert ".csv" in refused(capsys, "-q", "stage", night.psg, "--model", "bandpower", "--review", tmp_path / "r.txt")


def test_stage_is_refused_before_anything_is_read(tmp_path, capsys):
    assert ".csv" in refused(capsys, "-q", "stage", tmp_path / "none.edf", "-o", tmp_path / "stages.xlsx")


def test_the_shell_has_the_words_of_python(capsys):
    commands = typer.main.get_command(cli.app).commands
    of_python = set(inspect.signature(eegflex.attribute_epochs).parameters) - {"epochs", "model", "spec", "verbose"}
    for command, wanted in {
        "attribute": of_python,
        "report": of_python,
        "stage": {one.name for one in dataclasses.fields(StagingSettings)},
    }.items():
        options = {parameter.name: parameter for parameter in commands[command].params}
        assert wanted <= set(options)
        for name in wanted:
            assert options[name].opts == [f"--{name.replace('_', '-')}"]
    defaults = {name: p.default for name, p in inspect.signature(eegflex.attribute_epochs).parameters.items()}
    options = {parameter.name: parameter for parameter in commands["attribute"].params}
    for name in of_python - {"views"}:  # the shell adds the time view, and its help says so
        assert options[name].default == defaults[name], name


@pytest.mark.parametrize("name", ["quadrature", "context", "edges", "filter_edges", "dtype", "method", "on_check"])
def test_a_word_that_is_no_choice_is_refused_with_the_choices(name, night, capsys):
    said = refused(capsys, "-q", "attribute", night.psg, "--model", "bandpower", f"--{name.replace('_', '-')}", "odd")
    assert f"{name} must be one of " in said


@pytest.mark.slow
def test_check_says_what_it_found_and_leaves_with_1_for_an_error(tmp_path, capsys):
    night = eegflex.simulate_psg(hours=1, sfreq=100, seed=1, verbose="error")
    swapped = {"N2": "N3", "N3": "N2"}
    other = dataclasses.replace(night, hypnogram=np.array([swapped.get(stage, stage) for stage in night.hypnogram]))
    files = night.save(tmp_path / "night.edf"), other.save(tmp_path / "other.edf")
    for (psg, hypnogram, _), expected in zip(files, (0, 1), strict=True):
        status, out, err = run(capsys, "-q", "check", "bandpower", psg, "--hypnogram", hypnogram)
        assert (status, err) == (expected, "")
        assert out.startswith("bandpower: 1 error, " if expected else "bandpower: ")
        assert bool(re.search("ERROR +class order: the order W, N1, N3, N2, REM agrees better", out)) == bool(expected)
        assert all(re.search(rf"^ +(ok|\?|ERROR|warning)  {name}: ", out, re.MULTILINE) for name in CHECKS)


def test_a_model_whose_explanation_would_be_false_is_explained_where_that_is_asked_for(tmp_path, capsys):
    night = eegflex.simulate_psg(hours=0.7, sfreq=100, seed=1, verbose="error")
    swapped = {"N2": "N3", "N3": "N2"}
    other = dataclasses.replace(night, hypnogram=np.array([swapped.get(stage, stage) for stage in night.hypnogram]))
    files, output = other.save(tmp_path / "other.edf"), tmp_path / "r.nc"
    asked = ("-q", "attribute", files.psg, "--hypnogram", files.hypnogram, *QUICK, "-o", output)
    assert "--on-check warn" in refused(capsys, *asked)
    assert not output.exists()
    for on_check, found in (("warn", {"error"}), ("ignore", set())):
        assert run(capsys, *asked, "--on-check", on_check, "--overwrite")[0] == 0
        checks = eegflex.read_result(output).provenance["checks"]
        assert {one["status"] for one in checks} & {"error"} == found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("foo",), "foo"),
        (("bandpower", "--device", "abacus"), "abacus"),
        (("bandpower", "--channels", "C9-M2"), "C9-M2"),
        (("bandpower", "--spec", "none.toml"), "none.toml"),
    ],
)
def test_a_check_that_cannot_be_made_is_refused_in_one_line(arguments, words, night, capsys):
    assert words in refused(capsys, "-q", "check", arguments[0], night.psg, *arguments[1:])


def refused(capsys, *arguments):
    """The one line that refuses a command."""
    status, _, err = run(capsys, *arguments)
    assert status == 1
    assert "Traceback" not in err
    assert err.startswith("eegflex: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", ["info", "attribute", "report"])
@pytest.mark.parametrize("quiet", [(), ("-q",)])
@pytest.mark.parametrize(
    ("kind", "words"), [("none", "no such recording"), ("empty", "empty"), ("text", "EDF"), ("hypnogram", "hypnogram")]
)
def test_what_is_no_recording_is_refused_in_one_line(command, quiet, kind, words, night, tmp_path, capsys):
    path = tmp_path / f"{kind}.edf"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("hello\n" * 100)
    elif kind == "hypnogram":
        shutil.copy(night.hypnogram, path)
    suffix = {"attribute": ".nc", "report": ".html"}
    output = () if command == "info" else ("--model", "bandpower", "-o", tmp_path / f"out{suffix[command]}")
    before = set(tmp_path.iterdir())
    assert words in refused(capsys, *quiet, command, path, *output)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--channels", "C9-M2"), ("C9-M2", "C3-M2", "Chin1-Chin2")),
        (("--model", "foo"), ("foo", "gssc", "bandpower")),
        (("--target", "N7"), ("N7", "REM")),
        (("--target", "N2,N1,W"), ("N2", "N1", "W")),
        (("--device", "abacus"), ("abacus", "cuda")),
        (("--coding", "morse"), ("morse", "aasm")),
        (("--hypnogram", "none.txt"), ("none.txt",)),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(extra, words, night, tmp_path, capsys):
    line = refused(capsys, "-q", "attribute", night.psg, *QUICK, "-o", tmp_path / "r.nc", *extra)
    assert [word for word in words if word not in line] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["attribute", "report"])
def test_an_output_that_cannot_be_written_is_refused_first(command, night, tmp_path, capsys):
    arguments = (command, night.psg, *QUICK, "-o")
    assert "does not exist" in refused(capsys, *arguments, tmp_path / "none" / "r.nc")
    assert "directory" in refused(capsys, *arguments, tmp_path)
    assert list(tmp_path.iterdir()) == []
    there = tmp_path / "there"
    there.write_text("mine")
    assert "--overwrite" in refused(capsys, *arguments, there)
    assert there.read_text() == "mine"


def test_a_result_in_another_format_is_refused_before_any_work(night, tmp_path, capsys):
    line = refused(capsys, "-q", "attribute", night.psg, *QUICK, "-o", tmp_path / "r.csv")
    assert "to_data_frame" in line
    assert list(tmp_path.iterdir()) == []


def test_a_rate_that_is_too_low_is_refused(tmp_path, capsys):
    psg = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save(tmp_path / "low.edf").psg
    line = refused(capsys, "-q", "attribute", psg, *QUICK, "-o", tmp_path / "r.nc")
    assert "64 Hz" in line
    assert "100 Hz" in line
    assert not (tmp_path / "r.nc").exists()


def test_a_result_that_is_none_is_refused(tmp_path, capsys):
    path = tmp_path / "r.nc"
    path.write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    assert "not a result" in refused(capsys, "report", path, "-o", tmp_path / "r.html")


@pytest.mark.parametrize("where", [0, 1, 2])
def test_debug_shows_the_traceback_wherever_it_stands(where, tmp_path, capsys):
    arguments = ["info", tmp_path / "none.edf"]
    arguments.insert(where, "--debug")
    status, _, err = run(capsys, *arguments)
    assert status == 1
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("eegflex: ")


@pytest.mark.parametrize(
    "arguments", [("info",), ("inform",), ("info", "x", "--wrong"), ("attribute", "x", "--n-steps", "0"), ("--wrong",)]
)
def test_a_wrong_command_line_leaves_with_2(arguments, capsys):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err


def test_control_c_leaves_with_130(night, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(eegflex.readers, "describe_psg", stop)
    assert run(capsys, "info", night.psg) == (130, "", "eegflex: stopped\n")


def test_ctrl_c_leaves_what_was_finished(night, result_file, tmp_path, capsys, monkeypatch):
    from eegflex.cli.options import AttributionOptions
    from eegflex.errors import AttributionStopped

    def stopped(*_):
        raise AttributionStopped(eegflex.read_result(result_file), 3, 10)

    monkeypatch.setattr(AttributionOptions, "explain", stopped)
    output = tmp_path / "r.nc"
    status, _, err = run(capsys, "-q", "attribute", night.psg, *QUICK, "-o", output)
    assert status == 130
    assert str(output) in err
    assert eegflex.read_result(output).model == "bandpower"


@pytest.mark.parametrize("option", [("--baseline", "recording"), ("--method", "feature_ablation"), ("--target", "all")])
def test_what_is_asked_is_done(option, night, tmp_path, capsys):
    output = tmp_path / "r.nc"
    status, _, err = run(capsys, "-q", "attribute", night.psg, *QUICK, *option, "-o", output)
    assert (status, err) == (0, "")
    assert eegflex.read_result(output).parameters[option[0][2:]] == option[1]


def test_stages_and_what_to_check_first_are_two_files(night, tmp_path, capsys):
    path = tmp_path / "s.csv"
    status, _, err = run(capsys, "-q", "stage", night.psg, "--model", "bandpower", "-o", path, "--review", path)
    assert (status, list(tmp_path.iterdir())) == (1, [])
    assert "would be one file" in err


@pytest.mark.parametrize("words", [("report",), ("evaluate",), ("cohort",)])
def test_a_name_that_no_system_takes_is_told(night, tmp_path, capsys, words):
    more = {"report": (), "evaluate": (night.psg,), "cohort": ("-o", tmp_path / "out")}[words[0]]
    status, out, err = run(capsys, "-q", *words, "x" * 5000, *more, "--model", "bandpower")
    assert (status, out) == (1, "")
    assert err.startswith("eegflex: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("simulate", "--hours", "0.2", "--sfreq", "64", "--bids"), ("cohort", "-o")])
def test_a_folder_that_no_system_takes_is_told(night, tmp_path, capsys, words):
    source = ("--model", "bandpower", night.psg) if words[0] == "cohort" else ()
    status, _, err = run(capsys, "-q", *words, tmp_path / ("x" * 300), *source)
    assert status == 1
    assert "File name too long" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_behind_the_output_is_told():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "eegflex", "specs"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "eegflex: The output cannot be written: No space left on device\n"
