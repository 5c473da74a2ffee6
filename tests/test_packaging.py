"""The recipes of packages ask for what pyproject.toml asks for, and are of the version that it has."""

import re
import tomllib
from pathlib import Path

import pytest

import eegflex

ROOT = Path(__file__).resolve().parents[1]
#: What packages are called in conda, where it is otherwise.
CONDA = {"matplotlib": "matplotlib-base", "mne": "mne-base", "torch": "pytorch"}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_conda_recipe_asks_for_the_same_versions():
    yaml = pytest.importorskip("yaml")
    recipe = yaml.safe_load((ROOT / "packaging" / "recipe.yaml").read_text("utf-8"))
    asked = [re.match(r"([\w.-]+)>=([\w.]+)", one).groups() for one in project()["dependencies"]]
    wanted = {f"{CONDA.get(name, name)} >={version}" for name, version in asked}
    run = {one for one in recipe["requirements"]["run"] if not one.startswith("python ")}
    assert run == wanted
    assert recipe["context"]["version"] == eegflex.__version__
    assert project()["requires-python"] == f">={recipe['context']['python_min']}"


def test_the_container_has_extras_that_there_are():
    text = (ROOT / "packaging" / "Containerfile").read_text("utf-8")
    extras = re.search(r"\$wheel\[([\w,]+)\]", text).group(1).split(",")
    assert set(extras) <= project()["optional-dependencies"].keys()


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"version: {eegflex.__version__}" in text
