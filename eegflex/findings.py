"""What checks found, of a model or of a result: one line a check, with what was measured and what to do."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CannotTellError", "Finding", "Findings", "Status", "Value", "error", "ok", "unknown", "warning"]

Status = Literal["ok", "unknown", "warning", "error"]
#: A number or a word, as JSON has it; None for a number that is not defined.
Value = float | int | str | None

#: Statuses that are nouns.
_COUNTED = ("error", "warning")
_MARKS: dict[str, str] = {"ok": "ok", "unknown": "?", "warning": "warning", "error": "ERROR"}


class CannotTellError(Exception):
    """A check has nothing to measure on; its message says what is missing."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    status : {"ok", "unknown", "warning", "error"}
        ``"unknown"``: there is nothing to judge by, or too little. ``"error"``: an explanation would be false.
    measured : str
        What was measured, a sentence without its full stop.
    remedy : str
        What to do; empty where there is nothing to do.
    check : str
        Name of the check.
    values : mapping of str to float, int, str or None
        The numbers that the sentence tells, and of how many each is; as plain as JSON has them. None for a number that is
        not defined. Not to be changed.

    See Also
    --------
    eegflex.doctor.Findings : What all checks found.
    eegflex.check_model : Whether a model is connected as it was meant.
    eegflex.evaluation.assess : What can be told without asking the model again.

    Examples
    --------
    >>> finding = ok("kappa 0.81 on 640 scored epochs", kappa=0.81, n_epochs=640).named("agreement")
    >>> print(finding)
         ok  agreement: kappa 0.81 on 640 scored epochs.
    >>> finding.values["kappa"]
    0.81
    """

    status: Status
    measured: str
    remedy: str = ""
    check: str = ""
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {name: _plain(value) for name, value in self.values.items()})

    def __str__(self) -> str:
        return f"{_MARKS[self.status]:>7}  {self.check}: {self.measured}." + (f" {self.remedy}." if self.remedy else "")

    def named(self, check: str) -> Finding:
        """The same finding under the name of its check.

        Parameters
        ----------
        check : str
            The name.

        Returns
        -------
        finding : Finding
            A copy.
        """
        return dataclasses.replace(self, check=check)

    @property
    def text(self) -> str:
        """What was measured and, if there is a problem, what to do, as sentences."""
        said = (self.measured, self.remedy if self.status != "ok" else "")
        return " ".join(f"{part[0].upper()}{part[1:]}." for part in said if part)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for provenance; ``Finding(**values)`` is the same finding."""
        return {name: getattr(self, name) for name in ("check", "status", "measured", "remedy")} | {
            "values": dict(self.values)
        }


def _plain(value: Any) -> Value:
    """A number or a word as JSON has it."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def ok(measured: str, /, **values: Value) -> Finding:
    """Nothing to worry about."""
    return Finding("ok", measured, values=values)


def unknown(measured: str, remedy: str = "", /, **values: Value) -> Finding:
    """Nothing to judge by, or too little."""
    return Finding("unknown", measured, remedy, values=values)


def warning(measured: str, remedy: str, /, **values: Value) -> Finding:
    """Something to look at."""
    return Finding("warning", measured, remedy, values=values)


def error(measured: str, remedy: str, /, **values: Value) -> Finding:
    """An explanation would be false."""
    return Finding("error", measured, remedy, values=values)


@dataclass(frozen=True)
class Findings:
    """All findings about a model or a result; printed, one line for each check.

    Attributes
    ----------
    model : str
        The stager's name.
    findings : tuple of Finding
        In the order of the checks.

    See Also
    --------
    eegflex.doctor.Finding : What one check found.
    eegflex.check_model : Whether a model is connected as it was meant.
    eegflex.evaluation.assess : What can be told without asking the model again.

    Examples
    --------
    >>> from eegflex.doctor import Finding, Findings
    >>> found = Findings("mine", (Finding("warning", "the unit is not said", "Say it in the spec", check="unit"),))
    >>> len(found.errors), found["unit"].remedy
    (0, 'Say it in the spec')
    """

    model: str
    findings: tuple[Finding, ...]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, check: str) -> Finding:
        """The finding of a check, by its name."""
        return {finding.check: finding for finding in self.findings}[check]

    def __contains__(self, check: object) -> bool:
        """Whether a check of this name was made; a finding is in it, too."""
        return any(check in (finding.check, finding) for finding in self.findings)

    def of(self, status: Status) -> tuple[Finding, ...]:
        """The findings of one status.

        Parameters
        ----------
        status : {"ok", "unknown", "warning", "error"}
            Which.

        Returns
        -------
        findings : tuple of Finding
            In the order of the checks.
        """
        return tuple(finding for finding in self.findings if finding.status == status)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that would make an explanation wrong."""
        return self.of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings to look at."""
        return self.of("warning")

    def __str__(self) -> str:
        numbers = {status: len(self.of(status)) for status in _statuses()}
        counts = ", ".join(
            f"{number} {status}{'s' * (number > 1 and status in _COUNTED)}"
            for status, number in numbers.items()
            if number
        )
        return "\n".join([f"{self.model}: {counts}", *map(str, self.findings)])

    def __repr__(self) -> str:
        return (
            f"<Findings | {self.model}, {len(self.errors)} errors, {len(self.warnings)} warnings, {len(self)} checks>"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{_MARKS[f.status]}</td>"
            + "".join(f"<td>{html.escape(text)}</td>" for text in (f.check, f.measured, f.remedy))
            + "</tr>"
            for f in self.findings
        )
        head = "<tr><th></th><th>check</th><th>measured</th><th>what to do</th></tr>"
        return f"<table><caption>{html.escape(self.model)}</caption>{head}{rows}</table>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Plain values, for provenance."""
        return [finding.to_dict() for finding in self.findings]

    def to_data_frame(self) -> pd.DataFrame:
        """The numbers as a table, for example to combine recordings.

        Returns
        -------
        table : pandas.DataFrame
            One row for each number, with the columns check, status, quantity, value, measured and remedy. A check without
            numbers has one row, whose quantity and value are None.

        Examples
        --------
        >>> findings = Findings("gssc", (ok("kappa 0.81 on 640 scored epochs", kappa=0.81, n_epochs=640).named("agreement"),))
        >>> print(findings.to_data_frame()[["check", "status", "quantity", "value"]].to_string(index=False))
            check status quantity  value
        agreement     ok    kappa   0.81
        agreement     ok n_epochs 640.00
        """
        import pandas as pd

        rows = [
            (one.check, one.status, quantity, value, one.measured, one.remedy)
            for one in self.findings
            for quantity, value in (one.values.items() or ((None, None),))
        ]
        columns = ["check", "status", "quantity", "value", "measured", "remedy"]
        return pd.DataFrame(rows, columns=columns)


def _statuses() -> tuple[Status, ...]:
    return ("error", "warning", "unknown", "ok")
