"""
Can it be believed?
===================

An attribution is a claim about a model: *these* frequencies of *this* channel made it say N2. The model can be asked whether
that is so. ``evaluate`` puts other signals in the place of the epoch, random numbers in the place of the weights, and other
stages in the place of the question, and tells what came of it, with the number of explanations and an interval.

The night is **simulated**, so that the events in it are on record.
"""

# %%
# A night, explained
# ------------------
# ``"bandpower"`` is a small white box. A view in time is asked for, so that attributions can be held against events.

import mne
import pandas as pd

import eegflex

mne.set_log_level("warning")

psg = eegflex.simulate_psg(hours=2, sfreq=128, seed=12)
night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw), "bandpower")
result = eegflex.attribute_epochs(night, sample_per_stage=8, views=("frequency", "time-frequency"))
result

# %%
# Ask the model again
# -------------------
# By default everything is asked that can be, of ten explanations of each stage. Each line is a check: what was measured, of
# how many explanations, and what to do where it is not well. ``?`` says that there is too little to tell, which is no
# all-clear.

evaluation = eegflex.evaluate(result, night)
print(evaluation)

# %%
# Insertion and deletion
# ----------------------
# Frequencies are put into the baseline in the order of their attribution, and taken out of the epoch. Where the order is
# right, the probability follows at once, and the area between both curves is large. An order by power needs no explanation
# at all: an explanation that is no better than that has told nothing.

area = evaluation.area[["n", "mean", "low", "high", "behind_attribution", "behind_attribution_low"]]
area.round(2)

# %%
# Random weights
# --------------
# If the explanation stays the same with weights in random order, it is of the signal and not of the model. The *signed*
# similarity must be near 0. That of sizes alone never is: attributions are a product with the signal, and have its spectrum.

sanity = evaluation.tables["sanity"]
sanity[["change", "level", "n", "signed", "signed_low", "signed_high", "unsigned"]]

# %%
# What scorers look for
# ---------------------
# Spindles, slow waves and eye movements are found in the recording, and the AASM's criteria stand beside what the network used.
# The extra ``yasa`` finds the former; without it this part says so.

criteria = evaluation.tables.get(
    "AASM criteria", pd.DataFrame({"verdict": ["YASA is not installed"]})
)
criteria[[name for name in ("stage", "criterion", "verdict", "because") if name in criteria]]

# %%
# The smallest sets
# -----------------
# What is enough for a stage, what is needed for it, and how little makes it another: each was given to the model.

for line in evaluation.tables["sets"].iloc[:3].to_dict("records"):
    print("; ".join(f"{name}: {value}" for name, value in line.items() if isinstance(value, str)))

# %%
# Which explanations to trust
# ---------------------------
# An explanation is trusted only if it was tested and every criterion that was measured holds. The table says why others are
# not.

trust = evaluation.result.trust()
pd.crosstab(trust["predicted"], trust["verdict"])

# %%
# The first of those that are not trusted, and why.

trust.loc[trust["verdict"] != "trusted", ["number", "predicted", "reasons"]].head(8)

# %%
# A model that cheats
# -------------------
# ``"known-shortcut"`` tells N3 by the hum of the mains, which was louder then. Its explanations are exact, and pass every
# test of faithfulness: they say what the model does. The audit says that this is no sleep.

hum = eegflex.evaluation.plant_line_noise(psg.raw, stage="N3")
cheat = eegflex.stage_epochs(eegflex.make_epochs(hum), "known-shortcut")
cheated = eegflex.attribute_epochs(cheat, sample_per_stage=10)
audit = eegflex.evaluate(cheated, cheat, parts=["faithfulness", "shortcuts"])
print(audit.findings["faithfulness"])
print(audit.findings["shortcut: line"])

# %%
# What to look at first
# ---------------------
# Whoever scores the night again should begin where the model doubts most.

night.review_queue().head(8)

# %%
# A viewer shows that beside the recording. Annotations say what carried the decision on each epoch that was explained, by its
# most confident channels, and hold the first of the queue.

annotations = evaluation.result.to_annotations(n_review=8)
raw = psg.raw.copy().set_annotations(annotations, on_missing="ignore")
for one in annotations[:6]:
    print(f"{one['onset']:.0f} s, {one['duration']:.0f} s: {one['description']}")

# %%
# Attributions themselves become tracks, one value a second for each channel and band, in a file of their own that EDFbrowser
# and its like lay on the recording; from a shell, ``eegflex export night.nc -o night-attribution.edf``. In MNE::
#
#     fname = evaluation.result.export_edf("night-attribution.edf", meas_date=psg.raw.info["meas_date"])
#     tracks = mne.io.read_raw_edf(fname, preload=True)
#     sfreq = psg.raw.info["sfreq"]
#     values = np.repeat(tracks.get_data(), int(sfreq), axis=1)[:, : psg.raw.n_times]
#     beside = mne.io.RawArray(values, mne.create_info(tracks.ch_names, sfreq, "misc"))
#     beside.set_meas_date(psg.raw.info["meas_date"])
#     raw.add_channels([beside], force_update_info=True)
#     raw.plot(scalings={"misc": 0.5})
#
# The numbers are kept with the result: ``evaluation.save("night.nc")``, and ``eegflex.evaluation.Evaluation(result)`` reads
# them back. The report shows them beside the explanations, and figures fill the marks of epochs that are trusted.

result = evaluation.result
fig = result.plot_bands()
