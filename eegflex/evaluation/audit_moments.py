"""Moments at which a stager should read nothing: those of heartbeats, and of artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field

import mne
import numpy as np
import numpy.typing as npt

from eegflex.epochs import without_bad
from eegflex.preprocessing.segments import Segments
from eegflex.readers.channels.together import parse_channels
from eegflex.readers.channels.units import parse_unit
from eegflex.readers.notes import get_notes

__all__ = ["Heart", "artifacts_of", "bad_stretches", "ecg_channel", "share_of_moments"]

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

#: Half the length of a QRS complex with its filtered slopes, in s.
QRS = 0.1
#: Beats a minute that a heart has, and how irregular they may be: median deviation of intervals from their median, as a share.
RATES, IRREGULAR = (30.0, 150.0), 0.25
#: R waves are so many times as large as what is between them at the median (peaks of noise: 4), the lower quartile of them is
#: so large a share of the upper one, and their median of the largest that there is in the epoch.
STANDS_OUT, ALIKE, LARGEST, QRS_BAND = 7.0, 0.3, 0.1, (5.0, 35.0)
#: A second of an EEG channel is an artifact where the logarithm of its size, from peak to peak, or of what is fast in it, lies
#: so many robust standard deviations above the night's median, these being at least so large; the first only where it is also
#: larger than slow waves are, in µV. (In simulated nights slow waves reach 410 µV and 6.5 deviations, alpha 6.8 of the fast.)
DEVIATIONS, FAST_DEVIATIONS, LEAST_SD, LARGE = 4.0, 8.0, 0.25, 450.0
#: A second of any channel is, where it has so little of the night's median size, or so large a share of its samples at the
#: extremes of the channel.
FLAT, CLIPPED = 0.01, 0.1
#: From where on muscles are larger than the EEG, in Hz.
MUSCLE = 20.0


def share_of_moments(values: Array, mask: Mask) -> tuple[float, float]:
    """Share of absolute attributions that lies in some moments, and what chance puts there.

    Chance is the mean over all shifts of the moments in time, with the ends joined: what they cover of each channel.

    Parameters
    ----------
    values : array, shape (n_channels, n_times)
        Attributions.
    mask : array of bool, shape (n_channels, n_times) or (n_times,)
        The moments.
    """
    size = np.abs(np.asarray(values, dtype=np.float64))
    total = float(size.sum())
    if not total > 0:
        return np.nan, np.nan
    mask = np.broadcast_to(mask, size.shape)
    return float(size[mask].sum()) / total, float(size.sum(axis=1) @ mask.mean(axis=1)) / total


def ecg_channel(epochs: mne.BaseEpochs) -> str | None:
    """The name of the ECG channel of a recording, by its type, its label or the reader's notes; None without one."""
    names, kinds = epochs.ch_names, epochs.get_channel_types()
    notes = get_notes(epochs.info)
    roles = notes.roles if notes else {}
    meant = parse_channels(names, [parse_unit("V")] * len(names), kinds)
    found = [
        name
        for name, kind, own in zip(names, kinds, meant, strict=True)
        if kind == "ecg" or "ECG" in (roles.get(name), own.role) or own.kind == "ecg"
    ]
    return next((name for name in found if name not in epochs.info["bads"]), None)


@dataclass(eq=False)
class Heart:
    """Heartbeats of a recording, found epoch by epoch.

    Attributes
    ----------
    epochs : mne.BaseEpochs
        The recording.
    channel : str
        Its ECG.
    """

    epochs: mne.BaseEpochs
    channel: str
    _found: dict[int, Array | None] = field(default_factory=dict, init=False, repr=False)

    def beats(self, number: int) -> Array | None:
        """When hearts beat in an epoch, in s from its start; None where what is found is no heart's rhythm."""
        if number not in self._found:
            self._found[number] = self._beats(number)
        return self._found[number]

    def _beats(self, number: int) -> Array | None:
        sfreq = float(self.epochs.info["sfreq"])
        with mne.use_log_level("error"):
            signal = self.epochs[number].get_data(picks=[self.channel])[0]
            if not np.isfinite(signal).all() or np.ptp(signal) == 0:
                return None
            raw = mne.io.RawArray(signal, mne.create_info(1, sfreq, "ecg"))
            events, _, _ = mne.preprocessing.find_ecg_events(raw, ch_name="0")
            size = np.abs(raw.filter(*QRS_BAND, picks="all").get_data()[0])
        times = events[:, 0] / sfreq
        return times if _is_rhythm(times) and _stand_out(size, events[:, 0], round(QRS * sfreq / 2)) else None

    def mask(self, number: int, n_times: int, sfreq: float) -> Mask | None:
        """Which samples of an epoch, at the stager's rate, lie at a heartbeat, shape (n_times,)."""
        beats = self.beats(number)
        if beats is None:
            return None
        return np.asarray((np.abs(np.arange(n_times) / sfreq - beats[:, None]) <= QRS).any(axis=0))


def _is_rhythm(times: Array) -> bool:
    """Whether beats follow each other as those of a heart do."""
    steps = np.diff(times)
    if len(steps) < 5 or not RATES[0] <= 60 / np.median(steps) <= RATES[1]:
        return False
    return bool(np.median(np.abs(steps - np.median(steps))) <= IRREGULAR * np.median(steps))


def _stand_out(size: Array, beats: npt.NDArray[np.intp], reach: int) -> bool:
    """Whether beats are larger than what is between them, and about as large as each other."""
    peaks = np.array([size[max(beat - reach, 0) : beat + reach + 1].max() for beat in beats])
    low, middle, high = np.quantile(peaks, [0.25, 0.5, 0.75])
    return bool(middle >= max(STANDS_OUT * np.median(size), LARGEST * size.max()) and low >= ALIKE * high)


def bad_stretches(epochs: mne.BaseEpochs) -> list[list[tuple[float, float]]]:
    """What annotations call bad, in s from the start of each epoch: onset and end."""
    if epochs.annotations is None:
        return [[] for _ in range(len(epochs))]
    return [
        [(onset, onset + duration) for onset, duration, words, *_ in own if str(words).casefold().startswith("bad")]
        for own in epochs.get_annotations_per_epoch()
    ]


def artifacts_of(segments: Segments, epochs: mne.BaseEpochs) -> npt.NDArray[np.bool_]:
    """Which seconds of each channel are artifacts, shape (n_epochs, n_channels, n_seconds).

    Of EEG channels those that are far larger than the night's, or whose frequencies above 20 Hz are; of all channels those that
    are flat, or at the channel's extremes, and those that annotations call bad. The eyes' and the chin's own signals are large
    when they tell most.
    """
    n_epochs, n_channels, n_times = segments.signals.shape
    n_seconds = max(round(n_times / segments.sfreq), 1)
    found = np.zeros((n_epochs, n_channels, n_seconds), dtype=bool)
    edges = np.linspace(0, n_times, n_seconds + 1).round().astype(int)
    for place, kind in enumerate(segments.ch_types):
        microvolts = segments.signals[:, place] * segments.gain[:, place, None]
        found[:, place] = _of_channel(microvolts, edges, segments.sfreq, kind == "eeg")
    for number, stretches in enumerate(bad_stretches(without_bad(epochs))):
        for begin, end in stretches:
            found[number, :, max(int(begin), 0) : max(int(np.ceil(end)), 0)] = True
    return found


def _of_channel(signals: npt.NDArray[np.floating], edges: npt.NDArray[np.intp], sfreq: float, is_eeg: bool) -> Mask:
    """Which seconds of a channel are artifacts, shape (n_epochs, n_seconds)."""
    length = int(np.diff(edges).min())
    seconds = np.stack([signals[:, begin : begin + length] for begin in edges[:-1]], axis=1)
    size = np.ptp(seconds, axis=-1)
    at_ends = (seconds == signals.min()) | (seconds == signals.max())
    bad = (size <= FLAT * np.median(size)) | (at_ends.mean(axis=-1) > CLIPPED)
    if not is_eeg:
        return np.asarray(bad)
    spectra = np.abs(np.fft.rfft(seconds * np.hanning(length), axis=-1)) ** 2
    freqs = np.fft.rfftfreq(length, 1 / sfreq)
    fast = spectra[..., (freqs >= MUSCLE) & (freqs < 48)].sum(axis=-1)
    is_large = (size > LARGE) & _outlying(size, DEVIATIONS)
    return np.asarray(bad | is_large | _outlying(np.sqrt(fast), FAST_DEVIATIONS))


def _outlying(size: npt.NDArray[np.floating], deviations: float) -> Mask:
    """Which sizes lie far above the night's."""
    log = np.log(np.maximum(size, 1e-12))
    centre = np.median(log)
    sd = max(float(1.4826 * np.median(np.abs(log - centre))), LEAST_SD)
    return np.asarray(log > centre + deviations * sd)
