"""A stager on a recording: its scores of the night, the stages and probabilities that they mean, and files of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from eegflex.agreement import cohens_kappa, confusion
from eegflex.errors import ParameterError, check_choice
from eegflex.preprocessing.segments import Segments, prepare
from eegflex.readers.hypnograms.write import HYPNOGRAM_SUFFIXES, write_hypnogram
from eegflex.scores import consensus, probabilities, surest
from eegflex.settings import AUTO, StagingSettings
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.assumed import with_counted_stages
from eegflex.stagers.device import check_device
from eegflex.stagers.loading import load_model
from eegflex.stagers.modules import rnn_safe
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.stagers.told import frozen, telling_of_made_up, telling_of_short_runs
from eegflex.surrogates import RandomPhases
from eegflex.utils.arguments import checked_methods
from eegflex.utils.arrays import read_only
from eegflex.utils.files import write_table, write_whole
from eegflex.utils.progress import progress
from eegflex.utils.verbose import verbose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["StagedNight", "night_of", "stage_epochs"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


@checked_methods
@dataclass(frozen=True, eq=False, repr=False)
class StagedNight:
    """A stager on a recording, with its scores of every epoch. Made by `eegflex.stage_epochs`.

    `eegflex.attribute_epochs` and `eegflex.check_model` take it in place of epochs and a model, and do not stage again.

    Attributes
    ----------
    epochs : mne.BaseEpochs
        The recording.
    stager : Stager
        The model, where and as it computes.
    segments : Segments
        The recording as the stager is given it.
    bound : tuple of BoundStager
        The stager on each channel set.
    scores : array of float64, shape (n_epochs, n_channel_sets, n_stages)
        What it returned; NaN for epochs without the context that it needs. Its arrays are read-only: change copies.
    settings : StagingSettings
        How it was staged.

    See Also
    --------
    eegflex.stage_epochs : Let a network stage the epochs.
    eegflex.attribute_epochs : Explain the stages.
    eegflex.review.review_queue : Which epochs a scorer should look at first.
    eegflex.viz.plot_night : The night as it was staged.

    Notes
    -----
    A *channel set* is one way of connecting channels to the stager. A stager of one EEG channel is run once for each; what
    is said of an epoch as a whole, `predicted` and `probabilities`, is then by the most confident of them.

    Examples
    --------
    >>> import eegflex
    >>> psg = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    >>> night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    >>> len(night), night.stages
    (24, ('W', 'N1', 'N2', 'N3', 'REM'))
    """

    epochs: mne.BaseEpochs
    stager: Stager
    segments: Segments
    bound: tuple[BoundStager, ...]
    scores: npt.NDArray[np.float64]
    settings: StagingSettings

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", read_only(self.scores))

    def __len__(self) -> int:
        return len(self.segments)

    def __repr__(self) -> str:
        names, counts = np.unique(self.predicted, return_counts=True)
        said = dict(zip(names.tolist(), counts.tolist(), strict=True))
        listed = ", ".join(f"{stage} {said[stage]}" for stage in (*self.stages, "UNSCORED") if stage in said)
        n_sets, scored = len(self.bound), int(self.confusion.sum())
        kappa = f", kappa {cohens_kappa(self.confusion):.2f} with the hypnogram (n = {scored})" if scored else ""
        return (
            f"<StagedNight | {self.stager.spec.name}, {len(self)} epochs ({listed}), "
            f"{n_sets} channel set{'s' * (n_sets != 1)}{kappa}>"
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """The stager's stages, in the order of the scores."""
        return self.stager.spec.stages

    @cached_property
    def explicable(self) -> npt.NDArray[np.bool_]:
        """Which epochs have the context that the stager needs, shape (n_epochs,)."""
        return read_only(np.logical_and.reduce([one.windows.explicable for one in self.bound]))

    @cached_property
    def sound(self) -> npt.NDArray[np.bool_]:
        """Which epochs have a signal without a fault and the context that the stager needs, shape (n_epochs,)."""
        return read_only(self.explicable & (self.segments.fault == ""))

    @cached_property
    def predicted(self) -> npt.NDArray[np.str_]:
        """The stage of each epoch by the most confident channel set, shape (n_epochs,).

        ``"UNSCORED"`` where the epoch is not `sound`, or the scores are not finite: silence has no stage.
        """
        places = consensus(self.scores, self.stager.spec.scores)
        names = np.array([*self.stages, "UNSCORED"])[places]  # -1 is the last
        return read_only(np.where(self.sound, names, "UNSCORED"))

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Probabilities of the stages by the most confident channel set, shape (n_epochs, n_stages); NaN as in `predicted`."""
        every = probabilities(self.scores, self.stager.spec.scores)
        chosen = every[np.arange(len(every)), surest(self.scores, self.stager.spec.scores)]
        return read_only(np.where(self.sound[:, None], chosen, np.nan))

    def to_data_frame(self) -> pd.DataFrame:
        """One row for each epoch.

        Returns
        -------
        table : pandas.DataFrame
            Columns number; onset (s from the start of the recording); stage (the hypnogram's); predicted; the probability of
            each of the stager's stages by its most confident channel set, under its name; margin, by how much the highest of
            them exceeds the next (`review_queue` has the mean over channel sets, which is often lower); agreeing, how many
            channel sets predict this stage, of ``n_channel_sets``; and fault, why an epoch is not sound.
        """
        ranked = np.sort(self.probabilities, axis=1)
        own = np.stack([consensus(one[:, None], self.stager.spec.scores) for one in self.scores.swapaxes(0, 1)], axis=1)
        agreeing = (np.array([*self.stages, ""])[own] == self.predicted[:, None]).sum(axis=1)
        return pd.DataFrame(
            {
                "number": np.arange(len(self)),
                "onset": self.segments.onset,
                "stage": self.segments.stage,
                "predicted": self.predicted,
                **{stage: self.probabilities[:, place] for place, stage in enumerate(self.stages)},
                "margin": ranked[:, -1] - ranked[:, -2] if ranked.shape[1] > 1 else ranked[:, -1],
                "agreeing": agreeing,
                "n_channel_sets": len(self.bound),
                "fault": np.where(self.explicable | (self.segments.fault != ""), self.segments.fault, "no context"),
            }
        )

    def save(self, fname: str | Path, *, overwrite: bool = False) -> Path:
        """Write the stages to a file.

        Parameters
        ----------
        fname : path-like
            ``*.csv``: the table of `to_data_frame`. ``*.edf``: EDF+ annotations, as any PSG viewer shows them.
            ``*.tsv``: events as in BIDS. `eegflex.read_hypnogram` reads all of them, the table with ``column="predicted"``.
            None names a person or a file; an EDF says when the recording began, by date and clock, since viewers lay it on
            the recording by that. Where the date must not be told, shift it before (``raw.anonymize()``), or write another
            format.
        overwrite : bool
            Whether a file of that name may be replaced.

        Returns
        -------
        fname : Path
            The file.

        Raises
        ------
        ParameterError
            If the suffix is not one of these.
        OutputError
            If the file is there already, cannot be written, or is the recording itself. Nothing half-written is left.
        """
        path = check_stages_file(fname)
        length = self.segments.duration

        def write(temporary: Path) -> None:
            if path.suffix.casefold() == ".csv":
                write_table(self.to_data_frame(), temporary)
            else:
                write_hypnogram(temporary, self.predicted, self.segments.onset, length, self.epochs.info["meas_date"])

        return write_whole(path, write, overwrite=overwrite, inputs=_read_from(self.epochs))

    def plot_night(
        self,
        *,
        began: str | None = None,
        axes: Axes | Sequence[Axes] | None = None,
        annotate: bool = True,
        show: bool = True,
    ) -> Figure:
        """Plot the scored and the predicted hypnogram; see `eegflex.viz.plot_night`."""
        from eegflex.viz import plot_night

        return plot_night(self, began=began, axes=axes, annotate=annotate, show=show)

    @verbose
    def spectral_share(
        self, *, n_draws: int = 3, seed: int = 0, verbose: bool | str | int | None = None
    ) -> pd.DataFrame:
        """Measure by stage whether spectra or waveforms decide: stage the night again with random phases.

        The magnitudes of the spectrum of every epoch stay as recorded on every channel, to the last bin; its phases are drawn
        at random. So each frequency keeps its power, and no wave its form. What an epoch loses by it does not lie in how much
        there is of each frequency: the table bounds what any explanation by frequency can say.

        Parameters
        ----------
        n_draws : int
            How often phases are drawn. The night is staged anew for each, and for each of both kinds of phases, which takes so
            many times what it took to stage it; once a draw where the model hears one channel at a time.
        seed : int
            Of the phases.
        %(verbose)s

        Returns
        -------
        table : pandas.DataFrame
            One row for each stage predicted. ``n_epochs``; means of ``p``, the probability of the stage as recorded, and of
            ``p_joint`` and ``p_independent``, with random phases; ``agreement_joint`` and ``agreement_independent``, the share
            of its epochs (and draws) that keep the stage; for each of these a 95 %% interval, ``*_low`` and ``*_high``,
            from stretches of 10 min, since neighbours are alike: NaN where there is but one. And ``decided_by``:
            ``"waveforms"``, where fewer than half keep the stage with joint phases; ``"relations"``, where more than half do,
            but not with independent ones; ``"spectrum"``, where more than half do with both; ``"unclear"``, where the
            interval holds one half or there are fewer than five epochs. ``table.attrs`` says ``n_draws`` and ``n_epochs``, how
            many epochs were staged again.

        Notes
        -----
        *Joint* phases (Prichard and Theiler 1994, Phys Rev Lett 73:951): one random phase a frequency is added to what is
        recorded, the same in all channels, so that channels keep their coherence and the differences of their phases.
        *Independent* ones are added channel by channel: relations between channels are lost too. The mean of an epoch, which
        has no phase, stays; at Nyquist, where a signal is real, it is turned over or not.

        A stage that is decided by waveforms is read off single events, such as eye movements, spindles or K-complexes in their
        own form. A baseline that keeps an epoch's own phases keeps that evidence, and sums over frequencies leave it out:
        look at the views by time of an attribution from silence. Where neighbours decide, they have random phases as well:
        the whole night is staged anew. Epochs that have a fault stay as they are.

        The spectrum of an epoch holds the jump from its end to its beginning, too, which random phases spread over the epoch.

        Examples
        --------
        >>> import eegflex
        >>> recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(recorded.raw, verbose="error")
        >>> night = eegflex.stage_epochs(epochs, "bandpower", verbose="error")
        >>> table = night.spectral_share(n_draws=1, verbose="error")
        >>> round(float(table.loc["W", "agreement_joint"]), 2)
        1.0
        """
        return self.random_phases(n_draws, seed).table(self.segments.onset, self.stages)

    def review_queue(self, *, hypnogram: bool = True, trust: pd.DataFrame | None = None) -> pd.DataFrame:
        """The epochs in the order in which a scorer should check them; see `eegflex.review.review_queue`.

        Members of an ensemble are asked one by one, which stages the night again.

        Parameters
        ----------
        hypnogram : bool
            Whether epochs that were scored otherwise come first.
        trust : pandas.DataFrame | None
            The table of `FlexResult.trust`, if there is one.

        Returns
        -------
        queue : pandas.DataFrame
            One row for each epoch.
        """
        from eegflex.review import answers_of, queue_of

        return queue_of(answers_of(self), hypnogram=hypnogram, trust=trust)

    @cached_property
    def random_phases(self) -> RandomPhases:
        """The night with random phases, for whatever asks what is left of it."""
        return RandomPhases(self.stager, self.segments, self.settings, self.scores, self.bound[0].windows)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How often each stage was taken for each, scored by predicted, in epochs that have both."""
        places = {stage: place for place, stage in enumerate(self.stages)}
        pairs = zip(self.segments.stage.tolist(), self.predicted.tolist(), strict=True)
        known = np.array([(places[a], places[b]) for a, b in pairs if a in places and b in places], dtype=np.intp)
        scored, predicted = known.reshape(-1, 2).T
        return confusion(scored, predicted, len(places))


@verbose
def stage_epochs(
    epochs: mne.BaseEpochs,
    model: Any,
    *,
    spec: ModelSpec | str | Path | None = None,
    picks: str | Sequence[str] | None = None,
    edges: str = "shift",
    filter_edges: str = "keep",
    window_length: int | str = AUTO,
    device: str | torch.device | None = None,
    dtype: str = "float32",
    verbose: bool | str | int | None = None,
) -> StagedNight:
    """Stage the epochs of a recording with a network.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        Epochs of a recording in the order of time, as returned by `eegflex.make_epochs`. They are not changed.
    model : str | path-like | Stager | torch.nn.Module | callable | sequence
        The stager; see `eegflex.load_model`.
    spec : ModelSpec | str | path-like | None
        The spec of a bare network, its TOML file, or the name of a published one (`eegflex.spec.spec_names`). Without a spec,
        the network gets the epochs unchanged, in MNE's units.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.
    edges : {"shift", "pad", "skip"}
        If a run ends within the window of an epoch: move the window inside, if the stager scores every position of it
        (otherwise the epoch is not staged); fill the window with silence; or do not stage the epoch.
    filter_edges : {"keep", "mask"}
        Whether to use epochs that contain the filter's edge artifact, at the ends of a run, or to mask them.
    window_length : int | "auto"
        For whole-night stagers: the number of epochs of the window in which an epoch is later explained; see
        `eegflex.attribute_epochs`.
    device : str | torch.device | None
        Where to compute, such as ``"cuda"``. By default where the model is.
    dtype : {"float32", "float64"}
        Precision of the network's arithmetic.
    %(verbose)s

    Returns
    -------
    night : StagedNight
        Scores, stages and probabilities of every epoch.

    Raises
    ------
    ParameterError
        If an argument has a value that is not allowed.
    ChannelError, RecordingError
        If the epochs do not have what the model's spec requires.
    ModelError
        If the model cannot be loaded, or fails.

    See Also
    --------
    eegflex.StagedNight : A recording as it was staged.
    eegflex.make_epochs : Cut a recording into epochs of 30 s.
    eegflex.load_model : Load a stager.
    eegflex.attribute_epochs : Explain the stages.

    Examples
    --------
    >>> import eegflex
    >>> recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(recorded.raw, verbose="error")
    >>> night = eegflex.stage_epochs(epochs, "bandpower", verbose="error")
    >>> night.predicted[:3].tolist(), night.probabilities.shape
    (['W', 'W', 'W'], (60, 5))
    """
    settings = StagingSettings(picks, edges, filter_edges, window_length, device, dtype)  # type: ignore[arg-type]
    return stage_with(load_model(model, spec=spec), epochs, settings)


def _read_from(epochs: mne.BaseEpochs) -> list[Path]:
    """The files that epochs were read from, as far as they know them."""
    raw = getattr(epochs, "_raw", None)
    named = [getattr(epochs, "filename", None), *getattr(raw, "filenames", ())]
    return [Path(one) for one in named if one is not None]


def check_stages_file(fname: str | Path) -> Path:
    """Refuse a file of stages whose suffix names no format that there is."""
    path = Path(fname)
    check_choice("The suffix of a file of stages", path.suffix.casefold(), (".csv", *HYPNOGRAM_SUFFIXES))
    return path


def stage_with(stager: Stager, epochs: mne.BaseEpochs, settings: StagingSettings) -> StagedNight:
    """Stage epochs with a stager that is loaded."""
    dtype = stager.like.dtype if settings.dtype is None else _DTYPES[settings.dtype]
    device = check_device(stager.like.device if settings.device is None else settings.device, dtype)
    stager = stager.to(device, dtype)
    segments = prepare(epochs, stager.spec, settings.picks, filter_edges=settings.filter_edges)
    stager, segments = frozen(stager, telling_of_made_up(stager, segments, epochs))
    stager = with_counted_stages(stager, segments)
    with rnn_safe(stager.module):
        bound = tuple(stager.bind(segments, settings.edges, settings.n_window))
        with progress(len(segments) * len(bound), f"Staging with {stager.spec.name}") as done:
            scores = [one.night_scores(done).double().cpu().numpy() for one in bound]
    segments = telling_of_short_runs(stager, segments, bound)
    return StagedNight(epochs, stager, segments, bound, np.stack(scores, axis=1), settings)


def night_of(
    epochs: mne.BaseEpochs | StagedNight, model: Any, spec: ModelSpec | str | Path | None, settings: StagingSettings
) -> StagedNight:
    """The staged night that a verb was given, or that of the epochs and the model that it was given.

    Raises
    ------
    ParameterError
        If a night comes with a model, or with settings that are not those with which it was staged.
    """
    if not isinstance(epochs, StagedNight):
        if model is None:
            raise ParameterError(
                "The model is missing", remedy="Pass epochs and a model, or the output of eegflex.stage_epochs"
            )
        return stage_with(load_model(model, spec=spec), epochs, settings)
    given = {"model": model, "spec": spec}
    clashing = [name for name, value in given.items() if value is not None]
    for one in dataclasses.fields(StagingSettings):
        asked = getattr(settings, one.name)
        if asked not in (one.default, None, getattr(epochs.settings, one.name)):
            clashing.append(one.name)
    if clashing:
        raise ParameterError(
            f"A StagedNight is already staged: {' and '.join(clashing)} cannot be changed now",
            seen=f"staged by {epochs.stager.spec.name} with {epochs.settings}",
            remedy="Leave it out here, and pass it to eegflex.stage_epochs",
        )
    return epochs
