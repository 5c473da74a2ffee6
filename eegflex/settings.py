"""What a staging and an attribution are asked, as Python, the shell and provenance have it.

The words of the help are the shell's; nothing heavy is imported, so that they are there at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eegflex.errors import ParameterError, check_choice
from eegflex.utils.given import SEEDS, Span, check_number, plain, put_counts, selection, whole_number

__all__ = [
    "ADAPTIVE",
    "AUTO",
    "BANDS",
    "CONTEXTS",
    "DRAWN_BASELINES",
    "DTYPES",
    "EDGES",
    "FILE_LABEL",
    "FILTER_EDGES",
    "FIXED_RULES",
    "MEAN",
    "MOST_DRAWS",
    "MOST_STEPS",
    "ON_CHECK",
    "PRECISIONS",
    "RESOLUTIONS",
    "SECOND_OPINIONS",
    "VIEWS",
    "EvaluationSettings",
    "Settings",
    "StagingSettings",
]

#: What happens where a run ends within a window.
EDGES = ("shift", "pad", "skip")
#: Whether epochs into which the edge of a run reaches are explained like any other, or masked.
FILTER_EDGES = ("keep", "mask")
#: Precisions of the network's arithmetic.
DTYPES = ("float32", "float64")
#: What may move along the path.
CONTEXTS = ("fixed", "scaled")
#: Baselines of which several are drawn at random for each epoch.
DRAWN_BASELINES = ("surrogate",)
#: What an attribution can be to.
VIEWS = ("frequency", "time", "time-frequency")
#: How finely views of all stages are kept: as sums over neighbours, or every bin of them.
RESOLUTIONS = ("light", "full")
#: Ways without a path that some epochs are asked about once more.
SECOND_OPINIONS = ("shapley",)
#: The rule that adds nodes until its tolerance is met, and those of a fixed number of nodes.
ADAPTIVE = "adaptive"
FIXED_RULES = ("graded", "gauss-legendre", "riemann-left", "riemann-middle", "riemann-right")
#: What is to be exact: each epoch, or only means over the epochs of a stage.
MEAN = "mean"
PRECISIONS = ("epoch", MEAN)
#: The groups of frequencies that are not a width in Hz.
BANDS = "bands"
#: What is chosen by what is measured.
AUTO = "auto"
#: Nodes of a fixed rule: more take longer to place than anybody waits, and more memory than there is.
MOST_STEPS = 4096
#: How often a night is staged again with random phases: far more than its shares gain by.
MOST_DRAWS = 1000
#: What is counted, and from where to where.
_COUNTS = {
    "max_evals": Span(),
    "sample_per_stage": Span(default=True),
    "batch_size": Span(default=True),
    "n_steps": Span(1, MOST_STEPS, default=True),
    "seed": SEEDS,
    "spectral_share": Span(0, MOST_DRAWS),
}
#: What becomes of a model whose explanation would be false.
ON_CHECK = ("raise", "warn", "ignore")
#: As long as names of files are.
_MOST_LABEL = 255
#: The label that asks for the name of the recording's file.
FILE_LABEL = "file"


def _said(words: str, **more: Any) -> dict[str, Any]:
    """What the shell's help says of a field: its words; `at_least`; and how its text is read: ``"pair"`` or ``"list"``."""
    return {"help": words, **more}


@dataclass(frozen=True)
class StagingSettings:
    """How a recording is staged.

    Attributes
    ----------
    picks : str | tuple of str | None
        Channels to choose from; by default all that are not bad.
    edges : {"shift", "pad", "skip"}
        What happens where a run ends within the window of an epoch.
    filter_edges : {"keep", "mask"}
        Whether epochs into which the preparation's filter reaches from beyond the edge of a run are used like any other.
    window_length : int | "auto"
        Epochs of the window of a stager of whole nights.
    device : str | None
        Where to compute; by default where the model is.
    dtype : {"float32", "float64"} | None
        Precision of the network's arithmetic; None: the model's own.

    Raises
    ------
    ParameterError
        If one of them is not one of its choices.
    """

    picks: str | tuple[str, ...] | None = field(
        default=None, metadata=_said("Channels to choose from, separated by commas.", read="list")
    )
    edges: str = field(
        default="shift",
        metadata=_said("If a run ends within a window: shift the window, pad it with silence, or skip the epoch."),
    )
    filter_edges: str = field(
        default="keep",
        metadata=_said("Epochs at the ends of a run that contain the filter's edge artifact: keep or mask."),
    )
    window_length: int | str = field(
        default=AUTO,
        metadata=_said(
            "Epochs of a window, for whole-night stagers; auto: 21, or more where 21 changes the result too much.",
            read="text",
        ),
    )
    device: str | None = field(default=None, metadata=_said("Where to compute: cpu, cuda or mps."))
    dtype: str | None = field(
        default="float32", metadata=_said("Precision of the network's arithmetic: float32 or float64.")
    )

    def __post_init__(self) -> None:
        check_choice("edges", self.edges, EDGES)
        check_choice("filter_edges", self.filter_edges, FILTER_EDGES)
        check_choice("dtype", self.dtype, (*DTYPES, None))
        if self.picks is not None and not isinstance(self.picks, str):
            object.__setattr__(self, "picks", tuple(map(str, self.picks)))
        object.__setattr__(self, "window_length", _window_length(self.window_length))
        if self.device is not None:
            object.__setattr__(self, "device", str(self.device))

    @property
    def n_window(self) -> int | None:
        """Epochs of a window; None for those with which a choice begins."""
        return None if isinstance(self.window_length, str) else self.window_length


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings(StagingSettings):
    """The arguments of an attribution.

    Two of them are equal if they ask the same, arrays included, and hash and pickle accordingly.

    Attributes
    ----------
    target, baseline, context, windows_per_stage, method, second_opinion, spectral_share, precision, quadrature, tol, \
    max_evals, n_steps, views, resolution, select, sample_per_stage, seed, batch_size, on_check
        As in `eegflex.attribute_epochs`, and those of `StagingSettings`.
    label, n_jobs
        Likewise, but no part of the question: what the recording is called, and in how many processes it is answered.

    Raises
    ------
    ParameterError
        If one of them is not one of its choices, or they do not go together.
    """

    target: str | tuple[str, str] = field(
        default="predicted",
        metadata=_said("What to explain: predicted, scored, margin, all, a stage, or two as in N2,N1.", read="pair"),
    )
    baseline: Any = field(
        default=AUTO,
        metadata=_said(
            "What to compare with: zero, aperiodic, recording, surrogate, or stage:W; auto: recording if it has 60 usable "
            "epochs, else aperiodic.",
            read="text",
        ),
    )
    context: str = field(
        default="fixed",
        metadata=_said("Keep neighbouring epochs as recorded (fixed), or change them with the epoch (scaled)."),
    )
    windows_per_stage: int | str = field(
        default=AUTO,
        metadata=_said(
            "With a fixed context: number of epochs of each stage whose whole window is explained, if the context decides; "
            "auto: a few; 0: none.",
            read="text",
        ),
    )
    method: str = field(default="flex", metadata=_said("Attribution method: flex, saliency, deeplift, shapley, ..."))
    second_opinion: str | None = field(
        default=None,
        metadata=_said("Explain some epochs of each stage with a second method that uses no path: shapley."),
    )
    spectral_share: int = field(
        default=3,
        metadata=_said(
            "How often to stage the night again with random phases, to separate spectra from waveforms; 0: never.",
            at_least=0,
        ),
    )
    precision: str = field(
        default="epoch",
        metadata=_said("What to compute exactly: each epoch, or, much faster, only means of stages (mean)."),
    )
    quadrature: str = field(
        default=ADAPTIVE, metadata=_said(f"Integration rule: {', '.join((ADAPTIVE, *FIXED_RULES))}.")
    )
    tol: float = field(
        default=0.02, metadata=_said("Adaptive rule: allowed error of the band sums, relative to their absolute total.")
    )
    max_evals: int = field(default=400, metadata=_said("Adaptive rule: maximum of gradient evaluations for an epoch."))
    n_steps: int | None = field(
        default=None,
        metadata=_said("Other rules, and precision mean: gradient evaluations for each epoch.", at_least=1),
    )
    views: tuple[str, ...] = field(
        default=("frequency",),
        metadata=_said(f"Views of the attribution, separated by commas: {', '.join(VIEWS)}.", read="list"),
    )
    resolution: str = field(
        default="light",
        metadata=_said(
            "With target all, views keep sums over 0.1 Hz and 0.25 s (light) or every bin (full), which other "
            "targets always keep."
        ),
    )
    select: str | tuple[int, ...] | tuple[bool, ...] | None = field(
        default=None,
        metadata=_said(
            "Explain only these epochs: numbers such as 12,20-25, or a query of the night's table "
            "such as \"predicted == 'N1' and margin < 0.2\".",
            read="text",
        ),
    )
    sample_per_stage: int | None = field(
        default=None, metadata=_said("Explain only this many epochs of each predicted stage.", at_least=1)
    )
    seed: int = field(default=0, metadata=_said("Random seed."))
    batch_size: int | None = field(
        default=None, metadata=_said("Points in one pass through the network. Default: as many as fit.", at_least=1)
    )
    n_jobs: int | None = field(
        default=None,
        metadata=_said(
            "Number of processes: 1, 2, ...; -1: one for each core. Default: one for each core in long runs."
        ),
    )
    on_check: str = field(
        default="raise",
        metadata=_said("If a check finds that the explanation would be wrong: raise, warn or ignore (no check)."),
    )
    label: str | None = field(
        default=None,
        metadata=_said(
            "Name of the recording in the result; file: the name of its file. Default: a hash of its content."
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        views = (self.views,) if isinstance(self.views, str) else self.views  # type: ignore[unreachable]
        for view in views:
            check_choice("views", view, VIEWS)
        object.__setattr__(self, "views", tuple(dict.fromkeys(("frequency", *views))))
        if isinstance(self.target, list):  # as JSON has a pair
            object.__setattr__(self, "target", tuple(self.target))  # type: ignore[unreachable]
        object.__setattr__(self, "select", selection(self.select))
        check_choice("context", self.context, CONTEXTS)
        object.__setattr__(self, "windows_per_stage", _windows_per_stage(self.windows_per_stage))
        check_choice("resolution", self.resolution, RESOLUTIONS)
        check_choice("on_check", self.on_check, ON_CHECK)
        check_choice("second_opinion", self.second_opinion, (*SECOND_OPINIONS, None))
        check_choice("quadrature", self.quadrature, (ADAPTIVE, *FIXED_RULES))
        if self.label is not None and not _is_line(self.label):
            raise ParameterError(
                f"label must be a line of text of at most {_MOST_LABEL} characters", seen=f"{self.label!r:.80}"
            )
        check_choice("precision", self.precision, PRECISIONS)
        if self.precision == MEAN:
            self._check_mean()
        if self.is_adaptive and self.n_steps is not None:
            raise ParameterError(
                "The adaptive quadrature finds its own number of steps",
                seen=f"n_steps={self.n_steps}",
                remedy="Give tol and max_evals, or a fixed rule such as quadrature='gauss-legendre'",
            )
        if not 0 < self.tol < 1:
            raise ParameterError("tol must be between 0 and 1", seen=self.tol, remedy="0.02 is 2 %")
        if self.n_jobs is not None and not whole_number(self.n_jobs):
            raise ParameterError(
                "n_jobs must be a number of processes",
                seen=repr(self.n_jobs),
                allowed="1, 2, ..., -1 (one a core) or None",
            )
        put_counts(self, _COUNTS)

    def _check_mean(self) -> None:
        """Refuse what is of single epochs, of which a mean says nothing."""
        needed = {"quadrature": ADAPTIVE, "context": "fixed", "views": ("frequency",), "second_opinion": None}
        for name, value in needed.items():
            if (seen := getattr(self, name)) != value:
                raise ParameterError(
                    f"precision='mean' tells of means of stages, and draws its nodes at random: {name} must be {value!r}",
                    seen=f"{name}={seen!r}",
                    remedy=f"Leave {name} out, or take precision='epoch'",
                )
        if (n_steps := whole_number(self.n_steps)) and n_steps % 2:
            raise ParameterError(
                "With precision='mean', n_steps must be even", seen=self.n_steps, allowed="2, 4, 6, ..."
            )

    @property
    def is_light(self) -> bool:
        """Whether sums over neighbouring bins are kept in place of them."""
        return self.target == "all" and self.resolution == "light"

    @property
    def is_adaptive(self) -> bool:
        """Whether nodes are added until the tolerance is met."""
        return self.quadrature == ADAPTIVE and self.precision != MEAN

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for provenance; an array is named by its hash, and what the answer does not depend on is left out."""
        values = {one.name: plain(getattr(self, one.name)) for one in dataclasses.fields(self)}
        of_rule = ("n_steps",) if self.is_adaptive else ("tol", "max_evals")
        of_rule = of_rule if self.precision == MEAN else (*of_rule, "precision")
        unused = {"label", "n_jobs", *of_rule, *(() if self.target == "all" else ("resolution",))}
        return {name: value for name, value in values.items() if name not in unused}

    @property
    def digest(self) -> str:
        """Hash of what is asked, the same in every process."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.digest == other.digest

    def __hash__(self) -> int:
        return int(self.digest[:15], 16)


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """The arguments of an evaluation.

    Attributes
    ----------
    parts, compare, groups, sample_per_stage, device, seed
        As in `eegflex.evaluate`.

    Raises
    ------
    ParameterError
        If one of them cannot be.
    """

    parts: Sequence[str] | str | None = field(
        default=None, metadata=_said("Tests to run, separated by commas. Default: all.", read="list")
    )
    compare: Sequence[str] | str = field(
        default=(),
        metadata=_said("Methods to compare with the result's, separated by commas: gradient_shap, ...", read="list"),
    )
    groups: float | str = field(
        default=1.0,
        metadata=_said(
            "What is inserted and deleted at once, for each channel: frequency ranges of this width in Hz, or bands.",
            read="text",
        ),
    )
    sample_per_stage: int | None = field(
        default=10, metadata=_said("Number of explanations of each predicted stage to evaluate; 0: all.", at_least=0)
    )
    device: str | None = field(default=None, metadata=_said("Where to compute: cpu, cuda or mps."))
    seed: int = field(default=0, metadata=_said("Random seed."))

    def __post_init__(self) -> None:
        for name in ("parts", "compare"):
            given = getattr(self, name)
            if given is not None:
                if not isinstance(given, Iterable):
                    raise ParameterError(f"{name} must be a name or several", seen=repr(given))
                words = (given,) if isinstance(given, str) else tuple(map(str, given))
                object.__setattr__(self, name, tuple(dict.fromkeys(words)))
        object.__setattr__(self, "groups", _groups(self.groups))
        object.__setattr__(self, "sample_per_stage", 0 if self.sample_per_stage is None else self.sample_per_stage)
        put_counts(self, {"sample_per_stage": Span(0), "seed": SEEDS})

    def to_dict(self) -> dict[str, Any]:
        """What the numbers depend on: what is measured at all, and where, does not change them."""
        names = ("groups", "sample_per_stage", "seed")
        return {"compare": list(self.compare)} | {name: getattr(self, name) for name in names}


def _is_line(label: Any) -> bool:
    return isinstance(label, str) and label.strip() != "" and label.isprintable() and len(label) <= _MOST_LABEL


def _window_length(given: Any) -> int | str:
    """Epochs of a window, as text too, or "auto", which None, as older results have it, means."""
    if given is None or (isinstance(given, str) and given == AUTO):
        return AUTO
    if isinstance(given, str) and given.isdecimal():
        return int(given)
    count = whole_number(given)
    if count is None or count < 1:
        raise ParameterError(
            "window_length must be a number of epochs", seen=repr(given), allowed=f"1, 2, ... or {AUTO!r}"
        )
    return count


def _groups(given: Any) -> float | str:
    """A width in Hz, as text too, or bands: from less than a bin of any epoch to more than the widest spectrum."""
    if isinstance(given, str) and given == BANDS:
        return BANDS
    with contextlib.suppress(ValueError):
        given = float(given) if isinstance(given, str) else given
    return check_number("groups", given, 1e-6, 10_000.0, "a positive width in Hz, or 'bands'")


def _windows_per_stage(given: Any) -> int | str:
    """How many windows, as text too, or "auto"."""
    if isinstance(given, str) and given.isdecimal():
        return int(given)
    if isinstance(given, str) and given == AUTO:
        return AUTO
    count = whole_number(given)
    if count is None or count < 0:
        raise ParameterError(
            "windows_per_stage must be a number of windows", seen=repr(given), allowed=f"0, 1, 2, ... or {AUTO!r}"
        )
    return count
