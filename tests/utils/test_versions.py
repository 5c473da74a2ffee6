"""What is said with a bug report: every package that is needed, and nothing of the person or the machine's name."""

import getpass
import io
import os
import platform
import re
from importlib.metadata import requires, version
from pathlib import Path

import pytest

import eegflex


@pytest.fixture(scope="module")
def told():
    text = io.StringIO()
    eegflex.sys_info(text)
    return text.getvalue()


def test_versions_are_those_that_are_installed(told):
    rows = dict(line.split(maxsplit=1) for line in told.splitlines() if len(line.split()) > 1)
    assert rows["eegflex"] == eegflex.__version__
    assert rows["Python"].startswith(platform.python_version())
    assert {name: rows[name] for name in ("mne", "torch", "numpy")} == {
        name: version(name) for name in ("mne", "torch", "numpy")
    }


def test_every_extra_of_users_is_told_with_its_packages(told):
    asked = {}
    for line in requires("eegflex"):  # as it is installed
        extra = re.search(r"extra == .([\w-]+)", line)
        asked.setdefault(extra[1] if extra else "required", []).append(re.match(r"[\w-]+", line)[0])
    assert {"required", "bids", "onnx"} <= set(asked)
    parts = dict(part.split("\n", 1) for part in told.split("\n\n")[1:])
    found = {title.strip("[]"): [line.split()[0] for line in rows.splitlines()] for title, rows in parts.items()}
    assert found == {extra: names for extra, names in asked.items() if extra not in ("docs", "test", "tools")}


def test_what_the_machine_has_is_told(told):
    rows = dict(line.split(maxsplit=1) for line in told.splitlines() if len(line.split()) > 1)
    assert rows["cores"].split(";")[0].split(",")[0] == str(os.cpu_count())
    assert "threads" in rows["cores"]
    size = re.fullmatch(r"(\d+\.\d) GiB", rows["memory"])
    assert size is not None
    if (known := Path("/proc/meminfo")).is_file():
        kilobytes = int(re.search(r"MemTotal:\s*(\d+)", known.read_text())[1])
        assert float(size[1]) == pytest.approx(kilobytes / 2**20, abs=0.06)


def test_nothing_is_told_of_a_person_a_folder_or_a_host(told):
    for private in (str(Path.home()), platform.node(), str(Path.cwd()), str(Path(eegflex.__file__).parent)):
        assert private not in told
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", told)
    assert "/" not in told
    assert "\\" not in told
