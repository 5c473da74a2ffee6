"""A signal that was heard is never forgotten, and never cuts off what must be finished."""

# ruff: noqa: PT012  (what is raised at the end of a block is what is tried)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import weakref

import pytest

from eegflex.utils.progress import progress
from eegflex.utils.stopping import SIGNALS, check, held, listening


def ask(signum=signal.SIGINT):
    os.kill(os.getpid(), signum)


@pytest.fixture(autouse=True)
def handlers():
    """The process's own handlers are back after every test."""
    before = [signal.getsignal(one) for one in SIGNALS]
    yield
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_what_is_held_is_finished_before_it_stops():
    done = []
    with pytest.raises(KeyboardInterrupt), held(), held():
        ask()
        done.append(1)
    assert done == [1]
    check()  # it is forgotten


def test_it_stops_where_it_asks():
    done = []
    with pytest.raises(KeyboardInterrupt), held(), progress(3, "Working") as tell:
        for number in range(3):
            done.append(number)
            if number == 1:
                ask()
            tell(1)
    assert done == [0, 1]


def test_a_second_one_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), held():
        ask()
        done.append(1)
        ask()
        done.append(2)
    assert done == [1]


@pytest.mark.skipif(not hasattr(signal, "SIGTERM"), reason="there is none")
@pytest.mark.parametrize("signum", SIGNALS)
def test_any_of_the_signals_is_heard(signum):
    with listening() as asked:
        with pytest.raises(KeyboardInterrupt), held():
            ask(signum)
        assert asked.signum == signum


def test_what_a_callback_swallows_is_known_all_the_same():
    class Thing:
        pass

    with listening() as asked:
        thing = Thing()
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            known = weakref.ref(thing, lambda _: ask())
            del thing
        finally:
            sys.unraisablehook = hook
        assert known() is None
        assert asked.signum == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            check()
    check()


def test_handlers_of_the_callers_own_are_left_alone():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("mine"))
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with held():
            ask(signal.SIGTERM)
            ask(signal.SIGHUP)
            assert heard == ["mine"]
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGHUP, ignored)


def test_a_thread_has_nothing_to_hold():
    found = []

    def work():
        with held(), listening() as asked:
            check()
            found.append(asked.signum)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [0]


def test_an_error_in_a_held_block_is_not_lost():
    with pytest.raises(KeyboardInterrupt) as caught, held():
        ask()
        raise ValueError("first")
    assert isinstance(caught.value.__context__, ValueError)
    with listening(), pytest.raises(ValueError, match="first"), held():
        ask()
        raise ValueError("first")


def test_a_signal_that_ends_a_process_ends_it_after_what_is_held():
    code = (
        "import os, signal\nfrom eegflex.utils.stopping import held\n"
        "with held():\n    os.kill(os.getpid(), signal.SIGTERM)\n    os.write(1, b'finished')\nos.write(1, b'never')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "finished")
