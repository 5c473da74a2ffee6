"""Which stager a command takes where none is named: a real one that is installed, and never a toy without a word."""

import pytest

from eegflex import cli
from eegflex.cli import options
from eegflex.cli.options import LoadingOptions
from eegflex.errors import MissingExtraError


@pytest.fixture
def nothing_installed(monkeypatch):
    """The packages that bring real stagers have names that no machine has."""
    monkeypatch.setattr(options, "REAL", {"no_such_package": "gssc"})


def test_a_real_stager_that_is_installed_is_taken():
    pytest.importorskip("gssc")
    assert LoadingOptions().stager().spec.name == "GSSC"


def test_the_next_one_is_taken_where_the_first_is_not_installed(monkeypatch):
    monkeypatch.setattr(options, "REAL", {"no_such_package": "gssc", "numpy": "known-spindle"})
    assert LoadingOptions().stager().spec.name == "known-spindle"


def test_without_one_the_ways_are_told(nothing_installed):
    with pytest.raises(MissingExtraError, match=r"a toy model that was fitted on simulated nights.*eegflex\[gssc\]"):
        LoadingOptions().stager()


def test_a_report_without_a_stager_writes_nothing(nothing_installed, tmp_path, capsys):
    recording = tmp_path / "night.edf"
    recording.write_bytes(b"")
    assert cli.main(["-q", "report", str(recording), "-o", str(tmp_path / "night.html")]) == 1
    assert "--model is missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [recording]


@pytest.mark.slow
def test_a_demo_goes_on_with_the_toy_and_says_so(nothing_installed, tmp_path, capsys):
    assert cli.main(["-q", "demo", str(tmp_path / "new"), "--hours", "0.2", "--sample-per-stage", "1"]) == 0
    assert "uses 'bandpower', a toy" in capsys.readouterr().err
    assert (tmp_path / "new" / "report.html").is_file()


def test_a_demo_whose_stager_was_named_does_not_go_on_with_another(tmp_path, capsys):
    assert cli.main(["-q", "demo", str(tmp_path / "new"), "--model", "no-such-stager"]) == 1
    assert not (tmp_path / "new").exists()
