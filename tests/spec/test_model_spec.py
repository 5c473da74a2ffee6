"""The contract: read from TOML, written back, and refused with the key, the value and the choices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import eegflex
from eegflex.errors import OutputError, SpecError
from eegflex.spec.model_spec import ChannelSpec, ModelSpec, ScaleSpec

SPECS = sorted((Path(eegflex.__file__).parent / "spec" / "published").rglob("*.toml"))


@pytest.mark.parametrize("fname", SPECS, ids=lambda path: path.stem)
def test_own_specs_are_specs_and_survive_a_round_trip(fname):
    spec = ModelSpec.from_toml(fname)
    assert spec.stages == ("W", "N1", "N2", "N3", "REM")
    assert spec.duration == pytest.approx(30)
    assert ModelSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize("fname", SPECS, ids=lambda path: path.stem)
def test_a_spec_that_is_saved_reads_as_the_same(fname, tmp_path):
    spec = ModelSpec.from_toml(fname)
    path = spec.to_toml(tmp_path / "mine.toml")
    assert ModelSpec.from_toml(path) == spec
    odd = replace(spec, name='a "name" \\ µ', citation='of\n3 "lines"\nand \\')
    assert ModelSpec.from_toml(odd.to_toml(tmp_path / "odd.toml")) == odd


def test_a_spec_is_saved_without_what_is_as_by_default(tmp_path):
    assert ModelSpec(name="mine").to_toml(tmp_path / "mine.toml").read_text("utf-8") == '[model]\nname = "mine"\n'


def test_a_spec_is_never_saved_in_part_or_as_another(tmp_path):
    spec, path = ModelSpec(name="mine"), tmp_path / "mine.toml"
    spec.to_toml(path)
    with pytest.raises(OutputError, match="overwrite"):
        spec.to_toml(path)
    spec.to_toml(path, overwrite=True)
    before = path.read_bytes()
    with pytest.raises(SpecError, match=r"\*\.toml"):
        spec.to_toml(tmp_path / "mine.json")
    for kwargs in ({"width": None}, {"width": [1, None]}):
        with pytest.raises(SpecError, match="cannot be written as TOML"):
            replace(spec, kwargs=kwargs).to_toml(path, overwrite=True)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[inputs]\nsfreq = 100", "section.*'inputs'.*input, output, model"),
        ("[input]\nsfrq = 100", r"key in \[input\] that is not known .*'sfrq'.*Nearest: sfreq"),
        ("[input]\nunit = 'volts'", r"\[input\] unit must be one of 'V', 'mV', 'uV' .*'volts'"),
        ("[output]\nscores = 'softmax'", r"\[output\] scores must be one of .*'probs'.*'softmax'"),
        ("[input]\nscale = {kind = 'minmax'}", r"\[input.scale\] kind must be one of .*'zscore'.*'minmax'"),
        ("[input]\nscale = {sort = 'zscore'}", r"key in \[input.scale\].*'sort'.*kind, per, clip"),
        ("[input]\nsfreq = -1.0", r"\[input\] sfreq must be positive.*-1"),
        ("[input]\nchannels = []", "no channels"),
        ("[output]\nstages = ['W', 'W']", "each once"),
        ("[input]\nfilter = {l_freq = 30.0, h_freq = 0.3}", "filter is empty"),
        ("[[input.channels]]\nuse = 'some'", r"\[\[input.channels\]\] 1: use must be one of .*'each'.*'some'"),
        ("[input", "not TOML"),
        ("input = 3", "must be a table.*3"),
        ("[input]\nscale = 'zscore'", r"\[input.scale\] must be a table.*zscore"),
        ("[input]\nchannels = { name = 'eeg' }", r"\[\[input.channels\]\] must be a list of tables"),
        ("[input]\nsfreq = '100 Hz'", r"\[input\] sfreq must be a number .*'100 Hz'"),
        ("[input]\nn_times = 2560.5", r"\[input\] n_times must be a whole number .*2560.5"),
        ("[input]\nsfreq = inf", r"\[input\] sfreq must be positive"),
        ("[input]\nsfreq = true", r"\[input\] sfreq must be a number .*True"),
        ("[input]\nscale = { kind = 'robust', clip = -20 }", r"\[input.scale\] clip must be positive.*-20"),
        ("[[input.channels]]\nsites = 'C4'", r"\[\[input.channels\]\] 1: sites must be a list, each a string .*'C4'"),
        ("[[input.channels]]\nname = 'eeg'\n[[input.channels]]\nname = 'eeg'", "unique names"),
        ("[output]\nstages = [1, 2]", r"\[output\] stages must be a list, each a string"),
        ("[input]\nlayout = 'batch channel time'", r"\[input\] layout.*einops.*'batch channel time'.*c channel"),
        ("[input]\nlayout = 'b c c t'", r"\[input\] layout.*each once"),
        ("[input]\nlayout = 'b c s t'", r"\[input\] layout"),
        ("[input]\nlayout = 'b (c t'", r"\[input\] layout"),
        ("[input]\nlayout = 'c t'", r"\[input\] layout.*b and t must be there"),
        ("[input]\nlayout = { eeg = 'b c t' }", r"\[input\] layout must have each input once.*eeg.*input"),
        ("[output]\nlayout = 'b e'", r"\[output\] layout.*b and s must be there"),
        ("[output]\nlayout = 'b s t'", r"\[output\] layout.*k part of an epoch"),
        ("[input]\ncontext = { before = -1 }", r"\[input\] context.*-1.*whole = true"),
        ("[input]\ncontext = { before = 1, whole = true }", r"\[input\] context"),
        ("[input]\ncontext = { before = '1' }", r"\[input.context\] before.*whole number"),
        ("[output]\ntarget_index = 3", r"\[output\] target_index.*3.*0 to 0"),
        ("[output]\nlayout = 'b e s'\ntarget_index = -1\n[input]\ncontext = { before = 2 }", "-1.*0 to 2"),
        ("[output]\ntarget_index = 2\n[input]\ncontext = { before = 1, after = 1 }", "contradicts its context"),
        ("[output]\ncombine = 'vote'", r"\[output\] combine must be one of 'surest', 'mean', 'sum' .*'vote'"),
        ("[output]\ncombine = 'sum'", r"\[output\] combine.*use = 'each'"),
        ("[model]\nkwargs = 3", r"\[model\] kwargs must be a table"),
        ("[model]\nclass = 3", r"\[model\] class must be a string"),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path, text, words):
    fname = tmp_path / "spec.toml"
    fname.write_text(text)
    with pytest.raises(SpecError, match=words) as caught:
        ModelSpec.from_toml(fname)
    assert "spec.toml" in str(caught.value)


def test_a_missing_spec_is_named(tmp_path):
    with pytest.raises(SpecError, match="no such spec"):
        ModelSpec.from_toml(tmp_path / "spec.toml")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"stages": ["W", "N1"]}, r"\[output\] stages must be a tuple in Python.*\['W', 'N1'\]"),
        ({"filter": {"l_freq": 0.3}}, r"\[input\] filter must be a FilterSpec in Python"),
        ({"channels": ({"name": "eeg"},)}, r"\[input\] channels must be a tuple in Python"),
        ({"scale": ScaleSpec("minmax")}, r"\[input.scale\] kind must be one of"),
        ({"channels": (ChannelSpec("a"), ChannelSpec("b", sites="C4"))}, r"\[\[input.channels\]\] 2: sites must be"),
    ],
)
def test_a_spec_made_in_python_is_checked_as_one_of_a_file_is(values, words):
    with pytest.raises(SpecError, match=words):
        ModelSpec(**values)
