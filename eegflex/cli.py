"""The command line: the Python names, with the same words."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import mne
import typer

from eegflex._version import __version__
from eegflex.errors import EegflexError, ParameterError
from eegflex.files import check_output

if TYPE_CHECKING:
    from eegflex.result import FlexResult
    from eegflex.stagers import Stager

__all__ = ["app", "main"]

app = typer.Typer(
    name="eegflex",
    help="Explain deep networks that stage sleep: which rhythms, on which electrodes, at which moment of the night.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

#: The first bytes of netCDF files that hold results.
_HDF5 = b"\x89HDF"

#: The status after Ctrl-C.
_STOPPED = 130


class Quadrature(StrEnum):
    """Rules on the path."""

    adaptive = "adaptive"
    graded = "graded"
    gauss_legendre = "gauss-legendre"


Recording = Annotated[Path, typer.Argument(help="The PSG: EDF, BDF, FIF, BrainVision or EEGLAB.", show_default=False)]
Hypnogram = Annotated[Path | None, typer.Option("--hypnogram", help="Its scored stages.")]
Channels = Annotated[
    str | None,
    typer.Option("--channels", help="Channels to read, separated by commas: C3-M2,E1-M2. Default: those for sleep."),
]
Units = Annotated[
    str | None, typer.Option("--units", help="Unit of the signals where the file gives none, such as uV.")
]
Coding = Annotated[str, typer.Option("--coding", help="How numbers code stages: auto, aasm, rk or dreams.")]
Profile = Annotated[
    str | None, typer.Option("--profile", help="The data set: shhs, mesa, ... or a card of your own, my.toml.")
]
Model = Annotated[str, typer.Option("--model", help="The stager: gssc or bandpower.")]
Target = Annotated[
    str, typer.Option("--target", help="What to explain: predicted, scored, margin, a stage, or two as in N2,N1.")
]
PerStage = Annotated[
    int | None, typer.Option("--sample-per-stage", min=1, help="Explain only so many epochs of each predicted stage.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of what is drawn at random.")]
Rule = Annotated[Quadrature, typer.Option("--quadrature", help="Rule on the path.")]
Steps = Annotated[
    int | None, typer.Option("--n-steps", min=1, help="Gradient evaluations for each epoch, for a fixed rule.")
]
Device = Annotated[str | None, typer.Option("--device", help="Where to compute: cpu, cuda or mps.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eegflex {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    # --debug is read by main, which must know it even when the command line itself is wrong.
    mne.set_log_level("ERROR" if quiet else "INFO")


@app.command()
def info(
    recording: Recording,
    hypnogram: Hypnogram = None,
    units: Units = None,
    coding: Coding = "auto",
    profile: Profile = None,
) -> None:
    """Show what is in a recording: rate, unit, type and role of each signal, what would be picked, and its stages."""
    from eegflex.readers import describe_psg

    mne.set_log_level("ERROR")  # what the reader would say is in the description
    typer.echo(describe_psg(recording, hypnogram=hypnogram, units=units, coding=coding, profile=profile).to_text())


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="The stager: gssc or bandpower.", show_default=False)],
    recording: Recording,
    spec: Annotated[Path | None, typer.Option("--spec", help="The model's contract, a TOML file.")] = None,
    hypnogram: Hypnogram = None,
    channels: Channels = None,
    units: Units = None,
    coding: Coding = "auto",
    profile: Profile = None,
    device: Device = None,
) -> None:
    """Check a model on a recording, better with its hypnogram; the status is 1 where an explanation would be false."""
    from eegflex.stagers import load_model
    from eegflex.stagers.doctor import check_model

    stager = load_model(model, spec=spec)
    findings = check_model(stager, _read(recording, hypnogram, channels, units, coding, profile), device=device)
    typer.echo(str(findings))
    raise typer.Exit(1 if findings.errors else 0)


@app.command()
def attribute(
    recording: Recording,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The result, a netCDF file.")] = None,
    model: Model = "gssc",
    hypnogram: Hypnogram = None,
    channels: Channels = None,
    units: Units = None,
    coding: Coding = "auto",
    profile: Profile = None,
    target: Target = "predicted",
    sample_per_stage: PerStage = None,
    seed: Seed = 0,
    quadrature: Rule = Quadrature.adaptive,
    n_steps: Steps = None,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Stage a recording, explain its epochs, and write the result."""
    output = check_output(output or Path(f"{recording.stem}-result.nc"), overwrite=overwrite)
    stager = _load(model)
    epochs = _read(recording, hypnogram, channels, units, coding, profile)
    result = _explain(epochs, stager, target, sample_per_stage, seed, quadrature, n_steps, device)
    typer.echo(f"Result: {result.save(output, overwrite=overwrite)}")


@app.command()
def report(
    recording: Annotated[Path, typer.Argument(help="A PSG, or a result of eegflex attribute.", show_default=False)],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The report, an HTML file.")] = None,
    model: Model = "gssc",
    hypnogram: Hypnogram = None,
    channels: Channels = None,
    units: Units = None,
    coding: Coding = "auto",
    profile: Profile = None,
    target: Target = "predicted",
    sample_per_stage: PerStage = None,
    seed: Seed = 0,
    quadrature: Rule = Quadrature.adaptive,
    n_steps: Steps = None,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the HTML report of a result, or of a recording that is staged and explained first."""
    output = check_output(output or Path(f"{recording.stem}-report.html"), overwrite=overwrite)
    if _is_result(recording):
        from eegflex.result import read_result

        result = read_result(recording)
    else:
        stager = _load(model)
        epochs = _read(recording, hypnogram, channels, units, coding, profile)
        result = _explain(epochs, stager, target, sample_per_stage, seed, quadrature, n_steps, device)
    _write_report(result, output, overwrite)


@app.command()
def simulate(
    output: Annotated[Path, typer.Argument(help="The PSG to write, *.edf; its hypnogram and events go beside it.")],
    seed: Seed = 0,
    hours: Annotated[float, typer.Option("--hours", help="Length of the night in hours.")] = 7.0,
    sfreq: Annotated[float, typer.Option("--sfreq", help="Sampling rate in Hz.")] = 256.0,
    overwrite: Overwrite = False,
) -> None:
    """Simulate a night and write it as EDF+, with its hypnogram and the events that are in it."""
    from eegflex.simulate import simulate_psg

    check_output(output, overwrite=overwrite)
    files = simulate_psg(hours=hours, sfreq=sfreq, seed=seed).save(output, overwrite=overwrite)
    for name, path in files._asdict().items():
        typer.echo(f"{name}: {path}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put the night and its report; made if need be.")] = Path(
        "demo"
    ),
    model: Model = "gssc",
    hours: Annotated[float, typer.Option("--hours", help="Length of the simulated night in hours.")] = 7.0,
    sample_per_stage: Annotated[int, typer.Option("--sample-per-stage", min=1, help="Epochs of each stage.")] = 4,
    seed: Seed = 1,
) -> None:
    """Simulate a night, stage and explain it, and write the report: all in one, replacing what an earlier demo wrote."""
    from eegflex.report.words import findings
    from eegflex.simulate import simulate_psg

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"The demo's folder cannot be made: {error.strerror}", seen=folder) from error
    output = check_output(folder / "report.html", overwrite=True)
    stager = _load(model)
    files = simulate_psg(hours=hours, seed=seed).save(folder / "night.edf", overwrite=True)
    typer.echo(f"A simulated night of {hours:g} h: {files.psg}")
    epochs = _read(files.psg, files.hypnogram, None, None, "auto")
    result = _explain(epochs, stager, "predicted", sample_per_stage, 0, Quadrature.adaptive, None, None)
    result.save(folder / "result.nc", overwrite=True)
    _write_report(result, output, overwrite=True)
    for line in findings(result):
        typer.echo(f"  {line}")


def _read(
    recording: Path,
    hypnogram: Path | None,
    channels: str | None,
    units: str | None,
    coding: str,
    profile: str | None = None,
) -> mne.BaseEpochs:
    from eegflex.epochs import make_epochs
    from eegflex.readers import read_psg

    wanted = None if channels is None else [name.strip() for name in channels.split(",")]
    raw = read_psg(recording, hypnogram=hypnogram, channels=wanted, units=units, coding=coding, profile=profile)
    return make_epochs(raw)


def _load(model: str) -> Stager:
    """The stager, first of all: a wrong name should not cost the time that reading takes."""
    from eegflex.stagers import load_model

    return load_model(model)


def _explain(
    epochs: mne.BaseEpochs,
    stager: Stager,
    target: str,
    sample_per_stage: int | None,
    seed: int,
    quadrature: Quadrature,
    n_steps: int | None,
    device: str | None,
) -> FlexResult:
    from eegflex.attribution.epochs import attribute_epochs

    pair = tuple(name.strip() for name in target.split(","))
    if len(pair) > 2:
        raise ParameterError("A target is one word or a pair of stages", seen=target, remedy="Give two, as in N2,N1")
    return attribute_epochs(
        epochs,
        stager,
        target=target if len(pair) == 1 else (pair[0], pair[1]),
        views=("frequency", "time"),
        sample_per_stage=sample_per_stage,
        seed=seed,
        quadrature=quadrature.value,
        n_steps=n_steps,
        device=device,
    )


def _write_report(result: FlexResult, output: Path, overwrite: bool) -> None:
    from eegflex.report import make_report, save_report

    save_report(make_report(result, verbose="ERROR"), output, overwrite=overwrite)
    typer.echo(f"Report: {output.resolve()}")


def _is_result(path: Path) -> bool:
    if not path.is_file():
        return False  # the reader says so in its own words
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    status : int
        0; 1 for an error of the user's; 2 for a command line that is wrong; 130 when stopped by Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    # Whoever adds --debug to a failed command adds it at the end.
    given = ["--debug", *(word for word in given if word != "--debug")] if debug else given
    try:
        status = app(given, prog_name="eegflex", standalone_mode=False)
    except EegflexError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"eegflex: {error}", err=True)
        return 1
    except typer.TyperException as error:  # the command line itself is wrong
        cast(Any, error).show()
        return 2
    except (KeyboardInterrupt, typer.Abort):
        status = _STOPPED
    if status == _STOPPED:  # which is also how typer passes on a Ctrl-C
        typer.echo("eegflex: stopped", err=True)
    return int(status or 0)
