"""Why this stage and not that one: the epochs that are worth a look, chosen because voices differ or the stager is unsure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.report import html
from eegflex.report.parts import Text
from eegflex.results import tables
from eegflex.results.collapse import for_sums
from eegflex.results.decided import DECIDES, epoch_shares
from eegflex.results.effects import signs_of_epochs
from eegflex.results.result import FlexResult
from eegflex.results.subset import at_channels
from eegflex.results.trust import TRUSTED, Trust, judge
from eegflex.results.wording import baseline_words, count_epochs, explained_words, number_text, percent, reading, unit
from eegflex.utils.clock import clock_text

if TYPE_CHECKING:
    import pandas as pd

    from eegflex.report.parts import Gathered

__all__ = ["SMALL_MARGIN", "clock", "disagreements", "to_review"]

#: So many epochs are told of.
MOST = 10
#: The stager is unsure of an epoch whose stage is ahead of the next by less, of the mean probability of its channels.
SMALL_MARGIN = 0.5
#: What is a smaller part of the largest is not named.
LEAST = 0.01
#: So many bands are named on each side.
_NAMED = 2
_ALL_OR_PAIR = "target='all' explains every stage against every other"


def to_review(result: FlexResult) -> pd.DataFrame:
    """The epochs of the night that a scorer should review, in the order of the queue, and whether each was explained.

    To review is what was scored otherwise, what another channel gives another stage, and what the stager is unsure of.

    Parameters
    ----------
    result : FlexResult
        Of one recording.
    """
    queue = result.review_queue()
    is_so = queue["p_scored"].notna() | (queue["disagreeing"] > 0) | (queue["margin"] < SMALL_MARGIN)
    return queue.assign(explained=queue["epoch"].isin(result.data["number"].values.tolist()))[is_so]


def disagreements(gathered: Gathered) -> Iterator[Text]:
    """Of the first epochs to review that were explained, what each voice says, and what spoke for either stage."""
    result, every = gathered.result, gathered.every
    if every is not None:
        every = FlexResult(for_sums(every.data))
    trust = judge(result.data)
    queue = to_review(result)
    shown = queue[queue["explained"]].head(MOST)
    parts = [html.paragraph(_how_chosen(result, queue, len(shown)))]
    if len(shown):
        parts.append(html.paragraph(_how_read(result, every)))
    cases = []
    for row in shown.itertuples():
        heading = (
            f"Epoch {row.epoch}, {clock(row.onset, gathered.began)}: why {row.predicted} and not {_other(result, row)}?"
        )
        told = html.bullets(_told(result, every, trust, row))
        cases.append(f"<div><h4>{html.epoch_link(row.epoch, heading)}</h4>{told}</div>")
    yield Text("Disagreements", "".join([*parts, '<div class="columns">', *cases, "</div>"] if cases else parts))


def clock(onset: float, began: float | None = None) -> str:
    """When an epoch begins: by the clock where it is known when the recording began, else from its start.

    Examples
    --------
    >>> clock(3930.0), clock(3930.0, began=81000.0)
    ('1:05:30 from the start', '23:35:30')
    """
    return f"{clock_text(onset)} from the start" if began is None else clock_text(began + onset)


def _how_chosen(result: FlexResult, queue: pd.DataFrame, n_shown: int) -> str:
    n, n_explained, n_night = len(queue), int(queue["explained"].to_numpy(dtype=bool).sum()), result.data.sizes["night"]
    what = (
        "Epochs to review are those in which the scorer or a channel gives another stage, or in which the "
        f"stager is unsure: its stage leads the next by less than {SMALL_MARGIN:g}: {n} of "
        f"{count_epochs(n_night)} of the night."
    )
    if not n_explained:
        return f"{what} None of them was explained" + ("; select= explains those that you choose." if n else ".")
    rest = n - n_explained
    left = f"; the other {f'{rest} were' if rest > 1 else 'one was'} not explained" if rest else ""
    first = "all of these" if n_shown == n_explained else f"{n_shown} of these"
    explained = f"{n_explained} of them {'was' if n_explained == 1 else 'were'} explained{left}"
    follows = f"Here are {first}, in the order of the review queue." if n_shown > 1 else "It follows."
    return f"{what} {explained}. {follows}"


def _how_read(result: FlexResult, every: FlexResult | None) -> str:
    if every is not None:
        return (
            f"Evidence for one stage over the other is the exact difference of their attributions, compared with "
            f"{baseline_words(result)}, in units of {unit(result)}."
        )
    if isinstance(result.parameters["target"], list | tuple):
        return f"The evidence concerns {explained_words(result)}, in units of {unit(result)}."
    return (
        f"Only {explained_words(result)} was explained (in units of {unit(result)}): the evidence for the "
        f"other stage is not known, and the same bands may have raised it too. {_ALL_OR_PAIR}."
    )


def _other(result: FlexResult, row: Any) -> str:
    """The stage that it might have been: the scorer's where that is another one, else the runner-up."""
    return str(row.stage if np.isfinite(row.p_scored) and row.stage in result.stages else row.second)


def _told(result: FlexResult, every: FlexResult | None, trust: Trust, row: Any) -> Iterator[str]:
    place = result.data["number"].values.tolist().index(row.epoch)
    other = _other(result, row)
    if row.margin >= 0:
        yield f"The stager says {row.predicted} (probability {row.p:.2f}), {row.margin:.2f} ahead of {row.second}."
    else:
        yield (
            f"The stager says {row.predicted} (probability {row.p:.2f}) by its most confident channel; over all channels it is "
            f"{-row.margin:.2f} behind {row.second}."
        )
    if _is_scored(result):
        yield _scorer(result, row)
    yield from _channels(result, place)
    yield from _bands(result, every, place, (str(row.predicted), other))
    yield from _context(result, place)
    yield from _trust(trust, place)


def _is_scored(result: FlexResult) -> bool:
    """Whether somebody scored the night at all."""
    return bool(np.isin(result.data["night_stage"].values.astype(str), result.stages).any())


def _scorer(result: FlexResult, row: Any) -> str:
    if row.stage not in result.stages:
        return "The scorer gave no stage that the stager knows."
    if row.stage == row.predicted:
        return f"The scorer says {row.stage}, too."
    return f"The scorer says {row.stage}, to which the stager gives {row.p_scored:.2f} (averaged with its neighbours)."


def _channels(result: FlexResult, place: int) -> Iterator[str]:
    """Which channel sets say what, where there are several."""
    data = result.data
    if data.sizes["channel_set"] < 2:
        return
    said = data["predicted"].values[place].astype(str)
    names = _names_of_sets(result)
    own = str(tables.epoch_stages(data, "predicted")[place])
    order = sorted(set(said.tolist()), key=lambda stage: (stage != own, -int((said == stage).sum())))
    if len(order) == 1:
        yield f"All {len(said)} channels say {order[0]}."
        return
    yield (
        "; ".join(f"{', '.join(names[said == stage])} {_say(int((said == stage).sum()))} {stage}" for stage in order)
        + "."
    )


def _names_of_sets(result: FlexResult) -> npt.NDArray[np.str_]:
    """Channel sets by the channels that not all of them have."""
    data = result.data
    of, names = data["of_channel_set"].values, data["ch_name"].values.astype(str)
    members = [dict.fromkeys(names[of == k].tolist()) for k in range(data.sizes["channel_set"])]
    shared = set.intersection(*map(set, members))
    own = [" + ".join(name for name in those if name not in shared) for those in members]
    return np.where(np.array(own) == "", data["channel_set"].values.astype(str), own)


def _say(n: int) -> str:
    return "says" if n == 1 else "say"


def _bands(result: FlexResult, every: FlexResult | None, place: int, pair: tuple[str, str]) -> Iterator[str]:
    """What spoke for the one stage and what for the other; by the channels that say so, where they disagree."""
    target = result.parameters["target"]
    one = result[place] if every is None else every[place].for_target(pair)
    if every is None and isinstance(target, list | tuple):
        pair = (str(target[0]), str(target[1]))
    is_pair = every is not None or isinstance(target, list | tuple)
    how = reading(one)
    said = one.data["predicted"].values[0].astype(str)[one.data["of_channel_set"].values]
    groups = sorted(set(said.tolist()), key=lambda stage: stage != pair[0])
    for stage in groups:
        score = f"the score of {stage}" if target == "predicted" else explained_words(one)
        sides = tuple(f"for {own}" for own in pair) if is_pair else (f"{how.raised} {score}", f"{how.lowered} it")
        signs = signs_of_epochs(at_channels(one.data, said == stage) if len(groups) > 1 else one.data)
        found = [
            (sign.words, value)
            for sign in signs
            if len(sign.error) and abs(value := float(sign.did.values[0])) > float(sign.error[0])
        ]
        where = f"Where channels say {stage}" if len(groups) > 1 else ""
        yield _named(found, sides, where)


def _named(found: Sequence[tuple[str, float]], sides: tuple[str, ...], where: str) -> str:
    if not found:
        return f"{where}{': n' if where else 'N'}o band exceeds its error."
    said, largest = [], max(abs(value) for _, value in found)
    for words, sign in zip(sides, (1, -1), strict=True):
        own = [one for one in found if sign * one[1] > LEAST * largest]
        own = sorted(own, key=lambda one: -abs(one[1]))[:_NAMED]
        names = " and ".join(f"{what} ({number_text(value, largest)})" for what, value in own) or "hardly anything"
        said.append(f"{words}: {names}")
    text = "; ".join(said)
    return f"{where}, {text}." if where else f"{text[0].upper()}{text[1:]}."


def _context(result: FlexResult, place: int) -> Iterator[str]:
    """How much of the change its neighbours made, with the mean of the channels that explain its stage."""
    mean = float(epoch_shares(result.data)[place])
    if not np.isfinite(mean):
        return
    who = "they did more than the epoch itself" if mean > DECIDES else "the epoch itself did more"
    yield f"Context: {percent(mean)} of the change of the score came from its neighbours; {who}."


def _trust(found: Trust, place: int) -> Iterator[str]:
    """Whether its explanations are trusted, if they were tested."""
    tested = np.flatnonzero(found.cases[place])
    if not found.tested[place]:
        yield "Whether this explanation can be trusted was not tested."
        return
    trusted = int((found.verdict[place, tested] == TRUSTED).sum())
    reasons = dict.fromkeys(reason for k in tested for reason in found.reasons(place, int(k)))
    why = f": {'; '.join(reasons)}" if reasons else ""
    yield f"Trusted with {trusted} of {len(tested)} channel sets that were tested{why}."
