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

    A wrong unit, order of stages or target epoch gives an explanation that is plausible and wrong. Most such mistakes can be
    detected: the scores react wrongly, gradients do not add up, or another reading of the scores agrees clearly better with
    the hypnogram than the declared one.

    Parameters
    ----------
    model : str | Stager | torch.nn.Module | callable | StagedNight
        As in `load_model`. It is not changed. Or the output of `eegflex.stage_epochs`, without `epochs`.
    epochs : mne.BaseEpochs | None
        Epochs of a recording, as returned by `eegflex.make_epochs`. With a hypnogram more can be checked. They are not changed.
    spec : ModelSpec | str | path-like | None
        The spec of a bare network, its TOML file, or the name of a published one.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.
    device : str | torch.device | None
        Where to compute. By default where the model is.
    %(verbose)s

    Returns
    -------
    findings : Findings
        One `Finding` for each check, with what was measured and what to do: ``print`` them, or look at ``findings.errors``
        and ``findings["class order"]``. The status is ``"unknown"`` if there are not enough data.

    Raises
    ------
    ModelError, SpecError, MissingExtraError
        If the model cannot be loaded.
    ParameterError
        If the device does not exist, or `epochs` are not epochs.

    See Also
    --------
    eegflex.doctor.Findings : What all checks found.
    eegflex.load_model : Load a stager.
    eegflex.stage_epochs : Let a network stage the epochs.

    Notes
    -----
    Whether another reading of the scores is *clearly* better is decided by a sign test over bouts of sleep, because
    consecutive epochs are not independent, and by the increase of Cohen's kappa. At most two hours are staged again with
    another unit, polarity and rate. If waveforms, not the spectrum, decide a stage, the model is not at fault, but a warning
    says so, because this limits what its explanation can show (see `StagedNight.spectral_share`). There is also a warning for
    models without a gradient, such as trees: FLEX cannot explain them, but other methods can.

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
