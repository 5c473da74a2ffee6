"""A process that explains recordings for a worker: ``python -m eegflex.cohort.hand``.

A file that crashes a library takes this process down, and nothing else. It reads requests from its standard input, whose end
means that whoever started it is gone, and answers on what was its standard output; what libraries print goes nowhere.
"""

from __future__ import annotations

import ctypes
import gc
import io
import os
import pickle
import queue
import signal
import struct
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

__all__ = ["FATAL", "HEAD", "receive", "send"]

#: The status of an answer that ends the run: no other recording would fare better.
FATAL = "fatal"
#: The length that stands before each message.
HEAD = struct.Struct(">Q")


def send(stream: IO[bytes], message: Any) -> None:
    """Write a message."""
    text = pickle.dumps(message)
    stream.write(HEAD.pack(len(text)) + text)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read a message.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    (size,) = HEAD.unpack(head)
    text = stream.read(size)
    if len(text) < size:
        raise EOFError
    return pickle.loads(text)  # noqa: S301  (of the process that started this one)


def main() -> None:
    """Answer requests until the other side is gone."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # it is for the other side to say what they mean
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    requests: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    sys.stdout = io.TextIOWrapper(os.fdopen(nowhere, "wb"), write_through=True)
    while True:
        send(answers, _answer(*requests.get()))


def _listen(stream: IO[bytes], requests: queue.Queue[Any]) -> None:
    """Take requests; without the other side there is nobody to work for, whatever is being done."""
    while True:
        try:
            requests.put(receive(stream))
        except (EOFError, OSError):
            os._exit(0)


def _answer(path: str, digest: str, one: Any) -> dict[str, Any]:
    from eegflex.cohort.one import explain_recording
    from eegflex.errors import EegflexError

    try:
        job, stager = _taken_up(path, digest)
        return explain_recording(job, stager, one)
    except Exception as error:  # of whatever a model is made of; a recording's own faults are an answer
        own = isinstance(error, EegflexError)
        return {
            "status": FATAL,
            "error": error.what if isinstance(error, EegflexError) else f"{type(error).__name__}: {error}",
            "seen": str(error.seen) if isinstance(error, EegflexError) and error.seen is not None else None,
            "remedy": error.remedy if isinstance(error, EegflexError) else None,
            "kind": type(error).__name__ if own else "ModelError",
        }
    finally:
        gc.collect()
        _give_back()


@lru_cache(maxsize=1)
def _taken_up(path: str, digest: str) -> tuple[Any, Any]:
    """What is asked, and the model, which is loaded once."""
    import mne
    import torch

    from eegflex.cohort.job import read_job

    mne.set_log_level("ERROR")
    torch.set_num_threads(1)  # so that what comes of it does not depend on how many work beside it
    job = read_job(Path(path), digest)
    return job, job.stager()


def _give_back() -> None:
    """Give memory that is free back to the system, where the C library keeps it."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another C library
            return


if __name__ == "__main__":
    main()
