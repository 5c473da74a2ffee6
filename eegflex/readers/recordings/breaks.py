"""Where a recording breaks off: pauses, cuts and joints, in whatever words a file notes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from eegflex.readers.recordings.source import Event, Run

__all__ = ["EDGE", "GAP", "divide", "is_break", "is_gap", "unsure_clock"]

#: What MNE calls a stretch without data, and a place where two recordings meet; its filters respect both.
GAP, EDGE = "BAD_ACQ_SKIP", "EDGE boundary"

# EEGLAB, BrainVision, MNE (of what it concatenates) and exports of them; matched whole, marks and case aside.
_BREAK = re.compile(
    r"edge( boundary)?|(bad )?boundary|new segment( .*)?"
    r"|((bad|data|signal|recording|eeg|file|acquisition) )?(discontinuity|discontinuous)"
    r"|(segment|file|recording|epoch) (boundary|break)"
)
_TYPE = re.compile(r"^(comment|stimulus|response|toggle|marker)/", re.IGNORECASE)  # of a BrainVision marker
_MARKS = re.compile(r"[\s_/:,.-]+")
_SAME = 0.005  # s that two notes of one break may lie apart


def is_gap(text: str) -> bool:
    """Whether a note says that there are no data for as long as it lasts."""
    return _TYPE.sub("", text, count=1).upper().startswith(GAP)


def is_break(text: str) -> bool:
    """Whether a note says that time jumps where it begins, whatever its duration means."""
    return _BREAK.fullmatch(_MARKS.sub(" ", _TYPE.sub("", text, count=1).casefold()).strip()) is not None


def divide(events: Sequence[Event], runs: Sequence[Run]) -> tuple[list[Event], list[Run], list[str]]:
    """Divide runs where a recording's own notes say that it breaks off.

    Parameters
    ----------
    events : sequence of Event
        What the recording notes.
    runs : sequence of Run
        What is contiguous by the file's format.

    Returns
    -------
    events : list of Event
        The others.
    runs : list of Run
        Two that meet are a break of unknown length.
    warnings : list of str
        What should be looked at.
    """
    gaps = [(event.onset, event.onset + (event.duration or 0.0)) for event in events if is_gap(event.text)]
    places = [event.onset for event in events if is_break(event.text)]
    others = [event for event in events if not (is_gap(event.text) or is_break(event.text))]
    cut, at = _split(_without(runs, gaps), places)
    return others, cut, unsure_clock(at)


def unsure_clock(at: Sequence[float]) -> list[str]:
    """Say of breaks of unknown length, at these s, what follows from them."""
    if not at:
        return []
    return [
        f"the recording is interrupted {len(at)} times, first at {at[0]:g} s, without the length of the "
        f"interruptions: its clock is uncertain afterwards, and a hypnogram aligned by clock time may not fit"
    ]


def _without(runs: Iterable[Run], gaps: Iterable[tuple[float, float]]) -> list[Run]:
    """Take gaps out of runs; MNE may note one twice, as it found it and as an annotation saved before."""
    left = list(runs)
    for first, last in gaps:
        parts = (
            part for run in left for part in (Run(run.start, min(run.stop, first)), Run(max(run.start, last), run.stop))
        )
        left = [part for part in parts if part.stop > part.start] if last > first else left
    return left


def _split(runs: Iterable[Run], places: Iterable[float]) -> tuple[list[Run], list[float]]:
    """Split runs at places inside them; which these are comes along."""
    left, at = list(runs), list[float]()
    for place in sorted(places):
        for k, run in enumerate(left):
            if run.start + _SAME < place < run.stop - _SAME:
                left[k : k + 1] = [Run(run.start, place), Run(place, run.stop)]
                at.append(place)
                break
    return left, at
