"""Whoever gives an argument of the wrong kind is told which, what it must be, and what was seen; what works is not refused."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

import eegflex
from eegflex.errors import EegflexError, ParameterError
from eegflex.utils.arguments import checked, checked_methods


class Stager:
    """Of the name of a class that is known."""


@checked
def fails(
    text: str = "a",
    count: int = 1,
    number: float | None = 1.0,
    flag: bool = False,
    path: str | Path = "a",
    names: str | Sequence[str] | None = None,
    edges: Mapping[str, tuple[float, float]] | None = None,
    rule: Literal["mean", "sum"] = "mean",
    stager: Stager | None = None,
    anything: Any = None,
    unknown: Nameless = None,  # noqa: F821
) -> None:
    """Fail with a bare error."""
    raise KeyError("inside")


WRONG = [
    ({"text": 3}, r"text must be text\. Got 3, an int"),
    ({"text": Path("x")}, r"text must be text\. Got x, a PosixPath|text must be text\. Got x, a WindowsPath"),
    ({"count": "3"}, r"count must be a whole number\. Got '3', a str"),
    ({"count": 1.5}, r"count must be a whole number\. Got 1\.5, a float"),
    ({"count": True}, r"count must be a whole number\. Got True, a bool"),
    ({"number": "1"}, r"number must be a number or None"),
    ({"number": float("nan")}, r"number must be a number or None\. Got nan, a float"),
    ({"flag": "yes"}, r"flag must be True or False\. Got 'yes', a str"),
    ({"path": None}, r"path must be text or a path\. Got None, a NoneType"),
    ({"names": 3}, r"names must be text or a list of text or None\. Got 3"),
    ({"names": ["a", 3]}, r"names must be text or a list of text or None\. Got \['a', 3\], a list"),
    ({"names": (one for one in "ab")}, r"a generator"),
    ({"edges": {"a": 1}}, r"edges must be a mapping of text to \(a number, a number\) or None"),
    ({"edges": {"a": (1, 2, 3)}}, r"edges must be a mapping"),
    ({"edges": [("a", (1, 2))]}, r"edges must be a mapping"),
    ({"rule": "max"}, r"rule must be 'mean' or 'sum'\. Got 'max'"),
    ({"stager": "gssc"}, r"stager must be a Stager or None\. Got 'gssc', a str\. Load it with eegflex\.load_model"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_an_argument_of_the_wrong_kind_is_named(given, words):
    with pytest.raises(ParameterError, match=words) as told:
        fails(**given)
    if "flag" not in given:  # which is looked at before anything is done
        assert isinstance(told.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"count": np.int64(3), "number": np.float32(1), "flag": np.bool_(True)},
        {"count": 3.0, "number": 1, "flag": 1},
        {"names": ("a", "b"), "path": Path("x")},
        {"names": np.array(["a", "b"])},
        {"names": pd.Series(["a", "b"])},
        {"names": pd.Index(["a"])},
        {"names": []},
        {"edges": {"a": (1, 2), "b": [0.5, np.float64(4)]}},
        {"stager": Stager()},
        {"stager": type("Mine", (Stager,), {})()},
        {"anything": object(), "unknown": object()},
    ],
)
def test_another_fault_is_told_as_it_is(given):
    with pytest.raises(KeyError, match="inside"):
        fails(**given)


def test_what_is_missing_or_too_much_is_told_by_python():
    with pytest.raises(TypeError, match="unexpected keyword argument 'txt'"):
        fails(txt="a")


def test_an_error_of_ours_stays_what_it_was():
    @checked
    def refuses(count: int) -> None:
        raise EegflexError("own words")

    with pytest.raises(EegflexError, match="own words"):
        refuses("three")


def test_signatures_names_and_methods_stay():
    @checked_methods
    class Own:
        def half(self, number: float) -> float:
            """Half of it."""
            return number / 2

        @classmethod
        def made(cls, number: float) -> float:
            """Twice."""
            return number * 2 + 0.0

    assert str(inspect.signature(Own.half)) == "(self, number: 'float') -> 'float'"
    assert (Own.half.__name__, Own.half.__doc__) == ("half", "Half of it.")
    assert (Own().half(3), Own.made(3)) == (1.5, 6.0)
    for call in (Own().half, Own.made):
        with pytest.raises(ParameterError, match=r"number must be a number\. Got 'x', a str"):
            call("x")


CALLS = [
    (eegflex.read_result, (3,), r"fname must be text or a path\. Got 3, an int"),
    (eegflex.read_psg, ([1],), r"fname must be text or a path\. Got \[1\], a list"),
    (eegflex.read_hypnogram, (None,), r"fname must be text or a path\. Got None"),
    (
        eegflex.make_epochs,
        ("night.edf",),
        r"raw must be an mne\.io\.Raw\. Got 'night\.edf', a str\. Read it with eegflex\.read_psg",
    ),
    (eegflex.Bands, (3,), r"edges must be a mapping of text to \(a number, a number\) or None\. Got 3"),
    (eegflex.concatenate_results, (3,), r"results must be a list of a FlexResult\. Got 3, an int"),
    (eegflex.concatenate_results, (dict,), r"results must be a list of a FlexResult\. Got a type"),
    (eegflex.Bands().masks, ("delta",), r"freqs must be an array of numbers\. Got 'delta'"),
    (eegflex.Bands().sum, ([1, 2, 3], [1, 2]), r"last axis of values.*Got shape \(3,\)\. Allowed: shape \(\.\.\., 2\)"),
    (eegflex.Bands().sum, (["a"], [1]), r"values must be an array of numbers"),
    (eegflex.evaluation.average_precision, ([True, False], [1.0]), r"one score for each.*Got 2 and 1 scores"),
    (eegflex.evaluation.area_under_roc, ([True, False], [1.0, 2.0, 3.0]), r"Got 2 and 3 scores"),
    (eegflex.cohort.simulate_cohort, ("many",), r"n_people must be a positive whole number\. Got 'many'"),
    (eegflex.sys_info, ("out.txt",), r"fid must be a file that text can be written to or None\. Got 'out\.txt'"),
    (eegflex.viz.plot_topomap, ("r.nc",), r"result must be a FlexResult\. Got 'r\.nc', a str\. Make one with"),
    (eegflex.make_report, ("r.nc",), r"result must be a FlexResult\. Got 'r\.nc'"),
]


@pytest.mark.parametrize(("function", "given", "words"), CALLS)
def test_what_users_give_by_mistake(function, given, words):
    with pytest.raises(EegflexError, match=words):
        function(*given)


def test_what_is_no_switch_is_refused_before_a_file_is_replaced(result, tmp_path):
    path = result.save(tmp_path / "r.nc")
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=r"overwrite must be True or False\. Got 'no', a str"):
        result.save(path, overwrite="no")
    assert path.read_bytes() == before
