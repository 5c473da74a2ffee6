"""Figures of a cohort: a mark, a line or a value is that of people, each of whom is one case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.bands import OUTSIDE, Bands
from eegflex.cohort.page_people import TOLD, TOTAL, People, Spectra, nan_mean, people_of, spectra_of, stages_of
from eegflex.cohort.page_tiles import count
from eegflex.errors import ParameterError
from eegflex.readers.channels.electrodes import set_positions
from eegflex.readers.channels.labels import parse_channel
from eegflex.readers.channels.units import parse_unit
from eegflex.results.intervals import MIN_EPOCHS, mean_interval
from eegflex.results.select import Pooled, check_stages
from eegflex.results.wording import UNITS, span_words, type_label
from eegflex.utils.arguments import checked
from eegflex.viz.bands import BandMarks, draw_panel
from eegflex.viz.canvas import make_canvas
from eegflex.viz.head import MIN_SITES, Sites, draw_head, find_sites
from eegflex.viz.scales import choose_scale
from eegflex.viz.spectrum import bin_edges, draw_signed, into_bins
from eegflex.viz.style import LIGHT, colour_limits, plain, points, shade_bands, stage_colours
from eegflex.viz.topomap import add_bars, panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.cohort.cohort import Cohort

__all__ = [
    "in_bins",
    "label_of",
    "name_rows",
    "plot_bands",
    "plot_spectrum",
    "plot_topomap",
    "site_words",
    "sites_of",
    "unit_of",
]

#: Highest frequency that is drawn, in Hz.
FMAX = 30.0
#: Stages beside each other.
_WIDEST = 6


def unit_of(cohort: Cohort) -> str:
    """Return the unit of the attributions."""
    score = str(cohort.spectra.attrs.get("score", "score"))
    return UNITS.get(score, score)


def label_of(cohort: Cohort, per: str = "") -> str:
    """Return the label of an axis of attributions."""
    return f"Attribution{f' {per}' if per else ''} ({plain(unit_of(cohort))})"


@checked
def plot_bands(
    cohort: Cohort,
    *,
    stage: str | Sequence[str] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Draw what each band did in each person; see `Cohort.plot_bands`."""
    people = people_of(cohort)
    kind = _first_kind(people)
    stages = check_stages(stage, [one for one, n in zip(people.stages, people.n_epochs.T, strict=True) if n.any()])
    marks = _marks(people, kind, stages)
    rows = _rows(people)
    names = [f"{plain(one)} {span_words(one, Bands())}" if one in Bands().names else plain(one) for one in rows]
    canvas = make_canvas(
        axes,
        [stages],
        annotate,
        figsize=(max(1.7 * len(stages) + 1.5, 3.4), 0.36 * len(names) + 1.4),
        sharex=True,
        sharey=True,
    )
    scale = choose_scale([marks.did.values], [marks.within], "attribution")
    for place, (one, ax) in enumerate(zip(stages, canvas.axes[0], strict=True)):
        draw_panel(ax, marks, one, scale)
        ax.set_title(
            f"{plain(one)}\n{count(int((marks.did.labels == one).sum()), 'person', 'people')}", fontsize=points(9)
        )
        ax.spines["top"].set(color=stage_colours(stages_of(cohort)).get(one, LIGHT.muted), linewidth=3)
        ax.set_yticks(range(len(names)), names, fontsize=points(8))
        ax.tick_params(axis="y", length=0, labelleft=place == 0 or not canvas.own)
        ax.tick_params(axis="x", labelsize=points(7.5))
        for edge in np.arange(len(names) - 1) + 0.5:
            ax.axhline(edge, color="0.9", linewidth=0.6, zorder=0)
    canvas.label_x(label_of(cohort))
    return canvas.finish(
        "What each band did to the score in each person, by predicted stage",
        f"One mark is one person: the mean over the person's epochs, and over the {type_label(kind)} channels.",
        "+ (red): raised the score; ○ (blue): lowered it; grey: within its error (95 %).",
        "Line: median over people; bar below it: its 95 % interval, from 6 people on.",
        scale.words,
        show=show,
    )


@checked
def plot_spectrum(
    cohort: Cohort,
    *,
    stage: str | Sequence[str] | None = None,
    fmax: float = FMAX,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Draw the mean spectrum over people; see `Cohort.plot_spectrum`."""
    if not np.isfinite(fmax) or fmax <= 0:
        raise ParameterError("fmax must be a frequency", seen=fmax, allowed="more than 0 Hz")
    people = people_of(cohort)
    kind = _first_kind(people)
    spectra = spectra_of(cohort, [one for one, own in zip(people.channels, people.kinds, strict=True) if own == kind])
    edges, binned = in_bins(spectra, fmax)
    present = [
        one for one, own in zip(stages_of(cohort), np.moveaxis(binned, 1, 0), strict=True) if np.isfinite(own).any()
    ]
    stages = check_stages(stage, present)
    width = min(len(stages), _WIDEST)
    n_rows = -(-len(stages) // width)
    panels = [[*stages[row * width : (row + 1) * width]] for row in range(n_rows)]
    panels[-1] += [""] * (width - len(panels[-1]))
    canvas = make_canvas(
        axes, panels, annotate, figsize=(max(1.9 * width + 1.0, 3.6), 2.1 * n_rows + 0.7), sharex=True, sharey=True
    )
    for one, ax in zip(stages, [ax for ax in canvas.axes.flat if ax is not None], strict=True):
        own = binned[:, stages_of(cohort).index(one)]
        own = own[np.isfinite(own).all(axis=1)]
        _draw_mean(ax, own, edges)
        shade_bands(ax, Bands(), float(edges[-1]), names=False)
        ax.set_title(f"{plain(one)}\n{count(len(own), 'person', 'people')}", fontsize=points(9))
        ax.set_xlim(0, edges[-1])
        ax.tick_params(labelsize=points(8))
    canvas.label_x("Frequency (Hz)")
    canvas.label_y(label_of(cohort, "per Hz"))
    return canvas.finish(
        "At which frequencies: the mean over people, by predicted stage",
        f"Mean over people of the mean over the {type_label(kind)} channels; red raised the score, blue lowered it.",
        f"Black lines: 95 % interval between people, from {MIN_EPOCHS} people on, of each half hertz by itself.",
        "Shaded: delta, theta, alpha, sigma, beta.",
        show=show,
    )


def in_bins(spectra: Spectra, fmax: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return edges of bins in Hz, and the mean spectra in them, (n_people, n_stages, n_bins)."""
    edges = bin_edges(spectra.freqs, fmax)
    binned = into_bins(np.nan_to_num(spectra.values), spectra.freqs, edges, mean=True)
    binned[~np.isfinite(spectra.values).any(axis=2)] = np.nan
    return edges, binned


def _draw_mean(ax: Any, values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> None:
    """Draw the mean of values of people, (n_people, n_bins), and its interval."""
    draw_signed(ax, edges, values.mean(axis=0))
    if len(values) >= MIN_EPOCHS:
        for end in mean_interval(values, np.arange(len(values))):
            ax.stairs(end, edges, color="black", linewidth=0.8, baseline=None, zorder=4)


@checked
def plot_topomap(
    cohort: Cohort,
    *,
    stage: str | Sequence[str] | None = None,
    band: str | Sequence[str] | None = None,
    scale_by: str = "stage",
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Draw the mean over people at each electrode; see `Cohort.plot_topomap`."""
    people = people_of(cohort)
    sites = sites_of(cohort, people.channels, people.kinds)
    stages = check_stages(stage, [one for one, n in zip(people.stages, people.n_epochs.T, strict=True) if n.any()])
    bands = _bands(people, band)
    means, doubtful, n = _at_sites(people, sites, stages, bands)
    canvas = make_canvas(
        axes,
        [[f"{row} in {one}" for one in stages] for row in bands],
        annotate,
        figsize=panel_size(len(bands), len(stages)),
    )
    limits = colour_limits(means, scale_by)
    for (row, column), ax in np.ndenumerate(canvas.axes):
        draw_head(ax, means[:, row, column], sites, limits[column], marked=doubtful[:, row, column])
        if row == 0 or not canvas.own:
            ax.set_title(f"{plain(stages[column])}\nn = {n[column]}", fontsize=points(9))
    name_rows(canvas.axes, bands)
    add_bars(canvas.fig, canvas.axes, limits, label_of(cohort), scale_by)
    return canvas.finish(
        "Where on the head: the mean over people, by predicted stage",
        "n: people. + and red: raised the score; − and blue: lowered it.",
        f"Crossed out: its 95 % interval between people holds 0, or there are fewer than {MIN_EPOCHS} people.",
        "Each stage has its own colour scale." if scale_by == "stage" and len(stages) > 1 else "",
        site_words(sites),
        show=show,
    )


def site_words(sites: Sites) -> str:
    """Say how sites are drawn."""
    few = len(sites.names) < MIN_SITES
    drawn = "Each disc is one site; too few to interpolate between them." if few else "Between sites: interpolated."
    return drawn + (f" Without a position: {', '.join(sites.without)}." if sites.without else "")


def _at_sites(
    people: People, sites: Sites, stages: Sequence[str], bands: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], list[int]]:
    """The mean over people at each site, whether its interval holds 0, (site, band, stage), and people by stage."""
    at = np.stack([nan_mean(people.means[:, :, channels], axis=2) for channels in sites.channels], axis=2)
    chosen = at[:, [people.stages.index(one) for one in stages]][..., [people.bands.index(one) for one in bands]]
    means = np.full((len(sites.names), len(bands), len(stages)), np.nan)
    doubtful = np.ones(means.shape, dtype=bool)
    for site, row, column in np.ndindex(means.shape):
        own = chosen[:, column, site, row]
        own = own[np.isfinite(own)]
        if not len(own):
            continue
        means[site, row, column] = own.mean()
        if len(own) >= MIN_EPOCHS:
            low, high = mean_interval(own[:, None], np.arange(len(own)))
            doubtful[site, row, column] = not (low[0] > 0 or high[0] < 0)
    n = [int(np.isfinite(chosen[:, column]).any(axis=(1, 2)).sum()) for column in range(len(stages))]
    return means, doubtful, n


def sites_of(cohort: Cohort, channels: Sequence[str], kinds: Sequence[str]) -> Sites:
    """Find where channels lie: where the spectra say, or where their names do.

    Raises
    ------
    ChannelError
        If no EEG channel has a position.
    """
    import mne
    import xarray as xr

    voltage = parse_unit("V")
    info = mne.create_info(
        list(channels), 100.0, ["eeg" if kind == "eeg" else "misc" for kind in kinds], verbose="error"
    )
    places = {
        name: parse_channel(name, voltage, kind).sites
        for name, kind in zip(channels, kinds, strict=True)
        if kind == "eeg"
    }
    set_positions(info, {name: sites for name, sites in places.items() if sites})
    where = np.array([chan["loc"][:3] for chan in info["chs"]], dtype=np.float64).reshape(-1, 3)
    where[~(np.abs(where) > 0).any(axis=1)] = np.nan
    if set("xyz") <= set(cohort.spectra.coords):
        told = np.stack([cohort.spectra[axis].values.astype(np.float64) for axis in "xyz"], axis=1)
        known = dict(zip(cohort.spectra["channel"].values.astype(str).tolist(), told, strict=True))
        where = np.array([known.get(name, own) for name, own in zip(channels, where, strict=True)]).reshape(-1, 3)
    return find_sites(
        xr.Dataset(
            {
                "ch_name": ("channel", list(channels)),
                "ch_type": ("channel", list(kinds)),
                **{axis: ("channel", where[:, k]) for k, axis in enumerate("xyz")},
            }
        )
    )


def name_rows(axes: npt.NDArray[Any], bands: Sequence[str]) -> None:
    """Name the rows of a figure by their bands."""
    for ax, name in zip(axes[:, 0], bands, strict=True):
        span = f"\n{span_words(name, Bands())}" if name in Bands().names else ""
        ax.text(
            -0.08, 0.5, f"{plain(name)}{span}", transform=ax.transAxes, ha="right", va="center", fontsize=points(9),
            linespacing=1.3,
        )  # fmt: skip


def _first_kind(people: People) -> str:
    if not people.order:
        raise ParameterError(
            "There is nothing to draw: no recording of the cohort is done",
            remedy="Run it again, and see cohort.recordings for what failed",
        )
    return people.order[0]


def _rows(people: People) -> list[str]:
    """All bands as rows, the fastest on top, between what lies above and below them."""
    named = [one for one in people.bands if one not in (*OUTSIDE, TOTAL)]
    below, between, above = ([one] if one in people.bands else [] for one in OUTSIDE)
    return [*above, *reversed(named), *between, *below]


def _bands(people: People, band: str | Sequence[str] | None) -> list[str]:
    """The bands to draw, the fastest first; by default those that are named, and not what lies outside them."""
    usual = [one for one in people.bands if one not in (*OUTSIDE, TOTAL)]
    wanted = usual if band is None else [band] if isinstance(band, str) else list(band)
    missing = [one for one in wanted if one not in people.bands]
    if missing or not wanted:
        raise ParameterError("There is no band with this name", seen=missing or "nothing", allowed=people.bands)
    return [one for one in reversed(people.bands) if one in wanted]


def _marks(people: People, kind: str, stages: Sequence[str]) -> BandMarks:
    """The bands of each person as marks, by stage; the fastest first."""
    rows = [people.bands.index(one) for one in _rows(people)]
    values, errors = (one[..., rows] for one in people.of_kind(kind))
    where = [
        (person, place)
        for place, stage in enumerate(people.stages)
        for person in np.flatnonzero(np.isfinite(values[:, place]).all(axis=1))
        if stage in stages
    ]
    who, of = (np.array(one, dtype=np.intp) for one in (zip(*where, strict=True) if where else ((), ())))
    labels = np.array(people.stages)[of] if len(of) else np.zeros(0, dtype="<U1")
    did = Pooled(values[who, of], labels, who, np.ones(len(who)))
    return BandMarks(did, TOLD * np.nan_to_num(errors[who, of]), who, np.zeros(len(who), dtype=bool))
