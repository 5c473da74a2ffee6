"""Readers: from a file to an MNE Raw with stages, in volts."""

from eegflex.readers.describe import PSGDescription, SignalDescription, describe_psg
from eegflex.readers.hypnograms.read import read_hypnogram
from eegflex.readers.notes import ReadingNotes, get_notes
from eegflex.readers.profiles import Profile, load_profile, profile_names
from eegflex.readers.psg import read_psg

__all__ = [
    "PSGDescription",
    "Profile",
    "ReadingNotes",
    "SignalDescription",
    "describe_psg",
    "get_notes",
    "load_profile",
    "profile_names",
    "read_hypnogram",
    "read_psg",
]
