"""What a result says, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegflex.readers.notes import SIMULATED
from eegflex.results.select import PICKED, counted_words, is_whole, n_epochs_by_stage
from eegflex.results.subset import numbers_text
from eegflex.results.wording import (
    baseline_words,
    called_words,
    count_epochs,
    explained_words,
    method_words,
    positive_means,
    sum_words,
    sums_to_change,
    unit,
)
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = [
    "differences",
    "is_simulated",
    "main_findings",
    "what_was_done",
]


@checked
def main_findings(result: FlexResult) -> list[str]:
    """List the strongest evidence for and against each stage; see `FlexResult.main_findings`.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording. For a result of all stages, the report shows the predicted one.

    Returns
    -------
    sentences : list of str
        In the order of the stages; a stage of which too few epochs were explained is called so.

    See Also
    --------
    eegflex.FlexResult : Attributions, labelled.
    eegflex.make_report : A result on one page.

    Examples
    --------
    >>> import eegflex
    >>> from eegflex.report import main_findings
    >>> night = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> print(main_findings(result)[0])
    W: 2 epochs of it are too few to say what raised or lowered the score. Explain at least 5.
    """
    return [f"{one.values['stage']}: {one.text[0].lower()}{one.text[1:]}" for one in result.main_findings()]


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
    counts = ", ".join(f"{stage} {count}" for stage, count in n_epochs_by_stage(dataset, "predicted").items())
    sentences = [
        f"{result.model} staged {night} epochs ({length}); {explained} of them were explained ({counts}).",
        f"The attributions explain {explained_words(result)}, in units of {unit(result)}, by {method_words(result)}. "
        f"{positive_means(result, 'a rhythm of a channel')}",
        sum_words(result),
        *_what_the_baseline_is(result),
    ]
    if not is_whole(result.data):
        sentences.append(PICKED)
    if parameters.get("select") is not None:
        sentences.append(f"Only selected epochs were explained: {selection_words(parameters['select'])}.")
    if result.is_sample:
        sentences.append(
            f"This is a sample: at most {count_epochs(parameters['sample_per_stage'])} of each predicted stage, drawn "
            "at random. It shows examples; it does not measure the night."
        )
    if any(channel["use"] == "each" for channel in result.spec["input"]["channels"]):
        sentences.append(
            f"{result.model} takes one EEG channel at a time, so each channel was explained by itself: the "
            "attributions of different EEG channels do not add up."
        )
    sentences += [words] if (words := counted_words(dataset)) else []
    return sentences


def _what_the_baseline_is(result: FlexResult) -> list[str]:
    """Say what stage the model makes of the baseline."""
    if not (sums_to_change(result) and "replaced_scores" in result.data):
        return []
    called = called_words(result.baseline_stages(), result.model, result.parameters["context"])
    return [f"Epochs are compared with {baseline_words(result)}{called}."]


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
