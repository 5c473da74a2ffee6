"""Public data sets: their cards, and the fetching of Sleep-EDF from a server on this machine."""

from __future__ import annotations

import csv
import hashlib
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
from edf_files import Edf, Sig, times
from mne.datasets import sleep_physionet

import eegflex
from eegflex import datasets
from eegflex.cli import main
from eegflex.errors import DownloadError, ParameterError
from eegflex.readers import get_notes, profile_names

STAGES = ("W", "1", "2", "3", "4", "R", "?")  # of R&K, as Sleep-EDF has them, two epochs each
SECONDS = 60 * len(STAGES)


def psg() -> bytes:
    """The signals of a night of the cassette study: the labels, units and rates of the real files."""
    eeg = [Sig(label, "uV", 100, "-192", "192", "-2048", "2047", sd=200) for label in ("EEG Fpz-Cz", "EEG Pz-Oz")]
    eog = [Sig("EOG horizontal", "uV", 100, "-1009", "1009", "-2048", "2047", sd=200)]
    slow = [("Resp oro-nasal", ""), ("EMG submental", "uV"), ("Temp rectal", "DegC"), ("Event marker", "")]
    rest = [Sig(label, unit, 1, "-5", "5", "-2500", "2500", sd=300) for label, unit in slow]
    return Edf([*eeg, *eog, *rest], SECONDS, date="24.04.89", time="16.13.00").to_bytes()


def hypnogram() -> bytes:
    tal = times(1)[0]
    for place, stage in enumerate(STAGES):
        tal += f"+{60 * place}\x1560\x14Sleep stage {stage}\x14\x00".encode()
    size = len(tal) // 2 + 1
    head = {"date": "24.04.89", "time": "16.13.00", "reserved": "EDF+C"}
    return Edf([], 1, "0", tals=[tal], tal_size=size, **head).to_bytes()


class Server(http.server.ThreadingHTTPServer):
    """PhysioNet's folders as far as one subject goes; it counts what is asked of it."""

    def __init__(self):
        names = {"sleep-cassette": ("SC4001E0", "SC4001EC"), "sleep-telemetry": ("ST7011J0", "ST7011JP")}
        self.content = {
            f"/{folder}/{names[folder][which]}-{kind}.edf": content
            for folder in names
            for which, (kind, content) in enumerate([("PSG", psg()), ("Hypnogram", hypnogram())])
        }
        self.asked, self.cut = [], 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.replace("//", "/")
        self.server.asked.append(path)
        content = self.server.content.get(path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) - self.server.cut])

    def log_message(self, *words):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server, and MNE's checksums replaced by those of what it serves."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        sums = {Path(path).name: hashlib.sha1(what).hexdigest() for path, what in server.content.items()}  # noqa: S324
        for module, name in (
            (sleep_physionet.age, "AGE_SLEEP_RECORDS"),
            (sleep_physionet.temazepam, "TEMAZEPAM_SLEEP_RECORDS"),
        ):
            with Path(getattr(module, name)).open(newline="") as file:
                rows = list(csv.reader(file))
            for row in rows:
                for column in [at for at, cell in enumerate(row) if cell in sums]:
                    # the sum of a file stands before its name: 1 column in the one table, 2 in the other
                    row[column - (1 if name.startswith("AGE") else 2)] = sums[row[column]]
            table = tmp_path / f"{name}.csv"
            with table.open("w", newline="") as file:
                csv.writer(file).writerows(rows)
            monkeypatch.setattr(module, name, str(table))
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("study", "recordings"), [("cassette", 1), ("telemetry", None)])
def test_what_is_fetched_goes_straight_into_read_psg(server, folder, study, recordings):
    fetched = datasets.fetch_sleep_edf(
        0, study=study, recordings=recordings, path=folder, base_url=server.url, verbose="error"
    )
    assert [type(files) for files in fetched] == [datasets.RecordingFiles]
    for psg_file, hypnogram_file in fetched:
        assert psg_file.read_bytes() == psg()
        raw = eegflex.read_psg(psg_file, hypnogram=hypnogram_file, profile="sleep_edf", verbose="error")
        epochs = eegflex.make_epochs(raw, verbose="error")
        assert list(epochs.metadata["stage"]) == list(np.repeat(["W", "N1", "N2", "N3", "N3", "REM", "UNSCORED"], 2))
        assert raw.get_channel_types()[:3] == ["eeg", "eeg", "eog"]
        assert not any("expects" in warning for warning in get_notes(raw.info).warnings)


def test_what_is_there_is_not_downloaded_again(server, folder):
    ask = {"recordings": [1], "path": folder, "base_url": server.url, "verbose": "error"}
    first = datasets.fetch_sleep_edf([0], **ask)
    asked = len(server.asked)
    assert asked == 2
    assert datasets.fetch_sleep_edf([0, 0], **ask) == first
    assert len(server.asked) == asked


def test_the_command_line_fetches_what_its_table_offers(server, folder, capsys, monkeypatch):
    monkeypatch.setattr(sleep_physionet.age, "BASE_URL", f"{server.url}/sleep-cassette/")
    assert main(["-q", "datasets", "sleep_edf", "--fetch", "0", "--recordings", "1", "--path", str(folder)]) == 0
    out, err = capsys.readouterr()
    said = dict(line.split(": ", 1) for line in out.splitlines())
    assert sorted(Path(path).name for path in said.values()) == files_in(folder)
    assert err == ""


def test_a_file_with_another_checksum_is_thrown_away(server, folder):
    server.content["/sleep-cassette/SC4001EC-Hypnogram.edf"] += b"more"
    with pytest.raises(DownloadError, match=r"recording 1 of subject 0 is not the one .* thrown away"):
        datasets.fetch_sleep_edf(0, recordings=1, path=folder, base_url=server.url, verbose="error")
    assert files_in(folder) == ["SC4001E0-PSG.edf"]  # whole, and kept


def test_an_answer_that_ends_early_leaves_nothing(server, folder):
    server.cut = 1000
    with pytest.raises(DownloadError, match="could not be downloaded"):
        datasets.fetch_sleep_edf(0, recordings=1, path=folder, base_url=server.url, verbose="error")
    assert files_in(folder) == []


def test_a_server_that_lacks_the_file_is_told_with_a_remedy(server, folder):
    with pytest.raises(DownloadError, match=r"Got 404 .*with a browser, from https://physionet.org/content/sleep-edfx"):
        datasets.fetch_sleep_edf(1, recordings=1, path=folder, base_url=server.url, verbose="error")
    assert files_in(folder) == []


def test_a_server_that_is_down_is_told_with_a_remedy(server, folder):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match=r"could not be downloaded\..*Try again later; what is complete is kept"):
        datasets.fetch_sleep_edf(0, recordings=1, path=folder, base_url=server.url, verbose="error")
    assert files_in(folder) == []


WRONG = {
    "no such subject": ({"subjects": [0, 39]}, r"no such subjects\. Got 39\. Allowed: 0 to 82 without 39, 68, 69, 78, 79"),
    "no subject": ({"subjects": []}, "no such subjects"),
    "no such night": ({"subjects": 13, "recordings": 2}, r"Subject 13 .*Got 2\. Allowed: 1\. Leave recordings out"),
    "a night of another study": ({"subjects": 3, "study": "telemetry", "recordings": (1, 2)}, r"Got 2\. Allowed: 1"),
    "no such study": ({"subjects": 0, "study": "age"}, r"study must be one of 'cassette', 'telemetry'\. Got 'age'"),
    "a word": ({"subjects": ["SC4001"]}, "subjects must be whole numbers"),
    "a fraction": ({"subjects": 0.5}, "subjects must be whole numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=list(WRONG))
def test_what_there_is_not_is_refused_before_anything_is_downloaded(server, folder, arguments, words):
    with pytest.raises(ParameterError, match=words):
        datasets.fetch_sleep_edf(**arguments, path=folder, base_url=server.url)
    assert server.asked == []


def test_the_recordings_that_are_offered_are_those_of_mnes_tables():
    with Path(sleep_physionet.age.AGE_SLEEP_RECORDS).open() as file:
        cassette = {(int(row["subject"]), int(row["night"])) for row in csv.DictReader(file)}
    with Path(sleep_physionet.temazepam.TEMAZEPAM_SLEEP_RECORDS).open() as file:
        telemetry = [int(row["subject"]) for row in csv.DictReader(file) if row["drug"] == "Placebo"]
    for study, there in (("cassette", cassette), ("telemetry", {(subject, 1) for subject in telemetry})):
        known = datasets._STUDIES[study]
        assert {(subject, night) for subject in known.subjects for night in known.of(subject)} == there
    assert len(telemetry) == len(set(telemetry))


def test_every_card_is_listed_and_described(capsys):
    table = datasets.list_datasets()
    assert list(table.index) == profile_names()
    assert table.loc["sleep_edf", "recordings"] == 197
    assert main(["datasets"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[1 : 1 + len(table)]] == profile_names()
    assert max(map(len, shown)) <= 100
    for name, title in table["title"].items():
        assert main(["datasets", name]) == 0
        text = capsys.readouterr().out
        assert title in text
        assert table.loc[name, "url"] in text
        assert f'profile="{name}"' in text


@pytest.mark.parametrize("name", ["shhs", "mesa"])
def test_what_needs_an_account_is_not_tried_but_explained(name, capsys):
    assert main(["datasets", name, "--fetch", "1"]) == 1
    err = capsys.readouterr().err
    assert f"Got {name}. Allowed: sleep_edf. Make an account at https://sleepdata.org" in err
    assert "Request Data Access" in datasets.describe_dataset(name)


def test_mistakes_on_the_command_line(capsys):
    for words, said in (
        (["datasets", "sleep-edf"], "Nearest: sleep_edf"),
        (["datasets", "--fetch", "0"], "Allowed: sleep_edf"),
        (["datasets", "sleep_edf", "--fetch", "one"], "--fetch takes whole numbers, separated by commas. Got one"),
    ):
        assert main(words) == 1
        assert said in capsys.readouterr().err
