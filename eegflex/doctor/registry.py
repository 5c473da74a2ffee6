"""The checks of the doctor: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mne.utils import logger

from eegflex.doctor import behaviour, hypnogram, input_output
from eegflex.doctor.case import Case
from eegflex.doctor.front_end import front_end
from eegflex.doctor.phases import phases
from eegflex.errors import EegflexError, MemoryShortError, ModelError
from eegflex.findings import CannotTellError, Finding, Findings, error, unknown
from eegflex.stagers.batches import out_of_memory
from eegflex.stagers.failures import said

__all__ = ["CHECKS", "Check", "refuse_or_warn", "run_checks"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes
    ----------
    run : callable
        Looks at a case and says what it found.
    cheap : bool
        Whether every attribution can afford it.
    gradients : bool
        Whether it is about gradients, and means nothing to a method without them.
    """

    run: Callable[[Case], Finding]
    cheap: bool = True
    gradients: bool = False


CHECKS: dict[str, Check] = {
    "shape": Check(input_output.shape),
    "rate": Check(input_output.rate),
    "finite scores": Check(behaviour.finite_scores),
    "eval mode": Check(behaviour.eval_mode),
    "determinism": Check(behaviour.determinism),
    "batch independence": Check(behaviour.batch_independence),
    "unit": Check(input_output.unit),
    "front end": Check(front_end),
    "scores": Check(input_output.score_kind),
    "scale": Check(input_output.scale, gradients=True),
    "differentiability": Check(behaviour.differentiability, gradients=True),
    "quick pass": Check(behaviour.quick_pass, cheap=False, gradients=True),
    "context gradients": Check(behaviour.context_differentiability, cheap=False, gradients=True),
    "window": Check(behaviour.window, cheap=False),
    "phases": Check(phases, cheap=False),
    "agreement": Check(hypnogram.agreement),
    "class order": Check(hypnogram.class_order),
    "target index": Check(hypnogram.target_index),
    "unit by hypnogram": Check(hypnogram.unit_by_hypnogram, cheap=False),
    "polarity": Check(hypnogram.polarity, cheap=False),
    "rate by hypnogram": Check(hypnogram.rate_by_hypnogram, cheap=False),
}


def run_checks(case: Case, *, cheap: bool = False, progress: Callable[[int], None] = lambda _: None) -> Findings:
    """Run the checks on a case.

    Parameters
    ----------
    case : Case
        A stager on a recording.
    cheap : bool
        Whether only the cheap ones are run.
    progress : callable
        Told of each check that is done.
    """
    found = []
    # Epochs of any size are tried, on which a model may well compute something that is not finite.
    with np.errstate(all="ignore"):
        for name, check in CHECKS.items():
            if (check.cheap or not cheap) and (case.differentiates or not check.gradients):
                found.append(_run(check, case).named(name))
            progress(1)
    return Findings(case.spec.name, tuple(found))


_ALL_THE_SAME = "on_check='warn' (--on-check warn) explains it nevertheless"


def refuse_or_warn(findings: Findings, *, refuse: bool) -> None:
    """Log what is not well, and refuse to go on with an error.

    Raises
    ------
    ModelError
        If a finding is an error and `refuse`.
    """
    if refuse and findings.errors:
        raise ModelError(
            f"An explanation of {findings.model} would be wrong. "
            + ". ".join(f"{found.check.capitalize()}: {found.measured}" for found in findings.errors),
            remedy=". ".join([*dict.fromkeys(found.remedy for found in findings.errors), _ALL_THE_SAME]),
        )
    for found in (*findings.errors, *findings.warnings):
        logger.warning(f"{findings.model}, {found.check}: {found.measured}. {found.remedy}.")


def _run(check: Check, case: Case) -> Finding:
    try:
        return check.run(case)
    except CannotTellError as reason:
        return unknown(str(reason))
    except MemoryShortError as reason:
        return unknown(f"memory is too short: {reason.what}")
    except EegflexError as problem:
        return error(problem.what, problem.remedy or "")
    except Exception as problem:  # of whatever a model does on the way back
        if out_of_memory(problem):
            return unknown("memory is too short")
        return error(f"the model failed: {said(problem)}", "Look at this error in the model's own code")
