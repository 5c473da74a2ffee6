"""Each person of a cohort as one case: means over the person's recordings, by stage, channel and band."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.readers.channels.labels import parse_channel
from eegflex.readers.channels.units import parse_unit
from eegflex.results.intervals import MIN_EPOCHS, mean_interval, median_interval

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = [
    "TOLD",
    "TOTAL",
    "Estimate",
    "People",
    "Spectra",
    "estimate",
    "kinds_of",
    "nan_mean",
    "people_of",
    "person_of",
    "person_values",
    "spectra_of",
    "stages_of",
]

#: Times its standard error, a mean of a person is told from 0.
TOLD = 1.96
#: What the sum over all bands, and what lies outside them, is called where it is among them.
TOTAL = "total"


@dataclass(frozen=True)
class Estimate:
    """One number over people, each of whom is one case.

    Attributes
    ----------
    n, n_for : int
        How many people it is known of, and in how many of them it is above 0.
    median, low, high : float
        The median and its 95 % interval; NaN where there are too few people for one, as there are of 5.
    mean, mean_low, mean_high : float
        The mean and its 95 % interval; NaN where there are fewer than 5 people.
    """

    n: int
    n_for: int
    median: float
    low: float
    high: float
    mean: float
    mean_low: float
    mean_high: float


def estimate(values: npt.ArrayLike) -> Estimate:
    """Estimate a number from one value of each person; NaN is left out.

    Examples
    --------
    >>> found = estimate([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, float("nan")])
    >>> found.n, round(found.median, 2), found.low, found.high
    (6, 0.35, 0.1, 0.6)
    """
    every = np.asarray(values, dtype=np.float64)
    own = every[np.isfinite(every)][:, None]
    if not len(own):
        return Estimate(0, 0, *[float("nan")] * 6)
    cases = np.arange(len(own))
    low, high = median_interval(own, cases)
    ends = mean_interval(own, cases) if len(own) >= MIN_EPOCHS else (np.full(1, np.nan), np.full(1, np.nan))
    numbers = np.array([np.median(own), low[0], high[0], own.mean(), ends[0][0], ends[1][0]]).tolist()
    return Estimate(len(own), int((own > 0).sum()), *numbers)


@dataclass(frozen=True)
class People:
    """What the bands did in each person.

    Attributes
    ----------
    labels : tuple of str
        The people of whom there is anything.
    stages, channels, kinds, bands : tuple of str
        Stages, channels with the MNE type of each, and bands.
    means, errors : array, shape (n_people, n_stages, n_channels, n_bands)
        The mean over a person's recordings, each of which is a mean over its epochs, and its standard error; NaN where there
        is none.
    n_epochs : array, shape (n_people, n_stages)
        Epochs that were explained in all of a person's recordings.
    """

    labels: tuple[str, ...]
    stages: tuple[str, ...]
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    bands: tuple[str, ...]
    means: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]
    n_epochs: npt.NDArray[np.intp]

    def of_kind(self, kind: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The mean over a person's channels of a type, and its error as if all of theirs were one: (people, stage, band)."""
        members = np.array([one == kind for one in self.kinds], dtype=bool)
        return nan_mean(self.means[:, :, members], axis=2), nan_mean(self.errors[:, :, members], axis=2)

    @property
    def order(self) -> tuple[str, ...]:
        """Types of channels: EEG first, others as they come."""
        return tuple(sorted(dict.fromkeys(self.kinds), key=lambda kind: kind != "eeg"))


def nan_mean(values: npt.NDArray[np.float64], axis: int | tuple[int, ...]) -> npt.NDArray[np.float64]:
    """The mean of what is known; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing it is NaN, as it should be
        return np.asarray(np.nanmean(values, axis=axis))


def stages_of(cohort: Cohort) -> tuple[str, ...]:
    """The stages, in the stager's order where that is known."""
    told = cohort.spectra.attrs.get("stages", ())
    if isinstance(told, str):
        told = json.loads(told) if told.lstrip().startswith("[") else [one.strip() for one in told.split(",")]
    found = [*cohort.bands["stage"].unique(), *cohort.stages["stage"].unique()]
    return tuple(dict.fromkeys([*map(str, np.atleast_1d(told)), *map(str, found)]))


def kinds_of(cohort: Cohort, channels: tuple[str, ...]) -> tuple[str, ...]:
    """The MNE type of each channel: what the spectra say, or what its name says, and EEG of a name that says nothing."""
    known: dict[str, str] = {}
    if "ch_type" in cohort.spectra.coords:
        told = cohort.spectra["ch_type"].values.astype(str).tolist()
        known = dict(zip(cohort.spectra["channel"].values.astype(str).tolist(), told, strict=True))
    voltage = parse_unit("V")
    by_name = {one: parse_channel(one, voltage).kind for one in channels if not known.get(one)}
    return tuple(known.get(one) or by_name[one].replace("misc", "eeg") for one in channels)


def person_of(cohort: Cohort) -> pd.Series[str]:
    """The person of each recording, as its name has it (``sub-01``): the recording itself where nobody is named."""
    named = cohort.recordings["subject"]
    names = cohort.recordings.index.astype(str)
    labels = ["" if pd.isna(one) else str(one) for one in named.tolist()]
    pairs = zip(labels, names, strict=True)
    own = [(f"sub-{label}" if name.startswith(f"sub-{label}") else label) if label else name for label, name in pairs]
    return pd.Series(own, index=cohort.recordings.index, dtype=object)


def person_values(cohort: Cohort, of_recordings: pd.Series[Any]) -> pd.Series[float]:
    """One value of each person: the mean of those of the recordings; a person of whom nothing is known is left out."""
    known = pd.to_numeric(of_recordings, errors="coerce").astype(float)
    known = known[np.isfinite(known)]
    return known.groupby(person_of(cohort).reindex(known.index), sort=False).mean()


def people_of(cohort: Cohort) -> People:
    """Gather what the bands did in each person of whom a recording is done."""
    table, who = cohort.bands, person_of(cohort)
    of_row, names = pd.factorize(table["recording"])
    status = cohort.recordings["status"].reindex(names)
    kept = (status == "done").to_numpy(dtype=bool)[of_row]
    table, of_row = table[kept], of_row[kept]
    stages = stages_of(cohort)
    of_name = who.reindex(names).to_numpy(dtype=object)
    labels = tuple(dict.fromkeys(of_name[pd.unique(of_row)].tolist()))
    person = {label: place for place, label in enumerate(labels)}
    places = [np.array([person.get(label, -1) for label in of_name.tolist()], dtype=np.intp)[of_row]]
    coded = {name: pd.factorize(table[name]) for name in ("stage", "channel", "band")}
    channels, bands = (tuple(map(str, coded[name][1])) for name in ("channel", "band"))
    of_stage = np.array([stages.index(str(one)) for one in coded["stage"][1]], dtype=np.intp)
    places += [of_stage[coded["stage"][0]], coded["channel"][0], coded["band"][0]]
    shape = len(labels), len(stages), len(channels), len(bands)
    flat = np.ravel_multi_index(tuple(places), shape) if len(table) else np.zeros(0, dtype=np.intp)
    size = int(np.prod(shape))
    value, error = (table[name].to_numpy(dtype=np.float64) for name in ("mean", "error"))
    known = np.isfinite(value)
    flat, value, error = flat[known], value[known], np.where(np.isfinite(error), error, 0.0)[known]
    n = np.bincount(flat, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(flat, value, minlength=size) / n
        errors = np.sqrt(np.bincount(flat, error**2, minlength=size)) / n
    return People(
        labels,
        stages,
        channels,
        kinds_of(cohort, channels),
        bands,
        means.reshape(shape),
        errors.reshape(shape),
        _n_epochs(table, of_row, places, shape),
    )


def _n_epochs(
    table: pd.DataFrame,
    of_recording: npt.NDArray[np.intp],
    places: list[npt.NDArray[np.intp]],
    shape: tuple[int, int, int, int],
) -> npt.NDArray[np.intp]:
    """Explained epochs of each person and stage: those of the channel that has most, of all recordings."""
    found = np.zeros(shape[:2], dtype=np.intp)
    if len(table):
        key = of_recording * shape[1] + places[1]
        most = np.zeros(int(key.max()) + 1, dtype=np.intp)
        np.maximum.at(most, key, table["n_epochs"].to_numpy(dtype=np.intp))
        single, first = np.unique(key, return_index=True)
        np.add.at(found, (places[0][first], places[1][first]), most[single])
    return found


@dataclass(frozen=True)
class Spectra:
    """The spectrum of each person.

    Attributes
    ----------
    labels, stages : tuple of str
        People and stages.
    values : array, shape (n_people, n_stages, n_freqs)
        Attribution per Hz, the mean over a person's recordings and over channels; NaN where there is none.
    freqs : array, shape (n_freqs,)
        In Hz.
    """

    labels: tuple[str, ...]
    stages: tuple[str, ...]
    values: npt.NDArray[np.float64]
    freqs: npt.NDArray[np.float64]


def spectra_of(cohort: Cohort, channels: Sequence[str]) -> Spectra:
    """Gather the spectrum of each person of whom a recording is done, the mean over some channels."""
    data = cohort.spectra
    members = np.flatnonzero(np.isin(data["channel"].values.astype(str), list(channels)))
    status = cohort.recordings["status"].reindex(data["recording"].values)
    done = np.flatnonzero((status == "done").to_numpy())
    own = data["mean"].transpose("recording", "stage", "channel", "freq").values[done][:, :, members]
    pooled = nan_mean(np.where(np.isfinite(own), own, np.nan).astype(np.float64), axis=2)
    who = person_of(cohort).reindex(data["recording"].values[done]).to_numpy(dtype=str)
    order = {person: place for place, person in enumerate(dict.fromkeys(who.tolist()))}
    places = np.array([order[person] for person in who.tolist()], dtype=np.intp)
    found = np.full((len(order), *pooled.shape[1:]), np.nan)
    for place in range(len(order)):
        found[place] = nan_mean(pooled[places == place], axis=0)
    there, wanted = data["stage"].values.astype(str).tolist(), stages_of(cohort)
    chosen = [there.index(stage) if stage in there else -1 for stage in wanted]
    padded = np.concatenate([found, np.full((len(found), 1, found.shape[2]), np.nan)], axis=1)
    return Spectra(tuple(order), wanted, padded[:, chosen], data["freq"].values.astype(np.float64))
