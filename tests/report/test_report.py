"""The report: what it says, what it must not hold, and how it is written."""

from __future__ import annotations

import contextlib
import dataclasses
import html
import io
import re
import tempfile
from pathlib import Path

import example_results
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from example_results import altered
from pages import Page, read, written

from eegflex.errors import OutputError, ParameterError
from eegflex.evaluation import assess
from eegflex.readers.notes import SIMULATED
from eegflex.report import Report, main_findings, make_report
from eegflex.report.html import without_directories
from eegflex.report.parts import Gathered, Picture
from eegflex.report.sections import SECTIONS
from eegflex.report.summary import what_was_done
from eegflex.results import FlexResult, tables
from eegflex.spec import ModelSpec

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)</script>"
ORDER = [
    "Summary",
    "Can this be believed?",
    "Night",
    "Bands",
    "Spectra",
    "Topography",
    "Disagreements",
    "Epochs",
    "Completeness",
    "Methods",
    "Stager",
    "Provenance",
]


@dataclasses.dataclass
class Made:
    """A report, its page, and what was noticed while it was made."""

    report: Report
    page: Page
    path: Path
    printed: str
    untouched: bool
    copies: int
    collapsed: int

    @property
    def titles(self):
        return [html.unescape(title) for title in re.findall("<h[23][^>]*>(.*?)</h[23]>", self.report.html)]

    @property
    def sections(self):
        return list(self.report.sections)


def make(result, folder, **kwargs):
    """Make a report and write it."""
    noticed = {"copies": 0, "collapsed": 0}
    to_xarray, for_target = FlexResult.to_xarray, FlexResult.for_target

    def copying(self):
        noticed["copies"] += 1
        return to_xarray(self)

    def collapsing(self, target=None):
        single = for_target(self, target)
        noticed["collapsed"] += single is not self and len(self) == len(result)  # not that of one epoch
        return single

    before, params, figures, said = result.to_xarray(), mpl.rcParams.copy(), plt.get_fignums(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        patch.setattr(FlexResult, "to_xarray", copying)
        patch.setattr(FlexResult, "for_target", collapsing)
        report = make_report(result, verbose=False, **kwargs)
    untouched = result.data.identical(before) and mpl.rcParams == params and plt.get_fignums() == figures
    own = Path(tempfile.mkdtemp(dir=folder))
    return Made(report, read(report, own), own / "page.html", said.getvalue(), untouched, **noticed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def made(result, folder):
    """The report of six EEG channels, with a card of each stage."""
    return make(result, folder)


@pytest.fixture(scope="module")
def page(made):
    return made.page


@pytest.fixture(scope="module")
def of_all():
    """Every stage explained."""
    return example_results.make_result(target="all")


@pytest.fixture(scope="module")
def compared(of_all, folder):
    """The report of a result of all stages, beside another of all stages at another baseline."""
    other = example_results.make_result(target="all", baseline="recording")
    return make(of_all, folder, compare_with=other, epochs_per_stage=0)


class TestPage:
    def test_it_is_a_report_of_ours_with_all_sections_in_order(self, made):
        assert isinstance(made.report, Report)
        assert made.sections == ORDER
        assert made.report.title == "Why did tiny stage this night as it did, and can the answer be believed?"
        assert "12 sections" in repr(made.report)

    def test_it_says_that_nothing_was_tested(self, page):
        assert "These explanations were not tested on the model, so none of them is trusted" in page.text

    def test_all_figures_are_there(self, page):
        # confusion, bands, spectrum, typical epochs, completeness; the night is the page's own, and two epochs make no map
        assert len(page.images) == 5
        assert "Not drawn, of fewer than 3 epochs that all channels explain: W (n = 2)" in page.text
        assert all(image.startswith(b"\x89PNG") for image in page.images)

    def test_nothing_is_left_behind(self, made, compared):
        assert made.untouched
        assert compared.untouched
        assert made.printed == compared.printed == ""

    def test_the_result_is_read_without_a_copy_and_collapsed_once(self, made, compared):
        assert (made.copies, made.collapsed) == (0, 0)
        # both results, and the explorer's without its moments
        assert (compared.copies, compared.collapsed) == (0, 3)

    def test_it_is_small_enough_to_send(self, made):
        assert made.path.stat().st_size < 2.5e6

    @pytest.mark.parametrize("n", [0, 2])
    def test_epochs_are_as_many_as_asked_for(self, result, n):
        """Five in a figure of the page, why each is there, and a card of each for reports of MNE's."""
        (epochs,) = [section for section in SECTIONS if section.__name__ == "epochs"]
        parts = list(epochs(Gathered(result, assess(result), epochs_per_stage=n)))
        pictures = [part for part in parts if isinstance(part, Picture)]
        shown = [part.draw.keywords["numbers"] for part in pictures if part.on_page]
        assert [len(numbers) for numbers in shown] == [5] * n
        assert len({number for numbers in shown for number in numbers}) == 5 * n
        assert len([part for part in pictures if not part.on_page]) == 5 * n
        assert sum(part.html.count("<li>") for part in parts if not isinstance(part, Picture)) == 5 * n

    def test_the_page_has_no_spectrum_of_a_muscle_beside_others(self):
        (spectra,) = [section for section in SECTIONS if section.__name__ == "spectra"]
        for kinds, shown in ((("eeg", "eog", "emg"), ["EEG", "EOG"]), (("emg",) * 3, ["EMG"])):
            result = example_results.explain(example_results.make_epochs(("a", "b", "c"), list(kinds), positions=False))
            found = [part.title for part in spectra(Gathered(result, assess(result))) if part.on_page]
            assert found == [f"Attribution spectra, {kind}" for kind in shown]

    def test_why_an_epoch_is_shown_is_told_with_a_link_to_it(self, made):
        assert (
            len(re.findall(r'<li><a href="#epoch=\d+">\w+, epoch \d+</a>: Typical: of 2 epochs of', made.report.html))
            == 5
        )


class TestWhatIsSaid:
    def test_the_summary_says_what_was_done_and_found(self, page, result):
        for sentence in [*what_was_done(result), *main_findings(result), *(one.text for one in assess(result))]:
            assert sentence in page.text

    def test_the_confusion_matrix_is_written(self, page, result):
        _, confusion = tables.agreement(result.data)
        assert "scored \\ predicted" in page.text
        for stage, row in confusion.iterrows():
            assert " ".join([stage, *map(str, row)]) in page.text

    def test_agreement_is_told_only_with_a_hypnogram(self, page):
        assert "Cohen's kappa with the hypnogram is 1.00: 8 of 8 scored epochs agree" in page.text
        unscored = written(example_results.explain(example_results.make_epochs(scored=False)))
        assert "kappa" not in unscored
        assert "scored \\ predicted" not in unscored
        assert "There is no hypnogram" in unscored

    def test_a_sample_is_called_one(self, page):
        assert "a sample" not in page.text
        sample = written(example_results.make_result(sample_per_stage=1))
        assert "This is a sample: at most 1 epoch of each predicted stage" in sample
        assert "5 epochs more were not drawn" in sample

    def test_each_channel_by_itself_is_told(self, pair_result, page):
        assert "so each channel was explained by itself" in written(pair_result)
        assert "by itself" not in page.text

    def test_the_spec_is_shown_with_what_was_assumed(self):
        spec = ModelSpec(name="mine", scores="logits", assumed=("unit", "stages"), licence="MIT", citation="A & B 2020")
        said = written(example_results.explain(example_results.make_epochs(), spec))
        for words in (
            "The spec does not say this; eegflex assumed it: unit, stages.", "A & B 2020", "in units of logit"
        ):  # fmt: skip
            assert words in said

    def test_provenance_is_shown(self, page, result):
        provenance = result.provenance
        for value in (provenance["input_sha256"], provenance["torch"], "adaptive", "float32"):
            assert str(value) in page.text

    def test_the_parameters_are_those_that_were_asked_for(self, compared):
        assert re.search(r"Parameters of the attribution .*\btarget all\b", compared.page.text)

    def test_simulated_data_are_called_so(self, page, result):
        assert "simulated" not in page.text
        assert "The recording is simulated" in written(altered(result, provenance={"warnings": [SIMULATED]}))

    def test_a_note_stands_on_top(self, result):
        said = written(result, note="Only a try.")
        assert said.index("Only a try.") < said.index("tiny staged 10 epochs")

    def test_a_stopped_attribution_is_called_one_on_top(self, result):
        data = result.to_xarray().isel(epoch=slice(6))
        said = written(altered(FlexResult(data), provenance={"partial": True}))
        warning = said.index("The attribution was stopped before it was finished: 6 of the recording's 10 epochs")
        assert warning < said.index("tiny staged 10 epochs")
        assert "4 epochs more were not reached" in said

    def test_without_positions_the_report_says_so(self):
        result = example_results.explain(example_results.make_epochs(positions=False))
        assert "No EEG channel has an electrode position" in written(result)

    def test_a_result_of_all_stages_speaks_for_the_predicted(self, of_all, compared):
        assert "Every stage was explained; this page shows the predicted one." in compared.page.text
        assert main_findings(of_all) == main_findings(of_all.for_target())
        for sentence in main_findings(of_all):
            assert sentence in compared.page.text
        margin = written(of_all.for_target(("N2", "N1")))
        assert "the score of N2 minus that of N1" in margin
        assert "Every stage was explained" not in margin

    @pytest.mark.parametrize(
        ("baseline", "words"),
        [
            ("zero", "minus that of silence on every channel"),
            ("aperiodic", "minus that of the same epoch without its oscillatory peaks"),
            ("recording", "minus that of an epoch with the median spectrum of the recording and the same phases"),
            ("stage:W", "minus that of an epoch with the median spectrum of W and the same phases"),
            ("array:0a1b", "minus that of an epoch with the spectrum that was given as the baseline"),
        ],
    )
    def test_what_the_sum_is_at_each_baseline_is_told(self, result, baseline, words):
        assert any(words in said for said in what_was_done(altered(result, parameters={"baseline": baseline})))

    @pytest.mark.parametrize(
        ("method", "words"),
        [("saliency", "slopes of the score"), ("feature_ablation", "one channel alone is replaced")],
    )
    def test_attributions_that_do_not_add_up_are_called_so(self, method, words):
        said = written(example_results.explain(example_results.make_epochs(), method=method))
        assert words in said
        assert "not meant to sum to the change of the score" in said
        assert "sum to its score minus" not in said
        assert not re.search(r"\bnan\b", said, re.IGNORECASE)


class TestMainFindings:
    @pytest.fixture(scope="class")
    @classmethod
    def night(cls):
        return example_results.explain(example_results.make_epochs(n_epochs=100))

    def test_they_are_those_of_the_result(self, night):
        found = list(night.main_findings())
        assert len(found) >= 5
        for one, text in zip(found, main_findings(night), strict=True):
            assert text.lower() == f"{one.values['stage']}: {one.text}".lower()
            told = "is called" if one.check.endswith("baseline") else "the score most"
            assert told in text

    def test_a_headline_never_rests_on_fewer_than_five_epochs(self, result):
        assert main_findings(result) == [
            f"{stage}: 2 epochs of it are too few to say what raised or lowered the score. Explain at least 5."
            for stage in example_results.STAGES
        ]

    def test_what_lowered_the_score_of_another_stage_is_told(self):
        of_n2 = example_results.explain(example_results.make_epochs(n_epochs=100), target="N2")
        words = {"W": "alpha", "N1": "theta", "N3": "slow waves", "REM": "beta"}
        for stage, rhythm in words.items():
            (text,) = [said for said in main_findings(of_n2) if said.startswith(f"{stage}:") and "lowered" in said]
            assert rhythm in text
            assert "lowered the score of N2 most (median −" in text
        assert any(
            text.startswith("N2: sigma") and "raised the score of N2 most (median +" in text
            for text in main_findings(of_n2)
        )

    def test_a_slope_is_told_as_what_would_happen(self):
        slopes = example_results.explain(example_results.make_epochs(n_epochs=100), method="saliency")
        sentences = [text for text in main_findings(slopes) if "nothing" not in text]
        assert sentences
        assert all("a little more of " in said and " the score most" in said for said in sentences)
        assert all("log-probability per unit magnitude" in said for said in sentences)


class TestOtherResults:
    def test_attributions_to_whole_bands_make_a_report_without_spectra(self, folder):
        epochs = example_results.make_epochs(("C3-M2", "C4-M1"), ["eeg", "eeg"])
        made = make(example_results.explain(epochs, method="shapley"), folder, epochs_per_stage=0)
        assert "There are no spectra: the method (exact Shapley values of the bands)" in made.page.text
        assert len(made.page.images) == 3  # confusion, bands, completeness

    def test_other_stages_and_channels_make_a_report(self, folder):
        spec = ModelSpec(name="odd", scores="log_probs", stages=("awake", "a", "b", "c", "dream"))
        epochs = example_results.make_epochs(("a", "b"), "misc", positions=False)
        made = make(example_results.explain(epochs, spec, target=("a", "b")), folder, epochs_per_stage=0)
        assert "the score of a minus that of b" in made.page.text
        assert "Attribution spectra, all channels" in made.titles

    def test_the_context_has_a_section_where_it_moved(self, made, folder):
        context = make(example_results.make_context_result(), folder, epochs_per_stage=0)
        assert "Context" in context.titles
        assert "The attributions of an epoch and of its context together sum to" in context.page.text
        assert "Context" not in made.titles


class TestCompared:
    def test_a_second_baseline_is_shown_beside_the_first(self, compared):
        assert [title for title in compared.titles if " compared with " in title] == [
            "Bands by stage: compared with silence",
            "Table of bands: compared with silence",
            "Bands by stage: compared with an ordinary epoch of this recording",
            "Table of bands: compared with an ordinary epoch of this recording",
        ]
        for sentence in (
            "silence on every channel",
            "an epoch with the median spectrum of the recording and the same phases",
        ):
            assert f"sum to its score minus that of {sentence}" in compared.page.text

    @pytest.mark.parametrize(
        ("changes", "headings"),
        [
            ({"target": "N2"}, ("the score of the predicted stage", "the score of N2")),
            ({}, ("the one result", "the other result")),
            ({"method": "saliency", "views": ()}, ("by FLEX", "by saliency")),
        ],
    )
    def test_two_results_are_named_by_what_they_differ_in(self, changes, headings, result):
        second = example_results.explain(example_results.make_epochs(), **changes)
        (bands,) = [section for section in SECTIONS if section.__name__ == "bands"]
        found = [part.title for part in bands(Gathered(result, assess(result), compare_with=second))]
        assert [title for title in found if title.startswith("Bands")] == [f"Bands by stage: {how}" for how in headings]

    def test_one_of_another_recording_or_of_other_epochs_is_refused(self, result):
        another = example_results.explain(example_results.make_epochs(seed=1))
        with pytest.raises(ParameterError, match="compare_with must be a result of the same recording"):
            make_report(result, compare_with=another, verbose=False)
        sample = example_results.make_result(sample_per_stage=1)
        with pytest.raises(
            ParameterError, match=r"compare_with must explain the same epochs .* 5 of them among the 10"
        ):
            make_report(result, compare_with=sample, verbose=False)


class TestSafe:
    def test_text_from_files_is_escaped(self, folder):
        names = (EVIL, "C4-M1", "O1-M2", "O2-M1")
        epochs = example_results.make_epochs(names, "eeg", positions=False)
        example_results.place(epochs, {EVIL: "C3", "C4-M1": "C4", "O1-M2": "O1", "O2-M1": "O2"})
        spec = ModelSpec(name=f"model {EVIL}", scores="log_probs", citation=EVIL, assumed=(EVIL,))
        result = altered(
            example_results.explain(epochs, spec),
            provenance={"source": EVIL, "warnings": [EVIL], EVIL: EVIL},
        )
        data = result.to_xarray()
        data["night_fault"].values[0] = EVIL
        made = make(FlexResult(data), folder, title=EVIL, note=EVIL, epochs_per_stage=0)
        assert EVIL not in made.path.read_text(encoding="utf-8")
        assert made.page.scripts == 2  # the page's own, and the explorer's
        assert made.page.text.count(EVIL) >= 9

    def test_no_directories_are_told(self, result):
        told = altered(
            result,
            provenance={"warnings": ["Read C:\\Users\\anna\\x.edf twice"]},
            spec={"model": result.spec["model"] | {"file": "/data/anna/stager.pt2"}},
        )
        said = written(told)
        assert "anna" not in said
        assert "x.edf" in said
        assert "stager.pt2" in said

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
    def test_directories_are_taken_off_paths_only(self, text, bare):
        assert without_directories(text) == bare


class TestFile:
    report = Report("night", "<!DOCTYPE html><title>night</title><p>text</p>")

    def test_it_is_replaced_only_when_asked(self, tmp_path):
        path = tmp_path / "page.html"
        assert self.report.save(path) == path
        path.write_text("mine")
        with pytest.raises(OutputError, match="already exists"):
            self.report.save(path)
        assert path.read_text() == "mine"
        self.report.save(path, overwrite=True)
        assert path.read_text() == self.report.html
        assert list(tmp_path.iterdir()) == [path]

    def test_one_that_cannot_be_written_leaves_nothing(self, tmp_path):
        with pytest.raises(OutputError, match="directory"):
            self.report.save(tmp_path / "missing" / "page.html")
        with pytest.raises(ParameterError, match="html"):
            self.report.save(tmp_path / "page.h5")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("number", [-1, 1.5])
    def test_a_wrong_number_of_cards_is_refused(self, result, number):
        with pytest.raises(ParameterError, match="epochs_per_stage"):
            make_report(result, epochs_per_stage=number)
