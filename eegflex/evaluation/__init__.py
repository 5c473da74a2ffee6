"""How far explanations can be believed."""

from eegflex.evaluation.carried import carried_by
from eegflex.evaluation.criteria import CRITERIA, Criterion, criteria
from eegflex.evaluation.evaluate import evaluate
from eegflex.evaluation.evaluation import Evaluation
from eegflex.evaluation.events import find_events
from eegflex.evaluation.grounding import grounding, grounding_findings
from eegflex.evaluation.trust import assess
from eegflex.evaluation.truth import Cover, area_under_roc, average_precision, cover_of_events, share_in_truth
from eegflex.stagers.zoo.known_truth import TRUTHS, KnownTruth, plant_line_noise

__all__ = [
    "CRITERIA",
    "TRUTHS",
    "Cover",
    "Criterion",
    "Evaluation",
    "KnownTruth",
    "area_under_roc",
    "assess",
    "average_precision",
    "carried_by",
    "cover_of_events",
    "criteria",
    "evaluate",
    "find_events",
    "grounding",
    "grounding_findings",
    "plant_line_noise",
    "share_in_truth",
]
