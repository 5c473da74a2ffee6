"""What is asked of every recording of a cohort: written once, into a file that all who work for it read."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata as metadata
import inspect
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from eegflex._version import __version__
from eegflex.cohort import summary
from eegflex.cohort_settings import CohortAttribution
from eegflex.errors import ModelError, OutputError, ParameterError, check_choice
from eegflex.results.layout import LAYOUT
from eegflex.utils.given import plain

if TYPE_CHECKING:
    from eegflex.stagers import Stager

__all__ = ["Job", "make_job", "read_job", "seed_of", "versions", "write_job"]

_LOADING = ("spec", "weights", "trusted")


@dataclass(frozen=True, eq=False)
class Job:
    """What is asked of every recording of a cohort.

    Attributes
    ----------
    root : Path
        The folder of the cohort.
    model : str | Stager
        The model: a name or a path, that each process loads for itself, or the stager.
    loading, reading : dict
        Arguments of `eegflex.load_model` and of `eegflex.read_psg`.
    attribution : CohortAttribution
        What is explained.
    evaluate : int
        Explanations of each stage that are tested.
    reports : bool
        Whether each recording gets a page.
    told : dict
        All this in plain values, and by what the model is known.
    search : tuple of str
        Where Python looks for modules.
    """

    root: Path
    model: Any
    loading: Mapping[str, Any]
    reading: Mapping[str, Any]
    attribution: CohortAttribution
    evaluate: int
    reports: bool
    told: Mapping[str, Any]
    search: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))

    @property
    def digest(self) -> str:
        """Hash of what the results depend on."""
        return hashlib.sha256(json.dumps(self.told, sort_keys=True).encode()).hexdigest()

    def stager(self) -> Stager:
        """Load the model."""
        from eegflex.stagers import load_model

        return load_model(self.model, **self.loading)


def make_job(root: Path, model: Any, asked: Mapping[str, Any], *, evaluate: int, reports: bool) -> Job:
    """Sort what is asked into what reading, loading and explaining take, and load the model, which may refuse it.

    Raises
    ------
    ParameterError
        If something is an argument of none of them.
    """
    from eegflex.attribution.attribute_epochs import check_target_of

    reading, loading, attribution = _sorted(asked)
    settings = CohortAttribution(**attribution)
    _check(settings, reading)
    job = Job(root, model, loading, reading, settings, evaluate, reports, {})
    stager = job.stager()
    check_target_of(settings.target, stager.spec)
    told = {
        "model": stager.spec.name,
        "model_sha256": stager.digest or hashlib.sha256(f"{model!r} {stager.spec!r}".encode()).hexdigest(),
        "reading": {name: plain(_as_path(value)) for name, value in reading.items()},
        "attribution": settings.to_dict(),
        "evaluate": evaluate,
        "layout": f"{LAYOUT}, summary {summary.LAYOUT}",
    }
    by_name = isinstance(model, str | Path)
    return dataclasses.replace(
        job,
        model=_located(model) if by_name else stager,
        loading={name: _located(value) for name, value in loading.items()} if by_name else {},
        told=json.loads(json.dumps(told, default=str)),
    )


def _sorted(asked: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    from eegflex.readers import read_psg

    reading = [name for name in inspect.signature(read_psg).parameters if name not in ("fname", "hypnogram", "verbose")]
    attribution = [one.name for one in dataclasses.fields(CohortAttribution)]
    for name in asked:
        check_choice("An argument of run_cohort", name, (*attribution, *reading, *_LOADING))

    def of(names: Any) -> dict[str, Any]:
        return {name: asked[name] for name in names if name in asked and asked[name] is not None}

    return of(reading), of(_LOADING), {name: asked[name] for name in attribution if name in asked}


def _check(settings: CohortAttribution, reading: Mapping[str, Any]) -> None:
    """Refuse now what would be refused of every recording."""
    from eegflex.attribution.baselines import check_baseline
    from eegflex.attribution.methods.registry import method_of
    from eegflex.readers import load_profile
    from eegflex.readers.channels.derivations import check_channels, given_units
    from eegflex.readers.hypnograms.read import HypnogramOptions
    from eegflex.stagers.device import named_device

    method_of(settings)
    if not isinstance(settings.baseline, str):
        raise ParameterError("The baseline of a cohort must be given by name", seen=type(settings.baseline).__name__)
    check_baseline(settings.baseline)
    names = ("coding", "epoch_length", "column", "majority", "on_mismatch", "labels", "columns", "dst")
    HypnogramOptions(**{name: reading[name] for name in names if name in reading})
    if "profile" in reading:
        load_profile(reading["profile"])
    given_units(reading.get("units"))
    if "channels" in reading:
        check_channels(reading["channels"])
    if settings.device is not None:
        named_device(settings.device)  # it need not be on this machine


def _as_path(value: Any) -> Any:
    return value.name if isinstance(value, Path) else value


def _located(value: Any) -> Any:
    """A path that holds in every folder; names stay."""
    return str(Path(value).resolve()) if isinstance(value, str | Path) and Path(value).exists() else value


def seed_of(job: Job, name: str) -> int:
    """The seed of a recording: its own, and the same whatever else is in the cohort."""
    return int(hashlib.sha256(f"{job.attribution.seed} {name}".encode()).hexdigest()[:7], 16)


def write_job(job: Job, path: Path) -> str:
    """Write a job, and return its hash.

    Raises
    ------
    ModelError
        If the model cannot be given to other processes.
    """
    try:
        text = cloudpickle.dumps((job.search, cloudpickle.dumps(job)))
    except Exception as error:  # of whatever a model is made of
        raise ModelError(
            f"The model cannot be given to other processes: {type(error).__name__}: {error}",
            remedy="Save it to a file, such as model.pt2, and give its path",
        ) from error
    path.write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def read_job(path: Path, digest: str) -> Job:
    """Read a job that `write_job` wrote, and nothing else: to unpickle a file is to run it.

    Modules are then looked for where they were found when it was written, too, for a model may lie in one of them.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise OutputError(
            "A worker does not find the folder of the cohort", seen=path.parent,
            remedy="All workers must see it under the same path: use a folder on a shared file system",
        ) from error  # fmt: skip
    if hashlib.sha256(text).hexdigest() != digest:
        raise ModelError("The settings file of the cohort is not the one that its run wrote", seen=path.name)
    search, text = cloudpickle.loads(text)
    sys.path.extend(one for one in search if one not in sys.path)
    job = cloudpickle.loads(text)
    assert isinstance(job, Job)  # noqa: S101
    return job


def versions() -> dict[str, str]:
    """Versions of what the numbers come from."""
    found = {name: metadata.version(name) for name in ("mne", "numpy", "scipy", "torch")}
    return {"eegflex": __version__, "python": platform.python_version(), **found}
