"""From a result of all stages to that of one target, without a further pass through the network."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from eegflex.results import tables
from eegflex.results.layout import is_large
from eegflex.results.recordings import provenance_text, provenances
from eegflex.results.subset import at_epochs
from eegflex.targets import Target, is_scored, resolve_target

__all__ = ["facts", "for_sums", "of_target"]

#: Epochs of a view on disk that are summed at once.
_AT_ONCE = 16
#: Variables that are errors of others.
_ERRORS = ("band_error", "second_error", "window_error")


def facts(dataset: xr.Dataset) -> xr.Dataset:
    """What is known of each epoch and channel set, of one target: the predicted one of all. No view is read for it."""
    small = dataset.drop_vars([name for name, variable in dataset.data_vars.items() if is_large(variable)])
    return of_target(small, "predicted") if "target_stage" in small.dims else small


def for_sums(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset without the views that its sums over the usual bands do not need: to collapse them takes most of the time."""
    views = ["time_view", "time_frequency_view", *(["frequency_view"] if "band_view" in dataset else [])]
    return dataset.drop_vars(views, errors="ignore")


def of_target(dataset: xr.Dataset, target: str | tuple[str, str]) -> xr.Dataset:
    """Collapse a dataset of all stages to one target: attributions are linear in the score.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of all stages.
    target : str | tuple of (str, str)
        As in `eegflex.attribute_epochs`, but ``"all"``.
    """
    stages = dataset["stage_name"].values.astype(str).tolist()
    if target == "scored":
        dataset = at_epochs(dataset, np.flatnonzero(is_scored(dataset["stage"].values.astype(str), stages)))
    scored = dataset["stage"].values.astype(str).tolist()
    resolved = [resolve_target(target, stages, own, scored) for own in dataset["scores"].values.swapaxes(0, 1)]
    weights = np.stack([one.weights[:, 0] for one in resolved], axis=1)
    of_channel = weights[:, dataset["of_channel_set"].values]
    variables: dict[str, Any] = {}
    for name, variable in dataset.data_vars.items():
        if "target_stage" in variable.dims and "other_stage" not in variable.dims:
            dims = tuple(dim for dim in variable.dims if dim != "target_stage")
            own = of_channel if "channel" in dims else weights
            # attributions are linear in the score; of their errors all that is known is that they add up at most
            variables[str(name)] = dims, _weighed(variable, np.abs(own) if name in _ERRORS else own)
    sizes, per_set = tables.sizes(dataset), ("epoch", "channel_set")
    by_stage, size = np.diagonal(sizes, axis1=-2, axis2=-1), _of_pairs(dataset["size"].values, weights)
    for name, more in (("path_share", ("fraction",)), ("change_error", ())):
        if name in dataset:
            variables[name] = (*per_set, *more), _of_pairs(dataset[name].values, weights)
    # Errors of several stages may add up, and are then relative to the size of what remains.
    error = (
        dataset["error"].values
        * (np.abs(weights) * by_stage).sum(axis=-1)
        / np.maximum(size, tables.least_sizes(dataset))
    )
    variables |= {"size": (per_set, size), "error": (per_set, error), "target": (per_set, _labels(resolved))}
    if target != "predicted":
        dataset = without_measures(dataset)
    asked = json.loads(dataset.attrs["parameters"]) | {"target": target}
    # what an evaluation measured is of the explanation of the predicted stage
    others = ["measures", "measure"] if target != "predicted" else []
    bare = dataset.drop_vars([*variables, "target_stage", "other_stage"]).drop_vars(others, errors="ignore")
    return bare.assign(variables)[[name for name in dataset.data_vars if name not in others]].assign_attrs(
        parameters=json.dumps(asked)
    )


def without_measures(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset without what an evaluation measured, which is of one target: of all stages, the predicted one."""
    told = {label: {name: value for name, value in own.items() if name != "evaluation"}
            for label, own in provenances(dataset).items()}  # fmt: skip
    return dataset.drop_vars(["measures", "measure"], errors="ignore").assign_attrs(provenance=provenance_text(told))


def _labels(resolved: list[Target]) -> npt.NDArray[np.object_]:
    return np.stack([one.labels for one in resolved], axis=1).astype(object)


def _weighed(variable: xr.DataArray, weights: npt.NDArray[np.float64]) -> Any:
    """Sum over the stages with weights; of a variable that is left on disk, when it is asked for."""
    if variable.variable._in_memory:
        return _weigh(variable, weights)
    return indexing.LazilyIndexedArray(_Weighed(variable.variable, weights))


class _Weighed(BackendArray):
    """A variable that lies in a file, summed over the stages with weights where it is asked for."""

    def __init__(self, found: xr.Variable, weights: npt.NDArray[np.float64]) -> None:
        last = "channel" if "channel" in found.dims else "channel_set"
        self.found, self.weights = found, xr.Variable(("epoch", last, "target_stage"), weights)
        self.dims = tuple(dim for dim in found.dims if dim != "target_stage")
        self.shape, self.dtype = tuple(found.sizes[dim] for dim in self.dims), found.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._at
        )
        return found

    def _at(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        """A few epochs at a time: no more of all stages is in memory."""
        rows = np.arange(self.shape[0])[key[0]]
        if rows.ndim == 0:
            return self._of(dict(zip(self.dims, key, strict=True)))
        starts = range(0, max(len(rows), 1), _AT_ONCE)
        parts = [self._of(dict(zip(self.dims, (rows[i : i + _AT_ONCE], *key[1:]), strict=True))) for i in starts]
        return np.concatenate(parts)

    def _of(self, key: dict[Any, Any]) -> npt.NDArray[Any]:
        values = self.found[key]
        weights = self.weights[{dim: own for dim, own in key.items() if dim in self.weights.dims}]
        summed = xr.dot(values.load(), weights, dim="target_stage")
        return np.asarray(summed.transpose(*(dim for dim in self.dims if dim in summed.dims)).values, dtype=self.dtype)


def _weigh(variable: xr.DataArray, weights: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Sum over the stages with weights, shape (n_epochs, n, n_stages), epoch by epoch: no view is twice in memory."""
    last = "channel" if "channel" in variable.dims else "channel_set"
    ordered = variable.transpose("epoch", "target_stage", last, ...)
    values = ordered.values
    summed = np.empty((values.shape[0], *values.shape[2:]), dtype=variable.dtype)
    for epoch, one in enumerate(weights):
        said = np.flatnonzero(one.any(axis=0))  # of a stage that no channel has as its target, nothing is read
        summed[epoch] = np.einsum("kc...,ck->c...", values[epoch, said], one[:, said])
    dims = [dim for dim in variable.dims if dim != "target_stage"]
    order = [dim for dim in ordered.dims if dim != "target_stage"]
    return summed.transpose([order.index(dim) for dim in dims])


def _of_pairs(pairs: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is known of the target, of a stage or of a difference of two, out of what is of all pairs of stages."""
    plus, minus = weights.argmax(axis=-1), weights.argmin(axis=-1)
    minus = np.where(np.take_along_axis(weights, minus[..., None], axis=-1)[..., 0] < 0, minus, plus)
    epochs, sets = np.ogrid[: pairs.shape[0], : pairs.shape[1]]
    return np.asarray(pairs[epochs, sets, plus, minus])
