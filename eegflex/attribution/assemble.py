"""Put what was explained together into a labelled result."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from mne.utils import logger

from eegflex._version import __version__
from eegflex.attribution.phases import labelled
from eegflex.attribution.request import Explained, Request
from eegflex.attribution.spectra import frames
from eegflex.attribution.unused import OF_PATHS
from eegflex.bands import Bands
from eegflex.preprocessing.segments import Segments
from eegflex.readers.notes import get_notes
from eegflex.results.collapse import facts
from eegflex.results.decided import FRACTIONS, REPLACED, near_baseline
from eegflex.results.identity import name_recording, without_texts
from eegflex.results.layout import LAYOUT
from eegflex.results.resolution import PER_HZ, PER_SECOND, Bins, light_bins
from eegflex.results.result import FlexResult
from eegflex.results.tables import measure_sizes
from eegflex.surrogates import Restaged

__all__ = ["Kept", "assemble", "labels_of_channels", "parameters_of", "recording_facts"]

#: What the views are called in a result.
_NAMES = {
    "frequency": "frequency_view",
    "time": "time_view",
    "time-frequency": "time_frequency_view",
    "band": "band_view",
    "context": "context_map",
    "band_error": "band_error",
    "second": "second_view",
    "second_error": "second_error",
    "window": "window_map",
    **{name: name for name in ("beyond", "window_baseline_score", "window_gap", "window_error")},
}
#: Dimensions of what is known of each pair of the stages explained.
PAIRS = ("epoch", "channel_set", "target_stage", "other_stage")
#: Epochs whose power is computed at once.
_AT_ONCE = 32


def assemble(
    request: Request,
    kept: Kept,
    replaced: npt.NDArray[np.float64],
    notes: dict[str, Any],
    share: Restaged | None = None,
    *,
    partial: bool = False,
) -> FlexResult:
    """Label everything.

    Parameters
    ----------
    request : Request
        What was to be explained.
    kept : Kept
        What was explained. Only epochs that all channel sets have are taken.
    replaced : array, shape (n_chosen, n_channel_sets, 4, n_stages)
        What `replaced_scores` gave for all that was to be explained.
    notes : dict
        Further provenance: the hash of the recording at least.
    share : Restaged | None
        What is left of the night with random phases.
    partial : bool
        Whether it was stopped before all was explained.
    """
    segments, spec = request.segments, request.stager.spec
    numbers, single = kept.numbers, request.settings.target != "all"
    parts = [[own[number] for number in numbers] for own in kept.facts]
    variables = _per_channel_set(request, parts, numbers, single)
    for view, values in kept.views.items():
        own = (_LIGHT.get((view, dim), dim) if kept.bins else dim for dim in DIMS[view])
        dims = ("epoch", *own) if single else ("epoch", "target_stage", *own)
        variables[_NAMES[view]] = (dims, values[:, 0] if single else values)
    rows = np.array([channel for channels in segments.channel_sets for channel in channels])
    signal = segments.signals[np.ix_(numbers, rows)]
    signal *= segments.gain[np.ix_(numbers, rows)][..., None]
    variables |= {
        "power": (("epoch", "channel", "freq"), _density(signal, segments.sfreq, kept.bins.get("frequency"))),
        "signal": (("epoch", "channel", "time"), signal),
        "scores": (("epoch", "channel_set", "stage_name"), request.night.scores[numbers]),
        "night_scores": (("night", "channel_set", "stage_name"), request.night.scores),
        "replaced_scores": (
            ("epoch", "channel_set", "replaced", "stage_name"),
            replaced[np.searchsorted(request.chosen, numbers)],
        ),
    }
    label = name_recording(request.night.epochs, notes["recording_sha256"], request.settings.label)
    shares, of_shares = labelled(share)
    variables |= shares
    coordinates = _coordinates(request, numbers, label) | _of_bins(kept.bins) | {"context": kept.offsets} | of_shares
    used = {dim for dims, _ in variables.values() for dim in dims}
    dataset = xr.Dataset(variables, coords={name: c for name, c in coordinates.items() if _dim(name, c) in used})
    dataset.attrs = {
        "layout": LAYOUT,
        "sfreq": segments.sfreq,
        "spec": json.dumps(spec.to_dict()),
        "method": json.dumps(dataclasses.asdict(request.method.words)),
        "parameters": json.dumps(parameters_of(request)),
        "provenance": json.dumps(_provenance(request, len(numbers)) | ({"partial": True} if partial else {}) | notes),
    }
    return FlexResult(_warned(_sized(dataset)))


def _warned(dataset: xr.Dataset) -> xr.Dataset:
    """Say where an attribution arises beside the baseline, in the log and in provenance."""
    near = near_baseline(facts(dataset))
    if not near:
        return dataset
    counted = ", ".join(f"{stage} ({n} of {of} epochs)" for stage, (n, of) in near.items())
    asked = json.loads(dataset.attrs["parameters"])["baseline"]
    told = f"More than half of the band sums arises below 1/32 of the way from the baseline {asked!r}: {counted}"
    remedy = _REMEDIES.get(asked, "Compare it with baseline='aperiodic'")
    logger.warning(f"{told}. They describe what happens near the baseline. {remedy}.")
    known = json.loads(dataset.attrs["provenance"])
    known["warnings"].append(told)
    return dataset.assign_attrs(provenance=json.dumps(known))


#: Baseline -> what to do where an attribution arises beside it.
_REMEDIES = dict.fromkeys(("zero", "aperiodic"), "Take baseline='recording', an ordinary epoch of this night")


def _sized(dataset: xr.Dataset) -> xr.Dataset:
    """Add how large the band sums are: of all channels, which a result of some of them could not tell any more."""
    if "target_stage" not in dataset.dims:
        return dataset.assign(size=(("epoch", "channel_set"), measure_sizes(dataset)))
    other = dataset["stage_name"].values
    return dataset.assign(size=(PAIRS, measure_sizes(dataset))).assign_coords(other_stage=other)


def _dim(name: str, coordinate: Any) -> str:
    return coordinate[0] if isinstance(coordinate, tuple) else name


def _per_channel_set(
    request: Request, parts: Sequence[Sequence[Explained]], numbers: npt.NDArray[np.int64], single: bool
) -> dict[str, Any]:
    """What is one number for each epoch and channel set (and score explained)."""
    variables: dict[str, Any] = {}
    for name in ("score", "baseline_score", "gap"):
        values = np.stack([np.stack([getattr(e, name) for e in own]) for own in parts], axis=1)
        if name == "gap" and not request.method.words.sums:
            values = np.full_like(values, np.nan)
        dims = ("epoch", "channel_set") if single else ("epoch", "channel_set", "target_stage")
        variables[name] = (dims, values[..., 0] if single else values)
    stages = np.array(request.stager.spec.stages, dtype=object)
    labels = [request.labels(numbers, channel_set) for channel_set in range(len(parts))]
    columns = {
        name: [[getattr(e, name) for e in own] for own in parts] for name in ("n_gradients", "n_forwards", "error")
    }
    variables |= {name: (("epoch", "channel_set"), np.array(values).T) for name, values in columns.items()}
    shares = np.stack([np.stack([_share_of(e, len(e.score)) for e in own]) for own in parts], axis=1)
    pairs = ("epoch", "channel_set", "fraction") if single else (*PAIRS, "fraction")
    variables["path_share"] = pairs, shares[:, :, 0, 0] if single else shares
    errors = [[e.change_error for e in own if e.change_error is not None] for own in parts]
    if errors[0]:
        values = np.stack([np.stack(own) for own in errors], axis=1)
        variables["change_error"] = (PAIRS[:2], values[..., 0, 0]) if single else (PAIRS, values)
    if request.stager.spec.context.whole:
        lengths = [own.windows.full_length[numbers] for own in request.night.bound]
        variables["window_length"] = PAIRS[:2], np.stack(lengths, axis=1)
    variables["predicted"] = ("epoch", "channel_set"), stages[request.night.scores[numbers].argmax(axis=2)]
    variables["target"] = ("epoch", "channel_set"), np.stack(labels, axis=1).astype(object)
    return variables


def _share_of(explained: Explained, n_targets: int) -> npt.NDArray[np.float64]:
    """Where on its path an epoch's attribution arises; NaN for a method without a path."""
    if explained.path_share is None:
        return np.full((n_targets, n_targets, len(FRACTIONS)), np.nan)
    return explained.path_share


def _coordinates(request: Request, numbers: npt.NDArray[np.int64], label: str) -> dict[str, Any]:
    segments = request.segments
    rows = [channel for channels in segments.channel_sets for channel in channels]
    n_times = segments.signals.shape[-1]
    names = np.array(segments.ch_names, dtype=object)
    gabor = frames(n_times, segments.sfreq)
    stages = np.array(request.stager.spec.stages, dtype=object)
    return {
        "recording": ("epoch", np.full(len(numbers), label, dtype=object)),
        "number": ("epoch", numbers),
        "onset": ("epoch", segments.onset[numbers]),
        "run": ("epoch", segments.run[numbers]),
        "stage": ("epoch", segments.stage[numbers].astype(object)),
        "edge": ("epoch", request.night.bound[0].windows.edge[numbers].astype(object)),
        "filter_edge": ("epoch", segments.filter_edge[numbers]),
        "channel": np.array(labels_of_channels(segments), dtype=object),
        "ch_name": ("channel", names[rows]),
        "ch_type": ("channel", np.array(segments.ch_types, dtype=object)[rows]),
        "of_channel_set": (
            "channel",
            np.repeat(np.arange(len(segments.channel_sets)), [len(c) for c in segments.channel_sets]),
        ),
        **{axis: ("channel", segments.positions[rows, i]) for i, axis in enumerate("xyz")},
        "freq": np.fft.rfftfreq(n_times, 1 / segments.sfreq),
        "time": np.arange(n_times) / segments.sfreq,
        "frame": gabor.times,
        "frame_freq": gabor.freqs,
        "band": np.array(Bands().names, dtype=object),
        "channel_set": np.array([" + ".join(names[list(c)]) for c in segments.channel_sets], dtype=object),
        "n_channels": ("channel_set", np.array([len(c) for c in segments.channel_sets])),
        "replaced": np.array(REPLACED, dtype=object),
        "fraction": np.array(FRACTIONS),
        "stage_name": stages,
        "target_stage": stages,
        "night_recording": ("night", np.full(len(segments), label, dtype=object)),
        "night_onset": ("night", segments.onset),
        "night_run": ("night", segments.run),
        "night_stage": ("night", segments.stage.astype(object)),
        "night_fault": ("night", segments.fault.astype(object)),
    }


def labels_of_channels(segments: Segments) -> list[str]:
    """Names of the channels, told apart where one takes part in several channel sets."""
    uses = [channel for channels in segments.channel_sets for channel in channels]
    labels = []
    for channels in segments.channel_sets:
        own = [segments.ch_names[c] for c in channels if uses.count(c) == 1]
        for channel in channels:
            name = segments.ch_names[channel]
            labels.append(name if uses.count(channel) == 1 else f"{name} (with {', '.join(own)})")
    return labels


def parameters_of(request: Request) -> dict[str, Any]:
    """What was asked, but for what the method makes no use of; a selection by what it selects, unless it is a query."""
    unused = () if request.method.on_path else OF_PATHS
    return {name: value for name, value in request.settings.to_dict().items() if name not in unused}


def _of_bins(bins: Mapping[str, Bins]) -> dict[str, Any]:
    """Coordinates of what is kept as sums over neighbours."""
    found: dict[str, Any] = {}
    for view, (axis, middle) in {"frequency": ("freq", "freq"), "time": ("time", "time_bin")}.items():
        if view in bins:
            own = bins[view]
            found |= {middle: own.middle, f"{axis}_low": (middle, own.low), f"{axis}_high": (middle, own.high)}
    return found


def _density(signal: npt.NDArray[np.float32], sfreq: float, bins: Bins | None) -> npt.NDArray[np.float32]:
    """One-sided power spectral density of segments, in their unit squared per Hz, shape (..., n_freqs); its mean in bins."""
    n_times = signal.shape[-1]
    n_freqs = n_times // 2 + 1 if bins is None else len(bins.starts)
    density = np.empty((*signal.shape[:-1], n_freqs), dtype=np.float32)
    for start in range(0, len(signal), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        own = (np.abs(np.fft.rfft(signal[rows])) ** 2 * (2 / (sfreq * n_times))).astype(np.float32)
        own[..., 0] /= 2
        if n_times % 2 == 0:
            own[..., -1] /= 2
        density[rows] = own if bins is None else bins.mean(own)
    return density


def recording_facts(request: Request) -> dict[str, Any]:
    """What tells a recording, as the stager is given it, and a stager from others."""
    signals = np.ascontiguousarray(request.segments.signals)
    known = {"input_sha256": hashlib.sha256(signals.data).hexdigest(), "epochs": len(signals)}
    return known | ({"model_sha256": request.stager.digest} if request.stager.digest else {})


def _provenance(request: Request, n_explained: int) -> dict[str, Any]:
    segments = request.segments
    faults, counts = np.unique(segments.fault[segments.fault != ""], return_counts=True)
    notes = get_notes(request.night.epochs.info)
    kept = ("format", "alignment", "profile", "renamed")
    read = {} if notes is None else {name: getattr(notes, name) for name in kept}
    told = [] if notes is None else notes.warnings
    return {
        "eegflex": __version__,
        **{package: version(package) for package in ("mne", "numpy", "torch", "captum")},
        **recording_facts(request),
        "explained": n_explained,
        "faults": dict(zip(faults.tolist(), counts.tolist(), strict=True)),
        "runs": int(segments.run.max()) + 1,
        **segments.notes,
        "warnings": [without_texts(one) for one in (*told, *segments.notes.get("warnings", ()))],
        **read,
    }


#: Dimensions of the views, after those of the epoch and the targets.
DIMS: dict[str, tuple[str, ...]] = {
    "frequency": ("channel", "freq"),
    "time": ("channel", "time"),
    "time-frequency": ("channel", "frame_freq", "frame"),
    "band": ("channel", "band"),
    "context": ("context", "channel", "band"),
    "band_error": ("channel", "band"),
    "second": ("channel", "band"),
    "second_error": ("channel", "band"),
    "window": ("context", "channel", "band"),
    **dict.fromkeys(("beyond", "window_baseline_score", "window_gap", "window_error"), ("channel_set",)),
}


#: Dimensions of which a light result has others.
_LIGHT = {("time", "time"): "time_bin"}


def _pairs_in(dataset: xr.Dataset, name: str) -> npt.NDArray[np.float64]:
    """What a dataset has of pairs of targets, shape (n_epochs, n_channel_sets, n_targets, n_targets, ...)."""
    values = np.asarray(dataset[name].values)
    return values if "target_stage" in dataset.dims else values[:, :, None, None]


class Kept:
    """What has been explained so far, with each channel set.

    Parameters
    ----------
    request : Request
        What is to be explained.

    Attributes
    ----------
    facts : list of dict of int to Explained
        For each channel set, the explanations by the epoch's number, without their views.
    bins : dict of str to Bins
        Of views of which sums over neighbours are kept; none of a result that keeps every bin.
    """

    bins: dict[str, Bins]

    def __init__(self, request: Request) -> None:
        self._bound, self._chosen = request.moved, request.chosen
        self.facts: list[dict[int, Explained]] = [{} for _ in self._bound]
        ends = np.cumsum([0, *map(len, request.segments.channel_sets)])
        self._channels = [slice(*pair) for pair in itertools.pairwise(ends.tolist())]
        self._n_channels = int(ends[-1])
        self._views: dict[str, npt.NDArray[np.floating[Any]]] = {}
        n_times, sfreq = request.segments.signals.shape[-1], request.segments.sfreq
        axes = {
            "frequency": (np.asarray(np.fft.rfftfreq(n_times, 1 / sfreq), dtype=np.float64), PER_HZ),
            "time": (np.arange(n_times, dtype=np.float64) / sfreq, PER_SECOND),
        }
        self.bins = (
            {view: light_bins(axis, per) for view, (axis, per) in axes.items()} if request.settings.is_light else {}
        )

    def __call__(self, channel_set: int, explained: Explained) -> None:
        """Keep one more."""
        self.add(channel_set, explained.number, explained.views)
        self.facts[channel_set][explained.number] = dataclasses.replace(explained, views={})

    def add(self, channel_set: int, number: int, views: Mapping[str, npt.NDArray[np.floating[Any]]]) -> None:
        """Keep more views of an epoch."""
        row = int(np.searchsorted(self._chosen, number))
        for view, values in self._lightened(views).items():
            if view not in self._views:
                sizes = dict(zip(DIMS[view], values.shape[1:], strict=True))
                self.reserve(view, len(values), values.dtype, **sizes)
            place = {"channel": self._channels[channel_set], "channel_set": slice(channel_set, channel_set + 1)}
            if "context" in DIMS[view]:
                start = int(-self._bound[channel_set].windows.at(np.array([number]))[0]) - self.offsets[0]
                place["context"] = slice(start, start + values.shape[1])
            of_row = self._views[view][row]
            of_row[(slice(None), *(place.get(dim, slice(None)) for dim in DIMS[view]))] = values

    def _lightened(self, views: Mapping[str, npt.NDArray[np.floating[Any]]]) -> dict[str, npt.NDArray[Any]]:
        """Sums over neighbours in the place of bins, and those over bands, which are of every bin, beside them."""
        of_bands = {}
        if "frequency" in views and self.bins:
            of_bands["band"] = Bands().sum(views["frequency"], self.bins["frequency"].axis)
        own = {view: self.bins[view].sum(values) if view in self.bins else values for view, values in views.items()}
        return own | of_bands

    def restore(self, dataset: xr.Dataset) -> npt.NDArray[np.int64]:
        """Keep what a result holds, and return the numbers of its epochs."""
        numbers = dataset["number"].values.astype(np.int64)
        rows = np.searchsorted(self._chosen, numbers)
        single = "target_stage" not in dataset.dims

        def per_target(name: str) -> npt.NDArray[Any]:
            values = dataset[name].values
            return np.expand_dims(values, 1 if name in _NAMES.values() else 2) if single else values

        for view, name in _NAMES.items():
            if name in dataset:
                values = per_target(name)
                self._views[view] = self._room(view, values.shape[1:], values.dtype)
                self._views[view][rows] = values
        facts = {name: per_target(name) for name in ("score", "baseline_score", "gap")}
        counts = {name: dataset[name].values for name in ("n_gradients", "n_forwards", "error")}
        pairs = {name: _pairs_in(dataset, name) for name in ("path_share", "change_error") if name in dataset}
        for channel_set, own in enumerate(self.facts):
            for i, number in enumerate(numbers.tolist()):
                of_epoch = {name: values[i, channel_set] for name, values in (facts | counts | pairs).items()}
                own[number] = Explained(number, {}, **of_epoch)
        return numbers

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """The epochs that have been explained with all channel sets."""
        return np.array(sorted(set.intersection(*(set(own) for own in self.facts))), dtype=np.int64)

    @property
    def views(self) -> dict[str, npt.NDArray[np.floating[Any]]]:
        """Views of these epochs, for all channel sets side by side, shape (n_epochs, n_targets, ...)."""
        rows = np.searchsorted(self._chosen, self.numbers)
        return {view: v if len(rows) == len(v) else v[rows] for view, v in self._views.items()}

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """Epochs from the target, of all that are in a window."""
        windows = self._bound[0].windows
        first = -windows.at(self._chosen)
        return np.arange(first.min(), (first + windows.length[self._chosen]).max())

    def channels_of(self, channel_set: int) -> slice:
        """The places of the channels of a channel set in views."""
        return self._channels[channel_set]

    def view_of(self, view: str) -> npt.NDArray[np.floating[Any]]:
        """A view of all chosen epochs, shape (n_chosen, n_targets, ...)."""
        return self._views[view]

    def reserve(self, view: str, n_targets: int, dtype: Any, **sizes: int) -> None:
        """Make room for a view of all epochs: NaN where nothing is, such as an epoch that is not in a window."""
        if view in self._views:
            return
        whole = {"channel": self._n_channels, "channel_set": len(self._bound), "context": len(self.offsets)}
        self._views[view] = self._room(view, (n_targets, *((sizes | whole)[dim] for dim in DIMS[view])), dtype)

    def _room(self, view: str, shape: Sequence[int], dtype: Any) -> npt.NDArray[np.floating[Any]]:
        array: npt.NDArray[np.floating[Any]] = np.empty((len(self._chosen), *shape), dtype=dtype)
        if not {"context", "channel_set"}.isdisjoint(DIMS[view]):  # all others are filled wholly
            array.fill(np.nan)
        return array
