"""What a worker of Dask does: it hands a recording to a process of its own, and looks after that.

The worker itself imports neither torch nor a recording, so that nothing in a file can take it down.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eegflex.cohort.extra import from_extra
from eegflex.cohort.hand import receive, send
from eegflex.cohort.recording import Recording
from eegflex.utils.progress import duration_text

__all__ = ["Hand", "explain"]

#: How often a process is looked at, in s.
LOOK = 0.5
#: How long the end of a process is waited for, in s.
PATIENCE = 10.0
_THREADS = ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM", "NUMEXPR")
_HANDS = threading.local()


class Hand:
    """A process that explains one recording after another, for one thread of a worker."""

    process: subprocess.Popen[bytes]

    def __init__(self) -> None:
        own = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
        search = {"PYTHONPATH": os.pathsep.join(one or str(Path.cwd()) for one in sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "eegflex.cohort.hand"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **own, **search},
        )  # fmt: skip
        self._answers: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self.end)

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    def ask(
        self,
        request: tuple[Any, ...],
        limit: int | None,
        is_wanted: Callable[[], bool],
        time_limit: float | None = None,
    ) -> dict[str, Any]:
        """Have a recording explained.

        Parameters
        ----------
        request : tuple
            As `eegflex.cohort.hand` takes it.
        limit : int | None
            Bytes that the process may take.
        is_wanted : callable
            Whether somebody still waits for the answer.
        time_limit : float | None
            Seconds that it may take.

        Returns
        -------
        answer : dict
            Of the process; or, with the kind ``"died"``, ``"killed"``, ``"memory"`` or ``"time"``, of its end.
        """
        assert self.process.stdin is not None  # noqa: S101
        end = math.inf if time_limit is None else time.monotonic() + time_limit
        with contextlib.suppress(OSError):  # it died before; the answer says so
            send(self.process.stdin, request)
        while True:
            try:
                answer = self._answers.get(timeout=max(0.0, min(LOOK, end - time.monotonic())))
            except queue.Empty:
                if not is_wanted():
                    self.end()
                    return _ended("killed", "Its run was stopped")
                if limit is not None and (taken := _memory(self.process.pid)) > limit:
                    self.end()
                    return _ended("memory", f"It took {taken / 1e9:.1f} GB of memory, of {limit / 1e9:.1f} that it may")
                if time_limit is not None and time.monotonic() >= end:
                    self.end()
                    # what hangs once does so again, and would hold a worker for as long
                    return _ended("time", f"It was not finished after {duration_text(time_limit)}") | {"final": True}
            else:
                return answer if answer is not None else self._why()

    def end(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that waits for a disk that is gone goes with that
            self.process.wait(timeout=PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        atexit.unregister(self.end)

    def _listen(self) -> None:
        assert self.process.stdout is not None  # noqa: S101
        try:
            while True:
                self._answers.put(receive(self.process.stdout))
        except (EOFError, OSError, ValueError):
            self._answers.put(None)

    def _why(self) -> dict[str, Any]:
        """Say how the process ended."""
        code = self.process.wait()
        self.end()
        if code == -getattr(signal, "SIGKILL", 0):
            return _ended("killed", "Its process was killed, by the system if memory is short, or by hand")
        if code < 0:
            return _ended("died", f"Its process died of {signal.Signals(-code).name}")
        return _ended("died", f"Its process ended with the status {code}")


def explain(path: str, digest: str, one: Recording, time_limit: float | None) -> dict[str, Any]:
    """Explain a recording in this worker: the task that Dask is given.

    Parameters
    ----------
    path, digest : str
        Of the file that says what is asked of all.
    one : Recording
        The recording.
    time_limit : float | None
        Seconds that it may take.

    Returns
    -------
    row : dict
        What came of it.
    """
    worker = from_extra("distributed").get_worker()
    hand = getattr(_HANDS, "hand", None)
    if hand is None or not hand.lives:
        hand = _HANDS.hand = Hand()
    key, began = worker.get_current_task(), time.perf_counter()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state not in ("cancelled", "released", "forgotten")

    memory = worker.memory_manager.memory_limit  # of all its threads, each of which has a process
    limit = memory and int(memory / worker.state.nthreads)
    answer = hand.ask((path, digest, one), limit, is_wanted, time_limit)
    return {"seconds": time.perf_counter() - began, **answer}


def _ended(kind: str, what: str) -> dict[str, Any]:
    return {"status": "ended", "kind": kind, "error": what}


def _memory(pid: int) -> int:
    """Bytes that a process has in memory; 0 where it is gone."""
    psutil = from_extra("psutil")
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
