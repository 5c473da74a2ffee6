"""From what a file holds to the channels of a Raw: derivations, defaults and requests."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mne.utils import logger

from eegflex.errors import ChannelError, ParameterError, UnitError
from eegflex.readers.channels.electrodes import MASTOIDS, contralateral
from eegflex.readers.channels.labels import VOLTAGE_KINDS, Channel, match_key
from eegflex.readers.channels.together import parse_channels
from eegflex.readers.channels.units import Unit, parse_unit, user_unit
from eegflex.readers.recordings.source import Signal

__all__ = ["Derivation", "Known", "default_derivations", "know", "requested_derivations"]


@dataclass(frozen=True)
class Known:
    """A signal, with what we know about it."""

    signal: Signal
    unit: Unit
    channel: Channel

    @property
    def fit(self) -> str:
        """Why it can be no channel in volts, "" if it can."""
        if self.signal.fault:
            return self.signal.fault
        if self.channel.kind in VOLTAGE_KINDS and self.unit.kind != "voltage":
            return f"its unit {self.unit.text!r} is not known" if self.unit.text else "it has no unit"
        return ""


@dataclass(frozen=True)
class Derivation:
    """One channel of the Raw: a sum of signals of the file, each times a coefficient.

    Attributes
    ----------
    name : str
        Name of the channel.
    terms : tuple of (Known, float)
        The signals and their coefficients; the signals share one rate.
    """

    name: str
    terms: tuple[tuple[Known, float], ...]
    channel: Channel = field(compare=False)

    @property
    def rate(self) -> float:
        """Native rate in Hz."""
        return self.terms[0][0].signal.rate

    @property
    def unit(self) -> str:
        """The unit as written in the file."""
        return self.terms[0][0].unit.text

    @property
    def formula(self) -> str:
        """How it is made, such as "C3 - M2"."""
        first, *rest = [(known.signal.label, factor) for known, factor in self.terms]
        return first[0] + "".join(f" {'-' if factor < 0 else '+'} {label}" for label, factor in rest)


def know(signals: Sequence[Signal], units: str | Mapping[str, str] | None) -> list[Known]:
    """Say what each signal is.

    Parameters
    ----------
    signals : sequence of Signal
        The signals.
    units : str | dict | None
        A str is the unit wherever the file says none; a dict gives the unit of named signals, whatever the file says.

    Raises
    ------
    UnitError
        If a unit in `units` is not known.
    ChannelError
        If a name in `units` is not in the file.
    """
    found = _units(signals, units)
    channels = parse_channels([s.label for s in signals], found, [s.kind for s in signals])
    return [Known(*row) for row in zip(signals, found, channels, strict=True)]


def _units(signals: Sequence[Signal], units: str | Mapping[str, str] | None) -> list[Unit]:
    found, given = [parse_unit(signal.unit) for signal in signals], given_units(units)
    if given is None:
        return found
    if isinstance(given, Unit):
        if all(unit.kind != "blank" for unit in found):
            logger.warning(
                f"units={units!r} was not used: every signal has a unit, if an unknown one. A dict of units by "
                f"channel name overrides it"
            )
        return [given if unit.kind == "blank" else unit for unit in found]
    missing = set(given) - {signal.label.casefold() for signal in signals}
    if missing:
        raise ChannelError(
            "units has channels that the recording does not have",
            seen=sorted(missing),
            allowed=[signal.label for signal in signals],
            remedy="Use the labels that `eegflex info` shows",
        )
    return [given.get(signal.label.casefold(), unit) for signal, unit in zip(signals, found, strict=True)]


def given_units(units: str | Mapping[str, str] | None) -> Unit | dict[str, Unit] | None:
    """The units that a user gives, of all signals or by their labels in small letters; an error if one is none."""
    if units is None:
        return None
    if isinstance(units, str):
        return user_unit(units)
    if not isinstance(units, Mapping) or not all(isinstance(one, str) for pair in units.items() for one in pair):
        raise ParameterError("units must be a unit or a dict of them by channel name", seen=f"{units!r:.80}")
    return {name.strip().casefold(): user_unit(unit) for name, unit in units.items()}


def check_channels(channels: Sequence[str | int]) -> None:
    """Refuse channels that are no list of names or indices."""
    if isinstance(channels, str | int) or not channels:
        raise ParameterError("channels must be a list of names", seen=repr(channels), remedy="Write channels=['C3-M2']")


def _plain(known: Known) -> Derivation:
    return Derivation(known.signal.label, ((known, 1.0),), known.channel)


def _difference(plus: Known, minus: Known) -> Derivation:
    name = f"{plus.channel.name}-{minus.channel.name}"
    channel = Channel(
        name, plus.channel.kind, plus.channel.role, minus.channel.role or minus.channel.name, plus.channel.sites
    )
    if plus.channel.kind == "eeg" and minus.channel.kind == "eeg":
        channel = Channel(name, "eeg", channel.role, channel.reference, plus.channel.sites + minus.channel.sites)
    return Derivation(name, ((plus, 1.0), (minus, -1.0)), channel)


def default_derivations(known: Sequence[Known]) -> tuple[list[Derivation], dict[int, str]]:
    """Choose the channels of a sleep recording when the user names none.

    One derivation for each EEG site and for each eye, every unsided EOG, one chin EMG and one ECG. What the file itself
    refers to a mastoid wins; otherwise an electrode minus the opposite mastoid; otherwise what there is. Signals slower
    than the EEG are left out.

    Returns
    -------
    derivations : list of Derivation
        In the order of the file.
    reasons : dict of int to str
        Why each other signal was not picked, by index.

    Raises
    ------
    UnitError
        If an EEG signal has no unit or one that is not known.
    ChannelError
        If there is no EEG, or two signals of one name compete.
    """
    _refuse_units(known)
    usable = [k for k in known if k.channel.kind in VOLTAGE_KINDS and not k.fit]
    eeg = [k for k in usable if k.channel.kind == "eeg" and k.channel.role]
    if not eeg:
        raise ChannelError(
            "No signal of the recording is recognised as the EEG of an electrode",
            seen=[f"{k.signal.label}: {k.fit}" for k in known if k.channel.kind == "eeg" and k.fit] or None,
            allowed=[k.signal.label for k in known],
            remedy=(
                "Their names are those of amplifier sockets (A7, B12): assign electrodes with a profile of your own "
                "(profile=), or name the channels with channels=[...]"
                if any(k.channel.is_socket for k in known)
                else "Name the channels with channels=[...]"
            ),
        )
    rate = max(k.signal.rate for k in eeg)
    usable = [k for k in usable if k.channel.role]
    slow = {k.signal.index for k in usable if k.signal.rate < rate * (1 - 1e-9)}
    usable = [k for k in usable if k.signal.index not in slow]
    mastoids = {k.channel.role: k for k in known if k.channel.role in MASTOIDS and not k.fit}
    chosen = [_best(group, mastoids) for group in _groups(usable)]
    chosen.sort(key=lambda derivation: derivation.terms[0][0].signal.index)
    used = {k.signal.index: d for d in chosen for k, _ in d.terms}
    reasons = {k.signal.index: _reason(k, slow, rate, chosen) for k in known if k.signal.index not in used}
    for index, derivation in used.items():
        if len(derivation.terms) > 1:
            reasons[index] = f"used in {derivation.name}"
    return chosen, reasons


def _refuse_units(known: Sequence[Known]) -> None:
    eeg = [k for k in known if k.channel.kind == "eeg" and k.channel.role and not k.signal.fault]
    bad = [k for k in eeg if k.unit.kind in {"blank", "unknown"}]
    blank = any(k.unit.kind == "blank" for k in bad)
    if bad:
        raise UnitError(
            "The unit of EEG signals is missing or unknown, and a wrong guess could be off by a factor of a million",
            seen=[f"{k.signal.label}: {k.unit.text!r}" for k in bad],
            allowed=["V", "mV", "uV", "nV"],
            remedy="Give it with units={name: unit}" + (", or units='uV' where it is missing" if blank else ""),
        )


def _groups(usable: Sequence[Known]) -> Iterable[list[Known]]:
    """Signals that stand for the same thing: one site, one eye, the chin, the heart."""
    groups: dict[tuple[str, str], list[Known]] = {}
    for k in usable:
        if k.channel.role == "LEG" or (k.channel.kind == "emg" and k.channel.role != "CHIN"):
            continue
        own = k.signal.label if k.channel.role == "EOG" else k.channel.role
        groups.setdefault((k.channel.kind, own), []).append(k)
    return groups.values()


def _best(group: Sequence[Known], mastoids: Mapping[str, Known]) -> Derivation:
    role = group[0].channel.role
    opposite = contralateral(role)
    bare = next((k for k in group if k.channel.is_bare), None)
    if bare is not None and group[0].channel.kind in {"eeg", "eog"} and all(k.channel.is_bare for k in group):
        _refuse_twins(group, bare)
        minus = next((mastoids[name] for name in opposite if name in mastoids), None)
        if minus is not None and role != "EOG" and _match(bare, minus):
            return _difference(bare, minus)
        return _plain(bare)
    best = min(group, key=lambda k: _rank(k, opposite))
    _refuse_twins(group, best)
    return _plain(best)


def _rank(known: Known, opposite: tuple[str, ...]) -> tuple[int, int]:
    """Order of preference in a group: opposite mastoid, other mastoid, other reference, none; then the file's order."""
    reference = known.channel.reference
    place = opposite.index(reference) if reference in opposite else 3 if known.channel.is_bare else 2
    if known.channel.kind == "emg":
        # Of Noxturnal's chin, a lower electrode against the front one, as the AASM has it.
        place = 0 if reference == "f" else 1 if reference else 2
    return place, known.signal.index


def _refuse_twins(group: Sequence[Known], best: Known) -> None:
    twins = [k for k in group if k.signal.label.casefold() == best.signal.label.casefold()]
    if len(twins) > 1:
        raise _ambiguous(best.signal.label, twins)


def _ambiguous(name: str, twins: Sequence[Known]) -> ChannelError:
    return ChannelError(
        f"More than one signal matches {name!r}",
        seen=[f"index {k.signal.index} ({k.signal.label}, {k.signal.rate:g} Hz)" for k in twins],
        remedy="Name the one you want by its index in channels=[...]",
    )


def _match(plus: Known, minus: Known) -> bool:
    return (
        abs(plus.signal.rate - minus.signal.rate) < 1e-9 * plus.signal.rate
        and plus.unit.kind == minus.unit.kind
        and plus.unit.volts == minus.unit.volts
    )


def _reason(known: Known, slow: set[int], rate: float, chosen: Sequence[Derivation]) -> str:
    if known.channel.kind not in VOLTAGE_KINDS:
        if known.channel.role in MASTOIDS:
            return "a mastoid, for reference only"
        if known.unit.kind == "other":
            return "not a voltage"
        return {"resp": "respiration", "bio": "pulse, oxygen or the like"}.get(known.channel.kind, "not recognised")
    if known.fit:
        return known.fit
    if known.signal.index in slow:
        return f"slower than the EEG ({known.signal.rate:g} < {rate:g} Hz)"
    if known.channel.kind == "eeg" and not known.channel.role:
        return (
            "named after an amplifier socket, not an electrode"
            if known.channel.is_socket
            else "no electrode in its name"
        )
    if known.channel.role == "LEG":
        return "leg EMG"
    rival = next((d.name for d in chosen if d.channel.role == known.channel.role), "")
    return f"{rival} stands for {known.channel.role}" if rival else "not needed"


def requested_derivations(known: Sequence[Known], channels: Sequence[str | int]) -> list[Derivation]:
    """Find the channels that the user names, in the user's order.

    Raises
    ------
    ChannelError
        If one is missing, ambiguous, named twice or unfit.
    UnitError
        If the unit of one is missing or not known.
    """
    check_channels(channels)
    found = [_find(known, wanted) for wanted in channels]
    for derivation in found:
        for k, _ in derivation.terms:
            _refuse_unfit(k)
    if len({derivation.terms for derivation in found}) < len(found):
        raise ChannelError("channels has one channel twice", seen=list(channels), remedy="Name each channel once")
    labels = [derivation.name for derivation in found]
    # Twins in the file can both be asked for by index; a Raw needs names that differ.
    return [
        Derivation(f"{d.name} #{d.terms[0][0].signal.index}", d.terms, d.channel) if labels.count(d.name) > 1 else d
        for d in found
    ]


def _find(known: Sequence[Known], wanted: str | int) -> Derivation:
    if isinstance(wanted, int):
        if not 0 <= wanted < len(known):
            raise ChannelError("There is no signal of this index", seen=wanted, allowed=f"0 to {len(known) - 1}")
        return _plain(known[wanted])
    hits = _hits(known, wanted)
    if len(hits) > 1:
        raise _ambiguous(wanted, hits)
    if hits:
        return _plain(hits[0])
    derived = _derive(known, wanted)
    if derived is not None:
        return derived
    labels = [k.signal.label for k in known]
    near = difflib.get_close_matches(wanted.casefold(), [label.casefold() for label in labels], n=5, cutoff=0.5)
    closest = [label for label in labels if label.casefold() in near]
    raise ChannelError(
        f"The recording has no channel {wanted!r}, and no two electrodes to derive it from",
        allowed=_candidates(known),
        remedy=f"Nearest: {', '.join(closest)}" if closest else "Use the labels that `eegflex info` shows",
    )


def _candidates(known: Sequence[Known]) -> list[str]:
    """List what one may have meant: electrodes and their like first, the belts and impedances only counted."""
    likely = [k.signal.label for k in known if k.channel.kind in VOLTAGE_KINDS or k.channel.role in MASTOIDS]
    rest = len(known) - len(likely)
    return [*likely, f"and {rest} others"] if likely and rest else likely or [k.signal.label for k in known]


def _hits(known: Sequence[Known], wanted: str) -> list[Known]:
    """Signals that answer to a name: by label first, then by what the label means."""
    label = wanted.strip().casefold()
    exact = [k for k in known if k.signal.label.casefold() == label]
    if exact:
        return exact
    key = match_key(wanted)
    # An impedance's label means its electrode; only its own label may call it.
    alike = [k for k in known if key in {match_key(k.signal.label), match_key(k.channel.name)}]
    return [k for k in alike if k.unit.kind != "other" and not k.channel.is_socket]


def _derive(known: Sequence[Known], wanted: str) -> Derivation | None:
    plus_name, dash, minus_name = wanted.partition("-")
    if not dash:
        return None
    pairs = [_hits(known, plus_name), _hits(known, minus_name)]
    for name, hits in zip((plus_name, minus_name), pairs, strict=True):
        if not hits:
            return None
        if len(hits) > 1:
            raise _ambiguous(name, hits)
    plus, minus = pairs[0][0], pairs[1][0]
    for k in (plus, minus):
        _refuse_unfit(k)
    if "other" in {plus.unit.kind, minus.unit.kind}:
        raise ChannelError(
            f"{wanted!r} cannot be derived, since its signals are not voltages",
            seen=[f"{k.signal.label}: {k.unit.text}" for k in (plus, minus)],
            allowed=_candidates([k for k in known if k.unit.kind == "voltage"]),
            remedy="Use a derivation of voltages",
        )
    if not _match(plus, minus):
        raise ChannelError(
            f"{wanted!r} cannot be derived, since its two signals differ in rate or unit",
            seen=[f"{k.signal.label}: {k.signal.rate:g} Hz, {k.unit.text or 'no unit'}" for k in (plus, minus)],
            allowed=_candidates(known),
            remedy="Use another derivation",
        )
    return _difference(plus, minus)


def _refuse_unfit(known: Known) -> None:
    if known.signal.fault:
        raise ChannelError(
            f"{known.signal.label!r} cannot be read: {known.signal.fault}",
            remedy="Leave it out, or export the file again",
        )
    if known.fit:
        raise UnitError(
            f"The unit of {known.signal.label!r} is missing or not known",
            seen=repr(known.unit.text),
            allowed=["V", "mV", "uV", "nV"],
            remedy=f"Give it with units={{{known.signal.label!r}: 'uV'}}",
        )
