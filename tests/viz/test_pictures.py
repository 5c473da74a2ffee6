"""The core figures as they were when somebody last looked at them.

Numbers and words are held by the other tests. These see what those do not: marks that lie under others, empty panels, layouts
that burst. Fonts differ between machines by the version of freetype, so that text is taken out and a little is tolerated. To
draw them anew: ``pytest tests/viz/test_pictures.py --mpl-generate-path tests/viz/baseline``; then look at them.
"""

from __future__ import annotations

import example_results
import pytest

from eegflex import viz

#: Root mean square of the difference of pixels, of 255. An empty panel is 12 or more.
picture = pytest.mark.mpl_image_compare(
    baseline_dir="baseline",
    tolerance=6,
    remove_text=True,
    deterministic=True,
    style="default",
    savefig_kwargs={"dpi": 60},
)


@pytest.fixture(scope="module")
def night():
    """Forty epochs of two EEG channels and one of the eyes, one EEG channel at a time."""
    return example_results.make_pair_result(n_epochs=40)


@picture
def test_bands(night):
    return viz.plot_bands(night, annotate=False, show=False)


@picture
def test_spectrum(night):
    return viz.plot_spectrum(night, stage=["N2", "N3"], annotate=False, show=False)


@picture
def test_topography(result):
    return viz.plot_topomap(result, stage=["W", "N2"], band=["sigma", "alpha"], annotate=False, show=False)


@picture
def test_night(night):
    return viz.plot_night(night, annotate=False, show=False)


@picture
def test_epoch(result):
    return viz.plot_epoch(result, 2, annotate=False, show=False)


@picture
def test_context(context_result):
    return viz.plot_context(context_result, annotate=False, show=False)


@picture
def test_confusion(of_all):
    return viz.plot_confusion(of_all, annotate=False, show=False)
