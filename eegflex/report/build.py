"""The report of a result: what its page holds, gathered once, written and drawn once."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eegflex.errors import ParameterError
from eegflex.evaluation.assess import assess
from eegflex.output_settings import ReportSettings
from eegflex.report.explorer import make_explorer
from eegflex.report.first_screen import first_screen, subtitle
from eegflex.report.html import without_directories
from eegflex.report.means import SECTIONS_OF_MEANS
from eegflex.report.page import Report, Section, SectionPart, make_page
from eegflex.report.parts import Gathered, Part, Picture
from eegflex.report.pictures import as_figure
from eegflex.report.sections import SECTIONS, on_top
from eegflex.results.means import only_means, refuse_single
from eegflex.results.once import computed_once
from eegflex.results.recordings import one_recording
from eegflex.utils.clock import since_midnight
from eegflex.utils.verbose import verbose

if TYPE_CHECKING:
    import mne

    from eegflex.results.result import FlexResult

__all__ = ["add_to_report", "make_report", "sections_of"]


@verbose
def make_report(
    result: FlexResult,
    *,
    compare_with: FlexResult | None = None,
    title: str | None = None,
    epochs_per_stage: int = 1,
    note: str | None = None,
    signal: bool = True,
    began: str | None = None,
    verbose: bool | str | int | None = None,
) -> Report:
    """Make a report of a result.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording. For a result of all stages, the report shows the predicted one.
    compare_with : FlexResult | None
        A second result of the same epochs of the same recording, with another baseline, target or method. Its bands are shown
        beside those of the first. Evidence that two baselines agree on is more credible.
    title : str | None
        Title of the report. By default it names the stager.
    epochs_per_stage : int
        How many single epochs to show of each stage: so many typical ones, and, where there are, as many to review.
    note : str | None
        A note at the top of the report, for example that the recording is simulated.
    signal : bool
        Whether the page holds the signals of the explained epochs, to walk through them. They are the patient's data, and the
        page says so. Single epochs, which show a few of them as pictures, are left out without them.
    began : str | None
        Clock time at which the recording began, such as ``"22:30"``, to show times of day. A result does not store it.
    %(verbose)s

    Returns
    -------
    report : eegflex.report.Report
        One page that works offline: a first screen, an explorer of the night, findings, tests, figures, disagreements, methods
        and provenance. Its ``save`` writes HTML or PDF.

    Raises
    ------
    ParameterError
        If the result is of several recordings, `epochs_per_stage` is not a number of epochs, or `compare_with` is of another
        recording or of other epochs.

    See Also
    --------
    eegflex.report.Report : A report, to be shown or saved.
    eegflex.FlexResult : Attributions, labelled.
    eegflex.cohort.make_cohort_report : A cohort on one page.
    mne.Report : Reports of MNE's, which `FlexResult.add_to_report` serves.

    Notes
    -----
    The report contains no patient's name, birth date or ID, no date, no directories, no text of annotations, and no file name
    of the recording, unless you chose the file name as its label. Text from files is escaped.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> report = eegflex.make_report(result, verbose="error")
    >>> report.title, len(report.sections)
    ('Why did bandpower stage this night as it did, and can the answer be believed?', 12)
    """
    asked = ReportSettings(title=title, epochs_per_stage=epochs_per_stage, note=note, signal=signal, began=began)
    with _what_is_there_kept(), computed_once():
        gathered = _gather(result, compare_with, asked)
        return make_page(
            title or f"Why did {result.model} stage this night as it did, and can the answer be believed?",
            sections_of(part for section in _sections_for(result) for part in section(gathered)),
            subtitle=subtitle(gathered.result),
            warnings=map(without_directories, on_top(gathered)),
            first_screen="" if only_means(result.data) else first_screen(gathered),
            explorer=None if only_means(result.data) else make_explorer(result, signal=signal, began=began),
            stages=result.stages,
        )


@contextmanager
def _what_is_there_kept() -> Iterator[None]:
    """Do not search what is there already for what is no longer used: figures make so many objects that it is done often."""
    ours = gc.get_freeze_count() == 0
    if ours:
        gc.freeze()
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()


def _gather(result: FlexResult, compare_with: FlexResult | None, asked: ReportSettings) -> Gathered:
    """Take all that a report is written from, once."""
    one_recording(result.data, None, "A report")
    if compare_with is not None:
        for one in (result, compare_with):
            refuse_single(one.data, "a comparison of two results")
        _check_same_epochs(result, compare_with)
    single = result.for_target()  # once: of a result of all stages it is a sum over all that was attributed
    return Gathered(
        result=single,
        findings=assess(single),
        compare_with=None if compare_with is None else compare_with.for_target(),
        of_all=result.parameters["target"] == "all",
        every=result if result.parameters["target"] == "all" else None,
        epochs_per_stage=asked.epochs_per_stage if asked.signal else 0,  # a card shows the signal
        note=asked.note,
        began=None if asked.began is None else since_midnight("began", asked.began),
    )


def _sections_for(result: FlexResult) -> tuple[Callable[[Gathered], Iterator[Part]], ...]:
    """What a page of a result is made of."""
    return SECTIONS_OF_MEANS if only_means(result.data) else SECTIONS


def sections_of(parts: Iterable[Part]) -> list[Section]:
    """Gather parts by section, in the order in which each section first came."""
    found: dict[str, list[SectionPart]] = {}
    said: dict[str, set[str]] = {}  # what a section says below one figure it need not say below the next
    for part in parts:
        heading, section = part.title if part.section is not None else "", part.section or part.title
        if isinstance(part, Picture):
            if not part.on_page:
                continue
            html, notes = as_figure(part, said.setdefault(section, set()))
            said[section].update(notes)
        else:
            html = _below(part.html, "h4" if heading else "h3")
        found.setdefault(section, []).append(SectionPart(heading, html))
    return [Section(title, tuple(own)) for title, own in found.items()]


def _below(html: str, level: str) -> str:
    """Make the headings in a text those of a level: what it stands under is the page's to know."""
    return re.sub(r"<(/?)h[1-6]\b", rf"<\1{level}", html)


def add_to_report(result: FlexResult, report: mne.Report, *, section: str | None, epochs_per_stage: int) -> None:
    """Put the figures of a result into a report of MNE's; see `FlexResult.add_to_report`."""
    import matplotlib.pyplot as plt

    gathered = _gather(result, None, ReportSettings(epochs_per_stage=epochs_per_stage))
    for part in (part for make in _sections_for(result) for part in make(gathered)):
        if isinstance(part, Picture):
            fig = part.draw()
            report.add_figure(fig, part.title, caption=part.caption, section=section, tags=("eegflex",))
            plt.close(fig)


def _check_same_epochs(result: FlexResult, compare_with: FlexResult) -> None:
    if result.provenance["input_sha256"] != compare_with.provenance["input_sha256"]:
        raise ParameterError(
            "compare_with must be a result of the same recording, prepared for the stager in the same way",
            seen=f"input_sha256 {compare_with.provenance['input_sha256'][:12]}…",
            allowed=f"{result.provenance['input_sha256'][:12]}…",
            remedy="Explain the same epochs with the same stager",
        )
    own, other = (set(one.data["number"].values.astype(int).tolist()) for one in (result, compare_with))
    if own != other:
        raise ParameterError(
            "compare_with must explain the same epochs of the recording",
            seen=f"{len(other)} epochs, {len(own & other)} of them among the {len(own)} of result",
            remedy="Explain both with the same sample_per_stage and seed",
        )
