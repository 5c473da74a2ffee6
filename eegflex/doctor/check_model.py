"""Checks of a model on a recording: whether it does what its spec says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import torch

from eegflex.doctor.case import Case
from eegflex.doctor.registry import CHECKS, run_checks
from eegflex.errors import ChannelError, EegflexError, MemoryShortError, ModelError, ParameterError, RecordingError
from eegflex.findings import Finding, Findings, error
from eegflex.settings import StagingSettings
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.loading import load_model
from eegflex.stagers.modules import rnn_safe
from eegflex.staging import StagedNight, night_of
from eegflex.utils.progress import progress
from eegflex.utils.verbose import verbose

__all__ = ["Finding", "Findings", "check_model"]

#: What was wrong where a stager could not even be run on a recording: the error's class -> the check that found it.
_BEFORE: dict[type[EegflexError], str] = {
    ChannelError: "channels",
    RecordingError: "rate",
    MemoryShortError: "memory",
    ModelError: "shape",
}


@verbose
def check_model(
    model: Any,
    epochs: mne.BaseEpochs | None = None,
    *,
    spec: ModelSpec | str | Path | None = None,
    picks: str | Sequence[str] | None = None,
    device: str | torch.device | None = None,
    verbose: bool | str | int | None = None,
) -> Findings:
    """Check a model and its spec on a recording.

    A wrong unit, order of stages or target epoch gives an explanation that looks plausible and is false. Most of that
    shows: in how the scores react, in gradients that do not add up, and in another reading of the scores that agrees
    with the hypnogram clearly better than the declared one.

    Parameters
    ----------
    model : str | Stager | torch.nn.Module | callable | StagedNight
        As in `load_model`. It is left as it was. Or what `eegflex.stage_epochs` returned, without `epochs`.
    epochs : mne.BaseEpochs | None
        A recording, as `eegflex.make_epochs` cuts it; with its hypnogram more can be checked. It is not changed.
    spec : ModelSpec | str | path-like | None
        The contract of a bare network, its TOML file, or the name of a published one.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.
    device : str | torch.device | None
        Where to compute. By default where the model is.
    %(verbose)s

    Returns
    -------
    findings : Findings
        One `Finding` a check, with what was measured and what to do: ``print`` them, or look at ``findings.errors`` and
        ``findings["class order"]``. ``"unknown"`` is the status where there is nothing to judge by.

    Raises
    ------
    ModelError, SpecError, MissingExtraError
        If the model cannot be loaded.
    ParameterError
        If there is no such device, or `epochs` are none.

    Notes
    -----
    Whether another reading of the scores is *clearly* better is decided by a sign test over bouts of sleep, since epochs
    in a row are no independent witnesses, together with the growth of Cohen's kappa. A stretch of at most two hours is
    staged anew for another unit, polarity and rate. That waveforms decide a stage, and not the spectrum, is no fault of a
    model, but a warning: it limits what its explanation can say (see `StagedNight.spectral_share`). So is it where a model
    can have no gradient, as trees cannot: FLEX refuses it, and methods that need none explain it.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> findings = eegflex.check_model("bandpower", epochs, verbose="error")
    >>> len(findings.errors), findings["class order"].status
    (0, 'ok')
    """
    settings = StagingSettings(picks, device=device, dtype=None)  # type: ignore[arg-type]
    if isinstance(model, StagedNight):
        if epochs is not None:
            raise ParameterError("A StagedNight has its epochs already", remedy="Leave epochs out")
        case = _open(night_of(model, None, spec, settings))
    else:
        stager = load_model(model, spec=spec)
        try:
            case = _open(night_of(epochs, stager, None, settings))
        except EegflexError as problem:
            return Findings(stager.spec.name, (_before(problem),))
    with rnn_safe(case.stager.module), progress(len(CHECKS), f"Checking {case.spec.name}") as done:
        return run_checks(case, progress=done)


def _open(night: StagedNight) -> Case:
    """What the checks look at."""
    if not night.sound.any():
        raise RecordingError("No epoch is usable and has the context that the model needs")
    return Case(night, asked=False)


def _before(problem: EegflexError) -> Finding:
    """What kept the stager from being run at all, as a finding."""
    check = next((name for kind, name in _BEFORE.items() if isinstance(problem, kind)), None)
    if check is None:
        raise problem
    seen = "" if problem.seen is None else f" (got {problem.seen})"
    return error(f"{problem.what}{seen}", problem.remedy or "").named(check)
