"""What is no value of an argument is refused in our words before long work; a whole number of any type is one."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from attribution_helpers import noise_epochs
from models import Smooth

import eegflex
from eegflex.cohort import compare_groups, simulate_cohort
from eegflex.errors import EegflexError, ModelError, ParameterError, SpecError
from eegflex.output_settings import ExportSettings, ReportSettings
from eegflex.preprocessing.faults import faults_of
from eegflex.settings import MOST_STEPS, EvaluationSettings, Settings
from eegflex.utils.given import Span, check_count

QUICK = {"spectral_share": 0, "windows_per_stage": 0, "on_check": "ignore", "verbose": "error"}
#: What counts, of types that Python's slices and numpy's generators do not take.
WHOLE = [3.0, np.float64(3), np.int8(3), np.array(3)]
NONE_OF_THEM = [-1, 1.5, np.nan, np.inf, 10**30, 1e300, "3", b"3", True, [3], np.array([3, 3]), 1j, object(), {}]


@pytest.fixture(scope="module")
def night():
    return eegflex.stage_epochs(noise_epochs(6), Smooth(), verbose="error")


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_a_whole_number_of_any_type_is_kept_as_an_integer(value):
    counts = ("max_evals", "sample_per_stage", "batch_size", "seed", "spectral_share")
    asked = Settings(**dict.fromkeys(counts, value))
    assert all(type(getattr(asked, name)) is int for name in counts)
    assert asked == Settings(**dict.fromkeys(counts, 3))
    assert type(ReportSettings(epochs_per_stage=value).epochs_per_stage) is int
    assert type(EvaluationSettings(seed=value, sample_per_stage=value).sample_per_stage) is int
    assert type(ExportSettings(n_review=value).n_review) is int


def test_counts_of_any_type_are_explained_alike(night):
    one, other = (
        eegflex.attribute_epochs(night, sample_per_stage=n, batch_size=n, seed=n, **QUICK) for n in (2, np.float64(2))
    )
    assert len(one) == len(other) == 3
    assert one.parameters == other.parameters


@pytest.mark.parametrize("value", NONE_OF_THEM, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["n_steps", "seed"])
def test_what_is_no_count_or_beyond_all_of_them_is_refused(night, name, value):
    with pytest.raises(ParameterError, match=rf"{name} must be a positive whole number"):
        eegflex.attribute_epochs(night, **{"quadrature": "graded", name: value} | QUICK)


def test_a_count_says_from_where_to_where():
    with pytest.raises(ParameterError, match=r"n must be a positive whole number or 0\. Got 5\. Allowed: 0 to 4"):
        check_count("n", 5, Span(0, 4))
    with pytest.raises(ParameterError, match=r"Got None"):
        check_count("n", None)
    assert check_count("n", None, Span(default=True)) is None


@pytest.mark.parametrize("level", ["", "loud", 1.5, np.nan, [], np.int64(2)], ids=repr)
def test_what_is_no_level_of_the_log_is_refused_in_our_words(level):
    with pytest.raises(ParameterError, match=r"verbose must be True, False, None, a whole number, or one of 'debug'"):
        eegflex.simulate_psg(verbose=level)


@pytest.mark.parametrize("name", ["picks", "views"])
def test_an_array_without_axes_is_no_list(night, name):
    given = night.epochs if name == "picks" else night
    with pytest.raises(ParameterError, match=rf"{name} must be .*Got an? ndarray"):
        eegflex.attribute_epochs(given, Smooth() if name == "picks" else None, **{name: np.array(3)} | QUICK)


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ([[1], [2, 3]], "not an array of numbers. Got list"),
        (0, r"does not fit.*Got shape \(\)"),
        (np.ones((2, 3)), r"does not fit.*Got shape \(2, 3\)"),
        (np.ones((2, 481)) * 1j, "complex"),
        (torch.ones(2, 481, requires_grad=True), "not an array of numbers. Got Tensor"),
    ],
    ids=["ragged", "a number", "another shape", "complex", "with a gradient"],
)
def test_a_baseline_that_is_none(night, baseline, words):
    with pytest.raises(ParameterError, match=words):
        eegflex.attribute_epochs(night, baseline=baseline, **QUICK)


@pytest.mark.parametrize("kind", ["all of it", "a buffer"])
def test_weights_without_values_are_refused_where_the_model_is_loaded(kind):
    model = Smooth()
    if kind == "all of it":
        model = model.to("meta")
    else:
        model.register_buffer("scale", torch.ones(3, device="meta"))
    with pytest.raises(ModelError, match=r"weights without values, on the device 'meta'.*load_state_dict"):
        eegflex.load_model(model)


def test_a_device_that_computes_nothing_is_refused():
    with pytest.raises(ParameterError, match=r"computes nothing\. Got meta\. Allowed: cpu, cuda, mps"):
        eegflex.stage_epochs(noise_epochs(6), Smooth(), device="meta", verbose="error")


def test_what_is_below_the_least_float32_is_flat():
    signal = np.sin(np.arange(100.0))[None]
    assert [faults_of(scale * signal)[0] for scale in (1.0, 1e-6, 1e-300, 0.0)] == ["", "", "flat", "flat"]


@pytest.mark.parametrize("stages", [(), ("", "N1"), (" ", "N1"), ("W", "W")])
def test_a_stage_without_a_name_is_none(stages):
    with pytest.raises(SpecError, match="stages must be named, each once"):
        eegflex.ModelSpec(name="mine", stages=stages)


def test_a_stage_is_not_called_what_a_target_is():
    with pytest.raises(SpecError, match=r"uses for something else\. Got all, margin"):
        eegflex.ModelSpec(name="mine", stages=("all", "N2", "margin"))


def test_a_model_that_stages_nothing_is_not_said_to_fail_by_a_fault_of_ours():
    class Nothing(Smooth):
        def forward(self, x):
            return super().forward(x) * float("nan")

    findings = eegflex.check_model(Nothing(), noise_epochs(6), verbose="error")
    assert findings["finite scores"].status == "error"
    assert (findings["phases"].status, findings["phases"].measured) == ("unknown", "the model stages no epoch")


@pytest.mark.parametrize(
    "given",
    [{"n_steps": value} for value in (None, 0, np.nan, "5", MOST_STEPS + 1, 10**30)]
    + [{"target": value} for value in (np.nan, "x", 1.5, 5, True, [])]
    + [{"start_idx": 3}, {"segment": np.zeros(4), "start_idx": np.nan}, {"segment": np.zeros(4), "start_idx": "x"}],
    ids=repr,
)
def test_flex_of_arrays_refuses_what_it_cannot_take(given):
    with pytest.raises(EegflexError, match=r"n_steps|target|start_idx"):
        eegflex.attribute(np.ones(16), torch.nn.Linear(16, 3), **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cluster_alpha": 1e-300}, "cluster_alpha must be between 0 and 1"),
        ({"n_permutations": 10**9}, r"n_permutations must be.*Allowed: 0 to 1,000,000"),
        ({"seed": 2**40}, "seed must be"),
    ],
)
def test_a_search_for_clusters_that_cannot_be(given, words):
    with pytest.raises(ParameterError, match=words):
        compare_groups(simulate_cohort(8), "group", **given)


@pytest.mark.parametrize("name", ["title", "note"])
@pytest.mark.parametrize("value", [True, 3, np.inf, ["a"]], ids=repr)
def test_what_is_written_on_a_report_is_text(name, value):
    with pytest.raises(ParameterError, match=f"{name} must be text"):
        ReportSettings(**{name: value})


def test_a_label_is_as_long_as_a_name_of_a_file_at_most():
    assert Settings(label="x" * 255).label == "x" * 255
    with pytest.raises(ParameterError, match="label must be a line of text of at most 255 characters"):
        Settings(label="x" * 256)


@pytest.mark.parametrize("width", [0, -1, 1e-300, 1e300, 10**400, np.nan, True, [1.0], "1e-300", "wide", b"1"], ids=str)
def test_groups_of_frequencies_that_no_spectrum_has_are_refused(width):
    with pytest.raises(ParameterError, match=r"groups must be a positive width in Hz, or 'bands'.*Allowed: 1e-06 to"):
        EvaluationSettings(groups=width)


@pytest.mark.parametrize("width", [2, 2.0, "2", " 2 ", np.float32(2), np.array(2)], ids=repr)
def test_a_width_of_any_type_is_kept_as_a_number(width):
    asked = EvaluationSettings(groups=width)
    assert type(asked.groups) is float
    assert asked.groups == 2


def test_a_night_is_not_staged_again_for_ever(night):
    with pytest.raises(ParameterError, match=r"spectral_share must be .*Allowed: 0 to 1,000"):
        Settings(spectral_share=10**30)
    with pytest.raises(ParameterError, match=r"n_draws must be .*Allowed: 1 to 1,000"):
        night.spectral_share(n_draws=10**30)


def test_public_functions_say_which_argument_is_of_the_wrong_kind():
    modules = (eegflex, eegflex.evaluation, eegflex.report, eegflex.results, eegflex.review, eegflex.viz)
    functions = {name: getattr(module, name) for module in modules for name in module.__all__}
    of_arrays = {"attribute"}  # it says so in its own words
    plain = {name for name, one in functions.items() if inspect.isfunction(one) and not hasattr(one, "__wrapped__")}
    assert plain - of_arrays == set()


@pytest.mark.parametrize("name", [name for name in eegflex.viz.__all__ if name != "plot_night"])
def test_a_figure_of_no_result_is_refused(name):
    with pytest.raises(ParameterError, match="result must be a FlexResult"):
        getattr(eegflex.viz, name)("night.nc", show=False)
