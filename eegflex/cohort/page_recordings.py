"""The recordings of a cohort as a table that can be sorted, with a link to the page of each night that has one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from eegflex.cohort.page_failures import told
from eegflex.errors import ParameterError
from eegflex.report.html import escape, folded, paragraph
from eegflex.report.page import fill
from eegflex.results.wording import percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from eegflex.cohort.cohort import Cohort

__all__ = ["night_links", "recordings_tables"]

#: Rows that are shown at once, and rows that a page holds at most.
SHOWN, MOST = 50, 2000
#: Columns that come from the run; others are covariates of the source.
_OWN = frozenset(
    {"subject", "session", "status", "error", "remedy", "kappa", "disagreement", "n_epochs", "n_explained", "n_trusted"}
    | {"n_tested", "seconds", "result"}
)
#: Covariates that are shown.
_MOST_COVARIATES = 6


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


#: column -> what it is called, and how its numbers are written
_NUMBERS: dict[str, tuple[str, Callable[[float], str]]] = {
    "kappa": ("kappa", "{:.2f}".format),
    "disagreement": ("channels disagree", percent),
    "n_epochs": ("epochs", "{:.0f}".format),
    "n_explained": ("explained", "{:.0f}".format),
    "n_tested": ("tested", "{:.0f}".format),
    "n_trusted": ("trusted", "{:.0f}".format),
}


def night_links(cohort: Cohort, folder: str | Path | None) -> dict[str, str]:
    """Find the page of each night, which lies beside its result: links that hold from within the folder."""
    if folder is None:
        return {}
    try:
        root = Path(folder).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, names that no system takes
        raise ParameterError(f"folder is no folder: {error}", seen=f"{str(folder)!r:.200}") from None
    found: dict[str, str] = {}
    pages: dict[Path, list[Path]] = {}
    for name, result in cohort.recordings["result"].items():
        inside = PurePosixPath(str(result).replace("\\", "/"))
        if not str(result).endswith(".nc") or inside.is_absolute() or ".." in inside.parts:
            continue
        home = root / inside.parent
        if home not in pages:
            pages[home] = sorted(home.glob("*_report.html"))
        prefix = inside.name.partition("_desc-")[0].removesuffix(".nc")
        own = [
            page for page in pages[home] if page.name.removeprefix(prefix) in ("_report.html", "_desc-flex_report.html")
        ]
        if own and own[0].resolve().is_relative_to(root):
            found[str(name)] = quote((inside.parent / own[0].name).as_posix())
    return found


def recordings_tables(cohort: Cohort, links: dict[str, str], folder: str | Path | None) -> str:
    """Write the table: whole where it is short, else those that are to be looked at first, and the rest folded."""
    table = cohort.recordings
    parts = []
    name = "recordings.csv"
    where = escape(f"tables/{name}")
    if folder is not None and (Path(folder) / "tables" / name).is_file():
        where = f'<a href="{where}">{where}</a>'
    if len(table) <= SHOWN:
        parts.append(_table(table, links, "recordings"))
    else:
        first = table.loc[_order(table)[:SHOWN]]
        parts.append(paragraph(f"The {SHOWN} to look at first: those that failed, then those with the lowest kappa."))
        parts.append(_table(first, links, "recordings to look at first"))
        rest = table.head(MOST)
        parts.append(folded(f"All {len(table)} recordings" if len(rest) == len(table) else f"The first {MOST} recordings",
                            _table(rest, links, "all recordings")))  # fmt: skip
    missing = sum(1 for one in table.index[table["status"] == "done"].astype(str) if one not in links)
    parts.append(f"<p>The same rows, and those of stages and bands: {where}.</p>")
    if links and missing:
        parts.append(paragraph(f"{missing} of those that are done have no page of their own."))
    return "".join(parts)


def _order(table: pd.DataFrame) -> list[Any]:
    """Names of recordings: those that failed first, then by kappa."""
    keys = pd.DataFrame({"done": table["status"] == "done", "kappa": pd.to_numeric(table["kappa"], errors="coerce")})
    return list(keys.sort_values(["done", "kappa"], kind="stable").index)


def _table(table: pd.DataFrame, links: dict[str, str], name: str) -> str:
    several = any(text for text, _, _ in _texts(table["session"]))
    covariates = [column for column in table.columns if column not in _OWN][:_MOST_COVARIATES]
    numbers = {column: pd.to_numeric(table[column], errors="coerce") for column in _NUMBERS if column in table}
    if "n_trusted" in numbers:
        numbers["n_trusted"] = numbers["n_trusted"].where(numbers["n_trusted"] >= 0)
    columns: list[tuple[str, bool, list[tuple[str, bool, str]]]] = [("person", False, _texts(table["subject"]))]
    if several:
        columns.append(("session", False, _texts(table["session"])))
    columns.append(("status", False, [(text, False, "") for text in _status(table)]))
    for column, values in numbers.items():
        called, write = _NUMBERS[column]
        columns.append((called, True, _cells(values, write)))
    for column in covariates:
        own = table[column]
        is_number = pd.api.types.is_numeric_dtype(own) and not pd.api.types.is_bool_dtype(own)
        columns.append((str(column), is_number, _cells(own.astype(float), _number) if is_number else _texts(own)))
    rows = [
        {"name": str(recording), "link": links.get(str(recording), ""), "cells": [own[2][place] for own in columns]}
        for place, recording in enumerate(table.index)
    ]
    heads = [("recording", False), *((called, is_number) for called, is_number, _ in columns)]
    return str(fill("recordings.html", name=name, columns=heads, rows=rows, raw=Markup))


def _status(table: pd.DataFrame) -> list[str]:
    """The status of each recording; of one that failed with its error."""
    pairs = zip(table["status"].astype(str), table["error"], strict=True)
    return [f"failed: {told(error)}" if status == "failed" else status for status, error in pairs]


def _texts(values: pd.Series[Any]) -> list[tuple[str, bool, str]]:
    return [("" if pd.isna(value) else told(value), False, "") for value in values.tolist()]


def _cells(values: pd.Series[float], write: Callable[[float], str]) -> list[tuple[str, bool, str]]:
    found = values.to_numpy(dtype=np.float64).tolist()
    return [(write(value), True, f"{value:.6g}") if np.isfinite(value) else ("–", True, "") for value in found]
