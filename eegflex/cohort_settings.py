"""What a run over many recordings is asked, as Python and the shell have it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError
from eegflex.settings import MEAN, Settings
from eegflex.utils.given import Span, put_counts

__all__ = ["SAMPLE_PER_STAGE", "TIME_LIMIT", "AskedOfEach", "CohortAttribution", "CohortSettings"]

#: So many epochs of each stage of a recording are explained, where nothing else is asked for.
SAMPLE_PER_STAGE = 20
#: Seconds that one recording may take, where nothing else is asked for: hundreds of times as long as one does.
TIME_LIMIT = 12 * 3600.0
#: Bytes as text, and more than any machine has.
_MEMORY, _MOST_MEMORY = re.compile(r"\s*(\d+(?:\.\d*)?(?:e\d{1,3})?)\s*([kmgtp]?)i?b?\s*", re.I), 2.0**60


@dataclass(frozen=True, kw_only=True)
class CohortSettings:
    """How a run over many recordings is carried out.

    Attributes
    ----------
    scheduler, n_workers, memory, time_limit, retries, evaluate, reports, force, task
        As in `eegflex.cohort.run_cohort`.

    Raises
    ------
    ParameterError
        If one of them cannot be.
    """

    scheduler: str | None = field(
        default=None,
        metadata={
            "help": "Address of a running Dask cluster, tcp://host:8786. Default: a cluster on this machine for this run."
        },
    )
    n_workers: int | None = field(
        default=None,
        metadata={"help": "Number of processes on this machine. Default: one for each core.", "at_least": 1},
    )
    memory: str | None = field(
        default=None,
        metadata={
            "help": "Memory limit of each process on this machine, such as 4GB. Default: its share of the memory."
        },
    )
    time_limit: float | None = field(
        default=TIME_LIMIT,
        metadata={
            "help": "Seconds that one recording may take, then it is ended and is a row that says so; 0: any.",
            "at_least": 0,
        },
    )
    retries: int = field(
        default=2,
        metadata={"help": "How often to retry a recording whose process crashed or was killed.", "at_least": 0},
    )
    evaluate: int = field(
        default=2,
        metadata={
            "help": "Number of explanations of each stage that are tested on the model, with the fast tests; 0: none.",
            "at_least": 0,
        },
    )
    reports: bool = field(default=False, metadata={"help": "Also write a report for each recording."})
    force: bool = field(default=False, metadata={"help": "Repeat all recordings, including those that are done."})
    task: str | None = field(
        default=None, metadata={"help": "Task of the BIDS data set. Default: the only one, or sleep."}
    )

    def __post_init__(self) -> None:
        put_counts(self, {"n_workers": Span(default=True), "retries": Span(0), "evaluate": Span(0)})
        object.__setattr__(self, "time_limit", _as_limit(self.time_limit))
        for name in ("scheduler", "memory", "task"):
            if not isinstance(getattr(self, name), str | None):
                raise ParameterError(f"{name} must be text or None", seen=f"{getattr(self, name)!r:.80}")
        if self.memory is not None and not _is_memory(self.memory):
            raise ParameterError("memory must be a number of bytes, such as 4GB", seen=f"{self.memory!r:.80}")
        for name in ("reports", "force"):
            if not isinstance(getattr(self, name), bool):
                raise ParameterError(f"{name} must be True or False", seen=repr(getattr(self, name)))
        if self.scheduler is not None and (self.n_workers is not None or self.memory is not None):
            raise ParameterError(
                "A running cluster has its own number of workers and memory limits",
                seen=f"scheduler={self.scheduler!r} with n_workers={self.n_workers}, memory={self.memory!r}",
                remedy="Leave these out, or the scheduler",
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class CohortAttribution(Settings):
    """What is explained of each of many recordings: means are wanted, so a sample of each stage does, in frequency alone.

    Attributes
    ----------
    sample_per_stage : int | None
        As in `eegflex.attribute_epochs`, but by default 20, or all where only means are to be exact; 0: all.
    """

    views: tuple[str, ...] = field(
        default=(),
        metadata=Settings.__dataclass_fields__["views"].metadata | {"help": "Views in addition to frequency."},
    )
    sample_per_stage: int | None = field(
        default=None,
        metadata={
            "help": "Epochs of each predicted stage that are explained, at random; 0: all. Default: 20, or all with "
            "--precision mean.",
            "at_least": 0,
        },
    )
    n_jobs: int | None = field(default=None, metadata={"shell": False})
    label: str | None = field(default=None, metadata={"shell": False})

    def __post_init__(self) -> None:
        usual = None if self.precision == MEAN else SAMPLE_PER_STAGE
        object.__setattr__(
            self, "sample_per_stage", usual if self.sample_per_stage is None else self.sample_per_stage or None
        )
        for name in ("n_jobs", "label"):
            if getattr(self, name) is not None:
                raise ParameterError(
                    f"{name} is not available for a cohort", seen=repr(getattr(self, name)), remedy=_INSTEAD[name]
                )
        super().__post_init__()

    def to_dict(self) -> dict[str, Any]:
        """As `Settings.to_dict`, without what changes no more than rounding."""
        return {name: value for name, value in super().to_dict().items() if name not in ("device", "batch_size")}


def _is_memory(text: str) -> bool:
    """Whether a text is an amount that a process can have, as Dask reads it."""
    found = _MEMORY.fullmatch(text)
    if found is None:
        return text == "auto"
    size = float(found[1]) * 1024.0 ** " kmgtp".index(found[2].casefold() or " ")
    return 0 < size < _MOST_MEMORY


def _as_limit(value: float | None) -> float | None:
    """Seconds, or None for no limit."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf):
        return value or None
    raise ParameterError(
        "time_limit must be a number of seconds", seen=repr(value), allowed="0 or more; 0 or None: any"
    )


class AskedOfEach(TypedDict, total=False):
    """What `eegflex.cohort.run_cohort` hands on, for those who check types: how to read, to load the model, and to explain."""

    channels: Sequence[str | int] | None
    units: str | Mapping[str, str] | None
    coding: str
    epoch_length: float | None
    column: str | None
    majority: float | None
    on_mismatch: str
    labels: Mapping[str, str] | None
    columns: Mapping[str, str] | None
    dst: bool | None
    profile: str | Path | None
    spec: Any
    weights: str | Path | None
    trusted: bool
    picks: str | Sequence[str] | None
    edges: str
    filter_edges: str
    window_length: int | str
    device: Any
    dtype: str | None
    target: str | tuple[str, str]
    baseline: Any
    context: str
    windows_per_stage: int | str
    method: str
    second_opinion: str | None
    spectral_share: int
    precision: str
    quadrature: str
    tol: float
    max_evals: int
    n_steps: int | None
    views: Sequence[str]
    resolution: str
    select: str | Sequence[int] | Sequence[bool] | npt.NDArray[np.integer[Any] | np.bool_] | None
    sample_per_stage: int | None
    seed: int
    batch_size: int | None
    on_check: str


_INSTEAD = {
    "n_jobs": "Use n_workers: recordings are explained in parallel",
    "label": "Recordings are named by subject and session",
}
