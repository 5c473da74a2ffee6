"""Reports of a result in HTML."""

from eegflex.report.build import make_report, save_report
from eegflex.report.summary import main_findings

__all__ = ["main_findings", "make_report", "save_report"]
