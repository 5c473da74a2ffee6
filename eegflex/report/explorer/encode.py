"""What a result says of its epochs, packed: chunks of epochs that a page opens one at a time."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.report.explorer.quantise import (
    LEVELS,
    as_bytes,
    as_differences,
    in_rows,
    in_steps,
    marked_sums,
    resampled,
    rounded,
)
from eegflex.results import tables

__all__ = ["CHUNK", "NUMBERS", "WORDS", "Packing", "as_blob", "as_json"]

#: Epochs that are opened together.
CHUNK = 25
#: How they are packed. In small whole numbers few stretches come again, but for runs of one number: to look for no others takes
#: an eleventh of the time, and is 4 % shorter.
NUMBERS, WORDS = zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY
#: As gzip has it, which browsers open.
_GZIP = 16 + zlib.MAX_WBITS
#: Samples of a signal in a second, at most: two for each dot of a wide screen, and enough for spindles.
SIGNAL_RATE = 50
#: Steps of a signal up to the amplitude that 199 of 200 samples do not exceed; what exceeds twice that is cut off.
SIGNAL_STEPS = 40
#: Seconds that attributions to time are summed over.
TIME_STEP = 0.5
#: Hz that spectra are summed over up to 30 Hz, and from there on.
FINE, COARSE, FINE_END, COARSE_END = 0.5, 2.0, 30.0, 50.0
#: Rows of the plane of time and frequency, in Hz, and its columns, in s.
PLANE_EDGES = (0.0, 0.5, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 25.0, 30.0)
PLANE_STEP = 1.0
#: Levels of the plane on each side of 0, which the eye tells apart.
PLANE_LEVELS = 15
#: Part of a decibel that power is told to.
DECIBEL = 0.5
VIEWS = {"frequency": "frequency_view", "time": "time_view", "plane": "time_frequency_view"}

Array = npt.NDArray[np.float64]


def as_json(value: Any) -> str:
    """JSON that may stand in a page: nothing in it ends a script or begins a tag."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def as_blob(name: str, content: bytes, strategy: int = NUMBERS) -> str:
    """Content, `NUMBERS` or `WORDS`, as an element that no browser runs or shows: packed, in letters."""
    packer = zlib.compressobj(wbits=_GZIP, memLevel=9, strategy=strategy)
    packed = base64.b64encode(packer.compress(content) + packer.flush()).decode("ascii")
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>\n'


@dataclass(frozen=True)
class Packing:
    """How the epochs of a result are packed.

    Attributes
    ----------
    dataset : xarray.Dataset
        Of a result of one recording.
    signal : bool
        Whether signals are packed too.
    """

    dataset: xr.Dataset
    signal: bool

    @property
    def n_epochs(self) -> int:
        """How many epochs were explained."""
        return int(self.dataset.sizes["epoch"])

    @property
    def length(self) -> float:
        """Length of an epoch in s."""
        return self.dataset["signal"].shape[-1] / float(self.dataset.attrs["sfreq"])

    @cached_property
    def of(self) -> npt.NDArray[np.intp]:
        """The channel set of each channel."""
        return np.asarray(self.dataset["of_channel_set"].values, dtype=np.intp)

    @cached_property
    def signals(self) -> list[int]:
        """The first of the channels that have one signal, for each signal: one that is in several channel sets counts once."""
        names = self.dataset["ch_name"].values.tolist()
        some = self.dataset["signal"][:CHUNK].values
        found: list[int] = []
        for place, name in enumerate(names):
            same = [one for one in found if names[one] == name and np.array_equal(some[:, one], some[:, place])]
            found += [] if same else [place]
        return found

    @cached_property
    def signal_of(self) -> list[int]:
        """Which of `signals` each channel has."""
        names, own = self.dataset["ch_name"].values.tolist(), self.signals
        some = self.dataset["signal"][:CHUNK].values
        return [
            next(k for k, one in enumerate(own) if names[one] == name and np.array_equal(some[:, one], some[:, place]))
            for place, name in enumerate(names)
        ]

    @cached_property
    def freq_edges(self) -> Array:
        """Edges of the steps of frequency; the last one holds what lies above."""
        freqs = self.dataset["freq"].values
        fine = max(FINE, float(freqs[1] - freqs[0])) if len(freqs) > 1 else FINE
        edges = [*np.arange(0.0, FINE_END, fine), *np.arange(FINE_END, COARSE_END + 1e-9, max(COARSE, fine))]
        edges = [edge for edge in edges if edge <= freqs[-1]]
        return np.array([*edges, max(float(freqs[-1]), edges[-1] + fine)])

    @property
    def time_edges(self) -> Array:
        """Edges of the steps of time."""
        n_steps = int(np.ceil(self.length / TIME_STEP - 1e-9))
        return np.arange(n_steps + 1, dtype=np.float64) * TIME_STEP

    @property
    def plane_times(self) -> Array:
        """Edges of the columns of the plane."""
        return np.arange(int(np.ceil(self.length / PLANE_STEP - 1e-9)) + 1, dtype=np.float64) * PLANE_STEP

    @property
    def n_times(self) -> int:
        """Samples of a signal on the page."""
        return min(self.dataset["signal"].shape[-1], round(self.length * SIGNAL_RATE))

    @cached_property
    def steps(self) -> Array:
        """The step in which each signal is told, in its unit: fine enough for its usual amplitude."""
        chosen = np.unique(np.linspace(0, self.n_epochs - 1, min(40, self.n_epochs)).astype(int))
        some = np.abs(self.dataset["signal"][chosen].values[:, self.signals].astype(np.float64))
        usual = np.quantile(some, 0.995, axis=(0, 2))
        return np.where(usual > 0, usual, 1.0) / SIGNAL_STEPS

    @cached_property
    def loudest(self) -> Array:
        """The largest power of each signal in its steps of frequency, in dB; power is told from there down."""
        return np.asarray(self.power.max(axis=(0, 2)))

    @cached_property
    def power(self) -> npt.NDArray[np.float32]:
        """Power of each signal in its steps of frequency, in dB: (epoch, signal, step)."""
        found = [self._power(slice(k, k + CHUNK)).astype(np.float32) for k in range(0, self.n_epochs, CHUNK)]
        return np.concatenate(found)

    def views(self) -> list[str]:
        """Which views there are."""
        return [name for name, view in VIEWS.items() if view in self.dataset]

    @property
    def context(self) -> str:
        """The name of the map of the neighbours; empty where there is none."""
        names = [name for name in ("context_map", "window_map") if name in self.dataset]
        there = names and self.dataset.sizes.get("context", 0) > 1
        return names[0] if there else ""

    def arrays(self, rows: slice) -> dict[str, npt.NDArray[Any]]:
        """What is packed of some epochs, by name; the first axis of each is that of the epochs."""
        found: dict[str, npt.NDArray[Any]] = {"facts": self._facts(rows), **self._bands(rows)}
        if "change_error" in self.dataset and "target_stage" in self.dataset.dims:
            pairs = self._read("change_error", rows).transpose("epoch", "target_stage", "other_stage", "channel_set")
            found["pair_errors"] = pairs.values.astype(np.float32)
        for name in self.views():
            found |= self._view(name, rows)
        if self.context:
            found |= self._context(rows)
        level = (self.power[rows] - self.loudest[:, None]) / DECIBEL + 255
        found["power"] = np.clip(np.rint(level), 0, 255).astype(np.uint8)
        if self.signal:
            recorded = self.dataset.variables["signal"][rows].values[:, self.signals]
            found["signal"] = as_differences(resampled(recorded, self.n_times) / self.steps[:, None])
        return found

    def chunks(self) -> Iterator[bytes]:
        """The epochs, so many at a time, one array after the other as `layout` says."""
        for start in range(0, self.n_epochs, CHUNK):
            arrays = self.arrays(slice(start, start + CHUNK))
            yield b"".join(np.ascontiguousarray(one).astype(one.dtype.newbyteorder("<")).tobytes()
                           for one in arrays.values())  # fmt: skip

    def layout(self) -> list[dict[str, Any]]:
        """Name, kind and shape, of one epoch, of the arrays of a chunk in their order."""
        one = self.arrays(slice(0, 1))
        return [{"name": name, "type": str(value.dtype), "shape": value.shape[1:]} for name, value in one.items()]

    @cached_property
    def _sizes(self) -> Array:
        """`tables.sizes` of all epochs."""
        return tables.sizes(self.dataset)

    @cached_property
    def _summed(self) -> xr.Dataset:
        """What sums over bands are taken from, alone: some epochs of a whole dataset are of some sixty variables."""
        return self.dataset[["band_view" if "band_view" in self.dataset else "frequency_view"]]

    def _read(self, name: str, rows: slice) -> xr.Variable:
        """A variable of some epochs, with an axis of targets where it is of one only; without coordinates, which take long."""
        own = self.dataset.variables[name][rows]
        return own if "target_stage" in own.dims else xr.Variable(("target_stage", *own.dims), own.values[None])

    def _of_sets(self, per_channel: Array) -> Array:
        """The largest of each channel set, (epoch, target, set), of what is of (epoch, target, channel)."""
        sets = range(self.dataset.sizes["channel_set"])
        return np.stack([per_channel[..., self.of == k].max(axis=-1) for k in sets], axis=-1)

    def _facts(self, rows: slice) -> npt.NDArray[np.float32]:
        """Score, score of the baseline, error of all bands together and of the change, (epoch, target, set, 4)."""
        order = ("epoch", "target_stage", "channel_set")
        score, baseline, gap = (
            self._read(n, rows).transpose(*order).values for n in ("score", "baseline_score", "gap")
        )
        size = self._sizes[rows]
        size = (
            np.diagonal(size, axis1=-2, axis2=-1).swapaxes(1, 2)
            if "target_stage" in self.dataset.dims
            else size[:, None]
        )
        own = self.dataset.variables["error"][rows].values[:, None] * size
        change = own
        if "change_error" in self.dataset:
            known = self.dataset.variables["change_error"][rows].values
            change = np.diagonal(known, axis1=-2, axis2=-1).swapaxes(1, 2) if known.ndim == 4 else known[:, None]
        every = np.maximum(own, np.nan_to_num(np.abs(gap)))
        return np.stack([score, baseline, every, change], axis=-1).astype(np.float32)

    def _bands(self, rows: slice) -> dict[str, npt.NDArray[Any]]:
        """Sums of the bands of `Bands`, with their errors, (epoch, target, channel, band)."""
        sums = tables.band_sums(self._summed.isel(epoch=rows), Bands())
        sums = sums if "target_stage" in self.dataset.dims else sums[:, None]
        errors = np.full(sums.shape, np.nan)
        if "band_error" in self.dataset:
            told = self._read("band_error", rows).transpose("epoch", "target_stage", "channel", "band")
            errors = told.values.astype(np.float64)
        largest = np.fmax(np.abs(sums), np.nan_to_num(errors)).max(axis=-1)
        scale = self._of_sets(largest).astype(np.float32)
        own_sums, own_errors = marked_sums(sums, errors, scale[..., self.of][..., None])
        return {"band_scale": scale, "bands": own_sums, "band_errors": own_errors}

    def _view(self, name: str, rows: slice) -> dict[str, npt.NDArray[Any]]:
        """A view in steps, (epoch, target, channel, ...), with the scale of each channel set."""
        own = self._read(VIEWS[name], rows).transpose("epoch", "target_stage", "channel", ...)
        last = self.dataset[str(own.dims[-1])].values
        if name != "plane":
            sums = in_steps(own.values, last, self.freq_edges if name == "frequency" else self.time_edges)
            scale = self._of_sets(np.abs(sums).max(axis=-1)).astype(np.float32)
            return {f"{name}_scale": scale, name: rounded(sums, scale[..., self.of][..., None].astype(np.float64))}
        freqs = self.dataset[str(own.dims[-2])].values
        shown = freqs < PLANE_EDGES[-1] - 1e-9
        rows_of = in_rows(own.values[..., : shown.sum(), :], freqs[shown], np.array(PLANE_EDGES))
        sums = in_steps(rows_of, last, self.plane_times)
        scale = self._of_sets(np.abs(sums).max(axis=(-1, -2))).astype(np.float32)
        return {"plane_scale": scale, "plane": as_bytes(sums, scale[..., self.of][..., None, None], PLANE_LEVELS)}

    def _context(self, rows: slice) -> dict[str, npt.NDArray[Any]]:
        """What each epoch of the window did, summed over channels: (epoch, target, set, offset, band)."""
        maps = self._read(self.context, rows).transpose("epoch", "target_stage", "channel", "context", "band").values
        sets = range(self.dataset.sizes["channel_set"])
        sums = np.stack([maps[:, :, self.of == k].sum(axis=2, dtype=np.float64) for k in sets], axis=2)
        scale = np.nan_to_num(np.abs(sums)).max(axis=(-1, -2)).astype(np.float32)
        return {"context_scale": scale, "context": as_bytes(sums, scale[..., None, None], LEVELS)}

    def _power(self, rows: slice) -> Array:
        """Power of each signal in its steps of frequency, in dB: the mean over the frequencies of a step."""
        own = self.dataset.variables["power"][rows]
        freqs, values = self.dataset[str(own.dims[-1])].values, own.values[:, self.signals]
        return as_decibels(in_steps(values, freqs, self.freq_edges), freqs, self.freq_edges)


def as_decibels(sums: Array, freqs: npt.NDArray[Any], edges: Array) -> Array:
    """Sums of power over steps as the level of their mean, in dB re 1 µV²/Hz; a step without a frequency has the lowest."""
    count = in_steps(np.ones(len(freqs)), freqs, edges)
    mean = np.divide(sums, count, out=np.zeros_like(sums), where=count > 0)
    return np.asarray(10 * np.log10(np.maximum(mean, 1e-12)))
