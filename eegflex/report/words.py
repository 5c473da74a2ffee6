"""What a result says, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegflex import aggregate
from eegflex.bands import REST, Bands
from eegflex.readers.notes import SIMULATED
from eegflex.viz.select import stage_order
from eegflex.viz.style import count_epochs, number_text
from eegflex.viz.wording import explained_words, unit

if TYPE_CHECKING:
    from eegflex.result import FlexResult

__all__ = [
    "agreement_words",
    "cancellation_words",
    "completeness_words",
    "findings",
    "is_simulated",
    "left_out",
    "what_was_done",
]

#: Relative completeness gap within which sums are taken at their word.
TIGHT = 0.01
LOOSE = 0.05
#: Share of the gaps that must be that small.
MOST = 0.95
#: How many times larger than the change of the score the band sums must be for the report to say so.
CANCELLING = 3


def findings(result: FlexResult, *, n: int = 3) -> list[str]:
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
        Such as ``"N2: sigma at C3-M2 raised the score most (+0.42 log-probability, in 9 of 10 epochs)"``, the largest
        first.
    """
    dataset, bands = result.to_xarray(), Bands()
    sums, labels = aggregate.band_sums(dataset, bands), aggregate.stage_labels(dataset, "predicted")
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
        where = f"{_band_words(bands.names[band])} at {channels[channel]}"
        found.append((mean, f"{stage}: {where} {_effect(result, mean)}, in {agreeing} of {len(cases)} epochs)"))
    return [text for _, text in sorted(found, key=lambda item: -abs(item[0]))[:n]]


def _effect(result: FlexResult, mean: float) -> str:
    score = "the score" if result.parameters["target"] == "predicted" else explained_words(result)
    if mean == 0:
        return f"did nothing to {score} (0 {unit(result)}"
    return f"{'raised' if mean > 0 else 'lowered'} {score} most ({number_text(mean)} {unit(result)}"


def _band_words(name: str) -> str:
    return "what lies outside all bands" if name == REST else name


def what_was_done(result: FlexResult) -> list[str]:
    """Say what was explained, of which epochs, compared with what."""
    dataset, parameters = result.to_xarray(), result.parameters
    night, explained = dataset.sizes["night"], dataset.sizes["epoch"]
    hours = night * dataset.sizes["time"] / result.sfreq / 3600
    length = f"{hours:.1f} h" if hours >= 0.5 else f"{60 * hours:.0f} min"
    counts = ", ".join(f"{stage} {count}" for stage, count in result.counts().items())
    baseline = "silence on every channel" if parameters["baseline"] == "zero" else f"{parameters['baseline']!r}"
    sentences = [
        f"{result.model} staged {night} epochs ({length}); {explained} of them were explained ({counts}).",
        f"Explained is {explained_words(result)}, in units of {unit(result)}: how much each rhythm of each channel "
        f"changed it, compared with {baseline}. Positive values raised it, negative ones lowered it.",
    ]
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
    return sentences


def agreement_words(result: FlexResult) -> str:
    """Say how far the stager agrees with the hypnogram."""
    agreed = aggregate.agreement(result.to_xarray())
    if agreed is None:
        return "There is no hypnogram to compare the stager with."
    kappa, confusion = agreed
    counts = confusion.to_numpy()
    share = np.trace(counts) / counts.sum()
    said = "not defined (a single stage)" if np.isnan(kappa) else f"{kappa:.2f}"
    return f"Cohen's kappa with the hypnogram is {said}: {100 * share:.0f} % of {counts.sum()} scored epochs agree."


def completeness_words(result: FlexResult) -> str:
    """Say whether the sums can be trusted."""
    gaps = result.relative_gap().ravel()
    tight, loose = (float((gaps <= limit).mean()) for limit in (TIGHT, LOOSE))
    fact = (
        f"In {100 * tight:.0f} % of {gaps.size} {_cases(result)} the attributions add up to F(x) − F(x_b) within 1 % "
        f"of the absolute total of the band sums (median gap {_percent(np.median(gaps))}, largest "
        f"{_percent(gaps.max())})."
    )
    if tight >= MOST:
        return f"{fact} The band sums can be taken as they stand."
    remedy = "a smaller tol, or more gradient evaluations (max_evals, n_steps), bring them closer"
    if loose >= MOST:
        return f"{fact} Differences of a few percent between bands mean nothing; {remedy}."
    return f"{fact} The band sums should not be relied on: {remedy}."


def cancellation_words(result: FlexResult) -> str:
    """Say how much larger the parts are than the change of the score that they add up to; nothing if they are not."""
    dataset = result.to_xarray()
    sizes = np.abs(aggregate.band_sums(dataset, Bands())).sum(axis=-1)
    of = dataset["of_combination"].values
    parts = np.stack([sizes[:, of == k].sum(axis=1) for k in range(dataset.sizes["combination"])], axis=1)
    changes = np.abs(dataset["score"].values - dataset["baseline_score"].values)
    whole, change = float(np.median(parts)), float(np.median(changes))
    if whole <= CANCELLING * change:
        return ""
    return (
        f"Contributions of both signs cancel: typically the band sums have an absolute total of {whole:.3g} while "
        f"the score changed by {change:.2g} ({unit(result)}) from the baseline to the epoch. Read which bands speak "
        "for and against the stage, not how much of the score a band makes up."
    )


def _cases(result: FlexResult) -> str:
    return "epochs" if result.relative_gap().shape[1] == 1 else "pairs of an epoch and a channel combination"


def _percent(share: float) -> str:
    return f"{100 * float(share):.2g} %"


def left_out(result: FlexResult) -> list[str]:
    """Say which epochs could not be explained, and why."""
    provenance = result.provenance
    faults = dict(provenance.get("faults", {}))
    lines = [
        f"{_left(count)} out: {'its' if count == 1 else 'their'} signal is {fault}." for fault, count in faults.items()
    ]
    other = int(provenance["epochs"]) - int(provenance["explained"]) - sum(map(int, faults.values()))
    if other > 0 and result.is_sample:
        lines.append(f"{count_epochs(other)} more {'was' if other == 1 else 'were'} not drawn for the sample.")
    elif other > 0:
        lines.append(f"{_left(other)} out: the stager needs neighbours that the recording does not have.")
    return lines or ["No epoch was left out."]


def _left(count: int) -> str:
    return f"{count_epochs(count)} {'was' if count == 1 else 'were'} left"


def is_simulated(result: FlexResult) -> bool:
    """Whether the provenance says that the recording was simulated."""
    return SIMULATED in result.provenance["warnings"]
