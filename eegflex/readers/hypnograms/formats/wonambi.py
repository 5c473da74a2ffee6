"""Wonambi XML: the stages of one or more raters, in s from the start of the recording."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import to_number
from eegflex.readers.hypnograms.xml_tree import child_text, read_xml, root_name

__all__ = ["NAME", "parse", "sniff"]

NAME = "Wonambi XML"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the root element is Wonambi's."""
    return root_name(head) == "annotations"


def parse(path: Path) -> dict[str, Scoring]:
    """Read the stages of each rater."""
    raters = read_xml(path).findall("rater")
    return {rater.get("name") or f"rater {n}": _scoring(rater) for n, rater in enumerate(raters, start=1)}


def _scoring(rater: Element) -> Scoring:
    epochs = rater.findall("stages/epoch")
    edges = [
        [to_number(child_text(epoch, name), name, n) for name in ("epoch_start", "epoch_end")]
        for n, epoch in enumerate(epochs, start=1)
    ]
    first, last = np.array(edges, dtype=float).reshape(-1, 2).T
    labels = [child_text(epoch, "stage") for epoch in epochs]
    others = sum(1 for _ in rater.iterfind("events/event_type/event"))
    return Scoring(first, last - first, labels, format=NAME, has_time=False, others=others)
