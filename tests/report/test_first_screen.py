"""The first screen: its numbers are those of the result, its marks lie where they should, and it says what is not known."""

from __future__ import annotations

import dataclasses
import itertools
import re

import example_results
import numpy as np
import pytest
from example_results import altered
from pages import Page
from scipy.special import softmax

from eegflex.evaluation import assess
from eegflex.report.facts import GRADES, LIMITS, grade, of_stages, worst
from eegflex.report.first_screen import _look_at, first_screen, subtitle
from eegflex.report.night_strip import WIDE, axis_ticks, make_strips
from eegflex.report.parts import Gathered
from eegflex.report.stage_rows import WIDTH, make_rows
from eegflex.report.tiles import make_tiles
from eegflex.results import FlexResult
from eegflex.results.night import night_of
from eegflex.spec import ModelSpec

JARGON = re.compile(r"F\(x|\btol\b|[Cc]hannel set|\bnan\b|None\b[^ ]|\w_[a-z]")


@pytest.fixture(scope="module")
def many():
    """Forty epochs of one EEG channel at a time with an EOG channel, eight of each stage."""
    epochs = example_results.make_epochs(("C3-M2", "C4-M1", "EOG-L"), ["eeg", "eeg", "eog"], n_epochs=40)
    return example_results.explain(epochs, example_results.pair_spec())


def screen(result):
    single = result.for_target()
    return Page(str(first_screen(Gathered(single, assess(single))))).text


def tiles(result):
    return make_tiles(night_of(result.data), of_stages(result), assess(result)["agreement"])


class TestGrades:
    @pytest.mark.parametrize("name", LIMITS)
    def test_each_limit_has_all_grades_in_order(self, name):
        good, bad = LIMITS[name]
        values = np.linspace(good, bad, 5)
        assert [grade(name, value) for value in values] == ["good", "some", "some", "some", "bad"]
        assert grade(name, np.nan) == "unknown"

    def test_the_worst_counts(self):
        for one, other in itertools.combinations(GRADES, 2):
            assert worst(one, other) == worst(other, one) == other


class TestNight:
    def test_probabilities_are_the_mean_over_channels(self, many):
        night = night_of(many.data)
        expected = softmax(many.data["night_scores"].values, axis=-1).mean(axis=1)
        np.testing.assert_allclose(night.mean, expected)
        assert not np.allclose(night.mean, softmax(many.data["night_scores"].values, axis=-1).max(axis=1))

    def test_channels_disagree_where_they_give_different_stages(self, many):
        data = many.to_xarray()
        data["night_scores"].values[[3, 7, 9], 0] = data["night_scores"].values[[4, 8, 10], 0]
        night = night_of(data)
        assert np.flatnonzero(night.is_disputed).tolist() == [3, 7, 9]
        text = make_tiles(night, of_stages(many), None)[1]
        assert text.grade == "some"
        assert "In 3 of 40 epochs" in text.text

    def test_epochs_to_look_at_are_named_where_they_were_explained_and_else_described(self, many):
        data = many.to_xarray()
        data["night_scores"].values[[3, 7, 9], 0] = data["night_scores"].values[[4, 8, 10], 0]
        night = night_of(data)
        night = dataclasses.replace(night, scored=night.predicted.copy(), explained=np.array([0, 3]))
        assert Page(str(_look_at(night))).text == (
            "Of the explained epochs, look first at number 3 (channels disagree). 2 epochs like these were not explained."
        )
        others = dataclasses.replace(night, explained=np.array([0, 1]))
        assert str(_look_at(others)) == "3 epochs in which channels disagree were not explained."

    def test_one_that_was_not_staged_is_a_gap_everywhere(self, many):
        data = many.to_xarray()
        data["night_scores"].values[5] = np.nan
        data["night_scores"].values[6, 1] = np.nan
        night = night_of(data)
        assert not night.is_staged[[5, 6]].any()
        assert not night.is_disputed[[5, 6]].any()
        strips = {strip.kind: strip for strip in make_strips(night)}
        drawn = levels(strips["hypnogram"].svg, "staged", 40)
        assert np.flatnonzero(np.isnan(drawn)).tolist() == [5, 6]
        for path in re.findall(r' d="([^"]*)"', strips["density"].svg):
            assert path.count("M") == 2

    def test_the_hypnogram_is_what_was_staged_and_scored(self, many):
        night = night_of(many.data)
        strip = make_strips(night)[0]
        order = ["W", "REM", "N1", "N2", "N3"]
        for kind, stages in (("staged", night.predicted), ("scored", night.scored)):
            expected = [order.index(one) if one in order else np.nan for one in stages.tolist()]
            np.testing.assert_array_equal(levels(strip.svg, kind, 40), expected)

    def test_epochs_that_do_not_follow_each_other_are_not_joined(self, many):
        data = many.to_xarray()
        data["night_onset"].values[20:] += 600.0
        strip = make_strips(night_of(data))[0]
        assert len(re.findall("M", re.search(r'class="staged".*? d="([^"]*)"', strip.svg).group(1))) == 2
        np.testing.assert_array_equal(np.isnan(levels(strip.svg, "staged", 60)), [20 <= k < 40 for k in range(60)])

    def test_ticks_are_where_their_time_is(self, many):
        night = night_of(many.data)
        for tick in axis_ticks(night):
            assert float(tick.text.removesuffix(" min")) == pytest.approx(20 * tick.place / 100)

    def test_ticks_show_the_clock_where_it_is_told_past_midnight_too(self, many):
        ticks = axis_ticks(night_of(many.data), began=86400.0 - 5 * 60)
        assert {"23:56", "0:00", "0:10"} <= {tick.text for tick in ticks}
        for tick in ticks:
            hours, minutes = map(int, tick.text.split(":"))
            assert (60 * hours + minutes + 5) % 1440 == pytest.approx(20 * tick.place / 100)


def levels(svg, kind, n):
    """The level of each of n epochs, read off a path of a strip."""
    path = re.search(rf'class="{kind}".*? d="([^"]*)"', svg).group(1)
    found, x, y = np.full(n, np.nan), 0.0, np.nan
    middles = (np.arange(n) + 0.5) * WIDE / n
    for command, numbers in re.findall(r"([MHV])([^MHV]*)", path):
        values = [float(one) for one in numbers.split()]
        if command == "M":
            x, y = values
        elif command == "V":
            (y,) = values
        else:
            found[(middles > x) & (middles < values[0])] = y
            (x,) = values
    return found // 16


class TestTiles:
    def test_the_scorer_is_met_with_an_interval_and_the_hardest_stage(self, many):
        text = tiles(many)[0]
        assert text.title == "The stager agrees with the scorer in part"  # too few epochs to say how sure
        assert "38 of 38 epochs agree (100 %)" in text.text
        assert "N1 is found in 8 of its 8 epochs" in text.text
        data = many.to_xarray()
        data["night_stage"].values[[1, 6, 11]] = "N2"
        worse = tiles(FlexResult(data))[0]
        assert "35 of 38 epochs agree" in worse.text
        assert "N2 is found in 8 of its 11 epochs (73 %); 3 were called N1" in worse.text

    def test_without_a_scorer_it_says_so(self):
        unscored = example_results.explain(example_results.make_epochs(scored=False))
        fits, agree, _, looked = tiles(unscored)
        assert (fits.grade, fits.title) == ("unknown", "This night was not scored")
        assert (agree.grade, agree.title) == ("unknown", "One answer from all channels")
        assert looked.title == "All 10 epochs were explained"

    def test_few_are_called_few(self, many):
        looked = tiles(many[3])[3]
        assert (looked.grade, looked.title) == ("bad", "1 of 40 epochs was explained")
        assert "Too few for a general statement: N3 (1)" in looked.text
        assert "None was tested on the model" in looked.text

    def test_rhythms_are_said_to_decide_only_where_that_is_known(self, many):
        def said(way, kept):
            found = [dataclasses.replace(one, way=way, kept=kept) for one in of_stages(many)]
            return make_tiles(night_of(many.data), found, None)[2].text

        unknown = (np.nan, np.nan, np.nan, 0)
        assert "the epoch's own rhythms decide (the stager sees no other)" in said("spectrum", (1.0, 0.9, 1.0, 40))
        assert "not known" not in said("spectrum", (1.0, 0.9, 1.0, 40))
        text = said("", unknown)
        assert "the epoch itself decides (the stager sees no other)" in text
        assert "rhythms decide" not in text
        assert text.endswith("Whether rhythms or waveforms do is not known.")
        lost = said("waveforms", (0.15, 0.023, 0.46, 197))
        assert "W (with these scrambled, 15 % of 197 keep it, 95 % interval 2.3 % to 46 %)" in lost

    def test_a_context_that_decides_is_told(self):
        data = example_results.make_context_result().to_xarray()
        scores = data["replaced_scores"].values
        scores[:, :, 1] = scores[:, :, 0]  # without the epoch the scores are as recorded
        scores[:, :, 2] = scores[:, :, 3] = -scores[:, :, 0]  # without the context another stage leads
        told = of_stages(FlexResult(data))
        assert all(one.is_of_context for one in told)
        own = tiles(FlexResult(data))[2]
        assert own.grade == "unknown"  # one or two of each stage
        assert "In these, the neighbouring epochs decide W (in 1 of 1)" in own.text
        assert "the neighbouring epochs decide" in [words for _, words, _ in told[0].reasons("silence")]
        scores[:, :, 2] = scores[:, :, 3] = 0.9 * scores[:, :, 0]  # the stage stays whatever is replaced
        assert not any(one.is_of_context for one in of_stages(FlexResult(data)))
        assert "neighbouring epochs decide" not in tiles(FlexResult(data))[2].text


class TestRows:
    @pytest.fixture(scope="class")
    @classmethod
    def table(cls, many):
        return make_rows(many, of_stages(many))

    def test_each_explained_epoch_is_one_mark_of_its_stage(self, table, many):
        assert [(row.stage, row.n) for row in table.rows] == [("W", 8), ("N1", 8), ("N2", 8), ("N3", 8), ("REM", 8)]
        for row in table.rows:
            for cell in row.cells:
                assert len(marks(cell.svg)) == row.n

    def test_marks_lie_where_the_sums_of_bands_are(self, table, many):
        frame = many.to_data_frame()
        eeg = frame[frame["channel"].str.match("C[34]") & (frame["predicted"] == "N3") & (frame["band"] == "delta")]
        expected = eeg.groupby("number")["attribution"].mean()
        row = next(row for row in table.rows if row.stage == "N3")
        end = float(re.findall(r">([\d.]+)</text>", table.axis)[-1])
        places = np.sort([x for _, x in marks(row.cells[0].svg)])
        values = np.sinh((places - WIDTH / 2) / (WIDTH / 2 - 5.5) * np.arcsinh(100)) * end / 100
        np.testing.assert_allclose(values, np.sort(expected), rtol=0.02)
        assert f"for in {(expected > 0).sum()} of 8 epochs" in row.cells[0].said

    def test_signs_are_told_without_a_colour(self, many):
        less = altered(many)
        data = less.to_xarray()
        data["frequency_view"].values[:] *= -1
        before = make_rows(many, of_stages(many)).rows[3].cells[0]
        after = make_rows(FlexResult(data), of_stages(many)).rows[3].cells[0]
        assert {kind for kind, _ in marks(before.svg)} == {"+"}
        assert {kind for kind, _ in marks(after.svg)} == {"o"}

    def test_the_change_stands_with_its_error_and_range(self, table, many):
        data = many.data
        change = (data["score"] - data["baseline_score"]).values
        own = change[data["predicted"].values[:, 0] == "N2"].mean(axis=1)
        row = table.rows[2]
        assert float(row.change) == pytest.approx(np.median(own), abs=0.006)
        low, high = row.change_range.split(" to ")
        assert (float(low), float(high)) == pytest.approx((own.min(), own.max()), abs=0.006)
        assert 0 < float(row.change_error) < abs(float(row.change))

    def test_what_does_not_sum_has_no_change(self):
        slopes = example_results.explain(example_results.make_epochs(), method="saliency")
        assert not make_rows(slopes, of_stages(slopes)).sums
        assert "All together" not in screen(slopes)

    def test_a_change_within_its_error_is_not_believed(self, many):
        data = many.to_xarray()
        data["baseline_score"].values[:] = data["score"].values
        told = of_stages(FlexResult(data))
        assert all(one.n_within == one.n for one in told)
        reason = told[0].reasons("silence")[0]
        assert reason[:2] == ("bad", "not explained, compared with silence")
        assert "in 8 of 8 epochs the score changes by less than its error" in reason[2]

    def test_nothing_tested_is_said_in_each_row(self, table):
        assert all("not tested" in [words for _, words, _ in row.believed] for row in table.rows)


def marks(svg):
    """The marks of a cell: + or o, and where the middle of each is."""
    found = []
    for path in re.findall(r'class="(?:raised|lowered)[^"]*".*? d="([^"]*)"', svg):
        for piece in path.split("M")[1:]:
            x = float(piece.split()[0])
            found.append(("o" if "a" in piece else "+", x + 3.5))
    return found


ODD = ModelSpec(name="odd", scores="log_probs", stages=("awake", "a", "b", "c", "a dream that is long" * 4))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("every stage", lambda: example_results.make_result(target="all")),
        ("a pair", lambda: example_results.explain(example_results.make_epochs(), target=("N2", "N1"))),
        ("one channel", lambda: example_results.explain(example_results.make_epochs(("C3-M2",)))),
        ("one epoch", lambda: example_results.make_result()[0]),
        ("its own stages", lambda: example_results.explain(example_results.make_epochs(scored=False), ODD)),
        ("some channels", lambda: example_results.make_pair_result().sel(channel="eog")),
        ("a window", example_results.make_context_result),
        ("a night", example_results.make_night_result),
        ("whole bands", lambda: example_results.explain(example_results.make_epochs(("C3-M2",)), method="shapley")),
    ],
)
def test_it_speaks_of_every_result_without_jargon(name, make):
    result = make().for_target()
    said = screen(result)
    assert not JARGON.search(said), JARGON.search(said)
    assert subtitle(result).count(" · ") == 5
    for stage in {one.stage for one in of_stages(result)}:
        assert stage in said
    counts = sum(one.n for one in of_stages(result))
    assert counts == len(result)
