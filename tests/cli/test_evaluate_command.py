"""`eegflex evaluate`: the numbers are kept with the result, and its options are Python's arguments."""

from __future__ import annotations

import inspect

import pytest
import typer

import eegflex
from eegflex import cli
from eegflex.evaluation import Evaluation


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    psg = eegflex.simulate_psg(hours=0.3, sfreq=128, seed=1, verbose="error")
    recording = psg.save(folder / "night.edf").psg
    epochs = eegflex.make_epochs(eegflex.read_psg(recording, verbose="error"), verbose="error")
    result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, spectral_share=0, verbose="error")
    return recording, result.save(folder / "result.nc")


def run(*words):
    return cli.main(["-q", *map(str, words)])


def test_every_argument_is_an_option_of_the_same_default():
    of_python = inspect.signature(eegflex.evaluate).parameters
    wanted = set(of_python) - {"result", "epochs", "model", "spec", "baseline", "verbose"}
    options = {parameter.name: parameter for parameter in typer.main.get_command(cli.app).commands["evaluate"].params}
    assert wanted <= set(options)
    for name in wanted:
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert str(options[name].default) in (str(of_python[name].default), "None"), name
    assert options["sample_per_stage"].default == of_python["sample_per_stage"].default


def test_the_numbers_are_put_into_the_result(files, capsys):
    recording, result = files
    before = eegflex.read_result(result)
    assert run("evaluate", result, recording, "--model", "bandpower", "--parts", "faithfulness") == 0
    assert "faithfulness" in capsys.readouterr().out
    after = eegflex.read_result(result)
    assert Evaluation(after).parts == ("faithfulness",)
    assert after.data.drop_vars(["measures", "measure"]).identical(before.data.assign_attrs(after.data.attrs))


def test_elsewhere_the_result_stays_as_it_was(files, tmp_path, capsys):
    recording, result = files
    was = result.read_bytes()
    asked = (
        "evaluate",
        result,
        recording,
        "--model",
        "bandpower",
        "--parts",
        "faithfulness",
        "-o",
        tmp_path / "new.nc",
    )
    assert run(*asked, "--sample-per-stage", 1, "--seed", 3) == 0
    assert result.read_bytes() == was
    assert Evaluation(eegflex.read_result(tmp_path / "new.nc")).settings["seed"] == 3
    assert run(*asked) == 1
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--parts", "beauty"), "parts must be one of"),
        (("--compare", "beauty"), "beauty"),
        (("--model", "known-spindle"), "not the model"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(files, more, said, capsys):
    recording, result = files
    was = result.read_bytes()
    model = () if "--model" in more else ("--model", "bandpower")
    assert run("evaluate", result, recording, *model, *more) == 1
    assert said in capsys.readouterr().err
    assert result.read_bytes() == was


@pytest.mark.slow
def test_an_evaluation_that_was_asked_otherwise_is_replaced_only_on_demand(files, tmp_path, capsys):
    recording, result = files
    asked = ("evaluate", recording, "--model", "bandpower", "--sample-per-stage", 1)
    own = tmp_path / "own.nc"
    assert run(asked[0], result, *asked[1:], "--parts", "one by one", "--overwrite", "-o", own) == 0
    was = own.read_bytes()
    for other in (("--seed", 4), ("--sample-per-stage", 2), ("--groups", "bands")):
        assert run(asked[0], own, *asked[1:], "--parts", "one by one", *other) == 1
        said = capsys.readouterr().err
        assert f"an evaluation with another {other[0][2:].replace('-', '_')}, whose numbers would be lost" in said
        assert "Got one by one of 5 explanations" in said
        assert "-o" in said
        assert "--overwrite" in said
        assert own.read_bytes() == was
    assert run(asked[0], own, *asked[1:], "--parts", "faithfulness") == 0  # the same question goes on
    assert Evaluation(eegflex.read_result(own)).parts == ("one by one", "faithfulness")
    assert run(asked[0], own, *asked[1:], "--parts", "one by one", "--seed", 4, "-o", tmp_path / "other.nc") == 0
    assert Evaluation(eegflex.read_result(own)).settings["seed"] == 0
    assert run(asked[0], own, *asked[1:], "--parts", "one by one", "--seed", 4, "--overwrite") == 0
    assert Evaluation(eegflex.read_result(own)).settings["seed"] == 4
