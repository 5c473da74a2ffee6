"""
What question does this answer?
===============================

An attribution is a comparison. Its numbers sum to the score of an epoch *less the score of something else*, the baseline; what
they mean depends on what that something is. The numbers may be exact to a thousandth and still answer a question that nobody
asked. This page shows the questions, one by one, on the same epochs.

The night is **simulated**, and the network, ``"bandpower"``, is a small white box.
"""

# %%
# A night, staged once
# --------------------

import mne
import pandas as pd

import eegflex

mne.set_log_level("warning")

recorded = eegflex.simulate_psg(hours=3, sfreq=128, seed=5)
night = eegflex.stage_epochs(eegflex.make_epochs(recorded.raw), "bandpower")
night

# %%
# Against silence
# ---------------
# ``baseline="zero"``: *what did everything that is in this epoch do?* This is FLEX as it was published. Everything includes the
# 1/f part that every EEG has: much of the answer is the same for all epochs of a stage, and many networks do something odd on
# the way, for near-silence is nothing that they were trained on. In the figure each mark is one epoch: a plus raised the
# score, a circle lowered it, grey is within its error. The line is their median, the bar below it its 95 % interval.

asked = {"target": "N2", "select": "predicted == 'N2'", "on_check": "warn"}
silence = eegflex.attribute_epochs(night, baseline="zero", **asked)
fig = silence.plot_bands()

# %%
# Against an ordinary epoch of the night
# --------------------------------------
# ``baseline="recording"``: *what sets this epoch apart from the others of this night?* The ordinary epoch has, in each band,
# the median power of the night, and the phases of the epoch itself. Where an epoch has as much of a band as any other, nothing
# is attributed to it. Of a recording with at least 60 sound epochs this is the default.

ordinary = eegflex.attribute_epochs(night, baseline="recording", **asked)
fig = ordinary.plot_bands()

# %%
# An ordinary epoch has a stage of its own, as every baseline has. Where that is the stage that is explained, as here, the
# answer tells how these epochs differ from ordinary ones, and says little of why they are N2.

ordinary.baseline_stages()

# %%
# Against an ordinary epoch of a stage
# ------------------------------------
# ``baseline="stage:W"``: *what sets this epoch apart from wakefulness?* It needs a hypnogram.

waking = eegflex.attribute_epochs(night, baseline="stage:W", **asked)
fig = waking.plot_bands()

# %%
# Against the same epoch without its peaks
# ----------------------------------------
# ``baseline="aperiodic"``: *what did its rhythms do?* Oscillatory peaks that the averaged spectra of this night show are taken
# out of the epoch, each as high as it is there; the 1/f part and its noise stay. An epoch without peaks is its own baseline.

peaks = eegflex.attribute_epochs(night, baseline="aperiodic", **asked)
fig = peaks.plot_bands()

# %%
# How different the answers are
# -----------------------------
# The sums of the bands over the same epochs. None of them is wrong; each answers its own question.

answers = {"silence": silence, "ordinary": ordinary, "waking": waking, "peaks": peaks}
tables = {name: result.band_table(by="stage").loc["N2"] for name, result in answers.items()}
pd.DataFrame(tables).T.drop(columns="n_epochs").astype(float).round(1)

# %%
# What the epoch decides at all
# -----------------------------
# Before an explanation is read: does the stage depend on the epoch? ``decided_by`` puts the baseline in its place, and says
# what becomes of the probability of the stage, and in how many epochs the change is larger than the error of its attribution.
# Of a network that sees neighbours it also says how much of the change these made, the *context share*; for wakefulness and
# REM they often decide alone (:doc:`04_context`). The bands of the epoch are then the lesser part of the answer: a few windows
# of such a stage are explained as wholes, and ``window_rhythms`` tells what the rhythms of the neighbours did. This network
# sees one epoch at a time, and has no such table.

each = eegflex.attribute_epochs(night, sample_per_stage=8, on_check="warn")
each.decided_by().round(2)

# %%
# Whether the spectrum decides at all
# -----------------------------------
# No question about frequencies has an answer if the network reads waveforms. The night is therefore staged again with every
# magnitude kept and the phases random: a stage that is lost by it is *decided by waveforms*, tables of bands say so in a
# column, and the views by time and by time and frequency are the ones to read. This white box reads band powers.

shares = each.spectral_share()
shares[["n_epochs", "p", "p_joint", "agreement_joint", "decided_by"]].round(2)

# %%
# Why this and not that?
# ----------------------
# The other half of the question is the score. ``target="predicted"`` asks about the stage that the network chose,
# ``target="scored"`` about the one of the hypnogram, and a pair is a margin: why N2 *and not* N1 (:doc:`05_why_n2_and_not_n1`).
# Of one epoch after the other, those that the network is least sure of are often the most telling.

unsure = eegflex.attribute_epochs(night, target="margin", select="margin < 0.3", on_check="warn")
unsure

# %%

# sphinx_gallery_thumbnail_number = -1
fig = unsure.plot_bands()
