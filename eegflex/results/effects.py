"""What a scorer looks at, and what each of it did over the epochs of a stage: medians, with what is sure of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import ABOVE, BELOW, Bands
from eegflex.results import tables
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, median_interval, quantile
from eegflex.results.marks import mean_error
from eegflex.results.select import Pooled, channel_types, pool
from eegflex.results.wording import span_words, type_label

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Effect", "Sign", "Sites", "effect_of", "error_together", "signs_of", "signs_of_epochs"]

#: Types of channels that a scorer looks at whatever the frequency: all bands together.
_WHOLE = ("emg", "eog", "ecg")
#: What a scorer calls the bands of the others.
_RHYTHMS = {
    "delta": "slow waves (delta)",
    "theta": "theta waves",
    "alpha": "the alpha rhythm",
    "sigma": "sigma, where spindles lie",
    "beta": "beta",
    BELOW: "drifts",
    ABOVE: "what is fast",
}
#: By how much the error of a median is larger than that of a mean, of normal values.
_OF_MEDIAN = float(np.sqrt(np.pi / 2))


@dataclass(frozen=True)
class Sign:
    """Something that a scorer looks at, and what it did in each epoch.

    Attributes
    ----------
    words : str
        What it is.
    did : Pooled
        Attribution in each case.
    error : array, shape (n_cases,)
        Estimated error of that.
    channels : array, shape (n_epochs, n_members)
        Attribution at each channel of it.
    names : array of str, shape (n_members,)
        The channels' names.
    labels : array of str, shape (n_epochs, n_members)
        The stage that the epoch is counted for, where the channel explains it; empty elsewhere.
    """

    words: str
    did: Pooled
    error: npt.NDArray[np.float64]
    channels: npt.NDArray[np.float64]
    names: npt.NDArray[np.str_]
    labels: npt.NDArray[np.str_]


@dataclass(frozen=True)
class Sites:
    """The channels at which something did most, over epochs of which all channels explain the stage.

    Attributes
    ----------
    names : tuple of str
        Those that are not told from the one where it did most, this one first.
    median : float
        What it did there.
    n_epochs, n_channels : int
        Over how many epochs, and of how many channels.
    """

    names: tuple[str, ...]
    median: float
    n_epochs: int
    n_channels: int

    @property
    def are_told(self) -> bool:
        """Whether some channel is told from those where it did most."""
        return len(self.names) < self.n_channels


@dataclass(frozen=True, eq=False)
class Effect:
    """What a sign did over the epochs of a stage.

    Attributes
    ----------
    sign : Sign
        What it is.
    stage : str
        The predicted stage.
    blocks : array of int, shape (n_epochs,)
        The block of the night of each of the result's epochs.
    """

    sign: Sign
    stage: str
    blocks: npt.NDArray[np.intp]

    @property
    def words(self) -> str:
        """What it is."""
        return self.sign.words

    @cached_property
    def _own(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.sign.did.labels == self.stage)

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """What it did in each epoch."""
        return self.sign.did.values[self._own]

    @cached_property
    def median(self) -> float:
        """What it did in the middle one of its epochs; 0 without epochs."""
        return _median(self.values, self._weights)

    @cached_property
    def mean(self) -> float:
        """The mean over its epochs, which one of them may carry; 0 without epochs."""
        return float(np.average(self.values, weights=self._weights)) if len(self.values) else 0.0

    @property
    def _weights(self) -> npt.NDArray[np.float64]:
        return self.sign.did.weights[self._own]

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Of 95 %, for the median; NaN where there are too few."""
        if len(self.values) < MIN_EPOCHS:
            return np.nan, np.nan
        blocks = self.blocks[self.sign.did.epochs[self._own]]
        low, high = median_interval(self.values[:, None], blocks, self._weights)
        return float(low[0]), float(high[0])

    @cached_property
    def error(self) -> float:
        """Estimated error of the median."""
        return _OF_MEDIAN * float(mean_error(self.sign.error[self._own], self._weights))

    @property
    def is_told(self) -> bool:
        """Whether it is told from nothing; an interval that is not known, NaN, does not tell it."""
        low, high = self.interval
        return (low > 0 or high < 0) and abs(self.median) > self.error

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """In how many epochs it did what it did in the middle one, the opposite, or no more than its error."""
        within = np.abs(self.values) <= self.sign.error[self._own]
        agreeing = ~within & (np.sign(self.values) == np.sign(self.median))
        return int(agreeing.sum()), int((~within & ~agreeing).sum()), int(within.sum())

    @cached_property
    def sites(self) -> Sites | None:
        """Where it did most; None for a single channel, or of too few epochs of which all channels explain the stage."""
        common = (self.sign.labels == self.stage).all(axis=1)
        names = list(dict.fromkeys(self.sign.names.tolist()))
        if len(names) < 2 or common.sum() < MIN_EPOCHS:
            return None
        towards = np.sign(self.median) or 1.0
        did = np.stack([self.sign.channels[common][:, self.sign.names == one].mean(axis=1) for one in names], axis=1)
        medians = np.median(did, axis=0)
        order = np.argsort(-towards * medians, kind="stable")
        behind = towards * (did[:, order[:1]] - did)
        low, _ = median_interval(behind, self.blocks[common])
        alike = [k for k in order if k == order[0] or not low[k] > 0]
        return Sites(tuple(names[k] for k in alike), float(medians[order[0]]), int(common.sum()), len(names))


def effect_of(dataset: xr.Dataset, stage: str, sign: Sign) -> Effect:
    """What a sign did over the epochs of a predicted stage."""
    return Effect(sign, stage, blocks_of(dataset["onset"].values, dataset["recording"].values))


def _median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    return float(quantile(values[:, None], weights, 0.5)[0]) if len(values) else 0.0


def signs_of_epochs(dataset: xr.Dataset) -> list[Sign]:
    """What scorers look at in the epochs of a result."""
    together = error_together(dataset)
    return list(signs_of(dataset, tables.band_sums(dataset, Bands()), together, _band_errors(dataset, together)))


def signs_of(
    dataset: xr.Dataset,
    sums: npt.NDArray[np.float64],
    together: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
) -> Iterator[Sign]:
    """What scorers look at: the bands of the EEG; of muscles and eyes, all that is there.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    sums : array, shape (n_epochs, n_channels, n_names)
        Attributions to the bands of `Bands` and what lies outside them.
    together : array, shape (n_epochs, n_channels)
        Estimated error of all channels of the channel set.
    errors : array, shape (n_epochs, n_channels, n_names)
        Of each band of each channel.
    """
    bands, kinds = Bands(), dataset["ch_type"].values.astype(str)
    every, labels = dataset["ch_name"].values.astype(str), tables.counted_labels(dataset, "predicted")
    for kind in channel_types(dataset):
        members = kinds == kind
        names = list(dict.fromkeys(every[members]))
        where = f"at {', '.join(names)}" if len(names) <= 2 else f"in the {type_label(kind)}"
        if kind in _WHOLE:  # not "eye movements": what is fast in an EOG is none
            words = [f"all of the {type_label(kind)}" + (f" {where}" if len(names) <= 2 else "")]
            values, known = (one.sum(axis=-1, keepdims=True) for one in (sums, errors))
        else:
            words = [f"{_RHYTHMS[name]}, {span_words(name, bands)}, {where}" for name in bands.names]
            values, known = sums, errors
        did = pool(dataset, values, members, "predicted")
        most = pool(dataset, together, members, "predicted", mean=True).values
        error = np.minimum(pool(dataset, known, members, "predicted").values, most[:, None])
        for place, what in enumerate(words):
            one = replace(did, values=did.values[:, place])
            yield Sign(what, one, error[:, place], values[:, members, place], every[members], labels[:, members])


def error_together(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Estimated error of all bands of all channels of a channel set together, shape (n_epochs, n_channels).

    No sum over some of them has a larger one. 0 where a method has no estimate.
    """
    error = np.fmax(np.abs(dataset["gap"].values), dataset["error"].values * tables.sizes(dataset))
    return np.asarray(np.nan_to_num(error)[:, dataset["of_channel_set"].values])


def _band_errors(dataset: xr.Dataset, together: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Estimated error of each band of each channel, so far as it is known, shape (n_epochs, n_channels, n_names)."""
    if "band_error" not in dataset:
        return np.broadcast_to(together[..., None], (*together.shape, len(Bands().names)))
    own = dataset["band_error"].transpose("epoch", "channel", "band").values.astype(np.float64)
    return np.where(np.isfinite(own), own, together[..., None])
