"""Hypnogram formats: one file each, all on the table in `eegflex.readers.hypnograms.read`."""
