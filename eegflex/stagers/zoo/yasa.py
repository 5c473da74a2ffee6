"""YASA's staging (extra ``yasa``): gradient-boosted trees on features of a night, a black box for the forward-only methods.

A stage depends on the features of its epoch, on their averages over the minutes around it, and on how these compare with
the night's. To score a variant of an epoch, YASA's own code computes the features of that epoch; its neighbours' features,
the centre and the width of the night's smoothed features, and the time of night stay as recorded. As recorded, the scores
are YASA's own. Off the recording three things are left out, all of them small: that a changed epoch would shift the scale
that a thousand epochs share; that the 0.4 Hz filter, applied before anything is varied, would carry a change four seconds
into the neighbours; and what the neighbours' own stages would become, which are not explained.
"""

from __future__ import annotations

import importlib.util
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import numpy.typing as npt
import torch

from eegflex.errors import MissingExtraError, ModelError
from eegflex.spec.published import load_spec
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.stagers.windows import Length, cut_windows

if TYPE_CHECKING:
    import pandas as pd

    from eegflex.preprocessing.segments import Segments

__all__ = ["YASA", "load_yasa"]

#: What YASA calls its stages, and what they are called here.
_STAGES = {"W": "W", "N1": "N1", "N2": "N2", "N3": "N3", "R": "REM"}
#: Endings of the names of smoothed features, and the epochs that are averaged: with a triangle around the epoch, and evenly
#: up to it.
_SMOOTHED: dict[str, dict[str, Any]] = {
    "_c7min_norm": {"window": 15, "center": True, "min_periods": 1, "win_type": "triang"},
    "_p2min_norm": {"window": 4, "min_periods": 1},
}
#: What the night's smoothed features are scaled by: the distance of these percentiles.
_PERCENTILES = (5, 95)

#: Samples of an epoch.
_N_TIMES = 3000


def load_yasa() -> YASA:
    """Load YASA's staging by one EEG, one EOG and one EMG channel.

    Raises
    ------
    MissingExtraError
        If the package yasa, or one that its staging needs, is not installed.
    """
    for package in ("yasa", "lightgbm", "sklearn"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(f"The stager YASA needs the package {package}", "yasa")
    return YASA(_no_network, load_spec("yasa"))


def _no_network(_: torch.Tensor) -> torch.Tensor:
    raise ModelError("YASA stages whole recordings, not single windows")


@dataclass(frozen=True)
class _Night:
    """What is known of the recorded night.

    Attributes
    ----------
    table : DataFrame, shape (n_epochs, n_inputs)
        What the classifier was given.
    shares : dict of str to array, shape (n_epochs,)
        How much of each smoothed feature is the epoch's own.
    widths : dict of str to Series
        By which the smoothed features were divided.
    classifier : object
        YASA's trees.
    """

    table: pd.DataFrame
    shares: dict[str, npt.NDArray[np.float64]]
    widths: dict[str, pd.Series]
    classifier: Any

    def score(self, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Probabilities of our stages, shape (n, 5)."""
        found = self.classifier.predict_proba(rows[self.classifier.feature_name_])
        names = [_STAGES[name] for name in self.classifier.classes_]
        return np.asarray(found)[:, [names.index(stage) for stage in _STAGES.values()]]


class YASA(Stager):
    """YASA's staging: scores without a gradient, one channel set."""

    has_gradient = False

    def score(self, windows: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
        """YASA has no score of a window without its night."""
        raise ModelError(
            "YASA compares an epoch with its whole night, so it cannot score single windows",
            remedy="Give it the recording: attribute_epochs(epochs, 'yasa', method='shapley_sampling')",
        )

    def bind(self, segments: Segments, edges: str = "shift", window_length: int | None = None) -> list[BoundStager]:
        """YASA on a recording, whose ends it knows."""
        if segments.signals.shape[-1] != _N_TIMES:
            raise ModelError(
                "YASA's features are those of epochs of 30 s at 100 Hz",
                seen=f"{segments.signals.shape[-1]} samples an epoch",
                allowed=f"{_N_TIMES} samples",
            )
        return [_BoundYASA(self, segments, channels) for channels in segments.channel_sets]


class _BoundYASA(BoundStager):
    def __init__(self, stager: YASA, segments: Segments, channels: tuple[int, ...]) -> None:
        self.stager = stager
        self.signals = segments.signals[:, list(channels)]
        self.windows = cut_windows(segments.run, 0, 0, can_shift=True)
        self.night = _night(self.signals)

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Recorded segments of some epochs, (n, [eeg, eog, emg], time)."""
        numbers = index.cpu().numpy()
        return torch.from_numpy(self.signals[numbers] * (numbers >= 0)[:, None, None]).to(self.stager.like)

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        numbers, night = index.cpu().numpy(), self.night
        rows = night.table.iloc[numbers].reset_index(drop=True)
        own = _features(segments.detach().cpu().numpy()).astype(np.float32)
        change = own - rows[own.columns]
        updated = {name: own[name] for name in own.columns}
        for ending, share in night.shares.items():
            added = change.mul(share[numbers], axis=0) / night.widths[ending]
            # a feature that a silent epoch does not have is left out of the averages, as YASA does
            updated |= {f"{name}{ending}": rows[f"{name}{ending}"] + added[name].fillna(0.0) for name in own.columns}
        return torch.from_numpy(night.score(rows.assign(**updated))).to(segments)

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        """A window of YASA is its target alone: its neighbours are features by now."""
        return self(windows[:, 0], index)

    def with_window_length(self, window_length: Length) -> BoundStager:
        """YASA's context has the length that it has."""
        return self

    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """YASA's own probabilities of every epoch, (epoch, stage)."""
        progress(len(self.signals))
        return torch.from_numpy(self.night.score(self.night.table)).to(self.stager.like)


def _night(signals: npt.NDArray[np.float32]) -> _Night:
    staging = _fitted(signals)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trees were grown with an older scikit-learn
        classifier = staging._load_model("auto")
    table = staging.get_features().reset_index(drop=True)
    own = table[_own(table)]
    shares, widths = {}, {}
    for ending, rolling in _SMOOTHED.items():
        smooth = own.rolling(**rolling).mean()
        low, high = (smooth.quantile(percentile / 100) for percentile in _PERCENTILES)
        widths[ending] = (high - low).where(high > low, 1.0)
        weights = _weights(rolling)
        shares[ending] = weights[0] / np.array(
            [_present(weights, row, len(own), "center" in rolling) for row in range(len(own))]
        )
    return _Night(table, shares, widths, classifier)


def _weights(rolling: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Weights of the epoch itself, and of those one, two, ... away."""
    if "win_type" not in rolling:
        return np.ones(rolling["window"])
    half = rolling["window"] // 2 + 1
    return np.linspace(1, 1 / half, half)


def _present(weights: npt.NDArray[np.float64], row: int, n_epochs: int, both: bool) -> float:
    """Sum of the weights of the epochs that are there, before the epoch, itself, and, with `both`, after it."""
    before, after = min(row + 1, len(weights)), min(n_epochs - row, len(weights))
    return float(weights[:before].sum() + (weights[1:after].sum() if both else 0.0))


def _own(table: pd.DataFrame) -> list[str]:
    """Names of the features of an epoch by itself."""
    smoothed = tuple(_SMOOTHED)
    return [name for name in table.columns if not name.endswith(smoothed) and not name.startswith("time_")]


def _features(signals: npt.NDArray[np.floating[Any]]) -> pd.DataFrame:
    """Features of epochs by themselves, shape (n, [eeg, eog, emg], time) -> (n, n_features)."""
    table = _fitted(signals).get_features().reset_index(drop=True)
    return table[_own(table)]


def _fitted(signals: npt.NDArray[np.floating[Any]]) -> Any:
    """YASA's staging of epochs one after the other, (n, [eeg, eog, emg], time) in µV and already filtered.

    It is YASA's own method, with nothing in the place of its filter: each epoch's features are then its own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, at import; of short or flat signals
        from yasa.staging import SleepStaging, logger

        names = ["eeg", "eog", "emg"]
        data = np.concatenate(list(signals.astype(float)), axis=1) * 1e-6
        raw = mne.io.RawArray(data, mne.create_info(names, 100.0, names), verbose="error")
        before = logger.level
        logger.setLevel("ERROR")
        try:
            staging = SleepStaging(raw, "eeg", eog_name="eog", emg_name="emg")
            unfiltered = {"filter_data": lambda given, *_, **__: given}
            types.FunctionType(SleepStaging.fit.__code__, SleepStaging.fit.__globals__ | unfiltered)(staging)
        finally:
            logger.setLevel(before)
    return staging
