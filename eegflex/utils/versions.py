"""What eegflex runs on: said with a bug report."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TextIO

from eegflex._version import __version__
from eegflex.utils.arguments import checked

__all__ = ["sys_info"]

#: The name of a package at the beginning of what is required, and the extra it belongs to, if any.
_REQUIRED = re.compile(r"(?P<name>[\w.-]+).*?(?:extra == ['\"](?P<extra>[\w-]+)['\"])?$")
#: Extras of those who work on eegflex itself.
_OURS = {"docs", "test", "tools"}
_WIDTH = 22


@checked
def sys_info(fid: TextIO | None = None) -> None:
    """Write the versions of Python and of the dependencies, and what the machine has, to be copied into a bug report.

    No name of a person, a directory or a host is written.

    Parameters
    ----------
    fid : file-like | None
        Where to write to; to the standard output if None.

    See Also
    --------
    mne.sys_info : The same for MNE-Python.

    Examples
    --------
    >>> import io
    >>> text = io.StringIO()
    >>> sys_info(text)
    >>> text.getvalue().splitlines()[0].split()[0]
    'eegflex'
    """
    where = sys.stdout if fid is None else fid
    where.write("\n".join(_lines()) + "\n")


def _lines() -> Iterator[str]:
    yield _row("eegflex", __version__)
    yield _row("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    yield _row("system", f"{platform.system()} {platform.machine()}")
    yield _row("cores", _cores())
    yield _row("memory", _memory())
    yield _row("device", _device())
    packages = _packages()
    for extra in sorted(packages, key=lambda name: (name != "", name)):
        yield ""
        yield f"[{extra}]" if extra else "required"
        yield from (_row(f"  {name}", _version(name)) for name in packages[extra])


def _row(name: str, value: str) -> str:
    return f"{name:<{_WIDTH}}{value}"


def _packages() -> dict[str, list[str]]:
    """The packages of each extra, by its name; those that are always needed by the empty one."""
    found: dict[str, list[str]] = {}
    for match in map(_REQUIRED.match, requires("eegflex") or ()):
        name, extra = (match["name"], match["extra"] or "") if match else ("eegflex", "")
        if name != "eegflex" and extra not in _OURS:
            found.setdefault(extra, []).append(name)
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> str:
    import joblib
    import torch

    usable, there = joblib.cpu_count(), os.cpu_count()
    few = "" if usable == there else f", of which this process may use {usable}"
    return f"{there}{few}; torch computes with {torch.get_num_threads()} threads"


def _memory() -> str:
    """The memory of the machine; a container may be given less."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        try:
            import psutil
        except ImportError:
            return "unknown"
        size = psutil.virtual_memory().total
    return f"{size / 2**30:.1f} GiB"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"
    return "mps" if torch.backends.mps.is_available() else "cpu"
