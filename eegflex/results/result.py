"""The labelled result of an attribution: what was attributed to what, and how far it can be believed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import summary, tables
from eegflex.results.band_table import band_table
from eegflex.results.collapse import facts, of_target
from eegflex.results.decided import decided_by, within_error
from eegflex.results.figures import ResultFigures
from eegflex.results.layout import check_layout
from eegflex.results.netcdf import write_dataset
from eegflex.results.recordings import labels_of, provenances
from eegflex.results.select import as_bands, as_list
from eegflex.results.subset import by_index, subset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FlexResult"]


class FlexResult(ResultFigures):
    """Attributions of a recording, or of several, labelled.

    Made by `eegflex.attribute_epochs`, `eegflex.read_result` and `eegflex.concatenate_results`.

    Parameters
    ----------
    dataset : xarray.Dataset
        See Notes.

    Raises
    ------
    ParameterError
        If the dataset is not laid out as a result; its numbers are not looked at.

    Notes
    -----
    ``len(result)`` is the number of explained epochs; ``result[3]``, ``result[2:5]`` and arrays of whole numbers or booleans
    choose among them by place, and `sel` chooses by name. A result is never changed: each of these returns a new one.

    The variables of `to_xarray`, with their dimensions:

    ``frequency_view`` (epoch, channel, freq)
        Attribution to each frequency, in the unit of the score. A positive value raised the score explained.
    ``time_view`` (epoch, channel, time), ``time_frequency_view`` (epoch, channel, frame_freq, frame)
        Attribution to each sample, and to each frequency in each frame of about 2 s, if those views were asked for. All
        views of an epoch have the same sum.
    ``band_view`` (epoch, channel, band)
        In place of the frequency view where the method attributes to whole bands.
    ``context_map`` (epoch, context, channel, band)
        With ``context="scaled"``: attribution to each epoch of the window, by its offset from the target. NaN where the
        window has no such epoch. Offset 0 is the segment itself, as in the other views.
    ``power`` (epoch, channel, freq)
        Power spectral density of the segment as the stager got it (after its filter), in µV²/Hz.
    ``signal`` (epoch, channel, time)
        The segment as the stager got it, in µV.
    ``scores`` (epoch, channel_set, stage_name)
        What the stager returned for the recorded epoch.
    ``score``, ``baseline_score`` (epoch, channel_set)
        F(x) and F(x_b), the score explained of the segment and of its baseline.
    ``gap`` (epoch, channel_set)
        Completeness gap: the sum of all attributions (the context's too) less F(x) - F(x_b). NaN for a method whose
        attributions are not meant to sum to that.
    ``size`` (epoch, channel_set)
        Absolute total of the band sums of all channels of the channel set (and of the context, if it moved): what gaps and
        errors are relative to.
    ``n_gradients``, ``n_forwards`` (epoch, channel_set)
        Gradient evaluations spent, and scores without a gradient.
    ``error`` (epoch, channel_set)
        Estimated error of the band sums of all channels, relative to their absolute total: at most ``tol`` where the adaptive
        quadrature converged; NaN where there is no estimate.
    ``predicted``, ``target`` (epoch, channel_set)
        The stage with the highest score, and the score that is explained.
    ``night_scores`` (night, channel_set, stage_name)
        Scores of every epoch of the recording, explained or not.

    With ``target="all"`` the views, ``score``, ``baseline_score`` and ``gap`` have a dimension ``target_stage`` more, the
    stages, and ``size`` is that of each stage's score less another's (its own, on the diagonal); `for_target` gives the result
    of one target.

    A *channel set* is one way of connecting channels to the stager. A stager that takes all channels at once has one. A
    stager of a single EEG channel is run and explained once for each EEG channel; a channel that takes part in several
    channel sets then appears once in each, as in ``"E1-M2 (with C3-M2)"``. Its coordinate ``n_channels`` counts its
    channels, those too that were not picked.

    Coordinates of epoch: ``recording`` (its label), ``onset`` (s), ``run``, ``stage`` (the hypnogram's), ``number`` (place in
    the recording), ``edge`` (whether its window was ``inside`` the run, ``shifted`` or ``padded``) and ``filter_edge``
    (whether the edge of the run reaches into it through the preparation's filter); of channel: ``ch_name``, ``ch_type``,
    ``of_channel_set`` and the electrode's ``x``, ``y``, ``z`` (m, head coordinates).
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        check_layout(dataset)
        self._dataset = dataset

    def __repr__(self) -> str:
        return summary.as_text(self)

    def _repr_html_(self) -> str:
        return summary.as_html(self)

    def __len__(self) -> int:
        return int(self._dataset.sizes["epoch"])

    def __getitem__(self, index: Any) -> FlexResult:
        return FlexResult(by_index(self._dataset, index))

    def __iter__(self) -> Iterator[FlexResult]:
        return (self[place] for place in range(len(self)))

    def __enter__(self) -> FlexResult:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file of a result that was read with ``lazy=True``; whatever is asked for later opens it again."""
        self._dataset.close()

    @property
    def _single(self) -> xr.Dataset:
        return self.for_target()._dataset

    @property
    def model(self) -> str:
        """Name of the stager."""
        return str(self.spec["model"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        """The stager's contract, in the sections of its TOML file."""
        return dict(json.loads(self._dataset.attrs["spec"]))

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments of the attribution."""
        return dict(json.loads(self._dataset.attrs["parameters"]))

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, notes on the recording, and hashes: of its content, of what the stager was given, and of the model.

        Of several recordings, ``"recordings"`` holds that of each by its label.
        """
        return dict(json.loads(self._dataset.attrs["provenance"]))

    @property
    def recordings(self) -> tuple[str, ...]:
        """Labels of the recordings: those that were given, else ``"recording "`` and a hash of their content."""
        return labels_of(self._dataset)

    @property
    def sfreq(self) -> float:
        """Sampling rate of what the stager was given, in Hz."""
        return float(self._dataset.attrs["sfreq"])

    @property
    def stages(self) -> tuple[str, ...]:
        """The stager's stages."""
        return tuple(map(str, self._dataset["stage_name"].values.tolist()))

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Names of the channels of the attributions."""
        return tuple(map(str, self._dataset["channel"].values.tolist()))

    @property
    def freqs(self) -> npt.NDArray[np.float64]:
        """Frequencies in Hz, shape (n_freqs,)."""
        return self._dataset["freq"].values.copy()

    @property
    def is_sample(self) -> bool:
        """Whether only a sample of the epochs was explained."""
        return self.parameters.get("sample_per_stage") is not None

    @property
    def is_partial(self) -> bool:
        """Whether the attribution was stopped before all epochs were explained."""
        return any(one.get("partial", False) for one in provenances(self._dataset).values())

    def counts(self) -> dict[str, int]:
        """How many epochs there are of each predicted stage, by the most confident channel set."""
        predicted = tables.epoch_stages(self._dataset, "predicted")
        return {stage: int((predicted == stage).sum()) for stage in self.stages if (predicted == stage).any()}

    def sel(
        self,
        *,
        recording: str | Sequence[str] | None = None,
        stage: str | Sequence[str] | None = None,
        channel: str | Sequence[str] | None = None,
        epoch: int | Sequence[int] | None = None,
        stage_from: str = "predicted",
    ) -> FlexResult:
        """Choose epochs and channels by what they are of.

        Parameters
        ----------
        recording : str | sequence of str | None
            Labels of recordings.
        stage : str | sequence of str | None
            Stages of epochs. Where several channel sets staged an epoch differently, its stage is that of the most confident
            of them, whatever channels are chosen.
        channel : str | sequence of str | None
            Channel names, labels (such as ``"E1-M2 (with C3-M2)"``), types, or ``"all"``. A channel set goes with its last
            channel. Of the others, scores, `relative_gap` and the estimated error remain those of the channel set with all
            of its channels: the sum of what is left is only a part of F(x) - F(x_b).
        epoch : int | sequence of int | None
            Numbers of epochs, their places in the recording.
        stage_from : {"predicted", "scored", "target"}
            Whether a stage is the stager's, the hypnogram's, or the score that was explained.

        Returns
        -------
        result : FlexResult
            A new result of what is all that was asked for.

        Raises
        ------
        ParameterError
            If a recording, stage or epoch is not there, nothing is all that was asked for, or epochs are chosen by number in
            several recordings.
        ChannelError
            If there is no such channel.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
        >>> result.counts()
        {'W': 2, 'N1': 2, 'N2': 2, 'N3': 2, 'REM': 2}
        >>> result.sel(stage=["N2", "N3"], channel="eeg").counts()
        {'N2': 2, 'N3': 2}
        >>> len(result), len(result[2:5])
        (10, 3)
        """
        chosen = subset(
            self._dataset, recording=recording, stage=stage, channel=channel, epoch=epoch, stage_from=stage_from
        )
        return FlexResult(chosen)

    def copy(self) -> FlexResult:
        """A copy that shares nothing with this result, and is wholly in memory."""
        return FlexResult(self.to_xarray())

    def for_target(self, target: str | tuple[str, str] | None = None) -> FlexResult:
        """The result of one target, of a result of all stages; without a further pass through the network.

        Attributions are linear in the score, so that a margin's are the difference of two stages'.

        Parameters
        ----------
        target : str | tuple of (str, str) | None
            As in `eegflex.attribute_epochs`. By default the target that was asked for, or, of a result of all stages, the
            predicted: that is what tables and figures of such a result show.

        Returns
        -------
        result : FlexResult
            The same result if it has that target already.

        Raises
        ------
        ParameterError
            If the result is of another target.
        """
        own = self.parameters["target"]
        if own != "all":
            if target is None or _as_tuple(target) == _as_tuple(own):
                return self
            raise ParameterError(
                "This result explains another target", seen=target, allowed=own, remedy="Attribute with target='all'"
            )
        if target == "all":
            return self
        return FlexResult(of_target(self._dataset, "predicted" if target is None else target))

    def relative_gap(self) -> npt.NDArray[np.float64]:
        """Completeness gap relative to the absolute total of the band sums, shape (n_epochs, n_channel_sets).

        Both are of all channels of a channel set, whichever were chosen with `sel`.
        """
        return tables.relative_gap(facts(self._dataset))

    @property
    def data(self) -> xr.Dataset:
        """The labelled dataset itself, to be read and not to be changed; `to_xarray` gives a copy."""
        return self._dataset

    def to_xarray(self) -> xr.Dataset:
        """Copy of the result as a labelled dataset, wholly in memory."""
        return self._dataset.copy(deep=True).load()  # a copy of what is on disk is on disk too, until it is loaded

    def to_data_frame(self, bands: Bands | Mapping[str, tuple[float, float]] | None = None) -> pd.DataFrame:
        """One row for each epoch, channel and band.

        Parameters
        ----------
        bands : Bands | mapping | None
            Frequency bands; by default those of `Bands`.

        Returns
        -------
        table : pandas.DataFrame
            Columns recording (its label), number (place in it), onset (s), stage (scored), predicted, target, channel, band,
            attribution, power (µV²), score and baseline_score (F(x) and F(x_b) of the channel's channel set).
        """
        return tables.long_table(self._single, as_bands(bands))

    def band_table(
        self,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        *,
        by: str | Sequence[str] = ("stage", "channel"),
        stage_from: str = "predicted",
        statistic: str = "mean",
    ) -> pd.DataFrame:
        """What each band did to the score, over epochs.

        Parameters
        ----------
        bands : Bands | mapping | None
            Frequency bands; by default those of `Bands`.
        by : str | sequence of str
            What to group epochs by: any of ``"stage"``, ``"channel"``, ``"epoch"`` (its number in the recording) and
            ``"recording"``, in the order of the table's index.
        stage_from : {"predicted", "scored", "target"}
            Whether ``"stage"`` is the stager's, the hypnogram's, or the score that was explained.
        statistic : {"mean", "median", "sd", "ci_low", "ci_high", "all"}
            What to tell of the epochs of a group: their mean, median, standard deviation, or the ends of a 95 % interval for
            the mean.

        Returns
        -------
        table : pandas.DataFrame
            One row a group; one column a band, then ``rest``, ``total`` (their sum) and ``n_epochs``, in the unit of the
            score. With ``statistic="all"`` one row for each group and band, and one column for each statistic.

        Raises
        ------
        ParameterError
            If an argument is not one of its choices, or epochs of several recordings are to be told apart by number alone.

        Notes
        -----
        The unit is the epoch: ``n_epochs`` counts epochs, and spread and interval are over them. Within an epoch, where the
        table is not by channel, attributions are *summed* over the channels that the stager takes at once, for they are parts
        of one score, and *averaged* over channel sets, each of which explains the score anew; by stage, over those that gave
        the epoch that stage. So ``total`` is then the mean of F(x) - F(x_b), but for the completeness gap and, with
        ``context="scaled"``, for the context's part; by channel it is the channel's part of that.

        The interval takes a *bout*, explained epochs that follow each other in one stage, as one observation, since epochs in
        a row are alike: the jackknife over bouts, with Student's interval corrected for skewness (Hall, 1992). Of single
        epochs drawn at random, as ``sample_per_stage`` does, nearly every one is a bout of its own. It is NaN where there is
        only one bout. It speaks of more epochs like those of these recordings, not of other nights or people, and it is
        still too narrow where whole stretches of the night differ. In simulations it held the true mean in 88 to 96 %.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=4, verbose="error")
        >>> result.band_table(by="stage").reset_index()[["stage", "delta", "sigma", "total", "n_epochs"]].round(1)
          stage  delta  sigma  total  n_epochs
        0     W   -5.2    2.2   21.7         4
        1    N1   -8.3   -0.9   -5.6         4
        2    N2    4.2    1.7    3.9         4
        3    N3   24.8   -0.3   19.4         4
        4   REM   -1.7   -1.1   -3.7         4
        >>> result.sel(stage="N2").band_table(by="stage", statistic="all").reset_index().round(1)[3:5]
          stage   band  mean  median   sd  ci_low  ci_high  n_epochs
        3    N2  sigma   1.7     2.0  0.8    -2.9      2.6         4
        4    N2   beta  -1.0    -1.0  0.2    -1.3     -0.6         4
        """
        return band_table(self._single, as_bands(bands), by=as_list(by), stage_from=stage_from, statistic=statistic)

    def decided_by(self) -> pd.DataFrame:
        """What decided on the stages: the epochs themselves, or the context that the stager sees beside them.

        Returns
        -------
        table : pandas.DataFrame
            One row for each predicted stage, with medians over its epochs: ``p``, the probability of that stage as recorded;
            ``p_replaced``, the same with the baseline in the place of the epoch and its context as recorded; ``change`` of the
            score explained by that, F(x) - F(x_b), and the ``error`` of its attribution; ``context_share``, how much of the
            change to a window of baselines the context made (NaN for a stager without context). Then, of ``n_epochs``, in how
            many the change exceeds its error: ``n_explained``. What the others did is not told from nothing.

        Raises
        ------
        ParameterError
            If the result does not hold what this takes.

        Notes
        -----
        The context share is exact: the epoch and its context are two players, four forward passes score the window with each
        of them as recorded or at its baseline, and their Shapley values sum to the whole change (Shapley 1953). For a stager
        of whole nights the context is the rest of the night, which is staged once more with baselines for epochs. Within an
        epoch, channel sets are averaged.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=3, verbose="error")
        >>> result.decided_by()[["n_explained", "n_epochs"]].sum().tolist()
        [15, 15]
        """
        return decided_by(self._single)

    @property
    def within_error(self) -> npt.NDArray[np.bool_]:
        """Epochs whose change of the score is within the attribution's error, shape (n_epochs, n_channel_sets).

        Their attribution does not tell what they did from nothing.
        """
        return within_error(self._single)

    def save(self, fname: str | Path, *, overwrite: bool = False) -> Path:
        """Write the result to a netCDF file.

        Parameters
        ----------
        fname : path-like
            The file, ``*.nc``.
        overwrite : bool
            Whether a file of that name may be replaced.

        Returns
        -------
        fname : Path
            The file.

        Raises
        ------
        ParameterError
            If the name has another suffix; it says what writes that format.
        OutputError
            If the file is there already, or cannot be written. Nothing half-written is left.
        """
        return write_dataset(self._dataset, fname, overwrite=overwrite)


def _as_tuple(target: Any) -> Any:
    return tuple(target) if isinstance(target, list) else target
