"""What a run over many recordings is asked, as Python and the shell have it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from eegflex.errors import ParameterError
from eegflex.settings import MEAN, Settings, check_count

__all__ = ["SAMPLE_PER_STAGE", "TIME_LIMIT", "CohortAttribution", "CohortSettings"]

#: So many epochs of each stage of a recording are explained, where nothing else is asked for.
SAMPLE_PER_STAGE = 20
#: Seconds that one recording may take, where nothing else is asked for: hundreds of times as long as one does.
TIME_LIMIT = 12 * 3600.0


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
        metadata={"help": "A Dask cluster that exists, tcp://host:8786. Default: one on this machine, for this run."},
    )
    n_workers: int | None = field(
        default=None, metadata={"help": "Processes on this machine. Default: one a core.", "at_least": 1}
    )
    memory: str | None = field(
        default=None,
        metadata={"help": "What each process on this machine may take, such as 4GB. Default: its share of the memory."},
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
        metadata={"help": "How often a recording whose process died or was killed is tried again.", "at_least": 0},
    )
    evaluate: int = field(
        default=2,
        metadata={
            "help": "Explanations of each stage that are tested on the model, with the quick parts; 0: none.",
            "at_least": 0,
        },
    )
    reports: bool = field(default=False, metadata={"help": "Write the report of each recording, too."})
    force: bool = field(default=False, metadata={"help": "Do all recordings again, those too that are done."})
    task: str | None = field(
        default=None, metadata={"help": "Of a BIDS data set: which task. Default: its only one, or sleep."}
    )

    def __post_init__(self) -> None:
        check_count("n_workers", self.n_workers)
        object.__setattr__(self, "time_limit", _as_limit(self.time_limit))
        check_count("retries", self.retries, least=0)
        check_count("evaluate", self.evaluate, least=0)
        for name in ("reports", "force"):
            if not isinstance(getattr(self, name), bool):
                raise ParameterError(f"{name} must be True or False", seen=repr(getattr(self, name)))
        if self.scheduler is not None and (self.n_workers is not None or self.memory is not None):
            raise ParameterError(
                "A cluster that exists has its own number of workers and its own limits of memory",
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
        metadata=Settings.__dataclass_fields__["views"].metadata | {"help": "Views beside that of frequency."},
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
                    f"{name} is not asked of a cohort", seen=repr(getattr(self, name)), remedy=_INSTEAD[name]
                )
        super().__post_init__()

    def to_dict(self) -> dict[str, Any]:
        """As `Settings.to_dict`, without what changes no more than rounding."""
        return {name: value for name, value in super().to_dict().items() if name not in ("device", "batch_size")}


def _as_limit(value: float | None) -> float | None:
    """Seconds, or None for no limit."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf):
        return value or None
    raise ParameterError(
        "time_limit must be a number of seconds", seen=repr(value), allowed="0 or more; 0 or None: any"
    )


_INSTEAD = {
    "n_jobs": "Give n_workers: recordings are explained side by side",
    "label": "Recordings are named by subject and session",
}
