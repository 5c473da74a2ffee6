"""What a reader sees first: who staged what, what to know before any number is read, the night, and a row for each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from eegflex._version import __version__
from eegflex.report.facts import of_stages
from eegflex.report.html import epoch_link
from eegflex.report.night_strip import axis_ticks, make_strips, stage_swatches
from eegflex.report.page import fill
from eegflex.report.stage_rows import HEIGHT, WIDTH, make_rows
from eegflex.report.tiles import make_tiles
from eegflex.results.decided import DECIDES, epoch_shares, explained_epochs
from eegflex.results.night import Night, night_of
from eegflex.results.recordings import labels_of
from eegflex.results.trust import has_evidence, judge
from eegflex.results.wording import baseline_words, count_epochs, positive_means, type_label, unit

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.report.parts import Gathered
    from eegflex.results.result import FlexResult

__all__ = ["first_screen", "subtitle"]

#: Epochs that are named to be looked at.
_MOST_NAMED = 8


def subtitle(result: FlexResult) -> str:
    """Say in one line what was recorded, by what it was staged, and compared with what it was explained."""
    data = result.data
    hours = data.sizes["night"] * data.sizes["time"] / result.sfreq / 3600
    kinds, names = (data[name].values.astype(str) for name in ("ch_type", "ch_name"))
    counts = {kind: len(set(names[kinds == kind].tolist())) for kind in dict.fromkeys(kinds.tolist())}
    channels = " + ".join(f"{count} {type_label(kind)}" for kind, count in counts.items())
    one_at_a_time = ", one at a time" if data.sizes["channel_set"] > 1 else ""
    length = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    (label,) = labels_of(data)
    parts = (label, length, f"{channels}{one_at_a_time}", f"staged by {result.model}",
             f"explained by comparing with {baseline_words(result)}", f"eegflex {__version__}")  # fmt: skip
    return " · ".join(parts)


def first_screen(gathered: Gathered) -> Markup:
    """Write the first screen.

    Parameters
    ----------
    gathered : Gathered
        What the report is written from.
    """
    result = gathered.result
    night, stages = night_of(result.data), of_stages(result)
    agreement = gathered.findings["agreement"] if "agreement" in gathered.findings else None  # noqa: SIM401
    strips = make_strips(night, _marks(result.data, night))
    return fill(
        "first_screen.html",
        tiles=make_tiles(night, stages, agreement),
        strips=[(strip, Markup(strip.svg)) for strip in strips],  # noqa: S704  (numbers and our colours)
        swatches=stage_swatches(night.stages),
        ticks=axis_ticks(night, gathered.began),
        look_at=_look_at(night),
        table=make_rows(result, stages),
        raw=Markup,
        size=(WIDTH, HEIGHT),
        unit=unit(result),
        positive=positive_means(result, "what is in a column"),
        missing=_missing(night),
    )


def _marks(dataset: xr.Dataset, night: Night) -> dict[str, npt.NDArray[np.intp]]:
    """What is known of explained epochs: which are trusted, which their surroundings decide, which nothing explains."""
    marks = {
        "not explained by itself": ~explained_epochs(dataset),
        "neighbours decide": epoch_shares(dataset) > DECIDES,
    }
    if has_evidence(dataset):
        marks["trusted"] = judge(dataset).epochs
    return {name: night.explained[own] for name, own in marks.items() if own.any()}


def _missing(night: Night) -> str:
    """Say what the night's strips leave out."""
    left = int((night.predicted == "").sum())
    return f"Gaps: {count_epochs(left)} that could not be staged." if left else ""


def _look_at(night: Night) -> Markup:
    """Name the explained epochs that are most worth a look: where the scorer, or another channel, says otherwise."""
    told: list[str] = []
    kinds: list[str] = []
    for words, which in (("the scorer gives another stage", night.is_wrong), ("channels disagree", night.is_disputed)):
        kinds += [words] if which.any() else []
        own = [place for place in night.explained.tolist() if which[place]]
        if own:
            named = ", ".join(map(epoch_link, own[:_MOST_NAMED])) + (", …" if len(own) > _MOST_NAMED else "")
            told.append(f"{named} ({words})")
    n_wrong, n_disputed = int(night.is_wrong.sum()), int(night.is_disputed.sum())
    explained = np.isin(np.arange(len(night.predicted)), night.explained)
    left = int(((night.is_wrong | night.is_disputed) & ~explained).sum())
    if not n_wrong and not n_disputed:
        return Markup()
    first = f"Of the explained epochs, look first at number {'; '.join(told)}." if told else ""
    such = "like these" if told else f"in which {' or '.join(kinds)}"
    more = f" {count_epochs(left)} {such} {'was' if left == 1 else 'were'} not explained." if left else ""
    return Markup((first + more).strip())  # noqa: S704  (numbers and words of ours)
