"""From epochs to segments: a recording in the channels, rate, unit and scale of a stager, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.epochs import without_bad
from eegflex.errors import ChannelError, ParameterError, RecordingError, check_choice
from eegflex.preprocessing.blocks import filter_blocks
from eegflex.preprocessing.channels import choose_inputs
from eegflex.preprocessing.filter_and_resample import notes_of, plan_filter
from eegflex.preprocessing.grid import lay_grid
from eegflex.preprocessing.holes import n_left_out, refuse_holes
from eegflex.preprocessing.scaling import scale
from eegflex.preprocessing.times import tell_of_times
from eegflex.readers.stage_words import is_sleep_stage, parse_label
from eegflex.settings import FILTER_EDGES
from eegflex.spec.model_spec import FilterSpec, ModelSpec
from eegflex.stages import NOT_STAGED, STAGES

__all__ = ["Segments", "prepare"]


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
        Why an epoch cannot be explained: ``"not finite"``, ``"out of range"``, ``"flat"``, ``"saturated"``, or
        ``"at an edge"`` where that was asked for; empty for a sound one.
    notes : dict
        What was done, for provenance: filter, resampling, how far the edges of runs reach and into how many epochs, and how
        many epochs of the recording were left out before.
    filter_edge : array of bool, shape (n_epochs,)
        Whether filtering or resampling made up for what lies beyond the edge of the epoch's run.
    passed : tuple of FilterSpec or None, length n_channels
        The pass band of each channel, where its input has one of its own; empty where nobody says.
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
    passed: tuple[FilterSpec | None, ...] = ()

    def __len__(self) -> int:
        return len(self.signals)

    def at(self, numbers: npt.NDArray[np.intp]) -> Segments:
        """Some of the epochs, for a stager that sees no neighbours."""
        names = ("signals", "gain", "onset", "run", "stage", "fault", "filter_edge")
        own = {name: getattr(self, name) for name in names}
        return replace(self, **{name: values[numbers] for name, values in own.items() if len(values)})

    @property
    def duration(self) -> float:
        """Length of an epoch in s, without a sample that it shares with the next one."""
        n_times, steps = self.signals.shape[-1], np.diff(self.onset) * self.sfreq
        shares = bool(len(steps)) and abs(n_times - 1 - float(steps.min())) < 0.5
        return float((n_times - shares) / self.sfreq)


def prepare(
    epochs: mne.BaseEpochs,
    spec: ModelSpec,
    picks: str | Sequence[str] | None = None,
    *,
    filter_edges: str = "keep",
) -> Segments:
    """Prepare a recording for a stager: what its spec asks for, step by step.

    Filtering and resampling work on the continuous signal of each run, channel by channel; scaling uses statistics of the
    whole recording or of each epoch, frozen before anything is explained.

    At the edges of a run a filter meets no signal, and its reflection is filtered instead, as everywhere in MNE. Every
    night begins and ends so, and an epoch that stands alone is all edge; the epochs concerned are therefore counted in
    the notes and named by `filter_edge`, and masked only on request.

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

    Returns
    -------
    segments : Segments
        The recording as the stager is given it.

    Raises
    ------
    ChannelError
        If a channel that the spec needs is missing, or is flat or saturated from beginning to end.
    RecordingError
        If there are no epochs, they are shorter or sampled more slowly than the spec allows, or some were taken out among
        those that the stager sees at once.
    """
    check_choice("filter_edges", filter_edges, FILTER_EDGES)
    epochs = _settled(epochs)
    cuts = refuse_holes(epochs, spec)
    inputs = choose_inputs(epochs, spec, picks)
    grid = lay_grid(epochs, spec, inputs)
    passed = tuple(spec.channels[channel.place].filter for channel in inputs.channels)
    plans = [plan_filter(epochs.info, one or spec.filter, grid) for one in passed]
    signals, faults = filter_blocks(epochs, inputs, plans, spec.unit)
    faults.refuse_unfit(spec)
    gain = scale(signals, inputs, spec.scale, spec.unit, grid)
    fault, at_edge = faults.first, np.logical_or.reduce([plan.at_edge for plan in plans])
    if filter_edges == "mask":
        fault = np.where((fault == "") & at_edge, "at an edge", fault)
    return Segments(
        signals=signals,
        gain=gain,
        sfreq=grid.sfreq,
        ch_names=tuple(c.name for c in inputs.channels),
        ch_types=tuple(c.kind for c in inputs.channels),
        positions=np.array([c.position for c in inputs.channels]),
        channel_sets=inputs.channel_sets,
        onset=grid.onset,
        run=grid.run,
        stage=_stages(epochs, spec),
        fault=fault,
        notes={
            "sfreq_recorded": grid.recorded,
            "sfreq_native": {c.name: c.native_sfreq for c in inputs.channels},
            "derived": [c.name for c in inputs.channels if c.minus],
            "warnings": [*inputs.warnings, *cuts, *tell_of_times(epochs, spec)],
            **notes_of([c.name for c in inputs.channels], plans),
            "filter_edges": filter_edges,
            "left_out": n_left_out(epochs),
        },
        filter_edge=at_edge,
        passed=passed,
    )


def _settled(epochs: mne.BaseEpochs) -> mne.BaseEpochs:
    """Epochs whose number is known; the caller's own where MNE has nothing left to drop."""
    if not isinstance(epochs, mne.BaseEpochs):
        raise ParameterError(
            "Epochs are needed",
            seen=type(epochs).__name__,
            remedy="Make them with eegflex.make_epochs(raw) or mne.Epochs",
        )
    if not all(map(str.strip, epochs.ch_names)):
        raise ChannelError(
            "A channel has no name", seen=epochs.ch_names, remedy="Name it with epochs.rename_channels, or drop it"
        )
    epochs = without_bad(epochs)
    if len(epochs) == 0:
        raise RecordingError("There are no epochs", remedy="Look at epochs.drop_log for why they were dropped")
    return epochs


def _stages(epochs: mne.BaseEpochs, spec: ModelSpec) -> npt.NDArray[np.str_]:
    """The scored stages: of the metadata, else of the event names where those are stages.

    A name that is nothing but a letter or a code is one only where all names are stages, of two kinds or more.
    """
    if epochs.metadata is not None and "stage" in epochs.metadata:
        return _named(epochs.metadata["stage"], spec)
    named = {name: parse_label(name) for name in epochs.event_id}
    only_stages = all(named.values()) and len(set(named.values()) & set(STAGES)) > 1
    stages = {
        code: stage
        for name, code in epochs.event_id.items()
        if (stage := named[name]) and (only_stages or name in STAGES or is_sleep_stage(name))
    }
    return np.array([stages.get(code, "UNSCORED") for code in epochs.events[:, 2]], dtype=str)


def _named(stage: pd.Series, spec: ModelSpec) -> npt.NDArray[np.str_]:
    """Stages of the metadata, as they are named everywhere here, or by the stager; what is missing is not staged."""
    found: npt.NDArray[np.str_] = np.where(stage.isna(), "UNSCORED", stage.astype(str)).astype(str)
    found = np.where(found == "", "UNSCORED", found)
    known = (*STAGES, *NOT_STAGED, *spec.stages)
    unknown = sorted(set(found.tolist()) - set(known))
    if unknown:
        renamed = {label: meant for label in unknown if (meant := parse_label(label))}
        how = f"replace({renamed})" if renamed else "map({...})"
        remedy = f"Rename them in the metadata, with epochs.metadata['stage'].{how}"
        raise RecordingError(
            "metadata['stage'] has labels that are no stages: epochs would silently count as not scored",
            seen=[f"{label!r} ({int((found == label).sum())} epochs)" for label in unknown[:8]],
            allowed=list(dict.fromkeys(known)),
            remedy=remedy,
        )
    return found
