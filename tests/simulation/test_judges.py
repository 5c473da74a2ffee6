"""Programs that nobody tuned for it take the night for what it is; and the judge itself has known answers."""

from __future__ import annotations

import numpy as np
import pytest

from eegflex.simulation.simulate import simulate_psg


@pytest.mark.slow
def test_gssc_stages_a_night_as_it_was_made():
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    pytest.importorskip("yasa", reason="the extra yasa is not installed")  # of whose detectors the judge is one
    from tools import judge_simulator

    kappas, _ = judge_simulator.staging(simulate_psg(hours=1.5, seed=520, electrodes=["C3", "C4"], verbose="error"))
    assert min(kappas) > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("what", ["spindle", "slow wave"])
def test_yasa_finds_what_was_planted(what):
    pytest.importorskip("yasa", reason="the extra yasa is not installed")
    from tools import judge_simulator

    night = simulate_psg(hours=2.0, sfreq=128.0, seed=520, verbose="error")
    assert judge_simulator.detection(night, what)[0] > 0.7


def test_the_judge_of_detections_has_known_answers():
    pytest.importorskip("yasa", reason="the extra yasa is not installed")
    from tools.judge_simulator import f1, union

    planted = np.array([[0.0, 1.0], [5.0, 6.0], [9.0, 10.0]])
    assert f1(planted, planted) == (1.0, 1.0, 1.0)
    assert f1(planted, planted + 2) == (0.0, 0.0, 0.0)
    assert f1(planted, planted[:1]) == (0.5, 1.0, 1 / 3)
    assert f1(planted, np.array([[0.0, 0.4], [0.5, 1.0]])) == (0.4, 0.5, 1 / 3)  # one event counts once
    assert f1(planted, np.array([[0.9, 1.9]])) == (0.0, 0.0, 0.0)  # a fifth of the union, or it is none
    np.testing.assert_array_equal(union(np.array([[5.0, 6.0], [0.0, 1.0], [0.4, 1.4]])), [[0.0, 1.4], [5.0, 6.0]])
    np.testing.assert_array_equal(union(np.array([[0.0, 1.0], [0.9, 1.9]])), [[0.0, 1.0], [0.9, 1.9]])
