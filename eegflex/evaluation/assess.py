"""How far a result can be believed: what was measured of it, and judged by stated thresholds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eegflex.evaluation import coverage, exactness
from eegflex.evaluation.evidence import Evidence
from eegflex.findings import Finding, Findings
from eegflex.results.means import only_means
from eegflex.results.recordings import one_recording
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["TRUST_CHECKS", "assess"]

#: name -> what measures it, in the order in which it is told
TRUST_CHECKS: dict[str, Callable[[Evidence], Finding | None]] = {
    "model checks": coverage.model_checks,
    "stopped": coverage.stopped,
    "agreement": coverage.agreement,
    "completeness": exactness.completeness,
    "convergence": exactness.convergence,
    "precision": exactness.precision,
    "cancellation": exactness.cancellation,
    "window": exactness.window,
    "edges": coverage.edges,
    "left out": coverage.left_out,
}
#: Those that judge epoch by epoch, of which a result of means knows nothing.
OF_SINGLE = ("completeness", "convergence", "precision", "cancellation")


@checked
def assess(result: FlexResult) -> Findings:
    """Measure how far a result can be believed.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording. For a result of all stages, the report shows the predicted one.

    Returns
    -------
    findings : Findings
        One `Finding` a check: a status, a sentence, what to do, and the numbers in its ``values``, each with the number of
        epochs (or of pairs of an epoch and a channel set, ``n``) that it is of. A check that means nothing for the method or
        the stager is left out. Shares of errors are of the absolute total of the band sums.

    See Also
    --------
    eegflex.evaluate : Ask the model again whether explanations hold.
    eegflex.doctor.Findings : What all checks found.

    Notes
    -----
    ``model checks``
        What `check_model` found before the attribution; its worst status. Unknown where the checks were left out.
    ``stopped``
        A warning, where the attribution was stopped before all was explained.
    ``agreement``
        Cohen's kappa with the hypnogram over the night, with an interval of 95 % from 1,000 draws of bouts, since epochs in a
        row are no independent witnesses. A warning if the interval is below 0.4, ok if it is above; unknown if it holds 0.4, or
        for fewer than 60 epochs in 8 bouts.
    ``completeness``
        Whether attributions add up to F(x) - F(x_b) within 1 %, judged where that change is larger than the error of its sum:
        a sum that cannot be told from 0 adds up to nothing. A warning if fewer than 95 % do. Unknown for a method whose
        attributions are not meant to.
    ``convergence``
        Whether the estimated errors are within the tolerance. A warning if fewer than 95 % are; unknown for a fixed rule,
        which has no estimate.
    ``precision``
        The error that 95 % of the epochs stay within: the larger one of gap and estimate. An error above 5 %.
    ``cancellation``
        Whether terms of both signs cancel. A warning if the band sums' absolute total is more than 3 times the change of the
        score (medians).
    ``window``
        How far the window of a stager of whole nights changed the band sums. A warning above 5 %.
    ``edges``
        Explained epochs of which the stager was given something that is made up. A warning above 5 % of them.
    ``left out``
        Epochs that could not be explained. A warning above 5 % of the recording.

    Examples
    --------
    >>> import eegflex
    >>> from eegflex.evaluation import assess
    >>> night = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> found = assess(result)
    >>> found["convergence"].status, found["convergence"].values["n"]
    ('ok', 10)
    """
    one_recording(result.data, None, "How far a result can be believed")
    evidence, left_out = Evidence.of(result.for_target()), OF_SINGLE if only_means(result.data) else ()
    found = {name: check(evidence) for name, check in TRUST_CHECKS.items() if name not in left_out}
    return Findings(result.model, tuple(one.named(name) for name, one in found.items() if one is not None))
