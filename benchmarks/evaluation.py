"""What `eegflex.evaluate` says of stagers of several kinds, on simulated nights and, where it is, on a real excerpt.

Every stager explains a few epochs of each stage of every night, as `attribute_epochs` does by default, and is asked again. A
night is a stretch of two hours of one channel set; an interval is over explanations, from blocks of ten minutes. ``python -m
benchmarks.evaluation --keep FILE`` keeps what every night said in FILE and goes on from there. The environment variable
EEGFLEX_EXCERPT names a real recording, of which a few epochs are evaluated with all their channel sets; without it, its rows
are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

import eegflex
from benchmarks import foreign
from benchmarks.nights import STAGERS, Bench, night
from benchmarks.table import as_table
from eegflex.errors import ChannelError
from eegflex.evaluation.faithfulness import Interval, bootstrap
from eegflex.results.intervals import blocks_of
from eegflex.stagers import Stager
from eegflex.staging import StagedNight

__all__ = ["text"]

#: Nights that trained no stager, and by which no threshold was chosen.
SEEDS = (71, 72, 73, 74, 75)
HOURS = 2.0
#: Epochs of each predicted stage that are explained, and of which explanations are evaluated; events are those of all.
EXPLAINED, PER_STAGE = 10, 4
#: The environment variable that names a real recording.
EXCERPT = "EEGFLEX_EXCERPT"
REAL = "real excerpt"

#: The area of the order that is held against others.
OWN = "area: attribution"

#: What one night said.
Record = dict[str, Any]


def measure(name: str, staged: StagedNight, seed: int | str) -> Record:
    """Explain some epochs of a night, and ask again."""
    began = time.perf_counter()
    result = eegflex.attribute_epochs(
        staged, sample_per_stage=EXPLAINED, views=("frequency", "time-frequency"), second_opinion="shapley",
        windows_per_stage=0, verbose="error",
    )  # fmt: skip
    explained = time.perf_counter() - began
    found = eegflex.evaluate(result, staged, compare=("gradient_shap",), sample_per_stage=PER_STAGE, verbose="error")
    rows = found.to_data_frame()
    rows["block"] = blocks_of(rows["onset"].to_numpy(), rows["recording"].to_numpy())
    table = found.result.trust()
    asked = table.merge(
        rows[["epoch", "channel_set"]].rename(columns={"epoch": "number"})
    )  # of no others is anything trusted
    verdicts = asked["verdict"].astype(str)
    return {
        "stager": name,
        "seed": seed,
        "rows": json.loads(rows.drop(columns="recording").to_json(orient="records")),
        "tables": {key: json.loads(table.to_json(orient="records")) for key, table in found.tables.items()},
        "findings": found.findings.to_dicts(),
        "trust": dict(Counter(verdicts.tolist())),
        "seconds": {"explaining": explained, "evaluating": time.perf_counter() - began - explained},
    }


def records(stagers: Sequence[str], seeds: Sequence[int], keep: Path | None) -> list[Record]:
    """Measure what is not in `keep` yet, and return all."""
    known = [] if keep is None or not keep.exists() else [json.loads(line) for line in keep.read_text().splitlines()]
    done = {(one["stager"], one["seed"]) for one in known}
    for name in stagers:
        stager = STAGERS[name]() if name in STAGERS else foreign.STAGERS[name]()
        for seed in (*seeds, *([REAL] if EXCERPT in os.environ else [])):
            if stager is None or (name, seed) in done:
                continue
            staged = _excerpt(stager) if seed == REAL else Bench.of(stager, night(HOURS, int(seed))).night
            if staged is None:
                continue
            known.append(measure(name, staged, seed))
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[-1]) + "\n")
    return known


def _excerpt(stager: Stager) -> StagedNight | None:
    """The real recording, staged; None where it has no channels for this stager."""
    epochs = eegflex.make_epochs(eegflex.read_psg(os.environ[EXCERPT], verbose="error"), verbose="error")
    try:
        return eegflex.stage_epochs(epochs, stager, edges="pad", verbose="error")
    except ChannelError:
        return None


def text(keep: Path | None = None) -> str:
    """Measure everything that is not kept yet, and write the tables."""
    return tables(records([*STAGERS, *foreign.STAGERS], SEEDS, keep))


def tables(found: Sequence[Record]) -> str:
    """What the records say."""
    if not found:
        return "Nothing was measured.\n"
    by_stager: dict[str, list[Record]] = {}
    for one in found:
        by_stager.setdefault(one["stager"] + (f", {REAL}" if one["seed"] == REAL else ""), []).append(one)
    names = list(by_stager)
    rows = {name: _rows(own) for name, own in by_stager.items()}
    measures = [column for column in dict.fromkeys(c for own in rows.values() for c in own) if ": " in str(column)]
    checks = list(dict.fromkeys(one["check"] for own in found for one in own["findings"]))
    levels = list(dict.fromkeys((r["change"], r["level"]) for own in found for r in own["tables"].get("sanity", [])))
    verdicts = list(dict.fromkeys(verdict for own in found for verdict in own["trust"]))
    heads = [f"{name} (n = {len(rows[name])}, nights {len(own)})" for name, own in by_stager.items()]
    return "\n".join(
        [
            "Means over explanations and 95 % intervals, from blocks of ten minutes.\n",
            as_table(("measure", *heads), [(m, *(_said(rows[name], m) for name in names)) for m in measures]),
            "Sanity: signed similarity to the explanation as recorded; the mean of the nights, and their range.\n",
            as_table(("change", *names), [(" ".join(key), *(_level(by_stager[n], key) for n in names)) for key in levels]),
            "Findings: what each check said, in how many nights.\n",
            as_table(("check", *names), [(c, *(_statuses(by_stager[n], c) for n in names)) for c in checks]),
            "The gate of trust: explanations that were evaluated, by verdict.\n",
            as_table(
                ("verdict", *names),
                [(v, *(str(sum(one["trust"].get(v, 0) for one in by_stager[n])) for n in names)) for v in verdicts],
            ),
            "Seconds a night, medians.\n",
            as_table(
                ("what", *names),
                [(w, *(f"{np.median([o['seconds'][w] for o in by_stager[n]]):.0f}" for n in names))
                 for w in ("explaining", "evaluating")],
            ),
        ]
    )  # fmt: skip


def _rows(found: Iterable[Record]) -> pd.DataFrame:
    """Explanations of all nights."""
    rows = pd.concat([pd.DataFrame(one["rows"]).assign(seed=str(one["seed"])) for one in found], ignore_index=True)
    others = [str(name) for name in rows if str(name).startswith("area: ") and name != OWN]
    return rows.assign(**{f"{OWN} − {name.removeprefix('area: ')}": rows[OWN] - rows[name] for name in others})


def _interval(rows: pd.DataFrame, column: str) -> Interval:
    values = pd.to_numeric(rows[column]) if column in rows else pd.Series(np.nan, index=rows.index)
    blocks = rows.groupby(["seed", "block"]).ngroup().to_numpy()
    found = bootstrap(values, blocks)
    return found if len(set(blocks.tolist())) > 1 else Interval(found.mean, np.nan, np.nan)


def _said(rows: pd.DataFrame, column: str) -> str:
    found = _interval(rows, column)
    if not np.isfinite(found.mean):
        return "–"
    return (
        f"{found.mean:z.2f} [{found.low:z.2f}, {found.high:z.2f}]" if np.isfinite(found.low) else f"{found.mean:z.2f}"
    )


def _level(found: Iterable[Record], key: tuple[str, str]) -> str:
    values = [
        row["signed"]
        for one in found
        for row in one["tables"].get("sanity", [])
        if (row["change"], row["level"]) == key and row["signed"] is not None
    ]
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "–"


def _statuses(found: Iterable[Record], check: str) -> str:
    told: Mapping[str, int] = Counter(
        one["status"] for own in found for one in own["findings"] if one["check"] == check
    )
    return ", ".join(f"{status} {n}" for status, n in told.items()) or "–"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--stagers", nargs="*", default=[*STAGERS, *foreign.STAGERS])
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    asked = parser.parse_args()
    mne.set_log_level("error")
    sys.stdout.write(tables(records(asked.stagers, asked.seeds, asked.keep)))
