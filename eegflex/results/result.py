"""The labelled result of an attribution: what was attributed to what, and how far it can be believed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.findings import Findings
from eegflex.results import summary
from eegflex.results.collapse import of_target
from eegflex.results.export_methods import ResultExports
from eegflex.results.figures import ResultFigures
from eegflex.results.layout import check_layout, described
from eegflex.results.main_findings import main_findings
from eegflex.results.means import enough
from eegflex.results.netcdf import write_dataset
from eegflex.results.paper_methods import ResultText
from eegflex.results.recordings import labels_of, provenances
from eegflex.results.subset import at_epochs, by_index, subset
from eegflex.results.table_methods import ResultTables
from eegflex.results.trust import chosen
from eegflex.results.trust_methods import ResultTrust
from eegflex.utils.arguments import checked_methods

__all__ = ["FlexResult"]


@checked_methods
class FlexResult(ResultTables, ResultTrust, ResultFigures, ResultText, ResultExports):
    """Attributions of a recording, or of several, labelled.

    Made by `eegflex.attribute_epochs`, `eegflex.read_result` and `eegflex.concatenate_results`.

    Parameters
    ----------
    dataset : xarray.Dataset
        See Notes.

    Raises
    ------
    ParameterError
        If the dataset is not laid out as a result; its numbers are not checked.

    See Also
    --------
    eegflex.attribute_epochs : Explain the stages.
    eegflex.read_result : Read a result from its file.
    eegflex.concatenate_results : Results of several recordings as one.
    eegflex.evaluate : Ask the model again whether explanations hold.
    eegflex.make_report : A result on one page.

    Notes
    -----
    ``len(result)`` is the number of explained epochs; ``result[3]``, ``result[2:5]`` and arrays of whole numbers or booleans
    choose among them by place, and `sel` chooses by name. A result is never changed: each of these returns a new one.

    The variables of `to_xarray`, with their dimensions:

    ``frequency_view`` (epoch, channel, freq)
        Attribution to each frequency, in the unit of the score. A positive value raised the score explained. Of a light result,
        to each bin of 0.1 Hz; see below.
    ``time_view`` (epoch, channel, time), ``time_frequency_view`` (epoch, channel, frame_freq, frame)
        Attribution to each sample, and to each frequency in each frame of about 2 s, if those views were asked for. All
        views of an epoch have the same sum.
    ``band_view`` (epoch, channel, band)
        In place of the frequency view where the method attributes to whole bands; beside it in a light result.
    ``context_map`` (epoch, context, channel, band)
        With ``context="scaled"``: attribution to each epoch of the window, by its offset from the target. NaN where the
        window has no such epoch. Offset 0 is the segment itself, as in the other views.
    ``window_map`` (epoch, context, channel, band)
        The same of a sample of the epochs in which the context decides, beside a fixed context: attribution to each epoch of
        the window as a whole. NaN for all other epochs. See `window_rhythms`.
    ``window_baseline_score``, ``window_gap``, ``window_error`` (epoch, channel_set)
        Of these, the score of the window of baselines, the completeness gap, and the estimated error of all of it together, in
        the unit of the score.
    ``beyond`` (epoch, channel_set)
        Of windows that moved: attribution to what reaches into the window from the rest of the night, such as the states of
        recurrent layers at its ends, which move from those of a night of baselines to the recorded ones.
    ``power`` (epoch, channel, freq)
        Power spectral density of the segment as the stager got it (after its filter), in µV²/Hz.
    ``signal`` (epoch, channel, time)
        The segment as the stager got it, in µV.
    ``scores`` (epoch, channel_set, stage_name)
        What the stager returned for the recorded epoch.
    ``replaced_scores`` (epoch, channel_set, replaced, stage_name)
        The same with the baseline in the place of nothing, of the epoch, of its context, and of both; see `decided_by`.
    ``spectral_share`` (night, share)
        Of the epochs of the night that were staged again with random phases: the probability of their stage as recorded and
        with either kind of phases, and the share of draws that keep it; see `spectral_share`. NaN of other epochs. The stage
        is the coordinate ``night_stage_share``, empty for these.
    ``path_share`` (epoch, channel_set, fraction)
        Share of the absolute band sums that arises below 1/32 and below 1/4 of the way from the baseline to the epoch; NaN for
        a method without such a path. Each stretch between them counts with the absolute total of its own band sums, so that
        what a score gains evenly on its way has shares of 1/32 and 1/4.
    ``band_error`` (epoch, channel, band)
        Estimated error of the sum over each band: of the quadrature, where it has an estimate, and of the mean over the draws
        of a baseline that is drawn at random (half of its 95 % interval).
    ``second_view``, ``second_error`` (epoch, channel, band)
        With a `second_opinion`: Shapley values of the bands, and their standard errors; NaN for epochs that were not asked
        about twice.
    ``score``, ``baseline_score`` (epoch, channel_set)
        F(x) and F(x_b), the score explained of the segment and of its baseline (the mean over its draws, if it is drawn).
    ``gap`` (epoch, channel_set)
        Completeness gap: the sum of all attributions (the context's and ``beyond`` too) less F(x) - F(x_b). NaN for a method
        whose attributions are not meant to sum to that.
    ``size`` (epoch, channel_set)
        Absolute total of the band sums of all channels of the channel set (and of the context, if it moved): what gaps and
        errors are relative to.
    ``n_gradients``, ``n_forwards``, ``window_length`` (epoch, channel_set)
        Gradient evaluations, scores without a gradient; of whole-night stagers, epochs of the window (fewer where a run ends).
    ``error`` (epoch, channel_set)
        Estimated error of the band sums of all channels, relative to their absolute total: at most ``tol`` where the adaptive
        quadrature converged, and more where the baseline is drawn at random; NaN where there is no estimate.
    ``change_error`` (epoch, channel_set)
        Of a baseline that is drawn at random: estimated error of F(x) - F(x_b) itself, half of the 95 % interval for the mean
        score of the draws and, in quadrature, the error of the attribution along their paths.
    ``predicted``, ``target`` (epoch, channel_set)
        The stage with the highest score, and the score that is explained.
    ``night_scores`` (night, channel_set, stage_name)
        Scores of every epoch of the recording, explained or not.

    With ``target="all"`` the views, ``score``, ``baseline_score`` and ``gap`` have a dimension ``target_stage`` more, the
    stages, and ``size`` is that of each stage's score less another's (its own, on the diagonal); `for_target` gives the result
    of one target.

    A result of all stages is *light*, unless it was made with ``resolution="full"``: its frequency view has sums over 0.1 Hz,
    and its time view, over 0.25 s, a dimension ``time_bin`` of its own. The coordinates ``freq_low`` and ``freq_high`` are the
    first and the last frequency of the spectrum that a bin holds, and ``freq`` is their mean; ``time_low``, ``time_high`` and
    ``time_bin`` say the same of samples. ``power`` is the mean density of a bin, and ``band_view`` has the sums of the usual
    bands, taken of every bin. Bands of your own must begin and end between bins: at multiples of 0.1 Hz. In its file a light
    result is rounded to steps that its errors justify; see `save`.

    A *channel set* is one way of connecting channels to the stager. A stager that takes all channels at once has one. A
    stager of a single EEG channel is run and explained once for each EEG channel; a channel that takes part in several
    channel sets then appears once in each, as in ``"E1-M2 (with C3-M2)"``. Its coordinate ``n_channels`` counts its
    channels, those too that were not picked.

    Coordinates of epoch: ``recording`` (its label), ``onset`` (s), ``run``, ``stage`` (the hypnogram's), ``number`` (place in
    the recording), ``edge`` (whether its window was ``inside`` the run, ``shifted`` or ``padded``) and ``filter_edge``
    (whether the edge of the run reaches into it through the preparation's filter); of channel: ``ch_name``, ``ch_type``,
    ``of_channel_set`` and the electrode's ``x``, ``y``, ``z`` (m, head coordinates).

    Examples
    --------
    >>> import eegflex
    >>> psg = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(psg.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=1, verbose="error")
    >>> len(result), result.stages
    (5, ('W', 'N1', 'N2', 'N3', 'REM'))
    >>> n2 = result.sel(stage="N2", channel="C4-M1").to_data_frame()
    >>> n2["band"].tolist()
    ['delta', 'theta', 'alpha', 'sigma', 'beta', 'below', 'above']
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        check_layout(dataset)
        self._dataset = described(dataset)

    def __repr__(self) -> str:
        return summary.as_text(self)

    def _repr_html_(self) -> str:
        return summary.as_html(self)

    def __len__(self) -> int:
        return int(self._dataset.sizes["epoch"])

    def __getitem__(self, index: Any) -> FlexResult:
        return FlexResult(enough(by_index(self._dataset, index)))

    def __iter__(self) -> Iterator[FlexResult]:
        return (self[place] for place in range(len(self)))

    def __enter__(self) -> FlexResult:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file of a result that was read with ``lazy=True``; later access opens it again."""
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
        """The stager's spec, in the sections of its TOML file."""
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
        """Sampling rate of the stager's input, in Hz."""
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
        """Frequencies in Hz, shape (n_freqs,); of a light result, the middles of its bins."""
        return self._dataset["freq"].values.copy()

    @property
    def is_sample(self) -> bool:
        """Whether only a sample of the epochs was explained."""
        asked, one = self.parameters.get("sample_per_stage"), provenances(self._dataset).values()
        return asked is not None and sum(int(own["explained"]) for own in one) < self._dataset.sizes["night"]

    @property
    def is_partial(self) -> bool:
        """Whether the attribution was stopped before all epochs were explained."""
        return any(one.get("partial", False) for one in provenances(self._dataset).values())

    def sel(
        self,
        *,
        recording: str | Sequence[str] | None = None,
        stage: str | Sequence[str] | None = None,
        channel: str | Sequence[str] | None = None,
        epoch: int | Sequence[int] | None = None,
        stage_from: str = "predicted",
        trust: str = "all",
    ) -> FlexResult:
        """Select epochs and channels by stage, recording, channel or trust.

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
        trust : {"all", "trusted"}
            Whether to take only epochs that `trust` trusts with most of their channel sets.

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
        trusted = self._dataset if trust == "all" else at_epochs(self._dataset, chosen(self._single, trust))
        found = subset(trusted, recording=recording, stage=stage, channel=channel, epoch=epoch, stage_from=stage_from)
        return FlexResult(enough(found))

    def main_findings(self, *, trust: str = "all") -> Findings:
        """The strongest evidence for and against each stage, in the words of a scorer.

        Parameters
        ----------
        trust : {"all", "trusted"}
            Whether to speak of all epochs, or of those that `trust` trusts.

        Returns
        -------
        findings : Findings
            For each predicted stage, what raised and what lowered the score explained most, the larger one first: the muscle
            EMG, all of the EOG, or a rhythm of the EEG, with the median over epochs, its 95 % interval, in how many epochs
            it did so and in how many not, and at which channels most (``"N2 for"`` and ``"N2 against"``; unknown, where nothing
            did that is told from nothing). First, where explanations were tested, how many of them are trusted (``"N2
            trust"``); where the context decided, or the epochs themselves changed the score
            by no more than the error, that (``"N2 context"``); and where waveforms or relations between channels decided, or it
            is unclear whether they did, that (``"N2 phases"``; see `spectral_share`). A stage of which fewer than 5 epochs
            were explained, or of which nothing is told from nothing, has one finding that says so (``"N2"``).

        Notes
        -----
        Attributions of an epoch are summed over the channels of a type and averaged over channel sets. Over epochs the median
        is told, which no single epoch carries. What is told has an interval, from blocks of 10 minutes, that does not hold 0
        (5 epochs have none), and is larger than the estimated error of the sums. Channels are compared over the epochs to which
        all of them gave the stage. A result of all stages speaks for the predicted one.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=3, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=8, verbose="error")
        >>> result.main_findings()["N3 for"].values["what"]
        'slow waves (delta), 0.5–4 Hz, in the EEG'
        """
        return main_findings(self, trust)

    def copy(self) -> FlexResult:
        """A copy that shares nothing with this result, and is wholly in memory.

        Returns
        -------
        result : FlexResult
            The copy.
        """
        return FlexResult(self.to_xarray())

    def for_target(self, target: str | tuple[str, str] | None = None) -> FlexResult:
        """The result of one target from a result of all stages, without running the network again.

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

    @property
    def data(self) -> xr.Dataset:
        """The labelled dataset itself. Do not change it; `to_xarray` gives a copy."""
        return self._dataset

    def to_xarray(self) -> xr.Dataset:
        """Copy of the result as a labelled dataset, wholly in memory.

        Returns
        -------
        dataset : xarray.Dataset
            Its variables are told in the notes of `eegflex.FlexResult`.
        """
        return self._dataset.copy(deep=True).load()  # a copy of what is on disk is on disk too, until it is loaded

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

        Notes
        -----
        Each variable has a ``long_name``, and each that is a number ``units``, as UDUNITS writes them; of scores and of what
        is attributed it is ``"1"``. No ``Conventions`` are claimed: CF knows neither axes of texts nor times within an epoch.

        A result with every bin is written as it is. Views and signals of a light one are written as whole numbers, with a
        variable ``*_step`` beside each: a value is ``(number - 128) * step``, with one step, a power of two, for each epoch,
        stage and channel. Sums over neighbouring bins are so within a step, which is at most a fifth of the epoch's estimated
        error (but not below a millionth of the total) and 1/10,000 of the total: of the frequency view, of all channels of a
        channel set together. Steps of signals are at most 1/2048 of a channel's largest value; powers have 14 bits. Tables of
        the usual bands are exact. What was read and is written again stays as it is; of a result that is partial nothing is
        rounded.
        """
        return write_dataset(self._dataset, fname, overwrite=overwrite)


def _as_tuple(target: Any) -> Any:
    return tuple(target) if isinstance(target, list) else target
