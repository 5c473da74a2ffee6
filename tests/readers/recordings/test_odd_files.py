"""Every damaged or odd recording comes to the outcome that its row of the table says."""

from __future__ import annotations

import numpy as np
import pytest
from odd_files import ODD

from eegflex.epochs import make_epochs
from eegflex.errors import RecordingError
from eegflex.readers import describe_psg, get_notes, read_psg

REFUSED = [name for name, odd in ODD.items() if odd.error]
READ = [name for name, odd in ODD.items() if not odd.error]


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_what_is_wrong_and_what_to_do(tmp_path, case):
    odd = ODD[case]
    path, _ = odd.write(tmp_path)
    with pytest.raises(odd.error) as caught:
        read_psg(path, **odd.keys)
    assert odd.says in str(caught.value)
    assert caught.value.remedy or caught.value.allowed
    assert str(tmp_path) not in str(caught.value) or case in {"missing", "zero bytes"}


@pytest.mark.parametrize("case", READ)
def test_read_as_what_it_is_saying_what_is_odd(tmp_path, case):
    odd = ODD[case]
    path, expected = odd.write(tmp_path)
    raw = read_psg(path, verbose="ERROR", **odd.keys)
    data = raw.get_data()
    assert len(data) == 1
    if case not in {"mixed rates", "mixed rates by pyedflib"}:
        assert raw.n_times == expected.size
    np.testing.assert_allclose(data[0], expected, rtol=1e-9, atol=1e-6 * np.ptp(expected))
    noted = " / ".join(get_notes(raw.info).warnings)
    assert odd.says in noted
    assert bool(odd.says) == bool(noted)
    skips = [(a["onset"], a["duration"]) for a in raw.annotations if a["description"] == "BAD_ACQ_SKIP"]
    assert tuple(skips) == odd.gaps
    assert noted == " / ".join(describe_psg(path, units=odd.keys.get("units")).warnings) or "channels" in odd.keys


def test_a_directory_is_none(tmp_path):
    with pytest.raises(RecordingError, match="directory"):
        read_psg(tmp_path)


def test_no_epoch_reaches_into_a_gap_and_runs_end_there(tmp_path):
    raw = read_psg(ODD["BDF+D with two gaps"].write(tmp_path)[0], verbose="ERROR")
    epochs = make_epochs(raw, duration=5.0, verbose="ERROR")
    meta = epochs.metadata
    assert meta["onset"].tolist() == [*range(0, 30, 5), *range(60, 90, 5), *range(100, 160, 5)]
    assert meta["run"].tolist() == [0] * 6 + [1] * 6 + [2] * 12
    assert get_notes(epochs.info).warnings[-1].startswith("8 epochs are left out")
    assert get_notes(raw.info).warnings[-1].startswith("the recording has gaps")


def test_a_gap_that_no_sample_fits_keeps_every_run_on_its_nearest_sample(tmp_path):
    """30.25 s at 3 Hz are 90.75 samples: what is slow is laid on the nearest one."""
    odd = ODD["EDF+D with a gap"]
    path, expected = odd.write(tmp_path)
    raw = read_psg(path, verbose="ERROR")
    for start, stop in [(0, 10), (5990, 6010), (6000, 9025), (8999, 9030), (9025, 9026), (15000, 15025)]:
        np.testing.assert_allclose(raw.get_data(start=start, stop=stop)[0], expected[start:stop], atol=1e-12)
