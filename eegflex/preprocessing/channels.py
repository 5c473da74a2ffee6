"""Which channels of a recording go into which input of a stager."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import mne
import numpy as np
import numpy.typing as npt
from mne.utils import logger

from eegflex.errors import ChannelError
from eegflex.readers.channels.electrodes import MASTOIDS
from eegflex.readers.channels.labels import Channel
from eegflex.readers.channels.together import mistyped, parse_channels
from eegflex.readers.channels.units import parse_unit
from eegflex.readers.notes import get_notes
from eegflex.spec.model_spec import ChannelSpec, ModelSpec
from eegflex.spec.plain import unfit

__all__ = ["InputChannel", "Inputs", "choose_inputs", "present_channels"]

_PER_VOLT = {"V": 1.0, "mV": 1e3, "uV": 1e6}
_VOLTAGES = frozenset({"eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio"})


@dataclass(frozen=True)
class InputChannel:
    """A channel of the recording, or the difference of two, that a stager is given.

    Attributes
    ----------
    name : str
        The channel's name, or that of the derivation made here.
    plus : str
        Channel of the recording.
    minus : str
        Channel that is subtracted from it; empty for none.
    kind : str
        MNE channel type.
    role : str
        Electrode site, or ``E1``, ``E2``, ``EOG``, ``CHIN``, ``LEG``, ``ECG``; empty when unknown.
    reference : str
        What the electrode is referred to; empty when unknown.
    native_sfreq : float
        Rate at which it was recorded, in Hz.
    position : array, shape (3,)
        Electrode position in m, head coordinates; NaN where there is none.
    place : int
        Which of the stager's inputs it is given to.
    """

    name: str
    plus: str
    minus: str
    kind: str
    role: str
    reference: str
    native_sfreq: float
    position: npt.NDArray[np.float64]
    place: int = 0

    def signal(self, recorded: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """Its samples, of those of the recording's channels."""
        return recorded[self.plus] - recorded[self.minus] if self.minus else recorded[self.plus]

    def in_unit(self, unit: str) -> float:
        """What its samples in MNE's unit are multiplied with, for a voltage in another one; 1 for what is no voltage."""
        return _PER_VOLT[unit] if self.kind in _VOLTAGES else 1.0


@dataclass(frozen=True)
class Inputs:
    """The channels that a stager is given.

    Attributes
    ----------
    channels : tuple of InputChannel
        Each once.
    channel_sets : tuple of tuple of int
        Their places in the order of the stager's inputs, once for each way of connecting them.
    warnings : tuple of str
        What a reader of the results should know of the choice.
    """

    channels: tuple[InputChannel, ...]
    channel_sets: tuple[tuple[int, ...], ...]
    warnings: tuple[str, ...] = ()

    @property
    def recorded(self) -> list[str]:
        """The recording's channels of which they are made, each once."""
        return list(dict.fromkeys(name for c in self.channels for name in (c.plus, c.minus) if name))


def choose_inputs(epochs: mne.BaseEpochs, spec: ModelSpec, picks: str | Sequence[str] | None = None) -> Inputs:
    """Choose the channels for the inputs of a stager.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The recording.
    spec : ModelSpec
        The stager's contract.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.

    Returns
    -------
    inputs : Inputs
        The channels, and the ways of connecting them.

    Raises
    ------
    ChannelError
        If no channel fits an input; what there is is listed.
    """
    present, told = present_channels(epochs, picks)
    for words in told:
        logger.warning(words)
    channels: list[InputChannel] = []
    choices: list[list[tuple[int, ...]]] = []
    for place, wanted in enumerate(spec.channels):
        fitting = _fitting(wanted, present)
        if not fitting:
            raise _nothing_fits(wanted, spec, present)
        fitting = fitting[:1] if wanted.use == "first" else fitting
        places = range(len(channels), len(channels) + len(fitting))
        channels += [replace(channel, place=place) for channel in fitting]
        choices.append([(one,) for one in places] if wanted.use == "each" else [tuple(places)])
    _check_names([channel.name for channel in channels])
    if spec.combine != "surest":
        return Inputs(tuple(channels), (tuple(range(len(channels))),), told)  # the stager itself goes through them
    sets = tuple(tuple(itertools.chain(*choice)) for choice in itertools.product(*choices))
    return Inputs(tuple(channels), sets, told)


def present_channels(
    epochs: mne.BaseEpochs, picks: str | Sequence[str] | None = None
) -> tuple[list[InputChannel], tuple[str, ...]]:
    """The channels of a recording with their types and roles, all that are not bad or those picked, and what to tell."""
    info = epochs.info
    names, kinds = epochs.ch_names, epochs.get_channel_types()
    chosen = [i for i, kind in enumerate(kinds) if kind != "stim" and names[i] not in info["bads"]]
    if picks is not None:
        try:
            with mne.use_log_level("error"):
                picked = epochs[:1].load_data().pick(picks).ch_names
        except ValueError as error:
            raise ChannelError(f"These picks are not in the epochs: {error}", seen=picks, allowed=names) from error
        chosen = [names.index(name) for name in picked]
    notes = get_notes(info)
    rates, roles = (notes.native_sfreq, notes.roles) if notes else ({}, {})
    meant = parse_channels(names, [parse_unit("V")] * len(names), kinds)
    told = _mistyped(names, meant, [i for i in mistyped(meant, kinds) if i in chosen])
    found = []
    for i in chosen:
        parsed = meant[i]
        position = np.asarray(info["chs"][i]["loc"][:3], dtype=float)
        position = position if np.any(position) else np.full(3, np.nan)
        native = rates.get(names[i], float(info["sfreq"]))
        # A role that the reader saw among all the file's labels outranks what one name says by itself.
        role = roles.get(names[i]) or parsed.role
        kind = parsed.kind if kinds[i] == "eeg" else kinds[i]
        found.append(InputChannel(names[i], names[i], "", kind, role, parsed.reference, native, position))
    return found, told


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that no file of a result can hold, before anything is computed."""
    odd = [name for name in names if unfit(name)]
    if odd:
        raise ChannelError(
            "Names of channels have control characters",
            seen=list(map(ascii, odd)),
            remedy="Rename them (epochs.rename_channels), or leave them out with picks=[...]",
        )


def _mistyped(names: Sequence[str], meant: Sequence[Channel], places: Sequence[int]) -> tuple[str, ...]:
    """Say which channels are no EEG by their labels, whatever their type: MNE types all that it reads from EDF so."""
    if not places:
        return ()
    listed = ", ".join(f"{names[i]} ({meant[i].role or meant[i].kind})" for i in places)
    return (
        f"{len(places)} channels are typed EEG and are something else by their labels, which are believed: {listed}. Set "
        "the types with epochs.set_channel_types, or rename a channel that is EEG all the same",
    )


def _fitting(wanted: ChannelSpec, present: Sequence[InputChannel]) -> list[InputChannel]:
    """The channels that fit an input, the preferred first."""
    typed = [channel for channel in present if not wanted.types or channel.kind in wanted.types]
    if not wanted.sites:
        return typed
    mastoids = [channel for channel in present if channel.role in MASTOIDS and channel not in typed]
    return list(itertools.chain(*(_at(site, typed, mastoids) for site in wanted.sites)))


def _at(site: str, typed: Sequence[InputChannel], mastoids: Sequence[InputChannel]) -> list[InputChannel]:
    """Channels at a site, or the difference of two that share their reference for a site such as E1-E2."""
    anode, _, cathode = site.partition("-")
    if not cathode:
        return [channel for channel in typed if channel.role == anode]
    existing = [
        channel for channel in typed if channel.role == anode and channel.reference.casefold() == cathode.casefold()
    ]
    pairs = itertools.product(_at(anode, typed, ()), _at(cathode, [*typed, *mastoids], ()))
    return (
        existing or [_difference(a, b) for a, b in pairs if a.reference == b.reference and cathode != b.reference][:1]
    )


def _difference(plus: InputChannel, minus: InputChannel) -> InputChannel:
    return InputChannel(
        name=f"{plus.role}-{minus.role}",
        plus=plus.plus,
        minus=minus.plus,
        kind=plus.kind,
        role=plus.role,
        reference=minus.role,
        native_sfreq=min(plus.native_sfreq, minus.native_sfreq),
        position=np.full(3, np.nan),
    )


def _nothing_fits(wanted: ChannelSpec, spec: ModelSpec, present: Sequence[InputChannel]) -> ChannelError:
    needs = f"type {' or '.join(wanted.types) or 'any'}" + (f" at {', '.join(wanted.sites)}" if wanted.sites else "")
    return ChannelError(
        f"No channel fits the input {wanted.name!r} of {spec.name}, which needs {needs}",
        seen=", ".join(f"{c.name} ({c.kind})" for c in present) or "no channels",
        remedy="Set the types with epochs.set_channel_types, or read the channel with read_psg(..., channels=[...])"
        + (f". Or take the model {wanted.without!r}, which does without it" if wanted.without else ""),
    )
