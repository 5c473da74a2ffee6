"""Run all benchmarks and write their table: ``python -m benchmarks [FILE]``, by default ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import (
    audit,
    coverage,
    faithfulness,
    gate,
    memory,
    ordinary,
    physioex,
    processes,
    published,
    quadrature,
    readers,
    review,
    sanity,
    speed,
    truth,
)
from benchmarks.table import Row, markdown


def _of(rows: Callable[[], list[Row]]) -> Callable[[], str]:
    return lambda: markdown(rows())


#: section of the table -> what measures it, and writes it
_SECTIONS: dict[str, Callable[[], str]] = {
    "Speed": _of(speed.rows),
    "Memory": _of(memory.rows),
    "Speed of processes": _of(processes.rows),
    "Readers": _of(readers.rows),
    "Quadrature": _of(quadrature.rows),
    "Coverage": _of(coverage.rows),
    "Truth": _of(truth.rows),
    "Published networks": _of(published.rows),
    "Beside PhysioEx 2.0.4": _of(physioex.rows),
    "Random weights beside Quantus 0.6": _of(sanity.rows),
    "Faithfulness": faithfulness.text,
    "Shortcuts": audit.text,
    "The trust gate": gate.text,
    "How many epochs make an ordinary one": ordinary.text,
    "Review": review.text,
}


def main(output: Path) -> None:
    """Measure, and write the table as it grows."""
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    text = f"# Benchmarks\n\nWritten by `make bench`; every ratio is taken in one run on one machine ({machine}).\n"
    text += "Why floors are not met: [LIMITS.md](LIMITS.md).\n"
    for section, write in _SECTIONS.items():
        text += f"\n## {section}\n\n{write()}"
        output.write_text(text, encoding="utf-8")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("RESULTS.md"))
