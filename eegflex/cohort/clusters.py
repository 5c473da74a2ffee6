"""Clusters over frequency and channel, by permutations of people."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from eegflex.errors import ParameterError
from eegflex.readers.channels.electrodes import MASTOIDS, canonical, electrode, position
from eegflex.utils.given import MOST_SEED, Span, check_count

if TYPE_CHECKING:
    from eegflex.cohort.people import Units

__all__ = ["COLUMNS", "Map", "adjacency_of", "check_search", "find_clusters", "over_stages", "spectra_of"]

Array = npt.NDArray[np.float64]

COLUMNS = (
    "stage", "sign", "low_freq", "high_freq", "channels", "mass", "p", "p_corrected", "n", "peak_freq", "peak_channel",
    "peak_effect",
)  # fmt: skip
#: What MNE calls the source of its permutations, before 1.13 and since.
_SEED = "rng" if "rng" in inspect.signature(mne.stats.permutation_cluster_test).parameters else "seed"
#: Of a smaller level the threshold is infinite as a float has it.
LEAST_ALPHA = 1e-12
#: A million tell p to a thousandth of 0.05 already.
MOST_PERMUTATIONS = 1_000_000
#: Hz: frequencies of a spectrum lie farther apart, so that a finer step is every bin of it.
_FINEST = 1e-6
#: Fewer places span no triangle with a neighbour to compare.
_LEAST_PLACES = 4


@dataclass(frozen=True)
class Map:
    """A test of each frequency of each channel.

    Attributes
    ----------
    stat : callable
        People x cells -> statistic of each cell, where people may be exchanged.
    threshold : float
        From which on a cell can be in a cluster.
    tail : {0, 1}
        0 where both signs are asked for; 1 where the statistic has none.
    effect : callable
        People x cells -> size of the effect of each cell.
    """

    stat: Callable[[Array], Array]
    threshold: float
    tail: int
    effect: Callable[[Array], Array]


def spectra_of(units: Units, stage: str, step: float) -> tuple[Array, Array, tuple[str, ...]]:
    """People x frequency x channel of a stage, NaN where there is none, averaged over steps of frequency; and those."""
    part = units.spectra.sel(stage=stage).transpose("unit", "freq", "channel")
    freqs = part["freq"].to_numpy()
    channels = tuple(map(str, part["channel"].to_numpy()))
    values: Array = part.to_numpy().astype(np.float64)
    if not values.size:
        return values, freqs, channels
    numbers = np.floor(freqs / max(step, _FINEST) + 1e-6).astype(int) if step > 0 else np.arange(len(freqs))
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    counts = np.diff([*starts, len(freqs)])
    values = np.add.reduceat(values, starts, axis=1) / counts[:, None]
    # a recording of a lower rate has no high frequencies: those are compared that all have
    there = np.logical_or.reduce(np.isfinite(values), axis=2)
    kept = there[there.any(axis=1)].all(axis=0)
    return values[:, kept], (np.add.reduceat(freqs, starts) / counts)[kept], channels


def adjacency_of(channels: Sequence[str]) -> tuple[Any, bool]:
    """Which channels are neighbours by MNE's triangulation of their electrodes, and whether there are enough for that.

    A derivation lies at its electrode: C3-M2 at C3, and between both where the reference is none of the mastoids.
    """
    places = {name: place for name in channels if (place := _place(name)) is not None}
    alike = sparse.eye_array(len(channels), format="csr", dtype=int)
    spots = np.unique(np.round(list(places.values()), 4), axis=0) if places else np.empty((0, 3))
    if len(spots) < _LEAST_PLACES:
        return alike, False
    names = [f"{number}" for number in range(len(spots))]
    info = mne.create_info(names, 100.0, "eeg")
    with mne.utils.use_log_level("error"):
        info.set_montage(mne.channels.make_dig_montage(dict(zip(names, spots, strict=True)), coord_frame="head"))
        found, order = mne.channels.find_ch_adjacency(info, "eeg")
    near = found.toarray().astype(bool)[np.ix_(*[[order.index(name) for name in names]] * 2)]
    own = {name: int(np.abs(spots - place).sum(axis=1).argmin()) for name, place in places.items()}
    full = np.eye(len(channels), dtype=bool)
    for a, first in enumerate(channels):
        for b, second in enumerate(channels):
            full[a, b] |= first in own and second in own and bool(near[own[first], own[second]])
    return sparse.csr_array(full.astype(int)), True


def _place(channel: str) -> Array | None:
    parts = [part.strip() for part in channel.removeprefix("EEG ").split("-")]
    sites = [part for part in parts if electrode(part) and canonical(part) not in MASTOIDS]
    found = [place for site in sites if (place := position(site)) is not None]
    return np.mean(found, axis=0) if found else None


def check_search(freq_step: float, cluster_alpha: float, n_permutations: int, seed: int) -> tuple[int, int]:
    """Refuse what no search for clusters can be asked; the number of permutations and the seed, as Python integers."""
    if not 0 <= freq_step < np.inf:
        raise ParameterError("freq_step must be a width in Hz, or 0 for every bin", seen=freq_step)
    if not LEAST_ALPHA <= cluster_alpha < 1:
        raise ParameterError(
            "cluster_alpha must be between 0 and 1",
            seen=cluster_alpha,
            allowed=f"from {LEAST_ALPHA:g}, below 1",
            remedy="0.05 is usual",
        )
    n_wanted = check_count("n_permutations", n_permutations, Span(0, MOST_PERMUTATIONS))
    own_seed = check_count("seed", seed, Span(0, MOST_SEED))
    return n_wanted or 0, own_seed or 0


def find_clusters(
    values: Array, freqs: Array, channels: Sequence[str], test: Map, *, n_permutations: int, seed: int
) -> list[dict[str, Any]]:
    """Clusters of one stage, the largest first.

    Parameters
    ----------
    values : array, shape (n_people, n_freqs, n_channels)
        Without NaN.
    freqs, channels
        Of the cells.
    test : Map
        What is tested.
    n_permutations : int
        How often people are exchanged.
    seed : int
        Of the exchanges.
    """
    flat = values.reshape(len(values), -1)
    n_cells, signs = flat.shape[1], (1,) if test.tail else (1, -1)

    def both(*lists: Array) -> Array:
        stat = test.stat(np.concatenate(lists)[:, :n_cells])
        return np.concatenate([sign * stat for sign in signs])

    # MNE's test of several groups holds clusters of both signs against the largest positive one of each permutation alone, and
    # so finds twice what it may. Each cell is given to it twice, the second time with the other sign, and it seeks one sign.
    adjacency = mne.stats.combine_adjacency(len(freqs), adjacency_of(channels)[0])
    people = np.tile(flat, (1, len(signs)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No clusters found")
        # it exchanges whole rows over all lists that it is given, so the design stays and people move
        stats_of, found, p, _ = mne.stats.permutation_cluster_test(
            [people[:1], people[1:]],
            threshold=test.threshold,
            tail=1,
            n_permutations=n_permutations,
            stat_fun=both,
            adjacency=sparse.block_diag([adjacency] * len(signs), format="coo"),
            buffer_size=None,
            out_type="indices",
            verbose="error",
            **{_SEED: seed},
        )
    effect = test.effect(flat)
    rows = []
    for (cells, *_), p_of in zip(found, p, strict=True):
        sign, own = signs[int(cells[0]) // n_cells], cells % n_cells
        row, column = np.unravel_index(own, (len(freqs), len(channels)))
        peak = own[int(stats_of[cells].argmax())]
        rows.append(
            {
                "sign": "+" if sign > 0 else "−",
                "low_freq": float(freqs[row.min()]),
                "high_freq": float(freqs[row.max()]),
                "channels": ", ".join(channels[number] for number in np.unique(column)),
                "mass": sign * float(stats_of[cells].sum()),
                "p": float(p_of),
                "n": len(values),
                "peak_freq": float(freqs[peak // len(channels)]),
                "peak_channel": channels[peak % len(channels)],
                "peak_effect": float(effect[peak]),
            }
        )
    return sorted(rows, key=lambda one: -abs(one["mass"]))


def over_stages(
    units: Units, stages: Sequence[str], step: float, run: Callable[[str, Array, Array, tuple[str, ...], Any], Any]
) -> pd.DataFrame:
    """Clusters of all stages in one table; p is corrected over the stages that were tested."""
    tables, tested = [], 0
    for stage in (one for one in stages if one in units.spectra.indexes["stage"]):
        values, freqs, channels = spectra_of(units, stage, step)
        rows = np.isfinite(values).all(axis=(1, 2))
        found = run(stage, values[rows], freqs, channels, rows) if values.size else None
        if found is None:
            continue
        tested += 1
        tables += [{"stage": stage, **one} for one in found]
    table = pd.DataFrame(tables, columns=[name for name in COLUMNS if name != "p_corrected"])
    table.insert(COLUMNS.index("p_corrected"), "p_corrected", np.minimum(1.0, table["p"].astype(float) * tested))
    table.attrs["n_stages"] = tested
    return table
