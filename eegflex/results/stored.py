"""How the large variables of a light result lie in its file: as whole numbers of steps that its errors justify."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from eegflex.errors import EegflexError
from eegflex.results.recordings import provenances
from eegflex.results.resolution import is_light

__all__ = ["STEP", "Stored", "decoded", "stored"]

#: What the steps of a variable are called in the file, after its own name.
STEP = "_step"
#: Added to the number of steps: small ones of either sign then differ in one byte only, which makes a file a fifth smaller.
OFFSET = 128
#: A step is at most this share of the absolute total of the band sums, and this share of their error; but never less than the
#: last, which nobody reads an attribution to.
_OF_TOTAL, _OF_ERROR, _LEAST = 1e-4, 0.2, 2.0**-20
_VIEWS = ("frequency_view", "time_view", "time_frequency_view")
#: Of which the channels of a channel set have such a step together, and any two stages of their difference, since tables of
#: bands are made of it.
_TOGETHER = ("frequency_view",)
#: Steps from zero to the largest value of a channel's signal, and bits of a power.
_SIGNAL_BITS, _POWER_BITS = 12, 14
#: Epochs that are encoded at once.
_AT_ONCE = 8
#: Exponents that a step may have.
_EXPONENTS = (-100, 100)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stored:
    """How a variable is written.

    Attributes
    ----------
    variable : xarray.DataArray
        What is written.
    dtype : dtype
        In the file.
    encode : callable
        Values of some epochs, and which these are -> what is written of them.
    step : xarray.Variable | None
        Its steps, which are written beside it; None where it has none.
    """

    variable: xr.DataArray
    dtype: np.dtype[Any]
    encode: Callable[[npt.NDArray[Any], slice], npt.NDArray[Any]]
    step: xr.Variable | None = None

    def blocks(self) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
        """What is written, a few epochs at a time."""
        for rows, values in _blocks(self.variable):
            yield rows, self.encode(values, rows).astype(self.dtype)


def stored(dataset: xr.Dataset) -> dict[str, Stored]:
    """Say what is written in steps, or rounded: of a light result that is whole; of any other nothing is.

    What is read from a file and written again is the same, since steps are powers of two.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    """
    if not is_light(dataset):
        return {}
    if any(one.get("partial", False) for one in provenances(dataset).values()):
        return {}  # one that is resumed goes on from what it had, to the last bit
    found = [(name, _in_steps(dataset[name], steps_of(dataset, name), _by_sums)) for name in _VIEWS if name in dataset]
    found += [("signal", _in_steps(dataset["signal"], _signal_steps(dataset["signal"]), _each))]
    power = Stored(dataset["power"], dataset["power"].dtype, lambda values, _: _rounded(values))
    return {name: how for name, how in found if how is not None} | {"power": power}


def steps_of(dataset: xr.Dataset, name: str) -> xr.Variable:
    """The steps of a view, (epoch, [target_stage,] channel), which follow from the size and the error of its epochs."""
    size, error = (dataset[known].values.astype(np.float64) for known in ("size", "error"))
    of_all = "target_stage" in dataset.sizes
    own = np.diagonal(size, axis1=-2, axis2=-1) if of_all else size[..., None]
    n_parts = np.ones(dataset.sizes["channel_set"])
    if name in _TOGETHER:
        n_parts, size = dataset["n_channels"].values * (1 + of_all), size.min(axis=-1) if of_all else own
    else:
        size = own
    share = np.minimum(_OF_TOTAL / n_parts, np.where(np.isfinite(error), _OF_ERROR * error, np.inf))[..., None]
    steps = _power_of_two(np.maximum(size * share, own * _LEAST))
    steps = np.moveaxis(steps[:, dataset["of_channel_set"].values], 1, 2)
    dims = ("epoch", *(("target_stage",) if of_all else ()), "channel")
    return xr.Variable(dims, steps if of_all else steps[:, 0])


def _signal_steps(signal: xr.DataArray) -> xr.Variable:
    """The steps of a signal, (epoch, channel), which follow from the largest value of the channel.

    These are parts of a power of two that is not below it, so that what was rounded has the same steps, or finer ones.
    """
    largest = np.stack([np.abs(values).max(axis=(0, 2)) for _, values in _blocks(signal)]).max(axis=0)
    below = _power_of_two(largest.astype(np.float64))
    steps = np.where(below < largest, 2 * below, below) / 2**_SIGNAL_BITS
    return xr.Variable(("epoch", "channel"), np.broadcast_to(steps, signal.shape[:2]))


def _power_of_two(values: Array) -> Array:
    """The largest power of two that is not above; the least that there is, of what is no positive number."""
    sound = np.isfinite(values) & (values > 0)
    exponents = np.frexp(np.where(sound, values, 1.0))[1] - 1
    return np.asarray(np.ldexp(1.0, np.where(sound, np.clip(exponents, *_EXPONENTS), _EXPONENTS[0])))


def _in_steps(variable: xr.DataArray, step: xr.Variable, count: Callable[[Array], Array]) -> Stored | None:
    """How a variable is written in steps; None where no whole number holds it, or it holds what is no number."""
    steps = step.values

    def in_steps(values: npt.NDArray[Any], rows: slice) -> Array:
        flat = values.reshape(*values.shape[: step.ndim], -1)
        return np.asarray(flat / steps[rows][..., None], dtype=np.float64)

    def encode(values: npt.NDArray[Any], rows: slice) -> Array:
        return np.asarray(count(in_steps(values, rows)).reshape(values.shape) + OFFSET)

    most = max(float(np.abs(in_steps(values, rows)).max()) for rows, values in _blocks(variable))
    exact = 2 ** (np.finfo(variable.dtype).nmant + 1)  # up to here, whole numbers have a place of their own in memory
    for dtype in (np.dtype(np.int16), np.dtype(np.int32)):
        if most + OFFSET + 2 < min(np.iinfo(dtype).max, exact):
            return Stored(variable, dtype, encode, step.astype(variable.dtype))
    return None


def _each(counts: Array) -> Array:
    return np.rint(counts)


def _by_sums(counts: Array) -> Array:
    """Round the running sum, so that a sum over neighbours is within one step however many they are."""
    return np.diff(np.rint(np.cumsum(counts, axis=-1)), axis=-1, prepend=0.0)


def _rounded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Keep the first bits of each number."""
    parts, exponents = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(np.ldexp(parts, _POWER_BITS)), exponents - _POWER_BITS))


def _blocks(variable: xr.DataArray) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    for start in range(0, len(variable), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        yield rows, variable[rows].values


# -- reading


class _Steps(BackendArray):
    """A variable that lies in steps in its file, read and multiplied where it is asked for."""

    def __init__(self, found: xr.Variable, step: xr.Variable) -> None:
        self.found, self.step = found, step
        self.shape, self.dtype = found.shape, step.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._at
        )
        return found

    def _at(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        values = np.asarray(self.found[key].values).astype(self.dtype)
        own = self.step[key[: self.step.ndim]].values
        values -= OFFSET
        values *= own.reshape(*own.shape, *(1 for _ in range(values.ndim - own.ndim)))
        return values


def decoded(dataset: xr.Dataset, path: Path, error: type[EegflexError]) -> xr.Dataset:
    """Put numbers in the place of steps; they are read when they are asked for.

    Parameters
    ----------
    dataset : xarray.Dataset
        As it is in the file, with all in memory that is small.
    path : Path
        The file.
    error : type
        What to raise.

    Raises
    ------
    EegflexError
        An `error`, if steps are not those that the result's errors justify, no powers of two, or of no variable in steps.
    """
    for name in [str(name) for name in dataset.data_vars if str(name).endswith(STEP)]:
        own = name.removesuffix(STEP)
        step = dataset.variables[name].load()
        if not _are_steps(dataset, own, step):
            raise error(
                f"{path.name} holds steps of {own!r:.80} that no result has", remedy="Attribute the recording again"
            )
        found = dataset.variables[own]
        values = xr.Variable(found.dims, indexing.LazilyIndexedArray(_Steps(found, step)), encoding=found.encoding)
        dataset = dataset.drop_vars(name).assign({own: values})
    return dataset


def _are_steps(dataset: xr.Dataset, name: str, step: xr.Variable) -> bool:
    """Whether these are the steps of a variable that lies in steps."""
    if name not in (*_VIEWS, "signal") or name not in dataset.variables or step.dtype.kind != "f":
        return False
    found = dataset.variables[name]
    dims = ("epoch", *(("target_stage",) if "target_stage" in found.dims else ()), "channel")
    if found.dtype.kind != "i" or step.dims != dims or found.dims[: len(dims)] != dims:
        return False
    values = step.values.astype(np.float64)
    if name != "signal":
        return np.array_equal(values, steps_of(dataset, name).values)
    return bool((np.isfinite(values) & (values > 0)).all() and (values == _power_of_two(values)).all())
