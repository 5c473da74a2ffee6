"""What the doctor found: one line a check, with what was measured and what to do."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["CannotTellError", "Finding", "Findings", "error", "ok", "unknown", "warning"]

Status = Literal["ok", "unknown", "warning", "error"]

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
        ``"unknown"``: the recording, or the model, gives the check nothing to judge by. ``"error"``: an explanation of
        this model would be false.
    measured : str
        What was measured, a sentence without its full stop.
    remedy : str
        What to do; empty where there is nothing to do.
    check : str
        Name of the check.
    """

    status: Status
    measured: str
    remedy: str = ""
    check: str = ""

    def __str__(self) -> str:
        return f"{_MARKS[self.status]:>7}  {self.check}: {self.measured}." + (f" {self.remedy}." if self.remedy else "")

    def named(self, check: str) -> Finding:
        """The same finding under the name of its check."""
        return dataclasses.replace(self, check=check)

    def to_dict(self) -> dict[str, str]:
        """Plain values, for provenance."""
        return {name: getattr(self, name) for name in ("check", "status", "measured", "remedy")}


def ok(measured: str) -> Finding:
    """Nothing to worry about."""
    return Finding("ok", measured)


def unknown(measured: str) -> Finding:
    """Nothing to judge by."""
    return Finding("unknown", measured)


def warning(measured: str, remedy: str) -> Finding:
    """Something to look at."""
    return Finding("warning", measured, remedy)


def error(measured: str, remedy: str) -> Finding:
    """An explanation would be false."""
    return Finding("error", measured, remedy)


@dataclass(frozen=True)
class Findings:
    """All that the doctor found; printed, one line a check.

    Attributes
    ----------
    model : str
        The stager's name.
    findings : tuple of Finding
        In the order of the checks.
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

    def of(self, status: Status) -> tuple[Finding, ...]:
        """The findings of one status."""
        return tuple(finding for finding in self.findings if finding.status == status)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What would make an explanation false."""
        return self.of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What to look at."""
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

    def to_dicts(self) -> list[dict[str, str]]:
        """Plain values, for provenance."""
        return [finding.to_dict() for finding in self.findings]


def _statuses() -> tuple[Status, ...]:
    return ("error", "warning", "unknown", "ok")
