"""The command of many recordings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from eegflex.cli.options import CohortReadingOptions, LoadingOptions, takes
from eegflex.cohort_settings import CohortAttribution, CohortSettings
from eegflex.errors import ParameterError

__all__ = ["cohort"]


@takes(running=CohortSettings, loading=LoadingOptions, reading=CohortReadingOptions, asking=CohortAttribution)
def cohort(
    running: CohortSettings,
    loading: LoadingOptions,
    reading: CohortReadingOptions,
    asking: CohortAttribution,
    source: Annotated[
        str | None,
        typer.Argument(
            help="A BIDS data set, a folder (with --profile), a pattern such as 'nights/*.edf', or a table, *.csv or *.tsv, "
            "with the columns recording, hypnogram, subject, session and any covariates.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The output folder.", show_default=False)
    ] = None,
    status: Annotated[
        Path | None, typer.Option("--status", help="Show the progress of the run in this folder.", show_default=False)
    ] = None,
) -> None:
    """Stage and explain all recordings of a cohort.

    Run it again to continue an interrupted run.
    """
    from eegflex.cohort import cohort_status, run_cohort

    if status is not None:
        typer.echo(cohort_status(status))
        return
    if source is None or output is None:
        raise ParameterError(
            "A cohort needs a source and a folder", remedy="eegflex cohort SOURCE --model MODEL -o FOLDER"
        )
    attribution = {
        one.name: getattr(asking, one.name) for one in dataclasses.fields(asking) if one.metadata.get("shell", True)
    }
    attribution["sample_per_stage"] = asking.sample_per_stage or 0  # None is all by now, and the default to run_cohort
    how = {"spec": loading.spec, "weights": loading.weights, "trusted": loading.trusted}
    asked: dict[str, Any] = vars(running) | how | reading.asked() | attribution
    found = run_cohort(source, loading.named(), output, **asked)
    typer.echo(found)
    for name, row in found.recordings[found.recordings["status"] == "failed"].iterrows():
        typer.echo(f"  {name}: {row['error']}. {row['remedy']}.", err=True)
    typer.echo(f"Tables: {output.resolve() / 'tables'}")
