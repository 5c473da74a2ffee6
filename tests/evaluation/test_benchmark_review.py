"""The benchmark of the review queue measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import review


@pytest.mark.slow
def test_it_tells_the_share_to_review_in_each_order(monkeypatch):
    monkeypatch.setattr(review, "N_RANDOM", 3)
    found = review.text(("bandpower",), seeds=(511, 512), hours=0.5)
    (row,) = [line for line in found.splitlines() if line.startswith("| bandpower")][:1]
    queue, margin, random = (float(cell.split(" %")[0]) for cell in row.split("|")[4:7])
    assert 0 <= queue <= margin + 2
    assert queue < random
    n = [int(cell.split("(")[1].rstrip(") ")) for cell in found.splitlines()[-1].split("|")[2:-1] if "(" in cell]
    assert np.sum(n) == 2 * 2 * 60
