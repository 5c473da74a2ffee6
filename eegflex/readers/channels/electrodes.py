"""Electrodes of the 10-05 system: their names, their other names, and where they are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from mne.io.constants import FIFF

__all__ = ["MASTOIDS", "canonical", "contralateral", "electrode", "position", "set_positions", "side"]

#: Left and right, which other electrodes are referred to.
MASTOIDS = ("M1", "M2")

# Older names on the left; used to match only, the name in the file is kept.
_ALIASES = {"A1": "M1", "A2": "M2", "T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


@lru_cache(maxsize=1)
def _montage() -> Any:
    names = mne.channels.get_builtin_montages()
    # MNE renamed standard_1005, and the old name warns
    return mne.channels.make_standard_montage("colin27_1005" if "colin27_1005" in names else "standard_1005")


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in _montage().ch_names}


def electrode(text: str) -> str | None:
    """Return the electrode's name in its usual spelling, or None if the text is not exactly one."""
    return _names().get(text.strip().casefold())


def canonical(text: str) -> str:
    """Return the name to match by: usual spelling, M1 for A1, T7 for T3."""
    name = electrode(text)
    return text.strip().casefold() if name is None else _ALIASES.get(name, name)


def side(name: str) -> str:
    """Return "left", "right" or "midline" of an electrode."""
    number = re.search(r"(\d+)h?$", name)
    return "midline" if number is None else ("left" if int(number[1]) % 2 else "right")


def contralateral(name: str) -> tuple[str, str]:
    """Return the mastoids to refer an electrode or an eye to, best first: left to M2, right to M1, midline to M2."""
    left, right = MASTOIDS
    return (left, right) if side(name) == "right" else (right, left)


def position(name: str) -> npt.NDArray[np.float64] | None:
    """Return where an electrode is, in m and the standard head's MRI frame, shape (3,)."""
    found = electrode(name)
    if found is None:
        return None
    return np.asarray(_montage().get_positions()["ch_pos"][found], dtype=float)


def set_positions(info: Any, sites: dict[str, tuple[str, ...]]) -> None:
    """Lay derivations on the head.

    Parameters
    ----------
    info : mne.Info
        Changed in place.
    sites : dict of str to tuple of str
        The electrodes of each channel: it lies at the middle of them, so (C3,) for C3-M2 and (Fpz, Cz) for Fpz-Cz. A
        bipolar pair is marked as MNE marks one, by the type of its coil.
    """
    for chan in info["chs"]:
        if len(sites.get(chan["ch_name"], ())) > 1:
            chan["coil_type"] = FIFF.FIFFV_COIL_EEG_BIPOLAR
    found = {
        name: [place for site in places if (place := position(site)) is not None] for name, places in sites.items()
    }
    where = {name: np.mean(places, axis=0) for name, places in found.items() if places}
    if not where:
        return
    frame = {
        key: value
        for key, value in _montage().get_positions().items()
        if key in {"nasion", "lpa", "rpa", "coord_frame"}
    }
    # The fiducials go along, so that MNE itself brings the standard head into head coordinates.
    info.set_montage(mne.channels.make_dig_montage(ch_pos=where, **frame), on_missing="ignore")
