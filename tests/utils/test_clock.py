"""Times of the day."""

from __future__ import annotations

import pytest

from eegflex.errors import ParameterError
from eegflex.utils.clock import clock_text, since_midnight


@pytest.mark.parametrize(
    ("clock", "seconds"), [("22:30", 81000), ("00:00", 0), ("07:05:09", 25509), ("23:59:59", 86399)]
)
def test_seconds_from_midnight(clock, seconds):
    assert since_midnight("began", clock) == seconds


NO_TIMES = (
    "",
    "24:00",
    "half past ten",
    "22.30",
    "22",
    "2230",
    "22:30Z",
    "22:30+02:00",
    "9:30",
    None,
    22,
    "2020-01-31",
)


@pytest.mark.parametrize("clock", NO_TIMES)
def test_what_is_no_time_is_refused(clock):
    with pytest.raises(ParameterError, match=r"began must be a time of the day.*'22:30'"):
        since_midnight("began", clock)


def test_a_clock_goes_past_midnight_and_is_rounded_to_the_second():
    assert clock_text(86400 + 61) == "0:01:01"
    assert clock_text(86399.6) == "0:00:00"
    assert clock_text(81000, short=True) == "22:30"
