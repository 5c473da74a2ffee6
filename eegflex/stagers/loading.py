"""From a name, a file, a module or a callable to a Stager."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import torch
from mne.utils import logger
from torch import nn

from eegflex.errors import ModelError, ParameterError, SpecError
from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.published import load_spec, spec_names
from eegflex.stagers.assumed import assumed, assumed_of_estimator, assumed_of_module
from eegflex.stagers.by_name import RANDOM, contract_of, of_other_weights, own_weights, random_stager
from eegflex.stagers.device import check_device
from eegflex.stagers.digest import digest_of_files
from eegflex.stagers.failures import in_our_words
from eegflex.stagers.formats.blackbox import BlackBox
from eegflex.stagers.formats.braindecode import PREFIX
from eegflex.stagers.formats.hub import HUB, downloaded, with_config
from eegflex.stagers.formats.locate import locate
from eegflex.stagers.formats.packaged import package_of, packaged
from eegflex.stagers.formats.recognise import published_like
from eegflex.stagers.formats.registry import Format, ModelFile, format_of, resolve
from eegflex.stagers.formats.shapes import refuse_other_kinds
from eegflex.stagers.networks import network_class
from eegflex.stagers.stager import Stager
from eegflex.utils.arguments import checked
from eegflex.utils.files import check_input

__all__ = ["load_model", "names"]

#: The group of entry points by which other packages add names: callables that return a Stager.
GROUP = "eegflex.stagers"
#: What a name loads; imported only when asked for.
_OWN = {
    "gssc": "eegflex.stagers.zoo.gssc:load_gssc",
    "gssc-eeg": "eegflex.stagers.zoo.gssc:load_gssc_eeg",
    "gssc-eog": "eegflex.stagers.zoo.gssc:load_gssc_eog",
    "bandpower": "eegflex.stagers.zoo.bandpower:load_bandpower",
    "yasa": "eegflex.stagers.zoo.yasa:load_yasa",
    "known-spindle": "eegflex.stagers.zoo.known_truth:SPINDLE.stager",
    "known-slow-wave": "eegflex.stagers.zoo.known_truth:SLOW_WAVE.stager",
    "known-alpha": "eegflex.stagers.zoo.known_truth:ALPHA.stager",
    "known-shortcut": "eegflex.stagers.zoo.known_truth:SHORTCUT.stager",
}

#: Packages whose models are not quite modules of torch, and what makes them so.
_WRAPPED = {"keras": "eegflex.stagers.formats.keras:wrap"}


@checked
def load_model(
    source: Any,
    *,
    spec: ModelSpec | str | Path | None = None,
    module: nn.Module | Callable[..., nn.Module] | None = None,
    weights: str | Path | None = None,
    trusted: bool = False,
    device: str | torch.device | None = None,
) -> Stager:
    """Load a model that stages sleep.

    Parameters
    ----------
    source : str | path-like | torch.nn.Module | callable | object with predict_proba | list
        - A name: ``"gssc"`` (extra ``gssc``; ``"gssc-eeg"`` and ``"gssc-eog"`` take one signal only), ``"bandpower"``,
          ``"yasa"`` (extra ``yasa``); ``"known-spindle"``, ``"known-slow-wave"``, ``"known-alpha"`` or ``"known-shortcut"``,
          whose truth is known (`eegflex.stagers.zoo.known_truth`); or one that another package adds by an entry point of the
          group ``eegflex.stagers``.
        - The name of a published network, such as ``"seqsleepnet"`` or ``"tinysleepnet"``, with the file of its `weights`; or
          of one whose weights are in a package, ``"physioex:seqsleepnet-eeg"``. `eegflex.spec.spec_names` has them all.
        - The name of a class of braindecode (extra ``braindecode``), ``"braindecode:USleep"``, with its `weights`; and with a
          `spec`, if it is none of those. What the spec's ``kwargs`` leave out is taken from the rest of it.
        - A file: torch.export (``.pt2``), TorchScript, ONNX (extra ``onnx``), Keras 3 or ``.h5`` (extra ``keras``); or a
          state dict or safetensors with their `module`. The format is told by the content. Of a checkpoint the weights are
          taken whose prefix covers the network; what is left over is named.
        - A spec that names such a file, or the folder of one.
        - A module that maps ``(batch, channel, time)`` to ``(batch, stage)``, or as its spec says; braindecode's too. The
          caller's module is copied and left as it was.
        - Any callable on tensors, or an estimator with ``predict_proba``, for the methods that need no gradient.
        - A list of these with one contract: an ensemble, whose score is the mean of its members'.
    spec : ModelSpec | str | path-like | None
        The model's contract, its TOML file, or the name of a published one, such as ``"usleep-onnx"``. By default that
        beside the file, ``<stem>.toml`` or ``spec.toml``. A module without one is fed the epochs as they are, in MNE's units,
        and five outputs are taken to be W, N1, N2, N3 and REM. Of a network by name, in the place of the published one.
    module : torch.nn.Module | callable | None
        What the weights of a state dict or of safetensors belong to: the network, or its class, which is called with the
        spec's ``kwargs``.
    weights : path-like | str | None
        The file of weights of a network that is given by name. Or the folder of a ``model.safetensors`` and of the
        ``config.json`` with what the network was made with; or where they are on the Hugging Face hub, ``"hf://owner/name"``
        (extra ``hub``). ``"random"``: as before training. Of a network whose weights are in a package: also the wheel of that
        package, or a folder with the file or the wheel in it. By default they are looked for where the package is installed.
    trusted : bool
        Whether a file may run code that its author put there: pickles, Keras' lambda layers, classes that a spec names. A
        module of the spec's folder may define such a class.
    device : str | torch.device | None
        Where to put the model. By default it stays where it is.

    Returns
    -------
    stager : Stager
        The model and its contract.

    Raises
    ------
    ModelError
        If there is no such model, it cannot be copied, or to open it would run code.
    SpecError
        If the spec is not one, or the model has its own.
    MissingExtraError
        If the model needs a package that is not installed.

    See Also
    --------
    eegflex.Stager : A model and its spec.
    eegflex.ModelSpec : The contract of a stager.
    eegflex.spec.spec_names : The names of the published specs.
    eegflex.check_model : Whether a model is connected as it was meant.
    eegflex.stagers.ensemble : Several stagers as one.

    Examples
    --------
    >>> import torch, eegflex
    >>> eegflex.load_model("bandpower")
    <Stager | bandpower, eeg, eog, emg, 100 Hz, W/N1/N2/N3/REM>
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3000, 5))
    >>> spec = eegflex.ModelSpec(name="mine", sfreq=100.0, n_times=3000, unit="uV")
    >>> eegflex.load_model(network, spec=spec)
    <Stager | mine, input, 100 Hz, W/N1/N2/N3/REM>
    """
    folder, spec = _contract(spec)
    path = _path(source)
    by_name = isinstance(source, str) and path is None and (source in _published() or source.startswith(PREFIX))
    if spec is not None and path is None and isinstance(source, str | Stager) and not by_name:
        raise SpecError(
            "This stager has its own spec, which cannot be replaced",
            seen=f"spec={spec.name!r} for {source!r}",
            remedy="Leave spec= out, or pass the bare torch.nn.Module with it",
        )
    if module is not None and path is None:
        raise ParameterError("module= is for the weights in a file", seen=f"module= with {type(source).__name__}")
    if weights is not None and not by_name:
        raise ParameterError(
            "weights= is for a published network that is given by its name", seen=repr(source), allowed=_published()
        )
    with in_our_words("The model cannot be loaded"):
        stager = (
            _from_published(source, spec, weights) if by_name else _loaded(source, path, spec, folder, module, trusted)
        )
    return stager if device is None else stager.to(check_device(device, stager.like.dtype), stager.like.dtype)


def _loaded(
    source: Any, path: Path | None, spec: ModelSpec | None, folder: Path | None, module: Any, trusted: bool
) -> Stager:
    """A model of whatever kind."""
    if path is not None:
        return _from_file(path, spec, folder, module, trusted)
    if isinstance(source, str):
        return _named(source)
    if isinstance(source, list | tuple):
        from eegflex.stagers.ensemble import ensemble

        return ensemble([load_model(member, spec=spec, trusted=trusted) for member in source])
    return _from_object(source, spec, folder=folder)


def names() -> list[str]:
    """The names that `load_model` knows, those of other packages too."""
    own = [*_OWN, *_published()]
    return [*own, *sorted({point.name for point in entry_points(group=GROUP)} - set(own))]


def _published() -> list[str]:
    """The names of networks whose weights lie in files."""
    return [name for name in spec_names() if name not in _OWN]


def _contract(spec: ModelSpec | str | Path | None) -> tuple[Path | None, ModelSpec | None]:
    """A contract as it was given: itself, the name of a published one, or a file; with the folder that it is in."""
    if isinstance(spec, str) and (spec in spec_names() or not (os.path.lexists(spec) or Path(spec).suffix)):
        return None, of_other_weights(load_spec(spec))
    if isinstance(spec, str | Path):
        return Path(spec).parent, ModelSpec.from_toml(spec)
    return None, spec


def _from_published(name: str, spec: ModelSpec | None, weights: str | Path | None) -> Stager:
    """A network by its name. Its class is ours, or of an extra, so that no code of the file's is needed."""
    spec, kind = contract_of(name, spec)
    if weights == RANDOM:
        return random_stager(spec, kind)
    hub = weights if isinstance(weights, str) and weights.startswith(HUB) else None
    folder = downloaded(hub, name) if hub else Path(weights) if weights is not None and Path(weights).is_dir() else None
    if folder is not None and not package_of(name):
        spec, weights = with_config(spec, kind or network_class(spec.class_name), folder), folder
    with packaged(name, spec.file, weights) as path:
        if package_of(name):
            _check_sum([path], spec, own_weights(name, spec))
        stager = _from_file(path, spec, None, kind, trusted=False)
    return stager.with_spec(stager.spec.replace(file=hub)) if hub else stager


def _path(source: Any) -> Path | None:
    """A source as a file or folder, unless it is a name."""
    if isinstance(source, Path):
        return source
    is_name = not isinstance(source, str) or source in names() or source.startswith(PREFIX)
    if is_name or not (os.path.exists(source) or Path(source).suffix):  # noqa: PTH110  (it minds names of any kind)
        return None
    return Path(source)


def _named(name: str) -> Stager:
    points = _points(name)
    if not points:
        raise ModelError(
            "The model does not exist",
            seen=repr(name),
            allowed=names(),
            remedy="Or give a file that exists, or the torch.nn.Module itself",
        )
    if len(points) > 1:
        raise ModelError("Several packages add a model of this name", seen=repr(name), allowed=sorted(points))
    ((address, point),) = points.items()
    with in_our_words(
        f"The entry point {name!r} cannot be loaded", seen=address, remedy="Look at the package that adds it"
    ):
        stager = point.load()()
    if not isinstance(stager, Stager):
        raise ModelError(
            f"What the entry point {name!r} loads is not a Stager", seen=f"{address}: {type(stager).__name__}"
        )
    return stager


def _points(name: str) -> dict[str, EntryPoint]:
    """What a name may load, by address: eegflex's own before those of other packages."""
    if name in _OWN:
        return {_OWN[name]: EntryPoint(name, _OWN[name], GROUP)}
    return {point.value: point for point in entry_points(group=GROUP) if point.name == name}


def _from_file(path: Path, spec: ModelSpec | None, folder: Path | None, network: Any, trusted: bool) -> Stager:
    if not os.path.lexists(path):  # the name of a model, misspelt
        raise ModelError("The model does not exist", seen=path, allowed=[*names(), "a file or folder that exists"])
    check_input(path, ModelError, "model", folder=True)
    given = spec is not None and path.is_file()
    weights, beside, home = (path, None, path.parent) if given else locate(path)
    spec = spec or beside
    found = format_of(weights)
    if network is not None and not found.takes_network:
        raise ParameterError(
            f"{weights.name} is {found.words}, which brings its own network", seen="module=", remedy="Leave module= out"
        )
    known = spec or assumed(path.stem)
    files = _files(weights, found) if known.sha256 or not found.takes_network else [weights]
    _check_sum(files, known)
    file = ModelFile(weights, known, trusted, network, folder or home)
    with in_our_words(f"{weights.name} cannot be loaded as {found.words}", seen=weights):
        loaded = resolve(found.adapter)(file)
    if isinstance(loaded, Stager):
        return loaded
    if spec is None and (like := published_like(getattr(loaded, "shapes", None))):
        spec = known = load_spec(like)
        file.notes.append(f"spec: {like!r}, the only one that fits the inputs and outputs of {weights.name}")
    refuse_other_kinds(loaded, known, weights)
    for note in file.notes:
        logger.warning(note)
    # weights of a network that the caller has are the same weights, whatever file they are in
    digest = "" if found.takes_network and isinstance(loaded, nn.Module) else digest_of_files(files)
    stager = _from_object(loaded, spec, weights.stem, digest, folder or home)
    return stager.with_spec(stager.spec.replace(assumed=(*stager.spec.assumed, *file.notes)))


def _check_sum(files: list[Path], spec: ModelSpec, otherwise: str = "correct sha256 in the spec's [model]") -> None:
    """Refuse a model that is not the one whose checksum the spec has; say what to do if it is the one that is meant."""
    if spec.sha256 and (found := digest_of_files(files)) != spec.sha256.lower():
        raise ModelError(
            f"{' with '.join(file.name for file in files)} is not the model of its spec: the sha256 differs",
            seen=found,
            allowed=spec.sha256.lower(),
            remedy=f"Get the file again; or, if it is the right file, {otherwise}",
        )


def _files(weights: Path, found: Format) -> list[Path]:
    """All files that a model lies in."""
    return [weights, *(resolve(found.beside)(weights) if found.beside else ())]


def _from_object(
    source: Any, spec: ModelSpec | None, name: str = "", digest: str = "", folder: Path | None = None
) -> Stager:
    """A model that is in memory."""
    if isinstance(source, Stager):
        return source
    if isinstance(source, type):
        raise ModelError(
            "The model is a class, not an instance of one",
            seen=source.__name__,
            remedy=f"Create an instance, load_model({source.__name__}(...)), or give its weights too: "
            f"load_model('weights.safetensors', module={source.__name__})",
        )
    for package, adapter in _WRAPPED.items():
        if any(kind.__module__.partition(".")[0] == package for kind in type(source).__mro__):
            return Stager(resolve(adapter)(source), spec or assumed(name or type(source).__name__), digest)
    if callable(getattr(source, "predict_proba", None)):
        return Stager(BlackBox(source), spec or assumed_of_estimator(source, name), digest, folder)
    if callable(source):
        return Stager(source, spec or assumed_of_module(source, name), digest, folder)
    raise ModelError(
        "A model must be a name, a file, a torch.nn.Module, a callable, or have predict_proba",
        seen=type(source).__name__,
        allowed=names(),
    )
