"""What decides: four scores of an epoch and its context, and the shares that follow from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs
from example_results import TinyNight, make_epochs
from models import Smooth, Window
from torch import nn

import eegflex
from eegflex.results.decided import REPLACED, context_share
from eegflex.spec.model_spec import ContextSpec, ModelSpec

SPEC = ModelSpec(layout="b e c t", context=ContextSpec(1, 1))


class Weighed(nn.Module):
    """The middle one of three epochs by itself, and both neighbours by themselves, in given proportions."""

    def __init__(self, own, context):
        super().__init__()
        self.net, self.own, self.context = Smooth(), own, context

    def forward(self, x):
        before, middle, after = x.unbind(1)
        return self.own * self.net(middle) + self.context * (self.net(before) + self.net(after))


def replaced(result):
    data = result.to_xarray()["replaced_scores"]
    assert data["replaced"].values.tolist() == list(REPLACED)
    return data.values


@pytest.mark.parametrize("baseline", ["zero", "recording", "aperiodic", "stage:N2"])
def test_the_first_two_are_both_ends_of_the_path(baseline):
    result = explain(scored_epochs(n_epochs=8), Window(), spec=ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1)),
                     baseline=baseline, target="N2", dtype="float64")  # fmt: skip
    data, place = result.to_xarray(), result.stages.index("N2")
    np.testing.assert_allclose(replaced(result)[:, :, 0], data["scores"], rtol=1e-12)
    np.testing.assert_allclose(replaced(result)[:, :, 1, place], data["baseline_score"], rtol=1e-6)


@pytest.mark.parametrize("baseline", ["zero", "recording"])
def test_all_four_by_the_module_itself(baseline):
    """With the module called by hand on windows that were put together by hand."""
    epochs = noise_epochs(n_epochs=7)
    result = explain(epochs, Window(), spec=ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1)),
                     baseline=baseline, edges="skip", dtype="float64")  # fmt: skip
    x = epochs.get_data(copy=False).astype(np.float32)
    spectra = np.fft.rfft(x.astype(float))
    magnitudes = np.zeros(spectra.shape) if baseline == "zero" else ordinary(x)
    x_b = np.fft.irfft(magnitudes * np.exp(1j * np.angle(spectra)), n=x.shape[-1])
    module = Window().double().eval()
    for row, number in enumerate(result.to_xarray()["number"].values.tolist()):
        for place, (own, others) in enumerate([(x, x), (x_b, x), (x, x_b), (x_b, x_b)]):
            window = np.concatenate([others[number - 1], own[number], others[number + 1]], axis=-1)
            expected = module(torch.from_numpy(window[None].astype(float))).detach().numpy()[0]
            np.testing.assert_allclose(replaced(result)[row, 0, place], expected, rtol=1e-5, atol=1e-6)


def ordinary(x):
    """Magnitudes whose bands have the median power, written anew."""
    power = np.abs(np.fft.rfft(x.astype(float))) ** 2
    made = np.median(power, axis=0) / np.log(2)
    freqs = np.fft.rfftfreq(x.shape[-1], 1 / 32)
    edges = [0, 0.5, 4, 8, 12, 16]
    inside = [(freqs >= low) & (freqs < high) for low, high in zip(edges[1:], [*edges[2:], np.inf], strict=True)]
    inside[-1] &= freqs < 30
    outside = ~np.logical_or.reduce(inside)
    for mask in [*inside, outside]:
        if mask.any():
            made[:, mask] *= (np.median(power[..., mask].sum(-1), axis=0) / made[:, mask].sum(-1))[:, None]
    return np.sqrt(made)


@pytest.mark.parametrize(("own", "context", "share"), [(1.0, 0.0, 0.0), (0.0, 1.0, 1.0)])
def test_who_alone_is_looked_at_has_all(own, context, share):
    result = explain(noise_epochs(n_epochs=8), Weighed(own, context), spec=SPEC, target="N2", on_check="ignore")
    np.testing.assert_allclose(context_share(result.to_xarray()), share, atol=1e-6)
    assert result.decided_by()["context_share"].round(6).eq(share).all()


def test_what_both_add_is_the_whole_change():
    """In a score that multiplies them, too."""
    result = explain(noise_epochs(n_epochs=8), Window(), spec=ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1)),
                     target="N2", dtype="float64")  # fmt: skip
    recorded, no_epoch, no_context, neither = np.moveaxis(replaced(result)[..., result.stages.index("N2")], -1, 0)
    share = context_share(result.to_xarray())
    by_epoch = ((recorded - no_epoch) + (no_context - neither)) / 2
    by_context = (recorded - neither) - by_epoch
    np.testing.assert_allclose(share, np.abs(by_context) / (np.abs(by_epoch) + np.abs(by_context)), rtol=1e-9)


def test_the_context_of_a_whole_night_is_the_rest_of_it():
    """A night of silence, staged by itself, is what is left of a night when everything is replaced by silence."""
    epochs, spec = (
        make_epochs(),
        ModelSpec(name="night", layout="b e c t", output="b e s", context=ContextSpec(whole=True)),
    )
    result = eegflex.attribute_epochs(epochs, TinyNight(6), spec=spec, baseline="zero", verbose="error")
    with torch.no_grad():
        silent = TinyNight(6)(torch.zeros(1, len(epochs), 6, epochs.get_data(copy=False).shape[-1]))[0]
    numbers = result.to_xarray()["number"].values
    np.testing.assert_allclose(replaced(result)[:, 0, 3], silent.numpy()[numbers], rtol=1e-5)


def test_a_stager_of_single_epochs_has_no_context():
    result = explain(noise_epochs(n_epochs=6), Smooth(), target="N2")
    assert np.isnan(replaced(result)[:, :, 2:]).all()
    assert np.isnan(context_share(result.to_xarray())).all()
    assert result.decided_by()["context_share"].isna().all()


def test_what_is_within_its_error_is_not_explained():
    """With an error made as large as the change, and a little smaller."""
    result = explain(noise_epochs(n_epochs=6), Smooth(), target="N2")
    data = result.to_xarray()
    relative = np.abs(data["score"] - data["baseline_score"]) / data["size"]
    for factor, within in ((1.001, True), (0.999, False)):
        changed = data.copy(deep=True)
        changed["error"] = factor * relative
        made = eegflex.FlexResult(changed)
        assert (made.within_error == within).all()
        assert made.decided_by()["n_explained"].sum() == (0 if within else 6)


def test_probabilities_before_and_after_are_those_of_the_predicted_stage():
    result = explain(noise_epochs(n_epochs=6), Smooth(), spec=ModelSpec(scores="logits"))
    data = result.to_xarray()
    scores = data["replaced_scores"].values[:, 0, :2]
    p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    own = data["scores"].values[:, 0].argmax(-1)
    table = result.decided_by()
    for stage in table.index:
        rows = np.flatnonzero(np.array(result.stages)[own] == stage)
        found = p[rows, :, result.stages.index(stage)]
        np.testing.assert_allclose(table.loc[stage, ["p", "p_replaced"]].astype(float), np.median(found, axis=0))
        assert table.loc[stage, "n_epochs"] == len(rows)
