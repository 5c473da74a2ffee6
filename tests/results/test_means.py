"""A result of means: what tells of stages works, with the nodes' error; what tells of single epochs is refused."""

import mne
import numpy as np
import pytest
from attribution_helpers import explain, noise_epochs, scored_epochs
from models import CNN, Smooth

import eegflex
from eegflex.attribution.mean_nodes import told_nodes
from eegflex.errors import ParameterError
from eegflex.evaluation import assess
from eegflex.report.explorer import make_explorer
from eegflex.results.intervals import effective_number, mean_interval


@pytest.fixture(scope="module")
def epochs():
    return scored_epochs(n_epochs=60)


@pytest.fixture(scope="module")
def result(epochs):
    return explain(epochs, Smooth(), precision="mean", target="all", spectral_share=0, on_check="ignore")


@pytest.fixture(scope="module")
def precise(epochs):
    return explain(epochs, Smooth(), target="all", tol=0.002, spectral_share=0, on_check="ignore")


SINGLE = {
    "a data frame": lambda r: r.to_data_frame(),
    "bands by epoch": lambda r: r.band_table(by=("epoch", "channel")),
    **{f"the {one}": lambda r, one=one: r.band_table(statistic=one) for one in ("median", "sd", "q25", "max")},
    "trust": lambda r: r.trust(),
    "trusted ones": lambda r: r.band_table(trust="trusted"),
    "a choice of trusted ones": lambda r: r.sel(trust="trusted"),
    "gaps": lambda r: r.relative_gap(),
    "what is explained": lambda r: r.within_error,
    "what decided": lambda r: r.decided_by(),
    "findings": lambda r: r.main_findings(),
    "one epoch": lambda r: r[3],
    "one after the other": lambda r: list(r),
    "a few epochs": lambda r: r.sel(epoch=[1, 2, 3]),
    "a card": lambda r: r.plot_epoch(number=3, show=False),
    "examples": lambda r: r.plot_examples(show=False),
    "a figure of epochs": lambda r: r.plot_bands(show=False),
    "confusions": lambda r: r.plot_confusion(show=False),
    "a figure of gaps": lambda r: r.plot_completeness(show=False),
    "tracks": lambda r: r.export_edf("tracks.edf"),
    "annotations": lambda r: r.to_annotations(),
    "an explorer": lambda r: make_explorer(r),
    "a comparison": lambda r: eegflex.make_report(r, compare_with=r),
}


@pytest.mark.parametrize("what", SINGLE)
def test_what_tells_of_single_epochs_is_refused(result, what):
    with pytest.raises(ParameterError, match="precision='epoch'"):
        SINGLE[what](result)


def test_an_evaluation_is_refused(result, epochs):
    with pytest.raises(ParameterError, match="precision='epoch'"):
        eegflex.evaluate(result, epochs, Smooth())


def test_means_are_the_precise_ones_within_the_nodes_error(result, precise):
    drawn, known = (one.band_table(statistic="all") for one in (result, precise))
    off = (drawn["mean"] - known["mean"]).abs()
    judged = drawn["mean"].notna() & (drawn["n_epochs"] >= 5)
    assert judged.sum() >= 14
    assert (off <= drawn["error"] + known["error"])[judged].mean() >= 0.9


def test_intervals_are_wider_than_by_the_nodes_alone_and_hold_what_is_not_known(result):
    table = result.band_table(statistic="all")
    table = table[(table["n_epochs"] >= 5) & (table["error"] > 0)]
    half = (table["ci_high"] - table["ci_low"]) / 2
    assert (half > table["error"]).mean() > 0.85  # of few epochs some are short by chance
    assert table[["median", "sd", "q25", "q75", "min", "max"]].isna().all(axis=None)


def test_of_too_few_epochs_no_mean_is_told(result):
    numbers, stages = result.data["number"].values, result.data["predicted"].values[:, 0].astype(str)
    some = [*numbers[stages == "N2"][:6].tolist(), *numbers[stages == "REM"][:3].tolist()]
    table = result.sel(epoch=some).band_table(statistic="all")
    few, enough = table[table["n_epochs"] == 3], table[table["n_epochs"] == 6]
    assert len(few) == len(enough) > 0
    assert few["mean"].isna().all()
    assert enough["mean"].notna().all()
    assert not few["within_error"].any()


def test_figures_of_means_are_drawn_and_say_what_they_are(result):
    for draw in (result.plot_spectrum, result.plot_night):
        assert draw(show=False).axes
    said = " ".join(text.get_text() for text in result.plot_spectrum(show=False).texts)
    assert "random nodes" in " ".join(said.split())


def of_few_and_more(result):
    """Six epochs of the commonest stage and three of the next, of which there is no mean."""
    numbers, stages = result.data["number"].values, result.data["predicted"].values[:, 0].astype(str)
    named = dict.fromkeys(stages.tolist())
    many, few = sorted(named, key=lambda stage: -int((stages == stage).sum()))[:2]
    part = result.sel(epoch=[*numbers[stages == many][:6].tolist(), *numbers[stages == few][:3].tolist()])
    return part, many, few


def test_no_figure_draws_a_mean_of_fewer_than_five(result):
    part, many, few = of_few_and_more(result)
    fig = part.plot_spectrum(show=False)
    assert [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")] == [f"{many}  (n = 6)"]
    said = " ".join(" ".join(text.get_text() for text in fig.texts).split())
    assert f"Not drawn: stages of fewer than 5 epochs ({few} 3)." in said
    with pytest.raises(ParameterError, match=r"fewer than 5 epochs of a stage.*\(n = 3\)"):
        part.plot_spectrum(stage=few, show=False)
    nothing = part.sel(epoch=part.data["number"].values[[0, 1, 2, 6, 7, 8]].tolist())
    with pytest.raises(ParameterError, match="no stage of this result"):
        nothing.plot_spectrum(show=False)
    page = eegflex.make_report(nothing, verbose="error").html
    assert "Not drawn: stages of fewer than 5 epochs" in page


def test_a_run_of_means_that_can_tell_nothing_is_refused_before_it_begins(epochs, caplog):
    with pytest.raises(ParameterError, match="3 epochs to explain"):
        explain(epochs, Smooth(), precision="mean", select=[1, 2, 3])
    with mne.use_log_level("warning"):
        explain(
            epochs,
            Smooth(),
            precision="mean",
            sample_per_stage=3,
            spectral_share=0,
            on_check="ignore",
            verbose="warning",
        )
    assert "No means will be told of stages of which fewer than 5 epochs are explained" in caplog.text


@pytest.mark.parametrize("n_steps", ["4", 0, 2.5, -2])
def test_numbers_of_nodes_that_are_none_are_not_said_to_be_odd(epochs, n_steps):
    with pytest.raises(ParameterError, match="positive whole number"):
        explain(epochs, Smooth(), precision="mean", n_steps=n_steps)


def test_it_is_kept_in_the_file_and_told(result, tmp_path):
    again = eegflex.read_result(result.save(tmp_path / "means.nc"))
    assert again.parameters["precision"] == "mean"
    assert "means only" in repr(again)
    assert "random nodes" in again._repr_html_()
    with pytest.raises(ParameterError, match="precision='epoch'"):
        again.to_data_frame()
    with pytest.raises(ParameterError, match="precision='epoch'"):
        again.for_target(("N2", "N1")).trust()


def test_how_many_nodes_and_what_part_they_have_is_in_the_provenance(result, epochs):
    told = result.provenance["nodes"]
    predicted, counts = result.data["predicted"].values.astype(str), result.data["n_gradients"].values
    assert {stage: set(counts[(predicted == stage).all(axis=1)].ravel().tolist()) for stage in told["by_stage"]} == {
        stage: {n} for stage, n in told["by_stage"].items()
    }
    assert 0 < told["share_of_epochs"] < 1
    given = explain(epochs, Smooth(), precision="mean", n_steps=6, spectral_share=0, on_check="ignore")
    assert set(given.data["n_gradients"].values.ravel().tolist()) == {6}


def test_a_run_goes_on_with_the_same_nodes(epochs, result):
    part = eegflex.FlexResult(result.data.isel(epoch=slice(0, 20)))
    again = explain(
        epochs, Smooth(), precision="mean", target="all", spectral_share=0, on_check="ignore", resume=part
    )  # fmt: skip
    own, new = (one.data["frequency_view"].values for one in (result, again))
    np.testing.assert_allclose(new, own, rtol=1e-4, atol=1e-5 * np.abs(own).max())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"quadrature": "graded"}, "quadrature"),
        ({"context": "scaled"}, "context"),
        ({"views": ("time",)}, "views"),
        ({"second_opinion": "shapley"}, "second_opinion"),
        ({"n_steps": 3}, "even"),
        ({"method": "saliency"}, "precision='mean'"),
        ({"precision": "night"}, "precision"),
    ],
)
def test_what_does_not_go_with_means_is_refused(asked, words):
    with pytest.raises(ParameterError, match=words):
        explain(noise_epochs(), CNN(), **{"precision": "mean"} | asked)


@pytest.fixture(scope="module")
def dominated(result):
    """The same, but that one epoch of the commonest stage did forty times as much, and what is said of it."""
    data = result.data.copy(deep=True)
    stages = data["predicted"].values[:, 0].astype(str)
    names, counts = np.unique(stages, return_counts=True)
    one = int(np.flatnonzero(stages == names[counts.argmax()])[3])
    for name in {"frequency_view", "band_view"} & set(data):
        data[name][{"epoch": one}] *= 40.0
    with pytest.MonkeyPatch.context() as patched:
        said = []
        patched.setattr(mne.utils.logger, "warning", said.append)
        found = told_nodes(eegflex.FlexResult(data))
    return found, said, str(names[counts.argmax()])


def test_a_stage_that_one_epoch_carries_is_told(dominated):
    found, said, stage = dominated
    assert list(found.provenance["nodes"]["carried_by_few"]) == [stage]
    assert any(f"dominate the means of {stage}:" in one for one in said)


@pytest.mark.parametrize("by", [("stage",), ("stage", "channel"), ("recording", "stage")])
def test_a_stage_that_one_epoch_carries_has_means_and_no_intervals(dominated, by):
    found, _, stage = dominated
    table = found.band_table(by=by, statistic="all").reset_index()
    own = table[table["stage"] == stage]
    assert len(own)
    assert own["mean"].notna().all()
    assert own[["ci_low", "ci_high"]].isna().all(axis=None)


def test_other_stages_keep_their_intervals(result):
    table = result.band_table(statistic="all")
    assert not result.provenance["nodes"].get("carried_by_few")
    assert table.loc[table["n_epochs"] >= 20, ["ci_low", "ci_high"]].notna().all(axis=None)


def test_a_figure_and_a_page_say_which_stages_have_no_intervals_and_why(dominated):
    found, _, stage = dominated
    said = " ".join(text.get_text() for text in found.plot_spectrum(show=False).texts)
    assert f"means that a few epochs dominate ({stage}" in " ".join(said.split())
    assert f"dominate the means of {stage}" in eegflex.make_report(found, verbose="error").html


def test_only_what_is_known_of_the_night_is_assessed(result):
    found = assess(result)
    assert "left out" in found
    assert not {"completeness", "convergence", "precision", "cancellation"} & {one.check for one in found}


def test_its_methods_speak_of_means_alone(result):
    text, entries = result.methods_text(), result.bibtex()
    assert "points of each epoch's path, drawn at random" in text
    assert "Told are means with 95 % intervals" in text
    assert "median" not in text.partition("References")[0].replace("the median spectrum", "")
    assert "{hall1992," in entries
    assert "{woodruff1952," not in entries


def test_a_page_of_means_has_nothing_of_single_epochs(result):
    page = eegflex.make_report(result, verbose="error")
    assert page.sections[0] == "Summary"
    assert {"Bands", "Methods"} <= set(page.sections)
    assert not {"Epochs", "Completeness", "Disagreements"} & set(page.sections)
    assert "Single epochs are not exact" in page.html
    assert "ex-data" not in page.html


def test_one_that_carries_all_counts_as_one_and_equal_ones_as_all():
    assert effective_number(np.array([[0.0, 1.0], [0.0, -1.0], [5.0, 1.0]])).tolist() == [1.0, 3.0]
    assert effective_number(np.zeros((4, 1))).tolist() == [1.0]
    normal = np.random.default_rng(0).standard_normal((20000, 1))
    assert effective_number(normal)[0] / 20000 == pytest.approx(1 / 3, rel=0.05)


def test_a_guarded_interval_holds_the_other_one_and_more_where_one_block_carries_it():
    values = np.random.default_rng(0).standard_normal((50, 2))
    values[0, 1] = 40
    low, high = mean_interval(values, np.arange(50))
    wide_low, wide_high = mean_interval(values, np.arange(50), guarded=True)
    assert (wide_low <= low).all()
    assert (wide_high >= high).all()
    wider = (wide_high - wide_low) / (high - low)
    assert wider[0] < 1.1
    assert wide_high[1] - wide_low[1] > 3 * 12 * values[:, 1].std() / np.sqrt(50) / 2
