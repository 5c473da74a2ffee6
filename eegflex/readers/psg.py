"""`read_psg`: a recording, and its hypnogram if there is one, as an MNE Raw."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import mne
import numpy as np
from mne.utils import logger

from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers.bids import events_of, to_path
from eegflex.readers.channels.derivations import Derivation, default_derivations, know, requested_derivations
from eegflex.readers.channels.electrodes import set_positions
from eegflex.readers.channels.plausibility import implausible, mistyped_eeg, unreadable
from eegflex.readers.channels.raw import RawPSG
from eegflex.readers.hypnograms.align import Alignment, align
from eegflex.readers.hypnograms.formats import edf_annotations
from eegflex.readers.hypnograms.interpret import Hypnogram
from eegflex.readers.hypnograms.own_notes import count_stage_names, looks_like_hypnogram
from eegflex.readers.hypnograms.read import HypnogramOptions, load_hypnogram, set_epoch_length
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.notes import ReadingNotes, put_notes
from eegflex.readers.profiles import load_profile
from eegflex.readers.recordings.breaks import EDGE, GAP
from eegflex.readers.recordings.content import hash_content
from eegflex.readers.recordings.mne_files import EpochsSource, MneSource
from eegflex.readers.recordings.registry import open_source
from eegflex.readers.recordings.source import Event, Run, Source, Start
from eegflex.readers.stage_numbers import check_labels, named_stage, parse_code
from eegflex.utils.verbose import verbose

__all__ = ["find_stages", "raw_rate", "read_psg"]


@verbose
def read_psg(
    fname: str | Path,
    *,
    hypnogram: str | Path | mne.Annotations | None = None,
    channels: Sequence[str | int] | None = None,
    units: str | Mapping[str, str] | None = None,
    coding: str = "auto",
    epoch_length: float | None = None,
    column: str | None = None,
    majority: float | None = None,
    on_mismatch: str = "raise",
    labels: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    dst: bool | None = None,
    profile: str | Path | None = None,
    verbose: bool | str | int | None = None,
) -> mne.io.BaseRaw:
    """Read a polysomnogram.

    Samples are read from the file only when needed, and only for the selected channels.

    Parameters
    ----------
    fname : path-like
        EDF, EDF+, BDF, BDF+, FIF (of a Raw or of Epochs), BrainVision (``.vhdr``) or EEGLAB (``.set``); found by
        content, not by extension. An `mne_bids.BIDSPath` brings its ``events.tsv`` as the hypnogram, if that holds
        stages.
    hypnogram : path-like | mne.Annotations | None
        The stages: a file that `read_hypnogram` can read, or its output. None uses the annotations of the recording itself, if
        they look like a hypnogram. The hypnogram is aligned by the start times of both; on the nearest day if dates are not
        known; and at the start of the recording if it has no times.
    channels : list of str or int | None
        The channels, in order: labels of the file, derivations such as "C3-M2" (from the file if it exists there, else
        the difference of two electrodes), or indices. A1/A2 match M1/M2, and T3/T4/T5/T6 match T7/T8/P7/P8. None picks,
        for each EEG site and each eye, the derivation to the opposite mastoid, or else whatever the file has, and one chin EMG
        and one ECG.
    units : str | dict | None
        The unit of signals without a unit ("uV"). A dict sets units by label, and overrides the file.
    coding : str
        What numbers in the hypnogram mean: "auto", "aasm" (4 = REM), "rk" (4 = N3, 5 = REM) or "dreams".
    epoch_length : float | None
        Length of the hypnogram's epochs in s, if its file does not say. A list of stages without times is taken to have
        epochs of 30 s, and must then agree with the recording's length.
    column : str | None
        The column, or the rater, of a hypnogram file that holds several.
    majority : float | None
        Make new epochs of this length in s, each with the stage that fills most of it: 30 for a hypnogram
        of 20-s (R&K) or 5-s epochs. None keeps the epochs of the hypnogram.
    on_mismatch : {"raise", "warn"}
        If the hypnogram reaches more than 5 scored epochs beyond the recording: raise an error, or drop
        these epochs with a warning.
    labels : dict of str to str | None
        Stages of labels or codes of the hypnogram, such as ``{"1": "REM", "Stade 2": "N2"}``. Other labels are read as
        usual.
    columns : dict of str to str | None
        Column names of the hypnogram's table, if they are not recognised, such as
        ``{"onset": "Startzeit"}``. The keys are `onset`, `duration`, `end`, `epoch` and `stage`.
    dst : bool | None
        Whether the clock of the hypnogram changes to or from daylight saving time in the night. None detects a jump of
        an hour if nothing else explains it, with a message.
    profile : str | path-like | None
        The profile of a data set, with its channel names and the codes of its hypnograms: "shhs", "mesa", ...
        (see `eegflex.readers.profile_names`), or the path of a profile of your own, ``my.toml``. Your other arguments
        take precedence. Channels have the names of the profile.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    raw : mne.io.BaseRaw
        In V, at the native rate of its EEG (the highest, if there are several); slower signals come along only when
        asked for by name, resampled. Annotations are the stages, by canonical name, the recording's own events, and
        "BAD_ACQ_SKIP" where it has gaps: time continues through them, and samples in them are 0. "EDGE boundary" is
        where it breaks off and goes on, and does not say after how long.
        EEG channels lie at their anodes on the standard head. ``eegflex.readers.get_notes(raw.info)`` tells what was
        done.

    Raises
    ------
    RecordingError
        If the file cannot be read: no such file, not a recording, a header that contradicts itself.
    EmptyRecordingError
        If it holds no data.
    ChannelError
        If a channel is missing, ambiguous or unfit; the candidates are listed.
    UnitError
        If the unit of an EEG channel is missing or not known.
    HypnogramError
        If the hypnogram cannot be read or does not fit.

    See Also
    --------
    eegflex.read_hypnogram : Read stages alone.
    eegflex.make_epochs : Cut a recording into epochs of 30 s.
    eegflex.readers.describe_psg : What is in a file.
    eegflex.readers.get_notes : What the reader did.
    mne.io.Raw : MNE's recordings.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> files = night.save("night.edf")
    >>> raw = eegflex.read_psg(files.psg, hypnogram=files.hypnogram, channels=["C4-M1", "E1-M2"], verbose="error")
    >>> raw.ch_names, raw.get_channel_types(), raw.info["sfreq"]
    (['C4-M1', 'E1-M2'], ['eeg', 'eog'], 64.0)
    >>> sorted(set(raw.annotations.description.tolist()))
    ['N1', 'N2', 'N3', 'REM', 'W']
    """
    options = HypnogramOptions(coding, epoch_length, column, majority, on_mismatch, labels, columns, dst)
    card = None if profile is None else load_profile(profile)
    source = open_source(to_path(fname))
    renamed = {} if card is None else card.rename(source)
    options = options if card is None else card.options(options)
    hypnogram = events_of(fname, options) if hypnogram is None else hypnogram
    known = know(source.signals, units)
    if channels is None:
        derivations, reasons = default_derivations(known)
        _log_left_out(source, reasons)
    else:
        derivations = requested_derivations(known, channels)
    notes = _notes(source, derivations)
    notes.warnings += [*unreadable(known), *mistyped_eeg(known)] if channels is None else []
    notes.profile, notes.renamed = "" if card is None else card.name, renamed
    raw = _raw(source, derivations)
    alignment, events, told = find_stages(source, hypnogram, options)
    notes.warnings += told
    if alignment is not None:
        notes.alignment = alignment.report
        notes.warnings += alignment.warnings + ([] if card is None else card.check(alignment.report))
    _annotate(raw, alignment, events, source)
    notes.warnings += implausible(source, derivations)
    put_notes(raw.info, notes)
    for warning in notes.warnings:
        logger.warning("%s: %s", source.path.name, warning)
    logger.info(
        "%s: %d channels at %g Hz, %.0f s: %s",
        source.path.name,
        len(derivations),
        raw.info["sfreq"],
        source.duration,
        raw.ch_names,
    )
    return raw


def raw_rate(derivations: Sequence[Derivation]) -> Derivation:
    """Return the channel whose native rate is the Raw's: the fastest EEG, or the fastest of all without EEG."""
    eeg = [derivation for derivation in derivations if derivation.channel.kind == "eeg"]
    return max(eeg or derivations, key=lambda derivation: derivation.rate)


def _log_left_out(source: Source, reasons: Mapping[int, str]) -> None:
    for index, reason in reasons.items():
        # That a belt is no EEG needs no telling; that an eye channel is too slow does.
        level = logger.info if "slower" in reason or "its " in reason or "no unit" in reason else logger.debug
        level("%s: %s is left out: %s", source.path.name, source.signals[index].label, reason)


def _notes(source: Source, derivations: Sequence[Derivation]) -> ReadingNotes:
    notes = ReadingNotes(
        source=source.path.name,
        format=source.format,
        start_date=None if source.start.date is None else source.start.date.isoformat(),
        start_time=None if source.start.time is None else source.start.time.isoformat(),
        native_sfreq={d.name: d.rate for d in derivations},
        units={d.name: d.unit for d in derivations},
        roles={d.name: d.channel.role for d in derivations},
        derivations={d.name: d.formula for d in derivations},
        warnings=list(source.warnings),
        content=hash_content(source),
    )
    rate = raw_rate(derivations).rate
    for d in derivations:
        if abs(d.rate / rate - 1) > 1e-9:
            notes.warnings.append(f"{d.name} is resampled from {d.rate:g} to {rate:g} Hz")
    return notes


def _raw(source: Source, derivations: list[Derivation]) -> RawPSG:
    lead = raw_rate(derivations)
    info = mne.create_info(
        [d.name for d in derivations], lead.rate, [d.channel.kind for d in derivations], verbose="ERROR"
    )
    _place(info, source, derivations)
    raw = RawPSG(source, derivations, info, lead.terms[0][0].signal.n_times)
    moment = source.start.moment
    if moment is not None:
        # Local time without a zone, which MNE stores as if it were UTC.
        raw.set_meas_date(moment.replace(tzinfo=dt.UTC))
    return raw


def _place(info: Any, source: Source, derivations: Sequence[Derivation]) -> None:
    """Lay the EEG channels on the head: where the file says, else at the standard places of their electrodes."""
    eeg = [d for d in derivations if d.channel.kind == "eeg"]
    if isinstance(source, MneSource | EpochsSource) and _copy_places(info, source, eeg):
        return
    set_positions(info, {d.name: d.channel.sites for d in eeg})


def _copy_places(info: Any, source: MneSource | EpochsSource, eeg: Sequence[Derivation]) -> bool:
    places = {d.name: source.info["chs"][d.terms[0][0].signal.index]["loc"] for d in eeg if len(d.terms) == 1}
    if len(places) < len(eeg) or not all(np.isfinite(loc[:3]).all() and loc[:3].any() for loc in places.values()):
        return False
    for chan in info["chs"]:
        if chan["ch_name"] in places:
            chan["loc"][:] = places[chan["ch_name"]]
    with info._unlock():
        info["dig"] = source.info["dig"]
    return True


def find_stages(
    source: Source, hypnogram: str | Path | mne.Annotations | None, options: HypnogramOptions
) -> tuple[Alignment | None, list[Event], list[str]]:
    """Find a recording's stages, and its other events.

    Parameters
    ----------
    source : Source
        The recording.
    hypnogram : path-like | mne.Annotations | None
        As in `read_psg`.
    options : HypnogramOptions
        How to read it.

    Returns
    -------
    alignment : Alignment | None
        The stages on the recording's clock; None where there are none.
    events : list of Event
        What else the recording notes.
    warnings : list of str
        What there is to tell of notes that are no stages.

    Raises
    ------
    HypnogramError
        If the hypnogram cannot be read or does not fit.
    """
    own, told = _own_stages(source, options, given=hypnogram is not None)
    events = list(source.events) if own is None else [source.events[place] for place in own.event_places]
    if hypnogram is None:
        if own is None or not own.stages:
            return None, events, told
        return _align(own, source, options, same_file=True), events, told
    alignment = _align(_hypnogram(hypnogram, options), source, options)
    if own is not None and own.stages:
        alignment.warnings.append(
            f"the recording notes {len(own.stages)} stages of its own; those of the hypnogram given are used"
        )
    return alignment, events, []


def _own_stages(source: Source, options: HypnogramOptions, *, given: bool) -> tuple[Hypnogram | None, list[str]]:
    """Understand the stages noted in the recording; None if they cannot be, which is no matter if others are given."""
    noted = edf_annotations.from_events(source.events, source.start)
    named = check_labels(options.labels)
    if all(parse_code(label) is not None and named_stage(label, named) is None for label in noted.labels):
        return None, []  # bare numbers in a recording are triggers; in a hypnogram's file they are stages
    if not looks_like_hypnogram(noted, named):
        count = count_stage_names(noted)
        told = (
            f"{count} notes of the recording are named like stages but do not follow each other like stages: they are treated "
            "as events (if they are stages, pass the recording as hypnogram= too)"
        )
        return None, [told] if count else []
    try:
        own = options.understand(noted)
    except HypnogramError:
        if given:
            return None, []
        raise
    return (own, []) if own.coding == "labels" or named else (None, [])


def _align(hypnogram: Hypnogram, source: Source, options: HypnogramOptions, *, same_file: bool = False) -> Alignment:
    if options.epoch_length is not None:
        set_epoch_length(hypnogram, options.epoch_length)
    return align(
        hypnogram,
        source.start,
        source.duration,
        same_file=same_file,
        majority=options.majority,
        on_mismatch=options.on_mismatch,
    )


def _hypnogram(hypnogram: str | Path | mne.Annotations, options: HypnogramOptions) -> Hypnogram:
    if isinstance(hypnogram, str | os.PathLike):
        return load_hypnogram(Path(hypnogram), options)
    if not isinstance(hypnogram, mne.Annotations):
        raise ParameterError(
            "hypnogram must be a file or mne.Annotations", seen=type(hypnogram).__name__, remedy="See read_hypnogram"
        )
    # Annotations without a time of their own count from the recording's start, as everywhere in MNE.
    moment = hypnogram.orig_time
    scoring = Scoring(
        onset=np.array(hypnogram.onset, dtype=float),
        duration=np.array(hypnogram.duration, dtype=float),
        labels=[str(label) for label in hypnogram.description],
        start=Start() if moment is None else Start(moment.date(), moment.time()),
        format="mne.Annotations",
        mixed=True,
        has_time=moment is not None,
    )
    found = options.understand(scoring)
    if not found.stages:
        raise ParameterError("hypnogram has no stages", seen=sorted(set(scoring.labels)) or "no annotations")
    return found


def _annotate(raw: RawPSG, alignment: Alignment | None, events: Sequence[Event], source: Source) -> None:
    duration = source.duration
    runs = [Run(0.0, 0.0), *source.runs] if source.runs[0].start > 0 else source.runs
    apart = [(before.stop, after.start - before.stop) for before, after in pairwise(runs)]
    gaps = [(onset, length, GAP if length > 0 else EDGE) for onset, length in apart]
    rows = gaps + [(event.onset, event.duration or 0.0, event.text) for event in events if 0 <= event.onset < duration]
    if alignment is not None:
        rows += list(zip(alignment.onset, alignment.duration, alignment.stages, strict=True))
    last = raw.times[-1]
    # What begins after the last sample, or ends after it, is for MNE to warn about; it is cut here, quietly.
    kept = [(onset, min(length, duration - onset), text) for onset, length, text in rows if onset <= last]
    onsets, lengths, texts = zip(*kept, strict=True) if kept else ((), (), ())
    raw.set_annotations(mne.Annotations(onsets, lengths, texts, orig_time=raw.info["meas_date"]), verbose="ERROR")
