"""Figures of a result: functions that return a matplotlib Figure."""

from eegflex.viz.bands import plot_bands
from eegflex.viz.completeness import plot_completeness
from eegflex.viz.confusion import plot_confusion
from eegflex.viz.context import plot_context
from eegflex.viz.epoch import plot_epoch
from eegflex.viz.examples import plot_examples
from eegflex.viz.night import plot_night
from eegflex.viz.spectrum import plot_spectrum
from eegflex.viz.topomap import plot_topomap

__all__ = [
    "plot_bands",
    "plot_completeness",
    "plot_confusion",
    "plot_context",
    "plot_epoch",
    "plot_examples",
    "plot_night",
    "plot_spectrum",
    "plot_topomap",
]
