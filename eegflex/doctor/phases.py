"""Check of what a model reads: spectra, relations between channels, or waveforms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.doctor.case import Case
from eegflex.findings import CannotTellError, Finding, ok, warning
from eegflex.scores import consensus
from eegflex.surrogates import spectral_share

__all__ = ["phases"]

#: Epochs of each predicted stage that are staged again, where no neighbours need to be.
N_OF_STAGE = 40
_KEEPING = "epochs that keep their stage where every magnitude stays and phases are random"
#: What decides a stage -> the share that tells so, in which words, and what to do.
_LOST = {
    "waveforms": (
        "agreement_joint",
        f"{{stages}} decided by waveforms, not by the spectrum; {_KEEPING}: {{shares}}",
        "Do not take sums over bands for the evidence of {stages}: look at the views by time and time-frequency, with a "
        "baseline that does not keep the epoch's own phases, such as 'zero' or 'surrogate'",
    ),
    "relations": (
        "agreement_independent",
        f"{{stages}} decided by relations between channels; {_KEEPING} channel by channel: {{shares}}",
        "Do not read the channels one by one for {stages}: it is what they do together that decides",
    ),
}


def phases(case: Case) -> Finding:
    """Whether stages survive random phases: what is lost by them does not lie in how much there is of each frequency."""
    segments, scores = replace(case.segments, channel_sets=case.segments.channel_sets[:1]), case.scores[:, :1]
    if case.spec.context.alone:
        numbers = _balanced(case)
        segments, scores = segments.at(numbers), scores[numbers]
    table = spectral_share(case.stager, segments, case.night.settings, scores, n_draws=1)
    if (table["decided_by"] == "unclear").all():
        raise CannotTellError("too few epochs, or too near each other, to tell what random phases do to a stage")
    lost = {way: table[table["decided_by"] == way] for way in _LOST if (table["decided_by"] == way).any()}
    if lost:
        said = [_LOST[way][1].format(stages=_are(own), shares=_shares(own, _LOST[way][0])) for way, own in lost.items()]
        remedies = [_LOST[way][2].format(stages=_joined(own)) for way, own in lost.items()]
        return warning("; ".join(said), ". ".join(remedies))
    known = table[table["decided_by"] == "spectrum"]
    return ok(f"spectra decide; {_KEEPING} channel by channel: {_shares(known, 'agreement_independent')}")


def _balanced(case: Case) -> npt.NDArray[np.intp]:
    """Epochs of all predicted stages, drawn from all over the night."""
    predicted = consensus(case.scores[:, :1], case.spec.scores)[case.numbers]
    drawn = np.random.default_rng(0).permutation(len(case.numbers))
    parts = [drawn[predicted[drawn] == stage][:N_OF_STAGE] for stage in np.unique(predicted)]
    return np.sort(case.numbers[np.concatenate(parts)])


def _shares(table: pd.DataFrame, column: str) -> str:
    """Such as ``"REM 29%, N1 40%"``."""
    return ", ".join(f"{stage} {share:.0%}" for stage, share in table[column].items())


def _joined(table: pd.DataFrame) -> str:
    *others, last = table.index
    return " and ".join([*filter(None, [", ".join(others)]), last])


def _are(table: pd.DataFrame) -> str:
    return f"{_joined(table)} {'are' if len(table) > 1 else 'is'}"
