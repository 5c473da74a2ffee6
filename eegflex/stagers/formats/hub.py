"""Weights as the Hugging Face hub has them: ``model.safetensors``, and ``config.json`` with what the network was made with.

They are downloaded, and then opened as those of any other folder. A pickle is neither downloaded nor opened.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eegflex.errors import DownloadError, MissingExtraError, ModelError, ParameterError, SpecError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.failures import said
from eegflex.stagers.formats.braindecode import arguments
from eegflex.utils.files import check_input

__all__ = ["HUB", "downloaded", "in_folder", "with_config"]

#: What stands before the name of a repository.
HUB = "hf://"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
_ADDRESS = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?", re.ASCII)
#: Of a table of arguments.
_LONGEST = 2**20


def downloaded(address: str, name: str) -> Path:
    """The folder that the files of a repository are downloaded to.

    Parameters
    ----------
    address : str
        ``"hf://owner/name"``, or ``"hf://owner/name@revision"``.
    name : str
        The network, for what is said.

    Raises
    ------
    ParameterError
        If it is no address.
    MissingExtraError
        If huggingface_hub is not installed.
    DownloadError
        If the files cannot be had, with which they are and where to put them.
    """
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise ParameterError(
            "This is not an address on the hub", seen=address, allowed="hf://owner/name, hf://owner/name@revision"
        )
    by_hand = (
        f"get {WEIGHTS} and {CONFIG} from https://huggingface.co/{found['repo']}/tree/{found['revision'] or 'main'}, put both "
        f"into a folder, and load_model({name!r}, weights='the folder')"
    )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"Weights of the hub need the package huggingface_hub. Or {by_hand}", "hub") from error
    try:
        return Path(snapshot_download(found["repo"], revision=found["revision"], allow_patterns=[WEIGHTS, CONFIG]))
    except Exception as error:  # its own, and those of what it downloads with
        raise DownloadError(
            f"Weights of the hub cannot be downloaded: {said(error)}",
            seen=address,
            remedy=f"With a network connection, {by_hand}",
        ) from error


def in_folder(folder: Path) -> Path:
    """The weights in a folder of the hub's kind.

    Raises
    ------
    ModelError
        If there are none.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(
            f"This directory has no {WEIGHTS}",
            seen=folder,
            allowed=sorted(own.name for own in folder.iterdir())[:20] or "the file of weights itself",
            remedy="Name the file of weights in it",
        )
    return path


def with_config(spec: ModelSpec, kind: Callable[..., Any], folder: Path) -> ModelSpec:
    """The spec with what the ``config.json`` of a folder says of how its network was made, if there is one.

    Raises
    ------
    ModelError
        If it is none, or has what is no plain value.
    SpecError
        If it contradicts the spec.
    """
    if not (folder / CONFIG).is_file():
        return spec
    known = inspect.signature(kind).parameters
    config = {name: value for name, value in _table(folder / CONFIG).items() if name in known and value is not None}
    ours = arguments(kind, spec)
    channels = config.pop("chs_info", None)
    if isinstance(channels, list):
        config.setdefault("n_chans", len(channels))
    if odd := [name for name, value in config.items() if name in ours and value != ours[name]]:
        raise SpecError(
            "The network was made for other inputs or outputs than its spec has",
            seen=[f"{name} = {config[name]!r} in {CONFIG}, {ours[name]!r} by the spec" for name in odd],
            remedy="Write the network's own spec, spec='mine.toml'; eegflex specs prints the published ones",
        )
    plain = {name: value for name, value in config.items() if not _is_default(value, known[name].default)}
    if strange := [name for name, value in plain.items() if not isinstance(value, bool | int | float)]:
        raise ModelError(
            f"The network was made with what is not taken from a {CONFIG}",
            seen=[f"{name} = {plain[name]!r}" for name in strange],
            allowed="numbers, true and false",
            remedy=f"Make the network yourself: load_model('{WEIGHTS}', module=the network, spec=...)",
        )
    told = {*ours, "input_window_seconds"} if "n_times" in ours else {*ours}
    return spec.replace(kwargs=spec.kwargs | {name: value for name, value in plain.items() if name not in told})


def _table(path: Path) -> dict[str, Any]:
    check_input(path, ModelError, "file of arguments")
    if path.stat().st_size > _LONGEST:
        raise ModelError("This file of arguments is too long", seen=path, allowed=f"{_LONGEST:,} bytes")
    try:
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"This file of arguments is not JSON: {said(error)}", seen=path) from error
    if not isinstance(table, dict):
        raise ModelError("This file of arguments is not a table", seen=path)
    return table


def _is_default(value: Any, default: Any) -> bool:
    """Whether a value is what the network is made with anyway; a class is written as its address."""
    if isinstance(default, type):
        return bool(value == f"{default.__module__}.{default.__qualname__}")
    return bool(value == (list(default) if isinstance(default, tuple) else default))
