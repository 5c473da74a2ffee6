"""The report of a result: one HTML file to read from top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mne
import numpy as np
from mne.utils import verbose

from eegflex.errors import ParameterError
from eegflex.evaluation.assess import assess
from eegflex.report.parts import Gathered, Picture, Text
from eegflex.report.sections import SECTIONS
from eegflex.results.recordings import one_recording
from eegflex.utils.files import write_whole

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["check_report_file", "make_report", "save_report"]

#: Of the pictures in the report.
DPI = 110


@verbose
def make_report(
    result: FlexResult,
    *,
    compare_with: FlexResult | None = None,
    title: str | None = None,
    epochs_per_stage: int = 1,
    note: str | None = None,
    verbose: bool | str | int | None = None,
) -> mne.Report:
    """Make a report of a result.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording. One of all stages speaks for the predicted one.
    compare_with : FlexResult | None
        A second result of the same epochs of the same recording, with another baseline, target or method: its bands are shown
        beside those of the first. What speaks for a stage at one baseline and at another can be believed sooner.
    title : str | None
        Title of the report. By default it names the stager.
    epochs_per_stage : int
        How many epoch cards to show of each stage: so many typical epochs, and, where there are, as many doubtful ones.
    note : str | None
        A sentence to put on top, for example that the recording is simulated.
    %(verbose)s

    Returns
    -------
    report : mne.Report
        Summary, trust, night, bands, spectra, topography, context (where it was scaled), epochs, completeness, evaluation,
        stager and provenance. Write it with its own ``save``, or with `save_report`, which leaves nothing half-written.

    Raises
    ------
    ParameterError
        If the result is of several recordings, `epochs_per_stage` is not a number of epochs, or `compare_with` is of another
        recording or of other epochs.

    Notes
    -----
    The report holds no patient's name, birth date or ID, no date, no directories, no text of annotations, and not the name of
    the recording's file, which may be a patient's, unless that was asked for as its label. Text from files is escaped.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> report = eegflex.make_report(result, verbose="error")
    >>> report.title, len(report.tags)
    ('bandpower explained by eegflex', 12)
    """
    one_recording(result.data, None, "A report")
    if not isinstance(epochs_per_stage, int | np.integer) or epochs_per_stage < 0:
        raise ParameterError("epochs_per_stage must be 0 or a positive whole number", seen=repr(epochs_per_stage))
    if compare_with is not None:
        _check_same_epochs(result, compare_with)
    single = result.for_target()  # once: of a result of all stages it is a sum over all that was attributed
    gathered = Gathered(
        result=single,
        findings=assess(single),
        compare_with=None if compare_with is None else compare_with.for_target(),
        of_all=result.parameters["target"] == "all",
        every=result if result.parameters["target"] == "all" else None,
        epochs_per_stage=int(epochs_per_stage),
        note=note,
    )
    report = mne.Report(title=title or f"{result.model} explained by eegflex", image_format="png", verbose="error")
    for section in SECTIONS:
        for part in section(gathered):
            _add(report, part)
    return report


def _add(report: mne.Report, part: Text | Picture) -> None:
    """Write a part into the report; a figure is drawn for it, and closed."""
    tags = ((part.section or part.title).split()[0].casefold(),)
    if isinstance(part, Text):
        report.add_html(part.html, part.title, tags=tags, section=part.section)
        return
    import matplotlib.pyplot as plt

    fig = part.draw()
    fig.set_dpi(DPI)
    report.add_figure(fig, part.title, caption=part.caption, image_format="png", tags=tags, section=part.section)
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


def save_report(report: mne.Report, fname: str | Path, *, overwrite: bool = False) -> Path:
    """Write a report to an HTML file, whole or not at all.

    Parameters
    ----------
    report : mne.Report
        As `make_report` makes it.
    fname : path-like
        The file, ``*.html``.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    fname : Path
        The file.

    Raises
    ------
    ParameterError
        If the name does not end in ``.html``.
    OutputError
        If the file is there already, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import mne
    >>> from eegflex.report import save_report
    >>> report = mne.Report(title="night", verbose="error")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(save_report(report, f"{folder}/night.html").name)
    night.html
    """
    path = check_report_file(fname)

    def write(temporary: Path) -> None:
        known = report.fname
        report.save(temporary, open_browser=False, overwrite=True, verbose="error")
        report.fname = known

    return write_whole(path, write, overwrite=overwrite)


def check_report_file(fname: str | Path) -> Path:
    """Refuse a name that is not that of a report."""
    path = Path(fname)
    if path.suffix.casefold() not in (".html", ".htm"):
        raise ParameterError("A report is written as HTML", seen=path, allowed="a name that ends in .html")
    return path
