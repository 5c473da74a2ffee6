"""`eegflex export`: its options are Python's arguments, and the file is Python's."""

from __future__ import annotations

import dataclasses
import inspect

import example_results
import pytest
import typer

import eegflex
from eegflex import cli
from eegflex.errors import ParameterError
from eegflex.output_settings import ExportSettings
from eegflex.results.result import FlexResult

#: What only a call in Python can be given.
OF_THE_CALL = ("self", "fname", "carried", "overwrite")


@pytest.fixture(scope="module")
def result_file(tmp_path_factory):
    result = example_results.make_result(target="all")
    return result.save(tmp_path_factory.mktemp("export") / "night.nc")


def run(*words):
    return cli.main(["-q", *map(str, words)])


def test_the_shell_and_python_have_the_same_words_and_defaults():
    fields = {one.name: one.default for one in dataclasses.fields(ExportSettings)}
    of_python = inspect.signature(FlexResult.export_edf).parameters
    assert fields == {name: one.default for name, one in of_python.items() if name not in OF_THE_CALL}
    noted = inspect.signature(FlexResult.to_annotations).parameters
    assert {name: one.default for name, one in noted.items() if name not in OF_THE_CALL} == {
        name: value for name, value in fields.items() if name != "meas_date"
    }
    options = {parameter.name: parameter for parameter in typer.main.get_command(cli.app).commands["export"].params}
    assert set(options) == {*fields, "result", "output", "overwrite"}
    for name, default in fields.items():
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert options[name].default == default


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ((), {}),
        (("--target", "N2,N1", "--n-review", 3), {"target": ("N2", "N1"), "n_review": 3}),
        (("--picks", "C3-M2,O1-M2", "--bands", "slow=0.5-1, fast = 1-4"),
         {"picks": ["C3-M2", "O1-M2"], "bands": {"slow": (0.5, 1), "fast": (1, 4)}}),
        (("--meas-date", "2020-01-31T22:30:00"), {"meas_date": "2020-01-31T22:30:00"}),
    ],
)  # fmt: skip
def test_the_file_is_that_of_python(words, asked, result_file, tmp_path, capsys):
    output = tmp_path / "tracks.edf"
    assert run("export", result_file, "-o", output, *words) == 0
    assert capsys.readouterr().out == f"Tracks: {output}\n"
    own = eegflex.read_result(result_file).export_edf(tmp_path / "own.edf", **asked)
    assert output.read_bytes() == own.read_bytes()


def test_it_is_named_after_the_result_and_replaced_on_demand(result_file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("export", result_file) == 0
    assert [one.name for one in tmp_path.iterdir()] == ["night-attribution.edf"]
    assert run("export", result_file) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run("export", result_file, "--overwrite") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "tracks.txt"), "suffix of a file of tracks"),
        (("--bands", "slow"), "Bands must be names and edges in Hz"),
        (("--bands", "slow=1-1.2.3"), "Bands must be names and edges in Hz"),
        (("--bands", "slow=2-1"), "'slow' is empty"),
        (("--meas-date", "tonight"), "meas_date must be"),
        (("--target", "all"), "of one target"),
        (("--target", "N9"), "N9"),
        (("--picks", "Cz"), "no such channel"),
        (("--recording", "mine"), "no such recording"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(words, said, result_file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("export", result_file, *words) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["", "a=1-2,,b=3-4", "=1-2", "a=1"])
def test_text_of_bands_that_is_none_is_refused(given):
    with pytest.raises(ParameterError, match="Bands must be"):
        ExportSettings(bands=given)
