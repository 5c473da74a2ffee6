"""Sanity beside Quantus: explanations of a CNN whose layers are made random from its output downwards, by both.

Quantus' ``MPRT`` initialises layers anew, with one network for all explanations, where ours permutes the weights of every
tensor and draws a network for each explanation. So two things are held against each other: the measure, Quantus' cosine and
rank correlation of the explanations that it asked for against `similarity` of the same, which must be equal; and the finding,
how alike explanations are with all layers random, by both ways of making them so.

Quantus 0.6 is no dependency, not even of the tests: it wants opencv-python (which loads the system's libGL, and so fails on
machines without a screen), scikit-image and scikit-learn for measures of images. ``python -m benchmarks.sanity`` writes the
table where it is installed: ``pip install quantus``.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import eegflex
from benchmarks.nights import STAGERS, night
from benchmarks.table import Row, markdown
from eegflex.evaluation.faithfulness import bootstrap
from eegflex.evaluation.question import Explanation, Question, ask
from eegflex.evaluation.sanity import measure, similarity

__all__ = ["by_quantus", "cases", "rows"]

#: Networks that Quantus draws.
SEEDS = range(8)

Explain = Callable[[torch.nn.Module], npt.NDArray[np.float64]]


def cases(per_stage: int, n_epochs: int) -> tuple[Question, list[Explanation]]:
    """A CNN's explanations of an hour."""
    staged = eegflex.stage_epochs(night(1.0, 3), STAGERS["chambon"](), verbose="error")
    result = eegflex.attribute_epochs(staged, sample_per_stage=per_stage, verbose="error")
    question = ask(result, staged)
    return question, question.sample(None)[:n_epochs]


def explain_with(question: Question, explanations: Sequence[Explanation]) -> Explain:
    """What explains the same epochs of another network of the same class: band sums, shape (n, n_channels, n_bands)."""

    def explain(network: torch.nn.Module) -> npt.NDArray[np.float64]:
        stager = copy.copy(question.night.stager)
        stager.module = copy.deepcopy(network).eval().requires_grad_(False)
        asked = question.with_stager(stager, explanations)
        found = [one.views["frequency"][0] @ asked.request.band_masks.T for one in asked.explain(explanations)]
        return np.array(found, dtype=np.float64)

    return explain


def by_quantus(
    network: torch.nn.Module, own: npt.NDArray[np.float64], explain: Explain, seed: int
) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Ask Quantus.

    Parameters
    ----------
    network : Module
        The trained network.
    own : array, shape (n, n_channels, n_bands)
        Its explanations.
    explain : callable
        Explains the same with another network.
    seed : int
        Of its layers.

    Returns
    -------
    told : dict of str to array, shape (n, 2)
        By the layer down to which all are random: Quantus' cosine and rank correlation. ``"original"``: none is.
    ours : array, shape (n_layers + 1, n, 3)
        `similarity` of the explanations that Quantus compared.
    """
    import quantus

    compared: list[npt.NDArray[np.float64]] = []

    def compare(a: Any, b: Any, **kwargs: Any) -> npt.NDArray[np.float64]:
        compared.append(np.array([similarity(*pair) for pair in zip(a, b, strict=True)]))
        cosine = [1 - quantus.similarity_func.cosine(*pair) for pair in zip(a, b, strict=True)]  # which is a distance
        return np.column_stack([cosine, quantus.similarity_func.correlation_spearman(a, b, batched=True)])

    test = quantus.MPRT(similarity_func=compare, layer_order="top_down", seed=seed, disable_warnings=True)
    told = test(
        model=network,
        x_batch=np.zeros(own.shape, dtype=np.float32),  # the epochs are known to what explains them
        y_batch=np.zeros(len(own), dtype=int),
        a_batch=own,
        explain_func=lambda model, inputs, targets, **kwargs: explain(model),
        batch_size=len(own),
    )
    return {layer: np.array(found) for layer, found in told.items()}, np.array(compared)


def rows() -> list[Row]:
    """The table; one row that says so where Quantus is not installed."""
    if importlib.util.find_spec("quantus") is None:
        return [Row("random weights beside Quantus", "Quantus is not installed", "", np.nan)]
    question, first = cases(4, 10)
    own, explain = np.array([one.band_sums for one in first]), explain_with(question, first)
    found = [by_quantus(question.night.stager.module, own, explain, seed) for seed in SEEDS]  # type: ignore[arg-type]
    table = measure(question, first)["sanity"].set_index(["change", "level"])
    layers = [layer for layer in found[0][0] if layer != "original"]
    cascade = [level for change, level in table.index if change == "cascade"]
    made = [_row(table.loc["cascade", ours], layer, found) for ours, layer in zip(cascade, layers, strict=True)]
    apart = max(np.nanmax(np.abs(np.array([*told.values()]) - ours[..., [0, 2]])) for told, ours in found)
    same = Row(
        "our measure of the explanations that Quantus compared",
        f"{apart:.0e} apart at most",
        "",
        apart,
        "1e-4",
        apart < 1e-4,
    )
    return [same, *made]


def _row(ours: Any, layer: str, found: Sequence[tuple[dict[str, npt.NDArray[np.float64]], Any]]) -> Row:
    """Signed similarity down to one level, by both."""
    theirs = np.array([told[layer][:, 0] for told, _ in found])
    mean = bootstrap(theirs.ravel(), np.repeat(np.arange(len(theirs)), theirs.shape[1]))
    return Row(
        f"signed similarity, random from the output down to {layer}",
        f"{ours['signed']:.2f} ({ours['signed_low']:.2f} to {ours['signed_high']:.2f}), {ours['n']} networks",
        f"Quantus {mean.mean:.2f} ({mean.low:.2f} to {mean.high:.2f}), {len(theirs)} networks",
        np.nan,
    )


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
