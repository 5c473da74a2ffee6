"""Front ends: the spectrogram that a stager is given in the place of the signal, in torch, so that gradients pass through."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.errors import ModelError, SpecError
from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.spectrogram import RECORDING, SpectrogramSpec, bins_of, samples, window_of
from eegflex.stagers.tables import read_table

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["Front", "front_of"]

Array = npt.NDArray[np.float64]

#: Epochs whose statistics are taken at once.
_AT_ONCE = 32
#: Spectrograms of a night are kept that are so many times as large as the signal at most.
_LARGER = 4
#: An sd below this share of the largest is none: the bin is as good as constant.
_CONSTANT = 1e-9


@dataclass(frozen=True, eq=False)
class Front:
    """What makes a spectrogram of canonical windows.

    Attributes
    ----------
    spec : SpectrogramSpec
        Its words.
    sfreq : float
        Rate of the signal in Hz.
    folder : Path or None
        Where the files lie that its words name.
    window : array, shape (n_length,)
        The taper.
    bins : slice
        Frequencies that are kept.
    frequencies : array, shape (n_bins,)
        These, in Hz.
    gain : array, shape (n_bins,)
        What ``|X|**2``, or ``|X|``, is multiplied with.
    bank : array or None
        The filter bank, shape (n_bins, n_bands) or (n_channels, n_bins, n_bands).
    mean, sd : array or None
        What is subtracted and divided by, shape (n_channels or 1, n_windows or 1, n_bands).
    """

    spec: SpectrogramSpec
    sfreq: float
    folder: Path | None
    window: Array = field(repr=False)
    bins: slice = field(repr=False)
    frequencies: Array = field(repr=False)
    gain: Array = field(repr=False)
    bank: Array | None = field(default=None, repr=False)
    mean: Array | None = field(default=None, repr=False)
    sd: Array | None = field(default=None, repr=False)
    _made: dict[Any, dict[str, torch.Tensor]] = field(default_factory=dict, init=False, repr=False)

    @property
    def recorded(self) -> tuple[str, ...]:
        """Which of its statistics are those of the recording."""
        return tuple(name for name in ("mean", "sd") if getattr(self.spec, name) == RECORDING)

    @property
    def waits(self) -> bool:
        """Whether it has no statistics of a recording yet."""
        return any(getattr(self, name) is None for name in self.recorded)

    @property
    def is_small(self) -> bool:
        """Whether its spectrogram is hardly larger than the signal, so that one of each epoch of a night can be kept."""
        bands = len(self.gain) if self.bank is None else self.bank.shape[-1]
        return bands <= _LARGER * samples(self.spec, self.sfreq)[1]

    @property
    def digest(self) -> str:
        """SHA-256 of the numbers that it was given in files; empty for none."""
        given = {"bank": self.bank} | {n: getattr(self, n) for n in ("mean", "sd") if n not in self.recorded}
        arrays = {name: array for name, array in given.items() if array is not None}
        found = hashlib.sha256()
        for name, array in arrays.items():
            found.update(f"{name} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest() if arrays else ""

    def __call__(self, signals: torch.Tensor, members: Sequence[int] | None = None) -> torch.Tensor:
        """Spectrogram of signals, (..., channel, time) -> (..., channel, window, frequency).

        Parameters
        ----------
        signals : Tensor
            Epochs.
        members : sequence of int | None
            Which channels of the recording they are, where they are not all of them.

        Raises
        ------
        ModelError
            If the epochs are too short, or it waits for the statistics of a recording.
        SpecError
            If the numbers of its files are of other channels or windows.
        """
        if self.waits:
            raise ModelError(
                f"The {' and '.join(self.recorded)} of the spectrogram are those of a recording, and there is none yet",
                remedy="Stage a recording with it: stage_epochs, attribute_epochs or check_model",
            )
        given = self._tensors(signals)
        values = self._values(signals, given)
        for name, apply in (("mean", torch.sub), ("sd", torch.div)):
            if name in given:
                own = given[name]
                if members is not None and name in self.recorded:
                    own = own[list(members)]
                values = apply(values, self._fitting(own, values, name))
        return values.to(signals.dtype)

    def before_statistics(self, signals: torch.Tensor) -> torch.Tensor:
        """The same without clip, mean and sd: what these are of."""
        return self._powers(signals, self._tensors(signals))

    def fitted(self, segments: Segments) -> Front:
        """The same with the statistics of a recording, where it asks for them: constants from here on."""
        if not self.recorded:
            return self
        sound = np.flatnonzero(segments.fault == "") if len(segments.fault) else np.arange(len(segments))
        sound = sound if len(sound) else np.arange(len(segments))
        total, squares, n = 0.0, 0.0, 0
        for start in range(0, len(sound), _AT_ONCE):
            part = torch.from_numpy(segments.signals[sound[start : start + _AT_ONCE]]).double()
            values = self._values(part, self._tensors(part)).numpy()
            if n == 0:
                shift = values.mean(axis=(0, 2), keepdims=True)  # so that no digits are lost in the squares
            n += values.shape[0] * values.shape[2]
            total = total + (values - shift).sum(axis=(0, 2))
            squares = squares + np.square(values - shift).sum(axis=(0, 2))
        mean = total / n
        sd = np.sqrt(np.maximum(squares / n - np.square(mean), 0.0))
        sd = np.where(sd > _CONSTANT * max(float(sd.max()), 1e-30), sd, 1.0)  # what never changes stays as it is
        found = {"mean": (shift[0, :, 0] + mean)[:, None], "sd": sd[:, None]}
        return replace(self, **{name: found[name] for name in self.recorded})

    def of_channels(self, channels: Sequence[int]) -> Front:
        """The same for some of the channels of the recording that it was fitted to."""
        own = {name: getattr(self, name)[list(channels)] for name in self.recorded}
        return replace(self, **own) if own else self

    def _values(self, signals: torch.Tensor, given: dict[str, torch.Tensor]) -> torch.Tensor:
        values = self._powers(signals, given)
        return values if self.spec.clip is None else values.clamp(*self.spec.clip)

    def _powers(self, signals: torch.Tensor, given: dict[str, torch.Tensor]) -> torch.Tensor:
        """Up to the logarithm."""
        length, hop, n_fft = samples(self.spec, self.sfreq)
        signals = self._padded(signals.to(given["window"].dtype), length)
        if signals.shape[-1] < length:
            raise ModelError(
                "An epoch is shorter than a window of the spectrogram",
                seen=f"{signals.shape[-1]} samples, {length} in a window",
                remedy="Correct length of the spec's [input.spectrogram], or n_times and sfreq",
            )
        frames = signals.unfold(-1, length, hop)
        if "trend" in given:
            frames = frames - (frames @ given["trend"]) @ given["trend"].T
        spectrum = torch.fft.rfft(frames * given["window"], n=n_fft)[..., self.bins]
        if self.spec.scaling == "magnitude":
            powers = spectrum.abs() * given["gain"]
        else:
            powers = (spectrum.real.square() + spectrum.imag.square()) * given["gain"]
        if "bank" in given:
            powers = powers @ self._of_bank(given["bank"], powers)
        log = self.spec.log
        return powers if log is None else log.factor * torch.log10(powers + log.floor)

    def _padded(self, signals: torch.Tensor, length: int) -> torch.Tensor:
        if self.spec.pad == "none":
            return signals
        mode = {"zeros": "constant", "reflect": "reflect"}[self.spec.pad]
        if mode == "reflect" and signals.shape[-1] <= length // 2:
            return signals[..., :0]  # too short, as is said below
        flat = signals.reshape(1, -1, signals.shape[-1])
        padded = torch.nn.functional.pad(flat, (length // 2, length // 2), mode=mode)
        return padded.reshape(*signals.shape[:-1], padded.shape[-1])

    def _of_bank(self, bank: torch.Tensor, powers: torch.Tensor) -> torch.Tensor:
        if bank.ndim == 3 and len(bank) != powers.shape[-3]:
            raise _other_shape("filterbank", tuple(bank.shape), powers)
        return bank

    def _fitting(self, own: torch.Tensor, values: torch.Tensor, name: str) -> torch.Tensor:
        if any(size not in (1, there) for size, there in zip(own.shape[:-1], values.shape[-3:-1], strict=True)):
            raise _other_shape(name, tuple(own.shape), values)
        return own

    def _tensors(self, like: torch.Tensor) -> dict[str, torch.Tensor]:
        """Its numbers as tensors, where and as precisely as it computes: in single precision at least."""
        precise = like.is_floating_point() and torch.finfo(like.dtype).bits >= 32
        key = (like.device, like.dtype if precise else torch.float32)
        if key not in self._made:
            trend = _TRENDS[self.spec.detrend](len(self.window))
            arrays = {name: getattr(self, name) for name in ("window", "gain", "bank", "mean", "sd")} | {"trend": trend}
            self._made[key] = {
                name: torch.as_tensor(array, dtype=key[1], device=key[0])
                for name, array in arrays.items()
                if array is not None
            }
        return self._made[key]


def front_of(spec: ModelSpec, folder: Path | None = None) -> Front | None:
    """The front end of a spec; none, where the stager is given the signal.

    Parameters
    ----------
    spec : ModelSpec
        The contract.
    folder : Path | None
        Where the files lie that it names.

    Raises
    ------
    SpecError
        If a file is not there, damaged, or of another shape than the spectrogram.
    """
    words, sfreq = spec.spectrogram, spec.sfreq
    if words is None or sfreq is None:
        return None
    window = window_of(words, sfreq)
    frequencies, bins = bins_of(words, sfreq)
    gain = _gain(words, sfreq, window, len(frequencies))[bins]
    n_bins = len(gain)
    bank = _bank(words, n_bins, folder)
    n_bands = n_bins if bank is None else bank.shape[-1]
    found = {name: _statistic(words, name, n_bands, folder) for name in ("mean", "sd")}
    return Front(words, sfreq, folder, window, bins, frequencies[bins], gain, bank, **found)


def _gain(words: SpectrogramSpec, sfreq: float, window: Array, n_bins: int) -> Array:
    """What the squared spectrum is multiplied with; of one side, so that all but silence at 0 and half the rate count twice."""
    if words.scaling in ("power", "magnitude"):
        return np.ones(n_bins)
    whole = np.square(window).sum() * sfreq if words.scaling == "psd" else window.sum() ** 2
    if not whole > 0:
        raise SpecError("The spec's [input.spectrogram] window sums to zero, and has no scaling", seen=words.scaling)
    sides = np.full(n_bins, 2.0)
    sides[0] = 1.0
    if samples(words, sfreq)[2] % 2 == 0:
        sides[-1] = 1.0
    found: Array = sides / whole
    return found


def _bank(words: SpectrogramSpec, n_bins: int, folder: Path | None) -> Array | None:
    if not words.filterbank:
        return None
    bank = read_table(words.filterbank, "filterbank", folder)
    if bank.ndim not in (2, 3) or n_bins not in bank.shape[-2:]:
        raise SpecError(
            "The spec's [input.spectrogram] filterbank is of another shape",
            seen=f"{words.filterbank}: {bank.shape}",
            allowed=f"({n_bins} frequencies, bands), its transpose, or one for each channel",
        )
    bank = bank if bank.shape[-2] == n_bins else bank.swapaxes(-1, -2)
    if words.log is not None and bank.min() < 0:
        raise SpecError(
            "The spec's [input.spectrogram] filterbank has numbers below zero, and negative powers have no logarithm",
            seen=float(bank.min()),
        )
    return bank


def _statistic(words: SpectrogramSpec, name: str, n_bands: int, folder: Path | None) -> Array | None:
    given = getattr(words, name)
    if given in ("", RECORDING):
        return None
    numbers = np.array(given, dtype=np.float64) if isinstance(given, tuple) else read_table(given, name, folder)
    if not 1 <= numbers.ndim <= 3 or numbers.shape[-1] != n_bands:
        raise SpecError(
            f"The spec's [input.spectrogram] {name} is of another shape than the spectrogram",
            seen=numbers.shape,
            allowed=f"({n_bands},), (channels, {n_bands}) or (channels, windows, {n_bands}), for {n_bands} frequencies",
        )
    if name == "sd" and not numbers.min() > 0:
        raise SpecError(
            "The spec's [input.spectrogram] sd has numbers that are not above zero",
            seen=f"{numbers.min():g}, in {int((numbers <= 0).sum())} of {numbers.size}",
            remedy="Leave out frequencies that never change with fmin and fmax, or put 1 in their place",
        )
    return numbers.reshape(*({1: (1, 1), 2: (len(numbers), 1)}.get(numbers.ndim, numbers.shape[:2])), n_bands)


def _other_shape(name: str, shape: tuple[int, ...], values: torch.Tensor) -> SpecError:
    return SpecError(
        f"The spec's [input.spectrogram] {name} is not for these channels and windows",
        seen=f"{shape} for {values.shape[-3]} channels and {values.shape[-2]} windows",
        remedy="Give one for all of them, or correct the channels, length and hop of the spec",
    )


def _line(length: int) -> Array:
    """Two columns of length one that span all lines."""
    columns: Array = np.linalg.qr(np.column_stack([np.ones(length), np.arange(length) - (length - 1) / 2]))[0]
    return columns


#: What is taken from each window, as columns of length one that are at right angles, shape (n_length, n).
_TRENDS = {
    "none": lambda length: None,
    "constant": lambda length: np.full((length, 1), length**-0.5),
    "linear": _line,
}
