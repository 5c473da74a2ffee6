"""
A small cohort
==============

Here are twelve people, half of whom have few sleep spindles. We explain all their nights with one command, and then
ask whether the groups differ: in what drives the decisions of the stager, or already in how they are staged.

The nights are **simulated**, with a known difference. This tutorial needs ``eegflex[cohort]``.
"""

# %%
# Twelve nights
# -------------
# Nights of half an hour keep this short. Patients have a quarter of the usual spindles; everything else has the same
# distribution. A table lists the recordings, the people, and their covariates.

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mne
import pandas as pd

import eegflex
from eegflex.cohort import compare_groups, make_cohort_report, read_cohort

mne.set_log_level("warning")
folder = Path(tempfile.mkdtemp())

rows = []
for number in range(12):
    group = "patient" if number % 2 else "control"
    few = 0.25 if group == "patient" else 1.0
    night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=100 + number, spindle_density=few)
    files = night.save(folder / f"night{number:02d}.edf")
    rows.append((files.psg.name, files.hypnogram.name, f"{number:02d}", group, 30 + 3 * number))

table = pd.DataFrame(rows, columns=["recording", "hypnogram", "subject", "group", "age"])
table.to_csv(folder / "nights.csv", index=False)
table.head()

# %%
# One command
# -----------
# ``eegflex cohort`` reads, checks, stages and explains every recording, several in parallel, and writes the results.
# If it is interrupted, run the same command again to continue. In a shell it is ``eegflex cohort nights.csv --model
# bandpower --sample-per-stage 8 -o flex``; ``"bandpower"`` is a small transparent model.

command = [
    "cohort",
    "nights.csv",
    "--model",
    "bandpower",
    "--sample-per-stage",
    "8",
    "--evaluate",
    "0",
]
command += ["--spectral-share", "0", "--windows-per-stage", "0", "-o", "flex"]
done = subprocess.run(
    [sys.executable, "-m", "eegflex", *command],
    cwd=folder,
    capture_output=True,
    text=True,
    check=True,
)

# %%
# The output
# ----------
# Each recording is a row; a failed one has its error and what to do. For each recording there are means over its
# epochs, by stage, channel and band, with their errors.

cohort = read_cohort(folder / "flex")
cohort.recordings[["subject", "group", "status", "kappa", "n_explained"]]

# %%
# Do the groups differ?
# ---------------------
# The unit is the person, not the epoch. The output also states what speaks against a difference: how few people there
# are, whether they are staged differently, and how much of the variance between them is error.

found = compare_groups(
    cohort, "group", groups=["patient", "control"], stages=["N2"], n_permutations=200
)
print(found)

# %%
# A cluster near 13 Hz in N2 differs significantly, and is lower in patients, as simulated. No single band does after
# correction for all bands, and the output says why: with eight epochs of a stage, the errors within nights are as
# large as the variance between people. ``plan_epochs`` estimates how many epochs are needed. How large is the effect?
# Hedges' g is in standard deviations between people.

effects = found.bands.query("channel == 'all channels'").set_index("band")
effects[["difference", "low", "high", "g", "g_low", "g_high", "p_fdr"]].round(2)

# %%
# The report
# ----------
# The report contains all this, and lists outlying people with the reason. It works offline, so you can send it.

report = make_cohort_report(cohort, [found], folder=folder / "flex")
report.save(folder / "flex" / "report.html", overwrite=True)

# %%
# The people
# ----------
# One mark is one person. With so few people, look at each.

sigma = cohort.bands.query("stage == 'N2' and band == 'sigma'").groupby("recording")["mean"].mean()
group = cohort.recordings["group"].reindex(sigma.index)
fig, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")
for place, name in enumerate(["control", "patient"]):
    own = sigma[group == name]
    ax.plot([place] * len(own), own, "o", markerfacecolor="none", color="black")
    ax.plot([place - 0.2, place + 0.2], [own.mean()] * 2, color="black")
ax.set(
    xticks=[0, 1],
    xticklabels=["control", "patient"],
    xlim=(-0.6, 1.6),
    ylabel="Attribution to sigma in N2 (logit)",
)
plt.show()
