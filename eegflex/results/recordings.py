"""The recordings that a result holds: their labels, their provenance, and the part of a result that is of one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.results.identity import content_name

__all__ = [
    "labels_of",
    "of_recordings",
    "one_recording",
    "provenance_text",
    "provenances",
    "relabelled",
    "shown_label",
    "with_cases_of",
]


def labels_of(dataset: xr.Dataset) -> tuple[str, ...]:
    """Labels of the recordings, in their order."""
    return tuple(dict.fromkeys(map(str, dataset["night_recording"].values.tolist())))


def shown_label(dataset: xr.Dataset, label: str) -> str:
    """How a recording is named in a figure; of the only one, a hash of its content says nothing, and is left out."""
    every = provenances(dataset)
    return "" if len(every) == 1 and label == content_name(every[label]["recording_sha256"]) else label


def provenances(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Provenance of each recording, by its label."""
    found = json.loads(dataset.attrs["provenance"])
    labels = labels_of(dataset)
    return {labels[0]: found} if len(labels) == 1 else dict(found["recordings"])


def provenance_text(by_recording: Mapping[str, Mapping[str, Any]]) -> str:
    """Provenance as a dataset keeps it: that of the recording, or of each if there are several."""
    if len(by_recording) == 1:
        return json.dumps(next(iter(by_recording.values())))
    return json.dumps({"recordings": by_recording})


def of_recordings(dataset: xr.Dataset, labels: Sequence[str]) -> xr.Dataset:
    """The part of a dataset that is of some of its recordings."""
    every = provenances(dataset)
    chosen = dataset.isel(
        epoch=np.flatnonzero(np.isin(dataset["recording"].values.astype(str), labels)),
        night=np.flatnonzero(np.isin(dataset["night_recording"].values.astype(str), labels)),
    )
    return chosen.assign_attrs(provenance=provenance_text({label: every[label] for label in every if label in labels}))


def with_cases_of(dataset: xr.Dataset, sets: Sequence[int]) -> xr.Dataset:
    """A dataset of which these channel sets are left: what says which explanations were evaluated is of their new places."""
    told = provenances(dataset)
    evaluated = [own["evaluation"] for own in told.values() if "evaluation" in own]
    for own in evaluated:
        own["cases"] = [[number, sets.index(place)] for number, place in own["cases"] if place in sets]
    return dataset.assign_attrs(provenance=provenance_text(told)) if evaluated else dataset


def one_recording(dataset: xr.Dataset, recording: str | None, what: str) -> xr.Dataset:
    """The part of a dataset that is of one recording.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    recording : str | None
        Its label; may be left out where there is only one.
    what : str
        What is of one recording only, such as ``"A night"``.

    Raises
    ------
    ParameterError
        If there is no such recording, or there are several and none was named.
    """
    labels = labels_of(dataset)
    if recording is None:
        if len(labels) == 1:
            return dataset
        raise ParameterError(
            f"{what} is of one recording, and this result holds {len(labels)}",
            allowed=labels,
            remedy=f"Name one with recording=, or take its part of the result: result.sel(recording={labels[0]!r})",
        )
    if recording not in labels:
        raise ParameterError("There is no such recording", seen=repr(recording), allowed=list(map(repr, labels)))
    return of_recordings(dataset, [recording]) if len(labels) > 1 else dataset


def relabelled(dataset: xr.Dataset, labels: Sequence[str]) -> xr.Dataset:
    """A dataset whose recordings have other labels, given in their order."""
    new = dict(zip(labels_of(dataset), labels, strict=True))
    coordinates = {
        name: (dim, np.array([new[str(old)] for old in dataset[name].values.tolist()], dtype=object))
        for name, dim in (("recording", "epoch"), ("night_recording", "night"))
    }
    text = provenance_text({new[old]: provenance for old, provenance in provenances(dataset).items()})
    return dataset.assign_coords(coordinates).assign_attrs(provenance=text)
