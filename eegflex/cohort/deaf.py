"""Loaded by workers on this machine: Ctrl-C, which a terminal tells every process, is for the run to hear, not for them."""

import signal

__all__: list[str] = []

signal.signal(signal.SIGINT, signal.SIG_IGN)
