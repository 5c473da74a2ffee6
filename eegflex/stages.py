"""Names of sleep stages, their codes and their order."""

from __future__ import annotations

STAGES = ("W", "N1", "N2", "N3", "REM")


NOT_STAGED = ("MOVEMENT", "ARTIFACT", "UNSCORED")


STAGE_CODES = {name: code for code, name in enumerate((*STAGES, *NOT_STAGED), start=1)}
