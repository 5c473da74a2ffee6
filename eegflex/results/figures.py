"""The figures of a result, as its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from eegflex.utils.arguments import checked_methods

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.bands import Bands
    from eegflex.results.result import FlexResult

__all__ = ["ResultFigures"]


@checked_methods
class ResultFigures:
    """The figures of a result. Each method is the function of its name in `eegflex.viz`, where its arguments are explained."""

    def plot_spectrum(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        picks: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        stage_from: str = "predicted",
        trust: str = "all",
        fmax: float = 30.0,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Attribution spectrum of each stage; see `eegflex.viz.plot_spectrum`."""
        from eegflex.viz import plot_spectrum

        return plot_spectrum(
            cast("FlexResult", self),
            stage=stage,
            picks=picks,
            bands=bands,
            stage_from=stage_from,
            trust=trust,
            fmax=fmax,
            axes=axes,
            annotate=annotate,
            show=show,
        )

    def plot_bands(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        picks: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        stage_from: str = "predicted",
        trust: str = "all",
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Bands by stages; see `eegflex.viz.plot_bands`."""
        from eegflex.viz import plot_bands

        return plot_bands(
            cast("FlexResult", self),
            stage=stage,
            picks=picks,
            bands=bands,
            stage_from=stage_from,
            trust=trust,
            axes=axes,
            annotate=annotate,
            show=show,
        )

    def plot_topomap(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        band: str | Sequence[str] | None = None,
        picks: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        stage_from: str = "predicted",
        trust: str = "all",
        scale_by: str = "stage",
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Topography of bands; see `eegflex.viz.plot_topomap`."""
        from eegflex.viz import plot_topomap

        return plot_topomap(
            cast("FlexResult", self),
            stage=stage,
            band=band,
            picks=picks,
            bands=bands,
            stage_from=stage_from,
            trust=trust,
            scale_by=scale_by,
            axes=axes,
            annotate=annotate,
            show=show,
        )

    def plot_context(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        picks: str | Sequence[str] | None = None,
        stage_from: str = "predicted",
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """The epochs around an epoch; see `eegflex.viz.plot_context`."""
        from eegflex.viz import plot_context

        return plot_context(
            cast("FlexResult", self),
            stage=stage,
            picks=picks,
            stage_from=stage_from,
            axes=axes,
            annotate=annotate,
            show=show,
        )

    def plot_confusion(
        self,
        *,
        picks: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """How often each stage was taken for each, and why; see `eegflex.viz.plot_confusion`."""
        from eegflex.viz import plot_confusion

        return plot_confusion(
            cast("FlexResult", self), picks=picks, bands=bands, axes=axes, annotate=annotate, show=show
        )

    def plot_night(
        self,
        *,
        recording: str | None = None,
        began: str | None = None,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """The night; see `eegflex.viz.plot_night`."""
        from eegflex.viz import plot_night

        return plot_night(
            cast("FlexResult", self), recording=recording, began=began, axes=axes, annotate=annotate, show=show
        )

    def plot_epoch(
        self,
        number: int | None = None,
        *,
        recording: str | None = None,
        stage: str | None = None,
        channel: str | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """One epoch; see `eegflex.viz.plot_epoch`."""
        from eegflex.viz import plot_epoch

        return plot_epoch(
            cast("FlexResult", self),
            number,
            recording=recording,
            stage=stage,
            channel=channel,
            bands=bands,
            axes=axes,
            annotate=annotate,
            show=show,
        )

    def plot_examples(
        self,
        *,
        numbers: Sequence[int] | None = None,
        recording: str | None = None,
        stage: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """A typical epoch of each stage, or some of your choice; see `eegflex.viz.plot_examples`."""
        from eegflex.viz import plot_examples

        return plot_examples(
            cast("FlexResult", self),
            numbers=numbers,
            recording=recording,
            stage=stage,
            bands=bands,
            axes=axes,
            annotate=annotate,
            show=show,
        )

    def plot_completeness(
        self, *, axes: Axes | Sequence[Axes] | None = None, annotate: bool = True, show: bool = True
    ) -> Figure:
        """How far the attributions add up; see `eegflex.viz.plot_completeness`."""
        from eegflex.viz import plot_completeness

        return plot_completeness(cast("FlexResult", self), axes=axes, annotate=annotate, show=show)

    def add_to_report(
        self, report: mne.Report, *, section: str | None = "Attribution", epochs_per_stage: int = 1
    ) -> None:
        """Put the figures into a report of MNE's, which has others already; `eegflex.make_report` makes one of its own.

        Parameters
        ----------
        report : mne.Report
            The report; it gets figures, and is not saved.
        section : str | None
            Title of the section that they stand in.
        epochs_per_stage : int
            How many epoch cards to put in of each stage.

        Raises
        ------
        ParameterError
            If the result is of several recordings, or `epochs_per_stage` is not a number of epochs.
        """
        from eegflex.report.build import add_to_report

        add_to_report(cast("FlexResult", self), report, section=section, epochs_per_stage=epochs_per_stage)
