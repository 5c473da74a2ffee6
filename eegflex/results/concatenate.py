"""Several recordings in one result."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.results.recordings import labels_of, provenance_text, provenances, relabelled
from eegflex.results.result import FlexResult
from eegflex.utils.arguments import checked

__all__ = ["concatenate_results"]

#: Settings that say how something was computed or drawn, and not what: they may differ.
_INDIFFERENT = ("device", "batch_size", "on_check", "seed", "spectral_share")
#: What some results have and others do not, and is kept where all have it.
_OF_ALL = ("spectral_share", "share", "night_stage_share")
#: What must be the same of all, in the words of an error.
_AXES = {
    "channel": "channels",
    "ch_type": "types of channels",
    "channel_set": "channel sets",
    "of_channel_set": "channel sets",
    "n_channels": "numbers of channels in the channel sets",
    "freq": "frequencies",
    "time": "times of samples",
    "frame": "times of frames",
    "frame_freq": "frequencies of frames",
    **dict.fromkeys(("freq_low", "freq_high"), "resolutions"),
    **dict.fromkeys(("time_bin", "time_low", "time_high"), "bins of time"),
}
#: Two places of an electrode that are further apart than this are not the same, in m.
_APART = 0.01


@checked
def concatenate_results(results: Sequence[FlexResult], *, recordings: Sequence[str] | None = None) -> FlexResult:
    """Concatenate the results of several recordings, each with a label.

    Parameters
    ----------
    results : sequence of FlexResult
        Attributions of different recordings by the same stager, asked in the same way. They are not changed.
    recordings : sequence of str | None
        A label for each recording, in their order. By default those that they have: what was given as ``label=`` when they
        were explained, else a hash of their content.

    Returns
    -------
    result : FlexResult
        Epochs and nights of all of them. An epoch is known by its ``recording`` and its ``number`` in it; `FlexResult.sel`
        takes both. Electrodes lie where they lie in the first. The provenance is that of each recording.

    Raises
    ------
    ParameterError
        If stagers, settings, channels or frequencies differ, the same night occurs twice, or labels are missing or the same.

    See Also
    --------
    eegflex.FlexResult : Attributions, labelled.
    eegflex.read_result : Read a result from its file.
    eegflex.cohort.run_cohort : Explain many nights.

    Notes
    -----
    The settings ``device``, ``batch_size``, ``on_check``, ``seed`` and ``spectral_share`` may differ; those that do are left
    out of the result's.
    A night is known by the hash of what the stager was given of it, so that two parts of a night are the same night.
    Stagers are compared by their specs, and by the hash of their weights where that is known.

    Examples
    --------
    >>> import eegflex
    >>> nights = [eegflex.simulate_psg(hours=0.2, sfreq=128, seed=seed, verbose="error") for seed in (1, 2)]
    >>> results = [
    ...     eegflex.attribute_epochs(eegflex.make_epochs(night.raw, verbose="error"), "bandpower", verbose="error")
    ...     for night in nights
    ... ]
    >>> both = eegflex.concatenate_results(results, recordings=["sub-01", "sub-02"])
    >>> both.recordings, len(both), len(both.sel(recording="sub-02"))
    (('sub-01', 'sub-02'), 48, 24)
    """
    results = list(results)
    if not results or not all(isinstance(one, FlexResult) for one in results):
        raise ParameterError(
            "There must be at least one result to concatenate",
            seen=[type(one).__name__ for one in results],
            allowed="a sequence of FlexResult",
        )
    labels = _labels([one.recordings for one in results], recordings)
    told = [provenances(one.data)[label] for one in results for label in one.recordings]
    _check_no_night_twice(told, labels)
    _check_different(labels)
    left = iter(labels)
    datasets = [relabelled(one.data, list(itertools.islice(left, len(one.recordings)))) for one in results]
    for other in datasets[1:]:
        _check_alike(datasets[0], other)
    for pair in itertools.combinations(datasets, 2):
        _refuse("are of models with different weights", pair, _other_weights(*pair))
    every = {label: found for dataset in datasets for label, found in provenances(dataset).items()}
    together = _joined(datasets)
    asked = [json.loads(dataset.attrs["parameters"]) for dataset in datasets]
    kept = {name: value for name, value in asked[0].items() if all(one.get(name) == value for one in asked)}
    return FlexResult(together.assign_attrs(parameters=json.dumps(kept), provenance=provenance_text(every)))


def _labels(own: Sequence[Sequence[str]], given: Sequence[str] | None) -> list[str]:
    """A label for each recording of each result."""
    flat = list(itertools.chain(*own))
    if given is None:
        return flat
    labels = [given] if isinstance(given, str) else list(map(str, given))
    if len(labels) != len(flat):
        raise ParameterError("There must be one label for each recording", seen=labels, allowed=f"{len(flat)} labels")
    return labels


def _check_different(labels: Sequence[str]) -> None:
    if len(set(labels)) < len(labels) or not all(labels):
        raise ParameterError(
            "The labels of recordings must differ, and not be empty",
            seen=list(map(repr, labels)),
            remedy="Give each its own with recordings=[...]",
        )


def _check_alike(first: xr.Dataset, other: xr.Dataset) -> None:
    """Refuse what cannot be put together, and say in what it differs."""
    pair = (first, other)
    _refuse(
        "are not of the same stager", pair, _differing(json.loads(first.attrs["spec"]), json.loads(other.attrs["spec"]))
    )
    asked, other_asked = (json.loads(one.attrs["parameters"]) for one in pair)
    differing = _differing(asked, other_asked, leaving_out=_INDIFFERENT)
    chosen = any("baseline" in own for one in pair for own in provenances(one).values())
    if chosen and all(one.startswith("baseline:") for one in differing):
        _refuse("were not compared with the same baseline", pair, differing, _NAME_ONE)
    _refuse("were made with other settings", pair, differing)
    for name, words in _AXES.items():
        values = [one[name].values if name in one.coords else np.array([]) for one in pair]
        if not _same(*values):
            _refuse(f"have different {words}", pair, [" / ".join(map(_axis_text, values))])
    here, there = (np.stack([one[axis].values for axis in "xyz"], axis=1).astype(float) for one in pair)
    moved = ~np.isclose(here, there, atol=_APART, rtol=0, equal_nan=True).all(axis=1)
    _refuse("have electrodes at different places", pair, first["channel"].values[moved].astype(str).tolist())


def _other_weights(first: xr.Dataset, other: xr.Dataset) -> list[str]:
    """Hashes of two models, where both are known and differ."""
    known = [
        {one["model_sha256"] for one in provenances(data).values() if "model_sha256" in one} for data in (first, other)
    ]
    here, there = ("/".join(sorted(digest[:12] for digest in digests)) for digests in known)
    return [f"model_sha256 {here}… / {there}…"] if all(known) and known[0] != known[1] else []


#: What to do about results that differ in what they were asked, and in what was chosen for them.
_ALIKE = "Explain all recordings with the same stager, channels and arguments"
_NAME_ONE = "baseline='auto' chose it, from the number of usable epochs: name one baseline for all recordings"


def _refuse(what: str, pair: Sequence[xr.Dataset], differences: Sequence[str], remedy: str = _ALIKE) -> None:
    if not differences:
        return
    one, other = (", ".join(labels_of(dataset)) for dataset in pair)
    raise ParameterError(
        f"The results of recordings {one} and {other} {what}",
        seen=differences,
        remedy=remedy,
    )


def _differing(first: Mapping[str, Any], other: Mapping[str, Any], leaving_out: Sequence[str] = ()) -> list[str]:
    """What differs between two nested mappings, such as ``"input.sfreq: 100.0 / 128.0"``."""
    flat = [dict(_flat(one)) for one in (first, other)]
    names = [name for name in {**flat[0], **flat[1]} if name not in leaving_out]
    return [
        f"{name}: {flat[0].get(name)!r} / {flat[1].get(name)!r}"
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether two axes are the same; numbers but for rounding."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=1e-9, atol=1e-12))
    return bool((one == other).all())


def _axis_text(values: npt.NDArray[Any]) -> str:
    if values.dtype.kind == "f" and values.size:
        return f"{values.size} from {values[0]:g} to {values[-1]:g}"
    return ", ".join(map(str, values.tolist())) or "none"


def _check_no_night_twice(told: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for found, label in zip(told, labels, strict=True):
        digest = found["input_sha256"]
        if digest in seen:
            raise ParameterError(
                "The same night occurs twice",
                seen=f"recordings {seen[digest]!r} and {label!r}, input_sha256 {digest[:12]}…",
                remedy="Leave one of them out, or explain all epochs of the night at once",
            )
        seen[digest] = label


def _joined(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """Epochs after epochs and nights after nights. The epochs of the context are those of any; elsewhere NaN."""
    lacking = [name for name in _OF_ALL if not all(name in dataset.variables for dataset in datasets)]
    datasets = [dataset.drop_vars(lacking, errors="ignore") for dataset in datasets]
    # measures that any of them has, NaN where they were not taken
    every = list(
        dict.fromkeys(name for one in datasets if "measures" in one for name in one["measure"].values.tolist())
    )
    datasets = [_with_measures(dataset, np.array(every, dtype=object)) for dataset in datasets] if every else datasets
    first = datasets[0]
    axes = {name: first[name] for name in first.dims if name in first.coords and name != "context"}
    parts = []
    for dim, other in (("epoch", "night"), ("night", "epoch")):
        own = [dataset.drop_dims(other).assign_coords(axes) for dataset in datasets]
        parts.append(
            xr.concat(own, dim, data_vars="minimal", coords="minimal", compat="override", join="outer",
                      combine_attrs="override")
        )  # fmt: skip
    return xr.merge(parts, compat="override", join="exact", combine_attrs="override")[list(first.data_vars)]


def _with_measures(dataset: xr.Dataset, names: npt.NDArray[Any]) -> xr.Dataset:
    """A dataset with these measures: of one that was not evaluated, NaN."""
    if "measures" in dataset:
        return dataset.reindex(measure=names)
    dims = ("epoch", "channel_set", "measure")
    none = np.full((dataset.sizes["epoch"], dataset.sizes["channel_set"], len(names)), np.nan)
    return dataset.assign(measures=xr.DataArray(none, dims=dims, coords={"measure": names}))
