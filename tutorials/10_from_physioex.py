"""
From PhysioEx
=============

PhysioEx explains sleep stagers too: its DFT-IG and STFT-IG are Integrated Gradients over a signal's Fourier
coefficients. This tutorial compares their formulas with that of FLEX, on one network. Four things differ: a
conjugate, a factor, the gradient through the inverse STFT, and whether the spectrogram is part of the network. You do
not need PhysioEx; eegflex's benchmarks run the package itself, release 2.0.4, and have its numbers.

The night is **simulated**.
"""

# %%
# A network and an epoch
# ----------------------
# The network takes a spectrogram, as many published ones do: power in windows of 2 s, in dB. It is not trained; its
# weights select 11 to 15 Hz in each window. Its spectrogram is written in torch, so it has a gradient with respect to
# the *signal*.

import matplotlib.pyplot as plt
import mne
import numpy as np
import torch
from scipy.signal import spectrogram

import eegflex

mne.set_log_level("warning")

SFREQ, LENGTH, HOP = 100, 200, 100
night = eegflex.simulate_psg(hours=1, sfreq=SFREQ, seed=7)
epochs = eegflex.make_epochs(night.raw)
is_n2 = (epochs.metadata["stage"] == "N2").to_numpy()
signal = 1e6 * epochs[is_n2].get_data(picks=["C4-M1"])[0, 0]  # µV
x = torch.tensor(signal)
n_times = len(x)

taper = torch.hann_window(LENGTH, dtype=torch.float64)
listens = torch.exp(-(((torch.fft.rfftfreq(LENGTH, 1 / SFREQ) - 13) / 2) ** 2)).double()


def network(signals):
    """Score of signals in µV, (batch, time) -> (batch, 1)."""
    power = torch.fft.rfft(signals.unfold(-1, LENGTH, HOP) * taper).abs() ** 2
    decibels = 10 * torch.log10(power / (SFREQ * (taper**2).sum()) + 0.01)
    return torch.relu(decibels @ listens / listens.sum() + 5).mean(-1, keepdim=True)


def averaged_gradient(nodes, weights):
    """Gradient by the samples of the signal, averaged on the way from silence."""
    variants = (torch.tensor(nodes)[:, None] * x).requires_grad_()
    (gradient,) = torch.autograd.grad(network(variants).sum(), variants)
    return (torch.tensor(weights)[:, None] * gradient).sum(0)


change = float(network(x[None]) - network(0 * x[None]))
print(f"Change of the score from silence to the epoch: {change:+.3f}")

# %%
# The conjugate and the factor
# ----------------------------
# Let X be the spectrum of the epoch, G that of its averaged gradient, T the number of samples, and w 2, but 1 at 0 Hz
# and at Nyquist. FLEX is the real part of the product of X and the *conjugate* of G, times w / T. By Parseval's
# theorem it has the same sum as the product in time, which is the change of the score.
#
# DFT-IG by default multiplies X and G without the conjugate. That rotates each product by twice the phase of G, so
# its sign is arbitrary. With ``real_valued=True``, real and imaginary parts are separate features, which amounts to
# the conjugate; the factor w / T is still missing. Its nodes are 64 even steps with the trapezoidal rule.

even = np.linspace(0, 1, 64)
trapezoid = np.full(64, 1 / 63)
trapezoid[[0, -1]] /= 2
g = averaged_gradient(even, trapezoid).numpy()
X, G = np.fft.rfft(signal), np.fft.rfft(g)
w = np.full(len(X), 2.0)
w[[0, -1]] = 1

ways = {
    "X G, real part (DFT-IG as it comes)": (X * G).real,
    "Re Re + Im Im (real_valued=True)": X.real * G.real + X.imag * G.imag,
    "the same times w / T": w / n_times * (X * G.conj()).real,
}
for name, values in ways.items():
    print(f"{name:36} sum {values.sum():+12.3f}, change of the score {change:+.3f}")

# %%
# FLEX with the silent baseline, ``eegflex.attribute``, equals the third line except for its nodes. We compare signs
# over all frequencies from 0.5 to 30 Hz. By chance, half of them agree.

flex = eegflex.attribute(signal[None], lambda s: network(s[:, 0]), target=0, n_steps=200)
freqs = np.fft.rfftfreq(n_times, 1 / SFREQ)
inside = (freqs >= 0.5) & (freqs < 30)
for name, values in ways.items():
    agree = (np.sign(values) == np.sign(flex))[inside].mean()
    print(f"{name:36} {100 * agree:3.0f} % of signs agree with FLEX")

# %%
# The factor does not matter for one recording at one rate, where it is nearly the same for all frequencies. It
# matters if you compare epochs of different lengths or rates, or if the sum should be the change of the score.
#
# The gradient through an inverse STFT
# ------------------------------------
# The features of STFT-IG are the coefficients of overlapping windows. The gradient with respect to a coefficient goes
# through the inverse STFT: it is the gradient with respect to the samples, *divided by the sum of the squared
# windows*, tapered, and transformed. STFT-IG returns the STFT of the gradient instead, without that division. With a
# Hann window at a quarter of its length the squares add up to 1.5. Here are both, each with the factor w / n.

FFT = 200
window = torch.hann_window(FFT, dtype=torch.float64)
plane = torch.stft(x, FFT, FFT // 4, window=window, return_complex=True).requires_grad_()
wave = torch.istft(plane, FFT, FFT // 4, window=window, length=n_times)
(back,) = torch.autograd.grad((wave * torch.tensor(g)).sum(), plane)
S = plane.detach()
exact = (S.conj() * back).real.numpy()

G_plane = torch.stft(torch.tensor(g), FFT, FFT // 4, window=window, return_complex=True)
v = np.full((FFT // 2 + 1, 1), 2.0)
v[[0, -1]] = 1
without = v / FFT * (S * G_plane.conj()).real.numpy()
for name, values in {"through the inverse STFT": exact, "STFT of the gradient": without}.items():
    difference = abs(values - exact).sum() / abs(exact).sum()
    print(f"{name:25} sum {values.sum():+.3f}, differs by {100 * difference:.0f} %")

# %%
# eegflex needs no inverse: its frame is *tight* (the squared windows add up to a constant, which is divided out), and
# frames extend beyond both ends of the epoch, so the view has the same sum as the others.
#
# A spectrogram outside the graph
# -------------------------------
# PhysioEx computes spectrograms with scipy, before the network. The numbers are the same, but there is no gradient:

_, _, power = spectrogram(signal, SFREQ, taper.numpy(), LENGTH, LENGTH - HOP, detrend=False)
ours = torch.fft.rfft(x.unfold(-1, LENGTH, HOP) * taper).abs() ** 2 / (SFREQ * (taper**2).sum())
ours[:, 1:-1] *= 2  # one-sided
print(f"Largest difference: {abs(ours.numpy().T - power).max():.1e} of {power.max():.1f}")
try:
    spectrogram(x.clone().requires_grad_(), SFREQ)
except RuntimeError as error:
    print("scipy, of a signal with a gradient:", error)

# %%
# So a network of spectrograms can be explained only by cells of the spectrogram, and a "DFT" of its input runs along
# the rows of the spectrogram, not along the signal. In eegflex the spectrogram is part of the spec
# (``[input.spectrogram]``) and is computed in the graph, so attributions refer to the signal
# (:doc:`09_spectrogram_network`).
#
# How many steps?
# ---------------
# A fixed number of even steps needs a check. One check is the gap between the sum and the change of the score; it can
# be small by luck. Another is the difference between the attributions of all frequencies and those of 2,000 steps.


def by_frequency(n):
    """Attribution to frequencies by n even steps, with the conjugate and the factor."""
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    gradient = averaged_gradient(np.linspace(0, 1, n), weights).numpy()
    return w / n_times * (X * np.fft.rfft(gradient).conj()).real


many = by_frequency(2000)
steps = [8, 16, 32, 64, 128, 256]
gaps, errors = [], []
for n in steps:
    values = by_frequency(n)
    gaps.append(100 * abs(values.sum() - change) / abs(change))
    errors.append(100 * abs(values - many).sum() / abs(many).sum())
    print(f"{n:4} steps: gap {gaps[-1]:5.2f} %, attributions off by {errors[-1]:5.2f} %")

# %%
# ``attribute_epochs`` adds nodes to each epoch until its estimated error is small, and stores the error.
#
# All in one figure
# -----------------
# Left: FLEX and the real part of X G, scaled to the same height, from 8 to 18 Hz; the sizes are similar, the signs
# agree by chance. Right: the gap and the error by the number of steps.

# sphinx_gallery_thumbnail_number = -1
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
shown = (freqs >= 8) & (freqs <= 18)
left.axhline(0, color="0.7", linewidth=0.8)
plain = ways["X G, real part (DFT-IG as it comes)"][shown]
left.plot(
    freqs[shown], plain / abs(plain).max(), color="0.6", linewidth=0.8, label="X G, real part"
)
left.plot(freqs[shown], flex[shown] / abs(flex[shown]).max(), color="#b2182b", label="FLEX")
left.set(xlabel="Frequency (Hz)", ylabel="Attribution (largest = 1)", title="The conjugate")
left.legend(frameon=False)
right.loglog(steps, gaps, "o-", color="0.6", label="gap")
right.loglog(steps, errors, "o-", color="#2166ac", label="error of the attributions")
right.set(xlabel="Steps on the path", ylabel="%", title="The steps")
right.legend(frameon=False)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
