"""The page docs/specs.rst names every word of a spec, and what it shows is one."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from eegflex.spec import ChannelSpec, ModelSpec, ScaleSpec, SpectrogramSpec
from eegflex.spec.model_spec import _SCHEMA

PAGE = (Path(__file__).parents[2] / "docs" / "specs.rst").read_text("utf-8")


def words():
    """Keys of a spec's sections, and of those tables that have a row, or a table, for themselves."""
    sections = {key: name for keys in _SCHEMA.sections.values() for key, name in keys.items()}
    fields = [field.name for kind in (ScaleSpec, SpectrogramSpec) for field in dataclasses.fields(kind)]
    inputs = [field.name for field in dataclasses.fields(ChannelSpec) if field.name != "without"]
    # the format is told by the content; what is assumed is written by eegflex
    return sorted({*sections, *fields, *inputs} - {"format", "assumed", "channels", "spectrogram"})


@pytest.mark.parametrize("word", words())
def test_every_word_is_on_the_page(word):
    assert re.search(rf"``{word}``|\b{word} = ", PAGE)


def test_what_it_shows_is_a_spec():
    (shown,) = re.findall(r"similar networks::\n\n((?:    .*\n|\n)+)", PAGE)
    spec = ModelSpec.from_dict(tomllib.loads(textwrap.dedent(shown)))
    assert spec.spectrogram.log.factor == 20
