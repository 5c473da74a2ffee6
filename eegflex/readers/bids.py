"""BIDS: a recording and the events beside it. A `BIDSPath` is known by what it can do, so nothing is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mne.utils import logger

from eegflex.errors import EmptyHypnogramError, RecordingError
from eegflex.readers.hypnograms.read import HypnogramOptions, load_hypnogram

__all__ = ["events_of", "to_path", "with_stages"]


def to_path(fname: Any) -> Path:
    """Return the file of a path or of an `mne_bids.BIDSPath`.

    Raises
    ------
    RecordingError
        If a BIDSPath fits no file, or several.
    """
    if not hasattr(fname, "find_matching_sidecar"):
        return Path(fname)
    try:
        path = Path(fname.fpath)
    except RuntimeError as error:
        raise RecordingError(
            "The BIDSPath does not name one recording",
            seen=error,
            remedy="Give its suffix and extension: BIDSPath(..., suffix='eeg', extension='.edf')",
        ) from error
    return path


def events_of(fname: Any, options: HypnogramOptions) -> Path | None:
    """Find the ``events.tsv`` of a recording given as an `mne_bids.BIDSPath`.

    Parameters
    ----------
    fname : path-like
        The recording.
    options : HypnogramOptions
        How the hypnogram would be read.

    Returns
    -------
    events : Path | None
        None for any other path, where there is no such file, and where it has events but no stages.
    """
    find = getattr(fname, "find_matching_sidecar", None)
    found = None if find is None else find(suffix="events", extension=".tsv", on_error="ignore")
    return None if found is None else with_stages(Path(found), options)


def with_stages(events: Path, options: HypnogramOptions) -> Path | None:
    """A list of events as the hypnogram, or None where it has events but no stages."""
    if options.column is None:
        try:
            load_hypnogram(events, options)
        except EmptyHypnogramError:
            logger.info("%s has events but no stages", events.name)
            return None
    return events
