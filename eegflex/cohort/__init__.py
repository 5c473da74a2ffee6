"""Many nights: explained in one run, and compared between groups of people."""

from eegflex.cohort.cohort import Cohort

__all__ = ["Cohort"]
