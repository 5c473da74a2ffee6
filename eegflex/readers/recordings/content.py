"""What a recording holds, as a hash: its name in results, which says nothing of whose it is."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from eegflex.errors import EegflexError, RecordingError
from eegflex.readers.recordings.edf import EdfSource
from eegflex.readers.recordings.mne_files import MneSource
from eegflex.readers.recordings.source import Source

__all__ = ["hash_content"]

_BLOCK = 1 << 22  # bytes or samples that are read at once


def hash_content(source: Source) -> str:
    """Hash the signals of a recording: labels, units, rates, where it has gaps, and every sample of every signal.

    What names a person or a file is no part of it: neither the patient's fields, dates and free text of a header, nor
    annotations, nor the name of the file. So a recording and its anonymised copy have one hash.

    Parameters
    ----------
    source : Source
        The recording.

    Returns
    -------
    digest : str
        SHA-256.

    Raises
    ------
    RecordingError
        If it cannot be read to its end.
    """
    digest = hashlib.sha256()
    signals = [[one.label, one.unit, one.rate, one.n_times, *one.limits] for one in source.signals]
    digest.update(json.dumps([signals, source.runs]).encode())
    try:
        for block in _samples(source):
            digest.update(block)
    except EegflexError:
        raise
    except Exception as error:  # of whatever reads it
        raise RecordingError(
            f"{source.path.name!r} cannot be read to its end", seen=error, remedy="Copy or export it again"
        ) from error
    return digest.hexdigest()


def _samples(source: Source) -> Iterator[Any]:
    """All samples, a block at a time: as they stand in the file where that is known, else as they are read."""
    if isinstance(source, EdfSource):
        yield from _records(source)
    elif isinstance(source, MneSource):
        count, n_times = len(source.signals), int(source.raw.n_times)
        for start in range(0, n_times, step := max(_BLOCK // count, 1)):
            yield np.ascontiguousarray(source.raw[:, start : min(start + step, n_times)][0])
    else:
        for signal, start in itertools.chain(
            *(itertools.product((one,), range(0, one.n_times, _BLOCK)) for one in source.signals)
        ):
            yield source.read(signal.index, start, min(start + _BLOCK, signal.n_times))


def _records(source: EdfSource) -> Iterator[Any]:
    """The records of an EDF file without their annotations."""
    header = source.header
    size = header.sample_bytes
    ordinary = np.concatenate([np.full(one.n_samples * size, not one.annotations) for one in header.signals])
    edges = np.flatnonzero(np.diff(ordinary, prepend=False, append=False)).reshape(-1, 2)
    at_once = max(_BLOCK // ordinary.size, 1)
    with source.path.open("rb") as file:
        file.seek(header.offset)
        for first in range(0, header.n_records, at_once):
            wanted = min(at_once, header.n_records - first) * ordinary.size
            block = file.read(wanted)
            if len(block) < wanted:
                raise RecordingError(
                    f"{source.path.name!r} became shorter while it was read", remedy="Copy or export it again"
                )
            if ordinary.all():
                yield block
                continue
            records = np.frombuffer(block, np.uint8).reshape(-1, ordinary.size)
            for begin, end in edges.tolist():
                yield np.ascontiguousarray(records[:, begin:end])
