"""What every tutorial must have. That they run is seen where the site is built (``make docs``), which runs each once."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import typer

import eegflex
from eegflex import cli

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = sorted((ROOT / "tutorials").glob("*.py"))
PAGES = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
pages = importlib.util.module_from_spec(PAGES)
PAGES.loader.exec_module(pages)


def imported(tree):
    """Modules that a file imports from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_they_are_numbered_without_a_gap():
    assert [int(path.name[:2]) for path in TUTORIALS] == list(range(1, len(TUTORIALS) + 1))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_has_a_title_says_what_is_simulated_and_ends_in_a_figure(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    title, line, *_ = ast.get_docstring(tree).splitlines()
    assert line == "=" * len(title)
    assert "**simulated**" in ast.get_docstring(tree)
    *cells, last = re.split(r"^# %%$", text, flags=re.MULTILINE)
    assert len(cells) >= 5
    assert all(cell.startswith("\n# ") for cell in cells[1:])  # words before code
    assert re.search(r"\.plot_\w+\(|plt\.subplots\(", last)
    assert last.splitlines()[-1].startswith(("fig = ", "plt.show()"))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_needs_nothing_private_and_no_extra(path):
    tree = ast.parse(path.read_text("utf-8"))
    own = {name for name in imported(tree) if name.partition(".")[0] == "eegflex"}
    assert own <= {"eegflex", *(f"eegflex.{name}" for name in eegflex._MODULES)}
    others = {name.partition(".")[0] for name in imported(tree)} - {"eegflex"}
    extra = {"braindecode"} if "eegflex[braindecode]" in ast.get_docstring(tree) else set()  # which it must say itself
    assert others - extra <= {
        "datetime",
        "matplotlib",
        "mne",
        "numpy",
        "pandas",
        "pathlib",
        "pyedflib",
        "scipy",
        "subprocess",
        "sys",
        "tempfile",
        "torch",
    }
    private = [
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and re.match("_(?!_)", node.attr)
    ]
    assert private == []


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_pages_that_a_tutorial_points_at_are_there(path):
    for name in re.findall(r":doc:`([^`]+)`", path.read_text("utf-8")):
        assert (path.parent / f"{name}.py").exists()


def test_the_page_of_the_command_line_shows_every_command():
    text = pages.command_line()
    for name in typer.main.get_command(cli.app).commands:
        assert f"Usage: eegflex {name} " in text


def test_the_changelog_becomes_restructured_text():
    text = pages.changelog()
    assert text.startswith("Changelog\n=========\n")
    assert not re.search(r"^#|(?<!`)`(?!`)[^`]+(?<!`)`(?!`)|\]\(", text, re.MULTILINE)
