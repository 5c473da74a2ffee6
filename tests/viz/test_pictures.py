"""The core figures as they were when somebody last looked at them.

Numbers, words and layouts are held by the other tests. These see what those do not: marks that lie under others, panels that
are empty, colours. Fonts differ between machines by the version of freetype, and layouts follow them, so that both are taken
out. To draw them anew: ``pytest tests/viz/test_pictures.py --mpl-generate-path tests/viz/baseline``; then look at them.
"""

from __future__ import annotations

import example_results
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from eegflex import viz

#: What drew them: another matplotlib has other margins and lines.
DREW = "3.11"
pytestmark = pytest.mark.skipif(
    not mpl.__version__.startswith(f"{DREW}."), reason=f"the pictures are of matplotlib {DREW}"
)
#: Root mean square of the difference of pixels, of 255. Bands without those marks that raised the score are 2.3.
picture = pytest.mark.mpl_image_compare(
    baseline_dir="baseline",
    tolerance=1.2,
    remove_text=True,
    deterministic=True,
    style="default",
    savefig_kwargs={"dpi": 60},
)


def bare(fig):
    """A figure without words, its panels where they are whatever these are."""
    fig.set_layout_engine("none")
    for text in fig.findobj(plt.Text):
        text.set_visible(False)
    return fig


@pytest.fixture(scope="module")
def night():
    """Forty epochs of two EEG channels and one of the eyes, one EEG channel at a time."""
    return example_results.make_pair_result(n_epochs=40)


@picture
def test_bands(night):
    return bare(viz.plot_bands(night, annotate=False, show=False))


@picture
def test_spectrum(night):
    return bare(viz.plot_spectrum(night, stage=["N2", "N3"], annotate=False, show=False))


@picture
def test_topography(result):
    return bare(viz.plot_topomap(result, stage=["W", "N2"], band=["sigma", "alpha"], annotate=False, show=False))


@picture
def test_night(night):
    return bare(viz.plot_night(night, annotate=False, show=False))


@picture
def test_epoch(result):
    return bare(viz.plot_epoch(result, 2, annotate=False, show=False))


@picture
def test_examples(result):
    return bare(viz.plot_examples(result, stage=["W", "N2"], annotate=False, show=False))


@picture
def test_context(context_result):
    return bare(viz.plot_context(context_result, annotate=False, show=False))


@picture
def test_confusion(of_all):
    return bare(viz.plot_confusion(of_all, annotate=False, show=False))
