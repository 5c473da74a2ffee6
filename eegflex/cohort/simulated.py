"""A cohort of made-up numbers, whose differences are known: to try comparisons, and to hold them against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import ndimage

from eegflex.bands import Bands
from eegflex.cohort.cohort import Cohort
from eegflex.errors import ParameterError
from eegflex.stages import STAGES
from eegflex.utils.arguments import checked
from eegflex.utils.given import MOST_SEED, Span, check_count

__all__ = ["simulate_cohort"]

Array = npt.NDArray[np.float64]

CHANNELS = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")
FREQS = np.arange(0.25, 35.0, 0.5)
_STEP = 0.5
#: Hz: the middle and the width of what each band gives.
BUMPS = {"delta": (1.5, 0.7), "theta": (5.5, 0.8), "alpha": (10.0, 0.8), "sigma": (13.7, 0.7), "beta": (20.0, 2.0)}
#: Mean attribution of each band (units of the score), in each stage: the profile of a stager of five bands, chosen.
MEANS = {
    "W": (-0.2, 0.1, 1.0, -0.1, 0.4), "N1": (0.1, 0.5, 0.2, -0.1, 0.1), "N2": (0.2, 0.2, -0.1, 0.8, 0.05),
    "N3": (1.5, 0.1, -0.05, 0.1, -0.1), "REM": (-0.3, 0.5, 0.1, -0.2, 0.2),
}  # fmt: skip


def _of_size(share: float) -> dict[str, tuple[float, ...]]:
    """A part of each mean; a band that does next to nothing differs, too, as if it did a twentieth of the largest."""
    least = 0.05 * max(abs(mean) for means in MEANS.values() for mean in means)
    return {stage: tuple(share * max(abs(mean), least) for mean in means) for stage, means in MEANS.items()}


# What follows, and the twentieth, is fitted to 40 simulated nights of 1.5 h, explained for the stager `bandpower`, 12 epochs of
# a stage: python -m benchmarks.cohort_nights. There people differ in what a seed draws and in four knobs of `simulate_psg`,
# log-normally by 0.3, which is chosen: of real people nothing is in it.
#: Standard deviations of people, and of epochs of a night.
BETWEEN, OF_EPOCHS = _of_size(0.32), _of_size(1.13)
SKEW = 0.05  # sd of the logarithm of people
_DELTA_ALPHA_SIGMA = np.ix_([0, 2, 3], [0, 2, 3])


def _correlations(delta_alpha: float, delta_sigma: float, alpha_sigma: float) -> Array:
    """Of the bands; what `bandpower` does not read is taken to go with nothing."""
    found = np.eye(len(BUMPS))
    found[_DELTA_ALPHA_SIGMA] = (
        (1, delta_alpha, delta_sigma), (delta_alpha, 1, alpha_sigma), (delta_sigma, alpha_sigma, 1),
    )  # fmt: skip
    return found


#: Which part of the variance channels have in common, and correlations of bands: of people, and of epochs of a night.
PEOPLE_ALIKE = 0.64, _correlations(-0.26, -0.48, 0.02)
EPOCHS_ALIKE = 0.52, _correlations(-0.23, -0.02, -0.15)
EPOCHS_OF = {"W": 40, "N1": 30, "N2": 200, "N3": 80, "REM": 90}
#: Standard deviations that groups may differ by.
_MOST_EFFECT = 100
#: How few times as large errors may be: without any, nothing is to be compared.
_LEAST_RATIO = 0.01
#: Recordings: more than any study has, and what a machine has room for. Epochs: their numbers are not drawn one by one.
_MOST, _MOST_EXPLAINED = 100_000, 1_000_000_000


@checked
def simulate_cohort(
    n_people: int = 24,
    *,
    effect: float = 0.0,
    slope: float = 0.0,
    nights: int = 1,
    within_effect: float = 0.0,
    n_explained: int = 20,
    error_ratio: float = 1.0,
    stages: tuple[str, ...] = STAGES,
    channels: tuple[str, ...] = CHANNELS,
    seed: int = 0,
) -> Cohort:
    """Simulate the numbers of a cohort with two groups of people, without simulating nights.

    Parameters
    ----------
    n_people : int
        People; half of them are of the group ``"patient"``, the others ``"control"``.
    effect : float
        By how many standard deviations between people the attribution to sigma in N2 is larger in patients, in every channel.
    slope : float
        How many standard deviations of it go with one of age, which is 20 to 80.
    nights : int
        Nights of each person.
    within_effect : float
        By how many standard deviations between people it is larger on the second night.
    n_explained : int
        Median number of explained epochs of a stage, from which a half or the double is usual.
    error_ratio : float
        How many times as large as controls' the errors within patients' nights are.
    stages, channels : tuple of str
        What there is.
    seed : int
        Of all that is drawn.

    Returns
    -------
    Cohort
        As `eegflex cohort` makes it.

    See Also
    --------
    eegflex.cohort.Cohort : Many nights, a row for each.
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.simulate_psg : Simulate a night.

    Notes
    -----
    Means of bands are chosen. Standard deviations of people (0.32 of a mean) and of epochs of a night (1.13), what channels
    share of them and correlations of bands are fitted to 40 simulated nights that the stager ``bandpower`` explained: nothing
    is of real people. With 20 epochs, the error of a night's mean is 0.8 of the standard deviation between people.

    Examples
    --------
    >>> simulate_cohort(10, nights=2)
    <Cohort | 20 recordings of 10 people, 20 done>
    """
    n_people, nights = _counted("n_people", n_people, 2), _counted("nights", nights, 1)
    n_explained = _counted("n_explained", n_explained, 1, _MOST_EXPLAINED)
    if n_people * nights > _MOST:
        raise ParameterError(
            "A cohort has too many recordings", seen=f"{n_people=}, {nights=}", allowed=f"{_MOST:,} together"
        )
    _check_names("stages", stages, STAGES)
    _check_names("channels", channels)
    check_count("seed", seed, Span(0, MOST_SEED))
    least = {
        "effect": -_MOST_EFFECT,
        "slope": -_MOST_EFFECT,
        "within_effect": -_MOST_EFFECT,
        "error_ratio": _LEAST_RATIO,
    }
    for (name, low), value in zip(least.items(), (effect, slope, within_effect, error_ratio), strict=True):
        if not low <= value <= _MOST_EFFECT:
            raise ParameterError(f"{name} is out of its range", seen=value, allowed=f"{low} to {_MOST_EFFECT}")
    rng = np.random.default_rng(seed)
    people = [f"sub-{number + 1:03d}" for number in range(n_people)]
    group = rng.permutation(np.arange(n_people) % 2 == 0)
    age = rng.uniform(20, 80, n_people)
    means, between, of_epochs = (np.array([one[stage] for stage in stages]) for one in (MEANS, BETWEEN, OF_EPOCHS))
    shape = (n_people, len(stages), len(channels), len(BUMPS))
    moved = _skewed(_alike(rng, shape, *PEOPLE_ALIKE))
    if "N2" in stages:
        own = effect * group + slope * (age - 50) / np.sqrt(300)
        moved[:, stages.index("N2"), :, list(BUMPS).index("sigma")] += own[:, None]
    true = means[:, None, :] + between[:, None, :] * moved
    rest = ndimage.gaussian_filter1d(rng.standard_normal((*shape[:3], len(FREQS))), 2, axis=-1) * 0.02
    parts = []
    for night in range(nights):
        added = np.zeros_like(true)
        if night and "N2" in stages:
            added[:, stages.index("N2"), :, list(BUMPS).index("sigma")] = (
                within_effect * between[stages.index("N2"), list(BUMPS).index("sigma")]
            )
        again = 0.5 * between[:, None, :] * _alike(rng, shape, *PEOPLE_ALIKE) if nights > 1 else 0.0
        n = np.clip(n_explained * np.exp(0.5 * rng.standard_normal(shape[:2])), 3, None).round().astype(int)
        error = of_epochs[:, None, :] / np.sqrt(n)[:, :, None, None]
        error = np.broadcast_to(error * np.where(group, error_ratio, 1.0)[:, None, None, None], shape)
        parts.append((true + added + again + error * _alike(rng, shape, *EPOCHS_ALIKE), error, n))
    names = [person if nights == 1 else f"{person}_ses-{night + 1}" for night in range(nights) for person in people]
    found, error, n = (np.concatenate([part[k] for part in parts]) for k in range(3))
    recordings = pd.DataFrame(
        {
            "subject": people * nights,
            "session": np.repeat([f"{k + 1}" if nights > 1 else "" for k in range(nights)], n_people),
            "status": "done", "error": "", "remedy": "",
            "kappa": np.clip(rng.normal(0.75, 0.06, len(names)), 0, 1), "disagreement": rng.beta(4, 20, len(names)),
            "n_epochs": sum(EPOCHS_OF.values()), "n_explained": n.sum(axis=1), "n_trusted": -1, "seconds": 1.0, "result": "",
            "group": np.tile(np.where(group, "patient", "control"), nights), "age": np.tile(age, nights),
        },
        index=pd.Index(names, name="recording"),
    )  # fmt: skip
    return Cohort(
        recordings,
        _stages(names, stages, n, rng),
        _bands(names, stages, channels, found, error, np.tile(rest, (nights, 1, 1, 1)), n),
        _spectra(names, stages, channels, found, error, np.tile(rest, (nights, 1, 1, 1))),
    )


def _counted(name: str, value: int, least: int, most: int = _MOST) -> int:
    return check_count(name, value, Span(least, most)) or least


def _check_names(what: str, names: Sequence[str], known: Sequence[str] | None = None) -> None:
    """Refuse names that are none, doubles, or a text, which would be taken for its letters."""
    right = not isinstance(names, str) and all(isinstance(one, str) and one for one in names)
    if not right or not names or len(set(names)) < len(names) or not set(names) <= set(known or names):
        raise ParameterError(
            f"{what} must be several names, each once",
            seen=repr(names),
            allowed=known,
            remedy=f"Such as {what}={tuple(known or CHANNELS)[:2]}",
        )


def _alike(rng: np.random.Generator, shape: tuple[int, ...], shared: float, bands: Array) -> Array:
    """Standard normal numbers that channels (the third axis) share in part, and that correlate between bands (the last)."""
    alone, of_all = rng.standard_normal(shape), rng.standard_normal((*shape[:2], 1, *shape[3:]))
    found: Array = (np.sqrt(shared) * of_all + np.sqrt(1 - shared) * alone) @ np.linalg.cholesky(bands).T
    return found


def _skewed(normal: Array) -> Array:
    """As skewed as people are, with mean 0 and variance 1."""
    square = np.exp(SKEW**2)
    found: Array = (np.exp(SKEW * normal) - np.sqrt(square)) / np.sqrt(square * (square - 1))
    return found


def _shapes() -> Array:
    """What each band gives to each frequency, per Hz: (n_bumps, n_freqs)."""
    found = np.array([np.exp(-0.5 * ((FREQS - middle) / width) ** 2) for middle, width in BUMPS.values()])
    shaped: Array = found / found.sum(axis=1, keepdims=True) / _STEP
    return shaped


def _stages(
    names: list[str], stages: tuple[str, ...], n: npt.NDArray[np.intp], rng: np.random.Generator
) -> pd.DataFrame:
    usual = np.array([EPOCHS_OF[stage] for stage in stages])
    scored = np.round(usual * np.exp(0.25 * rng.standard_normal((len(names), len(stages))))).astype(int)
    predicted = np.round(scored * np.exp(0.1 * rng.standard_normal(scored.shape))).astype(int)
    kappa = np.clip(rng.normal(0.75, 0.08, scored.shape), 0, 1)
    return pd.DataFrame(
        [
            (name, stage, scored[i, j], predicted[i, j], n[i, j], -1, kappa[i, j])
            for (i, name), (j, stage) in product(enumerate(names), enumerate(stages))
        ],
        columns=["recording", "stage", "n_scored", "n_predicted", "n_explained", "n_trusted", "kappa"],
    )


def _bands(
    names: list[str],
    stages: tuple[str, ...],
    channels: tuple[str, ...],
    found: Array,
    error: Array,
    rest: Array,
    n: npt.NDArray[np.intp],
) -> pd.DataFrame:
    bands = Bands()
    share = bands.sum(_shapes(), FREQS) * _STEP
    mean = found @ share + bands.sum(rest, FREQS) * _STEP
    own = np.sqrt(error**2 @ share**2)
    index = pd.MultiIndex.from_product(
        [names, stages, channels, bands.names], names=["recording", "stage", "channel", "band"]
    )
    counts = np.broadcast_to(n[:, :, None, None], mean.shape)
    values = {"mean": mean.ravel(), "error": own.ravel(), "n_epochs": counts.ravel()}
    return pd.DataFrame(values, index=index).reset_index()


def _spectra(
    names: list[str], stages: tuple[str, ...], channels: tuple[str, ...], found: Array, error: Array, rest: Array
) -> xr.Dataset:
    dims = ("recording", "stage", "channel", "freq")
    shapes = _shapes()
    return xr.Dataset(
        {"mean": (dims, found @ shapes + rest), "error": (dims, np.sqrt(error**2 @ shapes**2))},
        coords={"recording": names, "stage": list(stages), "channel": list(channels), "freq": FREQS},
        attrs={"score": "log-odds", "stages": list(stages)},
    )
