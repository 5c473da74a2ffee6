"""Simulated nights of people, explained once: cohorts are dealt from them, and constants of made-up cohorts are fitted to them.

People differ in what `simulate_psg` draws by its seed and in how many spindles they have and how large their rhythms are:
log-normally, with a standard deviation of the logarithm that is chosen (`PERSONAL`), for a simulator has no people of its own.
``python -m benchmarks.cohort_nights`` prints what the constants of ``eegflex/cohort/simulated.py`` are.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import stats

import eegflex
from eegflex.bands import Bands
from eegflex.cohort import Cohort
from eegflex.cohort.cohort import STAGES as STAGE_COLUMNS
from eegflex.cohort.simulated import CHANNELS
from eegflex.cohort.summary import Summary, summarise
from eegflex.cohort.tables import bands_of
from eegflex.results import tables
from eegflex.stages import STAGES

__all__ = ["HOURS", "N_NIGHTS", "N_SAMPLED", "Constants", "Night", "cohort_of", "constants", "dealt", "pool"]

Array = npt.NDArray[np.float64]
#: Nights, their hours, and explained epochs of each stage.
N_NIGHTS, HOURS, N_SAMPLED = 40, 1.5, 12
#: The standard deviation between people of the logarithm of each knob.
PERSONAL = 0.3
#: The bands that the stager reads; and from which part of the largest mean on a band speaks in a stage.
READ, SPEAKS = ("delta", "alpha", "sigma"), 0.05
_LEAST_EPOCHS = 3
KNOBS = ("spindle_density", "spindle_amplitude", "slow_wave_amplitude", "alpha")


@dataclass(frozen=True, eq=False)
class Night:
    """What is kept of a night.

    Attributes
    ----------
    summary : Summary
        As a run of a cohort has it.
    sums : array, shape (n_epochs, n_channels, n_bands)
        Attributions of each explained epoch to the bands.
    labels : array of str, shape (n_epochs, n_channels)
        The stage for which each is counted.
    """

    summary: Summary
    sums: Array
    labels: npt.NDArray[np.str_]


@lru_cache
def pool(n: int = N_NIGHTS, **turned: float) -> tuple[Night, ...]:
    """Nights of so many people; what is turned is so many times as much as each would have it."""
    rng = np.random.default_rng(0)
    own = [dict(zip(KNOBS, np.exp(PERSONAL * rng.standard_normal(len(KNOBS))), strict=True)) for _ in range(n)]
    return tuple(
        _night(seed, {name: min(3.0, value * turned.get(name, 1.0)) for name, value in one.items()})
        for seed, one in enumerate(own)
    )


def _night(seed: int, knobs: Mapping[str, float]) -> Night:
    simulated = eegflex.simulate_psg(
        hours=HOURS,
        sfreq=100.0,
        seed=seed,
        electrodes=[name.split("-")[0] for name in CHANNELS],
        verbose="error",
        **knobs,
    )
    result = eegflex.attribute_epochs(
        eegflex.make_epochs(simulated.raw, verbose="error"), "bandpower", sample_per_stage=N_SAMPLED, spectral_share=0,
        seed=seed, verbose="error",
    )  # fmt: skip
    data = result.for_target().data
    return Night(summarise(result), tables.band_sums(data, Bands()), tables.counted_labels(data, "predicted"))


def cohort_of(nights: Sequence[Night]) -> Cohort:
    """The nights as `eegflex.cohort.run_cohort` returns them."""
    names = [f"sub-{number:03d}" for number in range(len(nights))]
    said = {name: {"summary": dataclasses.asdict(one.summary)} for name, one in zip(names, nights, strict=True)}
    rows = [
        {"subject": name, "session": "", "status": "done", **one.summary.recording}
        for name, one in zip(names, nights, strict=True)
    ]
    stages = [{"recording": name, **row} for name, one in said.items() for row in one["summary"]["stages"]]
    first, dims = nights[0].summary, ("recording", "stage", "channel", "freq")
    spectra = np.stack([one.summary.spectra for one in nights], axis=1)
    return Cohort(
        pd.DataFrame(rows, index=pd.Index(names, name="recording")),
        pd.DataFrame(stages, columns=list(STAGE_COLUMNS)),
        bands_of(said).query("band != 'total'").reset_index(drop=True),
        xr.Dataset(
            {name: (dims, plane) for name, plane in zip(("mean", "error", "mean_agreed"), spectra, strict=True)},
            coords=dict(zip(dims, (names, list(first.names), list(first.channels), first.freqs), strict=True)),
        ),
    )


def dealt(rng: np.random.Generator, n: int, usual: Cohort, turned: Cohort | None = None) -> Cohort:
    """So many people of a pool, half of them said to be patients by chance; those have turned nights, if there are any."""
    chosen = usual.recordings.index[rng.permutation(len(usual.recordings))[:n]]
    ill, well = chosen[: n // 2], chosen[n // 2 :]
    parts = [_only(turned if turned is not None else usual, ill), _only(usual, well)]
    people = pd.concat([one.recordings for one in parts])
    return Cohort(
        people.assign(group=np.where(np.arange(n) < n // 2, "patient", "control"), age=rng.uniform(20, 80, n)),
        pd.concat([one.stages for one in parts], ignore_index=True),
        pd.concat([one.bands for one in parts], ignore_index=True),
        xr.concat([one.spectra for one in parts], "recording"),
    )


def _only(cohort: Cohort, names: pd.Index) -> Cohort:
    rows = [table[table["recording"].isin(names)] for table in (cohort.stages, cohort.bands)]
    return Cohort(cohort.recordings.loc[names], *rows, cohort.spectra.sel(recording=list(names)))


@dataclass(frozen=True, eq=False)
class Constants:
    """What people and epochs differ in.

    Attributes
    ----------
    between, of_epochs : float
        Standard deviations of people, and of epochs of a night, as parts of the mean: medians of the cells (a band in a stage)
        that speak.
    least : float
        What cells that do not speak are to be taken for so that their epochs differ as they do, as a part of the largest mean.
    shared_people, shared_epochs : float
        What part of these variances channels have in common.
    skew : float
        Standard deviation of the logarithm of a log-normal number as skewed as people are.
    alike_people, alike_epochs : array, shape (3, 3)
        Correlations of the bands that are read, of the mean over channels: medians of stages.
    """

    between: float
    of_epochs: float
    least: float
    shared_people: float
    shared_epochs: float
    skew: float
    alike_people: Array
    alike_epochs: Array


def constants(nights: Sequence[Night]) -> Constants:
    """Fit them: variances of people are those of their means without those of their errors."""
    found = [_of_stage(nights, stage) for stage in STAGES]
    mean, people, epochs, skew = (
        np.array([one[name] for one in found]) for name in ("mean", "people", "epochs", "skew")
    )
    between, within = (np.einsum("scbcb->sb", cov) / len(CHANNELS) for cov in (people, epochs))
    speaks = np.abs(mean) > SPEAKS * np.abs(mean).max()
    size = np.abs(mean[speaks])
    of_epochs = float(np.median(np.sqrt(within[speaks]) / size))
    return Constants(
        between=float(np.median(np.sqrt(np.maximum(between[speaks], 0)) / size)),
        of_epochs=of_epochs,
        least=float(np.median(np.sqrt(within[~speaks])) / of_epochs / np.abs(mean).max()),
        shared_people=_in_common(people, speaks),
        shared_epochs=_in_common(epochs, speaks),
        skew=float(np.median((np.sign(mean) * skew)[speaks]) / 3),  # of a log-normal number of small spread
        alike_people=_bands_alike(people),
        alike_epochs=_bands_alike(epochs),
    )


def _of_stage(nights: Sequence[Night], stage: str) -> dict[str, Array]:
    """Of one stage and the bands that are read: means, covariances over (channel, band) of people and epochs, and skew."""
    channels, names = nights[0].summary.channels, list(Bands())
    cells = np.ix_([channels.index(name) for name in CHANNELS], [names.index(name) for name in READ])
    means, errors, within = [], [], []
    for one in nights:
        own = (one.labels[:, cells[0].ravel()] == stage).all(axis=1)
        if own.sum() < _LEAST_EPOCHS:
            continue
        values = one.sums[own][:, *cells].reshape(int(own.sum()), -1)
        within.append(np.cov(values, rowvar=False))
        means.append(values.mean(axis=0))
        errors.append(within[-1] / own.sum())
    told, shape = np.array(means), (len(CHANNELS), len(READ))
    over_channels = told.reshape(len(told), *shape).mean(axis=1)
    return {
        "mean": over_channels.mean(axis=0),
        "people": (np.cov(told, rowvar=False) - np.mean(errors, axis=0)).reshape(*shape, *shape),
        "epochs": np.mean(within, axis=0).reshape(*shape, *shape),
        "skew": stats.skew(over_channels, axis=0),
    }


def _in_common(covs: Array, speaks: npt.NDArray[np.bool_]) -> float:
    """The median over cells of what channels have in common: covariances of pairs over variances."""
    found, n = [], len(CHANNELS)
    for stage, band in np.argwhere(speaks):
        own = covs[stage, :, band, :, band]
        found.append((own.sum() - np.trace(own)) / (n - 1) / np.trace(own))
    return float(np.clip(np.median(found), 0, 1))


def _bands_alike(covs: Array) -> Array:
    """Correlations of bands of the mean over channels, the median over stages."""
    own = covs.mean(axis=(1, 3))
    size = np.sqrt(np.maximum(np.diagonal(own, axis1=1, axis2=2), 1e-12))
    return np.asarray(np.median(np.clip(own / size[:, :, None] / size[:, None, :], -1, 1), axis=0))


def _lines() -> Iterator[str]:
    """What the constants are."""
    with np.printoptions(precision=2, suppress=True):
        yield from (
            f"{name}\n{value}" if np.ndim(value) else f"{name} {value:.2f}"
            for name, value in vars(constants(pool())).items()
        )


if __name__ == "__main__":
    sys.stdout.write("\n".join(_lines()) + "\n")
