"""Faithfulness: whether the answer follows the explanation, when frequencies are inserted and deleted in its order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from eegflex.evaluation.faithfulness import Curves, insertion_and_deletion, order_by, sum_by_group, with_sign
from eegflex.evaluation.judged import ALIKE, MORE, count_explanations, limits, was
from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation

__all__ = ["area_table", "areas", "findings", "measure"]

#: Columns begin with these; what follows names the order.
AREA, INSERTION, DELETION = "area: ", "insertion: ", "deletion: "
#: The orders that every explanation is held against.
OWN, POWER, RANDOM = "attribution", "power", "random"
#: Of the orders at random, how many delete more slowly than the attribution.
BEATEN = "deletion: random beaten"
#: What to do about an order that is worse than what takes no explanation.
REMEDY = "Do not interpret single explanations"
#: Orders at random; each is followed by its reverse.
N_RANDOM = 5


def measure(one: Explanation) -> dict[str, float]:
    """Areas in the order of the attribution, of each method that is compared, by power and at random.

    It takes at most 27 scores for each order and draw of the baseline, and an explanation for each method that is compared.
    """
    return areas(one, {OWN: one.values} | {name: one.by(name) for name in one.question.compare})


def areas(one: Explanation, values: Mapping[str, npt.NDArray[np.floating[Any]]]) -> dict[str, float]:
    """Areas of insertion and deletion in some orders, and in those that every explanation is held against.

    Parameters
    ----------
    one : Explanation
        What is explained.
    values : mapping of str to array, shape (n_channels, n_freqs)
        Attributions, by the name of their order.

    Returns
    -------
    areas : dict
        Of each order, ``"insertion: name"`` and ``"deletion: name"``, the mean answer while its groups are inserted (the higher
        the better) and deleted (the lower the better), and ``"area: name"``, their difference; means over the draws of the
        baseline. ``"power"`` is ordered by the power of the change, ``"random"`` at random: the mean over orders of which each
        comes with its reverse. The reverse of an order inserts what the order deletes, so that orders at random have exactly
        no area. ``"deletion: random beaten"`` is the share of them that delete more slowly than the first of `values`.
    """
    groups = one.groups
    change = float((one.answer(one.ends[:1]) - one.answer(one.begins).mean())[0])
    power = sum_by_group(torch.fft.rfft(one.ends - one.begins).abs().square().mean(dim=0).cpu().numpy(), groups)
    by_group = {name: sum_by_group(own, groups) for name, own in values.items()} | {POWER: with_sign(power, change)}
    rng = one.rng("order")
    orders = [order_by(own) for own in by_group.values()] + [rng.permutation(len(power)) for _ in range(N_RANDOM)]
    curves = [
        insertion_and_deletion(one.answer, begin, end, groups, orders)
        for begin, end in zip(one.begins, one.ends, strict=True)
    ]
    inserted, deleted = (_means(curves, kind) for kind in ("inserted", "deleted"))
    at_random = np.concatenate(
        [inserted[-N_RANDOM:], deleted[-N_RANDOM:]]
    )  # the insertion of an order deletes its reverse
    found = {INSERTION + name: float(inserted[k]) for k, name in enumerate(by_group)}
    found |= {DELETION + name: float(deleted[k]) for k, name in enumerate(by_group)}
    found |= {AREA + name: float(inserted[k] - deleted[k]) for k, name in enumerate(by_group)}
    found |= {INSERTION + RANDOM: float(at_random.mean()), DELETION + RANDOM: float(at_random.mean())}
    return found | {AREA + RANDOM: 0.0, BEATEN: float((at_random > deleted[0]).mean())}


def _means(curves: list[list[Curves]], kind: str) -> npt.NDArray[np.float64]:
    """Areas under the curves of one kind, shape (n_orders,), each the mean over the draws of the baseline."""
    found: npt.NDArray[np.float64] = np.array(
        [[getattr(order, kind) for order in draw] for draw in curves], dtype=np.float64
    ).mean(axis=0)
    return found


def area_table(evaluation: Evaluation) -> pd.DataFrame:
    """See `Evaluation.area`."""
    table = evaluation.to_data_frame()
    rows: dict[str, dict[str, float]] = {}
    for name in (str(column).removeprefix(AREA) for column in table if str(column).startswith(AREA)):
        area = AREA + name
        told = {
            "": evaluation.interval(area),
            "above_random": evaluation.difference(area, AREA + RANDOM),
            "behind_attribution": evaluation.difference(AREA + OWN, area),
            "insertion": evaluation.interval(INSERTION + name),
            "deletion": evaluation.interval(DELETION + name),
        }
        rows[name] = {"n": evaluation.count(area)}
        for word, own in told.items():
            rows[name] |= {
                word or "mean": own.mean,
                f"{word}_low".lstrip("_"): own.low,
                f"{word}_high".lstrip("_"): own.high,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether the order by attribution is better than chance, and than others."""
    n = evaluation.count(AREA + OWN)
    if n < MIN_EPOCHS:
        return [unknown(f"only {count_explanations(n)} {was(n)} evaluated", n=n).named("faithfulness")]
    area = area_table(evaluation)
    own = area.loc[OWN]
    values = {
        "n": n,
        **{f"{order} {name}": row[name] for order, row in area.iterrows() for name in ("mean", "low", "high")},
        **{
            f"attribution - {order} {name}": row[f"behind_attribution{end}"]
            for order, row in area.drop(OWN).iterrows()
            for name, end in (("mean", ""), ("low", "_low"), ("high", "_high"))
        },
    }
    said = (
        f"inserting frequencies in the order of their attribution, and deleting them, changes the probability by "
        f"{own['mean']:.2f} "
        f"(area, 95 % interval {limits(own['low'], own['high'])}, n = {n}), a random order by 0"
    )
    said += "".join(f"; {_compared(name, row)}" for name, row in area.drop([OWN, RANDOM]).iterrows())
    if not np.isfinite(own["low"]):
        found = unknown(f"{said}; {ALIKE}", MORE, **values)
    elif own["high"] < 0:
        found = warning(f"{said}: worse than random", REMEDY, **values)
    elif area.loc[POWER, "behind_attribution_high"] < 0:  # which takes no explanation
        more = "" if own["low"] > 0 else ": not distinguishable from a random order"
        found = warning(f"{said}{more}", REMEDY, **values)
    elif own["low"] > 0:
        found = ok(said, **values)
    else:
        found = unknown(f"{said}: not distinguishable from a random order", MORE, **values)
    return [found.named("faithfulness")]


def _compared(name: Any, row: pd.Series) -> str:
    """An order, and whether the attribution's is better."""
    said = f"by {name} {row['mean']:.2f} (attribution − {name} {row['behind_attribution']:.2f}, "
    said += limits(row["behind_attribution_low"], row["behind_attribution_high"])
    if row["behind_attribution_high"] < 0:
        return said + f": {name} is the better order)"
    return said + (")" if row["behind_attribution_low"] > 0 else ": no distinguishable difference)")
