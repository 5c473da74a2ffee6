"""The explorer inside a page: every epoch, its signals and why it was staged so."""

from eegflex.report.explorer.build import Fragment, make_explorer

__all__ = ["Fragment", "make_explorer"]
