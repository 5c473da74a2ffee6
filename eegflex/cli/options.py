"""Options that several commands of the command line share: a group is a dataclass, and a command takes it as one."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import mne
import typer

from eegflex.errors import ParameterError

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult
    from eegflex.stagers import Stager

__all__ = ["About", "Asking", "Check", "Context", "Contract", "Edges", "Loading", "Quadrature", "Reading", "takes"]


class Quadrature(StrEnum):
    """Rules on the path."""

    adaptive = "adaptive"
    graded = "graded"
    gauss_legendre = "gauss-legendre"


class Context(StrEnum):
    """What moves along the path."""

    fixed = "fixed"
    scaled = "scaled"


class Edges(StrEnum):
    """What happens where a run ends within a window."""

    shift = "shift"
    pad = "pad"
    skip = "skip"


class Check(StrEnum):
    """What becomes of a model whose explanation would be false."""

    refuse = "refuse"
    warn = "warn"
    off = "off"


#: How `attribute_epochs` says it.
_CHECKS: dict[Check, Any] = {Check.refuse: True, Check.warn: "warn", Check.off: False}


@dataclass(frozen=True)
class About:
    """What is said about a recording."""

    hypnogram: Annotated[Path | None, typer.Option(help="Its scored stages.")] = None
    units: Annotated[str | None, typer.Option(help="Unit of the signals where the file gives none, such as uV.")] = None
    coding: Annotated[str, typer.Option(help="How numbers code stages: auto, aasm, rk or dreams.")] = "auto"
    profile: Annotated[
        str | None, typer.Option(help="The data set: shhs, mesa, ... or a card of your own, my.toml.")
    ] = None


@dataclass(frozen=True)
class Reading(About):
    """How a recording is read."""

    channels: Annotated[
        str | None, typer.Option(help="Channels to read, separated by commas: C3-M2,E1-M2. Default: those for sleep.")
    ] = None

    def epochs(self, recording: Path) -> mne.BaseEpochs:
        """The epochs of a recording."""
        from eegflex.epochs import make_epochs
        from eegflex.readers import read_psg

        wanted = None if self.channels is None else [name.strip() for name in self.channels.split(",")]
        return make_epochs(read_psg(recording, **(dataclasses.asdict(self) | {"channels": wanted})))


@dataclass(frozen=True)
class Contract:
    """How a stager is loaded."""

    spec: Annotated[
        Path | None, typer.Option(help="The model's contract, a TOML file. Default: that beside the model.")
    ] = None
    trusted: Annotated[
        bool,
        typer.Option(
            "--trusted", help="Let the model's file run code: pickles, Keras' lambda layers, classes of a spec."
        ),
    ] = False

    def load(self, model: str) -> Stager:
        """Load a stager."""
        from eegflex.stagers import load_model

        return load_model(model, spec=self.spec, trusted=self.trusted)


@dataclass(frozen=True)
class Loading(Contract):
    """Which stager, and how it is loaded."""

    model: Annotated[
        str,
        typer.Option(
            help="The stager: gssc, gssc-eeg, gssc-eog, bandpower, yasa, known-spindle, ..., or a file or folder: "
            "stager.pt2, stager.onnx."
        ),
    ] = "gssc"

    def stager(self) -> Stager:
        """Load it: before anything else, since a wrong name should not cost the time that reading takes."""
        return self.load(self.model)


@dataclass(frozen=True)
class Asking:
    """What is explained, and how."""

    target: Annotated[
        str, typer.Option(help="What to explain: predicted, scored, margin, all, a stage, or two as in N2,N1.")
    ] = "predicted"
    baseline: Annotated[str, typer.Option(help="What to compare with: zero, aperiodic, recording, or stage:W.")] = (
        "zero"
    )
    context: Annotated[
        Context, typer.Option(help="Whether neighbouring epochs stay as recorded, or move along the path.")
    ] = Context.fixed
    method: Annotated[str, typer.Option(help="flex, saliency, deeplift, shapley, ...")] = "flex"
    tol: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="Error allowed of the band sums, of their absolute total.")
    ] = 0.02
    sample_per_stage: Annotated[
        int | None, typer.Option(min=1, help="Explain only so many epochs of each predicted stage.")
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of what is drawn at random.")] = 0
    quadrature: Annotated[Quadrature, typer.Option(help="Rule on the path.")] = Quadrature.adaptive
    n_steps: Annotated[
        int | None, typer.Option(min=1, help="Gradient evaluations for each epoch, for a fixed rule.")
    ] = None
    edges: Annotated[
        Edges, typer.Option(help="Where a run ends within a window: shift the window, pad it with silence, or skip.")
    ] = Edges.shift
    width: Annotated[
        int | None, typer.Option(min=1, help="Epochs of a window, for a stager that sees the whole night.")
    ] = None
    device: Annotated[str | None, typer.Option(help="Where to compute: cpu, cuda or mps.")] = None
    check: Annotated[
        Check, typer.Option(help="A model whose explanation would be false: refuse it, warn of it, or do not look.")
    ] = Check.refuse

    def explain(self, epochs: mne.BaseEpochs, stager: Stager) -> FlexResult:
        """Explain epochs."""
        from eegflex.attribution.attribute_epochs import attribute_epochs
        from eegflex.attribution.methods.table import METHODS

        pair = tuple(name.strip() for name in self.target.split(","))
        if len(pair) > 2:
            raise ParameterError(
                "A target is one word or a pair of stages", seen=self.target, remedy="Give two, as in N2,N1"
            )
        values = dataclasses.asdict(self)
        values["check"] = _CHECKS[self.check]
        values["target"] = pair[0] if len(pair) == 1 else pair
        finer = METHODS[self.method].views if self.method in METHODS else ()
        return attribute_epochs(epochs, stager, **values, views=[view for view in ("time",) if view in finer])


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
                name: group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
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
        inspect.Parameter(field.name, kind, default=field.default, annotation=hints[field.name])
        for field in dataclasses.fields(group)
    ]
