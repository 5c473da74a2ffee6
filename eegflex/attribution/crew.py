"""Several processes that explain: they take part after part of what is to do, and whatever fails there is done here.

This process works too. The others are started when they are worth it, and are gone when it is done, whatever ends it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import signal
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

import joblib
import torch
from joblib.externals.loky import BrokenProcessPool, Future, ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker
from mne.utils import logger

from eegflex.attribution.context import try_out
from eegflex.attribution.helper import GO, UP, Outcome, begin, set_up, work
from eegflex.attribution.packing import pack
from eegflex.attribution.request import CHUNK, Explained, Explainer, Part, Request
from eegflex.utils.stopping import check

__all__ = ["WORTH", "Crew"]

#: Others are started where the rest takes one process longer than so many s: to begin takes each of them some. Up to there
#: one process with a thread takes little longer than with all of them, which gain a third with two.
WORTH = 10.0
#: Fewer explanations are left to one process and its threads, unless processes are asked for.
FEW = 4 * CHUNK
#: What another process takes, in bytes: no more are started by themselves than fit into what is free. Of a whole night
#: of GSSC the largest process took 3.1 GiB.
MEMORY = 7 * 2**29
#: After so many s without work a process ends by itself, such as one whose caller was killed.
IDLE = 60.0
#: How long those that were asked to stop are waited for, in s.
PATIENCE = 10.0
_THREADS = ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM", "NUMEXPR")

Keep = Callable[[int, Explained], None]


class Crew:
    """The processes that explain a request.

    While it is entered, torch has one thread a core that a process has to itself: how many processes there are in the end does
    not change by a bit what comes of it.

    Parameters
    ----------
    request : Request
        What is to be explained; `n_jobs` of its settings says in how many processes: by default in one a core, once the rest
        takes one process more than `WORTH` s; else in so many from the start. On a GPU it is one.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._at_once = request.settings.n_jobs is not None
        self._most, self._threads = _divided(request)
        self._pool: _Pool | None = None
        self._alone = False
        self._each: float | None = None  # s that an explanation took here, once a part is done
        self._told: set[str] = set()

    def __enter__(self) -> Crew:
        self._before = torch.get_num_threads()
        torch.set_num_threads(min(self._threads or self._before, self._before))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._dismiss()
        finally:
            torch.set_num_threads(self._before)

    def to_come(self, seconds: float) -> int:
        """In how many processes what takes one so many seconds will be done, if it is not yet: 1 if nothing is to come."""
        return self._most if not (self._pool or self._alone or self._at_once) and seconds > WORTH else 1

    def takes(self, n: int) -> tuple[float, int] | None:
        """How long so many explanations take, in s, and in how many processes; None as long as none of a part is known.

        Judged by what is explained here: others have begun later, or have not yet.
        """
        if self._each is None:
            return None
        alone = n * self._each
        n_processes = self.to_come(alone) if self._pool is None else 1 + self._pool.n
        return alone / n_processes, n_processes

    def explain(self, explain: Explainer, parts: Sequence[Part], keep: Keep, done: Callable[[int], None]) -> None:
        """Explain parts.

        Parameters
        ----------
        explain : callable
            Explains; a function of a module.
        parts : sequence of (int, array of int)
            Channel sets and epochs that are explained together.
        keep : callable
            Told of each explanation: of a part that is done here as soon as it is there, of others when they are done.
        done : callable
            Told how many more there are; it may stop the work. What others have finished by then is kept.
        """
        left = deque(parts)
        try:
            self._go_through(explain, left, keep, done)
        except BaseException:
            left.clear()
            if self._pool is not None:
                for outcome in self._pool.stopped():
                    for explained in outcome.found:
                        keep(outcome.channel_set, explained)
            raise

    def _go_through(self, explain: Explainer, left: deque[Part], keep: Keep, done: Callable[[int], None]) -> None:
        own: deque[Part] = deque()  # what others could not do
        if self._at_once:
            self._start(explain, left)
        begun, so_far = time.perf_counter(), 0
        while own or left or (self._pool is not None and self._pool.out):
            part = _next(own, left) or (self._pool.taken_back() if self._pool is not None else None)
            if part is None:
                self._collect(own, keep, done, wait=True)
                check()
                continue
            until = so_far + len(part[1])
            for explained in explain(self.request, *part):
                keep(part[0], explained)
                so_far += 1
                tells = so_far % CHUNK == 0 or so_far == until  # of a part the first ones take longest to come
                if tells:
                    self._each = (time.perf_counter() - begun) / so_far
                done(1)
                self._collect(own, keep, done)
                if tells:
                    self._start_if_worth(explain, left)
            if self._pool is not None:
                self._pool.feed(explain, left)

    def _start_if_worth(self, explain: Explainer, left: deque[Part]) -> None:
        if self.to_come((self._each or 0.0) * sum(len(numbers) for _, numbers in left)) > 1:
            self._start(explain, left)

    def _start(self, explain: Explainer, left: deque[Part]) -> None:
        """Let others help, if there is enough to do for more than one; and tell them what is to do."""
        n_others = min(self._most, len(left)) - 1
        if self._alone or (self._pool is None and n_others < 1):
            return
        try:
            if self._pool is None:
                try_out(self.request)
                self._pool = _Pool(self.request, n_others, max(self._threads or 1, 1))
                logger.info(f"Explaining in {n_others + 1} processes")
            self._pool.feed(explain, left)
        except Exception as error:  # of whatever a model is made of, or a system that has no more processes
            self._go_on_alone(f"the task cannot be sent to another process ({_said(error)})")

    def _collect(self, own: deque[Part], keep: Keep, done: Callable[[int], None], *, wait: bool = False) -> None:
        """Keep what others have done; what they could not do is done here."""
        if self._pool is None:
            return
        n_kept, trouble = 0, ""
        for part, outcome in self._pool.finished(wait=wait):
            if isinstance(outcome, Outcome) and len(outcome.found) == len(part[1]):
                for explained in outcome.found:
                    keep(part[0], explained)
                n_kept += len(outcome.found)
                self._say(outcome)
                continue
            own.append(part)
            if isinstance(outcome, BrokenProcessPool):
                trouble = f"another process ended ({_said(outcome)})"
            elif isinstance(outcome, Outcome):
                trouble = outcome.trouble or trouble
        if trouble:
            pool = self._pool
            self._go_on_alone(trouble)
            own.extend(pool.out.values())  # now that it takes nothing more
        if n_kept:
            done(n_kept)

    def _say(self, outcome: Outcome) -> None:
        """Say what others would have said; each thing once, however many of them would."""
        for level, words in outcome.said:
            if self._is_new(words):
                logger.log(level, words)
        for told in outcome.warned:
            if self._is_new(told[0]):
                warnings.warn_explicit(*told)

    def _is_new(self, words: str) -> bool:
        known = words in self._told
        self._told.add(words)
        return not known

    def _go_on_alone(self, why: str) -> None:
        logger.info(f"Explaining in one process, since {why}; n_jobs=1 avoids this message")
        self._alone = True
        self._dismiss()

    def _dismiss(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


class _Pool:
    """Other processes, and what they have been given."""

    def __init__(self, request: Request, n: int, threads: int) -> None:
        self.out: dict[Future, Part] = {}
        self._finished: SimpleQueue[Future] = SimpleQueue()
        self.n = n
        self._executor: ProcessPoolExecutor | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="eegflex-"))
        resource_tracker.register(str(self.folder), "folder")  # which is gone even if this process is killed
        try:
            pack(request, self.folder, threads=threads, **set_up())
            (self.folder / GO).touch()
            env = {f"{name}_NUM_THREADS": str(threads) for name in _THREADS}
            self._executor = ProcessPoolExecutor(n, timeout=IDLE, env=env, initializer=begin)
        except BaseException:
            self.close()
            raise

    def feed(self, explain: Explainer, left: deque[Part]) -> None:
        """Give each something to do; from then on it takes what is left by itself."""
        with _unheard():
            while left and len(self.out) < self.n:
                self._give(explain, left)

    def _give(self, explain: Explainer, left: deque[Part]) -> None:
        try:
            part = left.popleft()
        except IndexError:  # somebody else took the last
            return
        try:
            future = self._executor.submit(work, str(self.folder), explain, *part)  # type: ignore[union-attr]
        except BaseException:
            left.appendleft(part)
            raise
        self.out[future] = part
        future.add_done_callback(partial(self._take_next, explain, left))

    def _take_next(self, explain: Explainer, left: deque[Part], future: Future) -> None:
        """In the thread that hears of a finished part: before it is told here, so that what is out is never empty too early."""
        with contextlib.suppress(Exception):  # none can be given any more
            self._give(explain, left)
        self._finished.put(future)

    def finished(self, *, wait: bool = False) -> Iterator[tuple[Part, Outcome | BaseException]]:
        """Parts that are done, and what came of them; without any, `wait` for a moment."""
        with contextlib.suppress(Empty):
            future = self._finished.get(timeout=0.05) if wait else self._finished.get_nowait()
            while True:
                if future in self.out:
                    yield self.out.pop(future), future.exception() or future.result()
                future = self._finished.get_nowait()

    def taken_back(self) -> Part | None:
        """A part that nobody has begun with, since all are still on their way."""
        if not self.out or (self.folder / UP).exists():
            return None
        return self.out.popitem()[1]

    def stopped(self) -> Iterator[Outcome]:
        """Ask all to stop, and wait for what they have finished; not for those that are still on their way."""
        (self.folder / GO).unlink(missing_ok=True)
        until = time.monotonic() + PATIENCE * (self.folder / UP).exists()
        while self.out and time.monotonic() < until:
            for _, outcome in self.finished(wait=True):
                if isinstance(outcome, Outcome):
                    yield outcome

    def close(self) -> None:
        """End all processes, and take away what they shared."""
        try:
            if self._executor is not None:
                self._executor.shutdown(wait=True, kill_workers=True)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            resource_tracker.unregister(str(self.folder), "folder")


def _divided(request: Request) -> tuple[int, int | None]:
    """How many processes at most, and threads of torch for each; None: as many as it has."""
    asked, n_cores = request.settings.n_jobs, joblib.cpu_count()
    if request.stager.like.device.type != "cpu" or asked == 1:
        return 1, None
    if asked is None:
        few = len(request.chosen) * len(request.night.bound) < FEW
        if few or n_cores == 1 or multiprocessing.current_process().name != "MainProcess":
            return 1, None  # whoever runs us in several processes uses the cores already
        free = _free_memory()
        most = n_cores if free is None else min(n_cores, 1 + free // MEMORY)
        return most, max(n_cores // most, 1)
    n = asked if asked > 0 else max(n_cores + 1 + asked, 1)
    return n, max(n_cores // n, 1)


def _free_memory() -> int | None:
    """Bytes that are free, where Linux tells them."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Processes that are started here hear of no signals: Ctrl-C reaches all of a terminal's, and is answered here."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _next(own: deque[Part], left: deque[Part]) -> Part | None:
    for parts in (own, left):
        with contextlib.suppress(IndexError):
            return parts.popleft()
    return None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else 'no message'}"
