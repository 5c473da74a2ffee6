"""The public verb: how far explanations can be believed, measured by asking the model again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from mne.utils import logger

from eegflex._version import __version__
from eegflex.errors import EvaluationStopped, OutputError, ParameterError, check_choice
from eegflex.evaluation.asked import check_asked, try_methods
from eegflex.evaluation.evaluation import Evaluation, with_measures
from eegflex.evaluation.explanation import Explanation
from eegflex.evaluation.parts import PARTS, Part
from eegflex.evaluation.question import Question, ask
from eegflex.results.result import FlexResult
from eegflex.settings import EvaluationSettings, StagingSettings
from eegflex.spec.model_spec import ModelSpec
from eegflex.staging import StagedNight, night_of
from eegflex.utils.progress import duration_text, progress
from eegflex.utils.stopping import held
from eegflex.utils.verbose import verbose

__all__ = ["check_goes_on", "evaluate", "wanted_parts"]


@verbose
def evaluate(
    result: FlexResult,
    epochs: mne.BaseEpochs | StagedNight,
    model: Any = None,
    *,
    spec: ModelSpec | str | Path | None = None,
    parts: Sequence[str] | str | None = None,
    compare: Sequence[str] | str = (),
    groups: float | str = 1.0,
    sample_per_stage: int | None = 10,
    baseline: Any = None,
    device: str | None = None,
    seed: int = 0,
    verbose: bool | str | int | None = None,
) -> Evaluation:
    """Test explanations on the model, to measure how far they can be believed.

    Parameters
    ----------
    result : FlexResult
        Attributions of one recording. It is not changed.
    epochs : mne.Epochs | StagedNight
        The recording that they are of, or that recording as `eegflex.stage_epochs` staged it.
    model : object
        The model that they are of, as in `eegflex.attribute_epochs`; left out with a `StagedNight`.
    spec : ModelSpec | path-like | None
        Its spec, as in `attribute_epochs`.
    parts : str | sequence of str | None
        Tests to run; by default all. Tests that an earlier evaluation of the same result ran with the same arguments are not
        repeated.
    compare : str | sequence of str
        Other methods, such as ``"gradient_shap"``, that explain the same epochs and are compared with the result's by the order
        in which they insert and delete frequencies.
    groups : float | "bands"
        What is inserted and deleted at once, for each channel: frequency ranges of this width in Hz, or bands.
    sample_per_stage : int | None
        Number of random explanations of each predicted stage to evaluate; None or 0: all.
    baseline : array | None
        The baseline of the attribution, if it was an array: a result does not store it.
    device : str | None
        Where to compute; by default where the model is.
    seed : int
        Random seed.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    evaluation : Evaluation
        Its ``findings`` say what was measured, and its ``result`` is the result with the measured numbers.

    Raises
    ------
    ParameterError
        If the result is of several recordings, of another recording or model, or of only some channels; or if an argument is
        not valid, such as a method to compare that does not support the result's baseline.
    EvaluationStopped
        If it was stopped. Its ``evaluation`` has what was measured so far; evaluate its ``evaluation.result`` to continue.

    See Also
    --------
    eegflex.evaluation.Evaluation : What `eegflex.evaluate` measured.
    eegflex.evaluation.assess : What can be told without asking the model again.
    eegflex.FlexResult : Attributions, labelled.
    eegflex.check_model : Whether a model is connected as it was meant.

    Notes
    -----
    An explanation is that of one epoch with one channel set. All that is asked is asked of the epoch among its neighbours as
    recorded, whatever context the explanation has.

    ``faithfulness``
        Frequencies are inserted into the baseline, and deleted from the epoch, those of the largest attribution first: columns
        ``"insertion: attribution"`` and ``"deletion: attribution"``, the mean answer meanwhile, and ``"area: attribution"``,
        their difference; likewise in the order of each method that is compared, of the power of the change, and at random. The
        answer is the probability of the stage. ``"deletion: random beaten"`` is the share of 10 orders at random that delete
        more slowly.
    ``knock-out``
        ``"knock-out: correlation"``, by ranks, of attributions to bands of channels with what the score loses without each one;
        ``"infidelity: attribution"`` (after [1]_), how far they are off what it loses without half of them, from 0,
        which is exact, to 1, which knows nothing of where, and 2.
    ``one by one``
        ``"bands: one by one"``, the share of the attribution to bands of channels that each does by itself, put in first or
        left out first.
    ``sets``
        The smallest set of bands of channels that keeps the stage (``"sufficient: n"``, ``"sufficient: p"``), the smallest
        that takes it away (``"necessary: n"``), and the smallest change of amplitudes within the range of this night that makes
        it another (``"flip: n"``, ``"flip: log gain"``); the tables ``"sets"`` and ``"sets_by_stage"`` name them.
    ``shortcuts``
        ``"shortcut: line"`` and so on, the share of the absolute attribution where no sleep can be seen, with ``"shortcut
        chance: line"`` beside it; the table ``"shortcuts"`` says where that is, or why it cannot be told.
    ``events``
        The tables of `eegflex.evaluation.grounding`, `eegflex.evaluation.aasm_criteria` and
        `eegflex.evaluation.decisive_events`, for a result with a view in time. It needs the extra ``yasa``.
    ``stability``
        Of the first 20: ``"stability: noise"`` and ``"stability: shift"``, similarity with the explanation of the epoch with
        noise of its own spectrum 20 dB below it, and of the epoch shifted by 1 s; ``"stability: other epochs"`` beside them;
        and ``"sensitivity: largest change"`` under noise, as a share of the absolute total.
    ``agreement``
        ``"agreement: baseline"``, similarity with the explanation from another baseline, of the first 10, and ``"agreement:
        second opinion"``; and a table ``"agreement: neighbours"`` of epochs of one stage that follow each other.
    ``sanity``
        A table of how similar the explanations of the model with weights in random order, of other stages, and of epochs with
        random phases are to its own, of the first 10, or a fifth of more than 50; after [2]_.

    Similarity is the cosine of the angle between signed band sums.

    References
    ----------
    .. [1] Yeh C.-K. et al. (2019). On the (in)fidelity and sensitivity of explanations. Advances in Neural Information
       Processing Systems 32.
    .. [2] Adebayo J. et al. (2018). Sanity checks for saliency maps. Advances in Neural Information Processing Systems 31.
       doi:10.48550/arXiv.1810.03292

    Examples
    --------
    >>> import eegflex
    >>> psg = eegflex.simulate_psg(hours=1, sfreq=128, seed=1, verbose="error")
    >>> night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    >>> result = eegflex.attribute_epochs(night, sample_per_stage=4, verbose="error")
    >>> evaluation = eegflex.evaluate(result, night, parts="faithfulness", verbose="error")
    >>> bool(evaluation.area.loc["attribution", "above_random_low"] > 0)
    True
    """
    asked = EvaluationSettings(
        parts=parts, compare=compare, groups=groups, sample_per_stage=sample_per_stage, device=device, seed=seed
    )
    if not isinstance(result, FlexResult):
        raise ParameterError(
            "There must be a result to evaluate",
            seen=type(result).__name__,
            allowed="a FlexResult",
            remedy="Create it with eegflex.attribute_epochs, or read it with eegflex.read_result",
        )
    wanted, methods = wanted_parts(asked), tuple(asked.compare)
    check_asked(result, methods)
    with held():
        night = _night(result, epochs, model, spec, device)
        question = ask(result, night, baseline=baseline, seed=asked.seed, compare=methods, groups=asked.groups)
        return _Run(result, question, asked, wanted)()


def wanted_parts(asked: EvaluationSettings) -> tuple[str, ...]:
    """Names of the parts that are asked for, in their order.

    Raises
    ------
    ParameterError
        If there is no such part, or none is named.
    """
    if asked.parts is not None and not asked.parts:
        raise ParameterError("parts is empty", allowed=tuple(PARTS), remedy="Leave it out to run all tests")
    for name in asked.parts or ():
        check_choice("parts", name, tuple(PARTS))
    return tuple(name for name in PARTS if asked.parts is None or name in asked.parts)


def _as_kept(asked: EvaluationSettings) -> dict[str, Any]:
    """What an evaluation keeps of what it was asked, by which a later one knows whether it goes on."""
    return asked.to_dict() | {"eegflex": __version__}


def _why_other(before: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Why what an earlier run measured is no part of this one."""
    names = {**before["settings"], **asked}
    other = [name for name in names if before["settings"].get(name) != asked.get(name)]
    return f"with another {', '.join(other)}" if other else "of other explanations"


def check_goes_on(result: FlexResult, asked: EvaluationSettings) -> None:
    """Refuse to put an evaluation in the place of one that was asked otherwise; one that was asked the same goes on.

    Raises
    ------
    ParameterError
        If it cannot be evaluated so at all.
    OutputError
        If the result holds an evaluation with other settings.
    """
    check_asked(result, tuple(asked.compare))
    before = result.provenance.get("evaluation") if len(result.recordings) == 1 else None
    if before is None or before["settings"] == _as_kept(asked):
        return
    raise OutputError(
        f"The result has an evaluation {_why_other(before, _as_kept(asked))}, whose numbers would be lost",
        seen=f"{', '.join(before['done']) or 'nothing'} of {len(before['cases'])} explanations, "
        + ", ".join(f"{name} {value}" for name, value in before["settings"].items() if value != []),
        remedy="Write this one to another file (-o), use the same arguments as before to continue, or replace it with "
        "--overwrite",
    )


def _night(
    result: FlexResult,
    epochs: mne.BaseEpochs | StagedNight,
    model: Any,
    spec: ModelSpec | str | Path | None,
    device: str | None,
) -> StagedNight:
    """The night that was explained, staged as it was then."""
    if isinstance(epochs, StagedNight):
        return night_of(epochs, model, spec, StagingSettings(device=device))
    names = [one.name for one in dataclasses.fields(StagingSettings)]
    asked = {name: value for name, value in result.parameters.items() if name in names and name != "device"}
    return night_of(epochs, model, spec, StagingSettings(**asked, device=device))


class _Run:
    """One run of an evaluation, which keeps what is finished whatever ends it.

    Parameters
    ----------
    result : FlexResult
        What is evaluated, with what was measured of it before.
    question : Question
        The same, and its model.
    asked : EvaluationSettings
        What was asked.
    wanted : sequence of str
        Names of the parts.
    """

    def __init__(
        self, result: FlexResult, question: Question, asked: EvaluationSettings, wanted: Sequence[str]
    ) -> None:
        self.result, self.question, self.wanted = result, question, wanted
        self.asked = _as_kept(asked)
        self.explanations = question.sample(asked.sample_per_stage or None)
        self.cases = [[one.number, one.channel_set] for one in self.explanations]
        self.done: dict[str, int] = {}
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.values: dict[str, npt.NDArray[np.float64]] = {}
        before = result.provenance.get("evaluation")
        if before is None:
            return
        if before["settings"] == self.asked and before["cases"] == self.cases:
            self._take_up(before)
        else:
            logger.warning(
                f"What was measured before {_why_other(before, self.asked)} is left out of this evaluation: "
                f"{', '.join(before['done']) or 'nothing'}. Save this one under another name to keep both"
            )

    def _take_up(self, before: Mapping[str, Any]) -> None:
        """Keep what an earlier run measured, if it was asked the same."""
        self.done, self.tables = dict(before["done"]), dict(before["tables"])
        data = self.result.data
        if "measures" not in data:
            return
        self.values = {
            str(name): data["measures"].values[..., k] for k, name in enumerate(data["measure"].values.tolist())
        }

    def __call__(self) -> Evaluation:
        """Measure what is left."""
        try:
            for one in self.explanations[:1]:
                try_methods(one)
            for name in self.wanted:
                self._measure(name, PARTS[name])
        except KeyboardInterrupt as ended:
            raise EvaluationStopped(self._evaluation()) from ended
        return self._evaluation()

    def _measure(self, name: str, part: Part) -> None:
        left = self.explanations[self.done.get(name, 0) :]
        if part.of_each is not None and left:
            self._measure_each(name, part.of_each, left)
        if part.of_all is not None and not self._is_done(name):
            found = part.of_all(self.question, self.explanations)
            self.tables |= {key: table.to_dict("records") for key, table in found.items()}
        self.done[name] = self._whole

    def _measure_each(
        self, name: str, measure: Callable[[Explanation], Mapping[str, float]], left: Sequence[Explanation]
    ) -> None:
        def said(seconds: float) -> str:
            return f"Evaluating {name} of {len(left)} explanations takes about {duration_text(len(left) * seconds)}"

        with progress(len(left), f"Evaluating {name}", said) as done:
            for place, one in enumerate(left, 1):
                for column, value in measure(one).items():
                    self._keep(column, one, value)
                self.done[name] = len(self.explanations) - len(left) + place
                done(1)

    @property
    def _whole(self) -> int:
        """What is told of a part that is done: one more than its explanations, so that its tables are there, too."""
        return len(self.explanations) + 1

    def _is_done(self, name: str) -> bool:
        return self.done.get(name, 0) == self._whole

    def _keep(self, column: str, one: Explanation, value: float) -> None:
        if column not in self.values:
            data = self.result.data
            self.values[column] = np.full((data.sizes["epoch"], data.sizes["channel_set"]), np.nan)
        self.values[column][one.row, one.channel_set] = value

    def _evaluation(self) -> Evaluation:
        data = self.result.data
        shape = data.sizes["epoch"], data.sizes["channel_set"], len(self.values)
        values = np.stack(list(self.values.values()), axis=-1) if self.values else np.empty(shape)
        told = {
            "settings": self.asked,
            "cases": self.cases,
            "done": self.done,
            "left": [name for name in PARTS if name in {*self.wanted, *self.done} and not self._is_done(name)],
            "tables": self.tables,
        }
        return Evaluation(with_measures(self.result, told, list(self.values), values))
