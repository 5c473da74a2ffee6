"""One result as a cohort has it: means over its epochs by stage, channel and band, and per Hz, with their own errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.agreement import cohens_kappa
from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.intervals import block_error, blocks_of
from eegflex.results.marks import cell_errors, error_of_all, mean_error
from eegflex.results.resolution import bin_widths
from eegflex.results.trust import has_evidence, judge
from eegflex.scores import consensus

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["LAYOUT", "TOTAL", "WIDTH", "Summary", "summarise"]

#: What a summary holds: another number makes that recordings are done again.
LAYOUT = 2

#: Spectra of a cohort are means over so many Hz.
WIDTH = 0.5
#: The sum over all bands, and what lies outside them.
TOTAL = "total"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Summary:
    """Means over the epochs of one recording.

    Attributes
    ----------
    recording : dict
        What `Cohort.recordings` says of it: kappa, disagreement and numbers of epochs.
    stages : list of dict
        What `Cohort.stages` says of each of the stager's stages.
    names : tuple of str
        The stages.
    channels, bands : tuple of str
        Channels of the attributions; names of the bands and of what lies outside them, then ``"total"``.
    n_epochs : array of int, shape (n_stages, n_channels)
        Epochs that the means are of.
    mean, error : array, shape (n_stages, n_channels, n_bands)
        The mean attribution and its standard error, in the unit of the score; NaN where there is none.
    n_agreed, mean_agreed, error_agreed : array
        The same of those epochs on which stager and scorer agree; no epochs where nobody scored.
    freqs : array, shape (n_freqs,)
        Middles of the bins, in Hz; none where the method attributes to whole bands.
    score : str
        What the stager returns, in whose unit all this is: logits, log_probs or probs.
    spectra : array of float32, shape (3, n_stages, n_channels, n_freqs)
        The mean attribution per Hz, its standard error, and the mean over epochs on which stager and scorer agree.
    """

    recording: dict[str, Any]
    stages: list[dict[str, Any]]
    names: tuple[str, ...]
    channels: tuple[str, ...]
    bands: tuple[str, ...]
    n_epochs: npt.NDArray[np.int64]
    mean: Array
    error: Array
    n_agreed: npt.NDArray[np.int64]
    mean_agreed: Array
    error_agreed: Array
    freqs: Array
    score: str
    spectra: npt.NDArray[np.float32]


def summarise(result: FlexResult) -> Summary:
    """Reduce the result of one recording to means over its epochs.

    An epoch has one stage, and counts with the channels that explain that stage, as everywhere (`tables.counted_labels`). The
    standard error of a mean is of its epochs, taken ten minutes at a time since neighbours are alike (the jackknife over such
    blocks; NaN where there is but one), and, in quadrature, of what is not known of the epochs' attributions themselves.
    Within a band, that is taken to lie where the attribution does.
    """
    data = result.for_target().data
    names, channels = _words(data, "stage_name"), _words(data, "channel")
    labels = tables.counted_labels(data, "predicted")
    agreed = np.where(labels == tables.epoch_stages(data, "scored")[:, None], labels, "")
    blocks = blocks_of(data["onset"].values, data["recording"].values)
    sums, unknown = tables.band_sums(data, Bands()), cell_errors(data, Bands())
    spectra, of_bands, freqs = _per_hz(data)
    spectral_unknown = _shared_out(spectra, unknown, of_bands)
    together = np.minimum(unknown.sum(axis=-1), error_of_all(data))[..., None]
    sums = np.concatenate([sums, sums.sum(axis=-1, keepdims=True)], axis=-1)
    unknown = np.concatenate([unknown, together], axis=-1)

    def told(of: npt.NDArray[np.str_], values: Array, errors: Array) -> tuple[Array, Array]:
        found = [
            [
                _mean(values[own, place], errors[own, place], blocks[own])
                for place in range(len(channels))
                for own in [of[:, place] == stage]
            ]
            for stage in names
        ]
        means, its_errors = np.moveaxis(np.array(found, dtype=np.float64), 2, 0)
        return means, its_errors

    mean, error = told(labels, sums, unknown)
    mean_agreed, error_agreed = told(agreed, sums, unknown)
    per_hz, per_hz_error = told(labels, spectra, spectral_unknown)
    return Summary(
        recording=_recording(data),
        stages=_stages(data, names),
        names=names,
        channels=channels,
        bands=(*Bands().names, TOTAL),
        n_epochs=_counts(labels, names),
        mean=mean,
        error=error,
        n_agreed=_counts(agreed, names),
        mean_agreed=mean_agreed,
        error_agreed=error_agreed,
        freqs=freqs,
        score=tables.score_kind(data),
        spectra=np.stack((per_hz, per_hz_error, told(agreed, spectra, spectral_unknown)[0])).astype(np.float32),
    )


def _words(data: xr.Dataset, name: str) -> tuple[str, ...]:
    return tuple(data[name].values.astype(str).tolist())


def _counts(labels: npt.NDArray[np.str_], names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    return np.array([(labels == stage).sum(axis=0) for stage in names], dtype=np.int64)


def _mean(values: Array, errors: Array, blocks: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    """The mean over epochs, and its standard error; NaN of none."""
    if not len(values):
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing
    unknown = np.nan_to_num(mean_error(errors, np.ones(len(values))))
    return values.mean(axis=0), np.hypot(block_error(values, blocks), unknown)


def _per_hz(data: xr.Dataset) -> tuple[Array, npt.NDArray[np.integer[Any]], Array]:
    """Attributions per Hz, (n_epochs, n_channels, n_freqs), the band that each frequency is in, and the frequencies."""
    shape = (data.sizes["epoch"], data.sizes["channel"])
    if "frequency_view" not in data:
        return np.zeros((*shape, 0)), np.zeros(0, dtype=np.intp), np.zeros(0)
    freqs, widths = data["freq"].values.astype(np.float64), bin_widths(data)
    of = np.floor(freqs / WIDTH + 1e-9).astype(np.intp)
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    wide = np.add.reduceat(widths, starts)
    keep = wide > WIDTH / 2  # the last may be the half of a bin at Nyquist
    sums = tables.reduced(
        data["frequency_view"].transpose("epoch", "channel", "freq"),
        lambda values: np.add.reduceat(values.astype(np.float64), starts, axis=-1),
    )
    middles = (of[starts] + 0.5) * WIDTH
    return (sums / wide)[..., keep], np.asarray(Bands().masks(middles[keep]).argmax(axis=0)), np.asarray(middles[keep])


def _shared_out(spectra: Array, unknown: Array, of_bands: npt.NDArray[np.integer[Any]]) -> Array:
    """What is not known of a band, as errors per Hz: where the attribution is."""
    size = np.abs(spectra)
    found = np.zeros_like(size)
    for place in np.unique(of_bands):
        own = of_bands == place
        total = size[..., own].sum(axis=-1, keepdims=True) * WIDTH
        found[..., own] = unknown[..., place, None] * np.divide(
            size[..., own], total, out=np.zeros_like(size[..., own]), where=total > 0
        )
    return found


def _recording(data: xr.Dataset) -> dict[str, Any]:
    agreement, found = tables.agreement(data), judge(data) if has_evidence(data) else None
    return {
        "kappa": float("nan") if agreement is None else float(agreement[0]),
        "disagreement": _disagreement(data),
        "n_epochs": int(data.sizes["night"]),
        "n_explained": int(data.sizes["epoch"]),
        "n_trusted": -1 if found is None else int(found.epochs.sum()),
        "n_tested": 0 if found is None else int(found.tested.sum()),
    }


def _disagreement(data: xr.Dataset) -> float:
    """Share of the night's epochs to which channel sets give different stages; NaN where there is but one."""
    scores, kind = data["night_scores"].values, tables.score_kind(data)
    sound = tables.night_stages(data)[1] != ""
    if scores.shape[1] < 2 or not sound.any():
        return float("nan")
    own = np.stack([consensus(one[:, None], kind) for one in scores[sound].swapaxes(0, 1)], axis=1)
    return float((own != own[:, :1]).any(axis=1).mean())


def _stages(data: xr.Dataset, names: tuple[str, ...]) -> list[dict[str, Any]]:
    counts = tables.night_confusion(data)
    scored, predicted = data["night_stage"].values.astype(str), tables.night_stages(data)[1]
    explained = tables.epoch_stages(data, "predicted")
    found = judge(data) if has_evidence(data) else None
    return [
        {
            "stage": stage,
            "n_scored": int((scored == stage).sum()),
            "n_predicted": int((predicted == stage).sum()),
            "n_explained": int((explained == stage).sum()),
            "n_trusted": -1 if found is None else int((found.epochs & (explained == stage)).sum()),
            "n_tested": 0 if found is None else int((found.tested & (explained == stage)).sum()),
            "kappa": cohens_kappa(_one_against_all(counts, place)),
        }
        for place, stage in enumerate(names)
    ]


def _one_against_all(counts: npt.NDArray[np.int64], place: int) -> npt.NDArray[np.int64]:
    both, scored, predicted = counts[place, place], counts[place].sum(), counts[:, place].sum()
    rest = counts.sum() - scored - predicted + both
    return np.array([[both, scored - both], [predicted - both, rest]])
