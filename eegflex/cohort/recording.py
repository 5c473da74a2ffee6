"""A recording of a cohort: where its files are, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Recording", "as_label"]


@dataclass(frozen=True)
class Recording:
    """A recording of a cohort, as `list_recordings` finds it.

    Attributes
    ----------
    name : str
        What it is called in tables and files: ``"sub-01"``, ``"sub-01_ses-2"``, or with more entities of BIDS.
    path : Path
        The recording.
    hypnogram : Path | None
        Its stages.
    subject, session : str
        Whose it is; no session where there is none.
    covariates : dict
        What else its table says, such as group and age.
    may_have_none : bool
        Whether the hypnogram is a list of events that may hold no stages.
    error, remedy : str
        Why it cannot be used, and what to do; empty where it can.

    See Also
    --------
    eegflex.cohort.list_recordings : Which recordings there are.
    eegflex.cohort.run_cohort : Explain many nights.

    Examples
    --------
    >>> from pathlib import Path
    >>> from eegflex.cohort import Recording
    >>> one = Recording("sub-01_ses-2", Path("night.edf"), subject="01", session="2", covariates={"age": 41})
    >>> one.covariates["age"]
    41
    """

    name: str
    path: Path
    hypnogram: Path | None = None
    subject: str = ""
    session: str = ""
    covariates: Mapping[str, Any] = field(default_factory=dict)
    may_have_none: bool = False
    error: str = ""
    remedy: str = ""

    @property
    def inputs(self) -> dict[str, Path]:
        """Its input files, by kind."""
        found = {"recording": self.path, "hypnogram": self.hypnogram}
        return {what: path for what, path in found.items() if path is not None}

    @property
    def folder(self) -> Path:
        """Folder of its derivatives, within the output."""
        session = (f"ses-{self.session}",) if self.session else ()
        return Path(f"sub-{self.subject}", *session, "eeg")


def as_label(text: str) -> str:
    """A text as BIDS has labels: letters and digits.

    Examples
    --------
    >>> as_label("night 01-a")
    'night01a'
    """
    return re.sub(r"[^0-9A-Za-z]", "", text)
