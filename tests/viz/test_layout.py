"""Figures of odd results: nothing overlaps, leaves the figure, or is too small to read in a paper."""

from __future__ import annotations

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pytest

from eegflex import viz
from eegflex.spec import ModelSpec

pytestmark = pytest.mark.slow

#: Two columns of a journal, in inches, and what is allowed beyond where there are many stages.
TWO_COLUMNS = 7.5
#: Points. The smallest text that journals take.
SMALLEST = 7.0


def one_epoch():
    return example_results.explain(example_results.make_epochs())[[2]]


def long_names():
    names = ("EEG a very long name of a channel C3-M2", "EEG a very long name of a channel C4-M1")
    epochs = example_results.make_epochs(names, "eeg", positions=False)
    example_results.place(epochs, {names[0]: "C3", names[1]: "C4"})
    stages = ("quiet wakefulness", "drowsiness", "light sleep", "deep sleep", "paradoxical sleep")
    return example_results.explain(
        epochs, ModelSpec(name="a stager with a long name", scores="log_probs", stages=stages)
    )


def many_channels():
    names = [f"E{i}" for i in range(64)]
    return example_results.explain(example_results.make_epochs(names, "eeg", positions=False, n_epochs=5))


CASES = {
    "one epoch": one_epoch,
    "long names": long_names,
    "64 channels": many_channels,
    "channel sets": lambda: example_results.make_pair_result(n_epochs=20),
}


def seen(fig):
    """Texts that are drawn, with their boxes in pixels."""
    found, draw = [], plt.Text.draw

    def listen(text, renderer):
        if text.get_visible() and text.get_text().strip():
            found.append(text)
        draw(text, renderer)

    fig.draw_without_rendering()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plt.Text, "draw", listen)
        fig.draw_without_rendering()
    return [(text, text.get_window_extent()) for text in dict.fromkeys(found)]


def faults(fig):
    found, (width, height) = [], fig.canvas.get_width_height()
    texts = seen(fig)
    for text, box in texts:
        if box.x0 < -2 or box.y0 < -2 or box.x1 > width + 2 or box.y1 > height + 2:
            found.append(f"outside: {text.get_text()!r}")
        if text.get_fontsize() < SMALLEST - 0.01:
            found.append(f"too small: {text.get_text()!r}")
    for i, (one, a) in enumerate(texts):
        for other, b in texts[:i]:
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            high = min(a.y1, b.y1) - max(a.y0, b.y0)
            if wide > 1.5 and high > 2.5:
                found.append(f"{other.get_text()!r} on {one.get_text()!r}")
    return found


@pytest.mark.parametrize("case", CASES)
def test_nothing_overlaps_leaves_the_figure_or_is_too_small(case):
    result = CASES[case]()
    names = [name for name in viz.__all__ if name != "plot_context"]
    bad = {}
    for name in names:
        if name == "plot_topomap" and case == "64 channels":
            continue  # which have no positions
        if name == "plot_confusion" and case == "long names":
            continue  # stages that no hypnogram has
        fig = getattr(viz, name)(result, show=False)
        if found := faults(fig):
            bad[name] = found
        assert fig.get_figwidth() <= TWO_COLUMNS or case == "long names"
        plt.close(fig)
    assert not bad


def test_marks_do_not_cover_each_other_more_than_they_must(result):
    """Offsets are spread as far as a row is, and no further."""
    from eegflex.viz.style import swarm

    places = np.repeat(0.5, 9)
    offsets = swarm(places, 0.36)
    assert len(set(offsets.round(9))) == 9
    assert np.abs(offsets).max() <= 0.36 + 1e-9
    assert swarm(np.linspace(0, 1, 20), 0.36).tolist() == [0.0] * 20
    assert np.abs(swarm(np.repeat(0.5, 1000), 0.36)).max() <= 0.36 + 1e-9
