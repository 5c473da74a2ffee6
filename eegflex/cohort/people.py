"""The tables of a cohort with a row for each recording, or each person: what all inference over people begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegflex.cohort.cohort import AGREED
from eegflex.errors import ParameterError

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from eegflex.cohort.cohort import Cohort

__all__ = ["ALL_CHANNELS", "EPOCHS", "Asked", "Units", "gather", "group_of", "numbers_of"]

#: What the mean over channels is called among them.
ALL_CHANNELS = "all channels"
#: Of which epochs the means are -> the columns of `Cohort.bands`: mean, error, number.
EPOCHS = {"all": ("mean", "error", "n_epochs"), "agreed": AGREED}
_CELL = ["stage", "channel", "band"]


@dataclass(frozen=True)
class Asked:
    """Of what the means are.

    Attributes
    ----------
    stages, bands, picks : sequence of str or None
        Stages, bands and channels; None for all.
    epochs : {"all", "agreed"}
        Of which epochs.
    """

    stages: Sequence[str] | None = None
    bands: Sequence[str] | None = None
    picks: Sequence[str] | None = None
    epochs: str = "all"


@dataclass(frozen=True, eq=False)
class Units:
    """Rows of people or of recordings, and columns of cells: a cell is a band of a channel in a stage.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each unit: what is known of it; ``n_nights`` of a person.
    mean, error, n_epochs : pandas.DataFrame
        A row for each unit, a column for each cell (stage, channel, band). The error is the mean's own, from within the night.
    spectra : xarray.DataArray
        (unit, stage, channel, freq).
    channels : tuple of str
        Those that are compared.
    left_out : tuple of str
        Channels that too few have.
    failed : int
        Recordings that are not there, as they failed or are missing.
    varied : mapping
        Column -> the people whose nights differ in it.
    """

    table: pd.DataFrame
    mean: pd.DataFrame
    error: pd.DataFrame
    n_epochs: pd.DataFrame
    spectra: xr.DataArray
    channels: tuple[str, ...]
    left_out: tuple[str, ...]
    failed: int
    varied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def people(self) -> Units:
        """One row a person: the mean of the nights of each, so that no night counts as if it were another person."""
        who = self.table["subject"]
        nights = who.value_counts(sort=False)
        several = self.table.groupby(who, sort=False).nunique() > 1  # noqa: PD101  (it asks of several columns)
        varied = {str(name): tuple(map(str, several.index[own])) for name, own in several.items() if own.any()}
        numbers = self.table.select_dtypes(["number", "bool"]).astype(float).groupby(who, sort=False).mean()
        # what differs between nights of one person is a word of none of them
        words = self.table.drop(columns=numbers.columns).groupby(who, sort=False).agg(_same)
        table = numbers.join(words).assign(n_nights=nights)
        known = self.error.notna() | self.mean.isna()
        squares = (self.error**2).groupby(who, sort=False).sum(min_count=1)
        counted = self.mean.notna().groupby(who, sort=False).sum()
        error = (squares**0.5 / counted).where(known.groupby(who, sort=False).all())
        order = list(table.index)
        spectra = self.spectra.assign_coords(who=("unit", who.reindex(self.spectra["unit"].to_numpy()).to_numpy()))
        spectra = spectra.groupby("who").mean("unit", skipna=True).rename(who="unit").sel(unit=order)
        return replace(
            self,
            table=table,
            mean=self.mean.groupby(who, sort=False).mean().loc[order],
            error=error.loc[order],
            n_epochs=self.n_epochs.groupby(who, sort=False).sum().loc[order],
            spectra=spectra,
            varied=varied,
        )

    def of(self, rows: npt.NDArray[np.bool_]) -> Units:
        """Some of the rows."""
        tables = {name: getattr(self, name)[rows] for name in ("table", "mean", "error", "n_epochs")}
        return replace(self, **tables, spectra=self.spectra.isel(unit=np.flatnonzero(rows)))


def gather(cohort: Cohort, asked: Asked) -> Units:
    """A row for each recording that is done."""
    table = cohort.recordings[cohort.recordings["status"] == "done"]
    if table.empty:
        raise ParameterError("No recording of the cohort is done", seen=repr(cohort), remedy="See cohort.recordings")
    if (nobody := table["subject"].isna()).any():
        raise ParameterError(
            "A recording is of nobody",
            seen=list(table.index[nobody])[:5],
            remedy="Fill the column subject of cohort.recordings",
        )
    names = _columns(cohort, asked)
    bands = cohort.bands[cohort.bands["recording"].isin(table.index)]
    for column, those in (("stage", asked.stages), ("band", asked.bands), ("channel", asked.picks)):
        bands = bands[bands[column].isin(_wanted(column, those, bands[column]))]
    if bands.duplicated(["recording", *_CELL]).any():
        raise ParameterError("A recording has two rows of one stage, channel and band", remedy="Mend cohort.bands")
    given = pd.unique(bands["channel"])
    channels = _common(bands.dropna(subset=[names[0]]).groupby("recording")["channel"].agg(set), given)
    bands = bands[bands["channel"].isin(channels)]
    mean, error, n_epochs = (_wide(bands, name, channels, table.index) for name in names)
    wanted = {"stage": list(pd.unique(bands["stage"])), "channel": list(channels)}
    there = [name for name in table.index if name in cohort.spectra.indexes["recording"]]
    of = cohort.spectra[names[0]] if names[0] in cohort.spectra else cohort.spectra["mean"].isel(freq=slice(0))
    spectra = of.sel(recording=there)
    spectra = spectra.sel({name: [one for one in own if one in spectra.indexes[name]] for name, own in wanted.items()})
    spectra = spectra.reindex(recording=list(table.index)).rename(recording="unit")
    left_out = tuple(name for name in given if name not in channels)
    return Units(table, mean, error, n_epochs, spectra, channels, left_out, len(cohort.recordings) - len(table))


def group_of(units: Units, by: str, groups: Sequence[Any] | None) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """The number of each unit's group, -1 for none, and the names of the groups."""
    values = units.table[_known(units.table, by)]
    there = pd.unique(values.dropna())
    if by in units.varied:
        raise ParameterError(
            f"{by} differs between nights of one person",
            seen=units.varied[by][:5],
            remedy="Use mixed_model, which compares nights within people",
        )
    if groups is None and len(there) > _MOST_GROUPS:
        raise ParameterError(
            f"{by} has {len(there)} different values, which are no groups",
            remedy="Use correlate for a number, or name the groups with groups=[...]",
        )
    wanted = list(groups) if groups is not None else sorted(there, key=str)
    unknown = [one for one in wanted if np.ndim(one) or one not in list(there)]
    if unknown or len(wanted) < 2 or len(set(map(_called, wanted))) < len(wanted):
        raise ParameterError(
            f"{by} must have two groups or more",
            seen=unknown or list(map(_called, wanted)),
            allowed=list(map(_called, there)),
        )
    codes = {one: number for number, one in enumerate(wanted)}
    return values.map(codes).fillna(-1).to_numpy(dtype=np.intp), tuple(map(_called, wanted))


def _called(group: Any) -> str:
    """What a group is called: 1, of whatever numbers the column has become."""
    return str(int(group)) if isinstance(group, float) and group.is_integer() else str(group)


def numbers_of(units: Units, columns: Sequence[str]) -> npt.NDArray[np.float64]:
    """Columns as numbers, shape (n_units, n_numbers): one for each level but the first of what has words."""
    found = []
    for name in columns:
        own = units.table[_known(units.table, name)]
        if pd.api.types.is_bool_dtype(own) or pd.api.types.is_numeric_dtype(own):
            found.append(own.to_numpy(dtype=np.float64, na_value=np.nan)[:, None])
            continue
        levels = pd.get_dummies(own, drop_first=True, dtype=float)
        if own.nunique() > _MOST_GROUPS:
            raise ParameterError(f"{name} has {own.nunique()} different values", remedy="Take it out of the covariates")
        found.append(levels.where(own.notna(), np.nan).to_numpy(dtype=np.float64))
    return np.hstack(found) if found else np.empty((len(units.table), 0))


_MOST_GROUPS = 8


def _known(table: pd.DataFrame, name: str) -> str:
    if name not in table:
        raise ParameterError(f"The cohort has no column {name!r}", allowed=list(map(str, table.columns)))
    return name


def _columns(cohort: Cohort, asked: Asked) -> tuple[str, str, str]:
    if asked.epochs not in EPOCHS:
        raise ParameterError("epochs must be one of those", seen=repr(asked.epochs), allowed=list(EPOCHS))
    names = EPOCHS[asked.epochs]
    if missing := [name for name in names if name not in cohort.bands]:
        raise ParameterError(
            "The cohort has no means over the epochs on which the stager and the scorer agree",
            seen=f"no column {', '.join(missing)} in cohort.bands",
            remedy="Scored recordings have them; otherwise compare with covariates=['kappa'], or all epochs",
        )
    return names


def _wanted(column: str, wanted: Sequence[str] | None, there: pd.Series) -> list[str]:
    known = list(pd.unique(there))
    if wanted is None:
        return known
    words = [wanted] if isinstance(wanted, str) else list(wanted)
    if not words:
        raise ParameterError(f"Nothing is left without a {column}", allowed=known, remedy="Leave it out to take all")
    if unknown := [one for one in words if one not in known]:
        raise ParameterError(f"The cohort has no such {column}", seen=unknown, allowed=known)
    return words


def _common(has: pd.Series, given: Sequence[str]) -> tuple[str, ...]:
    """The channels that give the most numbers where every recording has all of them: many channels of many recordings."""
    counts = {name: sum(name in own for own in has) for name in given}
    ordered = sorted(counts, key=lambda name: -counts[name])
    worth = [n * sum(set(ordered[:n]) <= own for own in has) for n in range(1, len(ordered) + 1)]
    chosen = ordered[: int(np.argmax([value + n / 1e6 for n, value in enumerate(worth)])) + 1]
    return tuple(name for name in given if name in chosen)


def _wide(bands: pd.DataFrame, value: str, channels: Sequence[str], rows: pd.Index) -> pd.DataFrame:
    """A row for each recording, and a column for each cell; the mean over channels is one of them, where there are more."""
    order = [pd.unique(bands["stage"]), list(channels), pd.unique(bands["band"])]
    wide = bands.set_index(["recording", *_CELL])[value].unstack(_CELL).reindex(rows)  # noqa: PD010  (each is once)
    wide = wide.reindex(columns=pd.MultiIndex.from_product(order, names=_CELL))
    if len(channels) == 1:
        return wide
    # Errors of channels of one epoch go together: their mean is an upper bound for that of the mean.
    over = wide.to_numpy(dtype=np.float64).reshape(len(wide), *map(len, order)).mean(axis=2)
    names = pd.MultiIndex.from_product([order[0], [ALL_CHANNELS], order[2]], names=_CELL)
    return pd.concat([pd.DataFrame(over.reshape(len(wide), -1), index=wide.index, columns=names), wide], axis=1)


def _same(values: pd.Series) -> Any:
    there = pd.unique(values.dropna())
    return there[0] if len(there) == 1 else None
