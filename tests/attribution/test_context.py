"""Context: fixed or moving along, at the edges of runs, and never encoded twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view, with_gaps
from models import Smooth, Window
from reference import literal_flex
from torch import nn

import eegflex
from eegflex.attribution.window_error import N_NODES
from eegflex.errors import ParameterError
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, ModelSpec

SPEC = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
RULE = {"quadrature": "gauss-legendre", "n_steps": 40, "dtype": "float64"}


class Factoring(nn.Module):
    """Decodes the codes of five epochs, and counts what it and its copies encode."""

    encoded = 0

    def __init__(self, *, honest=True):
        super().__init__()
        torch.manual_seed(1)
        self.encoder, self.mix = Smooth(n_stages=6), nn.GRU(6, 8, batch_first=True, bidirectional=True)
        self.head, self.honest = nn.Linear(16, 5), honest

    def encode(self, segments):
        Factoring.encoded += len(segments)
        return self.encoder(segments)

    def decode(self, codes):
        mixed = self.head(self.mix(codes)[0][:, codes.shape[1] // 2])
        return mixed if self.honest else -mixed

    def forward(self, windows):
        codes = self.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        return self.head(self.mix(codes)[0][:, windows.shape[1] // 2])


class Unfactored(nn.Module):
    """The same network without its two halves."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, windows):
        return self.inner(windows)


class EveryPosition(nn.Module):
    """Scores each of three epochs by itself and its neighbours' mean."""

    def __init__(self, n_channels=2):
        super().__init__()
        self.net = Smooth(n_channels)

    def forward(self, windows):
        own = self.net(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        return own * own.mean(1, keepdim=True)


FIVE = ModelSpec(layout="b e c t", context=ContextSpec(2, 2))


def windows_of(epochs, numbers, reach=1):
    x = torch.from_numpy(epochs.get_data()).float()
    return torch.stack([torch.cat(list(x[n - reach : n + reach + 1]), dim=-1) for n in numbers])


def test_segment_and_context_together_are_the_whole():
    """The scaled path is FLEX over the whole window as one long signal of E x C channels."""
    epochs, model = noise_epochs(n_epochs=4), Window()
    result = explain(epochs, model, spec=SPEC, target="N2", context="scaled", **RULE)
    data = result.to_xarray()
    flat = torch.from_numpy(epochs.get_data()).float()[0:3].flatten(0, 1)[None]  # window of epoch 1, (1, 6, time)

    def score(variants):
        return model(variants.unflatten(1, (3, 2)).permute(0, 2, 1, 3).flatten(2))

    literal = literal_flex(score, flat, target=2, n_steps=40)[0].detach().numpy()
    np.testing.assert_allclose(view(result)[0], literal[2:4], atol=1e-5 * np.abs(literal).max())
    bands = eegflex.Bands().sum(literal, data["freq"].values).reshape(3, 2, -1)
    np.testing.assert_allclose(data["context_map"].values[0], bands, atol=1e-5 * np.abs(literal).max())
    assert data["context"].values.tolist() == [-1, 0, 1]
    whole = model(windows_of(epochs, [1])) - model(torch.zeros(1, 2, 3 * 960))
    np.testing.assert_allclose(data["context_map"].values[0].sum(), whole[0, 2].item(), atol=1e-5)


def test_the_map_holds_the_segment_itself_at_zero():
    result = explain(noise_epochs(), Window(), spec=SPEC, context="scaled", **RULE)
    data = result.to_xarray()
    own = eegflex.Bands().sum(data["frequency_view"].values, data["freq"].values)
    np.testing.assert_allclose(data["context_map"].sel(context=0).values, own, atol=1e-12)


def test_a_gap_is_judged_against_what_the_context_was_given_too():
    """Of each channel set by itself, whatever is in the window: at the edges of the night some of the map is not there."""
    each = (ChannelSpec("eeg", types=("eeg",), use="each"),)
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(1, 1), channels=each)
    result = explain(
        noise_epochs(n_epochs=4),
        EveryPosition(n_channels=1),
        spec=spec,
        context="scaled",
        quadrature="riemann-left",
        n_steps=3,
    )
    data = result.to_xarray()
    cells = data["context_map"].transpose("epoch", "channel", "context", "band").values
    assert np.isnan(cells).any()
    for epoch in range(4):
        for channel_set in range(2):
            size = own = 0.0
            for channel in np.flatnonzero(data["of_channel_set"].values == channel_set):
                for offset, row in zip(data["context"].values, cells[epoch, channel], strict=True):
                    part = sum(abs(float(value)) for value in row if not np.isnan(value))
                    size, own = size + part, own + part * (offset == 0)
            assert size > 1.2 * own  # so that it matters
            expected = abs(data["gap"].values[epoch, channel_set]) / size
            assert result.relative_gap()[epoch, channel_set] == pytest.approx(expected, rel=1e-6)


def test_a_model_that_ignores_its_neighbours_gives_them_nothing():
    class Alone(Window):
        def forward(self, x):
            return self.net(x.unflatten(-1, (3, -1))[:, :, 1])

    scaled, fixed = (explain(noise_epochs(), Alone(), spec=SPEC, context=c, **RULE) for c in ("scaled", "fixed"))
    data = scaled.to_xarray()
    assert np.abs(data["context_map"].where(data["context"] != 0)).max() == 0
    np.testing.assert_allclose(view(scaled), view(fixed), atol=1e-12)


@pytest.mark.parametrize("edges", ["shift", "pad", "skip"])
def test_what_happens_at_the_edges_is_said(edges):
    epochs = with_gaps(noise_epochs(n_epochs=8), [0, 1, 2, 4, 5, 6, 7])
    shifts = explain(
        epochs, EveryPosition(), spec=ModelSpec(layout="b e c t", output="b e s", context=SPEC.context), edges=edges
    )
    data = shifts.to_xarray()
    edge = dict(zip(data["number"].values.tolist(), data["edge"].values.tolist(), strict=True))
    if edges == "skip":
        assert edge == {1: "inside", 4: "inside", 5: "inside"}
    else:
        other = {"shift": "shifted", "pad": "padded"}[edges]
        assert edge == {0: other, 1: "inside", 2: other, 3: other, 4: "inside", 5: "inside", 6: other}
    assert shifts.parameters["edges"] == edges


def test_a_shifted_window_scores_the_same_epoch_elsewhere_in_it():
    epochs, model = noise_epochs(n_epochs=5), EveryPosition()
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(1, 1))
    data = explain(epochs, model, spec=spec, target="W", **RULE).to_xarray()
    x = torch.from_numpy(epochs.get_data())
    with torch.no_grad():
        expected = model.double()(x[None, 0:3])[0, :, 0]
    np.testing.assert_allclose(data["score"].values[:2, 0], expected[:2], atol=1e-12)
    scaled = explain(epochs, model, spec=spec, target="W", context="scaled", **RULE).to_xarray()
    assert scaled["context"].values.tolist() == [-2, -1, 0, 1, 2]
    assert np.isfinite(scaled["context_map"].values[0, 2:]).all()
    assert np.isnan(scaled["context_map"].values[0, :2]).all()


def test_a_padded_window_has_silence_outside():
    epochs, model = noise_epochs(n_epochs=3), Window()
    data = explain(epochs, model, spec=SPEC, target="W", edges="pad", **RULE).to_xarray()
    x = torch.from_numpy(epochs.get_data())
    silent = torch.cat([torch.zeros_like(x[0]), x[0], x[1]], dim=-1)[None]
    with torch.no_grad():
        np.testing.assert_allclose(data["score"].values[0, 0], model.double()(silent)[0, 0], atol=1e-12)


def test_a_stager_of_one_position_leaves_the_edges_unexplained():
    data = explain(noise_epochs(n_epochs=5), Window(), spec=SPEC).to_xarray()
    assert data["number"].values.tolist() == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fixed", "scaled"])
@pytest.mark.parametrize("edges", ["skip", "pad"])
def test_cached_is_uncached(context, edges):
    epochs, model = noise_epochs(n_epochs=9), Factoring()
    cached, plain = (
        explain(epochs, m, spec=FIVE, context=context, edges=edges, views=("time",)) for m in (model, Unfactored(model))
    )
    for name in ("frequency_view", "time_view", "night_scores"):
        scale = np.nanmax(np.abs(view(plain, name)))
        np.testing.assert_allclose(view(cached, name), view(plain, name), atol=1e-5 * scale)


def test_a_neighbour_is_encoded_once():
    Factoring.encoded = 0
    asked = {"quadrature": "gauss-legendre", "n_steps": 20, "on_check": "ignore", "spectral_share": 0}
    explain(noise_epochs(n_epochs=30), Factoring(), spec=FIVE, **asked)
    on_paths, ends, night = 26 * 20, 26 * 2, 31
    of_baselines = 31 + 3 * 26  # the night of baselines, and what stands in it and in the recorded one
    assert Factoring.encoded <= on_paths + ends + night + of_baselines + 40  # a few more for the checks


def test_halves_that_are_not_the_models_own_are_not_used(caplog):
    epochs = noise_epochs(n_epochs=7)
    spoilt, plain = Factoring(honest=False), Unfactored(Factoring())
    result = eegflex.attribute_epochs(epochs, spoilt, spec=FIVE, baseline="zero", verbose="info")
    np.testing.assert_allclose(view(result), view(explain(epochs, plain, spec=FIVE)), atol=1e-6)
    assert "not used" in caplog.text


def test_only_whole_nights_have_a_window_length():
    with pytest.raises(ParameterError, match="whole night"):
        explain(noise_epochs(), Window(), spec=SPEC, window_length=5)
    with pytest.raises(ParameterError, match="edges"):
        explain(noise_epochs(), Window(), spec=SPEC, edges="wrap")


class WholeNight(EveryPosition):
    """Its every score depends on the whole night."""


@pytest.mark.parametrize("window_length", [3, 5, 40])
def test_the_error_of_a_window_length_is_measured(window_length):
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(whole=True))
    result = explain(noise_epochs(n_epochs=12), WholeNight(), spec=spec, window_length=window_length)
    window = result.provenance["window"]
    assert window["length"] == min(window_length, 12)
    assert len(result.to_xarray()["number"]) == 12
    if window_length >= 12:
        assert "none" in window["error"]
    else:
        assert 0 < window["error_median"] <= window["error_largest"]


@pytest.mark.parametrize("n_sets", [1, 2])
def test_the_error_of_a_window_length_is_what_the_band_sums_differ_by(n_sets):
    """Of an epoch of each stage, or two, relative to their absolute total in their whole run, by the same nodes."""
    channels = (ChannelSpec("eeg", types=("eeg",), use="each" if n_sets == 2 else "all"),)
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(whole=True), channels=channels)
    model = WholeNight(n_channels=3 - n_sets)
    rule = {"quadrature": "gauss-legendre", "n_steps": N_NODES, "target": "N2"}
    epochs = with_gaps(noise_epochs(n_epochs=14), [*range(9), 12, 13])  # runs of nine and two
    near, whole = (explain(epochs, model, spec=spec, window_length=length, **rule) for length in (3, 9))
    masks = eegflex.Bands().masks(near.freqs)
    sums = [
        np.array([[[own[mask].sum() for mask in masks] for own in epoch] for epoch in view(result)])
        for result in (near, whole)
    ]  # epoch, channel, band
    apart = [part.reshape(len(part), n_sets, -1) for part in sums]  # the channel sets of one channel, or one of all
    errors = np.abs(apart[0] - apart[1]).sum(axis=2) / np.abs(apart[1]).sum(axis=2)
    night = eegflex.stage_epochs(epochs, model, spec=spec, window_length=3, verbose="error")
    said, predicted = near.provenance["window"], night.predicted[near.to_xarray()["number"].values]
    assert (said["length"], said["measured_against"]) == (3, "the whole night")
    by_stage = said["error_by_stage"]
    assert set(by_stage) == set(predicted)
    for stage, own in by_stage.items():
        assert (
            len(own) == n_sets
        )  # all are of one stage: one of 11 epochs is enough, and two of those of two channel sets
        assert all(np.isclose(errors[predicted == stage], error, rtol=1e-3).any() for error in own)
    every = [error for own in by_stage.values() for error in own]
    assert said["measured_on_epochs"] == len(every)
    assert said["error_median"] == pytest.approx(np.median(every))
    assert said["error_largest"] == max(every)
    assert whole.provenance["window"] == {"length": 9, "error": "none: it is the whole night"}


@pytest.mark.parametrize("window_length", [0, 2.5, "wide", True])
def test_a_window_has_a_number_of_epochs(window_length):
    with pytest.raises(ParameterError, match="window_length"):
        explain(noise_epochs(), Window(), spec=SPEC, window_length=window_length)


def test_where_scores_would_change_the_window_is_kept_and_what_it_changes_is_said(caplog):
    """What a mean over the window says of an epoch depends on the window: no other gives the night's own scores."""
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(whole=True))
    epochs = noise_epochs(n_epochs=50)
    asked = {"spec": spec, "target": "N2", "baseline": "zero", "select": range(20, 30), "verbose": "warning"}
    result = eegflex.attribute_epochs(epochs, WholeNight(), **asked)
    window = result.provenance["window"]
    assert window["length"] == 21
    assert window["error_largest"] > 0.01
    assert (result.to_xarray()["window_length"] == 21).all()
    assert "instead of the whole night" in caplog.text
    assert all(f"{100 * max(own):.2g} %" in caplog.text for own in window["error_by_stage"].values())
