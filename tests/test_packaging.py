"""The package holds what the repository keeps, and its recipes ask for what pyproject.toml does, in its version."""

import importlib.util
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import eegflex
import eegflex.cli

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
    extras = re.search(r"\$\{wheel\}\[([\w,]+)\]", text).group(1).split(",")
    assert set(extras) <= project()["optional-dependencies"].keys()


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"version: {eegflex.__version__}" in text


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, built here and now."""
    pytest.importorskip("hatchling", reason="what builds the package is not installed")
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    folder = str(tmp_path_factory.mktemp("dist"))
    wheel, sdist = (next(kind(str(ROOT)).build(directory=folder)) for kind in (WheelBuilder, SdistBuilder))
    return Path(wheel), Path(sdist)


def kept(*folders):
    """Files that the repository keeps, or would."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *folders]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_wheel_has_the_files_of_the_package_and_no_others(built):
    with zipfile.ZipFile(built[0]) as wheel:
        files = {name for name in wheel.namelist() if not name.startswith(f"eegflex-{eegflex.__version__}.dist-info/")}
        of_itself = {name.partition("/")[2] for name in wheel.namelist()} - {name.partition("/")[2] for name in files}
    assert files == kept("eegflex") | {f"eegflex/cards/{Path(name).name}" for name in kept("datasets")}
    assert "eegflex/py.typed" in files
    assert of_itself == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_sdist_has_the_files_of_the_repository_and_is_light(built):
    with tarfile.open(built[1]) as sdist:
        files = {name.partition("/")[2] for name in sdist.getnames()}
    assert files - {"PKG-INFO"} == kept()
    assert built[1].stat().st_size < 5e6


def test_what_the_package_says_of_itself(built):
    with zipfile.ZipFile(built[0]) as wheel:
        said = HeaderParser().parsestr(wheel.read(f"eegflex-{eegflex.__version__}.dist-info/METADATA").decode())
    assert (said["Author"], said["License-Expression"]) == ("eegflex contributors", "BSD-3-Clause")
    assert {one.split(",")[0] for one in said.get_all("Project-URL")} >= {
        "Homepage",
        "Documentation",
        "Source",
        "Issues",
        "Changelog",
    }
    minors = [int(one.rpartition(".")[2]) for one in said.get_all("Classifier") if "Python :: 3." in one]
    assert f">=3.{minors[0]}" == said["Requires-Python"]
    assert minors == list(range(minors[0], minors[-1] + 1))
    relative = [one for one in re.findall(r"\]\(([^)]+)\)", said.get_payload()) if not one.startswith(("http", "#"))]
    assert not relative  # the index shows the README elsewhere than beside its files


def test_every_promised_version_is_in_one_of_the_sets_of_floors():
    floors = tool("floors")
    promised = [one for extra in floors.promised() for one in project()["optional-dependencies"][extra]]
    tested = {one for which in ("own", "stagers") for one in floors.floors(which)}
    assert tested == {one.replace(">=", "==") for one in project()["dependencies"] + promised}


def test_what_an_error_says_to_install_is_an_extra():
    told = {
        extra
        for path in (ROOT / "eegflex").rglob("*.py")
        for pair in re.findall(r"""MissingExtraError\([^()]*?, "(\w+)"\)|eegflex\[(\w+)\]""", path.read_text("utf-8"))
        for extra in pair
        if extra
    }
    assert {"gssc", "onnx", "pdf", "yasa"} <= told
    assert told <= set(tool("floors").promised())


def test_every_command_is_tried_by_a_stranger():
    tried, commands = tool("try_package"), {one.callback.__name__ for one in eegflex.cli.app.registered_commands}
    assert set(tried.COMMANDS) == commands
    assert {one.words.split()[0] for one in (*tried.PLAIN, *tried.NEEDS.values(), tried.DEMO)} >= commands


def tool(name):
    """A script of the folder tools, as a module."""
    found = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        patch.setitem(sys.modules, name, module)  # where dataclasses look for their annotations
        found.loader.exec_module(module)
    return module


def test_no_name_is_newer_than_the_floor_of_numpy():
    """NumPy 2 has names that its predecessor lacks; `make floors` would find them, but is run seldom."""
    assert "numpy>=1.26" in project()["dependencies"]
    names = "trapezoid concat astype matrix_transpose permute_dims isdtype vecdot unstack cumulative_sum bool long pow"
    newer = re.compile(rf"\bnp\.({'|'.join(names.split())}|unique_\w+|linalg\.(vector_norm|matrix_norm))\(")
    found = [path.name for path in (ROOT / "eegflex").rglob("*.py") if newer.search(path.read_text("utf-8"))]
    assert not found
