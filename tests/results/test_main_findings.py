"""Theorems about the main findings: what is told is large, sure and of enough epochs, and what decided comes first."""

from __future__ import annotations

import example_results
import numpy as np
import pytest
from scipy import stats

from eegflex.findings import Findings

TYPES = {"C3-M2": "eeg", "C4-M1": "eeg", "E1-M2": "eog", "Chin1-Chin2": "emg"}
BY_STAGE = {"W": "alpha", "N1": "theta", "N2": "sigma", "N3": "delta", "REM": "beta"}


def explained(n_epochs=100, **options):
    epochs = example_results.make_epochs(tuple(TYPES), list(TYPES.values()), positions=False, n_epochs=n_epochs)
    return example_results.explain(epochs, **options)


@pytest.fixture(scope="module")
def night():
    """Fifty minutes, twenty epochs of each stage."""
    return explained()


def changed(result, **variables):
    data = result.to_xarray()
    for name, change in variables.items():
        data[name].values[...] = change(data)
    return type(result)(data)


def of_bands(result):
    """The findings without those of the baseline: silence is called W."""
    return [one for one in result.main_findings() if not one.check.endswith("baseline")]


def test_they_are_means_over_epochs_of_sums_over_the_channels_of_a_type(night):
    findings = night.main_findings()
    assert isinstance(findings, Findings)
    rows = night.to_data_frame()
    for stage, band in BY_STAGE.items():
        found = findings[f"{stage} for"]
        own = rows[rows["predicted"] == stage]
        eeg = own[own["channel"].isin(["C3-M2", "C4-M1"]) & (own["band"] == band)]
        parts = {
            "eeg": eeg.groupby("number")["attribution"].sum(),
            "muscle tone": own[own["channel"] == "Chin1-Chin2"].groupby("number")["attribution"].sum(),
            "eye movements": own[own["channel"] == "E1-M2"].groupby("number")["attribution"].sum(),
        }
        largest = max(parts, key=lambda name: parts[name].mean())
        assert found.values["mean"] == pytest.approx(parts[largest].mean(), rel=1e-6)
        assert found.values["median"] == pytest.approx(parts[largest].median(), rel=1e-6)
        assert (band if largest == "eeg" else largest) in found.measured
        assert found.values["n_epochs"] == 20
        # Five blocks of as many epochs of each stage, symmetric or nearly: about Student's interval of their means.
        blocks = parts[largest].groupby(parts[largest].index // 20).mean()
        low, high = stats.t.interval(0.95, 4, blocks.mean(), blocks.sem())
        assert found.values["ci_low"] == pytest.approx(low, abs=1.5 * (high - low))
        assert found.values["ci_low"] < found.values["mean"] < found.values["ci_high"]


def test_channels_are_called_what_a_scorer_looks_at_there(night):
    quiet = changed(night, frequency_view=lambda data: np.where(data["ch_type"].values[:, None] == "eeg", 0, 1e-3))
    quiet = changed(quiet, band_error=lambda data: np.zeros(data["band_error"].shape))
    view = quiet.to_xarray()["frequency_view"].values
    assert {one.values["what"] for one in of_bands(quiet)} <= {
        "muscle tone at Chin1-Chin2",
        "eye movements at E1-M2",
    }
    assert quiet.main_findings()["N2 for"].values["mean"] == pytest.approx(view[2, 3].sum(), rel=1e-5)


def test_fewer_than_five_epochs_are_no_finding():
    findings = explained(n_epochs=23).main_findings()  # five of W, N1 and N2, four of N3 and REM
    for stage in ("N3", "REM"):
        assert findings[stage].status == "unknown"
        assert "4 epochs of it are too few" in findings[stage].measured
        assert f"{stage} for" not in findings
        assert f"{stage} against" not in findings


def test_epochs_of_one_block_are_not_told_from_nothing():
    """However many there are: neighbours are alike."""
    result = explained(n_epochs=30)
    data = result.to_xarray()
    close = type(result)(data.assign_coords(onset=("epoch", 10.0 * np.arange(30))))
    assert len(of_bands(close)) == len(BY_STAGE)
    assert all("over 6 epochs, nothing" in one.measured for one in of_bands(close))


def test_none_is_within_its_error(night):
    large = changed(
        night,
        band_error=lambda data: np.full(data["band_error"].shape, 1e3),
        error=lambda data: np.full(data["error"].shape, 1e3),
    )
    for one in of_bands(large):
        assert one.check.endswith("change") or "told from nothing" in one.measured
        assert "raised the score most" not in one.measured


def test_none_has_an_interval_that_holds_zero(night):
    """Signs turn over from block to block: on average there is nothing, whatever the size of each."""
    turned = changed(
        night,
        frequency_view=lambda data: (
            data["frequency_view"].values * np.where(data["number"].values // 20 % 2, 1.0, -1.0)[:, None, None]
        ),
    )
    for one in of_bands(turned):
        assert one.status == "unknown", str(one)


def test_what_is_larger_but_uncertain_is_named(night):
    def chin(data):
        view = data["frequency_view"].values.copy()
        view[:, 3] = 0
        view[data["number"].values < 20, 3, 60] = 100.0  # in one block only
        return view

    found = changed(night, frequency_view=chin).main_findings()["N2 for"]
    assert "sigma" in found.values["what"]
    assert "larger on average, but too uncertain to tell: muscle tone at Chin1-Chin2 (+20" in found.measured


def test_the_context_comes_first_where_it_decides():
    """The neighbours' share of the change, by hand from four scores; as if an epoch did not change its score when replaced."""
    night = example_results.make_context_result(epochs=example_results.make_epochs(n_epochs=100))

    def by_context(data):
        own = data["replaced_scores"].values.copy()
        own[:, :, 1], own[:, :, 2] = own[:, :, 0], own[:, :, 3]
        return own

    findings = list(changed(night, replaced_scores=by_context).main_findings())
    for stage in BY_STAGE:
        first = next(one for one in findings if one.values["stage"] == stage)
        assert first.check == f"{stage} context"
        assert first.values["context_share"] == pytest.approx(1)
        assert first.values["n_epochs"] in (19, 20)
    decided = night.decided_by()["context_share"]
    told = [stage for stage in BY_STAGE if f"{stage} context" in night.main_findings()]
    assert told == [stage for stage in BY_STAGE if decided[stage] > 0.5]


def test_that_epochs_do_nothing_beyond_their_error_comes_first(night):
    assert not any(one.check.endswith(("change", "context")) for one in night.main_findings())
    still = changed(night, baseline_score=lambda data: data["score"].values)
    assert still.within_error.all()
    first = next(one for one in still.main_findings() if one.values["stage"] == "N2")
    assert first.check == "N2 change"
    assert "within its error in 20 of 20 epochs" in first.measured


def test_channel_sets_are_pooled_before_epochs_are_counted():
    pair = example_results.make_pair_result(n_epochs=100)
    rows = pair.to_data_frame()
    own = rows[(rows["predicted"] == "N2") & (rows["band"] == "sigma") & ~rows["channel"].str.startswith("EOG")]
    mean = own.groupby("number")["attribution"].mean().mean()
    found = pair.main_findings()["N2 for"]
    assert found.values["n_epochs"] == 20
    if "sigma" in found.values["what"]:
        assert found.values["mean"] == pytest.approx(mean, rel=1e-6)


def test_a_result_of_all_stages_speaks_for_the_predicted(night):
    of_all = explained(target="all")
    assert [one.check for one in of_all.main_findings()] == [one.check for one in night.main_findings()]


def test_a_baseline_that_is_the_stage_already_is_told_before_any_band(night):
    """As if silence were N2: said of N2, of no other stage, and not where N2 is set against another."""

    def as_n2(data):
        own = data["replaced_scores"].values.copy()
        own[:, :, 1] = np.where(data["stage_name"].values == "N2", 5.0, -5.0)
        return own

    findings = list(changed(night, replaced_scores=as_n2).main_findings())
    assert [one.check for one in findings if one.check.endswith("baseline")] == ["N2 baseline"]
    first = next(one for one in findings if one.values["stage"] == "N2")
    assert first.check == "N2 baseline"
    assert "the baseline, silence in their place, is called N2, too (100 %)" in first.measured
    assert "'stage:W'" in first.remedy
    margin = changed(explained(target=("N2", "N1")), replaced_scores=as_n2)
    assert not any(one.check.endswith("baseline") for one in margin.main_findings())


def test_every_stage_has_baselines_of_its_own(night):
    """As if the baseline of an epoch were its own stage: said of each, though no stage holds half of all epochs."""

    def own(data):
        own = data["replaced_scores"].values.copy()
        own[:, :, 1] = np.where(data["stage_name"].values == data["predicted"].values[..., None], 5.0, -5.0)
        return own

    findings = list(changed(night, replaced_scores=own).main_findings())
    assert [one.check for one in findings if one.check.endswith("baseline")] == [
        f"{stage} baseline" for stage in BY_STAGE
    ]


def test_what_all_did_together_is_said_of_all_channels_only(night):
    assert "all together" in night.main_findings()["N2 for"].measured
    assert not any("all together" in one.measured for one in night.sel(channel="C3-M2").main_findings())
