"""Check of what a model reads: spectra, relations between channels, or waveforms."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from eegflex.doctor.case import Case
from eegflex.findings import CannotTellError, Finding, ok, warning
from eegflex.results.phase_table import LOST
from eegflex.surrogates import RandomPhases, Restaged, balanced_sample

__all__ = ["phases"]

#: Epochs of each predicted stage that are staged again, where not the whole night needs to be.
N_OF_STAGE = 40
_KEEPING = "epochs that keep their stage where every magnitude stays and phases are random"
#: What decides a stage -> in which words that is told, and what to do.
_LOST = {
    "waveforms": (
        f"{{stages}} decided by waveforms, not by the spectrum; {_KEEPING}: {{shares}}",
        "Do not use sums over bands as the evidence for {stages}: use the views by time and time-frequency, with a "
        "baseline that does not keep the epoch's own phases, such as 'zero' or 'surrogate'",
    ),
    "relations": (
        f"{{stages}} decided by relations between channels; {_KEEPING} channel by channel: {{shares}}",
        "Do not interpret single channels for {stages}: their joint signal decides",
    ),
}


def phases(case: Case) -> Finding:
    """Whether stages survive random phases: what is lost by them does not lie in how much there is of each frequency."""
    if not (case.night.random_phases.own >= 0).any():
        raise CannotTellError("the model stages no epoch")
    table = _restaged(case).table(case.segments.onset, case.spec.stages)
    if (table["decided_by"] == "unclear").all():
        raise CannotTellError(
            "too few epochs, or too close to each other, to measure the effect of random phases on a stage"
        )
    lost = {way: table[table["decided_by"] == way] for way in _LOST if (table["decided_by"] == way).any()}
    if lost:
        said = [_LOST[way][0].format(stages=_are(own), shares=_shares(own, LOST[way])) for way, own in lost.items()]
        remedies = [_LOST[way][1].format(stages=_joined(own)) for way, own in lost.items()]
        return warning("; ".join(said), ". ".join(remedies))
    known = table[table["decided_by"] == "spectrum"]
    return ok(f"spectra decide; {_KEEPING} channel by channel: {_shares(known, 'agreement_independent')}")


def _restaged(case: Case) -> Restaged:
    """What was staged with random phases already; else once, with the first channel set, no more than it takes."""
    known = case.night.random_phases.known.values()
    if known:
        return max(known, key=lambda one: (len(one.numbers), one.n_draws))
    segments, scores = replace(case.segments, channel_sets=case.segments.channel_sets[:1]), case.scores[:, :1]
    night = RandomPhases(case.stager, segments, case.night.settings, scores, case.bound.windows)
    return night(1, 0, None if case.spec.context.whole else balanced_sample(night.own, N_OF_STAGE))


def _shares(table: pd.DataFrame, column: str) -> str:
    """Such as ``"REM 29%, N1 40%"``."""
    return ", ".join(f"{stage} {share:.0%}" for stage, share in table[column].items())


def _joined(table: pd.DataFrame) -> str:
    *others, last = table.index
    return " and ".join([*filter(None, [", ".join(others)]), last])


def _are(table: pd.DataFrame) -> str:
    return f"{_joined(table)} {'are' if len(table) > 1 else 'is'}"
