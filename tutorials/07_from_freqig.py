"""
From freqIG to eegflex
======================

FLEX was published with a package, freqIG, whose only function is ``attribute(input, model, target, ...)`` on plain
arrays. ``eegflex.attribute`` has the same signature and, for one epoch of even length, gives the same numbers: change
the import and keep the rest of your script. This tutorial shows the numbers, what was corrected, and what a labelled
result adds. You do not need freqIG (the tests of eegflex compare with it); here we compare with the definition of
FLEX.

The signals are **simulated**.
"""

# %%
# A network and an epoch
# ----------------------

import matplotlib.pyplot as plt
import mne
import numpy as np
import torch
from torch import nn

import eegflex

mne.set_log_level("warning")
torch.manual_seed(0)

SFREQ = 128
night = eegflex.simulate_psg(hours=1, sfreq=SFREQ, seed=7)
epochs = eegflex.make_epochs(night.raw)
is_n2 = (epochs.metadata["stage"] == "N2").to_numpy()
signal = 1e6 * epochs[is_n2].get_data(picks=["C4-M1"])[0]  # µV, shape (channel, time)

network = nn.Sequential(
    nn.Conv1d(1, 8, 64, stride=2),
    nn.ELU(),
    nn.Conv1d(8, 8, 16),
    nn.ELU(),
    nn.AdaptiveAvgPool1d(1),
    nn.Flatten(),
    nn.Linear(8, 5),
)

# %%
# The network is not trained, but each of its first filters is tuned to a rhythm, so that there is something to see.

with torch.no_grad():
    times = (torch.arange(64) - 31.5) / SFREQ
    rhythms = torch.tensor([2.0, 5.0, 9.0, 11.0, 13.0, 15.0, 20.0, 25.0])
    waves = torch.cos(2 * torch.pi * rhythms[:, None] * times) * torch.hann_window(
        64, periodic=False
    )
    waves -= waves.mean(dim=1, keepdim=True)
    network[0].weight.copy_(waves[:, None] / 30)

# %%
# The same call
# -------------
# ``target`` is the index of the class, ``n_steps`` the number of nodes on the path. The output is an array with one
# value for each frequency of the rfft. It is positive where the signal raised the score of that class.

attribution = eegflex.attribute(signal, network, target=2, n_steps=50)
freqs = np.fft.rfftfreq(signal.shape[-1], 1 / SFREQ)
attribution.shape, freqs.shape

# %%
# The same numbers
# ----------------
# The definition: scale all magnitudes of the spectrum from zero to their recorded values, keep the phases,
# differentiate the score with respect to the magnitudes along the way, and average.


def literal_flex(x, target, n_steps):
    """FLEX as it is defined, through the inverse FFT."""
    spectrum = torch.fft.rfft(torch.tensor(x))
    magnitudes, phases = spectrum.abs(), spectrum.angle()
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros_like(magnitudes)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        scaled = (node * magnitudes).requires_grad_()
        wave = torch.fft.irfft(torch.polar(scaled, phases), n=x.shape[-1])
        score = network(wave[None].float())[0, target]
        total += weight * torch.autograd.grad(score, scaled)[0]
    return (magnitudes * total).numpy()[0]


literal = literal_flex(signal, target=2, n_steps=50)
print(
    f"Largest difference {abs(attribution - literal).max():.1e}, of values up to {abs(literal).max():.1e}"
)

# %%
# eegflex computes this in another way. With fixed phases, the path is a straight line in time. So eegflex
# differentiates the network in time and transforms once at the end. The numbers agree to rounding, without an FFT at
# every step.
#
# What was corrected
# ------------------
# **Odd lengths.** 30 s at 85.33 Hz are 2,560 samples, but other cuts may be odd. The last sample is kept, and the
# attribution sums to the change of the score.

odd = signal[:, :-1]
attribution_odd = eegflex.attribute(odd, network, target=2, n_steps=200)
with torch.no_grad():
    x = torch.tensor(odd, dtype=torch.float32)[None]
    change = float((network(x) - network(0 * x))[0, 2])
print(
    f"{odd.shape[-1]} samples: sum {attribution_odd.sum():+.5f}, change of the score {change:+.5f}"
)

# %%
# **Your network is not changed.** eegflex works on a copy: mode, device and gradients stay as they were.

network.train()
eegflex.attribute(signal, network, target=2)
print("still in training mode:", network.training)
print("gradients left behind:", network[0].weight.grad is not None)
_ = network.eval()

# %%
# **A segment in its context.** With ``segment=`` and ``start_idx=``, one epoch of a longer input is explained while
# its neighbours are scaled with it. They must be scaled together: a segment at half its strength needs neighbours at
# half of theirs. freqIG scaled the two at different points of the path, so more steps converged to a wrong number.
# Here the segments add up to the whole. We use a toy network whose output needs the neighbours, a product of three
# epochs:


class Gated(nn.Module):
    """Scores the middle third of the input, the more the louder its neighbours."""

    def forward(self, x):
        before, middle, after = x.unflatten(-1, (3, -1)).square().mean(-1).sqrt().unbind(-1)
        return (middle * torch.tanh(before + after)).sum(1, keepdim=True).expand(-1, 2)


window = np.random.default_rng(1).normal(0, 0.5, (1, 3 * 128))
whole = torch.tensor(window)[None]
exact = float((Gated()(whole) - Gated()(0 * whole))[0, 0])
steps = [2, 4, 8, 16, 32, 64, 128]
sums = []
for n_steps in steps:
    parts = [
        eegflex.attribute(
            window, Gated(), 0, n_steps=n_steps, segment=window[:, at : at + 128], start_idx=at
        )
        for at in (0, 128, 256)
    ]
    sums.append(sum(part.sum() for part in parts))
print(f"three segments together {sums[-1]:.6f}, change of the score {exact:.6f}")

# %%
# **How many steps?** Fifty are too many for most epochs and too few for some. ``attribute`` keeps freqIG's fixed
# number. ``attribute_epochs``, the function for recordings, adds nodes to each epoch until the estimated error of its
# band sums is within 2 %, and reports the error. It also knows stages, channels and frequencies, offers baselines
# other than silence, and checks the model first. It notices that this network was never trained:

spec = eegflex.ModelSpec(name="toy", sfreq=SFREQ, n_times=30 * SFREQ, unit="uV")
result = eegflex.attribute_epochs(
    epochs, network, spec=spec, picks=["C4-M1"], target="N2", sample_per_stage=5
)
result.to_data_frame().head(6)

# %%
# Both corrections in one figure
# ------------------------------
# Left: the epoch above; ``eegflex.attribute`` lies on the definition of FLEX. Right: the context; with more steps the
# sum of the segments approaches the change of the score, until only rounding is left.

# sphinx_gallery_thumbnail_number = -1
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
shown = freqs <= 20
left.axhline(0, color="0.7", linewidth=0.8)
left.plot(freqs[shown], literal[shown], "o", color="0.75", markersize=4, label="definition of FLEX")
left.plot(
    freqs[shown], attribution[shown], color="#b2182b", linewidth=0.9, label="eegflex.attribute"
)
left.set(xlabel="Frequency (Hz)", ylabel="Attribution (logit)", title="The same numbers")
left.legend(frameon=False)
right.loglog(steps, np.maximum(np.abs(np.array(sums) - exact), 1e-17), "o-", color="#2166ac")
right.set(xlabel="Steps on the path", ylabel="|sum of segments − change of score|")
right.set_title("A context that converges")
right.grid(visible=True, alpha=0.3)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
