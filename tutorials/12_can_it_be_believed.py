"""
Can it be believed?
===================

An attribution is a claim about a model: *these* frequencies of *this* channel made it say N2. The model can test this
claim. ``evaluate`` replaces the epoch by other signals, shuffles the weights, and asks about other stages. It reports
each result with the number of explanations and an interval.

The night is **simulated**, so its events are known.
"""

# %%
# A night, explained
# ------------------
# ``"bandpower"`` is a small transparent model. We add a view in time, so that attributions can be compared with
# events.

import mne
import pandas as pd

import eegflex

mne.set_log_level("warning")

psg = eegflex.simulate_psg(hours=2, sfreq=128, seed=12)
night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw), "bandpower")
result = eegflex.attribute_epochs(night, sample_per_stage=8, views=("frequency", "time-frequency"))
result

# %%
# Test the explanations
# ---------------------
# By default ``evaluate`` runs every test that is possible, on ten explanations of each stage. Each line is one check:
# what was measured, the number of explanations, and what to do if the result is bad. ``?`` means that there are too
# few data to tell. It does not mean that all is well.

evaluation = eegflex.evaluate(result, night)
print(evaluation)

# %%
# Insertion and deletion
# ----------------------
# Frequencies are inserted into the baseline, and deleted from the epoch, in the order of their attribution. If the
# order is right, the probability changes at once, and the area between both curves is large. An order by power needs
# no explanation at all, so an explanation must be better than that.

area = evaluation.area[["n", "mean", "low", "high", "behind_attribution", "behind_attribution_low"]]
area.round(2)

# %%
# Random weights
# --------------
# If the explanation stays the same when the weights are shuffled, it describes the signal and not the model. The
# *signed* similarity must be near 0. The similarity of absolute values never is, because attributions follow the
# spectrum of the signal.

sanity = evaluation.tables["sanity"]
sanity[["change", "level", "n", "signed", "signed_low", "signed_high", "unsigned"]]

# %%
# What scorers look for
# ---------------------
# Spindles, slow waves and eye movements are detected in the recording (with the extra ``yasa``), and the AASM's
# criteria are compared with what the network used. Without ``yasa`` a message says so.

criteria = evaluation.tables.get(
    "AASM criteria", pd.DataFrame({"verdict": ["YASA is not installed"]})
)
criteria[[name for name in ("stage", "criterion", "verdict", "because") if name in criteria]]

# %%
# The smallest sets
# -----------------
# These are the bands that suffice for a stage, the bands that are necessary for it, and the smallest change that
# gives another stage. Each was tested on the model.

for line in evaluation.tables["sets"].iloc[:3].to_dict("records"):
    print("; ".join(f"{name}: {value}" for name, value in line.items() if isinstance(value, str)))

# %%
# Which explanations to trust
# ---------------------------
# An explanation is trusted only if it was tested and meets every criterion that was measured. The table says why
# others are not trusted.

trust = evaluation.result.trust()
pd.crosstab(trust["predicted"], trust["verdict"])

# %%
# The first explanations that are not trusted, and why:

trust.loc[
    ~trust["verdict"].isin(["trusted", "not tested"]), ["number", "predicted", "reasons"]
].head(8)

# %%
# A model that uses a shortcut
# ----------------------------
# ``"known-shortcut"`` recognises N3 by power-line noise, which is added to N3 here. Its explanations are exact, and
# pass every test of faithfulness, because they describe the model correctly. The check for shortcuts shows that the
# model does not use sleep.

hum = eegflex.evaluation.plant_line_noise(psg.raw, stage="N3")
cheat = eegflex.stage_epochs(eegflex.make_epochs(hum), "known-shortcut")
cheated = eegflex.attribute_epochs(cheat, sample_per_stage=10)
audit = eegflex.evaluate(cheated, cheat, parts=["faithfulness", "shortcuts"])
print(audit.findings["faithfulness"])
print(audit.findings["shortcut: line"])

# %%
# What to check first
# -------------------
# If you score the night again, start where the model has the most doubt.

night.review_queue().head(8)

# %%
# A viewer can show this beside the recording. The annotations say what contributed most to each explained epoch, for
# its most confident channels, and mark the first epochs of the queue.

annotations = evaluation.result.to_annotations(n_review=8)
raw = psg.raw.copy().set_annotations(annotations, on_missing="ignore")
for one in annotations[:6]:
    print(f"{one['onset']:.0f} s, {one['duration']:.0f} s: {one['description']}")

# %%
# Attributions can also become tracks, with one value a second for each channel and band, in a file that EDFbrowser
# and other viewers show beside the recording. In a shell, use ``eegflex export night.nc -o night-attribution.edf``.
# In MNE::
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
# The numbers are stored in the result: ``evaluation.save("night.nc")`` saves them, and
# ``eegflex.evaluation.Evaluation(result)`` reads them back. The report shows them beside the explanations, and
# figures fill the marks of trusted epochs.

result = evaluation.result
fig = result.plot_bands()
