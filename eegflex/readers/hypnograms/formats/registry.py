"""The formats of hypnograms, in the order in which they are tried.

A format is one file in this folder with `NAME`, ``sniff(head, path)`` and ``parse(path)``, and one entry here. `parse` gives
one `Scoring`, or several by name where a file holds several.
"""

from __future__ import annotations

from types import ModuleType

from eegflex.readers.hypnograms.formats import (
    alice,
    bare_rows,
    domino,
    dreams,
    dreem_h5,
    edf_annotations,
    edfbrowser,
    events_table,
    json_stages,
    lines,
    luna,
    noxturnal,
    nsrr,
    profusion,
    remlogic,
    sampled,
    twin,
    usleep,
    wfdb_notes,
    wonambi,
)

__all__ = ["FORMATS", "HYPNOGRAM_FORMATS"]

#: The first that knows the file reads it: the particular ones before those that take what they can get.
FORMATS: tuple[ModuleType, ...] = (
    edf_annotations,
    nsrr,
    profusion,
    wonambi,
    edfbrowser,
    noxturnal,
    remlogic,
    domino,
    alice,
    dreams,
    dreem_h5,
    sampled,
    twin,
    luna,
    usleep,
    bare_rows,
    events_table,
    json_stages,
    wfdb_notes,
    lines,
)
#: Their names.
HYPNOGRAM_FORMATS = tuple(module.NAME for module in FORMATS)
