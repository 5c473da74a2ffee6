"""The head: where electrodes lie, which channels they make, and what a patch of cortex sends to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import mne
import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from eegflex.readers.channels.electrodes import MASTOIDS, contralateral, position, set_positions

__all__ = ["CHIN", "EEG_ELECTRODES", "EYES", "STANDARD", "Montage", "direction", "patch_potential"]

Array = NDArray[np.float64]

EEG_ELECTRODES = ("F3", "F4", "C3", "C4", "O1", "O2")  # the derivations that the AASM manual recommends, both sides
EYES = ("E1", "E2")
CHIN = "Chin1-Chin2"

# The 10-05 system has no place for the eyes: E1 below and beside the left outer canthus, E2 above and beside the right
# (AASM manual), as directions from the centre of the head (x right, y front, z up).
_EYE_ELECTRODES = {"E1": (-0.58, 0.78, -0.24), "E2": (0.58, 0.81, -0.08)}

# Four spheres, brain to scalp (Næss et al. 2017, Front Hum Neurosci 11:490): outer radii as shares of the head's, and
# conductivities relative to the brain's. The skull's is 1/15 as measured by Oostendorp et al. 2000 (IEEE Trans Biomed
# Eng 47:1487), the fluid's that of Næss et al.
HEAD_RADIUS = 0.09  # m
RADII = np.array([79.0, 80.0, 85.0, 90.0]) / 90.0
CONDUCTIVITIES = np.array([1.0, 5.0, 1 / 15, 1.0])
DIPOLE_RADIUS = 78.0 / 90.0  # just under the brain's surface, pointing outwards, as cortical pyramidal cells do in gyri
N_ORDERS = 40  # by then the skull has smoothed away all but 1e-4 of a dipole
_COSINES = np.linspace(-1, 1, 2001)


def _unit(vectors: Array) -> Array:
    scaled: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


@lru_cache(maxsize=1)
def _centre() -> Array:
    centre: Array = np.mean([_position(name) for name in ("T7", "T8", "Fpz", "Oz")], axis=0)
    return centre


def _position(place: str) -> Array:
    where = position(place)
    if where is None:
        raise KeyError(place)
    return where


@lru_cache(maxsize=512)
def direction(place: str) -> Array:
    """Give the unit vector from the centre of the head to a place of the 10-05 system (or E1, E2)."""
    if place in _EYE_ELECTRODES:
        return _unit(np.array(_EYE_ELECTRODES[place]))
    return _unit(_position(place) - _centre())


@lru_cache(maxsize=1)
def _orders() -> Array:
    """Scalp potential of a radial dipole under the pole, as coefficients of the Legendre polynomials 0 to `N_ORDERS`.

    In each shell the order n of the potential is ``A x**n + B x**-(n + 1)``; potential and radial current are continuous
    where shells meet, and no current leaves the scalp.
    """
    coefficients = np.zeros(N_ORDERS + 1)
    n_shells = len(RADII)
    for n in range(1, N_ORDERS + 1):
        source = n * DIPOLE_RADIUS ** (n - 1)  # the B of the innermost shell
        equations, right = np.zeros((2 * n_shells - 1, 2 * n_shells)), np.zeros(2 * n_shells - 1)
        for shell, x in enumerate(RADII):
            inside, outside = slice(2 * shell, 2 * shell + 2), slice(2 * shell + 2, 2 * shell + 4)
            potential = np.array([x**n, x ** -(n + 1)])
            current = np.array([n * x ** (n - 1), -(n + 1) * x ** -(n + 2)])
            if shell == n_shells - 1:
                equations[-1, inside] = current
                break
            equations[2 * shell, inside], equations[2 * shell, outside] = potential, -potential
            equations[2 * shell + 1, inside] = CONDUCTIVITIES[shell] * current
            equations[2 * shell + 1, outside] = -CONDUCTIVITIES[shell + 1] * current
        right -= source * equations[:, 1]
        free = np.delete(equations, 1, axis=1)
        coefficients[n] = np.linalg.solve(free, right)[-2:].sum()
    return coefficients


@lru_cache(maxsize=64)
def _profile(spread: float) -> Array:
    """Potential of a patch by the cosine of the angle from its middle, at `_COSINES`; 1 above its middle."""
    order = np.arange(N_ORDERS + 1)
    coefficients = _orders() * np.exp(-0.5 * order * (order + 1) * np.radians(spread) ** 2)
    profile: Array = legendre.legval(_COSINES, coefficients / coefficients.sum())
    return profile


def patch_potential(cosines: Array, spread: float) -> Array:
    """Potential on the scalp of a patch of cortex whose cells act together, in a head of four spheres.

    Parameters
    ----------
    cosines : array
        Cosine of the angle between the middle of the patch and each electrode, seen from the centre of the head.
    spread : float
        Width of the patch in degrees (standard deviation of a Gaussian on the sphere).

    Returns
    -------
    array
        1 right above the patch; negative far from it, for what flows out of a head flows back into it.
    """
    return np.interp(cosines, _COSINES, _profile(spread))


@dataclass(frozen=True)
class Montage:
    """Which electrodes are recorded: EEG and both EOG against the contralateral mastoid, and the chin.

    Attributes
    ----------
    electrodes : tuple of str
        The EEG electrodes, by their names in the 10-05 system.
    """

    electrodes: tuple[str, ...] = EEG_ELECTRODES

    @cached_property
    def derivations(self) -> dict[str, tuple[str, str]]:
        """Channel -> (electrode, reference). The AASM manual recommends the contralateral mastoid, and M2 for both EOG."""
        eeg = {name: contralateral(name)[0] for name in self.electrodes}
        return {
            f"{name}-{mastoid}": (name, mastoid) for name, mastoid in (eeg | dict.fromkeys(EYES, MASTOIDS[1])).items()
        }

    @cached_property
    def channel_types(self) -> dict[str, str]:
        """Channel -> its type in MNE, in the order of the recording."""
        types = {name: "eog" if electrode in EYES else "eeg" for name, (electrode, _) in self.derivations.items()}
        return types | {CHIN: "emg"}

    @property
    def channels(self) -> list[str]:
        """The channels, in the order of the recording."""
        return list(self.channel_types)

    @property
    def contacts(self) -> tuple[str, ...]:
        """All electrodes on the head, the references too."""
        return (*self.electrodes, *EYES, *MASTOIDS)

    @cached_property
    def directions(self) -> Array:
        """Where the contacts lie, shape (n_contacts, 3)."""
        return np.array([direction(name) for name in self.contacts])

    def derive(self, potentials: Array) -> Array:
        """Turn potentials at the contacts, shape (..., n_contacts), into channels, (..., n_channels); the chin gets 0."""
        return potentials @ self._subtraction

    @cached_property
    def _subtraction(self) -> Array:
        subtraction = np.zeros((len(self.contacts), len(self.channels)))
        for column, (electrode, reference) in enumerate(self.derivations.values()):
            subtraction[self.contacts.index(electrode), column] += 1
            subtraction[self.contacts.index(reference), column] -= 1
        return subtraction

    @cached_property
    def eeg(self) -> list[int]:
        """Which of the channels are EEG."""
        return [number for number, kind in enumerate(self.channel_types.values()) if kind == "eeg"]

    @property
    def chin(self) -> Array:
        """Weights of what reaches only the chin, shape (n_channels,)."""
        return np.array([float(name == CHIN) for name in self.channels])

    def place(self, info: mne.Info) -> None:
        """Lay the EEG channels of an Info at their electrodes, in place."""
        sites: dict[str, tuple[str, ...]]
        sites = {name: (electrode,) for name, (electrode, _) in self.derivations.items() if electrode not in EYES}
        set_positions(info, sites)


#: What amplitudes refer to, so that no event is larger or smaller because fewer electrodes are recorded.
STANDARD = Montage()
