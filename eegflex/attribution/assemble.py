"""Put what was explained together into a labelled result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex._version import __version__
from eegflex.readers.notes import get_notes
from eegflex.result import LAYOUT, FlexResult
from eegflex.segments import Segments
from eegflex.stagers.spec import ModelSpec

__all__ = ["Explained", "assemble"]

_DIMS = {"frequency": ("epoch", "channel", "freq"), "time": ("epoch", "channel", "time")}


@dataclass(frozen=True)
class Explained:
    """Attributions of some epochs with one combination of channels.

    Attributes
    ----------
    views : dict of str to array, shape (n_epochs, n_channels, ...)
        Attribution to frequencies, to samples.
    score, baseline_score : array of float64, shape (n_epochs,)
        F(x) and F(x_b).
    n_gradients : array of int, shape (n_epochs,)
        Gradient evaluations.
    error : array of float64, shape (n_epochs,)
        Estimated relative error; NaN where there is no estimate.
    target : array of str, shape (n_epochs,)
        The score that was explained.
    """

    views: dict[str, npt.NDArray[np.float64]]
    score: npt.NDArray[np.float64]
    baseline_score: npt.NDArray[np.float64]
    n_gradients: npt.NDArray[np.int64]
    error: npt.NDArray[np.float64]
    target: npt.NDArray[np.str_] | None = None

    @property
    def gap(self) -> npt.NDArray[np.float64]:
        """Sum of the attributions less F(x) - F(x_b)."""
        return self.views["frequency"].sum(axis=(1, 2)) - (self.score - self.baseline_score)

    @classmethod
    def joined(cls, parts: Sequence[Explained], target: npt.NDArray[np.str_]) -> Explained:
        """Parts of one combination, one after the other."""
        return cls(
            views={view: np.concatenate([part.views[view] for part in parts]) for view in parts[0].views},
            score=np.concatenate([part.score for part in parts]),
            baseline_score=np.concatenate([part.baseline_score for part in parts]),
            n_gradients=np.concatenate([part.n_gradients for part in parts]),
            error=np.concatenate([part.error for part in parts]),
            target=target,
        )


def assemble(
    epochs: mne.BaseEpochs,
    segments: Segments,
    spec: ModelSpec,
    scores: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.intp],
    explained: Sequence[Explained],
    parameters: dict[str, Any],
) -> FlexResult:
    """Label everything.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        What the user gave.
    segments : Segments
        What the stager was given.
    spec : ModelSpec
        Its contract.
    scores : array, shape (n_epochs, n_combinations, n_stages)
        Its scores of the recorded epochs.
    chosen : array of int
        The epochs that were explained.
    explained : sequence of Explained
        One for each combination.
    parameters : dict
        The arguments of the attribution.
    """
    rows = np.array([channel for channels in segments.combinations for channel in channels])
    signal = segments.signals[np.ix_(chosen, rows)] * segments.gain[np.ix_(chosen, rows)][..., None]
    stages = np.array(spec.stages, dtype=str)
    own_scores = scores[chosen]
    variables: dict[str, Any] = {
        f"{view}_view": (_DIMS[view], np.concatenate([e.views[view] for e in explained], axis=1).astype(np.float32))
        for view in explained[0].views
    }
    per_combination = {
        "score": np.stack([e.score for e in explained], axis=1),
        "baseline_score": np.stack([e.baseline_score for e in explained], axis=1),
        "gap": np.stack([e.gap for e in explained], axis=1),
        "n_gradients": np.stack([e.n_gradients for e in explained], axis=1),
        "error": np.stack([e.error for e in explained], axis=1),
        "predicted": stages[own_scores.argmax(axis=2)].astype(object),
        "target": np.stack([np.asarray(e.target) for e in explained], axis=1).astype(object),
    }
    variables |= {name: (("epoch", "combination"), values) for name, values in per_combination.items()}
    variables |= {
        "power": (_DIMS["frequency"], _density(signal, segments.sfreq).astype(np.float32)),
        "signal": (_DIMS["time"], signal.astype(np.float32)),
        "scores": (("epoch", "combination", "stage_name"), own_scores),
        "night_scores": (("night", "combination", "stage_name"), scores),
    }
    dataset = xr.Dataset(variables, coords=_coordinates(segments, stages, chosen))
    dataset.attrs = {
        "layout": LAYOUT,
        "sfreq": segments.sfreq,
        "spec": json.dumps(spec.to_dict()),
        "parameters": json.dumps(parameters),
        "provenance": json.dumps(_provenance(epochs, segments, chosen)),
    }
    return FlexResult(dataset)


def _coordinates(segments: Segments, stages: npt.NDArray[np.str_], chosen: npt.NDArray[np.intp]) -> dict[str, Any]:
    rows = [channel for channels in segments.combinations for channel in channels]
    n_times = segments.signals.shape[-1]
    names = np.array(segments.ch_names, dtype=object)
    return {
        "number": ("epoch", chosen),
        "onset": ("epoch", segments.onset[chosen]),
        "run": ("epoch", segments.run[chosen]),
        "stage": ("epoch", segments.stage[chosen].astype(object)),
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
        "combination": np.array([" + ".join(names[list(c)]) for c in segments.combinations], dtype=object),
        "stage_name": stages.astype(object),
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


def _density(signal: npt.NDArray[np.float64], sfreq: float) -> npt.NDArray[np.float64]:
    """One-sided power spectral density of segments, in their unit squared per Hz, shape (..., n_freqs)."""
    n_times = signal.shape[-1]
    density = np.abs(np.fft.rfft(signal)) ** 2 * (2 / (sfreq * n_times))
    density[..., 0] /= 2
    if n_times % 2 == 0:
        density[..., -1] /= 2
    return density


def _provenance(epochs: mne.BaseEpochs, segments: Segments, chosen: npt.NDArray[np.intp]) -> dict[str, Any]:
    faults, counts = np.unique(segments.fault[segments.fault != ""], return_counts=True)
    notes = get_notes(epochs.info)
    read = {} if notes is None else {"source": notes.source, "format": notes.format, "alignment": notes.alignment}
    return {
        "eegflex": __version__,
        **{package: version(package) for package in ("mne", "numpy", "torch")},
        "input_sha256": hashlib.sha256(np.ascontiguousarray(segments.signals).tobytes()).hexdigest(),
        "epochs": len(segments),
        "explained": len(chosen),
        "faults": dict(zip(faults.tolist(), counts.tolist(), strict=True)),
        "runs": int(segments.run.max()) + 1,
        "warnings": [] if notes is None else list(notes.warnings),
        **segments.notes,
        **read,
    }
