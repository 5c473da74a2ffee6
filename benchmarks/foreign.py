"""A foreign stager with its authors' weights, from a folder that the user names: nothing is fetched, and nothing shipped."""

from __future__ import annotations

from collections.abc import Callable

from eegflex.stagers import Stager

__all__ = ["STAGERS"]

STAGERS: dict[str, Callable[[], Stager | None]] = {}
