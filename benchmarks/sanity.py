"""Sanity beside Quantus: explanations of a CNN whose layers are made random from its output downwards, by both.

Quantus' ``MPRT`` initialises layers anew, with one network for all explanations, where ours permutes the weights of every
tensor and draws a network for each explanation. So two things are held against each other: the measure, Quantus' cosine and
rank correlation of the explanations that it asked for against `similarity` of the same, which must be equal; and the finding,
how alike explanations are with all layers random, by both ways of making them so. By default Quantus takes the sizes of
attributions (``abs=True``), which are alike by the spectrum alone: both are told, beside our signed and unsigned similarity.

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
from eegflex.evaluation.explanation import Explanation
from eegflex.evaluation.faithfulness import bootstrap
from eegflex.evaluation.question import Question, ask
from eegflex.evaluation.sanity import measure, similarity
from eegflex.stagers.digest import digest_of_weights

__all__ = ["by_quantus", "cases", "rows"]

#: Networks that Quantus draws.
SEEDS = range(6)

Explain = Callable[[torch.nn.Module], npt.NDArray[np.float64]]


def cases(per_stage: int, n_epochs: int) -> tuple[Question, list[Explanation]]:
    """A CNN's explanations of an hour."""
    staged = eegflex.stage_epochs(night(1.0, 3), STAGERS["chambon"](), verbose="error")
    result = eegflex.attribute_epochs(staged, sample_per_stage=per_stage, verbose="error")
    question = ask(result, staged)
    return question, question.sample(None)[:n_epochs]


def explain_with(question: Question, explanations: Sequence[Explanation]) -> Explain:
    """What explains the same epochs of another network of the same class: band sums, shape (n, n_channels, n_bands)."""
    known: dict[str, npt.NDArray[np.float64]] = {}

    def explain(network: torch.nn.Module) -> npt.NDArray[np.float64]:
        digest = digest_of_weights(network)
        if digest not in known:
            known[digest] = anew(network)
        return known[digest]

    def anew(network: torch.nn.Module) -> npt.NDArray[np.float64]:
        stager = copy.copy(question.night.stager)
        stager.module = copy.deepcopy(network).eval().requires_grad_(False)
        asked = question.with_stager(stager, explanations)
        found = [one.views["frequency"][0] @ asked.request.band_masks.T for one in asked.explain(explanations)]
        return np.array(found, dtype=np.float64)

    return explain


def by_quantus(
    network: torch.nn.Module, own: npt.NDArray[np.float64], explain: Explain, seed: int, *, signed: bool
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
    signed : bool
        Whether it compares the values, or their sizes, which is its default.

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

    test = quantus.MPRT(
        similarity_func=compare, layer_order="top_down", seed=seed, abs=not signed, disable_warnings=True
    )
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
    network = question.night.stager.module
    found = {
        name: [by_quantus(network, own, explain, seed, signed=name == "signed") for seed in SEEDS]  # type: ignore[arg-type]
        for name in ("signed", "unsigned")
    }
    table = measure(question, first)["sanity"].set_index(["change", "level"])
    cascade = [level for change, level in table.index if change == "cascade"]
    every = [one for of in found.values() for one in of]
    apart = max(float(np.nanmax(np.abs(np.array([*told.values()]) - ours[..., [0, 2]]))) for told, ours in every)
    what = "our measure of the explanations that Quantus compared"
    return [
        Row(what, f"{apart:.0e} apart at most", "", apart, "at most 1e-4", apart < 1e-4),
        *(
            _row(table.loc[("cascade", level)], layer, name, [told for told, _ in of])
            for name, of in found.items()
            for level, layer in zip(cascade, [*of[0][0]][1:], strict=True)
        ),
    ]


def _row(ours: Any, layer: str, name: str, told: Sequence[dict[str, npt.NDArray[np.float64]]]) -> Row:
    """Similarity down to one level, by both."""
    theirs = np.array([one[layer][:, 0] for one in told])
    mean = bootstrap(theirs.ravel(), np.repeat(np.arange(len(theirs)), theirs.shape[1]))
    low, high = (ours[f"{name}_{end}"] for end in ("low", "high"))
    return Row(
        f"{name} similarity, random from the output down to {layer}",
        f"{ours[name]:.2f} ({low:.2f} to {high:.2f}), {ours['n']} networks",
        f"Quantus {mean.mean:.2f} ({mean.low:.2f} to {mean.high:.2f}), {len(theirs)} networks",
        np.nan,
    )


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
