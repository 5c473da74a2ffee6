"""
A sequence stager and its context map
=====================================

Human scorers look at neighbouring epochs, and so do most networks. Was an epoch called N2 because of its own
spindles, or because its neighbours were N2? The *context map* answers this: it gives every epoch of the window its
part of the score.

The night and the training nights of the network are **simulated**.
"""

# %%
# A network that uses neighbours
# ------------------------------
# It gets eleven epochs and stages the middle one. Each epoch is first encoded separately (``encode``); a recurrent
# network reads the eleven codes (``decode``). If a module has these two methods, eegflex encodes each epoch only
# once.

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
# We train it on three simulated nights, with one central channel at 100 Hz. Every epoch of a night is encoded once,
# and all windows of eleven codes are decoded.


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
print(f"Agreement on a new simulated night: {100 * right:.0f} %")

# %%
# The spec states how many neighbours the network gets, and the axes of its input: batch, epoch, channel, time.

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
# ``context="fixed"``, the default, leaves the neighbours as recorded and changes only the middle epoch: *given its
# neighbours, what did this epoch add?* ``context="scaled"`` changes all eleven together: *what did each of them add?*
# Both are exact. They are different questions, so their totals differ.

asked = {"spec": spec, "sample_per_stage": 10, "seed": 1}
fixed = eegflex.attribute_epochs(epochs, network, context="fixed", **asked)
scaled = eegflex.attribute_epochs(epochs, network, context="scaled", **asked)

own, with_others = (one.band_table(by=("stage",))["total"] for one in (fixed, scaled))
own.to_frame("neighbours fixed").assign(**{"scaled with them": with_others}).round(2)

# %%
# Where the neighbours decide, their rhythms matter. ``window_rhythms`` shows what each band of the epoch and of its
# neighbours contributed: with ``context="fixed"`` for a few windows of each stage in which they decide, with
# ``"scaled"`` for all windows.

table = scaled.window_rhythms().xs("all", level="channel")
table["median"].loc[:, ["epoch", "neighbours"]].unstack("band").round(2)

# %%
# At both ends of a night, neighbours are missing on one side. This network stages only the middle of its window, so
# these epochs are left out by default. With ``edges="pad"`` the missing neighbours are silence, and the result says
# so.
#
# The map
# -------
# Top: how much each epoch of the window contributed to the score, with the explained epoch at 0. Bottom: the
# neighbours alone, by band. Red raised the score of the predicted stage, blue lowered it. *Context %* is the
# neighbours' part of the absolute attribution.
#
# Look for stages that depend on their neighbours. Where the bar at 0 is blue, the epoch itself is evidence *against*
# the stage that it got. Its neighbours, or the network's bias, decided.

# sphinx_gallery_thumbnail_number = -1
fig = scaled.plot_context()
