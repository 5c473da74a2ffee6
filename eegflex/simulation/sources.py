"""Where events come from: how a source is drawn, and what it does to each channel of a montage.

A source is three numbers that do not depend on the montage; `gains` turns the sources of many events into weights. They
are scaled so that the largest weight is 1 on the standard montage, whatever is recorded.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eegflex.simulation.head import HEAD_RADIUS, STANDARD, Montage, direction, patch_potential

__all__ = ["Chin", "Contact", "Cortex", "Eyes", "Heart", "Skin", "Source"]

Array = NDArray[np.float64]


class Source(Protocol):
    """What a kind of event asks of its source."""

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw the source of one event, shape (3,)."""

    def gains(self, montage: Montage, sources: Array) -> Array:
        """Weights of sources, shape (n_events, 3), on the channels: (n_events, n_channels)."""


def _scaled(gains: Array, standard: Array) -> Array:
    """Divide by the largest weight on the standard montage."""
    found: Array = gains / np.abs(standard).max(axis=-1, keepdims=True)
    return found


@dataclass(frozen=True)
class Cortex:
    """A patch of cortex near one of some places.

    Attributes
    ----------
    places : tuple of str
        Places of the 10-05 system, each as likely.
    spread : float
        Width of the patch in degrees.
    jitter : float
        By how many degrees, about, a source lies beside its place.
    """

    places: tuple[str, ...]
    spread: float
    jitter: float = 10.0

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw the direction of the middle of a patch."""
        place = direction(self.places[rng.integers(len(self.places))])
        moved = place + np.tan(np.radians(self.jitter)) * rng.standard_normal(3)
        scaled: Array = moved / np.linalg.norm(moved)
        return scaled

    def gains(self, montage: Montage, sources: Array) -> Array:
        """Weights of patches with these middles."""
        return _scaled(self.potentials(montage, sources), self.potentials(STANDARD, sources))

    def potentials(self, montage: Montage, sources: Array) -> Array:
        """Channels for a patch that makes 1 right above itself."""
        return montage.derive(patch_potential(sources @ montage.directions.T, self.spread))


# The eyeballs, and the potential of their dipoles, cornea positive (Malmivuo & Plonsey 1995, Bioelectromagnetism, ch. 28):
# m from the centre of the head, x right, y front, z up; 6.4 cm apart, as high as the outer canthi between E1 and E2.
_EYEBALLS = np.array([(-0.032, 0.063, -0.0144), (0.032, 0.063, -0.0144)])


@dataclass(frozen=True)
class Eyes:
    """Eyeballs that turn together. A source is the change of gaze, as (right, front, up).

    Attributes
    ----------
    across, up : float
        Standard deviations of the components, relative to each other.
    rise : float
        Mean of the upward component: a blink turns the eyes upwards (Bell's phenomenon).
    """

    across: float
    up: float
    rise: float = 0.0

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw a change of gaze: to either side as likely."""
        side = rng.choice((-1.0, 1.0)) * self.across
        return np.array([side, 0.0, self.rise + self.up * rng.standard_normal()])

    def gains(self, montage: Montage, sources: Array) -> Array:
        """Weights of gazes that change so."""
        return _scaled(self._potentials(montage, sources), self._potentials(STANDARD, sources))

    def _potentials(self, montage: Montage, sources: Array) -> Array:
        apart = HEAD_RADIUS * montage.directions[:, None, :] - _EYEBALLS  # contact x eye x 3
        field = (apart / np.linalg.norm(apart, axis=-1, keepdims=True) ** 3).sum(axis=1)
        return montage.derive(sources @ field.T)


@dataclass(frozen=True)
class Chin:
    """The muscle under the chin electrodes; nothing of it reaches the head."""

    def draw(self, rng: np.random.Generator) -> Array:
        """There is only one."""
        del rng
        return np.zeros(3)

    def gains(self, montage: Montage, sources: Array) -> Array:
        """1 for the chin."""
        return np.tile(montage.chin, (len(sources), 1))


@dataclass(frozen=True)
class Heart:
    """A far dipole below the left of the neck: its potential falls evenly along `axis` across the head.

    The difference between the mastoids is what makes it seen in referenced channels.
    """

    axis: tuple[float, float, float] = (0.7, 0.2, -0.68)
    jitter: float = 0.05

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw the heart's axis, which turns a little as one breathes."""
        return np.array(self.axis) + self.jitter * rng.standard_normal(3)

    def gains(self, montage: Montage, sources: Array) -> Array:
        """Weights of such axes."""
        return _scaled(*(m.derive(sources @ m.directions.T) for m in (montage, STANDARD)))


@dataclass(frozen=True)
class Contact:
    """One electrode by itself; as a reference it is in many channels. A source is where in the list of contacts it is."""

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw a place in the list."""
        return np.array([rng.random(), 0.0, 0.0])

    def gains(self, montage: Montage, sources: Array) -> Array:
        """1 or -1 where the electrode takes part."""
        chosen = (sources[:, 0] * len(montage.contacts)).astype(int)
        return montage.derive(np.eye(len(montage.contacts))[chosen])


@dataclass(frozen=True)
class Skin:
    """Every electrode by its own, unequal contact with the skin; a source is the number that this hangs on.

    Attributes
    ----------
    chin : float
        Weight of the chin.
    """

    chin: float = 0.0

    def draw(self, rng: np.random.Generator) -> Array:
        """Draw the number."""
        return np.array([float(rng.integers(2**31)), 0.0, 0.0])

    def gains(self, montage: Montage, sources: Array) -> Array:
        """Weights; those of an electrode do not depend on which others there are."""
        found = _scaled(*(m.derive(self._contacts(m, sources)) for m in (montage, STANDARD)))
        return found + self.chin * montage.chin

    def _contacts(self, montage: Montage, sources: Array) -> Array:
        names = [zlib.crc32(name.encode()) for name in montage.contacts]
        return np.array(
            [[np.random.default_rng([int(n), name]).standard_normal() for name in names] for n in sources[:, 0]]
        )
