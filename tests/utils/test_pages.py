"""Freed memory is kept while a run computes, and given back after it; by a process of its own, since it is of all of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only the C library of Linux is told")

_CODE = """
import resource
from eegflex.utils.pages import pages_kept

def fresh():
    '''Fresh pages that five large blocks take, one after the other.'''
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        b'1' * 2**27
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / 2**27

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**27

b'1' * 2**27
usual, before = fresh(), resident()
with pages_kept():
    b'1' * 2**27
    kept = fresh()
    with pages_kept():
        pass
    still = fresh()
    within = resident()
print(usual, kept, still, fresh(), within - before, resident() - before)
"""


def blocks(**environment):
    """By how many blocks of 128 MiB memory is fresh, or grows: before, within, within again, after, held within and after."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}  # Dask sets some
    done = subprocess.run(
        [sys.executable, "-c", _CODE], env=own | environment, capture_output=True, text=True, check=True
    )
    return [float(one) for one in done.stdout.split()]


@ON_LINUX
def test_within_a_run_no_page_is_fetched_twice_and_then_all_are_given_back():
    usual, kept, still, after, held, left = blocks()
    assert usual > 4
    assert kept < 0.1
    assert still < 0.1
    assert after > 4
    assert held > 0.9
    assert left < 0.1


@ON_LINUX
def test_what_somebody_has_chosen_is_left_as_it_is():
    assert blocks(MALLOC_ARENA_MAX="2")[1] > 4
