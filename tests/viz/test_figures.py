"""What holds for every figure."""

from __future__ import annotations

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pytest

import eegflex
from eegflex import viz
from eegflex.attribution.methods.registry import METHODS
from eegflex.errors import ParameterError
from eegflex.results.wording import sums_to_change, unit

pytestmark = pytest.mark.slow

FIGURES = [getattr(viz, name) for name in viz.__all__ if name != "plot_context"]
#: Figures of the night, of errors, and of several scores say by themselves what is positive.
WITHOUT_SCORE = (viz.plot_night, viz.plot_completeness, viz.plot_confusion)
OF_BANDS = [viz.plot_bands, viz.plot_topomap, viz.plot_epoch, viz.plot_examples, viz.plot_night, viz.plot_completeness]
#: How attributions that do not sum to the score's change are read.
INCOMPLETE = {
    "saliency": "a little more of {} would raise the score of the predicted stage",
    "input_x_gradient": "{}, by the slope of the score at the epoch itself, raised",
    "feature_ablation": "{}, compared with silence in its place, raised",
}
WITH_STAGES = [viz.plot_spectrum, viz.plot_bands, viz.plot_topomap]


def texts(fig):
    found = [text.get_text() for text in fig.findobj(plt.Text)]
    return "\n".join([*found, fig.get_suptitle(), fig.get_supxlabel(), fig.get_supylabel()])


def note(fig):
    return fig.get_supxlabel().replace("\n", " ")


@pytest.mark.parametrize("plot", FIGURES)
def test_a_figure_is_returned_and_the_result_is_left_alone(plot, result):
    before = result.to_xarray()
    fig = plot(result, show=False)
    assert isinstance(fig, plt.Figure)
    assert result.to_xarray().identical(before)


@pytest.mark.parametrize("plot", FIGURES)
def test_nothing_lies_outside_the_figure_or_is_empty_of_labels(plot, pair_result):
    fig = plot(pair_result, show=False)
    fig.draw_without_rendering()
    box = fig.get_tightbbox()
    width, height = fig.get_size_inches()
    assert box.x0 > -0.05
    assert box.y0 > -0.05
    assert box.x1 < width + 0.05
    assert box.y1 < height + 0.05


@pytest.mark.parametrize("plot", [f for f in FIGURES if f not in WITHOUT_SCORE])
def test_the_unit_and_what_positive_means_are_written(plot, result):
    fig = plot(result, show=False)
    assert "log-probability" in texts(fig)
    assert "raised the score of the predicted stage" in note(fig)
    assert "compared with silence" in note(fig)


@pytest.mark.parametrize("plot", WITH_STAGES)
def test_epochs_are_counted_by_stage(plot, result):
    written = texts(plot(result, show=False))
    assert all(stage in written for stage in example_results.STAGES)
    assert written.count("n = 2") >= len(example_results.STAGES)


@pytest.mark.parametrize("plot", [*WITH_STAGES, viz.plot_night])
def test_a_sample_is_called_one(plot, result):
    sample = example_results.make_result(sample_per_stage=1)
    assert "sample" in note(plot(sample, show=False)).casefold()
    assert "sample" not in note(plot(result, show=False)).casefold()


@pytest.mark.parametrize("plot", WITH_STAGES)
def test_stages_can_be_the_hypnograms(plot, result):
    written = texts(plot(result, stage_from="scored", show=False))
    assert "UNSCORED" not in written
    unscored = example_results.explain(example_results.make_epochs(scored=False))
    with pytest.raises(ParameterError, match="hypnogram"):
        plot(unscored, stage_from="scored", show=False)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("N2", "N1"), "the score of N2 minus that of N1"),
        ("margin", "that of the runner-up"),
        ("N3", "the score of N3"),
    ],
)
def test_what_was_explained_is_named(target, words):
    fig = example_results.explain(example_results.make_epochs(), target=target).plot_bands(show=False)
    assert words in note(fig)


@pytest.mark.parametrize("plot", FIGURES)
def test_names_are_not_taken_for_mathematics(plot):
    epochs = example_results.make_epochs(("C3$x^2$", "C4$\\frac{1}$"), ["eeg", "eeg"], positions=False)
    example_results.place(epochs, {"C3$x^2$": "C3", "C4$\\frac{1}$": "C4"})
    plot(example_results.explain(epochs), show=False).draw_without_rendering()


def test_methods_of_the_result_draw_the_same(result):
    for name in ("plot_bands", "plot_night", "plot_topomap", "plot_spectrum"):
        by_method, by_function = getattr(result, name)(show=False), getattr(viz, name)(result, show=False)
        assert texts(by_method) == texts(by_function)
    assert texts(result.plot_epoch(3, show=False)) == texts(viz.plot_epoch(result, 3, show=False))


def test_a_result_that_was_saved_draws_the_same(result, tmp_path):
    again = eegflex.read_result(result.save(tmp_path / "result.nc"))
    drawn = [viz.plot_night(r, show=False).axes[1].get_lines()[0].get_ydata() for r in (result, again)]
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("plot", FIGURES)
def test_a_result_of_all_stages_speaks_for_the_predicted(plot, of_all):
    shown = plot(of_all, show=False)
    if plot is not viz.plot_confusion:
        assert texts(shown) == texts(plot(of_all.for_target(), show=False))
    if plot not in WITHOUT_SCORE:
        assert "raised the score of the predicted stage" in note(shown)


def test_a_margin_of_a_result_of_all_stages_is_that_of_the_margin(of_all):
    by_difference = viz.plot_bands(of_all.for_target(("N2", "N1")), show=False)
    asked_for = viz.plot_bands(example_results.make_result(target=("N2", "N1")), show=False)
    drawn = [
        [[line[0][0] for line in one.get_segments()] for one in fig.axes[0].collections if one.get_gid() == "median"][
            -1
        ]
        for fig in (by_difference, asked_for)
    ]
    np.testing.assert_allclose(*drawn, atol=0.02 * np.abs(drawn[1]).max())
    # errors of two stages are added, and may leave less explained than the margin's own
    assert "the score of N2 minus that of N1" in note(by_difference)
    assert "the score of N2 minus that of N1" in note(asked_for)


@pytest.mark.parametrize("plot", OF_BANDS)
def test_attributions_to_whole_bands_are_drawn(plot, by_bands):
    fig = plot(by_bands, show=False)
    fig.draw_without_rendering()
    assert "nan" not in texts(fig).casefold()


def test_there_is_no_spectrum_of_whole_bands(by_bands):
    with pytest.raises(ParameterError, match=r"shapley.*plot_bands"):
        viz.plot_spectrum(by_bands, show=False)
    with pytest.raises(ParameterError, match="cannot be divided"):
        viz.plot_epoch(by_bands, bands={"slow": (0.5, 2)}, show=False)


@pytest.mark.parametrize("method", INCOMPLETE)
def test_attributions_that_do_not_sum_to_the_change_say_so(method):
    incomplete = example_results.explain(example_results.make_epochs(), method=method)
    for plot in OF_BANDS:
        assert "nan" not in texts(plot(incomplete, show=False)).casefold()
    assert INCOMPLETE[method].format("this band") in note(viz.plot_bands(incomplete, show=False))
    assert "not meant to" in texts(viz.plot_epoch(incomplete, show=False))
    assert "not meant to sum to the change of the score" in note(viz.plot_completeness(incomplete, show=False))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_read_as_it_is_made(method):
    """What the words say of a method, the engine does: whether it adds up, and what its unit is."""
    made = example_results.explain(example_results.make_epochs(("C3-M2", "C4-M1"), ["eeg", "eeg"]), method=method)
    assert sums_to_change(made) == np.isfinite(made.to_xarray()["gap"].values).all()
    assert unit(made) == "log-probability" + (" per unit magnitude" if method == "saliency" else "")


def test_a_stopped_attribution_is_called_one(result):
    stopped = example_results.altered(result, provenance={"partial": True})
    for plot in WITH_STAGES:
        assert "Stopped early: 10 of 10 epochs" in note(plot(stopped, show=False))


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ("aperiodic", "compared with the epoch's own 1/f part, raised"),
        ("recording", "compared with an ordinary epoch of this recording, raised"),
        ("stage:W", "compared with an ordinary epoch of W, raised"),
        (np.ones((6, 961)), "compared with the spectrum that was given, raised"),
    ],
)
def test_baselines_are_named(baseline, words):
    fig = viz.plot_bands(example_results.explain(example_results.make_epochs(), baseline=baseline), show=False)
    assert words in note(fig)
