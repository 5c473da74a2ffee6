"""
A small cohort
==============

One night is an anecdote. Here are twelve people, half of whom have few sleep spindles, from the command that explains all their
nights to the question whether the groups differ: in what drives the decisions of the stager, or already in how they are staged.

The nights are **simulated**, so that the difference is known: it was planted. It needs ``eegflex[cohort]``.
"""

# %%
# Twelve nights, and who they are of
# ----------------------------------
# Nights of half an hour keep this short. Patients have a quarter of the usual spindles; all else is drawn alike. A table says
# where the recordings are, whose they are, and what else is known of the people.

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
# ``eegflex cohort`` reads, checks, stages and explains every recording, several at once, and writes what came of each. The same
# command again goes on where it ended. In a shell it is
# ``eegflex cohort nights.csv --model bandpower --sample-per-stage 8 -o flex``; ``"bandpower"`` is a small white box.

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
# What there is
# -------------
# Each recording is a row, a failed one too, with its error and what to do. Of each there are means over its own epochs, by
# stage, channel and band, with their own errors.

cohort = read_cohort(folder / "flex")
cohort.recordings[["subject", "group", "status", "kappa", "n_explained"]]

# %%
# Do the groups differ?
# ---------------------
# The person is the unit, not the epoch. What speaks against stands beside what speaks for: how few people there are, whether
# they are staged unlike, and how much of the scatter between them is error.

found = compare_groups(
    cohort, "group", groups=["patient", "control"], stages=["N2"], n_permutations=200
)
print(found)

# %%
# A cluster about 13 Hz in N2 is told from chance, lower in patients, as it was planted. No band by itself is, corrected for all
# that were asked, and the page says why: eight epochs of a stage leave errors within nights as large as the scatter between
# people. ``plan_epochs`` tells how many are needed. How large, and how sure? Hedges' g counts in standard
# deviations between people.

effects = found.bands.query("channel == 'all channels'").set_index("band")
effects[["difference", "low", "high", "g", "g_low", "g_high", "p_fdr"]].round(2)

# %%
# One page
# --------
# The page has all this, and who stands out and why. It loads nothing, so that it can be sent.

report = make_cohort_report(cohort, [found], folder=folder / "flex")
report.save(folder / "flex" / "report.html", overwrite=True)

# %%
# The people
# ----------
# One mark a person: with so few of them, look at each.

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
