"""Checks of a model on a recording: whether it does what its spec says."""

from eegflex.doctor.check_model import check_model
from eegflex.findings import Finding, Findings

__all__ = ["Finding", "Findings", "check_model"]
