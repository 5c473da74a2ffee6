"""The explorer as pieces of a page: its text, its style, its script and its data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from eegflex.errors import ParameterError
from eegflex.report.colours import variables
from eegflex.report.explorer.encode import CHUNK, WORDS, Packing, as_blob, as_json
from eegflex.report.explorer.facts import meta_of, night_of
from eegflex.report.summary import is_simulated
from eegflex.results.means import refuse_single
from eegflex.results.recordings import one_recording
from eegflex.results.select import PICKED, is_whole
from eegflex.utils.clock import since_midnight

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["Fragment", "make_explorer"]

#: The parts of the script, in their order: all are within one function, so that a page's own names are none of theirs.
SCRIPTS = ("data", "state", "drawing", "night", "signals", "spectrum", "bands", "words", "tables", "main")


@dataclass(frozen=True)
class Fragment:
    """What a page puts in as it is.

    Attributes
    ----------
    html : str
        A section, to stand where the explorer is to be.
    style : str
        For a ``<style>`` element.
    script : str
        For a ``<script>`` element, after the rest.
    blobs : str
        Elements that hold the data, anywhere before the script.
    """

    html: str
    style: str
    script: str
    blobs: str


def make_explorer(result: FlexResult, *, signal: bool = True, began: str | None = None) -> Fragment:
    """Make an explorer of a recording's epochs, to be put into a page.

    Parameters
    ----------
    result : FlexResult
        Attributions of one recording. Of a result of all stages a reader can ask why one stage and not another.
    signal : bool
        Whether the page holds the signals of the explained epochs. Without them it holds attributions, spectra and scores: no
        phases, from which a signal could be rebuilt. The page says which.
    began : str | None
        Clock time at which the recording began, such as ``"22:30"``, to show times of day. A result does not store it.

    Returns
    -------
    explorer : Fragment
        It works offline, under a policy that allows no request (``default-src 'none'`` with scripts and styles of the page).

    Raises
    ------
    ParameterError
        If the result is of several recordings, `signal` is neither True nor False, or `began` is no time of the day.

    Notes
    -----
    Sums of the bands of `Bands` are those of the result, to 1/32767 of the largest of an epoch. What is summed on the page,
    over bands of the reader's, is off by at most 1/126 of the largest step of 0.5 Hz.

    Examples
    --------
    >>> import eegflex
    >>> from eegflex.report.explorer import make_explorer
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> explorer = make_explorer(result, signal=False)
    >>> "This page holds no signals" in explorer.html
    True
    """
    if not isinstance(signal, bool):
        raise ParameterError("signal must be True or False", seen=repr(signal))
    one_recording(result.data, None, "An explorer")
    refuse_single(result.data, "an explorer")
    packing = Packing(result.data, signal)
    meta = meta_of(result, packing, None if began is None else since_midnight("began", began)) | {"perChunk": CHUNK}
    blobs = [f'<script type="application/json" id="ex-data-meta">{as_json(meta)}</script>\n']
    blobs.append(as_blob("ex-data-night", as_json(night_of(result)).encode(), WORDS))
    blobs += [as_blob(f"ex-data-{k}", chunk) for k, chunk in enumerate(packing.chunks())]
    text = jinja2.Template(_part("explorer.html"), autoescape=True)
    html = text.render(
        signal=signal,
        simulated=is_simulated(result),
        all=meta["all"],
        explained=meta["explained"],
        baseline=meta["baseline"],
        sums=meta["sums"],
        note="" if is_whole(result.data) else PICKED,
        views=packing.views(),
        context=bool(packing.context),
        n_night=result.data.sizes["night"],
        n_explained=len(result),
    )
    script = "\n".join(_part(f"{name}.js") for name in SCRIPTS)
    return Fragment(
        html, variables(result.stages) + _part("explorer.css"), f"(() => {{\n{script}\n}})();", "".join(blobs)
    )


def _part(name: str) -> str:
    """A file of the explorer's."""
    return (resources.files("eegflex.report.explorer") / "parts" / name).read_text("utf-8")
