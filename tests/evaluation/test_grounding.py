"""Evidence for a stage is held against events: what is grounded is found to be, and what is not is not."""

from __future__ import annotations

import example_results
import mne
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eegflex
from eegflex.errors import ParameterError
from eegflex.evaluation import (
    TRUTHS,
    aasm_criteria,
    area_under_roc,
    cover_of_events,
    decisive_events,
    grounding,
    grounding_findings,
)
from eegflex.evaluation.aasm import AASM_CRITERIA
from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.event_shares import shifted
from eegflex.simulation.event_kinds import KINDS as SIMULATED

STAGERS = ("known-spindle", "known-slow-wave", "known-alpha")
SFREQ = 128.0


@pytest.fixture(scope="module")
def night():
    return eegflex.simulate_psg(hours=1.0, sfreq=128, seed=7, verbose="error")


@pytest.fixture(scope="module")
def explained(night):
    """Every known stager on a night, and `bandpower`, which hears the eyes and the chin too."""
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    asked = {"views": ("time-frequency",), "verbose": "error"}
    return {name: eegflex.attribute_epochs(epochs, name, **asked) for name in (*STAGERS, "bandpower")}


def bursts(onsets, *, duration=1.5, freq=14.0, site="C4", views=("time-frequency",), n_epochs=6):
    """Bursts in silence at times of so many epochs, explained by the spindle stager."""
    times = np.arange(round(30 * n_epochs * SFREQ)) / SFREQ
    signals = 1e-8 * np.random.default_rng(0).standard_normal((6, len(times)))
    sites = ["F3", "F4", "C3", "C4", "O1", "O2"]
    for onset in onsets:
        u = np.clip((times - onset) / duration, 0, 1)
        signals[sites.index(site)] += 30e-6 * np.sin(np.pi * u) ** 2 * np.sin(2 * np.pi * freq * times)
    raw = mne.io.RawArray(signals, mne.create_info(sites, SFREQ, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations(30.0 * np.arange(n_epochs), 30, "N2"))
    epochs = eegflex.make_epochs(raw, verbose="error")
    return eegflex.attribute_epochs(epochs, "known-spindle", target="N2", baseline="zero", views=views, verbose="error")


PLACES = np.array([10.0, 12.0, 18.0, 7.0, 21.0, 15.0])
ONSETS = 30.0 * np.arange(6) + PLACES


def table_of(onsets, **more):
    return pd.DataFrame({"onset": onsets, "duration": 1.5, "kind": "spindle"} | more)


@pytest.fixture(scope="module")
def in_silence():
    return bursts(ONSETS)


@given(st.integers(3, 20), st.integers(0, 2**31))
def test_shifted_events_are_events_that_were_rolled(n, seed):
    rng = np.random.default_rng(seed)
    sums, mask = rng.random((2, n)), rng.random((2, n)) < 0.4
    rolled = np.array([[(sums[i] * np.roll(mask[i], k)).sum() for k in range(n)] for i in range(2)])
    np.testing.assert_allclose(shifted(sums, mask), rolled, atol=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30))
def test_area_under_roc_is_how_often_the_one_beats_the_other(cells):
    truth, score = (np.array(column) for column in zip(*cells, strict=True))
    if truth.all() or not truth.any():
        assert np.isnan(area_under_roc(truth, score))
        return
    pairs = score[truth][:, None] - score[~truth][None]
    assert area_under_roc(truth, score) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_bursts_in_silence_have_all_inside(in_silence):
    table = grounding(in_silence, table_of(ONSETS, channel="C4"), stage_from="target").set_index("speaks")
    row = table.loc["for"]
    assert row["n_epochs"] == row["n_events"] == 6
    assert row["share"] > 0.9
    # 1.5 s cover 4 of 61 frames of one of six channels, the only one that anything is said of
    assert row["chance"] == pytest.approx(4 / 61, rel=1e-6)
    assert row["covered"] == pytest.approx(4 / 61 / 6, rel=1e-6)
    assert row["enrichment"] == pytest.approx(row["share"] / row["chance"])
    assert row["enrichment_low"] > 5
    assert row["p_corrected"] < 0.01
    assert row["auroc"] > 0.95
    assert table.loc["against", "n_epochs"] == 0  # rounding, and leaks of filters, are nothing that spoke against it


def test_events_beside_the_bursts_have_nothing_inside(in_silence):
    row = grounding(in_silence, table_of(ONSETS - 5, channel="C4"), stage_from="target").iloc[0]
    assert row["share"] < 0.02
    assert row["enrichment_high"] < 1
    assert row["p"] > 0.9


def test_events_of_another_channel_or_band_are_not_these(in_silence):
    both = pd.concat([table_of(ONSETS, channel="C4"), table_of(ONSETS - 5, channel="C3")])
    alone = grounding(in_silence, table_of(ONSETS, channel="C4"), stage_from="target").iloc[0]
    assert grounding(in_silence, both, stage_from="target").iloc[0]["share"] == pytest.approx(alone["share"])
    elsewhere = grounding(in_silence, table_of(ONSETS, channel="C3"), stage_from="target").iloc[0]
    assert elsewhere["n_epochs"] == 0
    assert np.isnan(elsewhere["enrichment"])
    slow = grounding(in_silence, table_of(ONSETS, low=0.5, high=4.0), stage_from="target").iloc[0]
    assert not slow["of_all"] > 0.001
    unknown = table_of(ONSETS, channel="Fpz")  # a channel that is not there: of all that its kind is seen in
    assert grounding(in_silence, unknown, stage_from="target").iloc[0]["share"] == pytest.approx(
        alone["share"], rel=0.05
    )


def test_events_that_fill_their_epochs_say_nothing(in_silence):
    filled = pd.DataFrame({"onset": 30.0 * np.arange(6), "duration": 30.0, "kind": "spindle"})
    assert (grounding(in_silence, filled, stage_from="target")["n_epochs"] == 0).all()


def test_a_time_view_serves_without_bands():
    result = bursts(ONSETS, views=("time",))
    row = grounding(result, table_of(ONSETS, channel="C4"), stage_from="target").iloc[0]
    assert row["view"] == "time"
    assert row["share"] > 0.9
    assert row["enrichment"] > 5
    assert decisive_events(result, table_of(ONSETS))["kind"].eq("spindle").all()


def test_a_result_that_does_not_say_when_is_refused_with_the_remedy(in_silence):
    bare = eegflex.FlexResult(in_silence.to_xarray().drop_vars("time_frequency_view"))
    for ask in (grounding, decisive_events, aasm_criteria):
        with pytest.raises(ParameterError, match=r"views=\('time-frequency',\)"):
            ask(bare, table_of(ONSETS))


def test_several_recordings_and_no_tables_are_refused(in_silence):
    other = example_results.altered(in_silence, provenance={"input_sha256": "ab" * 32, "recording_sha256": "cd" * 32})
    both = eegflex.concatenate_results([in_silence, other], recordings=["one", "other"])
    with pytest.raises(ParameterError, match="of one recording"):
        grounding(both, table_of(ONSETS))
    for wrong in (table_of(ONSETS).drop(columns="kind"), [1, 2]):
        with pytest.raises(ParameterError, match="find_sleep_events"):
            grounding(in_silence, wrong)
    with pytest.raises(ParameterError, match="column onset must hold finite numbers"):
        grounding(in_silence, table_of([np.nan, 1.0]))


def test_no_events_make_an_empty_table(in_silence):
    table = grounding(in_silence, table_of([]))
    assert table.empty
    assert grounding_findings(table) == []
    assert set(decisive_events(in_silence, table_of([]))["sentence"].str[:30]) == {"N2: no event that scorers use "}


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGERS)
def test_known_stagers_are_grounded_in_their_own_events_and_in_no_others(night, explained, name):
    truth = TRUTHS[name]
    table = grounding(explained[name], night.events)
    rows = table[(table["stage"] == truth.stage) & (table["speaks"] == "for")].set_index("kind")
    own = rows.loc[truth.kind]
    assert own["enrichment_low"] > 1.2
    assert own["p_corrected"] < 0.01
    assert own["auroc"] > 0.7
    assert own["of_all"] > 0.7
    others = rows.loc[
        [kind for kind in ("spindle", "slow_wave", "alpha", "sawtooth") if kind in rows.index and kind != truth.kind]
    ]
    assert not (others["of_all"] * (1 - 1 / others["enrichment"]) > 0.01).any()
    finding = {one.check: one for one in grounding_findings(table)}[f"{truth.stage} grounding"]
    assert finding.status == "ok"
    assert finding.values["kind"] == truth.kind
    cover = cover_of_events(explained[name].sel(stage=truth.stage), truth, night.events)
    assert cover.auroc > 0.7
    assert cover.ratio > 1.3


def given_events_of(donor, stage, kind, onsets, rng):
    """Each epoch gets what lies in an epoch of another night, cut to it. (A night's own events, put into other epochs, are no
    chance: some come back to their own, and all of them made the profile over the epoch that they are held against.)"""
    events, given = donor.events[donor.events["kind"] == kind], []
    for onset in onsets:
        start = 30 * rng.choice(np.flatnonzero(donor.hypnogram == stage))
        first, last = events["onset"].clip(lower=start), (events["onset"] + events["duration"]).clip(upper=start + 30)
        there = first < last
        given.append(pd.DataFrame({"onset": first - start + onset, "duration": last - first, "kind": kind})[there])
    return pd.concat(given, ignore_index=True)


@pytest.mark.slow
def test_events_of_another_night_are_no_evidence(explained):
    """5 % is nominal, for p values and for epochs in which an event is named; 2.5 % for intervals above chance."""
    donor = eegflex.simulate_psg(
        hours=7, sfreq=64, seed=99, electrodes=["C4"], verbose="error"
    )  # many epochs to draw from
    rng, p_values, above, named = np.random.default_rng(0), [], [], []
    for name in STAGERS:
        truth = TRUTHS[name]
        result = explained[name].sel(stage=truth.stage)
        for draw in range(30):
            given = given_events_of(donor, truth.stage, truth.kind, result.data["onset"].values, rng)
            row = grounding(result, given, seed=draw).iloc[0]
            p_values.append(row["p"])
            above.append(row["enrichment_low"] > 1)
            if draw < 8:
                named.append(decisive_events(result, given).groupby("number")["kind"].first().notna().mean())
    assert np.mean(np.array(p_values) <= 0.05) <= 0.12
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(above) <= 0.08
    assert np.mean(named) <= 0.08


def test_the_event_that_carried_an_epoch_is_named(in_silence):
    table = decisive_events(in_silence, table_of(ONSETS, channel="C4"))
    assert table["kind"].tolist() == ["spindle"] * 6
    assert table["channel"].tolist() == ["C4"] * 6
    np.testing.assert_allclose(table["time"], PLACES, atol=1e-6)
    np.testing.assert_allclose(table["share"], table["total"])
    assert (table["total"] > 0.9).all()
    assert (table["p"] <= 0.05).all()
    assert table["sentence"][0] == (
        f"N2: a spindle at C4, 10.0 s carries {100 * table['total'][0]:.0f} % of the evidence for it (by chance "
        f"{100 * table['chance'][0]:.0f} %)"
    )


def test_events_that_carried_nothing_are_not_named(in_silence):
    waves = table_of(ONSETS - 5).assign(kind="slow_wave")
    table = decisive_events(in_silence, pd.concat([table_of(ONSETS), waves]))
    assert set(table["kind"]) == {"spindle"}
    beside = decisive_events(in_silence, table_of(ONSETS - 5))
    assert beside["kind"].isna().all()
    assert beside["sentence"].str.startswith("N2: no event stands out; a spindle has 0 % of").all()


def test_what_several_channels_saw_is_one_event():
    result = bursts([10.0, 20.0], n_epochs=1)
    seen = pd.concat([table_of([10.0, 20.0], channel=site) for site in ("C4", "C3", "F4")])
    table = decisive_events(result, seen)
    assert table["channel"].tolist() == ["C4", "C4"]
    assert table["sentence"][0].startswith("N2: 2 spindles at C4, 10.0 s and C4, 20.0 s carry ")
    assert table["share"].sum() == pytest.approx(table["total"][0])


@pytest.mark.slow
def test_criteria_say_what_known_stagers_use(night, explained):
    used = {"known-spindle": ("N2", "spindle"), "known-slow-wave": ("N3", "slow_wave"), "known-alpha": ("W", "alpha")}
    for name, own in used.items():
        table = aasm_criteria(explained[name], night.events)
        assert len(table) == len(AASM_CRITERIA)
        verdicts = {(row.stage, row.kind): row.verdict for row in table.itertuples()}
        assert verdicts[own] == "used"
        assert not {one for one, verdict in verdicts.items() if verdict == "used"} - {own, ("N1", "alpha")}
        assert verdicts["REM", "eye_movement_rapid"] == verdicts["REM", "chin_tone_low"] == "not used"
    assert "given no EOG" in table.set_index(["stage", "kind"]).loc[("REM", "eye_movement_rapid"), "because"]


@pytest.mark.slow
def test_what_speaks_against_is_used_against(night, explained):
    data = explained["known-spindle"].to_xarray()
    turned = eegflex.FlexResult(data.assign(time_frequency_view=-data["time_frequency_view"]))
    verdicts = aasm_criteria(turned, night.events).set_index(["stage", "kind"])["verdict"]
    assert verdicts["N2", "spindle"] == "used against"


@pytest.mark.slow
def test_levels_of_the_chin_are_told_from_nothing(night, explained):
    from eegflex.evaluation import find_sleep_events

    events = find_sleep_events(night.raw, kinds=["chin_tone_low", "chin_tone_high"], verbose="error")
    table = aasm_criteria(explained["bandpower"], events).set_index(["stage", "kind"])
    data = explained["bandpower"].data
    chin = data["time_frequency_view"].values[:, data["ch_type"].values == "emg"].sum(axis=(1, 2, 3))
    verdicts = [table.loc[one, "verdict"] for one in (("REM", "chin_tone_low"), ("W", "chin_tone_high"))]
    assert set(verdicts) - {"cannot tell"}
    for stage, verdict in zip(("REM", "W"), verdicts, strict=True):
        mean = chin[(data["predicted"].values[:, 0] == stage) & (data["stage"].values == stage)].mean()
        assert verdict in ("cannot tell", "used" if mean > 0 else "used against")


def test_too_few_epochs_cannot_tell(in_silence):
    table = aasm_criteria(in_silence[:3], table_of(ONSETS)).set_index(["stage", "kind"])
    assert table.loc[("N2", "spindle"), "verdict"] == "cannot tell"
    assert "3 epochs of N2" in table.loc[("N2", "spindle"), "because"]
    six = aasm_criteria(in_silence, table_of(ONSETS[:2])).set_index(["stage", "kind"])
    assert "2 epochs with such events" in six.loc[("N2", "spindle"), "because"]


def test_a_margin_speaks_for_its_first_stage():
    result = bursts(ONSETS)
    data = result.to_xarray()
    data["target"][:] = "N2 - N1"
    table = aasm_criteria(eegflex.FlexResult(data), table_of(ONSETS)).set_index(["stage", "kind"])
    assert table.loc[("N2", "spindle"), "verdict"] == "used"
    data["target"][:] = "N1"  # the score of a stage that was not predicted is no reason for the one that was
    table = aasm_criteria(eegflex.FlexResult(data), table_of(ONSETS)).set_index(["stage", "kind"])
    assert table.loc[("N2", "spindle"), "verdict"] == "cannot tell"


def test_words_for_kinds_are_one_vocabulary():
    assert {criterion.kind for criterion in AASM_CRITERIA} <= {*KINDS, *SIMULATED}
    assert {"spindle", "k_complex", "slow_wave", "alpha", "sawtooth", "eye_movement_rapid", "eye_movement_slow"} <= {
        *KINDS
    } & {*SIMULATED}


def test_channel_sets_are_told_apart(pair_result):
    """A stager of one EEG channel: each set has its own sentence, and a table counts epochs, not pairs."""
    data = pair_result.to_xarray()
    times, sets = data["time"].values, data["of_channel_set"].values
    view = np.zeros((data.sizes["epoch"], data.sizes["channel"], len(times)))
    eeg = int(np.flatnonzero((sets == 0) & (data["ch_type"].values == "eeg"))[0])
    view[:, eeg, (times > 10) & (times < 11.5)] = 1.0
    view[:, sets == 1] = 1.0  # the other set is spoken to at all times alike
    result = eegflex.FlexResult(
        data.drop_vars("time_frequency_view", errors="ignore").assign(time_view=(("epoch", "channel", "time"), view))
    )
    events = table_of(data["onset"].values + 10.0)
    by_set = (
        decisive_events(result, events)
        .groupby("channel_set", sort=False)["kind"]
        .apply(lambda kinds: kinds.notna().all())
    )
    assert by_set.tolist() == [True, False]
    table = grounding(result, events, stage_from="scored")
    assert (table["n_epochs"] <= data.sizes["epoch"]).all()
    assert table["n_epochs"].sum() == data.sizes["epoch"]  # positive only, and each epoch once


@pytest.fixture(scope="module")
def burst():
    return bursts([10.0, 42.0])


EVENTS = pd.DataFrame({"onset": [10.0, 42.0], "duration": 1.5, "kind": "spindle"})


@pytest.mark.parametrize("measure", [grounding, aasm_criteria, decisive_events])
@pytest.mark.parametrize(
    ("events", "words"),
    [
        (EVENTS.assign(onset="soon"), "The column onset must hold finite numbers"),
        (EVENTS.assign(onset=pd.Timestamp(0)), "The column onset must hold finite numbers"),
        (EVENTS.assign(duration=1j), "The column duration must hold finite numbers"),
        (EVENTS.assign(duration=-1.0), "duration of an event must be at least 0"),
        (EVENTS.assign(kind=np.nan), "The column kind must hold names"),
        (EVENTS.assign(kind=[["spindle"]] * 2), "The column kind must hold names"),
        (EVENTS.assign(low="slow", high=16), "The column low must hold finite numbers"),
        (pd.concat([EVENTS, EVENTS], axis=1), "more than once"),
    ],
)
def test_what_is_no_event_is_refused_by_its_column(burst, measure, events, words):
    with pytest.raises(ParameterError, match=words):
        measure(burst, events)


@pytest.mark.parametrize("measure", [grounding, aasm_criteria])
@pytest.mark.parametrize("seed", [-1, 2**32, 1e300, None, [1], np.nan], ids=repr)
def test_shifts_are_drawn_from_a_seed(burst, measure, seed):
    with pytest.raises(ParameterError, match="seed must be a positive whole number or 0"):
        measure(burst, EVENTS, seed=seed)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "no table of grounding"),
        (pd.DataFrame({"speaks": ["for"]}), "no table of grounding. Got no column stage"),
    ],
)
def test_findings_of_no_table_are_refused(table, words):
    with pytest.raises(ParameterError, match=words):
        grounding_findings(table)


def test_findings_of_words_for_numbers_are_refused(burst):
    with pytest.raises(ParameterError, match="The column enrichment must hold finite numbers"):
        grounding_findings(grounding(burst, EVENTS).assign(enrichment="much"))
