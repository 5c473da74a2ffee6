"""What a cohort's page tells of comparisons: the numbers of their tables, in order, and what may be chance as such."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pages import Page
from simulated_cohorts import CHANNELS, compared, correlated, simulate_cohort

from eegflex.cohort import page_effects as effects
from eegflex.cohort.page_compared import compared_parts, first_words
from eegflex.cohort.page_people import people_of, person_values
from eegflex.findings import Findings, ok, warning
from eegflex.report.parts import Picture, Text


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort(24, seed=11, group_effect=0.6)


@pytest.fixture(scope="module")
def people(cohort):
    return people_of(cohort)


@pytest.fixture(scope="module")
def groups(cohort):
    return compared(cohort)


def text_of(parts):
    return Page("".join(part.html for part in parts if isinstance(part, Text))).text


class TestWords:
    def test_the_table_tells_each_effect_with_its_interval(self, cohort, people, groups):
        text = text_of(compared_parts(cohort, people, groups, 1)).replace("\xa0", " ").replace("−", "-")
        row = groups.bands.query("stage == 'N2' and band == 'sigma' and channel == 'all channels'").iloc[0]
        assert f"{row['g']:+.2f} ({row['g_low']:+.2f} to {row['g_high']:+.2f})" in text
        assert "Hedges' g" in text
        assert "< 0.001" in text
        assert "patient: people" in text

    def test_rows_are_in_the_order_of_stages_and_bands(self, people, groups):
        rows = effects.best_rows(groups.bands.sample(frac=1, random_state=1), people)
        assert list(dict.fromkeys(rows["stage"])) == ["W", "N1", "N2", "N3", "REM"]
        assert rows["band"].tolist()[:5] == ["delta", "theta", "alpha", "sigma", "beta"]
        assert set(rows["channel"]) == {"all channels"}

    def test_warnings_are_on_the_first_screen_however_late(self, groups):
        lines = tuple(ok(f"line {place}").named(f"{place}") for place in range(6))
        late = Findings("x", (*lines, warning("it is not sure", "Ask again").named("late")))
        text = Page(first_words([dataclasses.replace(groups, findings=late)])).text
        assert "Line 2." in text
        assert "Line 3." not in text
        assert "It is not sure. Ask again." in text

    def test_a_comparison_may_have_next_to_nothing(self, cohort, people):
        @dataclasses.dataclass(frozen=True)
        class Bare:
            findings: Findings

        parts = list(compared_parts(cohort, people, Bare(Findings("", (ok("nothing").named("x"),))), 3))
        assert [part.section for part in parts] == ["Comparison 3"]

    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            (("g", "g_low", "g_high", "difference", "low", "high"), "g"),
            (("r", "low", "high"), "r"),
            (("omega2", "low", "high"), "omega2"),
            (("effect", "low", "high", "d"), "effect"),
        ],
    )
    def test_an_effect_is_found_by_its_columns(self, columns, name):
        assert effects.effect_of(pd.DataFrame(columns=[*columns, "p"])).name == name
        assert effects.effect_of(pd.DataFrame(columns=["p"])) is None


class TestFigures:
    def test_marks_lie_at_the_effects_and_are_filled_where_told_from_chance(self, people, groups):
        fig = effects.plot_effects(groups.bands, people, effects.effect_of(groups.bands), "x")
        ax = next(ax for ax in fig.axes if ax.get_title() == "N2")
        rows = effects.best_rows(groups.bands, people).query("stage == 'N2'")
        marks = [line for line in ax.lines if str(line.get_gid()) in ("told", "not told")]
        assert sorted(float(line.get_xdata()[0]) for line in marks) == pytest.approx(sorted(rows["g"]))
        assert sum(line.get_gid() == "told" for line in marks) == (rows["p_fdr"] < 0.05).sum() == 1

    def test_channels_in_a_cluster_are_ringed_in_the_bands_that_it_touches(self, cohort, people, groups):
        fig = effects.plot_effect_maps(cohort, people, groups, effects.effect_of(groups.bands), "x")
        ringed = [ax for ax in fig.axes for one in ax.collections if one.get_gid() == "in a cluster"]
        assert len(ringed) == 1
        (rings,) = (one for one in ringed[0].collections if one.get_gid() == "in a cluster")
        assert len(rings.get_offsets()) == 4
        crossed = [
            ax
            for ax in fig.axes[:25]
            if any(len(one.get_offsets()) == 6 and one.get_sizes()[0] == 95 for one in ax.collections)
        ]
        assert len(crossed) == 25  # discs everywhere; the one that is told has no cross

    def test_spectra_of_the_groups_are_their_means(self, cohort, groups):
        ax = effects.plot_clusters(cohort, groups, "x").axes[0]
        line = next(one for one in ax.lines if one.get_label().startswith("patient"))
        assert line.get_label() == "patient, n = 12"
        patients = cohort.recordings.index[cohort.recordings["group"] == "patient"]
        own = (
            cohort.spectra["mean"]
            .sel(recording=patients, stage="N2", channel=list(CHANNELS[:4]))
            .mean(("recording", "channel"))
        )
        at = np.flatnonzero(np.isclose(line.get_xdata(), 13.25))[0]
        assert line.get_ydata()[at] == pytest.approx(float(own.sel(freq=slice(13, 13.49)).mean()))

    def test_a_correlation_shows_its_people(self, cohort, people):
        found = correlated(cohort)
        fig = effects.plot_scatter(cohort, people, found, effects.effect_of(found.bands), "x")
        best = effects.best_rows(found.bands, people).sort_values("p").iloc[0]
        assert fig.axes[0].get_title().startswith(f"{best['band']} in {best['stage']}")
        marks = next(line for line in fig.axes[0].lines if line.get_gid() == "people")
        ages = person_values(cohort, cohort.recordings["age"]).to_numpy()
        np.testing.assert_allclose(marks.get_xdata(), ages)
        place = people.stages.index(best["stage"]), people.bands.index(best["band"])
        np.testing.assert_allclose(marks.get_ydata(), people.means[:, place[0], :, place[1]].mean(axis=1))

    def test_figures_are_left_out_where_there_is_nothing_to_draw(self, cohort, people, groups):
        bare = dataclasses.replace(groups, clusters=pd.DataFrame())
        titles = [part.title for part in compared_parts(cohort, people, bare, 1) if isinstance(part, Picture)]
        assert titles == ["Effects", "Effects over the head"]
        assert effects.plot_clusters(cohort, dataclasses.replace(groups, title="of nobody knows what"), "x") is None
