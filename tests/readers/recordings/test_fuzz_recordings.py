"""A thousand damaged recordings: each is read as what it says, or refused by one of our errors, and none in silence.

What can be decided about a changed scale, and is asserted of every mutation that is read:

- The samples are those that the header *as it now stands* gives to the bytes, by a decoder that knows nothing of ours.
- A unit that now means another size, a gain that is ten times too large or fifty times too small for an EEG, samples
  outside the stated digital range, and records of another size (more or fewer signals or samples) leave a note.
- A duration of a record that the times of the records contradict leaves a note or is refused.

A physical maximum of 400 where it was 500 cannot be told from a true one: the header is the only witness, and it is
believed. The same holds of the duration of a record in a file without times.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from edf_files import Edf, Sig, times
from odd_files import by_pyedflib

from eegflex.errors import EegflexError
from eegflex.readers import get_notes, read_psg

#: how many in all; a seed of one's own looks further: EEGFLEX_FUZZ=20000 EEGFLEX_FUZZ_SEED=1
N_MUTATIONS = int(os.environ.get("EEGFLEX_FUZZ", "1000"))
SEED = int(os.environ.get("EEGFLEX_FUZZ_SEED", "0"))
LIMIT = 5.0  # s for one file
VOLTS = {"V": 1.0, "v": 1.0, "mV": 1e-3, "mv": 1e-3, "uV": 1e-6, "uv": 1e-6, "UV": 1e-6, "Uv": 1e-6, "nV": 1e-9}
VOLTS |= {"nv": 1e-9, "µV": 1e-6, "µv": 1e-6, "μV": 1e-6}
WIDTHS = {"label": 16, "": 80, "unit": 8, "low": 8, "high": 8, "bottom": 8, "top": 8, "filter": 80, "n": 8, "rest": 32}
SIGNALS = [Sig(n=10), Sig("EEG C4-A1", n=10), Sig("Abdomen", n=5)]
WIDE = [Sig(n=10, bottom="-8388608", top="8388607"), Sig("EEG C4-A1", n=10, bottom="-8388608", top="8388607")]
NOTED = {3: b"+3.5\x151.5\x14Arousal\x14\x00", 5: b"+5\x14Lights off\x14\x00"}

VALID: dict[str, Edf | Callable] = {
    "EDF": Edf(SIGNALS, n_records=12),
    "EDF+C": Edf(SIGNALS, n_records=12, reserved="EDF+C", tals=times(12, extra=NOTED)),
    "EDF+D": Edf(SIGNALS, n_records=12, reserved="EDF+D", tals=times(6) + times(6, first=9.5)),
    "BDF": Edf(WIDE, n_records=12, bdf=True),
    "BDF+C": Edf(WIDE, n_records=12, bdf=True, reserved="BDF+C", tals=times(12, extra=NOTED)),
    "EDF+ by pyedflib": by_pyedflib(1, rates=(16, 1)),
}


class Literal:
    """The file by the letter of the standard: fields at their places, samples at theirs, nothing checked."""

    def __init__(self, raw: bytes) -> None:
        self.count = int(number(raw[252:256]))
        self.duration, self.n_records = number(raw[244:252]), number(raw[236:244])
        at, self.fields = 256, {}
        for name, width in WIDTHS.items():
            self.fields[name] = [raw[at + k * width :][:width] for k in range(self.count)]
            at += width * self.count
        self.sizes = [int(number(field)) for field in self.fields["n"]]
        self.size = 3 if raw[:1] == b"\xff" else 2
        width = sum(self.sizes) * self.size
        there = (len(raw) - at) // width
        self.used = there if not self.n_records >= 0 or self.n_records % 1 else int(min(there, self.n_records))
        self.records = np.frombuffer(raw, np.uint8, self.used * width, at).reshape(self.used, width)
        labels = [field.replace(b"\0", b" ").strip() for field in self.fields["label"]]
        self.ordinary = [k for k, label in enumerate(labels) if label not in {b"EDF Annotations", b"BDF Annotations"}]

    def scale(self, index: int) -> tuple[float, float, float]:
        """Give gain and bias in the unit, and the unit in V (NaN where it is none)."""
        k = self.ordinary[index]
        low, high, bottom, top = (number(self.fields[name][k]) for name in ("low", "high", "bottom", "top"))
        unit = self.fields["unit"][k].replace(b"\0", b" ").strip().strip(b"[]()").strip().rstrip(b".").strip()
        try:
            text = unit.decode("utf-8")
        except UnicodeDecodeError:
            text = unit.decode("latin-1")
        gain = (high - low) / (top - bottom)
        return gain, low - gain * bottom, VOLTS.get(text, np.nan)

    def values(self, index: int) -> np.ndarray:
        k = self.ordinary[index]
        at = sum(self.sizes[:k]) * self.size
        digits = self.records[:, at : at + self.sizes[k] * self.size].reshape(-1, self.size).astype(np.int64)
        value = (digits * 256 ** np.arange(self.size)).sum(1)
        value -= (value >= 256**self.size // 2) * 256**self.size
        gain, bias, volts = self.scale(index)
        return (value * gain + bias) * volts


def number(field: bytes) -> float:
    """Read a number as the standard has it: Python would take "1_0" too."""
    try:
        return float(field.replace(b"\0", b" ").replace(b",", b".").replace(b"_", b"?"))
    except ValueError:
        return np.nan


def header_bytes(raw: bytearray, rng: np.random.Generator) -> None:
    for place in rng.integers(0, header_size(raw), rng.integers(1, 6)):
        raw[place] = rng.choice([0, 32, 45, 46, 48, 57, 255, int(rng.integers(256))])


def digit(raw: bytearray, rng: np.random.Generator) -> None:
    places = [k for k in range(header_size(raw)) if 48 <= raw[k] <= 57]
    for place in rng.choice(places, rng.integers(1, 3)):
        raw[place] = rng.integers(48, 58)


def a_field(raw: bytearray, rng: np.random.Generator) -> None:
    """Another text in one of the fields that decide what the samples are."""
    count = (header_size(raw) - 256) // 256
    starts, at = [(184, 8), (236, 8), (244, 8), (252, 4), (168, 8), (176, 8), (192, 5)], 256
    for name, width in WIDTHS.items():
        if name in {"label", "unit", "low", "high", "bottom", "top", "n"}:
            starts += [(at + k * width, width) for k in range(count)]
        at += width * count
    place, width = starts[rng.integers(len(starts))]
    texts = ["", "0", "-1", "nan", "inf", "1e9", "99999999", "abc", "1_0", "0,5", "2", "mV", "V", "%", "Ohm", "EDF+D"]
    raw[place : place + width] = str(rng.choice(texts)).encode().ljust(width)[:width]


def truncation(raw: bytearray, rng: np.random.Generator) -> None:
    del raw[rng.integers(0, len(raw)) :]


def insertion(raw: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(0, len(raw)))
    raw[place:place] = rng.bytes(int(rng.integers(1, 9)))


def deletion(raw: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(0, len(raw)))
    del raw[place : place + int(rng.integers(1, 9))]


def sample_bytes(raw: bytearray, rng: np.random.Generator) -> None:
    for place in rng.integers(header_size(raw), len(raw), rng.integers(1, 20)):
        raw[place] = rng.integers(256)


def annotation_bytes(raw: bytearray, rng: np.random.Generator) -> None:
    """Bytes where lists of annotations are: digits, signs, separators."""
    here = [k for k in range(header_size(raw), len(raw)) if raw[k] in b"+\x14\x15"] or [len(raw) - 1]
    for place in rng.choice(here, rng.integers(1, 4)):
        near = min(len(raw) - 1, int(place) + int(rng.integers(0, 4)))
        raw[near] = rng.choice([0, 20, 21, 43, 45, 46, 48, 57, 255, int(rng.integers(256))])


def header_size(raw: bytearray) -> int:
    return min(256 * (int(raw[252:256]) + 1), len(raw))


MUTATIONS = [header_bytes, digit, a_field, truncation, insertion, deletion, sample_bytes, annotation_bytes]


def valid_bytes(kind, folder) -> bytes:
    valid = VALID[kind]
    if isinstance(valid, Edf):
        return valid.to_bytes()
    valid(folder / "valid.edf")
    return (folder / "valid.edf").read_bytes()


@pytest.mark.parametrize("kind", VALID)
def test_every_mutation_is_read_as_what_it_says_or_refused(kind, tmp_path):
    whole = valid_bytes(kind, tmp_path)
    path = tmp_path / "night.edf"
    path.write_bytes(whole)
    usual = set(get_notes(read_psg(path, verbose="CRITICAL").info).warnings)
    rng = np.random.default_rng([SEED, *kind.encode()])
    outcomes: Counter[str] = Counter()
    for turn in range(-(-N_MUTATIONS // len(VALID))):
        mutate = MUTATIONS[turn % len(MUTATIONS)]
        raw = bytearray(whole)
        mutate(raw, rng)
        path.write_bytes(raw)
        start = time.perf_counter()
        try:
            recording = read_psg(path, verbose="CRITICAL")
            data = recording.get_data()
        except EegflexError as error:
            outcomes[type(error).__name__] += 1
        else:
            outcomes["read"] += 1
            judge(Literal(bytes(raw)), Literal(whole), recording, data, usual, f"{mutate.__name__}, turn {turn}")
        assert time.perf_counter() - start < LIMIT
    assert outcomes["read"] > 0.2 * outcomes.total()
    assert len(outcomes) > 2


def judge(file: Literal, valid: Literal, recording, data, usual: set[str], where: str) -> None:
    """Compare a recording that was read with what the file says, and say whether silence was allowed."""
    gaps = [a for a in recording.annotations if a["description"] == "BAD_ACQ_SKIP"]
    sfreq = recording.info["sfreq"]
    kept = np.ones(recording.n_times, bool)
    for gap in gaps:
        first, last = (int(np.floor(t * sfreq + 0.5)) for t in (gap["onset"], gap["onset"] + gap["duration"]))
        kept[first:last] = False
    noted = set(get_notes(recording.info).warnings) - usual
    for row, derivation in zip(data, recording._raw_extras[0]["derivations"], strict=True):
        for known, _ in derivation.terms:
            index = known.signal.index
            assert np.isfinite(row).all(), where
            if len(derivation.terms) == 1 and abs(derivation.rate / sfreq - 1) < 1e-9:
                expected = file.values(index)
                np.testing.assert_allclose(row[kept], expected, rtol=1e-9, atol=1e-12, err_msg=f"{where} {known.unit}")
                assert derivation.rate == pytest.approx(file.sizes[file.ordinary[index]] / file.duration), where
            if index < len(valid.ordinary) and known.channel.kind == "eeg":
                ratio = np.prod(np.array(file.scale(index)) / valid.scale(index), where=[True, False, True])
                assert noted or 1 / 50 < abs(ratio) < 10, f"{where}: {ratio}"
    if file.sizes != valid.sizes:
        assert noted, f"{where}: {file.sizes}"
    if len(valid.ordinary) < valid.count and len(file.ordinary) < file.count:
        assert noted or abs(file.duration / valid.duration - 1) < 0.01, f"{where}: {file.duration}"
