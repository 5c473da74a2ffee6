"""
A night whose truth is known
============================

Nobody can check an explanation against a network and a brain that are both unknown. Here both are known: the night is
**simulated**, so that the time, frequency and electrode of every spindle are on record; and the stager is made by
hand, so that there is no doubt about what it looks at. What is left to doubt is the explanation.
"""

# %%
# A stager with one idea
# ----------------------
# ``"known-spindle"`` is given six EEG channels. It listens to one of them, C4, in one band, 12 to 16 Hz, and calls an
# epoch N2 if enough of it is in bursts. Nothing in it is trained. Its truth comes with it.

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
# Every event of the simulated night is a row: when, what, how fast, how large, and with which weight on each channel.

CHANNEL = "C4-M1"
spindles = night.events[night.events["kind"] == truth.kind]
spindles[["onset", "duration", "stage", "frequency", "amplitude", CHANNEL]].head().round(2)

# %%
# The explanation
# ---------------
# Thirty epochs scored N2 are explained, in frequency and in time and frequency at once. The score explained is that
# of N2, whatever the stager chose. These stagers are made so that silence scores as the absence of their feature, and silence
# is what the epochs are compared with.

of_n2 = np.flatnonzero(epochs.metadata["stage"] == "N2")[:30]
result = eegflex.attribute_epochs(
    epochs[of_n2], stager, target="N2", baseline="zero", views=("time-frequency",)
)

# %%
# First check: the right band of the right electrode
# --------------------------------------------------
# Of all that was attributed, signs left aside, how much is in sigma at C4? Nearly everything must be. The other
# electrodes have spindles too, and get nothing, because the stager does not listen to them.

print(f"{100 * share_in_truth(result, truth).min():.2f} % in the worst of the epochs.")
result.band_table(by=("channel",)).round(2)

# %%
# Second check: at the right moments
# ----------------------------------
# The time-frequency view says *when*. The cells that a spindle on record covers are marked, all cells are ranked by their
# attribution, and one sees whether the marked ones come first. The area under the precision-recall curve is 1 if they
# all do; of a ranking by chance it is the marked share of the cells. Within the rows of sigma, knowing the band is no
# help, and only the moment is asked.

for rows in ("band", "all"):
    cover = cover_of_events(result, truth, night.events, rows=rows)
    print(
        f"{rows:>4}: area {cover.average_precision:.2f}, by chance {cover.chance:.3f}: {cover.ratio:.0f} times as good"
    )

# %%
# It is not 1, and should not be. The stager is moved by every burst of sigma at C4, the background's too, and by a large
# spindle more than by a faint one; the list of events knows no difference. Where the two part, the explanation tells
# of the *stager*, and the list of the *night*. On real data the list is missing, and the same caution is due: an
# attribution is no detector of spindles.
#
# A stager that cheats
# --------------------
# Suppose that whenever somebody slept deeply, a lamp hummed beside the bed. ``"known-shortcut"`` has learnt the lamp:
# it calls N3 what has 50 Hz at C4. On such a night it agrees with the hypnogram, and no table of agreement gives it away.
# Its explanation does: all of it lies ``above`` every band of sleep.

hum = eegflex.make_epochs(plant_line_noise(night.raw, "N3"))
deep = hum[np.flatnonzero(hum.metadata["stage"] == "N3")[:10]]
cheat = eegflex.attribute_epochs(deep, "known-shortcut", target="N3", baseline="zero")
cheat.band_table(by=("channel",)).round(2)

# %%
# See for yourself
# ----------------
# The epoch with the most spindles. Above, its signal at C4; below, the attribution to time and frequency. Boxes are
# the planted spindles, drawn from the simulator's list and not from the explanation. Red raised the score of N2. A box that
# stays empty is a spindle that this stager cannot hear: a slow one, below 12 Hz, or one that hardly reaches C4.

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
