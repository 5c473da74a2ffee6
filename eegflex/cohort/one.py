"""One recording of a cohort, from its files to its result and what is said of it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import gc
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np

from eegflex.cohort.folder import DONE, FAILED, Folder, hash_of, make_folder, seal_of, stamps
from eegflex.cohort.job import Job, seed_of, versions
from eegflex.cohort.recording import Recording
from eegflex.cohort.summary import Summary, summarise
from eegflex.errors import EegflexError, OutputError
from eegflex.settings import MEAN, StagingSettings
from eegflex.utils.files import write_whole

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult
    from eegflex.stagers import Stager

__all__ = ["QUICK", "ended", "explain_recording", "failure", "record"]

#: What is measured of a few explanations: the quick parts that a verdict of trust rests on.
QUICK = ("faithfulness", "one by one", "shortcuts")
_FAULT = "This is a bug in eegflex. Please report it, with the recording if you may share it"


def explain_recording(job: Job, stager: Stager, one: Recording) -> dict[str, Any]:
    """Read, check, stage, explain and test a recording, and write what comes of it.

    Returns
    -------
    row : dict
        ``status``, ``kind``, ``error``, ``remedy`` and ``seconds``: all that travels.

    Raises
    ------
    OutputError
        If the folder cannot be written to: then nothing else can be either.
    """
    folder, began = Folder(job.root), time.perf_counter()
    before = stamps(one)
    try:
        with _reading(one):
            result = _explained(job, stager, one)
    except OutputError:
        raise
    except Exception as error:  # of whatever is in a file
        said = failure(one, error)
    else:
        said = _written(folder, job, one, result)
    finally:
        gc.collect()
    seconds = time.perf_counter() - began
    record(folder, job.digest, job.told, one, said, before, seconds)
    return {name: said.get(name, "") for name in ("status", "kind", "error", "remedy")} | {"seconds": seconds}


@contextlib.contextmanager
def _reading(one: Recording) -> Iterator[None]:
    """Say of what cannot be used why, before it is opened."""
    if one.error:
        raise EegflexError(one.error, remedy=one.remedy)
    yield


def _explained(job: Job, stager: Stager, one: Recording) -> FlexResult:
    from eegflex.attribution.attribute_epochs import attribute_epochs
    from eegflex.evaluation.evaluate import evaluate
    from eegflex.staging import stage_with

    epochs, settings = _epochs(job, one), job.attribution
    asked = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    staging = StagingSettings(**{field.name: asked[field.name] for field in dataclasses.fields(StagingSettings)})
    night = stage_with(stager, epochs, staging)
    seed = seed_of(job, one.name)
    result = attribute_epochs(night, **(asked | {"seed": seed, "label": one.name, "n_jobs": 1}))
    if job.evaluate and settings.precision != MEAN:  # of single epochs nothing is known then
        result = evaluate(result, night, parts=QUICK, sample_per_stage=job.evaluate, seed=seed).result
    return result


def _epochs(job: Job, one: Recording) -> mne.BaseEpochs:
    from eegflex.epochs import make_epochs
    from eegflex.readers import load_profile, read_psg
    from eegflex.readers.bids import with_stages
    from eegflex.readers.hypnograms.read import HypnogramOptions

    hypnogram = one.hypnogram
    if one.may_have_none and hypnogram is not None:
        names = [field.name for field in dataclasses.fields(HypnogramOptions)]
        options = HypnogramOptions(**{name: job.reading[name] for name in names if name in job.reading})
        if "profile" in job.reading:
            options = load_profile(job.reading["profile"]).options(options)
        hypnogram = with_stages(hypnogram, options)
    return make_epochs(read_psg(one.path, hypnogram=hypnogram, **job.reading))


def _written(folder: Folder, job: Job, one: Recording, result: FlexResult) -> dict[str, Any]:
    """Write a result and its spectra, and say what is in them."""
    path, spectra = folder.result(one), folder.spectra(one)
    make_folder(path.parent)
    result.save(path, overwrite=True)
    summary = summarise(result)
    write_whole(spectra, lambda temporary: _save(temporary, summary.spectra), overwrite=True)
    if job.reports:
        from eegflex.report import make_report

        make_report(result, verbose="error").save(folder.report(one), overwrite=True)
    made = {"size": path.stat().st_size, "seal": seal_of(path), "spectra_sha256": hash_of(spectra)}
    return {"status": DONE, "kind": "", "error": "", "remedy": "", "made": made, "summary": _plain(summary)}


def _save(path: Path, values: Any) -> None:
    with path.open("wb") as file:  # given a name, numpy would change it
        np.save(file, values)


def _plain(summary: Summary) -> dict[str, Any]:
    """A summary as JSON has it; its spectra are in a file of their own."""
    found = {name: value for name, value in vars(summary).items() if name != "spectra"}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in found.items()}


def failure(one: Recording, error: BaseException) -> dict[str, Any]:
    """What is said of a recording that failed: what, and what to do about it; nothing of where its files are."""
    if isinstance(error, MemoryError):
        return ended("memory", "There was not enough memory for it")
    if not isinstance(error, EegflexError):
        what, remedy = f"{type(error).__name__}: {error}", _FAULT
    else:
        remedy = error.remedy or ""
        what = str(error).removesuffix(f" {remedy}.") if remedy else str(error)
    return {
        "status": FAILED,
        "kind": "failed",
        "error": _without_paths(what.rstrip("."), one),
        "remedy": _without_paths(remedy, one),
    }


def ended(kind: str, what: str) -> dict[str, Any]:
    """What is said of a recording whose process ended."""
    return {"status": FAILED, "kind": kind, "error": what, "remedy": _REMEDIES[kind]}


_REMEDIES = {
    "memory": "Give each process more memory: fewer of them (n_workers=), or memory= on a larger machine; then run it again",
    "time": "It may hang: look at it with eegflex info, or explain it by itself; or give each more time (time_limit=)",
    "killed": "See whether the machine ran out of memory (take fewer processes, n_workers=) or who ended it; then run it again",
    "died": "Its file may be damaged in a way that a library does not survive: look at it with eegflex info, or leave it out",
}


def _without_paths(text: str, one: Recording) -> str:
    for what, path in one.inputs.items():
        for written in (str(path.resolve()), str(path), path.name):
            for quoted in (repr(written), written):
                text = text.replace(quoted, f"the {what}")
    return text


def record(
    folder: Folder,
    digest: str,
    told: Mapping[str, Any],
    one: Recording,
    said: Mapping[str, Any],
    before: Mapping[str, tuple[int, int] | None],
    seconds: float,
) -> None:
    """Write the sidecar of a recording. What differs from run to run is apart, under ``run``."""
    inputs: dict[str, Any] = dict.fromkeys(before)
    for what, stamp in before.items():
        with contextlib.suppress(OSError):
            if stamp is not None:
                inputs[what] = {"size": stamp[0], "sha256": hash_of(one.inputs[what])}
    run: dict[str, Any] = {
        "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "input_mtimes": {what: stamp[1] for what, stamp in before.items() if stamp is not None},
    }
    if said["status"] == DONE:
        run["result_mtime"] = folder.result(one).stat().st_mtime_ns
    else:
        folder.drop_outputs(one)
    folder.write_sidecar(
        one,
        {
            "recording": one.name,
            **said,
            "inputs": inputs,
            "settings": dict(told),
            "settings_sha256": digest,
            "versions": versions(),
            "run": run,
        },
    )
