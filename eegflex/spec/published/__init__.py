"""The contracts of published stagers, by name: TOML files that come with the package, to use, to read and to change."""

from __future__ import annotations

import difflib
from pathlib import Path

from eegflex.errors import ParameterError
from eegflex.spec.model_spec import ModelSpec
from eegflex.utils.arguments import checked

__all__ = ["described", "load_spec", "spec_names", "spec_text", "specs_text"]

_HERE = Path(__file__).parent
#: Names by which a spec is known too.
_ALSO = {"braindecode:USleep": "usleep"}
#: Packages that a stager comes from as a whole, weights and all, as its spec's format says.
_PACKAGES = ("gssc", "yasa")


def spec_names() -> list[str]:
    """Return the names of the specs that come with the package, sorted.

    ``"package:name"`` is that of a model whose network or weights are in a package.

    Returns
    -------
    names : list of str
        As ``spec=`` and ``--spec`` take them.

    See Also
    --------
    eegflex.spec.load_spec : A published spec.
    eegflex.spec.spec_text : A published spec as TOML.

    Examples
    --------
    >>> from eegflex.spec import spec_names
    >>> [name for name in spec_names() if ":" not in name][:3]
    ['bandpower', 'chambon2018', 'gssc']
    """
    return sorted(_files())


@checked
def load_spec(name: str) -> ModelSpec:
    """Load a spec by its name.

    Parameters
    ----------
    name : str
        One of `spec_names`.

    Returns
    -------
    spec : ModelSpec
        The contract.

    Raises
    ------
    ParameterError
        If there is none such.

    See Also
    --------
    eegflex.spec.spec_names : The names of the published specs.
    eegflex.spec.spec_text : A published spec as TOML.
    eegflex.ModelSpec : The contract of a stager.

    Examples
    --------
    >>> from eegflex.spec import load_spec
    >>> load_spec("gssc").channels[0].types
    ('eeg',)
    """
    return ModelSpec.from_toml(_file(name))


@checked
def spec_text(name: str) -> str:
    """Get the TOML of a spec, for example to edit it for a similar network.

    Parameters
    ----------
    name : str
        One of `spec_names`.

    Returns
    -------
    text : str
        As it would stand in a file.

    Raises
    ------
    ParameterError
        If there is none such.

    See Also
    --------
    eegflex.spec.spec_names : The names of the published specs.
    eegflex.spec.load_spec : A published spec.

    Examples
    --------
    >>> from eegflex.spec import spec_text
    >>> print(spec_text("gssc").splitlines()[2])
    [input]
    """
    return _file(name).read_text(encoding="utf-8")


def specs_text() -> str:
    """A table of the specs: name, rate, length of an epoch, inputs, context, and where the weights are from."""
    rows: list[tuple[str, ...]] = [("name", "rate", "epoch", "inputs", "context", "weights")]
    rows += [(name, *described(name, load_spec(name))) for name in spec_names()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def described(name: str, spec: ModelSpec) -> tuple[str, ...]:
    """Rate, length of an epoch, inputs, context, and where the weights are from, in words."""
    context = spec.context
    neighbours = "the night" if context.whole else f"{context.before} + 1 + {context.after}"
    # what was looked at is what comes with a package
    package = name.partition(":")[0] if spec.sha256 else spec.format if spec.format in _PACKAGES else ""
    of_user = bool(spec.class_name) or spec.format == "ONNX"
    weights = f"package {package}" if package else "your own file" if of_user else "part of eegflex"
    return (
        "any" if spec.sfreq is None else f"{spec.sfreq:.5g} Hz",
        "any" if spec.duration is None else f"{spec.duration:g} s",
        ", ".join(channel.name for channel in spec.channels),
        "none" if context.alone else neighbours,
        weights,
    )


def _files() -> dict[str, Path]:
    """Name -> file; those in a folder are of the package that it is named after."""
    files = {":".join(path.relative_to(_HERE).with_suffix("").parts): path for path in _HERE.rglob("*.toml")}
    return files | {name: files[own] for name, own in _ALSO.items()}


def _file(name: str) -> Path:
    files = _files()
    if name not in files:
        near = difflib.get_close_matches(str(name), files, n=1)
        raise ParameterError(
            "There is no spec of this name",
            seen=repr(name),
            allowed=spec_names(),
            remedy=f"Nearest: {near[0]}" if near else "A file is read by ModelSpec.from_toml",
        )
    return files[name]
