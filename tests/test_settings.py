"""What is asked: the same words and defaults in every place, and equal where it is the same."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import eegflex
from eegflex.attribution.quadrature import _RULES
from eegflex.errors import ParameterError
from eegflex.settings import FIXED_RULES, Settings, StagingSettings

MAGNITUDES = np.arange(6.0).reshape(2, 3)
#: What is no setting: the recording, the model, and what does not change an answer.
OF_THE_CALL = ("epochs", "model", "spec", "resume", "verbose")
#: For each field another value than its default. `quadrature` goes with `n_steps`, which the adaptive rule refuses.
OTHER = {
    "picks": ("C3", "C4"),
    "edges": "pad",
    "filter_edges": "mask",
    "window_length": 5,
    "device": "cuda",
    "dtype": "float64",
    "target": ("N2", "N1"),
    "baseline": "recording",
    "context": "scaled",
    "windows_per_stage": 2,
    "method": "saliency",
    "second_opinion": "shapley",
    "spectral_share": 1,
    "precision": "mean",
    "quadrature": "graded",
    "tol": 0.01,
    "max_evals": 100,
    "n_steps": 9,
    "views": ("frequency", "time"),
    "resolution": "full",
    "select": (2, 3),
    "sample_per_stage": 3,
    "seed": 1,
    "batch_size": 4,
    "n_jobs": 2,
    "on_check": "warn",
    "label": "sub-01",
}
#: What changes no answer.
NAMES = ("label", "n_jobs")
#: What some take to matter.
GOES_WITH = {"n_steps": {"quadrature": "graded"}, "resolution": {"target": "all"}}


def given(name, value):
    """Settings in which one field has a value, with what it takes for that to matter."""
    return Settings(**{name: value} | GOES_WITH.get(name, {}))


def defaults(call):
    """Parameters and defaults of a verb, without the recording, the model, and what does not change an answer."""
    parameters = inspect.signature(call).parameters.values()
    return {one.name: one.default for one in parameters if one.name not in OF_THE_CALL}


@pytest.mark.parametrize(
    ("asked", "call"), [(Settings, eegflex.attribute_epochs), (StagingSettings, eegflex.stage_epochs)]
)
def test_python_has_the_same_words_and_defaults(asked, call):
    assert {one.name: one.default for one in dataclasses.fields(asked)} == defaults(call)


def test_every_field_is_tried_here():
    assert set(OTHER) == {one.name for one in dataclasses.fields(Settings)}


@pytest.mark.parametrize("asked", [Settings, StagingSettings])
def test_what_is_not_given_is_the_default(asked):
    assert dataclasses.asdict(asked()) == {one.name: one.default for one in dataclasses.fields(asked)}


@pytest.mark.parametrize("asked", [Settings, StagingSettings])
def test_a_device_is_a_word(asked):
    assert asked(device=torch.device("cuda", 1)).device == "cuda:1"
    assert asked(device=torch.device("cpu")) == asked(device="cpu")


@pytest.mark.parametrize("asked", [Settings, StagingSettings])
def test_channels_are_a_word_or_several(asked):
    assert asked(picks="eeg").picks == "eeg"
    assert asked(picks=np.array(["C3", "C4"])).picks == asked(picks=["C3", "C4"]).picks == ("C3", "C4")


def test_the_words_of_a_rule_are_those_that_make_it():
    assert tuple(_RULES) == FIXED_RULES


@pytest.mark.parametrize("name", [name for name in OTHER if name not in NAMES])
def test_what_differs_in_one_field_is_another_question(name):
    other, default = given(name, OTHER[name]), given(name, Settings.__dataclass_fields__[name].default)
    assert getattr(other, name) == OTHER[name]
    assert other != default
    assert other.digest != default.digest
    assert hash(other) != hash(default)


@pytest.mark.parametrize("name", OTHER)
def test_what_is_asked_twice_is_one_question(name):
    one, same = given(name, OTHER[name]), given(name, OTHER[name])
    assert one is not same
    assert one == same == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(same) == hash(pickle.loads(pickle.dumps(one)))
    assert {one: "kept"}[same] == "kept"
    assert dataclasses.asdict(pickle.loads(pickle.dumps(one))) == dataclasses.asdict(one)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("3, 5-7,9", (3, 5, 6, 7, 9)),
        ("12", (12,)),
        (12, (12,)),
        (np.arange(3, dtype=np.int16), (0, 1, 2)),
        ([True, False], (True, False)),
        ("margin < 0.2", "margin < 0.2"),
        ("3 - 5 < number", "3 - 5 < number"),
    ],
)
def test_a_selection_is_numbers_booleans_or_words(given, kept):
    asked = Settings(select=given)
    assert asked.select == kept
    assert [type(one) for one in asked.select] == [type(one) for one in kept]
    assert asked == Settings(**asked.to_dict())


def test_what_a_rule_makes_no_use_of_is_not_asked():
    fixed, otherwise = Settings(quadrature="graded", tol=0.5), Settings(quadrature="graded", tol=0.1, max_evals=50)
    assert fixed == otherwise
    assert set(OTHER) - set(fixed.to_dict()) == {"tol", "max_evals", "resolution", "precision", *NAMES}
    assert set(OTHER) - set(Settings().to_dict()) == {"n_steps", "resolution", "precision", *NAMES}
    assert Settings() != StagingSettings()


def test_what_a_recording_is_called_is_no_part_of_the_question():
    assert Settings(label="sub-01") == Settings(label="sub-02") == Settings()
    for wrong in ("", "  ", 3, True, "two\nlines", "a\x00b"):
        with pytest.raises(ParameterError, match="label must be a line of text"):
            Settings(label=wrong)


def test_arrays_are_told_apart_by_what_is_in_them():
    one = Settings(baseline=MAGNITUDES)
    assert one == Settings(baseline=MAGNITUDES.copy()) == Settings(baseline=np.asfortranarray(MAGNITUDES))
    assert one == Settings(baseline=MAGNITUDES.tolist())
    assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).baseline, MAGNITUDES)
    changed = MAGNITUDES.copy()
    changed[1, 2] += 1e-9
    for other in (changed, MAGNITUDES.T, MAGNITUDES.reshape(3, 2), MAGNITUDES[None], MAGNITUDES.view(np.int64)):
        assert one != Settings(baseline=other)
    assert one != Settings(baseline="zero")


def test_another_process_has_the_same_digest():
    asked = (
        'Settings(target=("N2", "N1"), baseline=np.arange(6.0).reshape(2, 3), views=("time",), tol=0.01, picks=["C3"])'
    )
    code = f"import numpy as np; from eegflex.settings import Settings; s = {asked}; print(s.digest, hash(s))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    own = eval(asked, {"Settings": Settings, "np": np})  # noqa: S307
    assert done.stdout.split() == [own.digest, str(hash(own))]


def test_it_goes_through_json():
    asked = {**Settings(**{name: OTHER[name] for name in ("target", "views", "picks", "tol")}).to_dict()}
    again = Settings(**json.loads(json.dumps(asked)))
    assert again == Settings(**asked)
    assert again.target == ("N2", "N1")
    assert Settings(seed=np.int64(3)).to_dict()["seed"] == 3
    json.dumps(Settings(seed=np.int64(3), tol=np.float64(0.1)).to_dict())


def test_the_view_of_frequencies_is_always_there_and_first():
    assert Settings(views="time").views == Settings(views=["time", "frequency", "time"]).views == ("frequency", "time")
    assert Settings(views=()).views == ("frequency",)


def test_they_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().seed = 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"edges": "wrap"}, "edges must be one of 'shift', 'pad', 'skip'. Got 'wrap'"),
        ({"filter_edges": "drop"}, "filter_edges must be one of"),
        ({"dtype": "float16"}, "dtype must be one of"),
        ({"views": ("time", "wavelet")}, "views must be one of"),
        ({"context": "both"}, "context must be one of"),
        ({"on_check": True}, "on_check must be one of"),
        ({"quadrature": "simpson"}, "quadrature must be one of"),
        ({"n_steps": 9}, "finds its own number of steps"),
        ({"tol": 0.0}, "tol must be between 0 and 1"),
        ({"tol": 1.0}, "tol must be between 0 and 1"),
        *(({"n_jobs": value}, "n_jobs must be a number of processes") for value in (0, 1.5, True, "all", float("nan"))),
        *(({"seed": value}, "seed must be a positive whole number or 0") for value in (-1, 1.5, True, None)),
        *(({"select": value}, "select must be numbers") for value in ([], [0.5], [[1]], [[1], [2, 3]], {}, ["N2"])),
        *(({"select": value}, "ranges that are none") for value in ("5-3", "0-9999999", "3-1,0-10")),
        *(
            ({"quadrature": "graded", name: value}, f"{name} must be a positive whole number")
            for name in ("n_steps", "max_evals", "sample_per_stage", "batch_size")
            for value in (0, -1, 2.5, True)
        ),
    ],
)
def test_what_is_no_choice_is_refused(wrong, words):
    with pytest.raises(ParameterError, match=words):
        Settings(**wrong)


@pytest.mark.parametrize("name", ["n_steps", "max_evals", "sample_per_stage", "batch_size"])
def test_one_is_a_count(name):
    assert getattr(Settings(**{"quadrature": "graded", name: 1}), name) == 1


def test_every_field_has_words_for_the_shell():
    for one in dataclasses.fields(Settings):
        assert one.metadata["help"].endswith((".", "...")), one.name


@pytest.mark.parametrize(
    "name", ["windows_per_stage", "spectral_share", "n_steps", "max_evals", "seed", "window_length"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], np.array([1, 2]), "some", 1.5, -1, True])
def test_what_is_no_count_is_refused_in_words(name, value):
    with pytest.raises(ParameterError, match=name):
        Settings(**{name: value})
