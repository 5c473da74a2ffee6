"""The command line: the Python names, with the same words."""

from __future__ import annotations

import errno
import io
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import mne
import typer

from eegflex._version import __version__
from eegflex.cli import STOPPED
from eegflex.cli.many import cohort
from eegflex.cli.material import Overwrite, Seed, datasets, simulate, specs
from eegflex.cli.options import (
    TOY,
    AttributionOptions,
    LoadingOptions,
    ModelOptions,
    ReadingOptions,
    RecordingOptions,
    is_netcdf,
    said,
    takes,
)
from eegflex.errors import EegflexError, MissingExtraError, OutputError, ParameterError
from eegflex.output_settings import ExportSettings, ReportSettings
from eegflex.settings import AUTO, EvaluationSettings, StagingSettings
from eegflex.utils.files import check_output, same_file
from eegflex.utils.stopping import held

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult
    from eegflex.stagers import Stager

__all__ = ["app", "run"]

app = typer.Typer(
    name="eegflex",
    help="Explain deep networks that stage sleep: which rhythms, on which electrodes, at which moment of the night.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

#: What the demo measures of its explanations: the quick parts that a verdict of trust rests on.
DEMO_PARTS = ("faithfulness", "one by one", "shortcuts")
#: What the system says of a text that has no room where the shell sends it.
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT)

Recording = Annotated[Path, typer.Argument(help="The PSG: EDF, BDF, FIF, BrainVision or EEGLAB.", show_default=False)]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", help="Continue from the result that an earlier, stopped run wrote.", show_default=False),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eegflex {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no messages.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    # --debug is read by main, which must know it even when the command line itself is wrong.
    mne.set_log_level("ERROR" if quiet else "INFO")


@app.command()
@takes(about=RecordingOptions)
def info(recording: Recording, about: RecordingOptions) -> None:
    """Show what is in a recording.

    Lists signals with rate, unit, type and role, the channels that would be picked, and the stages.
    """
    from eegflex.readers import describe_psg

    mne.set_log_level("ERROR")  # what the reader would say is in the description
    typer.echo(describe_psg(recording, **about.said()).to_text())


@app.command()
@takes(loading=ModelOptions, reading=ReadingOptions)
def check(
    model: Annotated[str, typer.Argument(help="The stager: a name, a file or a folder.", show_default=False)],
    recording: Recording,
    loading: ModelOptions,
    reading: ReadingOptions,
    device: Annotated[str | None, typer.Option("--device", help="Where to compute: cpu, cuda or mps.")] = None,
) -> None:
    """Check a model on a recording, if possible scored.

    The exit status is 1 if an explanation would be wrong.
    """
    from eegflex.doctor.check_model import check_model

    findings = check_model(loading.load(model), reading.epochs(recording), device=device)
    typer.echo(str(findings))
    raise typer.Exit(1 if findings.errors else 0)


@app.command()
@takes(loading=LoadingOptions, reading=ReadingOptions, staging=StagingSettings)
def stage(
    recording: Recording,
    loading: LoadingOptions,
    reading: ReadingOptions,
    staging: StagingSettings,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The stages: *.csv, a table with probabilities; *.edf, EDF+ annotations; *.tsv, BIDS events.",
        ),
    ] = None,
    review: Annotated[
        Path | None, typer.Option(help="Also write which epochs to check first, and why, to this *.csv.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Stage a recording and write the stages."""
    from eegflex.review import check_queue_file, save_queue
    from eegflex.staging import check_stages_file, stage_with

    inputs = _inputs(recording, loading, reading)
    output = check_output(
        check_stages_file(output or f"{recording.stem}-stages.csv"), overwrite=overwrite, inputs=inputs
    )
    if review is not None:
        check_output(check_queue_file(review), overwrite=overwrite, inputs=[*inputs, output])
        if review.resolve() == output.resolve():  # neither need be there yet
            what, remedy = "The stages and what to check first would be one file", "Choose another name for one"
            raise OutputError(what, seen=review, remedy=remedy)
    stager = loading.stager()
    epochs = reading.epochs(recording)
    with held():
        night = stage_with(stager, epochs, staging)
        typer.echo(f"{night!r}\nStages: {night.save(output, overwrite=overwrite)}")
        if review is not None:
            queue = night.review_queue()
            typer.echo(f"Review: {save_queue(queue, review, overwrite=overwrite, inputs=[*inputs, output])}")


@app.command()
@takes(loading=LoadingOptions, reading=ReadingOptions, asking=AttributionOptions)
def attribute(
    recording: Recording,
    loading: LoadingOptions,
    reading: ReadingOptions,
    asking: AttributionOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The result, a netCDF file. Default: named after the recording, or the resumed file."
        ),
    ] = None,
    resume: Resume = None,
    overwrite: Overwrite = False,
) -> None:
    """Stage a recording, explain its epochs and write the result."""
    from eegflex.results.netcdf import check_result_file

    output = output or resume or Path(f"{recording.stem}-result.nc")
    # What is resumed is in what comes of it, and may be replaced by that.
    overwrite = overwrite or (resume is not None and same_file(output, resume))
    check_result_file(check_output(output, overwrite=overwrite, inputs=_inputs(recording, loading, reading)))
    stager = loading.stager()
    epochs = reading.epochs(recording)
    with held():
        result = _explain(asking, epochs, stager, output, overwrite, resume)
        typer.echo(f"Result: {_keep(result, output, overwrite)}")


@app.command()
@takes(loading=LoadingOptions, reading=ReadingOptions, asking=EvaluationSettings)
def evaluate(
    result: Annotated[Path, typer.Argument(help="A result of eegflex attribute.", show_default=False)],
    recording: Recording,
    loading: LoadingOptions,
    reading: ReadingOptions,
    asking: EvaluationSettings,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The evaluated result, a netCDF file. Default: the input result."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Test the explanations of a result on the model.

    The numbers are stored in the result.
    """
    from eegflex.errors import EvaluationStopped
    from eegflex.evaluation import evaluate as measured
    from eegflex.evaluation.evaluate import check_goes_on, wanted_parts
    from eegflex.results import read_result
    from eegflex.results.netcdf import check_result_file

    output = output or result
    # What is evaluated is in what comes of it, and may be replaced by that; an evaluation that was asked otherwise is not.
    goes_on = not overwrite and same_file(output, result)
    overwrite = overwrite or goes_on
    check_result_file(check_output(output, overwrite=overwrite, inputs=_inputs(recording, loading, reading)))
    wanted_parts(asking)
    explained = read_result(result)
    if goes_on:
        check_goes_on(explained, asking)
    stager = loading.stager()
    epochs = reading.epochs(recording)
    try:
        with held():
            found = measured(explained, epochs, stager, **vars(asking))
            typer.echo(f"{found}\nResult: {_keep(found.result, output, overwrite)}")
    except EvaluationStopped as stop:
        typer.echo(f"So far: {_keep(stop.evaluation.result, output, overwrite)}", err=True)
        raise


@app.command()
@takes(loading=LoadingOptions, reading=ReadingOptions, asking=AttributionOptions, writing=ReportSettings)
def report(
    ctx: typer.Context,
    recording: Annotated[Path, typer.Argument(help="A PSG, or a result of eegflex attribute.", show_default=False)],
    loading: LoadingOptions,
    reading: ReadingOptions,
    asking: AttributionOptions,
    writing: ReportSettings,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The report: *.html, or *.pdf.")] = None,
    resume: Resume = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a report of a result or of a recording.

    The report is HTML or PDF. A recording is staged and explained first.
    """
    from eegflex.report.page import check_report_file

    inputs = _inputs(recording, loading, reading)
    output = check_report_file(
        check_output(output or Path(f"{recording.stem}-report.html"), overwrite=overwrite, inputs=inputs)
    )
    if is_netcdf(recording):
        from eegflex.results import read_result

        groups = LoadingOptions, ReadingOptions, AttributionOptions
        if given := said(ctx, *groups) + ["--resume"] * (resume is not None):
            raise ParameterError(
                "A result is staged and explained already: these options are for a recording",
                seen=given,
                remedy="Leave them out, or give the recording",
            )
        _write_report(read_result(recording), output, overwrite, writing)
        return
    stager = loading.stager()
    epochs = reading.epochs(recording)
    result, kept = None, output.with_suffix(".nc")
    try:
        with held():
            result = _explain(asking, epochs, stager, kept, overwrite, resume)
        _write_report(result, output, overwrite, writing)
    except BaseException:  # whatever it is: what took hours is not lost for the sake of a page
        if result is not None:
            typer.echo(f"Result: {_keep(result, kept, overwrite)}", err=True)
        raise


@app.command()
@takes(asking=ExportSettings)
def export(
    result: Annotated[Path, typer.Argument(help="A result of eegflex attribute.", show_default=False)],
    asking: ExportSettings,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The tracks, an EDF+ file. Default: named after the result."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write attributions as tracks for a PSG viewer.

    The tracks and annotations can be shown beside the recording.
    """
    from eegflex.results import read_result
    from eegflex.results.export_methods import check_tracks_file

    output = check_tracks_file(output or Path(f"{result.stem}-attribution.edf"))
    check_output(output, overwrite=overwrite, inputs=[result])
    with held():
        written = read_result(result, lazy=True).export_edf(output, **vars(asking), overwrite=overwrite)
    typer.echo(f"Tracks: {written}")


@app.command()
@takes(loading=LoadingOptions)
def demo(
    loading: LoadingOptions,
    folder: Annotated[Path, typer.Argument(help="Folder for the night and its report; created if needed.")] = Path(
        "demo"
    ),
    hours: Annotated[float, typer.Option("--hours", help="Length of the simulated night in hours.")] = 7.0,
    sample_per_stage: Annotated[int, typer.Option("--sample-per-stage", min=1, help="Epochs of each stage.")] = 8,
    seed: Seed = 1,
) -> None:
    """Simulate a night, explain it and write a report.

    Files of an earlier demo are replaced.
    """
    from eegflex.evaluation import evaluate as evaluate_result
    from eegflex.report.summary import main_findings
    from eegflex.simulation.simulate import simulate_psg
    from eegflex.stagers.windows import DEFAULT_WINDOW_LENGTH
    from eegflex.staging import stage_with

    stager = _for_a_demo(loading)  # before the folder is made: none is left where there is no stager
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"The demo's folder cannot be made: {error.strerror}", seen=folder) from error
    output = check_output(folder / "report.html", overwrite=True)
    _refuse_real(folder / "night.edf")
    files = simulate_psg(hours=hours, seed=seed).save(folder / "night.edf", overwrite=True)
    typer.echo(f"A simulated night of {hours:g} h: {files.psg}")
    epochs = ReadingOptions(hypnogram=files.hypnogram).epochs(files.psg)
    # A demo is to be quick: how much the narrow window of a stager of whole nights changes is measured, and said.
    narrow = DEFAULT_WINDOW_LENGTH if stager.spec.context.whole else AUTO
    night = stage_with(stager, epochs, StagingSettings(window_length=narrow))
    result = AttributionOptions(sample_per_stage=sample_per_stage).explain(night, None)
    result = evaluate_result(result, night, parts=DEMO_PARTS, sample_per_stage=2).result
    result.save(folder / "result.nc", overwrite=True)
    _write_report(result, output, True, ReportSettings())
    for line in main_findings(result):
        typer.echo(f"  {line}")


def _for_a_demo(loading: LoadingOptions) -> Stager:
    """The stager that was named, a real one that is installed, or a toy, of which it is said that it is one."""
    try:
        return loading.stager()
    except MissingExtraError:
        if loading.model is not None:
            raise
    typer.echo(
        f"No stager that was trained on real nights is installed. This demo uses {TOY!r}, a toy model of five bands that "
        "was fitted on simulated nights. After pip install 'eegflex[gssc]' (AGPL) it uses GSSC.",
        err=True,
    )
    return loading.load(TOY)


def _explain(
    asking: AttributionOptions,
    epochs: mne.BaseEpochs,
    stager: Stager,
    kept: Path,
    overwrite: bool,
    resume: Path | None = None,
) -> FlexResult:
    """Explain; what is finished when it ends early is written to a file."""
    from eegflex.errors import AttributionFailed, AttributionStopped

    try:
        return asking.explain(epochs, stager, resume)
    except (AttributionStopped, AttributionFailed) as stop:
        said = "Partial result" if stop.n_finished < stop.n_wanted else "Result"
        typer.echo(f"{said}: {_keep(stop.result, kept, overwrite)}", err=True)
        raise


def _keep(result: FlexResult, output: Path, overwrite: bool) -> Path:
    """Write a result; where it was to be written if that is possible, and else where it is."""
    try:
        return result.save(output, overwrite=overwrite)
    except OutputError as failure:
        folder = Path(tempfile.mkdtemp(prefix="eegflex-"))
        try:
            saved = result.save(folder / output.name)
        except OutputError:
            folder.rmdir()
            raise failure from None
        raise OutputError(f"{failure.what}, so the result is in {saved}", seen=output) from failure


def _inputs(recording: Path, *groups: Any) -> list[Path]:
    """The files that a command reads, which it must not write."""
    given = [
        getattr(group, name, None) for group in groups for name in ("hypnogram", "profile", "spec", "model", "weights")
    ]
    return [recording, *(Path(one) for one in given if one is not None)]


def _write_report(result: FlexResult, output: Path, overwrite: bool, writing: ReportSettings) -> None:
    from eegflex.report import make_report

    make_report(result, **vars(writing), verbose="ERROR").save(output, overwrite=overwrite)
    typer.echo(f"Report: {output.resolve()}")


def _refuse_real(path: Path) -> None:
    """Refuse to put a demo in the place of a recording that no demo wrote."""
    from eegflex.readers.notes import SIMULATED_EQUIPMENT

    if path.is_file():
        with path.open("rb") as file:
            if SIMULATED_EQUIPMENT.encode() not in file.read(256):
                raise OutputError("There is already a recording of this name that is not from a demo", seen=path)


for command in (simulate, datasets, specs, cohort):
    app.command()(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `eegflex.cli.main`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    # Whoever adds --debug to a failed command adds it at the end.
    given = ["--debug", *(word for word in given if word != "--debug")] if debug else given
    try:
        return int(app(given, prog_name="eegflex", standalone_mode=False) or 0)
    except EegflexError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"eegflex: {error}", err=True)
        return 1
    except typer.TyperException as error:  # the command line itself is wrong
        cast(Any, error).show()
        return 2
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        # What is left of the text would be tried again, and fail again, when the program ends.
        sys.stdout = cast(Any, io.StringIO())
        typer.echo(f"eegflex: The output cannot be written: {error.strerror}", err=True)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED
