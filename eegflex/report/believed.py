"""Can this be believed? What an evaluation found, for a reader who did not make it; and how to get one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegflex.evaluation.evaluation import Evaluation
from eegflex.evaluation.judged import count_explanations, was
from eegflex.report import html
from eegflex.report.evidence_words import IN_PART, MARKS, NOT, NOT_MEASURED, Evidence, evidence_of
from eegflex.report.parts import Text
from eegflex.results import tables
from eegflex.results.select import stage_order
from eegflex.results.trust import has_evidence, judge
from eegflex.results.wording import count_epochs

if TYPE_CHECKING:
    from eegflex.report.parts import Gathered
    from eegflex.results.result import FlexResult

__all__ = ["believed"]

TITLE = "Can this be believed?"
#: Rows of a table that are shown; the others are in the result's file.
MOST_ROWS = 30
_NOT_EVALUATED = (
    "These explanations were not tested on the model, so none of them is trusted. Completeness shows how "
    "exact they are, but numbers that add up can still be wrong."
)
_HOW = (
    ("In Python", "evaluation = eegflex.evaluate(result, epochs, model)\neegflex.make_report(evaluation.result)"),
    ("In a shell", "eegflex evaluate result.nc recording.edf --model MODEL\neegflex report result.nc"),
)
#: What no evaluation of one recording can tell.
_NEVER = (
    "What sleep is. It shows what this network used. A wrong stage can have a faithful explanation.",
    "How the network behaves with other people, montages or nights. Only this recording was tested.",
    "How it behaves with other natural signals. It was tested with bands inserted and deleted.",
    "Where good ends and bad begins. The thresholds are conventions; the numbers stand beside them.",
)


def believed(gathered: Gathered) -> Iterator[Text]:
    """What speaks for the explanations and what against them, which stages are trusted, and what nobody can tell."""
    result = gathered.result
    if "evaluation" not in result.provenance:
        how = "".join(f"<h4>{html.escape(where)}</h4><pre>{html.escape(code)}</pre>" for where, code in _HOW)
        yield Text(TITLE, html.paragraph(_NOT_EVALUATED) + how + _of_stages(result))
        return
    found = Evaluation(result)
    evidence = evidence_of(found.findings)
    cannot = [*_left_open(found, evidence), *_NEVER]
    parts = [
        html.paragraph(_how_many(found)),
        html.paragraph(_summary(evidence, result)),
        _kinds(evidence),
        _of_stages(result),
        "<h4>What this evaluation cannot tell</h4>",
        html.bullets(cannot),
        _details(found),
    ]
    yield Text(TITLE, "".join(parts))


def _how_many(found: Evaluation) -> str:
    table = found.to_data_frame()
    n, state = len(table), " The evaluation was stopped early." if found.is_partial else ""
    of = f"{count_epochs(table['epoch'].nunique())}"
    return (
        f"Tests on the model used {count_explanations(n)} of {of}, a random sample of each predicted stage. "
        f"Explanations of an epoch by several channels are not independent; intervals are from blocks of 10 minutes.{state}"
    )


def _summary(evidence: Sequence[Evidence], result: FlexResult) -> str:
    """How many kinds of evidence hold, and which do not: the first thing that is read."""
    measured = [one for one in evidence if one.verdict != NOT_MEASURED]
    if not measured:
        return "None of the following kinds of evidence was measured."
    holding = sum(one.verdict not in (IN_PART, NOT) for one in measured)
    said = [f"{holding} of {len(measured)} measured kinds of evidence fully support the explanations"]
    for verdict, words in ((IN_PART, "in part"), (NOT, "against them")):
        names = [one.kind for one in measured if one.verdict == verdict]
        said += [f"{words}: {', '.join(names)}"] if names else []
    return "; ".join(said) + "." + _of_epochs(result)


def _of_epochs(result: FlexResult) -> str:
    """How many single epochs meet everything: kinds of evidence are judged over all of them together."""
    if not has_evidence(result.data):
        return ""
    found = judge(result.data)
    n, of = int((found.epochs & found.tested).sum()), int(found.tested.sum())
    return f" That is judged over all explanations together; of single epochs, {n} of {of} that were tested meet all criteria."


def _kinds(evidence: Sequence[Evidence]) -> str:
    """What speaks for each kind beside what speaks against it; below it where the page is narrow."""
    return "".join(
        f"<h4>{MARKS[one.verdict]} {html.escape(one.kind)}: {html.escape(one.verdict)}</h4>{html.paragraph(one.question)}"
        f'<div style="display:flex;flex-wrap:wrap;gap:0 2rem">'
        f"{_side('Speaks for it', one.speaks_for)}"
        f"{_side('Speaks against it, or undecided', (*one.against, *(f'Open: {words}' for words in one.open)))}</div>"
        for one in evidence
    )


def _side(title: str, sentences: Sequence[str]) -> str:
    said = html.bullets(sentences) if sentences else html.paragraph("Nothing.")
    return f'<div style="flex:1 1 18rem"><b>{html.escape(title)}</b>{said}</div>'


def _of_stages(result: FlexResult) -> str:
    """Of each stage, how many explanations are trusted of those that were tested, and why others are not."""
    data = result.data
    if not has_evidence(data):
        return ""
    found, stages = judge(data), tables.counted_stages(data, "predicted")
    rows = {
        stage: {
            "epochs explained": int((stages == stage).sum()),
            "tested": int((found.tested & (stages == stage)).sum()),
            "trusted": int((found.epochs & (stages == stage)).sum()),
            "main reasons of the others (explanations)": found.main_reasons(found.tested & (stages == stage), n=3)
            or "–",
        }
        for stage in stage_order(data, "predicted")
        if (stages == stage).any()
    }
    unmeasured = [name for name, values in found.holds.items() if np.isnan(values).all()]
    missing = f" (not measured: {', '.join(unmeasured)})" if unmeasured else ""
    words = (
        f"An epoch is trusted if it meets all {len(found.holds) - len(unmeasured)} of {len(found.holds)} criteria that were "
        f"measured{missing}, with most of its tested channels. Figures and tables use all epochs, because the trusted ones "
        "are not a random sample of their stage."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return f"<h4>By stage</h4>{html.paragraph(words)}{html.frame(frame, corner='stage')}"


def _left_open(found: Evaluation, evidence: Sequence[Evidence]) -> Iterator[str]:
    """What this one was not asked, or too little."""
    missing = [one.kind for one in evidence if one.verdict == NOT_MEASURED]
    if missing:
        yield f"Not measured: {', '.join(missing)}."
    table, data = found.to_data_frame(), found.result.data
    left = data.sizes["epoch"] - table["epoch"].nunique()
    if left > 0:
        yield f"Anything about {count_epochs(left)} more that {was(left)} explained but not tested."
    rest = data.sizes["night"] - data.sizes["epoch"]
    if rest > 0:
        yield f"Anything about the other {count_epochs(rest)} of the recording, which {was(rest)} not explained."


def _details(found: Evaluation) -> str:
    """All findings as the evaluation has them, and its tables."""
    rows = [(f"{one.check}: {one.status}", one.text) for one in found.findings]
    parts = [f"<details><summary>All findings ({len(rows)})</summary>{html.pairs(rows)}</details>"]
    for name, table in found.tables.items():
        if len(table):
            left = len(table) - MOST_ROWS
            more = html.paragraph(f"The result's file has {left} more rows.") if left > 0 else ""
            shown = html.frame(_rounded(table.head(MOST_ROWS)))
            parts.append(f"<details><summary>Table: {html.escape(name)}</summary>{shown}{more}</details>")
    return "".join(parts)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are read; what is the same in all rows of a long table is left out."""
    if len(table) > 1 and "channel_set" in table and len(set(table["channel_set"])) == 1:
        table = table.drop(columns="channel_set")
    return table.set_index(table.columns[0]).map(_text)


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return str(value)
