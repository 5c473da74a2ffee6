"""Spectrum or waveform: a night staged again with the magnitudes of every epoch as recorded, and random phases."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from mne.utils import logger

from eegflex.errors import ParameterError, RecordingError
from eegflex.preprocessing.segments import Segments
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.scores import consensus, probabilities, surest
from eegflex.settings import StagingSettings
from eegflex.stagers.modules import rnn_safe
from eegflex.stagers.stager import Stager
from eegflex.utils.progress import progress

__all__ = ["KINDS", "random_phases", "spectral_share"]

#: One random phase a frequency for all channels, or one for each channel.
KINDS = ("joint", "independent")
#: Share of its epochs that a stage must keep not to be lost.
KEPT = 0.5


def random_phases(
    signals: npt.NDArray[np.float32], numbers: npt.NDArray[np.intp], seed: tuple[int, ...] = (0,), *, joint: bool
) -> npt.NDArray[np.float32]:
    """Signals with random phases in some epochs, after Prichard and Theiler (1994).

    Uniform phases are added to those recorded, epoch by epoch: every magnitude stays. Mean and Nyquist frequency, which are
    real, stay as they are.

    Parameters
    ----------
    signals : array, shape (n_epochs, n_channels, n_times)
        Signals. They are not changed.
    numbers : array of int
        Epochs that are given other phases.
    seed : tuple of int
        Of the phases. Those of an epoch depend on its number too, and on no other epoch.
    joint : bool
        Whether the same are added in all channels, which keeps the differences of their phases. The first channel is the same
        in either case.
    """
    made = signals.copy()
    n_channels, n_times = signals.shape[1:]
    complex_ones = slice(1, (n_times + 1) // 2)
    shape = (1 if joint else n_channels, (n_times + 1) // 2 - 1)
    for number in numbers.tolist():
        spectrum = np.fft.rfft(signals[number].astype(np.float64))
        phases = np.random.default_rng([*seed, number]).uniform(0, 2 * np.pi, shape)
        spectrum[:, complex_ones] *= np.exp(1j * phases)
        made[number] = np.fft.irfft(spectrum, n=n_times)
    return made


def spectral_share(
    stager: Stager,
    segments: Segments,
    settings: StagingSettings,
    scores: npt.NDArray[np.float64],
    *,
    n_draws: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell by stage what is left of it with random phases; see `StagedNight.spectral_share`.

    Parameters
    ----------
    stager : Stager
        The model.
    segments : Segments
        The recording as it is given it.
    settings : StagingSettings
        How it was staged.
    scores : array, shape (n_epochs, n_channel_sets, n_stages)
        What it returned.
    n_draws, seed : int
        How often phases are drawn, and from what.
    """
    if isinstance(n_draws, bool) or n_draws != int(n_draws) or n_draws < 1:
        raise ParameterError("n_draws must be a positive whole number", seen=repr(n_draws))
    kind = stager.spec.scores
    own = np.where(segments.fault == "", consensus(scores, kind), -1)
    numbers = np.flatnonzero(own >= 0)
    if not len(numbers):
        raise RecordingError("No epoch is sound and has the context that the model needs")
    # of a single channel there are no relations: both kinds are one
    kinds = KINDS if max(map(len, segments.channel_sets)) > 1 else KINDS[:1]
    found = np.zeros((2, len(kinds), len(numbers)))  # p and whether the stage is kept, of each kind and epoch
    began = time.perf_counter()
    total = n_draws * len(kinds) * len(segments) * len(segments.channel_sets)
    with rnn_safe(stager.module), progress(total, f"Staging with random phases by {stager.spec.name}") as done:
        for draw in range(n_draws):
            for place, name in enumerate(kinds):
                signals = random_phases(segments.signals, numbers, (seed, draw), joint=name == "joint")
                again = _scores(stager, dataclasses.replace(segments, signals=signals), settings, done)[numbers]
                found[0, place] += _p_of(again, kind, own[numbers]) / n_draws
                found[1, place] += (consensus(again, kind) == own[numbers]) / n_draws
    logger.info(f"Staged {n_draws * len(kinds)} times with random phases in {time.perf_counter() - began:.0f} s")
    if len(kinds) == 1:
        found = np.repeat(found, 2, axis=1)
    values = np.concatenate([_p_of(scores[numbers], kind, own[numbers])[None], *found])
    return _table(values, np.array(stager.spec.stages)[own[numbers]], segments.onset[numbers], stager.spec.stages)


def _scores(
    stager: Stager, segments: Segments, settings: StagingSettings, done: Callable[[int], None]
) -> npt.NDArray[np.float64]:
    bound = stager.bind(segments, settings.edges, settings.n_window)
    return np.stack([one.night_scores(done).double().cpu().numpy() for one in bound], axis=1)


def _p_of(scores: npt.NDArray[np.float64], kind: str, stage: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Probability of a stage of each epoch by the most confident channel set; 0 where no score is finite."""
    rows = np.arange(len(scores))
    return np.nan_to_num(probabilities(scores, kind)[rows, surest(scores, kind), stage], nan=0.0)


#: The columns that have intervals.
_COLUMNS = ("p", *(f"p_{kind}" for kind in KINDS), *(f"agreement_{kind}" for kind in KINDS))


def _table(
    values: npt.NDArray[np.float64],
    stage: npt.NDArray[np.str_],
    onset: npt.NDArray[np.float64],
    stages: tuple[str, ...],
) -> pd.DataFrame:
    """Means and intervals of the columns, (n_columns, n_epochs), by stage."""
    rows = {}
    for name in stages:
        mine = stage == name
        if not mine.any():
            continue
        blocks = blocks_of(onset[mine], np.zeros(mine.sum()))
        low, high = (np.clip(end, 0, 1) for end in mean_interval(values[:, mine].T, blocks))
        every = zip(_COLUMNS, values[:, mine].mean(axis=1), low, high, strict=True)
        row = {"n_epochs": int(mine.sum())}
        row |= {
            f"{column}{end}": x for column, *three in every for end, x in zip(("", "_low", "_high"), three, strict=True)
        }
        rows[name] = row | {"decided_by": _decider(row)}
    index = pd.CategoricalIndex(list(rows), categories=list(stages), name="stage")
    return pd.DataFrame(list(rows.values()), index=index)


def _decider(row: Mapping[str, float]) -> str:
    """What decides a stage, where the intervals say so."""
    kept = {kind: row[f"agreement_{kind}_low"] > KEPT for kind in KINDS}
    lost = {kind: row[f"agreement_{kind}_high"] < KEPT for kind in KINDS}
    enough = row["n_epochs"] >= MIN_EPOCHS
    ways = {
        "waveforms": lost["joint"],
        "relations": kept["joint"] and lost["independent"],
        "spectrum": kept["joint"] and kept["independent"],
    }
    return next((way for way, holds in ways.items() if enough and holds), "unclear")
