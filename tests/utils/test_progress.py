"""Long work tells its time, once, and only where it is worth it."""

from __future__ import annotations

import mne
import pytest

import eegflex
from eegflex.utils import progress as module
from eegflex.utils.progress import duration_text, progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def told(clock, caplog, steps, total=100, after=1):
    with mne.use_log_level("info"), caplog.at_level("INFO", logger="mne"):
        with progress(total, "Working", lambda seconds: f"one takes {seconds:.1f} s", after) as done:
            for at, more in steps:
                clock[0] = at
                done(more)
        return [one.message for one in caplog.records if "one takes" in one.message]


def test_it_is_told_once_when_enough_is_known(clock, caplog):
    assert told(clock, caplog, [(1.0, 1), (4.0, 1), (6.0, 1), (9.0, 1)]) == ["one takes 2.0 s"]


def test_not_before_as_many_are_done_as_it_takes_to_know(clock, caplog):
    assert told(clock, caplog, [(6.0, 1), (20.0, 9), (30.0, 1)], after=10) == ["one takes 2.0 s"]


def test_what_is_not_yet_known_is_told_later(clock, caplog):
    known = iter(["", "", "now", "again"])
    with mne.use_log_level("info"), caplog.at_level("INFO", logger="mne"):
        with progress(100, "Working", lambda _: next(known)) as done:
            for at in (6.0, 7.0, 8.0, 9.0):
                clock[0] = at
                done(1)
        assert [one.message for one in caplog.records if one.message in ("", "now", "again")] == ["now"]


@pytest.mark.parametrize("steps", [[(1.0, 50), (4.0, 50)], [(50.0, 60), (80.0, 40)]])
def test_nothing_is_said_of_what_is_short_or_nearly_done(clock, caplog, steps):
    assert told(clock, caplog, steps) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.4, "3 s"), (99, "99 s"), (101, "2 min"), (5990, "100 min"), (7200, "2.0 h")]
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


def test_of_a_long_run_a_sample_is_offered(caplog, monkeypatch):
    from eegflex.attribution import request

    night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    monkeypatch.setattr(module, "TOLD_AFTER", 0.0)
    monkeypatch.setattr(request, "LONG", 0.0)
    monkeypatch.setattr(request, "FEW", 1)
    with caplog.at_level("INFO", logger="mne"):
        eegflex.attribute_epochs(epochs, "bandpower", spectral_share=0, verbose="info")
        said = [one.message for one in caplog.records if one.message.startswith("Explaining takes about")]
        assert len(said) == 1
        assert "for 60 explanations; a sample, sample_per_stage=1, takes about" in said[0]
        caplog.clear()
        eegflex.attribute_epochs(epochs, "bandpower", spectral_share=0, verbose="error")
        assert not [one for one in caplog.records if "takes about" in one.message]
