"""Theorems about attribute_epochs."""

from __future__ import annotations

import copy

import mne
import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view, with_gaps
from models import CoupledBatch, Detached, Linear, Noisy, ShiftInvariant, Sinusoid, Smooth, Window
from reference import literal_flex
from scipy.signal import periodogram
from torch import nn

from eegflex.errors import ModelError, ParameterError, RecordingError
from eegflex.spec.model_spec import ContextSpec, ModelSpec

STAGES = ("W", "N1", "N2", "N3", "REM")


def test_parity_with_the_literal_definition():
    epochs, model = noise_epochs(n_epochs=2), Smooth()
    result = explain(epochs, model, target="N2", quadrature="gauss-legendre", n_steps=50)
    for i, x in enumerate(torch.from_numpy(epochs.get_data()).float()):
        literal = literal_flex(model, x[None], target=2)[0].detach().numpy()
        np.testing.assert_allclose(view(result)[i], literal, atol=1e-5 * np.abs(literal).max())


def test_parity_with_captum_in_time():
    from captum.attr import IntegratedGradients

    epochs, model = noise_epochs(n_epochs=2), Smooth()
    result = explain(epochs, model, target="W", views=("time",), quadrature="gauss-legendre", n_steps=20)
    x = torch.from_numpy(epochs.get_data()).float()
    expected = IntegratedGradients(model).attribute(x, target=0, n_steps=20, method="gausslegendre").detach().numpy()
    np.testing.assert_allclose(view(result, "time_view"), expected, atol=1e-5 * np.abs(expected).max())


def test_a_linear_score_is_explained_exactly_by_one_gradient():
    epochs = noise_epochs()
    one = explain(epochs, Linear(2, 960), n_steps=1, quadrature="riemann-middle", dtype="float64")
    many = explain(epochs, Linear(2, 960), dtype="float64")
    np.testing.assert_allclose(view(one), view(many), atol=1e-6)
    assert np.abs(one.to_xarray()["gap"]).max() < 1e-9


def test_a_sinusoid_model_puts_its_attribution_into_its_bin():
    bins = [30, 60, 120, 240, 390]
    result = explain(noise_epochs(n_channels=1), Sinusoid(bins, 960))
    predicted = result.to_xarray()["predicted"].values[:, 0]
    for attribution, stage in zip(np.abs(view(result)[:, 0]), predicted, strict=True):
        assert attribution[bins[STAGES.index(stage)]] > 0.999 * attribution.sum()


def test_linear_in_the_score():
    epochs, model = noise_epochs(), Smooth()
    rule = {"quadrature": "gauss-legendre", "n_steps": 12, "dtype": "float64"}
    separate = [view(explain(epochs, model, target=stage, **rule)) for stage in ("N2", "N1")]
    margin = view(explain(epochs, model, target=("N2", "N1"), **rule))
    np.testing.assert_allclose(margin, separate[0] - separate[1], atol=1e-6)


def test_margin_is_predicted_minus_runner_up():
    result = explain(noise_epochs(), Smooth(), target="margin")
    data = result.to_xarray()
    ordered = np.sort(data["scores"].values[:, 0], axis=1)
    np.testing.assert_allclose(data["score"].values[:, 0], ordered[:, -1] - ordered[:, -2], atol=1e-5)


def test_equivariant_to_the_order_of_channels():
    epochs, model = noise_epochs(), Smooth()
    turned = copy.deepcopy(model)
    turned.conv.weight.data = turned.conv.weight.data.flip(1)
    result = explain(epochs, model)
    swapped = explain(epochs.copy().reorder_channels(["EEG1", "EEG0"]), turned)
    assert swapped.ch_names == ("EEG1", "EEG0")
    np.testing.assert_allclose(view(swapped), view(result)[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_invariant_to_the_batch_size(batch_size):
    epochs = noise_epochs(n_epochs=3)
    np.testing.assert_allclose(
        view(explain(epochs, Smooth(), batch_size=batch_size)), view(explain(epochs, Smooth())), atol=1e-7
    )


def test_invariant_to_splitting_the_night():
    epochs = noise_epochs()
    parts = [view(explain(epochs[rows], Smooth())) for rows in (slice(0, 2), slice(2, 6))]
    np.testing.assert_allclose(np.concatenate(parts), view(explain(epochs, Smooth())), atol=1e-7)


def test_a_delay_is_not_noticed_under_a_shift_invariant_model():
    epochs = noise_epochs(n_channels=1)
    delayed = mne.EpochsArray(np.roll(epochs.get_data(), 123, axis=-1), epochs.info, baseline=None, verbose="error")
    here, there = (view(explain(e, ShiftInvariant(), dtype="float64")) for e in (epochs, delayed))
    np.testing.assert_allclose(here, there, atol=1e-7)


def test_single_and_double_precision_agree():
    epochs = noise_epochs()
    single, double = (view(explain(epochs, Smooth(), dtype=dtype)) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(single, double, atol=1e-4 * np.abs(double).max())


def test_the_callers_module_and_epochs_are_left_as_they_were():
    model = nn.Sequential(Smooth(), nn.Dropout(0.5)).train()
    model[0].head.bias.requires_grad_(False)
    calls = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    before = copy.deepcopy(model.state_dict())
    epochs = noise_epochs()
    data = epochs.get_data().copy()
    explain(epochs, model)
    assert model.training
    assert model[1].training
    assert [p.requires_grad for p in model.parameters()] == [True, True, True, False]
    assert all(p.grad is None for p in model.parameters())
    assert len(model._forward_pre_hooks) == 1
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name])
    np.testing.assert_array_equal(epochs.get_data(), data)


def test_any_number_of_outputs_is_named():
    result = explain(noise_epochs(), Smooth(n_stages=3))
    assert result.stages == ("output 0", "output 1", "output 2")


def test_a_sample_is_balanced_and_seeded():
    epochs = noise_epochs(n_epochs=40)
    model = Smooth()
    everything = explain(epochs, model, quadrature="riemann-middle", n_steps=1)
    counts = everything.counts()
    first, again, other = (
        explain(epochs, model, sample_per_stage=3, seed=seed, quadrature="riemann-middle", n_steps=1)
        for seed in (0, 0, 1)
    )
    assert first.counts() == {stage: min(3, n) for stage, n in counts.items()}
    np.testing.assert_array_equal(first.to_xarray()["number"], again.to_xarray()["number"])
    assert first.is_sample
    assert not everything.is_sample
    assert not explain(noise_epochs(n_epochs=6), Smooth(), sample_per_stage=6, on_check="ignore").is_sample
    assert other.to_xarray().sizes == first.to_xarray().sizes
    rows = first.to_xarray()["number"].values
    np.testing.assert_allclose(view(first), view(everything)[rows], atol=1e-7)


def test_an_epoch_without_a_scored_stage_has_no_scored_target():
    epochs = noise_epochs(n_epochs=3)
    epochs.event_id = {"N2": 1, "UNSCORED": 2}
    epochs.events[1, 2] = 2
    scored, by_name = (explain(epochs, Smooth(), target=target) for target in ("scored", "N2"))
    data = scored.to_xarray()
    assert data["number"].values.tolist() == [0, 2]
    assert data["target"].values[:, 0].tolist() == ["N2", "N2"]
    np.testing.assert_allclose(view(scored), view(by_name)[[0, 2]], atol=1e-7)


def test_without_a_scored_stage_there_is_no_scored_target():
    epochs = noise_epochs(n_epochs=3)
    epochs.event_id = {"UNSCORED": 1}
    with pytest.raises(ParameterError, match=r"no epoch has one.*UNSCORED.*hypnogram"):
        explain(epochs, Smooth(), target="scored")
    with pytest.raises(ParameterError, match="no epoch has one"):
        explain(epochs, Smooth(), target="all").for_target("scored")


def test_faulty_epochs_are_masked_and_counted():
    epochs = noise_epochs(n_epochs=5)
    epochs._data[1, 0, 7] = np.nan
    epochs._data[2, 1] = 3.0
    epochs._data[3, 1, : 960 // 2] = 9.0
    result = explain(epochs, Smooth())
    assert result.to_xarray()["number"].values.tolist() == [0, 4]
    assert result.provenance["faults"] == {"flat": 1, "not finite": 1, "saturated": 1}


def test_fixed_context_moves_only_the_segment():
    spec = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
    epochs, model = noise_epochs(n_epochs=6), Window()
    result = explain(epochs, model, spec=spec, target="N2", quadrature="gauss-legendre", n_steps=64)
    assert result.to_xarray()["number"].values.tolist() == [1, 2, 3, 4]  # the first and last lack a neighbour
    x = torch.from_numpy(epochs.get_data()).float()

    def score(segment):
        n = len(segment)
        return model(torch.cat([x[1].expand(n, -1, -1), segment, x[3].expand(n, -1, -1)], dim=-1))

    literal = literal_flex(score, x[2:3], target=2, n_steps=64)[0].detach().numpy()
    np.testing.assert_allclose(view(result)[1], literal, atol=2e-4 * np.abs(literal).max())


def test_context_never_reaches_over_a_gap_in_time():
    spec = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
    epochs = with_gaps(noise_epochs(n_epochs=8), [0, 1, 2, 3, 5, 6, 7])
    result = explain(epochs, Window(), spec=spec)
    assert result.to_xarray()["onset"].values.tolist() == [30.0, 60.0, 180.0]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (CoupledBatch(), "in a batch"),
        (Noisy(), "deterministic"),
        (Detached(), "differentiated"),
        (nn.Conv1d(5, 5, 3), "shape (1, 2, 960)"),
        (nn.Flatten(), "stages"),
        (lambda x: x.new_full((len(x), 5), torch.nan), "not finite"),
    ],
)
def test_models_that_cannot_be_trusted_are_refused(model, words):
    with pytest.raises(ModelError, match=words.replace("(", r"\(").replace(")", r"\)")):
        explain(noise_epochs(n_epochs=20), model)


class BrokenOnTheWay(nn.Module):
    """Finite for every epoch and for silence, and not between."""

    def forward(self, x):
        size = x.square().mean((1, 2)).sqrt()
        scores = x.mean((1, 2))[:, None] * torch.arange(5.0).to(x) + size[:, None]
        return torch.where(((size > 0.1) & (size < 0.4))[:, None], torch.nan, scores)


def test_scores_that_are_not_finite_on_the_path_are_never_told():
    with pytest.raises(ModelError, match=r"Finite scores: epochs at 0\.25 of their size"):
        explain(noise_epochs(n_epochs=20), BrokenOnTheWay())
    with pytest.raises(ModelError, match="not finite between the baseline and an epoch"):
        explain(noise_epochs(n_epochs=20), BrokenOnTheWay(), on_check="ignore")


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": "N4"},
        {"target": ("N2", "N2")},
        {"target": 3},
        {"baseline": "mean"},
        {"context": "both"},
        {"method": "lime"},
        {"quadrature": "simpson"},
        {"views": ("wavelet",)},
        {"dtype": "float16"},
        {"sample_per_stage": 0},
        {"device": "mps", "dtype": "float64"},
    ],
)
def test_arguments_that_are_not_choices_are_refused(arguments):
    with pytest.raises(ParameterError):
        explain(noise_epochs(), Smooth(), **arguments)


def test_a_raw_is_refused_with_the_remedy():
    raw = mne.io.RawArray(np.zeros((1, 1000)), mne.create_info(1, 100.0, "eeg"), verbose="error")
    with pytest.raises(ParameterError, match="make_epochs"):
        explain(raw, Smooth())


def test_a_rate_that_the_recording_cannot_give_is_refused():
    with pytest.raises(RecordingError, match="128 Hz"):
        explain(noise_epochs(), Smooth(), spec=ModelSpec(sfreq=128.0, n_times=3840))


@pytest.mark.parametrize("n_times", [960, 961])
def test_power_is_a_periodogram(n_times):
    epochs = noise_epochs(n_epochs=35, n_times=n_times)  # more than are computed at once
    data = explain(epochs, Smooth(), n_steps=1, quadrature="riemann-middle").to_xarray()
    freqs, expected = periodogram(epochs.get_data(), epochs.info["sfreq"], detrend=False)
    np.testing.assert_allclose(data["freq"].values, freqs, rtol=1e-12)
    np.testing.assert_allclose(data["power"].values, 1e12 * expected, rtol=1e-4, atol=1e3)  # µV²/Hz
    np.testing.assert_allclose(data["signal"].values, 1e6 * epochs.get_data(), rtol=1e-5)
    np.testing.assert_allclose(data["time"].values, np.arange(n_times) / 32)


def test_what_there_was_is_counted():
    epochs = noise_epochs(n_epochs=12)[[0, 1, 2, 5, 6, 9]]
    epochs._data[1], epochs._data[3], epochs._data[4] = np.nan, 0.0, 0.0
    result = explain(epochs, Smooth())
    counted = {name: result.provenance[name] for name in ("epochs", "explained", "runs", "faults")}
    data = result.to_xarray()
    faults = data["night_fault"].values[[1, 3]].tolist()
    assert counted == {"epochs": 6, "explained": 3, "runs": 3, "faults": {faults[0]: 1, faults[1]: 2}}
    assert data["number"].values.tolist() == [0, 2, 5]
    assert data["run"].values.tolist() == [0, 0, 2]
    assert (data["night_fault"].values == "").tolist() == [True, False, True, False, False, True]


def test_progress_is_quiet_when_asked(capsys):
    explain(noise_epochs(), Smooth())
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_the_callers_precision_does_not_matter():
    epochs = noise_epochs(n_epochs=2)
    single, double = (
        view(explain(epochs, copy.deepcopy(Smooth()).to(kind))) for kind in (torch.float32, torch.float64)
    )
    np.testing.assert_array_equal(single, double)
