"""Each epoch of a whole night is explained in the narrowest window in which the baseline changes its score as in the widest."""

from __future__ import annotations

import mne
import numpy as np
import torch
from attribution_helpers import explain, noise_epochs, view
from torch import nn

import eegflex
from eegflex.evaluation.question import ask
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, ModelSpec

EACH = ModelSpec(
    layout="b e c t",
    output="b e s",
    context=ContextSpec(whole=True),
    channels=(ChannelSpec("eeg", types=("eeg",), use="each"),),
)
#: Loud epochs hear what comes so many epochs later: beyond a window of 21 epochs, or of 41.
LOUD = {15: 10.0, 30: 40.0}
#: Which epochs of which channel are loud, and how far each hears.
HEARS = {(40, 0): 15, (45, 0): 30, (50, 1): 15}
ASKED = {"spec": EACH, "target": "W", "select": range(36, 56), "quadrature": "gauss-legendre", "n_steps": 16}


class Reaching(nn.Module):
    """Scores the power of an epoch; that of a loud one, times the power of an epoch some way ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        power = (self.scale * windows**2).mean(dim=(2, 3))
        score = power
        for lag, low, high in ((15, 30.0, 300.0), (30, 300.0, np.inf)):
            ahead = nn.functional.pad(power, (0, lag))[:, lag:]
            score = score + torch.where((power > low) & (power < high), power * ahead, 0.0)
        return torch.stack([score, *[torch.zeros_like(score)] * 4], dim=-1)


def night():
    epochs = noise_epochs(n_epochs=96)
    data = epochs.get_data()
    for (number, channel), lag in HEARS.items():
        data[number, channel] *= LOUD[lag]
    return mne.EpochsArray(data, epochs.info, events=epochs.events, baseline=None, verbose="error")


def test_an_epoch_that_hears_afar_has_a_wide_window_and_no_other_has():
    """Of each channel by itself, and as wide as it must be."""
    data = explain(night(), Reaching(), **ASKED).to_xarray()
    found = data["window_length"]
    expected = np.full(found.shape, 21)
    for (number, channel), lag in HEARS.items():
        expected[data["number"].values.tolist().index(number), channel] = {15: 41, 30: 81}[lag]
    np.testing.assert_array_equal(found.values, expected)
    assert found.dims == ("epoch", "channel_set")


def test_in_its_own_window_an_epoch_has_the_attribution_of_the_widest():
    epochs, model = night(), Reaching()
    own, widest, narrow = (
        view(explain(epochs, model, **ASKED | {"window_length": length})) for length in ("auto", 81, 21)
    )
    np.testing.assert_allclose(own, widest, rtol=1e-4, atol=1e-6 * np.abs(widest).max())
    assert np.abs(narrow - widest).max() > 0.1 * np.abs(widest).max()


def test_what_the_choice_has_told_of_replaced_epochs_is_what_the_widest_windows_tell():
    epochs, model = night(), Reaching()
    own, widest = (
        explain(epochs, model, **ASKED | {"window_length": length}).to_xarray()["replaced_scores"][:, :, 1]
        for length in ("auto", 81)
    )
    assert np.isfinite(own).all()
    np.testing.assert_allclose(own, widest, rtol=1e-4, atol=1e-6 * float(np.abs(widest).max()))


def test_what_windows_change_is_measured_in_the_windows_that_were_chosen():
    said = explain(night(), Reaching(), **ASKED).provenance["window"]
    assert (said["shortest"], said["length"], said["measured_against"]) == (21, 81, "the whole night")
    assert said["error_largest"] < 1e-4
    fixed = explain(night(), Reaching(), **ASKED | {"window_length": 21}).provenance["window"]
    assert (fixed["shortest"], fixed["length"]) == (21, 21)


def test_a_run_that_is_resumed_and_an_evaluation_take_the_same_windows():
    epochs, model = night(), Reaching()
    asked = ASKED | {"baseline": "zero", "verbose": "error"}
    whole = eegflex.attribute_epochs(epochs, model, **asked)
    part = eegflex.attribute_epochs(epochs, model, resume=whole, **asked)
    np.testing.assert_array_equal(part.to_xarray()["window_length"], whole.to_xarray()["window_length"])
    assert part.provenance["window"] == whole.provenance["window"]
    staged = eegflex.stage_epochs(epochs, model, spec=EACH, verbose="error")
    again = ask(whole, staged).request
    lengths = [own.windows.length[again.chosen] for own in again.night.bound]
    np.testing.assert_array_equal(np.stack(lengths, axis=1), whole.to_xarray()["window_length"])
