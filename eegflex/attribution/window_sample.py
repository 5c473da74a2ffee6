"""Where the context decides, the answer is about the surroundings: whole windows are explained, of a sample of these epochs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from mne.utils import logger

from eegflex.attribution.assemble import Kept
from eegflex.attribution.crew import Crew
from eegflex.attribution.methods.flex import explain_flex
from eegflex.attribution.request import Explained, Request
from eegflex.results.decided import DECIDES, context_shares
from eegflex.scores import consensus
from eegflex.settings import AUTO
from eegflex.targets import resolve_target
from eegflex.utils.progress import progress

__all__ = ["MOST_EXTRA", "N_PER_STAGE", "explain_windows", "reserve_windows"]

#: Windows of each predicted stage, by default; and fewer, but one, where all of their epochs together are more than this part
#: of those that are explained.
N_PER_STAGE, MOST_EXTRA = 3, 1 / 4
#: Most gradient evaluations for a window, for each of which all of its epochs are encoded: its error says what that costs.
MOST_EVALS = 40
#: How much larger the error of a window may be than that of an epoch: there are a few of each stage, which differ by far more.
TIMES_TOL = 2
#: What is kept of each window and channel set, beside its map.
_FACTS = ("beyond", "window_baseline_score", "window_gap", "window_error")
#: Tells these draws from any others of the same seed.
_STREAM = 0x3144
#: Epochs whose band sums are made at once.
_AT_ONCE = 64


def reserve_windows(request: Request, kept: Kept) -> None:
    """Make room for windows, if they are asked for: what a result holds depends on the question, not on the night."""
    if not request.settings.windows_per_stage:  # 0 where there can be none
        return
    n_targets = len(request.night.stages) if request.settings.target == "all" else 1
    dtype = np.dtype(str(request.dtype).removeprefix("torch."))
    kept.reserve("window", n_targets, dtype, band=len(request.band_masks))
    for name in _FACTS:
        kept.reserve(name, n_targets, np.float64)


def explain_windows(request: Request, kept: Kept, replaced: npt.NDArray[np.float64], crew: Crew) -> None:
    """Explain the whole windows of a sample of those epochs in which the context decides.

    These are epochs of which the context made more than half of the change, or whose own change is within the error of its
    attribution. One after the other, so that no window depends on which others are explained.

    Parameters
    ----------
    request : Request
        What is to be explained.
    kept : Kept
        What was explained: all epochs. The windows are added.
    replaced : array, shape (n_chosen, n_channel_sets, 4, n_stages)
        What `replaced_scores` gave.
    crew : Crew
        The processes that do it.
    """
    if not request.settings.windows_per_stage:  # 0 where there can be none
        return
    begun, by_stage = time.monotonic(), _sample(request, kept, replaced)
    there = np.isfinite(kept.view_of("window_baseline_score")[:, 0]).all(axis=1)  # of a run that is resumed
    wanted = np.concatenate([np.empty(0, dtype=np.intp), *by_stage.values()])
    wanted = np.setdiff1d(wanted, request.chosen[there])
    if not wanted.size:
        return
    parts = [(place, np.array([number])) for number in wanted for place in range(len(request.night.bound))]
    n_gradients = 0

    def keep(channel_set: int, explained: Explained) -> None:
        nonlocal n_gradients
        kept.add(channel_set, explained.number, _views(explained, request.negligible[channel_set]))
        n_gradients += explained.n_gradients

    with progress(len(parts), "Explaining windows") as done:
        crew.explain(explain_window, parts, keep, done)
    counted = ", ".join(f"{stage} {len(own)}" for stage, own in by_stage.items())
    logger.info(
        f"The context decides in epochs of {', '.join(by_stage)}: the windows of some were explained too ({counted}; "
        f"{n_gradients} gradient evaluations, {time.monotonic() - begun:.0f} s; windows_per_stage=0 leaves them out)"
    )


def explain_window(request: Request, channel_set: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
    """Explain the whole windows of epochs, all of which move."""
    most = min(request.settings.max_evals, MOST_EVALS)
    tol = TIMES_TOL * request.settings.tol
    settings = dataclasses.replace(request.settings, context="scaled", views=("frequency",), max_evals=most, tol=tol)
    night = dataclasses.replace(request.night, bound=request.moved)
    yield from explain_flex(dataclasses.replace(request, night=night, settings=settings), channel_set, numbers)


def _views(explained: Explained, negligible: float) -> dict[str, npt.NDArray[np.floating]]:
    """What is kept of a window, whose error is relative to what is negligible, at least."""
    own = explained.views["context"]
    beyond = explained.views.get("beyond", np.zeros((len(own), 1)))
    size = np.abs(own).sum(axis=(1, 2, 3), dtype=np.float64)[:, None] + np.abs(beyond)
    facts = (
        beyond,
        explained.baseline_score[:, None],
        explained.gap[:, None],
        explained.error * np.maximum(size, negligible),
    )
    return {"window": own, **dict(zip(_FACTS, facts, strict=True))}


def _sample(request: Request, kept: Kept, replaced: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.intp]]:
    """Epochs whose windows are explained, by predicted stage, drawn at random from those in which the context decides."""
    places = consensus(request.night.scores[request.chosen], request.stager.spec.scores)
    decides = _context_decides(request, kept, replaced)
    found = {stage: np.flatnonzero(decides & (places == place)) for place, stage in enumerate(request.night.stages)}
    found = {stage: rows for stage, rows in found.items() if rows.size}
    n_each = request.settings.windows_per_stage
    if n_each == AUTO:
        longest = max(int(one.windows.length[request.chosen].max()) for one in request.moved)
        n_each = min(max(int(MOST_EXTRA * len(request.chosen) / (longest * max(len(found), 1))), 1), N_PER_STAGE)
    rng = np.random.default_rng([_STREAM, request.settings.seed])
    return {stage: np.sort(request.chosen[rng.permutation(rows)[: int(n_each)]]) for stage, rows in found.items()}


def _context_decides(request: Request, kept: Kept, replaced: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether the context decides, or the epoch itself does nothing that is told from its error, shape (n_chosen,)."""
    shares, within = [], []
    for channel_set, facts in enumerate(kept.facts):
        own = [facts[number] for number in request.chosen.tolist()]
        of_stages, of_targets = _weights(request, channel_set)
        shares.append(context_shares(np.einsum("nrs,ns->nr", replaced[:, channel_set], of_stages)))
        change = np.stack([one.score - one.baseline_score for one in own])
        drawn = [one.change_error for one in own if one.change_error is not None]
        if drawn:  # of a baseline that is drawn at random; a target is one score
            error = np.einsum("nkk,nk->n", np.stack(drawn), of_targets)
        else:
            error = np.array([one.error for one in own]) * _sizes(request, kept, channel_set, of_targets)
        within.append(np.abs((change * of_targets).sum(axis=1)) <= np.where(np.isfinite(error), error, -1.0))
    share = np.nan_to_num(np.stack(shares), nan=0.0).mean(axis=0)
    found: npt.NDArray[np.bool_] = (share > DECIDES) | (np.mean(within, axis=0) >= 0.5)
    return found


def _weights(request: Request, channel_set: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The score that is asked about, of all the predicted one: as weights on the stages, and on the targets explained."""
    target, scores = request.settings.target, request.night.scores[request.chosen, channel_set]
    scored = request.segments.stage[request.chosen].tolist()
    asked = resolve_target("predicted" if target == "all" else target, request.stager.spec.stages, scores, scored)
    of_stages = np.asarray(asked.weights[:, 0], dtype=np.float64)
    return of_stages, of_stages if target == "all" else np.ones((len(of_stages), 1))


def _sizes(
    request: Request, kept: Kept, channel_set: int, of_targets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What errors are relative to: absolute totals of the band sums of the epochs themselves, shape (n_chosen,)."""
    view, place = kept.view_of("band" if kept.bins else "frequency"), kept.channels_of(channel_set)
    masks = np.eye(len(request.band_masks)) if kept.bins else request.band_masks.T.astype(np.float64)
    sizes = np.empty(len(view))
    for start in range(0, len(view), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        sums = np.einsum("nkcf,nk->ncf", view[rows][:, :, place], of_targets[rows]) @ masks
        sizes[rows] = np.abs(sums).sum(axis=(1, 2))
    return np.asarray(np.maximum(sizes, request.negligible[channel_set]))
