"""What the reader saw and did: notes that travel with the data from Raw to Epochs."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["SIMULATED", "SIMULATED_EQUIPMENT", "ReadingNotes", "get_notes", "put_notes"]

#: What the header of a simulated night calls its equipment, and the warning that follows from it to every report.
SIMULATED_EQUIPMENT = "eegflex_simulated"
SIMULATED = "the recording is simulated by eegflex, not a person's"


@dataclass
class ReadingNotes:
    """Notes of the reader: what it found in a file, and what it did.

    Nothing here is a directory, a patient's name, birth date or ID. The name of the file, dates and texts of the file in
    `warnings` may yet name a person: they stay in memory and in the log, and are not written into results.

    Attributes
    ----------
    source : str
        Name of the file, without its directories.
    format : str
        ``"EDF"``, ``"EDF+C"``, ``"BDF"``, ``"FIF"``, ...
    start_date, start_time : str | None
        ISO date and time of day of the first sample, as local to the recording; None where the file does not say.
    native_sfreq : dict of str to float
        Rate in Hz of each channel in the file.
    units : dict of str to str
        Unit of each channel as written in the file.
    roles : dict of str to str
        Role of each channel: an EEG site (``"C3"``), ``E1 E2 EOG CHIN LEG ECG``, or "".
    derivations : dict of str to str
        How each channel was made, such as ``"C3 - M2"``.
    profile : str
        The data set's card by which it was read; "" without one.
    renamed : dict of str to str
        Signals that the card named: new name -> label in the file.
    alignment : dict
        How the hypnogram was laid on the recording; empty without one.
    warnings : list of str
        What a reader of the results should know. What they quote from a file stands in quotation marks, as `repr` sets them.
    content : str
        SHA-256 of the signals; see `eegflex.readers.recordings.content`.

    See Also
    --------
    eegflex.readers.get_notes : What the reader did.
    eegflex.read_psg : Read a recording with its hypnogram.

    Examples
    --------
    >>> import eegflex
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save("night.edf")
    >>> notes = eegflex.readers.get_notes(eegflex.read_psg(files.psg, verbose="error").info)
    >>> notes.units["C4-M1"], notes.native_sfreq["C4-M1"]
    ('uV', 64.0)
    """

    source: str
    format: str
    start_date: str | None = None
    start_time: str | None = None
    native_sfreq: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    derivations: dict[str, str] = field(default_factory=dict)
    profile: str = ""
    renamed: dict[str, str] = field(default_factory=dict)
    alignment: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    content: str = ""


def get_notes(info: Any) -> ReadingNotes | None:
    """Return the reader's notes.

    Parameters
    ----------
    info : mne.Info
        The info of a Raw or Epochs.

    Returns
    -------
    notes : ReadingNotes | None
        A copy; None for data that eegflex did not read, or that went through a file since.

    See Also
    --------
    eegflex.readers.ReadingNotes : What the reader did.
    eegflex.readers.describe_psg : What is in a file.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> get_notes(night.raw.info).warnings
    ["the recording is simulated by eegflex, not a person's"]
    """
    temp = info.get("temp")
    notes = temp.get("eegflex") if isinstance(temp, dict) else None
    return ReadingNotes(**copy.deepcopy(notes)) if isinstance(notes, dict) else None


def put_notes(info: Any, notes: ReadingNotes) -> None:
    """Lay the notes into an Info, where `copy`, `pick` and `resample` leave them alone.

    They lie there as a plain dict: MNE measures and compares an Info, and knows no other classes.
    """
    temp = info.get("temp")
    info["temp"] = {**(temp if isinstance(temp, dict) else {}), "eegflex": asdict(notes)}
