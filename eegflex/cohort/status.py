"""How far a cohort is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from eegflex.cohort.folder import Folder
from eegflex.cohort.lock import Owner, lives
from eegflex.utils.arguments import checked
from eegflex.utils.progress import duration_text

__all__ = ["CohortStatus", "cohort_status"]

#: Failures that a text of the status lists.
_SHOWN = 20


@dataclass(frozen=True)
class CohortStatus:
    """Progress of a cohort. Made by `cohort_status`.

    Attributes
    ----------
    n_recordings, n_done, n_failed, n_missing : int
        How many recordings the last run had; of these, how many are done, how many failed, and how many are left.
    failures : dict of str to (str, str)
        The error and the remedy of each that failed.
    seconds : float
        What those that are done or failed took together, one after the other.
    owner : Owner | None
        Who works in the folder now.

    See Also
    --------
    eegflex.cohort.cohort_status : How far a run is.

    Examples
    --------
    >>> from eegflex.cohort import CohortStatus
    >>> print(CohortStatus(n_recordings=10, n_done=0, n_failed=0, n_missing=10, failures={}, seconds=0.0, owner=None))
    10 recordings: 0 done, 0 failed, 10 left; no process works on it
    """

    n_recordings: int
    n_done: int
    n_failed: int
    n_missing: int
    failures: dict[str, tuple[str, str]]
    seconds: float
    owner: Owner | None

    def __str__(self) -> str:
        works = (
            "no process works on it"
            if self.owner is None
            else f"process {self.owner.pid} on {self.owner.host} works on it"
        )
        lines = [
            f"{self.n_recordings} recordings: {self.n_done} done, {self.n_failed} failed, {self.n_missing} left; {works}"
        ]
        known = self.n_done + self.n_failed
        if known:
            each = self.seconds / known
            left = f"; those left take {duration_text(each * self.n_missing)} of one process" * (self.n_missing > 0)
            lines.append(f"{duration_text(each)} a recording{left}")
        shown = list(self.failures.items())[:_SHOWN]
        lines += [f"  {name}: {error}. {remedy}".rstrip(". ") + "." for name, (error, remedy) in shown]
        if len(self.failures) > _SHOWN:
            lines.append(f"  and {len(self.failures) - _SHOWN} more, in tables/recordings.csv")
        return "\n".join(lines)


@checked
def cohort_status(out: str | Path) -> CohortStatus:
    """Get the progress of a cohort, during a run or afterwards.

    Parameters
    ----------
    out : path-like
        The folder of `run_cohort`.

    Returns
    -------
    status : CohortStatus
        It prints as a few lines.

    Raises
    ------
    ParameterError
        If the folder is not one of a cohort.

    See Also
    --------
    eegflex.cohort.CohortStatus : What `cohort_status` returns.
    eegflex.cohort.run_cohort : Explain many nights.
    eegflex.cohort.read_cohort : Read what is known of many nights.

    Examples
    --------
    Of a folder of `run_cohort`, whose own example makes one:

    >>> from eegflex.cohort import cohort_status
    >>> print(cohort_status("out"))  # doctest: +SKIP
    """
    folder = Folder(Path(out))
    listed = folder.read_listing()
    known = folder.known(listed)
    counts = Counter(said["status"] for said in known.values())
    return CohortStatus(
        len(listed),
        counts["done"],
        counts["failed"],
        len(listed) - len(known),
        {name: (said["error"], said["remedy"]) for name, said in known.items() if said["status"] == "failed"},
        sum(float(said["run"]["seconds"]) for said in known.values()),
        lives(folder.root),
    )
