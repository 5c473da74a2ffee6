"""Modules of Python that lie beside a spec: the author's own network."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["beside"]


@contextlib.contextmanager
def beside(folder: Path, module: str) -> Iterator[None]:
    """Let a module of a folder be imported by its name, before any other of that name, if there is one.

    Two folders may each have a module of one name: what another one's was imported as before is put back after.

    Parameters
    ----------
    folder : Path
        The folder.
    module : str
        The name, with dots.
    """
    folder = folder.resolve()
    if not _is_in(folder, module.partition(".")[0]):
        yield
        return
    hidden = {name.partition(".")[0] for name in sys.modules}
    hidden = {name for name in hidden if _is_in(folder, name) and _is_another(folder, name)}
    others = {name: own for name, own in sys.modules.items() if name.partition(".")[0] in hidden}
    for name in others:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
            del sys.modules[name]
        sys.modules.update(others)


def _is_in(folder: Path, package: str) -> bool:
    return (folder / f"{package}.py").is_file() or (folder / package / "__init__.py").is_file()


def _is_another(folder: Path, package: str) -> bool:
    """Whether what was imported is no module of the folder. Those of Python and of installed packages are left alone."""
    module = sys.modules.get(package)
    fname = Path(str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), ""))).resolve()
    installed = package in sys.stdlib_module_names or {"site-packages", "dist-packages"} & set(fname.parts)
    return not installed and not fname.is_relative_to(folder)
