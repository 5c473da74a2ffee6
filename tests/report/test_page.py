"""The page in a browser, on paper and as a PDF: nothing is asked for, nothing is injected, nothing is lost, all can read it."""

from __future__ import annotations

import re
import subprocess
import sys

import example_results
import mne
import pytest
from browser import WIDTHS

from eegflex.errors import MissingExtraError, ParameterError
from eegflex.report import Report, make_report
from eegflex.report.page import Section, SectionPart, make_page
from eegflex.results import FlexResult
from eegflex.spec import ModelSpec

pytestmark = pytest.mark.slow

#: For the contexts that text from files stands in: HTML, an attribute, a script, a style, SVG, and a template.
HOSTILE = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "</script><script>window.hit=1//",
    "</style></svg><svg onload=window.hit=1>",
    "{{ 7*7 }}{% x %}' autofocus onfocus='window.hit=1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def usual(pair_result, folder):
    """A report with two channel sets, which disagree here and there, and one card of each stage."""
    return make_report(pair_result, verbose="error").save(folder / "usual.html")


@pytest.fixture(scope="module")
def hostile(folder):
    """The same with names that are no names, in every place that a file's text can get to."""
    spec = ModelSpec(name=HOSTILE[1], scores="log_probs", stages=HOSTILE, citation=HOSTILE[2], licence=HOSTILE[0])
    names = (HOSTILE[0], HOSTILE[1])
    epochs = example_results.make_epochs(names, ["eog", "misc"], positions=False)
    epochs.metadata["stage"] = [HOSTILE[i % 5] for i in range(10)]
    result = example_results.altered(example_results.explain(epochs, spec), provenance={"warnings": [*HOSTILE]})
    report = make_report(FlexResult(result.to_xarray()), title=HOSTILE[2], note=HOSTILE[3], verbose="error")
    return report.save(folder / "hostile.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["usual", "hostile"])
def test_it_asks_for_nothing_fits_and_is_for_all(page, width, scheme, browser, request):
    path = request.getfixturevalue(page)
    with browser.open(path, width, color_scheme=scheme) as opened:
        assert (opened.errors, opened.requests) == ([], [])
        assert opened.overflow() <= 0
    with browser.open(path, width, color_scheme=scheme, bypass_csp=True) as opened:
        assert opened.violations() == []


def test_what_files_hold_is_shown_and_never_run(hostile, browser):
    with browser.open(hostile) as opened:
        page = opened.page
        assert page.evaluate("window.hit") is None
        assert page.locator("script:not([type])").count() == 2
        assert (
            page.evaluate("[...document.images].filter(one => !one.src.startsWith('data:image/png;base64,')).length")
            == 0
        )
        runs = "one => [...one.attributes].some(a => /^on|^autofocus/.test(a.name))"
        handlers = f"[...document.querySelectorAll('*')].filter({runs})"
        assert page.evaluate(f"{handlers}.length") == 0
        assert page.title() == page.locator("h1").inner_text() == HOSTILE[2]
        assert page.locator("header .warning").first.inner_text() == HOSTILE[3]
        shown = page.locator("table.rows tbody th .name").all_text_contents()
        assert shown == list(HOSTILE)
        assert HOSTILE[1] in page.locator("table.rows thead").inner_text()


def test_it_has_one_title_landmarks_and_a_way_past_them(usual, browser):
    with browser.open(usual) as opened:
        page = opened.page
        assert page.locator("h1").count() == 1
        assert all(page.locator(tag).count() == 1 for tag in ("header", "main", "footer", "nav"))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
        assert len(ids) == len(set(ids))
        links = page.evaluate("[...document.querySelectorAll('nav a')].map(one => one.getAttribute('href').slice(1))")
        assert links
        assert set(links) <= set(ids)
        smallest = (
            "Math.min(...[...document.querySelectorAll('body *')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert page.evaluate(smallest) >= 12


def test_wide_tables_scroll_in_their_own_box(usual, browser):
    with browser.open(usual, 390, bypass_csp=True) as opened:  # which waiting for a function needs
        page = opened.page
        box = page.locator(".scroll").first
        assert box.evaluate("one => one.scrollWidth > one.clientWidth")
        box.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.scroll').scrollLeft > 0")


def text_of_pdf(path):
    pdftotext = ["pdftotext", "-layout", str(path), "-"]
    try:
        return subprocess.run(pdftotext, capture_output=True, check=True, text=True).stdout
    except FileNotFoundError:
        pytest.skip("pdftotext is not installed")


def squeezed(text):
    """Text without what lines of a PDF break it by."""
    return re.sub(r"\s+", "", text)


def test_on_paper_nothing_is_lost(usual, pair_result, browser, folder):
    titles = make_titles(usual)
    with browser.open(usual) as opened:
        page = opened.page
        folded = page.locator("details:not([open])").count()
        assert folded
        page.pdf(path=folder / "printed.pdf", prefer_css_page_size=True, print_background=True)
        assert page.locator("details:not([open])").count() == folded  # as it was
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 703, "height": 1017})  # what is printed on of a sheet of A4
        tall = page.evaluate(
            "[...document.images].map(one => one.getBoundingClientRect()).filter(b => b.height > 1017 || b.right > 704)"
        )
        assert tall == []
    said = squeezed(text_of_pdf(folder / "printed.pdf"))
    assert [title for title in titles if squeezed(title) not in said] == []
    assert squeezed(pair_result.data["channel"].values[-1]) in said  # of a table that is folded on the screen
    pages = text_of_pdf(folder / "printed.pdf").count("\f")
    assert 8 <= pages <= 30


def make_titles(path):
    import html

    return [html.unescape(one) for one in re.findall(r"<h[1-3][^>]*>([^<]+)</h[1-3]>", path.read_text("utf-8"))]


def test_a_pdf_has_what_the_page_has(usual, pair_result, tmp_path):
    pytest.importorskip("weasyprint", reason="the extra pdf is not installed")
    report = make_report(pair_result, epochs_per_stage=0, verbose="error")
    path = report.save(tmp_path / "night.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    assert list(tmp_path.iterdir()) == [path]
    said = squeezed(text_of_pdf(path))
    html = report.save(tmp_path / "night.html")
    assert [title for title in make_titles(html) if squeezed(title) not in said] == []
    assert all(squeezed(title) in said for title in report.sections)
    assert squeezed(pair_result.data["channel"].values[-1]) in said


def test_a_pdf_without_its_extra_is_refused_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingExtraError, match="pdf"):
        Report("night", "<p>text</p>").save(tmp_path / "night.pdf")
    with pytest.raises(ParameterError, match=r"\.html or \.pdf"):
        Report("night", "<p>text</p>").save(tmp_path / "night.docx")


def test_a_part_brings_its_own_script_and_no_other_runs(browser, tmp_path):
    class Walk:
        html, style, blobs = (
            "<p id='walk'>here</p>",
            "#walk { color: rgb(1, 2, 3); }",
            '<script type="a/b" id="blob">Zm9v</script>',
        )
        script = "document.getElementById('walk').textContent = document.getElementById('blob').textContent;"

    evil = SectionPart("", "<script>window.hit = 1</script><p>text</p>")
    path = make_page("night", [Section("One", (evil,))], explorer=Walk()).save(tmp_path / "walk.html")
    with browser.open(path) as opened:
        assert opened.page.locator("#walk").inner_text() == "Zm9v"
        assert opened.page.evaluate("getComputedStyle(document.getElementById('walk')).color") == "rgb(1, 2, 3)"
        assert opened.page.evaluate("window.hit") is None
        assert any("Content Security Policy" in error for error in opened.errors)
        assert opened.requests == []


def test_figures_go_into_a_report_of_mne(pair_result):
    own = mne.Report(title="mine", verbose="error")
    own.add_html("<p>mine</p>", "Mine")
    pair_result.add_to_report(own, section="Stager", epochs_per_stage=0)
    assert own._content_as_html()[2] == ["Mine", "Stager"]
    titles = [content.name for content in own._content]
    assert titles[1] == "Hypnogram and hypnodensity"
    assert len(titles) >= 5
    with pytest.raises(ParameterError, match="epochs_per_stage"):
        pair_result.add_to_report(own, epochs_per_stage=-1)


def test_a_number_of_an_epoch_opens_it_where_a_reader_walks_through_the_night(browser, tmp_path):
    data = example_results.make_whole_result().to_xarray()
    for name in ("scores", "night_scores"):
        data[name].values[17] *= 0.1  # one is in doubt
    report = make_report(FlexResult(data), epochs_per_stage=0, verbose="error")
    with browser.open(report.save(tmp_path / "whole.html")) as opened:
        link = opened.page.locator("a[href^='#epoch=']").last
        number = link.get_attribute("href").removeprefix("#epoch=")
        link.click()
        opened.page.wait_for_selector(f"#explorer[data-shown^='{number} ']")
        assert opened.page.locator("#ex-title").inner_text().startswith(f"Epoch {number} ")
        opened.page.wait_for_timeout(100)
        assert abs(opened.page.locator("#explorer").bounding_box()["y"]) < 100  # it is in sight
        assert (opened.errors, opened.requests) == ([], [])
