"""The shortcut audit: how much of an explanation lies where no sleep can be seen."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from eegflex.epochs import without_bad
from eegflex.evaluation.audit_level import Level, level_of
from eegflex.evaluation.audit_moments import Heart, artifacts_of, ecg_channel, share_of_moments
from eegflex.evaluation.audit_regions import Region, regions_of
from eegflex.evaluation.judged import count_explanations, limits
from eegflex.evaluation.thresholds import LEVEL_MOVES, LEVEL_MOVES_SCORE, SHORTCUT, SHORTCUT_DECIDES, SHORTCUT_LEVEL
from eegflex.evaluation.told_tables import TEXT
from eegflex.findings import Finding, error, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.resolution import is_light
from eegflex.results.shortcut_excess import ABOVE_CHANCE, excess
from eegflex.scores import probabilities

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.faithfulness import Interval
    from eegflex.evaluation.question import Question

__all__ = ["KINDS", "excess_of", "findings", "look", "measure", "shortcut_table"]

#: Columns of shares, of what chance puts there, and of what the level of a channel does.
SHARE, CHANCE, LEVEL = "shortcut: ", "shortcut chance: ", "shortcut level: "


@dataclass(frozen=True)
class Kind:
    """A kind of shortcut, in words.

    Attributes
    ----------
    said : str
        What lies where: "so much of the absolute attribution lies ...".
    remedy : str
        What to do.
    allowed : float
        How much of it may be.
    """

    said: str
    remedy: str
    allowed: float = SHORTCUT


#: kind -> what it is
KINDS = {
    "line": Kind(
        "at line frequency",
        "Check by stage and channel whether power-line noise separates the stages (plot_spectrum), and stage the "
        "recording without it: raw.notch_filter",
    ),
    "below": Kind(
        "below the high-pass",
        "Drift and sweat remain there: check whether the stages change with a higher high-pass",
    ),
    "above": Kind(
        "above the low-pass",
        "There is no EEG there: check whether the stages change with a lower low-pass",
    ),
    "images": Kind(
        "at aliases of resampling",
        "The recording was upsampled: use the original with the lower rate, or a stager that was trained at it",
    ),
    "ecg": Kind(
        "at heartbeats", "Remove heartbeats from the EEG, for example with mne.preprocessing.ICA, and stage it again"
    ),
    "artifact": Kind("in artifacts", "Annotate them as bad, and do not interpret the explanations of these epochs"),
    "level": Kind(
        "in the level of a channel",
        "Add a standardisation to the stager's spec ([input.scale]), or see whether electrodes differ between the recordings",
        allowed=SHORTCUT_LEVEL,
    ),
    "channel": Kind(
        "on channels that show no sleep",
        "Choose the channels: picks=[...], or types in the [[input.channels]] of the stager's spec",
    ),
}
#: What findings read of the table that `look` makes.
_TOLD = dict.fromkeys(("kind", "where", "why not"), TEXT)
FREQUENCIES, MOMENTS = ("line", "below", "above", "images", "channel"), ("ecg", "artifact")


# -- what is known of the recording


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of a recording before explanations are looked at; nothing here holds the question."""

    regions: dict[str, Region]
    why: dict[str, str]
    heart: Heart | None
    artifacts: npt.NDArray[np.bool_]
    usual: npt.NDArray[np.float64]


_KNOWN: weakref.WeakKeyDictionary[Question, _Known] = weakref.WeakKeyDictionary()


def _known(question: Question) -> _Known:
    if question not in _KNOWN:
        _KNOWN[question] = _learn(question)
    return _KNOWN[question]


def _learn(question: Question) -> _Known:
    segments, epochs = question.night.segments, without_bad(question.night.epochs)
    spec = question.night.stager.spec
    regions = regions_of(segments, spec, epochs.info)
    why = {name: region.why for name, region in regions.items()}
    views = question.request.method.views
    if "frequency" not in views:  # its shares of channels are known all the same
        why |= dict.fromkeys(FREQUENCIES[:-1], "the method attributes to whole bands only")
    if "time" not in views and "time_view" not in question.data:
        why |= dict.fromkeys(MOMENTS, "the method does not attribute to time")
    channel = ecg_channel(epochs)
    if channel is None:
        why.setdefault("ecg", "the recording has no ECG channel")
    sizes = np.sqrt(np.square(segments.signals, dtype=np.float64).mean(axis=-1))
    sound = segments.fault == "" if len(segments.fault) else np.ones(len(segments), dtype=bool)
    usual = np.quantile(sizes[sound if sound.any() else ~sound], [0.05, 0.95], axis=0).T
    heart = None if channel is None else Heart(epochs, channel)
    return _Known(
        regions, {name: words for name, words in why.items() if words}, heart, artifacts_of(segments, epochs), usual
    )


# -- one explanation


def measure(one: Explanation) -> dict[str, float]:
    """Shares of the absolute attribution of an explanation where there is nothing to read, and what chance puts there."""
    found = dict.fromkeys(KINDS, (np.nan, np.nan)) | _of_frequencies(one) | _of_moments(one)
    level = _level(one)
    columns = dict.fromkeys(("probability", "score", "flips", "channel"), np.nan)
    if level is not None:
        counts = level.flips or level.probability >= LEVEL_MOVES or level.score >= LEVEL_MOVES_SCORE
        found["level"] = (level.share if counts else 0.0, 0.5 if counts else 0.0)
        columns = {name: float(getattr(level, name)) for name in columns}
    return (
        {SHARE + name: share for name, (share, _) in found.items()}
        | {CHANCE + name: chance for name, (_, chance) in found.items()}
        | {LEVEL + name: value for name, value in columns.items()}
    )


def _sets(one: Explanation) -> tuple[int, ...]:
    """Places of its channels in the recording as the stager is given it."""
    return one.question.night.segments.channel_sets[one.channel_set]


def _of_frequencies(one: Explanation) -> dict[str, tuple[float, float]]:
    known = _known(one.question)
    wanted = [name for name in FREQUENCIES if name not in known.why]
    return {name: known.regions[name].share(one.values, _sets(one)) for name in wanted}


def _of_moments(one: Explanation) -> dict[str, tuple[float, float]]:
    known, segments = _known(one.question), one.question.night.segments
    n_times = segments.signals.shape[-1]
    masks: dict[str, npt.NDArray[np.bool_] | None] = {}
    if "artifact" not in known.why:
        seconds = known.artifacts[one.number, list(_sets(one))]
        at = np.minimum((np.arange(n_times) / segments.sfreq).astype(int), seconds.shape[-1] - 1)
        masks["artifact"] = seconds[:, at]
    if "ecg" not in known.why and known.heart is not None:
        masks["ecg"] = known.heart.mask(one.number, n_times, segments.sfreq)
    there = {name: mask for name, mask in masks.items() if mask is not None}
    found = dict.fromkeys(there, (0.0, 0.0))
    if any(mask.any() for mask in there.values()):
        values = _in_time(one)
        found |= {name: share_of_moments(values, mask) for name, mask in there.items() if mask.any()}
    return found


def _in_time(one: Explanation) -> npt.NDArray[np.float64]:
    """Attributions to samples, shape (n_channels, n_times): those of the result, or of the epoch explained anew."""
    data = one.question.data
    if "time_view" in data and not is_light(data):
        return np.asarray(data["time_view"].values[one.row, one.channels], dtype=np.float64)
    request = one.question.request
    asked = dataclasses.replace(request.settings, views=("frequency", "time"))
    question = dataclasses.replace(one.question, request=dataclasses.replace(request, settings=asked))
    (found,) = question.explain([one])
    return np.asarray(found.views["time"][0], dtype=np.float64)


def _level(one: Explanation) -> Level | None:
    """What the level does of its channels; not of the chin's, whose tone scorers go by."""
    segments, sets, request = one.question.night.segments, list(_sets(one)), one.question.request
    known, kind = _known(one.question), request.stager.spec.scores
    lost = known.regions["below"].mask[sets] | known.regions["above"].mask[sets]
    weights = one.weights
    return level_of(
        one.scores,
        lambda scores: (scores @ weights, probabilities(scores, kind) @ weights),
        one.ends[0],
        float(np.abs(one.band_sums).sum()),
        known.usual[sets],
        [place for place, channel in enumerate(sets) if segments.ch_types[channel] != "emg"],
        ~lost,
        segments.sfreq,
        one.rng("level"),
    )


# -- all of them


def look(question: Question, explanations: Sequence[Explanation]) -> dict[str, pd.DataFrame]:
    """What each kind is in this recording, or why it cannot be measured."""
    known, scale = _known(question), question.night.stager.spec.scale
    where = {name: region.where for name, region in known.regions.items()}
    where["ecg"] = "" if known.heart is None else f"within 0.1 s of the R peaks of {known.heart.channel}"
    n_seconds = int(known.artifacts.any(axis=1).sum())
    where["artifact"] = f"{n_seconds} s of the recording, {n_seconds / max(known.artifacts[:, 0].size, 1):z.1%}"
    before = "changes what the model is given just as much"
    if scale.kind in ("zscore", "robust", "moving"):
        before = f"that lasts is divided out before the model sees it ({scale.kind} per {scale.per})"
    where["level"] = f"as the model is given it; a gain of the amplifier {before}"
    rows = [
        {"kind": name, "where": "" if name in known.why else where[name], "why not": known.why.get(name, "")}
        for name in KINDS
    ]
    return {"shortcuts": pd.DataFrame(rows)}


def shortcut_table(evaluation: Evaluation) -> pd.DataFrame:
    """Shares by kind of shortcut and predicted stage.

    Returns
    -------
    table : pandas.DataFrame
        One row for each kind and stage, ``"all"`` first: ``n`` explanations, their mean ``share`` and ``chance``; what is too
        much, ``excess``, with its 95 % interval ``low`` to ``high``; and whether it is a ``shortcut``.
    """
    table, rows = evaluation.to_data_frame(), []
    stages = [None, *(stage for stage in evaluation.result.stages if (table["predicted"] == stage).any())]
    for name, kind in KINDS.items():
        too_much = excess_of(table, name)
        for stage in stages:
            n = evaluation.count(SHARE + name, stage=stage)
            found = evaluation.interval(too_much, stage=stage)
            widest = _widest(too_much if stage is None else too_much[table["predicted"] == stage], found)
            low, high = np.clip(widest, -1.0, 1.0).tolist()  # it is a share
            rows.append(
                {
                    "kind": name,
                    "stage": stage or "all",
                    "n": n,
                    "share": evaluation.interval(SHARE + name, stage=stage).mean,
                    "chance": evaluation.interval(CHANCE + name, stage=stage).mean,
                    "excess": found.mean,
                    "low": low,
                    "high": high,
                    "shortcut": n >= MIN_EPOCHS and low > kind.allowed,
                }
            )
    return pd.DataFrame(rows)


def excess_of(table: pd.DataFrame, name: str) -> pd.Series:
    """How much of a shortcut each explanation has, as trust reckons it too: its share, above chance where that is an excuse.

    Parameters
    ----------
    table : pandas.DataFrame
        An evaluation's table.
    name : str
        One of `KINDS`.
    """
    return excess(name, table[SHARE + name], table[CHANCE + name])


def _widest(values: pd.Series, found: Interval) -> tuple[float, float]:
    """The interval and Student's together: few blocks that are drawn again are too sure of themselves."""
    known = values.dropna().to_numpy(dtype=float)
    if len(known) < 2:
        return found.low, found.high
    half = float(stats.t.ppf(0.975, len(known) - 1)) * float(known.std(ddof=1)) / np.sqrt(len(known))
    return min(found.low, float(known.mean()) - half), max(found.high, float(known.mean()) + half)


def findings(evaluation: Evaluation) -> list[Finding]:
    """What was found of each kind of shortcut."""
    told = evaluation.told("shortcuts", _TOLD).drop_duplicates("kind").set_index("kind").reindex(list(KINDS))
    told = told.fillna({"where": "", "why not": "it was not looked for"})
    table = shortcut_table(evaluation)
    found = []
    for name in KINDS:
        of_level = partial(_of_level, evaluation) if name == "level" else None
        finding = _finding(name, told.loc[name], table[table["kind"] == name], of_level)
        found.append(finding.named(f"shortcut: {name}"))
    return found


def _of_level(evaluation: Evaluation, stage: str) -> dict[str, float]:
    """What the level of a channel does to the answer, over a stage or all: means with their intervals, and their n."""
    among = None if stage == "all" else stage
    found = {"n_level": float(evaluation.count(f"{LEVEL}score", stage=among))}
    for name in ("probability", "score", "flips"):
        of = evaluation.interval(LEVEL + name, stage=among)
        found |= {name: of.mean, f"{name}_low": of.low, f"{name}_high": of.high}
    return found


def _finding(
    name: str, told: pd.Series, rows: pd.DataFrame, of_level: Callable[[str], dict[str, float]] | None = None
) -> Finding:
    kind, every = KINDS[name], rows.iloc[0]
    n = int(every["n"])
    if told["why not"]:
        return unknown(f"what lies {kind.said} is not known: {told['why not']}", n=0)
    if n < MIN_EPOCHS:
        return unknown(f"what lies {kind.said} is known of only {count_explanations(n)}", n=n)
    found = rows[rows["shortcut"]]
    worst = every if found.empty else found.loc[found["low"].idxmax()]
    more = {} if of_level is None else of_level(str(worst["stage"]))
    said = _said(name, told["where"], worst, more)
    values = {key: worst[key] for key in ("stage", "n", "share", "chance", "excess", "low", "high")} | more
    if found.empty and not every["high"] <= kind.allowed:  # nor where no interval is known
        return unknown(f"{said}; too few to tell", "Evaluate more explanations: sample_per_stage=", **values)
    if found.empty:
        return ok(said, **values)
    judge = error if worst["low"] > SHORTCUT_DECIDES else warning
    return judge(said, kind.remedy, **values)


def _said(name: str, where: str, row: pd.Series, more: Mapping[str, float]) -> str:
    """The numbers of one row as a sentence."""
    against, what = ("chance", "excess") if name in ABOVE_CHANCE else ("spread evenly", "share")
    numbers = (
        f"({against}: {row['chance']:z.1%}; {what} {row['excess']:z.1%}, 95 % "
        f"interval {limits(row['low'], row['high'], 'z.1%')}, "
        f"n = {int(row['n'])})"
    )
    among = "" if row["stage"] == "all" else f" of {row['stage']}"
    if not more:
        return f"{row['share']:z.1%} of the absolute attribution{among} lies {KINDS[name].said} {numbers}: {where}"

    def mean(which: str, form: str) -> str:
        return f"{more[which]:{form}} ({limits(more[f'{which}_low'], more[f'{which}_high'], form)})"

    return (
        f"{row['share']:z.1%} of what moves the score{among} in the channel whose level moves it most is that level, not the "
        f"shape of its spectrum {numbers}; a factor of 2 on a channel, or a level of this night, moves the probability by "
        f"{mean('probability', '.2f')}, the score by {mean('score', '.2f')} of the explanation's total, and the stage in "
        f"{mean('flips', 'z.0%')} (means over {more['n_level']:.0f} explanations{among}, 95 % intervals): {where}"
    )
