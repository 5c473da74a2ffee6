"""A recording of a cohort: where its files are, and whose it is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eegflex.errors import ParameterError

__all__ = ["Recording", "as_label"]

_NAME, _LABEL = re.compile(r"[0-9A-Za-z_-]+"), re.compile(r"[0-9A-Za-z]*")
#: Whole numbers beyond have no room in a table of whole numbers.
_MOST = 2**63 - 1


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

    Raises
    ------
    ParameterError
        If a name holds what no file's name should, or a covariate is neither a number nor a word.

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

    def __post_init__(self) -> None:
        labels = {"name": _NAME, "subject": _LABEL, "session": _LABEL}
        for what, pattern in labels.items():
            given = getattr(self, what)
            if not isinstance(given, str) or not pattern.fullmatch(given):
                raise ParameterError(
                    f"The {what} of a recording must be a name as BIDS has it", seen=f"{given!r:.200}",
                    allowed="letters and digits" + ", - and _" * (what == "name"),
                )  # fmt: skip
        paths = {"path": self.path} | ({} if self.hypnogram is None else {"hypnogram": self.hypnogram})
        for what, path in paths.items():
            if not isinstance(path, str | Path):
                raise ParameterError(f"The {what} of a recording must be a path", seen=f"{path!r:.200}")
            object.__setattr__(self, what, Path(path))
        if not isinstance(self.covariates, Mapping):
            raise ParameterError("The covariates of a recording must be a dict", seen=f"{self.covariates!r:.200}")
        plain = {str(name): _plain(str(name), value) for name, value in self.covariates.items()}
        object.__setattr__(self, "covariates", plain)

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


def _plain(name: str, value: Any) -> Any:
    """A covariate as all tables take it."""
    own = value.item() if isinstance(value, np.generic) else value
    if isinstance(own, int) and not isinstance(own, bool) and abs(own) > _MOST:
        own = _as_float(own)
    if own is None or isinstance(own, bool | int | float | str):
        return own
    raise ParameterError(
        "A covariate must be a number or a word", seen=f"{name}={value!r:.200}", remedy="None says that it is not known"
    )


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def as_label(text: str) -> str:
    """A text as BIDS has labels: letters and digits.

    Examples
    --------
    >>> as_label("night 01-a")
    'night01a'
    """
    return re.sub(r"[^0-9A-Za-z]", "", text)
