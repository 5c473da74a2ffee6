"""Ctrl-C and its like: asked for once, work stops where nothing is lost; asked for twice, at once.

There is one flag, for signals are the process's. A `KeyboardInterrupt` alone can be swallowed, in a callback of the garbage
collector or by an import; the flag stays.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

__all__ = ["Asked", "check", "follow", "held", "listening"]

#: What asks a process to end: Ctrl-C, a scheduler, a terminal that is closed. Windows has only the first two.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
#: Only these are replaced: a handler of the caller's own is the caller's, and what ignores a signal (nohup) goes on doing so.
_DEFAULTS = (signal.default_int_handler, signal.SIG_DFL)


@dataclass
class Asked:
    """Whether the process was asked to stop.

    Attributes
    ----------
    signum : int
        By which signal; 0: it was not.
    holds : int
        How many blocks a signal has to wait for.
    tell : callable or None
        Called when a signal has to wait.
    elsewhere : callable or None
        Tells whether another process was asked, for which this one works.
    """

    signum: int = 0
    holds: int = 0
    tell: Callable[[], None] | None = None
    elsewhere: Callable[[], bool] | None = None
    replaced: dict[int, Any] = field(default_factory=dict)

    def __call__(self, signum: int, _: FrameType | None) -> None:
        """Hear a signal."""
        first = not self.signum
        self.signum = self.signum or signum
        if self.holds == 0 or not first:
            raise KeyboardInterrupt
        if self.tell is not None:
            self.tell()

    def install(self) -> None:
        """Listen to the signals that nobody else listens to. Only the main thread may."""
        for signum in SIGNALS:
            known = signal.getsignal(signum)
            if known in _DEFAULTS:
                self.replaced[signum] = known
                signal.signal(signum, self)

    def restore(self) -> int:
        """Put back what was there, and forget; the signal that asked, or 0."""
        for signum, known in self.replaced.items():
            signal.signal(signum, known)
        signum, self.signum, self.tell = self.signum, 0, None
        self.replaced.clear()
        return signum


_ASKED = Asked()


def check() -> None:
    """Stop here if the process was asked to.

    Raises
    ------
    KeyboardInterrupt
        If it was.
    """
    if _ASKED.signum or (_ASKED.elsewhere is not None and _ASKED.elsewhere()):
        raise KeyboardInterrupt


def follow(elsewhere: Callable[[], bool]) -> None:
    """From now on stop where another process is asked to; for one that works for it."""
    _ASKED.elsewhere = elsewhere


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def listening(tell: Callable[[], None] | None = None) -> Iterator[Asked]:
    """For a whole program: whatever becomes of the exception that a signal raises, it is known that there was one.

    Parameters
    ----------
    tell : callable | None
        Called when a signal has to wait; in a signal's handler, so that it must not print by way of buffers.

    Yields
    ------
    asked : Asked
        Whether, and by which signal.
    """
    if not _is_main() or _ASKED.replaced:
        yield Asked()
        return
    _ASKED.install()
    _ASKED.tell = tell
    try:
        yield _ASKED
    finally:
        _ASKED.restore()


@contextlib.contextmanager
def held() -> Iterator[None]:
    """In this block the first signal waits for a `check`, or for the block's end; a second one does not.

    In a thread other than the main one, which never hears of signals, nothing changes.

    Raises
    ------
    KeyboardInterrupt
        At the end of the outermost block, if the process was asked to stop, unless one was raised already. A signal that
        would have ended the process ends it then.
    """
    if not _is_main():
        yield
        return
    owner = _ASKED.holds == 0 and not _ASKED.replaced
    raised: BaseException | None = None
    _ASKED.holds += 1
    try:
        if owner:
            _ASKED.install()
        yield
    except BaseException as error:
        raised = error
        raise
    finally:
        _ASKED.holds -= 1
        signum = _ASKED.restore() if owner else _ASKED.signum * (_ASKED.holds == 0)
        if signum and owner and not isinstance(raised, KeyboardInterrupt):
            signal.raise_signal(signum)
    if signum:  # whoever listens knows it of every other way out
        raise KeyboardInterrupt
