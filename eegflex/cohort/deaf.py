"""Loaded by workers on this machine: Ctrl-C, which a terminal tells every process, is for the run to hear, not for them."""

from __future__ import annotations

import signal
from typing import Any

__all__ = ["dask_setup"]


def dask_setup(worker: Any) -> None:
    """Let a worker ignore Ctrl-C; Dask calls this once, in the process of the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
