"""Public sleep data sets: what exists, how to get it, and one that can be fetched without an account."""

from __future__ import annotations

import contextlib
import logging
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mne
import numpy as np
import pandas as pd
from mne.utils import logger

from eegflex.errors import DownloadError, ParameterError, check_choice
from eegflex.readers.profiles import ChannelCard, Profile, load_profile, profile_names
from eegflex.utils.arguments import checked
from eegflex.utils.verbose import verbose

__all__ = ["RecordingFiles", "describe_dataset", "fetch_sleep_edf", "list_datasets"]

_WIDTH = 100  # columns of a terminal


class RecordingFiles(NamedTuple):
    """A recording on disk.

    Attributes
    ----------
    psg, hypnogram : Path
        Its signals and its stages, as `read_psg` takes them.

    See Also
    --------
    eegflex.datasets.fetch_sleep_edf : Download recordings of Sleep-EDF.
    eegflex.read_psg : Read a recording with its hypnogram.

    Examples
    --------
    >>> import eegflex
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save("night.edf")
    >>> recording = eegflex.datasets.RecordingFiles(files.psg, files.hypnogram)
    >>> raw = eegflex.read_psg(recording.psg, hypnogram=recording.hypnogram, verbose="error")
    """

    psg: Path
    hypnogram: Path


def list_datasets() -> pd.DataFrame:
    """List the public data sets that eegflex describes.

    Returns
    -------
    table : pandas.DataFrame
        One row a data set, by the name that ``profile=`` of `read_psg` takes: `title`, `persons`, `recordings`
        (NA where the card does not say), `access`, `licence` and `url`.

    See Also
    --------
    eegflex.datasets.describe_dataset : A data set in words.
    eegflex.readers.load_profile : Load the card of a data set.

    Examples
    --------
    >>> from eegflex.datasets import list_datasets
    >>> list_datasets().loc["shhs", "access"]
    'on request, at the National Sleep Research Resource'
    """
    columns = ["title", "persons", "recordings", "access", "licence", "url"]
    cards = [load_profile(name) for name in profile_names()]
    rows = [[getattr(card, column) for column in columns] for card in cards]
    table = pd.DataFrame(rows, index=pd.Index([card.name for card in cards], name="name"), columns=columns)
    return table.astype({"persons": "Int64", "recordings": "Int64"})


def datasets_text() -> str:
    """Lay the table of `list_datasets` out for a terminal."""
    table = list_datasets()
    shown = table.assign(recordings=table["recordings"].astype("string").fillna("?"))[["recordings", "access", "title"]]
    shown["access"] = shown["access"].str.partition(",")[0].replace("", "see its page")
    # Text to the left, in columns as wide as what they hold.
    rows = [("name", *shown.columns), *shown.itertuples(name=None)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    room = _WIDTH - sum(widths) - 2 * len(widths)
    lines = [
        "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        + textwrap.shorten(row[-1], room, placeholder=" ...")
        for row in rows
    ]
    return "\n".join([*lines, "", "More of one: eegflex datasets NAME. A simulated night: eegflex simulate night.edf."])


def check_fetchable(name: str | None) -> None:
    """Refuse to fetch what only its owner can give, and say how it is got.

    Raises
    ------
    ParameterError
        If eegflex does not fetch the data set.
    """
    card = load_profile("sleep_edf" if name is None else name)
    if name is None or card.name != "sleep_edf":
        raise ParameterError(
            "eegflex fetches no recordings of this data set",
            seen=name,
            allowed="sleep_edf",
            remedy=None if name is None else " ".join(_obtain(card).split()).rstrip("."),
        )


@checked
def describe_dataset(name: str | Path) -> str:
    """Describe a data set: contents, access, channels, and how to read it.

    Parameters
    ----------
    name : str | Path
        A name of `list_datasets`, or the path of a card of your own.

    Returns
    -------
    text : str
        Some lines, to be printed.

    Raises
    ------
    ParameterError
        If there is no such card.

    See Also
    --------
    eegflex.datasets.list_datasets : A table of the data sets.
    eegflex.readers.load_profile : Load the card of a data set.

    Examples
    --------
    >>> import eegflex
    >>> print(eegflex.datasets.describe_dataset("sleep_edf").splitlines()[0])
    sleep_edf: Sleep-EDF Database Expanded
    """
    card = load_profile(name)
    profile = card.name if card.name in profile_names() else str(name)
    hypnogram = card.hypnogram
    facts = {
        "Size": "; ".join(_said(card.persons, "persons") + _said(card.recordings, "recordings")),
        "Access": card.access or "see its page",
        "Licence": card.licence or "see its page",
        "Page": card.url,
        "Get it": _obtain(card),
        "Read it": f'eegflex.read_psg(recording, hypnogram=scoring, profile="{profile}")',
        "Channels": "; ".join(map(_channel, card.channels)),
        "Hypnogram": "; ".join(filter(None, [hypnogram.format, hypnogram.file, hypnogram.rules])),
    }
    paragraphs = [*facts.items(), *(("Cite", work) for work in card.citation)]
    told = [line for key, text in paragraphs if text for line in _paragraph(key, text)]
    return "\n".join([f"{card.name}: {card.title}", "", *textwrap.wrap(card.description, _WIDTH), "", *told])


def _said(number: int | None, of: str) -> list[str]:
    return [] if number is None else [f"{number} {of}"]


def _channel(channel: ChannelCard) -> str:
    rate = f" ({channel.rate:g} Hz)" if channel.rate else ""
    return channel.label + (f" = {channel.name}" if channel.name else "") + rate


def _obtain(card: Profile) -> str:
    return card.obtain or f"See {card.url}"


def _paragraph(key: str, text: str) -> list[str]:
    # A command or an address must stay one piece, so that it can be copied.
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{key:<11}",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )


@dataclass(frozen=True)
class _Study:
    """One of the two studies of Sleep-EDF, as MNE has it.

    Attributes
    ----------
    module : str
        In ``mne.datasets.sleep_physionet``.
    folder : str
        At PhysioNet.
    subjects : frozenset of int
    recordings : tuple of int
        Nights of a subject.
    missing : frozenset of (int, int)
        Those that there are not.
    choose : callable
        Recording -> MNE's argument that asks for it.
    """

    module: str
    folder: str
    subjects: frozenset[int]
    recordings: tuple[int, ...]
    missing: frozenset[tuple[int, int]]
    choose: Callable[[int], dict[str, Any]]

    def of(self, subject: int) -> list[int]:
        """The recordings of a subject."""
        return [number for number in self.recordings if (subject, number) not in self.missing]

    def fetch(self, subject: int, recording: int, path: str | Path | None, base_url: str | None) -> list[list[str]]:
        """Fetch one recording."""
        module = getattr(mne.datasets.sleep_physionet, self.module)
        url = module.BASE_URL if base_url is None else f"{base_url.rstrip('/')}/{self.folder}"
        files: list[list[str]] = module.fetch_data([subject], path=path, base_url=url, **self.choose(recording))
        return files


_STUDIES = {
    "cassette": _Study(
        module="age",
        folder="sleep-cassette",
        subjects=frozenset(range(83)) - {39, 68, 69, 78, 79},
        recordings=(1, 2),
        missing=frozenset({(13, 2), (36, 1), (52, 1)}),
        choose=lambda recording: {"recording": [recording]},
    ),
    "telemetry": _Study(
        module="temazepam",
        folder="sleep-telemetry",
        subjects=frozenset(range(22)),
        recordings=(1,),  # MNE has the night on placebo only
        missing=frozenset(),
        choose=lambda recording: {},
    ),
}


@verbose
def fetch_sleep_edf(
    subjects: int | Sequence[int],
    *,
    study: str = "cassette",
    recordings: int | Sequence[int] | None = None,
    path: str | Path | None = None,
    base_url: str | None = None,
    verbose: bool | str | int | None = None,
) -> list[RecordingFiles]:
    """Fetch recordings of Sleep-EDF, with their hypnograms, from PhysioNet.

    MNE fetches them (``mne.datasets.sleep_physionet``), into its own folder and checked by its own checksums. What is there
    already is not downloaded again. A recording with its hypnogram is about 50 MB.

    Parameters
    ----------
    subjects : int | sequence of int
        Subjects, as MNE numbers them: of the cassette study 0 to 82 without 39, 68, 69, 78 and 79; of the telemetry
        study 0 to 21.
    study : str
        "cassette": healthy persons at home, two nights each (MNE's `age`). "telemetry": persons with mild difficulty
        falling asleep, in hospital, their night on placebo (MNE's `temazepam`).
    recordings : int | sequence of int | None
        Nights, 1 and 2; the telemetry study has only 1. Default: those that there are.
    path : path-like | None
        Where to keep the files. Default: MNE's setting `PHYSIONET_SLEEP_PATH`, or else `MNE_DATA`, or else
        ``~/mne_data``.
    base_url : str | None
        Address of a mirror, with the folders ``sleep-cassette`` and ``sleep-telemetry`` in it. Default: PhysioNet.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    files : list of RecordingFiles
        One a recording: `psg` and `hypnogram`, two paths, in the order of `subjects`.

    Raises
    ------
    ParameterError
        If there is no such study, subject or recording; nothing has been downloaded then.
    DownloadError
        If the server cannot be reached, or a file is not the one that its checksum is of. Nothing half-written is left, and
        the files before it are kept.

    See Also
    --------
    eegflex.datasets.RecordingFiles : The files of a recording.
    eegflex.read_psg : Read a recording with its hypnogram.
    eegflex.datasets.describe_dataset : A data set in words.

    Examples
    --------
    >>> from eegflex.datasets import fetch_sleep_edf
    >>> for psg, hypnogram in fetch_sleep_edf([0, 1], recordings=1):  # doctest: +SKIP
    ...     raw = eegflex.read_psg(psg, hypnogram=hypnogram, profile="sleep_edf")
    """
    wanted = _wanted(subjects, study, recordings)
    files: list[RecordingFiles] = []
    for subject, recording in wanted:
        with _downloading(f"recording {recording} of subject {subject}"):
            pairs = _STUDIES[study].fetch(subject, recording, path, base_url)
        files += [RecordingFiles(Path(psg), Path(hypnogram)) for psg, hypnogram in pairs]
    return files


def _wanted(subjects: int | Sequence[int], study: str, recordings: int | Sequence[int] | None) -> list[tuple[int, int]]:
    """Say which recordings are meant, in order, each once."""
    check_choice("study", study, tuple(_STUDIES))
    chosen = _STUDIES[study]
    people = _numbers("subjects", subjects)
    unknown = [subject for subject in people if subject not in chosen.subjects]
    if unknown or not people:
        raise ParameterError(f"Sleep-EDF's {study} study has no such subjects", seen=unknown, allowed=_runs(chosen))
    nights = None if recordings is None else _numbers("recordings", recordings)
    wanted = [(person, night) for person in people for night in (chosen.of(person) if nights is None else nights)]
    for person, night in wanted:
        if night not in chosen.of(person):
            raise ParameterError(
                f"Subject {person} of Sleep-EDF's {study} study has no such recording",
                seen=night,
                allowed=chosen.of(person),
                remedy="Leave recordings out to get those that there are",
            )
    return wanted


def _numbers(name: str, given: int | Sequence[int]) -> list[int]:
    values = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in values):
        raise ParameterError(f"{name} must be whole numbers", seen=repr(given))
    return list(dict.fromkeys(map(int, values)))


def _runs(study: _Study) -> str:
    absent = sorted(set(range(max(study.subjects))) - study.subjects)
    return f"0 to {max(study.subjects)}" + (f" without {', '.join(map(str, absent))}" if absent else "")


@contextlib.contextmanager
def _downloading(what: str) -> Iterator[None]:
    """Say what went wrong in words, and keep pooch, which downloads, as quiet as MNE."""
    pooch = logging.getLogger("pooch")
    level = pooch.level
    pooch.setLevel(logger.level)
    try:
        yield
    except OSError as error:  # requests' errors are of this kind
        raise DownloadError(
            f"Sleep-EDF's {what} could not be downloaded",
            seen=" ".join(str(error).split()),
            remedy="Try again later; what is complete is kept. Or download the files with a browser, from "
            f"{load_profile('sleep_edf').url}, and read them by their paths",
        ) from error
    except ValueError as error:  # pooch's, of the checksum: the choice itself was checked before
        raise DownloadError(
            f"A file of Sleep-EDF's {what} is not the one that its checksum is of, and was thrown away",
            seen=" ".join(str(error).split()),
            remedy="Try again; if it comes back, something between you and PhysioNet changes the files",
        ) from error
    finally:
        pooch.setLevel(level)
