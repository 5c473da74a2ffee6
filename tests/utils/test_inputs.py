"""What is no file is refused before it is opened: nothing waits for a pipe, nothing reads a device without an end."""

import os
import socket
from pathlib import Path

import pytest

import eegflex
from eegflex.errors import EegflexError, RecordingError
from eegflex.utils.files import check_input

OPENERS = {
    "recording": eegflex.read_psg,
    "hypnogram": eegflex.read_hypnogram,
    "model": eegflex.load_model,
    "result": eegflex.read_result,
}


@pytest.fixture
def special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Paths of what is no file, by what each is."""
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    os.mkfifo("pipe.edf")
    Path("link.edf").symlink_to("pipe.edf")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket.edf")
    with listening:
        yield {"pipe": "pipe.edf", "link to a pipe": "link.edf", "socket": "socket.edf", "device": "/dev/zero"}


@pytest.mark.parametrize("what", OPENERS)
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "socket", "device"])
def test_what_is_no_file_is_refused_at_once(what: str, kind: str, special: dict[str, str]) -> None:
    with pytest.raises(EegflexError, match=kind.rpartition(" ")[2]):
        OPENERS[what](Path(special[kind]))


@pytest.mark.parametrize("what", OPENERS)
@pytest.mark.parametrize("name", ["gone/night.edf", "ni\0ght.edf", "n" * 5000 + ".edf"])
def test_a_path_that_leads_nowhere_is_an_error_of_ours(what: str, name: str) -> None:
    with pytest.raises(EegflexError) as caught:
        OPENERS[what](Path(name))
    assert len(str(caught.value)) < 2000  # a name is not quoted for pages


def test_a_loop_of_links_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.edf").symlink_to(tmp_path / "b.edf")
    (tmp_path / "b.edf").symlink_to(tmp_path / "a.edf")
    with pytest.raises(RecordingError, match="cannot be opened"):
        check_input(tmp_path / "a.edf", RecordingError, "recording")
