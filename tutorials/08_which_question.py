"""
What question does this answer?
===============================

An attribution is a comparison. Its numbers sum to the score of an epoch *minus the score of a baseline*, and their
meaning depends on the baseline. Exact numbers can still answer a question that you did not ask. This tutorial shows
the questions, one by one, on the same epochs.

The night is **simulated**, and the stager, ``"bandpower"``, is a small transparent model.
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
# Compared with silence
# ---------------------
# ``baseline="zero"``: *what did everything in this epoch do?* This is FLEX as it was published. Everything includes
# the 1/f part that every EEG has, so much of the answer is the same for all epochs of a stage. Many networks also
# behave oddly near silence, because they were never trained on it. In the figure each mark is one epoch: a plus
# raised the score, a circle lowered it, grey is within its error. The line is the median, the bar below it the 95 %
# interval.

asked = {"target": "N2", "select": "predicted == 'N2'", "on_check": "warn"}
silence = eegflex.attribute_epochs(night, baseline="zero", **asked)
fig = silence.plot_bands()

# %%
# Compared with an ordinary epoch of the night
# --------------------------------------------
# ``baseline="recording"``: *what distinguishes this epoch from the others of this night?* The ordinary epoch has, in
# each band, the median power of the night, and the phases of the epoch itself. Where an epoch has an ordinary amount
# of a band, the attribution is zero. This is the default for recordings with at least 60 usable epochs.

ordinary = eegflex.attribute_epochs(night, baseline="recording", **asked)
fig = ordinary.plot_bands()

# %%
# The network assigns a stage to the ordinary epoch, as to every baseline. If this is the explained stage, as here,
# the answer says how these epochs differ from ordinary ones, and little about why they are N2.

ordinary.baseline_stages()

# %%
# Compared with an ordinary epoch of a stage
# ------------------------------------------
# ``baseline="stage:W"``: *what distinguishes this epoch from wakefulness?* It needs a hypnogram.

waking = eegflex.attribute_epochs(night, baseline="stage:W", **asked)
fig = waking.plot_bands()

# %%
# Compared with the same epoch without its peaks
# ----------------------------------------------
# ``baseline="aperiodic"``: *what did its rhythms do?* The oscillatory peaks in the averaged spectra of this night are
# removed from the epoch, each with its height in that epoch; the 1/f part and its noise stay. An epoch without peaks
# is its own baseline.

peaks = eegflex.attribute_epochs(night, baseline="aperiodic", **asked)
fig = peaks.plot_bands()

# %%
# How different the answers are
# -----------------------------
# These are the sums of the bands over the same epochs. None is wrong; each answers its own question.

answers = {"silence": silence, "ordinary": ordinary, "waking": waking, "peaks": peaks}
tables = {name: result.band_table(by="stage").loc["N2"] for name, result in answers.items()}
pd.DataFrame(tables).T.drop(columns="n_epochs").astype(float).round(1)

# %%
# Does the epoch decide at all?
# -----------------------------
# Before you read an explanation, check whether the stage depends on the epoch. ``decided_by`` replaces the epoch by
# the baseline and shows how probable the stage still is, and in how many epochs the change is larger than the error
# of its attribution. For a network that uses neighbours it also shows how much of the change these made, the *context
# share*; in wakefulness and REM they often decide alone (:doc:`04_context`). The bands of the epoch then explain only
# a small part. For such stages, a few whole windows are explained, and ``window_rhythms`` shows what the rhythms of
# the neighbours did. This network uses one epoch at a time, and has no such table.

each = eegflex.attribute_epochs(night, sample_per_stage=8, on_check="warn")
each.decided_by().round(2)

# %%
# Does the spectrum decide at all?
# --------------------------------
# If the network uses waveforms, frequencies cannot explain it. eegflex therefore stages the night again with the same
# magnitudes and random phases. A stage that is lost is *decided by waveforms*. Tables of bands say so in a column,
# and you should use the views by time and by time and frequency instead. ``"bandpower"`` uses band powers.

shares = each.spectral_share()
shares[["n_epochs", "p", "p_joint", "agreement_joint", "decided_by"]].round(2)

# %%
# Why this and not that?
# ----------------------
# The other half of the question is the score. ``target="predicted"`` asks about the predicted stage,
# ``target="scored"`` about the stage in the hypnogram, and a pair is a margin: why N2 *and not* N1
# (:doc:`05_why_n2_and_not_n1`). The epochs that the network is least sure of are often the most informative.

unsure = eegflex.attribute_epochs(night, target="margin", select="margin < 0.3", on_check="warn")
unsure

# %%

# sphinx_gallery_thumbnail_number = -1
fig = unsure.plot_bands()
