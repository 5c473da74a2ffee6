"""The command line: the Python names, with the same words."""

from eegflex.cli.commands import app, main

__all__ = ["app", "main"]
