"""How much of a shortcut an explanation has: for the audit, which tells of it, and for trust, which rests on it."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["ABOVE_CHANCE", "excess"]

#: Kinds of shortcuts of which a share must be above chance to be one. Where a filter has left nothing, or a channel shows no
#: sleep, chance is no excuse.
ABOVE_CHANCE = frozenset({"line", "ecg", "artifact", "level"})

Values = TypeVar("Values")


def excess(kind: str, share: Values, chance: Values) -> Values:
    """The share of a kind of shortcut that is too much: above chance where chance is an excuse.

    Parameters
    ----------
    kind : str
        Of `eegflex.evaluation.shortcuts.KINDS`.
    share, chance : float | array | pandas.Series
        Of the absolute attribution, and what chance puts there.
    """
    return share - chance if kind in ABOVE_CHANCE else share  # type: ignore[operator]
