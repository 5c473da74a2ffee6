"""Pages that are made of what the package says of itself: its public names, its command line and its changelog."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import warnings
from pathlib import Path

import typer

from eegflex import cli

ROOT = Path(__file__).resolve().parents[1]

#: Public modules, in the order in which they are needed, and what they are for.
MODULES = {
    "eegflex": "What most scripts need.",
    "eegflex.readers": "What is in a file, and what was done to it on the way in.",
    "eegflex.datasets": "Public data sets.",
    "eegflex.stagers": "Stagers, from wherever they come.",
    "eegflex.spec": "The contract of a stager.",
    "eegflex.doctor": "What is wrong with a model on a recording.",
    "eegflex.evaluation": "How far explanations can be believed, by themselves and against a truth that is known.",
    "eegflex.review": "What a scorer should look at first.",
    "eegflex.results": "Results: tables, figures, export, and what to trust.",
    "eegflex.viz": "Figures, as functions; the methods of a result call them.",
    "eegflex.report": "Reports.",
    "eegflex.cohort": "Many nights, and comparisons between people.",
    "eegflex.simulation": "Simulated nights with a known truth.",
    "eegflex.errors": "Errors that are yours to mend: each says what was wrong, what was seen, what is allowed and what to do.",
}


def write(folder: Path) -> None:
    """Write all pages into a folder; a page that has not changed is left alone, so that Sphinx need not read it again."""
    folder.mkdir(exist_ok=True)
    for name, text in {"api": api(), "cli": command_line(), "changelog": changelog()}.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def api() -> str:
    """List every public name once, where it is first public."""
    seen: set[int] = set()
    parts = [_title("API reference", "=")]
    for home, purpose in MODULES.items():
        module = importlib.import_module(home)
        names = [name for name in module.__all__ if not name.startswith("_") and id(getattr(module, name)) not in seen]
        seen |= {id(getattr(module, name)) for name in names}
        if names:
            listed = "\n".join(f"   {name}" for name in names)
            summary = f".. autosummary::\n   :toctree: .\n   :nosignatures:\n\n{listed}\n"
            parts += [_title(home, "-"), purpose, f".. currentmodule:: {home}", summary]
    return "\n\n".join(parts)


def command_line() -> str:
    """Show the help of every command."""
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    parts = [_title("Command line", "="), "The same words as in Python. What follows is the programme's own help."]
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
    return re.sub(r"^## (.+)$", lambda found: _title(found[1], "-"), text, flags=re.MULTILINE)


def strict(gallery_conf: dict, fname: str) -> None:
    """Make what eegflex or a tutorial is warned of an error, as in the tests."""
    warnings.filterwarnings("error", module=r"eegflex\.|__main__")


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"
