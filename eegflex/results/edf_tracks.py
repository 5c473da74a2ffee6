"""Tracks and annotations as an EDF+ or BDF+ file, within what the fields of its header and its samples can hold."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import numpy.typing as npt
import pyedflib

from eegflex._version import __version__
from eegflex.errors import OutputError, ParameterError
from eegflex.readers.hypnograms.write import closing
from eegflex.results.tracks import Track

__all__ = ["FORMATS", "check_no_recording", "exponent_of", "labels_of_tracks", "limit_of", "pieces", "write_tracks"]

#: What a header says of its recording where it holds tracks.
_KIND = "attribution_tracks"
#: By the suffix: the library's name of the format, and the largest sample; -that is the smallest, so that 0 is a sample.
FORMATS = {".edf": (pyedflib.FILETYPE_EDFPLUS, 2**15 - 1), ".bdf": (pyedflib.FILETYPE_BDFPLUS, 2**23 - 1)}
#: What the library reads and writes of signals, those of annotations too; and of the text of an annotation, in bytes.
_MOST_SIGNALS, _MOST_TEXT = 640, 40
#: How the second and later parts of a text begin.
_GOES_ON = "... "
#: Characters of the fields of a signal.
_LABEL, _FIELD = 16, 80
#: So many of a label's characters a band has in any case, and a channel, for what tells it from others.
_BAND, _MARK = 5, 4
#: Labels that mean something else to a reader.
_TAKEN = frozenset({"edf annotations", "bdf annotations"})
#: Peaks of attributions from the first to the second are written in their own unit, others in a power of ten of it.
_PLAIN = (1e-2, 9e6)


def check_no_recording(path: Path) -> None:
    """Refuse to put tracks in the place of a recording: what is lost by that, nobody can compute again.

    Raises
    ------
    OutputError
        If an EDF or BDF is there that holds no tracks.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(256)
    if head.startswith((b"0       ", b"\xffBIOSEMI")) and _KIND.encode() not in head:
        raise OutputError(
            "A recording of this name is there, and is not replaced by tracks",
            seen=path,
            remedy="Choose another name, such as night-attribution.edf",
        )


def plain(text: str, most: int) -> str:
    """Text as a field of an EDF holds it: accents are dropped, what else is not ASCII is "_", and it is cut."""
    parts = unicodedata.normalize("NFKD", text)
    kept = "".join(one if " " <= one <= "~" else "_" for one in parts if not unicodedata.combining(one))
    return " ".join(kept.split())[:most].rstrip()


def labels_of_tracks(tracks: Sequence[Track]) -> list[str]:
    """Labels of 16 ASCII characters at most, no two alike.

    That of a band of a channel is the channel, then the band. A channel of several channel sets, ``"E1 (with C3-M2)"``, is
    ``"E1/C3-M2"``. Where it is too long the band is cut, to 5 characters at least, then the channel, to what its longest band
    leaves; of labels that would then be alike, the channels of the second and later ones end in ``~2``, ``~3``...
    """
    words = [(_word(one.channel) if one.channel else "", _word(one.name)) for one in tracks]
    cut = [
        name[: max(_BAND, _LABEL - 1 - max(len(channel), _MARK)) if channel else _LABEL].rstrip()
        for channel, name in words
    ]
    longest: dict[str, int] = {}
    for (channel, _), name in zip(words, cut, strict=True):
        longest[channel] = max(longest.get(channel, 0), len(name))
    taken, found = set(_TAKEN), []
    for (channel, _), name in zip(words, cut, strict=True):
        found.append(_free(channel, name, _LABEL - 1 - longest[channel] if channel else _LABEL, taken))
        taken.add(found[-1].casefold())
    return found


def _word(text: str) -> str:
    return plain(text.replace(" (with ", "/").replace(")", ""), _FIELD) or "_"


def _free(channel: str, name: str, room: int, taken: set[str]) -> str:
    """The first label of its kind that is not taken; `room` characters are for what can be cut."""
    for count in itertools.count(1):
        mark = f"~{count}" if count > 1 else ""
        label = (channel or name)[: room - len(mark)].rstrip() + mark + (f" {name}" if channel else "")
        if label.casefold() not in taken:
            break
    return label


def limit_of(peak: float) -> float:
    """The smallest number, not below a peak, that the field of a physical limit can hold with its sign: 8 characters."""
    for places in range(5, -1, -1):
        limit = math.ceil(round(peak * 10**places, 6)) / 10**places
        if len(f"{limit:.{places}f}") < 8:
            return float(max(limit, 10.0**-places))
    raise ParameterError("A value is too large for an EDF file", seen=peak, allowed="below 1e7")


def exponent_of(peak: float) -> int:
    """The power of ten by which all attributions of a file are divided, so that limits can be written; mostly 0."""
    if peak == 0 or _PLAIN[0] <= peak < _PLAIN[1]:
        return 0
    return max(3 * math.floor(math.log10(peak) / 3), -300)


def pieces(text: str) -> list[str]:
    """A text in parts that an annotation can hold, divided at semicolons and else between words, but not at "of".

    The second and later parts begin with ``"... "``, as viewers list them like annotations of their own.
    """
    found: list[str] = []
    for part in [text] if len(text.encode()) <= _MOST_TEXT else text.split("; "):
        line = ""
        for word in re.findall(r"\S+(?: of \S+)*", part):
            longer = f"{line} {word}".strip()
            if line and len(longer.encode()) > _room(found):
                found.append(line)
                longer = word
            while len(longer.encode()) > _room(found):
                cut = longer.encode()[: _room(found)].decode(errors="ignore")
                found.append(cut)
                longer = longer[len(cut) :]
            line = longer
        found += [line] if line else []
    return found[:1] + [_GOES_ON + one for one in found[1:]]


def _room(found: Sequence[str]) -> int:
    """How many bytes of text the next part can have."""
    return _MOST_TEXT - len(_GOES_ON) * bool(found)


def write_tracks(
    path: Path, tracks: Sequence[Track], annotations: mne.Annotations, *, unit: str, start: dt.datetime
) -> None:
    """Write an EDF+C, or BDF+C, of one sample a second.

    Parameters
    ----------
    path : Path
        The file, with a suffix of `FORMATS`.
    tracks : sequence of Track
        What becomes a signal.
    annotations : mne.Annotations
        With onsets from the start of the recording.
    unit : str
        Of the attributions.
    start : datetime
        When the recording started.

    Raises
    ------
    ParameterError
        If there are more signals than fit.
    OSError
        If the file cannot be written.
    """
    told = [
        (onset, duration, piece)
        for onset, duration, text in zip(annotations.onset, annotations.duration, annotations.description, strict=True)
        for piece in pieces(text)
    ]
    n_seconds = len(tracks[0].values)
    n_annotated = max(-(-len(told) // n_seconds), 1)
    if len(tracks) + n_annotated > _MOST_SIGNALS:
        raise ParameterError(
            "An EDF file does not hold so many tracks",
            seen=len(tracks),
            allowed=f"at most {_MOST_SIGNALS - n_annotated}",
            remedy="Choose channels (picks=, --picks), or fewer bands (bands=, --bands)",
        )
    peaks = [float(np.abs(one.values).max()) for one in tracks]
    exponent = exponent_of(
        max((peak for one, peak in zip(tracks, peaks, strict=True) if one.unit is None), default=0.0)
    )
    labels = labels_of_tracks(tracks)
    kind, most = FORMATS[path.suffix.casefold()]
    signals = [_signal(one, label, unit, exponent, most) for one, label in zip(tracks, labels, strict=True)]
    writer = pyedflib.EdfWriter(str(path), len(tracks), file_type=kind)
    with closing(writer, path):
        writer.setSignalHeaders([header for header, _ in signals])
        writer.set_number_of_annotation_signals(n_annotated)
        writer.setEquipment(f"eegflex_{__version__}")
        writer.setRecordingAdditional(_KIND)
        writer.setStartdatetime(start)
        for onset, duration, text in told:
            if writer.writeAnnotation(float(onset), float(duration), text) < 0:
                raise OSError("the EDF library could not write an annotation")
        digital = np.stack([samples for _, samples in signals], axis=1)
        for second in np.ascontiguousarray(digital):
            if writer.blockWriteDigitalSamples(second) < 0:
                raise OSError("the EDF library could not write a data record")


def _signal(
    track: Track, label: str, unit: str, exponent: int, most: int
) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    """The header of a signal, and its samples."""
    own, dimension = track.values, track.unit
    if dimension is None:
        own = own / 10.0**exponent
        dimension = f"{unit}/s" if exponent == 0 else f"1e{exponent}/s"
    digital = most if track.limit is None else track.limit
    peak = float(np.abs(own).max())
    limit = float(digital) if track.limit is not None else limit_of(peak) if peak > 0 else 1.0
    header = {
        "label": label,
        "dimension": dimension,
        "sample_frequency": 1,
        "physical_min": -_short(limit),
        "physical_max": _short(limit),
        "digital_min": -digital,
        "digital_max": digital,
        "transducer": plain(track.about, _FIELD),
        "prefilter": plain(track.how, _FIELD),
    }
    return header, np.clip(np.rint(own * (digital / limit)), -digital, digital).astype(np.int32)


def _short(limit: float) -> float:
    """Without the ".0" that Python writes."""
    return int(limit) if limit.is_integer() else limit
