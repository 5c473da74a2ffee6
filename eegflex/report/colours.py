"""The colours of figures as variables of a page, on light and on dark ground."""

from __future__ import annotations

from collections.abc import Sequence

from eegflex.viz.style import DARK, LIGHT, Theme

__all__ = ["variables"]

#: variable of a page -> what it is of a theme
_NAMES = {
    "paper": "ground",
    "ink": "text",
    "soft": "muted",
    "line": "rule",
    "raised": "raised",
    "lowered": "lowered",
}


def variables(stages: Sequence[str]) -> str:
    """Return the style that names the colours: of the page, of what raised and lowered, and of each stage by its place.

    Examples
    --------
    >>> variables(["W"]).splitlines()[0][:61]
    ':root { --paper: #ffffff; --ink: #1a1c20; --soft: #4f5560; --l'
    """
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {_of(DARK, stages)} }}\n"
    areas = "".join(f".stage-{k} {{ fill: var(--stage-{k}); }}\n" for k in range(len(stages)))
    return f"{_of(LIGHT, stages)}\n{dark}{areas}"


def _of(theme: Theme, stages: Sequence[str]) -> str:
    own = {name: getattr(theme, field) for name, field in _NAMES.items()}
    own |= {f"stage-{k}": colour for k, colour in enumerate(theme.of_stages(stages).values())}
    return ":root { " + "".join(f"--{name}: {colour}; " for name, colour in own.items()) + "}"
