"""The Python of the guide's pages runs as it stands, page by page, beside a simulated night."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from textwrap import dedent

import matplotlib.pyplot as plt
import pytest

import eegflex

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide"
#: A block of Python in reStructuredText.
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def python_of(page):
    return [dedent(block) for block in BLOCK.findall(page.read_text("utf-8") + "\n")]


@pytest.fixture(scope="module")
def folder_of_a_night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    eegflex.simulate_psg(hours=0.3, seed=2, verbose="error").save(folder / "night.edf")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in sorted(GUIDE.glob("*.rst")) if python_of(page)], ids=lambda p: p.stem
)
def test_the_python_of_a_page_runs(page, folder_of_a_night, monkeypatch):
    monkeypatch.chdir(folder_of_a_night)
    names: dict = {}
    for block in python_of(page):
        exec(block, names)  # noqa: S102
    plt.close("all")


def test_the_spec_in_toml_is_the_one_in_python(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    page = (GUIDE / "stagers.rst").read_text("utf-8")
    (toml,) = re.findall(r"^\.\. code-block:: toml\n\n((?:    .*\n|\n)+)", page, re.MULTILINE)
    python = "\n".join(
        block for block in python_of(GUIDE / "stagers.rst") if "spec" in block and "check_model" not in block
    )
    names: dict = {"eegflex": eegflex}
    exec(python, names)  # noqa: S102
    assert eegflex.ModelSpec.from_toml("mine.toml") == names["spec"]
    assert eegflex.ModelSpec.from_dict(tomllib.loads(dedent(toml))) == names["spec"]
