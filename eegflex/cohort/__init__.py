"""Many nights: explained in one run, and compared between groups of people."""

from eegflex.cohort.cohort import Cohort
from eegflex.cohort.comparison import Comparison
from eegflex.cohort.correlate import correlate
from eegflex.cohort.groups import compare_groups
from eegflex.cohort.mixed import mixed_model
from eegflex.cohort.plan import EpochPlan, plan_epochs
from eegflex.cohort.simulated import simulate_cohort

__all__ = [
    "Cohort",
    "Comparison",
    "EpochPlan",
    "compare_groups",
    "correlate",
    "mixed_model",
    "plan_epochs",
    "simulate_cohort",
]
