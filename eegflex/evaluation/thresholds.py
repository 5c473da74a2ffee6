"""By what findings about a result are judged."""

from __future__ import annotations

__all__ = ["ALIKE", "CANCELLING", "MOST", "TIGHT", "USABLE"]


#: Completeness gap, as a share of the absolute total of the band sums, within which attributions are said to add up.
TIGHT = 0.01


#: Error of the band sums, as such a share, up to which they can be used at all.
USABLE = 0.05


#: How many times larger than the change of the score the band sums may be before they are said to cancel.
CANCELLING = 3.0


#: Share of the epochs that a judgement must hold for.
MOST = 0.95


#: Signed similarity of explanations that ought to differ, below which the whole of its interval must lie. The mean over 10
#: explanations, each of one random network and three others, was at most 0.19 to 0.26 in 95 % of draws (of 24 networks each,
#: from a CNN, a CNN with context and the band-power stager; 0.45 at most): explanations that go with the weights are told so
#: in 96 to 99 % of evaluations, and those that are truly alike by 0.5 are taken for them in 3 to 4 %.
ALIKE = 0.5
