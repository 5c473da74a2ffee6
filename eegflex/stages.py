"""Sleep stages: their names, orders and codes, and how long an epoch is that gets one."""

from __future__ import annotations

__all__ = ["EPOCH_DURATION", "HYPNOGRAM_ORDER", "NOT_STAGED", "STAGES", "STAGE_CODES"]

#: The stages, in the order in which nearly every published stager lists its scores, though only by convention.
STAGES = ("W", "N1", "N2", "N3", "REM")
#: The same from top to bottom, as a hypnogram is drawn.
HYPNOGRAM_ORDER = ("W", "REM", "N1", "N2", "N3")
#: What an epoch is called that has none of them.
NOT_STAGED = ("MOVEMENT", "ARTIFACT", "UNSCORED")
#: The event code of each in an mne.Epochs.
STAGE_CODES = {name: code for code, name in enumerate((*STAGES, *NOT_STAGED), start=1)}
#: Length of the epoch that the AASM manual scores, in s.
EPOCH_DURATION = 30.0
