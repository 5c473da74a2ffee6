"""Recordings of a BIDS data set. Its folders are walked once: no file is searched for."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from eegflex.cohort.listing_files import walk
from eegflex.cohort.recording import Recording
from eegflex.cohort.rows import read_rows
from eegflex.errors import ParameterError

__all__ = ["is_bids", "of_bids"]

_EEG = re.compile(r"(sub-[0-9A-Za-z]+(?:_[a-z]+-[0-9A-Za-z]+)*)_eeg\.(?:edf|bdf|vhdr|set|fif)", re.I)
_DESCRIPTION, _PARTICIPANTS, _ID = "dataset_description.json", "participants.tsv", "participant_id"
#: Doubles that an error shows.
_SHOWN = 5
#: The task that is meant where a data set has several.
_SLEEP = "sleep"


def is_bids(folder: Path) -> bool:
    """Whether a folder is a BIDS data set."""
    return (folder / _DESCRIPTION).is_file()


def of_bids(root: Path, task: str | None) -> list[Recording]:
    """The recordings of a data set, of one task."""
    subjects = sorted(one for one in root.iterdir() if one.name.startswith("sub-") and one.is_dir())
    files = {path for subject in subjects for path in walk(subject)}
    found = {path: match[1] for path in files if (match := _EEG.fullmatch(path.name))}
    chosen = _chosen({_entities(stem).get("task", "") for stem in found.values()}, task)
    people = _participants(root / _PARTICIPANTS)
    return [
        _recording(path, stem, files, people)
        for path, stem in found.items()
        if chosen is None or _entities(stem).get("task", "") == chosen
    ]


def _chosen(tasks: set[str], task: str | None) -> str | None:
    if task is not None and task not in tasks:
        raise ParameterError("The data set has no such task", seen=repr(task), allowed=sorted(tasks))
    if task is not None or len(tasks) < 2:
        return task
    if _SLEEP in tasks:
        return _SLEEP
    raise ParameterError(
        "The data set has several tasks", allowed=sorted(tasks), remedy="Name the sleep task: task= (--task)"
    )


def _recording(path: Path, stem: str, files: set[Path], people: dict[str, dict[str, Any]]) -> Recording:
    entities = _entities(stem)
    events = path.with_name(f"{stem}_events.tsv")
    return Recording(
        stem,
        path,
        events if events in files else None,
        entities["sub"],
        entities.get("ses", ""),
        people.get(f"sub-{entities['sub']}", {}),
        may_have_none=True,
    )


def _entities(stem: str) -> dict[str, str]:
    parts = (part.split("-", 1) for part in stem.split("_"))
    return {entity.casefold(): label for entity, label in parts}


def _participants(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    rows = read_rows(path, texts=(_ID,))
    if rows and _ID not in rows[0]:
        raise ParameterError("The table of participants has no column participant_id", seen=sorted(rows[0]))
    named = [(f"sub-{row[_ID].removeprefix('sub-')}", row) for row in rows if row[_ID] is not None]
    counts = Counter(name for name, _ in named)
    if doubles := [name for name, count in counts.items() if count > 1]:
        raise ParameterError(
            "The table of participants has several rows of one participant", seen=doubles[:_SHOWN],
            remedy="Keep one row of each: what differs between nights has no place in it",
        )  # fmt: skip
    return {name: {column: value for column, value in row.items() if column != _ID} for name, row in named}
