"""What scorers look for, found in a recording: spindles, slow waves, eye movements and more, as a table of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
from mne.utils import logger
from scipy.signal import resample_poly

from eegflex.epochs import make_epochs, without_bad
from eegflex.errors import ChannelError, ParameterError, check_choice
from eegflex.evaluation.detectors import KINDS, EventKind, Found, Signal
from eegflex.preprocessing.channels import InputChannel, present_channels
from eegflex.readers.epoch_times import epoch_onsets
from eegflex.stages import NOT_STAGED, STAGES
from eegflex.utils.verbose import verbose

__all__ = ["COLUMNS", "find_sleep_events"]

#: Columns of a table of events.
COLUMNS = ("onset", "duration", "kind", "channel", "frequency", "low", "high", "amplitude", "stage")
#: EEG and EOG are brought to about this rate in Hz where they have twice as much, or more: nothing looked for there is faster.
ENOUGH = 128
#: An event so near in s to where two runs were laid side by side is none: it may be the step between them.
NEAR_A_JOIN = 1.0
_PER_EOG = ("E1", "E2")


@verbose
def find_sleep_events(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    *,
    kinds: str | Sequence[str] | None = None,
    stages: Sequence[str] | str | None = None,
    picks: str | Sequence[str] | None = None,
    verbose: bool | str | int | None = None,
) -> pd.DataFrame:
    """Find the events that scorers use: spindles, K-complexes, slow waves, eye movements, alpha, sawtooth waves, chin tone.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        A recording, or its epochs of `make_epochs`. It is not changed.
    kinds : str | sequence of str | None
        Which of ``"spindle"``, ``"k_complex"``, ``"slow_wave"``, ``"alpha"``, ``"sawtooth"``, ``"eye_movement_rapid"``,
        ``"eye_movement_slow"``, ``"chin_tone_low"``, ``"chin_tone_high"`` and ``"twitch"`` to look for. By default all for
        which there are channels; those that there are none for are told.
    stages : sequence of str | "any" | None
        The stage of each epoch, in which a kind is looked for only where scorers call it so: sawtooth waves in REM, K-complexes
        in N2, slow eye movements in W and N1. By default the hypnogram's; where nothing is scored, and with ``"any"``,
        everywhere, and much that is no such event is then found (alpha for spindles, slow waves for sawtooth waves).
    picks : str | sequence of str | None
        Channels to look at; by default all EEG, EOG and chin channels that are not bad.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    events : pandas.DataFrame
        One row for each event on each channel, by onset: ``onset`` (s from the start of the recording) and ``duration`` (s),
        ``kind``, ``channel``, ``frequency`` (Hz, NaN where it has none), ``low`` and ``high`` (Hz, the band of its kind; NaN
        where it has none), ``amplitude`` (µV; of waves from peak to peak) and ``stage``, that of its epoch.

    Raises
    ------
    MissingExtraError
        If spindles, slow waves or rapid eye movements are looked for and YASA is not installed.
    ParameterError
        If a kind is not known, or there are not as many stages as epochs.
    ChannelError
        If there are no channels for a kind that was asked for by name.

    See Also
    --------
    eegflex.evaluation.grounding : Hold attributions against what scorers look for.
    eegflex.evaluation.decisive_events : Which events carried an epoch.
    eegflex.evaluation.aasm_criteria : The AASM's criteria beside what the network used.

    Notes
    -----
    YASA [1]_ finds spindles (11 to 16 Hz, 0.5 to 3 s), slow waves (more than 75 µV) and rapid eye movements; the rest follows
    the definitions of the AASM manual [2]_, with thresholds that are constants of ``eegflex/evaluation/detectors.py``. A wave
    that is a K-complex on one channel is one on all, where both are looked for. Eye movements are looked for in the
    difference of E1 and E2 and listed for both; blinks of the waking are among the rapid ones, for E1 lies below an eye and
    E2 above one. Chin tone is low or high in the lowest and the highest third of its range in this recording.

    On simulated nights, of which all events are known, precision and recall are (5 nights of 1.5 h; an event is found where a
    fifth of the union overlaps): spindles 0.98 and 0.95, K-complexes 0.93 and 0.93, slow waves with these 0.96 and 0.84,
    alpha 0.95 and 0.99, sawtooth waves 0.93 and 0.94, rapid eye movements in REM 0.94 and 0.86, slow ones 0.98 and 1.00,
    twitches 0.91 and 0.66. Real recordings are harder.

    References
    ----------
    .. [1] Vallat R., Walker M. P. (2021). An open-source, high-performance tool for automated sleep staging. eLife 10:e70092.
       doi:10.7554/eLife.70092
    .. [2] Iber C., Ancoli-Israel S., Chesson A. L., Quan S. F. (2007). The AASM manual for the scoring of sleep and associated
       events. American Academy of Sleep Medicine.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> events = eegflex.evaluation.find_sleep_events(night.raw, kinds=["alpha", "eye_movement_slow"], verbose="error")
    >>> sorted(events["stage"].unique())
    ['N1', 'W']
    """
    epochs = without_bad(inst) if isinstance(inst, mne.BaseEpochs) else make_epochs(inst)
    wanted = _wanted(kinds)
    night = _Night.of(epochs, stages)
    channels, told = present_channels(epochs, picks)
    rows: list[tuple[object, ...]] = []
    missing: list[str] = []
    for where in dict.fromkeys(kind.where for kind in wanted):
        here = [kind for kind in wanted if kind.where == where]
        of_where = _WHERE[where](channels)
        if not of_where:
            missing += [kind.name for kind in here]
        for names, parts in of_where:
            data, sfreq = night.signal(epochs, parts, keep_rate=where == "chin")
            for kind in here:
                rows += night.events_of(kind, data, sfreq, names)
    if missing and kinds is not None:
        raise ChannelError(
            f"There are no channels for {', '.join(missing)}", seen=[c.name for c in channels], allowed=_NEEDED
        )
    for words in (
        *told,
        *([f"not searched, because the channels are missing: {', '.join(missing)}"] if missing else ()),
    ):
        logger.warning(words)
    table = _one_kind(pd.DataFrame(rows, columns=list(COLUMNS)))
    return table.sort_values(["onset", "kind", "channel"], kind="stable", ignore_index=True)


def _one_kind(table: pd.DataFrame) -> pd.DataFrame:
    """A slow wave at the time of a K-complex is that one, as another channel saw it; and is left out on the same channel."""
    slow = np.flatnonzero(table["kind"] == "slow_wave")
    complexes = table[table["kind"] == "k_complex"]
    middle = table.iloc[slow][["onset", "duration"]].to_numpy(dtype=float) @ [1.0, 0.5]
    first, channels = complexes["onset"].to_numpy(dtype=float), complexes["channel"].to_numpy(dtype=str)
    last = first + complexes["duration"].to_numpy(dtype=float)
    within = (first <= middle[:, None]) & (middle[:, None] <= last)
    same = (within & (table["channel"].to_numpy(dtype=str)[slow][:, None] == channels)).any(axis=1)
    table = table.copy()
    table.iloc[slow[within.any(axis=1)], table.columns.get_loc("kind")] = "k_complex"
    return table.drop(index=table.index[slow[same]])


def _wanted(kinds: str | Sequence[str] | None) -> list[EventKind]:
    names = list(KINDS) if kinds is None else [kinds] if isinstance(kinds, str) else list(kinds)
    for name in names:
        check_choice("kinds", name, list(KINDS))
    return [KINDS[name] for name in dict.fromkeys(names)]


_Signals = list[tuple[tuple[str, ...], tuple[tuple[str, float], ...]]]
_NEEDED = "EEG; E1 and E2, or one EOG derivation; a chin EMG"


def _eeg(channels: Sequence[InputChannel]) -> _Signals:
    return [((one.name,), ((one.name, 1.0),)) for one in channels if one.kind == "eeg"]


def _chin(channels: Sequence[InputChannel]) -> _Signals:
    """Chins by their role; a lone EMG that has none is taken for one."""
    emg = [one for one in channels if one.kind == "emg"]
    chins = [one for one in emg if one.role == "CHIN"] or (
        [one for one in emg if not one.role] if len(emg) == 1 else []
    )
    return [((one.name,), ((one.name, 1.0),)) for one in chins]


def _eog(channels: Sequence[InputChannel]) -> _Signals:
    """The difference of the eyes; else each EOG derivation as it is."""
    eyes = [one for one in channels if one.kind == "eog"]
    pair = [next((one for one in eyes if one.role == role), None) for role in _PER_EOG]
    if pair[0] is not None and pair[1] is not None:
        left, right = pair[0].name, pair[1].name
        return [((left, right), ((left, 1.0), (right, -1.0)))]
    return [((one.name,), ((one.name, 1.0),)) for one in eyes]


#: Where a kind is seen -> the channels that it is listed for, and the signal as a weighted sum of channels.
_WHERE = {"eeg": _eeg, "eog": _eog, "chin": _chin}


@dataclass(frozen=True)
class _Night:
    """The epochs of a recording, laid one after the other.

    Attributes
    ----------
    onset : array, shape (n_epochs,)
        In s from the start of the recording.
    stage : array of str, shape (n_epochs,)
        Of each.
    length : float
        Of an epoch, in s.
    everywhere : bool
        Whether kinds are looked for in all stages.
    """

    onset: npt.NDArray[np.float64]
    stage: npt.NDArray[np.str_]
    length: float
    everywhere: bool

    @classmethod
    def of(cls, epochs: mne.BaseEpochs, stages: Sequence[str] | str | None) -> _Night:
        """Lay out epochs; their stages are given or the hypnogram's."""
        table, n = epochs.metadata, len(epochs)
        own = None if table is None or "stage" not in table else table["stage"].to_numpy(dtype=str)
        asked = None if isinstance(stages, str) or stages is None else np.array(list(stages), dtype=str)
        if isinstance(stages, str) and stages != "any":
            raise ParameterError("stages must be one for each epoch, or 'any'", seen=repr(stages))
        if asked is not None and len(asked) != n:
            raise ParameterError("There must be one stage for each epoch", seen=len(asked), allowed=n)
        found = asked if asked is not None else own if own is not None else np.full(n, "UNSCORED")
        if unknown := sorted(set(found.tolist()) - {*STAGES, *NOT_STAGED}):
            raise ParameterError("These are not stages", seen=unknown, allowed=[*STAGES, *NOT_STAGED])
        scored = bool(np.isin(found, STAGES).any())
        if not scored and stages is None:
            logger.warning(
                "no epoch is scored, so every kind of event is searched everywhere, which gives false detections"
            )
        length = len(epochs.times) / float(epochs.info["sfreq"])
        return cls(epoch_onsets(epochs), found, length, isinstance(stages, str) or not scored)

    def signal(
        self, epochs: mne.BaseEpochs, parts: Sequence[tuple[str, float]], *, keep_rate: bool
    ) -> tuple[npt.NDArray[np.float64], float]:
        """A weighted sum of channels in µV, shape (n_epochs, n_times), and its rate in Hz; NaN where there is no signal."""
        names = [name for name, _ in parts]
        with mne.use_log_level("error"):
            data = np.tensordot([w for _, w in parts], epochs.get_data(picks=names), axes=(0, 1)) * 1e6
        sfreq = float(epochs.info["sfreq"])
        down = 1 if keep_rate else max(int(sfreq // ENOUGH), 1)
        if down == 1 or data.shape[1] % down:
            return data, sfreq
        holes = np.asarray(~np.isfinite(data).all(axis=1))
        flat = resample_poly(np.where(holes[:, None], 0.0, data).ravel(), 1, down).reshape(len(data), -1)
        flat[holes] = np.nan
        return flat, sfreq / down

    def events_of(
        self, kind: EventKind, data: npt.NDArray[np.float64], sfreq: float, names: Sequence[str]
    ) -> Iterator[tuple[object, ...]]:
        """Rows of the events of one kind."""
        known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(data).all(axis=1))
        looked = known & (self.everywhere | np.isin(self.stage, kind.stages))
        n_times = data.shape[1]
        if not looked.any():
            return
        filled = np.where(known[:, None], data, 0.0).ravel()
        signal = Signal(filled, sfreq, np.repeat(looked, n_times), np.repeat(known, n_times))
        band = kind.band or (np.nan, np.nan)
        for found in kind.detect(signal):
            if not kind.lasts and self._across_a_join(found.start, found.stop, known):
                continue
            for start, stop in self._pieces(found) if kind.lasts else [(found.start, found.stop)]:
                place = min(int(start / self.length + 1e-9), len(self.onset) - 1)
                onset = float(self.onset[place] + start - place * self.length)
                told = (found.frequency, *band, found.amplitude, str(self.stage[place]))
                yield from ((onset, stop - start, kind.name, name, *told) for name in names)

    def _pieces(self, found: Found) -> Iterator[tuple[float, float]]:
        """What lasts, epoch by epoch."""
        for place in range(int(found.start / self.length), int(np.ceil(found.stop / self.length - 1e-9))):
            yield max(found.start, place * self.length), min(found.stop, (place + 1) * self.length)

    def _across_a_join(self, start: float, stop: float, known: npt.NDArray[np.bool_]) -> bool:
        """Whether an event lies where runs, or an epoch without a signal and its neighbour, were laid side by side."""
        ends = self.length * np.arange(1, len(self.onset))
        joins = ends[(np.abs(np.diff(self.onset) - self.length) > 0.02) | ~known[1:] | ~known[:-1]]
        return bool(((start - NEAR_A_JOIN < joins) & (joins < stop + NEAR_A_JOIN)).any())
