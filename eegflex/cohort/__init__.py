"""Many nights: explained in one run, and compared between groups of people."""

from eegflex.cohort.cohort import Cohort
from eegflex.cohort.listing import list_recordings
from eegflex.cohort.recording import Recording
from eegflex.cohort.run import run_cohort
from eegflex.cohort.status import CohortStatus, cohort_status
from eegflex.cohort.tables import read_cohort

__all__ = ["Cohort", "CohortStatus", "Recording", "cohort_status", "list_recordings", "read_cohort", "run_cohort"]
