"""Memory that batch after batch asks for and frees: kept meanwhile, as fresh pages of the system take long to come.

The C library of Linux gives large blocks that are freed back to the system at once, and has them anew for the next batch, page
by page. On a virtual machine that took as long as a small network's passes themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache

__all__ = ["give_back", "keep_pages", "pages_kept"]

#: Parameters of ``mallopt``: what is free at the end of the heap and is given back, and from which size on, and how many blocks
#: have pages of their own, which are given back as soon as they are freed.
_TRIM, _OWN_FROM, _OWN_AT_MOST = -1, -3, -4
_ALL = 2**31 - 1
#: What the library itself comes to in a process that has freed large blocks, and what it begins with.
_USUAL = {_TRIM: 2**26, _OWN_FROM: 2**25, _OWN_AT_MOST: 2**16}

_lock = threading.Lock()
_n_within = 0


@contextlib.contextmanager
def pages_kept() -> Iterator[None]:
    """Within it, freed memory stays with the process; in the end it is given back."""
    global _n_within
    with _lock:
        _n_within += 1
        keep_pages()
    try:
        yield
    finally:
        with _lock:
            _n_within -= 1
            if not _n_within:
                _set(_USUAL)
                give_back()


def keep_pages() -> None:
    """From now on freed memory stays with the process."""
    _set({_TRIM: _ALL, _OWN_AT_MOST: 0})


def give_back() -> None:
    """Give memory that is free back to the system."""
    if (trim := _of_library("malloc_trim")) is not None:
        trim(0)


def _set(values: dict[int, int]) -> None:
    if any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return  # somebody has chosen what the library does
    if (mallopt := _of_library("mallopt")) is not None:
        for name, value in values.items():
            mallopt(name, value)


@lru_cache(maxsize=2)
def _of_library(name: str) -> Callable[..., int] | None:
    """A function of the C library of Linux; None where there is another one."""
    if sys.platform != "linux":
        return None
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL("libc.so.6"), name)
    except (OSError, AttributeError):
        return None
    return found
