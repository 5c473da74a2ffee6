"""
Your own PyTorch network and its spec
=====================================

A network maps numbers to numbers. It does not know whether they are volts or microvolts, at which rate they were
sampled, or which of its outputs is N2. A *spec* says so. It is short and important: with a wrong spec you still get
an explanation, but a wrong one. This tutorial trains a small network, writes its spec, and uses ``check_model`` to
find a mistake in it.

The nights are **simulated**; the network knows nothing about real sleep.
"""

# %%
# A network
# ---------
# Its input is one EEG and one EOG channel in microvolts, at 100 Hz. It learns sixteen filters. The logarithm of their
# power, averaged over the epoch, is weighted into five scores. Any ``torch.nn.Module`` would do.

import mne
import torch
from torch import nn

import eegflex
from eegflex.spec import ChannelSpec, ModelSpec

mne.set_log_level("warning")
torch.manual_seed(0)

STAGES = ["W", "N1", "N2", "N3", "REM"]


class SmallStager(nn.Module):
    """Logits, shape (batch, stage), of epochs in µV, shape (batch, channel, time)."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(2, 16, kernel_size=100, stride=4)
        self.norm = nn.BatchNorm1d(16)
        self.head = nn.Linear(16, len(STAGES))

    def forward(self, x):
        power = self.filters(x / 20).square().mean(-1)
        return self.head(self.norm(torch.log(power + 1e-3)))


# %%
# We train it on two simulated nights. They are prepared with MNE alone: the two channels, at 100 Hz, in µV.


def prepare(seed):
    """Make inputs and stages of a simulated night, and its epochs."""
    night = eegflex.simulate_psg(hours=3, sfreq=100, seed=seed)
    epochs = eegflex.make_epochs(night.raw)
    x = 1e6 * epochs.get_data(picks=["C4-M1", "E1-M2"])  # V to µV
    y = [STAGES.index(stage) for stage in epochs.metadata["stage"]]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y), epochs


(x1, y1, _), (x2, y2, _) = prepare(seed=11), prepare(seed=12)
inputs, stages = torch.cat([x1, x2]), torch.cat([y1, y2])

network = SmallStager()
optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
weights = 1 / torch.bincount(stages, minlength=5).clamp(min=1).sqrt()
for _ in range(25):
    for batch in torch.randperm(len(inputs)).split(64):
        loss = nn.functional.cross_entropy(network(inputs[batch]), stages[batch], weight=weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
network.eval()

x3, y3, epochs = prepare(seed=13)
with torch.no_grad():
    right = (network(x3).argmax(1) == y3).float().mean()
print(f"Agreement on a new simulated night: {100 * right:.0f} %")

# %%
# Its spec
# --------
# The spec describes the input (sampling rate, length, unit, and for each input the suitable channels in order of
# preference) and the output (the kind of scores and the stage of each output).

spec = ModelSpec(
    name="small stager",
    sfreq=100.0,
    n_times=3000,
    unit="uV",
    channels=(
        ChannelSpec("eeg", types=("eeg",), sites=("C4", "C3"), use="first"),
        ChannelSpec("eog", types=("eog",), sites=("E1", "E2"), use="first"),
    ),
    scores="logits",
    stages=tuple(STAGES),
)

# %%
# eegflex now takes care of channels, sampling rate and unit: epochs at 256 Hz are resampled, volts become microvolts,
# and a night whose only central channel is C3 is staged with C3.
#
# Check the spec
# --------------
# ``stage_epochs`` stages a scored night with the network. ``check_model`` then tries alternatives to the spec. Each
# line is one check. A question mark means that there are not enough data to judge.

night = eegflex.stage_epochs(epochs, network, spec=spec)
eegflex.check_model(night)

# %%
# Now the most common mistake: the network was trained in microvolts, and the spec says volts.

wrong = spec.replace(unit="V")
findings = eegflex.check_model(network, epochs, spec=wrong)
for finding in (*findings.errors, *findings.warnings):
    print(finding)

# %%
# This matters, because the explanation would be wrong too. ``attribute_epochs`` runs the quick checks itself and
# raises an error:

try:
    eegflex.attribute_epochs(epochs, network, spec=wrong, sample_per_stage=2)
except eegflex.EegflexError as problem:
    print(problem)

# %%
# Save the spec as TOML beside the weights, so that others can use the network::
#
#     [input]
#     sfreq = 100.0
#     n_times = 3000
#     unit = "uV"
#
#     [[input.channels]]
#     name = "eeg"
#     types = ["eeg"]
#     sites = ["C4", "C3"]
#     use = "first"
#     ...
#
#     [output]
#     scores = "logits"
#     stages = ["W", "N1", "N2", "N3", "REM"]
#
#     [model]
#     name = "small stager"
#     class = "mypackage.stagers:SmallStager"
#     file = "small.safetensors"
#
# ``load_model("folder")`` reads both, and so does ``--model folder`` in a shell. Files that would run code when
# opened raise an error unless you pass ``trusted=True``.
#
# What did it learn?
# ------------------
# Bars are the attribution to each frequency, averaged over the epochs of a predicted stage. Above zero, the signal at
# this frequency is evidence for that stage; below zero, against it. Black lines are 95 % intervals over epochs. The
# grey line is the power spectrum, the dashed line that of the baseline. In a network that only follows power, the two
# would run together. Where they differ, training taught the network to use a frequency more, or less, than its power.

# sphinx_gallery_thumbnail_number = -1
result = eegflex.attribute_epochs(night, sample_per_stage=12)
fig = result.plot_spectrum()
