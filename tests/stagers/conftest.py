"""Answers that tests of stagers share. Not to be changed."""

from __future__ import annotations

import pytest
import torch

import eegflex
from eegflex.stagers import products as products_


@pytest.fixture(scope="session")
def gssc_result():
    """GSSC on two EEG channels with the same EOG, an epoch of each stage."""
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    raw = eegflex.simulate_psg(hours=0.3, seed=3, verbose="error").raw
    epochs = eegflex.make_epochs(raw.pick(["C3-M2", "C4-M1", "E1-M2", "E2-M2"]), verbose="error")
    return eegflex.attribute_epochs(epochs, "gssc", sample_per_stage=1, verbose="error")


@pytest.fixture(params=["in the library's order", "without it", "where there is none"])
def products(request, monkeypatch):
    """With weights in the library's order, where that is to be had, and without, whatever is quicker here."""
    monkeypatch.setattr(products_, "order_is_quicker", lambda: request.param != "without it")
    if request.param == "where there is none":
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", None, raising=False)
