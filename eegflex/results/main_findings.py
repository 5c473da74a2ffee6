"""The main findings of a result: what spoke most for and against each stage, where that is told from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import ABOVE, BELOW, Bands
from eegflex.findings import Finding, Findings, Value, ok, unknown, warning
from eegflex.results import tables
from eegflex.results.decided import DECIDES, baseline_stages, context_share, within_error
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.results.marks import mean_error
from eegflex.results.phase_table import KINDS
from eegflex.results.select import Pooled, channel_types, is_whole, once_each, pool, stage_order
from eegflex.results.spectral_share import READERS, kept_words, limits
from eegflex.results.trust import has_evidence, trust_of_stages
from eegflex.results.window_rhythms import has_windows, neighbours
from eegflex.results.wording import (
    baseline_words,
    count_epochs,
    explained_words,
    number_text,
    percent,
    reading,
    span_words,
    sums_to_change,
    told_stages,
    type_label,
    unit,
)

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["main_findings"]

#: What a scorer looks at in a channel of a type, whatever its frequency.
_LOOKED_AT = {"emg": "muscle tone", "eog": "eye movements", "ecg": "the heartbeat"}
#: What a scorer calls the bands of the others.
_RHYTHMS = {
    "delta": "slow waves (delta)",
    "theta": "theta waves",
    "alpha": "the alpha rhythm",
    "sigma": "sigma, where spindles lie",
    "beta": "beta",
    BELOW: "drifts",
    ABOVE: "what is fast",
}


@dataclass(frozen=True)
class _Sign:
    """Something that a scorer looks at, and what it did in each epoch.

    Attributes
    ----------
    words : str
        What it is.
    did : Pooled
        Attribution in each case.
    error : array, shape (n_cases,)
        Estimated error of that.
    """

    words: str
    did: Pooled
    error: npt.NDArray[np.float64]


def main_findings(result: FlexResult, trust: str = "all") -> Findings:
    """Tell what spoke most for and against each stage; see `FlexResult.main_findings`."""
    every = result.for_target()
    result = every.sel(trust=trust)
    data, together = result.data, _error_together(result.data)
    signs = list(_signs(data, tables.band_sums(data, Bands()), together, _band_errors(data, together)))
    around = _around(data)
    believed = trust_of_stages(every.data) if has_evidence(every.data) else {}
    found: list[Finding] = []
    for stage in stage_order(every.data, "predicted"):
        found += [believed[stage]] if stage in believed else []
        found += _of_stage(result, stage, signs, around)
    return Findings(result.model, tuple(found))


def _around(dataset: xr.Dataset) -> tuple[xr.Dataset, list[_Sign]] | None:
    """What scorers look at in the neighbours of epochs, in those whose windows were explained."""
    found = neighbours(dataset)
    if found is None:
        return None
    errors = np.broadcast_to(found.error[..., None], found.sums.shape)
    return found.dataset, list(_signs(found.dataset, found.sums, found.error, errors))


def _signs(
    dataset: xr.Dataset,
    sums: npt.NDArray[np.float64],
    together: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
) -> Iterator[_Sign]:
    bands, kinds = Bands(), dataset["ch_type"].values.astype(str)

    def sign(words: str, members: npt.NDArray[np.bool_], chosen: slice) -> _Sign:
        own = pool(dataset, errors[..., chosen].sum(axis=-1), members, "predicted").values
        most = pool(dataset, together, members, "predicted", mean=True).values
        did = pool(dataset, sums[..., chosen].sum(axis=-1), members, "predicted")
        return _Sign(words, did, np.minimum(own, most))

    for kind in channel_types(dataset):
        members = kinds == kind
        names = list(dict.fromkeys(dataset["ch_name"].values.astype(str)[members]))
        where = f"at {', '.join(names)}" if len(names) <= 2 else f"in the {type_label(kind)}"
        if kind in _LOOKED_AT:
            yield sign(f"{_LOOKED_AT[kind]} {where}", members, slice(None))
            continue
        for place, name in enumerate(bands.names):
            yield sign(f"{_RHYTHMS[name]}, {span_words(name, bands)}, {where}", members, slice(place, place + 1))


def _error_together(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Estimated error of all bands of all channels of a channel set together, shape (n_epochs, n_channels).

    No sum over some of them has a larger one. 0 where a method has no estimate.
    """
    error = np.fmax(np.abs(dataset["gap"].values), dataset["error"].values * tables.sizes(dataset))
    return np.asarray(np.nan_to_num(error)[:, dataset["of_channel_set"].values])


def _band_errors(dataset: xr.Dataset, together: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Estimated error of each band of each channel, so far as it is known, shape (n_epochs, n_channels, n_names)."""
    if "band_error" not in dataset:
        return np.broadcast_to(together[..., None], (*together.shape, len(Bands().names)))
    own = dataset["band_error"].transpose("epoch", "channel", "band").values.astype(np.float64)
    return np.where(np.isfinite(own), own, together[..., None])


def _of_stage(
    result: FlexResult, stage: str, signs: list[_Sign], around: tuple[xr.Dataset, list[_Sign]] | None
) -> Iterator[Finding]:
    n_epochs = int((tables.stage_labels(result.data, "predicted") == stage).any(axis=1).sum())
    if n_epochs < MIN_EPOCHS:
        few = f"{count_epochs(n_epochs)} of it are too few to say what raised or lowered the score"
        few = few.replace(" are ", " is ") if n_epochs == 1 else few
        yield unknown(few, f"Explain at least {MIN_EPOCHS}", stage=stage, n_epochs=n_epochs).named(stage)
        return
    yield from _context(result.data, stage)
    yield from _baseline(result, stage)
    if around is not None:
        yield from _of_neighbours(result, stage, *around)
    yield from _waveforms(result.data, stage)
    effects = [_effect(result.data, stage, sign) for sign in signs]
    for side, sign in (("for", 1), ("against", -1)):
        own = sorted((one for one in effects if sign * one.mean > 0), key=lambda one: -abs(one.mean))
        told = [place for place, one in enumerate(own) if one.is_told]
        if told:
            yield _tell(result, stage, own[told[0]], own[: told[0]]).named(f"{stage} {side}")
    if not any(one.is_told for one in effects):
        nothing = (
            f"over {count_epochs(n_epochs)}, nothing that raised or lowered the score is told from nothing: no interval of "
            "95 % leaves out 0, or no mean is larger than its error"
        )
        remedy = "Explain more epochs, of other parts of the night"
        yield unknown(nothing, remedy, stage=stage, n_epochs=n_epochs).named(stage)


def _of_neighbours(result: FlexResult, stage: str, dataset: xr.Dataset, signs: list[_Sign]) -> Iterator[Finding]:
    """What in the neighbours spoke most for and against a stage, where it is told from nothing in enough windows."""
    how = reading(result)
    effects = [one for one in (_effect(dataset, stage, sign) for sign in signs) if one.is_told]
    for side, word, sign in (("for", how.raised, 1), ("against", how.lowered, -1)):
        own = [one for one in effects if sign * one.mean > 0]
        if not own:
            continue
        one = max(own, key=lambda effect: abs(effect.mean))
        mean, n_epochs = one.mean, len(one.values)
        told = (
            f"in the neighbours of the epoch, {one.words} {word} the score most ({number_text(mean)} {unit(result)}, 95 % "
            f"interval {number_text(one.low, mean)} to {number_text(one.high, mean)}, in the windows of "
            f"{count_epochs(n_epochs)} where they decide)"
        )
        values: dict[str, Value] = {"what": one.words, "mean": mean, "ci_low": one.low, "ci_high": one.high}
        found = ok(told, stage=stage, **values, error=one.error, n_epochs=n_epochs)
        yield found.named(f"{stage} neighbours {side}")


@dataclass(frozen=True)
class _Effect:
    """What a sign did over the epochs of a stage."""

    words: str
    values: npt.NDArray[np.float64]
    low: float
    high: float
    error: float
    mean: float = 0.0

    @property
    def is_told(self) -> bool:
        """Whether it is told from nothing; an interval that is not known, NaN, does not tell it."""
        return len(self.values) >= MIN_EPOCHS and (self.low > 0 or self.high < 0) and abs(self.mean) > self.error


def _effect(dataset: xr.Dataset, stage: str, sign: _Sign) -> _Effect:
    of_stage = sign.did.labels == stage
    epochs, values = sign.did.epochs[of_stage], sign.did.values[of_stage]
    if not len(values):
        return _Effect(sign.words, values, np.nan, np.nan, np.nan)
    blocks = blocks_of(dataset["onset"].values[epochs], dataset["recording"].values[epochs])
    weights = sign.did.weights_of(stage)
    low, high = (float(end[0]) for end in mean_interval(values[:, None], blocks, weights))
    error = float(mean_error(sign.error[of_stage], weights))
    return _Effect(sign.words, values, low, high, error, float(sign.did.mean(stage)))


def _tell(result: FlexResult, stage: str, one: _Effect, larger: list[_Effect]) -> Finding:
    """The finding of an effect; larger ones that are not told from nothing are named, for they may be real."""
    how, mean, n_epochs = reading(result), one.mean, len(one.values)
    score = "the score" if result.parameters["target"] == "predicted" else explained_words(result)
    agreeing = int((np.sign(one.values) == np.sign(mean)).sum())
    told = (
        f"{how.subject.format(what=one.words)} {how.raised if mean > 0 else how.lowered} {score} most "
        f"({number_text(mean)} {unit(result)}, 95 % interval {number_text(one.low, mean)} to {number_text(one.high, mean)}, in "
        f"{agreeing} of {count_epochs(n_epochs)}){_whole(result, stage)}"
    )
    if larger:
        names = " and ".join(f"{other.words} ({number_text(other.mean, mean)})" for other in larger)
        told += f"; larger on average, but too uncertain to tell: {names}"
    return ok(
        told, stage=stage, what=one.words, mean=mean, median=float(np.median(one.values)), ci_low=one.low, ci_high=one.high,
        error=one.error, n_agreeing=agreeing, n_epochs=n_epochs,
    )  # fmt: skip


def _whole(result: FlexResult, stage: str) -> str:
    """Say what all that the stager was given did, where attributions sum to that and all channels are there."""
    data = result.data
    if not (sums_to_change(result) and is_whole(data)):
        return ""
    change = once_each(data, data["score"].values - data["baseline_score"].values)
    did = pool(data, change, np.ones(change.shape[1], dtype=bool), "predicted")
    return f"; all together changed it by {number_text(float(did.mean(stage)))}"


def _waveforms(dataset: xr.Dataset, stage: str) -> Iterator[Finding]:
    """That no sum over bands holds what decided, or may not: what was lost with random phases and all magnitudes."""
    row = limits(dataset).get(stage)
    if row is None:
        return
    way, agreement = str(row["decided_by"]), {f"agreement_{kind}": float(row[f"agreement_{kind}"]) for kind in KINDS}
    values: dict[str, Value] = {"stage": stage, "decided_by": way, **agreement, "n_epochs": int(row["n_epochs"])}
    first, second = (kept_words(row, kind) for kind in KINDS)
    kept = f"{first} of {count_epochs(int(row['n_epochs']))} of the night keep {stage} with all magnitudes and random phases"
    both = kept if first == second else f"{kept}, the same in all channels, and {second} with each channel's own"
    if way == "waveforms":
        told = f"waveforms decided, which no sum over bands tells: {kept}"
        found = warning(told, f"What follows does not tell it; look at {READERS}", **values)
    elif way == "relations":
        told = f"relations between channels decided, and no channel by itself: {both}"
        found = warning(told, "Read what follows for the channels together", **values)
    else:
        found = unknown(f"it is unclear whether the spectrum decided: {both}", f"Look also at {READERS}", **values)
    yield found.named(f"{stage} phases")


def _context(dataset: xr.Dataset, stage: str) -> Iterator[Finding]:
    """What the context did, where it decided, or that the epochs themselves did nothing that is told from nothing."""
    of_stage = tables.epoch_stages(dataset, "predicted") == stage
    n_epochs = int(of_stage.sum())
    if n_epochs < MIN_EPOCHS:
        return
    n_within = int((within_error(dataset)[of_stage].mean(axis=1) >= 0.5).sum())
    within = f"the change by the epoch itself is within its error in {n_within} of {count_epochs(n_epochs)}"
    values: dict[str, Value] = {"stage": stage, "n_within_error": n_within, "n_epochs": n_epochs}
    share = context_share(dataset)[of_stage] if "replaced_scores" in dataset else np.full((n_epochs, 1), np.nan)
    known = np.isfinite(share).any(axis=1)
    own = np.nanmean(share[known], axis=1)
    middle = float(np.median(own)) if known.sum() >= MIN_EPOCHS else np.nan
    if middle > DECIDES:
        onset, recording = (dataset[name].values[of_stage][known] for name in ("onset", "recording"))
        low, high = (float(end[0]) for end in mean_interval(own[:, None], blocks_of(onset, recording)))
        told = f"the epochs around decided: the median of their share of the change is {percent(middle)}, and {within}"
        remedy = "What follows is of the epoch itself; context='scaled' attributes to those around it"
        if has_windows(dataset):
            remedy = "What is told of the epoch itself is the lesser part; window_rhythms() has the epochs around it"
        values |= {"context_share": middle, "mean": float(own.mean()), "ci_low": low, "ci_high": high}
        yield warning(told, remedy, **values).named(f"{stage} context")
    elif n_within > n_epochs / 2:
        remedy = "What it did is not told from nothing; explain it compared with another baseline"
        yield warning(within, remedy, **values).named(f"{stage} change")


def _baseline(result: FlexResult, stage: str) -> Iterator[Finding]:
    """That the model calls the baseline this stage already, where it mostly does and the stage is not set against another."""
    of_stage = result.parameters["target"] in ("predicted", "scored", "all", stage) and sums_to_change(result)
    if not (of_stage and "replaced_scores" in result.data):
        return
    called = told_stages(baseline_stages(result.data, stage), result.parameters["context"])
    share = float(called[stage])
    if share > DECIDES:
        place = " in their place" if result.parameters["context"] == "fixed" else ""
        told = (
            f"the baseline, {baseline_words(result)}{place}, is called {stage}, too ({percent(share)}): what follows tells how "
            f"these epochs differ from it, and little of what makes them {stage}"
        )
        yield warning(told, _another(result, stage), stage=stage, share=share).named(f"{stage} baseline")


def _another(result: FlexResult, stage: str) -> str:
    """What else to ask where the baseline is the stage already."""
    margin = "Ask for the margin over another stage"
    scored = set(result.data["night_stage"].values.astype(str)) if "night_stage" in result.data.coords else set()
    used = str(result.parameters["baseline"]).removeprefix("stage:")
    others = [one for one in result.stages if one in scored and one not in (stage, used)]
    return (
        f"{margin}, or compare with an ordinary epoch of one, as baseline='stage:{others[0]}' does"
        if others
        else margin
    )
