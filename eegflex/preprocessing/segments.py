"""From Epochs to what a stager eats: its channels, rate, unit and scale, on segments that know their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError, RecordingError, check_choice
from eegflex.preprocessing.channels import Connection, connect
from eegflex.preprocessing.faults import extremes_of, faults_of, first_named, refuse_unfit, why_unfit
from eegflex.preprocessing.filtering import Conditioning, plan_conditioning
from eegflex.preprocessing.scaling import standardise
from eegflex.readers.epoch_times import epoch_onsets
from eegflex.settings import FILTER_EDGES
from eegflex.spec.model_spec import ModelSpec

__all__ = ["Segments", "prepare"]

_PER_VOLT = {"V": 1.0, "mV": 1e3, "uV": 1e6}
_VOLTAGES = frozenset({"eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio"})


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
    channel_sets : tuple of tuple of int
        The channels connected to the stager's inputs, once for each way of connecting them.
    onset : array, shape (n_epochs,)
        Seconds from the start of the recording.
    run : array of int, shape (n_epochs,)
        Stretches contiguous in time.
    stage : array of str, shape (n_epochs,)
        The hypnogram's stages, ``"UNSCORED"`` where it has none.
    fault : array of str, shape (n_epochs,)
        Why an epoch cannot be explained: ``"not finite"``, ``"flat"``, ``"saturated"``, or ``"at an edge"`` where that
        was asked for; empty for a sound one.
    notes : dict
        What was done, for provenance: filter, resampling, how far the edges of runs reach and into how many epochs.
    filter_edge : array of bool, shape (n_epochs,)
        Whether filtering or resampling made up for what lies beyond the edge of the epoch's run.
    """

    signals: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float64]
    sfreq: float
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...]
    positions: npt.NDArray[np.float64]
    channel_sets: tuple[tuple[int, ...], ...]
    onset: npt.NDArray[np.float64]
    run: npt.NDArray[np.int64]
    stage: npt.NDArray[np.str_]
    fault: npt.NDArray[np.str_]
    notes: dict[str, Any] = field(default_factory=dict)
    filter_edge: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __len__(self) -> int:
        return len(self.signals)


def prepare(
    epochs: mne.BaseEpochs,
    spec: ModelSpec,
    picks: str | Sequence[str] | None = None,
    *,
    filter_edges: str = "keep",
) -> Segments:
    """Give a stager's spec what it asks for.

    Filtering and resampling work on the continuous signal of each run, channel by channel; scaling uses statistics of the
    whole recording or of each epoch, frozen before anything is explained.

    At the edges of a run a filter meets no signal, and its reflection is filtered instead, as everywhere in MNE. Every
    night begins and ends so, and an epoch that stands alone is all edge; the epochs concerned are therefore counted in
    the notes and named by ``filter_edge``, and masked only on request.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The recording. It is not changed.
    spec : ModelSpec
        What the stager asks for.
    picks : str | sequence of str | None
        Channels to choose from, as in MNE. By default all that are not bad.
    filter_edges : {"keep", "mask"}
        Whether epochs into which the edge of a run reaches are explained like any other, or masked as faulty.

    Raises
    ------
    ChannelError
        If a channel that the spec needs is missing, or is flat or saturated from beginning to end.
    RecordingError
        If there are no epochs, or they are shorter or sampled more slowly than the spec allows.
    """
    check_choice("filter_edges", filter_edges, FILTER_EDGES)
    epochs = _settled(epochs)
    connections, channel_sets = connect(epochs, spec, picks)
    sfreq, n_times = _grid(epochs, spec, connections)
    onset = epoch_onsets(epochs)
    run = _runs(epochs, onset, n_times / sfreq)
    conditioning = plan_conditioning(epochs.info, spec.filter, sfreq, n_times)
    signals, faults, unfit = _condition(epochs, connections, conditioning, run, spec.unit)
    refuse_unfit(unfit, spec)
    gain = np.empty(signals.shape[:2])
    for number, connection in enumerate(connections):
        divisor = standardise(signals[:, number], spec.scale)
        gain[:, number] = divisor * _factor(connection, "uV") / _factor(connection, spec.unit)
    fault = first_named(faults)
    edge = conditioning.at_edge(run)
    if filter_edges == "mask":
        fault = np.where((fault == "") & edge, "at an edge", fault)
    return Segments(
        signals=signals,
        gain=gain,
        sfreq=sfreq,
        ch_names=tuple(c.name for c in connections),
        ch_types=tuple(c.kind for c in connections),
        positions=np.array([c.position for c in connections]),
        channel_sets=channel_sets,
        onset=onset,
        run=run,
        stage=_stages(epochs),
        fault=fault,
        notes={
            "sfreq_recorded": float(epochs.info["sfreq"]),
            "sfreq_native": {c.name: c.native_sfreq for c in connections},
            "derived": [c.name for c in connections if c.minus],
            **conditioning.notes(run),
            "filter_edges": filter_edges,
        },
        filter_edge=edge,
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
            allowed=[c.name for c in connections if c.name not in slow],
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


def _runs(epochs: mne.BaseEpochs, onset: npt.NDArray[np.float64], duration: float) -> npt.NDArray[np.int64]:
    """Number the stretches in which every epoch begins where the one before it ends, to half a sample.

    Recordings that were joined may meet where one epoch ends and the next begins: the metadata know.
    """
    breaks = np.abs(np.diff(onset) - duration) >= 0.5 / float(epochs.info["sfreq"])
    if epochs.metadata is not None and "run" in epochs.metadata:
        breaks |= np.diff(epochs.metadata["run"].to_numpy()) != 0
    return np.concatenate([[0], np.cumsum(breaks)]).astype(np.int64)


def _stages(epochs: mne.BaseEpochs) -> npt.NDArray[np.str_]:
    """The scored stages: of the metadata, else of the event names where those are stages."""
    from eegflex.stages import STAGES

    if epochs.metadata is not None and "stage" in epochs.metadata:
        return epochs.metadata["stage"].to_numpy(dtype=str)
    names = {code: name for name, code in epochs.event_id.items() if name in STAGES}
    return np.array([names.get(code, "UNSCORED") for code in epochs.events[:, 2]], dtype=str)


def _factor(connection: Connection, unit: str) -> float:
    """What a channel's numbers in MNE's unit are multiplied with."""
    return _PER_VOLT[unit] if connection.kind in _VOLTAGES else 1.0


def _condition(
    epochs: mne.BaseEpochs,
    connections: Sequence[Connection],
    conditioning: Conditioning,
    run: npt.NDArray[np.int64],
    unit: str,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.str_], dict[str, str]]:
    """Bring channels to the stager's pass band, rate and unit, and say what is wrong with their epochs and with all of one.

    Signals have the shape (n_epochs, n_connections, n_times), faults (n_epochs, n_connections).
    """
    names = list(dict.fromkeys(name for c in connections for name in (c.plus, c.minus) if name))
    signals = np.empty((len(epochs), len(connections), conditioning.n_times), dtype=np.float32)
    fault = np.full(signals.shape[:2], "", dtype="U16")
    extremes: list[list[tuple[float, float, int, int, int]]] = [[] for _ in connections]
    for block in conditioning.blocks(run):
        # All channels at once: MNE reads all of a recording that is not in memory for any one of them.
        data = epochs.get_data(picks=names, item=block.read, verbose="error")
        of_name = {name: data[:, place] for place, name in enumerate(names)}
        for number, connection in enumerate(connections):
            recorded = connection.signal(of_name) * _factor(connection, "uV")
            fault[block.epochs, number] = faults_of(recorded[block.own])
            extremes[number].append(extremes_of(recorded[block.own]))
            # The epoch is masked; silence in its place keeps filters and statistics of the others from being spoilt.
            sound = np.where(np.isfinite(recorded), recorded, 0.0)
            factor = _factor(connection, unit) / _factor(connection, "uV")
            signals[block.epochs, number] = conditioning.apply(sound)[block.own] * factor
    unfit = {
        connection.name: why_unfit(np.array(extremes[number]), fault[:, number])
        for number, connection in enumerate(connections)
    }
    return signals, fault, unfit
