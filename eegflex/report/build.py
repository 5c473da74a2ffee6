"""The report of a result: one HTML file to read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
from mne.utils import verbose

from eegflex import viz
from eegflex.errors import ChannelError, ParameterError
from eegflex.report import html, trust, words
from eegflex.results import tables
from eegflex.results.recordings import one_recording
from eegflex.results.select import stage_order
from eegflex.results.wording import method_words, number_text, positive_means, reading, sum_words, sums_to_change, unit
from eegflex.utils.files import write_whole
from eegflex.viz.context import has_context
from eegflex.viz.epoch import surest_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["make_report", "save_report"]

#: Of the pictures in the report.
DPI = 110
_SIMULATED = "The recording is simulated: nobody was recorded, and nothing here is evidence about sleep."
_SPEC_SECTIONS = {"input": "What it is given", "output": "What it returns", "model": "What it is"}


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
        How many epoch cards to show of each stage; the epochs that the stager was surest of.
    note : str | None
        A sentence to put on top, for example that the recording is simulated.
    %(verbose)s

    Returns
    -------
    report : mne.Report
        Summary, night, bands, spectra, topography, context (where it was scaled), epochs, completeness, stager and
        provenance. Write it with its own ``save``, or with `save_report`, which leaves nothing half-written.

    Raises
    ------
    ParameterError
        If the result is of several recordings, `epochs_per_stage` is no number of epochs, or `compare_with` is of another
        recording or of other epochs.

    Notes
    -----
    The report holds no patient's name, birth date or ID, no directories, and not the name of the recording's file, which
    may be a patient's; the result has it. Text from files is escaped.
    """
    one_recording(result.data, None, "A report")
    if int(epochs_per_stage) != epochs_per_stage or epochs_per_stage < 0:
        raise ParameterError("epochs_per_stage must be a whole number, not negative", seen=epochs_per_stage)
    if compare_with is not None:
        _check_same_epochs(result, compare_with)
    report = mne.Report(title=title or f"{result.model} explained by eegflex", image_format="png", verbose="error")
    report.add_html(_summary(result, note), "Summary", tags=("summary",))
    one, other = result.for_target(), compare_with and compare_with.for_target()
    _add_night(report, one)
    _add_bands(report, one, other)
    for add in (_add_spectra, _add_topography, _add_context):
        add(report, one)
    _add_epochs(report, one, int(epochs_per_stage))
    _add_completeness(report, one)
    report.add_html(_spec(result) + _checks(result), "Stager", tags=("stager",))
    report.add_html(_provenance(result), "Provenance", tags=("provenance",))
    return report


def _check_same_epochs(result: FlexResult, compare_with: FlexResult) -> None:
    if result.provenance["input_sha256"] != compare_with.provenance["input_sha256"]:
        raise ParameterError(
            "compare_with= is of another recording, or of a stager that prepares the recording otherwise",
            seen=f"input_sha256 {compare_with.provenance['input_sha256'][:12]}…",
            allowed=f"{result.provenance['input_sha256'][:12]}…",
            remedy="Explain the same epochs with the same stager",
        )
    numbers = [set(one.to_xarray()["number"].values.astype(int).tolist()) for one in (result, compare_with)]
    if numbers[0] != numbers[1]:
        raise ParameterError(
            "compare_with= explains other epochs of the recording",
            seen=f"{len(numbers[1])} epochs, {len(numbers[0] & numbers[1])} of them among the {len(numbers[0])} of result",
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
    warnings = [note, trust.partial_words(result), *trust.doubts(result)]
    parts = [html.warning(text) for text in warnings if text]
    if words.is_simulated(result):
        parts.append(
            html.warning("The recording is simulated: nobody was recorded, and nothing here is evidence about sleep.")
        )
    parts += [html.paragraph(sentence) for sentence in words.what_was_done(result)]
    parts += ["<h5>What was found</h5>", html.bullets(words.main_findings(result))]
    return "".join([*parts, "<h5>How far to trust it</h5>", html.bullets(trust.trust(result))])


def _add_night(report: mne.Report, result: FlexResult) -> None:
    caption = "Hypnograms, and the probabilities that the stager gave to the stages (hypnodensity). REM is drawn thick."
    _add_figure(report, partial(viz.plot_night, result, show=False), "Hypnogram and hypnodensity", caption, "Night")
    agreed = tables.agreement(result.to_xarray())
    if agreed is not None:
        table = html.frame(agreed[1], corner="scored \\ predicted", diagonal=True)
        report.add_html(
            html.paragraph(trust.agreement_words(result)) + table,
            "Agreement (epochs)",
            tags=("night",),
            section="Night",
        )


def _add_bands(report: mne.Report, result: FlexResult, compare_with: FlexResult | None) -> None:
    if compare_with is None:
        _add_bands_of(report, result, "Bands by stage")
        return
    for one, how in zip((result, compare_with), words.differences(result, compare_with), strict=True):
        _add_bands_of(report, one, f"Bands by stage: {how}")


def _add_bands_of(report: mne.Report, result: FlexResult, title: str) -> None:
    caption = (
        f"Mean attribution by band and stage, in units of {unit(result)}, summed over the channels that the stager "
        f"takes at once. {positive_means(result)} {sum_words(result)}"
    )
    _add_figure(report, partial(viz.plot_bands, result, show=False), title, caption, "Bands")
    table = result.band_table()
    largest = float(np.nanmax(np.abs(table.drop(columns="n_epochs").to_numpy())))
    written = table.drop(columns="n_epochs").map(lambda value: number_text(value, largest)).assign(n=table["n_epochs"])
    details = f"<details><summary>Numbers by stage and channel ({html.escape(unit(result))})</summary>{{}}</details>"
    report.add_html(
        details.format(html.frame(written, corner="stage, channel")),
        title.replace("Bands by stage", "Table of bands"),
        tags=("bands",),
        section="Bands",
    )


def _add_spectra(report: mne.Report, result: FlexResult) -> None:
    dataset = result.to_xarray()
    if "frequency_view" not in dataset:
        why = (
            f"There are no spectra: the method ({method_words(result)}) attributes to whole bands, not to frequencies."
        )
        report.add_html(html.paragraph(why), "Spectra", tags=("spectra",))
        return
    how = reading(result)
    caption = f"Which frequencies {how.raised} (red) or {how.lowered} (blue) the score in each stage; grey: the power."
    kinds = set(dataset["ch_type"].values.astype(str))
    for kind in [kind for kind in ("eeg", "eog", "emg") if kind in kinds] or ["all"]:
        name = "all channels" if kind == "all" else kind.upper()
        draw = partial(viz.plot_spectrum, result, picks=kind, show=False)
        _add_figure(report, draw, f"Attribution spectra, {name}", caption, "Spectra")


def _add_topography(report: mne.Report, result: FlexResult) -> None:
    caption = "Mean attribution summed in each band. Circles are electrodes; what lies between them is interpolated."
    try:
        _add_figure(report, partial(viz.plot_topomap, result, show=False), "Topography", caption, None)
    except ChannelError as error:
        report.add_html(html.paragraph(str(error)), "Topography", tags=("topography",))


def _add_context(report: mne.Report, result: FlexResult) -> None:
    if not has_context(result.to_xarray()):
        return
    caption = (
        "What the epochs around an epoch did to its score. Above, each epoch of the window with all its bands; below, the "
        "neighbours alone, by band. The other figures are of the epoch itself."
    )
    _add_figure(report, partial(viz.plot_context, result, show=False), "Context", caption, None)


def _add_epochs(report: mne.Report, result: FlexResult, epochs_per_stage: int) -> None:
    dataset = result.to_xarray()
    for stage in stage_order(dataset, "predicted"):
        for number in surest_numbers(dataset, stage, epochs_per_stage):
            caption = f"Of the explained epochs predicted to be {stage}, one that the stager was surest of."
            draw = partial(viz.plot_epoch, result, number, show=False)
            _add_figure(report, draw, f"{stage}, epoch {number}", caption, "Epochs")


def _add_completeness(report: mne.Report, result: FlexResult) -> None:
    said = html.paragraph(trust.completeness_words(result))
    if not sums_to_change(result):
        report.add_html(said, "Completeness", tags=("completeness",))
        return
    caption = (
        "How far the attributions of an epoch miss the change of the score that they should add up to, and how large the error "
        "of their band sums is estimated to be, where there is an estimate."
    )
    _add_figure(report, partial(viz.plot_completeness, result, show=False), "Gaps and errors", caption, "Completeness")
    measured = {"gaps": result.relative_gap().ravel(), "estimated errors": result.to_xarray()["error"].values.ravel()}
    quantiles = {
        f"{name} of the {what}": f"{100 * float(np.quantile(values[~np.isnan(values)], q)):.2g} %"
        for what, values in measured.items()
        if not np.isnan(values).all()
        for name, q in (("Median", 0.5), ("90 %", 0.9), ("95 %", 0.95), ("Largest", 1.0))
    }
    report.add_html(
        said + html.pairs(quantiles), "Can the sums be trusted?", tags=("completeness",), section="Completeness"
    )


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
    rows = [(f"{one['check']}: {one['status']}", _sentences(one)) for one in found]
    return f"<h5>What was checked before it was explained</h5>{html.pairs(rows)}"


def _sentences(found: Mapping[str, str]) -> str:
    """What a check found, and what to do, in sentences."""
    return " ".join(f"{text}." for text in (found["measured"], found["remedy"]) if text)


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
