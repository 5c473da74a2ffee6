"""Pages that are made of what the package says of itself: its public names, its command line and its changelog."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import typer

import eegflex
from eegflex import cli
from eegflex.evaluation import TRUTHS
from eegflex.spec import load_spec, spec_names
from eegflex.spec.published import described

ROOT = Path(__file__).resolve().parents[1]


class Task(NamedTuple):
    """What somebody wants to do, and the public names that it takes, in the order in which they are needed."""

    title: str
    purpose: str
    names: str

    @property
    def listed(self) -> list[str]:
        """The names, as they stand below ``eegflex``."""
        return self.names.split()


#: The API reference, task by task.
TASKS = (
    Task(
        "Read a recording",
        "From a file and its hypnogram to MNE's Raw and Epochs, with notes on what was found and done.",
        """read_psg read_hypnogram make_epochs
        readers.describe_psg readers.PSGDescription readers.SignalDescription readers.get_notes readers.ReadingNotes""",
    ),
    Task(
        "Public data sets",
        "Their channels and codes, who may use them, and how to get them.",
        """datasets.list_datasets datasets.describe_dataset datasets.fetch_sleep_edf datasets.RecordingFiles
        readers.profile_names readers.load_profile readers.Profile""",
    ),
    Task(
        "Load a stager",
        "Any model that stages sleep, and a check that it gets the right input. :doc:`models` lists stagers that have a name.",
        "load_model Stager stagers.ensemble check_model doctor.Findings doctor.Finding",
    ),
    Task(
        "Describe a stager",
        "The spec of a stager in Python; :doc:`/specs` has the same fields in TOML.",
        """ModelSpec spec.ChannelSpec spec.FilterSpec spec.ScaleSpec spec.ContextSpec spec.SpectrogramSpec spec.LogSpec
        spec.spec_names spec.load_spec spec.spec_text""",
    ),
    Task(
        "Stage a night",
        "Stages and probabilities, and which epochs a scorer should look at first.",
        """stage_epochs StagedNight
        review.review_queue review.epochs_to_review review.save_queue review.to_annotations""",
    ),
    Task(
        "Explain stages",
        "Which rhythms, on which channels, at which moment. A result has methods for tables, figures and files.",
        "attribute_epochs FlexResult Bands read_result concatenate_results attribute",
    ),
    Task(
        "Test explanations",
        "Tests on the model, and checks that need only the result.",
        "evaluate evaluation.Evaluation evaluation.assess",
    ),
    Task(
        "Compare explanations with what scorers look for",
        "Spindles, K-complexes, slow waves, eye movements: whether the network used them.",
        """evaluation.find_sleep_events evaluation.grounding evaluation.grounding_findings evaluation.decisive_events
        evaluation.aasm_criteria evaluation.AASM_CRITERIA evaluation.AasmCriterion""",
    ),
    Task(
        "Reports and figures",
        "The report of a result, and figures as functions; the methods of a result call them.",
        """make_report report.Report report.main_findings viz.plot_bands viz.plot_spectrum viz.plot_topomap viz.plot_epoch
        viz.plot_examples viz.plot_night viz.plot_confusion viz.plot_context viz.plot_completeness""",
    ),
    Task(
        "Explain many nights, and compare people",
        "The unit is the person. Needs the extra ``cohort``.",
        """cohort.run_cohort cohort.list_recordings cohort.Recording cohort.cohort_status cohort.CohortStatus
        cohort.read_cohort cohort.Cohort cohort.compare_groups cohort.correlate cohort.mixed_model cohort.Comparison
        cohort.plan_epochs cohort.EpochPlan cohort.make_cohort_report""",
    ),
    Task(
        "Simulate, and compare explanations with a known truth",
        "Nights in which every event is known, stagers that use only one kind of them, and measures of how much of an "
        "explanation is in the right place.",
        """simulate_psg simulation.SimulatedPSG cohort.simulate_cohort evaluation.KnownTruth evaluation.TRUTHS
        evaluation.share_in_truth evaluation.cover_of_events evaluation.Cover evaluation.average_precision
        evaluation.area_under_roc evaluation.plant_line_noise""",
    ),
    Task(
        "When something goes wrong",
        "Errors that you can correct: each says what is wrong, what was found, what is allowed and what to do.",
        """EegflexError errors.ParameterError errors.RecordingError errors.EmptyRecordingError errors.UnitError
        errors.ChannelError errors.HypnogramError errors.EmptyHypnogramError errors.ModelError errors.SpecError
        errors.MemoryShortError errors.AttributionFailed errors.AttributionStopped errors.EvaluationStopped
        errors.DownloadError errors.OutputError errors.MissingExtraError sys_info""",
    ),
)

_OF_STAGERS = """Stagers that ``load_model`` (``--model``) takes by name, with the values of their specs. You can also pass
any other network, file or estimator: :doc:`/guide/stagers`.

*Channels*: those marked *each* are used one at a time, and the stager runs once for each; those marked *all* are used
together; of others, the first that fits is used. *Context*: epochs before, the epoch itself, and epochs after. *Licence*:
of the weights if they are included, otherwise of the code; if none is given, ask the provider of the weights.

.. |br| raw:: html

   <br>
"""

#: Stagers that are made, not trained, have no file of a spec.
_KNOWN = (
    "100 Hz, 30 s, signal",
    "eeg (all)",
    "none",
    "BSD-3-Clause",
    "built by hand: each uses one band of one channel",
)

_HOW_WEIGHTS_ARE_GOT = (
    ("weights", "how"),
    ("part of eegflex", "Nothing else is needed."),
    (
        "package gssc",
        "``pip install 'eegflex[gssc]'``, under the AGPL. ``gssc-eeg`` and ``gssc-eog`` use one signal.",
    ),
    ("package yasa", "``pip install 'eegflex[yasa]'``. It has no gradient; use a method that needs none."),
    (
        "package physioex",
        "``pip install --no-deps physioex==1.0.0.dev4``, or pass its wheel or a folder as ``weights=``.",
    ),
    (
        "your own file",
        '``load_model(name, weights="mine.ckpt")``. Networks of braindecode need ``eegflex[braindecode]``.',
    ),
)


def write(folder: Path) -> None:
    """Write all pages into a folder; a page that has not changed is left alone, so that Sphinx need not read it again."""
    folder.mkdir(exist_ok=True)
    made = {"api.rst": api(), "models.rst": models(), "cli.rst": command_line(), "changelog.rst": changelog()}
    for name, text in (made | {"which_function.txt": which_function()}).items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def public() -> dict[str, object]:
    """Every public thing under the one name, below ``eegflex``, by which the reference lists it."""
    return {name: attrgetter(name)(eegflex) for task in TASKS for name in task.listed}


def api() -> str:
    """List every public name once, under the task that it is for."""
    parts = [_title("API reference", "="), "All public names, by task. Each page has an example that you can run."]
    parts += [".. currentmodule:: eegflex"]
    for task in TASKS:
        listed = "\n".join(f"   {name}" for name in task.listed)
        table = f".. autosummary::\n   :toctree: .\n   :nosignatures:\n\n{listed}\n"
        parts += [_title(task.title, "-"), task.purpose, table]
    return "\n\n".join(parts)


def models() -> str:
    """Say of each stager that is known by name what its spec says."""
    rows: list[Sequence[str]] = [("stager", "input", "channels", "context", "licence", "weights")]
    for name in spec_names():
        spec = load_spec(name)
        rate, length, _, context, weights = described(name, spec)
        taken = f"{rate}, {length}, {'spectrogram' if spec.spectrogram else 'signal'}"
        channels = ", ".join(one.name if one.use == "first" else f"{one.name} ({one.use})" for one in spec.channels)
        whose = re.split("[,;]", spec.citation)[0]
        rows.append((f"``{name}`` |br| {whose}", taken, channels, context, spec.licence or "not given", weights))
    rows.append((", ".join(f"``{name}``" for name in TRUTHS), *_KNOWN))
    parts = [_title("Stagers by name", "="), _OF_STAGERS, _table(rows, "26 18 13 12 13 18")]
    parts += [_title("How to get the weights", "-"), _table(_HOW_WEIGHTS_ARE_GOT, "30 70")]
    return "\n\n".join([*parts, "In a shell, ``eegflex specs`` lists the same, and prints a spec that you can edit.\n"])


def which_function() -> str:
    """The guide's table "Which function do I need?", to stand on the home page as well."""
    text = (ROOT / "docs" / "guide" / "index.rst").read_text("utf-8")
    table = re.search(r"^\.\. list-table:: Which function.*?(?=^\.\. toctree)", text, re.DOTALL | re.MULTILINE)
    if table is None:
        raise ValueError("docs/guide/index.rst has no table of functions")
    bare = table[0].replace(" Which function do I need?", "", 1)  # there it is the heading of a section
    return re.sub(r":doc:`(?=\w)", ":doc:`/guide/", bare)


def command_line() -> str:
    """Show the help of every command."""
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    parts = [
        _title("Command line", "="),
        "Options have the names of the arguments in Python. This is the help of each command.",
    ]
    for arguments in ((), *((name,) for name in commands)):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            cli.main([*arguments, "--help"])
        text = "".join(f"   {line}".rstrip() + "\n" for line in said.getvalue().splitlines())
        parts += [_title(" ".join(("eegflex", *arguments)), "-"), f".. code-block:: text\n\n{text}"]
    return "\n\n".join(parts)


def changelog() -> str:
    """Turn the changelog's few forms of Markdown into reStructuredText."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8").replace("`", "``")
    text = re.sub(r"^# (.+)$", lambda found: _title(found[1], "="), text, flags=re.MULTILINE)
    text = re.sub(r"^## (.+)$", lambda found: _title(found[1], "-"), text, flags=re.MULTILINE)
    return re.sub(r"^### (.+)$", lambda found: _title(found[1], "~"), text, flags=re.MULTILINE)


def strict(gallery_conf: dict, fname: str) -> None:
    """Make what eegflex or a tutorial is warned of an error, as in the tests."""
    warnings.filterwarnings("error", module=r"eegflex\.|__main__")


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def _table(rows: Sequence[Sequence[str]], widths: str) -> str:
    """A table of which the first row is the head."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in rows:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines)
