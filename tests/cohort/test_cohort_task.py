"""The process that a worker hands recordings to, and what is said of its end."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from eegflex.cohort.recording import Recording
from eegflex.cohort.task import Hand

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and signals")
ONE = Recording("sub-a", Path("a.edf"), subject="a")


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    """A file that is never read to its end, so that a process stays at it."""
    path = tmp_path_factory.mktemp("never") / "pipe"
    os.mkfifo(path)
    return str(path)


@pytest.fixture
def hand():
    with_process = Hand()
    yield with_process
    with_process.end()


def test_a_folder_that_is_not_there_is_told_and_the_process_lives(hand, tmp_path):
    for _ in range(2):
        answer = hand.ask((str(tmp_path / "none.job"), "", ONE), None, lambda: True)
        assert (answer["status"], answer["kind"]) == ("fatal", "OutputError")
        assert "share" in answer["remedy"]
    assert hand.lives


def test_more_memory_than_it_may_take(hand, never):
    answer = hand.ask((never, "", ONE), 10**6, lambda: True)
    assert (answer["status"], answer["kind"]) == ("ended", "memory")
    assert "GB of memory, of 0.0 that it may" in answer["error"]
    assert not hand.lives


def test_longer_than_it_may_take(hand, never):
    began = time.monotonic()
    answer = hand.ask((never, "", ONE), None, lambda: True, 1.2)
    assert 1.2 <= time.monotonic() - began < 5
    assert (answer["status"], answer["kind"], answer["final"]) == ("ended", "time", True)
    assert answer["error"] == "It was not finished after 1 s"
    assert hand.process.poll() == -signal.SIGKILL


def test_what_takes_less_is_not_ended(hand, tmp_path):
    answer = hand.ask((str(tmp_path / "none.job"), "", ONE), None, lambda: True, 60.0)
    assert answer["kind"] == "OutputError"
    assert hand.lives


@pytest.mark.parametrize(
    ("signum", "kind", "words"),
    [
        (signal.SIGKILL, "killed", "was killed"),
        (signal.SIGSEGV, "died", "SIGSEGV"),
        (signal.SIGABRT, "died", "SIGABRT"),
    ],
)
def test_how_it_ended(hand, never, signum, kind, words):
    threading.Timer(0.3, os.kill, (hand.process.pid, signum)).start()
    answer = hand.ask((never, "", ONE), None, lambda: True)
    assert (answer["status"], answer["kind"]) == ("ended", kind)
    assert words in answer["error"]


def test_what_nobody_waits_for_is_ended(hand, never):
    assert hand.ask((never, "", ONE), None, lambda: False)["kind"] == "killed"
    assert not hand.lives


def test_it_does_not_outlive_who_started_it(hand):
    hand.process.stdin.close()
    assert hand.process.wait(timeout=60) == 0


def test_ctrl_c_is_for_the_other_side(hand, tmp_path):
    hand.ask((str(tmp_path / "none.job"), "", ONE), None, lambda: True)  # it listens by now
    os.kill(hand.process.pid, signal.SIGINT)
    time.sleep(0.1)
    assert hand.lives
