"""What the neighbours of epochs said, in the report and in the main findings."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs
from torch import nn

import eegflex
from eegflex.report.parts import Gathered
from eegflex.report.sections import neighbours
from eegflex.results.window_rhythms import has_windows
from eegflex.spec.model_spec import ContextSpec, ModelSpec

THREE = ModelSpec(layout="b e c t", context=ContextSpec(1, 1), unit="uV")


class Around(nn.Module):
    """N2 has the sigma of both neighbours, and loses by their beta; a little of the epoch itself."""

    def __init__(self):
        super().__init__()
        freqs = np.fft.rfftfreq(1920, 1 / 64)
        bands = [(freqs >= low) & (freqs < high) for low, high in ((12, 16), (16, 30))]
        self.register_buffer("bands", torch.from_numpy(np.stack(bands)).float())

    def forward(self, x):
        power = torch.fft.rfft(x).abs().square() @ self.bands.to(x).T / 1920
        sigma, beta = power.mean(2).unbind(-1)
        weights = torch.tensor([1.0, 0.02, 1.0]).to(x)
        score = (3 * sigma - 0.5 * beta) @ weights
        return torch.stack([0 * score, 0 * score, score, 0 * score, 0 * score], dim=1)


@pytest.fixture(scope="module")
def result():
    epochs = noise_epochs(n_epochs=220, sfreq=64.0, scale=1e-6)
    return explain(epochs, Around(), spec=THREE, target="N2", windows_per_stage=12, on_check="ignore")


def page(result):
    return "".join(part.html for part in neighbours(Gathered(result, eegflex.evaluation.assess(result))))


def test_the_neighbours_have_their_findings(result):
    found = result.main_findings()
    table = result.window_rhythms().loc[("N2", "neighbours", "all")]
    for side, band in (("for", "sigma"), ("against", "beta")):
        own = found[f"N2 neighbours {side}"]
        assert band in own.values["what"]
        assert own.values["n_epochs"] == 12
        assert own.values["mean"] == pytest.approx(table.loc[band, "mean"], rel=1e-6)
        assert own.values["median"] == pytest.approx(table.loc[band, "median"], rel=1e-6)
        assert own.values["ci_low"] < own.values["median"] < own.values["ci_high"]
    assert "window_rhythms" in found["N2 context"].text
    names = [one.check for one in found]
    assert names.index("N2 context") < names.index("N2 neighbours for") < names.index("N2 for")


def test_of_few_windows_nothing_is_found(result):
    few = np.flatnonzero(np.isfinite(result.data["window_gap"].values[:, 0]))[4:]
    part = result[np.setdiff1d(np.arange(len(result)), few)]
    assert part.window_rhythms()["n_epochs"].max() == 4
    assert not [one.check for one in part.main_findings() if "neighbours" in one.check]


def test_the_report_has_the_table_beside_the_bands(result):
    told = page(result)
    assert "the epoch itself, its neighbours together" in told
    median = result.window_rhythms().loc[("N2", "neighbours", "all", "sigma"), "median"]
    assert f"+{median:.2f}" in told
    rows = re.findall(r'<th scope="row">(\w+)</th><th scope="row">(\w+)</th>', told)
    assert rows == [("N2", part) for part in ("epoch", "neighbours", "beyond", "change")]
    assert told.count(">12<") == 4


def test_without_windows_it_is_not_there():
    plain = explain(noise_epochs(sfreq=64.0, scale=1e-6), Around(), spec=THREE, windows_per_stage=0, on_check="ignore")
    assert not has_windows(plain.data)
    assert not page(plain)


@pytest.mark.slow
def test_a_whole_report_holds_it(result, tmp_path):
    made = eegflex.make_report(result, verbose="error")
    assert "What the neighbouring epochs did" in made.html
