"""Commands that need no recording of one's own: simulated nights, public data sets, and contracts of published stagers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eegflex.errors import ParameterError
from eegflex.utils.files import check_output, write_whole

__all__ = ["Overwrite", "Seed", "datasets", "simulate", "specs"]

Seed = Annotated[int, typer.Option("--seed", help="Random seed.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")]


def simulate(
    output: Annotated[
        Path | None, typer.Argument(help="The PSG to write, *.edf; hypnogram and events are written beside it.")
    ] = None,
    seed: Seed = 0,
    hours: Annotated[float, typer.Option("--hours", help="Length of the night in hours.")] = 7.0,
    sfreq: Annotated[float, typer.Option("--sfreq", help="Sampling rate in Hz.")] = 256.0,
    electrodes: Annotated[
        str | None, typer.Option(help="EEG electrodes, separated by commas: Fz,C3,C4,Pz. Default: those of the AASM.")
    ] = None,
    artifacts: Annotated[
        str | None, typer.Option(help="Artifacts, separated by commas: line, ecg, sweat, movement, pop. Default: none.")
    ] = None,
    line_freq: Annotated[float, typer.Option("--line-freq", help="Power line frequency in Hz.")] = 50.0,
    spindle_density: Annotated[
        float, typer.Option(help="Spindle density in N2 and N3, relative to the default: 0 to 3.")
    ] = 1.0,
    spindle_amplitude: Annotated[
        float, typer.Option(help="Spindle amplitude, relative to the default (30 uV): 0 to 5.")
    ] = 1.0,
    slow_wave_amplitude: Annotated[
        float, typer.Option(help="Slow wave amplitude, relative to the default (80 uV): 0 to 5.")
    ] = 1.0,
    alpha: Annotated[float, typer.Option(help="Alpha amplitude, relative to the default (36 uV): 0 to 5.")] = 1.0,
    bids: Annotated[
        Path | None, typer.Option("--bids", help="Write the night to this BIDS data set, too or instead.")
    ] = None,
    subject: Annotated[str, typer.Option("--subject", help="Subject in the BIDS data set.")] = "01",
    overwrite: Overwrite = False,
) -> None:
    """Simulate a night.

    It is written as EDF+ or BIDS, with its hypnogram and its events.
    """
    from eegflex.simulation.simulate import simulate_psg

    if output is None and bids is None:
        raise ParameterError("There is no output", remedy="Name a file, night.edf, or a data set, --bids DIR")
    if output is not None:
        check_output(output, overwrite=overwrite)
    given = {"electrodes": electrodes, "artifacts": artifacts}
    lists: dict[str, Any] = {
        name: [word.strip() for word in text.split(",")] for name, text in given.items() if text is not None
    }
    night = simulate_psg(
        hours=hours,
        sfreq=sfreq,
        seed=seed,
        line_freq=line_freq,
        spindle_density=spindle_density,
        spindle_amplitude=spindle_amplitude,
        slow_wave_amplitude=slow_wave_amplitude,
        alpha=alpha,
        **lists,
    )
    files = {} if output is None else night.save(output, overwrite=overwrite)._asdict()
    if bids is not None:
        files["bids"] = night.save_bids(bids, subject=subject, overwrite=overwrite)
    for name, path in files.items():
        typer.echo(f"{name}: {path}")


def datasets(
    name: Annotated[str | None, typer.Argument(help="Data set to describe. Default: a table of all.")] = None,
    fetch: Annotated[
        str | None, typer.Option(help="Subjects to fetch, separated by commas: 0,1. Sleep-EDF only.")
    ] = None,
    study: Annotated[str, typer.Option(help="Sleep-EDF study: cassette or telemetry.")] = "cassette",
    recordings: Annotated[str | None, typer.Option(help="Nights to fetch: 1 or 1,2. Default: all.")] = None,
    path: Annotated[Path | None, typer.Option(help="Folder to download to. Default: MNE's data folder.")] = None,
) -> None:
    """List, describe or fetch public sleep data sets."""
    from eegflex import datasets as known

    if fetch is not None:
        known.check_fetchable(name)
        nights = None if recordings is None else _whole_numbers("--recordings", recordings)
        people = _whole_numbers("--fetch", fetch)
        for files in known.fetch_sleep_edf(people, study=study, recordings=nights, path=path):
            typer.echo(f"psg: {files.psg}\nhypnogram: {files.hypnogram}")
    elif name is not None:
        typer.echo(known.describe_dataset(name))
    else:
        typer.echo(known.datasets_text())


def specs(
    name: Annotated[str | None, typer.Argument(help="Spec to print as TOML. Default: a table of all.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the spec to a file, mine.toml.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """List the specs of published stagers, or print one.

    Edit a printed spec for your own network.
    """
    from eegflex.spec.published import spec_text, specs_text

    text = specs_text() if name is None else spec_text(name).rstrip()
    if output is None:
        typer.echo(text)
        return
    write_whole(output, lambda part: part.write_text(f"{text}\n", encoding="utf-8"), overwrite=overwrite)
    typer.echo(f"Spec: {output}" if name else f"Specs: {output}")


def _whole_numbers(option: str, text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ParameterError(f"{option} takes whole numbers, separated by commas", seen=text) from None
