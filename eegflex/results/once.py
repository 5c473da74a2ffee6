"""What is computed of a result once, while something long is made of it, such as a page."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

__all__ = ["computed_once", "known"]

Found = TypeVar("Found")

#: (what it is of, what it is) -> the one, so that it stays, and the other; None where everything is computed anew.
_KNOWN: ContextVar[dict[tuple[int, Hashable], tuple[object, Any]] | None] = ContextVar("eegflex_known", default=None)


@contextmanager
def computed_once() -> Iterator[None]:
    """Compute once within what `known` is asked for, however often that is: nothing that it is of may change there."""
    if _KNOWN.get() is not None:
        yield
        return
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


def known(of: object, what: Hashable, compute: Callable[[], Found]) -> Found:
    """What was computed of an object already, within `computed_once`; else it is computed.

    Parameters
    ----------
    of : object
        What it is computed from, told by its identity.
    what : hashable
        What it is, and all else that it depends on.
    compute : callable
        Computes it. What it returns is shared by all who ask, who must leave it as it is.
    """
    there = _KNOWN.get()
    if there is None:
        return compute()
    place = id(of), what
    if place not in there:
        there[place] = of, compute()
    found: Found = there[place][1]
    return found
