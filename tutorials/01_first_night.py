"""
A first night
=============

From a recording on disk to the question of this toolkit: *which rhythms, on which electrodes, made the network say
N2?* It takes five calls, each of which returns something that you can look at.

The night here is **simulated**, so that everybody has it and nobody's data are needed. Two files of your own go
through the same calls; :doc:`02_your_own_recording` says what can go wrong on the way.
"""

# %%
# Two files
# ---------
# A polysomnogram comes as a recording and a hypnogram. We simulate two and a half hours and write both, as EDF+.

import tempfile
from pathlib import Path

import mne

import eegflex

mne.set_log_level("warning")

folder = Path(tempfile.mkdtemp())
files = eegflex.simulate_psg(hours=2.5, sfreq=128, seed=1).save(folder / "night.edf")
print([path.name for path in files])

# %%
# Read and cut
# ------------
# ``read_psg`` returns an ordinary MNE ``Raw``: in volts, with channel types and positions found from the labels, and
# the stages as annotations. ``make_epochs`` cuts it on the hypnogram's own grid. Look at the metadata: each epoch has
# its scored stage, its onset in seconds, and the number of the stretch without a gap that it lies in.

raw = eegflex.read_psg(files.psg, hypnogram=files.hypnogram)
epochs = eegflex.make_epochs(raw)
epochs.metadata.head()

# %%
# Stage
# -----
# ``"bandpower"`` comes with eegflex. It looks at five band powers and was fitted on simulated nights, so it is good
# for learning and for nothing else. A real network is one word away: ``"gssc"``, after ``pip install
# 'eegflex[gssc]'`` (its licence is AGPL), or a network of your own (:doc:`03_your_own_network`).

night = eegflex.stage_epochs(epochs, "bandpower")
night

# %%
# Each epoch has a probability for each stage. ``margin`` is by how much the highest exceeds the next, and ``agreeing``
# how many of the stager's channel sets say the same; this stager has one, which takes all its channels at once.

night.to_data_frame().round(2).iloc[40:45]

# %%
# Does the network stage this night at all?
# -----------------------------------------
# Look here before anything is explained. Explaining a network that has lost its way explains nothing.
# ``night.save("stages.edf")`` writes the predicted hypnogram as EDF+ annotations, for any PSG viewer.

fig = night.plot_night()

# %%
# Explain
# -------
# For each epoch, FLEX asks how the score of the predicted stage rises when the epoch's rhythms are turned from those
# of an ordinary epoch of this night to what was recorded, with all phases left alone. Every frequency of every channel
# gets its part of the rise. Eight epochs of each stage will do for a first look.

result = eegflex.attribute_epochs(night, sample_per_stage=8)
result

# %%
# The ordinary epoch is the *baseline* that all is compared with. No baseline is neutral: this network calls an
# ordinary epoch of the night a stage, too, and what is said of epochs of that very stage is only how they differ from
# it. Other things to compare with answer other questions (:doc:`08_which_question`).

result.baseline_stages()

# %%
# The numbers
# -----------
# Attributions are in the unit of the score, here a logit. **Positive**: what the epoch has in this band raised the
# score of the stage that was chosen, compared with an ordinary epoch. **Negative**: it lowered it. Zero: the network
# did not look, or the epoch was ordinary there. The bands and what lies ``below`` and ``above`` them add up to
# ``total``, and the totals of all channels to how far the score rose. These are the means over the epochs that were
# called N2:

result.band_table().loc["N2"].round(2)

# %%
# That they add up is a property that can be checked. The completeness gap is what is missing, here relative to the size
# of the attributions. A small gap can be luck, so the error of the band sums is estimated as well; eegflex goes on until
# that is below 2 %.

data = result.to_xarray()
gap, error = abs(result.relative_gap()).max(), float(data["error"].max())
print(f"largest completeness gap {100 * gap:.2f} %, largest estimated error {100 * error:.2f} %")

# %%
# One epoch
# ---------
# A mean over epochs can hide much. The card of one epoch shows its signal, its spectrum, and what the network made of
# it. Here is one that was called N2; ``plot_epoch(stage="N2")`` takes the one whose attributions are most like those
# of the others, and not the one that the network was surest of, whose score is saturated.

called_n2 = result.to_data_frame().query("predicted == 'N2'")["number"]
fig = result.plot_epoch(int(called_n2.iloc[0]))

# %%
# Keep it
# -------
# A result is a labelled xarray data set, and is kept as netCDF; the report is one HTML page that works offline,
# or a PDF (``night.pdf``, with the extra ``pdf``); ``result.add_to_report(report)`` puts the figures into an ``mne.Report`` of
# yours::
#
#     result.save("night.nc")
#     eegflex.make_report(result).save("night.html")
#     result.export_edf("night-attribution.edf")  # tracks to lay on the recording, for a PSG viewer
#
# and the same from a shell::
#
#     eegflex report night.edf --hypnogram night-hypnogram.edf --model bandpower --sample-per-stage 8
#
# Over the head
# -------------
# The figure that one takes home: one row a band, one column a predicted stage. Red and a plus raised the score of that
# stage, blue and a minus lowered it. Each stage has a colour scale of its own, so compare within a column. Every
# electrode is drawn over the same epochs; fewer than 16 are discs, since what lies between them would be guessed.
#
# ``bandpower`` weighs all EEG channels alike. What differs between the electrodes is therefore how much of a rhythm
# each of them *has*: an attribution needs both, a network that looks and a signal to be seen.

# sphinx_gallery_thumbnail_number = -1
fig = result.plot_topomap()
