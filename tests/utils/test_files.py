"""Files are written whole or not at all."""

from __future__ import annotations

import os
import pickle

import pytest

from eegflex import errors
from eegflex.utils.files import check_output, write_whole


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(errors.OutputError, match="No space left"):
        write_whole(tmp_path / "x.txt", fail, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_the_older_file(tmp_path):
    (tmp_path / "x.txt").write_text("old")

    def interrupted(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x.txt", interrupted, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "old"


def test_overwriting_must_be_asked_for(tmp_path):
    path = tmp_path / "x.txt"
    write_whole(path, lambda p: p.write_text("one"), overwrite=False)
    with pytest.raises(errors.OutputError, match="already exists"):
        write_whole(path, lambda p: p.write_text("two"), overwrite=False)
    assert path.read_text() == "one"
    assert write_whole(path, lambda p: p.write_text("two"), overwrite=True) == path
    assert path.read_text() == "two"


def test_places_that_cannot_be_written_to(tmp_path):
    with pytest.raises(errors.OutputError, match="does not exist"):
        check_output(tmp_path / "no" / "x.txt", overwrite=False)
    with pytest.raises(errors.OutputError, match="directory"):
        check_output(tmp_path, overwrite=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(errors.OutputError, match="cannot be written to"):
        check_output(tmp_path / "x.txt", overwrite=False)
    tmp_path.chmod(0o700)


def test_errors_say_what_was_seen_what_is_allowed_and_what_to_do():
    error = errors.ChannelError("No such channel", seen="C9", allowed=["C3", "C4"], remedy="Name one of these")
    assert str(error) == "No such channel. Got C9. Allowed: C3, C4. Name one of these."
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_errors_survive_a_worker(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.EegflexError)
    error = (
        kind("No such thing", "gssc") if name == "MissingExtraError" else kind("No such thing", seen=1, remedy="Look")
    )
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.seen) == (kind, str(error), error.seen)


def test_a_stopped_attribution_survives_a_worker(result):
    again = pickle.loads(pickle.dumps(errors.AttributionStopped(result, 3, 10)))
    assert isinstance(again, KeyboardInterrupt)
    assert "3 of 10 epochs" in str(again)
    assert (again.n_finished, again.n_wanted) == (3, 10)
    assert again.result.to_xarray().identical(result.to_xarray())
