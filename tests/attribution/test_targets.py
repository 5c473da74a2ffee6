"""All stages from one forward pass, and any target from them afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from attribution_helpers import explain, scored_epochs, view
from models import Smooth
from torch import nn

from eegflex import read_result
from eegflex.errors import ParameterError

RULE = {"quadrature": "gauss-legendre", "n_steps": 12, "dtype": "float64", "views": ("time", "time-frequency")}
NAMES = ("frequency_view", "time_view", "time_frequency_view", "score", "baseline_score", "gap")


@pytest.fixture(scope="module")
def every():
    return explain(scored_epochs(), Smooth(), target="all", **RULE)


@pytest.mark.parametrize("target", ["predicted", "scored", "margin", "W", "REM", ("N2", "N1")])
def test_any_target_follows_from_all_stages(every, target):
    one, own = every.for_target(target), explain(scored_epochs(), Smooth(), target=target, **RULE)
    for name in NAMES:
        np.testing.assert_allclose(view(one, name), view(own, name), atol=1e-12, err_msg=name)
    assert (one.to_xarray()["target"].values == own.to_xarray()["target"].values).all()
    assert one.parameters["target"] == (list(target) if isinstance(target, tuple) else target)
    np.testing.assert_allclose(one.band_table(), own.band_table(), atol=1e-12)


def test_one_forward_pass_serves_all_stages():
    class Counting(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.net = Smooth()

        def forward(self, x):
            type(self).calls += len(x)
            return self.net(x)

    explain(scored_epochs(), Counting(), **RULE)
    single, Counting.calls = Counting.calls, 0
    explain(scored_epochs(), Counting(), target="all", **RULE)
    assert Counting.calls == single


def test_tables_speak_for_the_predicted_stage(every):
    assert every.for_target().parameters["target"] == "predicted"
    np.testing.assert_allclose(every.band_table(), every.for_target("predicted").band_table())
    assert every.relative_gap().shape == (6, 1)


def test_it_is_saved_and_read(every, tmp_path):
    again = read_result(every.save(tmp_path / "all.nc"))
    assert again.for_target("all") is again
    np.testing.assert_array_equal(view(again.for_target("N3")), view(every.for_target("N3")))


def test_a_result_of_one_target_has_no_other():
    result = explain(scored_epochs(), Smooth(), target="N2", **RULE)
    assert result.for_target() is result
    assert result.for_target("N2") is result
    with pytest.raises(ParameterError, match="target='all'"):
        result.for_target("N1")


def test_an_unknown_target_is_refused(every):
    with pytest.raises(ParameterError, match="N4"):
        every.for_target("N4")


def test_the_error_of_a_margin_is_relative_to_the_margin():
    epochs = scored_epochs()
    result = explain(epochs, Smooth(), target="all", tol=0.01)
    reference = view(explain(epochs, Smooth(), target=("N2", "N1"), quadrature="graded", n_steps=1800))
    margin = result.for_target(("N2", "N1"))
    true = np.abs(view(margin).sum(2) - reference.sum(2)).sum(1) / np.abs(reference).sum((1, 2))
    assert (true <= margin.to_xarray()["error"].values[:, 0]).all()


def test_epochs_without_a_scored_stage_are_left_out():
    epochs = scored_epochs()
    epochs.event_id = {**epochs.event_id, "UNSCORED": 99}
    epochs.events[2, 2] = 99
    every = explain(epochs, Smooth(), target="all", **RULE)
    result = every.for_target("scored")
    kept = [number for number in every.to_xarray()["number"].values if number != 2]
    assert result.to_xarray()["number"].values.tolist() == kept
    data = result.to_xarray()
    assert data["target"].values[:, 0].tolist() == data["stage"].values.tolist()
