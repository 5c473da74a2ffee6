"""By what findings about a result are judged."""

from __future__ import annotations

__all__ = [
    "CANCELLING",
    "FOLLOWS",
    "KNOWS_NOTHING",
    "LEVEL_MOVES",
    "LEVEL_MOVES_SCORE",
    "MOST",
    "SHORTCUT",
    "SHORTCUT_DECIDES",
    "SHORTCUT_LEVEL",
    "STABLE",
    "TIGHT",
    "USABLE",
]


#: Completeness gap, as a share of the absolute total of the band sums, within which attributions are said to add up.
TIGHT = 0.01


#: Error of the band sums, as such a share, up to which they can be used at all.
USABLE = 0.05


#: How many times larger than the change of the score the band sums may be before they are said to cancel.
CANCELLING = 3.0


#: Share of the epochs that a judgement must hold for.
MOST = 0.95


#: Rank correlation of band sums with what the score loses, above which attributions are said to follow the model at all.
FOLLOWS = 0.0


#: Infidelity of an explanation that knows nothing of where, from which one that can be believed must be told.
KNOWS_NOTHING = 1.0


#: Similarity of explanations (signed cosine of band sums) above which they are said to be the same.
STABLE = 0.8


#: Share of the absolute attribution of a night or a stage that may lie where no sleep can be seen: above chance, where chance
#: puts something there. The lower end of its interval is held against it.
SHORTCUT = 0.05


#: The same share, from which on a stager decides by it.
SHORTCUT_DECIDES = 0.5


#: Change of a probability, and of the score as a share of the explanation's total, below which the level of a channel is said
#: to do nothing, if the stage stays.
LEVEL_MOVES, LEVEL_MOVES_SCORE = 0.1, 0.5


#: The same share for the level of a channel, above the half that it has where it moves the score as much as the shape of the
#: spectrum does: it moves it three times as much.
SHORTCUT_LEVEL = 0.25
