"""What an evaluation found, by kind of evidence, in plain words: what speaks for an explanation, and what against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eegflex.evaluation.grounding import many
from eegflex.evaluation.judged import limits
from eegflex.findings import Finding, Value

__all__ = ["HOLDS", "IN_PART", "KINDS", "MARKS", "NOT", "NOT_MEASURED", "Evidence", "evidence_of"]

HOLDS, IN_PART, NOT, NOT_MEASURED = "holds", "in part", "does not hold", "not measured"
#: What stands before the word.
MARKS = {HOLDS: "✓", IN_PART: "◐", NOT: "✗", NOT_MEASURED: "–"}
#: The parts of an evaluation that make a kind of evidence, and what is asked.
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "faithfulness": (
        ("faithfulness", "knock-out", "infidelity", "one by one"),
        "Does the score change as the explanation says?",
    ),
    "sanity": (
        ("random weights", "another stage", "random phases"),
        "Does the explanation depend on what the stager learnt, and on the stage?",
    ),
    "stability": (("stability", "sensitivity"), "Does it stay the same when the signal hardly changes?"),
    "agreement": (("agreement",), "Do other methods agree?"),
    "shortcuts": (("shortcut",), "Is it free of shortcuts: power line, filters, heartbeats, artifacts, level?"),
    "events": (("grounding",), "Does it lie in events that scorers use: spindles, slow waves, eye movements?"),
    "sets": (("sets",), "Are a few bands of the epoch enough for the stage?"),
}
#: Findings that no threshold judges.
_UNJUDGED = ("sensitivity", "agreement: neighbours")
_SHORTCUTS = {
    "line": "power line",
    "below": "below the high-pass",
    "above": "above the low-pass",
    "images": "aliases of resampling",
    "ecg": "heartbeats",
    "artifact": "artifacts",
    "channel": "channels that show no sleep",
}


@dataclass(frozen=True)
class Evidence:
    """What is known of a kind of evidence.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    verdict : {"holds", "in part", "does not hold", "not measured"}
        In part: something speaks against it, or it is not clear of something.
    speaks_for, against, open : tuple of str
        Sentences: what speaks for it, what against it, and what is not told.
    """

    kind: str
    verdict: str
    speaks_for: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What was asked."""
        return KINDS[self.kind][1]


def evidence_of(findings: Iterable[Finding]) -> list[Evidence]:
    """What an evaluation found, by kind of evidence, in the order of `KINDS`."""
    found = list(findings)
    return [_of_kind(kind, [one for one in found if _is_of(one, names)]) for kind, (names, _) in KINDS.items()]


def _is_of(one: Finding, names: Sequence[str]) -> bool:
    return any(one.check == name or one.check.startswith((f"{name}:", f"{name} ")) for name in names) or (
        "grounding" in names and one.check.endswith(" grounding")
    )


def _of_kind(kind: str, found: Sequence[Finding]) -> Evidence:
    said = {
        "speaks_for": [one for one in found if one.status == "ok"],
        "against": [one for one in found if one.status in ("warning", "error")],
        "open": [one for one in found if one.status == "unknown"],
    }
    words = {name: _sentences(those) for name, those in said.items()}
    return Evidence(kind, _verdict(found), **words)


def _verdict(found: Sequence[Finding]) -> str:
    """In part where something speaks for it and something against it, or is open though it was measured."""
    statuses = {one.status for one in found if one.status != "unknown"}
    is_open = any(one.status == "unknown" and _n(one.values) > 0 and one.check not in _UNJUDGED for one in found)
    if "error" in statuses or (statuses == {"warning"} and not is_open):
        return NOT
    if statuses == {"ok"} and not is_open:
        return HOLDS
    return IN_PART if statuses or is_open else NOT_MEASURED


def _n(values: Mapping[str, Value]) -> int:
    return int(values.get("n", values.get("n_kinds", 0)) or 0)


def _sentences(found: Sequence[Finding]) -> tuple[str, ...]:
    """One for each; shortcuts of which little is there are one sentence."""
    small = [one for one in found if one.status == "ok" and one.check.removeprefix("shortcut: ") in _SHORTCUTS]
    others = [one for one in found if one not in small]
    return tuple(([_of_shortcuts(small)] if small else []) + [_sentence(one) for one in others])


def _sentence(one: Finding) -> str:
    """What a finding says: in plain words where its numbers are known, else as it says it itself."""
    words = next(
        (write for name, write in _WORDS.items() if one.check.startswith(name) or one.check.endswith(name)), None
    )
    known = words is not None and one.status != "unknown"
    try:
        text = words(one) if known and words is not None else ""
    except (KeyError, TypeError):  # a number is not there, or not known
        text = ""
    return text or one.text


def _between(
    values: Mapping[str, Value], low: str = "low", high: str = "high", n: str = "n", *, form: str = "z.2f"
) -> str:
    return f"95 % interval {_limits(values[low], values[high], form)}, n = {values[n]}"


def _limits(low: Value, high: Value, form: str = "z.2f") -> str:
    return limits(low, high, form).replace("-", "−").replace("%", " %")


def _number(value: Value, form: str = "z.2f") -> str:
    return f"{value:{form}}".replace("-", "−").replace("%", " %")


def _faithfulness(one: Finding) -> str:
    v = one.values
    said = (
        "Inserted and deleted in the order of the explanation, frequencies change the probability by an area of "
        f"{_number(v['attribution mean'])} ({_between(v, 'attribution low', 'attribution high')}); in random order by 0"
    )
    if "power mean" not in v:
        return f"{said}."
    apart, low, high = (v.get(f"attribution - power {name}") for name in ("mean", "low", "high"))
    if apart is None:
        return f"{said}, in the order of power by {_number(v['power mean'])}."
    if not (isinstance(low, float) and isinstance(high, float)):
        told = ""
    elif high < 0:
        told = ": power is the better order"
    else:
        told = "" if low > 0 else ": no distinguishable difference"
    return (
        f"{said}, in the order of power, which needs no explanation, by {_number(v['power mean'])} (difference "
        f"{_number(apart)}, {_limits(low, high)}{told})."
    )


def _knockout(one: Finding) -> str:
    does = "The larger the attribution of a band, the more is lost without it" if one.status == "ok" else (
        "The attribution of a band does not match what is lost without it"
    )  # fmt: skip
    return f"{does}: rank correlation {_number(one.values['mean'])} ({_between(one.values)})."


def _infidelity(one: Finding) -> str:
    return (
        f"With half of the bands removed, attributions miss the loss of score by {_number(one.values['mean'])} "
        f"({_between(one.values)}; 0 is exact, 1 is no better than a map without locations)."
    )


def _one_by_one(one: Finding) -> str:
    v = one.values
    return (
        f"Of the attributed effect, single bands cause {_number(v['mean'], '.0%')} by themselves "
        f"({_between(v, form='.0%')}); the rest needs several bands."
    )


def _similar(v: Mapping[str, Value], prefix: str = "") -> str:
    return (
        f"{_number(v[prefix + 'signed'])} ({_between(v, prefix + 'signed_low', prefix + 'signed_high', prefix + 'n')})"
    )


def _weights(one: Finding) -> str:
    v = one.values
    again = f"; with the true weights {_number(v['as it is signed'])}" if "as it is signed" in v else ""
    is_lost = "changes" if one.status == "ok" else "hardly changes"
    return f"With the network's weights shuffled, the explanation {is_lost}: similarity {_similar(v)}{again}."


def _stage(one: Finding) -> str:
    is_other = "changes" if one.status == "ok" else "hardly changes"
    return f"For another stage, the explanation of the same epoch {is_other}: similarity {_similar(one.values)}."


def _stable(one: Finding) -> str:
    v, what = one.values, "noise of a hundredth of its power" if one.check.endswith("noise") else "a shift by 1 s"
    stays = "stays" if one.status == "ok" else "does not stay"
    return (
        f"With {what}, it {stays} the same: similarity {_number(v['mean'])} ({_between(v)}); with other epochs "
        f"{_number(v['other epochs'])}."
    )


def _agreement(one: Finding) -> str:
    says = "says the same" if one.status == "ok" else "says something else"
    other = "Compared with another baseline it" if one.check.endswith("baseline") else "A second method"
    remedy = "" if one.status == "ok" else f" {one.remedy}."
    return f"{other} {says}: similarity {_number(one.values['mean'])} ({_between(one.values)}).{remedy}"


def _of_shortcuts(found: Sequence[Finding]) -> str:
    """What lies in places that there are; where chance puts nothing, there is no such place."""
    named = [(_SHORTCUTS[one.check.removeprefix("shortcut: ")], one.values) for one in found]
    there = [(name, v) for name, v in named if v["share"] or v["chance"]]
    nowhere = [name for name, v in named if not (v["share"] or v["chance"])]
    said = []
    if there:
        shares = ", ".join(f"{name} {_share(v)}" for name, v in there)
        counts = ", ".join(map(str, sorted({_n(v) for _, v in there})))
        said.append(f"Hardly any attribution lies there: {shares} (95 % intervals, n = {counts}).")
    if nowhere:
        said.append(f"Not present in the recording: {', '.join(nowhere)}.")
    return " ".join(said)


def _share(v: Mapping[str, Value]) -> str:
    share = _number(v["share"], "z.1%")
    if v["low"] is None or v["high"] is None:
        return f"{share} (interval not known)"
    name = "" if v["share"] == v["excess"] else "more than by chance "
    return f"{share} ({name}{_limits(v['low'], v['high'], 'z.1%')})"


def _level(one: Finding) -> str:
    v = one.values
    return (
        f"Of a channel's effect, {_number(v['share'], '.0%')} comes from the level of its signal, not from its shape "
        f"(by chance "
        f"{_number(v['chance'], '.0%')}; difference {_between(v, form='z.0%')})."
    )


def _events(one: Finding) -> str:
    v, stage = one.values, one.check.removesuffix(" grounding")
    if one.status != "ok":
        return ""
    return (
        f"{stage}: {_number(v['enrichment'], '.1f')} times as much of the evidence for it lies in {many(str(v['kind']))} "
        f"as by chance (95 % interval {_limits(v['enrichment_low'], v['enrichment_high'], '.1f')}, "
        f"{v['n_epochs']} epochs)."
    )


def _sets(one: Finding) -> str:
    v, stage = one.values, one.check.removeprefix("sets ")
    already = f"in {v['n_baseline_is_stage']} of {v['n']} the baseline alone is already {stage}"
    if one.status != "ok":
        return f"{stage}: {already}; then no band beyond the baseline is needed."
    size = _number(v["sufficient size"], ".1f")
    between = _limits(v["sufficient size low"], v["sufficient size high"], ".1f")
    kept = (
        f"in {v['sufficient n']} of {v['n']} a few bands keep it, with all else at the baseline ({size} bands of "
        f"channels, 95 % "
        f"interval {between}), most often {v['sufficient']} ({v['sufficient n_same']} of them)"
    )
    return f"{stage}: {kept}" + (f"; {already}." if v["n_baseline_is_stage"] else ".")


#: The first or last word of a check -> its sentence.
_WORDS: dict[str, Callable[[Finding], str]] = {
    "faithfulness": _faithfulness,
    "knock-out": _knockout,
    "infidelity": _infidelity,
    "one by one": _one_by_one,
    "random weights": _weights,
    "another stage": _stage,
    "stability": _stable,
    "agreement: baseline": _agreement,
    "agreement: second": _agreement,
    "shortcut: level": _level,
    "grounding": _events,
    "sets": _sets,
}
