"""The Dreem Open Datasets' HDF5: a data set `hypnogram` beside the signals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.utils.inside import check_hdf5

__all__ = ["NAME", "parse", "sniff"]

NAME = "Dreem HDF5"
_REM = 4
_MOST = 1_000_000  # epochs, more than any night's
_HDF5 = b"\x89HDF\r\n\x1a\n"


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file is HDF5 and not MATLAB's."""
    return head.startswith(_HDF5)


def parse(path: Path) -> Scoring:
    """Read a code an epoch, from the start of the recording; 4 is REM and -1 is not scored."""
    return Scoring.of_epochs([str(code) for code in _codes(path).tolist()], format=NAME, coding="aasm")


def _codes(path: Path) -> Any:
    check_hdf5(path, HypnogramError)
    try:
        with h5py.File(path, "r") as file:
            data = file.get("hypnogram")
            # other HDF5 may hold a hypnogram of other codes
            fit = "signals" in file and isinstance(data, h5py.Dataset) and data.ndim == 1 and data.size < _MOST
            found = data[()] if fit else None
    except Exception as error:
        raise HypnogramError(f"{path.name!r} cannot be read as HDF5", seen=error, remedy="Copy it again") from error
    if found is None or found.dtype.kind not in "iu" or ((found < -1) | (found > _REM)).any():
        raise HypnogramError(
            f"{path.name!r} holds no hypnogram as the Dreem Open Datasets have it",
            seen=f"codes {np.unique(found)[:9]}"
            if found is not None
            else "HDF5 without 'signals' and a list 'hypnogram'",
            allowed=f"signals, and hypnogram: a list of whole numbers from -1 to {_REM}",
            remedy="Give the file that holds the stages",
        )
    return found
