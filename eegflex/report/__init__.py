"""Reports of a result: one page, as HTML or PDF."""

from eegflex.report.build import make_report
from eegflex.report.page import Report
from eegflex.report.summary import main_findings

__all__ = ["Report", "main_findings", "make_report"]
