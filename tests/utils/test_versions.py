"""What is said with a bug report: every package that is needed, and nothing of the person or the machine's name."""

import io
import platform
from importlib.metadata import version
from pathlib import Path

import pytest

import eegflex


def test_versions_are_those_that_are_installed_and_nothing_is_told_of_a_person():
    pytest.importorskip("mne")
    text = io.StringIO()
    eegflex.sys_info(text)
    rows = dict(line.split(maxsplit=1) for line in text.getvalue().splitlines() if len(line.split()) > 1)
    assert rows["eegflex"] == eegflex.__version__
    assert {name: rows[name] for name in ("mne", "torch", "numpy")} == {
        name: version(name) for name in ("mne", "torch", "numpy")
    }
    assert str(Path.home()) not in text.getvalue()
    assert platform.node() not in text.getvalue()
