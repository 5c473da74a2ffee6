"""What happens in a process that helps to explain: it reads the request once, and explains the parts that it is given."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from joblib.externals.loky import process_executor
from mne.utils import logger

from eegflex.attribution.packing import unpack
from eegflex.attribution.request import Explained, Explainer, Request
from eegflex.stagers.modules import rnn_safe
from eegflex.utils.stopping import follow

__all__ = ["GO", "UP", "Outcome", "begin", "set_up", "work"]

#: In the folder that is shared: there as long as there is work, and as soon as somebody has begun with it.
GO, UP = "go", "up"


@dataclass
class Outcome:
    """What came of a part.

    Attributes
    ----------
    channel_set : int
        Of which channels.
    found : list of Explained
        The explanations: not all, where it was stopped or something failed.
    said : list of (int, str)
        What was logged.
    warned : list of (str, type, str, int)
        What was warned of.
    trouble : str
        Why this process can do nothing at all.
    """

    channel_set: int
    found: list[Explained] = field(default_factory=list)
    said: list[tuple[int, str]] = field(default_factory=list)
    warned: list[tuple[str, type[Warning], str, int]] = field(default_factory=list)
    trouble: str = ""


def set_up() -> dict[str, Any]:
    """What the caller has set for its whole process, which another one does not know."""
    return {
        "dtype": torch.get_default_dtype(),
        "matmul": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "level": logger.level,
        "filters": list(warnings.filters),
        "caller": os.getpid(),
    }


def begin() -> None:
    """Leave it to the caller what a signal means, and take as much memory as batches need.

    Loky ends a process that has grown by 300 MB since its first task, and warns of it; the next one would begin anew.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def work(folder: str, explain: Explainer, channel_set: int, numbers: npt.NDArray[np.intp]) -> Outcome:
    """Explain a part. What fails is left to the caller, to whom the same will happen."""
    outcome = Outcome(channel_set)
    try:
        request, filters = _taken_up(Path(folder))
    except Exception as error:  # of whatever a model is made of
        outcome.trouble = f"another process cannot read the task ({type(error).__name__}: {error})"
        return outcome
    failing = contextlib.suppress(Exception, KeyboardInterrupt, SystemExit)
    with _overheard(outcome, filters), rnn_safe(request.stager.module), failing:
        outcome.found.extend(explain(request, channel_set, numbers))
    return outcome


@lru_cache(maxsize=1)
def _taken_up(folder: Path) -> tuple[Request, list[Any]]:
    """The request, and how warnings are filtered; all else of the caller's is set."""
    request, known = unpack(folder)
    torch.set_num_threads(known["threads"])
    torch.set_default_dtype(known["dtype"])
    torch.set_float32_matmul_precision(known["matmul"])
    torch.backends.mkldnn.enabled = known["mkldnn"]
    logger.setLevel(known["level"])
    caller, go = known["caller"], folder / GO

    def is_over() -> bool:
        if os.name == "posix" and os.getppid() != caller:
            os._exit(1)  # nobody is left to take what is found
        return not go.exists()

    follow(is_over)
    (folder / UP).touch()
    return request, known["filters"]


@contextlib.contextmanager
def _overheard(outcome: Outcome, filters: list[Any]) -> Iterator[None]:
    """Note what is logged and warned of, for the caller to say."""

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            outcome.said.append((record.levelno, record.getMessage()))

    handlers, logger.handlers = logger.handlers, [Noting()]
    try:
        with warnings.catch_warnings(record=True) as caught:
            cast(list[Any], warnings.filters)[:] = filters
            yield
    finally:
        logger.handlers = handlers
    outcome.warned = [(str(one.message), one.category, one.filename, one.lineno) for one in caught]
