"""What is known of many nights: a row for each recording, and means over its epochs by stage, channel and band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AGREED", "BANDS", "STAGES", "Cohort"]

#: Columns of `Cohort.stages` that are always there.
STAGES = ("recording", "stage", "n_scored", "n_predicted", "n_explained", "n_trusted", "kappa")
#: Columns of `Cohort.bands` that are always there.
BANDS = ("recording", "stage", "channel", "band", "mean", "error", "n_epochs")
#: Those that are there, too, where stager and scorer agree on any epoch.
AGREED = ("mean_agreed", "error_agreed", "n_agreed")


@dataclass(frozen=True, eq=False)
class Cohort:
    """Many recordings, each reduced to means over its own epochs. The unit is the recording.

    Attributes
    ----------
    recordings : pandas.DataFrame
        A row for each recording, also for those that failed. Its index, ``recording``, names it (``sub-01_ses-1``). Columns:
        ``subject``, ``session`` (empty where there is none), ``status`` (``"done"``, ``"failed"`` or ``"missing"``), ``error``
        and ``remedy`` (empty where nothing failed), ``kappa`` (of the stager and the scorer; NaN where nobody scored),
        ``disagreement`` (the share of epochs to which channels give different stages), ``n_epochs``, ``n_explained``,
        ``n_trusted`` (-1 where it was not evaluated), perhaps ``n_tested`` (of how many), ``seconds`` that it took, ``result``
        (the path of its file, relative to the folder), and each covariate of the source (``group``, ``age`` ...).
    stages : pandas.DataFrame
        A row for each recording and stage: epochs that were scored, predicted, explained and trusted (perhaps, too,
        ``n_tested``), and kappa of this stage against all others.
    bands : pandas.DataFrame
        A row for each recording, stage, channel and band: the mean over epochs of the attribution, its own standard error (of
        the epochs, in blocks of time, and of what is not known of each of them), in units of the score, and the number of
        epochs. Where stager and scorer agree on any there are ``mean_agreed``, ``error_agreed`` and ``n_agreed``, too: the same
        over those epochs on which both agree, for ``compare_groups(epochs="agreed")``; NaN of none.
    spectra : xarray.Dataset
        ``mean`` and ``error``, of dimensions (recording, stage, channel, freq): attribution per Hz; ``freq`` in Hz. NaN where a
        recording has no explained epoch of a stage, or has not the channel. ``mean_agreed`` is there where the columns of
        `bands` are. Its attributes have ``score`` and ``stages`` and,
        as far as they are known, what was asked: ``model``, ``target``, ``baseline``, ``context``, ``method``,
        ``sample_per_stage`` and ``simulated``. Coordinates of the channels may be ``ch_type`` and their places ``x``, ``y``
        and ``z``, in m.

    See Also
    --------
    eegflex.cohort.run_cohort : Explain many nights.
    eegflex.cohort.read_cohort : Read what is known of many nights.
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.cohort.make_cohort_report : A cohort on one page.

    Examples
    --------
    >>> from eegflex.cohort import simulate_cohort
    >>> cohort = simulate_cohort(10, seed=1)
    >>> cohort
    <Cohort | 10 recordings of 10 people, 10 done>
    >>> cohort.recordings["group"].value_counts().to_dict()
    {'patient': 5, 'control': 5}
    """

    recordings: pd.DataFrame
    stages: pd.DataFrame
    bands: pd.DataFrame
    spectra: xr.Dataset

    def __repr__(self) -> str:
        """How many recordings there are, and how many are done."""
        done = int((self.recordings["status"] == "done").sum())
        people = self.recordings["subject"].nunique()
        return f"<Cohort | {len(self.recordings)} recordings of {people} people, {done} done>"

    def plot_bands(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Plot the attribution of each band in each person, by stage.

        Parameters
        ----------
        stage : str | sequence of str | None
            Draw only these stages.
        axes : matplotlib Axes | sequence of matplotlib Axes | None
            Axes to draw into, one for each stage. By default those of a figure of its own.
        annotate : bool
            Whether to write a title and notes. They are never written into your own figure.
        show : bool
            Whether to show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            A plus raised the score, a circle lowered it; grey is within its error. Over the marks stand the median over people
            and its 95 % interval.
        """
        from eegflex.cohort import page_figures

        return page_figures.plot_bands(self, stage=stage, axes=axes, annotate=annotate, show=show)

    def plot_spectrum(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        fmax: float = 30.0,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Plot the mean attribution spectrum over people, by stage, with its interval.

        Parameters
        ----------
        stage : str | sequence of str | None
            Draw only these stages.
        fmax : float
            Highest frequency, in Hz.
        axes : matplotlib Axes | sequence of matplotlib Axes | None
            Axes to draw into, one for each stage. By default those of a figure of its own.
        annotate : bool
            Whether to write a title and notes. They are never written into your own figure.
        show : bool
            Whether to show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            Means over people and channels; black lines are their 95 % interval, from 5 people on.
        """
        from eegflex.cohort import page_figures

        return page_figures.plot_spectrum(self, stage=stage, fmax=fmax, axes=axes, annotate=annotate, show=show)

    def plot_topomap(
        self,
        *,
        stage: str | Sequence[str] | None = None,
        band: str | Sequence[str] | None = None,
        scale_by: str = "stage",
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Plot the mean over people at each electrode, by band and stage.

        Parameters
        ----------
        stage : str | sequence of str | None
            Draw only these stages.
        band : str | sequence of str | None
            Draw only these bands.
        scale_by : {"stage", "figure"}
            Whether each stage has its own colour scale, or all share one.
        axes : matplotlib Axes | sequence of matplotlib Axes | None
            Axes to draw into, one for each band and stage, row by row, the fastest band first. By default those of a figure of
            its own.
        annotate : bool
            Whether to write a title and notes. They are never written into your own figure.
        show : bool
            Whether to show the figure.

        Returns
        -------
        fig : matplotlib.figure.Figure
            Fewer than 16 sites are drawn as discs. A site is crossed out where the interval between people holds 0.
        """
        from eegflex.cohort import page_figures

        return page_figures.plot_topomap(
            self, stage=stage, band=band, scale_by=scale_by, axes=axes, annotate=annotate, show=show
        )
