"""Faithfulness: whether the answer follows the explanation, when frequencies are inserted and deleted in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from eegflex.evaluation.faithfulness import (
    frequency_groups,
    insertion_and_deletion,
    order_by,
    sum_by_group,
    with_sign,
)
from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.question import Explanation

__all__ = ["area_table", "findings", "measure"]

#: Columns of the areas begin with this; what follows names the order.
AREA = "area: "
#: The orders that every explanation is held against.
OWN, POWER, RANDOM = "attribution", "power", "random"


def measure(one: Explanation) -> dict[str, float]:
    """Areas between the curves of insertion and deletion, in each order; the mean over the draws of the baseline."""
    groups = frequency_groups(one.freqs, len(one.channels))
    change = float((one.answer(one.ends[:1]) - one.answer(one.begins).mean())[0])
    power = sum_by_group(torch.fft.rfft(one.ends - one.begins).abs().square().mean(dim=0).cpu().numpy(), groups)
    by_group = {
        OWN: sum_by_group(one.values, groups),
        POWER: with_sign(power, change),
        RANDOM: one.rng("order").standard_normal(len(power)),
    }
    orders = [order_by(values) for values in by_group.values()]
    curves = [
        insertion_and_deletion(one.answer, begin, end, groups, orders)
        for begin, end in zip(one.begins, one.ends, strict=True)
    ]
    return {AREA + name: float(np.mean([own[k].area for own in curves])) for k, name in enumerate(by_group)}


def area_table(evaluation: Evaluation) -> pd.DataFrame:
    """See `Evaluation.area`."""
    table, rows = evaluation.to_data_frame(), {}
    for column in (name for name in table if str(name).startswith(AREA)):
        own, above = evaluation.interval(column), evaluation.interval(table[column] - table[AREA + RANDOM])
        rows[column.removeprefix(AREA)] = {
            "n": evaluation.count(column),
            **{name: getattr(own, name) for name in ("mean", "low", "high")},
            "above_random": above.mean,
            "above_random_low": above.low,
            "above_random_high": above.high,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether the order by attribution is better than chance."""
    n = evaluation.count(AREA + OWN)
    if n < MIN_EPOCHS:
        return [unknown(f"only {n} explanations were evaluated", n=n).named("faithfulness")]
    area = area_table(evaluation)
    own = area.loc[OWN]
    low, high = own["above_random_low"], own["above_random_high"]
    said = (
        f"inserting frequencies in the order of their attribution, and deleting them, moves the answer by {own['mean']:.2f} "
        f"(area, 95 % interval {own['low']:.2f} to {own['high']:.2f}, n = {n}); an order at random by "
        f"{area.loc[RANDOM, 'mean']:.2f}, by power {area.loc[POWER, 'mean']:.2f}"
    )
    values = {
        "n": n,
        **{f"{order} {name}": row[name] for order, row in area.iterrows() for name in ("mean", "low", "high")},
    }
    if low > 0:
        return [ok(said, **values).named("faithfulness")]
    remedy = "Do not read these explanations one by one" if high < 0 else "Evaluate more epochs: sample_per_stage="
    return [warning(f"{said}: no better than at random", remedy, **values).named("faithfulness")]
