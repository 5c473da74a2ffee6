"""
A spectrogram network
=====================

Many published networks are not given the signal but its spectrogram, in dB and standardised. Explain such a network where its
input is, and the answer is in cells of a picture that nobody recorded. In eegflex the spectrogram is a part of the network,
written down in its spec: attributions are those of the *signal*, in its own frequencies and at its own times.

The network is real: SeqSleepNet (Phan et al. 2019) with the weights that PhysioEx trained on real nights. The night is
**simulated**, so that the spindles in it are on record.
"""

# %%
# A network by its name
# ---------------------
# The weights lie in a release of PhysioEx. Nothing of that package is imported, so it may be installed without all
# that it asks for: ``pip install --no-deps physioex==1.0.0.dev4``. Or its wheel is downloaded, and ``load_model``
# told where it is: ``weights="physioex-1.0.0.dev4-py3-none-any.whl"``. Without either, the tutorial ends here and
# says so.

import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd

import eegflex
from eegflex.evaluation import average_precision

mne.set_log_level("warning")

try:
    stager = eegflex.load_model("physioex:seqsleepnet-eeg")
except eegflex.errors.ModelError as missing:
    raise SystemExit(f"This tutorial needs the weights of PhysioEx. {missing}") from None
stager

# %%
# What it is given stands in its spec, which came with it: the spectrogram in words that mean what they mean in scipy.
# It reads 21 epochs at a time; what it says of the one in the middle is what counts.

spec = stager.spec
print(spec.spectrogram)
print(f"Before the epoch: {spec.context.before} epochs, after it: {spec.context.after}")

# %%
# Stage the night
# ---------------
# PhysioEx standardised each frequency by the mean and sd of its training nights, which are in no release. Those of
# this recording take their place, and a warning says so: how well that does is seen from the agreement with the
# simulated hypnogram.

SITE = "C4-M1"
recorded = eegflex.simulate_psg(hours=2, sfreq=100, seed=1)
night = eegflex.stage_epochs(eegflex.make_epochs(recorded.raw), stager, picks=[SITE])
night

# %%
# Rows are the stages of the hypnogram, columns what the network said. N1 is what it hardly ever says.

pd.DataFrame(night.confusion, index=night.stages, columns=night.stages)

# %%
# Ask the doctor
# --------------
# ``check_model`` tries what goes wrong with networks of others: another unit, another order of the stages, another
# epoch than the middle one, gradients that do not account for the scores. A spectrogram has a check of its own,
# ``front end``.

eegflex.check_model(night)

# %%
# FLEX on the signal
# ------------------
# The call is that for any network. The spectrogram is differentiated along with the layers behind it, so the
# attribution has the frequencies of 30 s of signal, not those of the spectrogram.

result = eegflex.attribute_epochs(night, sample_per_stage=8)
bins = stager.front.frequencies
print(f"Spectrogram: {len(bins)} frequencies, {bins[1] - bins[0]:.2f} Hz apart")
print(f"Attribution: {len(result.freqs)} frequencies, {result.freqs[1]:.3f} Hz apart")
data = result.to_xarray()
print(f"Error of the band sums: at most {100 * data['error'].values.max():.1f} %")
print(
    f"Gradient evaluations an epoch: {data['n_gradients'].values.min()} to "
    f"{data['n_gradients'].values.max()}"
)

# %%
# A logarithm is steep where there is little of something, so on the way from its baseline to an epoch the score may
# change within a small part of it. That is why epochs differ so much in the number of gradients that they need. A
# fixed number of steps would not have said how wrong it was (:doc:`10_from_physioex`).
#
# What the baseline is called
# ---------------------------
# Each epoch was compared with an ordinary one of this night, in its place and between its neighbours. That too has a
# stage. In the epochs that were called N2:

of_n2 = np.flatnonzero((data["predicted"] == "N2").values[:, 0])
result[of_n2].baseline_stages()

# %%
# An ordinary epoch in the place of one of N2 is N2 again. So this comparison says how an epoch of N2 differs from an
# ordinary one, and next to nothing of why it is N2.
#
# What the neighbours decide
# --------------------------
# ``p`` is the network's probability of the stage that it chose, ``p_replaced`` what is left with the ordinary epoch
# in its place. ``context_share`` is how much of the change the ten epochs to each side made. N3 is lost without its
# epoch; REM stays, as an ordinary epoch between epochs of REM is called REM. ``decided_by`` is about something else:
# the night was staged again with random phases, and the stages that stayed are read off spectra. A network of
# spectrograms could hardly do otherwise.

table = result.decided_by()
table[["n_epochs", "p", "p_replaced", "context_share", "decided_by"]].round(2)

# %%
# Why N2, and not N1?
# -------------------
# The question of a scorer is a *margin*, the score of N2 less that of N1 (:doc:`05_why_n2_and_not_n1`), and the fair
# comparison is with N1: an ordinary epoch of what the hypnogram calls N1. ``"aperiodic"`` asks what the rhythms did,
# those that rise above the 1/f part. Epochs are taken that are N2 by the hypnogram and for the network.

asked = {
    "target": ("N2", "N1"),
    "select": "stage == 'N2' and predicted == 'N2'",
    "sample_per_stage": 20,
    "views": ("time-frequency",),
    "spectral_share": 0,
}
baselines = {
    "ordinary epoch": "recording",
    "ordinary N1": "stage:N1",
    "without its peaks": "aperiodic",
}
answers = {
    name: eegflex.attribute_epochs(night, baseline=baseline, **asked)
    for name, baseline in baselines.items()
}
sums = {name: one.band_table(by="stage").loc["N2"] for name, one in answers.items()}
pd.DataFrame(sums).T.drop(columns="n_epochs").astype(float).round(2)

# %%
# Each row sums to how much further N2 is ahead of N1 with the epoch than with what it is compared with. Peaks above
# the 1/f part are nearly all sigma, and spoke for N2. Compared with N1 other bands did too.
#
# And what is called so? With N1 in the place of the epoch alone (``epoch``), and in that of its neighbours as well
# (``both``), the network says:

rather = answers["ordinary N1"]
rather.baseline_stages()

# %%
# The neighbours hold it: between epochs of N2 an ordinary epoch of N1 is called N2. A whole window of them is called
# W.
#
# The rhythms of the neighbours can be had with ``context="scaled"``, which turns up all 21 epochs together, each from
# N1. It takes more gradients, so a few epochs must do. Medians over them, and the error that a number must exceed to
# be one:

window = eegflex.attribute_epochs(
    night, baseline="stage:N1", context="scaled", **(asked | {"sample_per_stage": 5, "views": ()})
)
rhythms = window.window_rhythms().xs("all", level="channel").loc["N2"]
shown_bands = ["delta", "theta", "alpha", "sigma", "beta"]
parts = {part: rhythms["median"].loc[part] for part in ("epoch", "neighbours")}
print(f"Error: {rhythms['error'].iloc[0]:.2f}")
pd.DataFrame(parts).T[shown_bands].round(2)

# %%
# When?
# -----
# Nobody told this network of spindles, and they were planted. If the explanation is right about the moment, the cells
# of the time-frequency view that spindles cover should come first when all cells from 11 to 16 Hz are ranked by their
# attribution. The area under the precision-recall curve is 1 if they all do, and by chance the share of the cells
# that are covered. Windows of 2 s blur what is shorter, and other waves speak for N2 too: it cannot be 1. It must be
# well above chance.

heard = recorded.events["kind"].eq("spindle") & (recorded.events[SITE].abs() > 0.3)
spindles = recorded.events[heard]


def covered(view, events):
    """Which cells of a time-frequency view a spindle covers, shape (epoch, frequency, frame)."""
    times = view["onset"].values[:, None] + view["frame"].values
    cells = np.zeros((view.sizes["epoch"], view.sizes["frame_freq"], view.sizes["frame"]), bool)
    for event in events.itertuples():
        now = (times >= event.onset) & (times <= event.onset + event.duration)
        near = abs(view["frame_freq"].values - event.frequency) <= 1
        cells |= now[:, None, :] & near[:, None]
    return cells


for name, one in answers.items():
    view = one.to_xarray().sel(frame_freq=slice(11, 16), frame=slice(0, 30))
    truth = covered(view, spindles)
    area = average_precision(truth, view["time_frequency_view"].values[:, 0])
    print(f"{name:>17}: area {area:.2f}, by chance {truth.mean():.3f}")

# %%
# See for yourself
# ----------------
# The epoch with the most spindles. Above, its signal; below, the attribution to time and frequency for two of the
# questions; boxes are the planted spindles, drawn from the simulator's list. Red spoke for N2 rather than N1.
# Compared with N1, large slow waves speak too. A box that stays empty is a spindle that did not count for this
# network, and red outside the boxes is what it took for N2 elsewhere. The way to these pictures led back through a
# spectrogram whose windows of 2 s are a second apart.

# sphinx_gallery_thumbnail_number = -1
shown = {name: answers[name].to_xarray() for name in ("ordinary N1", "without its peaks")}
starts = shown["ordinary N1"]["onset"].values
n_spindles = [spindles["onset"].between(start, start + 29).sum() for start in starts]
chosen = int(np.argmax(n_spindles))
onset = starts[chosen]

fig, axes = plt.subplots(
    3, 1, sharex=True, figsize=(10, 7.5), height_ratios=[1, 1.5, 1.5], layout="constrained"
)
signal = shown["ordinary N1"]["signal"].values[chosen, 0]
axes[0].plot(np.arange(signal.size) / result.sfreq, signal, color="0.2", linewidth=0.6)
axes[0].set(ylabel=f"{SITE} (µV)", title="Why N2 and not N1: one simulated epoch, SeqSleepNet")
axes[0].spines[["top", "right"]].set_visible(False)
for ax, (name, view) in zip(axes[1:], shown.items(), strict=True):
    image = view["time_frequency_view"].isel(epoch=chosen, channel=0)
    image = image.transpose("frame_freq", "frame")
    limit = np.quantile(abs(image), 0.998)
    mesh = ax.pcolormesh(
        view["frame"],
        view["frame_freq"],
        image,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        shading="nearest",
        rasterized=True,
    )
    for spindle in spindles.itertuples():
        box = (spindle.onset - onset, spindle.frequency - 1)
        ax.add_patch(plt.Rectangle(box, spindle.duration, 2, fill=False, linewidth=1.2))
    ax.set(xlim=(0, 30), ylim=(0, 30), ylabel="Frequency (Hz)")
    ax.set_title(f"Compared with: {name}", fontsize=10)
    fig.colorbar(mesh, ax=ax, label="Attribution (logit)")
axes[-1].set_xlabel("Time in the epoch (s)")
plt.show()
