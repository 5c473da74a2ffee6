"""Every number of epochs of a stage is the same wherever the page says it: an epoch is one, and has one stage."""

from __future__ import annotations

import re

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pages import written
from scipy.special import softmax

from eegflex.evaluation import assess
from eegflex.report.explorer.facts import night_of
from eegflex.report.facts import of_stages
from eegflex.report.stage_rows import make_rows
from eegflex.report.tiles import make_tiles
from eegflex.results.decided import decided_by
from eegflex.results.night import night_of as whole_night

TARGETS = ["predicted", "scored", "all", "N2", ("N2", "N1")]
#: Epochs of which the second channel says the next stage, less surely than the first; and those that were scored otherwise.
OTHERWISE, MISTAKEN = [2, 7, 12, 15, 20, 21], [0, 2, 5, 31]


@pytest.fixture(scope="module", params=TARGETS, ids=str)
def disagreeing(request):
    """Forty epochs of two EEG channels, one at a time, which do not always agree, nor does the scorer."""
    epochs = example_results.make_epochs(("C3-M2", "C4-M1", "EOG-L"), ["eeg", "eeg", "eog"], n_epochs=40)
    made = example_results.explain(epochs, example_results.pair_spec(), target=request.param)
    data = made.to_xarray()
    stages = data["stage_name"].values.astype(str)
    for name in ("scores", "night_scores"):
        data[name].values[OTHERWISE, 1] = 0.5 * np.roll(data[name].values[OTHERWISE, 1], 1, axis=-1)
    data["predicted"].values[:] = stages[data["scores"].values.argmax(axis=-1)]
    for name in ("stage", "night_stage"):
        data[name].values[MISTAKEN] = "REM"
    if request.param == "predicted":
        data["target"].values[:] = data["predicted"].values
    if request.param == "scored":
        data["target"].values[:] = data["stage"].values[:, None]
    return type(made)(data)


def by_hand(result, stage_from):
    """Epochs of each stage, and how many pairs of an epoch and a channel explain another, counted one by one."""
    data, target = result.data, result.parameters["target"]
    counts, others = {}, 0
    for scores, scored in zip(data["scores"].values, data["stage"].values.astype(str), strict=True):
        said = [result.stages[k] for k in scores.argmax(axis=-1)]
        surest = softmax(scores, axis=-1).max(axis=-1).argmax()
        stage = said[surest] if stage_from == "predicted" else str(scored)
        explains = {"predicted": said, "all": said, "scored": [scored] * 2}.get(str(target), [stage] * 2)
        of_none = stage not in result.stages  # nobody scored it: there is no stage that a channel could explain
        others += 0 if of_none else sum(one != stage for one in explains)
        if of_none or stage in explains:
            counts[stage] = counts.get(stage, 0) + 1
    return counts, others


def titles_of(fig):
    """Stage -> n, of the titles of a figure's panels."""
    texts = [ax.get_title(loc=where) for ax in fig.axes for where in ("left", "center")]
    found = [re.search(r"(UNSCORED|W|N1|N2|N3|REM)\s*\(?n = (\d+)", text.replace("$", "")) for text in texts]
    plt.close(fig)
    return {one[1]: int(one[2]) for one in found if one}


@pytest.mark.parametrize("stage_from", ["predicted", "scored"])
def test_tables_and_figures_count_the_same_epochs(disagreeing, stage_from):
    expected, _ = by_hand(disagreeing, stage_from)
    table = disagreeing.band_table(by="stage", stage_from=stage_from)
    assert table["n_epochs"].to_dict() == expected
    by_channel = disagreeing.band_table(stage_from=stage_from)
    every = (by_channel["n_epochs"] + by_channel["n_left_out"]).groupby("stage", observed=True).agg(["min", "max"])
    assert every["min"].to_dict() == every["max"].to_dict() == expected
    expected.pop("UNSCORED", None)  # no stage has no figure
    assert titles_of(disagreeing.plot_bands(picks="eeg", stage_from=stage_from, show=False)) == expected
    assert titles_of(disagreeing.plot_spectrum(stage_from=stage_from, show=False)) == expected


def test_the_page_counts_the_same_epochs(disagreeing):
    expected, others = by_hand(disagreeing, "predicted")
    single = disagreeing.for_target()
    stages = of_stages(single)
    assert {one.stage: one.n for one in stages} == expected
    assert {row.stage: row.n for row in make_rows(single, stages).rows} == expected
    listed = ", ".join(f"{stage} {expected[stage]}" for stage in single.stages if stage in expected)
    *_, looked_at = make_tiles(whole_night(single.data), stages, assess(single)["agreement"])
    assert looked_at.text.startswith(f"{listed}.")
    said = written(single)
    assert f"{len(disagreeing)} of them were explained ({listed})" in said
    if others:
        pairs = f"in {others} of {2 * len(disagreeing)} pairs of an epoch and a channel"
        assert said.count(f"{pairs} another stage was explained") == 1
    else:
        assert "No channel explains another." in said
    for one in disagreeing.main_findings():
        if one.check in expected or one.check.endswith((" for", " against")):
            assert one.values["n_epochs"] == expected[one.values["stage"]], one
    assert decided_by(single.data)["n_epochs"].replace(0, np.nan).dropna().to_dict() == expected


def test_the_explorer_tells_of_each_epoch_once_under_the_stage_of_the_night(disagreeing):
    told = night_of(disagreeing)
    numbers = [row["number"] for row in told["rows"]]
    assert len(numbers) == len(set(numbers)) == len(disagreeing)
    own = pd.Series([disagreeing.stages[told["predicted"][number]] for number in numbers]).value_counts().to_dict()
    assert own == disagreeing.counts() == whole_counts(disagreeing)


def whole_counts(result):
    """The stages of the surest channel sets, counted."""
    chances = softmax(result.data["scores"].values, axis=-1)
    surest = chances.max(axis=-1).argmax(axis=1)
    return (
        pd.Series([result.stages[own[k].argmax()] for own, k in zip(chances, surest, strict=True)])
        .value_counts()
        .to_dict()
    )


def test_what_explains_another_stage_is_in_no_mean_of_a_stage(disagreeing):
    """What the second channel says of its own stage changes nothing of the epoch's where it is another score."""
    if disagreeing.parameters["target"] != "predicted":
        pytest.skip("of other targets all channels explain one score")
    data = disagreeing.to_xarray()
    second = data["of_channel_set"].values == 1
    view = data["frequency_view"].values
    view[np.ix_(OTHERWISE, second)] += 1e3
    loud = type(disagreeing)(data)
    pd.testing.assert_frame_equal(loud.band_table(by="stage"), disagreeing.band_table(by="stage"))
    pd.testing.assert_frame_equal(loud.band_table(), disagreeing.band_table())
