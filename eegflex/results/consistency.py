"""Whether the numbers of a result are those of one result: what is there twice is the same, and attributions add up."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.errors import EegflexError
from eegflex.results.resolution import is_light
from eegflex.results.tables import beyond_moved, measure_sizes, reduced

__all__ = ["check_values"]

#: Rounding of sums in single precision, as a share of the absolute total of what is summed and of the scores.
_ROUNDING = 1e-3
#: Views, each with the dimensions that are summed over.
_VIEWS = ("frequency_view", "time_view", "time_frequency_view", "band_view")
#: Maps of windows, in which there is nothing where a window has no such epoch.
_WINDOWS = ("context_map", "window_map")


def check_values(dataset: xr.Dataset, error: type[EegflexError], *, views: bool = True) -> None:
    """Refuse a dataset whose numbers contradict each other.

    Parameters
    ----------
    dataset : xarray.Dataset
        Laid out as a result.
    error : type
        What to raise.
    views : bool
        Whether what is large is looked at too: views, power and signal. A few epochs at a time.

    Raises
    ------
    EegflexError
        An `error`, if a number is not finite that must be, what a result says of an epoch and of its night differs, or the
        attributions do not sum to F(x) - F(x_b) within the gap that they are said to have.
    """
    problem = next(_of_epochs(dataset), None) or next(_of_paths(dataset), None)
    problem = problem or next(_of_shares(dataset), None)
    problem = problem or (next(_of_views(dataset), None) if views else None)
    if problem is not None:
        raise error(f"This result is inconsistent: {problem}", remedy="Attribute the recording again")


def _of_paths(dataset: xr.Dataset) -> Iterator[str]:
    if "path_share" in dataset.variables:
        shares = dataset.variables["path_share"].values
        if not (np.isnan(shares) | ((shares >= 0) & (shares <= 1))).all():
            yield "path_share is no share"


def _of_shares(dataset: xr.Dataset) -> Iterator[str]:
    if "spectral_share" not in dataset.variables:
        return
    told = json.loads(dataset.attrs["provenance"])
    every = told["recordings"].values() if "recordings" in told else [told]
    shares, stage = (dataset.variables[name].values for name in ("spectral_share", "night_stage_share"))
    known = np.isfinite(shares).all(axis=1)
    if not ((shares >= 0) & (shares <= 1 + _ROUNDING) | np.isnan(shares) & ~known[:, None]).all():
        yield "spectral_share is no share"
    if ((stage != "") != known).any() or not np.isin(stage[known], dataset.variables["stage_name"].values).all():
        yield "spectral_share is of no stage"
    if not all(one.get("random_phases", {}).get("n_draws", 0) > 0 for one in every):
        yield "spectral_share is of no draws that its provenance knows"


def _of_epochs(dataset: xr.Dataset) -> Iterator[str]:
    values = {str(name): variable.values for name, variable in dataset.variables.items() if variable.ndim < 2}
    scores, night_scores = dataset.variables["scores"].values, dataset.variables["night_scores"].values
    for name in ("onset", "night_onset"):
        if not np.isfinite(values[name]).all():
            yield f"{name} is not finite"
    if not np.isfinite(scores).all():
        yield "scores of explained epochs are not finite"
    if (dataset.variables["predicted"].values != values["stage_name"][scores.argmax(axis=2)]).any():
        yield "predicted is not the stage of the highest score"
    rows = _rows(values)
    if rows is None:
        yield "an epoch has a number that the night does not have"
        return
    for name in ("onset", "run", "stage"):
        if (values[name] != values[f"night_{name}"][rows]).any():
            yield f"{name} of an epoch is not that of the night"
    if not np.array_equal(scores, night_scores[rows]):
        yield "scores of an epoch are not those of the night"
    replaced = dataset.variables["replaced_scores"].values
    if not np.array_equal(replaced[:, :, 0], scores) or not np.isfinite(replaced[:, :, 1]).all():
        yield "replaced_scores are not those of the epoch, or not finite"


def _rows(values: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.intp] | None:
    """The place of each epoch among the epochs of all nights; None if one has none."""
    places: dict[tuple[str, int], int] = {}
    counts: collections.Counter[str] = collections.Counter()
    for place, label in enumerate(values["night_recording"].tolist()):
        places[label, counts[label]] = place
        counts[label] += 1
    pairs = list(zip(values["recording"].tolist(), values["number"].tolist(), strict=True))
    return np.array([places[pair] for pair in pairs], dtype=np.intp) if all(map(places.__contains__, pairs)) else None


def _of_views(dataset: xr.Dataset) -> Iterator[str]:
    signal, power = (dataset.variables[name] for name in ("signal", "power"))
    if not _every(signal, np.isfinite):
        yield "signal is not finite"
    if not _every(power, lambda values: values >= 0):
        yield "power is negative, or no number"
    sound = np.isfinite(_per_stage(dataset, dataset.variables["size"].values))
    totals = {name: _totals(dataset, name) for name in _VIEWS if name in dataset.variables}
    for name, (_, absolute) in totals.items():
        if not np.isfinite(absolute[sound]).all():
            yield f"{name} is not finite"
    (first, (total, absolute)), *others = totals.items()
    # what a light file rounds is small beside each stage, but need not be beside the difference of two of them
    if not is_light(dataset) or "target_stage" in dataset.dims:
        for name, (other, its) in others:
            if _differ(total, other, absolute + its)[sound].any():
                yield f"{first} and {name} have different sums"
        if is_light(dataset) and "frequency_view" in dataset.variables:
            yield from _of_bins(dataset, sound)
        yield from _of_sums(dataset, total, absolute, sound)
    if "window_map" in dataset.variables:
        yield from _of_windows(dataset, _whole_sets(dataset))


def _of_bins(dataset: xr.Dataset, sound: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Hold the bins of a light result against the sums over bands that stand beside them."""
    freqs, of_bands = dataset["freq"].values, dataset["band_view"].values.astype(np.float64)
    sums = reduced(dataset["frequency_view"], lambda values: Bands().sum(values, freqs))
    of = dataset["of_channel_set"].values
    axis = of_bands.ndim - 2  # of the channels
    for place in range(dataset.sizes["channel_set"]):
        one, other = (np.compress(of == place, values, axis=axis) for values in (sums, of_bands))
        slack = np.abs(one).sum(axis=(axis, axis + 1)) + np.abs(other).sum(axis=(axis, axis + 1))
        if (np.abs(one - other).max(axis=(axis, axis + 1)) > _ROUNDING * slack)[sound[:, place]].any():
            yield "frequency_view and band_view have different sums"


def _whole_sets(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Channel sets that have all of their channels."""
    counts = np.bincount(dataset.variables["of_channel_set"].values, minlength=dataset.sizes["channel_set"])
    return np.asarray(counts == dataset.variables["n_channels"].values)


def _of_windows(dataset: xr.Dataset, whole: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Hold the sums of the windows that were explained against the change of the score."""
    total, absolute = _totals(dataset, "window_map")
    begin, gap, beyond = (
        np.moveaxis(dataset[name].transpose("epoch", ..., "channel_set").values.astype(np.float64), -1, 1)
        for name in ("window_baseline_score", "window_gap", "beyond")
    )
    score, judged = dataset.variables["score"].values, np.isfinite(begin)
    if (np.isfinite(gap) != judged).any() or (np.isfinite(beyond) != judged).any():
        yield "a window is explained in part"
    slack = absolute + np.abs(beyond) + np.abs(score) + np.abs(begin)
    judged &= whole if judged.ndim == 2 else whole[:, None]
    if _differ(total + beyond, score - begin + gap, slack)[judged].any():
        yield "the attributions of a window do not sum to F(x) - F(x_b) and its gap"


def _of_sums(
    dataset: xr.Dataset, total: npt.NDArray[np.float64], absolute: npt.NDArray[np.float64], sound: npt.NDArray[np.bool_]
) -> Iterator[str]:
    """Hold the sums against the change of the score, where all channels are there and the method's are meant to add up."""
    whole = _whole_sets(dataset)
    if not whole.all():
        sound = sound & (whole if sound.ndim == 2 else whole[:, None])
    if "context_map" in dataset.variables:
        total, absolute = _totals(dataset, "context_map")
        beyond = np.moveaxis(beyond_moved(dataset), -1, 1)
        total, absolute = total + beyond, absolute + np.abs(beyond)
    score, begin, gap = (dataset.variables[name].values for name in ("score", "baseline_score", "gap"))
    judged = sound & np.isfinite(gap)
    slack = absolute + np.abs(score) + np.abs(begin)
    if _differ(total, score - begin + gap, slack)[judged].any():
        yield "the attributions of an epoch do not sum to F(x) - F(x_b) and its gap"
    size = _per_stage(dataset, dataset.variables["size"].values)
    if whole.all() and _differ(_per_stage(dataset, measure_sizes(dataset)), size, absolute)[sound].any():
        yield "size is not that of the attributions"


def _per_stage(dataset: xr.Dataset, size: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sizes of each stage alone, of those of all pairs of stages; others as they are."""
    return np.diagonal(size, axis1=-2, axis2=-1) if "target_stage" in dataset.sizes else size


def _differ(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], absolute: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Where two sums differ by more than rounding; where one is no number they do."""
    return ~(np.abs(one - other) <= _ROUNDING * absolute)


def _every(variable: xr.Variable, holds: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]) -> bool:
    """Whether all values of a large variable hold, a few epochs at a time."""
    shares = reduced(xr.DataArray(variable), lambda values: np.array([holds(values).mean()]))
    return bool((shares == 1).all())


def _totals(dataset: xr.Dataset, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums of a view over each channel set, and absolute ones; shape (n_epochs, n_channel_sets), stages explained last."""
    view, of = xr.DataArray(dataset.variables[name]), dataset.variables["of_channel_set"].values
    order = ("epoch", "channel", *(("target_stage",) if "target_stage" in view.dims else ()))

    def both(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        part = xr.DataArray(values, dims=view.dims).transpose(*order, ...).values
        flat = part.reshape(*part.shape[: len(order)], -1)
        flat = np.nan_to_num(flat, nan=0.0, posinf=np.inf, neginf=-np.inf) if name in _WINDOWS else flat
        sums = np.stack([one.sum(axis=-1, dtype=np.float64) for one in (flat, np.abs(flat))], axis=1)
        return np.stack([sums[:, :, of == k].sum(axis=2) for k in range(dataset.sizes["channel_set"])], axis=2)

    sums = reduced(view, both)
    return sums[:, 0], sums[:, 1]
