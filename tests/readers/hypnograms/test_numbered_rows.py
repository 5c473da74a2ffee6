"""Rows without a header that number their epochs, some of which were left out."""

import mne
import numpy as np
import pytest

import eegflex
from eegflex.errors import HypnogramError

STAGES = ["W", "N1", "N2", "N3", "REM"]


def write(folder, numbers, head=""):
    path = folder / "night.csv"
    path.write_text(head + "".join(f"{number},{STAGES[number % 5]}\n" for number in numbers))
    return path


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("head", ["", "#,stage\n", "# made by hand\n"])
def test_an_epoch_that_was_left_out_leaves_its_place(first, head, tmp_path):
    numbers = [*range(first, 6), *range(9, 15)]
    found = eegflex.read_hypnogram(write(tmp_path, numbers, head), epoch_length=30.0, verbose="error")
    np.testing.assert_array_equal(found.onset, 30.0 * (np.array(numbers) - first))
    assert set(found.duration) == {30.0}
    assert found.description.tolist() == [STAGES[number % 5] for number in numbers]


def test_the_length_of_an_epoch_is_asked_for(tmp_path):
    with pytest.raises(HypnogramError, match="does not say how long an epoch is"):
        eegflex.read_hypnogram(write(tmp_path, [0, 1, 2, 5, 6]), verbose="error")


def test_it_lies_on_a_recording_where_the_numbers_say(tmp_path):
    """Even where so many are missing that the rows alone would be too few for the recording."""
    numbers = [*range(6), *range(14, 24)]
    raw = mne.io.RawArray(
        np.random.default_rng(0).normal(0, 2e-5, (1, 24 * 3000)), mne.create_info(["C3"], 100.0, "eeg")
    )
    raw.save(tmp_path / "night_raw.fif", verbose="error")
    read = eegflex.read_psg(tmp_path / "night_raw.fif", hypnogram=write(tmp_path, numbers), verbose="error")
    stages = eegflex.make_epochs(read, verbose="error").metadata["stage"].tolist()
    assert stages == [STAGES[number % 5] if number in numbers else "UNSCORED" for number in range(24)]


def test_stages_at_seconds_are_not_numbered(tmp_path):
    path = tmp_path / "night.csv"
    path.write_text("0,W\n30,N1\n90,N2\n120,N3\n")
    assert eegflex.read_hypnogram(path, verbose="error").onset.tolist() == [0, 30, 90, 120]
