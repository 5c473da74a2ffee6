"""From Epochs to what a stager eats: its channels, rate, unit and scale, on segments that know their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from eegflex.connections import Connection, connect
from eegflex.errors import ParameterError, RecordingError
from eegflex.stagers.spec import FilterSpec, ModelSpec, ScaleSpec

__all__ = ["Segments", "prepare"]

_PER_VOLT = {"V": 1.0, "mV": 1e3, "uV": 1e6}
_VOLTAGES = frozenset({"eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio"})
#: An epoch is saturated when more than this share of its samples sits at its own extremes.
SATURATED = 0.2


@dataclass(frozen=True)
class Segments:
    """A recording cut into segments, as a stager wants them.

    Attributes
    ----------
    signals : array of float32, shape (n_epochs, n_channels, n_times)
        Filtered, resampled and scaled.
    gain : array of float64, shape (n_epochs, n_channels)
        Unscaled unit (µV for voltages) per unit of `signals`, so that ``signals * gain`` has the physical size.
    sfreq : float
        Sampling rate in Hz.
    ch_names, ch_types : tuple of str, length n_channels
        As in the recording, or the derivation made for the stager.
    positions : array, shape (n_channels, 3)
        Electrode positions in m, head coordinates; NaN where there is none.
    combinations : tuple of tuple of int
        The channels connected to the stager's inputs, once for each way of connecting them.
    onset : array, shape (n_epochs,)
        Seconds from the start of the recording.
    run : array of int, shape (n_epochs,)
        Stretches contiguous in time.
    stage : array of str, shape (n_epochs,)
        The hypnogram's stages, ``"UNSCORED"`` where it has none.
    fault : array of str, shape (n_epochs,)
        Why an epoch cannot be explained: ``"not finite"``, ``"flat"``, ``"saturated"``; empty for a sound one.
    notes : dict
        What was done, for provenance.
    """

    signals: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float64]
    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    positions: npt.NDArray[np.float64]
    combinations: tuple[tuple[int, ...], ...]
    onset: npt.NDArray[np.float64]
    run: npt.NDArray[np.int64]
    stage: npt.NDArray[np.str_]
    fault: npt.NDArray[np.str_]
    notes: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.signals)


def prepare(
    epochs: mne.BaseEpochs,
    spec: ModelSpec,
    picks: str | Sequence[str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Segments:
    """Give a stager's spec what it asks for.

    Filtering and resampling work on the continuous signal of each run, channel by channel; scaling uses statistics of the
    whole recording or of each epoch, frozen before anything is explained.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The recording. It is not changed.
    spec : ModelSpec
        What the stager asks for.
    picks : str | sequence of str | None
        Channels to choose from, as in MNE. By default all that are not bad.
    progress : callable
        Told how many channels are done since the last call.

    Raises
    ------
    ChannelError
        If a channel that the spec needs is missing.
    RecordingError
        If there are no epochs, or they are shorter or sampled more slowly than the spec allows.
    """
    epochs = _settled(epochs)
    connections, combinations = connect(epochs, spec, picks)
    sfreq, n_times = _grid(epochs, spec, connections)
    onset = _onsets(epochs)
    run = _runs(onset, n_times / sfreq, epochs.info["sfreq"])
    shape = (len(epochs), len(connections))
    signals, gain = np.empty((*shape, n_times), dtype=np.float32), np.empty(shape)
    fault = np.full(len(epochs), "", dtype="U16")
    for number, connection in enumerate(connections):
        recorded = connection.signal(epochs) * _factor(connection, "uV")
        fault = np.where(fault == "", _faults(recorded), fault)
        # The epoch is masked; silence in its place keeps filters and statistics of the others from being spoilt.
        recorded = np.where(np.isfinite(recorded), recorded, 0.0)
        heard = _resample(_filter(recorded, run, epochs.info, spec.filter), run, epochs.info["sfreq"], sfreq, n_times)
        factor = _factor(connection, spec.unit) / _factor(connection, "uV")
        signals[:, number], gain[:, number] = _scale(heard * factor, spec.scale)
        gain[:, number] /= factor
        progress(1)
    return Segments(
        signals=signals,
        gain=gain,
        sfreq=sfreq,
        ch_names=tuple(c.name for c in connections),
        ch_types=tuple(c.kind for c in connections),
        positions=np.array([c.position for c in connections]),
        combinations=combinations,
        onset=onset,
        run=run,
        stage=_stages(epochs),
        fault=fault,
        notes={"sfreq_recorded": float(epochs.info["sfreq"]), "derived": [c.name for c in connections if c.minus]},
    )


def _settled(epochs: mne.BaseEpochs) -> mne.BaseEpochs:
    """Epochs whose number is known; the caller's own where MNE has nothing left to drop."""
    if not isinstance(epochs, mne.BaseEpochs):
        raise ParameterError(
            "Epochs are needed",
            seen=type(epochs).__name__,
            remedy="Make them with eegflex.make_epochs(raw) or mne.Epochs",
        )
    if not epochs.preload:
        epochs = epochs.copy().drop_bad(verbose="error")
    if len(epochs) == 0:
        raise RecordingError("There are no epochs", remedy="Look at epochs.drop_log for why they were dropped")
    return epochs


def _grid(epochs: mne.BaseEpochs, spec: ModelSpec, connections: Sequence[Connection]) -> tuple[float, int]:
    """Sampling rate and samples of an epoch that the stager gets."""
    recorded, available = float(epochs.info["sfreq"]), len(epochs.times)
    sfreq = recorded if spec.sfreq is None else spec.sfreq
    slow = {c.name: c.native_sfreq for c in connections if c.native_sfreq < sfreq * (1 - 1e-6)}
    if slow:
        raise RecordingError(
            f"{spec.name} needs {sfreq:.6g} Hz, more than these channels were recorded at",
            seen=", ".join(f"{name}: {rate:g} Hz" for name, rate in slow.items()),
            remedy="Use a stager that was trained at a lower rate, or other channels",
        )
    n_times = spec.n_times
    if n_times is None:
        n_times = available if spec.sfreq is None else round(available / recorded * sfreq)
    if available < round(n_times / sfreq * recorded):
        raise RecordingError(
            f"{spec.name} needs epochs of {n_times / sfreq:g} s",
            seen=f"{available / recorded:g} s",
            remedy="Cut the recording with eegflex.make_epochs(raw, duration=...)",
        )
    return sfreq, n_times


def _onsets(epochs: mne.BaseEpochs) -> npt.NDArray[np.float64]:
    """Onsets in seconds: of the metadata, else of the events, whose samples keep the rate at which they were found."""
    if epochs.metadata is not None and "onset" in epochs.metadata:
        return epochs.metadata["onset"].to_numpy(dtype=np.float64)
    rate = float(np.ravel(getattr(epochs, "_raw_sfreq", None) or epochs.info["sfreq"])[0])
    return epochs.events[:, 0] / rate + epochs.tmin


def _runs(onset: npt.NDArray[np.float64], duration: float, sfreq: float) -> npt.NDArray[np.int64]:
    """Number the stretches in which every epoch begins where the one before it ends, to half a sample."""
    breaks = np.abs(np.diff(onset) - duration) >= 0.5 / sfreq
    return np.concatenate([[0], np.cumsum(breaks)]).astype(np.int64)


def _stages(epochs: mne.BaseEpochs) -> npt.NDArray[np.str_]:
    """The scored stages: of the metadata, else of the event names where those are stages."""
    from eegflex.readers.stages import STAGES

    if epochs.metadata is not None and "stage" in epochs.metadata:
        return epochs.metadata["stage"].to_numpy(dtype=str)
    names = {code: name for name, code in epochs.event_id.items() if name in STAGES}
    return np.array([names.get(code, "UNSCORED") for code in epochs.events[:, 2]], dtype=str)


def _factor(connection: Connection, unit: str) -> float:
    """What a channel's numbers in MNE's unit are multiplied with."""
    return _PER_VOLT[unit] if connection.kind in _VOLTAGES else 1.0


def _faults(signals: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """What is wrong with each epoch of a channel, shape (n_epochs, n_times); empty for nothing."""
    lowest, highest = signals.min(axis=1, keepdims=True), signals.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        stuck = ((signals == lowest) | (signals == highest)).mean(axis=1) > SATURATED
    checks = {"not finite": ~np.isfinite(signals).all(axis=1), "flat": np.ptp(signals, axis=1) == 0, "saturated": stuck}
    return np.select(list(checks.values()), [np.array(name, dtype="U16") for name in checks], np.array("", dtype="U16"))


def _by_run(
    signals: npt.NDArray[np.float64], run: npt.NDArray[np.int64], change: Callable[[npt.NDArray[np.float64], int], Any]
) -> npt.NDArray[np.float64]:
    """Apply a change to the continuous signal of each run."""
    parts = []
    for number in np.unique(run):
        members = signals[run == number]
        parts.append(np.asarray(change(members.ravel(), len(members))).reshape(len(members), -1))
    return np.concatenate(parts)


def _filter(
    signals: npt.NDArray[np.float64], run: npt.NDArray[np.int64], info: mne.Info, wanted: FilterSpec
) -> npt.NDArray[np.float64]:
    """Filter with MNE's default FIR what the recording does not already lack."""
    sfreq = float(info["sfreq"])
    low = wanted.l_freq if wanted.l_freq is not None and info["highpass"] < wanted.l_freq - 0.005 else None
    high = wanted.h_freq if wanted.h_freq is not None and info["lowpass"] > wanted.h_freq + 0.005 else None
    if high is not None and high >= sfreq / 2:
        high = None
    if low is None and high is None:
        return signals

    def change(signal: npt.NDArray[np.float64], _: int) -> Any:
        length = "auto" if len(signal) > 11 * sfreq / (low or 1.0) else len(signal)
        return mne.filter.filter_data(signal, sfreq, low, high, filter_length=length, verbose="error")

    return _by_run(signals, run, change)


def _resample(
    signals: npt.NDArray[np.float64], run: npt.NDArray[np.int64], recorded: float, sfreq: float, n_times: int
) -> npt.NDArray[np.float64]:
    """Resample the continuous signal of each run to `n_times` samples an epoch."""
    n_recorded = round(n_times / sfreq * recorded)
    if n_recorded == n_times and abs(recorded - sfreq) < 1e-9:
        return signals[:, :n_times]

    def change(signal: npt.NDArray[np.float64], n_epochs: int) -> Any:
        # MNE's own padding is seldom a whole number of samples at the new rate, which would shift the signal by a
        # fraction of one; an epoch on each side is.
        padded = np.pad(signal, n_recorded, mode="reflect", reflect_type="odd")
        up, down = (n_epochs + 2) * n_times, len(padded)
        return mne.filter.resample(padded, up=up, down=down, npad=0, verbose="error")[n_times:-n_times]

    return _by_run(signals[:, :n_recorded], run, change)


def _scale(
    signals: npt.NDArray[np.float64], wanted: ScaleSpec
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Standardise a channel, shape (n_epochs, n_times); also the divisor of each epoch."""
    if wanted.kind == "none":
        return _clip(signals, wanted.clip), np.ones(len(signals))
    over = None if wanted.per == "recording" else 1
    if wanted.kind == "zscore":
        centre, width = signals.mean(axis=over, keepdims=True), signals.std(axis=over, keepdims=True)
    else:
        centre = np.median(signals, axis=over, keepdims=True)
        quartiles = np.percentile(signals, [25, 75], axis=over, keepdims=True)
        width = quartiles[1] - quartiles[0]
    width = np.where(width == 0, 1.0, width)  # a flat channel stays flat
    return _clip((signals - centre) / width, wanted.clip), np.broadcast_to(width.ravel(), len(signals))


def _clip(signals: npt.NDArray[np.float64], limit: float | None) -> npt.NDArray[np.float64]:
    return signals if limit is None else np.clip(signals, -limit, limit)
