"""What holds for every figure wherever it is drawn: one signature for method and function, the caller's axes, and no notes."""

from __future__ import annotations

import inspect

import example_results
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from example_results import STAGES

from eegflex import viz
from eegflex.errors import ChannelError, ParameterError
from eegflex.results.result import FlexResult

pytestmark = pytest.mark.slow

#: How many panels each figure has: of six EEG channels, every stage explained, with a hypnogram and a view of time.
PANELS = {
    "plot_bands": 5,
    "plot_completeness": 2,
    "plot_confusion": 1,
    "plot_context": 10,
    "plot_epoch": 5,
    "plot_examples": 10,
    "plot_night": 4,
    "plot_spectrum": 5,
    "plot_topomap": 25,
}
#: The panels left of a figure that is cut down to one stage, or one band.
ONE = {
    "plot_bands": ({"stage": "N2"}, 1),
    "plot_context": ({"stage": "N2"}, 2),
    "plot_epoch": ({"stage": "N2"}, 5),
    "plot_examples": ({"stage": "N2"}, 2),
    "plot_spectrum": ({"stage": "N2"}, 1),
    "plot_topomap": ({"stage": "N2", "band": "sigma"}, 1),
}


@pytest.fixture
def draw(result, context_result):
    """Draw the figure of a name."""

    def drawn(name, **options):
        return getattr(viz, name)(context_result if name == "plot_context" else result, show=False, **options)

    return drawn


def axis_labels(axes):
    return [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes]


def drawn_in(ax):
    """All that an axis shows, in its own coordinates."""
    return [
        *[line.get_xydata() for line in ax.get_lines()],
        *[np.ma.filled(image.get_array(), np.nan) for image in ax.images],
        *[patch.get_path().vertices for patch in ax.patches],
        *[np.asarray(c.get_offsets()) for c in ax.collections],
    ]


@pytest.mark.parametrize("name", viz.__all__)
def test_a_method_has_the_signature_of_its_function(name):
    _, *method = inspect.signature(getattr(FlexResult, name)).parameters.values()
    first, *function = inspect.signature(getattr(viz, name)).parameters.values()
    assert first.name in ("result", "night")
    assert [str(parameter) for parameter in method] == [str(parameter) for parameter in function]
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in method)
    for word, default in (("axes", None), ("annotate", True), ("show", True)):
        assert inspect.signature(getattr(viz, name)).parameters[word].default is default


def test_every_figure_is_a_method_and_every_such_method_a_figure():
    assert sorted(name for name in dir(FlexResult) if name.startswith("plot_")) == sorted(viz.__all__)
    assert sorted(PANELS) == sorted(viz.__all__)


@pytest.mark.parametrize("name", viz.__all__)
def test_a_method_passes_on_what_it_is_given(name, result, context_result, monkeypatch):
    asked = {}

    def listen(*given, **options):
        asked.update(options, given=given)
        return plt.figure()

    one = context_result if name == "plot_context" else result
    monkeypatch.setattr(viz, name, listen)
    parameters = list(inspect.signature(getattr(FlexResult, name)).parameters.values())[1:]
    options = {
        one.name: not one.default if isinstance(one.default, bool) else object()
        for one in parameters
        if one.kind is one.KEYWORD_ONLY
    }
    getattr(one, name)(*([7] if name == "plot_epoch" else []), **options)
    assert asked.pop("given") == ((one, 7) if name == "plot_epoch" else (one,))
    assert asked == options


@pytest.mark.parametrize("name", viz.__all__)
def test_without_annotations_there_is_no_title_and_no_note_but_axes_are_labelled(draw, name):
    full, bare = draw(name), draw(name, annotate=False)
    assert full.get_suptitle()
    assert full.get_supxlabel()
    assert bare.get_suptitle() == bare.get_supxlabel() == ""
    assert bare.get_supylabel() == full.get_supylabel()
    assert [ax.get_title() for ax in bare.axes if ax.axison] == [ax.get_title() for ax in full.axes if ax.axison]
    labels = [pair for pair in axis_labels(full.axes) if any(pair)]
    assert [pair for pair in axis_labels(bare.axes) if any(pair)] == labels
    bare.draw_without_rendering()


@pytest.mark.parametrize("name", viz.__all__)
def test_a_figure_of_the_callers_is_drawn_into_and_left_as_it_is(draw, name):
    fig, axes = plt.subplots(PANELS[name], 1, figsize=(7, 3 * PANELS[name]))
    fig.suptitle("mine")
    fig.supxlabel("my note")
    before = fig.get_size_inches().copy(), fig.get_layout_engine(), fig.get_dpi(), plt.get_fignums()
    returned = draw(name, axes=axes)
    assert returned is fig
    after = fig.get_size_inches(), fig.get_layout_engine(), fig.get_dpi(), plt.get_fignums()
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1:] == before[1:]
    assert (fig.get_suptitle(), fig.get_supxlabel(), fig.get_supylabel()) == ("mine", "my note", "")
    for ax in np.ravel(axes):
        assert ax.has_data()
        assert ax.get_title() or ax.get_title(loc="left") or ax.get_ylabel()
    fig.draw_without_rendering()


@pytest.mark.parametrize("name", viz.__all__)
def test_what_is_drawn_is_the_same_wherever(draw, name):
    own = [ax for ax in draw(name, annotate=False).axes if ax.get_label() != "<colorbar>"][: PANELS[name]]
    given = np.ravel(plt.subplots(PANELS[name], 1, figsize=(7, 3 * PANELS[name]))[1])
    draw(name, axes=given)
    for one, other in zip(own, given, strict=True):
        shown = list(zip(drawn_in(one), drawn_in(other), strict=True))
        assert shown
        for a, b in shown:
            np.testing.assert_array_equal(a, b)
        assert one.get_xlim() == other.get_xlim()
        np.testing.assert_allclose(one.get_ylim(), other.get_ylim(), rtol=2e-3)  # where a row shares its axis


@pytest.mark.parametrize("name", ONE)
def test_a_figure_can_be_cut_down_to_a_stage(draw, name):
    options, n_panels = ONE[name]
    _, axes = plt.subplots(1, n_panels)
    draw(name, axes=axes, **options)
    drawn = [ax.get_title() + ax.get_title(loc="left") + ax.get_ylabel() for ax in np.ravel(axes)]
    assert all(drawn)
    if name != "plot_epoch":
        assert "N2" in drawn[0]


@pytest.mark.parametrize("name", ["plot_bands", "plot_spectrum", "plot_topomap", "plot_context"])
def test_several_stages_are_drawn_in_the_stagers_order_and_no_others(draw, name):
    fig = draw(name, stage=["REM", "N1"])
    titles = [ax.get_title() + ax.get_title(loc="left") for ax in fig.axes]
    found = [stage for title in titles for stage in STAGES if title.startswith((f"{stage}\n", f"{stage} "))]
    assert list(dict.fromkeys(found)) == ["N1", "REM"]
    with pytest.raises(ParameterError, match="W, N1, N2, N3, REM"):
        draw(name, stage=["N1", "S2"])
    with pytest.raises(ParameterError, match="nothing"):
        draw(name, stage=[])


@pytest.mark.parametrize("name", viz.__all__)
def test_axes_must_be_as_many_as_the_panels(draw, name):
    for n in (PANELS[name] + 1, max(PANELS[name] - 1, 2 if PANELS[name] == 1 else 1)):
        _, axes = plt.subplots(1, n, squeeze=False)
        with pytest.raises(ParameterError, match=f"needs {PANELS[name]} axes.*Got {n}"):
            draw(name, axes=axes)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ["left", "right"],
        lambda: [plt.figure(), plt.figure()],
        lambda: [plt.figure().add_subplot(), plt.figure().add_subplot()],
        lambda: [plt.figure().add_subplot()] * 2,
    ],
    ids=["text", "figures", "two figures", "one twice"],
)
def test_axes_must_be_different_axes_of_one_figure(result, wrong):
    with pytest.raises(ParameterError, match="axes"):
        viz.plot_completeness(result, axes=wrong(), show=False)


def test_axes_may_be_in_a_subfigure(result):
    fig = plt.figure(layout="constrained")
    _, right = fig.subfigures(1, 2)
    ax = right.subplots()
    assert viz.plot_topomap(result, stage="N2", band="sigma", axes=ax, show=False) is fig
    fig.draw_without_rendering()


def test_a_picture_of_two_panels_for_a_paper(result, tmp_path):
    with mpl.rc_context({"font.size": 6}):
        fig, (left, right) = plt.subplots(1, 2, figsize=(6, 2.5), layout="constrained")
        viz.plot_topomap(result, stage="N2", band="sigma", axes=left, show=False)
        viz.plot_spectrum(result, stage="N2", axes=right, show=False)
        fig.draw_without_rendering()
        box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
        assert min(box.x0, box.y0) > -0.05
        assert box.x1 < width + 0.05
        assert box.y1 < height + 0.05
        sizes = {text.get_fontsize() for text in fig.findobj(plt.Text) if text.get_text()}
        assert max(sizes) <= 7.2  # the title of axes, 1.2 times 6
    assert left.get_title() == "sigma in N2\nn = 2"
    assert right.get_xlabel() == "Frequency (Hz)"
    assert right.get_ylabel() == "Attribution per 0.5 Hz\n(log-probability)"


def test_channels_can_be_picked(pair_result):
    titles = [ax.get_title() for ax in viz.plot_bands(pair_result, picks=["C4-M1", "eog"], show=False).axes]
    assert titles[0::5] == ["C4-M1, W\nn = 2", "EOG, W\nn = 2"]
    fig = viz.plot_topomap(pair_result, picks="C3-M2", stage="W", band="alpha", show=False)
    assert sum(len(c.get_offsets()) for c in fig.axes[0].collections if c.get_gid() == "sites") == 1
    for plot in (viz.plot_bands, viz.plot_topomap):
        with pytest.raises(ChannelError, match="C3-M2"):
            plot(pair_result, picks="Cz", show=False)
    with pytest.raises(ChannelError, match="position"):
        viz.plot_topomap(pair_result, picks="eog", show=False)


def test_several_bands_are_drawn_the_fastest_first(result):
    fig = viz.plot_topomap(result, stage="N2", band=["delta", "beta"], show=False)
    rows = [text.get_text() for ax in fig.axes for text in ax.texts]
    assert [row.splitlines()[0] for row in rows] == ["beta", "delta"]
    with pytest.raises(ParameterError, match="gamma"):
        viz.plot_topomap(result, band=["delta", "gamma"], show=False)


def test_an_epoch_of_the_stage_is_drawn(result):
    assert viz.plot_epoch(result, stage="N3", show=False).get_suptitle().startswith(("Epoch 3,", "Epoch 8,"))
    with pytest.raises(ParameterError, match="W, N1, N2, N3, REM"):
        viz.plot_epoch(result, stage="S2", show=False)
    with pytest.raises(ParameterError, match="not both"):
        viz.plot_epoch(result, 3, stage="N3", show=False)


def test_a_context_can_be_of_the_hypnograms_stages(context_result):
    data = context_result.to_xarray()
    predicted = data["predicted"].values[:, 0].astype(str)
    counts = dict(zip(*np.unique(predicted, return_counts=True), strict=True))
    first, second = sorted(counts, key=counts.get)[::-1][:2]
    scored = predicted.astype(object)  # but the scorer has one epoch of the first as the second
    scored[np.flatnonzero(predicted == first)[0]] = second
    data = data.assign_coords(stage=("epoch", scored))
    fig = viz.plot_context(type(context_result)(data), stage_from="scored", show=False)
    own = data["context_map"].sel(context=0).sum(["channel", "band"]).values
    counted = {ax.get_title().partition(" ")[0]: ax for ax in fig.axes if " (n = " in ax.get_title()}
    for stage in (first, second):
        both = (scored == stage) & (predicted == stage)
        assert counted[stage].get_title().startswith(f"{stage} (n = {both.sum()})")
        (bar,) = [patch for patch in counted[stage].patches if patch.get_x() < 0 < patch.get_x() + patch.get_width()]
        assert bar.get_height() == pytest.approx(own[both].mean(), rel=1e-5)


def test_a_night_that_is_staged_draws_into_axes_too(result):
    from eegflex import stage_epochs

    staged = stage_epochs(example_results.make_epochs(), example_results.TinyStager(6), verbose="error")
    fig, axes = plt.subplots(4, 1)
    assert staged.plot_night(axes=axes, show=False) is fig
    assert staged.plot_night(annotate=False, show=False).get_suptitle() == ""
    with pytest.raises(ParameterError, match="Leave it out"):
        viz.plot_night(staged, recording="a", show=False)
