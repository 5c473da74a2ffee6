"""The public verb: explain the epochs of a recording."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from mne.utils import logger

from eegflex.attribution.assemble import Kept, assemble
from eegflex.attribution.baselines import check_baseline, choose_baseline, make_baseline
from eegflex.attribution.crew import Crew
from eegflex.attribution.decision import replaced_scores
from eegflex.attribution.mean_nodes import choose_nodes, told_nodes
from eegflex.attribution.methods.registry import method_of
from eegflex.attribution.phases import restaged, told
from eegflex.attribution.quadrature import make_rule
from eegflex.attribution.request import Request, explain_all
from eegflex.attribution.resume import open_partial, take_up
from eegflex.attribution.sampling import choose_epochs
from eegflex.attribution.second_opinion import explain_twice
from eegflex.attribution.selection import selected
from eegflex.attribution.unused import settled
from eegflex.attribution.window_error import choose_window
from eegflex.attribution.window_sample import explain_windows, reserve_windows
from eegflex.doctor.case import Case
from eegflex.doctor.registry import refuse_or_warn, run_checks
from eegflex.errors import AttributionFailed, AttributionStopped
from eegflex.results.decided import called_stages
from eegflex.results.identity import file_name, hash_recording
from eegflex.results.result import FlexResult
from eegflex.results.wording import called_words, words_of
from eegflex.settings import ADAPTIVE, AUTO, FILE_LABEL, Settings
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.loading import load_model
from eegflex.stagers.modules import rnn_safe
from eegflex.staging import StagedNight, night_of
from eegflex.surrogates import Restaged
from eegflex.targets import check_target
from eegflex.utils.stopping import check, held
from eegflex.utils.verbose import verbose

__all__ = ["attribute_epochs"]


@verbose
def attribute_epochs(
    epochs: mne.BaseEpochs | StagedNight,
    model: Any = None,
    *,
    target: str | tuple[str, str] = "predicted",
    baseline: Any = AUTO,
    context: str = "fixed",
    windows_per_stage: int | str = AUTO,
    method: str = "flex",
    second_opinion: str | None = None,
    spectral_share: int = 3,
    precision: str = "epoch",
    quadrature: str = ADAPTIVE,
    tol: float = 0.02,
    max_evals: int = 400,
    n_steps: int | None = None,
    views: Sequence[str] = ("frequency",),
    resolution: str = "light",
    edges: str = "shift",
    filter_edges: str = "keep",
    window_length: int | str = AUTO,
    picks: str | Sequence[str] | None = None,
    spec: ModelSpec | str | Path | None = None,
    select: str | Sequence[int] | Sequence[bool] | None = None,
    sample_per_stage: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    n_jobs: int | None = None,
    device: str | torch.device | None = None,
    dtype: str = "float32",
    on_check: str = "raise",
    label: str | None = None,
    resume: FlexResult | str | Path | None = None,
    verbose: bool | str | int | None = None,
) -> FlexResult:
    """Explain which rhythms on which channels made a network stage each epoch as it did.

    FLEX attributes the score of an epoch to the frequencies of each channel: Integrated Gradients over the magnitudes of
    the spectrum, its phases held fixed, from a baseline to the epoch as recorded (Gräve et al. 2025). A positive
    attribution means that what the epoch has of this frequency, beyond the baseline, raised the score; the attributions
    of all channels sum to the score's change, F(x) - F(x_b).

    Parameters
    ----------
    epochs : mne.BaseEpochs | StagedNight
        Epochs of a recording, as `eegflex.make_epochs` cuts it, in the order of time. They are not changed. Or what
        `eegflex.stage_epochs` returned, without a `model`: it is not staged again, and what it was staged with (`picks`,
        `edges`, `filter_edges`, `window_length`, `device`, `dtype`) holds.
    model : None | str | path-like | Stager | torch.nn.Module | callable | sequence
        ``"gssc"``, ``"bandpower"``, a network that maps ``(batch, channel, time)`` to ``(batch, stage)``, a file or folder
        that holds one, or several of them, which are averaged; see `eegflex.load_model`.
    target : str | tuple of (str, str)
        What is explained: ``"predicted"``, the score of the stage that the network chose; ``"scored"``, that of the
        hypnogram's, of the epochs that have one; ``"margin"``, predicted minus runner-up; a stage's name; a pair such as
        ``("N2", "N1")``, the score of the first minus that of the second; or ``"all"``, every stage from one forward
        pass (see `FlexResult.for_target`).
    baseline : str | array-like
        What an epoch is compared with, but for ``"surrogate"`` always with the epoch's own phases. ``"auto"``: ``"recording"``
        where at least 60 epochs are usable, else ``"aperiodic"``; which of them, and why, is in the provenance, and
        `FlexResult.baseline_stages` says what stages the model makes of it. ``"zero"``: silence on every channel, as FLEX was
        published. ``"aperiodic"``: the epoch's own 1/f part, so that the oscillatory peaks are explained. ``"recording"``:
        the spectrum of an ordinary epoch of the recording. ``"stage:W"``: of one of a stage of the hypnogram.
        ``"surrogate"``: ordinary epochs with other waveforms, whose phases are drawn at random (by `seed`), so that what the
        network reads off waveforms is explained too; attributions are means over five draws, which cost five times as much.
        Or magnitudes, shape (n_channels, n_freqs), or samples, shape (n_channels, n_times), as the stager is given them; with
        a first axis more for each epoch.
    context : {"fixed", "scaled"}
        ``"fixed"``: neighbouring epochs stay as recorded, and only the segment moves along the path. ``"scaled"``: the
        whole window does, each of its epochs from its own baseline; what it adds is in ``context_map``. The map's sum is
        F(window) - F(baseline window). For a stager of whole nights, what reaches into the window from the rest of the night
        moves too, from the night of baselines to the recorded one; it is in ``beyond``.
    windows_per_stage : int | "auto"
        With FLEX and a fixed context: the whole windows are explained too, as with ``context="scaled"``, of so many epochs of
        each predicted stage in which the context decides: it made more than half of the change, or the epoch's own change is
        within its error. ``"auto"`` takes up to three, and so few that all their epochs are at most a quarter of those that are
        explained, but one; 0 leaves it out, and is what a result says where there can be none. For a stager that keeps states
        between epochs these windows have at most nine epochs, and the rest of the night is in ``beyond``. See
        `FlexResult.window_rhythms`.
    method : str
        ``"flex"``. On the frequency-domain model, by captum: ``"saliency"``, ``"input_x_gradient"``, ``"deeplift"``,
        ``"gradient_shap"``. For models without a gradient too, with the bands of each channel as features:
        ``"shapley"`` (exact, up to two channels), ``"shapley_sampling"``, ``"feature_ablation"``.
    second_opinion : {"shapley"} | None
        With FLEX and a fixed context: asks about five epochs of each predicted stage once more, in a way that takes no path:
        Shapley values of the bands, exact for one channel, for more of them from 12 random orders and their reverses, with a
        standard error. See `FlexResult.second_opinion`.
    spectral_share : int
        How often the night is staged again with every magnitude kept and random phases, to tell by stage whether spectra or
        waveforms decide, which bounds what bands can say; see `FlexResult.spectral_share`. Fewer times, or a sample of the
        epochs, where that would take long beside the explanation, as with stagers of whole nights. 0: not at all.
    precision : {"epoch", "mean"}
        What is to be exact. ``"epoch"``: each epoch, within `tol`. ``"mean"``, with FLEX: only means over the epochs of a
        stage, for a small part of the cost. Each epoch has a few nodes on its path, drawn at random by `seed`, so that it is
        right on average; intervals of means hold the nodes' error, and what tells of single epochs is refused. See
        :ref:`means-of-stages`.
    quadrature : {"adaptive", "graded", "gauss-legendre", "riemann-left", "riemann-middle", "riemann-right"}
        How the gradient is averaged over the path. ``"adaptive"`` adds nodes, epoch by epoch, until the estimated error
        of the band sums of all channels is within `tol`. The others are fixed rules; ``"graded"`` puts its nodes
        where networks change quickly, near the baseline.
    tol : float
        For ``"adaptive"``: the error allowed, relative to the absolute total of the band sums.
    max_evals : int
        For ``"adaptive"``: most gradient evaluations for an epoch (for each draw of its baseline); where they do not suffice,
        its ``error`` says so.
    n_steps : int | None
        For a fixed rule: gradient evaluations for each epoch; by default 72 for ``"graded"``, else 50. For
        ``precision="mean"``: random nodes for each epoch, an even number; by default so many that their error is at most a
        third of the epochs'.
    views : sequence of {"frequency", "time", "time-frequency"}
        What to attribute to. Each view has the same sum. The frequency view is always there.
    resolution : {"light", "full"}
        With ``target="all"``, what is kept of views to frequencies and to time: ``"light"``, sums over 0.1 Hz and over 0.25 s,
        and beside them those of the bands; or ``"full"``, every bin. The view to time and frequency is that of its frames
        either way, and one target always has every bin.
    edges : {"shift", "pad", "skip"}
        Where a run ends within the window of an epoch: move the window inside, if the stager scores every position of it
        (if not, the epoch is left unexplained); put silence there; or leave the epoch unexplained. ``edge`` of the result
        says what happened to each epoch. A stager of whole nights knows their ends.
    filter_edges : {"keep", "mask"}
        Whether epochs into which the preparation's filter reaches from beyond the edge of a run, as it does at both ends of
        any night, are explained like any other, or left out.
    window_length : int | "auto"
        For a stager of whole nights: epochs of the window in which an epoch is explained. Its error is measured on one or
        two explained epochs of each predicted stage, as the change of their band sums against the whole run, or against
        windows of 161 epochs where it is longer, and is in the provenance by stage. ``"auto"`` takes 21 epochs, or 41 or 81 for
        the stages of which that error is larger than half of `tol`; where it stays so, the widest, and a warning says so.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.
    spec : ModelSpec | str | path-like | None
        The contract of a bare network, its TOML file, or the name of a published one (`eegflex.spec.spec_names`). Without one
        it is fed the epochs as they are, in MNE's units.
    select : str | sequence of int | sequence of bool | None
        Explain only these epochs, with all their neighbours in place: their numbers, a boolean for each epoch, or a query of
        the table of `StagedNight.to_data_frame`, such as ``"predicted == 'N1' and stage == 'REM'"`` or ``"margin < 0.2"``. By
        default all.
    sample_per_stage : int | None
        Explain only so many epochs of each stage that the network predicted, drawn at random. By default all.
    seed : int
        Seed of all that is drawn at random.
    batch_size : int | None
        Points on the paths in one pass through the network; by default as many as fit into memory. Halved where memory
        runs out.
    n_jobs : int | None
        In how many processes epochs are explained, this one among them; ``-1``: in one a core. By default in one a core too,
        but only from the moment that the rest would take a single process more than 10 s, since each needs a few seconds to
        begin. The cores are divided among them: each has one thread where there is one a core. How many really take part makes
        no difference to the result; other values of `n_jobs` differ by rounding at most. On a GPU there is one.
    device : str | torch.device | None
        Where to compute, such as ``"cuda"``. By default where the model is.
    dtype : {"float32", "float64"}
        Precision of the network's arithmetic, and of the result.
    on_check : {"raise", "warn", "ignore"}
        The cheap checks of `check_model` are made first: ``"raise"`` refuses a model whose explanation would be false,
        ``"warn"`` only logs what they find, ``"ignore"`` leaves them out. What they found is in the provenance, as
        ``"checks"``.
    label : str | None
        What the recording is called in the result. By default its name is a hash of its content, such as
        ``"recording 3f9a01c2"``, the same whatever the model: the name of a file is often a patient's. ``"file"`` asks for
        that name all the same.
    resume : FlexResult | path-like | None
        What an earlier call had finished when it was stopped: this one goes on from there. Refused unless it was asked the same
        of the same recording and model; only `device`, `batch_size`, `n_jobs` and `on_check` may differ.
    %(verbose)s

    Returns
    -------
    result : FlexResult
        Attributions with scores, stages, completeness gaps and provenance.

    Raises
    ------
    ParameterError
        If an argument is not one of its choices.
    ChannelError, RecordingError
        If the epochs cannot give what the model's spec asks for.
    ModelError
        If the model fails, or a check finds that its explanation would be false.
    AttributionStopped
        On Ctrl-C, and where the process is told to end; a ``KeyboardInterrupt``. Its ``result`` holds the epochs that were
        finished. The first Ctrl-C waits for the batch that is being computed, a second one does not.
    AttributionFailed
        A ``ModelError``, whatever else ends it after epochs were finished: its ``result`` holds them, and its cause is what
        went wrong.

    Notes
    -----
    Epochs that are not finite, flat, saturated or out of range, and those whose neighbours a model needs and the recording
    does not have, are left unexplained and counted in the provenance.

    Epochs are explained in an order drawn at random, so that what is finished at any time is a fair sample of what was asked;
    the result has them in the order of time. A run that was stopped and resumed gives, bit for bit, what an undisturbed one
    does on the same machine with the same batches; what differs otherwise is rounding.

    Cutting a night, as ``epochs[...]`` does, takes an epoch's neighbours away: a model that sees them refuses a night with
    holes. Choose what to explain with `select`.

    The path is a straight line in time, so that one pass of time-domain gradients and one FFT give the attribution to
    frequencies: ``A_f = (w_f / T) Re(D_f conj(G_f))`` with D and G the spectra of the change along the path and of the
    averaged gradient.

    Examples
    --------
    ``"known-spindle"`` reads the sigma band of C4 and nothing else, and that is where FLEX finds its evidence:

    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", target="N2", sample_per_stage=1, verbose="error")
    >>> result
    <FlexResult | known-spindle, target 'N2', 2 of 30 epochs (W 1, N2 1), 6 channels, 1 channel set(s), 128 Hz>
    >>> rows = result.to_data_frame()
    >>> rows.loc[rows["attribution"].idxmax(), ["predicted", "channel", "band"]].tolist()
    ['N2', 'C4-M1', 'sigma']
    """
    settings = Settings(
        picks=picks,  # type: ignore[arg-type]
        edges=edges,
        filter_edges=filter_edges,
        window_length=window_length,
        device=device,  # type: ignore[arg-type]
        dtype=dtype,
        target=target,
        baseline=baseline,
        context=context,
        windows_per_stage=windows_per_stage,
        method=method,
        second_opinion=second_opinion,
        spectral_share=spectral_share,
        precision=precision,
        quadrature=quadrature,
        tol=tol,
        max_evals=max_evals,
        n_steps=n_steps,
        views=views,  # type: ignore[arg-type]
        resolution=resolution,
        select=select,  # type: ignore[arg-type]
        sample_per_stage=sample_per_stage,
        seed=seed,
        batch_size=batch_size,
        n_jobs=n_jobs,
        on_check=on_check,
        label=label,
    )
    method_of(settings)
    check_baseline(settings.baseline)
    before = None if resume is None else open_partial(resume)
    if model is not None and not isinstance(epochs, StagedNight):
        model, spec = load_model(model, spec=spec), None
        _check_target(settings.target, model.spec)  # before a night is staged for nothing
    if settings.label == FILE_LABEL:  # refused now, not when all is explained
        file_name(epochs.epochs if isinstance(epochs, StagedNight) else epochs)
    return explain_night(night_of(epochs, model, spec, settings), settings, before)


def _check_target(target: str | tuple[str, str], spec: ModelSpec) -> None:
    """Refuse a target that the model does not have; its stages are not known before it ran if nobody named them."""
    if not any(note.startswith("stages:") for note in spec.assumed):
        check_target(target, spec.stages)


def explain_night(night: StagedNight, settings: Settings, before: xr.Dataset | None = None) -> FlexResult:
    """Explain epochs of a night that is staged; `before` is what was explained of it already."""
    request, notes = make_request(night, settings), dict[str, Any]()
    with rnn_safe(night.stager.module), held():
        if request.method.differentiates and night.stager.spec.context.whole:
            said = None if before is None else _said(before, "window")
            request, notes = choose_window(request, said)
        request, more = choose_nodes(request, None if before is None else _said(before, "nodes"))
        notes |= more
        kept = Kept(request)
        known = None if before is None else take_up(request, before, kept)
        notes |= {"recording_sha256": hash_recording(night.epochs), "checks": _checked(request)}
        share = restaged(night, request.settings, len(request.chosen), before)
        return _explain(request, kept, known, notes | told(share, night, settings), share)


def _said(before: xr.Dataset, of: str) -> Any:
    """What the provenance of a run that is resumed says of something."""
    return json.loads(before.attrs["provenance"]).get(of)


def make_request(night: StagedNight, settings: Settings, chosen: npt.NDArray[np.intp] | None = None) -> Request:
    """What is to be explained of a night; `chosen` are epochs that take the place of a sample, or of all."""
    like = night.stager.like
    found: dict[str, Any] = {"device": str(like.device), "dtype": str(like.dtype).removeprefix("torch.")}
    if settings.quadrature != ADAPTIVE:
        found["n_steps"] = len(make_rule(settings.quadrature, settings.n_steps))
    if isinstance(settings.select, tuple):  # a mask and its numbers are one question
        found["select"] = tuple(selected(night, settings.select).tolist())
    method, because = method_of(settings), None
    found |= settled(settings, method, night)
    settings = dataclasses.replace(settings, **(dataclasses.asdict(night.settings) | found))
    if isinstance(settings.baseline, str) and settings.baseline == AUTO:
        name, because = choose_baseline(night.segments, method.baselines)
        settings = dataclasses.replace(settings, baseline=name)
    baseline = make_baseline(settings.baseline, night.segments, night.stager.spec.filter, settings.seed)
    numbers = choose_epochs(night, settings) if chosen is None else chosen
    return Request(night, settings, method, numbers, baseline, because)


def _checked(request: Request) -> list[dict[str, str]]:
    """What the cheap checks found, for provenance; a false explanation is refused, or only warned of."""
    settings = request.settings
    if settings.on_check == "ignore":
        return []
    from_silence = request.method.on_path and request.baseline.name == "zero"
    findings = run_checks(Case(request.night, request.method.differentiates, from_silence), cheap=True)
    refuse_or_warn(findings, refuse=settings.on_check == "raise")
    return findings.to_dicts()


def _explain(
    request: Request,
    kept: Kept,
    known: npt.NDArray[np.int64] | None,
    notes: dict[str, Any],
    share: Restaged | None,
) -> FlexResult:
    """Explain, and keep what is finished whatever ends it."""
    n_wanted = len(request.chosen)
    replaced = replaced_scores(request, request.chosen)
    if request.because is not None:
        notes |= {"baseline": {"chosen": request.baseline.name, "because": request.because}}
        shares, name = called_stages(replaced, request.night.stages), request.stager.spec.name
        called = called_words(shares, name, request.settings.context)
        logger.info(f"Compared with {words_of(request.baseline.name)}{called}, since {request.because}")
    reserve_windows(request, kept)
    try:
        with Crew(request) as crew:
            explain_all(request, explain_twice, kept, crew, known)
            explain_windows(request, kept, replaced, crew)
    except (KeyboardInterrupt, Exception) as ended:
        n_finished = len(kept.numbers)
        if n_finished == 0:
            raise
        # of epochs, or of windows
        finished = assemble(request, kept, replaced, notes, share, partial=True)
        if isinstance(ended, KeyboardInterrupt):
            raise AttributionStopped(finished, n_finished, n_wanted) from ended
        raise AttributionFailed(finished, n_finished, n_wanted, ended) from ended
    result = told_nodes(assemble(request, kept, replaced, notes, share))
    try:
        check()
    except KeyboardInterrupt as ended:
        raise AttributionStopped(result, n_wanted, n_wanted) from ended
    return result
