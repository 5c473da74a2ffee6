"""Baselines: what an attribution compares a segment with."""

from __future__ import annotations

import torch

from eegflex.errors import ParameterError

__all__ = ["make_baselines"]


def make_baselines(baseline: str, segments: torch.Tensor) -> torch.Tensor:
    """Baseline signals for segments; they share the phases of the segments, so that the path is a straight line in time.

    Parameters
    ----------
    baseline : str
        ``"zero"``: silence on every channel. Attributions then sum to F(x) - F(0), the score of the segment less the
        score of silence in the same context.
    segments : Tensor, shape (n_epochs, n_channels, n_times)

    Returns
    -------
    baselines : Tensor, shape (n_epochs, n_channels, n_times)
    """
    if baseline not in _BASELINES:
        raise ParameterError("There is no such baseline", seen=repr(baseline), allowed=list(_BASELINES))
    return _BASELINES[baseline](segments)


_BASELINES = {"zero": torch.zeros_like}
