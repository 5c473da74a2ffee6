"""The head, and what its sources do to the channels of any montage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated import EPOCH, microvolts

from eegflex.simulation import head
from eegflex.simulation.events import TRUTH
from eegflex.simulation.simulate import simulate_psg


def test_a_homogeneous_head_has_its_closed_form(monkeypatch):
    """Radial dipole at f in a sphere of one conductivity: order n is (2n + 1) f**(n - 1)."""
    monkeypatch.setattr(head, "CONDUCTIVITIES", np.ones(4))
    n = np.arange(1, head.N_ORDERS + 1)
    np.testing.assert_allclose(head._orders.__wrapped__()[1:], (2 * n + 1) * head.DIPOLE_RADIUS ** (n - 1), rtol=1e-6)


def test_what_flows_out_of_the_head_flows_back():
    """Over the whole sphere the potential averages to zero, and falls with the distance from the source."""
    cosines = np.linspace(-1, 1, 20001)
    for spread in (5.0, 20.0, 45.0):
        potential = head.patch_potential(cosines, spread)
        assert abs(potential.mean()) < 1e-3
        assert potential[-1] == pytest.approx(1)
        assert (np.diff(potential[cosines > 0.5]) > 0).all()


def test_the_skull_smears(monkeypatch):
    """20 degrees away a dipole has more of its potential left than in a head without a skull."""
    near = np.cos(np.radians([20.0]))
    with_skull = head.patch_potential(near, 2.0)
    monkeypatch.setattr(head, "CONDUCTIVITIES", np.ones(4))
    monkeypatch.setattr(head, "_orders", head._orders.__wrapped__)
    monkeypatch.setattr(head, "_profile", head._profile.__wrapped__)
    assert with_skull > 1.5 * head.patch_potential(near, 2.0)


def test_a_derivation_does_not_hang_on_the_others():
    options = {"hours": 0.2, "sfreq": 128.0, "seed": 7, "artifacts": ["line", "ecg", "movement"], "verbose": "error"}
    whole = simulate_psg(**options)
    part = simulate_psg(electrodes=["Oz", "C4"], **options)
    assert part.raw.ch_names == ["Oz-M2", "C4-M1", "E1-M2", "E2-M2", "Chin1-Chin2"]
    for channel in part.raw.ch_names[1:]:
        np.testing.assert_allclose(microvolts(part, channel), microvolts(whole, channel), atol=1e-3)
    pd.testing.assert_frame_equal(part.events[list(TRUTH)], whole.events[list(TRUTH)])
    np.testing.assert_array_equal(part.hypnogram, whole.hypnogram)


def test_electrodes_of_the_10_10_system_lie_where_they_are():
    raw = simulate_psg(hours=0.2, sfreq=64.0, electrodes=["fpz", "AF7", "CP4", "T3", "PO8"], verbose="error").raw
    positions = raw.get_montage().get_positions()["ch_pos"]
    assert list(positions) == ["Fpz-M2", "AF7-M2", "CP4-M1", "T3-M2", "PO8-M1"]
    assert positions["Fpz-M2"][1] > positions["AF7-M2"][1] > positions["T3-M2"][1] > positions["PO8-M1"][1]


def test_near_channels_go_together():
    """From Fz backwards, against one reference, the correlation falls at every step."""
    line = ["Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz"]
    night = simulate_psg(hours=1.0, sfreq=64.0, seed=2, electrodes=line, verbose="error")
    for stage in ("W", "N2", "N3", "REM"):
        kept = np.repeat(night.hypnogram == stage, EPOCH * 64)
        correlation = np.corrcoef(night.raw.get_data("eeg")[:, kept])
        assert (np.diff(correlation[0]) < 0).all(), stage
        assert (np.diff(correlation[-1]) > 0).all(), stage
