"""How many epochs must be reviewed until a night agrees with the truth, in the order of the review queue.

Simulated nights, without artifacts and with all of them: the truth is known, and the queue does not see it. Reviewed epochs
get their true stage. Against it: the order by the margin of the surest channel set alone, and orders at random. How the
signals are combined was chosen on nights 501 to 503; what is told is of other nights. A stager that agrees with kappa 0.9 from
the beginning is asked for 0.97.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

import eegflex
from benchmarks.nights import STAGERS
from benchmarks.table import as_table
from eegflex.agreement import cohens_kappa
from eegflex.evaluation.faithfulness import bootstrap
from eegflex.review import epochs_to_review
from eegflex.simulation.artifacts import ARTIFACTS
from eegflex.stagers import Stager
from eegflex.staging import StagedNight

__all__ = ["text"]

#: Fresh nights, those that the order was chosen on, and their length in h.
SEEDS, CHOSEN_ON, HOURS = (511, 512, 513, 514, 515, 516, 517), (501, 502, 503), 4.0
#: What is to be reached, and what by a stager that is there already.
KAPPA, HIGHER = 0.9, 0.97
N_RANDOM = 10

MODELS: dict[str, Callable[[], Stager]] = {"bandpower": partial(eegflex.load_model, "bandpower"), **STAGERS}


def orders(night: StagedNight) -> dict[str, list[pd.DataFrame]]:
    """The queue and what it is held against."""
    queue = night.review_queue(hypnogram=False)
    queue = queue[queue["predicted"].isin(night.stages)]
    margin = night.to_data_frame().set_index("number")["margin"]
    by_margin = queue.iloc[np.argsort(margin[queue["epoch"]].to_numpy(), kind="stable")]
    rng = np.random.default_rng(0)
    return {
        "queue": [queue],
        "margin": [by_margin],
        "random": [queue.iloc[rng.permutation(len(queue))] for _ in range(N_RANDOM)],
    }


def needed(night: StagedNight, kappa: float) -> dict[str, float]:
    """Share of the staged epochs that must be reviewed, in each order."""
    return {
        name: float(np.mean([(epochs_to_review(one, kappa) or 0) / len(one) for one in several]))
        for name, several in orders(night).items()
    }


def text(stagers: Sequence[str] = tuple(MODELS), seeds: Sequence[int] = SEEDS, hours: float = HOURS) -> str:
    """The table, and how often epochs of each doubt are wrong."""
    rows, doubts = [], []
    for name in stagers:
        stager = MODELS[name]()
        nights = [_night(stager, seed, artifacts, hours) for seed in seeds for artifacts in ((), tuple(ARTIFACTS))]
        kappas = [_kappa(night) for night in nights]
        kappa = KAPPA if min(kappas) < KAPPA else HIGHER
        found = pd.DataFrame([needed(night, kappa) for night in nights])
        cells = [_words(found[order].to_numpy(), seeds) for order in ("queue", "margin", "random")]
        gained = _words((found["margin"] - found["queue"]).to_numpy(), seeds)
        rows.append((name, f"{min(kappas):.2f} to {max(kappas):.2f}", f"{kappa:g}", *cells, gained))
        doubts.append((name, *_wrong_by_doubt(nights)))
    heads = ("stager", "kappa", "to reach", "queue", "margin alone", "random", "margin less queue")
    bins = ("stager", *(f"{low:g} to {high:g}" for low, high in itertools.pairwise(EDGES)))
    said = f"Share of the epochs to review, mean over {2 * len(seeds)} nights and 95 % interval over seeds:\n\n"
    return said + as_table(heads, rows) + "\nShare of wrong epochs by doubt, with n:\n\n" + as_table(bins, doubts)


#: Of doubt.
EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)


def _night(stager: Stager, seed: int, artifacts: tuple[str, ...], hours: float) -> StagedNight:
    recorded = eegflex.simulate_psg(hours=hours, sfreq=128, seed=seed, artifacts=artifacts, verbose="error")
    return eegflex.stage_epochs(eegflex.make_epochs(recorded.raw, verbose="error"), stager, verbose="error")


def _kappa(night: StagedNight) -> float:
    return cohens_kappa(night.confusion)


def _words(shares: np.ndarray, seeds: Sequence[int]) -> str:
    own = bootstrap(100 * shares, np.repeat(seeds, 2))
    return f"{own.mean:.1f} % [{own.low:.1f}, {own.high:.1f}]"


def _wrong_by_doubt(nights: Sequence[StagedNight]) -> list[str]:
    queue = pd.concat([night.review_queue(hypnogram=False).dropna(subset=["doubt"]) for night in nights])
    wrong = (queue["stage"] != queue["predicted"]).groupby(pd.cut(queue["doubt"], EDGES, right=False), observed=False)
    return [f"{100 * share:.0f} % ({n})" if n else "–" for share, n in zip(wrong.mean(), wrong.size(), strict=True)]


if __name__ == "__main__":
    sys.stdout.write(text(sys.argv[1:] or tuple(MODELS)))
