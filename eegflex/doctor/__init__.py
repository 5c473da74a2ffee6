"""The model doctor: whether a model does what its spec says, on a recording."""

from eegflex.doctor.check_model import check_model
from eegflex.findings import Finding, Findings

__all__ = ["Finding", "Findings", "check_model"]
