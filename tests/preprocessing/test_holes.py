"""Epochs that were taken out are told from gaps of the recording, and refused where neighbours matter."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from noise import continuous

import eegflex
from eegflex.errors import RecordingError
from eegflex.preprocessing.holes import holes, n_left_out
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ContextSpec, ModelSpec

NEIGHBOURS = ModelSpec(context=ContextSpec(1, 1))


def ours():
    return eegflex.make_epochs(continuous(n_epochs=9), verbose="error")


def mnes():
    return mne.make_fixed_length_epochs(continuous(n_epochs=9), 30.0, preload=True, verbose="error")


def dropped(epochs):
    return epochs.drop([3, 4], verbose="error")


def rejected(epochs):
    epochs.load_data()
    epochs._data[5] *= 1e6
    return epochs.drop_bad({"eeg": 1e-2}, verbose="error") or epochs  # MNE before 1.13 returned nothing


def of_one_stage(epochs):
    epochs.events[::2, 2], epochs.event_id = 7, {"N2": 7, "W": int(epochs.events[1, 2])}
    return epochs["N2"]


WAYS = {
    "indexed": (lambda epochs: epochs[[0, 1, 2, 5, 8]], 2, 4),
    "masked": (lambda epochs: epochs[np.array([True] * 4 + [False] + [True] * 4)], 1, 1),
    "stepped": (lambda epochs: epochs[::3], 2, 6),
    "dropped": (dropped, 1, 2),
    "rejected": (rejected, 1, 1),
    "of one stage": (of_one_stage, 4, 4),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("made", [ours, mnes])
def test_what_was_taken_out_is_refused_where_neighbours_matter(made, way):
    take, n_holes, n_gone = WAYS[way]
    epochs = take(made())
    assert len(holes(epochs)) == n_holes
    assert n_left_out(epochs) == n_gone
    assert prepare(epochs, ModelSpec()).notes["left_out"] == n_gone
    with pytest.raises(RecordingError, match=rf"{n_holes} hole.*select=epochs\.selection"):
        prepare(epochs, NEIGHBOURS)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # MNE reads metadata in a way that pandas is about to drop
@pytest.mark.parametrize("made", [ours, mnes])
def test_a_file_remembers(made, tmp_path):
    made()[[0, 1, 5]].save(tmp_path / "holed-epo.fif", verbose="error")
    assert holes(mne.read_epochs(tmp_path / "holed-epo.fif", verbose="error")).tolist() == [1]


@pytest.mark.parametrize("made", [ours, mnes])
def test_another_order_is_no_night(made):
    with pytest.raises(RecordingError, match="put elsewhere"):
        prepare(made()[[4, 3, 2]], NEIGHBOURS)


@pytest.mark.parametrize("made", [ours, mnes])
def test_a_part_of_the_night_is_a_shorter_night(made):
    epochs = made()[2:7]
    assert not holes(epochs).size
    assert prepare(epochs, NEIGHBOURS).notes["left_out"] == 4


def test_that_its_ends_are_cuts_is_told_where_neighbours_matter():
    epochs = ours()[2:7]
    assert any("4 epochs were taken out at the ends" in one for one in prepare(epochs, NEIGHBOURS).notes["warnings"])
    assert not prepare(epochs, ModelSpec()).notes["warnings"]
    assert not prepare(ours(), NEIGHBOURS).notes["warnings"]


def test_a_gap_of_the_recording_is_none():
    raw = continuous(n_epochs=9)
    raw.set_annotations(mne.Annotations([100.0], [45.0], ["BAD_ACQ_SKIP"]))
    own = eegflex.make_epochs(raw, verbose="error")
    skipped = mne.make_fixed_length_epochs(raw, 30.0, verbose="error").load_data()
    for epochs in (own, skipped):
        assert len(epochs) == 7  # the fourth and the fifth are cut
        assert not holes(epochs).size
        assert prepare(epochs, NEIGHBOURS).run.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_gap_and_a_hole_are_told_apart():
    raw = continuous(n_epochs=9)
    raw.set_annotations(mne.Annotations([100.0], [45.0], ["BAD_ACQ_SKIP"]))
    epochs = eegflex.make_epochs(raw, verbose="error")
    assert holes(epochs[[0, 1, 2, 3, 5, 6]]).tolist() == [3]
