"""The command line: the Python names, with the same words."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from eegflex.utils.stopping import listening

__all__ = ["app", "main"]

#: A shell's status of a program that a signal ended is this and the signal's number.
_BY_SIGNAL = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Nothing heavy is imported before signals are listened to: an import that is interrupted may do anything.

    Returns
    -------
    status : int
        0; 1 for an error of the user's; 2 for a command line that is wrong; 130 when stopped by Ctrl-C, 143 by SIGTERM.
    """
    with listening(_say_that_it_waits) as asked:
        try:
            from eegflex.cli.commands import run

            status = run(arguments)
        except BaseException:
            if not asked.signum:
                raise
            status = 0
        status = _BY_SIGNAL + asked.signum if asked.signum else status
    if status > _BY_SIGNAL:
        sys.stderr.write("eegflex: stopped\n")
    return status


def _say_that_it_waits() -> None:
    os.write(2, b"\neegflex: stopping and saving what is finished; press Ctrl-C again to stop at once\n")


def __getattr__(name: str) -> Any:
    if name == "app":
        from eegflex.cli.commands import app

        return app
    raise AttributeError(name)


#: What `run` returns after an interrupt that no signal of ours explains.
STOPPED = _BY_SIGNAL + signal.SIGINT
