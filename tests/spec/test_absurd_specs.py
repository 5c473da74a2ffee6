"""Specs that no one could mean: refused in our words, whatever they hold and however long they are."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from eegflex.errors import SpecError
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, FilterSpec, ModelSpec
from eegflex.spec.plain import short

DEEP = 5000


def nested(depth):
    inner = []
    for _ in range(depth):
        inner = [inner]
    return inner


TEXTS = {
    "lists in lists": "[model]\nkwargs = { a = " + "[" * DEEP + "]" * DEEP + " }",
    "tables in tables": "[model.kwargs" + ".a" * 60 + "]\nb = 1",
    "tables beyond what can be read": "[model.kwargs" + ".a" * DEEP + "]\nb = 1",
    "a list in place of a number": "[input]\nsfreq = " + "[" * 100 + "]" * 100,
    "thousands of digits": "[input]\nn_times = " + "9" * 5000,
    "thousands of hexadecimal digits": "[input]\nn_times = 0x" + "f" * 5000,
    "a huge rate": "[input]\nsfreq = 1e300",
    "a huge rate in whole numbers": "[input]\nsfreq = 1" + "0" * 400,
    "a huge epoch": "[input]\nn_times = 9223372036854775807",
    "a huge window": "[input]\ncontext = { before = 9223372036854775806 }",
    "a huge target": "[output]\nlayout = 'b e s'\ntarget_index = 0x" + "f" * 5000,
    "no number": "[input]\nsfreq = nan",
    "no number in a filter": "[input]\nfilter = { l_freq = nan, h_freq = 30.0 }",
    "an endless filter": "[input]\nfilter = { h_freq = inf }",
    "a huge argument": "[model]\nkwargs = { n = 0x" + "f" * 5000 + " }",
    "NUL in a name": '[model]\nname = "a\\u0000b"',
    "NUL in a stage": '[output]\nstages = ["W", "N\\u0000"]',
    "NUL in a file": '[model]\nfile = "a\\u0000.pt"',
    "NUL in a channel": '[[input.channels]]\nname = "e\\u0000g"',
    "NUL in a site": '[[input.channels]]\nsites = ["C\\u0000"]',
    "NUL in an argument": '[model]\nkwargs = { a = ["\\u0000"] }',
    "NUL in the name of an argument": '[model]\nkwargs = { "a\\u0000" = 1 }',
    "NUL in a layout": '[input]\nlayout = { "i\\u0000" = "b c t" }',
    "a line in a name": '[model]\nname = "a\\nb"',
    "an escape in a name": '[model]\nname = "a\\u001b[2Jb"',
    "a long key": "[input]\n" + "a" * 100_000 + " = 1",
    "a long value": "[input]\nunit = '" + "V" * 100_000 + "'",
    "too long a file": "# " + "x" * 2**20,
    "no checksum": "[model]\nsha256 = 'abc'",
    "a detector of five stages": "[output]\nlayout = 'b t'",
}


@pytest.mark.parametrize("what", TEXTS)
def test_what_no_spec_could_mean_is_refused_briefly(what, tmp_path):
    (tmp_path / "a.toml").write_text(TEXTS[what], "utf-8")
    with pytest.raises(SpecError) as raised:
        ModelSpec.from_toml(tmp_path / "a.toml")
    assert len(str(raised.value)) < 1500


@pytest.mark.parametrize(
    "values",
    [
        {"stages": nested(DEEP)},
        {"stages": ("W", "N\ud800")},
        {"name": "x\0"},
        {"n_times": 10**5000},
        {"sfreq": 10**400},
        {"context": ContextSpec(before=10**30)},
        {"kwargs": {"a": nested(100)}},
        {"kwargs": {"a": 10**5000}},
        {"filter": FilterSpec(l_freq=float("nan"))},
        {"channels": (ChannelSpec(sites=("C4\n",)),)},
        {"target_index": 10**5000},
        {"output_key": "\0"},
    ],
    ids=lambda values: short(values)[:40].encode("ascii", "replace").decode(),
)
def test_so_it_is_in_python(values):
    with pytest.raises(SpecError):
        ModelSpec(**values)


def test_arguments_that_hold_themselves_are_refused():
    kwargs: dict = {}
    kwargs["own"] = kwargs
    with pytest.raises(SpecError, match="tables in tables"):
        ModelSpec(kwargs=kwargs)


def test_texts_of_several_lines_and_letters_of_any_language_are_fine():
    spec = ModelSpec(name="Schlafstadien, größer als 睡眠", citation="one\ntwo", kwargs={"n": [1, {"a": "b\n"}]})
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("name", ["a\0.toml", "x" * 5000, "none.toml"])
def test_names_that_no_system_takes_are_refused(name, tmp_path):
    with pytest.raises(SpecError):
        ModelSpec.from_toml(f"{tmp_path}/{name}")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.toml")
    with pytest.raises(SpecError):
        ModelSpec.from_toml(tmp_path / "a.toml")


EACH = (ChannelSpec("eeg", use="each"), ChannelSpec("eog", use="first"))


def test_combine_is_not_left_behind_where_there_is_nothing_to_combine():
    spec = ModelSpec(channels=EACH, combine="mean")
    one = spec.replace(channels=(ChannelSpec("eeg", use="first"),))
    assert one.combine == "surest"
    assert spec.replace(channels=EACH[:1]).combine == "mean"
    assert spec.replace(name="other").combine == "mean"
    with pytest.raises(SpecError, match="combine"):  # who says it must mean it
        spec.replace(channels=one.channels, combine="sum")
    assert dataclasses.replace(spec, name="same") == spec.replace(name="same")


def test_what_no_channels_are_is_refused_by_replace_as_it_is_elsewhere():
    with pytest.raises(SpecError, match="tuple in Python"):
        ModelSpec().replace(channels=({"name": "eeg"},))


def test_a_key_of_the_output_survives_a_round_trip():
    spec = ModelSpec(output_key="logits", sha256="ab" * 32, prefix="ema")
    assert spec.to_dict()["output"]["output"] == "logits"
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert ModelSpec.from_dict({"output": {"output": 1}}).output_key == 1
