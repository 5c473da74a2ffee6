"""Who checks the types of a script that uses eegflex is told of a misspelt argument before the night is read."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLOTS = ["plot_bands", "plot_completeness", "plot_confusion", "plot_context", "plot_epoch", "plot_night"]
PLOTS += ["plot_spectrum", "plot_topomap"]
#: Lines of a script, and what of each is misspelt in another.
LINES = [
    ('raw = eegflex.read_psg("night.edf", hypnogram="night.csv")', "hypnogram=", "hypnogramm="),
    ("epochs = eegflex.make_epochs(raw, verbose=False)", "verbose=", "verbosity="),
    ('night = eegflex.stage_epochs(epochs, "gssc", picks=["C3"])', "picks=", "channels="),
    ("result = eegflex.attribute_epochs(night, sample_per_stage=4)", "sample_per_stage", "samples_per_stage"),
    ('result.plot_topomap(stage="N2", band="sigma")', "stage=", "stages="),
    ('result.plot_spectrum(stage="N2")', "plot_spectrum", "plot_spectra"),
    ('result.band_table(by=("stage",))', "by=", "group_by="),
    ('eegflex.make_report(result, title="A night").save("night.html")', "title=", "name="),
    ("evaluation = eegflex.evaluate(result, night, parts=None)", "parts=", "metrics="),
    ('findings = eegflex.check_model("gssc", epochs, device="cpu")', "device=", "devices="),
    ('eegflex.load_model("gssc", trusted=True)', "trusted=", "trust="),
    ("simulated = eegflex.simulate_psg(hours=1)", "hours=", "hour="),
    ('eegflex.read_hypnogram("night.csv", verbose="error")', "verbose=", "quiet="),
    ('eegflex.read_result("night.nc", lazy=True)', "lazy=", "lazily="),
    ("eegflex.concatenate_results([result])", "concatenate_results", "concat_results"),
    ('eegflex.readers.read_psg("night.edf")', "read_psg", "read_psgs"),
    ("night.review_queue()", "review_queue", "review_list"),
    ("eegflex.sys_info()", "sys_info", "show_versions"),
    *((f"result.{name}(show=False)", "show=", "shown=") for name in PLOTS),
    *((f"eegflex.viz.{name}(result, annotate=False)", "annotate=", "notes=") for name in PLOTS),
    ('cohort = eegflex.cohort.run_cohort("in", "gssc", "out", sample_per_stage=4)', "sample_per_stage", "per_stage"),
    ('eegflex.cohort.compare_groups(cohort, "group", n_permutations=99)', "n_permutations", "permutations"),
    ("eegflex.cohort.make_cohort_report(cohort, title=None)", "title=", "name="),
]
HEAD = "import eegflex\n"
#: What is beneath is not looked at, which would take most of a minute: it is our own signatures that are meant.
BENEATH = "captum h5netcdf matplotlib mne pandas scipy torch xarray"


def checked(text, folder, *options):
    """The lines of a script in which mypy found errors, as one that uses eegflex from elsewhere."""
    script = folder / "script.py"
    script.write_text(HEAD + text, encoding="utf-8")
    sections = [f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = true" for name in BENEATH.split()]
    (folder / "mypy.ini").write_text("\n".join(["[mypy]", "follow_imports = silent", *sections]), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", f"--cache-dir={folder}", *options, str(script)]
    env = {"MYPYPATH": str(ROOT), "PATH": str(Path(sys.executable).parent), "SYSTEMROOT": ""}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mypy", path=str(Path(sys.executable).parent)) is None, reason="mypy is not installed")
def test_a_script_is_clean_and_each_misspelt_word_an_error(tmp_path):
    assert all(word in line for line, word, _ in LINES)
    assert checked("\n".join(line for line, _, _ in LINES), tmp_path, "--strict") == set()
    misspelt = checked("\n".join(line.replace(word, wrong) for line, word, wrong in LINES), tmp_path)
    missed = [line for number, (line, _, _) in enumerate(LINES, start=2) if number not in misspelt]
    assert missed == []


@pytest.mark.parametrize("name", PLOTS)
def test_figures_have_signatures_of_their_own(name):
    import inspect

    from eegflex import FlexResult, viz

    method, function = (inspect.signature(getattr(home, name)).parameters for home in (FlexResult, viz))
    assert [one.kind for one in method.values() if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL)] == []
    assert [(one.name, one.default) for one in list(method.values())[1:]] == [
        (one.name, one.default) for one in list(function.values())[1:]
    ]
    assert {"axes", "annotate", "show"} <= set(method)


def test_mypy_is_strict_for_the_package():
    import tomllib

    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    assert asked["strict"] is True
    assert asked["packages"] == ["eegflex"]


def test_the_package_says_that_it_has_types():
    assert (ROOT / "eegflex" / "py.typed").is_file()
