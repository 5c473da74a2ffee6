"""Checks of what a spec says of a model's input and output, which need no hypnogram."""

from __future__ import annotations

import numpy as np
import torch

from eegflex.doctor.case import TOLERANCE, Case
from eegflex.findings import CannotTellError, Finding, error, ok, warning

__all__ = ["rate", "scale", "score_kind", "shape", "unit"]

#: Probabilities that change by less do not react, or hardly; by more, they do. A volt is a million µV.
NO_REACTION, HARDLY, REACTS = 1e-4, 1e-3, 0.05
#: Standard deviation of an epoch, in µV, beyond which no voltage of a scalp is: amplifiers end at a few mV.
MOST_MICROVOLTS, PER_UNIT = 1e4, {"V": 1e6, "mV": 1e3, "uV": 1.0}
#: Scores larger than this are no logits of signals in the model's unit.
HUGE = 1e4
#: Share of the differences between epochs below which a change of size is no change.
SCALE_FREE = 0.01
#: Share of an epoch that the samples may miss.
SHORT = 0.01
_LARGER = "Declare the unit that the model was trained in, such as unit = 'uV'"
#: The unit of signals that are too small for a model -> what to do.
TOO_SMALL = {"V": _LARGER, "mV": _LARGER, "uV": "Check whether the recording is in volts, as MNE has it"}


def shape(case: Case) -> Finding:
    """Whether the model takes what the spec says, and returns it. What it does not take is refused before any check."""
    n_channels, n_times = case.inputs.shape[1:]
    length = int(case.bound.windows.length.max())
    return ok(
        f"it takes {length} epoch{'s' * (length > 1)} of {n_channels} channel{'s' * (n_channels > 1)} and {n_times} samples, "
        f"and returns {len(case.spec.stages)} scores"
    )


def rate(case: Case) -> Finding:
    """Whether the rate is declared, and its samples are a whole epoch."""
    sfreq, n_times = case.segments.sfreq, case.segments.signals.shape[-1]
    recorded = len(case.night.epochs.times) / float(case.night.epochs.info["sfreq"])
    if n_times / sfreq < (1 - SHORT) * recorded - 1 / float(case.night.epochs.info["sfreq"]):
        return error(
            f"{n_times} samples at {sfreq:g} Hz are {n_times / sfreq:.4g} s, but the epochs have {recorded:.4g} s",
            "Correct sfreq or n_times of the spec, or cut the recording with eegflex.make_epochs(raw, duration=...)",
        )
    if case.spec.sfreq is None:
        return warning(
            f"no rate was declared; it gets the recording's {sfreq:g} Hz",
            "Give a spec with the sfreq that the model was trained at",
        )
    return ok(f"{n_times} samples at {sfreq:g} Hz are {n_times / sfreq:.4g} s")


@torch.no_grad()
def unit(case: Case) -> Finding:
    """Whether the scores react to the signals in the declared unit at all, and not absurdly."""
    if case.spec.scale.kind not in ("none", "given"):
        return ok("the signals are standardised before the model, so that their unit does not matter")
    size = _microvolts(case) if case.spec.unit != "V" else 0.0  # what was standardised before is often said to be in V
    if size > MOST_MICROVOLTS:
        return error(
            f"the voltages deviate from their mean by {size:,.0f} µV in a typical epoch, which none of a scalp do",
            "Give the recording in volts, as MNE has it: data in µV are a million times too large",
        )
    silence = case.probabilities(case.score(0 * case.inputs))
    factors = (1.0, 1e-6, 1e-3, 1e3, 1e6)
    scores = {factor: case.score(factor * case.inputs) for factor in factors}
    reaction = {factor: float((case.probabilities(s) - silence).abs().max()) for factor, s in scores.items()}
    if not np.isfinite(reaction[1.0]):
        raise CannotTellError("the scores are not finite")
    louder = [factor for factor in (1e3, 1e6) if reaction[factor] > REACTS]
    if reaction[1.0] < HARDLY and louder:
        found = error if reaction[1.0] < NO_REACTION else warning
        return found(
            f"it hardly reacts to the signals in {case.spec.unit}: its probabilities are those of silence "
            f"(difference {reaction[1.0]:.2g}), "
            f"but differ by {reaction[louder[0]]:.2g} for signals {louder[0]:,.0f} times larger",
            TOO_SMALL[case.spec.unit],
        )
    size = float(scores[1.0].abs().max())
    if case.spec.scores == "logits" and size > HUGE > float(scores[1e-3].abs().max()):
        return warning(
            f"its scores are as large as {size:,.0f}, as if signals in {case.spec.unit} were too large for it",
            "Declare the unit that the model was trained in, such as unit = 'V'",
        )
    return ok(f"against silence, the signals in {case.spec.unit} change its probabilities by up to {reaction[1.0]:.2g}")


def _microvolts(case: Case) -> float:
    """Standard deviation of the voltages in an epoch, in µV: the median over a few epochs and their channels; 0 without any."""
    kinds = np.array(case.segments.ch_types)[list(case.segments.channel_sets[0])]
    deviations = case.inputs[:, torch.from_numpy(np.isin(kinds, ("eeg", "eog", "emg")))].double().std(dim=-1)
    return float(deviations.median()) * PER_UNIT[case.spec.unit] if deviations.numel() else 0.0


def score_kind(case: Case) -> Finding:
    """Whether the scores are logits, log-probabilities or probabilities, as declared."""
    scores, declared = case.finite.double(), case.spec.scores
    if len(case.spec.stages) == 1:
        raise CannotTellError("a single score cannot be checked")
    if case.stager.pooling and declared != "probs":  # sure members that agree are all but normalised
        raise CannotTellError(f"the scores are the {case.stager.pooling} of several answers")
    # Probabilities that are declared may be summed, as an ensemble does.
    n_answers = int(scores.sum(-1).median().round().clamp(min=1)) if declared == "probs" else 1
    scores = scores / n_answers
    one = max(float((scores.sum(-1) - 1).abs().max()), float(-scores.min()))
    normalised = float(scores.exp().sum(-1).sub(1).abs().max())
    if one < TOLERANCE:
        found, measured = "probs", f"they are not negative and sum to {n_answers}"
    elif normalised < TOLERANCE:
        found, measured = "log_probs", "their exponentials sum to 1"
    else:
        found, measured = "logits", "neither they nor their exponentials sum to 1"
    if found == declared:
        return ok(f"the scores are {declared}: {measured}")
    remedy = f"Declare scores = {found!r} in [output] of the spec"
    if (declared, found) == ("logits", "log_probs"):
        return warning(f"the scores are log-probabilities, declared as logits: {measured}", remedy)
    return error(f"the scores are {found}, declared as {declared}: {measured}", remedy)


def scale(case: Case) -> Finding:
    """Whether the scores change with the size of an epoch, as they must on a path from silence."""
    if case.spread <= TOLERANCE * case.size:
        raise CannotTellError("the scores hardly differ between epochs")
    changes = [float((case.score(share * case.inputs) - case.recorded).abs().max()) for share in (0.25, 0.5, 2.0)]
    change = float(np.max(changes))
    if not np.isfinite(change):
        raise CannotTellError("the scores at a quarter, half or twice the size of an epoch are not finite")
    measured = (
        f"at a quarter, half and twice their size, scores change by {change:.2g}; between epochs by {case.spread:.2g}"
    )
    if change > SCALE_FREE * case.spread:
        return ok(measured)
    found = error if case.from_silence else warning
    return found(
        f"the scores do not depend on the size of an epoch, so that FLEX from the zero baseline says nothing: {measured}",
        "Take the standardisation out of the model and declare it as scale of the spec, "
        "or take a baseline that is not silence, such as 'recording' or 'aperiodic'",
    )
