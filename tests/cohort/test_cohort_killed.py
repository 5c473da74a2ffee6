"""Whatever ends a run, the next one goes on, and what comes of both is what comes of one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cohort_files
import psutil
import pytest

from eegflex.errors import ParameterError

pytestmark = pytest.mark.slow
TESTS = Path(cohort_files.__file__).parent
PATIENCE = 300.0


@pytest.fixture(scope="module")
def source(explained):
    """Some of the recordings of the cohort: each process takes seconds to begin, and the one that crashes takes several."""
    chosen = [*explained.good, explained.bad["empty"], explained.bad["unit"]]
    return cohort_files.table_of(explained.root / "some.csv", chosen)


SOME = ["sub-good0", "sub-good1", "sub-good2", "sub-badempty", "sub-badunit"]


def start(source, out, **more):
    words = [f"{name}={value}" for name, value in ({"pause": 0.2} | more).items()]
    # in a group of its own, as a shell starts it: Ctrl-C is heard by all of them
    return subprocess.Popen([sys.executable, TESTS / "cohort_files.py", source, out, *words], process_group=0)


def wait_for(holds, process=None):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, "it ended too early"
        time.sleep(0.05)


def n_told(out):
    return len(list(Path(out).rglob("*_attribution.json")))


def test_one_that_is_stopped_or_killed_is_gone_on_with(explained, source, tmp_path, assert_same):
    out = tmp_path / "out"
    first = start(source, out, n_workers=1)
    wait_for(lambda: n_told(out) > 0, first)
    own = psutil.Process(first.pid).children(recursive=True)
    assert own
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait(PATIENCE) != 0
    wait_for(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in own))
    assert not [path for path in out.iterdir() if path.name.startswith(".") and path.name != ".bidsignore"]
    told = n_told(out)
    second = start(source, out, n_workers=1)
    wait_for(lambda: n_told(out) > told, second)
    own = psutil.Process(second.pid).children(recursive=True)
    second.kill()
    second.wait()
    wait_for(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in own))
    assert n_told(out) < len(SOME)
    cohort_files.explain(source, out, n_workers=1, retries=1)
    assert_same(explained.out, out, SOME)


@contextlib.contextmanager
def cluster(folder):
    """A scheduler and two workers, each a process of its own, over TCP."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    dask, known = [sys.executable, "-m", "dask"], folder / "scheduler.json"
    common = ["--scheduler-file", known]
    scheduler = subprocess.Popen([*dask, "scheduler", *common, "--port", "0", "--no-dashboard"], **quiet)
    workers = []
    try:
        wait_for(known.exists, scheduler)
        own = ["--nthreads", "1", "--no-dashboard", "--local-directory", folder]
        workers = [subprocess.Popen([*dask, "worker", *common, *own], **quiet) for _ in range(2)]
        yield json.loads(known.read_text())["address"], workers
    finally:
        for one in [*workers, scheduler]:
            for child in psutil.Process(one.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            one.kill()
            one.wait()


def test_workers_of_their_own_one_of_which_is_killed(explained, source, tmp_path, assert_same):
    out = tmp_path / "out"
    with cluster(tmp_path) as (address, workers):
        client = start(source, out, scheduler=address, pause=0.1)
        wait_for(lambda: n_told(out) > 1, client)
        (worker,) = [
            one for one in psutil.Process(workers[0].pid).children() if "resource_tracker" not in str(one.cmdline())
        ]
        worker.kill()
        assert client.wait(PATIENCE) == 0
    assert_same(explained.out, out, SOME)


def test_no_scheduler(source, tmp_path, monkeypatch):
    monkeypatch.setattr("eegflex.cohort.engine.PATIENCE", 1)
    with pytest.raises(ParameterError, match=r"No Dask scheduler answers.*tcp://127.0.0.1:1"):
        cohort_files.explain(source, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
    assert not (tmp_path / "out").exists()
