"""What was asked of a cohort, in words: who staged it, compared with what, and of which epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eegflex.results.wording import BASELINES, count_epochs, words_of

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["asked_sentences", "positive_words", "staged_by", "warnings_of"]

_TARGETS = {
    "predicted": "the score of the predicted stage",
    "scored": "the score of the stage in the hypnogram",
    "margin": "the score of the predicted stage minus that of the runner-up",
    "all": "the score of each stage; shown is the predicted one",
}
_CONTEXTS = {"fixed": "its neighbours stay as recorded", "scaled": "its neighbours change together with it"}


def _asked(cohort: Cohort, name: str) -> str:
    """What the cohort says of its own asking; empty where it says nothing."""
    told = cohort.spectra.attrs.get(name, "")
    return "" if told is None else str(told)


def staged_by(cohort: Cohort) -> str:
    """The stager; empty where nobody knows."""
    return _asked(cohort, "model")


def _baseline(cohort: Cohort) -> str:
    name = _asked(cohort, "baseline")
    if name == "auto":
        return "what suits each recording (chosen automatically)"
    return words_of(name) if name.partition(":")[0] in BASELINES else name


def positive_words(cohort: Cohort) -> str:
    """Say what a positive number is."""
    baseline, target = _baseline(cohort), _asked(cohort, "target")
    compared = f", compared with {baseline}," if baseline else ""
    score = _TARGETS.get(target, f"the score of {target}" if target else "the score").partition(";")[0]
    return f"Positive: what is in a column{compared} raised {score}. Negative: it lowered it."


def asked_sentences(cohort: Cohort, *, short: bool) -> list[str]:
    """Say what was asked, as far as the cohort knows it: as parts of one line, or as sentences."""
    stager, baseline, target = staged_by(cohort), _baseline(cohort), _asked(cohort, "target")
    sample, context, method = (_asked(cohort, name) for name in ("sample_per_stage", "context", "method"))
    n = int(sample) if sample.isdigit() else 0
    if short:
        parts = (
            f"staged by {stager}" if stager else "",
            f"explained by comparing with {baseline}" if baseline else "",
            f"a sample of {count_epochs(n)} a stage" if n else "",
        )
        return [part for part in parts if part]
    told = (
        f"Staged by {stager}." if stager else "",
        f"The attributions explain {_TARGETS.get(target, f'the score of {target}')}." if target else "",
        f"Epochs are compared with {baseline}." if baseline else "",
        f"While an epoch is compared, {_CONTEXTS[context]}." if context in _CONTEXTS else "",
        f"The method is {method}." if method else "",
        f"Of each recording at most {count_epochs(n)} of each predicted stage were explained, drawn at random: a person's "
        "number has the error of that sample."
        if n
        else "",
    )
    return [sentence for sentence in told if sentence] or ["These tables do not contain the settings."]


def warnings_of(cohort: Cohort) -> list[str]:
    """What stands on top."""
    found = []
    if _asked(cohort, "simulated") in ("True", "true", "1"):
        found.append("These recordings are simulated.")
    if not (cohort.recordings["status"] == "done").any():
        found.append("No recording is done yet.")
    return found
