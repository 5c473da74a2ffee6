"""Sphinx: the site is built from the docstrings and the tutorials, and needs no network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import links  # noqa: E402
import pages  # noqa: E402
from numpydoc.xref import DEFAULT_LINKS  # noqa: E402

from eegflex import __version__  # noqa: E402

pages.write(HERE / "generated")

project = "eegflex"
author = "eegflex contributors"
version = release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",  # sources come with the site: no link that is dead until the repository is public
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "inventories", "**/*.ipynb"]
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
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but for these, words of types stay words
numpydoc_xref_aliases = links.aliases()
DEFAULT_LINKS.clear()  # of numpydoc: they are links to glossaries that our inventories leave out

# Text of our own (version 1 of the format) that names what our pages link to, and nothing else: no network is needed.
intersphinx_mapping = {
    name: (address, (str(HERE / "inventories" / f"{name}.inv"),)) for name, address in links.OTHERS.items()
}


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
    """Connect `plain` before numpydoc reads a docstring, and `links.resolve` where nobody else knows a name."""
    app.connect("autodoc-process-docstring", plain, priority=400)  # type: ignore[attr-defined]
    app.connect("missing-reference", links.resolve, priority=900)  # type: ignore[attr-defined]
