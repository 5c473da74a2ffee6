"""Damaged and odd recordings, and what must come of each: a table, and what makes the files.

A row is a file (an ``Edf`` written by bytes, bytes, or a function that writes it with pyedflib) and its outcome: an error
with what it must say, or the samples in V with what the notes must say, which is nothing unless the row has words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
from edf_files import Edf, Sig, times

from eegflex.errors import ChannelError, EegflexError, EmptyRecordingError, RecordingError, UnitError


@dataclass(frozen=True)
class Odd:
    """A file and its outcome.

    ``values`` are the samples expected of the one channel, in V; by default what the first signal's header says of its
    digits, the first ``n_times`` of them.
    """

    file: Edf | bytes | Callable[[Path], np.ndarray] | None
    error: type[EegflexError] | None = None
    says: str = ""
    n_times: int | None = None
    scale: float = 1e-6
    values: Callable[[Edf], np.ndarray] | None = None
    name: str = "night.edf"
    keys: dict[str, Any] = field(default_factory=dict)
    gaps: tuple[tuple[float, float], ...] = ()

    def write(self, folder: Path) -> tuple[Path, np.ndarray | None]:
        """Write the file; return its path and the samples expected."""
        path = folder / self.name
        if self.file is None:
            return path, None
        if isinstance(self.file, Edf):
            path.write_bytes(self.file.to_bytes())
            if self.error:
                return path, None
            return path, (self.values(self.file) if self.values else self.file.physical(0)[: self.n_times]) * self.scale
        if isinstance(self.file, bytes):
            path.write_bytes(self.file)
            return path, None
        return path, self.file(path)


def by_pyedflib(file_type: int, *, units: str = "uV", rates: tuple[int, ...] = (128,)) -> Callable[[Path], np.ndarray]:
    """Make a writer of 60 s by pyedflib, which returns the first signal as pyedflib reads it back, in V."""

    def write(path: Path) -> np.ndarray:
        labels = ["EEG C3-A2", "SaO2", "EMG chin"][: len(rates)]
        rng = np.random.default_rng(0)
        with pyedflib.EdfWriter(str(path), len(rates), file_type=file_type) as writer:
            for k, (label, rate) in enumerate(zip(labels, rates, strict=True)):
                limits = (-(2**23), 2**23 - 1) if file_type in (2, 3) else (-(2**15), 2**15 - 1)
                writer.setSignalHeader(
                    k,
                    {
                        "label": label,
                        "dimension": "%" if label == "SaO2" else units,
                        "sample_frequency": rate,
                        "physical_min": -400.0,
                        "physical_max": 400.0,
                        "digital_min": limits[0],
                        "digital_max": limits[1],
                        "transducer": "",
                        "prefilter": "",
                    },
                )
            writer.writeSamples([rng.normal(0, 40, 60 * rate).clip(-399, 399) for rate in rates])
            if file_type in (1, 3):
                writer.writeAnnotation(10.0, 2.0, "Arousal")
        with pyedflib.EdfReader(str(path)) as reader:
            return reader.readSignal(0) * 1e-6

    return write


def around(*stretches: tuple[int, int, float], rate: int = 100) -> Callable[[Edf], np.ndarray]:
    """Lay records (first, after the last, second) on a timeline of zeros."""

    def values(edf: Edf) -> np.ndarray:
        whole = np.zeros(max(round((at + last - first) * rate) for first, last, at in stretches))
        for first, last, at in stretches:
            whole[round(at * rate) :][: (last - first) * rate] = edf.physical(0)[first * rate : last * rate]
        return whole

    return values


GAP = times(60) + times(60, first=90.25)
TWO_GAPS = times(30) + times(30, first=60) + times(60, first=100)
BACK = times(60) + times(60, first=30)
HOLE = [b"" if 55 <= k < 62 else tal for k, tal in enumerate(GAP)]
MIXED = Edf([Sig(n=200), Sig("SaO2", "%", 3, "0", "100"), Sig("EOG horizontal", n=75)])
BDF = Edf([Sig(bottom="-8388608", top="8388607")], bdf=True)
TOO_WIDE = Sig(bottom="-1000", top="1000", sd=900)

ODD: dict[str, Odd] = {
    # mixed rates
    "mixed rates": Odd(MIXED),
    "a slow signal at its own rate": Odd(
        MIXED, values=lambda edf: edf.physical(1), scale=1.0, keys={"channels": ["SaO2"]}
    ),
    "mixed rates by pyedflib": Odd(by_pyedflib(1, rates=(200, 1, 50))),
    # gaps, flagged or not
    "EDF+D with a gap": Odd(
        Edf(reserved="EDF+D", tals=GAP),
        says="gaps: 1, 30.25 s",
        values=around((0, 60, 0), (60, 120, 90.25)),
        gaps=((60, 30.25),),
    ),
    "EDF+C flag but a gap": Odd(
        Edf(reserved="EDF+C", tals=GAP),
        says="gaps: 1, 30.25 s",
        values=around((0, 60, 0), (60, 120, 90.25)),
        gaps=((60, 30.25),),
    ),
    "BDF+D with two gaps": Odd(
        Edf([Sig(bottom="-8388608", top="8388607")], bdf=True, reserved="BDF+D", tals=TWO_GAPS),
        says="gaps: 2, 40 s",
        values=around((0, 30, 0), (30, 60, 60), (60, 120, 100)),
        gaps=((30, 30), (90, 10)),
    ),
    "EDF+D without any gap": Odd(Edf(reserved="EDF+D", tals=times(120))),
    "EDF+D without times": Odd(Edf(reserved="EDF+D"), RecordingError, "does not say when"),
    "a gap among records without times": Odd(Edf(reserved="EDF+C", tals=HOLE), RecordingError, "do not say when"),
    "records that overlap": Odd(Edf(reserved="EDF+D", tals=BACK), RecordingError, "record 60 starts at 30 s"),
    "a gap of a year": Odd(
        Edf(reserved="EDF+D", tals=times(60) + times(60, first=3e7)), RecordingError, "more than a day"
    ),
    "a gap after every record": Odd(
        Edf(reserved="EDF+C", tals=times(120, duration=1.5)), RecordingError, "contradict the duration"
    ),
    "times that creep": Odd(Edf(reserved="EDF+C", tals=times(120, duration=1.0005)), says="drift"),
    "times that run away": Odd(
        Edf(n_records=500, reserved="EDF+C", tals=times(500, duration=1.004)), RecordingError, "drift of"
    ),
    "a first record that starts late": Odd(Edf(reserved="EDF+C", tals=times(120, first=30)), says="starts +30 s"),
    "a first record without a time": Odd(
        Edf(reserved="EDF+C", tals=[b"", *times(120, first=0.5)[1:]]),
    ),
    "a first record years late": Odd(Edf(reserved="EDF+C", tals=times(120, first=1e9)), RecordingError, "a day from"),
    "records where no times are": Odd(
        Edf(reserved="EDF+C", tals=[b"\x01\x02oops\x00"] * 120), RecordingError, "not where the header says"
    ),
    "EDF+C without annotations": Odd(Edf(reserved="EDF+C"), says="no annotations"),
    "broken annotation": Odd(Edf(reserved="EDF+C", tals=times(120, extra={3: b"oops\x00"})), says="1 annotations"),
    # record count -1, truncated; bytes after the last record
    "count -1": Odd(Edf(count="-1"), says="not in the header"),
    "count -1 and cut": Odd(Edf(count="-1", cut=7), says="up to 1 s at its end", n_times=11900),
    "count is rubbish": Odd(Edf(count="many"), says="not in the header"),
    "truncated": Odd(Edf(cut=200 * 20 + 7), says="21 s at its end are lost", n_times=9900),
    "bytes after the last record": Odd(Edf(tail=bytes(200 * 9 + 3)), says="1803 bytes after"),
    # nothing in it
    "zero records": Odd(Edf(n_records=0), EmptyRecordingError, "no whole data record"),
    "header counts zero records": Odd(Edf(count="0"), EmptyRecordingError, "0 records according to the header"),
    "cut inside the first record": Odd(Edf(cut=120 * 200 - 10), EmptyRecordingError, "no whole data record"),
    "cut inside the header": Odd(Edf(n_records=1, cut=200 + 100), EmptyRecordingError, "inside its header"),
    "zero bytes": Odd(b"", EmptyRecordingError, "0 bytes"),
    # a hypnogram given as PSG
    "annotations only": Odd(
        Edf([], n_records=1, duration="0", tals=[b"+0\x14\x14\x00"], reserved="EDF+C"), RecordingError, "hypnogram="
    ),
    # units
    "unit µV in UTF-8": Odd(Edf([Sig(unit="µV".encode())])),
    "unit μV with a Greek mu": Odd(Edf([Sig(unit="μV".encode())])),
    "unit µV in latin-1": Odd(Edf([Sig(unit=b"\xb5V")])),
    "unit uv": Odd(Edf([Sig(unit="uv")])),
    "unit UV": Odd(Edf([Sig(unit="UV")])),
    "unit microV": Odd(Edf([Sig(unit="microV")])),
    "unit nV": Odd(Edf([Sig(unit="nV", low="-500000", high="500000")]), scale=1e-9),
    "unit mV": Odd(Edf([Sig(unit="mV", low="-0.5", high="0.5")]), scale=1e-3),
    "unit V": Odd(Edf([Sig(unit="V", low="-0.0005", high="0.0005")]), scale=1.0),
    "unit µV by pyedflib": Odd(by_pyedflib(1, units="uv")),
    "blank EEG unit": Odd(Edf([Sig(unit="")]), UnitError, "units='uV'"),
    "blank EEG unit given": Odd(Edf([Sig(unit="")]), keys={"units": "uV"}),
    "unknown EEG unit": Odd(Edf([Sig(unit="ADU")]), UnitError, "EEG C3-A2: 'ADU'"),
    "wrong unit": Odd(Edf([Sig(unit="mV")]), says="standard deviation of 4.5", scale=1e-3),
    "wrong small unit": Odd(Edf([Sig(unit="nV")]), says="standard deviation of 0.04", scale=1e-9),
    # ranges
    "physical range turned over": Odd(Edf([Sig(low="500", high="-500")]), says="inverted"),
    "physical minimum = maximum": Odd(Edf([Sig(low="5", high="5")]), ChannelError, "so it has no scale"),
    "digital minimum = maximum": Odd(Edf([Sig(bottom="7", top="7")]), ChannelError, "so it has no scale"),
    "digital range turned over": Odd(Edf([Sig(bottom="7", top="-7")]), ChannelError, "so it has no scale"),
    "digital range of 20 bits": Odd(Edf([Sig(top="327670")]), ChannelError, "more than its samples can hold"),
    "digital range with decimals": Odd(Edf([Sig(top="32.767")]), ChannelError, "not of whole numbers"),
    "blank physical range": Odd(Edf([Sig(low="", high="")]), ChannelError, "blank or not a number"),
    "underscore in a number": Odd(Edf([Sig(high="5_0")]), ChannelError, "blank or not a number"),
    "physical range without end": Odd(Edf([Sig(low="-9e99", high="9e99")]), ChannelError, "impossible"),
    "one channel has no scale": Odd(Edf([Sig(), Sig("EEG C4-A1", bottom="7", top="7")]), says="EEG C4-A1 cannot"),
    "blank ranges of one channel": Odd(Edf([Sig(), Sig("EEG C4-A1", low="", high="")]), says="EEG C4-A1 cannot"),
    "blank ranges of a belt": Odd(Edf([Sig(), Sig("Abdomen", low="", high="")])),
    "samples outside the digital range": Odd(Edf([TOO_WIDE]), says="outside the range"),
    "decimal commas": Odd(Edf([Sig(low="-500,0", high="500,0")], duration="1,0")),
    "flat EEG": Odd(Edf([Sig(data=np.zeros(12000, int))]), says="standard deviation of"),
    "saturated EEG": Odd(Edf([Sig(data=np.resize([-32768, 0, 32767], 12000), low="-50", high="50")]), says="saturated"),
    # dates
    "impossible date": Odd(Edf(date="31.02.20"), says="date of the recording is not known"),
    "01.01.85": Odd(Edf(date="01.01.85"), says="date of the recording is not known"),
    "unparsable time": Odd(Edf(time="??.??.??"), says="time of day of the recording is not known"),
    "two dates": Odd(Edf(recording="Startdate 02-MAR-2019 X X X"), says="two dates"),
    # labels
    "duplicate labels": Odd(Edf([Sig(), Sig()]), ChannelError, "index 1"),
    "duplicate labels by index": Odd(Edf([Sig(), Sig()]), values=lambda edf: edf.physical(1), keys={"channels": [1]}),
    "NULs for padding": Odd(Edf([Sig(b"EEG C3-A2\x00\x00\x00", b"uV\x00\x00")])),
    "no EEG": Odd(Edf([Sig("SaO2", "%")]), ChannelError, "channels="),
    # BDF
    "BDF": Odd(BDF, name="night.bdf"),
    "BDF named .edf": Odd(BDF),
    "BDF named .rec": Odd(BDF, name="night.rec"),
    "EDF named .bdf": Odd(Edf(), name="night.bdf"),
    "BDF by pyedflib": Odd(by_pyedflib(2)),
    "BDF+ by pyedflib": Odd(by_pyedflib(3), name="night.bdf"),
    "EDF by pyedflib": Odd(by_pyedflib(0)),
    "EDF+ by pyedflib": Odd(by_pyedflib(1), name="night.rec"),
    "BDF by its first byte, 16 bits by its length": Odd(
        b"\xff" + Edf().to_bytes()[1:], RecordingError, "24 bits by its first byte, 16 bits by its length"
    ),
    # no header to speak of
    "number of signals is rubbish": Odd(Edf(n_signals="abc"), RecordingError, "number of signals"),
    "header length contradicts": Odd(Edf(header_bytes="1024"), RecordingError, "is inconsistent"),
    "duration of a record is 0": Odd(Edf(duration="0"), RecordingError, "duration of a record"),
    "duration of a record is nan": Odd(Edf(duration="nan"), RecordingError, "duration of a record"),
    "samples per record is 0": Odd(Edf([Sig(n=0)], n_records=0), RecordingError, "number of samples"),
    # no recording
    "missing": Odd(None, RecordingError, "no such recording"),
    "a text": Odd(b"I am no recording at all, whatever my name says.\n" * 20, RecordingError, "not a recording"),
    "noise": Odd(np.random.default_rng(0).bytes(5000), RecordingError, "not a recording"),
    "the wrong one of three": Odd(bytes(100), RecordingError, ".vhdr", name="night.eeg"),
}
