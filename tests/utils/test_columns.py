"""Tables that are given as an argument are refused by the column that is not as it must be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eegflex.errors import ParameterError
from eegflex.utils.columns import check_columns, number_column, text_column

TABLE = pd.DataFrame({"onset": [0.0, 30.0], "kind": ["spindle", "alpha"]})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "NoneType, no DataFrame"),
        (TABLE["onset"], "Series, no DataFrame"),
        ({"onset": [1], "kind": ["a"]}, "dict, no DataFrame"),
        (TABLE.drop(columns="kind"), "no column kind"),
        (pd.concat([TABLE, TABLE[["kind"]]], axis=1), "column kind more than once"),
    ],
)
def test_what_is_no_such_table_is_refused(table, words):
    with pytest.raises(ParameterError, match=rf"This is no list of mine\. Got {words}\. .* Write one\."):
        check_columns("list of mine", table, ("onset", "kind"), "Write one")


def test_a_table_may_have_more_columns():
    check_columns("list", TABLE.assign(more=1), ("onset", "kind"), "Write one")


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"], ["1", "2"], [None, 1], [1j, 2], [True, False], [np.nan, 1], [np.inf, 1], [[1], [2]], [object(), 1],
        [pd.NA, 1], pd.to_datetime(["2020", "2021"]), pd.to_timedelta([1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_holds_anything_but_numbers_is_refused(values):
    with pytest.raises(ParameterError, match="The column onset must hold finite numbers"):
        number_column(TABLE.assign(onset=pd.Series(values)), "onset")


def test_unknown_numbers_pass_where_they_may():
    table = pd.DataFrame({"low": [np.nan, 4.0], "n": pd.array([1, None], dtype="Int64")})
    np.testing.assert_array_equal(number_column(table, "low", unknown=True), [np.nan, 4.0])
    np.testing.assert_array_equal(number_column(table, "n", unknown=True), [1.0, np.nan])
    with pytest.raises(ParameterError, match=r"The column low must hold finite numbers\. Got inf"):
        number_column(table.assign(low=np.inf), "low", unknown=True)


def test_names_of_any_type_of_column_are_text():
    assert text_column(TABLE.astype({"kind": "category"}), "kind").tolist() == ["spindle", "alpha"]
    assert number_column(TABLE.iloc[:0], "onset").tolist() == text_column(TABLE.iloc[:0], "kind").tolist() == []


@pytest.mark.parametrize("value", [None, np.nan, 3, b"spindle", ["spindle"]], ids=lambda value: type(value).__name__)
def test_what_holds_anything_but_names_is_refused(value):
    with pytest.raises(ParameterError, match="The column kind must hold names"):
        text_column(TABLE.assign(kind=pd.Series([value, "alpha"], dtype=object)), "kind")
