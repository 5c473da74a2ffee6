"""
Your own PyTorch network and its spec
=====================================

A network is a function of numbers. It does not know whether they are volts or microvolts, at which rate they were
taken, or which of its outputs is N2. A *spec* says so. It is short, and it is worth the trouble: with a wrong spec
the explanation still looks like an explanation. This tutorial trains a small network, writes its spec, and lets the
doctor find a mistake in it.

The nights are **simulated**; the network knows nothing of real sleep.
"""

# %%
# A network
# ---------
# It is fed one EEG and one EOG channel in microvolts, at 100 Hz. Sixteen filters are learnt; their power, on average
# over the epoch and on a logarithmic scale, is weighed into five scores. Any ``torch.nn.Module`` would do.

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
# Two simulated nights to learn from, prepared with nothing but MNE: the two channels, at 100 Hz, in µV.


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
print(f"Of a simulated night that it has not seen, it stages {100 * right:.0f} % as simulated.")

# %%
# Its spec
# --------
# What it eats: rate, length, unit, and for each input which channels fit, the preferred first. What it says: the kind
# of its scores and the stage of each output.

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
# Channels, rate and unit are now eegflex's care: epochs at 256 Hz are resampled, volts become microvolts, and a night
# whose only central channel is C3 is staged by C3.
#
# The doctor
# ----------
# ``stage_epochs`` lets the network stage a scored night, and ``check_model`` tries on it what else the spec could have
# said. One line a check; what has nothing to be judged by is marked with a question mark.

night = eegflex.stage_epochs(epochs, network, spec=spec)
eegflex.check_model(night)

# %%
# Now the commonest mistake of all. The network was trained in microvolts, and the spec says volts.

wrong = spec.replace(unit="V")
findings = eegflex.check_model(network, epochs, spec=wrong)
for finding in (*findings.errors, *findings.warnings):
    print(finding)

# %%
# And this is why it matters. Asked to explain with the wrong spec, eegflex refuses, as it runs the quick checks
# itself:

try:
    eegflex.attribute_epochs(epochs, network, spec=wrong, sample_per_stage=2)
except eegflex.EegflexError as problem:
    print(problem)

# %%
# A spec travels beside the weights, as TOML, so that the next person need not ask you::
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
# opened are refused unless you pass ``trusted=True``.
#
# What did it learn?
# ------------------
# The bars are the attribution to each frequency, averaged over the epochs of a predicted stage: above zero, what the
# signal has there spoke for that stage; below, against it; the black lines are 95 % intervals over epochs. The grey
# line is the power spectrum, dashed that of the baseline. A network that
# follows power alone would have the two run together. Look for the places where they part: there it was trained to
# care, or not to.

# sphinx_gallery_thumbnail_number = -1
result = eegflex.attribute_epochs(night, sample_per_stage=12)
fig = result.plot_spectrum()
