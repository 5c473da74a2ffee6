"""Options that several commands of the command line share: a group is a dataclass, and a command takes it as one.

Those of an attribution are the fields of its `Settings`, so that the shell and Python have the same words.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import mne
import typer

from eegflex.errors import MissingExtraError, ParameterError
from eegflex.settings import MEAN, VIEWS, Settings

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult
    from eegflex.stagers import Stager
    from eegflex.staging import StagedNight

__all__ = [
    "REAL",
    "TOY",
    "AttributionOptions",
    "CohortReadingOptions",
    "LoadingOptions",
    "ModelOptions",
    "ReadingOptions",
    "RecordingOptions",
    "is_netcdf",
    "said",
    "takes",
]

#: Stagers that are trained on real nights, by the package that brings them; the first that is installed is taken.
REAL = {"gssc": "gssc", "physioex": "physioex:seqsleepnet-eeg"}
#: What a demonstration goes on with where none of them is: it comes with eegflex.
TOY = "bandpower"


#: The first bytes of netCDF files that hold results.
_HDF5 = b"\x89HDF"


@dataclass(frozen=True)
class RecordingOptions:
    """What is said about a recording."""

    hypnogram: Annotated[Path | None, typer.Option(help="File with the scored stages.")] = None
    units: Annotated[str | None, typer.Option(help="Unit of signals whose unit is blank in the file, such as uV.")] = (
        None
    )
    coding: Annotated[str, typer.Option(help="How numbers code stages: auto, aasm, rk or dreams.")] = "auto"
    labels: Annotated[
        str | None, typer.Option(help="Stages of the hypnogram's labels or codes: '1=REM,Stade 2=N2'.")
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(help="Column names of the hypnogram's table: 'onset=Startzeit,duration=Dauer,stage=Stadium'."),
    ] = None
    column: Annotated[str | None, typer.Option(help="Column or rater of the hypnogram, if it has several.")] = None
    epoch_length: Annotated[
        float | None, typer.Option(help="Length of the hypnogram's epochs in s, if its file does not say.")
    ] = None
    majority: Annotated[
        float | None, typer.Option(help="Make epochs of this length in s, each with the stage that fills most of it.")
    ] = None
    dst: Annotated[
        bool | None,
        typer.Option("--dst/--no-dst", help="Whether the clock changes to or from daylight saving time in the night."),
    ] = None
    on_mismatch: Annotated[
        str, typer.Option(help="If the hypnogram is much longer than the recording: raise or warn.")
    ] = "raise"
    profile: Annotated[
        str | None, typer.Option(help="The data set: shhs, mesa, ... or a profile of your own, my.toml.")
    ] = None

    def said(self) -> dict[str, Any]:
        """The arguments of `describe_psg` and `read_psg`."""
        given = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return given | {name: _pairs(name, given[name]) for name in ("labels", "columns")}


@dataclass(frozen=True)
class ReadingOptions(RecordingOptions):
    """How a recording is read."""

    channels: Annotated[
        str | None,
        typer.Option(help="Channels to read, separated by commas: C3-M2,E1-M2. Default: those used for sleep staging."),
    ] = None

    def epochs(self, recording: Path) -> mne.BaseEpochs:
        """The epochs of a recording."""
        from eegflex.epochs import make_epochs
        from eegflex.readers import read_psg

        wanted = None if self.channels is None else [name.strip() for name in self.channels.split(",")]
        return make_epochs(read_psg(recording, **(self.said() | {"channels": wanted})))


@dataclass(frozen=True)
class CohortReadingOptions(ReadingOptions):
    """How the recordings of a cohort are read; their hypnograms are told by their source."""

    hypnogram: Path | None = field(default=None, metadata={"shell": False})

    def asked(self) -> dict[str, Any]:
        """The arguments of `run_cohort`."""
        wanted = None if self.channels is None else [name.strip() for name in self.channels.split(",")]
        said = self.said() | {"channels": wanted}
        return {name: value for name, value in said.items() if name != "hypnogram"}


def _pairs(name: str, text: str | None) -> dict[str, str] | None:
    """Read pairs: "1=REM,2=N1"."""
    if text is None:
        return None
    pairs = [pair.rpartition("=") for pair in text.split(",") if pair.strip()]
    if not pairs or not all(sign for _, sign, _ in pairs):
        raise ParameterError(f"--{name} must be pairs", seen=repr(text), allowed="1=REM,2=N1")
    return {key.strip(): value.strip() for key, _, value in pairs}


@dataclass(frozen=True)
class ModelOptions:
    """How a stager is loaded."""

    spec: Annotated[
        str | None,
        typer.Option(
            help="The model's spec: a TOML file, or a name that eegflex specs lists. Default: the file beside the model."
        ),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weights of a network that is given by name: a file, a folder, hf://owner/name, or random; for "
            "physioex:..., also its wheel."
        ),
    ] = None
    trusted: Annotated[
        bool,
        typer.Option(
            "--trusted", help="Allow the model's file to run code: pickles, Keras' lambda layers, classes in a spec."
        ),
    ] = False

    def load(self, model: str) -> Stager:
        """Load a stager."""
        from eegflex.stagers import load_model

        return load_model(model, spec=self.spec, weights=self.weights, trusted=self.trusted)


@dataclass(frozen=True)
class LoadingOptions(ModelOptions):
    """Which stager, and how it is loaded."""

    model: Annotated[
        str | None,
        typer.Option(
            help="The stager: gssc, gssc-eeg, gssc-eog, bandpower, yasa, known-spindle, physioex:seqsleepnet-eeg, ... (see "
            "eegflex specs), or a file or folder: stager.pt2, stager.onnx. Default: gssc if it is installed, else "
            "physioex:seqsleepnet-eeg if PhysioEx is.",
            show_default=False,
        ),
    ] = None

    def stager(self) -> Stager:
        """Load it: before anything else, since a wrong name should not cost the time that reading takes."""
        return self.load(self.named())

    def named(self) -> str:
        """The stager that was asked for, or the first real one whose package is there.

        Raises
        ------
        MissingExtraError
            If there is none.
        """
        if self.model is not None:
            return self.model
        for package, model in REAL.items():
            if importlib.util.find_spec(package) is not None:
                return model
        raise MissingExtraError(
            "--model is missing, and no stager that was trained on real nights is installed. GSSC is one (its licence is "
            f"AGPL); --model also takes a file of your own, or {TOY!r}, a toy model that was fitted on simulated nights",
            "gssc",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class AttributionOptions(Settings):
    """What is explained, and how."""

    views: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": f"What to attribute to, separated by commas: {', '.join(VIEWS)}. "
            "Default: frequency, and time if the method supports it.",
            "read": "list",
        },
    )

    def __post_init__(self) -> None:
        from eegflex.attribution.methods.registry import METHODS

        if not self.views and self.method in METHODS and self.precision != MEAN:
            object.__setattr__(self, "views", tuple(view for view in ("time",) if view in METHODS[self.method].views))
        super().__post_init__()

    def explain(
        self, epochs: mne.BaseEpochs | StagedNight, stager: Stager | None, resume: Path | None = None
    ) -> FlexResult:
        """Explain epochs, or what an earlier run left of them; those of a night that is staged need no stager."""
        from eegflex.attribution.attribute_epochs import attribute_epochs

        asked = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return attribute_epochs(epochs, stager, resume=resume, **asked)


def is_netcdf(path: Path) -> bool:
    """Whether a file begins as those that hold results do."""
    if not os.path.isfile(path):  # noqa: PTH113  (it minds names of any kind)
        return False  # the reader says so in its own words
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5)) == _HDF5
    except OSError:  # the reader says this, too
        return False


def said(ctx: typer.Context, *groups: type) -> list[str]:
    """The options of groups that stand in the command line, as the shell has them.

    Parameters
    ----------
    ctx : typer.Context
        The command's.
    *groups : dataclass
        Whose options are looked for.
    """
    names = [one.name for group in groups for one in _options(group)]
    sources = {name: ctx.get_parameter_source(name) for name in names}
    return [
        "--" + name.replace("_", "-") for name, source in sources.items() if source and source.name == "COMMANDLINE"
    ]


def takes(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of groups, each of which it takes as one argument.

    Parameters
    ----------
    **groups : dataclass
        Name of the command's parameter -> the group.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(annotation=hints[name])
            for name, parameter in inspect.signature(command).parameters.items()
            if name not in groups
        ]
        shared = [parameter for group in groups.values() for parameter in _parameters(group)]

        def wrapped(**given: Any) -> None:
            made = {
                name: group(**{one.name: _given(one, given.pop(one.name)) for one in _options(group)})
                for name, group in groups.items()
            }
            command(**made, **given)

        parameters = sorted([*own, *shared], key=lambda p: p.default is not inspect.Parameter.empty)
        signature = inspect.Signature(parameters)
        wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
        wrapped.__signature__ = signature  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate


def _parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(one.name, kind, default=_default(one), annotation=_annotation(one, hints[one.name]))
        for one in _options(group)
    ]


def _options(group: type) -> list[dataclasses.Field[Any]]:
    """The fields of a group that the shell has."""
    return [one for one in dataclasses.fields(group) if one.metadata.get("shell", True)]


def _default(one: dataclasses.Field[Any]) -> Any:
    return one.default if _read(one) is None else None if not one.default else str(one.default)


def _annotation(one: dataclasses.Field[Any], hint: Any) -> Any:
    """An option as typer wants it; what the settings of an attribution say of themselves becomes one."""
    if "help" not in one.metadata:
        return hint
    if _read(one) is not None:
        hint = str | None if not one.default else str
    return Annotated[hint, typer.Option(help=one.metadata["help"], min=one.metadata.get("at_least"))]


def _read(one: dataclasses.Field[Any]) -> str | None:
    """How the text of an option is read, where it is not of the field's own type."""
    return one.metadata.get("read")


def _given(one: dataclasses.Field[Any], value: Any) -> Any:
    """The value of an option as Python has it."""
    if _read(one) not in ("pair", "list"):
        return value
    if value is None:
        return one.default
    words = tuple(word.strip() for word in value.split(","))
    return words[0] if _read(one) == "pair" and len(words) == 1 else words
