"""Reports of a result in HTML."""

from eegflex.report.build import make_report, save_report
from eegflex.report.words import findings

__all__ = ["findings", "make_report", "save_report"]
