"""Where electrodes and sources lie, and how strongly each source reaches each derivation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import mne
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHANNEL_TYPES",
    "CHIN",
    "DERIVATIONS",
    "EEG_CHANNELS",
    "ELECTRODES",
    "chin_only",
    "derive",
    "direction",
    "field",
    "montage",
    "scatter",
    "unit_peak",
]

# Derivation -> (anode, reference). The AASM manual recommends the contralateral mastoid for EEG and M2 for both EOG.
DERIVATIONS = {
    "F3-M2": ("F3", "M2"),
    "F4-M1": ("F4", "M1"),
    "C3-M2": ("C3", "M2"),
    "C4-M1": ("C4", "M1"),
    "O1-M2": ("O1", "M2"),
    "O2-M1": ("O2", "M1"),
    "E1-M2": ("E1", "M2"),
    "E2-M2": ("E2", "M2"),
}
CHIN = "Chin1-Chin2"
EEG_CHANNELS = tuple(name for name in DERIVATIONS if not name.startswith("E"))
CHANNEL_TYPES = {name: "eeg" if name in EEG_CHANNELS else "eog" for name in DERIVATIONS} | {CHIN: "emg"}
ELECTRODES = ("F3", "F4", "C3", "C4", "O1", "O2", "E1", "E2", "M1", "M2")

# The 10-05 system has no place for the eyes: E1 below and beside the left outer canthus, E2 above and beside the right
# (AASM manual), as directions from the centre of the head (x right, y front, z up).
_EYES = {"E1": (-0.58, 0.78, -0.24), "E2": (0.58, 0.81, -0.08)}


def _positions() -> dict[str, NDArray[np.float64]]:
    positions: dict[str, NDArray[np.float64]] = _template().get_positions()["ch_pos"]
    return positions


def _template() -> mne.channels.DigMontage:
    # MNE 1.13 renamed standard_1005.
    names = {"colin27_1005", "standard_1005"} & set(mne.channels.get_builtin_montages())
    return mne.channels.make_standard_montage(min(names))


def montage() -> mne.channels.DigMontage:
    """Positions of the EEG derivations, each at its anode."""
    positions = _template().get_positions()
    ch_pos = {name: positions["ch_pos"][DERIVATIONS[name][0]] for name in EEG_CHANNELS}
    landmarks = {key: positions[key] for key in ("nasion", "lpa", "rpa", "coord_frame")}
    return mne.channels.make_dig_montage(ch_pos, **landmarks)


class _Sphere:
    """Directions of the 10-05 places from the centre of the head, read once."""

    def __init__(self) -> None:
        self.directions: dict[str, NDArray[np.float64]] = {}

    def __getitem__(self, place: str) -> NDArray[np.float64]:
        if not self.directions:
            positions = _positions()
            centre = np.mean([positions[name] for name in ("T7", "T8", "Fpz", "Oz")], axis=0)
            self.directions = {name: _unit(position - centre) for name, position in positions.items()}
            self.directions |= {name: _unit(np.array(eye)) for name, eye in _EYES.items()}
        return self.directions[place]


_SPHERE = _Sphere()


def direction(place: str) -> NDArray[np.float64]:
    """Give the unit vector from the centre of the head to a place of the 10-05 system (or E1, E2)."""
    return _SPHERE[place]


def scatter(centre: NDArray[np.float64], degrees: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Move a direction at random by about so many degrees."""
    return _unit(centre + np.tan(np.radians(degrees)) * rng.standard_normal(3))


def field(source: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Potential of a source at each of `ELECTRODES`.

    Parameters
    ----------
    source : array, shape (3,)
        Direction of the source from the centre of the head, a unit vector.
    spread : float
        Width of the field in degrees: at this angle from the source the potential has fallen to 61 %.

    Returns
    -------
    array, shape (10,)
        ``exp(-angle**2 / (2 * spread**2))``, a smooth stand-in for what a volume conductor does.
    """
    electrodes = np.array([direction(name) for name in ELECTRODES])
    angle = np.degrees(np.arccos(np.clip(electrodes @ source, -1, 1)))
    potential: NDArray[np.float64] = np.exp(-0.5 * (angle / spread) ** 2)
    return potential


def derive(potentials: NDArray[np.float64] | Mapping[str, float]) -> NDArray[np.float64]:
    """Weights on the channels, chin included (zero), from potentials at the electrodes (a dict may leave some out)."""
    if isinstance(potentials, Mapping):
        potentials = np.array([potentials.get(name, 0.0) for name in ELECTRODES])
    by_name = dict(zip(ELECTRODES, potentials, strict=True))
    return np.array([by_name[anode] - by_name[reference] for anode, reference in DERIVATIONS.values()] + [0.0])


def chin_only() -> NDArray[np.float64]:
    """Weights of what reaches only the chin."""
    return np.array([0.0] * len(DERIVATIONS) + [1.0])


def unit_peak(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale weights so that the largest in absolute value is 1."""
    return weights / np.abs(weights).max()


def _unit(vector: Iterable[float]) -> NDArray[np.float64]:
    array = np.asarray(vector, dtype=np.float64)
    return array / np.linalg.norm(array)
