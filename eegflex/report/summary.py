"""What a result says, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegflex.bands import REST, Bands
from eegflex.readers.notes import SIMULATED
from eegflex.results import tables
from eegflex.results.select import PICKED, is_whole, stage_order
from eegflex.results.subset import numbers_text
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
        Attributions of a recording. One of all stages speaks for the predicted one.
    n : int
        How many stages at most.

    Returns
    -------
    sentences : list of str
        The largest first. A mean that is no larger than the error of the sums is called so.

    Examples
    --------
    >>> import eegflex
    >>> from eegflex.report import main_findings
    >>> night = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> print(*main_findings(result, n=1))
    W: beta at Chin1-Chin2 raised the score most (+15.45 logit, in 2 of 2 epochs); all together changed it by +20.67
    """
    result = result.for_target()
    data = result.data
    sums, labels = tables.band_sums(data, Bands()), tables.stage_labels(data, "predicted")
    errors = np.fmax(np.abs(data["gap"].values), data["error"].values * tables.sizes(data))
    of_channel = np.nan_to_num(errors)[:, data["of_channel_set"].values]  # none is known of a method that has neither
    found = [_largest(result, stage, sums, labels == stage, of_channel) for stage in stage_order(data, "predicted")]
    return [text for _, text in sorted(found, key=lambda item: -abs(item[0]))[:n]]


def _largest(
    result: FlexResult,
    stage: str,
    sums: npt.NDArray[np.float64],
    of_stage: npt.NDArray[np.bool_],
    errors: npt.NDArray[np.float64],
) -> tuple[float, str]:
    """The mean that raised the score of a stage most, or else lowered it most, and what is said of it."""
    count = np.maximum(of_stage.sum(axis=0), 1)
    means = (sums * of_stage[..., None]).sum(axis=0) / count[:, None]
    error = (errors * of_stage).sum(axis=0) / count
    beyond = np.sign(means) * np.maximum(np.abs(means) - error[:, None], 0)
    place = int(beyond.argmax()) if beyond.max() > 0 else int(beyond.argmin())
    if not beyond.any():
        place = int(np.abs(means).argmax())
    channel, band = map(int, np.unravel_index(place, means.shape))
    epochs, mean = np.flatnonzero(of_stage[:, channel]), float(means[channel, band])
    what = f"{_band_words(Bands().names[band])} at {result.ch_names[channel]}"
    if not beyond.any():
        size = f"{number_text(mean)} ± {error[channel]:.2g} {unit(result)}, over {count_epochs(len(epochs))}"
        return mean, f"{stage}: nothing is larger than the error of the sums, not even {what} ({size})"
    agreeing = int((np.sign(sums[epochs, channel, band]) == np.sign(mean)).sum())
    where = reading(result).subject.format(what=what)
    text = f"{stage}: {where} {_effect(result, mean)}, in {agreeing} of {len(epochs)} epochs)"
    return mean, text + _whole(result, epochs, channel)


def _whole(result: FlexResult, epochs: npt.NDArray[np.intp], channel: int) -> str:
    """Say what all bands of all channels that the stager was given with this one did, where they have such a sum."""
    if not sums_to_change(result):
        return ""
    channel_set = int(result.data["of_channel_set"].values[channel])
    ends = (result.data[name].values[epochs, channel_set] for name in ("score", "baseline_score"))
    change = float(np.subtract(*ends).mean())
    return f"; all together changed it by {number_text(change)}"


def _effect(result: FlexResult, mean: float) -> str:
    score = "the score" if result.parameters["target"] == "predicted" else explained_words(result)
    how = reading(result)
    return f"{how.raised if mean > 0 else how.lowered} {score} most ({number_text(mean)} {unit(result)}"


def _band_words(name: str) -> str:
    return "what lies outside all bands" if name == REST else name


def what_was_done(result: FlexResult) -> list[str]:
    """Say what was explained, of which epochs, compared with what.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, of one target.
    """
    dataset, parameters = result.data, result.parameters
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
    if not is_whole(result.data):
        sentences.append(PICKED)
    if parameters.get("select") is not None:
        sentences.append(f"Only epochs that somebody chose were explained: {selection_words(parameters['select'])}.")
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


def selection_words(select: str | list[int]) -> str:
    """What was chosen: the query, or the numbers of the epochs as ranges."""
    return f"those with {select}" if isinstance(select, str) else f"number {numbers_text(select)}"


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
    """Say whether the provenance says that the recording was simulated."""
    return SIMULATED in result.provenance["warnings"]
