"""Where a model and its contract are found: files, the spec beside them, and folders that hold both."""

from __future__ import annotations

from pathlib import Path

from eegflex.errors import ModelError, SpecError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.formats.registry import FORMATS
from eegflex.utils.inside import inside

__all__ = ["locate"]

#: The spec of a folder.
SPEC = "spec.toml"


def locate(path: Path) -> tuple[Path, ModelSpec | None, Path]:
    """The file of weights that is meant, the spec that lies beside it, if one does, and the folder of the spec.

    Parameters
    ----------
    path : Path
        The weights: ``<stem>.toml`` or ``spec.toml`` beside them is their spec. Or a spec, or the folder of one: its
        ``file`` names the weights.

    Raises
    ------
    ModelError, SpecError
        If they do not belong together, or the spec names a file outside its folder.
    """
    if path.is_dir():
        return _of_spec(_spec_in(path))
    if path.suffix == ".toml":
        return _of_spec(path)
    beside = [fname for fname in (path.with_suffix(".toml"), path.with_name(SPEC)) if fname.is_file()]
    if not beside:
        return path, None, path.parent
    spec = ModelSpec.from_toml(beside[0])
    if spec.file and Path(spec.file).name != path.name:
        raise SpecError(
            f"The spec beside {path.name} belongs to another file",
            seen=f"{beside[0].name} names {spec.file!r}",
            remedy=f"Put its own spec into {path.stem}.toml, or pass spec=",
        )
    return path, spec, path.parent


def _spec_in(folder: Path) -> Path:
    found = [folder / SPEC] if (folder / SPEC).is_file() else sorted(folder.glob("*.toml"))
    if len(found) != 1:
        raise ModelError(
            "A folder of a model must have one spec",
            seen=[fname.name for fname in found],
            allowed=f"{SPEC}, or one other *.toml",
        )
    return found[0]


def _of_spec(fname: Path) -> tuple[Path, ModelSpec, Path]:
    spec = ModelSpec.from_toml(fname)
    if not spec.file:
        raise SpecError(
            "This spec does not name the file of its model",
            seen=fname,
            allowed=[known.words for known in FORMATS],
            remedy="Add file = '...' to its section [model]",
        )
    weights = inside(fname, spec.file, SpecError)
    if not weights.is_file():
        raise ModelError("The file that the spec names does not exist", seen=weights)
    return weights, spec, fname.parent
