"""
A night whose truth is known
============================

Nobody can check an explanation against a network and a brain that are both unknown. Here both are known: the night is
**simulated**, so that the time, frequency and electrode of every spindle are on record; and the stager is written by
hand, so that there is no doubt about what it looks at. What is left to doubt is the explanation.
"""

# %%
# A stager with one idea
# ----------------------
# It is given all EEG channels, listens to one of them, C4, in one band, 12 to 16 Hz, and calls an epoch N2 if the
# power there is high. Five outputs, four of which never move.

import matplotlib.pyplot as plt
import mne
import numpy as np
import torch
from scipy.signal import firwin
from torch import nn

import eegflex
from eegflex.stagers import ChannelSpec, ModelSpec

mne.set_log_level("warning")

CHANNEL, BAND, SFREQ = "C4-M1", (12.0, 16.0), 128.0
STAGES = ("W", "N1", "N2", "N3", "REM")


class SigmaAtC4(nn.Module):
    """Logits, shape (batch, stage), of signals in µV, shape (batch, channel, time)."""

    def __init__(self, place):
        super().__init__()
        self.place = place
        taps = firwin(513, [BAND[0] + 0.4, BAND[1] - 0.4], pass_zero=False, fs=SFREQ)
        self.register_buffer("taps", torch.tensor(taps, dtype=torch.float32)[None, None])

    def forward(self, x):
        sigma = nn.functional.conv1d(x[:, [self.place]], self.taps)
        n2 = torch.log(1 + sigma.square().mean((1, 2))) - 1
        return n2[:, None] * torch.tensor([stage == "N2" for stage in STAGES])


night = eegflex.simulate_psg(hours=2, sfreq=SFREQ, seed=6)
epochs = eegflex.make_epochs(night.raw)
eeg = [
    name
    for name, kind in zip(epochs.ch_names, epochs.get_channel_types(), strict=True)
    if kind == "eeg"
]
stager = SigmaAtC4(eeg.index(CHANNEL))
spec = ModelSpec(
    name="sigma at C4",
    sfreq=SFREQ,
    n_times=int(30 * SFREQ),
    unit="uV",
    channels=(ChannelSpec("eeg", types=("eeg",), use="all"),),
    stages=STAGES,
)

# %%
# The truth
# ---------
# Every event of the simulated night is a row: when, what, how fast, how large, and with which weight on each channel.

spindles = night.events[night.events["kind"] == "spindle"]
spindles[["onset", "duration", "stage", "frequency", "amplitude", CHANNEL]].head().round(2)

# %%
# The explanation
# ---------------
# Thirty epochs scored N2 are explained, in frequency and in time and frequency at once. The score explained is that
# of N2, whatever the stager chose.

of_n2 = np.flatnonzero(epochs.metadata["stage"] == "N2")[:30]
result = eegflex.attribute_epochs(
    epochs[of_n2], stager, spec=spec, target="N2", views=("time-frequency",)
)

# %%
# First check: the right band of the right electrode
# --------------------------------------------------
# Of all that was attributed, signs left aside, how much is in each cell? Nearly everything must be in sigma at C4.
# The other electrodes have spindles too, and get nothing, because the stager does not listen to them.

table = result.to_data_frame()
share = table.assign(size=table["attribution"].abs()).pivot_table(
    "size", "channel", "band", "sum", sort=False
)
share = 100 * share / share.to_numpy().sum()
print(f"{share.loc[CHANNEL, 'sigma']:.1f} % of the attribution is in sigma at {CHANNEL}.")
share.round(1)

# %%
# Second check: at the right moments
# ----------------------------------
# The time-frequency view says *when*. We mark the cells of each epoch that a spindle on record covers, rank all cells
# by their attribution, and see whether the marked ones come first. The area under the precision-recall curve is 1 if
# they all do; of a ranking by chance it is the marked share of the cells.

data = result.to_xarray().sel(channel=CHANNEL)
view = data["time_frequency_view"].transpose("epoch", "frame", "frame_freq")
frames, freqs = view["frame"].values, view["frame_freq"].values  # centres, in s and Hz
half = float(np.diff(frames).mean()) / 2


def covered(onset):
    """Cells (frame, frame_freq) that a spindle covers, in the epoch that begins at `onset` s."""
    cells = np.zeros((len(frames), len(freqs)), dtype=bool)
    for spindle in spindles.itertuples():
        begins = spindle.onset - onset
        during = (frames + half > begins) & (frames - half < begins + spindle.duration)
        cells |= during[:, None] & (abs(freqs - spindle.frequency) <= 1)
    return cells


truth = np.stack([covered(onset) for onset in data["onset"].values])
ranked = truth.ravel()[np.argsort(-view.values.ravel())]
precision = np.cumsum(ranked) / np.arange(1, ranked.size + 1)
area, chance = precision[ranked].mean(), ranked.mean()
print(
    f"Area under the precision-recall curve {area:.2f}, by chance {chance:.3f}: "
    f"{area / chance:.0f} times as good"
)

# %%
# It is not 1, and should not be. The stager is moved by every sigma wave at C4, the background's too, and by a large
# spindle more than by a faint one; the list of events knows no difference. Where the two part, the explanation tells
# of the *stager*, and the list of the *night*. On real data the list is missing, and the same caution is due: an
# attribution is no detector of spindles.
#
# See for yourself
# ----------------
# The epoch with the most spindles. Above, its signal at C4; below, the attribution to time and frequency. Boxes are
# the planted spindles, drawn from the simulator's list and not from the explanation. Red raised the score of N2.

# sphinx_gallery_thumbnail_number = -1
best = int(truth.any(axis=2).sum(axis=1).argmax())
onset = float(data["onset"].values[best])
signal = data["signal"].values[best]
image = view.values[best].T
limit = np.quantile(abs(image), 0.998)

fig, (above, below) = plt.subplots(
    2, 1, sharex=True, figsize=(10, 5.5), height_ratios=[1, 1.6], layout="constrained"
)
above.plot(np.arange(signal.size) / SFREQ, signal, color="0.2", linewidth=0.6)
above.set(
    ylabel=f"{CHANNEL} (µV)", title="Attribution to N2 and planted spindles, one simulated epoch"
)
above.spines[["top", "right"]].set_visible(False)
mesh = below.pcolormesh(
    frames, freqs, image, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="nearest", rasterized=True
)
for spindle in spindles.itertuples():
    box = (spindle.onset - onset, spindle.frequency - 1)
    below.add_patch(
        plt.Rectangle(box, spindle.duration, 2, fill=False, edgecolor="black", linewidth=1.2)
    )
below.set(xlim=(0, 30), ylim=(0, 30), xlabel="Time in the epoch (s)", ylabel="Frequency (Hz)")
fig.colorbar(mesh, ax=below, label="Attribution (logit)")
plt.show()
