"""What the labels of a recording mean together: sockets, paddings, prefixes, and types that only a default gave."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from eegflex.readers.channels.electrodes import MASTOIDS, canonical, electrode
from eegflex.readers.channels.labels import Channel, clean, eye, is_reference, mark_chin, match_key, parse_channel
from eegflex.readers.channels.units import Unit

__all__ = ["mistyped", "parse_channels"]

_SOCKET = re.compile(r"([A-Z])['’′]?(\d{1,3})", re.IGNORECASE)
#: Pairs that are no electrodes of the 10-05 system, and are known all the same.
_PAIRS = frozenset({"E1", "E2", "M1", "M2", "A1", "A2"})
_FEWEST = 3  # names of a bank that are no electrodes

_PRIMES = re.compile(r"['’′ʹ`´″\"]+")
_COUNTED = re.compile(r"(.+?)[-_ ]?-(\d)")  # as MNE tells twins apart
_PREFIXED = re.compile(r"([A-Za-z]\w*?)([_ :.]+)(.+)", re.ASCII)


def parse_channels(labels: Sequence[str], units: Sequence[Unit], stated: Sequence[str]) -> list[Channel]:
    """Say what the signals of one recording are.

    Parameters
    ----------
    labels : sequence of str
        Their labels, repaired.
    units : sequence of Unit
        Their units.
    stated : sequence of str
        The MNE types that the file states, "" for none. Where labels contradict "eeg", it is the default that readers give
        to everything, and says nothing of the others either.

    Returns
    -------
    channels : list of Channel
        What they are.
    """
    plain = _reduce(labels)
    sockets = _sockets(plain)
    by_name = [parse_channel(name, unit) for name, unit in zip(plain, units, strict=True)]
    default = any(
        kind == "eeg" and _contradicts(channel) and place not in sockets
        for place, (channel, kind) in enumerate(zip(by_name, stated, strict=True))
    )
    found = []
    for place, (name, unit, kind) in enumerate(zip(plain, units, stated, strict=True)):
        if place in sockets and kind in {"", "eeg"} and unit.kind != "other":
            role = f"socket {by_name[place].name}" if kind and not default else ""
            found.append(Channel(by_name[place].name, "eeg", role, is_socket=True))
        else:
            found.append(parse_channel(name, unit, "" if default and kind == "eeg" else kind))
    return mark_chin(found, units)


def mistyped(channels: Sequence[Channel], stated: Sequence[str]) -> list[int]:
    """Say which channels are typed EEG and are something else by their label."""
    return [
        place
        for place, (channel, kind) in enumerate(zip(channels, stated, strict=True))
        if kind == "eeg" and channel.kind != "eeg"
    ]


def _contradicts(channel: Channel) -> bool:
    return channel.kind not in {"eeg", "misc"} or channel.is_known_misc


def _sockets(labels: Sequence[str]) -> set[int]:
    """Find the banks of sockets: A1 ... A32, B1 ... B32, of which some are called like electrodes.

    A letter is a bank if most of its numbers are no electrodes. Beside a bank, and without a name that only an electrode
    has (Fz, Fp1), a row of four from 1 on is one too.
    """
    banks: dict[str, dict[int, int]] = {}
    for place, label in enumerate(labels):
        match = _SOCKET.fullmatch(_anode(label))
        if match is not None:
            banks.setdefault(match[1].upper(), {})[place] = int(match[2])
    sure = set()
    for letter, numbers in banks.items():
        strange = {n for n in numbers.values() if not electrode(f"{letter}{n}") and f"{letter}{n}" not in _PAIRS}
        if len(strange) >= max(_FEWEST, len(set(numbers.values())) / 2):
            sure.add(letter)
    capped = any(electrode(name) and not _SOCKET.fullmatch(name) for name in map(_anode, labels))
    rows = {letter for letter, numbers in banks.items() if {1, 2, 3, 4} <= set(numbers.values())}
    return {place for letter in (sure | rows if sure and not capped else sure) for place in banks[letter]}


def _anode(label: str) -> str:
    return re.split(r"\s*[-:/_]\s*", clean(label)[0], maxsplit=1)[0]


def _reduce(labels: Sequence[str]) -> list[str]:
    """Take off what surrounds a name where it is certain that it only surrounds it: no other signal has that name."""
    stripped = _certain(labels, [_without_prefix(label, labels) for label in labels])
    return _certain(stripped, [_without_marks(label) for label in stripped])


def _certain(labels: Sequence[str], reduced: Sequence[str]) -> list[str]:
    held = Counter(match_key(name) for name in reduced)
    return [new if held[match_key(new)] == 1 else old for old, new in zip(labels, reduced, strict=True)]


def _without_prefix(label: str, labels: Sequence[str]) -> str:
    """Take off the name of a device, which several labels begin with: "PSG_F3", "PSG_E1-M2"."""
    match = _PREFIXED.fullmatch(label.strip())
    if match is None or electrode(match[1]) or eye(match[1]) or is_reference(match[1]) or clean(label)[1]:
        return label
    start = match[1] + match[2]
    rests = [other.strip()[len(start) :] for other in labels if other.strip().startswith(start)]
    derived = any(
        len(parts := re.split(re.escape(match[2]), other)) > 1 and all(map(electrode, parts)) for other in labels
    )
    known = {canonical(_anode(rest)) for rest in rests if _is_site(rest)} - set(MASTOIDS)
    return match[3] if len(known) > 1 and not derived and (_is_site(match[3]) or eye(_anode(match[3]))) else label


def _without_marks(label: str) -> str:
    """Take off primes and the number of a twin: "C3'", "C3-M2-0"."""
    bare = _PRIMES.sub("", label)
    match = _COUNTED.fullmatch(bare)
    if match is not None and (_is_site(match[1]) or (match[2] == "0" and eye(_anode(match[1])))):
        bare = match[1]
    return bare if _is_site(bare) or eye(_anode(bare)) else label


def _is_site(label: str) -> bool:
    channel = parse_channel(label, Unit("V", "voltage", 1.0))
    return (channel.kind == "eeg" or channel.role in MASTOIDS) and bool(channel.role)
