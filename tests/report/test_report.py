"""The report: what it says, what it must not hold, and how it is written."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser

import example_results
import matplotlib as mpl
import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
from example_results import altered

import eegflex
from eegflex.errors import OutputError, ParameterError
from eegflex.readers.notes import SIMULATED
from eegflex.report import main_findings, make_report, save_report
from eegflex.report.html import without_directories
from eegflex.report.trust import (
    cancellation_words,
    completeness_words,
    convergence_words,
    edge_words,
    left_out,
    partial_words,
    trust,
    window_words,
)
from eegflex.report.words import what_was_done
from eegflex.results import tables
from eegflex.results.wording import number_text
from eegflex.spec import ModelSpec

EVIL = "<script>alert(1)</script>"
SECTIONS = ["Summary", "Night", "Bands", "Spectra", "Topography", "Epochs", "Completeness", "Stager", "Provenance"]


class Reader(HTMLParser):
    """Gathers the text, tags and pictures of a page's body; scripts and styles of MNE's header are left out."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.tags, self.images = [], [], []
        self.feed(page[page.index("<body data-bs-spy") :])

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        source = dict(attrs).get("src") or ""
        if tag == "img" and source.startswith("data:image/png;base64,"):
            self.images.append(base64.b64decode(source.partition(",")[2]))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def read(report, tmp_path):
    path = save_report(report, tmp_path / "page.html", overwrite=True)
    return Reader(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    return read(make_report(result, verbose=False), tmp_path_factory.mktemp("report"))


def test_it_is_an_mne_report_with_all_sections_in_order(result):
    report = make_report(result, epochs_per_stage=0, verbose=False)
    assert isinstance(report, mne.Report)
    _, _, titles, _ = report._content_as_html()
    assert titles == [section for section in SECTIONS if section != "Epochs"]


def test_all_figures_are_there(page):
    # night, bands, spectrum, topography, five cards, completeness; and MNE's logo
    assert len(page.images) == 11
    assert all(image.startswith(b"\x89PNG") for image in page.images[1:])
    assert "Epochs" in page.text


def test_cards_are_as_many_as_asked_for(result):
    report = make_report(result, epochs_per_stage=2, verbose=False)
    assert len([c for c in report._content if c.section == "Epochs"]) == 10


def test_the_summary_says_what_was_done_and_found(page, result):
    for sentence in [*what_was_done(result), *main_findings(result), completeness_words(result)]:
        assert sentence in page.text


def test_findings_are_those_of_the_band_table(result):
    table = result.band_table().drop(columns=["total", "n_epochs"])
    best = {stage: table.loc[stage].stack() for stage in example_results.STAGES}
    order = sorted(best, key=lambda stage: -best[stage].max())
    data = result.to_xarray()
    change = (data["score"] - data["baseline_score"]).values[:, 0]
    assert len(main_findings(result, n=3)) == 3
    for stage, text in zip(order, main_findings(result), strict=True):
        channel, band = best[stage].idxmax()
        assert text.startswith(f"{stage}: {band} at {channel} raised the score most (+{best[stage].max():.3f}")
        whole = number_text(change[data["predicted"].values[:, 0] == stage].mean())
        assert text.endswith(f"in 2 of 2 epochs); all together changed it by {whole}")


def test_a_finding_names_the_score_that_was_explained():
    sentences = main_findings(example_results.explain(example_results.make_epochs(), target="N2"))
    assert all("the score of N2" in sentence for sentence in sentences)


def test_agreement_is_told_only_with_a_hypnogram(page, tmp_path):
    assert "Cohen's kappa with the hypnogram is 1.00" in page.text
    assert "scored \\ predicted" in page.text
    unscored = read(
        make_report(
            example_results.explain(example_results.make_epochs(scored=False)), epochs_per_stage=0, verbose=False
        ),
        tmp_path,
    )
    assert "kappa" not in unscored.text
    assert "scored \\ predicted" not in unscored.text
    assert "There is no hypnogram" in unscored.text


def test_the_confusion_matrix_is_written(page, result):
    _, confusion = tables.agreement(result.to_xarray())
    for stage, row in confusion.iterrows():
        assert " ".join([stage, *map(str, row)]) in page.text


def test_a_sample_is_called_one(page, tmp_path):
    assert "a sample" not in page.text
    sample = read(
        make_report(example_results.make_result(sample_per_stage=1), epochs_per_stage=0, verbose=False), tmp_path
    )
    assert "This is a sample: at most 1 epoch of each predicted stage" in sample.text
    assert "5 epochs more were not drawn" in sample.text


def test_what_was_left_out_is_counted(result):
    assert left_out(result) == ["No epoch was left out."]
    spoiled = altered(result, provenance={"epochs": 14, "faults": {"flat": 1, "not finite": 2}})
    lines = left_out(spoiled)
    assert "1 epoch was left out: its signal is flat." in lines
    assert "2 epochs were left out: their signal is not finite." in lines
    assert any(line.startswith("1 epoch was left out: the stager needs neighbours") for line in lines)


def test_the_words_on_completeness_follow_the_gaps(result):
    data = result.to_xarray()
    sizes = np.abs(tables.band_sums(data, eegflex.Bands())).sum(axis=(1, 2))
    for share, words in (
        (0.001, "as they stand"),
        (0.03, "less than about 3 % of that total mean nothing"),
        (0.3, "should not be relied on"),
    ):
        data["gap"].values[:, 0] = share * sizes
        assert words in completeness_words(type(result)(data))


def test_cancelling_contributions_are_told(result):
    assert cancellation_words(result) == ""
    data = result.to_xarray()
    data["score"].values[:] = data["baseline_score"].values + 1e-3
    assert "Contributions of both signs cancel" in cancellation_words(type(result)(data))


def test_each_channel_by_itself_is_told(pair_result, page):
    assert any("by itself" in sentence for sentence in what_was_done(pair_result))
    assert "by itself" not in page.text


def test_the_spec_is_shown_with_what_was_assumed(tmp_path):
    spec = ModelSpec(name="mine", scores="logits", assumed=("unit", "stages"), licence="MIT", citation="A & B 2020")
    page = read(
        make_report(example_results.explain(example_results.make_epochs(), spec), epochs_per_stage=0, verbose=False),
        tmp_path,
    )
    assert "Nobody declared this; eegflex took it for granted: unit, stages." in page.text
    assert "A & B 2020" in page.text
    assert "logit" in page.text


def test_provenance_is_shown(page, result):
    provenance = result.provenance
    for value in (provenance["input_sha256"], provenance["torch"], "adaptive", "float32"):
        assert str(value) in page.text


def test_text_from_files_is_escaped(tmp_path):
    names = (EVIL, "C4-M1", "O1-M2", "O2-M1")
    epochs = example_results.make_epochs(names, "eeg", positions=False)
    example_results.place(epochs, {EVIL: "C3", "C4-M1": "C4", "O1-M2": "O1", "O2-M1": "O2"})
    spec = ModelSpec(name=f"model {EVIL}", scores="log_probs", citation=EVIL, assumed=(EVIL,))
    result = altered(
        example_results.explain(epochs, spec),
        provenance={"source": EVIL, "warnings": [EVIL], "faults": {EVIL: 1}, EVIL: EVIL},
    )
    report = make_report(result, title=EVIL, note=EVIL, epochs_per_stage=0, verbose=False)
    path = save_report(report, tmp_path / "page.html")
    assert EVIL not in path.read_text(encoding="utf-8")
    page = Reader(path.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert page.text.count(EVIL) >= 9


def test_no_directories_are_told(result, tmp_path):
    told = altered(
        result,
        provenance={"source": "/home/anna/night.edf", "warnings": ["Read C:\\Users\\anna\\x.edf twice"]},
        spec={"model": result.spec["model"] | {"file": "/data/anna/stager.pt2"}},
    )
    page = read(make_report(told, epochs_per_stage=0, verbose=False), tmp_path)
    assert "anna" not in page.text
    assert str(tmp_path) not in page.text
    assert "night.edf" not in page.text  # it may be a patient's name
    for name in ("x.edf", "stager.pt2"):
        assert name in page.text


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("/a/b/c.edf", "c.edf"),
        ("see 'C:/Users/x y.edf'", "see 'x y.edf'"),
        ("\\\\server\\share\\n.edf", "n.edf"),
        ("https://doi.org/10.1/x", "https://doi.org/10.1/x"),
        ("µV²/Hz, W/N1/N2, 1/30", "µV²/Hz, W/N1/N2, 1/30"),
        ("b (e t) c", "b (e t) c"),
    ],
)
def test_directories_are_taken_off_paths_only(text, bare):
    assert without_directories(text) == bare


def test_simulated_data_are_called_so(page, result, tmp_path):
    assert "simulated" not in page.text
    simulated = altered(result, provenance={"warnings": [SIMULATED]})
    assert (
        "The recording is simulated" in read(make_report(simulated, epochs_per_stage=0, verbose=False), tmp_path).text
    )


def test_without_positions_the_report_says_so(tmp_path):
    result = example_results.explain(example_results.make_epochs(positions=False))
    page = read(make_report(result, epochs_per_stage=0, verbose=False), tmp_path)
    assert "No EEG channel has an electrode position" in page.text


def test_other_stages_and_channels_make_a_report(tmp_path):
    spec = ModelSpec(name="odd", scores="log_probs", stages=("awake", "a", "b", "c", "dream"))
    result = example_results.explain(
        example_results.make_epochs(("a", "b"), "misc", positions=False), spec, target=("a", "b")
    )
    assert (
        "the score of a over that of b" in read(make_report(result, epochs_per_stage=0, verbose=False), tmp_path).text
    )


def test_it_is_small_enough_to_send(pair_result, tmp_path):
    path = save_report(make_report(pair_result, epochs_per_stage=2, verbose=False), tmp_path / "page.html")
    assert path.stat().st_size < 5e6


def test_nothing_is_left_behind(result, capsys):
    before, params = result.to_xarray(), mpl.rcParams.copy()
    make_report(result, verbose=False)
    assert result.to_xarray().identical(before)
    assert mpl.rcParams == params
    assert not plt.get_fignums()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_file_is_replaced_only_when_asked(result, tmp_path):
    report, path = make_report(result, epochs_per_stage=0, verbose=False), tmp_path / "page.html"
    assert save_report(report, path) == path
    path.write_text("mine")
    with pytest.raises(OutputError, match="there already"):
        save_report(report, path)
    assert path.read_text() == "mine"
    save_report(report, path, overwrite=True)
    assert path.read_text() != "mine"
    assert report.fname is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_nothing(result, tmp_path):
    report = make_report(result, epochs_per_stage=0, verbose=False)
    with pytest.raises(OutputError, match="directory"):
        save_report(report, tmp_path / "missing" / "page.html")
    with pytest.raises(ParameterError, match="html"):
        save_report(report, tmp_path / "page.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [-1, 1.5])
def test_a_wrong_number_of_cards_is_refused(result, number):
    with pytest.raises(ParameterError, match="epochs_per_stage"):
        make_report(result, epochs_per_stage=number)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_browser_opens_it_without_errors(result, tmp_path):
    path = save_report(make_report(result, verbose=False), tmp_path / "page.html")
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
        f"--disable-sync --no-first-run --enable-logging=stderr --v=0 --user-data-dir={tmp_path / 'profile'} --dump-dom"
    )
    command = ["chromium", *options.split(), path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line and ("rror" in line)]
    assert not errors
    assert "Provenance" in done.stdout


def titles(report):
    return [content.name for content in report._content]


def words_of(report, tmp_path):
    return read(report, tmp_path).text


def test_a_result_of_all_stages_speaks_for_the_predicted(tmp_path):
    of_all = example_results.make_result(target="all")
    text = words_of(make_report(of_all, epochs_per_stage=0, verbose=False), tmp_path)
    assert "Every stage was explained; this speaks of the predicted one." in text
    assert main_findings(of_all) == main_findings(of_all.for_target())
    for sentence in [*main_findings(of_all), *trust(of_all)]:
        assert sentence in text
    margin = make_report(of_all.for_target(("N2", "N1")), epochs_per_stage=0, verbose=False)
    assert "the score of N2 over that of N1" in words_of(margin, tmp_path)


def test_attributions_to_whole_bands_make_a_report_without_spectra(tmp_path):
    epochs = example_results.make_epochs(("C3-M2", "C4-M1"), ["eeg", "eeg"])
    report = make_report(example_results.explain(epochs, method="shapley"), verbose=False)
    assert "There are no spectra: the method (exact Shapley values of the bands)" in words_of(report, tmp_path)
    assert len([c for c in report._content if c.section == "Epochs"]) == 5


@pytest.mark.parametrize(
    ("method", "words"), [("saliency", "slopes of the score"), ("feature_ablation", "one channel alone is replaced")]
)
def test_attributions_that_do_not_add_up_are_called_so(method, words, tmp_path):
    result = example_results.explain(example_results.make_epochs(), method=method)
    text = words_of(make_report(result, epochs_per_stage=0, verbose=False), tmp_path)
    assert words in text
    assert "not meant to sum to the change of the score" in text
    assert "not meant to sum" in completeness_words(result)
    assert "sum to its score less" not in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert cancellation_words(result) == ""


def test_a_slope_is_told_as_what_would_happen():
    sentences = main_findings(example_results.explain(example_results.make_epochs(), method="saliency"))
    assert all("a little more of " in s and "would raise the score most" in s for s in sentences)
    assert all("log-probability per unit magnitude" in s for s in sentences)


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ("zero", "less that of silence on every channel"),
        ("aperiodic", "less that of the same epoch without its oscillatory peaks"),
        ("recording", "less that of an epoch with the median spectrum of the recording and the same phases"),
        ("stage:W", "less that of an epoch with the median spectrum of W and the same phases"),
        (np.ones((6, 961)), "less that of an epoch with the spectrum that was given as the baseline"),
    ],
)
def test_what_the_sum_is_at_each_baseline_is_told(baseline, words):
    assert any(
        words in s for s in what_was_done(example_results.explain(example_results.make_epochs(), baseline=baseline))
    )


def test_the_estimated_error_judges_where_there_is_one(result):
    data = result.to_xarray()
    data["gap"].values[:] = 0
    for share, words in (
        (0.005, "as they stand"),
        (0.03, "less than about 3 % of that"),
        (0.3, "should not be relied on"),
    ):
        data["error"].values[:] = share
        assert words in completeness_words(type(result)(data))
    assert convergence_words(type(result)(data)).startswith("0 of 10 epochs converged to the tolerance of 2 %")
    data["error"].values[:] = np.linspace(0.001, 0.02, 10)[:, None]
    data["error"].values[4] = 0.043
    said = convergence_words(type(result)(data))
    assert said.startswith("9 of 10 epochs")
    assert "the largest estimated error of the band sums is 4.3 %" in said


def test_without_an_estimate_none_is_told():
    fixed = example_results.make_result(quadrature="gauss-legendre", n_steps=8)
    assert convergence_words(fixed) == ""
    assert "converged" not in completeness_words(fixed)
    assert "add up to F(x) − F(x_b)" in completeness_words(fixed)


def test_the_error_of_the_window_is_told(result):
    assert window_words(result) == ""
    window = {"length": 21, "error_median": 0.041, "error_largest": 0.0893, "measured_on_epochs": 3}
    assert window_words(altered(result, provenance={"window": window})) == (
        "Explained within windows of 21 epochs; on 3 epochs the band sums differ from those of the whole night by 4.1 % "
        "(median), 8.9 % (largest)."
    )


def test_the_window_of_a_stager_of_whole_nights_is_told_as_the_engine_measures_it():
    within = window_words(example_results.make_night_result(window_length=5))
    found = re.fullmatch(
        r"Explained within windows of 5 epochs; on 3 epochs the band sums differ from those of the whole night by (.+) % "
        r"\(median\), (.+) % \(largest\)\.",
        within,
    )
    median, largest = map(float, found.groups())
    assert 0 <= median <= largest < 1e-3  # it hears no further than the epoch before, which is in the window
    whole = window_words(example_results.make_night_result(window_length=21))
    assert whole == "Explained within windows of 10 epochs, which is all that the stager was given."


def test_epochs_at_an_edge_are_counted(result):
    data = result.to_xarray()
    data["filter_edge"].values[:] = False
    assert edge_words(type(result)(data)) == []
    edges = np.array(["inside"] * 10, dtype=object)
    edges[:2], edges[-1] = "shifted", "padded"
    at_edge = type(result)(data.assign_coords(edge=("epoch", edges), filter_edge=("epoch", np.arange(10) < 3)))
    shifted, padded, filtered = edge_words(at_edge)
    assert shifted.startswith("2 epochs near the edge of a run had their window shifted")
    assert padded.startswith("1 epoch near the edge of a run had its window filled with silence")
    assert filtered.startswith("3 epochs near the edge of a run: the preparation's filter")
    assert set(edge_words(at_edge)) <= set(trust(at_edge))


def test_windows_that_were_padded_are_counted_as_the_engine_pads_them():
    padded = example_results.make_context_result(edges="pad")
    assert any(
        line.startswith("2 epochs near the edge of a run had their window filled") for line in edge_words(padded)
    )


def test_a_sample_does_not_hide_what_could_not_be_explained():
    assert left_out(example_results.make_context_result(sample_per_stage=1)) == [
        "2 epochs were left out: the stager needs neighbours that the recording does not have.",
        "3 epochs more were not drawn for the sample.",
    ]


def test_masked_edges_are_told_in_words(result):
    lines = left_out(altered(result, provenance={"epochs": 12, "faults": {"at an edge": 2}}))
    assert lines == [
        "2 epochs were left out: the filter of the preparation reaches them from beyond the edge of a run."
    ]


def test_a_stopped_attribution_is_called_one_on_top(result, tmp_path):
    assert partial_words(result) == ""
    stopped = altered(result, provenance={"epochs": 14, "partial": True})
    page = read(make_report(stopped, epochs_per_stage=0, verbose=False), tmp_path)
    warning = page.text.index("The attribution was stopped before it was finished: 10 of the recording's 10 epochs")
    assert warning < page.text.index("What was found")
    assert "4 epochs more were not reached" in page.text


def test_the_context_has_a_section_where_it_moved(result, tmp_path):
    context = make_report(example_results.make_context_result(), epochs_per_stage=0, verbose=False)
    assert "Context" in titles(context)
    assert "The attributions of an epoch and of its context together sum to" in words_of(context, tmp_path)
    assert "Context" not in titles(make_report(result, epochs_per_stage=0, verbose=False))


def test_a_second_baseline_is_shown_beside_the_first(result, tmp_path):
    also = example_results.make_result(baseline="recording")
    report = make_report(result, compare_with=also, epochs_per_stage=0, verbose=False)
    assert titles(report)[3:7] == [
        "Bands by stage: compared with silence",
        "Table of bands: compared with silence",
        "Bands by stage: compared with the recording's median spectrum",
        "Table of bands: compared with the recording's median spectrum",
    ]
    text = words_of(report, tmp_path)
    for sentence in (
        "silence on every channel",
        "an epoch with the median spectrum of the recording and the same phases",
    ):
        assert f"sum to its score less that of {sentence}" in text


@pytest.mark.parametrize(
    ("changes", "headings"),
    [
        ({"target": "N2"}, ("the score of the predicted stage", "the score of N2")),
        ({"target": "all"}, ("the one result", "the other result")),
        ({"method": "saliency", "views": ()}, ("by FLEX", "by saliency")),
    ],
)
def test_two_results_are_named_by_what_they_differ_in(changes, headings):
    first, second = (example_results.explain(example_results.make_epochs(), **options) for options in ({}, changes))
    found = titles(make_report(first, compare_with=second, epochs_per_stage=0, verbose=False))
    for heading in headings:
        assert any(title.startswith("Bands by stage: ") and heading in title for title in found)


def test_a_second_result_of_another_recording_or_of_other_epochs_is_refused(result):
    another = example_results.explain(example_results.make_epochs(seed=1))
    with pytest.raises(ParameterError, match="another recording"):
        make_report(result, compare_with=another, verbose=False)
    sample = example_results.make_result(sample_per_stage=1)
    with pytest.raises(ParameterError, match="other epochs"):
        make_report(result, compare_with=sample, verbose=False)
