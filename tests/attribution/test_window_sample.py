"""Windows as wholes: what reaches into them from the rest of the night, and a sample of them where the context decides."""

from __future__ import annotations

import dataclasses

import mne
import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view, with_gaps
from models import Smooth, Window
from torch import nn

import eegflex
from eegflex.attribution import request as requests
from eegflex.attribution import window_sample
from eegflex.errors import AttributionFailed, AttributionStopped, ParameterError
from eegflex.results.decided import context_share
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.settings import Settings
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, ModelSpec
from eegflex.stagers import ensemble
from eegflex.stagers.stager import Stager
from eegflex.stagers.zoo.gssc import GSSC, _Networks

CONTEXT = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
WHOLE = ModelSpec(
    name="states",
    layout="(b e) c t",
    output="(b e) s",
    context=ContextSpec(whole=True),
    channels=(ChannelSpec("eeg", types=("eeg",), use="each"),),
)
DENSE = {"quadrature": "gauss-legendre", "n_steps": 60, "dtype": "float64", "on_check": "ignore"}
SHORT = {"context": "scaled", "window_length": 3, "target": "N2"}


class Recurrent(_Networks):
    """Recurrent layers over codes of epochs of one channel, put together as GSSC's are, and small."""

    def __init__(self, seed=0, reach=1.0):
        nn.Module.__init__(self)
        torch.manual_seed(seed)
        self.names = ("eeg",)
        self.coder = Smooth(n_channels=1, n_stages=6)
        sizes = [(6, 4), (8, 4)]
        self.layers = nn.ModuleList(nn.GRU(*size, bidirectional=True, batch_first=True) for size in sizes)
        for layer in self.layers:
            for name, value in layer.named_parameters():
                value.data *= reach if "weight_hh" in name else 2.0
        self.norm, self.relu, self.fc = nn.Identity(), nn.Tanh(), nn.Linear(8, 5)
        self.fc.weight.data *= 4

    def signal_codes(self, signal, name):
        return self.coder(signal[:, None])

    def mix(self, *codes):
        return codes[0]


def stager(seed=0, reach=1.0):
    return GSSC(Recurrent(seed, reach), WHOLE)


def varied_epochs(n_epochs, **kwargs):
    """Noise that is now loud, now soft, so that no epoch is an ordinary one."""
    epochs = noise_epochs(n_epochs=n_epochs, **kwargs)
    epochs._data *= np.resize([0.4, 1.0, 2.0, 0.7, 1.5], n_epochs)[:, None, None]
    return epochs


def both_replaced(result):
    """F of the recorded night less F of the night of baselines, for the target N2, by a pass over each."""
    data, place = result.to_xarray(), result.stages.index("N2")
    return (data["scores"].values - data["replaced_scores"].sel(replaced="both").values)[..., place]


@pytest.mark.parametrize("baseline", ["zero", "recording", "surrogate"])
@pytest.mark.parametrize("numbers", [range(11), [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12]])
def test_window_and_what_is_beyond_it_add_up_to_the_change_of_the_whole_night(baseline, numbers):
    epochs = with_gaps(varied_epochs(n_epochs=13), list(numbers))
    result = explain(epochs, stager(), baseline=baseline, **SHORT, **DENSE)
    data = result.to_xarray()
    assert data["beyond"].dims == ("epoch", "channel_set")
    total = np.nansum(data["context_map"].values, axis=(1, 3)) + data["beyond"].values
    np.testing.assert_allclose(total, data["score"] - data["baseline_score"] + data["gap"], atol=1e-6)
    assert np.abs(data["gap"]).max() < 1e-4
    assert np.abs(data["beyond"]).max() > 0.01  # so that it matters
    if baseline != "surrogate":  # of which a score of the night is that of the first draw
        np.testing.assert_allclose(total, both_replaced(result), atol=1e-4)


def test_at_the_ends_of_the_night_nothing_is_beyond():
    """A window that is the whole night has no states from anywhere else."""
    result = explain(varied_epochs(n_epochs=5), stager(), **SHORT | {"window_length": 5}, **DENSE)
    assert not view(result, "beyond").any()
    np.testing.assert_allclose(np.nansum(view(result, "context_map"), axis=(1, 3)), both_replaced(result), atol=1e-4)


def test_what_is_beyond_is_what_wider_windows_give_to_their_outer_epochs():
    """On a path that is nearly straight in the scores: beyond a window of 3 is what epochs outside of it have in all of 9."""
    epochs = varied_epochs(n_epochs=9)
    narrow, wide = (
        explain(epochs, stager(reach=0.3), **SHORT | {"window_length": length}, **DENSE) for length in (3, 21)
    )
    beyond = view(narrow, "beyond")[4]
    outside = wide.to_xarray()["context_map"].isel(epoch=4).sel(context=[-4, -3, -2, 2, 3, 4]).sum(("context", "band"))
    np.testing.assert_allclose(beyond, outside.values, rtol=0.25)


def test_an_epoch_with_a_fault_stays_as_it_is_in_the_window_as_in_the_night():
    epochs = varied_epochs(n_epochs=11)
    data = epochs.get_data(copy=True)
    data[5] = 0.0
    broken = mne.EpochsArray(data, epochs.info, events=epochs.events, baseline=None, verbose="error")
    result = explain(broken, stager(), baseline="recording", **SHORT, **DENSE)
    found = result.to_xarray()
    assert 5 not in found["number"].values
    total = np.nansum(found["context_map"].values, axis=(1, 3)) + found["beyond"].values
    np.testing.assert_allclose(total, both_replaced(result), atol=1e-4)
    beside = found["context_map"].sel(context=1).values[found["number"].values == 4]
    assert not beside.any()


def test_states_of_all_members_of_an_ensemble_move():
    both = ensemble([stager(0), stager(1)])
    result = explain(varied_epochs(n_epochs=9), both, **SHORT, **DENSE)
    parts = [explain(varied_epochs(n_epochs=9), stager(seed), **SHORT, **DENSE) for seed in (0, 1)]
    np.testing.assert_allclose(
        view(result, "beyond"), np.mean([view(part, "beyond") for part in parts], axis=0), atol=1e-6
    )
    total = np.nansum(view(result, "context_map"), axis=(1, 3)) + view(result, "beyond")
    np.testing.assert_allclose(total, both_replaced(result), atol=1e-4)


def test_of_all_stages_a_target_has_its_own_part_beyond():
    epochs = varied_epochs(n_epochs=7)
    every = explain(epochs, stager(), **SHORT | {"target": "all"}, **DENSE).for_target(("N2", "W"))
    one = explain(epochs, stager(), **SHORT | {"target": ("N2", "W")}, **DENSE)
    for name in ("beyond", "size", "gap"):
        np.testing.assert_allclose(view(every, name), view(one, name), atol=1e-6)


def test_the_size_and_the_error_have_the_part_beyond_in_them(tmp_path):
    result = explain(varied_epochs(n_epochs=7), stager(), **SHORT)
    data = result.to_xarray()
    parts = np.nansum(np.abs(data["context_map"].values.astype(float)), axis=(1, 3)) + np.abs(data["beyond"].values)
    np.testing.assert_allclose(data["size"], parts, rtol=1e-5)
    assert (np.abs(data["gap"].values) <= data["error"].values * parts * 1.01).all()
    assert eegflex.read_result(result.save(tmp_path / "scaled.nc")).data.equals(data)
    spoilt = data.copy(deep=True)
    spoilt["beyond"][3] += 1.0
    with pytest.raises(eegflex.errors.RecordingError, match="sum to"):
        eegflex.read_result(eegflex.FlexResult(spoilt).save(tmp_path / "spoilt.nc"))


def test_stagers_without_states_have_no_part_beyond():
    for model, spec in ((Smooth(), None), (Window(), CONTEXT)):
        result = explain(noise_epochs(), model, spec=spec, context="scaled", target="N2")
        assert "beyond" not in result.data
