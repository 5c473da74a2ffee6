"""
A foundation encoder and a linear probe
=======================================

Foundation models of EEG are trained on thousands of hours without stages. A *probe* shows what they have learnt: the
encoder stays as it is, and a linear layer is fitted to its codes of scored epochs. Encoder and probe together are a
network that stages sleep, and you can explain it like any other.

The night is **simulated**, and the encoder, BIOT of ``braindecode`` (``pip install 'eegflex[braindecode]'``), is
small and has **random weights**: it was not trained on any EEG. This tutorial only shows the steps. To learn what
BIOT knows, load its authors' weights.
"""

# %%
# The encoder
# -----------
# Its input is one EEG and one EOG channel at 200 Hz. BIOT cuts each channel into pieces and encodes the spectrum of
# each.

import mne
import torch
from braindecode.models import BIOT
from torch import nn

import eegflex
from eegflex.spec import ChannelSpec, ModelSpec

mne.set_log_level("warning")
torch.manual_seed(0)

STAGES = ("W", "N1", "N2", "N3", "REM")
encoder = BIOT(
    n_chans=2,
    n_times=6000,
    n_outputs=5,
    sfreq=200,
    embed_dim=32,
    num_heads=4,
    num_layers=1,
    hop_length=100,
).eval()

# %%
# The night is prepared as the spec below says: two channels, 200 Hz, in units of 20 µV, because the encoder expects
# numbers near one.


def prepare(seed):
    """Make inputs and stages of a simulated night, and its epochs."""
    night = eegflex.simulate_psg(hours=2, sfreq=200, seed=seed)
    epochs = eegflex.make_epochs(night.raw)
    x = 1e6 / 20 * epochs.get_data(picks=["C4-M1", "E1-M2"])
    y = [STAGES.index(stage) for stage in epochs.metadata["stage"]]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y), epochs


def codes_of(x):
    """What the encoder makes of epochs, shape (epoch, code)."""
    return encoder(x, return_features=True)["features"]


# %%
# The probe
# ---------
# This is logistic regression on the standardised codes. The encoder is not changed.

inputs, stages, _ = prepare(seed=21)
with torch.no_grad():
    codes = torch.cat([codes_of(part) for part in inputs.split(32)])
mean, sd = codes.mean(0), codes.std(0) + 1e-6
probe = nn.Linear(codes.shape[1], len(STAGES))
optimiser = torch.optim.LBFGS(probe.parameters(), max_iter=100)
weights = 1 / torch.bincount(stages, minlength=5).clamp(min=1).sqrt()


def loss():
    """How far the probe is off, and how large its weights are."""
    optimiser.zero_grad()
    scores = probe((codes - mean) / sd)
    value = nn.functional.cross_entropy(scores, stages, weight=weights)
    value = value + 1e-2 * probe.weight.square().sum()
    value.backward()
    return value


optimiser.step(loss)

# %%
# Both become one module. Its agreement on another night shows how much the codes contain; even a random encoder
# passes on a lot.


class Probed(nn.Module):
    """Logits, shape (batch, stage), of epochs, shape (batch, channel, time)."""

    def __init__(self):
        super().__init__()
        self.encoder, self.probe = encoder, probe

    def forward(self, x):
        codes = self.encoder(x, return_features=True)["features"]
        return self.probe((codes - mean) / sd)


_, _, epochs = prepare(seed=22)
spec = ModelSpec(
    name="BIOT with random weights, and a probe",
    sfreq=200.0,
    n_times=6000,
    unit="uV",
    scale=eegflex.spec.ScaleSpec("given", mean=(0.0,), sd=(20.0,)),
    channels=(
        ChannelSpec("eeg", types=("eeg",), sites=("C4", "C3"), use="first"),
        ChannelSpec("eog", types=("eog",), sites=("E1", "E2"), use="first"),
    ),
    stages=STAGES,
)
night = eegflex.stage_epochs(epochs, Probed(), spec=spec)
right = (night.predicted == epochs.metadata["stage"].to_numpy()).mean()
print(f"Agreement on a new simulated night: {100 * right:.0f} %")

# %%
# Which frequencies decide the stages
# -----------------------------------
# FLEX goes through probe and encoder to the signal. Where the bars differ from the spectrum in grey, the codes weight
# frequencies differently from their power.

# sphinx_gallery_thumbnail_number = -1
result = eegflex.attribute_epochs(night, sample_per_stage=4)
fig = result.plot_spectrum()
