"""A result as tracks and annotations that PSG viewers show, as its methods."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import mne
from mne.utils import logger

from eegflex.errors import ParameterError, RecordingError, check_choice
from eegflex.output_settings import ExportSettings
from eegflex.readers.file_heads import open_head
from eegflex.readers.recordings.edf_header import read_header
from eegflex.results.annotated import annotations_of
from eegflex.results.edf_tracks import FORMATS, check_no_recording, write_tracks
from eegflex.results.recordings import one_recording
from eegflex.results.select import as_bands, pick_all
from eegflex.results.subset import at_epochs
from eegflex.results.tables import score_kind
from eegflex.results.tracks import Seconds, attribution_tracks, night_tracks, unexplained_stretches
from eegflex.results.trust import chosen
from eegflex.results.wording import reading
from eegflex.utils.arguments import checked_methods
from eegflex.utils.files import check_output, write_whole

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from eegflex.bands import Bands
    from eegflex.results.result import FlexResult

__all__ = ["ResultExports", "check_tracks_file"]

#: The unit of a score in the characters that a header has for it.
_UNITS = {"logits": "logit", "log_probs": "logP", "probs": "P"}
#: What is said, in an EDF, of stretches whose epochs were not explained.
NOT_HERE = {"all": "not explained: tracks are 0", "trusted": "not explained or trusted: tracks are 0"}

#: What is said of tracks that viewers cannot lay on their recording by the clock.
_UNDATED = (
    "The tracks do not say when the recording started, so that viewers which lay files on each other by the clock show them "
    "elsewhere (EDFbrowser: choose Timesync, synchronize start of files). With meas_date, the recording's file or a time, they "
    "say so."
)


def check_tracks_file(fname: str | Path) -> Path:
    """Refuse a file of tracks whose suffix names no format that there is."""
    path = Path(fname)
    check_choice("The suffix of a file of tracks", path.suffix.casefold(), tuple(FORMATS))
    return path


def _began(recording: Path) -> dt.datetime:
    """When a recording started, as the header of its file says."""
    open_head(recording)
    start = read_header(recording).start
    if start.moment is None:
        raise RecordingError(
            "The recording does not say when it started",
            seen=start,
            remedy="Give the time itself (meas_date=, --meas-date)",
        )
    return start.moment


@checked_methods
class ResultExports:
    """A result as other programs show it."""

    @abstractmethod
    def for_target(self, target: str | tuple[str, str] | None = None) -> FlexResult:
        """The result of one target."""

    def to_annotations(
        self,
        *,
        recording: str | None = None,
        target: str | tuple[str, str] | None = None,
        trust: str = "all",
        picks: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        n_review: int | None = 50,
        carried: pd.DataFrame | None = None,
    ) -> mne.Annotations:
        """Say what carried the decision on each epoch, and which epochs to look at first, as annotations for a viewer.

        Parameters
        ----------
        recording : str | None
            Label of the recording; may be left out where there is only one.
        target : str | tuple of (str, str) | None
            Of a result of all stages, whose attributions; see `for_target`. By default that of the stage predicted.
        trust : {"all", "trusted"}
            Of which explained epochs: all, or those that `trust` trusts with most of their channel sets.
        picks : str | sequence of str | None
            Channel names and types; by default all.
        bands : Bands | mapping | None
            Frequency bands; by default those of `Bands`.
        n_review : int | None
            Of how many epochs of `review_queue` at most, the first first; None: all; 0: none.
        carried : pandas.DataFrame | None
            What `eegflex.evaluation.decisive_events` returned for this result: where an event carried a decision, it is
            annotated in place of a band.

        Returns
        -------
        annotations : mne.Annotations
            With onsets from the start of the recording, for ``raw.set_annotations(raw.annotations + annotations,
            on_missing="ignore")``; what is of a channel names it in ``ch_names``, and a recording that has no channel of that
            name takes it only so.

        Notes
        -----
        Each explained epoch is told of by its most confident channel set. ``"N2: sigma at C4-M1 +0.41 of +1.20"``: of what the
        bands of its channels did to the score, each beyond its error, sigma at C4-M1 raised it most, by 1.20, of which 0.41 in
        the seconds annotated: the highest, and those beside it that have at least half of that. Another, ``"against N2:
        ..."``, is that which lowered it most; one that is less than a tenth of the other is not told. A result without
        time-frequency view does not know when; there the epoch is annotated, with one number. Errors are known of the epoch's
        sums, not of moments. ``"N2: not explained by the epoch"`` is the verdict of `trust`, and ``"N2: no band beyond its
        error"`` is what it says. With `carried`: ``"N2: spindle at C4-M1 carries 62 %"`` of all that spoke for it. ``"review
        1: ..."`` is the first of the queue.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> asked = {"views": ("time-frequency",), "sample_per_stage": 1, "verbose": "error"}
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", **asked)
        >>> annotations = result.to_annotations(n_review=3)
        >>> annotated = night.raw.set_annotations(annotations, on_missing="ignore")
        >>> sorted(text.split(":")[0] for text in annotated.annotations.description if "review" in text)
        ['review 1', 'review 2', 'review 3']
        """
        asked = ExportSettings(
            recording=recording, target=target, trust=trust, picks=picks, bands=bands, n_review=n_review
        )
        return self._annotations(*self._seconds(asked), asked, carried)

    def export_edf(
        self,
        fname: str | Path,
        *,
        recording: str | None = None,
        target: str | tuple[str, str] | None = None,
        trust: str = "all",
        picks: str | Sequence[str] | None = None,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        n_review: int | None = 50,
        meas_date: dt.datetime | str | Path | None = None,
        carried: pd.DataFrame | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write attributions as tracks that a PSG viewer shows beside the recording: an EDF+ of one value a second.

        Parameters
        ----------
        fname : path-like
            The file, ``*.edf``, or ``*.bdf`` for 24 bits a value.
        recording, target, trust, picks, bands, n_review, carried
            As in `to_annotations`, whose annotations are in the file.
        meas_date : datetime | str | path-like | None
            When the recording started, or its EDF or BDF file, whose header says so: for viewers that lay files on each other
            by the clock. Results do not hold it, as the date of a patient's night may identify the patient. By default
            1985-01-01 at 0:00, which means that it is not told; EDFbrowser then shows them beside the recording only
            where *Timesync, synchronize start of files* is chosen. Fractions of a second are rounded.
        overwrite : bool
            Whether a file of that name may be replaced. A recording never is.

        Returns
        -------
        fname : Path
            The file.

        Raises
        ------
        ParameterError
            If the suffix is another one, the result is of several recordings or of another target, or there are more than 639
            tracks.
        RecordingError
            If the recording given as `meas_date` cannot be read, or does not say when it started.
        OutputError
            If the file is there already, is a recording, or cannot be written. Nothing half-written is left.

        Notes
        -----
        The file begins where the recording does and lasts as long as its epochs. Its signals:

        ``C4-M1 sigma``
            What a band of a channel did in each second, in the unit of the score per second (``logit/s``, ``logP/s`` or
            ``P/s``; as ``1e-6/s`` where numbers are too small or too large for the header). The seconds of an epoch add up to
            its attribution in `to_data_frame`. A result with a time-frequency view knows when; what that view, whose
            frequencies are coarser, lays into other bands is spread over the epoch. Without one a band is spread over its
            epoch evenly, as the field ``prefilter`` says: the epoch is then all that is known of the time.
        ``C4-M1 all``
            The sum over all frequencies, those outside the bands too; with a time view alone it knows when.
        ``explained``
            1 where an epoch was explained. Elsewhere attributions are 0, as EDF has no word for "not known", and annotations
            ``"not explained: tracks are 0"`` say so. Likewise ``trusted``, where explanations were tested.
        ``stage``, ``scored``, ``P N2`` ..., ``agreeing``
            Stages as a hypnogram is drawn (of these stages W 4, REM 3, N1 2, N2 1, N3 0; -1: none), their probabilities, the
            mean over channel sets, and the share of channel sets that agree: of all epochs of the night.

        Labels are ASCII, at most 16 characters and no two alike: accents are dropped, what else is not ASCII becomes ``_``,
        ``"E1 (with C3-M2)"`` becomes ``E1/C3-M2``, a label that is too long loses the end of the band's name, then of the
        channel's, and one that is taken then has ``~2`` there. Each signal has its own scale of 65535 steps: a value is off by
        at most half a step, which is 1/65000 of the signal's largest or little more, and a sum over 30 s by at most 15. That
        is far less than the error of an attribution that is as large, 2 % with the usual `tol`; not than that of an epoch
        whose attributions are thousands of times smaller than others', as those of epochs are of which the model is wholly
        sure. A BDF has 256 times finer steps. Annotations of more than 40 bytes, which is what an EDF library writes, are in
        several parts at one time, of which later ones begin with ``"... "``.

        The header says nothing of a person, and no file, folder or annotation of the recording is named.

        Examples
        --------
        >>> import eegflex, mne
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
        >>> tracks = mne.io.read_raw_edf(result.export_edf("night-attribution.edf"), preload=True, verbose="error")
        >>> tracks.ch_names[:3], int(tracks.n_times)
        (['F3-M2 delta', 'F3-M2 theta', 'F3-M2 alpha'], 1800)
        """
        asked = ExportSettings(
            recording=recording,
            target=target,
            trust=trust,
            picks=picks,
            bands=bands,
            n_review=n_review,
            meas_date=meas_date,
        )
        path = check_output(check_tracks_file(fname), overwrite=overwrite)
        check_no_recording(path)
        start = asked.start(_began(asked.beside) if asked.beside else None)
        dataset, seconds = self._seconds(asked)
        notes = self._annotations(dataset, seconds, asked, carried)
        away = unexplained_stretches(seconds)
        notes = notes + mne.Annotations([one[0] for one in away], [one[1] for one in away], NOT_HERE[asked.trust])
        tracks = [*attribution_tracks(seconds), *night_tracks(dataset, seconds)]
        unit = "slope" if reading(self.for_target(asked.target)).per else _UNITS[score_kind(dataset)]

        def write(temporary: Path) -> None:
            write_tracks(temporary, tracks, notes, unit=unit, start=start)

        written = write_whole(path, write, overwrite=overwrite)
        if asked.meas_date is None:
            logger.info(_UNDATED)
        return written

    def _seconds(self, asked: ExportSettings) -> tuple[xr.Dataset, Seconds]:
        if asked.target == "all":
            raise ParameterError(
                "Tracks are of one target",
                seen="target='all'",
                allowed="predicted, scored, margin, a stage, or two of them",
            )
        dataset = one_recording(self.for_target(asked.target).data, asked.recording, "A file of tracks")
        places = chosen(dataset, asked.trust)
        dataset = dataset if asked.trust == "all" else at_epochs(dataset, places)
        bands = as_bands(asked.edges, dataset)
        return dataset, Seconds(dataset, bands, pick_all(dataset, asked.picks))

    def _annotations(
        self, dataset: xr.Dataset, seconds: Seconds, asked: ExportSettings, carried: pd.DataFrame | None
    ) -> mne.Annotations:
        return annotations_of(dataset, seconds, carried=carried, n_review=asked.n_review)
