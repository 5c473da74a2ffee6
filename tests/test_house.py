"""Rules that every module of the package keeps."""

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import eegflex

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "eegflex").rglob("*.py"))
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in MODULES}


def names_of_modules():
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if path.name != "__main__.py"
    ]


def public_callables():
    """The functions of the package and of its public modules."""
    found = {}
    for home in ("", ".datasets", ".readers", ".report", ".simulate", ".stagers", ".viz"):
        module = importlib.import_module(f"eegflex{home}")
        for word in module.__all__:
            thing = getattr(module, word)
            if inspect.isfunction(thing):
                found[f"eegflex{home}.{word}"] = thing
    return found


@pytest.mark.parametrize("name", eegflex.__all__)
def test_public_names_resolve_and_are_documented(name):
    thing = getattr(eegflex, name)
    assert name in dir(eegflex)
    if name != "__version__":
        assert inspect.getdoc(thing)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'spectre'"):
        _ = eegflex.spectre


def test_importing_the_package_is_cheap():
    heavy = ["torch", "matplotlib.pyplot", "mne", "pandas", "xarray", "captum"]
    code = f"import sys, eegflex; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_modules_are_there_without_an_import_of_their_own():
    code = "import eegflex; print([getattr(eegflex, name).__name__ for name in eegflex._MODULES])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([f"eegflex.{name}" for name in eegflex._MODULES])


@pytest.mark.parametrize("path", TREES)
def test_every_module_has_a_docstring_and_prints_nothing(path):
    assert ast.get_docstring(TREES[path]) or not TREES[path].body
    calls = [node.func for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("name", names_of_modules())
def test_what_a_module_says_is_public_is_there(name):
    module = importlib.import_module(name)
    assert not [word for word in getattr(module, "__all__", ()) if not hasattr(module, word)]


def test_modules_stay_short():
    assert {p.name: n for p in MODULES if (n := len(p.read_text("utf-8").splitlines())) > 450} == {}


def test_only_main_imports_the_command_line():
    importers = set()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                named = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            else:
                continue
            if "eegflex.cli" in named:
                importers.add(path)
    assert importers == {"eegflex/__main__.py"}


def test_no_file_names_a_directory_of_its_author():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    homes = "|".join(re.escape(home) for home in {"/" + "work", "/" + "root", str(Path.home())})
    needle = re.compile(rf"(?<![\w.~-])(?:{homes})/")
    guilty = []
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue  # deleted, not yet committed
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # not a text
        guilty += [f"{name}: {match.group()}" for match in needle.finditer(text)]
    assert guilty == []


def test_public_functions_document_their_parameters():
    bare = []
    for name, function in public_callables().items():
        doc = inspect.getdoc(function) or ""
        arguments = set(inspect.signature(function).parameters) - {"self", "cls", "kwargs"}
        if not doc or (arguments and not re.search(r"^Parameters\n-+$", doc, re.MULTILINE)):
            bare.append(name)
    assert bare == []


def test_public_functions_document_every_parameter():
    missing = []
    for name, function in public_callables().items():
        doc = inspect.getdoc(function) or ""
        if "Parameters\n---" not in doc:
            continue
        named = re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?= :|$)", doc, re.MULTILINE)
        words = {word.strip("* ") for line in named for word in line.split(",")}
        missing += [f"{name}: {p}" for p in inspect.signature(function).parameters if p not in {"self", "cls", *words}]
    assert missing == []
