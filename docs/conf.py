"""Sphinx: the site is built from the docstrings and the tutorials, and needs no network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import pages  # noqa: E402

from eegflex import __version__  # noqa: E402

pages.write(HERE / "generated")

project = "eegflex"
author = "eegflex contributors"
version = release = __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_build", "**/*.ipynb"]
templates_path = ["_templates"]
default_role = "py:obj"

html_theme = "furo"
html_title = f"eegflex {version}"
html_static_path = ["_static"]
html_css_files = ["eegflex.css"]
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections have the types
numpydoc_show_class_members = False


sphinx_gallery_conf = {
    "examples_dirs": "../tutorials",
    "gallery_dirs": "tutorials",
    "filename_pattern": r"/\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "run_stale_examples": True,  # the tutorial may be the old one, but eegflex is not
    "abort_on_example_error": False,  # all that fail are named
    "reset_modules": ("matplotlib", "pages.strict"),
    "ignore_repr_types": r"matplotlib",
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
}


def plain(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn references into MNE's own pages, which come with its ``verbose``, into words."""
    lines[:] = [re.sub(r":ref:`([^<`]+?) *<[^>]+>`", r"\1", line) for line in lines]


def setup(app: object) -> None:
    """Connect `plain` before numpydoc reads a docstring."""
    app.connect("autodoc-process-docstring", plain, priority=400)  # type: ignore[attr-defined]
