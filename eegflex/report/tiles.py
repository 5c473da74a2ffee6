"""The four tiles of the first screen: what a reader must know before any number below is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eegflex.report.facts import GRADES, StageFacts, grade, worst
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.night import Night
from eegflex.results.wording import count_epochs, percent

if TYPE_CHECKING:
    from eegflex.findings import Finding

__all__ = ["Tile", "make_tiles"]


@dataclass(frozen=True)
class Tile:
    """A judgement: how it is graded, in a few words, and the numbers that it rests on."""

    grade: str
    title: str
    text: str

    @property
    def mark(self) -> str:
        """What stands for its grade without a colour."""
        return GRADES[self.grade]


#: What a tile says by its grade.
_FITS = {
    "good": "The stager agrees with the scorer",
    "some": "The stager agrees with the scorer in part",
    "bad": "The stager does not agree with the scorer",
    "unknown": "This night was not scored",
}
_AGREE = {"good": "The channels agree", "some": "Not all channels agree", "bad": "The channels disagree"}
_WORDS = {"waveforms": "waveforms, not rhythms,", "relations": "relations between channels"}
#: What decides a stage that nothing else does, by what random phases said of it; nothing where that is not known.
_OWN = {"the epoch's own rhythms decide": ("spectrum",), "the epoch itself decides": ("",)}


def make_tiles(night: Night, stages: Sequence[StageFacts], agreement: Finding | None) -> list[Tile]:
    """Make the four tiles.

    Parameters
    ----------
    night : Night
        The night.
    stages : sequence of StageFacts
        Of all stages that epochs were explained of.
    agreement : Finding | None
        How far stager and scorer agree, as `eegflex.evaluation.assess` has it.
    """
    return [_fits(night, agreement), _channels(night), _decides(stages), _looked_at(night, stages)]


def _fits(night: Night, agreement: Finding | None) -> Tile:
    kappa, low, high = (_number(agreement, name) for name in ("kappa", "kappa_low", "kappa_high"))
    judged = night.is_judged
    if not judged.any():
        return Tile("unknown", _FITS["unknown"], "Without a hypnogram it is not known whether the stager is right.")
    right = int((judged & ~night.is_wrong).sum())
    known = np.isfinite(low)
    how = grade("agreement", low) if known else worst("some", grade("agreement", kappa))
    between = f" (95 % interval {low:.2f} to {high:.2f})" if known else ", from too few epochs for an interval"
    parts = [f"{right} of {count_epochs(int(judged.sum()))} agree ({percent(right / judged.sum())})"]
    parts += [f"with a kappa of {kappa:.2f}{between}"] if np.isfinite(kappa) else []
    single = night.kappas()
    said = [", ".join(parts) + "."]
    hardest = _hardest(night)
    said += [_found(night, stage) for stage in dict.fromkeys(["N1", hardest]) if (night.scored == stage).any()]
    if len(single) > 1 and np.isfinite(single).any():
        said.append(f"Single channels: kappa {np.nanmin(single):.2f} to {np.nanmax(single):.2f}.")
    return Tile(how, _FITS[how], " ".join(said))


def _number(finding: Finding | None, name: str) -> float:
    value = None if finding is None else finding.values.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _hardest(night: Night) -> str:
    """The stage that is found least often, among those that were scored often enough to tell."""
    counts = {stage: int((night.is_judged & (night.scored == stage)).sum()) for stage in night.stages}
    shares = {
        stage: night.share(~night.is_wrong, night.is_judged & (night.scored == stage))[0]
        for stage, count in counts.items()
        if count >= MIN_EPOCHS
    }
    return min(shares, key=lambda stage: shares[stage], default="")


def _found(night: Night, stage: str) -> str:
    """How often a stage was found, and what it was mostly taken for."""
    own = night.is_judged & (night.scored == stage)
    share, low, high = night.share(~night.is_wrong, own)
    if not np.isfinite(share):
        return ""
    between = f", 95 % interval {percent(low)} to {percent(high)}" if np.isfinite(low) and low < high else ""
    missed = night.predicted[own & night.is_wrong].tolist()
    other = max(dict.fromkeys(missed), key=missed.count, default="")
    taken = f"; {missed.count(other)} {'was' if missed.count(other) == 1 else 'were'} called {other}" if other else ""
    n = int(own.sum())
    return f"{stage} is found in {round(share * n)} of its {count_epochs(n)} ({percent(share)}{between}){taken}."


def _channels(night: Night) -> Tile:
    staged, n_sets = night.is_staged, night.answers.shape[1]
    if n_sets == 1:
        return Tile(
            "unknown", "One answer from all channels", "The stager uses all channels together, so they cannot disagree."
        )
    share, low, high = night.share(night.is_disputed, staged)
    how = grade("disagreement", share)
    if how == "unknown":
        return Tile(how, "No epoch was staged", "Agreement between channels is not known.")
    if int(staged.sum()) < MIN_EPOCHS:
        few = f"{count_epochs(int(staged.sum()))} of the night {'was' if staged.sum() == 1 else 'were'} staged."
        return Tile("unknown", "Too few epochs to compare the channels", few)
    n = int(night.is_disputed.sum())
    between = f", 95 % interval {percent(low)} to {percent(high)}" if np.isfinite(low) and low < high else ""
    where = night.predicted[night.is_disputed].tolist()
    most = max(dict.fromkeys(where), key=where.count, default="")
    text = f"{n_sets} channels staged the night, each by itself. In {n} of {count_epochs(int(staged.sum()))} "
    text += f"({percent(share)}{between}) they give different stages"
    text += f", most often where the most confident channel says {most} ({where.count(most)})" if most else ""
    text += ": there, what explains one channel does not explain the night." if n else "."
    return Tile(how, _AGREE[how], text)


def _decides(stages: Sequence[StageFacts]) -> Tile:
    """What decides, stage by stage; of too few epochs only what was seen in them."""
    told = [one for one in stages if one.is_told]
    elsewhere = [one for one in told if one.is_elsewhere]
    how = grade("decided elsewhere", len(elsewhere) / len(stages)) if told else "unknown"
    known = [one for one in stages if one.n_context_known]
    said = list(_elsewhere(told))
    for way, words in _WORDS.items():
        own = [one for one in stages if one.way == way]
        if own:
            said.append(f"{words.capitalize()} decide {', '.join(map(_lost, own))}.")
    if unclear := [one for one in stages if one.way == "unclear"]:
        said.append(f"Rhythms or waveforms: unclear for {', '.join(one.stage for one in unclear)}.")
    said += _open(told)
    rest = [one for one in told if not (one.is_elsewhere or one.is_open or one.way == "unclear")]
    alone = "" if known else " (the stager sees no other)"
    for words, ways in _OWN.items():
        if names := ", ".join(f"{one.stage} (n = {one.n})" for one in rest if one.way in ways):
            said.append(f"{names}: {words}{alone}.")
    if any(not one.way for one in rest):
        said.append("Whether rhythms or waveforms do is not known.")
    few = [one for one in stages if not one.is_told]
    if few:
        said.append(f"Too few epochs to tell ({', '.join(f'{one.stage} {one.n}' for one in few)}).")
    if around := [one for one in few if one.is_of_context]:
        said.append(f"In these, the neighbouring epochs decide {_names(around, 'n_context', 'n_context_known')}.")
    verb = "is" if len(elsewhere) == 1 else "are"
    not_so = f"{_list(elsewhere)} {verb} not decided by the epoch's own rhythms"
    titles = {
        "good": "The epoch itself decides",
        "some": not_so,
        "bad": not_so,
        "unknown": "What decides is not known",
    }
    own = [one for one in told if not one.is_open]
    if how == "good" and len(own) < len(stages):
        how = "unknown" if len(own) < len(stages) / 2 else "some"
        titles |= {"some": f"The epoch itself decides {_list(own)}"}
    return Tile(how, titles[how], " ".join(said))


def _lost(one: StageFacts) -> str:
    """A stage that is lost with random phases, and in how many epochs of the night it is not."""
    share, low, high, n = one.kept
    between = f", 95 % interval {percent(low)} to {percent(high)}" if np.isfinite(low) and low < high else ""
    return f"{one.stage} (with these scrambled, {percent(share)} of {n} keep it{between})"


def _elsewhere(stages: Sequence[StageFacts]) -> Iterator[str]:
    if silent := [one for one in stages if one.is_silent]:
        yield f"{_names(silent, 'n_within', 'n')}: the epoch moves the score by less than the error."
    if around := [one for one in stages if one.is_of_context]:
        yield f"The neighbouring epochs decide {_names(around, 'n_context', 'n_context_known')}."


def _open(stages: Sequence[StageFacts]) -> Iterator[str]:
    """Of which stages it is not told whether the epoch or its neighbours decide, and why."""
    if kept := [one.stage for one in stages if one.is_open and one.is_kept]:
        yield f"{', '.join(kept)}: mostly said without the epoch and its neighbours, too, so what decides is not told."
    if unclear := [one for one in stages if one.is_open and not one.is_kept]:
        shares = ", ".join(f"{one.stage} {percent(one.context.median)}" for one in unclear)
        yield f"Whether the epoch or its neighbours decide is unclear (neighbours' share of the change: {shares})."


def _list(stages: Sequence[StageFacts]) -> str:
    *others, last = [one.stage for one in stages] or [""]
    return " and ".join(filter(None, [", ".join(others), last]))


def _names(stages: Sequence[StageFacts], part: str, whole: str) -> str:
    """Stages, with how many of how many."""
    return ", ".join(f"{one.stage} (in {getattr(one, part)} of {getattr(one, whole)})" for one in stages)


def _looked_at(night: Night, stages: Sequence[StageFacts]) -> Tile:
    n, of = len(night.explained), int((night.predicted != "").sum())
    few = [f"{one.stage} ({one.n})" for one in stages if one.n < MIN_EPOCHS]
    how = grade("looked at", n / of if of else np.nan)
    how = worst(how, "bad") if few and n < of else how
    counts = ", ".join(f"{one.stage} {one.n}" for one in stages)
    title = (
        f"All {of} epochs were explained"
        if n >= of
        else f"{n} of {count_epochs(of)} {'was' if n == 1 else 'were'} explained"
    )
    said = [f"{counts}."]
    if n < of:
        said.append("They show examples; they do not measure the night.")
    if few and n < of:
        said.append(f"Too few for a general statement: {', '.join(few)}.")
    n_tested, n_trusted = (sum(getattr(one, name) or 0 for one in stages) for name in ("n_tested", "n_trusted"))
    if not n_tested:
        said.append("None was tested on the model.")
        return Tile(worst(how, "some"), title, " ".join(said))
    title += f", {n_trusted} of {n_tested} tested {'holds' if n_trusted == 1 else 'hold'}"
    said.append(
        f"Tests on the model, with parts of the signal changed, confirm {n_trusted} of {n_tested} tested epochs."
    )
    how = worst(how, grade("trusted", n_trusted / n_tested))
    return Tile(how, title, " ".join(said))
