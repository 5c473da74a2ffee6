"""The public verb: explain all recordings of a cohort."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack

from mne.utils import logger

from eegflex import errors
from eegflex.cohort.cohort import Cohort
from eegflex.cohort.engine import connected, outcomes
from eegflex.cohort.extra import from_extra
from eegflex.cohort.folder import Folder, make_folder, stamps
from eegflex.cohort.job import Job, make_job, versions, write_job
from eegflex.cohort.listing import list_recordings
from eegflex.cohort.lock import Lock
from eegflex.cohort.one import ended, record
from eegflex.cohort.recording import Recording
from eegflex.cohort.tables import read_cohort, write_tables
from eegflex.cohort_settings import TIME_LIMIT, AskedOfEach, CohortSettings
from eegflex.errors import EegflexError, ModelError, OutputError, ParameterError
from eegflex.utils.progress import duration_text, progress
from eegflex.utils.stopping import check, held
from eegflex.utils.verbose import verbose

__all__ = ["run_cohort"]


@verbose
def run_cohort(
    source: str | Path | Sequence[Recording],
    model: Any,
    out: str | Path,
    *,
    scheduler: str | None = None,
    n_workers: int | None = None,
    memory: str | None = None,
    time_limit: float | None = TIME_LIMIT,
    retries: int = 2,
    evaluate: int = 2,
    reports: bool = False,
    force: bool = False,
    task: str | None = None,
    verbose: bool | str | int | None = None,
    **asked: Unpack[AskedOfEach],
) -> Cohort:
    """Stage and explain all recordings of a cohort in parallel, and reduce each to means over its epochs.

    A run that was ended, whatever ended it, is gone on with by the same call: what is done is not done again.

    Parameters
    ----------
    source : path-like | sequence of Recording
        A BIDS data set, a folder, a pattern or a table of recordings; see `list_recordings`.
    model : str | path-like | object
        The stager, as `eegflex.load_model` takes it. One that is given by name or path is loaded by each process for itself.
    out : path-like
        The folder of what comes of it, made if need be: derivatives as BIDS has them. All who work for it must see it under
        this path, and the recordings under theirs.
    scheduler : str | None
        The address of a Dask cluster that exists, such as ``"tcp://host:8786"``. By default one is made on this machine, and is
        gone afterwards.
    n_workers : int | None
        Processes on this machine: by default one a core.
    memory : str | None
        What each process on this machine may take, such as ``"4GB"``: by default its share. One that takes more is ended.
    time_limit : float | None
        Seconds that one recording may take, from when its process is given it: by default 12 hours, which is some hundred
        times what a night takes. One that takes more hangs: its process is ended, and it is a row that says so. 0 or
        None: no limit.
    retries : int
        How often a recording is tried again whose process died or was killed. Then that is what is said of it.
    evaluate : int
        So many explanations of each stage are tested on the model, with the quick parts of `eegflex.evaluate` that a verdict
        of `FlexResult.trust` rests on. 0: none.
    reports : bool
        Whether to write the page of each recording, too.
    force : bool
        Whether to do all recordings again, those too that are done.
    task : str | None
        Of a BIDS data set: which task; see `list_recordings`.
    %(verbose)s
    **asked : object
        Arguments of `eegflex.read_psg` (``units``, ``profile`` ...), of `eegflex.load_model` (``spec``, ``weights``,
        ``trusted``) and of `eegflex.attribute_epochs`, but ``label`` and ``n_jobs``. By default 20 epochs of each stage are
        explained (``sample_per_stage=20``; 0: all), or all with ``precision="mean"``; to frequencies alone.

    Returns
    -------
    cohort : Cohort
        What is known of all, those too that failed: a recording that cannot be used is a row with its error and what to do.

    Raises
    ------
    ParameterError
        If an argument is none, there is no such source, or no scheduler.
    ModelError
        If the model cannot be loaded, here or by a worker.
    OutputError
        If the folder cannot be written to, or another run works in it.
    MissingExtraError
        If the extra ``cohort`` is not installed.
    KeyboardInterrupt
        On Ctrl-C. What was done is kept; what was being done is not.

    See Also
    --------
    eegflex.cohort.list_recordings : Which recordings there are.
    eegflex.cohort.read_cohort : Read what is known of many nights.
    eegflex.cohort.cohort_status : How far a run is.
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.cohort.make_cohort_report : A cohort on one page.

    Notes
    -----
    In a script this must stand under ``if __name__ == "__main__":``, since other processes import the script.

    A recording is done when its files are there as they were written, its settings are those that are asked, and its inputs are
    as they were: by size and time, or else by content. It is done again where one of these is not so. One that failed is tried
    again where its inputs, the settings or the version of eegflex are others, or its process had died.

    The seed of a recording is drawn from its name and ``seed``, and each process has one thread: what comes of a recording
    depends neither on the others nor on how many are explained at a time.

    Examples
    --------
    >>> import eegflex
    >>> from eegflex.cohort import run_cohort
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error").save("night.edf")
    >>> cohort = run_cohort("night*.edf", "bandpower", "out", n_workers=1, evaluate=0, sample_per_stage=1, verbose="error")
    >>> cohort
    <Cohort | 1 recordings of 1 people, 1 done>
    >>> print(eegflex.cohort.cohort_status("out"))
    1 recordings: 1 done, 0 failed, 0 left; no process works on it
    ...
    >>> eegflex.cohort.read_cohort("out").recordings["n_explained"].tolist()
    [5]
    """
    settings = CohortSettings(
        scheduler=scheduler, n_workers=n_workers, memory=memory, time_limit=time_limit, retries=retries, evaluate=evaluate,
        reports=reports, force=force, task=task,
    )  # fmt: skip
    _refuse_import()
    for needed in ("distributed", "pyarrow"):
        from_extra(needed)
    recordings = _located(list_recordings(source, profile=asked.get("profile"), task=task))
    folder = Folder(_root(out))
    _refuse_inputs(folder.root, recordings)
    job = make_job(folder.root, model, asked, evaluate=evaluate, reports=reports)
    with held(), _made(folder.root), Lock(folder.root) as lock:
        folder.clear_jobs()
        _explain(job, folder, recordings, settings, lock)
        cohort = read_cohort(folder.root)
        write_tables(cohort, folder.tables)
        make_page(cohort, folder.page)
    return cohort


def make_page(cohort: Cohort, path: Path) -> None:
    """Write the page of a cohort: the one place where a run is told what its page is made by."""
    from eegflex.cohort.page import make_cohort_report

    make_cohort_report(cohort, folder=path.parent).save(path, overwrite=True)


def _refuse_import() -> None:
    """Say what is wrong where a worker imports the script that this is called in."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ParameterError(
            "run_cohort is called while another process imports this script",
            remedy='Put the call under: if __name__ == "__main__":',
        )


def _located(recordings: Sequence[Recording]) -> tuple[Recording, ...]:
    """Recordings whose paths hold in every process."""
    return tuple(
        dataclasses.replace(
            one, path=one.path.absolute(), hypnogram=None if one.hypnogram is None else one.hypnogram.absolute()
        )
        for one in recordings
    )


def _refuse_inputs(root: Path, recordings: Sequence[Recording]) -> None:
    """Refuse a folder whose files could be taken for what is read: another data set."""
    is_source = os.path.isfile(root / "participants.tsv")  # noqa: PTH113  (it minds names of any kind)
    if is_source or any(one.path.is_relative_to(root / one.folder) for one in recordings):
        raise OutputError(
            "The folder is that of the recordings",
            seen=root,
            remedy="Name another one, such as derivatives/eegflex in it",
        )


def _root(out: str | Path) -> Path:
    try:
        return Path(out).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, names that no system takes
        raise OutputError(f"The folder cannot be made: {error}", seen=f"{str(out)!r:.200}") from None


@contextlib.contextmanager
def _made(root: Path) -> Iterator[None]:
    """Make a folder, and those above it; they are taken away again where nothing came into them."""
    new = [one for one in (root, *root.parents) if not os.path.exists(one)]  # noqa: PTH110  (it minds names of any kind)
    try:
        make_folder(root)
        yield
    finally:
        with contextlib.suppress(OSError):  # it is not empty, then
            for one in new:
                one.rmdir()


def _note(job: Job, folder: Folder, recordings: tuple[Recording, ...]) -> None:
    """Note in the folder what is asked, and of which recordings."""
    folder.write_description(versions(), job.told)
    folder.write_listing(recordings)


def _explain(job: Job, folder: Folder, recordings: tuple[Recording, ...], settings: CohortSettings, lock: Lock) -> None:
    """Explain what is not done, and tell of it."""
    own = versions()["eegflex"]
    left = [
        one
        for one in recordings
        if settings.force or not folder.is_settled(one, job.digest, own, reports=settings.reports)
    ]
    logger.info(f"{len(recordings)} recordings, of which {len(recordings) - len(left)} are done")
    if not left:
        _note(job, folder, recordings)
        return
    path = folder.job(lock.owner.token)
    try:
        digest = write_job(job, path)
        began, n_done = time.perf_counter(), 0
        with (
            connected(settings, len(left)) as client,
            _bar(client, len(left)) as done,
            contextlib.closing(
                outcomes(client, (str(path), digest), left, settings.retries, settings.time_limit)
            ) as told,
        ):
            # not before there is somebody to work for it: what an earlier run noted stays otherwise
            _note(job, folder, recordings)
            for one, row in told:
                _look(lock)
                if row is None:
                    check()
                    continue
                _settle(job, folder, one, row)
                n_done += 1
                done(1)
        logger.info(f"{n_done} recordings took {duration_text(time.perf_counter() - began)}")
    except KeyboardInterrupt:
        logger.info("Stopped: finished recordings are kept, and the same call continues")
        raise
    finally:
        path.unlink(missing_ok=True)


def _bar(client: Any, n_left: int) -> Any:
    def estimate(seconds: float) -> str:
        return f"All will take about {duration_text(seconds * n_left)} at this pace"

    at_once = max(1, sum(client.nthreads().values()))
    return progress(n_left, "Explaining recordings", estimate, after=2 * at_once)


def _look(lock: Lock) -> None:
    if lock.lost:
        raise OutputError(
            "Another run has taken the folder, because this one showed no sign of life", seen=lock.path.parent,
            remedy="Let it finish; finished recordings are kept",
        )  # fmt: skip


def _settle(job: Job, folder: Folder, one: Recording, row: dict[str, Any]) -> None:
    """Note what a worker could not: that the process of a recording ended, or that no other would fare better."""
    if row["status"] == "fatal":
        kind = getattr(errors, str(row["kind"]), ModelError)
        fitting = kind if isinstance(kind, type) and issubclass(kind, EegflexError) else ModelError
        try:
            raise fitting(row["error"], seen=row.get("seen"), remedy=row.get("remedy"))
        except TypeError:  # one that takes other words
            raise ModelError(row["error"], remedy=row.get("remedy")) from None
    if row["status"] == "ended":
        record(folder, job.digest, job.told, one, ended(row["kind"], row["error"]), stamps(one), row["seconds"])
    if row["status"] != "done":
        logger.warning(f"{one.name}: {row['error']}")
