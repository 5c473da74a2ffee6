"""A stager's contract: what it eats, what it says, and in which order."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from eegflex.errors import SpecError

__all__ = ["ChannelSpec", "ContextSpec", "FilterSpec", "ModelSpec", "ScaleSpec"]

#: The order in which every published stager lists its stages, though only by convention.
CONVENTIONAL_STAGES = ("W", "N1", "N2", "N3", "REM")

_CHOICES: dict[str, tuple[str, ...]] = {
    "use": ("first", "each", "all"),
    "kind": ("none", "zscore", "robust"),
    "per": ("recording", "epoch"),
    "scores": ("logits", "log_probs", "probs"),
    "unit": ("V", "mV", "uV"),
}


@dataclass(frozen=True)
class ChannelSpec:
    """One input of a stager, and what may be connected to it.

    Attributes
    ----------
    name : str
        What the stager calls it, for example ``"eeg"``.
    types : tuple of str
        MNE channel types that fit. Empty: any type.
    sites : tuple of str
        Electrode sites or roles that fit (``"C4"``, ``"E1-E2"``, ``"CHIN"``), the preferred first. Empty: any of `types`.
    use : {"first", "each", "all"}
        Connect the first channel that fits; or each one by itself, so that the stager is explained once for each; or all
        of them together.
    """

    name: str = "input"
    types: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    use: Literal["first", "each", "all"] = "all"


@dataclass(frozen=True)
class FilterSpec:
    """Pass band in Hz, applied before anything is explained. ``None`` leaves that side open."""

    l_freq: float | None = None
    h_freq: float | None = None


@dataclass(frozen=True)
class ScaleSpec:
    """Standardisation, with statistics frozen before the path.

    Attributes
    ----------
    kind : {"none", "zscore", "robust"}
        Mean and standard deviation, or median and interquartile range.
    per : {"recording", "epoch"}
        What the statistics are taken over, for each channel.
    clip : float or None
        Limit after scaling, in scaled units.
    """

    kind: Literal["none", "zscore", "robust"] = "none"
    per: Literal["recording", "epoch"] = "recording"
    clip: float | None = None


@dataclass(frozen=True)
class ContextSpec:
    """How many neighbouring epochs a stager sees on each side; ``whole`` when it sees the recording's whole run."""

    before: int = 0
    after: int = 0
    whole: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """The contract of a stager.

    Attributes
    ----------
    name : str
        What the stager is called in results and reports.
    sfreq : float or None
        Sampling rate in Hz. ``None``: the rate of the epochs it is given.
    n_times : int or None
        Samples in one epoch. ``None``: as many as the epochs have.
    channels : tuple of ChannelSpec
        Its inputs, in order.
    unit : {"V", "mV", "uV"}
        Unit of a voltage before scaling.
    filter : FilterSpec
        Pass band.
    scale : ScaleSpec
        Standardisation.
    layout : str
        Axes of its input as einops writes them: b batch, e epoch of the window, c channel, t time. For example
        ``"b c t"``, ``"b 1 c t"``, ``"b t c"`` or ``"b (e t) c"``.
    context : ContextSpec
        Neighbouring epochs it needs.
    scores : {"logits", "log_probs", "probs"}
        What it returns.
    stages : tuple of str
        The stage of each of its outputs.
    output : str
        Axes of its output: b batch, s stage, e epoch of the window. For example ``"b s"``, ``"b s e"`` or ``"(b e) s"``.
    target_index : int or None
        Which epoch of the window an output is about, when it gives one. ``None``: the epoch after `context.before` others.
    licence, citation, file, format : str
        Provenance.
    assumed : tuple of str
        What nobody declared and eegflex took for granted.
    """

    name: str = "stager"
    sfreq: float | None = None
    n_times: int | None = None
    channels: tuple[ChannelSpec, ...] = (ChannelSpec(),)
    unit: Literal["V", "mV", "uV"] = "V"
    filter: FilterSpec = field(default_factory=FilterSpec)
    scale: ScaleSpec = field(default_factory=ScaleSpec)
    layout: str = "b c t"
    context: ContextSpec = field(default_factory=ContextSpec)
    scores: Literal["logits", "log_probs", "probs"] = "logits"
    stages: tuple[str, ...] = CONVENTIONAL_STAGES
    output: str = "b s"
    target_index: int | None = None
    licence: str = ""
    citation: str = ""
    file: str = ""
    format: str = ""
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    @property
    def duration(self) -> float | None:
        """Length of an epoch in seconds, or ``None`` when the spec leaves it open."""
        return None if self.sfreq is None or self.n_times is None else self.n_times / self.sfreq

    def replace(self, **changes: Any) -> ModelSpec:
        """Copy of the spec with some values changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain values, in the sections of its TOML file."""
        values = dataclasses.asdict(self)
        return {
            section: {name: values[attribute] for name, attribute in names.items()}
            for section, names in _SECTIONS.items()
        }

    @classmethod
    def from_dict(cls, sections: Mapping[str, Mapping[str, Any]]) -> ModelSpec:
        """Build a spec from the sections ``input``, ``output`` and ``model`` of a TOML file.

        Raises
        ------
        SpecError
            If a section or key is unknown, or a value is not allowed.
        """
        values: dict[str, Any] = {}
        for section, content in sections.items():
            names = _known(section, _SECTIONS, "section")
            for key, value in content.items():
                values[_known(key, names, f"key in [{section}]")] = value
        nested = {name: build(values[name]) for name, build in _NESTED.items() if name in values}
        return cls(**(values | nested))

    @classmethod
    def from_toml(cls, fname: str | Path) -> ModelSpec:
        """Read a spec from a TOML file.

        Raises
        ------
        SpecError
            If the file is not there, is not TOML, or does not hold a spec.
        """
        try:
            with Path(fname).open("rb") as file:
                return cls.from_dict(tomllib.load(file))
        except FileNotFoundError as error:
            raise SpecError("There is no such spec", seen=fname) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SpecError(f"This spec is not TOML: {error}", seen=fname) from error


#: section of the TOML file -> its key -> attribute of ModelSpec
_SECTIONS: dict[str, dict[str, str]] = {
    "input": {key: key for key in ("sfreq", "n_times", "channels", "unit", "filter", "scale", "layout", "context")},
    "output": {"layout": "output"} | {key: key for key in ("scores", "stages", "target_index")},
    "model": {key: key for key in ("name", "file", "format", "licence", "citation", "assumed")},
}


def _known(key: str, table: Mapping[str, Any], what: str) -> Any:
    if key not in table:
        raise SpecError(f"A spec has no such {what}", seen=repr(key), allowed=list(table))
    return table[key]


def _build(kind: type[Any], values: Mapping[str, Any]) -> Any:
    names = {field.name: field.name for field in dataclasses.fields(kind)}
    checked = {_known(key, names, f"key in {kind.__name__}"): value for key, value in values.items()}
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in checked.items()})


_NESTED: dict[str, Any] = {
    "channels": lambda rows: tuple(_build(ChannelSpec, row) for row in rows),
    "filter": lambda row: _build(FilterSpec, row),
    "scale": lambda row: _build(ScaleSpec, row),
    "context": lambda row: _build(ContextSpec, row),
    "stages": tuple,
    "assumed": tuple,
}


def _check(spec: ModelSpec) -> None:
    """Refuse what no stager could mean, naming the key, the value and the choices."""
    chosen = [("unit", spec.unit), ("scores", spec.scores), ("kind", spec.scale.kind), ("per", spec.scale.per)]
    for key, value in chosen + [("use", channel.use) for channel in spec.channels]:
        if value not in _CHOICES[key]:
            raise SpecError(f"The spec's {key!r} is not known", seen=repr(value), allowed=_CHOICES[key])
    for key, number in (("sfreq", spec.sfreq), ("n_times", spec.n_times)):
        if number is not None and not number > 0:
            raise SpecError(f"The spec's {key!r} must be positive", seen=number)
    if not spec.channels:
        raise SpecError("The spec names no channels", remedy="Add at least one [[input.channels]]")
    if not spec.stages or len(set(spec.stages)) != len(spec.stages):
        raise SpecError("The spec's stages must be named, each once", seen=spec.stages)
    if sum(channel.use == "each" for channel in spec.channels) > 1:
        raise SpecError("Only one input of a stager can be used 'each' by itself", seen=[c.name for c in spec.channels])
    low, high = spec.filter.l_freq, spec.filter.h_freq
    if low is not None and high is not None and not low < high:
        raise SpecError("The spec's filter is empty", seen=(low, high), allowed="l_freq < h_freq, in Hz")
