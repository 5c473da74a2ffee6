"""A methods section for a paper, of what a result itself says of how it was made: nothing that is not known is stated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eegflex.bands import Bands
from eegflex.readers.notes import SIMULATED
from eegflex.results import tables
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.means import only_means
from eegflex.results.recordings import one_recording, provenances
from eegflex.results.references import REFERENCES, Reference, cited_by
from eegflex.results.spectral_share import has_share
from eegflex.results.subset import numbers_text
from eegflex.results.trust import has_evidence, judge
from eegflex.results.wording import (
    baseline_words,
    count_epochs,
    explained_words,
    method_words,
    percent,
    reading,
    sum_words,
    sums_to_change,
    type_label,
    unit,
    window_words,
)
from eegflex.scores import NEGLIGIBLE
from eegflex.settings import ADAPTIVE, DRAWN_BASELINES
from eegflex.stages import NOT_STAGED

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["Methods", "methods_of"]


class _Cited:
    """Which works were cited, in the order in which they were."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, *names: str) -> str:
        """How works are cited in the text."""
        self.names += [name for name in names if name not in self.names]
        return f"({'; '.join(REFERENCES[name].short for name in names)})"


@dataclass(frozen=True)
class Methods:
    """A methods section.

    Attributes
    ----------
    paragraphs : tuple of str
        Its paragraphs.
    references : tuple of Reference
        The works that they cite, in alphabetical order.
    """

    paragraphs: tuple[str, ...]
    references: tuple[Reference, ...]

    def __str__(self) -> str:
        listed = [f"{place}. {one}" for place, one in enumerate(self.references, 1)]
        return "\n\n".join([*self.paragraphs, "\n".join(["References", *listed])])

    def to_bibtex(self) -> str:
        """The works, as BibTeX."""
        return "\n\n".join(one.to_bibtex() for one in self.references) + "\n"


def methods_of(result: FlexResult, *, of_all: bool = False) -> Methods:
    """Write the methods section of a result of one recording; see `FlexResult.methods_text`.

    Parameters
    ----------
    result : FlexResult
        The result.
    of_all : bool
        Whether it is the predicted target of a result of all stages.
    """
    written, works = _written(result, of_all=of_all)
    return Methods(tuple(written), tuple(works))


def _written(result: FlexResult, *, of_all: bool = False) -> tuple[list[str], list[Reference]]:
    one_recording(result.data, None, "A methods section")
    cite = _Cited()
    of_all, single = of_all or result.parameters["target"] == "all", result.for_target()
    told = next(iter(provenances(result.data).values()))
    written = [
        " ".join(filter(None, sentences))
        for sentences in (
            _recording(single, told),
            _stager(single, told, cite),
            _attribution(single, told, cite, of_all=of_all),
            _statistics(single, cite),
            _evaluation(single, told, cite),
            _software(single, told, cite),
        )
    ]
    works = sorted((REFERENCES[name] for name in cite.names), key=lambda one: (one.authors[0].casefold(), one.year))
    return [text for text in written if text], works


def _recording(result: FlexResult, told: Mapping[str, Any]) -> Iterator[str]:
    data = result.data
    n, seconds = int(told["epochs"]), data.sizes["time"] / result.sfreq
    kinds, names = data["ch_type"].values.astype(str), data["ch_name"].values.astype(str)
    by_kind = {kind: list(dict.fromkeys(names[kinds == kind].tolist())) for kind in dict.fromkeys(kinds.tolist())}
    listed = "; ".join(f"{type_label(kind)} {', '.join(own)}" for kind, own in by_kind.items())
    rate = f", recorded at {told['sfreq_recorded']:.6g} Hz," if "sfreq_recorded" in told else ""
    yield f"One recording of {count_epochs(n)} of {seconds:g} s ({n * seconds / 3600:.2g} h){rate} was analysed."
    n_scored = int((~np.isin(data["night_stage"].values.astype(str), ["", *NOT_STAGED])).sum())
    yield f"A hypnogram had a stage for {n_scored} of them." if n_scored else "No hypnogram was given."
    if SIMULATED in told.get("warnings", ()):
        yield "It was simulated by eegflex and is not of a person."
    yield f"The channels explained were {listed}."
    if told.get("derived"):
        yield f"Of these, {', '.join(map(str, told['derived']))} {_is(told['derived'])} derived from recorded channels."
    yield _prepared(result, told)
    if told.get("left_out"):
        n_left = int(told["left_out"])
        yield f"{count_epochs(n_left)} could not be explained and {_was(n_left)} left out."


def _prepared(result: FlexResult, told: Mapping[str, Any]) -> str:
    """The filter, the rate and the scaling, as they were done."""
    done, own = [], told.get("filter") or {}
    edges = [
        f"{name} at {own[key]:g} Hz" for name, key in (("high-pass", "l_freq"), ("low-pass", "h_freq")) if own.get(key)
    ]
    if edges:
        length = f", {own['length_s']:.3g} s long" if own.get("length_s") else ""
        done.append(f"filtered ({' and '.join(edges)}; {own['design']}{length})")
    if told.get("resampled"):
        done.append(f"resampled from {told['resampled']}")
    scale = result.spec["input"]["scale"]
    if scale["kind"] != "none":
        words = {"zscore": "to mean 0 and standard deviation 1", "robust": "by median and interquartile range"}
        how = words.get(scale["kind"], f"({scale['kind']})")
        clip = f" and clipped at ±{scale['clip']:g}" if scale.get("clip") else ""
        done.append(f"standardised {how}, each channel over the {scale['per']}{clip},")
    if not done:
        return ""
    *first, last = done
    return f"As the stager's spec requires, signals were {', '.join(first) + ' and ' * bool(first)}{last} before anything else."


def _stager(result: FlexResult, told: Mapping[str, Any], cite: _Cited) -> Iterator[str]:
    spec = result.spec
    known, others = cited_by(str(spec["model"].get("citation", "")))
    works = f" {cite(*known)}" if known else ""
    digest = f", weights with SHA-256 {told['model_sha256']}" if told.get("model_sha256") else ""
    yield f"Stages ({', '.join(result.stages)}) were given by {result.model}{works}{digest}."
    if others:
        yield f"Its spec also says: {'; '.join(others)}."
    if spec["model"].get("assumed"):
        yield f"Its spec does not declare {', '.join(map(str, spec['model']['assumed']))}; eegflex assumed them."
    context = spec["input"]["context"]
    if context["whole"]:
        yield "It gets each epoch together with all others of the night."
    elif context["before"] or context["after"]:
        yield f"It gets each epoch with {context['before']} before and {context['after']} after it."
    if result.data.sizes["channel_set"] > 1:
        yield (
            f"It was run once for each of {result.data.sizes['channel_set']} sets of channels, each of which was explained by "
            "itself; where they differ, an epoch has the stage of the set that was surest of it."
        )


def _attribution(result: FlexResult, told: Mapping[str, Any], cite: _Cited, *, of_all: bool) -> Iterator[str]:
    asked = result.parameters
    yield _which_epochs(result, told)
    what = "the score of every stage; reported here is that of the predicted one" if of_all else explained_words(result)
    yield f"The analysis explained {what} ({unit(result)}) by {_by_method(result, cite)}."
    yield f"Epochs were compared with {baseline_words(result)}{_how_chosen(told)}. {sum_words(result)}"
    if str(asked["baseline"]).startswith("aperiodic"):
        yield f"Oscillatory peaks were separated from the aperiodic part after {cite('aperiodic').strip('()')}."
    yield from _quadrature(result)
    yield from _context(result, told)
    bands = ", ".join(f"{name} {low:g}–{high:g} Hz" for name, (low, high) in Bands().items())
    yield f"Attributions were summed within {bands} (lower edges included), and below and above these."
    if asked.get("second_opinion"):
        yield f"Some epochs of each stage were explained a second time by Shapley values of the bands {cite('shapley')}."
    phases = told.get("random_phases") if has_share(result.data) else None
    if phases:
        yield (
            f"{count_epochs(phases['n_epochs'])} of the night {_was(phases['n_epochs'])} staged again with recorded magnitudes "
            f"and random phases ({phases['n_draws']} draw{'s' * (phases['n_draws'] != 1)}), to tell spectra from waveforms."
        )


def _which_epochs(result: FlexResult, told: Mapping[str, Any]) -> str:
    asked, n, of = result.parameters, len(result), int(told["epochs"])
    counts = ", ".join(f"{stage} {count}" for stage, count in result.counts().items())
    stopped = " (the attribution was stopped early)" if result.is_partial else ""
    chosen = ""
    if asked.get("select") is not None:
        picked = (
            f"those with {asked['select']}"
            if isinstance(asked["select"], str)
            else f"numbers {numbers_text(asked['select'])}"
        )
        chosen = f", chosen by the user ({picked})"
    if asked.get("sample_per_stage") is not None and n < of:
        chosen += (
            f", drawn at random, at most {asked['sample_per_stage']} of each predicted stage (seed {asked['seed']})"
        )
    which = f"All {count_epochs(n)}" if n == of else f"{n} of {count_epochs(of)}"
    return f"{which} were explained{chosen} ({counts}){stopped}."


def _by_method(result: FlexResult, cite: _Cited) -> str:
    method = str(result.parameters["method"])
    if method == "flex":
        return (
            f"FLEX {cite('flex')}: Integrated Gradients {cite('ig')} over the magnitudes of the Fourier spectrum of each "
            "channel, phases held fixed"
        )
    works = {
        "saliency": ("saliency", "captum"), "input_x_gradient": ("captum",), "deeplift": ("deeplift", "captum"),
        "gradient_shap": ("gradient_shap", "captum"), "shapley": ("shapley",), "shapley_sampling": ("shapley", "captum"),
        "feature_ablation": ("captum",),
    }.get(method, ())  # fmt: skip
    return method_words(result) + (f" {cite(*works)}" if works else "")


def _how_chosen(told: Mapping[str, Any]) -> str:
    chosen = told.get("baseline")
    return f" (chosen because {chosen['because']})" if chosen else ""


def _quadrature(result: FlexResult) -> Iterator[str]:
    asked, data = result.parameters, result.data
    n_gradients = data["n_gradients"].values
    if only_means(data):
        counts = " to ".join(map(str, sorted({int(n_gradients.min()), int(n_gradients.max())})))
        yield (
            f"The gradient was taken at {counts} points of each epoch's path, drawn at random, so that means over the epochs "
            "of a stage are right on average and single epochs are not to be read."
        )
        return
    if asked.get("quadrature") == ADAPTIVE:
        yield (
            f"The integral was refined until the estimated error of the band sums was within {percent(asked['tol'])} of their "
            f"absolute total, with at most {asked['max_evals']} gradients for an epoch (median {np.median(n_gradients):.0f})."
        )
        n_negligible = int(tables.is_negligible(data).sum())
        if n_negligible:
            yield (
                f"Of {n_negligible} of {data['size'].size} explanations the absolute total was negligible (less than "
                f"{NEGLIGIBLE:g} of the standard deviation of the scores over the night); their errors are relative to "
                "that limit."
            )
    elif asked.get("quadrature"):
        steps = f" with {asked['n_steps']} nodes" if asked.get("n_steps") else ""
        yield f"The integral was taken by the fixed rule {asked['quadrature']}{steps}, which has no estimate of its error."
    if str(asked["baseline"]) in DRAWN_BASELINES:
        yield "The baseline was drawn at random several times for each epoch, and attributions are means over the draws."
    error = data["error"].values[np.isfinite(data["error"].values)]
    if len(error):
        median, most = np.quantile(error, [0.5, 0.95])
        yield (
            f"Estimated errors of the band sums were {percent(median)} of their absolute total at the median, and within "
            f"{percent(most)} in 95 % of explanations."
        )
    if sums_to_change(result):
        gap = float(np.nanmedian(result.relative_gap()))
        yield f"Attributions missed the change of the score that they sum to by {percent(gap)} of that total at the median."


def _context(result: FlexResult, told: Mapping[str, Any]) -> Iterator[str]:
    spec = result.spec["input"]["context"]
    if not (spec["whole"] or spec["before"] or spec["after"]):
        return
    moved = "moved along the path, too" if result.parameters["context"] == "scaled" else "stayed as recorded"
    yield f"Neighbouring epochs {moved}."
    window = told.get("window")
    if window and "error_median" in window:
        yield (
            f"Gradients were taken within windows of {window_words(window)}, which changed the band sums of "
            f"{count_epochs(int(window['measured_on_epochs']))} by {percent(window['error_median'])} at the median."
        )


def _statistics(result: FlexResult, cite: _Cited) -> Iterator[str]:
    jackknife = "means with 95 % intervals from the jackknife over"
    if only_means(result.data):
        yield f"Told are {jackknife} blocks of 10 minutes, corrected for skewness {cite('means')}."
        return
    few = max(result.counts().values(), default=0) < MIN_EPOCHS
    yield (
        f"Over epochs of a stage (at least {MIN_EPOCHS}), findings are medians with 95 % intervals from blocks of 10 minutes "
        f"{cite('medians')}, and tables have {jackknife} the same blocks, corrected for skewness {cite('means')}"
        f"{'; of no stage were so many explained' if few else ''}."
    )


#: What each part of an evaluation does, and the works that it is after.
_PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "faithfulness": ("insertion and deletion of frequencies in the order of their attribution", ()),
    "knock-out": ("taking bands to the baseline, and infidelity", ("infidelity",)),
    "one by one": ("putting in and leaving out single bands", ()),
    "sets": ("the smallest sets of bands that keep or lose the stage", ()),
    "shortcuts": ("attribution where no sleep can be seen", ()),
    "events": ("attribution within events that scorers use", ()),
    "stability": ("noise and a shift of the signal", ("infidelity",)),
    "agreement": ("other baselines, and neighbouring epochs", ()),
    "sanity": ("random weights, other stages and random phases", ("sanity",)),
}


def _evaluation(result: FlexResult, told: Mapping[str, Any], cite: _Cited) -> Iterator[str]:
    evaluated = told.get("evaluation")
    if not evaluated:
        return
    settings, cases = evaluated["settings"], evaluated["cases"]
    said = []
    for name in evaluated["done"]:
        words, works = _PARTS.get(name, (name, ()))
        said.append(words + (f" {cite(*works)}" if works else ""))
    n, of = len(cases), len({number for number, _ in cases})
    sample = (
        f", at most {settings['sample_per_stage']} of each predicted stage" if settings.get("sample_per_stage") else ""
    )
    seed = f" (seed {settings['seed']})" if "seed" in settings else ""
    yield (
        f"Tests on the model used {n} explanations of {count_epochs(of)}{sample}{seed}, in some tests fewer: "
        f"{'; '.join(said)}."
    )
    if evaluated["left"]:
        yield f"The evaluation was stopped before {', '.join(evaluated['left'])}."
    if has_evidence(result.data):
        found = judge(result.data)
        known = [name for name, values in found.holds.items() if np.isfinite(values).any()]
        yield (
            f"An epoch was trusted if all of {len(known)} criteria ({', '.join(known)}) held of it with most of its tested "
            f"channel sets: {int(found.epochs.sum())} of {count_epochs(int(found.tested.sum()))} that were tested."
        )


#: What provenance calls software, and what it is called. What captum did is cited with the method.
_SOFTWARE = (("eegflex", "eegflex"), ("mne", "MNE-Python"), ("torch", "PyTorch"), ("numpy", "NumPy"))


def _software(result: FlexResult, told: Mapping[str, Any], cite: _Cited) -> Iterator[str]:
    used = [
        f"{name} {told[key]}" + (f" {cite(key)}" if key in REFERENCES else "")
        for key, name in _SOFTWARE
        if told.get(key)
    ]
    precision = f" in {result.parameters['dtype']}" if result.parameters.get("dtype") else ""
    if "captum" in cite.names and told.get("captum"):
        used.append(f"captum {told['captum']}")
    yield f"Computed{precision} with {', '.join(used)}."
    yield f"The recording has SHA-256 {told['recording_sha256']}."
    if not reading(result).sums:
        yield "The attributions of this method are not meant to sum to the change of the score."


def _was(n: int) -> str:
    return "was" if int(n) == 1 else "were"


def _is(those: list[str]) -> str:
    return "is" if len(those) == 1 else "are"
