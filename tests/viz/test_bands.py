"""Bands by stages, one mark an epoch."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results.wording import number_text
from eegflex.viz.scales import choose_scale

ROWS = ["above", "beta", "sigma", "alpha", "theta", "delta", "below"]


def marks(ax, word=""):
    """Values and rows of the marks of a panel, those whose kind has a word in it."""
    lines = [one for one in ax.get_lines() if (one.get_gid() or "").startswith(("raised", "lowered"))]
    chosen = [one.get_xydata() for one in lines if word in one.get_gid().split(", ") or not word]
    return np.concatenate(chosen)


def by_row(points):
    """Values of the marks, sorted, by the row of a band that they lie in."""
    rows = np.round(points[:, 1]).astype(int)
    assert (np.abs(points[:, 1] - rows) < 0.4).all()
    return {ROWS[row]: np.sort(points[rows == row, 0]) for row in np.unique(rows)}


def summed(result, kind):
    """Band sums over the channels of one type of each channel set, by hand: (n_epochs, n_channel_sets, n_bands)."""
    data = result.data
    sums = Bands().sum(data["frequency_view"].values.astype(float), data["freq"].values)
    own = (data["ch_type"] == kind).values
    sets = range(data.sizes["channel_set"])
    return np.stack([sums[:, own & (data["of_channel_set"] == k).values].sum(axis=1) for k in sets], axis=1)


def medians(ax):
    return [float(segment[0][0]) for segment in segments(ax, "median")]


def segments(ax, name):
    """The lines of a name on top of their white grounds, by row."""
    drawn = [one for one in ax.collections if one.get_gid() == name]
    return max(drawn, key=lambda one: one.get_zorder()).get_segments() if drawn else []


def test_each_mark_is_the_sum_of_an_epoch_over_the_channels(result):
    fig = viz.plot_bands(result, show=False)
    sums, predicted = summed(result, "eeg")[:, 0], result.data["predicted"].values[:, 0]
    for ax, stage in zip(fig.axes, example_results.STAGES, strict=True):
        drawn = by_row(marks(ax))
        for band, values in drawn.items():
            own = np.sort(sums[predicted == stage, Bands().names.index(band)])
            np.testing.assert_allclose(values, own, atol=1e-9)
        middle = np.median(sums[predicted == stage], axis=0)
        np.testing.assert_allclose(medians(ax), [middle[Bands().names.index(name)] for name in ROWS], atol=1e-9)


def test_of_several_channel_sets_a_mark_is_the_median_of_those_that_say_the_stage(pair_result):
    data = pair_result.to_xarray()
    data["predicted"].values[0, 1] = "N2"  # by C4; W by C3, which is surer by one more
    data["scores"].values[0, 0] = np.log([0.96, 0.01, 0.01, 0.01, 0.01])
    data["scores"].values[0, 1] = np.log([0.1, 0.1, 0.6, 0.1, 0.1])
    fig = viz.plot_bands(type(pair_result)(data), picks="eeg", show=False)
    sums = summed(pair_result, "eeg")
    of_w = [sums[0, 0], np.median(sums[5], axis=0)]
    for band, values in by_row(marks(fig.axes[0])).items():
        np.testing.assert_allclose(values, np.sort([one[Bands().names.index(band)] for one in of_w]), atol=1e-9)
    titles = [ax.get_title() for ax in fig.axes]
    assert titles == [f"{stage}\nn = 2" for stage in example_results.STAGES]


def test_raised_and_lowered_have_marks_and_colours_of_their_own(result):
    fig = viz.plot_bands(result, show=False)
    drawn = {one.get_gid(): one for one in fig.axes[0].get_lines() if len(one.get_xdata()) and one.get_gid()}
    assert (drawn["raised"].get_xdata() > 0).all()
    assert (drawn["lowered"].get_xdata() < 0).all()
    assert (drawn["raised"].get_marker(), drawn["lowered"].get_marker()) == ("+", "o")
    assert drawn["lowered"].get_markerfacecolor() == "none"
    assert drawn["raised"].get_color() != drawn["lowered"].get_color()


def test_one_scale_for_all_panels_with_0_in_its_middle(pair_result):
    axes = viz.plot_bands(pair_result, show=False).axes
    assert len({(ax.get_xlim(), ax.get_xscale()) for ax in axes}) == 1
    low, high = axes[0].get_xlim()
    assert low == -high
    assert high > max(np.abs(marks(ax)[:, 0]).max() for ax in axes)


def test_panels_are_named_by_type_eeg_first_and_stage(pair_result):
    titles = [ax.get_title() for ax in viz.plot_bands(pair_result, show=False).axes]
    expected = [f"{kind}, {stage}\nn = 2" for kind in ("EEG", "EOG") for stage in example_results.STAGES]
    assert titles == expected


def test_many_stages_go_on_in_the_next_row(result):
    data = result.to_xarray()
    names = [f"a long stage {i}" for i in range(10)]
    data["stage"].values[:] = names
    fig = viz.plot_bands(type(result)(data), stage_from="scored", show=False)
    fig.draw_without_rendering()
    places = {(round(ax.get_position().y0, 2)) for ax in fig.axes}
    assert (len(fig.axes), len(places)) == (10, 2)
    boxes = [ax.title.get_window_extent() for ax in fig.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_of_few_epochs_there_is_no_interval_and_it_is_said(result):
    fig = viz.plot_bands(result, show=False)
    assert not [one for ax in fig.axes for one in segments(ax, "interval")]
    assert "No interval where epochs are too few, or from too few parts of the night" in fig.get_supxlabel().replace(
        "\n", " "
    )


def test_intervals_take_in_the_median():
    result = example_results.explain(example_results.make_epochs(("C3-M2",), "eeg", n_epochs=150))
    (ax, *_) = viz.plot_bands(result, show=False).axes
    ends = [segment[:, 0] for segment in segments(ax, "interval")]
    assert len(ends) == len(ROWS)
    for (low, high), middle in zip(ends, medians(ax), strict=True):
        assert low <= middle <= high


def test_the_stages_rhythm_is_the_largest_median(result):
    axes = viz.plot_bands(result, show=False).axes
    assert [ROWS[int(np.argmax(medians(ax)))] for ax in axes] == ["alpha", "theta", "sigma", "delta", "beta"]


def test_own_bands(result):
    fig = viz.plot_bands(result, bands={"spindle": (12, 15), "slow": (0.5, 2)}, show=False)
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == [
        "above ≥ 15 Hz",
        "slow 0.5–2 Hz",
        "spindle 12–15 Hz",
        "between in no band",
        "below < 0.5 Hz",
    ]


@pytest.mark.parametrize("options", [{"bands": 3}, {"stage_from": "guessed"}])
def test_wrong_options_are_refused(result, options):
    with pytest.raises(ParameterError, match=r"Allowed|must be one of"):
        viz.plot_bands(result, show=False, **options)


def test_the_scale_is_linear_unless_the_largest_is_far_from_the_usual():
    usual, none = np.linspace(-1, 1, 41), np.zeros(41, dtype=bool)
    assert choose_scale([usual], [none], "value").linear is None
    wide = choose_scale([np.append(usual, 30.0)], [np.append(none, False)], "value")
    assert wide.linear == 1
    assert "linear to ±1 and logarithmic beyond" in wide.words
    assert choose_scale([np.append(usual, 30.0)], [np.append(~none, False)], "value").linear is None
    assert choose_scale([np.full(3, np.nan)], [np.zeros(3, dtype=bool)], "value").limit == 1


def test_places_along_the_scale_are_those_of_matplotlib():
    import matplotlib.pyplot as plt

    scale = choose_scale([np.array([0.01, 0.1, -0.3, 40.0])], [np.zeros(4, dtype=bool)], "value")
    _, ax = plt.subplots()
    scale.apply(ax)
    values = np.array([-40.0, -1.0, 0.0, 0.02, 3.0, 40.0])
    drawn = ax.transData.transform(np.column_stack([values, 0 * values]))[:, 0]
    np.testing.assert_allclose(
        np.diff(drawn) / np.ptp(drawn), np.diff(scale.place(values)) / np.ptp(scale.place(values)), atol=0.02
    )


@pytest.mark.parametrize(
    ("value", "largest", "text"),
    [
        (0.42, None, "+0.420"),
        (-18.313, None, "−18.31"),
        (1e-4, 2.0, "0.00"),
        (-0.0042, 0.042, "−0.0042"),
        (np.nan, 1, "–"),
    ],
)
def test_numbers_have_signs_and_three_digits_of_the_largest(value, largest, text):
    assert number_text(value, largest) == text
