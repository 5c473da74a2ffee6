"""The tables of a result, as its methods."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.band_table import band_table
from eegflex.results.collapse import facts
from eegflex.results.decided import baseline_stages, decided_by, within_error
from eegflex.results.marks import cell_columns
from eegflex.results.means import refuse_single
from eegflex.results.second_opinion import second_opinion
from eegflex.results.select import as_bands, as_list
from eegflex.results.spectral_share import spectral_share
from eegflex.results.subset import at_epochs
from eegflex.results.trust import chosen, judge
from eegflex.results.window_rhythms import window_rhythms
from eegflex.review import queue_of
from eegflex.utils.arguments import checked_methods

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ResultTables"]


@checked_methods
class ResultTables:
    """The tables of a result, and what is counted in them."""

    @property
    @abstractmethod
    def stages(self) -> tuple[str, ...]:
        """The stager's stages."""

    @property
    @abstractmethod
    def data(self) -> xr.Dataset:
        """The labelled dataset itself."""

    @property
    @abstractmethod
    def _single(self) -> xr.Dataset:
        """The dataset of one target."""

    def counts(self) -> dict[str, int]:
        """How many epochs there are of each predicted stage, by the most confident channel set.

        Returns
        -------
        counts : dict of str to int
            Stage -> epochs, in the order of the stager's stages.
        """
        predicted = tables.epoch_stages(self.data, "predicted")
        return {stage: int((predicted == stage).sum()) for stage in self.stages if (predicted == stage).any()}

    def relative_gap(self) -> npt.NDArray[np.float64]:
        """Completeness gap relative to the absolute total of the band sums, shape (n_epochs, n_channel_sets).

        Both are of all channels of a channel set, whichever were chosen with `sel`.
        """
        return tables.relative_gap(facts(self.data))

    def review_queue(self, *, hypnogram: bool = True, trust: pd.DataFrame | None = None) -> pd.DataFrame:
        """All epochs of its nights in the order in which a scorer should look at them; see `eegflex.review.review_queue`.

        A result knows no members of an ensemble: `StagedNight.review_queue` asks them.
        """
        return queue_of(tables.night_answers(self.data), hypnogram=hypnogram, trust=trust)

    def _bands(self, bands: Bands | Mapping[str, tuple[float, float]] | None) -> Bands:
        return as_bands(Bands() if bands is None else bands, self.data)

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
            attribution, error (the estimated error of the attribution, in its unit; NaN without an estimate), within_error
            (whether the attribution is within it), explained (False where the whole change of the score by the epoch, with the
            channel's channel set, is within the error of its attribution), trust (the verdict of `trust` on the epoch with that
            channel set), power (µV²), score and baseline_score (F(x) and
            F(x_b) of the channel's channel set).

        Notes
        -----
        Errors are estimated for the bands of `Bands`. That of another band is the sum over all of these that it shares a
        frequency with.
        """
        refuse_single(self.data, "a data frame")
        single, wanted = self._single, self._bands(bands)
        verdict = judge(single).verdict[:, single["of_channel_set"].values]
        return tables.long_table(single, wanted, **cell_columns(single, wanted), trust=verdict)

    def band_table(
        self,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        *,
        by: str | Sequence[str] = ("stage", "channel"),
        stage_from: str = "predicted",
        statistic: str = "mean",
        trust: str = "all",
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
        statistic : {"mean", "median", "sd", "q25", "q75", "min", "max", "ci_low", "ci_high", "error", "within_error", "all"}
            What to tell of the epochs of a group: their mean, median, standard deviation, quartiles, smallest and largest
            value, the ends of a 95 % interval for the mean, the mean's error as an attribution, or whether the mean, or the
            whole interval, is within that error.
        trust : {"all", "trusted"}
            Which epochs to take: all, or those that `trust` trusts with most of their channel sets. What is trusted is no
            random sample of a stage: see there.

        Returns
        -------
        table : pandas.DataFrame
            One row a group; one column a band, then ``below`` and ``above`` (and
            ``between``, if the bands leave a gap), ``total`` (their sum) and ``n_epochs``, in the unit of the
            score. With ``statistic="all"`` one row for each group and band, and one column for each statistic. Where waveforms
            decide a predicted stage, or relations between channels, or may do so, a column ``decided_by`` says what decides
            each stage, as `spectral_share` has it: no sum over bands tells of such a stage what decided it. Where explanations
            were tested, a column ``n_trusted`` counts the epochs among ``n_epochs`` that are trusted.

        Raises
        ------
        ParameterError
            If an argument is not one of its choices, or epochs of several recordings are to be told apart by number alone.

        Notes
        -----
        The unit is the epoch: ``n_epochs`` counts epochs, and spread and interval are over them. Within an epoch, where the
        table is not by channel, attributions are *summed* over the channels that the stager takes at once, for they are parts
        of one score, and *averaged* over channel sets, each of which explains the score anew. By stage an epoch is counted
        once: ``"predicted"`` is that of its most confident channel set. With ``target="predicted"`` a channel set that
        predicts another stage explains another score; the average is over those that explain the stage of the row, and an
        epoch of which none does, such as by ``"scored"`` one that was mistaken, is in no row. A named stage or a margin is one
        score for all, and then all are taken. So ``total`` is then the mean of F(x) - F(x_b), but for the completeness gap
        and, with ``context="scaled"``, for the context's part; by channel it is the channel's part of that.

        Channels of several channel sets are compared by stage over the same epochs: those of which all channels explain the
        stage. How many other epochs the stage has is in a column ``n_left_out``: both together are the epochs of the stage.

        Of a sample with ``sample_per_stage``, in which rare stages are as frequent as others, a table that is not by predicted
        stage weighs each stage as it is in the night that the stager staged, so that it tells of the night. Of several
        recordings, every table weighs each epoch by how many of its stage and its own night it stands for, as if all epochs
        of all nights were explained: a recording counts by its epochs. For recordings that count the same, take the table by
        recording and average it. It cannot weigh, and says so, where the sample was drawn from a selection.

        ``error`` is about the numbers of these epochs, not about others like them: by how much the quadrature, and the draws of
        a baseline that is drawn at random, may have missed their mean. Errors of channels are added as they are; those of
        epochs as variances are, for they are nearly independent, but for a fifth of them, which may have the same sign in all.
        Of 40 epochs of a trained network held against 360 nodes, that covered the true error in 98 to 100 % of means over 4 to
        40 epochs; as if all had the same sign, it would be 2 to 4 times larger.

        The interval takes the epochs of 10 minutes as one observation, since neighbours are alike: the jackknife over such
        blocks, with Student's interval corrected for skewness (Hall, 1992). It is NaN where there is only one block,
        and with ``precision="mean"`` where a few epochs carry the means of the stage (fewer than half of the root of their
        number, in the middle of channels and bands): none would hold these as often as it should. It speaks of more epochs
        like those of these recordings, not of other nights or people, and it is still too narrow where whole
        stretches of the night differ. In simulations it held the true mean in 90 to 95 % of nights in which the correlation of
        neighbours was up to 0.8, and in 81 to 91 % where it was 0.95.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=4, verbose="error")
        >>> result.band_table(by="stage").reset_index()[["stage", "delta", "total", "n_epochs"]].round(1)
          stage  delta  total  n_epochs
        0     W    1.5   15.7         4
        1    N1    1.2    1.7         4
        2    N2    1.3    1.8         4
        3    N3    6.0    7.1         4
        4   REM    3.3    8.8         4
        >>> told = result.sel(stage="N2").band_table(by="stage", statistic="all").reset_index().round(1)
        >>> told[["stage", "band", "mean", "median", "min", "max", "ci_low", "ci_high", "n_epochs"]][3:4]
          stage   band  mean  median  min  max  ci_low  ci_high  n_epochs
        3    N2  sigma   0.4     0.7 -0.7  1.1    -7.2      1.9         4
        """
        places = chosen(self._single, trust)
        single = self._single if trust == "all" else at_epochs(self._single, places)
        return band_table(single, self._bands(bands), by=as_list(by), stage_from=stage_from, statistic=statistic)

    def decided_by(self) -> pd.DataFrame:
        """What decided on the stages: the epochs themselves, or the context that the stager sees beside them.

        Returns
        -------
        table : pandas.DataFrame
            One row for each predicted stage, with medians over its epochs: ``p``, the probability of that stage as recorded;
            ``p_replaced``, the same with the baseline in the place of the epoch and its context as recorded; ``change`` of the
            score explained by that, F(x) - F(x_b), and the ``error`` of its attribution; ``context_share``, how much of the
            change to a window of baselines the context made (NaN for a stager without context); ``below_1/32``, the share of
            the absolute band sums that arises below 1/32 of the way from the baseline (NaN for a method without a path): above
            one half, they say what happens near the baseline more than what the epoch is. Then, of ``n_epochs``, in how many
            the change exceeds its error: ``n_explained``. What the others did is not told from nothing. And of the epochs of
            the night, if it was staged again with random phases, ``agreement_joint`` and ``decided_by``, as `spectral_share`
            has them: whether spectra decide, relations between channels, or waveforms, which no sum over bands tells.

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

    def baseline_stages(self) -> pd.DataFrame:
        """What stages the model makes of the baseline: no epoch is without one, and an ordinary one may be N3.

        Returns
        -------
        table : pandas.DataFrame
            One row for each of the stager's stages. ``epoch``: of all epochs explained, and channel sets, in what share the
            baseline, in the place of the epoch and with its context as recorded, is called this stage. ``both``: the same with
            the context at its baseline too; NaN for a stager without context.

        Raises
        ------
        ParameterError
            If the result does not hold what this takes.

        Notes
        -----
        What an epoch has beyond a baseline that is called its own stage already explains how sure the model is of it, and not
        why it is this stage.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=3, verbose="error")
        >>> result.baseline_stages()["epoch"].idxmax()
        'N2'
        """
        return baseline_stages(self.data)

    def spectral_share(self) -> pd.DataFrame:
        """Whether the stager reads spectra or waveforms, by stage: what is left of each with random phases.

        Returns
        -------
        table : pandas.DataFrame
            One row for each predicted stage of the night, explained or not, as `StagedNight.spectral_share` has it: epochs of
            several recordings are together, and ``result.sel(recording=...)`` has those of one. ``table.attrs`` says
            ``n_draws`` (of several recordings the fewest) and ``n_epochs``, of how many epochs.

        Raises
        ------
        ParameterError
            If the result was made with ``spectral_share=0`` or by hand, or the model failed on such signals.

        Notes
        -----
        `eegflex.attribute_epochs` stages the night again as often as its ``spectral_share`` asks, but for no more than about a
        fifth of what the explanation costs: else a sample of 40 epochs of each predicted stage, from all over the night and
        whatever was selected, each among neighbours with random phases; fewer times; and once at least. A stager of whole
        nights is given the whole night. Channels that were chosen with `sel` change nothing: the stages are those of the
        stager with all of them.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=2, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
        >>> result.spectral_share()["decided_by"].to_dict()
        {'W': 'spectrum', 'N1': 'unclear', 'N2': 'spectrum', 'N3': 'spectrum', 'REM': 'spectrum'}
        """
        return spectral_share(self.data)

    def second_opinion(self) -> pd.DataFrame:
        """How far the attributions agree with those of another way, which takes no path: Shapley values of the bands.

        Returns
        -------
        table : pandas.DataFrame
            One row for each channel set and epoch that was asked about twice: ``disagreement``, the sum of the absolute
            differences over all bands and channels, relative to the absolute total of the band sums; ``error``, the sum of the
            second opinion's standard errors, relative to the same; ``rank_correlation`` of both (Spearman's); and
            ``same_sign``, the share of the three largest band sums to which both give the same sign.

        Raises
        ------
        ParameterError
            If the result was made without ``second_opinion``.

        Notes
        -----
        Both divide the same change of the score, F(x) - F(x_b), among the bands of the channels. FLEX follows the straight path
        on which all of them grow together; the Shapley value of a band is the mean of what it adds to all combinations of the
        others (Shapley 1953). Where a network adds up what the bands say, the two are equal. Where they differ, bands act
        together, or what is said is of a stretch of the path and not of its ends, and a single number for a band means less.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(
        ...     epochs, "known-spindle", target="N2", sample_per_stage=2, second_opinion="shapley", verbose="error"
        ... )
        >>> bool(result.second_opinion()["disagreement"].max() < 0.05)
        True
        """
        return second_opinion(self._single)

    def window_rhythms(self, *, by_offset: bool = False) -> pd.DataFrame:
        """The rhythms of the window: what an epoch, its neighbours and the rest of the night did to its score.

        Of the epochs whose windows were explained as wholes: a sample of those in which the context decides (see
        ``windows_per_stage`` of `eegflex.attribute_epochs`), or, with ``context="scaled"``, all.

        Parameters
        ----------
        by_offset : bool
            Whether neighbours stand each by itself, by its offset in epochs from the epoch, which is 0.

        Returns
        -------
        table : pandas.DataFrame
            By predicted stage, part, channel and band: ``n_epochs``; the ``median`` and ``mean`` over these; the 95 % interval
            of the mean, ``ci_low`` and ``ci_high``, from blocks of 10 minutes (NaN for fewer than 5 epochs); and ``error``, the
            median of the estimated error of all parts of a window together, in the unit of the score: what is smaller is not
            told from nothing. Parts are ``"epoch"``, ``"neighbours"``, summed, ``"beyond"``, what reaches into a window from
            the rest of the night, and the ``"change"`` of the score that they sum to, from a night of baselines. The channel
            ``"all"`` is the sum of all (averaged over channel sets), the band ``"total"`` that of all bands.

        Raises
        ------
        ParameterError
            If no windows were asked for, or the stager sees none.

        Examples
        --------
        >>> import eegflex, torch
        >>> night = eegflex.simulate_psg(hours=0.2, sfreq=100, seed=1, electrodes=["C3", "C4"], verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> context = eegflex.spec.ContextSpec(before=1, after=1)
        >>> spec = eegflex.ModelSpec(name="three", layout="b e c t", unit="uV", context=context)
        >>> _ = torch.manual_seed(0)
        >>> network = torch.nn.Sequential(
        ...     torch.nn.Flatten(1, 2), torch.nn.Conv1d(6, 8, 50, 25), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(1),
        ...     torch.nn.Flatten(), torch.nn.Linear(8, 5),
        ... )
        >>> result = eegflex.attribute_epochs(
        ...     epochs, network, spec=spec, picks="eeg", windows_per_stage=5, on_check="ignore", verbose="error"
        ... )
        >>> table = result.window_rhythms()
        >>> table.xs("all", level="channel").xs("total", level="band").index.get_level_values("part").unique().tolist()
        ['epoch', 'neighbours', 'beyond', 'change']
        """
        return window_rhythms(self._single, by_offset=by_offset)

    @property
    def within_error(self) -> npt.NDArray[np.bool_]:
        """Epochs whose change of the score is within the attribution's error, shape (n_epochs, n_channel_sets).

        Their attribution does not tell what they did from nothing.
        """
        return within_error(self._single)
