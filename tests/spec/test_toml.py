"""TOML files that hold a dataclass: what they become, and what they are refused for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from eegflex.errors import ParameterError
from eegflex.spec.toml import Schema


@dataclass(frozen=True)
class Row:
    label: str
    rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"] = "a"
    limit: int | None = None


@dataclass(frozen=True)
class Whole:
    name: str
    count: int = 0
    share: float = 0.5
    sure: bool = False
    inner: Inner = field(default_factory=Inner)
    rows: tuple[Row, ...] = ()
    layout: str | dict[str, str] = ""
    more: dict[str, Any] = field(default_factory=dict)


FLAT = Schema(Whole, "card", ParameterError)
IN_SECTIONS = Schema(
    Whole, "card", ParameterError, {"one": {"n": "count", "name": "name", "inner": "inner"}, "two": {"rows": "rows"}}
)


def read(schema, tmp_path, text, **defaults):
    (tmp_path / "a.toml").write_text(text, "utf-8")
    return schema.read(tmp_path / "a.toml", **defaults)


def test_tables_become_dataclasses_and_lists_tuples(tmp_path):
    text = """
    name = "x"
    count = 3
    share = 1
    sure = true
    layout = { eeg = "b c" }
    more = { deep = [1, 2] }
    inner = { kind = "b", limit = 4 }
    [[rows]]
    label = "p"
    [[rows]]
    label = "q"
    rates = [1, 2.5]
    """
    expected = Whole("x", 3, 1, True, Inner("b", 4), (Row("p"), Row("q", (1, 2.5))), {"eeg": "b c"}, {"deep": [1, 2]})
    assert read(FLAT, tmp_path, text) == expected


def test_sections_have_keys_of_their_own(tmp_path):
    text = "[one]\nn = 3\nname = 'x'\n[one.inner]\nkind = 'b'\n[[two.rows]]\nlabel = 'p'"
    made = read(IN_SECTIONS, tmp_path, text)
    assert made == Whole("x", 3, inner=Inner("b"), rows=(Row("p"),))
    plain = IN_SECTIONS.to_dict(made)
    assert plain["one"] == {"n": 3, "name": "x", "inner": {"kind": "b", "limit": None}}
    assert plain["two"] == {"rows": ({"label": "p", "rates": ()},)}
    assert IN_SECTIONS.build(plain) == made


def test_a_file_may_leave_out_what_its_reader_knows_and_outranks_it(tmp_path):
    assert read(FLAT, tmp_path, "", name="mine") == Whole("mine")
    assert read(FLAT, tmp_path, "name = 'its own'", name="mine") == Whole("its own")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nam = 'x'", r"card has a key that is not known \(in a.toml\)\. Got 'nam'\. Allowed: name, .*Nearest: name"),
        ("name = 'x'\n[inner]\nkin = 'a'", r"a key in \[inner\] that is not known.*'kin'\. Allowed: kind, limit"),
        ("name = 'x'\n[[rows]]\nlabel = 'p'\n[[rows]]\nlabels = 'q'", r"a key in \[\[rows\]\] 2 that"),
        ("count = 3", r"lacks the key name \(in a.toml\)\. Got count"),
        ("name = 'x'\n[[rows]]\nrates = []", r"lacks the key \[\[rows\]\] 1: label"),
        ("name = 3", r"card's name must be a string \(in a.toml\)\. Got 3"),
        ("name = 'x'\ncount = 2.0", r"count must be a whole number .*Got 2\.0"),
        ("name = 'x'\ncount = true", "count must be a whole number .*Got True"),
        ("name = 'x'\nshare = '1'", "share must be a number .*Got '1'"),
        ("name = 'x'\nsure = 1", "sure must be true or false .*Got 1"),
        ("name = 'x'\nlayout = 1", "layout must be a string or a table, each a string"),
        ("name = 'x'\nlayout = { a = 1 }", "layout must be a string or a table, each a string"),
        ("name = 'x'\nmore = 'y'", "more must be a table "),
        ("name = 'x'\ninner = 'a'", r"\[inner\] must be a table .*Got 'a'"),
        ("name = 'x'\n[inner]\nkind = 'c'", r"\[inner\] kind must be one of 'a', 'b' .*Got 'c'"),
        ("name = 'x'\n[inner]\nlimit = 'c'", r"\[inner\] limit must be a whole number .*Got 'c'"),
        ("name = 'x'\nrows = { label = 'p' }", r"\[\[rows\]\] must be a list of tables"),
        ("name = 'x'\nrows = ['p']", r"\[\[rows\]\] 1 must be a table"),
        ("name = 'x'\nrows = [{ label = 'p', rates = ['1'] }]", r"\[\[rows\]\] 1: rates must be a list, each a number"),
        ("name = ", "This card is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_it_must_be(tmp_path, text, words):
    with pytest.raises(ParameterError, match=words):
        read(FLAT, tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[thre]\n", "a section that is not known .*Got 'thre'. Allowed: one, two"),
        ("one = 3", r"\[one\] must be a table .*Got 3"),
        ("[one]\ncount = 3", r"a key in \[one\] that is not known .*Got 'count'\. Allowed: n, name, inner"),
        ("[one]\nn = 'x'\nname = 'y'", r"\[one\] n must be a whole number"),
        ("[one]\nname = 'y'\n[two]\nrows = [{}]", r"lacks the key \[\[two.rows\]\] 1: label .*Got no keys"),
        ("[one]\nname = 'y'\n[one.inner]\nkind = 3", r"\[one.inner\] kind must be one of"),
    ],
)
def test_so_it_is_in_sections(tmp_path, text, words):
    with pytest.raises(ParameterError, match=words):
        read(IN_SECTIONS, tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"no such card. Got .*none\.toml"):
        FLAT.read(tmp_path / "none.toml")
    with pytest.raises(ParameterError, match="This card cannot be read"):
        FLAT.read(tmp_path)
    (tmp_path / "latin.toml").write_bytes("name = 'é'".encode("latin-1"))
    with pytest.raises(ParameterError, match="This card is not TOML"):
        FLAT.read(tmp_path / "latin.toml")
