"""Theorems about several recordings in one result: its parts are what was put together, and no number is ambiguous."""

from __future__ import annotations

import itertools
import json
import re

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import eegflex
from eegflex import concatenate_results, viz
from eegflex.errors import ParameterError
from eegflex.spec import ModelSpec

LABELS = ("anna", "ben", "3")


@pytest.fixture(scope="module")
def nights():
    """Three nights of ten, five and seven epochs."""
    return [example_results.make_pair_result(seed=seed, n_epochs=n) for seed, n in ((1, 10), (2, 5), (3, 7))]


@pytest.fixture(scope="module")
def together(nights):
    return concatenate_results(nights, recordings=LABELS)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def labelled(result, label):
    """A result with the label of its recording, given by hand."""
    data = result.to_xarray()
    for name, dim in (("recording", "epoch"), ("night_recording", "night")):
        data = data.assign_coords({name: (dim, np.full(data.sizes[dim], label, dtype=object))})
    return type(result)(data)


def texts(fig):
    return sorted(text.get_text() for text in fig.findobj(plt.Text))


def explain(**options):
    return example_results.explain(example_results.make_epochs(seed=5, n_epochs=5), **options)


def test_each_recording_comes_out_as_it_went_in(nights, together):
    assert together.recordings == LABELS
    for label, night in zip(LABELS, nights, strict=True):
        xr.testing.assert_identical(together.sel(recording=label).data, labelled(night, label).data)
        assert together.sel(recording=label).provenance == night.provenance


def test_epochs_and_nights_follow_each_other(nights, together):
    assert len(together) == together.data.sizes["night"] == 22
    for name in ("frequency_view", "scores", "predicted", "night_scores", "size"):
        np.testing.assert_array_equal(
            together.data[name].values, np.concatenate([night.data[name].values for night in nights])
        )
    assert together.counts() == {
        stage: sum(night.counts().get(stage, 0) for night in nights) for stage in together.stages
    }


def test_one_after_another_or_all_at_once_is_the_same(nights, together):
    by_pairs = concatenate_results(
        [concatenate_results(nights[:2], recordings=LABELS[:2]), nights[2]], recordings=LABELS
    )
    xr.testing.assert_identical(by_pairs.data, together.data)


def test_without_labels_they_have_the_names_of_their_content(nights):
    own = [night.recordings[0] for night in nights]
    assert len(set(own)) == 3
    assert all(re.fullmatch("recording [0-9a-f]{8}", name) for name in own)
    assert concatenate_results(nights).recordings == tuple(own)


def test_labels_that_there_are_remain(nights):
    first = concatenate_results(nights[:1], recordings=["sub-01"])
    assert first.recordings == ("sub-01",)
    assert concatenate_results([first, nights[1]]).recordings == ("sub-01", *nights[1].recordings)
    assert concatenate_results([first, nights[1]], recordings=["a", "b"]).recordings == ("a", "b")


@pytest.mark.parametrize("labels", [["a", "a", "b"], ["a", "b"], ["a", "b", ""], "abc", list("abcd")])
def test_labels_must_be_one_each_and_different(nights, labels):
    with pytest.raises(ParameterError, match="label"):
        concatenate_results(nights, recordings=labels)
    assert concatenate_results(nights, recordings=pd.Series(list("abc"))).recordings == ("a", "b", "c")


def test_labels_of_their_own_that_clash_are_refused(nights):
    one, other = (concatenate_results([night], recordings=["a"]) for night in nights[:2])
    with pytest.raises(ParameterError, match="must differ"):
        concatenate_results([one, other])


def test_the_same_night_twice_is_refused_whatever_its_epochs(nights):
    with pytest.raises(ParameterError, match=rf"same night occurs twice.*'{nights[0].recordings[0]}'"):
        concatenate_results([nights[0][:3], nights[1], nights[0][5:]])
    with pytest.raises(ParameterError, match="'a' and 'c'"):
        concatenate_results([concatenate_results(nights[:2]), nights[0]], recordings=["a", "b", "c"])


@pytest.mark.parametrize("wrong", [[], ["night.nc"]])
def test_what_are_no_results_is_refused(wrong):
    with pytest.raises(ParameterError, match="at least one result"):
        concatenate_results(wrong)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": "recording"}, "baseline: 'zero' / 'recording'"),
        ({"target": "N2"}, "target: 'predicted' / 'N2'"),
        ({"tol": 0.1}, "tol: 0.02 / 0.1"),
        ({"quadrature": "graded"}, "quadrature: 'adaptive' / 'graded'"),
        ({"views": ("time",)}, "views: "),
        ({"dtype": "float64"}, "dtype: 'float32' / 'float64'"),
        ({"sample_per_stage": 1}, "sample_per_stage: None / 1"),
    ],
)
def test_results_that_were_asked_otherwise_are_refused_with_what_differs(options, words):
    first, other = example_results.explain(example_results.make_epochs(n_epochs=5)), explain(**options)
    with pytest.raises(
        ParameterError, match=r"recording \w+ and recording \w+ were made with other settings"
    ) as caught:
        concatenate_results([first, other])
    assert words in str(caught.value)


def test_how_something_was_computed_may_differ(nights):
    other = example_results.altered(nights[1], parameters={"device": "cuda:0", "seed": 7, "batch_size": 3})
    both = concatenate_results([nights[0], other])
    assert {"device", "seed", "batch_size"}.isdisjoint(both.parameters)
    assert both.parameters == {
        name: value for name, value in nights[0].parameters.items() if name not in ("device", "seed", "batch_size")
    }


def test_another_stager_is_refused_with_what_differs(nights):
    other = example_results.explain(
        example_results.make_epochs(("C3-M2", "C4-M1", "EOG-L"), ["eeg", "eeg", "eog"], seed=9, n_epochs=5),
        ModelSpec(name="tiny", scores="log_probs"),
    )
    with pytest.raises(ParameterError, match=r"not of the same stager.*model\.name: 'pair' / 'tiny'"):
        concatenate_results([nights[0], other])


def without_weights(result):
    """As of a model whose weights nobody can see."""
    data = result.to_xarray()
    known = json.loads(data.attrs["provenance"])
    del known["model_sha256"]
    return type(result)(data.assign_attrs(provenance=json.dumps(known)))


def test_other_weights_are_refused_where_they_are_known(nights):
    nights = [without_weights(night) for night in nights]
    of_one, of_other = (
        [example_results.altered(night, provenance={"model_sha256": digit * 64}) for night in nights] for digit in "ab"
    )
    assert len(concatenate_results([of_one[0], of_one[1], nights[2]])) == 22
    with pytest.raises(ParameterError, match=r"models with different weights.*aaaaaaaaaaaa… / bbbbbbbbbbbb…"):
        concatenate_results([of_one[0], of_other[1]])
    with pytest.raises(ParameterError, match="different weights"):
        concatenate_results([concatenate_results([of_one[0], nights[1]]), of_other[2]])
    with pytest.raises(ParameterError, match="different weights"):  # that the first does not know its own hides nothing
        concatenate_results([nights[0], of_one[1], of_other[2]])


def test_other_channels_places_and_frequencies_are_refused():
    spec = ModelSpec(name="tiny", scores="log_probs")

    def night(names, seed, **options):
        return example_results.explain(
            example_results.make_epochs(names, "eeg", seed=seed, n_epochs=5, **options), spec
        )

    first = night(("C3", "C4"), 1)
    with pytest.raises(ParameterError, match=r"different channels.*C3, C4 / O1, C4"):
        concatenate_results([first, night(("O1", "C4"), 2)])
    with pytest.raises(ParameterError, match=r"electrodes at different places.*C3, C4"):
        concatenate_results([first, night(("C3", "C4"), 2, positions=False)])
    thinned = type(first)(night(("C3", "C4"), 2).data.isel(freq=slice(None, None, 2)))
    with pytest.raises(ParameterError, match=r"different frequencies.*961 from 0 to 32 / 481 from 0 to 32"):
        concatenate_results([first, thinned])


def test_provenance_is_that_of_each(nights, together):
    assert together.provenance == {
        "recordings": {label: night.provenance for label, night in zip(LABELS, nights, strict=True)}
    }
    assert json.loads(json.dumps(together.provenance)) == together.provenance


def test_a_night_that_was_stopped_is_told_of_those_that_have_it(nights):
    stopped = example_results.altered(nights[1], provenance={"partial": True})
    both = concatenate_results([nights[0], stopped])
    assert both.is_partial
    assert [both.sel(recording=label).is_partial for label in both.recordings] == [False, True]


def test_a_recording_goes_with_its_last_epoch(together):
    of_first_and_last = together[[0, -1]]
    assert of_first_and_last.recordings == ("anna", "3")
    assert of_first_and_last.data.sizes["night"] == 17
    assert set(of_first_and_last.provenance["recordings"]) == {"anna", "3"}
    assert together[12].recordings == ("ben",)
    assert "recordings" not in together[12].provenance


def test_tables_know_the_recording(nights, together):
    rows = together.to_data_frame()
    parts = [night.to_data_frame().assign(recording=label) for label, night in zip(LABELS, nights, strict=True)]
    pd.testing.assert_frame_equal(rows, pd.concat(parts, ignore_index=True))
    table = together.band_table(by=("recording", "stage"))
    for label, night in zip(LABELS, nights, strict=True):
        np.testing.assert_allclose(table.loc[label], night.band_table(by="stage"), atol=1e-12)
    assert list(dict.fromkeys(table.index.get_level_values("recording"))) == list(LABELS)


def test_a_mean_over_recordings_is_that_of_their_epochs(nights, together):
    counts = np.array([len(night) for night in nights])
    means = np.array([night.band_table(by="channel").drop(columns="n_epochs").to_numpy() for night in nights])
    pooled = together.band_table(by="channel")
    assert (pooled["n_epochs"] == counts.sum()).all()
    expected = np.einsum("n,ncb->cb", counts, means) / counts.sum()
    np.testing.assert_allclose(pooled.drop(columns="n_epochs"), expected, atol=1e-12)


@pytest.mark.parametrize(
    "ask",
    [
        lambda both: both.sel(epoch=2),
        lambda both: both.sel(recording=["anna", "ben"], epoch=2),
        lambda both: both.plot_epoch(2, show=False),
        lambda both: both.plot_night(show=False),
        lambda both: both.band_table(by=("stage", "epoch")),
        lambda both: eegflex.make_report(both, verbose="error"),
    ],
)
def test_a_number_without_its_recording_is_refused(together, ask):
    with pytest.raises(ParameterError, match="recording"):
        ask(together)


def test_a_number_of_a_recording_is_that_epoch(nights, together):
    chosen = together.sel(recording="ben", epoch=2)
    xr.testing.assert_identical(chosen.data, labelled(nights[1][2], "ben").data)
    rows = together.band_table(by=("recording", "epoch"))
    assert len(rows) == 22
    np.testing.assert_allclose(rows.loc[("ben", 2)], nights[1].band_table(by="epoch").loc[2])


@pytest.mark.parametrize(
    "draw",
    [
        lambda result, **which: viz.plot_night(result, show=False, **which),
        lambda result, **which: viz.plot_epoch(result, 3, show=False, **which),
        lambda result, **which: viz.plot_epoch(result, show=False, **which),
    ],
)
def test_a_figure_of_one_recording_is_the_figure_of_that_recording(nights, together, draw):
    own = labelled(nights[1], "ben")
    assert texts(draw(together, recording="ben")) == texts(draw(own))
    with pytest.raises(ParameterError, match="'anna', 'ben', '3'"):
        draw(together, recording="carl")


def test_the_recording_is_named_in_the_figure(together):
    assert together.plot_epoch(3, recording="ben", show=False).get_suptitle().startswith("ben, epoch 3, 0:01:30")
    assert "pair on ben" in together.plot_night(recording="ben", show=False).get_suptitle()
    surest = together.plot_epoch(show=False).get_suptitle()
    assert surest.partition(",")[0] in LABELS
    assert "Recordings: anna, ben, 3." in together.plot_bands(show=False).get_supxlabel().replace("\n", " ")


def test_epochs_of_the_context_are_those_of_any():
    nights = [
        example_results.make_context_result(epochs=example_results.make_epochs(seed=seed, n_epochs=6))
        for seed in (1, 2)
    ]
    cut = type(nights[1])(nights[1].data.sel(context=[0, 1]))
    both = concatenate_results([nights[0], cut])
    assert both.data["context"].values.tolist() == [-1, 0, 1]
    assert np.isnan(both.data["context_map"].sel(context=-1).values[4:]).all()
    np.testing.assert_array_equal(both.data["context_map"].values[:4], nights[0].data["context_map"].values)
    np.testing.assert_array_equal(both.data["context_map"].values[4:, 1:], cut.data["context_map"].values)


def test_it_is_saved_and_read(together, tmp_path):
    path = together.save(tmp_path / "both.nc")
    for lazy in (False, True):
        with eegflex.read_result(path, lazy=lazy) as again:
            xr.testing.assert_identical(again.to_xarray(), together.data)
            assert again.recordings == LABELS
    assert repr(together).count("3 recordings") == 1
    assert "anna, ben, 3" in together._repr_html_()


def test_results_of_all_stages_are_put_together_too():
    nights = [
        example_results.explain(example_results.make_epochs(("C3", "C4"), "eeg", seed=seed, n_epochs=5), target="all")
        for seed in (1, 2)
    ]
    both = concatenate_results(nights)
    for target, (place, night) in itertools.product(("predicted", ("N2", "N1")), enumerate(nights)):
        part = both.for_target(target).sel(recording=both.recordings[place])
        np.testing.assert_array_equal(part.relative_gap(), night.for_target(target).relative_gap())
        np.testing.assert_array_equal(part.band_table(), night.for_target(target).band_table())
    # Of a night none of whose epochs was scored, nothing is left.
    data = both.to_xarray()
    data["stage"].values[5:] = "UNSCORED"
    assert type(both)(data).for_target("scored").recordings == nights[0].recordings
