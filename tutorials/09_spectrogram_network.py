"""
A spectrogram network
=====================

Many published networks do not take the signal but its spectrogram, in dB and standardised. An explanation at that
input refers to cells of the spectrogram, not to the recording. In eegflex the spectrogram is part of the network and
is described in its spec, so attributions refer to the *signal*, its frequencies and its times.

The network is SeqSleepNet (Phan et al. 2019) with the weights that PhysioEx trained on real nights. The night is
**simulated**, so its spindles are known.
"""

# %%
# Load a network by its name
# --------------------------
# The weights are part of a release of PhysioEx. eegflex does not import the package, so you can install it without
# its dependencies: ``pip install --no-deps physioex==1.0.0.dev4``. Or download its wheel, and pass
# ``weights="physioex-1.0.0.dev4-py3-none-any.whl"`` to ``load_model``. Without either, the tutorial stops here with a
# message.

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
# The spec comes with the network. It describes the spectrogram in the terms of scipy. The network gets 21 epochs at a
# time; its output for the middle epoch is used.

spec = stager.spec
print(spec.spectrogram)
print(f"Before the epoch: {spec.context.before} epochs, after it: {spec.context.after}")

# %%
# Stage the night
# ---------------
# PhysioEx standardised each frequency by the mean and standard deviation of its training nights, which no release
# contains. eegflex uses those of this recording instead, with a warning. The agreement with the simulated hypnogram
# shows how well that works.

SITE = "C4-M1"
recorded = eegflex.simulate_psg(hours=2, sfreq=100, seed=1)
night = eegflex.stage_epochs(eegflex.make_epochs(recorded.raw), stager, picks=[SITE])
night

# %%
# Rows are the stages of the hypnogram, columns the stages of the network. The network hardly ever predicts N1.

pd.DataFrame(night.confusion, index=night.stages, columns=night.stages)

# %%
# Check the model
# ---------------
# ``check_model`` looks for common mistakes: a wrong unit, a wrong order of the stages, a wrong epoch of the window,
# gradients that do not account for the scores. For a spectrogram there is one more check, ``front end``.

eegflex.check_model(night)

# %%
# FLEX on the signal
# ------------------
# The call is the same as for any network. The spectrogram is differentiated together with the layers after it, so the
# attribution has the frequency resolution of 30 s of signal, not that of the spectrogram.

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
# A logarithm is steep near zero, so the score may change within a small part of the path from the baseline to the
# epoch. That is why epochs differ so much in the number of gradients that they need. A fixed number of steps would
# not have shown its error (:doc:`10_from_physioex`).
#
# The stage of the baseline
# -------------------------
# Each epoch was compared with an ordinary epoch of this night, in its place and between its neighbours. The network
# assigns a stage to that too. For the epochs that were predicted N2:

of_n2 = np.flatnonzero((data["predicted"] == "N2").values[:, 0])
result[of_n2].baseline_stages()

# %%
# An ordinary epoch in the place of an N2 epoch is N2 again. So this comparison says how an N2 epoch differs from an
# ordinary one, and next to nothing about why it is N2.
#
# What the neighbours decide
# --------------------------
# ``p`` is the network's probability of the predicted stage; ``p_replaced`` is what remains with the ordinary epoch in
# its place. ``context_share`` is how much of the change the ten epochs on each side made. N3 is lost without its
# epoch; REM stays, because an ordinary epoch between REM epochs is called REM. ``decided_by`` is another measure: the
# night was staged again with random phases, and the stages that stayed are recognised from spectra, as expected for a
# network of spectrograms.

table = result.decided_by()
table[["n_epochs", "p", "p_replaced", "context_share", "decided_by"]].round(2)

# %%
# Why N2, and not N1?
# -------------------
# Scorers ask about a *margin*, the score of N2 minus that of N1 (:doc:`05_why_n2_and_not_n1`), and a suitable
# baseline is N1: an ordinary epoch of the hypnogram's N1. ``"aperiodic"`` asks what the rhythms above the 1/f part
# did. We use epochs that are N2 both in the hypnogram and for the network.

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
# Each row sums to how much further N2 leads N1 with the epoch than with the baseline. Peaks above the 1/f part are
# nearly all sigma, and were evidence for N2. Compared with N1, other bands were evidence too.
#
# Which stage is the baseline? With N1 in the place of the epoch alone (``epoch``), and also in that of its neighbours
# (``both``), the network says:

rather = answers["ordinary N1"]
rather.baseline_stages()

# %%
# The neighbours decide: between N2 epochs, an ordinary N1 epoch is called N2. A whole window of N1 epochs is called
# W.
#
# For the rhythms of the neighbours, use ``context="scaled"``, which changes all 21 epochs together, each from N1. It
# needs more gradients, so we use a few epochs. The table shows medians; values below the printed error are not
# distinguishable from zero:

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
# The network was not told about spindles, and they were simulated. If the explanation finds the right moments, the
# cells of the time-frequency view that contain a spindle should come first when all cells from 11 to 16 Hz are ranked
# by their attribution. The area under the precision-recall curve is 1 if they all do; by chance it is the share of
# the cells that contain a spindle. Windows of 2 s blur shorter events, and other waves are evidence for N2 too, so it
# cannot be 1. It should be well above chance.

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
# Look at one epoch
# -----------------
# This is the epoch with the most spindles. Top: its signal. Below: the attribution to time and frequency for two
# baselines. Boxes are the simulated spindles, from the simulator's list. Red is evidence for N2 rather than N1.
# Compared with N1, large slow waves are evidence too. An empty box is a spindle that this network did not use, and
# red outside the boxes is other evidence for N2. All of this was computed through a spectrogram whose windows of 2 s
# are one second apart.

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
