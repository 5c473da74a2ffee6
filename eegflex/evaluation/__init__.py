"""How far explanations can be believed."""

from eegflex.evaluation.evaluate import evaluate
from eegflex.evaluation.evaluation import Evaluation
from eegflex.evaluation.trust import assess
from eegflex.evaluation.truth import Cover, average_precision, cover_of_events, share_in_truth
from eegflex.stagers.zoo.known_truth import TRUTHS, KnownTruth, plant_line_noise

__all__ = [
    "TRUTHS",
    "Cover",
    "Evaluation",
    "KnownTruth",
    "assess",
    "average_precision",
    "cover_of_events",
    "evaluate",
    "plant_line_noise",
    "share_in_truth",
]
