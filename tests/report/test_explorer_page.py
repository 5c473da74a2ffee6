"""The explorer in a browser: what a reader sees, clicks and types, without a request and without an error."""

import re
from contextlib import contextmanager

import example_results
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

import eegflex
from eegflex.bands import Bands
from eegflex.report.explorer import make_explorer

pytestmark = pytest.mark.slow

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
HOSTILE = '<img src=x onerror="window.bad=1"></script><script>window.bad=1</script>'


@pytest.fixture
def chromium(browser):
    """That of all tests of pages: Playwright runs once in a process."""
    return browser.chromium


def page_of(explorer):
    """The least page that holds an explorer; it says nothing of colours that the explorer should say."""
    head = (
        '<meta charset="utf-8"><title>Explorer</title><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>body{{margin:0}}{explorer.style}</style>'
    )
    body = f"<main><h1>A night</h1>{explorer.html}</main>{explorer.blobs}<script>{explorer.script}</script>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


@pytest.fixture
def look(chromium, tmp_path):
    """Open the explorer of a result; afterwards nothing may have gone wrong, and nothing have been asked of a network."""

    @contextmanager
    def opened(result, fragment="", *, signal=True, began=None, width=1400, before="", **how):
        file = tmp_path / "night.html"
        file.write_text(page_of(make_explorer(result, signal=signal, began=began)), encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 900}, **how)
        tab, wrong = context.new_page(), []
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: None if request.url.startswith(file.as_uri()) else wrong.append(request.url))
        if before:
            tab.add_init_script(before)
        tab.goto(file.as_uri() + fragment)
        if not before:
            tab.wait_for_selector("#explorer[data-shown]")
        yield tab
        assert wrong == []
        context.close()

    return opened


@pytest.fixture(scope="module")
def whole():
    """30 epochs, more than one chunk, of six channels and all stages, with all views; the last two were not scored."""
    return example_results.make_whole_result()


@pytest.fixture(scope="module")
def sample():
    """Epochs 3, 4 and 20 of 24."""
    return example_results.explain(
        example_results.make_epochs(n_epochs=24), views=("time",), select=[3, 4, 20], baseline="zero"
    )


def is_at(tab, epoch):
    tab.wait_for_selector(f"#explorer[data-shown^='{epoch} ']")


def has_address(tab, part):
    """Wait until the address has this; a function to wait for is none that the page's policy allows."""
    for _ in range(40):
        if part in tab.url:
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"{part} is not in {tab.url}")


def number(text):
    return float(text.strip("()").replace("−", "-").replace("+", ""))


def bands_on(tab):
    """Sums of the bands as they stand on the page, and whether they are marked."""
    rows = tab.query_selector_all("#ex-bands tr")
    found = {}
    for row in rows:
        value, *_ = row.query_selector("td:last-child").inner_text().split("\n")
        found[row.get_attribute("data-band")] = (number(value), "within its error" in row.inner_text())
    return found


def table(tab, name):
    details = tab.locator(f'details[data-table="{name}"]')
    if not details.get_attribute("open"):
        details.evaluate("details => details.open = true")
        tab.wait_for_selector(f'details[data-table="{name}"] table')
    return details.locator("table").evaluate(
        "t => [...t.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )


def choose(tab, **chosen):
    for name, label in chosen.items():
        tab.select_option(f"#ex-{name}", label=label)
    tab.wait_for_timeout(30)


def truth(result, epoch, channel, target):
    """Band sums of one target as the library has them."""
    found = result.for_target(target).sel(epoch=epoch)
    data = found.data.sel(channel=channel)
    return dict(zip(Bands().names, Bands().sum(data["frequency_view"].values[0], data["freq"].values), strict=True))


def test_bands_are_those_of_the_result_for_every_choice(look, whole):
    with look(whole, "#epoch=27") as tab:
        predicted = str(whole.data["predicted"].values[27, 0])
        other = next(stage for stage in whole.stages if stage != predicted)
        for stage, over in ((None, None), (other, None), (None, other), (other, predicted)):
            choose(tab, channel="C3-M2", stage=stage or "the predicted stage", over=over or "none")
            own = truth(whole, [27], "C3-M2", (stage or predicted, over) if over else stage or predicted)
            found, most = bands_on(tab), max(map(abs, own.values()))
            for name, value in own.items():
                assert found[name][0] == pytest.approx(value, abs=0.006 * most)
            assert found["all"][0] == pytest.approx(sum(own.values()), abs=0.02 * most)
        choose(tab, channel="all channels together", stage="the predicted stage", over="none")
        every = sum(truth(whole, [27], name, predicted)["alpha"] for name in whole.ch_names)
        assert bands_on(tab)["alpha"][0] == pytest.approx(every, abs=0.01 * abs(bands_on(tab)["all"][0]))


def test_tables_have_the_numbers_of_the_pictures(look, whole):
    with look(whole, "#epoch=26&channel=O1-M2") as tab:
        predicted = str(whole.data["predicted"].values[26, 0])
        single = whole.for_target(predicted).sel(epoch=[26]).data
        times = table(tab, "time")
        own = single["time_view"].sel(channel="O1-M2").values[0].reshape(60, -1).sum(axis=1)
        at = times[0].index("O1-M2")
        most = np.abs(single["time_view"].values[0].reshape(6, 60, -1).sum(axis=-1)).max()
        np.testing.assert_allclose([number(row[at]) for row in times[1:]], own, atol=most / 80)
        spectrum = table(tab, "spectrum")
        freqs, view = single["freq"].values, single["frequency_view"].sel(channel="O1-M2").values[0]
        row = next(row for row in spectrum if row[0] == "10–10.5 Hz")
        inside = (freqs >= 10) & (freqs < 10.5)
        assert number(row[-1]) == pytest.approx(view[inside].sum(), abs=0.01 * float(np.abs(view).sum()))
        power = single["power"].sel(channel="O1-M2").values[0][inside].mean()
        assert float(row[1]) == pytest.approx(10 * np.log10(power), abs=0.3)
        plane = table(tab, "plane")
        assert (len(plane), len(plane[0])) == (13, 31)
        chances = table(tab, "chances")
        scores = np.exp(whole.data["night_scores"].values[26, 0])
        np.testing.assert_allclose([float(one) for one in chances[1][1:]], scores / scores.sum(), atol=6e-4)
        night = table(tab, "night")
        assert len(night) == 31
        assert [row[night[0].index("scored")] for row in night[-2:]] == ["UNSCORED", "UNSCORED"]


def test_keys_move_along_the_night(look, whole):
    with look(whole) as tab:
        slider = tab.locator("#ex-slider")
        slider.focus()
        for key, epoch in (
            ("End", 29),
            ("ArrowRight", 29),
            ("ArrowLeft", 28),
            ("PageUp", 8),
            ("Home", 0),
            ("ArrowUp", 1),
        ):
            tab.keyboard.press(key)
            is_at(tab, epoch)
        assert slider.get_attribute("aria-valuenow") == "1"
        assert slider.get_attribute("aria-valuetext").startswith("Epoch 1 · 0:00:30 · staged")
        assert tab.locator("#ex-sentence").get_attribute("aria-live") == "polite"


def test_times_are_those_of_the_day_where_they_are_known(look, whole):
    with look(whole, "#epoch=3", began="23:59:00") as tab:
        assert tab.locator("#ex-title").inner_text().startswith("Epoch 3 · 0:00:30 · staged")
        assert "Time of day" in tab.locator("#ex-night-key").inner_text()


def test_a_click_on_the_night_goes_there(look, whole):
    with look(whole) as tab:
        box = tab.locator("#ex-slider").bounding_box()
        for share, epoch in ((0.52, 15), (0.999, 29), (0.0, 0)):
            tab.mouse.click(box["x"] + 75 + share * (box["width"] - 84), box["y"] + 40)
            is_at(tab, epoch)


def test_the_address_keeps_where_one_is(look, whole):
    with look(whole, "#epoch=12&channel=C4-M1&stage=N3&over=W") as tab:
        assert tab.locator("#ex-title").inner_text().startswith("Epoch 12 ")
        assert tab.locator("#ex-bands-heading").inner_text() == "C4-M1: evidence for and against N3 over W"
        tab.click("#ex-next")
        is_at(tab, 13)
        has_address(tab, "epoch=13")
        assert "stage=N3&over=W" in tab.url
        tab.go_back()
        is_at(tab, 12)
        tab.evaluate("location.hash = 'another-part'")  # of the page, and not ours
        tab.wait_for_timeout(100)
        assert tab.locator("#ex-title").inner_text().startswith("Epoch 12 ")
        tab.evaluate("location.hash = 'epoch=99999'")
        tab.wait_for_timeout(100)
        assert tab.locator("#ex-title").inner_text().startswith("Epoch 12 ")
    with look(whole) as tab:
        tab.click("#ex-next")
        has_address(tab, "epoch=1&")
        tab.go_back()
        is_at(tab, 0)  # where it was opened


def test_buttons_find_what_they_are_called(look, pair_result):
    scores = pair_result.data["night_scores"].values.copy()
    scores[4, 1] = scores[4, 1][::-1]  # one channel set says otherwise
    data = pair_result.to_xarray()
    data["night_scores"] = data["night_scores"].copy(data=scores)
    changed = type(pair_result)(data)
    chosen = scores.argmax(axis=-1)
    apart = np.flatnonzero((chosen != chosen[:, :1]).any(axis=1))
    with look(changed) as tab:
        tab.click('button[data-next="channels"]')
        is_at(tab, apart[0] if apart[0] else apart[1])
        assert "The channel sets disagree" in tab.locator("#ex-sentence").inner_text()
        tab.click('button[data-next="explained"]')
    with look(pair_result.sel(channel="C3-M2")) as tab:
        assert tab.locator('button[data-next="channels"]').is_hidden()


def test_what_was_not_explained_is_said_and_left(look, sample):
    with look(sample, "#epoch=9") as tab:
        assert "was not explained" in tab.locator("#ex-sentence").inner_text()
        assert tab.locator("#ex-signals").is_hidden()
        assert tab.locator("#ex-chances").is_visible()
        tab.click("#ex-nearest")
        is_at(tab, 4)
        assert tab.locator("#ex-nearest").is_hidden()
        assert tab.locator("#ex-signals").is_visible()
        tab.click('button[data-next="explained"]')
        is_at(tab, 20)
        tab.click('button[data-next="explained"]')
        is_at(tab, 3)  # round the end of the night
        assert tab.locator("#ex-over").count() == 0  # one target: there is no other stage to hold it against


def test_bands_of_ones_own(look, whole):
    with look(whole, "#epoch=3&channel=F3-M2") as tab:
        tab.locator("#ex-choose").evaluate("one => one.open = true")
        usual = bands_on(tab)

        def write(row, column, text):
            tab.locator("#ex-edges fieldset").nth(row).locator("input").nth(column).fill(text)
            tab.locator("#ex-edges fieldset").nth(row).locator("input").nth(column).blur()

        write(3, 1, "13")  # sigma from 13 Hz: alpha's end leaves a gap
        found = bands_on(tab)
        predicted = str(whole.data["predicted"].values[3, 0])
        single = whole.for_target(predicted).data.sel(channel="F3-M2").isel(epoch=3)
        view, freqs = single["frequency_view"].values, single["freq"].values
        near = 0.01 * float(np.abs(view).sum())
        assert found["sigma"][0] == pytest.approx(view[(freqs >= 13) & (freqs < 16)].sum(), abs=near)
        assert found["between"][0] == pytest.approx(view[(freqs >= 12) & (freqs < 13)].sum(), abs=near)
        assert found["all"][0] == pytest.approx(usual["all"][0], abs=near)
        write(3, 1, "13.2")
        assert "lies inside the step of 13–13.5 Hz" in tab.locator("#ex-edges-told").inner_text()
        write(3, 1, "11")
        assert tab.locator("#ex-edges-told").inner_text() == "The bands alpha and sigma overlap."
        write(3, 1, "20")
        assert "empty" in tab.locator("#ex-edges-told").inner_text()
        tab.click("#ex-reset")
        assert bands_on(tab) == usual
        tab.locator("#ex-edges fieldset").nth(0).locator("button").click()
        assert "delta" not in bands_on(tab)


def test_what_is_within_its_error_is_marked_and_not_told(look, whole):
    data = whole.to_xarray()
    data["band_error"] = data["band_error"].copy(data=np.full(data["band_error"].shape, 1e3, np.float32))
    data["error"] = data["error"].copy(data=np.full(data["error"].shape, 1e6))
    with look(type(whole)(data), "#epoch=3&channel=F3-M2") as tab:
        assert all(marked for _, marked in bands_on(tab).values())
        words = tab.locator("#ex-sentence").inner_text()
        assert "no band spoke for" in words
        assert "Not explained by this epoch" in words
    with look(whole, "#epoch=3&channel=F3-M2") as tab:
        errors = whole.for_target("predicted").data["band_error"].sel(channel="F3-M2").values[3]
        own = truth(whole, [3], "F3-M2", "predicted")
        for error, (name, value) in zip(errors, own.items(), strict=True):
            assert bands_on(tab)[name][1] == (abs(value) <= error)


def _night(**kwargs):
    return lambda: example_results.explain(example_results.make_epochs(), **kwargs)


def _own_stages():
    from eegflex.spec import ModelSpec

    spec = ModelSpec(name="other", scores="log_probs", stages=("wake", "light", "mid", "deep", "dream"))
    return example_results.explain(example_results.make_epochs(scored=False), spec)


#: Results of other kinds, each with what the page must say of it.
KINDS = {
    "a pair of stages": (_night(target=("N2", "N1")), "N2 and not N1"),
    "the runner-up": (_night(target="margin"), "and not"),
    "no view in time": (_night(), "spoke"),
    "time only beside it": (_night(views=("time",)), "spoke"),
    "one channel": (lambda: example_results.explain(example_results.make_epochs(["C3-M2"])), "spoke"),
    "nothing scored": (lambda: example_results.explain(example_results.make_epochs(scored=False)), "spoke"),
    "stages of its own": (_own_stages, "spoke"),
    "sets of channels": (example_results.make_pair_result, "C3-M2"),
    "a context that moved": (example_results.make_context_result, "spoke"),
    "whole bands": (_night(method="feature_ablation"), ""),
    "slopes": (_night(method="saliency"), ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_every_kind_are_shown(look, kind):
    make, words = KINDS[kind]
    result = make()
    # a page without signals has other pictures where there is a view in time, and where there is none
    for signal in (True, False) if "time" in kind else (True,):
        with look(result, signal=signal, width=390) as tab:
            assert words in tab.locator("#ex-sentence").inner_text()
            for details in tab.query_selector_all("details"):
                details.evaluate("one => one.open = true")
            tab.wait_for_timeout(50)
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390
            text = tab.locator("#explorer").inner_text()
            assert not re.search(r"NaN|undefined|\bnull\b|\[object", text)
            assert tab.locator("#ex-context").count() == (kind == "a context that moved")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (1400, "dark"), (390, "light")])
def test_anyone_can_read_it(look, whole, width, scheme):
    with look(whole, "#epoch=7", width=width, color_scheme=scheme) as tab:
        for details in tab.query_selector_all("details"):
            details.evaluate("one => one.open = true")
        tab.wait_for_timeout(50)
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_names_from_files_are_text_and_nothing_else(look):
    names = [f"{HOSTILE}{k}" for k in range(2)]
    epochs = example_results.make_epochs(names, positions=False)
    result = example_results.explain(epochs, views=("time",), target="all")
    data = result.to_xarray().assign_coords(
        night_stage=("night", np.array([*["N2"] * 5, *[HOSTILE] * 5], dtype=object))
    )
    with look(type(result)(data), "#epoch=0") as tab:
        for details in tab.query_selector_all("details"):
            details.evaluate("one => one.open = true")
        tab.wait_for_timeout(100)
        assert tab.evaluate("window.bad") is None
        assert HOSTILE in tab.locator("#ex-channel").inner_text()
        assert any(HOSTILE in cell for row in table(tab, "night") for cell in row)
        tab.click("#ex-next")
        is_at(tab, 1)
        has_address(tab, "epoch=1&")


def test_in_print_there_is_a_sentence(look, whole):
    with look(whole) as tab:
        tab.emulate_media(media="print")
        assert tab.locator(".ex-screen").is_hidden()
        assert tab.locator(".ex-print").inner_text().startswith("The explorer is for the screen")


def test_a_browser_that_cannot_unpack_is_told(look, whole):
    with look(whole, before="delete window.DecompressionStream") as tab:
        assert "DecompressionStream" in tab.locator("#ex-problem").inner_text()
        assert tab.locator("#ex-body").is_hidden()


def test_colours_are_those_of_the_scheme_and_follow_it(look, whole):
    paper = """() => {
      const copy = document.createElement('canvas').getContext('2d');
      copy.drawImage(document.getElementById('ex-signals'), 0, 0);
      return copy.getImageData(1, 1, 1, 1).data[0];
    }"""
    with look(whole) as tab:
        assert tab.evaluate(paper) == 255
        tab.emulate_media(color_scheme="dark")
        tab.wait_for_timeout(150)
        assert tab.evaluate(paper) < 64


def test_trust_is_told(look):
    psg = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    result = eegflex.attribute_epochs(night, sample_per_stage=2, verbose="error")
    tested = eegflex.evaluate(result, night, parts="one by one", verbose="error").result
    trust = tested.trust()
    with look(tested) as tab:
        for _, row in trust.iterrows():
            tab.evaluate(f"location.hash = 'epoch={row['number']}'")
            is_at(tab, row["number"])
            words = tab.locator("#ex-trust").inner_text()
            assert words.lower().startswith(str(row["verdict"]))
            assert all(reason in words for reason in filter(None, row["reasons"].split("; ")))
        measures = table(tab, "measures")
        assert any(row[0] == "bands: one by one" for row in measures)
    with look(result) as tab:
        assert "It was not tested on the model" in tab.locator("#ex-trust").inner_text()


def test_it_opens_at_the_explained_epoch_that_the_stager_is_least_sure_of(look, whole):
    data = whole.to_xarray()
    for name in ("scores", "night_scores"):
        data[name].values[17] *= 0.5  # nearer to each other
    with look(type(whole)(data)) as tab:
        is_at(tab, 17)
