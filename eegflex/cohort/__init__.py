"""Many nights: explained in one run, and compared between groups of people."""

from eegflex.cohort.cohort import Cohort
from eegflex.cohort.comparison import Comparison
from eegflex.cohort.correlate import correlate
from eegflex.cohort.groups import compare_groups
from eegflex.cohort.listing import list_recordings
from eegflex.cohort.mixed import mixed_model
from eegflex.cohort.page import make_cohort_report
from eegflex.cohort.plan import EpochPlan, plan_epochs
from eegflex.cohort.recording import Recording
from eegflex.cohort.run import run_cohort
from eegflex.cohort.simulated import simulate_cohort
from eegflex.cohort.status import CohortStatus, cohort_status
from eegflex.cohort.tables import read_cohort

__all__ = [
    "Cohort",
    "CohortStatus",
    "Comparison",
    "EpochPlan",
    "Recording",
    "cohort_status",
    "compare_groups",
    "correlate",
    "list_recordings",
    "make_cohort_report",
    "mixed_model",
    "plan_epochs",
    "read_cohort",
    "run_cohort",
    "simulate_cohort",
]
