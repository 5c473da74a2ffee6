"""``eegflex cohort``: its options are the arguments of Python, and what it says."""

import dataclasses
import inspect
import shutil

import cohort_files
import pytest
import typer

import eegflex
from eegflex import cli
from eegflex.cohort import cohort_status, run_cohort
from eegflex.cohort_settings import AskedOfEach, CohortAttribution, CohortSettings
from eegflex.errors import ParameterError


def options():
    return {one.name: one for one in typer.main.get_command(cli.app).commands["cohort"].params}


def test_a_cohort_is_asked_the_same_in_the_shell_and_in_python():
    of_python = inspect.signature(run_cohort).parameters
    own = {one.name: one.default for one in dataclasses.fields(CohortSettings)}
    assert set(of_python) - set(own) == {"source", "model", "out", "verbose", "asked"}
    assert own == {name: one.default for name, one in of_python.items() if name in own}
    assert {name: options()[name].default for name in own} == own
    asked = set(inspect.signature(eegflex.attribute_epochs).parameters) - {
        "epochs",
        "verbose",
        "resume",
        "label",
        "n_jobs",
    }
    read = set(inspect.signature(eegflex.read_psg).parameters) - {"fname", "hypnogram", "verbose"}
    loading = {"model", "spec", "weights", "trusted"}
    assert set(options()) == {*own, *asked, *read, *loading, "source", "output", "status"}


def test_what_is_handed_on_has_the_types_of_what_takes_it():
    asked = {one.name for one in dataclasses.fields(CohortAttribution)} - {"label", "n_jobs"}
    read = set(inspect.signature(eegflex.read_psg).parameters) - {"fname", "hypnogram", "verbose"}
    assert set(AskedOfEach.__annotations__) == {*asked, *read, "spec", "weights", "trusted"}
    for function in (eegflex.read_psg, eegflex.load_model, eegflex.attribute_epochs):
        for name, one in inspect.signature(function).parameters.items():
            said = AskedOfEach.__annotations__.get(name)
            if said is not None and said.__forward_arg__ not in ("Any", "str | None", "int | None"):
                assert said.__forward_arg__ == one.annotation, name


def test_defaults_are_those_of_python_but_for_the_sample():
    usual = inspect.signature(eegflex.attribute_epochs).parameters
    for one in dataclasses.fields(CohortAttribution):
        if one.name not in ("views", "label", "n_jobs", "sample_per_stage"):
            assert options()[one.name].default == usual[one.name].default, one.name
    assert options()["sample_per_stage"].default is None
    assert CohortAttribution().sample_per_stage == 20
    assert CohortAttribution(precision="mean").sample_per_stage is None
    assert CohortAttribution(precision="mean", sample_per_stage=30).sample_per_stage == 30
    assert CohortAttribution(sample_per_stage=0).sample_per_stage is None
    assert CohortAttribution().views == ("frequency",)


@pytest.mark.parametrize(
    "given",
    [
        {"retries": -1},
        {"evaluate": 0.5},
        {"force": "yes"},
        {"scheduler": "tcp://a:1", "memory": "4GB"},
        {"time_limit": -1},
        {"time_limit": "1 h"},
        {"time_limit": float("inf")},
        {"time_limit": True},
    ],
)
def test_settings_that_cannot_be(given):
    with pytest.raises(ParameterError):
        CohortSettings(**given)


def test_no_limit_of_time():
    assert CohortSettings().time_limit == 12 * 3600
    assert CohortSettings(time_limit=0).time_limit is CohortSettings(time_limit=None).time_limit is None


def test_a_source_and_a_folder_are_needed(capsys):
    assert cli.main(["cohort"]) == 1
    assert "eegflex cohort SOURCE --model MODEL -o FOLDER" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_goes_on_and_tells_the_status(tmp_path, capsys):
    (cohort_files.bad_files(tmp_path)["empty"]).rename(tmp_path / "x.edf")
    for one in tmp_path.glob("bad*"):
        one.unlink()
    words = ["-q", "cohort", str(tmp_path / "*.edf"), "--model", "bandpower", "-o", str(tmp_path / "out")]
    assert cli.main([*words, "--n-workers", "1", "--retries", "0"]) == 0
    out, err = capsys.readouterr()
    assert "1 recordings of 1 people, 0 done" in out
    assert "sub-x: The recording is empty" in err
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    assert cli.main(["cohort", "--status", str(tmp_path / "copy")]) == 0
    assert capsys.readouterr().out.rstrip("\n") == str(cohort_status(tmp_path / "copy"))
