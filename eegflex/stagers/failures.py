"""What somebody else's code raises, in our words: a model, its network, its package."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from eegflex.errors import EegflexError, MemoryShortError, ModelError
from eegflex.stagers.batches import out_of_memory, text_of

__all__ = ["ForwardError", "in_our_words", "said"]

#: Characters of a foreign message that are shown.
_LONGEST = 400


class ForwardError(ModelError):
    """A model failed on what it was fed; which epochs that was is for whoever fed it to say."""


def said(error: BaseException) -> str:
    """The class and message of an error, on one line that is not too long.

    Examples
    --------
    >>> from eegflex.stagers.failures import said
    >>> said(KeyError("eeg"))
    "KeyError: 'eeg'"
    """
    words = " ".join(text_of(error)[: 4 * _LONGEST].split())
    shown = words if len(words) <= _LONGEST else f"{words[:_LONGEST]} ..."
    return f"{type(error).__name__}: {shown.rstrip('.')}" if shown else type(error).__name__


@contextlib.contextmanager
def in_our_words(what: str, *, seen: Any = None, remedy: str | None = None) -> Iterator[None]:
    """Whatever is raised within becomes a ModelError; what only stops a program, such as Ctrl-C, passes.

    Parameters
    ----------
    what : str
        What failed.
    seen, remedy : object
        As in `EegflexError`.

    Raises
    ------
    ModelError
        With what was raised as its cause; a `MemoryShortError` where memory did not suffice.
    """
    try:
        yield
    except EegflexError:
        raise
    except Exception as error:
        kind = MemoryShortError if out_of_memory(error) else ModelError
        raise kind(f"{what}: {said(error)}", seen=seen, remedy=remedy) from error
