"""The benchmark of the readers measures what it says, and its floors hold on a short night."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "readers.py"


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("benchmark_of_readers", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclass looks for its own names
    spec.loader.exec_module(module)
    return module


def test_the_floors_hold_on_half_an_hour(benchmark):
    opened, read, memory = benchmark.rows(hours=0.5)
    assert "89 signals" in opened.what
    assert opened.ours < 1
    assert read.ratio < 10  # 3 on a whole night: a short one is mostly overhead, and other work may run beside this
    assert memory.ratio < 2
    assert memory.bare == pytest.approx(2 * 8 * 1800 * 200 / 2**20)


def test_it_prints_one_table(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "rows", lambda: [benchmark.Row("x", 2.0, 1.0, "s", "ratio at most 3")])
    benchmark.main()
    assert capsys.readouterr().out.splitlines() == [
        "| what | ours | bare | ratio | floor |",
        "| --- | --- | --- | --- | --- |",
        "| x | 2 s | 1 s | 2.00 | ratio at most 3 |",
    ]
