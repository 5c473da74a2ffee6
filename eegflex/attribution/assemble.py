"""Put what was explained together into a labelled result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex._version import __version__
from eegflex.attribution.kept import DIMS, Kept
from eegflex.attribution.spectra import frames
from eegflex.attribution.request import Explained, Task
from eegflex.bands import Bands
from eegflex.readers.notes import get_notes
from eegflex.results.result import LAYOUT, FlexResult
from eegflex.preprocessing.segments import Segments
from eegflex.stagers.stager import BoundStager

__all__ = ["assemble"]

#: What the views are called in a result.
_NAMES = {
    "frequency": "frequency_view",
    "time": "time_view",
    "time-frequency": "time_frequency_view",
    "band": "band_view",
    "context": "context_map",
}
#: Epochs whose power is computed at once.
_AT_ONCE = 32


def assemble(
    epochs: mne.BaseEpochs,
    task: Task,
    bound: Sequence[BoundStager],
    kept: Kept,
    parameters: dict[str, Any],
    notes: dict[str, Any],
) -> FlexResult:
    """Label everything.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        What the user gave.
    task : Task
        What was to be explained.
    bound : sequence of BoundStager
        The stager on each combination.
    kept : Kept
        What was explained. Only epochs that all combinations have are taken.
    parameters : dict
        The arguments of the attribution.
    notes : dict
        Further provenance.
    """
    segments, spec = task.segments, task.stager.spec
    numbers, single = kept.numbers, task.target != "all"
    parts = [[own[number] for number in numbers] for own in kept.facts]
    variables = _per_combination(task, parts, numbers, single)
    for view, values in kept.views.items():
        dims = ("epoch", *DIMS[view]) if single else ("epoch", "explained", *DIMS[view])
        variables[_NAMES[view]] = (dims, values[:, 0] if single else values)
    rows = np.array([channel for channels in segments.combinations for channel in channels])
    signal = segments.signals[np.ix_(numbers, rows)]
    signal *= segments.gain[np.ix_(numbers, rows)][..., None]
    variables |= {
        "power": (("epoch", "channel", "freq"), _density(signal, segments.sfreq)),
        "signal": (("epoch", "channel", "time"), signal),
        "scores": (("epoch", "combination", "stage_name"), task.scores[numbers]),
        "night_scores": (("night", "combination", "stage_name"), task.scores),
    }
    coordinates = _coordinates(task, bound[0], numbers) | {"context": kept.offsets}
    used = {dim for dims, _ in variables.values() for dim in dims}
    dataset = xr.Dataset(variables, coords={name: c for name, c in coordinates.items() if _dim(name, c) in used})
    dataset.attrs = {
        "layout": LAYOUT,
        "sfreq": segments.sfreq,
        "spec": json.dumps(spec.to_dict()),
        "parameters": json.dumps(parameters),
        "provenance": json.dumps(_provenance(epochs, segments, len(numbers)) | notes),
    }
    return FlexResult(dataset)


def _dim(name: str, coordinate: Any) -> str:
    return coordinate[0] if isinstance(coordinate, tuple) else name


def _per_combination(
    task: Task, parts: Sequence[Sequence[Explained]], numbers: npt.NDArray[np.int64], single: bool
) -> dict[str, Any]:
    """What is one number for each epoch and combination (and score explained)."""
    variables: dict[str, Any] = {}
    for name in ("score", "baseline_score", "gap"):
        values = np.stack([np.stack([getattr(e, name) for e in own]) for own in parts], axis=1)
        dims = ("epoch", "combination") if single else ("epoch", "combination", "explained")
        variables[name] = (dims, values[..., 0] if single else values)
    stages = np.array(task.stager.spec.stages, dtype=object)
    labels = [task.labels(numbers, combination) for combination in range(len(parts))]
    columns = {
        name: [[getattr(e, name) for e in own] for own in parts] for name in ("n_gradients", "n_forwards", "error")
    }
    variables |= {name: (("epoch", "combination"), np.array(values).T) for name, values in columns.items()}
    variables["predicted"] = ("epoch", "combination"), stages[task.scores[numbers].argmax(axis=2)]
    variables["target"] = ("epoch", "combination"), np.stack(labels, axis=1).astype(object)
    return variables


def _coordinates(task: Task, bound: BoundStager, numbers: npt.NDArray[np.int64]) -> dict[str, Any]:
    segments = task.segments
    rows = [channel for channels in segments.combinations for channel in channels]
    n_times = segments.signals.shape[-1]
    names = np.array(segments.ch_names, dtype=object)
    gabor = frames(n_times, segments.sfreq)
    stages = np.array(task.stager.spec.stages, dtype=object)
    return {
        "number": ("epoch", numbers),
        "onset": ("epoch", segments.onset[numbers]),
        "run": ("epoch", segments.run[numbers]),
        "stage": ("epoch", segments.stage[numbers].astype(object)),
        "edge": ("epoch", bound.windows.edge[numbers].astype(object)),
        "filter_edge": ("epoch", segments.filter_edge[numbers]),
        "channel": np.array(_labels(segments), dtype=object),
        "ch_name": ("channel", names[rows]),
        "ch_type": ("channel", np.array(segments.ch_types, dtype=object)[rows]),
        "of_combination": (
            "channel",
            np.repeat(np.arange(len(segments.combinations)), [len(c) for c in segments.combinations]),
        ),
        **{axis: ("channel", segments.positions[rows, i]) for i, axis in enumerate("xyz")},
        "freq": np.fft.rfftfreq(n_times, 1 / segments.sfreq),
        "time": np.arange(n_times) / segments.sfreq,
        "frame": gabor.times,
        "frame_freq": gabor.freqs,
        "band": np.array(Bands().names, dtype=object),
        "combination": np.array([" + ".join(names[list(c)]) for c in segments.combinations], dtype=object),
        "stage_name": stages,
        "explained": stages,
        "night_onset": ("night", segments.onset),
        "night_run": ("night", segments.run),
        "night_stage": ("night", segments.stage.astype(object)),
        "night_fault": ("night", segments.fault.astype(object)),
    }


def _labels(segments: Segments) -> list[str]:
    """Names of the channels, told apart where one takes part in several combinations."""
    uses = [channel for channels in segments.combinations for channel in channels]
    labels = []
    for channels in segments.combinations:
        own = [segments.ch_names[c] for c in channels if uses.count(c) == 1]
        for channel in channels:
            name = segments.ch_names[channel]
            labels.append(name if uses.count(channel) == 1 else f"{name} (with {', '.join(own)})")
    return labels


def _density(signal: npt.NDArray[np.float32], sfreq: float) -> npt.NDArray[np.float32]:
    """One-sided power spectral density of segments, in their unit squared per Hz, shape (..., n_freqs)."""
    n_times = signal.shape[-1]
    density = np.empty((*signal.shape[:-1], n_times // 2 + 1), dtype=np.float32)
    for start in range(0, len(signal), _AT_ONCE):
        spectrum = np.fft.rfft(signal[start : start + _AT_ONCE])
        density[start : start + _AT_ONCE] = np.abs(spectrum) ** 2 * (2 / (sfreq * n_times))
    density[..., 0] /= 2
    if n_times % 2 == 0:
        density[..., -1] /= 2
    return density


def _provenance(epochs: mne.BaseEpochs, segments: Segments, n_explained: int) -> dict[str, Any]:
    faults, counts = np.unique(segments.fault[segments.fault != ""], return_counts=True)
    notes = get_notes(epochs.info)
    kept = ("source", "format", "alignment", "profile", "renamed")
    read = {} if notes is None else {name: getattr(notes, name) for name in kept}
    return {
        "eegflex": __version__,
        **{package: version(package) for package in ("mne", "numpy", "torch")},
        "input_sha256": hashlib.sha256(np.ascontiguousarray(segments.signals).data).hexdigest(),
        "epochs": len(segments),
        "explained": n_explained,
        "faults": dict(zip(faults.tolist(), counts.tolist(), strict=True)),
        "runs": int(segments.run.max()) + 1,
        "warnings": [] if notes is None else list(notes.warnings),
        **segments.notes,
        **read,
    }
