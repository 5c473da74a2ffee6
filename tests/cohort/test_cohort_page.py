"""A cohort's page: its numbers are those of people, not of nights or epochs, and what failed is told without a name."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pages import Page
from scipy import stats
from simulated_cohorts import CHANNELS, PROFILE, STAGES, simulate_cohort

from eegflex.bands import Bands
from eegflex.cohort import Cohort, make_cohort_report
from eegflex.cohort.page_failures import failures_of, told
from eegflex.cohort.page_outlying import outlying_people
from eegflex.cohort.page_people import estimate, people_of, person_of, spectra_of
from eegflex.cohort.page_recordings import night_links, recordings_tables
from eegflex.cohort.page_rows import columns_of, make_people_rows, numbers_of
from eegflex.cohort.page_tiles import make_tiles
from eegflex.errors import ChannelError, ParameterError

JARGON = re.compile(r"F\(x|\btol\b|[Cc]hannel set|\bnan\b|None\b[^ ]|\w_[a-z]|dtype")


@pytest.fixture(scope="module")
def twice():
    """Twelve people with two nights each."""
    return simulate_cohort(12, sessions=2, seed=3)


def altered(cohort, **tables):
    return dataclasses.replace(cohort, **tables)


def with_recordings(cohort, **columns):
    return altered(cohort, recordings=cohort.recordings.assign(**columns))


def tiles(cohort):
    return make_tiles(cohort, people_of(cohort))


class TestPeople:
    def test_a_person_is_the_mean_over_the_nights(self, twice):
        people = people_of(twice)
        assert people.means.shape == (12, 5, 6, len(Bands().names) + 1)
        table = twice.bands.set_index(["recording", "stage", "channel", "band"])
        for label in ("02", "11"):
            nights = [
                table.loc[(f"sub-{label}_ses-{k}", "N2", "C3-M2", "sigma")][["mean", "error"]].to_numpy(float)
                for k in (1, 2)
            ]
            place = (
                people.labels.index(f"sub-{label}"),
                2,
                people.channels.index("C3-M2"),
                people.bands.index("sigma"),
            )
            assert people.means[place] == pytest.approx(np.mean([night[0] for night in nights]))
            assert people.errors[place] == pytest.approx(np.hypot(nights[0][1], nights[1][1]) / 2)
        assert (people.n_epochs == 40).all()

    def test_what_is_not_known_is_left_out_and_not_taken_for_nothing(self, twice):
        gone = (twice.bands["recording"] == "sub-01_ses-1") & (twice.bands["stage"] == "N3")
        absent = (twice.bands["recording"].str.startswith("sub-02")) & (twice.bands["channel"] == "O2-M1")
        holey = people_of(altered(twice, bands=twice.bands[~gone & ~absent]))
        whole = people_of(twice)
        table = twice.bands.set_index(["recording", "stage", "channel", "band"])["mean"]
        sigma = whole.bands.index("sigma")
        assert holey.means[0, 3, 0, sigma] == table["sub-01_ses-2", "N3", "F3-M2", "sigma"]
        assert holey.n_epochs[0].tolist() == [40, 40, 40, 20, 40]
        assert np.isnan(holey.means[1, :, 5]).all()
        values = holey.of_kind("eeg")[0]
        assert values[1, 2, sigma] == pytest.approx(whole.means[1, 2, :5, sigma].mean())

    def test_only_those_that_are_done_are_counted(self, twice):
        status = twice.recordings["status"].where(twice.recordings["subject"] != "05", "failed")
        people = people_of(with_recordings(twice, status=status))
        assert "sub-05" not in people.labels
        assert len(people.labels) == 11

    def test_other_types_of_channels_are_columns_of_their_own(self):
        cohort = simulate_cohort(6, channels=("C3-M2", "EOG-L", "Chin1-Chin2"))
        people = people_of(cohort)
        assert people.kinds == ("eeg", "eog", "emg")
        names = [column.name for column in columns_of(people)]
        assert names == [*Bands(), "All together", "EOG", "EMG"]
        place = people.bands.index("total")
        np.testing.assert_allclose(columns_of(people)[-1].values, people.means[:, :, 2, place])

    def test_without_totals_the_bands_are_summed(self, twice):
        people = people_of(altered(simulate_cohort(6, channels=("C3-M2", "EOG-L"))))
        bare = people_of(
            altered(c := simulate_cohort(6, channels=("C3-M2", "EOG-L")), bands=c.bands[c.bands["band"] != "total"])
        )
        own = [one for one in people.bands if one != "total"]
        places = [people.bands.index(one) for one in own]
        np.testing.assert_allclose(columns_of(bare)[-1].values, people.means[:, :, 1, places].sum(axis=2))

    def test_the_spectra_are_of_people_too(self, twice):
        spectra = spectra_of(twice, CHANNELS)
        assert spectra.values.shape == (12, 5, len(spectra.freqs))
        expected = (
            twice.spectra["mean"]
            .sel(recording=["sub-04_ses-1", "sub-04_ses-2"], stage="N3")
            .mean(("recording", "channel"))
        )
        np.testing.assert_allclose(spectra.values[3, 3], expected)

    def test_a_recording_without_a_person_is_one(self, twice):
        names = person_of(with_recordings(twice, subject=["", None, *twice.recordings["subject"][2:]]))
        assert names.tolist()[:3] == ["sub-01_ses-1", "sub-01_ses-2", "sub-02"]


class TestEstimates:
    def test_a_median_has_the_interval_of_the_sign_test(self):
        rng = np.random.default_rng(4)
        values = rng.normal(size=20)
        found = estimate([*values, np.nan])
        rank = int(stats.binom.ppf(0.025, 20, 0.5))
        ordered = np.sort(values)
        assert (found.low, found.high) == (ordered[rank - 1], ordered[20 - rank])
        assert found.median == np.median(values)
        assert (found.n, found.n_for) == (20, int((values > 0).sum()))

    @pytest.mark.parametrize(
        ("n", "median_known", "mean_known"), [(1, False, False), (4, False, False), (5, False, True), (6, True, True)]
    )
    def test_of_too_few_people_there_is_none(self, n, median_known, mean_known):
        found = estimate(np.arange(float(n)))
        assert (np.isfinite(found.low), np.isfinite(found.mean_low)) == (median_known, mean_known)

    def test_of_nobody_there_is_nothing(self):
        found = estimate([np.nan])
        assert found.n == 0
        assert np.isnan(found.median)

    def test_more_nights_of_the_same_people_make_no_interval_narrower(self):
        one = simulate_cohort(12, seed=1)
        twin = one.bands.assign(recording=one.bands["recording"] + "_ses-2")
        both = Cohort(
            pd.concat([one.recordings, one.recordings.set_axis(one.recordings.index + "_ses-2")]),
            one.stages, pd.concat([one.bands, twin]), one.spectra,
        )  # fmt: skip
        assert numbers_of(people_of(both))[0].equals(numbers_of(people_of(one))[0])


class TestFirstScreen:
    def test_the_planted_profile_is_told(self, twice):
        people = people_of(twice)
        for column in columns_of(people)[:5]:
            for place, stage in enumerate(STAGES):
                assert np.median(column.values[:, place]) == pytest.approx(PROFILE[stage][column.name], abs=0.3)

    def test_each_cell_says_what_it_shows(self, twice):
        people = people_of(twice)
        rows = make_people_rows(twice, people).rows
        assert [(row.stage, row.n) for row in rows] == [(stage, 12) for stage in STAGES]
        own = columns_of(people)[3].values[:, 2]
        said = rows[2].cells[3].said
        assert said.startswith(f"sigma: median {np.median(own):+.2f} (95 % interval ")
        assert "for in 12 of 12 people" in said
        assert rows[2].cells[3].svg.count("v7") == 12

    def test_agreement_is_that_of_people(self, twice):
        kappa = np.repeat(np.linspace(0.55, 0.99, 12), 2)
        tile = tiles(with_recordings(twice, kappa=kappa))[1]
        assert (tile.grade, tile.title) == ("some", "The stager agrees with the scorers in part")
        assert "median person is 0.77 (95 % interval 0.63 to 0.91, 12 people)" in tile.text
        assert "Lowest: sub-01 0.55, sub-02 0.59, sub-03 0.63." in tile.text
        assert "2 of 12 below 0.6" in tile.text

    @pytest.mark.parametrize(
        ("place", "columns", "grade", "words"),
        [
            (1, {"kappa": np.nan}, "unknown", "not scored"),
            (1, {"kappa": 0.9}, "good", "agrees with the scorers"),
            (2, {"disagreement": np.nan}, "unknown", "so they cannot disagree"),
            (2, {"disagreement": 0.3}, "bad", "30 %"),
            (3, {"n_explained": 840}, "good", "All 20160 epochs were explained"),
            (4, {"n_trusted": -1}, "some", "not tested on the model"),
            (
                4,
                {"n_trusted": 10, "n_tested": 10},
                "good",
                "100 % (95 % interval 100 % to 100 %, 12 people) of the tested",
            ),
            (4, {"n_trusted": 1}, "bad", "1 %"),
            (4, {"n_trusted": 0, "n_tested": 0}, "some", "No explanation was tested"),
        ],
    )
    def test_tiles(self, twice, place, columns, grade, words):
        tile = tiles(with_recordings(twice, **columns))[place]
        assert tile.grade == grade
        assert words in f"{tile.title} {tile.text}"

    def test_of_how_many_is_not_guessed(self, twice):
        bare = altered(
            twice, recordings=twice.recordings.drop(columns="n_tested"), stages=twice.stages.drop(columns="n_tested")
        )
        assert (tiles(bare)[4].grade, tiles(bare)[4].title) == ("some", "1440 explanations hold")
        told = [one for row in make_people_rows(bare, people_of(bare)).rows for one in row.told]
        assert not [one for one in told if "tested" in one]
        whole = [one for row in make_people_rows(twice, people_of(twice)).rows for one in row.told]
        assert "60 % of 480 explanations that were tested hold." in whole

    def test_few_epochs_are_told(self):
        tile = tiles(simulate_cohort(8, n_epochs=4))[3]
        assert tile.grade == "bad"
        assert "Fewer than 5 of a stage" in tile.text
        assert "N1 (8 of 8)" in tile.text

    def test_what_is_not_done_is_counted(self):
        cohort = simulate_cohort(10, n_failed=2)
        status = cohort.recordings["status"].to_list()
        status[0] = "missing"
        tile = tiles(with_recordings(cohort, status=status))[0]
        assert tile.title == "7 of 10 recordings done"
        assert "2 failed" in tile.text
        assert "1 is not done yet" in tile.text


class TestFailures:
    def test_errors_that_differ_in_numbers_are_of_one_kind(self):
        recordings = simulate_cohort(12, n_failed=6).recordings
        found = failures_of(recordings)
        assert [len(one.recordings) for one in found] == [2, 2, 2]
        cut = next(one for one in found if "cut short" in one.error)
        assert cut.differ
        assert [name for name, _ in cut.recordings] == ["sub-07", "sub-10"]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Cannot read /data/anna smith/night 1.edf: 3 of 20 records", "Cannot read the file: 3 of 20 records"),
            (r"C:\Users\Anna Smith\n.edf is damaged", "the file is damaged"),
            (r"[Errno 2] No such file: \\srv\share\anna\x y.edf", "[Errno 2] No such file: the file"),
            ("Got 'Anna Müller (1)/x'.", "Got the file."),
            ("read ../raw/sub-01.edf again", "read the file again"),
            ("anna_smith.EDF holds 0 bytes", "the file holds 0 bytes"),
            ("found Anna Smith.edf", "found the file"),
            ("worker tcp://10.0.0.3:8786 died", "worker an address died"),
            ("killed on node17.cluster.org:33451", "killed on an address"),
            ("ask anna@hospital.org", "ask an address"),
            (
                "at 12.5 uV/bit, W/N1 and/or eegflex.read_psg(labels=)",
                "at 12.5 uV/bit, W/N1 and/or eegflex.read_psg(labels=)",
            ),
            (np.nan, ""),
            (None, ""),
        ],
    )
    def test_no_file_and_no_machine_is_named(self, text, expected):
        assert told(text) == expected

    def test_a_long_error_is_cut(self):
        assert len(told("A " * 100_000)) <= 400


class TestOutlying:
    def test_the_one_who_is_unlike_the_others_is_named_with_the_reason(self):
        cohort = simulate_cohort(20, seed=5)
        odd = (
            (cohort.bands["recording"] == "sub-07")
            & (cohort.bands["stage"] == "N2")
            & (cohort.bands["band"] != "total")
        )
        bands = cohort.bands.assign(mean=cohort.bands["mean"].where(~odd, cohort.bands["mean"] + 6.0))
        found = outlying_people(*(c := altered(cohort, bands=bands), people_of(c)))
        assert [one.person for one in found] == ["sub-07"]
        assert "in N2" in found[0].reasons[0]

    def test_among_people_alike_nobody_is(self):
        cohort = simulate_cohort(60, seed=6)
        assert outlying_people(cohort, people_of(cohort)) == []

    def test_of_few_people_nobody_is_called_unlike(self):
        cohort = simulate_cohort(9, seed=5)
        bands = cohort.bands.assign(mean=cohort.bands["mean"].where(cohort.bands["recording"] != "sub-07", 50.0))
        assert outlying_people(*(c := altered(cohort, bands=bands), people_of(c))) == []

    def test_low_agreement_large_errors_and_few_epochs_are_reasons(self):
        cohort = simulate_cohort(20, seed=7)
        names = cohort.bands["recording"]
        bands = cohort.bands.assign(
            error=cohort.bands["error"].where(names != "sub-02", 5.0),
            n_epochs=cohort.bands["n_epochs"].where((names != "sub-03") | (cohort.bands["stage"] != "REM"), 2),
        )
        kappa = cohort.recordings["kappa"].where(cohort.recordings["subject"] != "01", 0.3)
        changed = altered(cohort, bands=bands, recordings=cohort.recordings.assign(kappa=kappa))
        found = {one.person: " ".join(one.reasons) for one in outlying_people(changed, people_of(changed))}
        assert set(found) == {"sub-01", "sub-02", "sub-03"}
        assert "kappa 0.30" in found["sub-01"]
        assert "Own error larger" in found["sub-02"]
        assert found["sub-03"] == "Few explained epochs: REM 2"


class TestLinks:
    @pytest.fixture
    def folder(self, tmp_path):
        for name in ("sub-01", "sub-02"):
            (tmp_path / name / "eeg").mkdir(parents=True)
        (tmp_path / "sub-01/eeg/sub-01_desc-flex_report.html").write_text("a night")
        (tmp_path / "sub-02/eeg/sub-02_run-2_desc-flex_report.html").write_text("of another recording")
        (tmp_path.parent / "outside_report.html").write_text("not ours")
        return tmp_path

    def test_a_night_with_a_page_is_linked(self, folder):
        cohort = simulate_cohort(3)
        links = night_links(cohort, folder)
        assert links == {"sub-01": "sub-01/eeg/sub-01_desc-flex_report.html"}
        html = recordings_tables(cohort, links, folder)
        assert f'<a href="{links["sub-01"]}">sub-01</a>' in html
        assert night_links(cohort, None) == {}

    @pytest.mark.parametrize(
        "result", ["../outside.nc", "/etc/outside.nc", "javascript:alert(1).nc", "", "sub-01\\..\\..\\outside.nc"]
    )
    def test_a_link_never_leaves_the_folder(self, folder, result):
        assert night_links(with_recordings(simulate_cohort(1), result=result), folder) == {}


class TestFigures:
    def test_bands_have_a_mark_a_person(self, twice):
        fig = twice.plot_bands(stage="N2", show=False)
        marks = sum(
            len(line.get_xdata()) for line in fig.axes[0].lines if str(line.get_gid()).startswith(("raised", "lowered"))
        )
        assert marks == 12 * len(Bands().names)
        assert fig.axes[0].get_title() == "N2\n12 people"

    def test_the_spectrum_is_the_mean_over_people(self, twice):
        ax = twice.plot_spectrum(stage="N3", show=False).axes[0]
        expected = spectra_of(twice, CHANNELS).values[:, 3]
        low, high = ax.get_xlim()
        assert (low, high) == (0, 30)
        raised = ax.patches[0].get_data().values
        assert raised[4] == pytest.approx(expected[:, 8:10].mean())  # 2 to 2.5 Hz

    def test_a_site_whose_interval_holds_zero_is_crossed_out(self):
        cohort = simulate_cohort(30, seed=2)
        fig = cohort.plot_topomap(stage="W", band="alpha", show=False)
        assert not [
            one
            for one in fig.axes[0].collections
            if len(one.get_offsets()) and one.get_gid() is None and one.get_sizes()[0] < 90
        ]
        table = cohort.bands.copy()
        flip = table["recording"].isin(cohort.recordings.index[::2])
        table.loc[flip, "mean"] *= -1
        crossed = altered(cohort, bands=table).plot_topomap(stage="W", band="alpha", show=False)
        assert len(crossed.axes[0].collections[-1].get_offsets()) == len(CHANNELS)

    def test_what_is_not_there_is_refused(self, twice):
        with pytest.raises(ParameterError, match="no band with this name"):
            twice.plot_topomap(band="gamma", show=False)
        with pytest.raises(ParameterError):
            twice.plot_bands(stage="N4", show=False)
        with pytest.raises(ChannelError):
            simulate_cohort(5, channels=("X", "Y")).plot_topomap(show=False)


class TestPage:
    @pytest.mark.slow
    def test_it_speaks_plainly_and_names_no_file(self):
        report = make_cohort_report(simulate_cohort(12, n_failed=3))
        text = Page(report.html).text
        assert not JARGON.findall(text)
        assert "smith" not in text
        assert "10.1.2.3" not in text
        assert "3 failed" in text

    def test_of_nothing_it_says_so(self):
        empty = simulate_cohort(3, n_failed=3)
        text = Page(make_cohort_report(empty).html).text
        assert "No recording is done" in text
        assert "0 of 3 recordings done" in text

    def test_it_needs_no_spectra_and_no_words_of_what_was_asked(self):
        cohort = simulate_cohort(3)
        bare = altered(
            cohort, spectra=xr.Dataset(coords={name: [] for name in ("recording", "stage", "channel", "freq")})
        )
        text = Page(make_cohort_report(bare).html).text
        assert "These tables do not contain the settings" in text

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
    def test_numbers_that_are_none_are_left_out(self, value):
        cohort = simulate_cohort(8)
        n2 = cohort.bands["stage"] == "N2"
        odd = altered(cohort, bands=cohort.bands.assign(mean=cohort.bands["mean"].where(~n2, value)))
        cells = make_people_rows(odd, people_of(odd)).rows[2].cells
        assert {cell.said for cell in cells} == {"nothing"} if value else "nothing" not in {cell.said for cell in cells}

    def test_tables_may_come_from_files(self, tmp_path):
        cohort = simulate_cohort(6, n_failed=1, sessions=2)
        cohort.recordings.reset_index().to_csv(tmp_path / "recordings.csv", index=False)
        read = pd.read_csv(tmp_path / "recordings.csv", dtype={"subject": str}).set_index("recording")
        kinds = dict.fromkeys(("recording", "stage", "channel", "band"), "category")
        found = altered(cohort, recordings=read, bands=cohort.bands.astype(kinds))
        assert numbers_of(people_of(found))[0].equals(numbers_of(people_of(cohort))[0])
        assert [tile.text for tile in tiles(found)] == [tile.text for tile in tiles(cohort)]

    @pytest.mark.slow
    def test_a_thousand_recordings_are_light(self):
        report = make_cohort_report(simulate_cohort(1000, n_failed=40, channels=CHANNELS[:2]))
        assert len(report.html) < 2.5e6
        page = Page(report.html)
        assert page.tags.count("tr") > 1000
        assert "All 1000 recordings" in page.text
