"""Stability: whether an epoch that is nearly the same has nearly the same explanation.

*Noise* has the spectrum of the epoch itself, each channel's with random phases of its own, at 20 dB below it: so it is as weak
at every frequency, where white noise of the same power would be stronger than all that is fast in an EEG. *Shift* moves the
epoch by 1 s; what comes in at its end, or else at its beginning, is what was recorded next to it, and where there is nothing
the other end of the epoch itself. Its neighbours stay as recorded in both cases, and what is explained is the same stage.

Two explanations are compared by the cosine of the angle between their signed band sums: 1 is the same but for its size, 0 has
nothing to do with it, -1 is the opposite. That of two epochs of one night is seldom 0, and so each epoch's similarity with
itself stands beside that with other explained epochs. *Sensitivity* (Yeh et al. 2019) is the largest change under noise: of the
band sums, as a share of their absolute total; size counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.evaluation.judged import judged, limits, spoken, too_few
from eegflex.evaluation.thresholds import STABLE
from eegflex.findings import Finding, unknown
from eegflex.results.wording import percent
from eegflex.surrogates import random_phases

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.preprocessing.segments import Segments

__all__ = ["changed", "findings", "measure", "shifted", "similarity", "stability", "with_noise"]

#: Columns.
NOISE, SHIFT, OTHERS = "stability: noise", "stability: shift", "stability: other epochs"
SENSITIVITY = "sensitivity: largest change"
#: Explanations that it is measured of, and how often noise is drawn for each.
N_FIRST, N_NOISE = 20, 3
#: Power of an epoch above that of its noise in dB, and how far it is shifted in s.
SNR, SECONDS = 20.0, 1.0
#: Other epochs at most that an explanation is compared with.
N_OTHERS = 50
#: Tells these draws from any others of the same seed.
_STREAM = 0x57AB


def measure(one: Explanation) -> dict[str, float]:
    """Similarities under noise and shift, and with other epochs: four explanations anew, for the first 20 of the sample."""
    if one.place >= N_FIRST:
        return dict.fromkeys((NOISE, SHIFT, OTHERS, SENSITIVITY), np.nan)
    noisy, moved = changed(one)
    return stability(one.band_sums, noisy, moved) | {OTHERS: _with_others(one)}


def changed(one: Explanation) -> tuple[list[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Band sums of the epoch with noise, of each draw, and of the epoch shifted; shape (n_channels, n_bands) each."""
    segments, seed = one.question.request.segments, one.question.seed
    noisy = [with_noise(segments.signals[one.number], (_STREAM, seed, one.number, draw)) for draw in range(N_NOISE)]
    *found, moved = [_anew(one, signals) for signals in (*noisy, shifted(segments, one.number))]
    return found, moved


def _anew(one: Explanation, signals: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    values = one.anew(one.question.with_signals({one.number: signals}))
    return np.asarray(values @ one.masks.T, dtype=np.float64)


def stability(
    sums: npt.NDArray[np.float64], noisy: list[npt.NDArray[np.float64]], moved: npt.NDArray[np.float64]
) -> dict[str, float]:
    """How far band sums are those of the epoch with noise, and shifted.

    Parameters
    ----------
    sums : array, shape (n_channels, n_bands)
        Of an explanation of the epoch.
    noisy : list of array, shape (n_channels, n_bands)
        Of explanations of the epoch with noise.
    moved : array, shape (n_channels, n_bands)
        Of an explanation of the epoch shifted.
    """
    size = float(np.abs(sums).sum())
    largest = max(float(np.abs(own - sums).sum()) for own in noisy)
    return {
        NOISE: float(np.mean([similarity(sums, own) for own in noisy])),
        SHIFT: similarity(sums, moved),
        SENSITIVITY: largest / size if size > 0 else np.nan,
    }


def similarity(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Cosine of the angle between two explanations; NaN where one of them is nothing."""
    sizes = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum() / sizes) if sizes > 0 else np.nan


def with_noise(
    signals: npt.NDArray[np.floating[Any]], stream: tuple[int, ...], snr: float = SNR
) -> npt.NDArray[np.float32]:
    """Signals with noise of their own spectrum, shape (n_channels, n_times).

    Parameters
    ----------
    signals : array, shape (n_channels, n_times)
        Of an epoch; they are not changed.
    stream : tuple of int
        Of the phases of the noise.
    snr : float
        Power of the epoch above that of the noise, at every frequency, in dB.
    """
    noise = random_phases(np.asarray(signals, dtype=np.float32)[None], np.zeros(1, dtype=np.intp), stream, joint=False)
    return np.asarray(signals + 10 ** (-snr / 20) * noise[0], dtype=np.float32)


def shifted(segments: Segments, number: int, seconds: float = SECONDS) -> npt.NDArray[np.float32]:
    """Signals of an epoch that begins later by so many seconds, shape (n_channels, n_times).

    What comes in is from the next epoch if that follows without a gap and is sound; else the epoch begins earlier by as much,
    if that can be; else what goes out comes in again. What comes in has the scale of the epoch.
    """
    step, own = round(seconds * segments.sfreq), segments.signals[number]
    length = round(segments.duration * segments.sfreq)
    if _follows(segments, number, number + 1):
        after = _in_scale_of(segments, number, number + 1)
        return np.concatenate([own[:, step:length], after], axis=1)[:, : own.shape[1]]
    if _follows(segments, number - 1, number):
        before = _in_scale_of(segments, number, number - 1)[:, length - step : length]
        return np.concatenate([before, own], axis=1)[:, : own.shape[1]]
    return np.roll(own, -step, axis=1)


def _follows(segments: Segments, number: int, after: int) -> bool:
    """Whether two epochs touch each other and both are sound."""
    if number < 0 or after >= len(segments):
        return False
    touching = abs(segments.onset[after] - segments.onset[number] - segments.duration) * segments.sfreq < 1
    same = segments.run[number] == segments.run[after]
    return bool(touching and same and segments.fault[number] == "" and segments.fault[after] == "")


def _in_scale_of(segments: Segments, number: int, other: int) -> npt.NDArray[np.float32]:
    ratio = segments.gain[other] / segments.gain[number]
    return np.asarray(segments.signals[other] * ratio[:, None], dtype=np.float32)


def _with_others(one: Explanation) -> float:
    """Mean similarity with explanations of other epochs, with the same channels."""
    question = one.question
    rows = np.delete(np.arange(question.data.sizes["epoch"]), one.row)
    drawn = one.rng("others").permutation(rows)[:N_OTHERS]
    found = [
        similarity(one.band_sums, question.explanation(int(row), one.channel_set).band_sums) for row in drawn.tolist()
    ]
    known = [own for own in found if np.isfinite(own)]
    return float(np.mean(known)) if known else np.nan


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether explanations are stable, and more alike than those of other epochs."""
    said = {
        NOISE: f"with noise {SNR:.0f} dB below the epoch at every frequency",
        SHIFT: f"of the epoch shifted by {SECONDS:.0f} s",
    }
    found = [_stable(evaluation, column, words) for column, words in said.items()]
    return [*found, _sensitivity(evaluation)]


def _stable(evaluation: Evaluation, column: str, words: str) -> Finding:
    few = too_few(evaluation, column, column)
    if few is not None:
        return few
    own = spoken(evaluation.interval(column), evaluation.count(column), "signed cosine of band sums")
    others, above = evaluation.interval(OTHERS), evaluation.difference(column, OTHERS)
    theirs = f"{others.mean:.2f} ({limits(others.low, others.high)})"
    said = f"the explanation {words} agrees with the one as recorded by {own}; those of other epochs by {theirs}"
    more = {f"above other epochs {name}": float(getattr(above, name)) for name in ("mean", "low", "high")}
    remedy = "Do not interpret single epochs; means over many epochs of a stage may still hold"
    return judged(evaluation, column, said, STABLE, remedy, more={"other epochs": others.mean, **more})


def _sensitivity(evaluation: Evaluation) -> Finding:
    """How much band sums change at most; there is no threshold that tells good from bad, so that nothing is judged."""
    name = SENSITIVITY.partition(":")[0]
    few = too_few(evaluation, SENSITIVITY, name)
    if few is not None:
        return few
    own, n = evaluation.interval(SENSITIVITY), evaluation.count(SENSITIVITY)
    between = f"{percent(own.low)} to {percent(own.high)}" if np.isfinite(own.low) else "not known"
    return unknown(
        f"noise {SNR:.0f} dB below the epoch changes its band sums by {percent(own.mean)} of their absolute total at most, of "
        f"{N_NOISE} draws (mean over epochs, 95 % interval {between}, n = {n})",
        n=n,
        mean=own.mean,
        low=own.low,
        high=own.high,
    ).named(name)
