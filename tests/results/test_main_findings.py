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


def test_they_are_medians_over_epochs_of_sums_over_the_channels_of_a_type(night):
    findings = night.main_findings()
    assert isinstance(findings, Findings)
    rows = night.to_data_frame()
    for stage, band in BY_STAGE.items():
        found = findings[f"{stage} for"]
        own = rows[rows["predicted"] == stage]
        eeg = own[own["channel"].isin(["C3-M2", "C4-M1"]) & (own["band"] == band)]
        parts = {
            "eeg": eeg.groupby("number")["attribution"].sum(),
            "all of the EMG": own[own["channel"] == "Chin1-Chin2"].groupby("number")["attribution"].sum(),
            "all of the EOG": own[own["channel"] == "E1-M2"].groupby("number")["attribution"].sum(),
        }
        largest = max(parts, key=lambda name: parts[name].median())
        assert found.values["mean"] == pytest.approx(parts[largest].mean(), rel=1e-6)
        assert found.values["median"] == pytest.approx(parts[largest].median(), rel=1e-6)
        assert (band if largest == "eeg" else largest) in found.measured
        assert found.values["n_epochs"] == 20
        # At most as many epochs lie beyond either end as the sign test of 20 independent ones allows.
        low, high = found.values["ci_low"], found.values["ci_high"]
        outside = max(int((parts[largest] < low).sum()), int((parts[largest] > high).sum()))
        assert stats.binom.cdf(outside, 20, 0.5) <= 0.025
        assert low < found.values["median"] < high


def test_channels_are_called_what_a_scorer_looks_at_there(night):
    quiet = changed(night, frequency_view=lambda data: np.where(data["ch_type"].values[:, None] == "eeg", 0, 1e-3))
    quiet = changed(quiet, band_error=lambda data: np.zeros(data["band_error"].shape))
    view = quiet.to_xarray()["frequency_view"].values
    assert {one.values["what"] for one in of_bands(quiet) if one.status == "ok"} <= {
        "all of the EMG at Chin1-Chin2",
        "all of the EOG at E1-M2",
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
        assert one.check.endswith("change") or "distinguishable from zero" in one.measured
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
    assert found.measured.endswith(
        "; larger on average, but too uncertain, or due to few epochs: all of the EMG at Chin1-Chin2 (mean +20.00, "
        "median 0.00)"
    )


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


# The faults that a headline had: each on a night whose numbers are put in by hand.


def bands_set(result, numbers, *, error=0.0):
    """A result of which attributions are 0 but for these: a band of a channel, and its value in each epoch of N2 in turn."""
    data = result.to_xarray()
    view = np.zeros(data["frequency_view"].shape)
    n2 = np.flatnonzero(data["predicted"].values[:, 0] == "N2")
    freqs, names = data["freq"].values, data["ch_name"].values.tolist()
    for (channel, freq), values in numbers.items():
        view[n2[: len(values)], names.index(channel), np.searchsorted(freqs, freq)] = values
    data["frequency_view"].values[...] = view
    for name in ("band_error", "error", "gap"):
        data[name].values[...] = error
    data["baseline_score"].values[...] = data["score"].values - view.sum(axis=(1, 2))[:, None]
    return type(result)(data)


ALPHA, SIGMA = 10.0, 14.0
#: Twenty values from 0 to 1, those of a block of the night no more alike than those of others.
MIXED = np.linspace(0, 1, 20).reshape(4, 5).T.ravel()


def test_one_epoch_of_thirty_carries_no_headline(night):
    """The mean of 30 and nineteen zeros is 1.5, and as large as that of what all epochs have."""
    alone = np.r_[30.0, np.zeros(19)]
    found = bands_set(night, {("C3-M2", ALPHA): alone}).main_findings()["N2"]
    assert found.status == "unknown"
    assert "raised the score most" not in found.text
    beside = {("C3-M2", ALPHA): alone, ("C4-M1", SIGMA): 0.4 + 0.1 * MIXED}
    found = bands_set(night, beside).main_findings()["N2 for"]
    assert found.measured == (
        "sigma, where spindles lie, 12–16 Hz, at C3-M2, C4-M1 raised the score most (median +0.450 log-probability, 95 % "
        "interval +0.421 to +0.479, in 20 of 20 epochs); most at C4-M1 (+0.450 at C4-M1, over 20 epochs); "
        "all together changed it by +0.455 (median); larger on average, but too uncertain, or due to few epochs: the "
        "alpha rhythm, 8–12 Hz, at C3-M2, C4-M1 (mean +1.50, median 0.00)"
    )


def test_one_epoch_of_five_carries_none_either():
    """What was said once: 29.9 in one epoch, next to nothing in the others."""
    few = bands_set(explained(n_epochs=25), {("C3-M2", ALPHA): [29.9, 0.01, 0.07, 9.75, 0.02]}).main_findings()["N2"]
    assert few.status == "unknown"
    assert few.measured == (
        "over 5 epochs, nothing that raised or lowered the score is distinguishable from zero: with so few epochs, "
        "from so few parts of the night, a median has no 95 % interval. Largest in these epochs: the alpha rhythm, "
        "8–12 Hz, at C3-M2, C4-M1 "
        "(+0.0700 log-probability at the median, in 5 of 5 epochs)"
    )


def test_what_speaks_against_stands_beside_and_first_where_it_is_more(night):
    numbers = {("C3-M2", ALPHA): -2.2 + 0.4 * MIXED, ("C3-M2", SIGMA): 0.4 + 0.1 * MIXED}
    found = [one for one in bands_set(night, numbers).main_findings() if one.values["stage"] == "N2"]
    assert [one.check for one in found][-2:] == ["N2 against", "N2 for"]
    assert "lowered the score most (median −2.00 log-probability" in found[-2].measured
    only = bands_set(night, {("C3-M2", SIGMA): 0.4 + 0.1 * MIXED}).main_findings()
    assert only["N2 against"].status == "unknown"
    assert only["N2 against"].text == "Nothing that lowered the score is distinguishable from zero."


def test_of_a_margin_the_larger_side_is_the_headline_and_names_the_stage_it_speaks_for():
    """N2 over N1: −7.56 speaks for N1, and is more than the +2.63 that speaks for N2."""
    margin = explained(target=("N2", "N1"))
    numbers = {("C3-M2", ALPHA): np.full(20, -7.56), ("C3-M2", SIGMA): np.full(20, 2.63)}
    found = [one for one in bands_set(margin, numbers).main_findings() if one.values["stage"] == "N2"]
    assert "raised the score of N1 minus that of N2 most (median −7.56 log-probability" in found[0].measured
    assert "raised the score of N2 minus that of N1 most (median +2.63 log-probability" in found[1].measured


def test_epochs_are_counted_that_did_so_beyond_their_error(night):
    """Twelve of 0.5, four of −0.3, four of 0.05 at an error of 0.1, which is nothing."""
    values = np.tile([0.5, 0.5, 0.5, -0.3, 0.05], 4)
    found = bands_set(night, {("C3-M2", SIGMA): values})
    data = found.to_xarray()
    data["band_error"].values[...] = np.where(np.isfinite(data["band_error"].values), 0.1, np.nan)
    data["error"].values[...] = 10.0
    seen = type(found)(data).main_findings()
    one = next(one for one in seen if one.check in ("N2", "N2 for"))
    assert "in 12 of 20 epochs; 4 the other way, 4 within the error" in one.measured


def test_n_is_that_of_the_channels_that_are_there():
    """A channel that called N2 in 12 of 20 epochs is told of 12, though the other called all of them so."""
    pair = example_results.make_pair_result(n_epochs=100)
    data = pair.to_xarray()
    n2 = np.flatnonzero(data["predicted"].values[:, 0] == "N2")
    data["predicted"].values[n2[:8], 1] = "N1"
    scores = data["scores"].values
    scores[n2[:8], 1] = (
        0.5 * scores[n2[:8], 1][:, [0, 2, 1, 3, 4]]
    )  # less sure than the other, which speaks for the epoch
    picked = type(pair)(data).sel(channel="C4-M1").main_findings()
    told = [one for one in picked if one.check in ("N2 for", "N2 against", "N2")]
    assert {one.values["n_epochs"] for one in told} == {12}
    every = type(pair)(data).main_findings()
    assert {one.values["n_epochs"] for one in every if one.check in ("N2 for", "N2 against")} == {20}


def test_sites_are_told_over_the_epochs_that_all_channels_call_so():
    """C3 is ahead by 1 in each epoch; the epochs that C4 calls N1 are left out of the comparison."""
    pair = example_results.make_pair_result(names=("C3-M2", "C4-M1", "EOG-L"), n_epochs=100)
    values = 1 + 0.2 * MIXED
    made = bands_set(pair, {("C3-M2", SIGMA): values + 1, ("C4-M1", SIGMA): values})
    data = made.to_xarray()
    n2 = np.flatnonzero(data["predicted"].values[:, 0] == "N2")
    data["predicted"].values[n2[::4], 1] = "N1"
    found = type(made)(data).main_findings()["N2 for"]
    there = np.median(np.delete(values + 1, np.s_[::4]))
    assert f"; most at C3-M2 (+{there:.2f} at C3-M2, over the 15 epochs that every channel calls N2)" in found.measured
    same = bands_set(pair, {("C3-M2", SIGMA): values, ("C4-M1", SIGMA): values[::-1]}).main_findings()["N2 for"]
    assert "; no site is distinguishable from the others" in same.measured


def test_a_change_within_its_error_is_not_told_as_a_change(night):
    def still(data):
        return data["score"].values - 0.01

    quiet = changed(night, baseline_score=still, error=lambda data: np.full(data["error"].shape, 1.0))
    told = [one for one in quiet.main_findings() if "all together" in one.measured]
    assert all("more than its error in 0 of 20 epochs" in one.measured for one in told)
    assert "within its error in 20 of 20 epochs" in quiet.main_findings()["N2 change"].measured


def test_an_end_of_an_interval_that_is_not_zero_is_not_written_as_zero(night):
    small = np.where(MIXED < 0.25, 0.0003, 4 + MIXED)
    found = bands_set(night, {("C3-M2", SIGMA): small}).main_findings()["N2 for"]
    assert "95 % interval +0.000300 to +" in found.measured


def test_no_one_decides_a_stage_that_stays_without_both():
    """Where the model says the stage without the epoch and its neighbours, too, the share of a small change says nothing."""
    night = example_results.make_context_result(epochs=example_results.make_epochs(n_epochs=100))

    def little(data):
        own = data["replaced_scores"].values.copy()
        own[:, :, 1], own[:, :, 2], own[:, :, 3] = own[:, :, 0], 0.99 * own[:, :, 0], 0.99 * own[:, :, 0]
        return own

    findings = changed(night, replaced_scores=little).main_findings()
    for stage in BY_STAGE:
        found = findings[f"{stage} context"]
        assert found.status == "unknown"
        assert found.measured.startswith(
            "what decided is not told: without the epoch and its neighbours the stager says"
        )


def test_a_share_whose_interval_holds_a_half_is_unclear():
    night = example_results.make_context_result(epochs=example_results.make_epochs(n_epochs=100))

    def mixed(data):
        """The context makes the whole change in three of five epochs, the epoch itself in the others."""
        own = data["replaced_scores"].values.copy()
        own[:, :, 3] = -own[:, :, 0]
        by_context = (np.arange(len(own)) // 5 % 5 < 3)[:, None, None]
        own[:, :, 1] = np.where(by_context, own[:, :, 0], own[:, :, 3])
        own[:, :, 2] = np.where(by_context, own[:, :, 3], own[:, :, 0])
        return own

    found = [one for one in changed(night, replaced_scores=mixed).main_findings() if one.check.endswith(" context")]
    assert found
    for one in found:
        assert one.status == "unknown"
        assert one.measured.startswith("whether the epoch or its neighbours decided is unclear")
        assert one.values["ci_low"] <= 0.5 < one.values["context_share"]
