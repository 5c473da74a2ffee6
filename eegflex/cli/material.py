"""Commands that need no recording of one's own: simulated nights, public data sets, and contracts of published stagers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eegflex.errors import ParameterError
from eegflex.utils.files import check_output, write_whole

__all__ = ["Overwrite", "Seed", "datasets", "simulate", "specs"]

Seed = Annotated[int, typer.Option("--seed", help="Seed of what is drawn at random.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there.")]


def simulate(
    output: Annotated[
        Path | None, typer.Argument(help="The PSG to write, *.edf; its hypnogram and events go beside it.")
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
    line_freq: Annotated[float, typer.Option("--line-freq", help="Frequency of the mains in Hz.")] = 50.0,
    spindle_density: Annotated[
        float, typer.Option(help="Spindles a minute of N2 and N3, in times the usual: 0 to 3.")
    ] = 1.0,
    spindle_amplitude: Annotated[
        float, typer.Option(help="Amplitude of spindles, in times the usual (30 uV): 0 to 5.")
    ] = 1.0,
    slow_wave_amplitude: Annotated[
        float, typer.Option(help="Amplitude of slow waves, in times the usual (80 uV): 0 to 5.")
    ] = 1.0,
    alpha: Annotated[
        float, typer.Option(help="Amplitude of the alpha rhythm, in times the usual (36 uV): 0 to 5.")
    ] = 1.0,
    bids: Annotated[
        Path | None, typer.Option("--bids", help="A BIDS data set to write the night into, besides or instead.")
    ] = None,
    subject: Annotated[str, typer.Option("--subject", help="Whose night it is in the BIDS data set.")] = "01",
    overwrite: Overwrite = False,
) -> None:
    """Simulate a night and write it as EDF+ or BIDS, with its hypnogram and the events that are in it."""
    from eegflex.simulation.simulate import simulate_psg

    if output is None and bids is None:
        raise ParameterError("There is nothing to write to", remedy="Name a file, night.edf, or a data set, --bids DIR")
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
    name: Annotated[str | None, typer.Argument(help="One of them: its card. Default: a table of all.")] = None,
    fetch: Annotated[
        str | None, typer.Option(help="Subjects to fetch, separated by commas: 0,1. Sleep-EDF only.")
    ] = None,
    study: Annotated[str, typer.Option(help="Of Sleep-EDF: cassette or telemetry.")] = "cassette",
    recordings: Annotated[str | None, typer.Option(help="Nights to fetch: 1 or 1,2. Default: those there are.")] = None,
    path: Annotated[Path | None, typer.Option(help="Where to keep them. Default: MNE's folder of data.")] = None,
) -> None:
    """List public data sets of sleep, show the card of one, or fetch recordings of Sleep-EDF."""
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
    name: Annotated[str | None, typer.Argument(help="One of them: its TOML. Default: a table of all.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to a file, mine.toml.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """List the contracts of published stagers, or print one: to read, or to change for a network of yours."""
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
