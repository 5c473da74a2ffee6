"""Run all benchmarks and write their table: ``python -m benchmarks [FILE]``, by default ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import memory, physioex, published, quadrature, readers, speed, truth
from benchmarks.table import Row, markdown

#: section of the table -> what measures it
_SECTIONS: dict[str, Callable[[], list[Row]]] = {
    "Speed": speed.rows,
    "Memory": memory.rows,
    "Readers": readers.rows,
    "Quadrature": quadrature.rows,
    "Truth": truth.rows,
    "Published networks": published.rows,
    "Beside PhysioEx 2.0.4": physioex.rows,
}


def main(output: Path) -> None:
    """Measure, and write the table as it grows."""
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    text = f"# Benchmarks\n\nWritten by `make bench`; every ratio is taken in one run on one machine ({machine}).\n"
    text += "Why floors are not met: [LIMITS.md](LIMITS.md).\n"
    for section, rows in _SECTIONS.items():
        text += f"\n## {section}\n\n{markdown(rows())}"
        output.write_text(text, encoding="utf-8")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("RESULTS.md"))
