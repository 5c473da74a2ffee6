"""MNE's decorator of functions that take `verbose`, which keeps their signature for those who check types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import mne.utils

from eegflex.utils.arguments import checked

__all__ = ["verbose"]

Function = TypeVar("Function", bound=Callable[..., Any])


def verbose(function: Function) -> Function:
    """Set the log level while a function runs, by its argument `verbose`; its type stays what it was. It is `checked`, too.

    MNE has no types that a checker would see, so that its own decorator makes anything of a function, and a misspelt argument
    is found when it runs, not before.

    Parameters
    ----------
    function : callable
        With an argument `verbose`.

    Examples
    --------
    >>> import mne
    >>> @verbose
    ... def level(verbose=None):
    ...     return mne.utils.logger.level
    >>> level(verbose="error")
    40
    """
    return checked(cast(Function, mne.utils.verbose(function)))
