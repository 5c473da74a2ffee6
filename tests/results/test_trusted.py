"""Which explanations are trusted, why others are not, and what tables and figures make of it."""

from __future__ import annotations

import example_results
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import eegflex
from eegflex.errors import ParameterError
from eegflex.results.criteria import CRITERIA
from eegflex.results.once import computed_once
from eegflex.results.trust import NOT_EXPLAINED, NOT_TRUSTED, TRUSTED, judge, trust_words

#: What an evaluation finds of an explanation that is as it should be.
WELL = {
    "bands: one by one": 0.95,
    "deletion: random beaten": 1.0,
    "stability: noise": 0.99,
    "stability: shift": 0.9,
    "shortcut: line": 0.02,
    "shortcut chance: line": 0.01,
    "shortcut: level": 0.6,
    "shortcut chance: level": 0.5,
}


def with_measures(result, **changed):
    """The result as if it had been evaluated; `changed` are measures of the first epoch."""
    data = result.to_xarray().drop_vars(["measures", "measure"], errors="ignore")
    told = dict.fromkeys(changed, 0.0) | WELL
    values = np.tile(list(told.values()), (data.sizes["epoch"], data.sizes["channel_set"], 1))
    for name, value in changed.items():
        values[0, :, list(told).index(name)] = value
    names = np.array(list(told), dtype=object)
    measures = xr.DataArray(values, dims=("epoch", "channel_set", "measure"), coords={"measure": names})
    return eegflex.FlexResult(data.assign(measures=measures))


@pytest.fixture(scope="module")
def sound():
    """Compared with an ordinary epoch: its stage is none of theirs, and nothing arises right beside it."""
    result = example_results.explain(example_results.make_epochs(n_epochs=15), baseline="aperiodic")
    data = result.to_xarray()
    stages = data["stage_name"].values.astype(str).tolist()
    own = np.array([stages.index(one) for one in data["predicted"].values[:, 0].astype(str)])
    replaced = data["replaced_scores"].transpose("epoch", "channel_set", "replaced", "stage_name").values
    replaced[:, :, 1] = -5.0
    replaced[np.arange(len(own)), :, 1, (own + 1) % len(stages)] = 0.0
    data["replaced_scores"] = (("epoch", "channel_set", "replaced", "stage_name"), replaced)
    data["path_share"].values[:] = 0.1
    return with_measures(eegflex.FlexResult(data))


def test_a_dataset_is_judged_once_where_that_is_asked_for(sound):
    with computed_once():
        first = judge(sound.data)
        assert judge(sound.data) is first
        other = spoil(sound, "error", 1.0)
        assert judge(other.data).verdict[0, 0] != first.verdict[0, 0]
        assert judge(sound.data, {"converged": 0.0}) is not first
    assert judge(sound.data) is not first
    np.testing.assert_array_equal(judge(sound.data).verdict, first.verdict)


def spoil(result, name, value):
    """The result with another value of a variable in its first epoch."""
    data = result.to_xarray()
    data[name].values[0] = value
    return eegflex.FlexResult(data)


def own_baseline(result):
    data = result.to_xarray()
    data["replaced_scores"].loc[{"replaced": "epoch"}][0] = data["scores"].values[0]
    return eegflex.FlexResult(data)


def by_neighbours(result):
    """Nothing changes without the epoch, and all without its context."""
    data = result.to_xarray()
    score = data["scores"].values[0]
    replaced = data["replaced_scores"].transpose("epoch", "channel_set", "replaced", "stage_name")
    replaced.values[0] = np.stack([score, score, score[:, ::-1] - 1, score[:, ::-1] - 1], axis=1)
    data["replaced_scores"] = replaced
    return eegflex.FlexResult(data)


def scaled_view(result):
    """Attributions twice as large as the change that they should add up to, whatever gap the result tells of."""
    data = result.to_xarray()
    data["frequency_view"].values[0] *= 2
    return eegflex.FlexResult(data)


def measured(name, value):
    return lambda result: with_measures(result, **{name: value})


#: criterion -> what spoils it in the first epoch, and nothing else of it
SPOILT = {
    "change": lambda result: spoil(result, "baseline_score", result.data["score"].values[0]),
    "context": by_neighbours,
    "converged": lambda result: spoil(result, "error", 0.06),
    "adds up": scaled_view,
    "beyond silence": lambda result: spoil(result, "path_share", 0.9),
    "baseline": own_baseline,
    "one by one": measured("bands: one by one", 0.7),
    "deletion": measured("deletion: random beaten", 0.8),
    "stable": measured("stability: shift", 0.5),
    "no shortcut": measured("shortcut: line", 0.2),
}


def test_what_is_well_is_trusted_and_what_was_not_measured_is_said(sound):
    table = sound.trust()
    assert (table["verdict"] == TRUSTED).all(), table["reasons"].tolist()
    assert (table["reasons"] == "").all()
    assert {"second opinion", "channels", "context"} <= set(table.attrs["not_measured"])
    assert table[table.attrs["not_measured"]].isna().all(axis=None)
    measured = [name for name in CRITERIA if name not in table.attrs["not_measured"]]
    assert table[measured].all(axis=None)
    assert (table["n_measured"] == len(measured)).all()
    assert table.attrs["n_criteria"] == len(CRITERIA) == len(measured) + len(table.attrs["not_measured"])


@pytest.mark.parametrize("name", SPOILT)
def test_each_criterion_by_itself_takes_trust_away_and_says_why(sound, name):
    table = SPOILT[name](sound).trust()
    first, others = table.iloc[0], table.iloc[1:]
    assert first[name] is np.False_ or first[name] == False  # noqa: E712
    assert first["verdict"] == (NOT_EXPLAINED if CRITERIA[name].by_epoch else NOT_TRUSTED)
    assert CRITERIA[name].words in first["reasons"].split("; ")
    assert (others["verdict"] == TRUSTED).all()
    assert table.attrs["counts"][TRUSTED] == len(others)


def test_reasons_stand_in_the_order_of_the_criteria(sound):
    spoilt = with_measures(spoil(sound, "error", 0.5), **{"bands: one by one": 0.1, "stability: noise": -1.0})
    assert spoilt.trust()["reasons"][0].split("; ") == [
        CRITERIA[name].words for name in ("converged", "one by one", "stable")
    ]


@pytest.mark.parametrize("kind", ["below", "above", "images", "channel"])
def test_where_nothing_can_be_chance_is_no_excuse(sound, kind):
    of = {f"shortcut chance: {kind}": 0.3}
    assert with_measures(sound, **of, **{f"shortcut: {kind}": 0.09}).trust()["no shortcut"].all()
    assert not with_measures(sound, **of, **{f"shortcut: {kind}": 0.2}).trust()["no shortcut"][0]


@pytest.mark.parametrize("kind", ["line", "ecg", "artifact"])
def test_what_chance_puts_there_is_no_shortcut(sound, kind):
    of = {f"shortcut chance: {kind}": 0.3}
    assert with_measures(sound, **of, **{f"shortcut: {kind}": 0.39}).trust()["no shortcut"].all()
    assert not with_measures(sound, **of, **{f"shortcut: {kind}": 0.41}).trust()["no shortcut"][0]


def test_the_level_of_a_channel_may_be_more_than_other_shortcuts(sound):
    assert with_measures(sound, **{"shortcut: level": 0.74}).trust()["no shortcut"].all()
    assert not with_measures(sound, **{"shortcut: level": 0.8}).trust()["no shortcut"][0]


def test_nothing_is_trusted_without_evidence(result, sound):
    bare = eegflex.FlexResult(sound.to_xarray().drop_vars(["measures", "measure"]))
    table = bare.trust()
    assert (table["verdict"] == "not tested").all()
    assert not bare.trust(limits={"baseline": 0.0})["verdict"].isin(["trusted"]).any()
    assert (table["reasons"] == "it was not tested on the model").all()
    fixed = example_results.make_result(quadrature="gauss-legendre", n_steps=50)
    assert with_measures(fixed).trust()["reasons"].str.contains("its error was not estimated").all()


def test_a_method_that_sums_to_nothing_needs_no_estimate_of_its_error():
    slope = example_results.explain(example_results.make_epochs(), method="saliency")
    table = with_measures(slope).trust()
    assert table["converged"].isna().all()
    assert not table["reasons"].str.contains("estimated").any()


def test_one_measure_that_was_not_taken_of_some_is_missed_in_these(sound):
    partly = with_measures(sound, **{"bands: one by one": np.nan, "stability: shift": np.nan})
    table = partly.trust()
    assert table["reasons"][0] == "it was not tested on the model"
    assert pd.isna(table["one by one"][0])
    assert table["stable"][0]  # noise is left
    assert table.attrs["n_measured"]["one by one"] == len(table) - 1


def test_a_second_opinion_is_a_test_too():
    asked = {"second_opinion": "shapley", "baseline": "aperiodic"}
    table = example_results.explain(example_results.make_epochs(), **asked).trust()
    known = table["second opinion"].notna()
    assert known.any()
    assert not table.loc[known, "reasons"].str.contains("not tested").any()
    assert table.loc[~known, "reasons"].str.contains("not tested").all()


def test_channel_sets_that_give_another_stage_or_other_bands_are_doubted(pair_result):
    data = pair_result.to_xarray()
    agreed = pair_result.trust()["channels"].to_numpy().reshape(-1, 2)
    assert agreed.all()
    stages = data["stage_name"].values.astype(str).tolist()
    data["scores"].values[0, 1] = data["scores"].values[0, 1].min()
    other = next(stage for stage in stages if stage != data["predicted"].values[0, 0])
    data["predicted"].values[0, 1] = other
    data["scores"].values[0, 1, stages.index(other)] += 0.1
    data["frequency_view"].values[1, data["of_channel_set"].values == 1] *= -1
    found = eegflex.FlexResult(data).trust()["channels"].to_numpy().reshape(-1, 2)
    assert found[0].tolist() == [True, False]
    assert found[1].tolist() == [False, False]
    assert found[2:].all()


@pytest.mark.parametrize(("tested", "of"), [([], 0), ([0], 1), ([0, 1], 1)])
def test_an_epoch_is_judged_by_the_channel_sets_that_were_tested(pair_result, tested, of):
    """An evaluation asks of few explanations, each of another epoch: what it did not ask of is no reason."""
    data = with_measures(pair_result).to_xarray()
    n_sets = data.sizes["channel_set"]
    assert n_sets == 2
    left = [place for place in range(n_sets) if place not in tested]
    data["measures"].values[:, left] = np.nan
    data["measures"].values[1:] = np.nan
    found = judge(data)
    assert found.tested.sum() == of
    assert found.epochs[0] == ((found.verdict[0, tested] == TRUSTED).mean() > 0.5 if tested else False)
    assert not found.epochs[1:].any()
    if tested:
        assert "not tested" not in found.main_reasons(found.tested)


def test_other_limits_judge_otherwise_and_must_be_limits(sound):
    strict = sound.trust(limits={"one by one": 0.99})
    assert (strict["verdict"] == NOT_TRUSTED).all()
    assert (sound.trust(limits={"one by one": 0.9})["verdict"] == TRUSTED).all()
    with pytest.raises(ParameterError, match="no trust criterion"):
        sound.trust(limits={"faith": 0.5})
    for limit in ("0.5", True, float("nan"), None):
        with pytest.raises(ParameterError, match="must be a number"):
            sound.trust(limits={"stable": limit})


def test_tables_are_of_all_epochs_and_count_those_that_are_trusted(sound):
    spoilt = spoil(sound, "error", 0.5)
    first = str(spoilt.data["predicted"].values[0, 0])
    table, only = spoilt.band_table(by="stage"), spoilt.band_table(by="stage", trust="trusted")
    assert (table["n_epochs"] == 3).all()
    assert table["n_trusted"].to_dict() == {stage: 3 - (stage == first) for stage in table.index}
    assert only["n_epochs"].to_dict() == table["n_trusted"].to_dict()
    kept = spoilt[1:].band_table(by="stage")
    pd.testing.assert_frame_equal(only, kept)
    long = spoilt.to_data_frame()
    assert len(long) == len(sound.to_data_frame())
    assert (long["trust"] == NOT_TRUSTED).sum() == (long["number"] == long["number"].min()).sum()


def test_choosing_trusted_epochs_is_choosing_epochs(sound):
    spoilt = spoil(sound, "error", 0.5)
    assert spoilt.sel(trust="trusted").data["number"].values.tolist() == spoilt.data["number"].values[1:].tolist()
    assert len(spoilt.sel(trust="all")) == len(spoilt)
    with pytest.raises(ParameterError, match="trust"):
        spoilt.sel(trust="some")


def test_where_nothing_is_trusted_that_is_said_and_why(result):
    for ask in (result.band_table, result.sel, result.main_findings):
        with pytest.raises(ParameterError, match="None of 10 epochs is trusted: it was not tested on the model"):
            ask(trust="trusted")
    assert "n_trusted" not in result.band_table()
    assert trust_words(result.data) == ""


def test_figures_say_how_many_are_trusted_and_why_others_are_not(sound):
    import matplotlib.pyplot as plt

    spoilt = spoil(sound, "error", 0.5)
    for draw in (spoilt.plot_bands, spoilt.plot_spectrum, spoilt.plot_topomap):
        for trust, n in (("all", 3), ("trusted", 2)):
            fig = draw(show=False, trust=trust)
            said = " ".join(" ".join(text.get_text() for text in fig.findobj(plt.Text)).split())
            assert "14 of 15 epochs that were tested" in said
            assert "its estimated error is large (1)" in said
            assert f"n = {n}" in said
            plt.close(fig)


def test_a_stage_of_which_nothing_is_trusted_is_told_as_such(sound):
    data = sound.to_xarray()
    own = data["predicted"].values[:, 0] == "N2"
    data["error"].values[own] = 0.5
    spoilt = eegflex.FlexResult(data)
    words = trust_words(spoilt.data)
    assert words.startswith("Trusted: 12 of 15 epochs that were tested (")
    assert "N2 0 of 3" in words
    found = spoilt.main_findings()["N2 trust"]
    assert found.status == "warning"
    assert found.values["n_trusted"] == 0
    assert "N2 trust" in {one.check for one in spoilt.main_findings(trust="trusted")}
    assert spoilt.main_findings()["N3 trust"].status == "ok"


def test_what_was_measured_of_the_predicted_stage_is_not_of_another(of_all):
    evaluated = with_measures(of_all)
    assert evaluated.trust()["one by one"].all()
    assert evaluated.for_target("N2").trust()["one by one"].isna().all()


def test_several_recordings_are_judged_each_epoch_as_in_its_own(sound):
    other = example_results.altered(sound, provenance={"input_sha256": "ab" * 32, "recording_sha256": "cd" * 32})
    together = eegflex.concatenate_results([sound, spoil(other, "error", 0.5)], recordings=["a", "b"])
    table = together.trust()
    assert table["recording"].tolist() == ["a"] * 15 + ["b"] * 15
    assert (table["verdict"] == NOT_TRUSTED).to_numpy().nonzero()[0].tolist() == [15]
