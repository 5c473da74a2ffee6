"""The benchmark of the readers measures what it says, and its floors hold on a short night."""

from __future__ import annotations

from benchmarks import readers
from benchmarks.table import Row, markdown


def test_the_floors_hold_on_half_an_hour():
    opened, read, memory = readers.rows(hours=0.5)
    assert "89 signals" in opened.what
    assert opened.met
    assert read.ratio < 10  # 3 on a whole night: a short one is mostly overhead, and other work may run beside this
    assert memory.met


def test_rows_are_a_markdown_table():
    assert markdown([Row("x", "2 s", "y 1 s", 2.0, "at most 3", True)]).splitlines() == [
        "| what | ours | against | ratio | floor | met |",
        "| --- | --- | --- | --- | --- | --- |",
        "| x | 2 s | y 1 s | 2.00 | at most 3 | yes |",
    ]
