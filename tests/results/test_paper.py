"""The methods section: what a result says of itself, exactly, and nothing that it does not know."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import example_results
import numpy as np
import pytest
from example_results import altered

from eegflex.errors import ParameterError
from eegflex.evaluation.evaluation import with_measures
from eegflex.results import paper
from eegflex.results.concatenate import concatenate_results
from eegflex.results.read import read_result
from eegflex.results.references import REFERENCES, cited_by
from eegflex.spec.published import load_spec, spec_names


@pytest.fixture(scope="module")
def result():
    return example_results.explain(example_results.make_epochs())


def with_spec(result, **model):
    return altered(result, spec={"model": result.spec["model"] | model})


def test_the_paragraphs_of_a_whole_recording(result):
    recording, stager, attribution, statistics, software, *_ = result.methods_text().split("\n\n")
    told = result.provenance
    assert recording == (
        "One recording of 10 epochs of 30 s (0.083 h) was analysed. A hypnogram had a stage for 8 of them. The channels "
        "explained were EEG F3-M2, F4-M1, C3-M2, C4-M1, O1-M2, O2-M1."
    ).replace(
        " was analysed", f", recorded at {told['sfreq_recorded']:g} Hz, was analysed" * ("sfreq_recorded" in told)
    )
    assert stager == f"Stages (W, N1, N2, N3, REM) were given by tiny, weights with SHA-256 {told['model_sha256']}."
    median = int(np.median(result.data["n_gradients"].values))
    assert attribution.startswith(
        "All 10 epochs were explained (W 2, N1 2, N2 2, N3 2, REM 2). The analysis explained the score of the predicted stage "
        "(log-probability) by FLEX (Gräve et al. 2025): Integrated Gradients (Sundararajan et al. 2017) over the magnitudes of "
        "the Fourier spectrum of each channel, phases held fixed. Epochs were compared with silence. The attributions of an "
        "epoch sum to its score minus that of silence on every channel: they explain everything that is in it, the 1/f part "
        "too. The integral was refined until the estimated error of the band sums was within 2 % of their absolute total, with "
        f"at most 400 gradients for an epoch (median {median}). Estimated errors of the band sums were "
    )
    assert (
        "Attributions were summed within delta 0.5–4 Hz, theta 4–8 Hz, alpha 8–12 Hz, sigma 12–16 Hz, beta 16–30 Hz (lower "
        "edges included), and below and above these." in attribution
    )
    assert "(Woodruff 1952)" in statistics
    assert "(Hall 1992)" in statistics
    assert software == (
        f"Computed in float32 with eegflex {told['eegflex']}, MNE-Python {told['mne']} (Gramfort et al. 2013), PyTorch "
        f"{told['torch']}, NumPy {told['numpy']}. The recording has SHA-256 {told['recording_sha256']}."
    )


def test_every_work_that_is_cited_is_listed_once_and_as_bibtex(result):
    text = result.methods_text()
    body, _, listed = text.partition("References\n")
    for short in (
        "Gräve et al. 2025",
        "Sundararajan et al. 2017",
        "Gramfort et al. 2013",
        "Woodruff 1952",
        "Hall 1992",
    ):
        assert short in body
    assert len(listed.splitlines()) == 5
    assert re.findall(r"^\d+", listed, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert re.findall(r"^@\w+\{(\w+),$", result.bibtex(), re.MULTILINE) == [
        "gramfort2013", "graeve2025", "hall1992", "sundararajan2017", "woodruff1952",
    ]  # fmt: skip
    assert "author = {Gräve, Paul and Steinbrinker, T. and " in result.bibtex()


def test_what_is_not_known_is_not_stated(result):
    data = result.to_xarray()
    told = result.provenance
    bare = {
        name: told[name] for name in ("input_sha256", "recording_sha256", "epochs", "explained", "warnings", "faults")
    }
    data.attrs["provenance"] = json.dumps(bare)
    text = type(result)(data).methods_text()
    for word in (
        "filtered",
        "resampled",
        "recorded at",
        "SHA-256 None",
        "PyTorch",
        "MNE-Python",
        "None",
        "nan",
        "Tests on the model",
    ):
        assert word not in text
    assert "were given by tiny." in text
    unscored = example_results.explain(example_results.make_epochs(scored=False))
    assert "No hypnogram was given." in unscored.methods_text()


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        (
            {"filter": {"l_freq": 0.3, "h_freq": 30.0, "design": "zero-phase FIR", "length_s": 11.0}},
            "signals were filtered (high-pass at 0.3 Hz and low-pass at 30 Hz; zero-phase FIR, 11 s long) before anything "
            "else.",
        ),
        (
            {"filter": {"l_freq": None, "h_freq": 30.0, "design": "zero-phase FIR"}, "resampled": "256 to 100 Hz"},
            "signals were filtered (low-pass at 30 Hz; zero-phase FIR) and resampled from 256 to 100 Hz before anything else.",
        ),
        ({"derived": ["E1-E2"]}, "Of these, E1-E2 is derived from recorded channels."),
        ({"left_out": 3}, "3 epochs could not be explained and were left out."),
        (
            {"baseline": {"chosen": "zero", "because": "it is so"}},
            "Epochs were compared with silence (chosen because it is so).",
        ),
        (
            {"random_phases": {"n_draws": 2, "n_epochs": 10, "of": 10}},
            "10 epochs of the night were staged again with recorded magnitudes and random phases (2 draws)",
        ),
        ({"partial": True}, "(the attribution was stopped early)"),
        ({"warnings": ["the recording is simulated by eegflex, not a person's"]}, "It was simulated by eegflex"),
    ],
)
def test_what_was_done_to_the_recording_is_stated(result, provenance, words):
    assert words in altered(result, provenance=provenance).methods_text()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"target": ["N2", "N1"]}, "The analysis explained the score of N2 minus that of N1 (log-probability)"),
        ({"target": "N2"}, "The analysis explained the score of N2 (log-probability)"),
        ({"baseline": "recording"}, "Epochs were compared with an ordinary epoch of this recording."),
        ({"baseline": "stage:W"}, "Epochs were compared with an ordinary epoch of W."),
        (
            {"baseline": "aperiodic"},
            "Oscillatory peaks were separated from the aperiodic part after Donoghue et al. 2020.",
        ),
        ({"baseline": "surrogate"}, "The baseline was drawn at random several times for each epoch"),
        ({"select": "margin < 0.2"}, "explained, chosen by the user (those with margin < 0.2)"),
        ({"select": [1, 2, 3, 7]}, "explained, chosen by the user (numbers 1-3, 7)"),
        (
            {"tol": 0.01, "max_evals": 99},
            "was within 1 % of their absolute total, with at most 99 gradients for an epoch",
        ),
        (
            {"quadrature": "gauss-legendre", "n_steps": 50},
            "The integral was taken by the fixed rule gauss-legendre with 50 nodes, which has no estimate of its error.",
        ),
        ({"second_opinion": "shapley"}, "explained a second time by Shapley values of the bands (Shapley 1953)."),
        ({"dtype": "float64"}, "Computed in float64 with eegflex"),
    ],
)
def test_what_was_asked_is_stated(result, parameters, words):
    if parameters.get("quadrature"):
        parameters = {"tol": 0.02, "max_evals": 400} | parameters
    assert words in altered(result, parameters=parameters).methods_text()


def test_a_sample_is_one_only_where_epochs_are_left(result):
    drawn = "drawn at random, at most 2 of each predicted stage (seed 7)"
    asked = altered(result, parameters={"sample_per_stage": 2, "seed": 7})
    assert drawn not in asked.methods_text()
    assert drawn in asked[:8].methods_text()


@pytest.mark.parametrize(
    ("method", "cited", "words"),
    [
        ("saliency", "Simonyan et al. 2013; Kokhlikyan et al. 2020", "not meant to sum to the change of the score"),
        ("shapley", "Shapley 1953", "exact Shapley values of the bands"),
    ],
)
def test_the_method_is_cited(method, cited, words):
    epochs = example_results.make_epochs(("C3-M2",), "eeg")
    text = example_results.explain(epochs, method=method).methods_text()
    assert f"({cited})" in text
    assert words in text
    assert "FLEX" not in text
    assert ("captum " in text) == ("Kokhlikyan" in cited)


def test_stagers_see_what_they_see():
    pair = example_results.make_pair_result().methods_text()
    assert (
        "It was run once for each of 2 sets of channels, each of which was explained by itself; where they differ, "
        in pair
    )
    window = example_results.make_context_result().methods_text()
    assert "It gets each epoch with 1 before and 1 after it." in window
    assert "Neighbouring epochs moved along the path, too." in window
    night = example_results.make_night_result().methods_text()
    assert "It gets each epoch together with all others of the night." in night
    assert "Neighbouring epochs stayed as recorded." in night


@pytest.mark.parametrize(
    ("citation", "words", "works"),
    [
        ("Hanna & Floeel 2023, An accessible ...", "given by tiny (Hanna and Flöel 2023),", ["hanna2023"]),
        ("Vallat and Walker 2021, ...", "given by tiny (Vallat and Walker 2021),", ["vallat2021"]),
        (
            "Perslev et al. 2021, U-Sleep; network: braindecode",
            "Its spec also says: network: braindecode.",
            ["perslev2021"],
        ),
        ("Somebody 1999, Sleep", "Its spec also says: Somebody 1999, Sleep.", []),
        ("", "were given by tiny, weights", []),
    ],
)
def test_the_stager_is_cited_where_it_is_known(result, citation, words, works):
    one = with_spec(result, citation=citation)
    assert words in one.methods_text()
    keys = re.findall(r"^@\w+\{(\w+),$", one.bibtex(), re.MULTILINE)
    assert [key for key in keys if key.startswith(("hanna", "vallat", "perslev", "somebody"))] == works


def test_what_was_assumed_is_stated(result):
    assert (
        "Its spec does not declare unit, stages; eegflex assumed them."
        in with_spec(result, assumed=["unit", "stages"]).methods_text()
    )


def test_the_citations_of_published_stagers_are_known():
    """All but those that have none of their own: eegflex's, and one whose authors are not known here."""
    found = {name: cited_by(load_spec(name).citation) for name in spec_names()}
    unknown = {name for name, (works, _) in found.items() if not works}
    assert unknown <= {"bandpower"}
    assert found["gssc"] == (["gssc"], [])
    assert found["usleep-onnx"] == (["sleepyland", "usleep"], [])
    assert found["physioex:chambon-eeg"] == (["chambon", "physioex"], [])
    assert {work for works, _ in found.values() for work in works} <= set(REFERENCES)


def test_keys_of_works_are_told_apart():
    keys = [one.key for one in REFERENCES.values()]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z]+\d{4}", key) for key in keys)


#: What BibTeX asks of a kind of work.
ASKED = {"article": {"journal"}, "inproceedings": {"booktitle"}, "incollection": {"booktitle"}, "misc": set()}


def fields_of(entry):
    """A strict reader of one entry: kind, key, and fields whose values stand in braces that match."""
    head = re.match(r"@(\w+)\{([^,{}\s]+),\n", entry)
    found, rest = {}, entry[head.end() :]
    while rest != "}":
        field = re.match(r"  ([a-z]+) = \{", rest)
        end, depth = field.end(), 1
        while depth:
            depth += {"{": 1, "}": -1}.get(rest[end], 0)
            end += 1
        assert field[1] not in found
        found[field[1]] = rest[field.end() : end - 1]
        assert rest[end : end + 2] == ",\n"
        rest = rest[end + 2 :]
    return head[1], head[2], found


@pytest.mark.parametrize("name", REFERENCES)
def test_bibtex_is_read_back(name):
    work = REFERENCES[name]
    kind, key, found = fields_of(work.to_bibtex())
    assert (kind, key) == (work.kind, work.key)
    assert set(found) >= {"title", "author", "year"} | ASKED[kind]
    assert found["title"] == f"{{{work.title}}}"
    assert tuple(found["author"].split(" and ")) == work.authors
    assert all(one.count(",") == 1 for one in work.authors)
    assert not re.search(r"[&%$#_~^\\]", "".join(found.values()).replace(found.get("doi", ""), ""))
    assert re.fullmatch(r"10\.\d{4,}/\S+", found.get("doi", "10.1000/1"))
    assert all(found.get(name, "1").isdigit() for name in ("volume", "number"))
    assert "–" not in found.get("pages", "")


def test_every_work_is_cited_by_something():
    """By a published contract, or by what writes methods."""
    of_specs = {work for name in spec_names() for work in cited_by(load_spec(name).citation)[0]}
    code = ast.parse(Path(paper.__file__).read_text(encoding="utf-8"))
    written = {one.value for one in ast.walk(code) if isinstance(one, ast.Constant) and one.value in REFERENCES}
    assert set(REFERENCES) == of_specs | written


def test_an_evaluation_is_stated(result):
    told = {
        "settings": {"seed": 3, "sample_per_stage": 2}, "cases": [[number, 0] for number in range(10)],
        "done": {"one by one": 10, "sanity": 2}, "left": ["sets"], "tables": {},
    }  # fmt: skip
    text = with_measures(result, told, ["bands: one by one"], np.full((10, 1, 1), 0.95)).methods_text()
    assert (
        "Tests on the model used 10 explanations of 10 epochs, at most 2 of each predicted stage (seed 3), in some "
        "tests fewer: putting in and leaving out single bands; random weights, other stages and random phases (Adebayo et "
        "al. 2018). The evaluation was stopped before sets. An epoch was trusted if all of " in text
    )


def test_it_is_the_same_after_the_file_and_of_one_recording(result, tmp_path):
    assert read_result(result.save(tmp_path / "one.nc")).methods_text() == result.methods_text()
    of_all = example_results.explain(example_results.make_epochs(), target="all")
    assert (
        "The analysis explained the score of every stage; reported here is that of the predicted one"
        in of_all.methods_text()
    )
    other = example_results.explain(example_results.make_epochs(seed=1))
    with pytest.raises(ParameterError, match="A methods section is of one recording"):
        concatenate_results([result, other]).methods_text()
