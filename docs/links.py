"""Names in single backticks: which are links, whereto, and which are mistakes."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pages
from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

INVENTORIES = Path(__file__).resolve().parent / "inventories"

#: Packages whose pages are linked to, and where these are.
OTHERS = {
    "matplotlib": "https://matplotlib.org/stable/",
    "mne": "https://mne.tools/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "python": "https://docs.python.org/3/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "torch": "https://docs.pytorch.org/docs/stable/",
    "xarray": "https://docs.xarray.dev/en/stable/",
}

#: Words of types in "Parameters" and "Returns" that are links, beside our own public names.
_WORDS = {
    "Axes": "matplotlib.axes.Axes",
    "DataFrame": "pandas.DataFrame",
    "Figure": "matplotlib.figure.Figure",
    "Path": "pathlib.Path",
    "Tensor": "torch.Tensor",
    "mne.BaseEpochs": "mne.Epochs",  # has no page of its own
    "path-like": "os.PathLike",
}


def inventory(name: str) -> dict[str, str]:
    """What an inventory names, and the page of each."""
    lines = (INVENTORIES / f"{name}.inv").read_text("utf-8").splitlines()
    return {line.split()[0]: line.split()[2] for line in lines[3:]}


#: All that intersphinx finds. (Sphinx asks everyone who can resolve a name, and takes the first answer.)
_NAMED = {name for package in OTHERS for name in inventory(package)}


_PUBLIC = {f"eegflex.{name}" for name in pages.public()}


def aliases() -> dict[str, str]:
    """Words of types -> what they link to; numpydoc leaves all others alone."""
    own = {
        name.rpartition(".")[2]: f"eegflex.{name}" for name, thing in pages.public().items() if inspect.isclass(thing)
    }
    return own | {name: f":obj:`{name}`" for name in _NAMED} | _WORDS


def resolve(app: Any, env: Any, node: Any, contnode: nodes.Node) -> nodes.Node | None:
    """Link a name that is said in short to the only thing of that name; complain of a long one that there is not."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    objects = env.domains.python_domain.objects
    # a single word is a public name's, never a method's: parameters are called alike
    known = objects if "." in target else _PUBLIC & objects.keys()
    found = [name for name in known if name.startswith("eegflex.") and name.endswith(f".{target}")]
    if len(found) == 1:
        one = objects[found[0]]
        page = app.builder.get_relative_uri(node.get("refdoc", env.docname), one.docname)
        return nodes.reference("", "", contnode, internal=True, refuri=f"{page}#{one.node_id}", reftitle=found[0])
    package, dot, _ = target.partition(".")
    if dot and package in {"eegflex", *OTHERS} and target not in _NAMED and not _is_module(target):
        logger.warning("there is no page of %s", target, location=node, type="ref", subtype="names")
    return None


def _is_module(target: str) -> bool:
    """Whether a name is that of a module or of something private to one, which has no page."""
    return (Path(__file__).resolve().parents[1] / (target.replace(".", "/") + ".py")).exists()
