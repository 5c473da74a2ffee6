"""Build the package, and use it as a stranger would: from the wheel alone, in an environment and a folder of its own.

Run from the top of the repository: python tools/try_package.py [--extras] [--keep FOLDER]

Sdist and wheel are put into dist. In a plain environment each command is run, on a simulated night: what it promises is there
afterwards, and nothing else is; what needs an extra says which, and leaves nothing behind. With --extras all extras are then
installed together, and what they are for is tried.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

from floors import promised

ROOT = Path(__file__).resolve().parents[1]
NIGHT = "night.edf --hypnogram night-hypnogram.edf"
COMMANDS = (
    "attribute", "check", "cohort", "datasets", "demo", "evaluate", "export", "info", "report", "simulate", "specs", "stage",
)  # fmt: skip


@dataclass(frozen=True)
class Try:
    """A command line, its status, what it says, and what is in the folder afterwards that was not there before."""

    words: str
    says: str = ""
    makes: tuple[str, ...] = ()
    status: int = 0

    def without(self, extra: str) -> "Try":
        """The same without the extra that it needs."""
        return Try(self.words, says=f"pip install 'eegflex[{extra}]'", status=1)


#: What needs an extra, by its name.
NEEDS = {
    "bids": Try("simulate --hours 0.5 --seed 1 --bids bids", makes=("bids",)),
    "braindecode": Try(
        f"stage {NIGHT} --model braindecode:AttnSleep --weights random -o attn.csv", makes=("attn.csv",)
    ),
    "cohort": Try("cohort bids --model bandpower --sample-per-stage 2 -o cohort", makes=("cohort",)),
    "gssc": Try(f"report {NIGHT} --sample-per-stage 1 -o gssc.html", makes=("gssc.html",)),
    "onnx": Try("check mine.onnx night.edf", says="eegflex: ", status=1),
    "pdf": Try("report result.nc -o result.pdf", makes=("result.pdf",)),
    "yasa": Try(f"stage {NIGHT} --model yasa -o yasa.csv", makes=("yasa.csv",)),
}
PLAIN = (
    Try("--version", says="eegflex "),
    Try("--help", says="simulate"),
    *(Try(f"{command} --help", says="Usage: eegflex") for command in COMMANDS),
    Try(
        "simulate night.edf --hours 0.5 --seed 1",
        makes=("night.edf", "night-events.tsv", "night-hypnogram.edf"),
    ),
    Try(f"info {NIGHT}", says="C4"),
    Try("datasets", says="sleep_edf"),
    Try("datasets sleep_edf", says="Sleep-EDF"),
    Try("specs", says="gssc"),
    Try("specs gssc -o gssc.toml", makes=("gssc.toml",)),
    Try(f"stage {NIGHT} --model bandpower -o stages.csv", makes=("stages.csv",)),
    Try(f"check bandpower {NIGHT}", says="bandpower"),
    Try(f"attribute {NIGHT} --model bandpower --sample-per-stage 2 -o result.nc", makes=("result.nc",)),
    Try(
        f"evaluate result.nc {NIGHT} --model bandpower --parts faithfulness --sample-per-stage 1 -o measured.nc",
        makes=("measured.nc",),
    ),
    Try("report measured.nc -o report.html", makes=("report.html",)),
    Try("export result.nc -o tracks.edf", makes=("tracks.edf",)),
)
DEMO = Try("demo new --hours 0.2 --sample-per-stage 1", says="a toy", makes=("new",))


def run(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program, with its error shown where it fails."""
    return subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)


def demand(done: subprocess.CompletedProcess[str]) -> str:
    """What a program said, which must have worked."""
    if done.returncode:
        sys.exit(f"{' '.join(done.args)}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(python: Path) -> Path:
    """Build sdist and wheel, and look at what they say of themselves."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    demand(run(python, "-m", "pip", "install", "--quiet", "build", "twine"))
    demand(run(python, "-m", "build"))
    built = sorted((ROOT / "dist").iterdir())
    demand(run(python, "-m", "twine", "check", "--strict", *built))
    print("built:", ", ".join(one.name for one in built))
    return next(one for one in built if one.suffix == ".whl")


def environment(folder: Path) -> Path:
    """Make an environment; returns its programs."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if sys.platform == "win32" else "bin")


def attempt(one: Try, programs: Path, folder: Path) -> None:
    """Run a command line, and leave where it did not do what it should."""
    before = {path.name for path in folder.iterdir()}
    done = run(programs / "eegflex", *one.words.split(), cwd=folder)
    made = {path.name for path in folder.iterdir()} - before
    said = done.stdout + done.stderr
    good = done.returncode == one.status and one.says in said and made == set(one.makes)
    traceback = "Traceback" in said
    print("ok " if good and not traceback else "BAD", "eegflex", one.words, flush=True)
    if not good or traceback:
        sys.exit(f"status {done.returncode}, made {sorted(made)}\n{said}")


def imports(programs: Path, folder: Path) -> None:
    """Importing warns of nothing and comes from the wheel; versions are told."""
    code = "import eegflex; print(eegflex.__file__)"
    where = demand(run(programs / "python", "-W", "error", "-c", code, cwd=folder))
    if "site-packages" not in where:
        sys.exit(f"imported from {where}")
    print(demand(run(programs / "python", "-c", "import eegflex; eegflex.sys_info()", cwd=folder)))
    demand(run(programs / "python", "-m", "eegflex", "--version", cwd=folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", action="store_true", help="try all extras together, too")
    parser.add_argument("--keep", type=Path, help="where to make the environments, which are kept there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = asked.keep or Path(temporary)
        wheel = build(environment(home / "build") / "python")
        programs, folder = environment(home / "plain"), home / "work"
        folder.mkdir()
        demand(run(programs / "python", "-m", "pip", "install", "--quiet", wheel))
        demand(run(programs / "python", "-m", "pip", "check"))
        imports(programs, folder)
        (folder / "mine.onnx").write_bytes(b"no model")
        for one in (*PLAIN, *(needing.without(extra) for extra, needing in NEEDS.items()), DEMO):
            attempt(one, programs, folder)
        if asked.extras:
            programs = environment(home / "full")
            demand(run(programs / "python", "-m", "pip", "install", "--quiet", f"{wheel}[{','.join(promised())}]"))
            demand(run(programs / "python", ROOT / "tools" / "mend_torchaudio.py"))
            demand(run(programs / "python", "-m", "pip", "check"))
            for one in NEEDS.values():
                attempt(one, programs, folder)


if __name__ == "__main__":
    main()
