"""A stager's contract: what it eats, what it says, and in which order."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from eegflex.errors import SpecError
from eegflex.spec.consistency import check_parts
from eegflex.spec.inputs import ChannelSpec, ContextSpec, FilterSpec
from eegflex.spec.layouts import axes_of
from eegflex.spec.plain import short, unfit
from eegflex.spec.scaling import ScaleSpec, check_scale
from eegflex.spec.spectrogram import SpectrogramSpec, check_spectrogram
from eegflex.spec.toml import Schema
from eegflex.stages import STAGES
from eegflex.targets import TARGET_WORDS
from eegflex.utils.arguments import checked_methods

__all__ = ["ChannelSpec", "ContextSpec", "FilterSpec", "ModelSpec", "ScaleSpec"]


@checked_methods
@dataclass(frozen=True)
class ModelSpec:
    """The spec of a stager: what it expects and what it returns.

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
        Pass band; an input may have one of its own.
    scale : ScaleSpec
        Standardisation.
    spectrogram : SpectrogramSpec or None
        Spectrogram that it is given in the place of the signal. ``None``: it is given the signal.
    layout : str | dict of str to str
        Axes of its input as einops writes them: b batch, e epoch of the window, c channel, t time. For example
        ``"b c t"``, ``"b 1 c t"``, ``"b t c"`` or ``"b (e t) c"``. Of a spectrogram w window and f frequency in the place of
        t, such as ``"b e c w f"``. For a model that takes a dict of tensors, a layout for each of its inputs, by the names of
        `channels`.
    context : ContextSpec
        Neighbouring epochs it needs.
    scores : {"logits", "log_probs", "probs"}
        What it returns.
    stages : tuple of str
        The stage of each of its outputs.
    output : str
        Axes of its output: b batch, s stage, e epoch of the window; k parts of an epoch, or t moments of it, whose scores
        become one as `pool` says. For example ``"b s"``, ``"b s e"``, ``"(b e) s"`` or ``"b e k s"``; ``"b t"`` for a
        detector, which has one stage and no axis for it.
    output_key : str | int | None
        In TOML ``output``: which of several things that it returns are the scores, by name or by place. ``None``: it
        returns nothing else.
    target_index : int or None
        Which of the window's epochs is read from an output that has several. ``None``: the one that is explained, which
        comes after `context.before` others.
    positions : {"all", "middle", "mean"}
        Where in a window an epoch is read from an output that has several: wherever it stands, that is after
        `context.before` others but at the ends of a run; there only (``"middle"``), so that the ends are not staged; or in
        all windows that hold it, at every place, by the mean of these scores, as the authors of networks of sequences stage
        a night. For windows of n epochs this takes n times as long.
    pool : {"mean", "max"}
        What becomes of the scores of parts (k) or moments (t) of an epoch.
    combine : {"surest", "mean", "sum"}
        What becomes of the scores that ``use = "each"`` gives for an epoch: those of the surest count, and each is
        explained by itself; or their mean or sum is the score, and is explained.
    licence, citation, format : str
        Provenance.
    file : str
        The weights, beside the spec.
    class_name : str
        In TOML `class`: the class of the network where the file holds weights only, as ``"package.module:Class"``; or the name
        of one that is included, such as ``"seqsleepnet"``, which needs no trust.
    kwargs : dict
        Keyword arguments of the class.
    prefix : str
        What stands before the names of its weights, such as ``"ema"``, where a file holds several sets of them.
    sha256 : str
        What the SHA-256 of the file must be, 64 hexadecimal digits. Empty: any.
    assumed : tuple of str
        What was not declared: the defaults that eegflex assumed.

    See Also
    --------
    eegflex.spec.load_spec : A published spec.
    eegflex.spec.ChannelSpec : One input of a stager.
    eegflex.spec.ContextSpec : The neighbours that a stager sees.
    eegflex.spec.ScaleSpec : How an input is standardised.
    eegflex.spec.SpectrogramSpec : The spectrogram that a stager is given.
    eegflex.check_model : Whether a model is connected as it was meant.

    Examples
    --------
    >>> spec = ModelSpec(name="mine", sfreq=100.0, n_times=3000, unit="uV", scale=ScaleSpec("zscore"))
    >>> spec.duration, spec.stages
    (30.0, ('W', 'N1', 'N2', 'N3', 'REM'))
    >>> ModelSpec.from_dict({"input": {"sfreq": 100.0, "n_times": 3000, "scale": {"kind": "zscore"}}}).scale.per
    'recording'
    """

    name: str = "stager"
    sfreq: float | None = None
    n_times: int | None = None
    channels: tuple[ChannelSpec, ...] = (ChannelSpec(),)
    unit: Literal["V", "mV", "uV"] = "V"
    filter: FilterSpec = field(default_factory=FilterSpec)
    scale: ScaleSpec = field(default_factory=ScaleSpec)
    spectrogram: SpectrogramSpec | None = None
    layout: str | dict[str, str] = "b c t"
    context: ContextSpec = field(default_factory=ContextSpec)
    scores: Literal["logits", "log_probs", "probs"] = "logits"
    stages: tuple[str, ...] = STAGES
    output: str = "b s"
    output_key: str | int | None = None
    target_index: int | None = None
    positions: Literal["all", "middle", "mean"] = "all"
    pool: Literal["mean", "max"] = "mean"
    combine: Literal["surest", "mean", "sum"] = "surest"
    licence: str = ""
    citation: str = ""
    file: str = ""
    format: str = ""
    class_name: str = ""
    kwargs: dict[str, Any] = field(default_factory=dict)
    prefix: str = ""
    sha256: str = ""
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    @property
    def duration(self) -> float | None:
        """Length of an epoch in seconds, or ``None`` when the spec leaves it open."""
        return None if self.sfreq is None or self.n_times is None else self.n_times / self.sfreq

    @property
    def takes_sequences(self) -> bool:
        """Whether its layout, or that of its output, has an axis of epochs."""
        layouts = [*(self.layout.values() if isinstance(self.layout, dict) else [self.layout]), self.output]
        return any("e" in axes_of(layout) for layout in layouts)

    def members(self, n_channels: int) -> list[tuple[int, ...]]:
        """The channels of each member, where those of one window are members whose scores are combined; else all in one.

        One input is used for each channel by itself; of every other there is one channel.
        """
        places = tuple(range(n_channels))
        if self.combine == "surest" or not any(channel.use == "each" for channel in self.channels):
            return [places]
        first = [channel.use for channel in self.channels].index("each")
        n_members = n_channels - len(self.channels) + 1
        before, own, after = places[:first], places[first : first + n_members], places[first + n_members :]
        return [(*before, place, *after) for place in own]

    def inputs(self, n_channels: int) -> dict[str, slice]:
        """Where the channels of each input stand among `n_channels`; one input may have several."""
        spare = n_channels - len(self.channels)
        found, start = {}, 0
        for channel in self.channels:
            stop = start + 1 + (spare if channel.use == "all" else 0)
            found[channel.name] = slice(start, stop)
            start = stop
        return found

    def replace(self, **changes: Any) -> ModelSpec:
        """Copy of the spec with some values changed.

        Where no input is used ``"each"`` any more, `combine` has nothing to combine and is what it is by default.

        Parameters
        ----------
        **changes : object
            New values, by name.

        Returns
        -------
        spec : ModelSpec
            The copy.
        """
        channels = changes.get("channels", self.channels)
        if isinstance(channels, tuple) and not _uses_each(channels):
            changes = {"combine": "surest"} | changes
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain values, in the sections of its TOML file.

        Returns
        -------
        sections : dict
            What `from_dict` takes.
        """
        return _SCHEMA.to_dict(self)

    @classmethod
    def from_dict(cls, sections: Mapping[str, Mapping[str, Any]]) -> ModelSpec:
        """Build a spec from the sections `input`, `output` and `model` of a TOML file.

        Parameters
        ----------
        sections : mapping of str to mapping
            As in the file; what is left out is as by default.

        Returns
        -------
        spec : ModelSpec
            The contract.

        Raises
        ------
        SpecError
            If a section or key is unknown, or a value is not allowed.
        """
        return _SCHEMA.build(sections)

    @classmethod
    def from_toml(cls, fname: str | Path) -> ModelSpec:
        """Read a spec from a TOML file.

        Parameters
        ----------
        fname : path-like
            The file.

        Returns
        -------
        spec : ModelSpec
            The contract.

        Raises
        ------
        SpecError
            If the file is not there, is not TOML, or does not hold a spec.
        """
        return _SCHEMA.read(fname)

    def to_toml(self, fname: str | Path, *, overwrite: bool = False) -> Path:
        """Write the spec to a TOML file; fields that are as by default are left out.

        Parameters
        ----------
        fname : path-like
            The file, ``*.toml``. Files that the spec names, such as weights, are looked for beside it.
        overwrite : bool
            Whether an existing file may be replaced.

        Returns
        -------
        path : Path
            The file.

        Raises
        ------
        SpecError
            If the file is not called ``*.toml``, or a value has no form in TOML, such as ``None`` in `kwargs`.
        OutputError
            If the file exists and `overwrite` is not set, or it cannot be written.

        See Also
        --------
        from_toml : Read it.

        Examples
        --------
        >>> import eegflex
        >>> spec = eegflex.ModelSpec(name="mine", sfreq=100.0, n_times=3000, scores="probs")
        >>> path = spec.to_toml("mine.toml")
        >>> eegflex.ModelSpec.from_toml(path) == spec
        True
        """
        return _SCHEMA.write(self, fname, overwrite=overwrite)


_SCHEMA = Schema(
    ModelSpec,
    "spec",
    SpecError,
    {
        "input": {
            key: key
            for key in ("sfreq", "n_times", "channels", "unit", "filter", "scale", "spectrogram", "layout", "context")
        },
        "output": {"layout": "output", "output": "output_key"}
        | {key: key for key in ("scores", "stages", "target_index", "positions", "pool", "combine")},
        "model": {"class": "class_name"}
        | {
            key: key
            for key in ("name", "file", "format", "kwargs", "prefix", "sha256", "licence", "citation", "assumed")
        },
    },
)


def _uses_each(channels: tuple[ChannelSpec, ...]) -> bool:
    return any(getattr(channel, "use", "each") == "each" for channel in channels)


def _check(spec: ModelSpec) -> None:
    """Refuse what no stager could mean, naming the key, the value and the choices."""
    _SCHEMA.check(spec)
    for key, (number, most) in _positive(spec).items():
        if number is not None and not 0 < number <= most:
            raise SpecError(f"The spec's {key} must be positive and at most {most:,.0f}", seen=number)
    if not re.fullmatch(r"([0-9a-fA-F]{64})?", spec.sha256):
        raise SpecError("The spec's [model] sha256 must be 64 hexadecimal digits", seen=f"{spec.sha256!r:.80}")
    _check_plain(spec)
    if not all(map(str.strip, spec.stages)) or len(set(spec.stages)) != max(len(spec.stages), 1):
        raise SpecError("The spec's [output] stages must be named, each once", seen=short(spec.stages))
    if taken := sorted(set(spec.stages) & set(TARGET_WORDS)):
        raise SpecError(
            "A stage of the spec has a name that target= uses for something else", seen=taken, remedy="Rename it"
        )
    check_scale(spec.scale, len(spec.channels))
    if spec.spectrogram is not None:
        check_spectrogram(spec.spectrogram, spec.sfreq, spec.n_times)
    check_parts(spec)


def _positive(spec: ModelSpec) -> dict[str, tuple[float | None, float]]:
    """Numbers that are positive where they are given, and the largest that any stager could mean."""
    return {
        "[input] sfreq": (spec.sfreq, 1e6),
        "[input] n_times": (spec.n_times, 2**31),
        "[input.scale] clip": (spec.scale.clip, 1e12),
        "[input.filter] h_freq": (spec.filter.h_freq, 1e6),
        # one more than there are, which may be none
        "[input.context] before": (max(spec.context.before, 0) + 1, 1e5),
        "[input.context] after": (max(spec.context.after, 0) + 1, 1e5),
    }


def _check_plain(spec: ModelSpec) -> None:
    """Refuse what could not be written into a result, shown, or read again."""
    for section, keys in _SCHEMA.sections.items():
        for key, name in keys.items():
            value = getattr(spec, name)
            parts = [list(vars(one).values()) for one in spec.channels] if name == "channels" else value
            parts = dataclasses.asdict(value) if name == "spectrogram" and value else parts
            if why := unfit(parts, lines=key in _WITH_LINES):
                raise SpecError(f"The spec's [{section}] {key} has {why}", seen=short(value))


#: Keys whose texts may have several lines.
_WITH_LINES = {"licence", "citation", "kwargs", "assumed"}
