"""Recordings among files, and the hypnogram that goes with each by its name."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from eegflex.cohort.recording import Recording, as_label
from eegflex.errors import ParameterError
from eegflex.readers.profiles import FilesCard

__all__ = ["of_files", "walk"]

#: Names of recordings and of hypnograms, where no profile says better. What is told of a file by its name, the first first.
_RECORDING = re.compile(r"(?P<key>.+?)(?:[-_ ](?:psg|eeg|raw|signals?))?\.(?:edf|bdf|rec|vhdr|set|fif|fif\.gz)", re.I)
_WORDS = r"(?:hypnogram|hypno|hyp|sleepstages?|stages?|staging|scoring|scores?|nsrr|profusion|annotations?|annot)"
_HYPNOGRAMS = (
    re.compile(rf"(?P<key>.+?)[-_. ]?{_WORDS}\d*\.(?:edf|bdf|xml|txt|csv|tsv|json|npy|h5|hyp|st|eannot)", re.I),
    re.compile(r"(?P<key>.+?)\.(?:xml|txt|hyp|eannot)", re.I),
)


def walk(folder: Path, *, deep: bool = True) -> Iterator[Path]:
    """All files in a folder, and below it; hidden ones are none."""
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError as error:
            raise ParameterError(f"A folder cannot be read: {error.strerror}", seen=error.filename) from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                waiting += [Path(entry.path)] if deep and not entry.is_symlink() else []
            else:
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder; what cannot be looked at, such as links in a circle, is told of where it is to be read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def of_files(files: Iterable[Path], card: FilesCard, root: Path, only: set[Path] | None = None) -> list[Recording]:
    """The recordings among files.

    Parameters
    ----------
    files : iterable of Path
        All that may be a recording or a hypnogram.
    card : FilesCard
        What recordings and hypnograms are called, where it says so.
    root : Path
        The folder that names are told from where two files have one.
    only : set of Path | None
        Which of the files may be recordings.
    """
    patterns = _patterns(card)
    scored: list[dict[str, list[Path]]] = [defaultdict(list) for _ in patterns[1]]
    recorded: list[tuple[re.Match[str], Path]] = []
    for path in sorted(set(files)):
        place = next((place for place, one in enumerate(patterns[1]) if one.fullmatch(path.name)), None)
        if place is not None:
            found = patterns[1][place].fullmatch(path.name)
            assert found is not None  # noqa: S101
            scored[place][found["key"].casefold()].append(path)
        elif (match := patterns[0].fullmatch(path.name)) and (only is None or path in only):
            recorded.append((match, path))
    labels = _labels(recorded, root)
    return [_recording(label, match, path, scored) for label, (match, path) in zip(labels, recorded, strict=True)]


def _patterns(card: FilesCard) -> tuple[re.Pattern[str], Sequence[re.Pattern[str]]]:
    recording = re.compile(card.recording, re.I) if card.recording else _RECORDING
    return recording, (re.compile(card.hypnogram, re.I),) if card.hypnogram else _HYPNOGRAMS


def _labels(recorded: Sequence[tuple[re.Match[str], Path]], root: Path) -> list[str]:
    """What subjects are called: by their file, and where two files have one name by their folders too."""
    own = [as_label(match.groupdict().get("subject") or match["key"]) for match, _ in recorded]
    keys = [as_label(match["key"]) for match, _ in recorded]
    counts = Counter(keys)
    return [
        label if counts[key] == 1 else as_label(str(path.parent.relative_to(root))) + label
        for label, key, (_, path) in zip(own, keys, recorded, strict=True)
    ]


def _recording(label: str, match: re.Match[str], path: Path, scored: Sequence[Mapping[str, list[Path]]]) -> Recording:
    session, key = as_label(match.groupdict().get("session") or ""), match["key"]
    name = f"sub-{label}" + (f"_ses-{session}" if session else "")
    if not label:
        raise ParameterError("A file's name holds no letter or digit that could name it", seen=path)
    for by_key in scored:
        fitting = by_key.get(key.casefold(), [])
        # a hypnogram of the same name in the folder of another night is that night's
        fitting = [one for one in fitting if one.parent == path.parent] or fitting
        if len(fitting) > 1:
            return Recording(
                name, path, None, label, session,
                error=f"Several hypnograms go with it: {len(fitting)} files",
                remedy="Give a table with columns recording and hypnogram",
            )  # fmt: skip
        if fitting:
            return Recording(name, path, fitting[0], label, session)
    return Recording(name, path, None, label, session)
