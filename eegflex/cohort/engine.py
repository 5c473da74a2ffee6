"""The engine: Dask takes recordings to workers, and tells what came of each."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any

from mne.utils import logger

from eegflex.cohort.extra import from_extra
from eegflex.cohort.recording import Recording
from eegflex.cohort.task import explain
from eegflex.cohort_settings import CohortSettings
from eegflex.errors import ParameterError

__all__ = ["connected", "outcomes"]

#: How often it is looked whether the run is to stop, in s, and how long a scheduler is waited for.
LOOK, PATIENCE = 0.5, 30


@contextlib.contextmanager
def connected(settings: CohortSettings, n_recordings: int) -> Iterator[Any]:
    """A client of the cluster that is asked for, or of one on this machine, which is gone afterwards.

    Raises
    ------
    ParameterError
        If there is no scheduler at the address.
    """
    distributed, dask = from_extra("distributed"), from_extra("dask")
    quiet = {
        "distributed.scheduler.allowed-failures": settings.retries,
        "distributed.worker.daemon": True,
        "distributed.comm.timeouts.connect": f"{PATIENCE}s",
        "distributed.logging.distributed": "critical",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(quiet))
        address = settings.scheduler
        if address is None:
            address = stack.enter_context(_cluster(distributed, settings, n_recordings))
        try:
            client = stack.enter_context(distributed.Client(address, timeout=PATIENCE, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise ParameterError(
                "No Dask scheduler answers", seen=settings.scheduler, allowed="an address such as tcp://host:8786",
                remedy="Start one with: dask scheduler, and workers with: dask worker ADDRESS",
            ) from error  # fmt: skip
        logger.info(f"Dask's dashboard: {client.dashboard_link}")
        yield client


def _cluster(distributed: Any, settings: CohortSettings, n_recordings: int) -> Any:
    """Processes on this machine: one a core, but no more than there are recordings, and each its share of the memory."""
    most = settings.n_workers or from_extra("dask.system").CPU_COUNT
    n_workers = max(1, min(most, n_recordings))
    try:
        return distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=settings.memory or from_extra("distributed.system").MEMORY_LIMIT / n_workers,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            preload=["eegflex.cohort.deaf"],
        )
    except ValueError as error:
        raise ParameterError("memory must be a number of bytes, such as 4GB", seen=repr(settings.memory)) from error


def outcomes(
    client: Any, job: tuple[str, str], recordings: Sequence[Recording], retries: int, time_limit: float | None = None
) -> Generator[tuple[Recording, dict[str, Any] | None], None, None]:
    """Have recordings explained, and tell what came of each as soon as it is known.

    A recording whose process died, or was killed, is given out again, at the end of those that wait.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    job : tuple of (str, str)
        The path and the hash of the file that says what is asked.
    recordings : sequence of Recording
        The recordings.
    retries : int
        How often one is given out again.
    time_limit : float | None
        Seconds that one may take.

    Yields
    ------
    recording : Recording
        One of them; or the first that still waits, with None, which gives the caller a moment to stop.
    row : dict | None
        What came of it.
    """
    done: queue.Queue[Any] = queue.Queue()
    waiting: dict[str, tuple[Recording, Any, int]] = {}

    def give_out(some: Sequence[Recording], attempt: int) -> None:
        keys = [f"eegflex-{job[1][:8]}-{one.name}-{attempt}" for one in some]
        futures = client.map(
            partial(explain, *job, time_limit=time_limit), some, key=keys, pure=False, priority=-attempt
        )
        for key, one, future in zip(keys, some, futures, strict=True):
            waiting[key] = one, future, attempt
            future.add_done_callback(lambda found: done.put(found.key))

    give_out(recordings, 0)
    try:
        while waiting:
            try:
                one, future, attempt = waiting.pop(done.get(timeout=LOOK))
            except queue.Empty:
                yield next(iter(waiting.values()))[0], None
                continue
            row = _row(future)
            if row["status"] == "ended" and attempt < retries and not row.get("final"):
                give_out([one], attempt + 1)
            else:
                yield one, row
    finally:
        if waiting:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                client.cancel([future for _, future, _ in waiting.values()], force=True)


def _row(future: Any) -> dict[str, Any]:
    """What came of a task, whatever it was."""
    try:
        return dict(future.result())
    except Exception as error:  # of Dask, or of whatever a worker's installation lacks
        kind = type(error).__name__
        if kind == "KilledWorker":
            words = "Every worker that had it was killed, by the system if memory is short, or by hand"
            return {"status": "ended", "kind": "killed", "error": words, "final": True, "seconds": 0.0}
        remedy = (
            "Check that all workers have the same eegflex, and that scheduler and network are up; then run it again"
        )
        return {"status": "fatal", "kind": "ModelError", "error": f"Dask: {kind}: {error}", "remedy": remedy}
