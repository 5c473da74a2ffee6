"""The report of a result: one HTML file to read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
from mne.utils import logger, verbose

from eegflex import aggregate, viz
from eegflex.errors import ChannelError, ParameterError
from eegflex.files import write_whole
from eegflex.report import html, words
from eegflex.viz.epoch import surest_numbers
from eegflex.viz.select import stage_order
from eegflex.viz.style import number_text, positive_means, unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eegflex.result import FlexResult

__all__ = ["make_report", "save_report"]

#: Of the pictures in the report.
DPI = 110
_SIMULATED = "The recording is simulated: nobody was recorded, and nothing here is evidence about sleep."
_SPEC_SECTIONS = {"input": "What it is given", "output": "What it returns", "model": "What it is"}


@verbose
def make_report(
    result: FlexResult,
    *,
    title: str | None = None,
    epochs_per_stage: int = 1,
    note: str | None = None,
    verbose: bool | str | int | None = None,
) -> mne.Report:
    """Make a report of a result.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    title : str | None
        Title of the report. By default it names the stager.
    epochs_per_stage : int
        How many epoch cards to show of each stage; the epochs that the stager was surest of.
    note : str | None
        A sentence to put on top, for example that the recording is simulated.
    %(verbose)s

    Returns
    -------
    report : mne.Report
        Summary, night, bands, spectra, topography, epochs, completeness, stager and provenance. Write it with its own
        ``save``, or with `save_report`, which leaves nothing half-written.

    Notes
    -----
    The report holds no patient's name, birth date or ID, no directories, and not the name of the recording's file, which
    may be a patient's; the result has it. Text from files is escaped.
    """
    if int(epochs_per_stage) != epochs_per_stage or epochs_per_stage < 0:
        raise ParameterError("epochs_per_stage must be a whole number, not negative", seen=epochs_per_stage)
    report = mne.Report(title=title or f"{result.model} explained by eegflex", image_format="png", verbose="error")
    report.add_html(_summary(result, note), "Summary", tags=("summary",))
    for add in (_add_night, _add_bands, _add_spectra, _add_topography):
        logger.debug(f"Report: {add.__name__}")
        add(report, result)
    _add_epochs(report, result, int(epochs_per_stage))
    _add_completeness(report, result)
    report.add_html(_spec(result) + _checks(result), "Stager", tags=("stager",))
    report.add_html(_provenance(result), "Provenance", tags=("provenance",))
    return report


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
    """
    path = Path(fname)
    if path.suffix.casefold() not in (".html", ".htm"):
        raise ParameterError("A report is written as HTML", seen=path, allowed="a name that ends in .html")

    def write(temporary: Path) -> None:
        known = report.fname
        report.save(temporary, open_browser=False, overwrite=True, verbose="error")
        report.fname = known

    return write_whole(path, write, overwrite=overwrite)


def _add_figure(report: mne.Report, draw: Callable[[], Figure], title: str, caption: str, section: str | None) -> None:
    """Draw a figure into the report, and close it."""
    import matplotlib.pyplot as plt

    fig = draw()
    fig.set_dpi(DPI)
    tag = (section or title).split()[0].casefold()
    report.add_figure(fig, title, caption=caption, image_format="png", tags=(tag,), section=section)
    plt.close(fig)


def _summary(result: FlexResult, note: str | None) -> str:
    parts = [html.warning(note)] if note else []
    if words.is_simulated(result):
        parts.append(
            html.warning("The recording is simulated: nobody was recorded, and nothing here is evidence about sleep.")
        )
    parts += [html.paragraph(sentence) for sentence in words.what_was_done(result)]
    parts += ["<h5>What was found</h5>", html.bullets(words.findings(result))]
    sums = [words.completeness_words(result), words.cancellation_words(result)]
    trust = [words.agreement_words(result), *filter(None, sums), *words.left_out(result)]
    return "".join([*parts, "<h5>How far to trust it</h5>", html.bullets(trust)])


def _add_night(report: mne.Report, result: FlexResult) -> None:
    caption = "Hypnograms, and the probabilities that the stager gave to the stages (hypnodensity). REM is drawn thick."
    _add_figure(report, partial(viz.plot_night, result, show=False), "Hypnogram and hypnodensity", caption, "Night")
    agreed = aggregate.agreement(result.to_xarray())
    if agreed is not None:
        table = html.frame(agreed[1], corner="scored \\ predicted", diagonal=True)
        report.add_html(
            html.paragraph(words.agreement_words(result)) + table,
            "Agreement (epochs)",
            tags=("night",),
            section="Night",
        )


def _add_bands(report: mne.Report, result: FlexResult) -> None:
    caption = (
        f"Mean attribution by band and stage, in units of {unit(result)}, summed over the channels that the stager "
        f"takes at once. {positive_means(result)}"
    )
    _add_figure(report, partial(viz.plot_bands, result, show=False), "Bands by stage", caption, "Bands")
    table = result.band_table()
    largest = float(np.nanmax(np.abs(table.drop(columns="n_epochs").to_numpy())))
    written = table.drop(columns="n_epochs").map(lambda value: number_text(value, largest)).assign(n=table["n_epochs"])
    details = f"<details><summary>Numbers by stage and channel ({html.escape(unit(result))})</summary>{{}}</details>"
    report.add_html(
        details.format(html.frame(written, corner="stage, channel")), "Table of bands", tags=("bands",), section="Bands"
    )


def _add_spectra(report: mne.Report, result: FlexResult) -> None:
    caption = (
        "Which frequencies raised (red) or lowered (blue) the score in each stage; grey: how much power there was."
    )
    kinds = set(result.to_xarray()["ch_type"].values.astype(str))
    for kind in [kind for kind in ("eeg", "eog", "emg") if kind in kinds] or ["all"]:
        name = "all channels" if kind == "all" else kind.upper()
        draw = partial(viz.plot_spectrum, result, picks=kind, show=False)
        _add_figure(report, draw, f"Attribution spectra, {name}", caption, "Spectra")


def _add_topography(report: mne.Report, result: FlexResult) -> None:
    caption = "Mean attribution summed in each band. Discs are electrodes; what lies between them is interpolated."
    try:
        _add_figure(report, partial(viz.plot_topomap, result, show=False), "Topography", caption, None)
    except ChannelError as error:
        report.add_html(html.paragraph(str(error)), "Topography", tags=("topography",))


def _add_epochs(report: mne.Report, result: FlexResult, epochs_per_stage: int) -> None:
    dataset = result.to_xarray()
    for stage in stage_order(dataset, "predicted"):
        for number in surest_numbers(dataset, stage, epochs_per_stage):
            caption = f"One of the epochs that the stager was surest of among those predicted to be {stage}."
            draw = partial(viz.plot_epoch, result, number, show=False)
            _add_figure(report, draw, f"{stage}, epoch {number}", caption, "Epochs")


def _add_completeness(report: mne.Report, result: FlexResult) -> None:
    caption = "How far the attributions of an epoch miss the change of the score that they should add up to."
    _add_figure(report, partial(viz.plot_completeness, result, show=False), "Gaps", caption, "Completeness")
    gaps = result.relative_gap().ravel()
    quantiles = {
        f"{name} of the gaps": f"{100 * float(np.quantile(gaps, q)):.2g} %"
        for name, q in (("Median", 0.5), ("90 %", 0.9), ("95 %", 0.95), ("Largest", 1.0))
    }
    text = html.paragraph(words.completeness_words(result)) + html.pairs(quantiles)
    report.add_html(text, "Can the sums be trusted?", tags=("completeness",), section="Completeness")


def _spec(result: FlexResult) -> str:
    spec = result.spec
    assumed = spec["model"].get("assumed") or []
    parts = (
        [html.warning(f"Nobody declared this; eegflex took it for granted: {', '.join(map(str, assumed))}.")]
        if assumed
        else []
    )
    for section, values in spec.items():
        rows = [(name, value) for name, value in _flat(values) if name != "assumed" and value != "–"]
        parts += [f"<h5>{html.escape(_SPEC_SECTIONS.get(section, section))}</h5>", html.pairs(rows)]
    return "".join(parts)


def _checks(result: FlexResult) -> str:
    """What the checks before the attribution found, what is not well on top; nothing where they were left out."""
    found = sorted(result.provenance.get("checks", []), key=lambda one: one["status"] in ("ok", "unknown"))
    if not found:
        return ""
    rows = [(f"{one['check']}: {one['status']}", f"{one['measured']}. {one['remedy']}") for one in found]
    return f"<h5>What was checked before it was explained</h5>{html.pairs(rows)}"


def _provenance(result: FlexResult) -> str:
    provenance = result.provenance
    provenance.pop("checks", None)  # they stand with the stager
    provenance.pop("source", None)  # clinical files are often named after the patient
    warnings = [str(warning) for warning in provenance.pop("warnings", [])]
    return "".join(
        [
            *(html.warning(warning) for warning in warnings),
            "<h5>Recording and software</h5>",
            html.pairs(_flat(provenance)),
            "<h5>Parameters of the attribution</h5>",
            html.pairs(_flat(result.parameters)),
        ]
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values of nested mappings as text; an empty value is a dash."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for i, item in enumerate(value):
                yield from _flat(item, f"{name} {i + 1}: ")
        else:
            yield name, _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    if value is None or value == "" or value == {}:
        return "–"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
