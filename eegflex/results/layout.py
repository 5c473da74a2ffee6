"""What a result consists of: its variables, their dimensions and kinds, and which of its parts must agree."""

from __future__ import annotations

import collections
import functools
import itertools
import json
import re
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.errors import EegflexError, ParameterError
from eegflex.findings import Finding
from eegflex.results.decided import FRACTIONS, REPLACED
from eegflex.results.phase_table import COLUMNS
from eegflex.results.resolution import is_light
from eegflex.results.wording import BASELINES, MethodWords
from eegflex.settings import Settings
from eegflex.spec.model_spec import ModelSpec
from eegflex.targets import check_target

__all__ = ["COORDINATES", "LAYOUT", "VARIABLES", "Variable", "check_layout", "described", "is_large"]

#: What a file must hold to be a result, and the version of its layout.
LAYOUT = "eegflex result 4"
#: Dimensions that only a result of all stages has.
_OF_ALL = ("target_stage", "other_stage")


@dataclass(frozen=True)
class Variable:
    """What a variable or coordinate is.

    Attributes
    ----------
    means : str
        What it says, for its ``long_name``.
    dims : tuple of str
        Its dimensions; those of the stages explained are there only where all of them were.
    unit : str
        For its ``units``, as UDUNITS writes them. Scores, and so what is attributed of them, are numbers: ``"1"``.
    kinds : str
        Kinds of its numpy dtype; ``"s"`` for text, which has no unit.
    needed : bool
        Whether every result has it, so far as it has its dimensions.
    light : mapping of str to str
        Dimensions of which a light result has others.
    """

    means: str
    dims: tuple[str, ...]
    unit: str = "1"
    kinds: str = "f"
    needed: bool = True
    light: Mapping[str, str] = field(default_factory=dict)

    def dims_of(self, dataset: xr.Dataset) -> tuple[str, ...]:
        """Its dimensions in a dataset."""
        own = tuple(dim for dim in self.dims if dim not in _OF_ALL or "target_stage" in dataset.sizes)
        return tuple(self.light.get(dim, dim) for dim in own) if is_light(dataset) else own

    @property
    def attrs(self) -> dict[str, str]:
        """What it is called and in what unit it is, as attributes of netCDF."""
        return {"long_name": self.means} | ({} if self.kinds == "s" else {"units": self.unit})


_SET, _TARGET = ("epoch", "channel_set"), ("epoch", "channel_set", "target_stage")
_WINDOW, _PAIR = ("epoch", "target_stage", "channel_set"), (*_TARGET, "other_stage")
_CHANNEL = ("epoch", "target_stage", "channel")
_CONTEXT = ("epoch", "target_stage", "context", "channel", "band")
_view, _text = functools.partial(Variable, needed=False), functools.partial(Variable, kinds="s")
_count = functools.partial(Variable, kinds="i")
_TIME_BIN = {"time": "time_bin"}
#: The first and the last of what a bin of a light result holds.
_ENDS = ("low", "high")
#: The variables of a result; views are those that were asked for.
VARIABLES: dict[str, Variable] = {
    "frequency_view": _view("attribution to each frequency", (*_CHANNEL, "freq")),
    "time_view": _view("attribution to each sample", (*_CHANNEL, "time"), light=_TIME_BIN),
    "time_frequency_view": _view("attribution to each frequency in each frame", (*_CHANNEL, "frame_freq", "frame")),
    "band_view": _view("attribution to each band", (*_CHANNEL, "band")),
    "context_map": _view("attribution to each band of each epoch of the window", _CONTEXT),
    "band_error": _view("estimated error of the sum over each band", (*_CHANNEL, "band")),
    "second_view": _view("Shapley value of each band", (*_CHANNEL, "band")),
    "second_error": _view("standard error of the Shapley value of each band", (*_CHANNEL, "band")),
    "window_map": _view("attribution to each band of each epoch of the window that moved as a whole", _CONTEXT),
    "beyond": _view("attribution to what reaches into the window from the rest of the night", _WINDOW),
    "window_baseline_score": _view("score of the window of baselines", _WINDOW),
    "window_gap": _view("completeness gap of the window that moved as a whole", _WINDOW),
    "window_error": _view("estimated error of the attribution to the window that moved as a whole", _WINDOW),
    "power": Variable("power spectral density of the segment", ("epoch", "channel", "freq"), "uV2 Hz-1"),
    "signal": Variable("segment as the stager got it", ("epoch", "channel", "time"), "uV"),
    "scores": Variable("scores of the recorded epoch", (*_SET, "stage_name")),
    "night_scores": Variable("scores of each epoch of the night", ("night", "channel_set", "stage_name")),
    "replaced_scores": Variable("scores with the baseline in place of a part", (*_SET, "replaced", "stage_name")),
    "spectral_share": _view("probability of the stage, and share of draws, with random phases", ("night", "share")),
    "score": Variable("score explained, of the segment", _TARGET),
    "baseline_score": Variable("score explained, of the baseline", _TARGET),
    "gap": Variable("completeness gap: sum of attributions less the change of the score", _TARGET),
    "size": Variable("absolute total of the band sums", _PAIR),
    "path_share": Variable(
        "share of the absolute band sums that arises below a fraction of the path", (*_PAIR, "fraction")
    ),
    "change_error": _view("estimated error of the change of the score", _PAIR),
    "error": Variable("estimated error of the band sums, relative to their absolute total", _SET),
    "measures": _view("what an evaluation measured of the explanation", (*_SET, "measure")),
    "n_gradients": _count("gradient evaluations spent", _SET),
    "n_forwards": _count("scores computed without a gradient", _SET),
    "window_length": _count("epochs of the window that it was explained in", _SET, needed=False),
    "predicted": _text("stage that the stager predicted", _SET),
    "target": _text("score that was explained", _SET),
}
#: Its coordinates.
COORDINATES: dict[str, Variable] = {
    "recording": _text("label of the recording", ("epoch",)),
    "stage": _text("stage in the hypnogram", ("epoch",)),
    "edge": _text("where the window lay in its run", ("epoch",)),
    "number": _count("place of the epoch in the recording", ("epoch",)),
    "run": _count("run of adjoining epochs that the epoch is in", ("epoch",)),
    "onset": Variable("time since the beginning of the recording", ("epoch",), "s"),
    "filter_edge": Variable("whether the edge of the run reaches in through the filter", ("epoch",), kinds="b"),
    "channel": _text("label of the channel", ("channel",)),
    "ch_name": _text("name of the channel", ("channel",)),
    "ch_type": _text("type of the channel", ("channel",)),
    "of_channel_set": _count("channel set that the channel is in", ("channel",)),
    **{axis: Variable(f"{axis} of the electrode in head coordinates", ("channel",), "m") for axis in "xyz"},
    "freq": Variable("frequency", ("freq",), "Hz"),
    "time": Variable("time since the beginning of the epoch", ("time",), "s"),
    "frame": Variable("time of the middle of the frame since the beginning of the epoch", ("frame",), "s"),
    "frame_freq": Variable("frequency in the frame", ("frame_freq",), "Hz"),
    "fraction": Variable("fraction of the path from the baseline to the epoch", ("fraction",)),
    "freq_low": _view("lowest frequency of the bin", ("freq",), "Hz"),
    "freq_high": _view("highest frequency of the bin", ("freq",), "Hz"),
    "time_bin": Variable("time of the middle of the bin since the beginning of the epoch", ("time_bin",), "s"),
    "time_low": Variable("time of the first sample of the bin", ("time_bin",), "s"),
    "time_high": Variable("time of the last sample of the bin", ("time_bin",), "s"),
    "context": _count("offset of the epoch of the window from the epoch that is staged", ("context",)),
    "band": _text("frequency band", ("band",)),
    "channel_set": _text("channels that were staged together", ("channel_set",)),
    "stage_name": _text("stage of the stager", ("stage_name",)),
    "replaced": _text("what the baseline took the place of", ("replaced",)),
    "share": _text("what was measured with random phases", ("share",)),
    "measure": _text("what was measured, and its kind", ("measure",)),
    "target_stage": _text("stage whose score was explained", ("target_stage",)),
    "other_stage": _text("stage that it is compared with", ("other_stage",)),
    "n_channels": _count("number of channels of the channel set", ("channel_set",)),
    "night_recording": _text("label of the recording of each epoch of the night", ("night",)),
    "night_stage": _text("stage of each epoch of the night in the hypnogram", ("night",)),
    "night_fault": _text("why an epoch of the night could not be used", ("night",)),
    "night_stage_share": _text("stage of which the shares with random phases are", ("night",), needed=False),
    "night_onset": Variable("time of each epoch of the night since the beginning of the recording", ("night",), "s"),
    "night_run": _count("run of adjoining epochs that each epoch of the night is in", ("night",)),
}
_EVERY = VARIABLES | COORDINATES
_VIEWS = ("frequency_view", "band_view")
_DIGEST = re.compile("[0-9a-f]{64}")


def is_large(variable: xr.DataArray | xr.Variable) -> bool:
    """Whether a variable has values for each epoch and channel: these make up nearly all of a result."""
    return {"epoch", "channel"} <= set(variable.dims)


def described(dataset: xr.Dataset) -> xr.Dataset:
    """Say of each variable what it is called and in what unit it is; the dataset that is given stays as it is."""
    if all(variable.attrs == _EVERY[str(name)].attrs for name, variable in dataset.variables.items()):
        return dataset
    own = dataset.copy(deep=False)
    own.set_close(dataset.close)
    for name, variable in own.variables.items():
        variable.attrs = _EVERY[str(name)].attrs
    return own


def check_layout(dataset: xr.Dataset, error: type[EegflexError] = ParameterError) -> None:
    """Refuse a dataset that is not laid out as a result is. No view is read for it.

    Parameters
    ----------
    dataset : xarray.Dataset
        What should be a result.
    error : type
        What to raise.

    Raises
    ------
    EegflexError
        An `error`, if a variable is missing, not known, or of other dimensions or another kind; a coordinate is not one; what
        describes the result is not what it must be; or its parts do not agree.
    """
    checks = (_structure, _description, _coordinates, _recordings)
    for check in checks if isinstance(dataset, xr.Dataset) else (_no_dataset,):
        problem = next(check(dataset), None)
        if problem is not None:
            raise error(
                f"This does not have the layout of a result: {problem}",
                remedy="Results are made by attribute_epochs, read_result and concatenate_results",
            )


def _no_dataset(what: object) -> Iterator[str]:
    yield f"it is a {type(what).__name__}, not an xarray.Dataset"


def _structure(dataset: xr.Dataset) -> Iterator[str]:
    """Say which variables are not as they must be."""
    unknown = [str(name) for name in dataset.variables if name not in _EVERY]
    if unknown:
        yield f"there is no variable {unknown[0]!r:.80} in a result"
    if len(dataset.sizes) != len(
        {name for name in dataset.sizes if name == "night" or name in ("epoch", *COORDINATES)}
    ):
        yield f"it has dimensions {list(map(str, dataset.sizes))!r:.200}"
    if dataset.sizes.get("epoch", 0) < 1 or dataset.sizes.get("channel", 0) < 1:
        yield "it has no epochs, or no channels"
    if not any(view in dataset.variables for view in _VIEWS):
        yield f"it has neither {' nor '.join(_VIEWS)}"
    for name, known in _EVERY.items():
        yield from _variable(dataset, name, known)
    coordinates = set(dataset.coords)
    for name in map(str, dataset.variables):
        if (name in COORDINATES) != (name in coordinates):
            yield f"{name} must {'' if name in COORDINATES else 'not '}be a coordinate"


def _variable(dataset: xr.Dataset, name: str, known: Variable) -> Iterator[str]:
    dims = known.dims_of(dataset)
    if name not in dataset.variables:
        if known.needed and dims and set(dims) <= set(dataset.sizes):
            yield f"{name} is missing"
        return
    found = dataset.variables[name]
    if found.dims != dims:
        yield f"{name} has dimensions {found.dims!r:.200}, not {dims}"
    kind = "s" if found.dtype.kind in "OUT" else found.dtype.kind
    if kind not in known.kinds:
        yield f"{name} holds {found.dtype!s:.80}"
    if kind == "s" and not all(isinstance(value, str) for value in found.values.ravel().tolist()):
        yield f"{name} holds other things than text"


@functools.lru_cache(maxsize=256)
def _read_json(text: str) -> Any:
    return json.loads(text)


def _description(dataset: xr.Dataset) -> Iterator[str]:
    """Say which attributes are not as they must be."""
    attrs = dataset.attrs
    unknown = [str(name) for name in attrs if name not in ("layout", "sfreq", *_ATTRIBUTES)]
    if unknown:
        yield f"there is no attribute {unknown[0]!r:.80} in a result"
    if attrs.get("layout") != LAYOUT:
        yield f"its attribute layout is not {LAYOUT!r}"
    sfreq = attrs.get("sfreq")
    if not isinstance(sfreq, int | float | np.number) or not 0 < float(sfreq) < np.inf:
        yield "its attribute sfreq is not a sampling rate"
    stages = tuple(dataset["stage_name"].values.tolist())
    for name, means in _ATTRIBUTES.items():
        if not _holds(means, attrs.get(name), stages):
            yield f"its attribute {name} is not what it must be"


def _holds(means: Callable[[str, tuple[str, ...]], bool], text: Any, stages: tuple[str, ...]) -> bool:
    """Whether an attribute holds what it must: whatever goes wrong in reading it, it does not."""
    if not isinstance(text, str):
        return False
    try:
        return means(text, stages)
    except (EegflexError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return False


@functools.lru_cache(maxsize=64)
def _is_spec(text: str, stages: tuple[str, ...]) -> bool:
    return ModelSpec.from_dict(_read_json(text)).stages == stages


@functools.lru_cache(maxsize=64)
def _is_method(text: str, stages: tuple[str, ...]) -> bool:
    words = MethodWords(**_read_json(text))
    blanks = {
        part for template in (words.subject, words.compared) for _, part, *_ in string.Formatter().parse(template)
    }
    return blanks <= {None, "what", "baseline"} and all(isinstance(value, str) for value in vars(words).values())


@functools.lru_cache(maxsize=64)
def _is_asked(text: str, stages: tuple[str, ...]) -> bool:
    asked = _read_json(text)
    Settings(**asked)
    check_target(asked["target"], stages)
    return {"context", "method"} <= set(asked) and asked["baseline"].partition(":")[0] in BASELINES


@functools.lru_cache(maxsize=64)
def _is_provenance(text: str, stages: tuple[str, ...]) -> bool:
    told = _read_json(text)
    every = list(told["recordings"].values()) if "recordings" in told else [told]
    return bool(every) and all(map(_is_told, every))


#: What provenance says of a recording.
_TOLD: dict[str, Callable[[Any], bool]] = {
    **{name: lambda value: bool(_DIGEST.fullmatch(value)) for name in ("input_sha256", "recording_sha256")},
    **{name: lambda value: type(value) is int and value >= 0 for name in ("epochs", "explained")},
    "warnings": lambda value: _is_text(value),
    "faults": lambda value: all(type(count) is int for count in value.values()),
}
_WINDOW_ERRORS = ("error_median", "error_largest")
#: What it may say.
_TOLD_PERHAPS: dict[str, Callable[[Any], bool]] = {
    "checks": lambda value: all(_is_finding(one) for one in value),
    "partial": lambda value: isinstance(value, bool),
    "baseline": lambda value: value["chosen"].partition(":")[0] in BASELINES and isinstance(value["because"], str),
    "random_phases": lambda value: all(type(value[name]) is int for name in ("n_draws", "n_epochs", "of")),
    "window": lambda value: (
        type(value["length"]) is int
        and all(_is_number(value.get(name)) for name in _WINDOW_ERRORS)
        and all(map(_is_number, itertools.chain(*value.get("error_by_stage", {}).values())))
        and type(value.get("shortest", 1)) is int
    ),
    "model_sha256": lambda value: bool(_DIGEST.fullmatch(value)),
    "evaluation": lambda value: _is_evaluation(value),
}


def _is_told(told: Mapping[str, Any]) -> bool:
    needed = all(holds(told[name]) for name, holds in _TOLD.items())
    return needed and all(holds(told[name]) for name, holds in _TOLD_PERHAPS.items() if name in told)


def _is_finding(told: Mapping[str, Any]) -> bool:
    finding = Finding(**told)
    words = (finding.measured, finding.remedy, finding.check)
    return finding.status in ("ok", "unknown", "warning", "error") and all(isinstance(word, str) for word in words)


def _is_evaluation(told: Mapping[str, Any]) -> bool:
    """Whether this says of which explanations measures are, how far the parts have come, and what tables they gave."""
    cases = all(type(number) is int and type(place) is int and number >= 0 <= place for number, place in told["cases"])
    rows = list(itertools.chain(*told["tables"].values()))
    plain = all(value is None or isinstance(value, str | int | float) for row in rows for value in row.values())
    parts = all(type(n) is int and n >= 0 for n in told["done"].values()) and _is_text(told["left"])
    return cases and plain and parts and isinstance(told["settings"], dict) and "seed" in told["settings"]


def _is_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


#: JSON that describes the result, and what tells whether it does.
_ATTRIBUTES: dict[str, Callable[[str, tuple[str, ...]], bool]] = {
    "spec": _is_spec,
    "method": _is_method,
    "parameters": _is_asked,
    "provenance": _is_provenance,
}


def _coordinates(dataset: xr.Dataset) -> Iterator[str]:
    """Say which coordinates contradict what they are of."""
    values = {name: dataset.variables[name].values for name in COORDINATES if name in dataset.variables}
    for name in ("freq", "time", "time_bin", "frame", "frame_freq", "context"):
        if name in values and not _rises(values[name], from_zero=name not in ("frame", "context")):
            yield f"{name} does not rise"
    yield from _bins(dataset, values)
    for name in ("channel", "channel_set", "stage_name", "measure"):
        if name in values and len(set(values[name].tolist())) < values[name].size:
            yield f"{name} names something twice"
    if not all(
        ": " in str(name) for name in values.get("measure", ())
    ):  # such as the name of another column of its table
        yield "measure names something without its kind"
    known = {"band": Bands().names, "replaced": REPLACED, "fraction": FRACTIONS, "share": COLUMNS}
    known |= dict.fromkeys(_OF_ALL, tuple(values["stage_name"].tolist()))
    for name, names in known.items():
        if name in values and tuple(values[name].tolist()) != names:
            yield f"{name} is not {names}"
    if not np.isin(dataset.variables["predicted"].values.astype(str), values["stage_name"].astype(str)).all():
        yield "predicted holds what is none of the stages"
    if not _counts_channels(values["of_channel_set"], values["n_channels"]):
        yield "n_channels does not count the channels of the channel sets"


def _bins(dataset: xr.Dataset, values: Mapping[str, npt.NDArray[Any]]) -> Iterator[str]:
    """Say which bins of a light result overlap, or do not hold their middle; and what only one has."""
    for axis, middle in (("freq", "freq"), ("time", "time_bin")):
        low, high = (values.get(f"{axis}_{end}") for end in _ENDS)
        if (low is None) != (high is None):
            yield f"{axis} has bins without an end"
        elif low is not None and high is not None:
            ordered = (low <= values[middle]) & (values[middle] <= high) & (np.append(low[1:], np.inf) > high)
            if not (ordered.all() and np.isfinite(low).all() and low[0] >= 0):
                yield f"{axis} has bins that are none"
    if is_light(dataset):
        if "band_view" not in dataset.variables:
            yield "its bins are sums, and band_view is missing"
    elif "time_bin" in values or {"band_view", "frequency_view"} <= set(dataset.variables):
        yield "it has sums over bins, and no bins of frequencies"


def _counts_channels(of: npt.NDArray[Any], n_channels: npt.NDArray[Any]) -> bool:
    """Whether every channel is of a channel set, and each has one, and at most as many as it is said to have."""
    if not ((of >= 0) & (of < n_channels.size)).all():
        return False
    counts = np.bincount(of, minlength=n_channels.size)
    return bool(((counts > 0) & (counts <= n_channels)).all())


def _rises(values: npt.NDArray[Any], *, from_zero: bool) -> bool:
    finite = bool(np.isfinite(values).all() and (np.diff(values) > 0).all())
    return finite and not (from_zero and values.size and values[0] < 0)


def _recordings(dataset: xr.Dataset) -> Iterator[str]:
    """Say where epochs, nights and provenance are not of the same recordings, and what is of a night is not whole."""
    if ("spectral_share" in dataset.variables) != ("night_stage_share" in dataset.variables):
        yield "spectral_share is without its stages, or they are without it"
    of_night = dataset.variables["night_recording"].values.tolist()
    of_epoch = dataset.variables["recording"].values.tolist()
    numbers = dataset.variables["number"].values.tolist()
    lengths = collections.Counter(of_night)
    told = _read_json(dataset.attrs["provenance"])
    own = told["recordings"] if "recordings" in told else dict.fromkeys(lengths, told)
    if "" in lengths or set(own) != set(lengths) or (len(lengths) > 1) != ("recordings" in told):
        yield "its provenance is of other recordings than its nights"
        return
    places = [place for one in own.values() if "evaluation" in one for _, place in one["evaluation"]["cases"]]
    if any(place >= dataset.sizes["channel_set"] for place in places):
        yield "its evaluation is of channel sets that are not there"
    if any(own[label]["epochs"] != length for label, length in lengths.items()):
        yield "its nights have other numbers of epochs than its provenance says"
    if len(set(zip(of_epoch, numbers, strict=True))) < len(numbers):
        yield "an epoch is there twice"
    if not set(of_epoch) <= set(lengths):
        yield "an epoch is of no recording that is there"
