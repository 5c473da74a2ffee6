"""Peak memory of explaining a night of 8 h, saving and reporting it, against one of 1 h; and of a report, against its result.

Each is measured in a process of its own, over what that process takes once it has done the same on something small. Memory
is what the process does not share with files (``RssAnon`` of Linux's ``/proc``), watched every 2 ms, so that what is not
Python's counts too: networks, figures, pictures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import eegflex
from benchmarks.table import Row, markdown

__all__ = ["rows"]

#: Epochs of the result whose report is made: 6.7 h.
N_EPOCHS = 800

WATCH = """
import sys, threading, time
from pathlib import Path
import eegflex

def memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

def watch():
    def look():
        while True:
            seen.append(memory())
            time.sleep(0.002)
    seen = [memory()]
    threading.Thread(target=look, daemon=True).start()
    return seen
"""

#: Read the night from its file, and explain all of it with batches of the size that is found.
_EXPLAIN = """
from benchmarks.nights import trained

def explain(fname, first, **kwargs):
    epochs = eegflex.make_epochs(eegflex.read_psg(fname, verbose="error"), verbose="error")[:first]
    return eegflex.attribute_epochs(epochs, stager, quadrature="gauss-legendre", n_steps=2, verbose="error", **kwargs)

stager = trained.chambon()
explain(sys.argv[1], 5, batch_size=1)
before, seen = memory(), watch()
explain(sys.argv[1], None)
print(before, max(seen))
"""

#: The same, saved and reported.
_ALL = """
from benchmarks.nights import trained

def explain(fname, first, **kwargs):
    epochs = eegflex.make_epochs(eegflex.read_psg(fname, verbose="error"), verbose="error")[:first]
    result = eegflex.attribute_epochs(epochs, stager, quadrature="gauss-legendre", n_steps=2, verbose="error", **kwargs)
    told = [max(seen)]
    result.save(fname + ".nc", overwrite=True)
    told += [max(seen)]
    eegflex.make_report(result, verbose="error").save(fname + ".html", overwrite=True)
    return *told, max(seen), result.data.nbytes

stager, seen = trained.chambon(), [0]
explain(sys.argv[1], 40, batch_size=1)
before, seen = memory(), watch()
print(before, *explain(sys.argv[1], None))
"""

#: Read the result from its file, and write its report; once before with every 40th epoch, for what is only loaded once.
_REPORT = """

def report(result):
    eegflex.make_report(result, verbose="error").save(sys.argv[1] + ".html", overwrite=True)

report(eegflex.FlexResult(eegflex.read_result(sys.argv[1]).data.isel(epoch=slice(None, None, 40)).copy(deep=True)))
before, seen = memory(), watch()
result = eegflex.read_result(sys.argv[1])
report(result)
print(result.data.nbytes, max(seen) - before)
"""


def rows() -> list[Row]:
    """Measure the nights and the report."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_nights(Path(folder)), _report(Path(folder))]


def _nights(folder: Path) -> list[Row]:
    files = {
        hours: eegflex.simulate_psg(hours=hours, seed=1, verbose="error").save(folder / f"{hours}.edf").psg
        for hours in (1, 8)
    }
    explained, every = ({hours: _run(script, file) for hours, file in files.items()} for script in (_EXPLAIN, _ALL))
    return [_row("", explained, 1), _row(", explained, saved and reported", every, 3)]


def _row(what: str, measured: dict[int, list[float]], which: int) -> Row:
    """One row of the peaks that two nights had, in the place `which` of what was printed."""
    peaks = {hours: (found[which], found[which] - found[0]) for hours, found in measured.items()}
    said = {
        hours: f"{peak:.0f} MiB, {more:.0f} over the process with the model" for hours, (peak, more) in peaks.items()
    }
    if which > 1:
        said = {h: f"{words}; the result {measured[h][-1]:.0f}" for h, words in said.items()}
    ratio = peaks[8][0] / peaks[1][0]
    return Row(
        f"peak memory, 8 h against 1 h, single-epoch CNN{what}", said[8], said[1], ratio, "at most 1.15", ratio <= 1.15
    )


def _report(folder: Path) -> Row:
    night = eegflex.simulate_psg(hours=N_EPOCHS / 120, sfreq=128, seed=1, verbose="error")
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    rule = {"quadrature": "gauss-legendre", "n_steps": 2, "views": ("time",), "on_check": "ignore"}
    result = eegflex.attribute_epochs(epochs, "bandpower", verbose="error", **rule)
    own, peak = _run(_REPORT, result.save(folder / "result.nc"))
    what = f"peak memory, report of {N_EPOCHS} epochs and {len(result.ch_names)} channels against the result itself"
    said = f"{peak:.0f} MiB, the result among them", f"{own:.0f} MiB, the result"
    return Row(what, *said, peak / own, "at most 1.5", peak / own <= 1.5)


def _run(script: str, file: Path) -> list[float]:
    """Run a script on a file in a process of its own; the numbers that it prints, in MiB."""
    command = [sys.executable, "-c", WATCH + script, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(value) / 2**20 for value in done.stdout.split()]


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
