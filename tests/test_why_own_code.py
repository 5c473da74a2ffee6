"""The page docs/why_own_code.rst, but for its readers of EDF: what it says of other libraries is what they do."""

from __future__ import annotations

import contextlib
import warnings

import mne
import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues
from hypnogram_files import FILES
from scipy.integrate import quad_vec

from eegflex.agreement import cohens_kappa, confusion
from eegflex.attribution.methods.shapley import coalitions, shapley_values


def test_captum_needs_every_order_where_ours_needs_every_coalition():
    evaluated = 0

    def product(inputs):
        nonlocal evaluated
        evaluated += len(inputs)
        return inputs.prod(dim=1)

    theirs = ShapleyValues(product).attribute(torch.arange(1.0, 6.0)[None])[0].numpy()
    present = coalitions(5)
    ours = shapley_values(np.where(present, np.arange(1.0, 6.0), 0.0).prod(axis=1))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert (evaluated, len(present)) == (601, 32)


def test_mne_reads_two_kinds_of_hypnogram(tmp_path):
    read = []
    for kind, (make, _) in FILES.items():
        for suffix in (".edf", ".txt", ".csv"):
            path = tmp_path / f"night{suffix}"
            path.write_bytes(make())
            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.simplefilter("ignore")
                read += [kind] if len(mne.read_annotations(path)) else []
    assert len(FILES) == 25
    assert read == ["EDF+ annotations", "U-Sleep onset, duration, stage"]


def test_scipy_asks_for_one_node_at_a_time():
    shapes = set()

    def integrand(node):
        shapes.add(np.shape(node))
        return np.array([node, node**2])

    quad_vec(integrand, 0.0, 1.0)
    assert shapes == {()}


@pytest.mark.parametrize("seed", range(5))
def test_confusion_and_kappa_are_those_of_scikit_learn(seed):
    metrics = pytest.importorskip(
        "sklearn.metrics", reason="scikit-learn, which comes with the extra yasa, is not installed"
    )
    scored, predicted = np.random.default_rng(seed).integers(0, 5, size=(2, 200))
    predicted = np.where(np.arange(200) % (seed + 2), scored, predicted)
    ours = confusion(scored, predicted, 5)
    np.testing.assert_array_equal(ours, metrics.confusion_matrix(scored, predicted, labels=range(5)))
    assert cohens_kappa(ours) == pytest.approx(metrics.cohen_kappa_score(scored, predicted))
