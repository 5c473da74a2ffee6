"""What the numbers of a result mean, in words that figures and reports share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eegflex.bands import ABOVE, BELOW, Bands

if TYPE_CHECKING:
    import pandas as pd

    from eegflex.results.result import FlexResult

__all__ = [
    "BASELINES",
    "UNITS",
    "MethodWords",
    "attribution_label",
    "baseline_words",
    "called_words",
    "count_epochs",
    "explained_words",
    "method_words",
    "number_text",
    "percent",
    "positive_means",
    "reading",
    "span_words",
    "sum_words",
    "sums_to_change",
    "told_stages",
    "type_label",
    "unit",
    "window_words",
    "words_of",
]

#: What the scores of a stager are measured in.
UNITS = {"logits": "logit", "log_probs": "log-probability", "probs": "probability"}


@dataclass(frozen=True)
class MethodWords:
    """How the attributions of a method are read.

    Attributes
    ----------
    name : str
        What the method is called.
    numbers : str
        What its numbers are, where they are not parts of the score's change.
    subject : str
        What raises or lowers the score; ``{what}`` stands for a band, a frequency or a rhythm.
    compared : str
        With what; ``{baseline}`` stands for it.
    raised, lowered : str
        What a positive and a negative number did to the score.
    per : str
        What the unit of the score is divided by.
    """

    name: str
    numbers: str = ""
    subject: str = "{what}"
    compared: str = ", compared with {baseline},"
    raised: str = "raised"
    lowered: str = "lowered"
    per: str = ""

    @property
    def sums(self) -> bool:
        """Whether the attributions are meant to sum to the change of the score, F(x) - F(x_b)."""
        return not self.numbers


@dataclass(frozen=True)
class _Baseline:
    """A baseline in words; ``{stage}`` stands for its stage."""

    short: str
    score: str  # whose score the sum is reckoned from
    explained: str  # what is thereby explained


#: What an epoch may be compared with, by the word of the setting up to its colon.
BASELINES = {
    "zero": _Baseline("silence", "silence on every channel", "everything that is in it, the 1/f part too"),
    "aperiodic": _Baseline(
        "the epoch's own 1/f part", "the same epoch without its oscillatory peaks", "its peaks, not its 1/f part"
    ),
    "recording": _Baseline(
        "an ordinary epoch of this recording",
        "an epoch with the median spectrum of the recording and the same phases",
        "how it differs from an ordinary epoch of this recording",
    ),
    "stage": _Baseline(
        "an ordinary epoch of {stage}",
        "an epoch with the median spectrum of {stage} and the same phases",
        "what sets it apart from {stage}",
    ),
    "surrogate": _Baseline(
        "ordinary epochs with random phases",
        "epochs with an ordinary spectrum of the recording and phases drawn at random (the mean over draws)",
        "how it differs from an ordinary epoch of this recording, in its spectrum and in its waveforms",
    ),
    "array": _Baseline(
        "the spectrum that was given",
        "an epoch with the spectrum that was given as the baseline and the same phases",
        "how it differs from that spectrum",
    ),
}


def reading(result: FlexResult) -> MethodWords:
    """Return how the attributions of a result are read."""
    return MethodWords(**json.loads(result.data.attrs["method"]))


def unit(result: FlexResult) -> str:
    """Return the unit of the attributions: that of the score explained, divided by a magnitude's where they are slopes."""
    scores, per = str(result.spec["output"]["scores"]), reading(result).per
    return UNITS.get(scores, scores) + (f" per {per}" if per else "")


def attribution_label(result: FlexResult, per: str = "") -> str:
    """Return the label of an axis of attributions, such as ``"Attribution (log-probability)"``."""
    return f"Attribution{f' {per}' if per else ''} ({unit(result)})"


def explained_words(result: FlexResult) -> str:
    """Say which score was explained, such as ``"the score of the predicted stage"``."""
    target = result.parameters["target"]
    if isinstance(target, list | tuple):
        return f"the score of {target[0]} minus that of {target[1]}"
    named = {
        "predicted": "the score of the predicted stage",
        "scored": "the score of the stage in the hypnogram",
        "margin": "the score of the predicted stage minus that of the runner-up",
    }
    return named.get(target, f"the score of {target}")


def method_words(result: FlexResult) -> str:
    """Return what the method is called."""
    return reading(result).name


def baseline_words(result: FlexResult) -> str:
    """Say what the epochs were compared with, such as ``"silence"``."""
    return words_of(str(result.parameters["baseline"]))


def words_of(baseline: str) -> str:
    """A baseline in words, by its name: ``"an ordinary epoch of N2"`` for ``"stage:N2"``."""
    kind, _, stage = baseline.partition(":")
    return BASELINES[kind].short.format(stage=stage)


def told_stages(shares: pd.DataFrame, context: str) -> pd.Series[float]:
    """What a model makes, by stage, of the baseline that is compared with: in the place of the epoch, or of all that moves."""
    return shares["both"] if context == "scaled" and shares["both"].notna().all() else shares["epoch"]


def called_words(shares: pd.DataFrame, model: str, context: str) -> str:
    """Say what a model calls a baseline: ``", which gssc calls N3 (94 %)"``, or nothing where nobody knows.

    Parameters
    ----------
    shares : pandas.DataFrame
        Of `FlexResult.baseline_stages`.
    model : str
        The model's name.
    context : {"fixed", "scaled"}
        What moves along the path.
    """
    own = told_stages(shares, context)
    said = [
        f"{stage} ({percent(share)})" for stage, share in own.sort_values(ascending=False).items() if share >= _SAID
    ]
    return f", which {model} calls {' or '.join(said)}" if said else ""


#: Share of baselines from which on a stage is named.
_SAID = 0.2


def sum_words(result: FlexResult) -> str:
    """Say what the attributions sum to, and what is thereby explained."""
    if not sums_to_change(result):
        return f"{reading(result).numbers}, and they are not meant to sum to the change of the score."
    baseline, stage = _baseline(result)
    moved = result.parameters["context"] == "scaled"
    subject = "The attributions of an epoch and of its context together" if moved else "The attributions of an epoch"
    from_what = baseline.score.format(stage=stage) + (", and its context likewise" if moved else "")
    return (
        f"{subject} sum to its score minus that of {from_what}: they explain {baseline.explained.format(stage=stage)}."
    )


def sums_to_change(result: FlexResult) -> bool:
    """Whether the attributions are meant to sum to the change of the score, F(x) - F(x_b)."""
    return reading(result).sums


def positive_means(result: FlexResult, what: str = "this band") -> str:
    """Say what a positive value means."""
    how, score = reading(result), explained_words(result)
    subject = how.subject.format(what=what)
    compared = how.compared.format(baseline=baseline_words(result))
    return f"Positive: {subject}{compared} {how.raised} {score}. Negative: it {how.lowered} it."


def _baseline(result: FlexResult) -> tuple[_Baseline, str]:
    kind, _, stage = str(result.parameters["baseline"]).partition(":")
    return BASELINES[kind], stage


_TYPES = {"eeg": "EEG", "eog": "EOG", "emg": "EMG", "ecg": "ECG", "seeg": "sEEG", "ecog": "ECoG", "misc": "Other"}


def type_label(kind: str) -> str:
    """Return a channel type as sleep research writes it."""
    return _TYPES.get(kind, kind.upper())


def span_words(name: str, bands: Bands) -> str:
    """Return the frequencies of a band, or of what lies outside all: ``"12–16 Hz"``, ``"< 0.5 Hz"``."""
    if name in bands:
        return "{:g}–{:g} Hz".format(*bands[name])
    lowest, highest = (
        min((low for low, _ in bands.values()), default=0),
        max((up for _, up in bands.values()), default=0),
    )
    return {BELOW: f"< {lowest:g} Hz", ABOVE: f"≥ {highest:g} Hz"}.get(name, "in no band")


def count_epochs(count: int) -> str:
    """Return ``"1 epoch"`` or ``"2 epochs"``."""
    return f"{count} epoch{'' if count == 1 else 's'}"


def window_words(told: Mapping[str, Any]) -> str:
    """How long the windows of a stager of whole nights were, by what provenance says of them: ``"21 to 81 epochs"``."""
    shortest, length = int(told.get("shortest", told["length"])), int(told["length"])
    longest = count_epochs(length)
    return longest if shortest == length else f"{shortest} to {longest}"


def number_text(value: float, largest: float | None = None) -> str:
    """Write a number with its sign, and as many decimals as the largest of its kind needs for three digits.

    Two decimals at least: ``"+0.42"``.
    """
    if not np.isfinite(value):
        return "–"
    size = abs(value if largest is None else largest)
    places = 2 if size == 0 else min(max(2, 2 - int(np.floor(np.log10(size)))), 8)
    text = f"{value:+.{places}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def percent(share: float) -> str:
    """Write a share in percent with two digits: ``"0.42 %"``, ``"3.5 %"``, ``"95 %"``."""
    value = 100 * float(share)
    return f"{value:z.0f} %" if value >= 10 else f"{value:z.2g} %"
