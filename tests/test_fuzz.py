"""2,000 damaged files of every kind: errors of ours, or values, and nothing else. ``tools/fuzz.py`` makes more of them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TOP = Path(__file__).parents[1]


def test_damaged_files_are_refused_or_read() -> None:
    command = [sys.executable, "tools/fuzz.py", "--mutations", "2000", "--seed", "1"]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stdout + run.stderr
