"""Cohorts that tests of inference make by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from eegflex.cohort import Cohort

PAIR = ["patient", "control"]


def by_hand(values, groups, *, error=0.1, subjects=None, **columns) -> Cohort:
    """One stage, channel and band: a number for each recording."""
    n = len(values)
    names = [f"sub-{k:02d}_ses-{k}" for k in range(n)]
    recordings = pd.DataFrame(
        {
            "subject": subjects if subjects is not None else [f"p{k:02d}" for k in range(n)],
            "session": "1", "status": "done", "error": "", "remedy": "", "kappa": np.nan, "disagreement": np.nan,
            "n_epochs": 100, "n_explained": 10, "n_trusted": -1, "seconds": 1.0, "result": "", "group": groups, **columns,
        },
        index=pd.Index(names, name="recording"),
    )  # fmt: skip
    stages = pd.DataFrame(
        {
            "recording": names,
            "stage": "N2",
            "n_scored": 50,
            "n_predicted": 50,
            "n_explained": 10,
            "n_trusted": -1,
            "kappa": np.nan,
        }
    )
    bands = pd.DataFrame(
        {
            "recording": names,
            "stage": "N2",
            "channel": "C3-M2",
            "band": "sigma",
            "mean": values,
            "error": error,
            "n_epochs": 10,
        }
    )
    spectra = xr.Dataset(
        {
            name: (
                ("recording", "stage", "channel", "freq"),
                np.asarray(values, float)[:, None, None, None] * np.ones(3),
            )
            for name in ("mean", "error")
        },
        coords={"recording": names, "stage": ["N2"], "channel": ["C3-M2"], "freq": [12.0, 13.0, 14.0]},
    )
    return Cohort(recordings, stages, bands, spectra)


def with_columns(cohort: Cohort, **columns) -> Cohort:
    """The same cohort with other covariates."""
    return replace(cohort, recordings=cohort.recordings.assign(**columns))
