"""Rules that every module of the package keeps."""

import ast
import graphlib
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
    for home in ("", *(f".{name}" for name in eegflex._MODULES)):
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


@pytest.mark.slow
def test_importing_a_module_changes_nothing_of_the_process():
    """Neither what signals do, nor the threads of torch, nor the garbage collector."""
    code = (
        "import gc, importlib, signal, sys, torch\n"
        "state = lambda: ([signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)], torch.get_num_threads(),\n"
        "                 torch.is_grad_enabled(), gc.isenabled(), gc.get_freeze_count(), list(sys.path))\n"
        "before = state()\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    assert state() == before, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *names_of_modules()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
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


@pytest.mark.parametrize("path", TREES)
def test_docstrings_and_imports_are_of_one_dialect(path):
    classes = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ClassDef)]
    fields = [one for one in classes if any("dataclass" in ast.unparse(how) for how in one.decorator_list)]
    told_otherwise = [
        one.name for one in fields if re.search(r"^Parameters\n-+$", ast.get_docstring(one) or "", re.MULTILINE)
    ]
    assert told_otherwise == [], "the fields of a dataclass are its attributes"
    relative = [node.lineno for node in ast.walk(TREES[path]) if isinstance(node, ast.ImportFrom) and node.level]
    assert relative == [], "imports are absolute"
    text = (ROOT / path).read_text("utf-8")
    assert not re.search(r":(?:class|func|meth|mod|attr|obj):`", text), "a name stands in single backticks"


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
            if any(name.startswith("eegflex.cli") for name in named) and "eegflex/cli" not in path:
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


#: The floors of the house, the lowest first: a module imports from its own floor and from those below.
FLOORS = (
    "errors stages _version",
    "agreement bands findings output_settings results.intervals results.phase_table scores settings targets utils",
    "cohort_settings",
    "spec",
    "readers.text readers.notes readers.epoch_times readers.stage_words",
    "readers.stage_numbers",
    "readers.file_heads",
    "readers.recordings",
    "readers.channels",
    "readers.hypnograms",
    "readers.bids readers.profiles",
    "readers.psg",
    "readers.describe",
    "readers",
    "epochs simulation datasets",
    "preprocessing.channels",
    "preprocessing.grid",
    "preprocessing.filter_and_resample",
    "preprocessing.faults",
    "preprocessing.blocks",
    "preprocessing.scaling",
    "preprocessing",
    "stagers",
    "surrogates",
    "staging review",
    "results",
    "doctor",
    "attribution",
    "evaluation",
    "viz",
    "report",
    "cohort",
    "cli __main__",
)
#: A result and a staged night draw themselves: their methods import the figures when they are called.
UPWARDS = {("eegflex.results.figures", "viz"), ("eegflex.results.figures", "report"), ("eegflex.staging", "viz")}


def floor_of(module):
    """The floor of a module: that of the longest name in the table which it begins with."""
    rooms = {room: number for number, floor in enumerate(FLOORS) for room in floor.split()}
    parts = module.split(".")[1:]
    known = [".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in rooms]
    return rooms[known[0]] if known else None


def imports_of(path, *, at_once):
    """The modules of the package that a module imports, in functions too unless only those `at_once` are meant."""
    skipped = (ast.FunctionDef, ast.AsyncFunctionDef) if at_once else ()
    known, waiting = set(names_of_modules()), [TREES[path]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ({name for name in inner if name in known} or {node.module} & known)
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, skipped)]


def as_module(path):
    return ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", [path for path in TREES if path != "eegflex/__init__.py"])
def test_imports_point_one_way(path):
    own = floor_of(as_module(path))
    assert own is not None, "a new room needs a floor"
    upwards = [name for name in imports_of(path, at_once=False) if name != "eegflex" and floor_of(name) > own]
    assert [name for name in upwards if (as_module(path), name.split(".")[1]) not in UPWARDS] == []


def test_no_module_imports_itself_by_way_of_others():
    graph = {as_module(path): set(imports_of(path, at_once=True)) for path in TREES}
    graph["eegflex"] = set()  # every import of a part runs it first; it imports the lowest floors only
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_a_module_that_has_a_wrong_import_would_be_found(monkeypatch):
    upwards = ast.parse("def late():\n    from eegflex.doctor.check_model import check_model")
    monkeypatch.setitem(TREES, "eegflex/bands.py", upwards)
    with pytest.raises(AssertionError):
        test_imports_point_one_way("eegflex/bands.py")
    monkeypatch.setitem(TREES, "eegflex/errors.py", ast.parse("from eegflex import bands"))
    monkeypatch.setitem(TREES, "eegflex/bands.py", ast.parse("import eegflex.errors"))
    with pytest.raises(graphlib.CycleError):
        test_no_module_imports_itself_by_way_of_others()
