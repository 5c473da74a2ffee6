"""A head seen from above: where sites lie on it, and values at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import ChannelError
from eegflex.readers.channels.labels import parse_channel
from eegflex.readers.channels.units import parse_unit
from eegflex.viz.style import diverging, ink, plain, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

__all__ = ["MIN_SITES", "Sites", "draw_head", "find_sites", "project"]

#: Fewer sites than this are not interpolated.
MIN_SITES = 16
#: Area of a disc, in points squared.
_DISC = 95
#: Levels of contours over the limit of the colours; matplotlib draws those below 0 dashed.
_CONTOURS = np.array([-0.75, -0.5, -0.25, 0.25, 0.5, 0.75])
#: Radius of the outline, in m.
RADIUS = 0.095
#: m, head coordinates: where the middle of a head lies between its ears, a little in front of and above them.
CENTRE = (0.0, 0.013, 0.04)
#: Angle from the vertex at which the outline is drawn: the outermost sites of the 10-20 system lie just inside.
OUTLINE = np.deg2rad(102)


@dataclass(frozen=True)
class Sites:
    """Where the EEG channels of a result lie.

    Attributes
    ----------
    names : tuple of str
        Name of each site: that of its channel, or of its channels.
    xy : array, shape (n_sites, 2)
        Places in m, x to the right, y to the front; the head's outline has a radius of 0.095 m.
    channels : tuple of array of int
        The channels at each site.
    bipolar : array of bool, shape (n_sites,)
        Whether a channel there lies between two scalp electrodes.
    without : tuple of str
        EEG channels without a position.
    """

    names: tuple[str, ...]
    xy: npt.NDArray[np.float64]
    channels: tuple[npt.NDArray[np.intp], ...]
    bipolar: npt.NDArray[np.bool_]
    without: tuple[str, ...]

    def means(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the mean of the channels of each site, from values of shape (n_channels,)."""
        return np.array([_nan_mean(values[channels]) for channels in self.channels])

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the sites with several channels."""
        return tuple(name for name, channels in zip(self.names, self.channels, strict=True) if len(channels) > 1)


def find_sites(dataset: xr.Dataset, members: npt.NDArray[np.bool_] | None = None) -> Sites:
    """Find the sites of the EEG channels.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    members : array of bool, shape (n_channels,) | None
        Channels to choose from; by default all.

    Raises
    ------
    ChannelError
        If no EEG channel of these has a position.
    """
    names, kinds = dataset["ch_name"].values.astype(str), dataset["ch_type"].values.astype(str)
    places = np.stack([dataset[axis].values.astype(float) for axis in "xyz"], axis=1)
    eeg, known = kinds == "eeg", np.isfinite(places).all(axis=1)
    if members is not None:
        eeg &= members
    if not (eeg & known).any():
        raise ChannelError(
            "No EEG channel has an electrode position, so there is no map to draw",
            seen=", ".join(f"{name} ({kind})" for name, kind in zip(names, kinds, strict=True)),
            remedy="Set positions with epochs.set_montage('standard_1005') and channel types with "
            "epochs.set_channel_types before you explain them, or read the file with eegflex.read_psg",
        )
    chosen = np.flatnonzero(eeg & known)
    keys = [tuple(np.round(places[c], 3).tolist()) for c in chosen]
    groups = [chosen[[key == other for other in keys]] for key in dict.fromkeys(keys)]
    voltage = parse_unit("V")
    return Sites(
        names=tuple(", ".join(dict.fromkeys(names[group])) for group in groups),
        xy=project(np.array([places[group[0]] for group in groups])),
        channels=tuple(groups),
        bipolar=np.array(
            [any(len(parse_channel(names[c], voltage, "eeg").sites) > 1 for c in group) for group in groups], dtype=bool
        ),
        without=tuple(dict.fromkeys(names[eeg & ~known])),
    )


def project(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Unroll places on the head into a plane, shape (n, 2): azimuthal and equidistant about the vertex.

    Parameters
    ----------
    places : array, shape (n, 3)
        In m, head coordinates.
    """
    x, y, z = (places - CENTRE).T
    flat = np.hypot(x, y)
    distance = RADIUS * np.arctan2(flat, z) / OUTLINE
    scale = np.divide(distance, flat, out=np.zeros_like(flat), where=flat > 0)
    return np.stack([x * scale, y * scale], axis=1)


def draw_head(
    ax: Axes,
    values: npt.NDArray[np.float64],
    sites: Sites,
    colours: Normalize,
    *,
    names: bool = False,
    marked: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Draw values at sites as coloured discs with their sign, and from 16 sites on what lies between them, with contours.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    values : array, shape (n_sites,)
        What to draw. A site whose value is NaN is left out.
    sites : Sites
        Where they are.
    colours : matplotlib Normalize
        Limits of the colours.
    names : bool
        Whether to write the names of the sites.
    marked : array of bool, shape (n_sites,) | None
        Sites whose values are within their error, which are crossed out.
    """
    from matplotlib.colors import to_hex

    there = np.isfinite(values)
    doubtful = there & (np.zeros_like(there) if marked is None else marked)
    interpolated = there.sum() >= MIN_SITES and not _on_a_line(sites.xy[there])
    if interpolated:
        _interpolate(ax, values[there], sites.xy[there], colours)
    else:
        _outline(ax)
        for marker, chosen in (("o", there & ~sites.bipolar), ("s", there & sites.bipolar)):
            ax.scatter(
                sites.xy[chosen, 0], sites.xy[chosen, 1], c=values[chosen], cmap=diverging(), norm=colours, s=_DISC,
                marker=marker, edgecolors="black", linewidths=0.6, zorder=5, gid="sites",
            )  # fmt: skip
    size = 14 if interpolated else 26
    if doubtful.any():
        _cross_out(ax, sites.xy[doubtful], size if interpolated else _DISC)
    for word, sign, marker in (("raised", 1, "+"), ("lowered", -1, "_")):
        chosen = there & ~doubtful & (np.sign(values) == sign)
        inks = "black" if interpolated else [ink(to_hex(diverging()(colours(value)))) for value in values[chosen]]
        if chosen.any():
            ax.scatter(
                sites.xy[chosen, 0],
                sites.xy[chosen, 1],
                s=size,
                marker=marker,
                c=inks,
                linewidths=1.1,
                zorder=6,
                gid=word,
            )
    if names:
        _write_names(ax, sites, there)
    ax.set(xlim=(-1.3 * RADIUS, 1.3 * RADIUS), ylim=(-1.3 * RADIUS, 1.3 * RADIUS), aspect="equal")
    ax.axis("off")


def _cross_out(ax: Axes, xy: npt.NDArray[np.float64], size: float) -> None:
    """Draw white discs with a cross over sites."""
    ax.scatter(xy[:, 0], xy[:, 1], s=size, marker="o", facecolors="white", edgecolors="black", linewidths=0.6, zorder=6)
    ax.scatter(xy[:, 0], xy[:, 1], s=size, marker="x", color="black", linewidths=0.8, zorder=7)


def _interpolate(ax: Axes, values: npt.NDArray[Any], xy: npt.NDArray[np.float64], colours: Normalize) -> None:
    import mne

    mne.viz.plot_topomap(
        values,
        xy,
        sensors=False,
        contours=(colours.vmax * _CONTOURS).tolist(),
        image_interp="linear",
        border="mean",
        sphere=RADIUS,
        cmap=diverging(),
        vlim=(colours.vmin, colours.vmax),
        axes=ax,
        show=False,
    )


def _outline(ax: Axes) -> None:
    """Draw a head: its circle, nose and ears."""
    angle = np.linspace(0, 2 * np.pi, 101)
    ear = np.linspace(-np.pi / 2, np.pi / 2, 31)
    lines: Sequence[tuple[Any, Any]] = (
        (np.cos(angle), np.sin(angle)),
        (np.array([-0.18, 0, 0.18]), np.array([0.985, 1.15, 0.985])),
        (0.995 + 0.08 * np.cos(ear), 0.2 * np.sin(ear)),
        (-0.995 - 0.08 * np.cos(ear), 0.2 * np.sin(ear)),
    )
    broken = np.concatenate([part for line in lines for part in (np.stack(line), np.full((2, 1), np.nan))], axis=1)
    ax.plot(*(RADIUS * broken), color="black", linewidth=1.5)


def _write_names(ax: Axes, sites: Sites, there: npt.NDArray[np.bool_]) -> None:
    from matplotlib.patheffects import withStroke

    for i in np.flatnonzero(there):
        ax.annotate(
            plain(sites.names[i]),
            (float(sites.xy[i, 0]), float(sites.xy[i, 1])),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=points(8),
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def _on_a_line(xy: npt.NDArray[np.float64]) -> bool:
    """Whether places span no area, so that nothing can be interpolated between them."""
    return bool(np.linalg.matrix_rank(xy - xy.mean(axis=0), tol=1e-3) < 2)


def _nan_mean(values: npt.NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
