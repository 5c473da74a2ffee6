"""A method is one entry of a table: one that a test enters is explained, tabled, drawn and reported like any other."""

from __future__ import annotations

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from pages import read

from eegflex import viz
from eegflex.attribution.context import moving
from eegflex.attribution.gradients import score_of
from eegflex.attribution.methods.method import Method
from eegflex.attribution.methods.on_spectrum import on_magnitudes
from eegflex.attribution.methods.registry import METHODS
from eegflex.attribution.request import Explained
from eegflex.bands import Bands
from eegflex.evaluation import assess
from eegflex.report import main_findings, make_report
from eegflex.results import read_result
from eegflex.results.wording import MethodWords

N_PARTS = len(Bands().names)


def loudest(model, magnitudes, _, extra):
    """The gradient of the score where it is positive, and nothing elsewhere."""
    (slope,) = torch.autograd.grad(model(magnitudes, *extra).sum(), magnitudes)
    return slope.clamp(min=0)


def even_split(request, channel_set, numbers):
    """The change of the score, split evenly over channels and bands; its error is known, though it has no tolerance."""
    what = moving(request, channel_set, numbers)
    weights = request.weights(numbers, channel_set)
    rows = torch.arange(len(numbers))
    ends, begins = (score_of(what.model, x[:, 0], rows, weights).cpu().numpy() for x in (what.end, what.begin))
    n_channels = what.end.shape[2]
    for row, number in enumerate(numbers):
        part = (ends[row] - begins[row]) / (n_channels * N_PARTS)
        view = np.broadcast_to(part[:, None, None], (len(part), n_channels, N_PARTS))
        yield Explained(int(number), {"band": view}, ends[row], begins[row], np.zeros_like(part), 0, 2, 0.03)


SLOPES = MethodWords(
    "loud gradients",
    "The attributions are slopes where they are positive",
    subject="some more of {what}",
    compared="",
    raised="might raise",
    lowered="might lower",
    per="unit of loudness",
)
NEW = {
    "loudest": Method(on_magnitudes(loudest, 1), SLOPES),
    "even_split": Method(even_split, MethodWords("an even split"), differentiates=False, views=()),
}


@pytest.fixture(params=list(NEW))
def explained(request, monkeypatch, tmp_path):
    """Explained with the method in the table, then written and read without it: the words are in the result."""
    with monkeypatch.context() as patch:
        patch.setitem(METHODS, request.param, NEW[request.param])
        epochs = example_results.make_epochs()
        result = example_results.explain(epochs, method=request.param, baseline="recording")
    return request.param, read_result(result.save(tmp_path / "new.nc"))


@pytest.mark.slow
def test_a_method_is_one_entry(explained, tmp_path):
    name, result = explained
    assert name not in METHODS
    table = result.band_table()
    change = (result.data["score"] - result.data["baseline_score"]).values[:, 0]
    if name == "even_split":
        n2 = change[result.data["predicted"].values[:, 0] == "N2"].mean()
        np.testing.assert_allclose(table.loc[("N2", "C3-M2"), list(Bands().names)], n2 / (6 * N_PARTS), rtol=1e-5)
    else:
        assert (table[list(Bands().names)].to_numpy() >= 0).all()
    assert len(result.to_data_frame()) == 10 * 6 * N_PARTS

    found = assess(result)
    assert found["completeness"].status == ("ok" if name == "even_split" else "unknown")
    if name == "even_split":
        assert found["precision"].values["error"] == pytest.approx(0.03)
        assert "largest estimated error of the band sums is 3 %" in found["convergence"].measured
    else:
        assert all("too few" in said for said in main_findings(result))

    page = read(make_report(result, epochs_per_stage=0, verbose=False), tmp_path).text
    words = NEW[name].words
    assert f"by {words.name}." in page
    assert f"in units of log-probability{' per unit of loudness' if name == 'loudest' else ''}" in page
    assert (words.numbers or "The attributions of an epoch sum to its score minus") in page
    shown = viz.plot_epoch(result, 0, show=False).texts + viz.plot_bands(result, show=False).texts
    assert any(words.raised in text.get_text() for text in shown)
    plt.close("all")
