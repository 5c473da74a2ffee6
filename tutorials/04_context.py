"""
A sequence stager and its context map
=====================================

Human scorers look at the neighbouring epochs, and so do most networks. Whether an epoch was called N2 for its own
spindles or because its neighbours were N2 is a question with an answer: the *context map* gives every epoch of the
window its part of the score.

The night and the network's training are **simulated**.
"""

# %%
# A network that looks around
# ---------------------------
# Eleven epochs come in, the middle one is staged. Each epoch is first reduced to a code by itself (``encode``); a
# recurrent network reads the eleven codes (``decode``). Where a module has these two methods eegflex encodes no epoch
# twice.

import mne
import torch
from torch import nn

import eegflex
from eegflex.spec import ChannelSpec, ContextSpec, ModelSpec

mne.set_log_level("warning")
torch.manual_seed(0)

STAGES = ["W", "N1", "N2", "N3", "REM"]
REACH = 5  # epochs to each side


class SequenceStager(nn.Module):
    """Logits of the middle epoch, (batch, stage), of windows in µV, (batch, epoch, channel, time)."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(1, 16, kernel_size=100, stride=4)
        self.norm = nn.BatchNorm1d(16)
        self.gru = nn.GRU(16, 12, batch_first=True, bidirectional=True)
        self.head = nn.Linear(24, len(STAGES))

    def encode(self, epochs):
        power = self.filters(epochs / 20).square().mean(-1)
        return self.norm(torch.log(power + 1e-3))

    def decode(self, codes):
        states, _ = self.gru(codes)
        return self.head(states[:, codes.shape[1] // 2])

    def forward(self, windows):
        codes = self.encode(windows.flatten(0, 1))
        return self.decode(codes.unflatten(0, windows.shape[:2]))


# %%
# It learns on three simulated nights, one central channel at 100 Hz: every epoch of a night is encoded once, and all windows
# of eleven codes are decoded.


def prepare(seed):
    """Make the inputs and stages of a simulated night, and its epochs."""
    night = eegflex.simulate_psg(hours=3, sfreq=100, seed=seed)
    epochs = eegflex.make_epochs(night.raw)
    x = torch.tensor(1e6 * epochs.get_data(picks=["C4-M1"]), dtype=torch.float32)
    y = torch.tensor([STAGES.index(stage) for stage in epochs.metadata["stage"]])
    return x, y[REACH : len(y) - REACH], epochs


def stage_night(x):
    """Logits of every epoch of a night that has all its neighbours."""
    return network.decode(network.encode(x).unfold(0, 2 * REACH + 1, 1).movedim(-1, 1))


nights = [prepare(seed) for seed in (21, 22, 23)]
network = SequenceStager()
n_passes = 30
optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_passes)
for _ in range(n_passes):
    for x, y, _ in nights:
        loss = nn.functional.cross_entropy(stage_night(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    schedule.step()
network.eval()

x, y, epochs = prepare(seed=24)
with torch.no_grad():
    right = (stage_night(x).argmax(1) == y).float().mean()
print(f"Of a simulated night that it has not seen, it stages {100 * right:.0f} % as simulated.")

# %%
# The spec says how many neighbours it sees, and the axes of its input: batch, epoch, channel, time.

spec = ModelSpec(
    name="sequence stager",
    sfreq=100.0,
    n_times=3000,
    unit="uV",
    channels=(ChannelSpec("eeg", types=("eeg",), sites=("C4", "C3"), use="first"),),
    layout="b e c t",
    context=ContextSpec(before=REACH, after=REACH),
    stages=tuple(STAGES),
)

# %%
# Two questions
# -------------
# ``context="fixed"``, the default, leaves the neighbours as they were recorded and turns up the middle epoch alone:
# *given what was around it, what did this epoch add?* ``context="scaled"`` turns up all eleven together: *what did
# each of them add?* Both are exact; they are different questions, and their totals differ.

asked = {"spec": spec, "sample_per_stage": 10, "seed": 1}
fixed = eegflex.attribute_epochs(epochs, network, context="fixed", **asked)
scaled = eegflex.attribute_epochs(epochs, network, context="scaled", **asked)

own, with_others = (one.band_table(by=("stage",))["total"] for one in (fixed, scaled))
own.to_frame("neighbours fixed").assign(**{"scaled with them": with_others}).round(2)

# %%
# Where the neighbours decide, the rhythms that matter are theirs. ``window_rhythms`` has what each band of the epoch and of its
# neighbours did; with ``context="fixed"`` in a few windows of each stage where they decide, with ``"scaled"`` in all.

table = scaled.window_rhythms().xs("all", level="channel")
table["median"].loc[:, ["epoch", "neighbours"]].unstack("band").round(2)

# %%
# At the two ends of a night there are no neighbours to one side. This network scores the middle of its window only,
# so these epochs are left out by default rather than fed with silence; ``edges="pad"`` would feed it silence, and say
# so in the result.
#
# The map
# -------
# Above: how much each epoch of the window did to the score, the epoch itself at 0. Below: the neighbours alone, by band.
# Red raised the score of the predicted stage, blue lowered it. *Context %* is the neighbours' part of all that was
# attributed, whatever its sign.
#
# Look at which stages lean on their neighbours. Where the bar at 0 is blue, the epoch by itself spoke *against* the stage
# that it got: its neighbours, or what the network says without having seen anything, carried the day.

# sphinx_gallery_thumbnail_number = -1
fig = scaled.plot_context()
