"""
A first night
=============

This tutorial goes from a recording on disk to the question that eegflex answers: *which rhythms, on which electrodes,
made the network say N2?* It takes five calls. Each returns something that you can look at.

The night is **simulated**, so everybody can run the tutorial without patient data. Two files of your own go through
the same calls; :doc:`02_your_own_recording` says what can go wrong on the way.
"""

# %%
# Two files
# ---------
# A polysomnogram usually comes as a recording and a hypnogram. We simulate two and a half hours and write both as
# EDF+.

import tempfile
from pathlib import Path

import mne

import eegflex

mne.set_log_level("warning")

folder = Path(tempfile.mkdtemp())
files = eegflex.simulate_psg(hours=2.5, sfreq=128, seed=1).save(folder / "night.edf")
print([path.name for path in files])

# %%
# Read the files and make epochs
# ------------------------------
# ``read_psg`` returns an ordinary MNE ``Raw``: in volts, with channel types and positions derived from the labels,
# and the stages as annotations. ``make_epochs`` cuts it into 30-s epochs, aligned with the hypnogram. The metadata
# has, for each epoch, the scored stage, the onset in seconds, and the number of its *run* (a stretch without gaps).

raw = eegflex.read_psg(files.psg, hypnogram=files.hypnogram)
epochs = eegflex.make_epochs(raw)
epochs.metadata.head()

# %%
# Stage the night
# ---------------
# ``"bandpower"`` comes with eegflex. It uses five band powers and was fitted on simulated nights, so it is for
# learning only. For real nights use ``"gssc"`` (after ``pip install 'eegflex[gssc]'``; its licence is AGPL), or your
# own network (:doc:`03_your_own_network`).

night = eegflex.stage_epochs(epochs, "bandpower")
night

# %%
# Each epoch has a probability for each stage. ``margin`` is the difference between the highest and the second highest
# probability. ``agreeing`` is the number of the stager's channel sets that give the same stage; this stager has one,
# which contains all its channels.

night.to_data_frame().round(2).iloc[40:45]

# %%
# Does the network stage this night well?
# ---------------------------------------
# Check this before you explain anything. The explanation of a network that stages badly is of little use.
# ``night.save("stages.edf")`` writes the predicted hypnogram as EDF+ annotations for any PSG viewer.

fig = night.plot_night()

# %%
# Explain it
# ----------
# For each epoch, FLEX asks how the score of the predicted stage changes when the magnitudes of all frequencies change
# from those of an ordinary epoch of this night to those recorded, with the phases held fixed. Every frequency of
# every channel gets its part of the change. Eight epochs of each stage are enough for a first look.

result = eegflex.attribute_epochs(night, sample_per_stage=8)
result

# %%
# The ordinary epoch is the *baseline*: everything is compared with it. No baseline is neutral. The network assigns a
# stage to the ordinary epoch too, and epochs of that same stage are explained only by how they differ from it. Other
# baselines answer other questions (:doc:`08_which_question`).

result.baseline_stages()

# %%
# Read the numbers
# ----------------
# Attributions are in the unit of the score, here a logit. **Positive**: what the epoch has in this band raised the
# score of the predicted stage, compared with an ordinary epoch. **Negative**: it lowered the score. Zero: the network
# does not use this band, or the epoch is ordinary in it. The bands, with the columns ``below`` and ``above`` them,
# add up to ``total``, and the totals of all channels add up to the change of the score. These are means over the
# epochs that were predicted N2:

result.band_table().loc["N2"].round(2)

# %%
# You can check that they add up. The completeness gap is the missing part, here relative to the size of the
# attributions. A small gap can be luck, so eegflex also estimates the error of the band sums, and adds computations
# until it is below 2 %.

data = result.to_xarray()
gap, error = abs(result.relative_gap()).max(), float(data["error"].max())
print(f"largest completeness gap {100 * gap:.2f} %, largest estimated error {100 * error:.2f} %")

# %%
# One epoch
# ---------
# A mean over epochs can hide much. This figure shows one epoch: its signal, its spectrum, and its attributions. Here
# we take the first epoch that was predicted N2. ``plot_epoch(stage="N2")`` takes the most typical one, whose
# attributions are most similar to those of the others.

called_n2 = result.to_data_frame().query("predicted == 'N2'")["number"]
fig = result.plot_epoch(int(called_n2.iloc[0]))

# %%
# Save it
# -------
# A result is a labelled xarray data set and is saved as netCDF. The report is one HTML page that works offline, or a
# PDF (``night.pdf``, with the extra ``pdf``). ``result.add_to_report(report)`` adds the figures to an
# ``mne.Report``::
#
#     result.save("night.nc")
#     eegflex.make_report(result).save("night.html")
#     result.export_edf("night-attribution.edf")  # tracks for a PSG viewer
#
# The same in a shell::
#
#     eegflex report night.edf --hypnogram night-hypnogram.edf --model bandpower --sample-per-stage 8
#
# Over the head
# -------------
# This figure has one row for each band and one column for each predicted stage. Red and a plus raised the score of
# that stage, blue and a minus lowered it. Each stage has its own colour scale, so compare within a column. Every
# electrode shows the same epochs. Fewer than 16 electrodes are drawn as discs, without interpolation.
#
# ``bandpower`` gives all EEG channels the same weight. Differences between electrodes therefore show how much of a
# rhythm each of them *has*: an attribution needs both, a network that uses a rhythm and a signal that contains it.

# sphinx_gallery_thumbnail_number = -1
fig = result.plot_topomap()
