"""By what findings about a result are judged."""

from __future__ import annotations

__all__ = ["CANCELLING", "FOLLOWS", "KNOWS_NOTHING", "MOST", "STABLE", "TIGHT", "USABLE"]


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
