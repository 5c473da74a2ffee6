"""What the site must have, as far as it can be told without building it. That it builds is seen by ``make docs``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import re
from operator import attrgetter
from pathlib import Path

import pytest

import eegflex
from eegflex.spec import spec_names

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FOUND = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
pages = importlib.util.module_from_spec(FOUND)
FOUND.loader.exec_module(pages)

NAMES = [name for task in pages.TASKS for name in task.listed]
#: Public things with a docstring of their own: not the two tables that are plain data.
THINGS = {name: thing for name, thing in pages.public().items() if inspect.isfunction(thing) or inspect.isclass(thing)}
#: Names of other packages that the pages link to, and which package's inventory has them.
OTHERS = {
    line.split()[0]: path.stem
    for path in sorted((DOCS / "inventories").glob("*.inv"))
    for line in path.read_text("utf-8").splitlines()[3:]
}


def section(thing, title):
    """The lines below a heading of a docstring, up to the next; none where there is no such heading."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    heads = [i for i in range(len(lines) - 1) if lines[i + 1] and set(lines[i + 1]) == {"-"}]
    for i, end in itertools.pairwise([*heads, len(lines)]):
        if lines[i] == title:
            return [line for line in lines[i + 2 : end] if line.strip()]
    return []


def documented(thing, title):
    """The names that a section describes, of ``a, b : str`` both; without the stars of ``**kwargs``."""
    heads = [line.partition(" : ")[0] for line in section(thing, title) if not line.startswith(" ")]
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def test_every_public_thing_is_under_one_task():
    assert len(NAMES) == len(set(NAMES))
    listed = {id(attrgetter(name)(eegflex)) for name in NAMES}
    assert len(listed) == len(NAMES)
    for home in ("eegflex", *(f"eegflex.{name}" for name in eegflex._MODULES)):
        module = importlib.import_module(home)
        missing = [
            name for name in module.__all__ if not name.startswith("_") and id(getattr(module, name)) not in listed
        ]
        assert missing == [], home


def test_the_reference_has_one_table_for_each_task():
    text = pages.api()
    assert text.count(".. autosummary::") == len(pages.TASKS)
    for name in NAMES:
        assert len(re.findall(rf"^   {re.escape(name)}$", text, re.MULTILINE)) == 1


@pytest.mark.parametrize("name", THINGS)
def test_see_also_leads_to_what_there_is_and_not_back(name):
    told = [word for line in section(THINGS[name], "See Also") for word in line.partition(" : ")[0].split(", ")]
    assert told, "no See Also"
    assert len(told) == len(set(told))
    assert f"eegflex.{name}" not in told
    for word in told:
        assert word in OTHERS or word.removeprefix("eegflex.") in NAMES, word


@pytest.mark.parametrize("name", [name for name, thing in THINGS.items() if inspect.isfunction(thing)])
def test_every_argument_and_what_comes_back_is_described(name):
    signature = inspect.signature(inspect.unwrap(THINGS[name]))
    assert documented(THINGS[name], "Parameters") == list(signature.parameters)
    comes_back = signature.return_annotation not in (None, "None")
    assert bool(section(THINGS[name], "Returns")) is comes_back


@pytest.mark.parametrize("name", THINGS)
def test_what_is_cited_is_a_reference_and_the_other_way_round(name):
    text = inspect.getdoc(THINGS[name])
    works = re.findall(r"^\.\. \[(\d+)\]", "\n".join(section(THINGS[name], "References")), re.MULTILINE)
    assert works == [str(number + 1) for number in range(len(works))]
    assert set(re.findall(r"\[(\d+)\]_", text)) == set(works)


@pytest.mark.parametrize("name", OTHERS)
def test_an_inventory_names_what_its_package_has_and_our_pages_use(name):
    parts = name.split(".")
    module = importlib.import_module(".".join(parts[:-1]))
    assert hasattr(module, parts[-1])
    assert OTHERS[name] in {parts[0], "python"}
    sources = [*(ROOT / "eegflex").rglob("*.py"), *DOCS.rglob("*.rst"), DOCS / "links.py", *_mne_own()]
    assert any(name in path.read_text("utf-8") for path in sources)


def _mne_own():
    """What MNE writes into our docstrings, by its ``verbose``."""
    return [Path(importlib.import_module("mne.utils.docs").__file__)]


def test_inventories_are_of_the_version_that_is_plain_text():
    for path in (DOCS / "inventories").iterdir():
        lines = path.read_text("utf-8").splitlines()
        assert lines[:3] == ["# Sphinx inventory version 1", f"# Project: {path.stem}", "# Version: stable"]
        assert all(re.fullmatch(r"[\w.]+ (class|function) [\w./]+\.html", line) for line in lines[3:])
        assert lines[3:] == sorted(lines[3:])


def test_the_page_of_stagers_names_every_spec_and_every_way_to_get_weights():
    text = pages.models()
    rows = re.findall(r"^   \* - ``([\w:-]+)``", text, re.MULTILINE)
    assert [row for row in rows if not row.startswith("known-")] == spec_names()
    ways = set(re.findall(r"^     - (part of eegflex|package \w+|your own file)$", text, re.MULTILINE))
    assert ways == {way for way, _ in pages._HOW_WEIGHTS_ARE_GOT[1:]}


def test_the_home_page_has_the_table_of_the_guide():
    text = pages.which_function()
    assert text.startswith(".. list-table::\n")
    assert len(re.findall(r"^   \* - ", text, re.MULTILINE)) > 10
    for page in re.findall(r":doc:`([^`<]+)`", text):
        assert page.startswith("/")
        assert (DOCS / f"{page[1:]}.rst").exists()


def test_the_home_page_names_stagers_that_there_are():
    text = (DOCS / "index.rst").read_text("utf-8")
    table = text[text.index("Which stager?") : text.index("How do I ...")]
    names = {
        name
        for name in re.findall(r"^   \* - (``.*)$", table, re.MULTILINE)
        for name in re.findall("``([^`]+)``", name)
    }
    whole = {name for name in names if "..." not in name}
    assert len(whole) > 8
    assert whole <= {*spec_names(), *eegflex.evaluation.TRUTHS, "gssc-eeg", "gssc-eog"}
    begun = {name.removesuffix("...") for name in names if name.endswith("...")}
    assert all(any(known.startswith(one) for known in spec_names()) for one in begun)


def test_pictures_of_the_home_page_can_be_read_in_the_dark_and_by_ear():
    pictures = re.findall(r":file: (\S+)", (DOCS / "index.rst").read_text("utf-8"))
    assert len(pictures) == 4
    ids = []
    for picture in pictures:
        text = (DOCS / picture).read_text("utf-8")
        assert re.match(r'<svg role="img" aria-label="[^"]{20,}"', text)
        assert "currentColor" in text
        assert "#000000" not in text
        assert "#ffffff" not in text
        assert min(float(size) for size in re.findall(r"font-size: ([0-9.]+)px", text)) >= 10
        ids += re.findall(r'<clipPath id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_changelog_has_the_sections_of_keep_a_changelog():
    known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    _, *versions = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")
    assert versions
    for version in versions:
        told = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert told == [name for name in known if name in told]
        head, *sections = version.split("\n### ")
        assert "\n- " not in head
        assert all("\n- " in one for one in sections)


@pytest.mark.parametrize("path", sorted({*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")}), ids=lambda path: path.stem)
def test_no_row_of_a_simple_table_is_the_rest_of_the_one_before(path):
    """In such a table every line with a first cell is a row of its own, also where it was meant to go on."""
    text = path.read_text("utf-8")
    for rule, rest in re.findall(r"(?<=\n\n)(=+(?: +=+)+)\n(.*?\n)\1\n(?=\n|\Z)", text, re.DOTALL):
        columns = [found.span() for found in re.finditer("=+", rule)]
        for line in filter(str.strip, rest.splitlines()):
            first, *others = (line[start:end].strip() for start, end in columns)
            assert not first or (all(others) and not first.endswith((",", ";", " or"))), line
