"""Every public function and class has an example, and its numbers are true."""

from __future__ import annotations

import doctest
import importlib
import inspect

import mne
import pytest

import eegflex


def documented():
    """Public names, each once where it is first public, and what they name."""
    found, seen = {}, set()
    for home in ("eegflex", *(f"eegflex.{name}" for name in eegflex._MODULES)):
        module = importlib.import_module(home)
        for word in module.__all__:
            thing = getattr(module, word)
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                found[f"{home}.{word}"] = thing
    return found


THINGS = documented()
#: What cannot be shown without a network.
NO_NETWORK = {"eegflex.datasets.fetch_sleep_edf"}


@pytest.mark.parametrize("name", THINGS)
def test_a_public_thing_has_an_example(name):
    assert ">>> " in (inspect.getdoc(THINGS[name]) or "")


def examples_of(name):
    """Those of a function; of a class, those of its methods, inherited ones too."""
    own = inspect.unwrap(THINGS[name])
    found = []
    for thing in own.__mro__ if inspect.isclass(own) else [own]:
        if thing.__module__.startswith("eegflex"):
            module = inspect.getmodule(thing)
            finder = doctest.DocTestFinder(recurse=inspect.isclass(thing))
            found += finder.find(thing, name, module, globs=vars(module).copy())
    return [test for test in found if test.examples]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in THINGS if name not in NO_NETWORK])
def test_its_numbers_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    said: list[str] = []
    with mne.use_log_level("error"):
        for test in examples_of(name):
            runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
