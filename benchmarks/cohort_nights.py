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
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

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
N_NIGHTS, HOURS, N_SAMPLED = 48, 1.5, 12
#: The standard deviation between people of the logarithm of each knob.
PERSONAL = 0.3
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
        eegflex.make_epochs(simulated.raw, verbose="error"), "bandpower", sample_per_stage=N_SAMPLED, views=("frequency",),
        seed=seed, verbose="error",
    )  # fmt: skip
    data = result.for_target().data
    return Night(summarise(result), tables.band_sums(data, Bands()), tables.counted_labels(data, "predicted"))


def cohort_of(nights: Sequence[Night], **columns: Any) -> Cohort:
    """The nights as `eegflex.cohort.run_cohort` returns them, with covariates."""
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
        pd.DataFrame(rows, index=pd.Index(names, name="recording")).assign(**columns),
        pd.DataFrame(stages, columns=list(STAGE_COLUMNS)),
        bands_of(said).query("band != 'total'").reset_index(drop=True),
        xr.Dataset(
            {name: (dims, plane) for name, plane in zip(("mean", "error", "mean_agreed"), spectra, strict=True)},
            coords=dict(zip(dims, (names, list(first.names), list(first.channels), first.freqs), strict=True)),
        ),
    )


def dealt(rng: np.random.Generator, n: int, nights: Sequence[Night], turned: Sequence[Night] | None = None) -> Cohort:
    """So many people of the pool, half of them said to be patients by chance; those have turned nights, if there are any."""
    chosen = rng.permutation(len(nights))[:n]
    patient = np.arange(n) < n // 2
    own = [(turned if turned is not None and ill else nights)[k] for k, ill in zip(chosen, patient, strict=True)]
    return cohort_of(own, group=np.where(patient, "patient", "control"), age=rng.uniform(20, 80, n))


@dataclass(frozen=True, eq=False)
class Constants:
    """What people and epochs differ in.

    Attributes
    ----------
    mean, between, epochs : array, shape (n_stages, n_bands)
        The mean of people, what they differ in, and what an epoch of a night differs from its mean.
    shared_people, shared_epochs : float
        What part of these variances channels have in common.
    skew : float
        Standard deviation of the logarithm of a log-normal number as skewed as people are.
    alike_people, alike_epochs : array, shape (n_bands, n_bands)
        Correlations of bands, of the mean over channels: medians of stages.
    """

    mean: Array
    between: Array
    epochs: Array
    shared_people: float
    shared_epochs: float
    skew: float
    alike_people: Array
    alike_epochs: Array


def constants(nights: Sequence[Night]) -> Constants:
    """Fit them: variances of people are those of their means without those of their errors."""
    parts = [_of_stage(nights, stage) for stage in STAGES]
    mean, between, epochs, people, within, skews = (np.array([part[k] for part in parts]) for k in range(6))
    return Constants(
        mean,
        between,
        epochs,
        _in_common(people),
        _in_common(within),
        float(np.median(skews)),
        _bands_alike(people),
        _bands_alike(within),
    )


def _of_stage(nights: Sequence[Night], stage: str) -> tuple[Array, ...]:
    """Of one stage: means, both standard deviations, both covariances over (channel, band), and the skew."""
    bands, channels = len(Bands()), nights[0].summary.channels
    picks = [channels.index(name) for name in CHANNELS]
    means, errors, within = [], [], []
    for one in nights:
        own = (one.labels[:, picks] == stage).all(axis=1)
        if own.sum() < 3:
            continue
        values = one.sums[own][:, picks, :bands].reshape(int(own.sum()), -1)
        cov = np.cov(values, rowvar=False)
        means.append(values.mean(axis=0))
        within.append(cov)
        errors.append(cov / own.sum())
    told, inside = np.array(means), np.mean(within, axis=0)
    people = np.cov(told, rowvar=False) - np.mean(errors, axis=0)
    shape = (len(picks), bands)
    spread = np.sqrt(np.maximum(np.diag(people), 0)).reshape(shape).mean(axis=0)
    centred = told.reshape(len(told), *shape).mean(axis=1)
    centred = centred - centred.mean(axis=0)
    skew = np.mean(centred**3, axis=0) / np.mean(centred**2, axis=0) ** 1.5
    return (
        told.mean(axis=0).reshape(shape).mean(axis=0), spread, np.sqrt(np.diag(inside)).reshape(shape).mean(axis=0),
        people, inside, np.abs(skew) / 3,  # of a log-normal number of small spread
    )  # fmt: skip


def _blocks(cov: Array) -> Array:
    """A covariance as (channel, band, channel, band)."""
    return cov.reshape(*[len(CHANNELS), len(Bands())] * 2)


def _in_common(covs: Array) -> float:
    """The median over stages and bands of what channels have in common: covariances of pairs over variances."""
    found = []
    for cov in map(_blocks, covs):
        for band in range(len(Bands())):
            own = cov[:, band, :, band]
            if (variance := np.diag(own).mean()) > 0:
                found.append((own.sum() - np.trace(own)) / (len(own) * (len(own) - 1)) / variance)
    return float(np.clip(np.median(found), 0, 1))


def _bands_alike(covs: Array) -> Array:
    """Correlations of bands of the mean over channels."""
    found = []
    for cov in map(_blocks, covs):
        own = cov.mean(axis=(0, 2))
        size = np.sqrt(np.maximum(np.diag(own), 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.where(np.outer(size, size) > 0, own / np.outer(size, size), np.nan))
    return np.asarray(np.nanmedian(found, axis=0))


def _lines() -> Iterator[str]:
    found = constants(pool())
    for name in ("mean", "between", "epochs"):
        yield name
        for stage, row in zip(STAGES, getattr(found, name), strict=True):
            yield f'    "{stage}": ({", ".join(f"{value:.3g}" for value in row)}),'
    yield f"shared: people {found.shared_people:.2f}, epochs {found.shared_epochs:.2f}; skew {found.skew:.2f}"
    for name in ("alike_people", "alike_epochs"):
        yield f"{name}\n{np.array2string(getattr(found, name), precision=2)}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(_lines()) + "\n")
