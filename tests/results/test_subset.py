"""Theorems about parts of a result: what is chosen is what was asked for, and what is of the whole stays so."""

from __future__ import annotations

import re

import example_results
import numpy as np
import pytest
import xarray as xr
from example_results import STAGES

from eegflex import FlexResult, viz
from eegflex.errors import ChannelError, ParameterError
from eegflex.results.subset import numbers_text

#: Bands of the design, written out: what a size is measured in.
EDGES = ((0.5, 4), (4, 8), (8, 12), (12, 16), (16, 30))


def sizes(view, freqs):
    """Absolute total of the sums in the bands and outside them, over channels and bands; (..., channel, freq) -> (...)."""
    inside = [(low <= freqs) & (freqs < high) for low, high in EDGES]
    masks = [*inside, freqs < EDGES[0][0], freqs >= EDGES[-1][1]]
    return sum(np.abs(view[..., mask].astype(float).sum(-1)) for mask in masks).sum(-1)


def numbers(result):
    return result.data["number"].values.tolist()


@pytest.fixture
def disagreeing(pair_result):
    """The second channel set calls epoch 0 N2 and is surer; calls epoch 1 N3 and is less sure."""
    data = pair_result.to_xarray()
    scores = np.full((2, 5), np.log(0.01))
    scores[0, STAGES.index("N2")], scores[1, STAGES.index("N3")] = np.log(0.96), np.log(0.3)
    scores[1, :3] = np.log(0.2)
    data["scores"].values[:2, 1] = scores
    data["scores"].values[:2, 0] = np.log(0.1)
    data["scores"].values[0, 0, STAGES.index("W")] = data["scores"].values[1, 0, STAGES.index("N1")] = np.log(0.6)
    data["predicted"].values[0, 1], data["predicted"].values[1, 1] = "N2", "N3"
    return type(pair_result)(data)


@pytest.mark.parametrize(
    "index", [3, -1, np.int64(2), slice(2, 5), slice(None, None, -3), [4, 1], np.array([0, -1]), np.arange(10) % 3 == 0]
)
def test_an_index_takes_what_numpy_takes(result, index):
    chosen = result[index]
    places = np.atleast_1d(np.arange(10)[index])
    assert numbers(chosen) == places.tolist()
    assert len(chosen) == len(places)
    for name in ("frequency_view", "time_view", "scores", "gap", "size", "predicted"):
        np.testing.assert_array_equal(chosen.data[name].values, result.data[name].values[places])
    assert chosen.data.sizes["night"] == 10


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (10, "-10 to 9"),
        (-11, "-10 to 9"),
        ([0, 10], "-10 to 9"),
        ([], "No epoch is chosen"),
        (slice(5, 5), "No epoch is chosen"),
        (np.zeros(10, dtype=bool), "No epoch is chosen"),
        (np.ones(9, dtype=bool), "one boolean for each"),
        ([1, 1], "twice"),
        ([0, -10], "twice"),
        (0.5, "whole numbers"),
        ([[0, 1]], "whole numbers"),
        ("N2", "sel\\(stage='N2'\\)"),
    ],
)
def test_what_is_not_there_has_no_index(result, index, words):
    with pytest.raises(ParameterError, match=words):
        result[index]


def test_a_result_is_walked_through_epoch_by_epoch(result):
    walked = list(result)
    assert [numbers(one) for one in walked] == [[n] for n in range(10)]


@pytest.mark.parametrize("stage", ["N2", ["N2"], ("REM", "W")])
def test_a_stage_is_the_predicted_one(result, stage):
    wanted = [stage] if isinstance(stage, str) else stage
    expected = [n for n in range(10) if STAGES[n % 5] in wanted]
    assert numbers(result.sel(stage=stage)) == expected


def test_where_channel_sets_differ_the_most_confident_one_decides(disagreeing):
    assert 0 in numbers(disagreeing.sel(stage="N2"))
    assert 0 not in numbers(disagreeing.sel(stage="W"))
    assert 1 in numbers(disagreeing.sel(stage="N1"))
    assert 1 not in numbers(disagreeing.sel(stage="N3"))
    # ... of all channel sets, whatever channels are chosen.
    assert 0 in numbers(disagreeing.sel(stage="N2", channel="C3-M2"))
    # A result of one channel set has that one's stages.
    assert 0 in numbers(disagreeing.sel(channel="C3-M2").sel(stage="W"))


def test_a_stage_can_be_the_hypnograms_or_that_explained(result, pair_result):
    assert numbers(result.sel(stage="UNSCORED", stage_from="scored")) == [8, 9]
    assert numbers(result.sel(stage="N3", stage_from="scored")) == [3]
    margin = example_results.make_result(target=("N2", "N1"))
    assert len(margin.sel(stage="N2 - N1", stage_from="target")) == 10


def test_epochs_are_chosen_by_their_number():
    sample = example_results.make_result(sample_per_stage=1)
    there = numbers(sample)
    assert numbers(sample.sel(epoch=there[2])) == there[2:3]
    assert numbers(sample.sel(epoch=[there[3], there[0]])) == [there[0], there[3]]
    missing = next(n for n in range(10) if n not in there)
    with pytest.raises(ParameterError, match="was not explained"):
        sample.sel(epoch=missing)


@pytest.mark.parametrize("channel", ["eog", "EOG-L"])
def test_a_channel_is_known_by_type_and_name(pair_result, channel):
    assert pair_result.sel(channel=channel).ch_names == ("EOG-L (with C3-M2)", "EOG-L (with C4-M1)")


def test_a_channel_set_goes_with_its_last_channel(pair_result):
    chosen = pair_result.sel(channel="EOG-L (with C4-M1)")
    assert chosen.data.sizes["channel_set"] == 1
    assert chosen.data["channel_set"].values.tolist() == ["C4-M1 + EOG-L"]
    assert chosen.data["of_channel_set"].values.tolist() == [0]
    np.testing.assert_array_equal(chosen.data["scores"].values[:, 0], pair_result.data["scores"].values[:, 1])
    np.testing.assert_array_equal(
        chosen.data["night_scores"].values[:, 0], pair_result.data["night_scores"].values[:, 1]
    )
    np.testing.assert_array_equal(
        chosen.data["frequency_view"].values[:, 0], pair_result.data["frequency_view"].values[:, 3]
    )


@pytest.mark.parametrize("make", ["result", "pair_result"])
def test_gaps_and_errors_remain_those_of_the_whole(make, request):
    whole = request.getfixturevalue(make)
    picked = whole.sel(channel="C4-M1")
    k = int(whole.data["of_channel_set"].sel(channel="C4-M1"))
    np.testing.assert_array_equal(picked.relative_gap()[:, 0], whole.relative_gap()[:, k])
    for name in ("score", "baseline_score", "gap", "error"):
        np.testing.assert_array_equal(picked.data[name].values[:, 0], whole.data[name].values[:, k])
    own = sizes(whole.data["frequency_view"].values[:, whole.data["of_channel_set"].values == k], whole.freqs)
    np.testing.assert_allclose(picked.relative_gap()[:, 0], np.abs(whole.data["gap"].values[:, k]) / own, rtol=1e-6)


@pytest.mark.parametrize("target", ["predicted", "margin", "N3", ("N2", "N1")])
def test_gaps_of_any_target_are_of_the_whole_after_channels_were_chosen(of_all, target):
    picked, whole = of_all.sel(channel=["C3-M2", "O2-M1"]).for_target(target), of_all.for_target(target)
    np.testing.assert_array_equal(picked.relative_gap(), whole.relative_gap())
    np.testing.assert_array_equal(picked.data["error"].values, whole.data["error"].values)
    own = sizes(whole.data["frequency_view"].values, whole.freqs)
    np.testing.assert_allclose(whole.relative_gap()[:, 0], np.abs(whole.data["gap"].values[:, 0]) / own, rtol=1e-4)


def test_errors_of_a_target_are_relative_to_its_size(of_all):
    of_stage, margin = of_all.for_target("N3"), of_all.for_target(("N2", "N1"))
    np.testing.assert_allclose(of_stage.data["error"], of_all.data["error"])
    view = of_all.data["frequency_view"].values
    two, one = (view[:, STAGES.index(stage)].astype(float) for stage in ("N2", "N1"))
    wanted = of_all.data["error"].values[:, 0] * (sizes(two, of_all.freqs) + sizes(one, of_all.freqs))
    np.testing.assert_allclose(margin.data["error"].values[:, 0], wanted / sizes(two - one, of_all.freqs), rtol=1e-4)


def test_sizes_take_in_the_context_after_channels_were_chosen():
    whole = example_results.make_context_result()
    parts = np.abs(whole.data["context_map"].values.astype(float))
    own = np.nansum(parts, axis=(1, 2, 3))
    picked = whole.sel(channel="F3-M2")
    np.testing.assert_allclose(picked.relative_gap()[:, 0], np.abs(whole.data["gap"].values[:, 0]) / own, rtol=1e-6)


def test_one_thing_after_another_or_all_at_once_is_the_same(pair_result):
    at_once = pair_result.sel(stage=["N2", "W"], channel="C3-M2", epoch=[0, 2, 5])
    one_by_one = pair_result.sel(channel="C3-M2").sel(epoch=[0, 2, 5]).sel(stage=["N2", "W"])
    xr.testing.assert_identical(at_once.data, one_by_one.data)
    assert numbers(at_once) == [0, 2, 5]


def test_choosing_changes_nothing(pair_result):
    before = pair_result.to_xarray()
    pair_result.sel(stage="N2", channel="eog").to_xarray()["scores"].values[:] = 0
    pair_result[::2].copy().data["scores"].values[:] = 0
    xr.testing.assert_identical(pair_result.data, before)


def test_a_copy_shares_nothing(pair_result):
    copy = pair_result.copy()
    xr.testing.assert_identical(copy.data, pair_result.data)
    for name, variable in copy.data.data_vars.items():
        assert not np.shares_memory(variable.values, pair_result.data[name].values), name


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ({"stage": "S2"}, ParameterError, "'S2'. Allowed: W, N1, N2, N3, REM"),
        ({"stage": ["N2", "S2"]}, ParameterError, "'S2'"),
        ({"stage": []}, ParameterError, "nothing"),
        ({"epoch": 10}, ParameterError, "10. Allowed: 0-9"),
        ({"epoch": []}, ParameterError, "nothing"),
        ({"channel": "Cz"}, ChannelError, "C3-M2"),
        ({"channel": []}, ChannelError, "C3-M2"),
        ({"recording": "a"}, ParameterError, "no such recording"),
        ({"stage": "N2", "epoch": 0}, ParameterError, "all of that"),
        ({"stage": "N2", "stage_from": "guessed"}, ParameterError, "must be one of"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(result, what, error, words):
    with pytest.raises(error, match=words):
        result.sel(**what)


def test_a_part_that_was_saved_is_read_back(every_bin, tmp_path):
    from eegflex import read_result

    part = every_bin.sel(stage="N2", channel=["C3-M2", "C4-M1"])
    again = read_result(part.save(tmp_path / "part.nc"))
    xr.testing.assert_identical(again.data, part.data)
    np.testing.assert_array_equal(again.relative_gap(), part.relative_gap())


def note(fig):
    return fig.get_supxlabel().replace("\n", " ")


def test_figures_say_that_they_are_of_a_part(result, pair_result):
    assert "selection" not in note(viz.plot_bands(result, show=False))
    fig = viz.plot_bands(result.sel(stage=["N2", "W"], channel="C3-M2"), show=False)
    assert "A selection: 4 of 10 epochs that were explained." in note(fig)
    assert "only some are in this result" in note(fig)
    card = viz.plot_epoch(result.sel(channel=["C3-M2", "C4-M1"]), 2, show=False)
    facts = "\n".join(text.get_text() for ax in card.axes for text in ax.texts)
    assert "Sum, channels picked" in facts
    assert "only some are in this result" in note(card)
    night = viz.plot_night(result[:3], show=False)
    assert "Explained: the 3 of 10 epochs that are in this result; 10 were explained." in note(night)


def test_numbers_are_told_as_ranges():
    assert numbers_text([9]) == "9"
    assert numbers_text([7, 0, 1, 2, 5, 8]) == "0-2, 5, 7-8"


def test_names_are_plain_text(result):
    assert {type(name) for name in (*result.ch_names, *result.stages, *result.recordings)} == {str}
    assert re.fullmatch("recording [0-9a-f]{8}", *result.recordings)
    assert isinstance(result.ch_names, tuple)


def test_a_notebook_shows_a_table_that_cannot_be_harmful():
    evil = "<script>alert(1)</script>"
    epochs = example_results.make_epochs((evil, "C4-M1"), "eeg", positions=False)
    page = example_results.explain(epochs)._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, C4-M1" in page
    assert page.startswith("<table>")


@pytest.mark.parametrize("make", ["result", "of_all"])
def test_the_table_of_a_notebook_says_what_a_result_is(make, request):
    shown = request.getfixturevalue(make)
    page = shown._repr_html_()
    gap = np.abs(shown.for_target().relative_gap())
    for words in ("tiny", "zero", "FLEX", "10 of 10 (W 2, N1 2", ", ".join(shown.ch_names)):
        assert words in page
    assert f"median {100 * np.median(gap):.2g} %" in page
    assert f"largest {100 * gap.max():.2g} %" in page
    assert shown.recordings[0] in page


def test_a_table_of_a_method_that_does_not_add_up_has_no_gap():
    page = example_results.explain(example_results.make_epochs(), method="saliency")._repr_html_()
    assert "gap" not in page
    assert "nan" not in page


def test_one_number_of_any_type_is_an_epoch(result):
    number = numbers(result)[1]
    for one in (np.array(number), np.int64(number), [number]):
        assert numbers(result.sel(epoch=one)) == [number]


@pytest.mark.parametrize("stage_from", ["", "guessed", None, ["predicted"]], ids=repr)
def test_where_a_stage_is_from_is_looked_at_although_no_stage_is_named(result, stage_from):
    with pytest.raises(ParameterError, match="stage_from must be one of"):
        result.sel(stage_from=stage_from)


@pytest.mark.parametrize("limits", ["", [], 0], ids=repr)
def test_limits_of_trust_are_a_mapping_although_they_are_empty(result, limits):
    with pytest.raises(ParameterError, match="limits must be a mapping"):
        result.trust(limits=limits)


@pytest.mark.parametrize("stage", ["", [], ()], ids=repr)
def test_a_stage_without_a_name_is_not_the_most_frequent_one(result, stage):
    with pytest.raises(ParameterError, match="No epoch of this stage was explained"):
        result.plot_epoch(stage=stage, show=False)


def test_a_result_of_no_numbers_is_shown_and_not_drawn(result):
    data = result.to_xarray()
    for name in ("signal", "gap", "error", "size"):
        data[name].values[:] = np.nan
    odd = FlexResult(data)
    assert "not known" in odd._repr_html_()
    assert len(viz.plot_completeness(odd, show=False).axes) == 1
    for draw in (viz.plot_epoch, viz.plot_examples):
        with pytest.raises(ParameterError, match="signal is not finite"):
            draw(odd, show=False)
