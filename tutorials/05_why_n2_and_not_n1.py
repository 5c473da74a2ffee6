"""
Why N2, and not N1?
===================

"Why N2?" has an unspoken second half: rather than what? A rhythm that is evidence for sleep in general raises the
score of N2, and that of N1 as well. It does not decide between the two. Scorers usually ask about a *margin*: the
score of one stage minus that of another.

The night is **simulated**, and so are the nights on which the stager was fitted.
"""

# %%
# All stages at once
# ------------------
# ``target="all"`` attributes every stage's score from the same passes through the network. Attributions are linear in
# the score, so you can compute any margin from them afterwards, without the network.

import matplotlib.pyplot as plt
import mne
import numpy as np

import eegflex

mne.set_log_level("warning")

night = eegflex.simulate_psg(hours=2.5, sfreq=128, seed=5)
epochs = eegflex.make_epochs(night.raw)
result = eegflex.attribute_epochs(
    epochs, "bandpower", target="all", baseline="zero", sample_per_stage=10
)
result

# %%
# Why N2?
# -------
# First the simple question: what raised the score of N2, in the epochs that were predicted N2? Positive values raised
# it.


def in_n2(result, target):
    """Attribution to each band in the epochs that were called N2, summed over the channels."""
    table = result.for_target(target).band_table().loc["N2"]
    return table.drop(columns="n_epochs").sum().round(2) + 0.0  # no -0.0


in_n2(result, "N2").to_frame("N2").T

# %%
# ... and not N1?
# ---------------
# Now the same epochs, with the score of N2 minus that of N1. A positive value is evidence for N2 *rather than* N1.
# Bands that are large above and small here do not distinguish the two stages.

in_n2(result, ("N2", "N1")).to_frame("N2 rather than N1").T

# %%
# The margin's total is how much further N2 leads N1 in the recorded epoch than in silence. It need not be positive: a
# network has biases, and at silence N2 may already lead.

data = result.for_target(("N2", "N1")).to_xarray()
of_n2 = (data["predicted"] == "N2").values[:, 0]
for name, value in (("as recorded", "score"), ("at silence", "baseline_score")):
    print(f"N2 less N1 {name}: {float(data[value].values[of_n2].mean()):+.2f}")

# %%
# Another baseline
# ----------------
# All this was compared with silence, as FLEX was published. But every EEG has a 1/f background.
# ``baseline="aperiodic"`` starts from the background fitted to each epoch, so that only peaks above it are explained.
# Ask both ways, and rely on what both agree on.

peaks = eegflex.attribute_epochs(
    epochs, "bandpower", target="all", baseline="aperiodic", sample_per_stage=10
)
in_n2(peaks, ("N2", "N1")).to_frame("N2 rather than N1").T

# %%
# One stage against each of the others
# ------------------------------------
# Each row compares N2 with another stage, in the epochs that were predicted N2. Red is evidence for N2, blue for the
# other stage. The rows differ: what distinguishes N2 from wakefulness is not what distinguishes it from deep sleep.

# sphinx_gallery_thumbnail_number = -1
bands = eegflex.Bands().names
others = ["W", "N1", "N3", "REM"]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, (name, one) in zip(
    axes, {"from silence": result, "from the 1/f background": peaks}.items(), strict=True
):
    values = np.array([in_n2(one, ("N2", other)).drop("total") for other in others])
    limit = abs(values).max()
    image = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.6 * limit else "black"
        ax.text(column, row, f"{value:+.2f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set(title=f"Attribution {name}", xticks=range(len(bands)), xticklabels=bands)
    ax.set(yticks=range(len(others)), yticklabels=[f"N2 rather than {other}" for other in others])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    fig.colorbar(image, ax=ax, label="Difference of logits")
fig.suptitle("What made it N2: sum of all channels, mean over epochs called N2 (simulated)")
plt.show()
