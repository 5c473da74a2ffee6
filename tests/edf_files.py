"""EDF and BDF files written by bytes, so that they can be odd or damaged in any one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

REAL = Path(__file__).parents[2] / "shared" / "data" / "psg-excerpt.edf"


@dataclass
class Sig:
    """One signal; ``data`` are digital values, random where None."""

    label: str | bytes = "EEG C3-A2"
    unit: str | bytes = "uV"
    n: int = 100
    low: str = "-500"
    high: str = "500"
    bottom: str = "-32768"
    top: str = "32767"
    sd: float = 3000.0
    data: np.ndarray | None = None


@dataclass
class Edf:
    """A whole file; ``tals`` are the bytes of the annotation signal, record by record."""

    signals: list[Sig] = field(default_factory=lambda: [Sig()])
    n_records: int = 120
    duration: str = "1"
    count: str | None = None
    date: str = "03.04.20"
    time: str = "22.00.00"
    recording: str = ""
    reserved: str = ""
    tals: list[bytes] | None = None
    tal_size: int = 60
    bdf: bool = False
    n_signals: str | None = None
    header_bytes: str | None = None
    tail: bytes = b""
    cut: int = 0
    seed: int = 0

    def digital(self) -> list[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        scale = 256 if self.bdf else 1
        return [
            sig.data
            if sig.data is not None
            else np.round(rng.normal(0, sig.sd * scale, sig.n * self.n_records)).astype(np.int32)
            for sig in self.signals
        ]

    def to_bytes(self) -> bytes:
        size = 3 if self.bdf else 2
        sigs = list(self.signals)
        if self.tals is not None:
            label = "BDF Annotations" if self.bdf else "EDF Annotations"
            sigs.append(Sig(label, "", self.tal_size, "-1", "1"))
        n = len(sigs)
        head = (b"\xffBIOSEMI" if self.bdf else _pad("0", 8)) + _pad("X X X X", 80) + _pad(self.recording, 80)
        head += _pad(self.date, 8) + _pad(self.time, 8) + _pad(self.header_bytes or str(256 * (n + 1)), 8)
        head += _pad(self.reserved, 44) + _pad(str(self.n_records) if self.count is None else self.count, 8)
        head += _pad(self.duration, 8) + _pad(self.n_signals or str(n), 4)
        columns = [("label", 16), ("", 80), ("unit", 8), ("low", 8), ("high", 8), ("bottom", 8), ("top", 8), ("", 80)]
        for name, width in [*columns, ("n", 8), ("", 32)]:
            head += b"".join(_pad(getattr(sig, name) if name else "", width) for sig in sigs)
        data = self.digital()
        body = []
        for record in range(self.n_records):
            for sig, values in zip(self.signals, data, strict=True):
                part = values[record * sig.n : (record + 1) * sig.n].astype("<i4").view(np.uint8).reshape(-1, 4)
                body.append(part[:, :size].tobytes())
            if self.tals is not None:
                body.append(self.tals[record].ljust(self.tal_size * size, b"\x00"))
        whole = head + b"".join(body) + self.tail
        return whole[: len(whole) - self.cut]

    def physical(self, index: int) -> np.ndarray:
        """The values in the unit as written, by the standard's own formula."""
        sig = self.signals[index]
        low, high, bottom, top = (float(x.replace(",", ".")) for x in (sig.low, sig.high, sig.bottom, sig.top))
        return (self.digital()[index] - bottom) * (high - low) / (top - bottom) + low


def _pad(text: str | bytes | int, width: int) -> bytes:
    raw = text if isinstance(text, bytes) else str(text).encode("latin-1")
    return raw.ljust(width)[:width]


def times(n: int, duration: float = 1.0, first: float = 0.0, extra: dict[int, bytes] | None = None) -> list[bytes]:
    """Time-keeping annotations, with others at some records."""
    return [f"+{first + k * duration:.12g}\x14\x14\x00".encode() + (extra or {}).get(k, b"") for k in range(n)]
