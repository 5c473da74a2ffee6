"""Cohorts of simulated numbers: a planted profile of each stage and band, and people who scatter about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from eegflex.bands import Bands
from eegflex.cohort import Cohort
from eegflex.findings import Findings, ok, unknown, warning

STAGES = ("W", "N1", "N2", "N3", "REM")
CHANNELS = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")
#: What each band does to each stage in the median person, and how much people scatter about that.
PROFILE = {
    "W": {"delta": -1.0, "theta": -0.2, "alpha": 2.0, "sigma": 0.1, "beta": 0.8},
    "N1": {"delta": -0.4, "theta": 0.9, "alpha": -0.5, "sigma": -0.3, "beta": 0.1},
    "N2": {"delta": 0.4, "theta": 0.1, "alpha": -0.3, "sigma": 1.5, "beta": -0.2},
    "N3": {"delta": 3.0, "theta": 0.2, "alpha": -0.2, "sigma": 0.0, "beta": -0.4},
    "REM": {"delta": -0.8, "theta": 0.8, "alpha": -0.1, "sigma": -0.9, "beta": 0.2},
}
SCATTER = 0.25
ERRORS = (
    ("The file is cut short: {n} of 840 epochs are there", "Copy /data/people/smith_anna.edf again"),
    ("No EEG channel was found", "Name the channels with labels="),
    ("The worker that read it died at tcp://10.1.2.3:4455", "Run it by itself to see why"),
)


def simulate_cohort(
    n_people=20, n_failed=0, sessions=1, seed=0, channels=CHANNELS, n_epochs=20, evaluated=True, scored=True, labels=None,
    group_effect=0.0,
):  # fmt: skip
    """Return a cohort; `labels` names people, the last `n_failed` of whom failed."""
    rng = np.random.default_rng(seed)
    labels = labels or [f"{number + 1:02d}" for number in range(n_people)]
    names, rows, stages, spectra = [], [], [], []
    bands = Bands()
    freqs = np.arange(0, 40.25, 0.25)
    means, errors = [], []
    for person, label in enumerate(labels):
        offset = SCATTER * rng.normal(size=(len(STAGES), len(bands)))
        in_group = person % 2
        for session in range(sessions):
            name = f"sub-{label}" + (f"_ses-{session + 1}" if sessions > 1 else "")
            failed = person >= len(labels) - n_failed
            error, remedy = ERRORS[person % len(ERRORS)] if failed else ("", "")
            kappa = float(np.clip(rng.normal(0.78, 0.05), -1, 1)) if scored and not failed else np.nan
            names.append(name)
            rows.append(
                {
                    "subject": label, "session": str(session + 1) if sessions > 1 else "",
                    "status": "failed" if failed else "done", "error": error.format(n=person), "remedy": remedy,
                    "kappa": kappa, "disagreement": np.nan if failed else float(rng.beta(2, 30)),
                    "n_epochs": 0 if failed else 840,
                    "n_explained": 0 if failed else n_epochs * 5,
                    "n_trusted": -1 if failed or not evaluated else int(n_epochs * 3),
                    "n_tested": n_epochs * 5 if evaluated and not failed else 0,
                    "seconds": 12.5, "result": "" if failed else f"sub-{label}/eeg/{name}_desc-flex_attribution.nc",
                    "group": "patient" if in_group else "control", "age": float(20 + person % 50),
                }
            )  # fmt: skip
            if failed:
                continue
            profile = np.array([[PROFILE[stage][band] for band in bands] for stage in STAGES]) + offset
            profile[2, 3] += group_effect * in_group
            own = profile[:, None, :] + 0.1 * rng.normal(size=(len(STAGES), len(channels), len(bands)))
            means.append(own)
            errors.append(np.full(own.shape, 0.3 / np.sqrt(n_epochs)))
            stages += [
                {
                    "recording": name, "stage": stage, "n_scored": 168, "n_predicted": 168, "n_explained": n_epochs,
                    "n_trusted": n_epochs * 3 // 5 if evaluated else -1, "n_tested": n_epochs * evaluated,
                    "kappa": kappa - 0.3 * (stage == "N1"),
                }
                for stage in STAGES
            ]  # fmt: skip
            density = np.zeros((*own.shape[:2], len(freqs)))
            for place, (low, high) in enumerate(bands.values()):
                inside = (freqs >= low) & (freqs < high)
                density[..., inside] = own[..., [place]] / (high - low)
            spectra.append(density)
    done = [name for name, row in zip(names, rows, strict=True) if row["status"] == "done"]
    shape = len(done), len(STAGES), len(channels), len(bands)
    index = pd.MultiIndex.from_product(
        [done, STAGES, channels, list(bands)], names=["recording", "stage", "channel", "band"]
    )
    table = pd.DataFrame(
        {"mean": np.reshape(means, -1), "error": np.reshape(errors, -1), "n_epochs": n_epochs}, index=index
    ).reset_index()
    sums = table.groupby(["recording", "stage", "channel"], sort=False)["mean"].sum().reset_index()
    nothing = [sums.assign(mean=0.001, band=band, error=0.01, n_epochs=n_epochs) for band in bands.outside]
    table = pd.concat([table, *nothing, sums.assign(band="total", error=0.15, n_epochs=n_epochs)], ignore_index=True)
    values = np.reshape(spectra, (*shape[:3], len(freqs)))
    dims = ("recording", "stage", "channel", "freq")
    data = xr.Dataset(
        {"mean": (dims, values), "error": (dims, np.full_like(values, 0.05))},
        coords={"recording": done, "stage": list(STAGES), "channel": list(channels), "freq": freqs},
        attrs={
            "score": "log_probs", "stages": list(STAGES), "model": "gssc", "baseline": "zero", "context": "fixed",
            "target": "predicted", "sample_per_stage": n_epochs, "simulated": "True",
        },
    )  # fmt: skip
    columns = ["recording", "stage", "n_scored", "n_predicted", "n_explained", "n_trusted", "n_tested", "kappa"]
    return Cohort(
        pd.DataFrame(rows, index=pd.Index(names, name="recording")), pd.DataFrame(stages, columns=columns), table, data
    )


@dataclass(frozen=True)
class Compared:
    """What a comparison is to the page: a title, tables and findings."""

    title: str
    n: dict
    people: tuple
    bands: pd.DataFrame
    clusters: pd.DataFrame
    staging: pd.DataFrame
    findings: Findings


def compared(cohort, by="group", groups=("patient", "control"), channels=CHANNELS):
    """Return a comparison of two groups as t tests have it, with one cluster where the smallest p is."""
    wide = cohort.bands[~cohort.bands["band"].isin(("below", "above"))]
    wide = wide.pivot_table("mean", "recording", ["stage", "channel", "band"])
    means = wide.T.groupby(["stage", "band"]).mean().T
    means.columns = pd.MultiIndex.from_tuples([(stage, "all channels", band) for stage, band in means.columns])
    wide = pd.concat([means, wide], axis=1)
    of = cohort.recordings[by].reindex(wide.index)
    one, other = (wide[of == group].to_numpy() for group in groups)
    spread = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / 2)
    g = (one.mean(axis=0) - other.mean(axis=0)) / spread
    half = 1.96 * np.sqrt(1 / len(one) + 1 / len(other))
    p = stats.ttest_ind(one, other).pvalue
    table = pd.DataFrame(list(wide.columns), columns=["stage", "channel", "band"]).assign(
        g=g, g_low=g - half, g_high=g + half, difference=g * spread, low=(g - half) * spread, high=(g + half) * spread, p=p,
        p_fdr=stats.false_discovery_control(p), **{f"n_{groups[0]}": len(one), f"n_{groups[1]}": len(other)},
    )  # fmt: skip
    clusters = pd.DataFrame(
        {"stage": ["N2"], "sign": ["+"], "low_freq": [12.25], "high_freq": [15.75], "channels": [", ".join(channels[:4])],
         "mass": [120.0], "p": [0.001], "p_corrected": [0.005], "n": [len(wide)]}
    )  # fmt: skip
    staging = table.head(3)[["stage", "g", "g_low", "g_high", "p"]].assign(quantity="share scored")
    best = table.iloc[int(p.argmin())]
    lines = (
        ok(f"{best['band']} in {best['stage']} differs, g {best['g']:.2f}", g=best["g"]).named("bands"),
        unknown("nothing is known of the staging").named("staging"),
        warning("half of the people have few epochs", "Explain more of them").named("errors"),
    )
    title = f"{by}: {' − '.join(groups)}"
    n = dict(zip(groups, (len(one), len(other)), strict=True))
    people = tuple(cohort.recordings["subject"].reindex(wide.index))
    return Compared(title, n, people, table, clusters, staging, Findings(title, lines))


def correlated(cohort, covariate="age"):
    """Return a correlation of all bands with a number."""
    found = compared(cohort)
    wide = cohort.bands[~cohort.bands["band"].isin(("below", "above"))]
    wide = wide.pivot_table("mean", "recording", ["stage", "band"])
    number = cohort.recordings[covariate].reindex(wide.index)
    rows = []
    for stage, band in wide.columns:
        made = stats.pearsonr(number, wide[stage, band])
        low, high = made.confidence_interval()
        rows.append((stage, "all channels", band, made.statistic, low, high, made.pvalue, made.pvalue, len(wide)))
    table = pd.DataFrame(rows, columns=["stage", "channel", "band", "r", "low", "high", "p", "p_fdr", "n"])
    title = f"{covariate} (Pearson's r)"
    findings = Findings(title, found.findings.findings)
    return Compared(title, {"people": len(wide)}, found.people, table, pd.DataFrame(), pd.DataFrame(), findings)
