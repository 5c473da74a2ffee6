"""Frequencies at which a stager has nothing to read: the mains, what filters took away, and images of resampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from scipy.signal import freqz
from scipy.signal.windows import hann

from eegflex.preprocessing.segments import Segments
from eegflex.spec.model_spec import ModelSpec

__all__ = ["Region", "regions_of"]

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

#: Types of channels that scorers of sleep look at.
SLEEP = ("eeg", "eog", "emg")
#: Where nobody says what the mains are, in Hz; harmonics that are looked for; how far the mains and their harmonics wander, and
#: from how far the neighbours are that tell what is ordinary there.
MAINS, HARMONICS, WIDTH, NEAR = (50.0, 60.0), 4, 0.5, 2.0
#: An alias is believed where so large a share of the epochs has a line there: so large a share of the power about it in the few
#: bins that a line has when it is tapered. Rhythms come in bursts, and are broader.
PEAK_EPOCHS, PEAK, TAPERED = 0.05, 0.7, 4
#: A filter took away that of which less than a tenth of the power passes: more does on its slopes, and is read there rightly.
PASSES = 10**-0.5
#: Of filters of which only the corner is known, in the recording's header, that is taken to be so far beyond it: a tenth of the
#: power passes a high-pass of first order, and a low-pass of fourth order.
BELOW_CORNER, ABOVE_CORNER = 1 / 3, 1.32
#: Rates in Hz at which polysomnograms are recorded, and that may have been raised.
RATES = (16.0, 20.0, 25.0, 32.0, 40.0, 50.0, 64.0, 75.0, 80.0, 100.0, 125.0, 128.0, 160.0, 200.0, 250.0, 256.0)
#: Mean coherence with the mirrored spectrum from which on it is an image; power that is so much less than 2 Hz below is none.
MIRRORED, EMPTY = 0.6, 1e-6
#: Epochs whose spectra are looked at.
N_EPOCHS = 48


@dataclass(frozen=True, eq=False)
class Region:
    """Where in the spectrum a stager should read nothing.

    Attributes
    ----------
    mask : array of bool, shape (n_channels, n_freqs)
        By channel of the segments; nothing where there is no such frequency.
    near : array of bool, shape (n_channels, n_freqs) | None
        Its neighbours, which tell what is ordinary there. None where all that is read there is too much.
    where : str
        What it is, in words; empty where it cannot be said.
    why : str
        Why it cannot be said.
    """

    mask: Mask
    near: Mask | None = None
    where: str = ""
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether it can be said what it is."""
        return not self.why

    def share(self, values: Array, channels: Sequence[int]) -> tuple[float, float]:
        """Share of absolute attributions, shape (n_channels, n_freqs), that lies there, and what chance puts there.

        Chance is what the neighbours have; without any, an even distribution over frequencies.
        """
        size, mask = np.abs(values), self.mask[list(channels)]
        total = float(size.sum())
        if not self.known or not total > 0:
            return np.nan, np.nan
        if self.near is None:
            return float(size[mask].sum()) / total, float(mask.mean())
        near = self.near[list(channels)]
        around = (size * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
        return float(size[mask].sum()) / total, float((around * mask.sum(axis=1)).sum()) / total


def regions_of(segments: Segments, spec: ModelSpec, info: mne.Info) -> dict[str, Region]:
    """The frequencies at which there is nothing to read, by what is wrong with them.

    Parameters
    ----------
    segments : Segments
        The recording as the stager is given it.
    spec : ModelSpec
        The stager's contract.
    info : mne.Info
        The recording's: its mains, and the filters that it has been through.
    """
    freqs = np.asarray(np.fft.rfftfreq(segments.signals.shape[-1], 1 / segments.sfreq), dtype=np.float64)
    spectra = _spectra(segments)
    low, high = _passed(segments, spec, freqs)
    open_ = ~(low | high)
    return {
        "line": _line(segments, info, freqs, np.abs(spectra) ** 2),
        "below": _beyond(low, _asked(segments, spec, "l_freq"), float(info["highpass"]), freqs, below=True),
        "above": _beyond(high, _asked(segments, spec, "h_freq"), _lowpass(info), freqs, below=False),
        "images": _images(segments, freqs, spectra, open_),
        "channel": _channels(segments, spec, len(freqs)),
    }


def _spectra(segments: Segments) -> npt.NDArray[np.complex128]:
    """Tapered spectra of sound epochs, spread over the recording, shape (n_epochs, n_channels, n_freqs)."""
    sound = np.flatnonzero(segments.fault == "") if len(segments.fault) else np.arange(len(segments))
    chosen = sound[np.unique(np.linspace(0, len(sound) - 1, min(N_EPOCHS, len(sound))).astype(int))]
    signals = segments.signals[chosen].astype(np.float64)
    taper = hann(signals.shape[-1], sym=False)
    return np.asarray(np.fft.rfft((signals - signals.mean(axis=-1, keepdims=True)) * taper))


# -- channels


def _channels(segments: Segments, spec: ModelSpec, n_freqs: int) -> Region:
    """Channels that show no sleep, and that the stager does not ask for."""
    wanted = {*SLEEP, *(kind for channel in spec.channels for kind in channel.types)}
    odd = np.array([kind not in wanted for kind in segments.ch_types])
    mask = np.repeat(odd[:, None], n_freqs, axis=1)
    named = [
        f"{name} ({kind})"
        for name, kind in zip(segments.ch_names, segments.ch_types, strict=True)
        if kind not in wanted
    ]
    if odd.all():
        return Region(mask, why="no channel is typed as EEG, EOG or EMG")
    return Region(mask, where=", ".join(named) or "nowhere: its channels are EEG, EOG, EMG, or what the model asks for")


# -- filters


def _filters(segments: Segments) -> list[dict[str, Any]]:
    """What was filtered, for each channel, as the preparation noted it."""
    noted = segments.notes.get("filter") or {}
    own = [noted.get(name, noted) for name in segments.ch_names]
    return [one if isinstance(one, dict) and "l_freq" in one else {} for one in own]


def _asked(segments: Segments, spec: ModelSpec, edge: str) -> list[float | None]:
    """The edge that is asked for of each channel."""
    passed = segments.passed or (None,) * len(segments.ch_names)
    return [getattr(own or spec.filter, edge) for own in passed]


def _passed(segments: Segments, spec: ModelSpec, freqs: Array) -> tuple[Mask, Mask]:
    """What the preparation's filter took away, below and above, each of shape (n_channels, n_freqs)."""
    low, high = (np.zeros((len(segments.ch_names), len(freqs)), dtype=bool) for _ in range(2))
    for place, one in enumerate(_filters(segments)):
        l_freq, h_freq = one.get("l_freq"), one.get("h_freq")
        if l_freq is None and h_freq is None:
            continue
        rate = float(segments.notes["sfreq_recorded"])
        taps = mne.filter.create_filter(None, rate, l_freq, h_freq, verbose="error")
        gone = np.abs(freqz(taps, worN=freqs, fs=rate)[1]) < PASSES
        low[place] = gone & (freqs < (l_freq or 0))
        high[place] = gone & (freqs > (np.inf if h_freq is None else h_freq))
    return low, high


def _lowpass(info: mne.Info) -> float:
    """The recording's low-pass, as far as it is one: half the rate is none."""
    lowpass = float(info["lowpass"])
    return lowpass if lowpass < 0.99 * float(info["sfreq"]) / 2 else np.inf


def _beyond(filtered: Mask, asked: Sequence[float | None], recorded: float, freqs: Array, *, below: bool) -> Region:
    """What lies beyond an edge of the filters, the preparation's and the recording's."""
    name = "high-pass" if below else "low-pass"
    corner = recorded * (BELOW_CORNER if below else ABOVE_CORNER)
    lost = freqs < corner if below else freqs > corner
    mask = filtered | lost
    edges = [
        f"the {name} of {edge:g} Hz that the model requires" for edge in sorted({e for e in asked if e is not None})
    ]
    edges += [f"the {name} of {recorded:g} Hz that the recording states"] if 0 < recorded < np.inf else []
    if not edges:
        return Region(mask, why=f"neither the model's spec nor the recording states a {name}")
    if not mask.any():
        return Region(mask, where=f"beyond {' and '.join(edges)}, where no frequency of the model is")
    edge = freqs[mask.any(axis=0)].max() if below else freqs[mask.any(axis=0)].min()
    side = "up to" if below else "from"
    return Region(
        mask, where=f"{side} {edge:.3g} Hz, where {' and '.join(edges)} passes less than a tenth of the power"
    )


# -- the mains


def _folded(freq: float, rate: float) -> float:
    """Where a frequency is seen that is sampled at a rate."""
    return abs(freq - rate * round(freq / rate))


def _line(segments: Segments, info: mne.Info, freqs: Array, power: Array) -> Region:
    """The mains, their harmonics, and aliases of these that are seen as peaks."""
    mains = (float(info["line_freq"]),) if info.get("line_freq") else MAINS
    nyquist, step = segments.sfreq / 2, freqs[1]
    places: list[set[float]] = []
    for place, name in enumerate(segments.ch_names):
        native = float(segments.notes.get("sfreq_native", {}).get(name, segments.notes.get("sfreq_recorded", np.inf)))
        found = set()
        for harmonic in (base * n for base in mains for n in range(1, HARMONICS + 1)):
            if harmonic <= min(native / 2, nyquist + step):
                found.add(harmonic)
                continue
            seen = {round(_folded(harmonic, rate), 6) for rate in (native, segments.sfreq) if np.isfinite(rate)}
            found |= {one for one in seen if WIDTH < one <= nyquist and _is_peak(power[:, place], freqs, one)}
        places.append(found)
    every = sorted(set().union(*places))
    mask = np.stack([_around(freqs, own, WIDTH) for own in places])
    near = np.stack([_around(freqs, own, NEAR) for own in places]) & ~mask
    if not every:
        return Region(
            mask, near, where=f"the mains ({' or '.join(f'{one:g}' for one in mains)} Hz), which the model cannot see"
        )
    return Region(
        mask, near, where=f"{', '.join(f'{one:g}' for one in every)} Hz, the mains, their harmonics and aliases"
    )


def _around(freqs: Array, centres: set[float], width: float) -> Mask:
    found: Mask = np.logical_or.reduce(
        [np.zeros(len(freqs), dtype=bool), *(np.abs(freqs - one) <= width for one in centres)]
    )
    return found


def _is_peak(power: Array, freqs: Array, centre: float) -> bool:
    """Whether enough epochs have a line about a frequency, and no rhythm: power has shape (n_epochs, n_freqs)."""
    own = power[:, _around(freqs, {centre}, WIDTH)]
    if own.shape[1] < 2 * TAPERED:
        return False
    sums = np.lib.stride_tricks.sliding_window_view(own, TAPERED, axis=1).sum(axis=-1)
    return bool((sums.max(axis=1) > PEAK * np.maximum(own.sum(axis=1), 1e-300)).mean() >= PEAK_EPOCHS)


# -- images


def _images(segments: Segments, freqs: Array, spectra: npt.NDArray[np.complex128], open_: Mask) -> Region:
    """What lies above the highest frequency that was recorded: mirrored copies of what lies below it, or nothing."""
    mask, said = np.zeros((len(segments.ch_names), len(freqs)), dtype=bool), set()
    for place in range(len(segments.ch_names)):
        for edge, words in _edges(spectra[:, place], freqs, open_[place]):
            mask[place] |= freqs > edge
            said.add(words)
    if not said:
        return Region(mask, where="nowhere: there is neither a mirrored spectrum of a lower rate nor an empty one")
    return Region(mask, where="; ".join(sorted(said)))


def _edges(spectra: npt.NDArray[np.complex128], freqs: Array, open_: Mask) -> Iterator[tuple[float, str]]:
    if len(spectra) < N_EPOCHS // 4:
        return
    for rate in RATES:
        if rate / 2 < freqs[-1] - 2 and _mirrored(spectra, freqs, rate, open_) > MIRRORED:
            yield rate / 2, f"from {rate / 2:g} Hz, a mirrored copy of what lies below"
            break
    edge = _empty_from(np.median(np.abs(spectra) ** 2, axis=0), freqs, open_)
    if edge is not None:
        yield edge, f"from {edge:g} Hz, where nothing was recorded"


def _mirrored(spectra: npt.NDArray[np.complex128], freqs: Array, rate: float, open_: Mask) -> float:
    """Mean coherence of the spectrum above half a rate with the conjugate of that below, mirrored."""
    n_rate = rate / freqs[1]
    if abs(n_rate - round(n_rate)) > 1e-6:
        return 0.0
    above = np.arange(round(n_rate / 2 + 0.5 / freqs[1]), min(round(n_rate - 0.5 / freqs[1]), len(freqs) - 1))
    above = above[open_[above] & open_[round(n_rate) - above]]
    if len(above) * freqs[1] < 1.0:
        return 0.0
    one, other = spectra[:, above], spectra[:, round(n_rate) - above]
    sizes = np.sqrt((np.abs(one) ** 2).sum(axis=0) * (np.abs(other) ** 2).sum(axis=0))
    return float(np.mean(np.abs((one * other).sum(axis=0)) / np.maximum(sizes, 1e-300)))


def _empty_from(power: Array, freqs: Array, open_: Mask) -> float | None:
    """The whole Hz from which on there is no power; None where there is to the end."""
    hertz = np.floor(freqs).astype(int)
    kept = np.unique(hertz[open_])[:-1]  # the last one may be a part
    levels = np.array([np.median(power[open_ & (hertz == one)]) for one in kept])
    for place in range(2, len(kept)):
        if (levels[place:] < EMPTY * levels[place - 2]).all():
            return float(kept[place])
    return None
