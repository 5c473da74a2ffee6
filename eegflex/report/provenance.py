"""Where the numbers come from, in groups, under names that need no knowledge of the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eegflex.report import html
from eegflex.report.parts import Text

if TYPE_CHECKING:
    from eegflex.report.parts import Gathered

__all__ = ["flat", "grouped", "provenance"]

#: What has a section of its own, or stands on top.
_ELSEWHERE = ("checks", "evaluation", "warnings")
#: Heading -> what provenance says, by its key, and what it is called.
_GROUPS: dict[str, dict[str, str]] = {
    "Recording": {
        "recording": "called",
        "format": "format",
        "epochs": "epochs",
        "runs": "stretches without a gap",
        "explained": "epochs explained",
        "left_out": "epochs left out",
        "faults": "epochs not staged, and why",
        "sfreq_recorded": "sampling rate (Hz)",
        "sfreq_native": "sampling rate of each channel (Hz)",
        "derived": "derived channels",
        "renamed": "renamed channels",
        "profile": "profile",
    },
    "Hypnogram": {"alignment": ""},
    "Preparation for the stager": {
        "filter": "filter",
        "resampled": "resampled",
        "edge_reach_s": "reach of the filter's edge (s)",
        "edge_epochs": "epochs that it reaches",
        "filter_edges": "what became of them",
    },
    "What was chosen and measured": {
        "baseline": "baseline",
        "window": "window",
        "random_phases": "staged again, phases drawn at random",
    },
    "Software": {"eegflex": "eegflex", "mne": "MNE-Python", "torch": "PyTorch", "numpy": "NumPy", "captum": "captum"},
    "SHA-256": {
        "recording_sha256": "recording, as its file has it",
        "input_sha256": "recording, as the stager is given it",
        "model_sha256": "weights",
    },
}
_OTHERS = "Further"
#: Whose parts are named by files, and stay as they are.
_NAMED_BY_FILES = ("sfreq_native", "renamed", "faults")


def provenance(gathered: Gathered) -> Iterator[Text]:
    """Where the numbers come from, and what was asked."""
    told = {"recording": gathered.result.recordings[0]} | gathered.result.provenance
    warnings = "".join(html.warning(str(warning)) for warning in told.get("warnings", []))
    asked = gathered.result.parameters | ({"target": "all"} if gathered.of_all else {})
    tables = [html.folded(name, html.pairs(rows)) for name, rows in grouped(told).items()]
    parameters = html.folded("Parameters of the attribution", html.pairs(flat(asked)))
    hashes_wrap = '<div style="overflow-wrap:anywhere">'
    yield Text("Provenance", f"{hashes_wrap}{warnings}{''.join(tables)}{parameters}</div>")


def grouped(told: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Provenance by heading; groups of which nothing is known are left out, and what no group has comes last."""
    found = {
        heading: [row for key, name in names.items() if key in told for row in _rows(key, name, told[key])]
        for heading, names in _GROUPS.items()
    }
    known = {key for names in _GROUPS.values() for key in names} | set(_ELSEWHERE)
    found[_OTHERS] = list(flat({key: value for key, value in told.items() if key not in known}))
    return {heading: rows for heading, rows in found.items() if rows}


def _rows(key: str, name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Rows of one thing; what is empty says nothing, and what is the same of all channels is one row."""
    if isinstance(value, Mapping):
        if len(value) > 1 and len({str(one) for one in value.values()}) == 1:
            yield name, f"{_as_text(next(iter(value.values())))} (all {len(value)})"
            return
        rows = flat(value, f"{name}, " if name else "")
        ours = key not in _NAMED_BY_FILES
        yield from ((row.replace("_", " ") if ours else row, words) for row, words in rows if words != "–")
    elif (words := _as_text(value)) != "–":
        yield name, words


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values of nested mappings as text; an empty value is a dash."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{name}: ")
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for i, item in enumerate(value):
                yield from flat(item, f"{name} {i + 1}: ")
        else:
            yield name, _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_as_text, value)) or "–"
    if value is None or value == "" or value == {}:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
