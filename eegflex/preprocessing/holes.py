"""Nights with holes: epochs that were there and were taken out, which is not a gap of the recording."""

from __future__ import annotations

import mne
import numpy as np
import numpy.typing as npt
from mne.utils import logger

from eegflex.errors import RecordingError
from eegflex.readers.epoch_times import epoch_onsets, runs_of
from eegflex.spec.model_spec import ModelSpec

__all__ = ["holes", "n_left_out", "refuse_holes"]

#: Why MNE leaves an epoch out where the recording itself has nothing, or ends: of these there is nothing to put back.
_OF_THE_RECORDING = ("NO_DATA", "TOO_SHORT", "BAD_ACQ_SKIP", "EDGE")


def holes(epochs: mne.BaseEpochs) -> npt.NDArray[np.intp]:
    """Places of the epochs after which others were taken out.

    Where time jumps within a run, as `eegflex.make_epochs` numbers them, epochs are missing, for a gap begins another run.
    Epochs of other makers know by MNE's own log which of them were dropped, and why; without either, a jump is a gap.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The epochs that are left.

    Returns
    -------
    after : array of int
        Places among `epochs`. Where they are not in the order of time, no neighbour is where it was.
    """
    shuffled = np.flatnonzero(np.diff(epochs.selection) <= 0)
    if shuffled.size:
        return shuffled
    rate = float(epochs.info["sfreq"])
    jumps = np.flatnonzero(np.diff(epoch_onsets(epochs)) > (len(epochs.times) + 0.5) / rate)
    if (run := runs_of(epochs)) is not None:
        found: npt.NDArray[np.intp] = jumps[run[jumps] == run[jumps + 1]]
        return found
    return np.array(
        [place for place in jumps if _taken_out(epochs, *epochs.selection[place : place + 2])], dtype=np.intp
    )


def _taken_out(epochs: mne.BaseEpochs, before: int, after: int) -> bool:
    """Whether something between two epochs was left out that the recording has."""
    return any(_is_choice(why) for why in epochs.drop_log[before + 1 : after])


def _is_choice(why: tuple[str, ...]) -> bool:
    return bool(why) and not any(str(word).upper().startswith(_OF_THE_RECORDING) for word in why)


def n_left_out(epochs: mne.BaseEpochs) -> int:
    """How many epochs were taken out, in holes and at the ends."""
    return sum(map(_is_choice, epochs.drop_log))


def refuse_holes(epochs: mne.BaseEpochs, spec: ModelSpec) -> list[str]:
    """Refuse epochs between which others are missing, if the stager needs neighbours.

    Returns
    -------
    warnings : list of str
        What is to be told of those that are missing at the ends, where a night may be cut and the stager sees as little.

    Raises
    ------
    RecordingError
        If there are any.
    """
    if spec.context.alone:
        return []
    after = holes(epochs)
    if after.size:
        first = int(after[0])
        raise RecordingError(
            f"{spec.name} sees an epoch among its neighbours, and of these some were taken out or put elsewhere",
            seen=f"{len(epochs)} epochs with {after.size} hole{'s' * (after.size > 1)}, the first after that at "
            f"{epoch_onsets(epochs)[first]:g} s",
            remedy="Give all epochs of the night, and say which of them to explain: attribute_epochs(..., "
            "select=epochs.selection), or select=[...] (--select)",
        )
    gone = n_left_out(epochs)
    if not gone:
        return []
    told = (
        f"{gone} epochs were taken out at the ends of the night: {spec.name} sees an epoch among its neighbours, and may stage "
        "those near the cuts otherwise than in the whole night; select= explains some epochs among all"
    )
    logger.warning(told)
    return [told]
