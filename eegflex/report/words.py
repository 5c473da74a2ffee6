"""What a result says, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegflex.bands import REST, Bands
from eegflex.readers.notes import SIMULATED
from eegflex.results import tables
from eegflex.results.select import stage_order
from eegflex.results.wording import (
    baseline_words,
    count_epochs,
    explained_words,
    method_words,
    number_text,
    positive_means,
    reading,
    sum_words,
    sums_to_change,
    unit,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from eegflex.results.result import FlexResult

__all__ = [
    "differences",
    "is_simulated",
    "main_findings",
    "what_was_done",
]


def main_findings(result: FlexResult, *, n: int = 5) -> list[str]:
    """Say which band on which channel raised the score most, for the stages where it did so most.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    n : int
        How many stages at most.

    Returns
    -------
    sentences : list of str
        Such as ``"N2: sigma at C3-M2 raised the score most (+0.42 log-probability, in 9 of 10 epochs); all together changed
        it by +0.61"``, the largest first.
    """
    result = result.for_target()
    dataset, bands = result.to_xarray(), Bands()
    sums, labels = tables.band_sums(dataset, bands), tables.stage_labels(dataset, "predicted")
    channels = dataset["channel"].values.astype(str)
    found = []
    for stage in stage_order(dataset, "predicted"):
        of_stage = labels == stage
        count = np.maximum(of_stage.sum(axis=0), 1)[:, None]
        means = (sums * of_stage[..., None]).sum(axis=0) / count
        channel, band = np.unravel_index(int(means.argmax()), means.shape)
        if means[channel, band] <= 0:
            channel, band = np.unravel_index(int(means.argmin()), means.shape)
        mean, cases = float(means[channel, band]), sums[of_stage[:, channel], channel, band]
        agreeing = int((np.sign(cases) == np.sign(mean)).sum())
        where = reading(result).subject.format(what=f"{_band_words(bands.names[band])} at {channels[channel]}")
        text = f"{stage}: {where} {_effect(result, mean)}, in {agreeing} of {len(cases)} epochs)"
        found.append((mean, text + _whole(result, of_stage[:, channel], int(channel))))
    return [text for _, text in sorted(found, key=lambda item: -abs(item[0]))[:n]]


def _whole(result: FlexResult, cases: npt.NDArray[np.bool_], channel: int) -> str:
    """Say what all bands of all channels that the stager was given with this one did, where they have such a sum."""
    if not sums_to_change(result):
        return ""
    dataset = result.to_xarray()
    own = {"channel_set": int(dataset["of_channel_set"].values[channel]), "epoch": np.flatnonzero(cases)}
    change = float((dataset["score"] - dataset["baseline_score"]).isel(own).mean())
    return f"; all together changed it by {number_text(change)}"


def _effect(result: FlexResult, mean: float) -> str:
    score = "the score" if result.parameters["target"] == "predicted" else explained_words(result)
    if mean == 0:
        return f"did nothing to {score} (0 {unit(result)}"
    how = reading(result)
    return f"{how.raised if mean > 0 else how.lowered} {score} most ({number_text(mean)} {unit(result)}"


def _band_words(name: str) -> str:
    return "what lies outside all bands" if name == REST else name


def what_was_done(result: FlexResult) -> list[str]:
    """Say what was explained, of which epochs, compared with what."""
    of_all, result = result.parameters["target"] == "all", result.for_target()
    dataset, parameters = result.to_xarray(), result.parameters
    night, explained = dataset.sizes["night"], dataset.sizes["epoch"]
    hours = night * dataset.sizes["time"] / result.sfreq / 3600
    length = f"{hours:.1f} h" if hours >= 0.5 else f"{60 * hours:.0f} min"
    counts = ", ".join(f"{stage} {count}" for stage, count in result.counts().items())
    sentences = [
        f"{result.model} staged {night} epochs ({length}); {explained} of them were explained ({counts}).",
        f"Explained is {explained_words(result)}, in units of {unit(result)}, by {method_words(result)}. "
        f"{positive_means(result, 'a rhythm of a channel')}",
        sum_words(result),
    ]
    if of_all:
        sentences.append(
            "Every stage was explained; this speaks of the predicted one. The result's for_target gives any other, or the "
            "difference of two."
        )
    if result.is_sample:
        sentences.append(
            f"This is a sample: at most {count_epochs(parameters['sample_per_stage'])} of each predicted stage, drawn "
            "at random. It shows examples; it does not measure the night."
        )
    if any(channel["use"] == "each" for channel in result.spec["input"]["channels"]):
        sentences.append(
            f"{result.model} takes one EEG channel at a time, so each channel was explained by itself: the "
            "attributions of different EEG channels do not add up. Channels may disagree on the stage of an epoch; it counts "
            "for every stage that one of them gave, and means at a channel are over the epochs to which that channel gave it."
        )
    return sentences


def differences(result: FlexResult, other: FlexResult) -> tuple[str, str]:
    """Say of two results in what they differ, such as ``("compared with silence", "compared with its own 1/f part")``.

    Parameters
    ----------
    result, other : FlexResult
        Attributions of the same epochs, each of one target.
    """
    says = (
        explained_words,
        lambda one: f"by {method_words(one)}",
        lambda one: f"compared with {baseline_words(one)}",
        lambda one: f"with {one.parameters['context']} context",
    )
    pairs = [(say(result), say(other)) for say in says]
    differing = [pair for pair in pairs if pair[0] != pair[1]] or [("the one result", "the other result")]
    first, second = (", ".join(words) for words in zip(*differing, strict=True))
    return first, second


def is_simulated(result: FlexResult) -> bool:
    """Whether the provenance says that the recording was simulated."""
    return SIMULATED in result.provenance["warnings"]
