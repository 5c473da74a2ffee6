"""One run at a time in a folder: a lock whose owner is asked for a sign of life, so that a dead one does not keep it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from eegflex.cohort.extra import from_extra
from eegflex.errors import OutputError

__all__ = ["BEAT", "STALE", "Lock", "Owner", "lives", "owner_of"]

#: Seconds between signs of life, and without one after which an owner on another machine is taken for dead.
BEAT, STALE = 10.0, 120.0
_NAME = ".eegflex-cohort.lock"


#: What its fields are; a file that says it otherwise is of nobody.
_KINDS = (int, str, int | float, str)


@dataclass(frozen=True)
class Owner:
    """Who holds a folder.

    Attributes
    ----------
    pid, host, started : int, str, float
        The process, its machine, and when it was started.
    token : str
        What its lock is known by.
    """

    pid: int
    host: str
    started: float
    token: str


class Lock:
    """Hold a folder for one run, while this block lives.

    Parameters
    ----------
    root : Path
        The folder.

    Attributes
    ----------
    lost : bool
        Whether somebody else has taken the folder, who took this run for dead.

    Raises
    ------
    OutputError
        If another run has it.
    """

    path: Path
    owner: Owner
    lost: bool

    def __init__(self, root: Path) -> None:
        self.path = root / _NAME
        self.owner = Owner(os.getpid(), socket.gethostname(), _started(os.getpid()), uuid.uuid4().hex)
        self.lost = False
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="eegflex-cohort-lock", daemon=True)

    def __enter__(self) -> Lock:
        while not self._create():
            self._clear()
        self._beating.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._beating.join()
        if not self.lost and owner_of(self.path.parent) == self.owner:
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        """Whether the lock is ours: it is made whole beside its place, and put there only if nothing is there."""
        own = self.path.with_name(f"{_NAME}.{self.owner.token}")
        try:
            own.write_text(json.dumps(vars(self.owner)))
            try:
                os.link(own, self.path)
            except FileExistsError:
                return False
            except OSError:  # a file system without links
                return self._create_alone()
        except OSError as error:
            raise OutputError(f"The folder cannot be locked: {error.strerror}", seen=self.path.parent) from error
        finally:
            own.unlink(missing_ok=True)
        return True

    def _create_alone(self) -> bool:
        try:
            with self.path.open("x") as file:
                file.write(json.dumps(vars(self.owner)))
        except FileExistsError:
            return False
        return True

    def _clear(self) -> None:
        """Take away the lock of a dead owner, or refuse."""
        owner = owner_of(self.path.parent)
        try:
            age = _age(self.path)
        except FileNotFoundError:
            return
        if owner is not None and _lives(owner, age):
            raise OutputError(
                "Another run uses this folder",
                seen=f"{self.path.parent}, process {owner.pid} on {owner.host}, last active {age:.0f} s ago",
                remedy=f"Wait for it or stop it. The lock of a dead process on this machine is released at once, "
                f"on another machine after {STALE:.0f} s",
            )
        if owner is None and age < BEAT:  # it is being written, by somebody without links
            time.sleep(BEAT / 20)
            return
        if self.path.is_dir():
            raise OutputError("The folder cannot be locked: its lock is a folder", seen=self.path, remedy="Remove it")
        aside = self.path.with_name(f"{_NAME}.{self.owner.token}.old")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(aside)
            if _read(aside) != owner:  # somebody was quicker, and it is theirs
                with contextlib.suppress(OSError):
                    os.link(aside, self.path)
            aside.unlink()

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            if owner_of(self.path.parent) not in (self.owner, None):
                self.lost = True
                return
            with contextlib.suppress(OSError):
                os.utime(self.path)


def owner_of(root: Path) -> Owner | None:
    """Who says to hold a folder; None where nobody does, or it cannot be read."""
    return _read(root / _NAME)


def lives(root: Path) -> Owner | None:
    """Who holds a folder and lives."""
    owner = owner_of(root)
    try:
        return owner if owner is not None and _lives(owner, _age(root / _NAME)) else None
    except FileNotFoundError:
        return None


def _read(path: Path) -> Owner | None:
    try:
        found = Owner(**json.loads(path.read_text()))
        return (
            found
            if all(isinstance(one, kind) for one, kind in zip(vars(found).values(), _KINDS, strict=True))
            else None
        )
    except (OSError, ValueError, TypeError):
        return None


def _lives(owner: Owner, age: float) -> bool:
    if owner.host != socket.gethostname():
        return age < STALE
    started = _started(owner.pid)
    # a process of that number may be another one; clocks are set while one runs
    return started > 0 and abs(started - owner.started) < BEAT


def _age(path: Path) -> float:
    """Seconds since the last sign of life, by the clock of the file system, which may not be that of this machine."""
    probe = path.with_name(f"{_NAME}.{uuid.uuid4().hex}.now")
    try:
        probe.touch()
        now = probe.stat().st_mtime
    except OSError:  # who only looks may not write
        now = time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return now - path.stat().st_mtime


def _started(pid: int) -> float:
    """When a process was started; 0 where there is none."""
    psutil = from_extra("psutil")
    try:
        process = psutil.Process(pid)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return 0.0
