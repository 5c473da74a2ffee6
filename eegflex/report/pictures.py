"""Figures as pictures of the page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from eegflex.report.page import fill

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eegflex.report.parts import Picture

__all__ = ["as_figure"]

#: Of pictures: twice what a screen of old has, so that they are sharp on new ones and on paper.
DPI = 192
#: CSS pixels an inch.
_SCREEN = 96


def as_figure(picture: Picture) -> str:
    """Draw a picture, once, and return it as HTML; its figure is closed."""
    import matplotlib.pyplot as plt

    fig = picture.draw()
    try:
        width, height = (round(inches * _SCREEN) for inches in fig.get_size_inches())
        data = base64.b64encode(_as_png(fig)).decode()
    finally:
        plt.close(fig)
    return fill(
        "figure.html",
        kind="image/png",
        data=data,
        title=picture.title,
        caption=picture.caption,
        width=width,
        height=height,
    )


def _as_png(fig: Figure) -> bytes:
    """Draw a figure with a palette of 256 colours, which is a third of the size and, for figures, as good."""
    from PIL import Image

    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=DPI, facecolor="white", pil_kwargs={"compress_level": 1})
    written = io.BytesIO()
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(written, format="png", optimize=True)
    return written.getvalue()
