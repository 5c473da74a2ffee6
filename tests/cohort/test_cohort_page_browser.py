"""A cohort's page in a browser: nothing is asked for, nothing is injected, it fits a telephone, and all can read it."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from browser import WIDTHS
from simulated_cohorts import compared, simulate_cohort

from eegflex.cohort import make_cohort_report
from eegflex.findings import Findings, warning

pytestmark = pytest.mark.slow

HOSTILE = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "</script><script>window.hit=1//",
    "</style></svg><svg onload=window.hit=1>",
    "{{ 7*7 }}{% x %}' autofocus onfocus='window.hit=1",
    "$\\frac{1}{0$",
)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """More recordings than are shown at once, with failures, a comparison, and the page of one night."""
    folder = tmp_path_factory.mktemp("usual")
    (folder / "sub-01/eeg").mkdir(parents=True)
    (folder / "sub-01/eeg/sub-01_desc-flex_report.html").write_text("<!DOCTYPE html><title>A night</title>")
    cohort = simulate_cohort(60, n_failed=5, seed=9, group_effect=0.5)
    return make_cohort_report(cohort, [compared(cohort)], folder=folder).save(folder / "report.html")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The same with names that are no names, in every place that a text of others can get to."""
    labels = [*HOSTILE, "7", "8"]
    cohort = simulate_cohort(8, n_failed=2, seed=9, labels=labels, channels=("C3-M2", HOSTILE[0], HOSTILE[5]))
    recordings = cohort.recordings.copy()
    recordings["error"] = recordings["error"].where(recordings["status"] == "done", HOSTILE[0])
    recordings["remedy"] = HOSTILE[1]
    recordings["session"] = HOSTILE[3]
    recordings = recordings.rename(columns={"age": HOSTILE[2]})
    recordings["note"] = HOSTILE[4]
    renamed = {"N2": HOSTILE[1], "REM": HOSTILE[5]}
    spectra = cohort.spectra.assign_coords(stage=[renamed.get(one, one) for one in cohort.spectra["stage"].values])
    spectra = spectra.assign_attrs(model=HOSTILE[0], baseline=HOSTILE[1], target=HOSTILE[2], score=HOSTILE[5])
    spectra.attrs["stages"] = spectra["stage"].values.tolist()
    spectra = spectra.assign_coords(ch_type=("channel", ["eeg", "eog", HOSTILE[4]]))
    odd = dataclasses.replace(
        cohort,
        recordings=recordings,
        stages=cohort.stages.replace({"stage": renamed}),
        bands=cohort.bands.replace({"stage": renamed, "band": {"beta": HOSTILE[3]}}),
        spectra=spectra,
    )
    found = compared(cohort)
    found = dataclasses.replace(
        found,
        title=HOSTILE[0],
        bands=odd.bands.head(0)[["stage", "channel", "band"]].assign(x=0.0),
        staging=pd.DataFrame({"quantity": list(HOSTILE), HOSTILE[4]: 1.0}),
        findings=Findings(HOSTILE[1], (warning(HOSTILE[2], HOSTILE[3]).named(HOSTILE[4]),)),
    )
    folder = tmp_path_factory.mktemp("hostile")
    return make_cohort_report(odd, [found], title=HOSTILE[2], folder=folder).save(folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["usual", "hostile"])
def test_it_asks_for_nothing_fits_and_is_for_all(page, width, scheme, browser, request):
    path = request.getfixturevalue(page)
    with browser.open(path, width, color_scheme=scheme) as opened:
        assert (opened.errors, opened.requests) == ([], [])
        assert opened.overflow() <= 0
    if (page, width, scheme) in (("usual", 1400, "light"), ("usual", 390, "dark"), ("hostile", 1400, "light")):
        with browser.open(path, width, color_scheme=scheme, bypass_csp=True) as opened:
            assert opened.violations() == []


def test_what_others_wrote_is_shown_and_never_run(hostile, browser):
    with browser.open(hostile) as opened:
        page = opened.page
        assert page.evaluate("window.hit") is None
        assert page.locator("script").count() == 2
        assert page.evaluate("[...document.images].every(one => one.src.startsWith('data:image/png;base64,'))")
        runs = "one => [...one.attributes].some(a => /^on|^autofocus/.test(a.name))"
        assert page.evaluate(f"[...document.querySelectorAll('*')].filter({runs}).length") == 0
        assert page.title() == page.locator("h1").inner_text() == HOSTILE[2]
        rows = page.locator("table.sortable tbody th").all_inner_texts()
        assert f"sub-{HOSTILE[0]}" in rows


def test_links_stay_in_the_folder_and_anchors_are_there(usual, hostile, browser):
    for path in (usual, hostile):
        with browser.open(path) as opened:
            links = opened.page.evaluate("[...document.links].map(one => one.getAttribute('href'))")
            assert {link for link in links if not link.startswith("#")} <= {"sub-01/eeg/sub-01_desc-flex_report.html"}
            ids = opened.page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
            assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    with browser.open(usual) as opened:
        opened.page.locator("details summary", has_text="All 60 recordings").click()
        opened.page.locator("a", has_text="sub-01").first.click()
        assert opened.page.title() == "A night"


def test_the_table_is_sorted_with_the_keyboard_and_what_is_not_known_comes_last(usual, browser):
    with browser.open(usual) as opened:
        table = opened.page.locator("table.sortable").first
        head = table.locator("th", has_text="kappa")
        column = "rows => rows.map(row => row.cells[3].textContent)"
        for key, direction, order in (("Enter", "ascending", 1), ("Space", "descending", -1)):
            head.locator("button").focus()
            opened.page.keyboard.press(key)
            assert head.get_attribute("aria-sort") == direction
            texts = table.locator("tbody tr").evaluate_all(column)
            known = [float(text) for text in texts if text != "–"]
            assert known == sorted(known, key=lambda value: order * value)
            assert texts[len(known) :] == ["–"] * 5


def test_on_paper_what_is_folded_is_open(usual, browser):
    with browser.open(usual) as opened:
        opened.page.emulate_media(media="print")
        seen = "[...document.querySelectorAll('details > :not(summary)')].every(one => one.getBoundingClientRect().height > 0)"
        assert opened.page.evaluate(seen)
