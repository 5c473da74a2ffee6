"""Figures as pictures of the page."""

from __future__ import annotations

import base64
import gc
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eegflex.report.page import fill
from eegflex.viz.style import notes_apart

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from matplotlib.figure import Figure

    from eegflex.report.parts import Picture

__all__ = ["as_figure"]

#: Of pictures: twice what a screen of old has, so that they are sharp on new ones and on paper.
DPI = 192
#: CSS pixels an inch: more than 96, so that what is readable on a printed page is on a screen.
_SCREEN = 125


def as_figure(picture: Picture, said: Container[str] = ()) -> tuple[str, list[str]]:
    """Draw a picture, once, and return it as HTML, and the notes that stand beside it; its figure is closed.

    Parameters
    ----------
    picture : Picture
        What to draw.
    said : container of str
        Notes that were read already, and are not written again.
    """
    import matplotlib.pyplot as plt

    with _uncollected(), plt.rc_context({"text.hinting": "none"}):  # which so many dots an inch do not need
        with notes_apart() as notes:
            fig = picture.draw()
        try:
            width, height = (round(inches * _SCREEN) for inches in fig.get_size_inches())
            data = base64.b64encode(_as_png(fig)).decode()
        finally:
            plt.close(fig)
    html = fill(
        "figure.html",
        kind="image/png",
        data=data,
        title=picture.title,
        caption=picture.caption,
        notes=" ".join(note for note in notes if note not in said),
        width=width,
        height=height,
    )
    return html, notes


@contextmanager
def _uncollected() -> Iterator[None]:
    """Put off the search for what is no longer used: it would go through the tens of thousands of parts of a figure often.

    A figure is searched for once, when the next one begins.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _as_png(fig: Figure) -> bytes:
    """Draw a figure, and write it with a palette of 256 colours of its own.

    Of twelve figures of a night, SVG took 1.7 to 2.5 MB, lossless WebP 1.4, and PNG of 256 colours 1.3.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    fig.set_dpi(DPI)
    fig.set_facecolor("white")
    for axis in (axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)):
        if not axis.get_label_text():
            axis.set_label_coords(
                0.5, 0.5
            )  # no place is searched for what is not there, which takes a tenth of the time
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    few = Image.fromarray(pixels).quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = few.getpalette() or []
    paper = 3 * int(np.asarray(few)[0, 0])
    palette[paper : paper + 3] = pixels[
        0, 0
    ].tolist()  # the paper's own white, not the mean of all that is nearly white
    few.putpalette(palette)
    written = io.BytesIO()
    few.save(written, format="png", compress_level=7)
    return written.getvalue()
