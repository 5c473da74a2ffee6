"""
A night whose truth is known
============================

You cannot check an explanation if neither the network nor the signal is known. Here both are known: the night is
**simulated**, so the time, frequency and electrode of every spindle are on record; and the stager is built by hand,
so we know what it uses. Only the explanation is left to check.
"""

# %%
# A stager that uses one band
# ---------------------------
# ``"known-spindle"`` gets six EEG channels. It uses one of them, C4, in one band, 12 to 16 Hz, and calls an epoch N2
# if enough of that band is in bursts. It was not trained. Its truth is stored with it.

import matplotlib.pyplot as plt
import mne
import numpy as np

import eegflex
from eegflex.evaluation import cover_of_events, plant_line_noise, share_in_truth

mne.set_log_level("warning")

night = eegflex.simulate_psg(hours=2, sfreq=128, seed=6)
epochs = eegflex.make_epochs(night.raw)
stager = eegflex.load_model("known-spindle")
truth = stager.module.truth
truth

# %%
# The truth of the night
# ----------------------
# Every event of the simulated night is a row: onset, kind, frequency, amplitude, and its weight on each channel.

CHANNEL = "C4-M1"
spindles = night.events[night.events["kind"] == truth.kind]
spindles[["onset", "duration", "stage", "frequency", "amplitude", CHANNEL]].head().round(2)

# %%
# The explanation
# ---------------
# We explain thirty epochs that were scored N2, in frequency and in time and frequency. The target is the score of N2,
# whatever the stager predicted. For these stagers, silence means that their feature is absent, so silence is the
# baseline.

of_n2 = np.flatnonzero(epochs.metadata["stage"] == "N2")[:30]
result = eegflex.attribute_epochs(
    epochs[of_n2], stager, target="N2", baseline="zero", views=("time-frequency",)
)

# %%
# First check: the right band at the right electrode
# --------------------------------------------------
# How much of the absolute attribution is in sigma at C4? It must be nearly all. The other electrodes have spindles
# too, but get nothing, because the stager does not use them.

print(f"{100 * share_in_truth(result, truth).min():.2f} % in the worst of the epochs.")
result.band_table(by=("channel",)).round(2)

# %%
# Second check: the right moments
# -------------------------------
# The time-frequency view says *when*. We mark the cells that are covered by a simulated spindle, rank all cells by
# their attribution, and see whether the marked cells come first. The area under the precision-recall curve is 1 if
# they all do. For a random ranking it is the marked share of the cells. The first row uses only cells within sigma,
# where knowing the band does not help.

for rows in ("band", "all"):
    cover = cover_of_events(result, truth, night.events, rows=rows)
    print(
        f"{rows:>4}: area {cover.average_precision:.2f}, by chance {cover.chance:.3f}: {cover.ratio:.0f} times as good"
    )

# %%
# The area is not 1, and should not be. The stager responds to every burst of sigma at C4, also in the background, and
# more to large spindles than to small ones; the list of events does not distinguish them. Where the two differ, the
# explanation describes the *stager*, and the list describes the *night*. Keep this in mind for real data, where there
# is no list: an attribution is not a detector of spindles.
#
# A stager that uses a shortcut
# -----------------------------
# Suppose that power-line noise was present whenever somebody slept deeply. ``"known-shortcut"`` has learnt this: it
# calls an epoch N3 if it has 50 Hz at C4. On such a night it agrees with the hypnogram, so agreement does not reveal
# the shortcut. Its explanation does: all of it is ``above`` every sleep band.

hum = eegflex.make_epochs(plant_line_noise(night.raw, "N3"))
deep = hum[np.flatnonzero(hum.metadata["stage"] == "N3")[:10]]
cheat = eegflex.attribute_epochs(deep, "known-shortcut", target="N3", baseline="zero")
cheat.band_table(by=("channel",)).round(2)

# %%
# Look at one epoch
# -----------------
# This is the epoch with the most spindles. Top: its signal at C4. Bottom: the attribution to time and frequency.
# Boxes are the simulated spindles, from the simulator's list and not from the explanation. Red raised the score of
# N2. An empty box is a spindle that this stager does not detect: a slow one, below 12 Hz, or one that hardly reaches
# C4.

# sphinx_gallery_thumbnail_number = -1
data = result.to_xarray().sel(channel=CHANNEL)
starts = data["onset"].values
n_spindles = [spindles["onset"].between(start, start + 30).sum() for start in starts]
one = data.isel(epoch=int(np.argmax(n_spindles)))
onset = float(one["onset"])
signal = one["signal"].values
image = one["time_frequency_view"].transpose("frame_freq", "frame").values
limit = np.quantile(abs(image), 0.998)

fig, (above, below) = plt.subplots(
    2, 1, sharex=True, figsize=(10, 5.5), height_ratios=[1, 1.6], layout="constrained"
)
above.plot(np.arange(signal.size) / result.sfreq, signal, color="0.2", linewidth=0.6)
above.set(
    ylabel=f"{CHANNEL} (µV)", title="Attribution to N2 and planted spindles, one simulated epoch"
)
above.spines[["top", "right"]].set_visible(False)
mesh = below.pcolormesh(
    one["frame"],
    one["frame_freq"],
    image,
    cmap="RdBu_r",
    vmin=-limit,
    vmax=limit,
    shading="nearest",
    rasterized=True,
)
for spindle in spindles.itertuples():
    box = (spindle.onset - onset, spindle.frequency - 1)
    below.add_patch(
        plt.Rectangle(box, spindle.duration, 2, fill=False, edgecolor="black", linewidth=1.2)
    )
below.set(xlim=(0, 30), ylim=(0, 30), xlabel="Time in the epoch (s)", ylabel="Frequency (Hz)")
fig.colorbar(mesh, ax=below, label="Attribution (logit)")
plt.show()
