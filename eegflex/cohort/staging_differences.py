"""How groups differ in how they are staged, apart from what drives the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort
    from eegflex.cohort.people import Units

__all__ = ["staging_of"]


def staging_of(cohort: Cohort, units: Units) -> pd.DataFrame:
    """A row for each person, and a column for each quantity of staging and stage.

    The shares of a night's stages by the scorer and by the stager, kappa of each stage and of all, and the disagreement of
    channels. Of a person with several nights it is the mean over them.
    """
    who = cohort.recordings["subject"]
    done = cohort.recordings.index[cohort.recordings["status"] == "done"]
    stages = cohort.stages[cohort.stages["recording"].isin(done)]
    order = pd.unique(stages["stage"])
    wide = stages.set_index(["recording", "stage"])[["n_scored", "n_predicted", "kappa"]].unstack("stage")  # noqa: PD010
    found: dict[tuple[str, str], pd.Series] = {}
    for name, column in (("share scored", "n_scored"), ("share predicted", "n_predicted")):
        counts = wide[column]
        total = counts.sum(axis=1)
        found |= {(name, stage): counts[stage] / total.where(total > 0) for stage in order}
    found |= {("kappa", stage): wide["kappa"][stage] for stage in order}
    found |= {(name, "all stages"): cohort.recordings.loc[done, name] for name in ("kappa", "disagreement")}
    table = pd.DataFrame(found, dtype=float).reindex(done)
    people = table.groupby(who.reindex(done), sort=False).mean().reindex(units.table.index)
    return people.loc[:, people.notna().any()].replace([np.inf, -np.inf], np.nan)
