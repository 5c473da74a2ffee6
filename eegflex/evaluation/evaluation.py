"""What an evaluation found: numbers of a sample of explanations, and what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.evaluation.faithfulness import Interval
from eegflex.evaluation.judged import count_explanations
from eegflex.evaluation.told_tables import read_rows, refuse
from eegflex.findings import Finding, Findings, unknown
from eegflex.results.intervals import blocks_of, mean_interval
from eegflex.results.recordings import one_recording, provenance_text, provenances
from eegflex.results.result import FlexResult
from eegflex.results.wording import count_epochs
from eegflex.utils.arguments import checked_methods

if TYPE_CHECKING:
    from eegflex.evaluation.parts import Part

__all__ = ["Evaluation"]

#: What a measure can be, by its name or the kind of its column; what is of the answer, by what the answer is of.
RANGES = {
    "area: random": (0.0, 0.0),
    "knock-out": (-1.0, 1.0),
    "infidelity": (0.0, 2.0),
    "stability": (-1.0, 1.0),
    "sensitivity": (0.0, np.inf),
    "agreement": (-1.0, 1.0),
    "sufficient: p": (0.0, 1.0),
    "necessary: p": (0.0, 1.0),
    "flip: p": (0.0, 1.0),
    "sufficient": (0.0, np.inf),
    "necessary": (0.0, np.inf),
    "flip: n": (0.0, np.inf),
    "bands": (0.0, 1.0),
    "shortcut": (0.0, 1.0),
    "shortcut chance": (0.0, 1.0),
    "shortcut level: probability": (0.0, 1.0),
    "shortcut level: score": (0.0, np.inf),
    "shortcut level: flips": (0.0, 1.0),
}
#: The probability of a stage is the answer.
OF_PROBABILITY = {"area": (-1.0, 1.0), "insertion": (0.0, 1.0), "deletion": (0.0, 1.0)}
#: The difference of two probabilities is.
OF_MARGIN = {"area": (-2.0, 2.0), "insertion": (-1.0, 1.0), "deletion": (-1.0, 1.0)}


@checked_methods
class Evaluation:
    """How far the explanations of a recording can be believed, as tested on the model.

    Made by `eegflex.evaluate`. The numbers are kept with the result, so that ``Evaluation(eegflex.read_result(fname))`` is
    what was found before.

    Parameters
    ----------
    result : FlexResult
        A result that was evaluated.

    Raises
    ------
    ParameterError
        If it was not, or is of several recordings.

    See Also
    --------
    eegflex.evaluate : Ask the model again whether explanations hold.
    eegflex.evaluation.assess : What can be told without asking the model again.

    Examples
    --------
    >>> import eegflex
    >>> psg = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    >>> result = eegflex.attribute_epochs(night, sample_per_stage=1, verbose="error")
    >>> evaluation = eegflex.evaluate(result, night, parts="knock-out", verbose="error")
    >>> evaluation.parts, "knock-out: correlation" in evaluation.to_data_frame()
    (('knock-out',), True)
    """

    def __init__(self, result: FlexResult) -> None:
        one_recording(result.data, None, "An evaluation")
        told = result.provenance.get("evaluation")
        if told is None:
            raise ParameterError(
                "This result was not evaluated", remedy="Evaluate it: eegflex.evaluate(result, epochs, model)"
            )
        self._result, self._told = result, told

    @property
    def result(self) -> FlexResult:
        """The result, with the measured numbers."""
        return self._result

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked."""
        return dict(self._told["settings"])

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that were measured, completely or so far."""
        return tuple(self._told["done"])

    @property
    def is_partial(self) -> bool:
        """Whether it was stopped early."""
        return bool(self._told["left"])

    @cached_property
    def _table(self) -> pd.DataFrame:
        data, cases = self._result.data, self._told["cases"]
        rows = {int(number): row for row, number in enumerate(data["number"].values.tolist())}
        here = [(rows[number], place) for number, place in cases if number in rows]
        row, channel_set = (np.array(own, dtype=np.intp) for own in (zip(*here, strict=True) if here else ((), ())))
        columns = {name: data[name].values[row] for name in ("recording", "number", "onset", "stage")}
        columns |= {"channel_set": data["channel_set"].values[channel_set]}
        columns |= {"predicted": data["predicted"].values[row, channel_set]}
        if "measures" in data:  # or only tables were made
            measures = data["measures"].values[row, channel_set]
            columns |= {str(name): measures[:, k] for k, name in enumerate(data["measure"].values.tolist())}
        return pd.DataFrame(columns).rename(columns={"number": "epoch"})

    def to_data_frame(self) -> pd.DataFrame:
        """One row for each explanation that was evaluated.

        Returns
        -------
        table : pandas.DataFrame
            With the columns recording, epoch (its number), onset (s), stage (the hypnogram's), channel_set, predicted, and one
            column for each measure. NaN where a measure has no meaning, or was not yet taken.
        """
        return self._table.copy()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables about the model or about stages, by name."""
        return {name: pd.DataFrame(rows) for name, rows in self._told["tables"].items()}

    def interval(
        self, measure: str | npt.ArrayLike, *, stage: str | None = None, among: npt.ArrayLike | None = None
    ) -> Interval:
        """The mean of a measure over explanations, with its 95 % interval from blocks of 10 minutes (`mean_interval`).

        Parameters
        ----------
        measure : str | array-like, shape (n_explanations,)
            A column of the table, or values in the order of its rows, such as the difference of two columns.
        stage : str | None
            Only of explanations of this predicted stage.
        among : array-like of bool, shape (n_explanations,) | None
            Only of these.

        Returns
        -------
        interval : Interval
            NaN without values; without limits where all lie within one block, which tells nothing of others.
        """
        table = self._table
        values = np.asarray(table[measure] if isinstance(measure, str) else measure, dtype=np.float64)
        kept = np.ones(len(table), dtype=bool) if stage is None else (table["predicted"] == stage).to_numpy()
        blocks = blocks_of(table["onset"].to_numpy(), table["recording"].to_numpy())
        kept = kept & np.isfinite(values) & (True if among is None else np.asarray(among, dtype=bool))
        if not kept.any():
            return Interval(np.nan, np.nan, np.nan)
        limits = np.concatenate(mean_interval(values[kept, None], blocks[kept]))
        if isinstance(measure, str):  # no mean can lie beyond what each value can be
            limits = np.clip(limits, *self._range(measure))
        return Interval(float(values[kept].mean()), *limits.tolist())

    def difference(self, measure: str, other: str) -> Interval:
        """The mean of a measure less another of the same explanation, with its interval, as `interval` has it.

        Parameters
        ----------
        measure, other : str
            Columns of `to_data_frame`.

        Returns
        -------
        interval : Interval
            The mean, and the ends of its interval.
        """
        own = self.interval(self._table[measure] - self._table[other])
        (low, high), (other_low, other_high) = self._range(measure), self._range(other)
        limits = np.clip([own.low, own.high], low - other_high, high - other_low)
        return Interval(own.mean, *limits.tolist())

    def _range(self, measure: str) -> tuple[float, float]:
        """What a measure can be, by its name, or by its kind."""
        known = RANGES | (OF_PROBABILITY if isinstance(self._result.parameters["target"], str) else OF_MARGIN)
        return known.get(measure, known.get(measure.partition(":")[0], (-np.inf, np.inf)))

    def count(self, measure: str, *, stage: str | None = None) -> int:
        """Of how many explanations a measure is known.

        Parameters
        ----------
        measure : str
            A column of `to_data_frame`.
        stage : str | None
            Of this stage alone.

        Returns
        -------
        count : int
            How many.
        """
        table = self._table if stage is None else self._table[self._table["predicted"] == stage]
        return int(table[measure].notna().sum()) if measure in table else 0

    @property
    def area(self) -> pd.DataFrame:
        """Insertion minus deletion area, by the order of frequencies.

        Returns
        -------
        table : pandas.DataFrame
            One row for each order: ``n`` explanations; ``mean`` of the area; ``above_random``, its paired difference from
            orders at random, whose area is exactly 0, for each comes with its reverse; ``behind_attribution``, the
            attribution's area less that of this order; and ``insertion`` and ``deletion``, the mean answer while frequencies
            are inserted (the higher the better) and deleted (the lower the better). Each with its 95 % interval: ``low`` and
            ``high``, or ``above_random_low`` and so on.
        """
        from eegflex.evaluation.curves import area_table

        return area_table(self)

    @cached_property
    def findings(self) -> Findings:
        """What the numbers say, each with its n and interval: what speaks against the explanations beside what speaks for."""
        from eegflex.evaluation.parts import PARTS

        found: list[Finding] = []
        for name, part in PARTS.items():
            if name in self._told["done"]:
                found += self._found(name, part)
        return Findings(self._result.model, tuple(found))

    def _found(self, name: str, part: Part) -> Sequence[Finding]:
        """What is said of a part: of one that has tables, only when they are there."""
        if part.of_all is not None and name in self._told["left"]:
            return [unknown("it was stopped before it was told", "Evaluate again to continue").named(name)]
        try:
            return part.findings(self)
        except KeyError as missing:
            if not (missing.args and _is_measure(missing.args[0])) or missing.args[0] in self._table:
                raise
            raise refuse(name, f"no measure {missing.args[0]!r}") from missing

    def told(self, name: str, *layouts: Mapping[str, str], needed: bool = True) -> pd.DataFrame:
        """One of `tables`, with the columns to show.

        Parameters
        ----------
        name : str
            Its name.
        *layouts : mapping of str to str
            Column -> what its values are; the first of several that fits. See `eegflex.evaluation.told_tables`.
        needed : bool
            Whether it must be there; an empty table stands for one that need not.

        Raises
        ------
        ParameterError
            If it is not there, or not so.
        """
        rows = self._told["tables"].get(name)
        if rows is None and needed:
            raise refuse(name, "no such table")
        return read_rows(rows or (), *layouts, name=name)

    def save(self, fname: str | Path, *, overwrite: bool = False) -> Path:
        """Write the result with the numbers in it; see `FlexResult.save`.

        Parameters
        ----------
        fname : path-like
            The file, ``*.nc``.
        overwrite : bool
            Whether a file of that name may be replaced.

        Returns
        -------
        fname : Path
            The file.
        """
        return self._result.save(fname, overwrite=overwrite)

    @property
    def _how_many(self) -> str:
        return f"{count_explanations(len(self._table))} of {count_epochs(self._table['epoch'].nunique())}"

    def __repr__(self) -> str:
        state = ", unfinished" if self.is_partial else ""
        return f"<Evaluation | {self._result.model}, {self._how_many}, {', '.join(self.parts)}{state}>"

    def __str__(self) -> str:
        head = f"{self._how_many} by {self._result.model}"
        left = f" (unfinished: {', '.join(self._told['left'])} to go)" if self.is_partial else ""
        return f"{head}{left}\n{self.findings}"

    def _repr_html_(self) -> str:
        return self.findings._repr_html_()


def _is_measure(key: object) -> bool:
    """Whether this is the name of a column of measures, which a file may lack."""
    return isinstance(key, str) and ": " in key


def with_measures(
    result: FlexResult,
    told: Mapping[str, Any],
    columns: Sequence[str],
    values: npt.NDArray[np.float64],
) -> FlexResult:
    """A result with numbers of an evaluation in it; those of an earlier one are left out.

    Parameters
    ----------
    result : FlexResult
        Of one recording.
    told : mapping
        What provenance says: ``settings``, ``cases``, ``done``, ``left`` and ``tables``.
    columns : sequence of str
        Names of the measures.
    values : array, shape (n_epochs, n_channel_sets, n_measures)
        NaN where they were not taken.
    """
    label = result.recordings[0]
    text = provenance_text(
        {label: provenances(result.data)[label] | {"evaluation": json.loads(json.dumps(dict(told)))}}
    )
    bare = result.data.drop_vars(["measures", "measure"], errors="ignore")
    if not columns:  # a file has no place for the names of none
        return FlexResult(bare.assign_attrs(provenance=text))
    measures = xr.DataArray(
        values, dims=("epoch", "channel_set", "measure"), coords={"measure": np.array(columns, dtype=object)}
    )
    return FlexResult(bare.assign(measures=measures).assign_attrs(provenance=text))
