"""Which recordings a cohort has: of a BIDS data set, a folder, a pattern of file names, or a table."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eegflex.cohort.listing_bids import is_bids, of_bids
from eegflex.cohort.listing_files import of_files, walk
from eegflex.cohort.listing_table import of_table
from eegflex.cohort.recording import Recording
from eegflex.errors import ParameterError
from eegflex.readers.profiles import FilesCard, load_profile
from eegflex.utils.arguments import checked

__all__ = ["list_recordings"]

_TABLES = (".csv", ".tsv")
#: Names of doubles that an error shows.
_SHOWN = 5


@checked
def list_recordings(
    source: str | Path | Sequence[Recording], *, profile: str | Path | None = None, task: str | None = None
) -> tuple[Recording, ...]:
    """List the recordings of a cohort, without opening them.

    Parameters
    ----------
    source : path-like | sequence of Recording
        - A BIDS data set: its ``*_eeg`` files, each with the ``events.tsv`` beside it, if that holds stages. What its
          ``participants.tsv`` says of a subject are covariates.
        - A folder: all recordings in it and below, each with the hypnogram that goes with it by name. The `profile` of a
          data set says what its files are called; without one, ``night.edf`` goes with ``night-hypnogram.edf``,
          ``night_stages.csv``, ``night.xml`` and the like.
        - A pattern such as ``"nights/*/*.edf"``, likewise; with ``**`` for folders below folders.
        - A table, ``*.csv`` or ``*.tsv``: a row for each recording, with a column ``recording``, and if need be ``hypnogram``,
          ``subject`` and ``session``; paths are relative to the table. All other columns, such as ``group`` and ``age``, are
          covariates.
    profile : str | path-like | None
        The data set that a folder or a pattern is of; see `eegflex.readers.profile_names`.
    task : str | None
        Of a BIDS data set: which task. By default its only one, or ``"sleep"`` where there are several.

    Returns
    -------
    recordings : tuple of Recording
        By name. Those that cannot be used, such as one that two hypnograms go with, have an ``error`` and a ``remedy``.

    Raises
    ------
    ParameterError
        If there is no such source, no recording in it, two recordings would have one name or are one file, or a task is named
        of what is no BIDS data set.

    See Also
    --------
    eegflex.cohort.Recording : A recording of a cohort.
    eegflex.cohort.run_cohort : Explain many nights.

    Examples
    --------
    >>> import eegflex
    >>> from eegflex.cohort import list_recordings
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save("night.edf")
    >>> [(one.name, one.hypnogram.name) for one in list_recordings("night*.edf")]
    [('sub-night', 'night-hypnogram.edf')]
    """
    if not isinstance(source, str | Path):
        found: Iterable[Recording] = source
    else:
        found = _found(source, profile, task)
    if task is not None and not _has_tasks(source):
        raise ParameterError("Only a BIDS data set has tasks", seen=f"task={task!r}", remedy="Leave out the task")
    recordings = tuple(sorted(found, key=lambda one: one.name))
    if not recordings:
        raise ParameterError(
            "There is no recording",
            seen=source,
            allowed="a BIDS data set, a folder, a pattern or a table of recordings",
        )
    _check_alike(recordings)
    return _alone(recordings)


def _has_tasks(source: str | Path | Sequence[Recording]) -> bool:
    return isinstance(source, str | Path) and os.path.isdir(source) and is_bids(Path(source))  # noqa: PTH112  (as below)


def _found(source: str | Path, profile: str | Path | None, task: str | None) -> Iterable[Recording]:
    path, card = Path(source), FilesCard() if profile is None else load_profile(profile).files
    if os.path.isdir(path):  # noqa: PTH112  (it minds names of any kind)
        return of_bids(path, task) if is_bids(path) else of_files(walk(path), card, path)
    if path.suffix.casefold() in _TABLES:
        return of_table(path)
    if os.path.isfile(path):  # noqa: PTH113
        return of_files(walk(path.parent, deep=False), card, path.parent, only={path})
    if glob.has_magic(str(source)):
        matched = {Path(one) for one in glob.glob(str(source), recursive=True)}  # noqa: PTH207  (absolute ones too)
        root = Path(*_fixed_parts(path))
        beside = {one for folder in {match.parent for match in matched} for one in walk(folder, deep=False)}
        return of_files(matched | beside, card, root, only=matched)
    raise ParameterError(
        "The source does not exist",
        seen=source,
        allowed="a BIDS data set, a folder, a pattern or a table of recordings",
    )


def _fixed_parts(path: Path) -> list[str]:
    """The folders of a pattern that come before its first wildcard."""
    parts = path.parts
    return list(parts[: next(place for place, part in enumerate(parts) if glob.has_magic(part))])


def _check_alike(recordings: tuple[Recording, ...]) -> None:
    """Refuse a covariate of numbers and words, of which there is no column."""
    kinds: dict[str, dict[bool, Any]] = {}
    for one in recordings:
        for name, value in one.covariates.items():
            if value is not None:
                kinds.setdefault(name, {}).setdefault(isinstance(value, str), value)
    for name, found in kinds.items():
        if len(found) > 1:
            raise ParameterError(
                f"The covariate {name!r} is a number for some recordings and a word for others",
                seen=[repr(value) for value in found.values()],
                remedy="Give all of them as numbers, or all as words",
            )


def _alone(recordings: tuple[Recording, ...]) -> tuple[Recording, ...]:
    """Refuse two of one name; one file that stands twice cannot be two recordings either."""
    names = Counter(one.name for one in recordings)
    doubles = [name for name, count in names.items() if count > 1]
    if doubles:
        paths = [str(one.path) for one in recordings if one.name in doubles[:_SHOWN]]
        raise ParameterError(
            f"Several recordings would be called {', '.join(doubles[:_SHOWN])}",
            seen=paths[: 4 * _SHOWN],
            remedy="Give a table with columns recording, subject and session that distinguish them",
        )
    files = Counter(one.path for one in recordings)
    return tuple(one if files[one.path] == 1 else _double(one, recordings) for one in recordings)


def _double(one: Recording, recordings: Sequence[Recording]) -> Recording:
    others = [other.name for other in recordings if other.path == one.path and other is not one]
    return replace(
        one,
        error=f"Its file is that of {', '.join(others[:_SHOWN])} too",
        remedy="Name the file of each recording once",
    )
