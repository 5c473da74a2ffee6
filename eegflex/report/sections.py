"""The sections of a report: pure functions of what was gathered, each of which gives its texts and pictures in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ChannelError
from eegflex.findings import Finding
from eegflex.report import html
from eegflex.report.around_table import around_table
from eegflex.report.believed import believed
from eegflex.report.cards import epochs
from eegflex.report.disagreements import disagreements
from eegflex.report.methods_paragraph import methods
from eegflex.report.neighbours import neighbours_table
from eegflex.report.parts import Gathered, Part, Picture, Text
from eegflex.report.provenance import flat, provenance
from eegflex.report.summary import differences, is_simulated, main_findings, what_was_done
from eegflex.results import tables
from eegflex.results.decided import epoch_shares
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.marks import LEGEND
from eegflex.results.means import only_means
from eegflex.results.phase_table import KINDS
from eegflex.results.select import few_words, n_epochs_by_stage, stages_of_few
from eegflex.results.spectral_share import has_share, kept_range, told_of
from eegflex.results.window_rhythms import has_windows
from eegflex.results.wording import method_words, number_text, percent, reading, sum_words, unit
from eegflex.utils.clock import clock_text
from eegflex.viz.context import has_context
from eegflex.viz.head import find_sites
from eegflex.viz.topomap import counts_of

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["SECTIONS", "on_top"]


_SIMULATED = "The recording is simulated; nothing here is evidence about sleep."
_OF_ALL = (
    "Every stage was explained; this page shows the predicted one. The result's for_target gives any other, or the difference "
    "of two."
)
#: Findings that stand on top of the first page where they are not well: no number below can be read without them.
_ON_TOP = ("stopped", "model checks")
#: A map over the head of fewer epochs would be looked at as if it were a finding.
LEAST_ON_MAP = 3
_SPEC_HEADINGS = {"input": "What it is given", "output": "What it returns", "model": "What it is"}


def on_top(gathered: Gathered) -> list[str]:
    """What no number below can be read without."""
    not_well = [one.text for one in gathered.findings if one.check in _ON_TOP and not _is_well(one)]
    notes = [gathered.note, *not_well, _SIMULATED if is_simulated(gathered.result) else None]
    return [text for text in notes if text]


def summary(gathered: Gathered) -> Iterator[Part]:
    """What was done, what was found, and how far to trust it."""
    result, findings = gathered.result, gathered.findings
    done = what_was_done(result) + ([_OF_ALL] if gathered.of_all else [])
    trust = [one.text for one in findings if one.check not in _ON_TOP or _is_well(one)]
    yield Text("What was done", "".join(map(html.paragraph, done)), "Summary")
    yield Text("What was found", html.bullets(main_findings(result)), "Summary")
    yield Text("How far to trust it", html.bullets(trust), "Summary")


def night(gathered: Gathered) -> Iterator[Part]:
    """The hypnograms, and how far they agree."""
    caption = "Hypnograms, and the probabilities that the stager gave to the stages (hypnodensity). REM is drawn thick."
    began = None if gathered.began is None else clock_text(gathered.began)
    draw = partial(viz.plot_night, gathered.result, began=began, show=False)
    yield Picture("Hypnogram and hypnodensity", draw, caption, "Night", on_page=False)
    agreed = tables.agreement(gathered.result.data)
    if agreed is not None:
        table = html.folded(
            "Epochs, scored and predicted", html.frame(agreed[1], corner="scored \\ predicted", diagonal=True)
        )
        yield Text("Agreement", html.paragraph(gathered.findings["agreement"].text) + table, "Night")
        if only_means(gathered.result.data):  # what spoke most in an epoch is not known
            return
        draw = partial(viz.plot_confusion, gathered.every or gathered.result, show=False)
        yield Picture(
            "Where they differ, and why", draw, "Number of epochs, and the strongest evidence there.", "Night"
        )


def bands(gathered: Gathered) -> Iterator[Part]:
    """Bands by stage, of a second result too."""
    result, other = gathered.result, gathered.compare_with
    if other is None:
        yield from _bands_of(result, "")
        return
    for one, how in zip((result, other), differences(result, other), strict=True):
        yield from _bands_of(one, f": {how}")


def _bands_of(result: FlexResult, how: str) -> Iterator[Part]:
    caption = (
        f"What each band did in each epoch, in units of {unit(result)}, summed over the channels that the stager takes at "
        f"once. {sum_words(result)}"
    )
    yield Picture(f"Bands by stage{how}", partial(viz.plot_bands, result, show=False), caption, "Bands")
    names = [*Bands().names, "total"]
    every = result.band_table(statistic="all")
    table = every.iloc[:: len(names)].droplevel("band")
    shape = len(table), len(names)
    means = pd.DataFrame(every["mean"].to_numpy().reshape(shape), index=table.index, columns=names)
    largest = float(np.nanmax(np.abs(means.to_numpy())))
    written = means.map(lambda value: number_text(value, largest)).assign(n=table["n_epochs"])
    if "decided_by" in table:
        written["decided by"] = table["decided_by"]
    if "n_trusted" in table:
        written["trusted"] = table["n_trusted"]
    within = pd.DataFrame(every["within_error"].to_numpy().reshape(shape), index=table.index, columns=names)
    grey = within.reindex(columns=written.columns, fill_value=False).to_numpy(dtype=bool)
    legend = html.paragraph(LEGEND) if grey.any() else ""
    table_of = legend + html.frame(written, corner="stage, channel", grey=grey)
    details = html.folded(f"Numbers by stage and channel ({unit(result)})", table_of)
    yield Text(f"Table of bands{how}", details, "Bands")


def neighbours(gathered: Gathered) -> Iterator[Part]:
    """What the epochs around an epoch did, where they decide and windows were explained."""
    if has_windows(gathered.result.data):
        yield Text("What the neighbouring epochs did", neighbours_table(gathered.result), "Bands")


def waveforms(gathered: Gathered) -> Iterator[Part]:
    """Whether spectra or waveforms decide each stage, where the night was staged with random phases."""
    data = gathered.result.data
    if not has_share(data):
        return
    table = gathered.result.spectral_share()
    kept = {kind: [kept_range(row, kind) for _, row in table.iterrows()] for kind in KINDS}
    alike = data["n_channels"].values.max() == 1  # of one channel there are no relations
    columns = {"kept": kept["joint"]} if alike else {f"kept, {kind}": own for kind, own in kept.items()}
    written = pd.DataFrame({"n": table["n_epochs"], "decided by": table["decided_by"], **columns}, index=table.index)
    kinds = "" if alike else " The phases of all channels were rotated together (joint) or separately."
    words = (
        "The night was staged again with the magnitude of every frequency as recorded and random phases: "
        f"{told_of(data)}.{kinds} A stage that is lost by it was not told by how much there is of each frequency, and no band "
        "says what decided. Kept: the share of epochs that keep their stage, with its interval of 95 %."
    )
    if np.isfinite(epoch_shares(data)).any():
        words += (
            " This concerns the whole input of the stager, including the neighbours: a stage may be decided by "
            "the spectrum of neighbouring epochs."
        )
    yield Text("Spectrum or waveforms", html.paragraph(words) + html.frame(written, corner="stage"), "Bands")


def around(gathered: Gathered) -> Iterator[Part]:
    """What the epoch and what the epochs around it did, by stage, where the stager sees these."""
    told = around_table(gathered.result)
    if told:
        yield Text("The epoch or the epochs around it", told, "Bands")


def spectra(gathered: Gathered) -> Iterator[Part]:
    """The attribution to each frequency, by type of channel."""
    result = gathered.result
    if "frequency_view" not in result.data:
        why = (
            f"There are no spectra: the method ({method_words(result)}) attributes to whole bands, not to frequencies."
        )
        yield Text("Spectra", html.paragraph(why))
        return
    counts = n_epochs_by_stage(result.data, "predicted")
    few = stages_of_few(result.data, counts)
    if len(few) == len(counts):
        yield Text("Spectra", html.paragraph(few_words(few)))
        return
    how = reading(result)
    caption = f"Which frequencies {how.raised} (red) or {how.lowered} (blue) the score in each stage; grey: the power."
    kinds = set(result.data["ch_type"].values.astype(str))
    shown = [kind for kind in ("eeg", "eog", "emg") if kind in kinds] or ["all"]
    for kind in shown:
        name = "all channels" if kind == "all" else kind.upper()
        draw = partial(viz.plot_spectrum, result, picks=kind, show=False)
        on_page = kind != "emg" or shown == ["emg"]  # the tone of a muscle has no lines: its bands tell as much
        yield Picture(f"Attribution spectra, {name}", draw, caption, "Spectra", on_page=on_page)


def topography(gathered: Gathered) -> Iterator[Part]:
    """Bands over the head, or why there is no map."""
    try:
        find_sites(gathered.result.data)
    except ChannelError as error:
        yield Text("Topography", html.paragraph(str(error)))
        return
    counts = counts_of(gathered.result)
    least = MIN_EPOCHS if only_means(gathered.result.data) else LEAST_ON_MAP
    few = {stage: n for stage, n in counts.items() if n < least}
    told = ", ".join(f"{stage} (n = {n})" for stage, n in few.items())
    left = f"Not drawn, of fewer than {least} epochs that all channels explain: {told}." if few else ""
    if len(few) == len(counts):
        yield Text("Topography", html.paragraph(left))
        return
    draw = partial(viz.plot_topomap, gathered.result, stage=[one for one in counts if one not in few], show=False)
    yield Picture("Topography", draw, f"The mean of what each band did at each electrode. {left}".strip())


def context(gathered: Gathered) -> Iterator[Part]:
    """The epochs around an epoch, where they moved."""
    if has_context(gathered.result.data):
        caption = (
            "What neighbouring epochs contributed to the score. Top: each epoch of the window, all bands. "
            "Bottom: the neighbours alone, by band. Other figures show the epoch itself."
        )
        yield Picture("Context", partial(viz.plot_context, gathered.result, show=False), caption)


def completeness(gathered: Gathered) -> Iterator[Part]:
    """How far the attributions add up, and how large their error is."""
    findings = gathered.findings
    judged = [findings[name] for name in ("completeness", "convergence", "precision") if name in findings]
    said = "".join(html.paragraph(one.text) for one in judged)
    rows = [
        (f"{quantile} of the {what}", percent(share))
        for name, what in (("completeness", "gaps"), ("convergence", "estimated errors"))
        for key, quantile in (("median", "Median"), ("q90", "90 %"), ("q95", "95 %"), ("largest", "Largest"))
        if name in findings and isinstance(share := findings[name].values.get(key), float)
    ]
    if not rows:
        yield Text("Completeness", said)
        return
    caption = (
        "Gap: how far the attributions of an epoch miss the change of the score that they should add up to. "
        "Error: the estimated error of their band sums, if there is an estimate."
    )
    draw = partial(viz.plot_completeness, gathered.result, show=False)
    yield Picture("Gaps and errors", draw, caption, "Completeness")
    yield Text("Can the sums be trusted?", said + html.pairs(rows), "Completeness")


def stager(gathered: Gathered) -> Iterator[Part]:
    """The stager's contract, and what was checked of it."""
    spec = gathered.result.spec
    assumed = spec["model"].get("assumed") or []
    parts = []
    if assumed:
        declared = f"The spec does not say this; eegflex assumed it: {', '.join(map(str, assumed))}."
        parts.append(html.warning(declared))
    for section, values in spec.items():
        rows = [(name, value) for name, value in flat(values) if name != "assumed" and value != "–"]
        parts.append(html.folded(_SPEC_HEADINGS.get(section, section), html.pairs(rows)))
    yield Text("Stager", "".join(parts) + _checks(gathered.result))


def _checks(result: FlexResult) -> str:
    """What the checks before the attribution found, what is not well on top; nothing where they were left out."""
    found = [Finding(**one) for one in result.provenance.get("checks", [])]
    if not found:
        return ""
    rows = [(f"{one.check}: {one.status}", one.text) for one in sorted(found, key=_is_well)]
    return html.folded(f"Checks before the explanation ({len(rows)})", html.pairs(rows))


def _is_well(found: Finding) -> bool:
    return found.status in ("ok", "unknown")


#: In the order of the page.
SECTIONS: tuple[Callable[[Gathered], Iterator[Part]], ...] = (
    summary,
    believed,
    night,
    bands,
    neighbours,
    waveforms,
    around,
    spectra,
    topography,
    context,
    disagreements,
    epochs,
    completeness,
    methods,
    stager,
    provenance,
)
