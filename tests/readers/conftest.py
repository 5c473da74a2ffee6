"""What tests of readers share: files written by bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edf_files import REAL, Edf


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an Edf to a file."""

    def _write(edf: Edf, name: str = "night.edf") -> Path:
        path = tmp_path / name
        path.write_bytes(edf.to_bytes())
        return path

    return _write


@pytest.fixture
def real() -> Path:
    """Give the real clinical PSG."""
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    return REAL


@pytest.fixture
def hypnogram_edf(tmp_path: Path) -> Callable[..., Path]:
    """Write an annotation-only EDF+ of stages: (onset, duration, text)."""

    def _write(rows: list[tuple[float, float | None, str]], name: str = "hypnogram.edf", **keys: object) -> Path:
        tal = b"+0\x14\x14\x00"
        for onset, duration, text in rows:
            tal += f"{onset:+g}".encode() + (b"" if duration is None else f"\x15{duration:g}".encode())
            tal += b"\x14" + text.encode() + b"\x14\x00"
        size = len(tal) // 2 + 1
        edf = Edf(signals=[], n_records=1, duration="0", reserved="EDF+C", tals=[tal], tal_size=size, **keys)
        path = tmp_path / name
        path.write_bytes(edf.to_bytes())
        return path

    return _write
