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
from eegflex.attribution.baseline_night import BaselineNights
from eegflex.attribution.baselines import check_baseline, choose_baseline, make_baseline
from eegflex.attribution.crew import Crew
from eegflex.attribution.decision import replaced_scores
from eegflex.attribution.mean_nodes import check_enough, choose_nodes, told_nodes
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

__all__ = ["attribute_epochs", "check_target_of"]


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
    select: str | Sequence[int] | Sequence[bool] | npt.NDArray[np.integer[Any] | np.bool_] | None = None,
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

    FLEX attributes the score of an epoch to the frequencies of each channel. It is Integrated Gradients over the magnitudes
    of the spectrum, with the phases held fixed, from a baseline to the recorded epoch (Gräve et al. 2025). A positive
    attribution means that what the epoch has of this frequency, beyond the baseline, raised the score. The attributions of
    all channels sum to the change of the score, F(x) - F(x_b).

    Parameters
    ----------
    epochs : mne.BaseEpochs | StagedNight
        Epochs of a recording in the order of time, as returned by `eegflex.make_epochs`. They are not changed. Or the output
        of `eegflex.stage_epochs`, without a `model`: then the night is not staged again, and its `picks`, `edges`,
        `filter_edges`, `window_length`, `device` and `dtype` are used.
    model : None | str | path-like | Stager | torch.nn.Module | callable | sequence
        ``"gssc"``, ``"bandpower"``, a network that maps ``(batch, channel, time)`` to ``(batch, stage)``, a file or folder
        with one, or several models that are averaged; see `eegflex.load_model`.
    target : str | tuple of (str, str)
        The score to explain. ``"predicted"``: that of the predicted stage. ``"scored"``: that of the stage in the hypnogram,
        for scored epochs. ``"margin"``: predicted stage minus runner-up. A stage's name. A pair such as ``("N2", "N1")``:
        the first minus the second. ``"all"``: every stage, from one forward pass (see `FlexResult.for_target`).
    baseline : str | array-like
        What each epoch is compared with. Except for ``"surrogate"``, baselines have the phases of the epoch. ``"auto"``:
        ``"recording"`` if at least 60 epochs are usable, else ``"aperiodic"``; the provenance says which and why.
        ``"recording"``: the spectrum of an ordinary epoch of the recording. ``"stage:W"``: that of an ordinary epoch of a
        stage of the hypnogram. ``"aperiodic"``: the epoch's own 1/f part, so that oscillatory peaks are explained.
        ``"zero"``: silence on every channel, as FLEX was published. ``"surrogate"``: ordinary epochs with random phases (by
        `seed`), so that waveforms are explained too; attributions are means over five draws and cost about
        ten times as much. Or an array: magnitudes, shape (n_channels, n_freqs), or samples, shape (n_channels, n_times), as the
        stager gets them, optionally with a first axis of epochs. `FlexResult.baseline_stages` shows the stage of the baseline.
    context : {"fixed", "scaled"}
        ``"fixed"``: neighbouring epochs stay as recorded, and only the explained epoch changes along the path. ``"scaled"``:
        all epochs of the window change together, each from its own baseline, and ``context_map`` shows what each
        contributes. The map sums to F(window) - F(baseline window). For whole-night stagers, the states at the window's ends
        change too; their contribution is in ``beyond``.
    windows_per_stage : int | "auto"
        With FLEX and a fixed context: the number of epochs of each predicted stage whose whole window is also explained, as
        with ``context="scaled"``. Only epochs in which the context decides are used: it made more than half of the change,
        or the epoch's own change is within its error. ``"auto"`` uses up to three, limited to about a quarter of the
        explained epochs. 0 switches this off. For stagers that keep states between epochs these windows have at most nine
        epochs, and the rest of the night is in ``beyond``. The error allowed for them is twice `tol`. See
        `FlexResult.window_rhythms`.
    method : str
        ``"flex"``. By captum, on the frequency-domain model: ``"saliency"``, ``"input_x_gradient"``, ``"deeplift"``,
        ``"gradient_shap"``. Without gradients, with the bands of each channel as features: ``"shapley"`` (exact, up to two
        channels), ``"shapley_sampling"``, ``"feature_ablation"``.
    second_opinion : {"shapley"} | None
        With FLEX and a fixed context: also explain about five epochs of each predicted stage by a method without a path,
        Shapley values of the bands. They are exact for one channel; for more channels they use 12 random orders and their
        reverses, with a standard error. See `FlexResult.second_opinion`.
    spectral_share : int
        How often to stage the night again with the same magnitudes and random phases. It measures, by stage, whether
        spectra or waveforms decide, which limits what bands can explain; see `FlexResult.spectral_share`. Where this would
        take long, as with whole-night stagers, fewer repetitions or a sample of the epochs are used. 0: never.
    precision : {"epoch", "mean"}
        What to compute exactly. ``"epoch"``: each epoch, within `tol`. ``"mean"``, with FLEX: only means over the epochs of
        a stage, at a small part of the cost. Each epoch then has a few random nodes (by `seed`) and is right on average;
        intervals of means include the integration error, and methods for single epochs raise an error. See
        :ref:`means-of-stages`.
    quadrature : {"adaptive", "graded", "gauss-legendre", "riemann-left", "riemann-middle", "riemann-right"}
        How the gradient is averaged over the path. ``"adaptive"`` adds nodes, epoch by epoch, until the estimated error of
        the band sums of all channels is within `tol`. The others are fixed rules; ``"graded"`` has more nodes near the
        baseline, where networks change quickly.
    tol : float
        For ``"adaptive"``: the error allowed, relative to the absolute total of the band sums, but never below this share of a
        thousandth of the standard deviation of the stages' scores over the night: smaller totals are negligible.
    max_evals : int
        For ``"adaptive"``: maximum of gradient evaluations for an epoch (for each draw of its baseline). The ``error`` of an
        epoch shows whether they were enough.
    n_steps : int | None
        For a fixed rule: gradient evaluations for each epoch; by default 72 for ``"graded"``, else 50. For
        ``precision="mean"``: random nodes for each epoch, an even number; by default enough to keep their error below a third
        of the sampling error over epochs.
    views : sequence of {"frequency", "time", "time-frequency"}
        Views of the attribution. All have the same sum. The frequency view is always included.
    resolution : {"light", "full"}
        With ``target="all"``: ``"light"`` keeps sums over 0.1 Hz and over 0.25 s, and those of the bands; ``"full"`` keeps
        every bin, as other targets always do. The time-frequency view always has its frames.
    edges : {"shift", "pad", "skip"}
        If a run ends within the window of an epoch: move the window inside, if the stager scores every position of it
        (otherwise the epoch is not explained); fill the window with silence; or do not explain the epoch. ``edge`` of the
        result says what happened to each epoch. Not needed for whole-night stagers.
    filter_edges : {"keep", "mask"}
        Whether to explain epochs that contain the filter's edge artifact, as at both ends of any night, or to leave them
        out.
    window_length : int | "auto"
        For whole-night stagers: the number of epochs of the window in which an epoch is explained. ``"auto"`` uses 21, 41 or
        81 epochs, for each epoch and channel set the smallest in which the baseline changes the score as in 81, up to a third
        of `tol`; ``window_length`` of the result has them. The error of the windows is measured on one or two explained epochs
        of each predicted stage, as the change of their band sums compared with the whole run, or with windows of 161 epochs if
        the run is longer. It is in the provenance, by stage; a warning says if it is more than half of `tol`.
    picks : str | sequence of str | None
        Channels to choose from. By default all that are not bad.
    spec : ModelSpec | str | path-like | None
        The spec of a bare network, its TOML file, or the name of a published one (`eegflex.spec.spec_names`). Without a
        spec, the network gets the epochs unchanged, in MNE's units.
    select : str | sequence of int | sequence of bool | None
        Explain only these epochs, without removing their neighbours: numbers, a boolean for each epoch, or a query of the
        table of `StagedNight.to_data_frame`, such as ``"predicted == 'N1' and stage == 'REM'"`` or ``"margin < 0.2"``. By
        default all.
    sample_per_stage : int | None
        Explain only this many random epochs of each predicted stage. By default all.
    seed : int
        Random seed.
    batch_size : int | None
        Number of points in one pass through the network. By default as many as fit into memory; halved if memory runs out.
    n_jobs : int | None
        Number of processes, including this one; ``-1``: one for each core. By default one for each core, as far as memory
        allows, but only for 64 explanations or more, and only if a single process would need more than 10 s, because each
        needs a few seconds to start. The cores are divided among the processes. The result does not depend on it, except for
        rounding. On a GPU there is one process.
    device : str | torch.device | None
        Where to compute, such as ``"cuda"``. By default where the model is.
    dtype : {"float32", "float64"}
        Precision of the network's arithmetic, and of the result.
    on_check : {"raise", "warn", "ignore"}
        The quick checks of `check_model` run first. ``"raise"``: raise an error if the explanation would be wrong. ``"warn"``:
        only log the findings. ``"ignore"``: no checks. The findings are in the provenance, as ``"checks"``.
    label : str | None
        Name of the recording in the result. By default a hash of its content, such as ``"recording 3f9a01c2"``, because file
        names often contain the name of a patient. ``"file"`` uses the file name.
    resume : FlexResult | path-like | None
        Result of an earlier call that was stopped; this call continues it. Recording, model and arguments must be the same,
        except `device`, `batch_size`, `n_jobs`, `on_check` and `spectral_share`.
    %(verbose)s

    Returns
    -------
    result : FlexResult
        Attributions with scores, stages, completeness gaps and provenance.

    Raises
    ------
    ParameterError
        If an argument has a value that is not allowed.
    ChannelError, RecordingError
        If the epochs do not have what the model's spec requires.
    ModelError
        If the model fails, or a check finds that its explanation would be wrong.
    AttributionStopped
        On Ctrl-C or SIGTERM; a ``KeyboardInterrupt``. Its ``result`` has the finished epochs. The first Ctrl-C waits for the
        current batch, a second one does not.
    AttributionFailed
        A ``ModelError``, raised if another error occurs after some epochs were finished. Its ``result`` has these epochs,
        and its cause is the original error.

    See Also
    --------
    eegflex.FlexResult : Attributions, labelled.
    eegflex.stage_epochs : Let a network stage the epochs.
    eegflex.evaluate : Ask the model again whether explanations hold.
    eegflex.make_report : A result on one page.
    eegflex.attribute : Explain one score of any network.

    Notes
    -----
    Epochs that are not finite, flat, saturated or out of range, and epochs without the neighbours that the model needs, are
    not explained. The provenance counts them.

    Epochs are explained in random order, so an interrupted run has a fair sample; the result is in the order of time. A run
    that was stopped and resumed gives bit for bit the same result as an uninterrupted one, on the same machine with the same
    batches; otherwise results differ by rounding.

    Use `select` to choose epochs. Indexing with ``epochs[...]`` removes neighbours, and a model that uses neighbours raises an
    error for a night with holes.

    The path is a straight line in time, so that one pass of time-domain gradients and one FFT give the attribution to
    frequencies: ``A_f = (w_f / T) Re(D_f conj(G_f))`` with D and G the spectra of the change along the path and of the
    averaged gradient [1]_ [2]_. Peaks, for the aperiodic baseline, are found as in [3]_.

    References
    ----------
    .. [1] Gräve P., Steinbrinker T., Ehrlich F., Hempel P., Zaschke P., Krefting D., Spicher N. (2025). Using EEG frequency
       attributions to explain the classifications of a deep neural network for sleep staging.
    .. [2] Sundararajan M., Taly A., Yan Q. (2017). Axiomatic attribution for deep networks. Proceedings of the 34th
       International Conference on Machine Learning, PMLR 70:3319-3328.
    .. [3] Donoghue T. et al. (2020). Parameterizing neural power spectra into periodic and aperiodic components. Nature
       Neuroscience 23:1655-1665. doi:10.1038/s41593-020-00744-x

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
        check_target_of(settings.target, model.spec)  # before a night is staged for nothing
    if settings.label == FILE_LABEL:  # refused now, not when all is explained
        file_name(epochs.epochs if isinstance(epochs, StagedNight) else epochs)
    return explain_night(night_of(epochs, model, spec, settings), settings, before)


def check_target_of(target: str | tuple[str, str], spec: ModelSpec) -> None:
    """Refuse a target that the model does not have; its stages are not known before it ran if nobody named them."""
    if not any(note.startswith("stages:") for note in spec.assumed):
        check_target(target, spec.stages)


def explain_night(night: StagedNight, settings: Settings, before: xr.Dataset | None = None) -> FlexResult:
    """Explain epochs of a night that is staged; `before` is what was explained of it already."""
    request, notes = make_request(night, settings), dict[str, Any]()
    check_enough(request)
    nights = BaselineNights(request)
    with rnn_safe(night.stager.module), held():
        if request.method.differentiates and night.stager.spec.context.whole:
            said = None if before is None else _said(before, "window")
            request, notes = choose_window(request, nights, said)
        request, more = choose_nodes(request, None if before is None else _said(before, "nodes"))
        notes |= more
        kept = Kept(request)
        known = None if before is None else take_up(request, before, kept)
        notes |= {"recording_sha256": hash_recording(night.epochs), "checks": _checked(request)}
        share = restaged(night, request.settings, len(request.chosen), before)
        replaced = replaced_scores(request, request.chosen, nights)
        del nights
        return _explain(request, kept, known, replaced, notes | told(share, night, settings), share)


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
    replaced: npt.NDArray[np.float64],
    notes: dict[str, Any],
    share: Restaged | None,
) -> FlexResult:
    """Explain, and keep what is finished whatever ends it."""
    n_wanted = len(request.chosen)
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
