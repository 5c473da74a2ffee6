"""The contracts of published stagers: listed, printed, and loaded again from what is printed."""

from __future__ import annotations

import pytest

from eegflex import cli
from eegflex.errors import ParameterError
from eegflex.spec import load_spec, spec_names, spec_text
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.networks import NETWORKS


@pytest.mark.parametrize("name", spec_names())
def test_what_is_printed_is_a_spec_again(name, tmp_path, capsys):
    assert cli.main(["specs", name]) == 0
    (tmp_path / "mine.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    spec = ModelSpec.from_toml(tmp_path / "mine.toml")
    assert spec == load_spec(name)
    assert spec_text(name).startswith("#"), "it says what it is of"
    assert spec.class_name in {"", *NETWORKS}, "no class that trust would be needed for"
    assert bool(spec.sha256) == name.startswith("physioex:"), "weights of others are those that were looked at"


def test_the_table_has_every_spec_and_where_its_weights_are_from(capsys):
    assert cli.main(["specs"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "rate", "epoch", "inputs", "context", "weights"]
    table = {row.split()[0]: row for row in rows}
    assert list(table) == spec_names()
    assert table["bandpower"].endswith("part of eegflex")
    assert table["gssc"].endswith("package gssc")
    assert "19 + 1 + 0" in table["tinysleepnet"]
    assert table["tinysleepnet"].endswith("your own file")
    assert table["physioex:chambon-eeg-eog-emg"].endswith("package physioex")
    assert table["usleep-onnx"].endswith("your own file")
    assert table["braindecode:AttnSleep"].endswith("your own file")


def test_a_spec_that_is_misspelt_is_told_with_the_nearest(capsys):
    with pytest.raises(ParameterError, match=r"no spec.*'tinysleepnett'.*Nearest: tinysleepnet"):
        load_spec("tinysleepnett")
    assert cli.main(["specs", "../../pyproject"]) == 1
    assert "There is no spec of this name" in capsys.readouterr().err


def test_a_spec_is_written_to_a_file_and_replaces_none(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    assert cli.main(["specs", "usleep", "-o", str(path)]) == 0
    assert ModelSpec.from_toml(path) == load_spec("usleep")
    assert cli.main(["specs", "yasa", "-o", str(path)]) == 1
    assert cli.main(["specs", "yasa", "-o", str(path), "--overwrite"]) == 0
    assert ModelSpec.from_toml(path) == load_spec("yasa")
    capsys.readouterr()
