"""The command line, stopped: what was finished is written, the status says so, and a second run goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

import eegflex
from eegflex import cli
from eegflex.errors import ModelError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="of POSIX")
QUICK = ("--model", "bandpower", "--quadrature", "gauss-legendre", "--n-steps", "4", "--batch-size", "4")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    night = eegflex.simulate_psg(hours=0.3, sfreq=128, seed=1, verbose="error")
    return night.save(tmp_path_factory.mktemp("night") / "night.edf")


def ask(signum):
    os.kill(os.getpid(), signum)


@pytest.fixture
def ended(monkeypatch):
    """Let something happen when so many epochs are explained."""
    from eegflex.attribution import request

    def after(count, then):
        told = request.progress

        def counting(total, message, *how, **more):
            left = iter(range(count))

            class Bar:
                def __enter__(self):
                    self.bar = told(total, message, *how, **more)
                    self.done = self.bar.__enter__()
                    return self

                def __call__(self, more):
                    if next(left, None) is None:
                        then()
                    self.done(more)

                def __exit__(self, *error):
                    return self.bar.__exit__(*error)

            return Bar()

        monkeypatch.setattr(request, "progress", counting)

    yield after
    monkeypatch.undo()


def fail():
    raise ModelError("The model failed")


def run_out():
    raise MemoryError


WAYS = {
    "Ctrl-C": (lambda: ask(signal.SIGINT), 130),
    "a scheduler": (lambda: ask(signal.SIGTERM), 143),
    "an error": (fail, 1),
    "no memory": (run_out, 1),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_finished_is_written_and_gone_on_with(way, night, ended, tmp_path, capsys, monkeypatch):
    then, status = WAYS[way]
    asked = ["-q", "attribute", str(night.psg), *QUICK]
    whole, part = tmp_path / "whole.nc", tmp_path / "part.nc"
    assert cli.main([*asked, "-o", str(whole)]) == 0
    ended(20, then)
    assert cli.main([*asked, "-o", str(part)]) == status
    assert f"Partial result: {part}" in capsys.readouterr().err
    kept = eegflex.read_result(part)
    assert kept.is_partial
    assert 16 <= len(kept) < 36
    monkeypatch.undo()
    assert cli.main([*asked, "--resume", str(part)]) == 0
    assert capsys.readouterr().out == f"Result: {part}\n"
    xr.testing.assert_identical(eegflex.read_result(part).data, eegflex.read_result(whole).data)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["part.nc", "whole.nc"]


def test_another_question_is_not_gone_on_with(night, tmp_path, capsys):
    part = tmp_path / "part.nc"
    assert cli.main(["-q", "attribute", str(night.psg), *QUICK, "--select", "3,5", "-o", str(part)]) == 0
    assert eegflex.read_result(part).data["number"].values.tolist() == [3, 5]
    before = part.read_bytes()
    assert cli.main(["-q", "attribute", str(night.psg), *QUICK, "--resume", str(part)]) == 1
    assert "select: [3, 5], now None" in capsys.readouterr().err
    assert part.read_bytes() == before
    assert cli.main(["-q", "attribute", str(night.psg), *QUICK, "--resume", str(tmp_path / "none.nc")]) == 1


def test_a_result_that_cannot_be_written_where_it_should_is_written_elsewhere(
    night, ended, tmp_path, capsys, monkeypatch
):
    (tmp_path / "spare").mkdir()
    (tmp_path / "gone").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spare"))
    monkeypatch.setattr("tempfile.tempdir", None)
    ended(5, (tmp_path / "gone").rmdir)
    assert (
        cli.main(["-q", "attribute", str(night.psg), *QUICK, "--select", "0-6", "-o", str(tmp_path / "gone" / "r.nc")])
        == 1
    )
    (saved,) = (tmp_path / "spare").rglob("r.nc")
    assert str(saved) in capsys.readouterr().err
    assert len(eegflex.read_result(saved)) >= 5


@pytest.mark.parametrize("command", ["attribute", "stage", "report"])
def test_what_is_read_is_never_written(command, night, tmp_path, capsys):
    files = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error").save(tmp_path / "night.edf")
    suffix = {"attribute": ".nc", "stage": ".edf", "report": ".html"}[command]
    for read in (files.psg, files.hypnogram):
        other = tmp_path / f"other{suffix}"
        other.unlink(missing_ok=True)
        other.hardlink_to(read)
        before = read.read_bytes()
        asked = [command, str(files.psg), "--model", "bandpower", "--hypnogram", str(files.hypnogram)]
        assert cli.main(["-q", *asked, "-o", str(other), "--overwrite"]) == 1
        assert "is an input file" in capsys.readouterr().err
        assert read.read_bytes() == before


def test_a_demo_does_not_replace_a_recording(tmp_path, capsys):
    (tmp_path / "night.edf").write_bytes(b"0       " + b"X" * 300)
    assert cli.main(["-q", "demo", str(tmp_path), "--model", "bandpower", "--hours", "0.2"]) == 1
    assert "not from a demo" in capsys.readouterr().err


def test_a_report_that_fails_does_not_lose_its_result(night, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("eegflex.report.make_report", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["-q", "report", str(night.psg), *QUICK, "--select", "1,2", "-o", str(tmp_path / "r.html")])
    assert len(eegflex.read_result(tmp_path / "r.nc")) == 2


IMPORTING = """
import os, signal, sys, importlib.abc
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {when!r}:
            try:
                os.kill(os.getpid(), signal.SIG{signal})
                for _ in range(1000): pass
            except BaseException:
                if {swallowed}: return None
                raise
sys.meta_path.insert(0, Finder())
from eegflex.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("swallowed", [False, True])
@pytest.mark.parametrize("when", ["mne", "torch", "h5netcdf"])
def test_a_signal_in_an_import_is_heard(when, swallowed, night, tmp_path):
    code = IMPORTING.format(when=when, signal="INT", swallowed=swallowed)
    asked = ["-q", "attribute", str(night.psg), *QUICK, "--select", "1,2", "-o", str(tmp_path / "r.nc")]
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.endswith("eegflex: stopped\n")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_program_itself_is_stopped(signum, status, night, tmp_path):
    asked = ["attribute", str(night.psg), "--model", "bandpower", "--tol", "0.001"]
    with subprocess.Popen(
        [sys.executable, "-m", "eegflex", *asked, "--batch-size", "2", "-o", str(tmp_path / "r.nc")],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        seen = ""
        while not re.search(r"Explaining[^\n]*?\b[1-9]\d*/\d", seen):  # the bar tells of the first epochs
            seen += process.stderr.read(1)
        process.send_signal(signum)
        said = process.stderr.read()
        assert process.wait(60) == status
    assert said.endswith("eegflex: stopped\n")
    kept = eegflex.read_result(tmp_path / "r.nc")
    assert kept.is_partial
    assert [one.name for one in Path(tmp_path).iterdir()] == ["r.nc"]
