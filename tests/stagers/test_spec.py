"""The contract: read from TOML, written back, and refused with the key, the value and the choices."""

from __future__ import annotations

from pathlib import Path

import pytest

import eegflex
from eegflex.errors import SpecError
from eegflex.stagers.spec import ModelSpec

SPECS = sorted((Path(eegflex.__file__).parent / "stagers").glob("*.toml"))


@pytest.mark.parametrize("fname", SPECS, ids=lambda path: path.stem)
def test_own_specs_are_specs_and_survive_a_round_trip(fname):
    spec = ModelSpec.from_toml(fname)
    assert spec.stages == ("W", "N1", "N2", "N3", "REM")
    assert spec.duration == pytest.approx(30)
    assert ModelSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[inputs]\nsfreq = 100", "section.*'inputs'.*input, output, model"),
        ("[input]\nsfrq = 100", r"key in \[input\].*'sfrq'"),
        ("[input]\nunit = 'volts'", "'unit'.*'volts'.*uV"),
        ("[output]\nscores = 'softmax'", "'scores'.*'softmax'.*probs"),
        ("[input]\nscale = {kind = 'minmax'}", "'kind'.*'minmax'.*zscore"),
        ("[input]\nscale = {sort = 'zscore'}", "ScaleSpec.*'sort'"),
        ("[input]\nsfreq = -1.0", "'sfreq' must be positive"),
        ("[input]\nchannels = []", "no channels"),
        ("[output]\nstages = ['W', 'W']", "each once"),
        ("[input]\nfilter = {l_freq = 30.0, h_freq = 0.3}", "filter is empty"),
        ("[[input.channels]]\nuse = 'some'", "'use'.*'some'.*each"),
        ("[input", "not TOML"),
    ],
)
def test_what_is_no_spec_is_refused(tmp_path, text, words):
    fname = tmp_path / "spec.toml"
    fname.write_text(text)
    with pytest.raises(SpecError, match=words):
        ModelSpec.from_toml(fname)


def test_a_missing_spec_is_named(tmp_path):
    with pytest.raises(SpecError, match="no such spec"):
        ModelSpec.from_toml(tmp_path / "spec.toml")
