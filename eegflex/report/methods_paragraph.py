"""The methods section for a paper, to be copied, with what it cites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from eegflex.report import html
from eegflex.report.parts import Text
from eegflex.results.paper import methods_of

if TYPE_CHECKING:
    from eegflex.report.parts import Gathered

__all__ = ["methods"]


def methods(gathered: Gathered) -> Iterator[Text]:
    """How this was made, in words for a paper: as text, as plain text to be copied, and what it cites as BibTeX."""
    found = methods_of(gathered.result, of_all=gathered.of_all)
    listed = "".join(f"<li>{html.escape(one)}</li>" for one in found.references)
    parts = [
        *map(html.paragraph, found.paragraphs),
        f"<h4>References</h4><ol>{listed}</ol>",
        _to_copy("All of it as plain text", str(found)),
        _to_copy("References as BibTeX", found.to_bibtex()),
    ]
    # a hash is longer than a narrow screen is wide
    yield Text("Methods, for a paper", f'<div style="overflow-wrap:anywhere">{"".join(parts)}</div>', "Methods")


def _to_copy(title: str, text: str) -> str:
    style = "white-space:pre-wrap"
    return f'<details><summary>{html.escape(title)}</summary><pre style="{style}">{html.escape(text)}</pre></details>'
