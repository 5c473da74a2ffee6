"""Results: labelled attributions, the tables made of them, and what their numbers mean in words."""

from eegflex.results.concatenate import concatenate_results
from eegflex.results.read import read_result
from eegflex.results.result import FlexResult

__all__ = ["FlexResult", "concatenate_results", "read_result"]
