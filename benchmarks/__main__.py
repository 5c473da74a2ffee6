"""Run benchmarks and write their tables: ``python -m benchmarks [--section WORD] [FILE]``, by default ``RESULTS.md``.

Of all sections, or of those whose heads begin with a word: then the others are left as they are.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import (
    arithmetic,
    audit,
    cohorts,
    coverage,
    explorer,
    faithfulness,
    files,
    gate,
    means,
    memory,
    ordinary,
    passes,
    physioex,
    processes,
    published,
    quadrature,
    readers,
    report,
    review,
    sanity,
    speed,
    truth,
    whole_night,
)
from benchmarks.table import Row, markdown


def _of(rows: Callable[[], list[Row]]) -> Callable[[], str]:
    return lambda: markdown(rows())


#: section of the table -> what measures it, and writes it
_SECTIONS: dict[str, Callable[[], str]] = {
    "Speed": _of(speed.rows),
    "Speed of passes": passes.text,
    "Speed against products of matrices": _of(arithmetic.rows),
    "Speed of processes": _of(processes.rows),
    "A whole night": _of(whole_night.rows),
    "Memory": _of(memory.rows),
    "Files": _of(files.rows),
    "Readers": _of(readers.rows),
    "Report": _of(report.rows),
    "Quadrature": _of(quadrature.rows),
    "Coverage": _of(coverage.rows),
    "Cohorts": _of(cohorts.rows),
    "Means of stages": _of(means.rows),
    "Explorer": _of(explorer.rows),
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


def main(output: Path, section: str) -> None:
    """Measure, and write the tables as they are made."""
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    head = (
        f"# Benchmarks\n\nWritten by `make bench`; every ratio is taken in one run on one machine ({machine}), but rows of\n"
        "one table may be of different runs, and of two machines: a section says so where they are.\n"
    )
    head += "Why floors are not met: [LIMITS.md](LIMITS.md).\n"
    asked = [name for name in _SECTIONS if name.lower().startswith(section.lower())]
    if not asked:
        raise SystemExit(f"No section {section!r}: {', '.join(_SECTIONS)}")
    made: dict[str, str] = {}
    if section:
        head, made = _written(output)
    for name in asked:
        made = _with(made, name, _SECTIONS[name]())
        output.write_text(head + "".join(f"\n## {own}\n\n{text}" for own, text in made.items()), encoding="utf-8")


def _with(made: dict[str, str], name: str, text: str) -> dict[str, str]:
    """Sections with one more, behind the last of those that come before it, or with another text in its place."""
    if name in made:
        return made | {name: text}
    before = set(list(_SECTIONS)[: list(_SECTIONS).index(name)])
    place = max((number for number, own in enumerate(made, 1) if own in before), default=0)
    items = list(made.items())
    return dict([*items[:place], (name, text), *items[place:]])


def _written(output: Path) -> tuple[str, dict[str, str]]:
    """What stands above the sections of a file, and the sections."""
    head, *parts = re.split(r"^\n## (.+)\n\n", output.read_text("utf-8"), flags=re.MULTILINE)
    return head, dict(zip(parts[::2], parts[1::2], strict=True))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--section", default="", help="the word or words that the heads of the sections begin with")
parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("RESULTS.md"))
given = parser.parse_args()
main(given.file, given.section)
