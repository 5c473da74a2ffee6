"""One run at a time in a folder, and none that is dead."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from eegflex.cohort import lock as module
from eegflex.cohort.lock import Lock, lives, owner_of
from eegflex.errors import OutputError


def forged(root, **other):
    with Lock(root):
        known = vars(owner_of(root))
    (root / ".eegflex-cohort.lock").write_text(json.dumps(known | {"token": "another"} | other))
    return root / ".eegflex-cohort.lock"


def test_a_second_run_is_refused_and_told_by_whom(tmp_path):
    with (
        Lock(tmp_path),
        pytest.raises(OutputError, match=f"process {os.getpid()} on .*last active 0 s ago"),
        Lock(tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    with Lock(tmp_path):
        assert lives(tmp_path).pid == os.getpid()
    assert lives(tmp_path) is None


def test_what_a_dead_process_holds_is_free(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    forged(tmp_path, pid=gone.pid)
    assert lives(tmp_path) is None
    with Lock(tmp_path):
        assert lives(tmp_path).pid == os.getpid()


def test_another_process_of_the_same_number_does_not_hold_it(tmp_path):
    forged(tmp_path, started=time.time() - 1e6)
    with Lock(tmp_path):
        pass


def test_a_process_on_another_machine_holds_it_while_it_gives_signs_of_life(tmp_path):
    path = forged(tmp_path, host=f"not-{socket.gethostname()}")
    with pytest.raises(OutputError, match="Another run"), Lock(tmp_path):
        pass
    then = time.time() - 2 * module.STALE
    os.utime(path, (then, then))
    with Lock(tmp_path):
        pass


def test_signs_of_life_are_given_and_a_lock_that_is_lost_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.02)
    with Lock(tmp_path) as lock:
        os.utime(lock.path, (0, 0))
        deadline = time.monotonic() + 5
        while lock.path.stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lock.path.stat().st_mtime > 1
        lock.path.write_text(json.dumps(vars(lock.owner) | {"token": "another"}))
        while not lock.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lock.lost
    assert owner_of(tmp_path).token == "another"  # noqa: S105


def test_of_many_at_once_one_gets_it(tmp_path):
    forged(tmp_path, pid=2**22 + 1)
    held, refused, over = [], [], threading.Event()

    def work():
        try:
            with Lock(tmp_path) as own:
                held.append(own)
                over.wait(5)
        except OutputError as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    deadline = time.monotonic() + 5
    while len(refused) < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    over.set()
    for one in threads:
        one.join()
    assert (len(held), len(refused)) == (1, 7)


@pytest.mark.parametrize("other", [{"pid": "x"}, {"started": "x"}, {"host": None}])
def test_a_lock_that_says_nonsense_is_of_nobody(tmp_path, other):
    path = forged(tmp_path, **other)
    os.utime(path, (1, 1))
    assert lives(tmp_path) is None
    with Lock(tmp_path) as own:
        assert owner_of(tmp_path) == own.owner


def test_a_lock_that_is_a_folder_is_told(tmp_path):
    (tmp_path / ".eegflex-cohort.lock").mkdir()
    os.utime(tmp_path / ".eegflex-cohort.lock", (1, 1))
    with pytest.raises(OutputError, match="its lock is a folder"), Lock(tmp_path):
        pass
    assert [one.name for one in tmp_path.iterdir()] == [".eegflex-cohort.lock"]
