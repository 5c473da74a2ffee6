"""All stages from one forward pass, and any target from them afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from attribution_helpers import explain, scored_epochs, view
from models import Smooth
from torch import nn

from eegflex import FlexResult, read_result
from eegflex.errors import ParameterError
from eegflex.spec.model_spec import ChannelSpec, ModelSpec
from eegflex.targets import is_scored, resolve_target

RULE = {"quadrature": "gauss-legendre", "n_steps": 12, "dtype": "float64", "views": ("time", "time-frequency")}
NAMES = ("frequency_view", "time_view", "time_frequency_view", "score", "baseline_score", "gap")


@pytest.fixture(scope="module")
def every():
    return explain(scored_epochs(), Smooth(), target="all", resolution="full", **RULE)


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


EACH = ModelSpec(channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))
#: In Hz, for sums reckoned anew.
EDGES = [(0.5, 4), (4, 8), (8, 12), (12, 16), (16, 30)]


def total_of_bands(attribution, freqs):
    """Absolute total of the band sums of channels, (channel, freq)."""
    total = 0.0
    for row in attribution:
        sums = [row[(freqs >= low) & (freqs < high)].sum() for low, high in EDGES]
        total += sum(abs(part) for part in (*sums, row.sum() - sum(sums)))
    return total


@pytest.mark.parametrize("target", ["predicted", "margin", "N3", ("N2", "N1")])
def test_errors_of_stages_add_up_and_are_told_of_what_remains(target):
    """Each stage's error is at most the epoch's share of its own size; what two of them leave may be much smaller."""
    data = explain(
        scored_epochs(), Smooth(n_channels=1), spec=EACH, target="all", resolution="full", **RULE
    ).to_xarray()
    errors = 0.01 * np.arange(1, 13).reshape(6, 2)  # what the quadrature is said to have estimated
    data["error"] = ("epoch", "channel_set"), errors
    found = FlexResult(data).for_target(target).to_xarray()["error"].values
    views, freqs = data["frequency_view"].values, data["freq"].values
    for epoch in range(6):
        for channel_set in range(2):  # of one channel each
            order = data["scores"].values[epoch, channel_set].argsort()[::-1]
            places = {"predicted": order[:1], "margin": order[:2], "N3": [3], ("N2", "N1"): [2, 1]}[target]
            parts = [views[epoch, place, [channel_set]] for place in places]
            remains = parts[0] if len(parts) == 1 else parts[0] - parts[1]
            sizes = sum(total_of_bands(part, freqs) for part in parts)
            expected = errors[epoch, channel_set] * sizes / total_of_bands(remains, freqs)
            assert found[epoch, channel_set] == pytest.approx(expected, rel=1e-9)


SCORES = np.array([[0.1, 0.7, 0.2], [3.0, -1.0, 2.0], [1.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("target", "weights", "labels"),
    [
        ("predicted", [[0, 1, 0], [1, 0, 0], [1, 0, 0]], ["B", "A", "A"]),
        ("margin", [[0, 1, -1], [1, 0, -1], [1, -1, 0]], ["B - C", "A - C", "A - B"]),
        ("scored", [[0, 0, 1], [1, 0, 0], [0, 1, 0]], ["C", "A", "B"]),
        ("B", [[0, 1, 0]] * 3, ["B"] * 3),
        (("C", "A"), [[-1, 0, 1]] * 3, ["C - A"] * 3),
        (["A", "C"], [[1, 0, -1]] * 3, ["A - C"] * 3),
    ],
)
def test_targets_by_hand(target, weights, labels):
    resolved = resolve_target(target, ("A", "B", "C"), SCORES, ["C", "A", "B"])
    assert resolved.weights[:, 0].tolist() == weights
    assert resolved.weights.shape == (3, 1, 3)
    assert resolved.labels.tolist() == labels


def test_a_stager_of_two_stages_has_a_margin_too():
    resolved = resolve_target(("B", "A"), ("A", "B"), SCORES[:, :2], ["A", "B", "A"])
    assert resolved.weights[:, 0].tolist() == [[-1, 1]] * 3


def test_all_stages_are_one_target_each():
    resolved = resolve_target("all", ("A", "B", "C"), SCORES, ["C", "A", "B"])
    assert resolved.weights.tolist() == [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]] * 3
    assert resolved.labels.tolist() == ["all"] * 3


@pytest.mark.parametrize("target", [("A", "A"), ("A",), ("A", "B", "C"), ("A", "D"), "D", "a", None, 1])
def test_what_is_no_target_is_refused_with_those_that_are(target):
    with pytest.raises(ParameterError, match="a pair of two stages"):
        resolve_target(target, ("A", "B", "C"), SCORES, ["C", "A", "B"])


def test_a_scored_stage_that_the_stager_does_not_have_is_refused():
    with pytest.raises(ParameterError, match="S4"):
        resolve_target("scored", ("A", "B", "C"), SCORES, ["C", "S4", "B"])
    assert is_scored(["C", "S4", "B"], ("A", "B", "C")).tolist() == [True, False, True]
    with pytest.raises(ParameterError, match="S4"):
        is_scored(["S4", "S4"], ("A", "B", "C"))


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
