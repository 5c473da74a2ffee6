"""The report of a cohort: one light page over many nights, in which a person is one case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from eegflex._version import __version__
from eegflex.cohort import page_figures as figures
from eegflex.cohort.page_asked import asked_sentences, positive_words, staged_by, warnings_of
from eegflex.cohort.page_compared import compared_parts, first_words
from eegflex.cohort.page_failures import Failure, failures_of
from eegflex.cohort.page_outlying import LEAST_PEOPLE, RULES, Outlying, outlying_people
from eegflex.cohort.page_people import People, people_of, person_of, spectra_of
from eegflex.cohort.page_recordings import night_links, recordings_tables
from eegflex.cohort.page_rows import make_people_rows, numbers_of
from eegflex.cohort.page_tiles import count, make_tiles
from eegflex.errors import ChannelError, ParameterError
from eegflex.report.build import sections_of
from eegflex.report.html import bullets, escape, folded, frame, paragraph, scrolling, warning, without_directories
from eegflex.report.night_strip import stage_swatches
from eegflex.report.page import Report, fill, make_page
from eegflex.report.parts import Part, Picture, Text
from eegflex.report.stage_rows import HEIGHT, WIDTH
from eegflex.results.wording import type_label
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort
    from eegflex.cohort.comparison import Comparison

__all__ = ["make_cohort_report"]

#: Kinds of errors on the first screen; recordings of one kind and people who are named below; people whom an error names.
_MOST_FAILURES, _MOST_RECORDINGS, _MOST_PEOPLE, _MOST_STRANGERS = 6, 200, 50, 5


@dataclass(frozen=True)
class _Gathered:
    """All that the page is written from."""

    cohort: Cohort
    people: People
    failures: list[Failure]
    outlying: list[Outlying]
    links: dict[str, str]
    comparisons: tuple[Comparison, ...]


@checked
def make_cohort_report(
    cohort: Cohort,
    comparisons: Sequence[Comparison] = (),
    *,
    title: str | None = None,
    folder: str | Path | None = None,
) -> Report:
    """Make a report of a cohort.

    Parameters
    ----------
    cohort : Cohort
        The cohort.
    comparisons : sequence of Comparison
        What was compared, correlated or modelled in this cohort or some of its people, such as `compare_groups` returns. The
        first ones are told first.
    title : str | None
        Title of the report. By default it names the stager.
    folder : path-like | None
        The folder of the cohort, in which the page is to be saved. With it the page links to the page of each night that
        has one, and to the tables.

    Returns
    -------
    report : eegflex.report.Report
        One HTML page that loads nothing. Its ``save`` writes it as HTML or PDF.

    Raises
    ------
    ParameterError
        If a comparison is of people who are not in the cohort.

    See Also
    --------
    eegflex.report.Report : A report, to be shown or saved.
    eegflex.cohort.Cohort : Many nights, a row for each.
    eegflex.make_report : A result on one page.

    Notes
    -----
    A person is one case: several recordings of a person are averaged first. Medians and means stand with 95 % intervals between
    people, and with the number of people. People are named by the labels that the data set gives them; what an error says is
    told without the names of files, folders and machines.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from eegflex.cohort import Cohort, make_cohort_report
    >>> from eegflex.cohort.cohort import BANDS, STAGES
    >>> recordings = pd.DataFrame(
    ...     {"subject": "01", "session": "", "status": "failed", "error": "The file is cut short", "remedy": "Copy it again",
    ...      "kappa": float("nan"), "disagreement": float("nan"), "n_epochs": 0, "n_explained": 0, "n_trusted": -1,
    ...      "seconds": 0.1, "result": ""}, index=pd.Index(["sub-01"], name="recording"))
    >>> spectra = xr.Dataset(coords={"recording": [], "stage": [], "channel": [], "freq": []})
    >>> nothing = Cohort(recordings, pd.DataFrame(columns=list(STAGES)), pd.DataFrame(columns=list(BANDS)), spectra)
    >>> make_cohort_report(nothing).sections
    ('Recordings that failed', 'All recordings', 'How it was made')
    """
    _check_people(cohort, comparisons)
    people = people_of(cohort)
    gathered = _Gathered(
        cohort,
        people,
        failures_of(cohort.recordings),
        outlying_people(cohort, people),
        night_links(cohort, folder),
        tuple(comparisons),
    )
    stager = staged_by(cohort)
    return make_page(
        title or (f"How {stager} decides over many nights" if stager else "How a stager decides over many nights"),
        sections_of(part for section in _SECTIONS for part in section(gathered, folder)),
        subtitle=_subtitle(gathered),
        warnings=map(without_directories, warnings_of(cohort)),
        first_screen=_first_screen(gathered),
        stages=people.stages,
        scripts=("sortable.js",),
    )


def _check_people(cohort: Cohort, comparisons: Sequence[Comparison]) -> None:
    known = set(cohort.recordings["subject"].dropna().astype(str))
    for one in comparisons:
        if others := [who for who in one.people if who not in known]:
            raise ParameterError(
                "A comparison is of people who are not in this cohort",
                seen=f"{one.title}: {', '.join(others[:_MOST_STRANGERS])}",
                remedy="Compare the cohort that the report is of",
            )


def _subtitle(gathered: _Gathered) -> str:
    cohort = gathered.cohort
    parts = [
        f"{count(person_of(cohort).nunique(), 'person', 'people')}, {count(len(cohort.recordings), 'recording')}",
        *asked_sentences(cohort, short=True),
        f"eegflex {__version__}",
    ]
    return " · ".join(parts)


def _first_screen(gathered: _Gathered) -> Markup:
    cohort, people = gathered.cohort, gathered.people
    table = make_people_rows(cohort, people)
    kind = people.order[0] if people.order else "eeg"
    return fill(
        "cohort_screen.html",
        tiles=make_tiles(cohort, people),
        failures=gathered.failures[:_MOST_FAILURES],
        more_failures=len(gathered.failures[_MOST_FAILURES:]),
        compared=Markup(first_words(gathered.comparisons)),  # noqa: S704  (escaped where it was written)
        table=table,
        swatches=stage_swatches(people.stages),
        several=sum(one == kind for one in people.kinds) > 1,
        kind=type_label(kind),
        positive=positive_words(cohort),
        unit=figures.unit_of(cohort),
        raw=Markup,
        size=(WIDTH, HEIGHT),
    )


def _comparisons(gathered: _Gathered, folder: Any) -> Iterator[Part]:
    for number, comparison in enumerate(gathered.comparisons, 1):
        yield from compared_parts(gathered.cohort, gathered.people, comparison, number)


def _stages(gathered: _Gathered, folder: Any) -> Iterator[Part]:
    cohort, people = gathered.cohort, gathered.people
    if not people.n_epochs.any():
        return
    section = "Stages, person by person"
    yield Picture("Bands", partial(figures.plot_bands, cohort, show=False), "One mark for each person.", section)
    table, grey = numbers_of(people)
    numbers = frame(table, corner="stage and band", grey=grey, named="what each band did, over people")
    words = paragraph("Grey and in parentheses: a median whose interval contains 0 or is not known.")
    yield Text("Bands in numbers", folded("Medians, means and intervals between people", words + numbers), section)
    if _has_spectra(cohort, people):
        yield Picture(
            "Spectra", partial(figures.plot_spectrum, cohort, show=False), "Mean over people and its interval.", section
        )
    try:
        figures.sites_of(cohort, people.channels, people.kinds)
    except ChannelError:
        yield Text("Topographies", paragraph("No EEG channel has a name that tells where it lies: no map."), section)
        return
    yield Picture(
        "Topographies",
        partial(figures.plot_topomap, cohort, show=False),
        "Mean over people at each electrode.",
        section,
    )


def _has_spectra(cohort: Cohort, people: People) -> bool:
    data = cohort.spectra
    if "mean" not in data or data.sizes.get("freq", 0) < 2:
        return False
    channels = [one for one, kind in zip(people.channels, people.kinds, strict=True) if kind == people.order[0]]
    return bool(np.isfinite(spectra_of(cohort, channels).values).any())


def _outlying(gathered: _Gathered, folder: Any) -> Iterator[Part]:
    people = gathered.people
    if not people.labels:
        return
    n, named = len(people.labels), gathered.outlying
    said = f"{len(named)} of {count(n, 'person', 'people')} {'stands' if len(named) == 1 else 'stand'} out."
    words = [paragraph(said if named else "Nobody is an outlier by the rules below.")]
    if n < LEAST_PEOPLE:
        words.append(warning(f"{n} people are too few for the first rule, which needs {LEAST_PEOPLE}."))
    who = person_of(gathered.cohort)
    names: dict[str, list[str]] = {}
    for recording, person in who.items():
        names.setdefault(str(person), []).append(str(recording))
    rows = "".join(
        f'<tr><th scope="row">{escape(one.person)}</th><td>{"<br>".join(escape(reason) + "." for reason in one.reasons)}</td>'
        f"<td>{', '.join(_linked(name, gathered.links) for name in names.get(one.person, [])[:10])}</td></tr>"
        for one in named[:_MOST_PEOPLE]
    )
    head = '<tr><th scope="col">Person</th><th scope="col">Why</th><th scope="col">Recordings</th></tr>'
    if rows:
        words.append(scrolling(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>", "people who stand out"))
    if len(named) > _MOST_PEOPLE:
        words.append(paragraph(f"{len(named) - _MOST_PEOPLE} more, with fewer reasons or as many."))
    words.append(folded("The rules", bullets(RULES)))
    yield Text("People who stand out", "".join(words))


def _linked(name: str, links: dict[str, str]) -> str:
    link = links.get(name)
    return f'<a href="{escape(link)}">{escape(name)}</a>' if link else escape(name)


def _failed(gathered: _Gathered, folder: Any) -> Iterator[Part]:
    for failure in gathered.failures:
        words = [paragraph(f"What to do: {failure.remedy}.".replace("..", ".")) if failure.remedy else ""]
        own = failure.recordings[:_MOST_RECORDINGS]
        lines = [f"{name}: {error}" if failure.differ else name for name, error in own]
        more = len(failure.recordings) - len(own)
        words.append(
            bullets([*lines, *([f"and {more} more, in the table of recordings"] if more else [])])
            if failure.differ
            else paragraph(", ".join(lines) + (f" and {more} more" if more else ""))
        )
        yield Text(
            f"{count(len(failure.recordings), 'recording')}: {failure.error}", "".join(words), "Recordings that failed"
        )


def _recordings(gathered: _Gathered, folder: Any) -> Iterator[Part]:
    yield Text("All recordings", recordings_tables(gathered.cohort, gathered.links, folder))


def _made(gathered: _Gathered, folder: Any) -> Iterator[Part]:
    lines = [
        *asked_sentences(gathered.cohort, short=False),
        "The unit is the person. A recording is the mean over its explained epochs of a stage, a person the mean over "
        "recordings: no interval treats the epochs of one night as independent.",
        "Intervals of 95 % are between people: of medians that of the sign test, from 6 people on; of means Student's, "
        "corrected for skewness, from 5 people on. They apply to people like these, not to another stager or other settings.",
        "An attribution says what changed this stager's score, compared with the baseline. It says nothing about the brain.",
        "People have the labels of the data set. The page contains no path, file name or machine name.",
    ]
    yield Text("How it was made", bullets(lines))


_SECTIONS = (_comparisons, _stages, _outlying, _failed, _recordings, _made)
