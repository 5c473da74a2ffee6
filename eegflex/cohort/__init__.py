"""Many nights: explained in one run, and compared between groups of people."""

from eegflex.cohort.cohort import Cohort
from eegflex.cohort.page import make_cohort_report

__all__ = ["Cohort", "make_cohort_report"]
