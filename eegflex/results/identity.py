"""What results say of whose a recording is: nothing. It is called by a label that was given, or a hash of its content."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import mne
import numpy as np

from eegflex.epochs import without_bad
from eegflex.errors import ParameterError
from eegflex.readers.notes import get_notes
from eegflex.readers.stage_numbers import CODINGS
from eegflex.settings import FILE_LABEL
from eegflex.stages import STAGE_CODES

__all__ = ["content_name", "file_name", "hash_recording", "name_recording", "without_texts"]

#: Epochs of a recording that is read from its file.
READ_AT_ONCE = 16
#: What `repr` makes of a text, up to the end of the line where that was cut off; an apostrophe follows a letter.
_QUOTED = re.compile(r"""(?<!\w)b?(?:'(?:[^'\\]|\\.)*(?:'|\Z)|"(?:[^"\\]|\\.)*(?:"|\Z))""", re.DOTALL)
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
#: What may be quoted: words of our own.
_KNOWN = frozenset({*CODINGS, *STAGE_CODES, "auto"})


def content_name(digest: str) -> str:
    """The name of a recording by its content.

    Examples
    --------
    >>> content_name("3f9a01c2" + 56 * "0")
    'recording 3f9a01c2'
    """
    return f"recording {digest[:8]}"


def hash_recording(epochs: mne.BaseEpochs) -> str:
    """Hash a recording: as the reader found its file, or, of epochs that came otherwise, all their samples.

    It is the same whatever a model is given of it.
    """
    notes = get_notes(epochs.info)
    if notes is not None and notes.content:
        return notes.content
    digest = hashlib.sha256(f"{epochs.ch_names} {epochs.info['sfreq']!r} {epochs.tmin!r}".encode())
    if epochs.preload:
        digest.update(np.ascontiguousarray(epochs.get_data(copy=False)).data)
        return digest.hexdigest()
    epochs = without_bad(epochs)
    with mne.use_log_level("error"):
        for start in range(0, len(epochs), READ_AT_ONCE):  # not epochs[place], which copies all annotations each time
            some = slice(start, min(start + READ_AT_ONCE, len(epochs)))
            digest.update(np.ascontiguousarray(epochs.get_data(item=some, copy=False)).data)
    return digest.hexdigest()


def file_name(epochs: mne.BaseEpochs) -> str:
    """The name of the file that epochs are from, without its directories.

    Raises
    ------
    ParameterError
        If it is not known.
    """
    notes, fname = get_notes(epochs.info), getattr(epochs, "filename", None)
    name = notes.source if notes is not None and notes.source else Path(fname or "").name
    if not name:
        raise ParameterError(
            "label='file' asks for the name of the recording's file, which is not known of these epochs",
            remedy="Read the recording with eegflex.read_psg, or give the label itself",
        )
    return name


def name_recording(epochs: mne.BaseEpochs, digest: str, label: str | None) -> str:
    """What a recording is called: the label, the name of its file if that is asked for, or its content's."""
    if label is None:
        return content_name(digest)
    return file_name(epochs) if label == FILE_LABEL else label


def without_texts(warning: str) -> str:
    """Return a warning without what it quotes from a file, and without dates: free text may name a person.

    Names of stages and of codings remain.

    Examples
    --------
    >>> without_texts("'Mrs Smith turns' (3 times 30 s between the stages) is treated as an event")
    "'…' (3 times 30 s between the stages) is treated as an event"
    >>> without_texts("the stage codes are read as 'rk' (4 = N3, 5 = REM)")
    "the stage codes are read as 'rk' (4 = N3, 5 = REM)"
    """
    return _DATE.sub("a date", _QUOTED.sub(lambda found: found[0] if found[0][1:-1] in _KNOWN else "'…'", warning))
