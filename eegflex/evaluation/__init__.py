"""How far explanations can be believed."""

from eegflex.evaluation.aasm import AASM_CRITERIA, AasmCriterion, aasm_criteria
from eegflex.evaluation.assess import assess
from eegflex.evaluation.carried import decisive_events
from eegflex.evaluation.evaluate import evaluate
from eegflex.evaluation.evaluation import Evaluation
from eegflex.evaluation.events import find_sleep_events
from eegflex.evaluation.grounding import grounding, grounding_findings
from eegflex.evaluation.truth import Cover, area_under_roc, average_precision, cover_of_events, share_in_truth
from eegflex.stagers.zoo.known_truth import TRUTHS, KnownTruth, plant_line_noise

__all__ = [
    "AASM_CRITERIA",
    "TRUTHS",
    "AasmCriterion",
    "Cover",
    "Evaluation",
    "KnownTruth",
    "aasm_criteria",
    "area_under_roc",
    "assess",
    "average_precision",
    "cover_of_events",
    "decisive_events",
    "evaluate",
    "find_sleep_events",
    "grounding",
    "grounding_findings",
    "plant_line_noise",
    "share_in_truth",
]
