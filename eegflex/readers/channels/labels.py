"""What a signal is, by its label and its unit: MNE type, role, electrode and reference.

The unit outranks the name: "C3 (Imp)" in Ohm is an impedance whatever its label begins with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eegflex.readers.channels.electrodes import MASTOIDS, canonical, electrode
from eegflex.readers.channels.units import Unit

__all__ = ["VOLTAGE_KINDS", "Channel", "clean", "eye", "is_reference", "mark_chin", "match_key", "parse_channel"]

VOLTAGE_KINDS = frozenset({"eeg", "eog", "emg", "ecg"})


@dataclass(frozen=True)
class Channel:
    """What a signal is.

    Attributes
    ----------
    name : str
        The label without prefix and brackets: what derivations are named by.
    kind : str
        MNE channel type.
    role : str
        EEG site ("C3"), "E1", "E2", "EOG", "CHIN", "LEG", "ECG", "M1", "M2", or "" for none.
    reference : str
        Canonical name of what it is referred to; "" for a bare electrode.
    sites : tuple of str
        The scalp electrodes it lies between: one, or two for a bipolar pair.
    is_socket : bool
        Whether the name is that of an amplifier's socket (A7, B12), which says nothing of a place.
    is_known_misc : bool
        Whether it is of kind "misc" because its label says so ("Snore", "Position"), not for want of a better one.
    """

    name: str
    kind: str
    role: str = ""
    reference: str = ""
    sites: tuple[str, ...] = ()
    is_socket: bool = False
    is_known_misc: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether it is one electrode by itself."""
        return not self.reference


_PREFIX = re.compile(r"^\s*(EEG|EOG|EMG|ECG|EKG|POL)(?=[\s\-:_(\[./]|$)[\s\-:_.]*", re.IGNORECASE)
_SPLIT = re.compile(r"\s*[-:/_.|–—−]\s*")
_IMPEDANCE = re.compile(r"\bimp\b|\bimp[eé]d|\bz ?ohm\b")

# What a scalp electrode may be referred to that is not itself an electrode.
# fmt: off
_REFERENCES = frozenset((
    "ref", "reference", "le", "ler", "lm", "linked", "cle", "av", "avg", "ave", "average", "ar", "car", "gnd",
    "m1m2", "m1+m2", "m12", "a1a2", "a1+a2", "a12",
))
# fmt: on

# A side named first is the anode's: the leftmost of these in a label is its role, "ROC-LOC" the right eye.
_EYES = re.compile(
    r"(?P<E1>\bleo[gc]\b|\beog[ -]?l(eft)?\b|\bl(eft)?[ -]?(eog|eye)\b|\bloc\b|\be1\b|\beog1\b|\beogl\b|\beye ?l(eft)?\b)"
    r"|(?P<E2>\breo[gc]\b|\beog[ -]?r(ight)?\b|\br(ight)?[ -]?(eog|eye)\b|\broc\b|\be2\b|\beog2\b|\beogr\b"
    r"|\beye ?r(ight)?\b)"
)

# First match wins, after the eyes; matched against the label, NFKC and casefolded, brackets and underscores as spaces.
_RULES: tuple[tuple[str, str, str], ...] = (
    (r"\b[hv]?eog", "eog", "EOG"),
    (r"\bleg|leg\b|\blegs?\b|tib|\b[lr]at\b|jambe|\bplm[slr]?\b|\bbein\b", "emg", "LEG"),
    (r"chin|submental|mentalis|\bmenton\b|\bkinn\b", "emg", "CHIN"),
    (r"\b(arm|intercost|fds|edb|masseter|delto)", "emg", "EMG"),
    (r"\bemg", "emg", "CHIN"),
    (r"\be[ck]g", "ecg", "ECG"),
    (r"snor|ronfl|audio|sound|\bmic\b|volume", "misc", ""),
    (r"\bpos(ition)?\b|\bbody|\blight\b|batter|\bbatt\b|gravity|accel|\bactivity|actigra|\bax[ei]s\b", "misc", ""),
    (
        r"\belevation\b|\btrig|\bstatus\b|\bmarkers?\b|\bevents?\b|hypno|\bstages?\b|\bdc ?\d*\b|\bp?co2\b|\bph\b",
        "misc",
        "",
    ),
    (r"spo2|sao2|satur|puls|pleth|\bheart|\bhr\b|\bpwa\b|\bptt\b|osat|\boxy", "bio", ""),
    (
        r"flow|nasal|nasen|therm|canul|cannul|\babd|\btho|chest|\brip\b|rip sum|resp|effort|\bcpap\b|etco2|\bpflow",
        "resp",
        "",
    ),
    (r"temp", "temperature", ""),
)
_COMPILED = tuple((re.compile(pattern), kind, role) for pattern, kind, role in _RULES)

# What a channel is by its type alone.
_UNSIDED = {"eog": "EOG", "ecg": "ECG"}

# Noxturnal's chin: two electrodes below the jaw and one in front, and the pairs of them.
_CHIN_TRIPLE = frozenset({"1", "2", "f", "1-2", "1-f", "2-f"})


def parse_channel(label: str, unit: Unit, stated: str = "") -> Channel:
    """Say what a signal is.

    Parameters
    ----------
    label : str
        Its label, repaired.
    unit : Unit
        Its unit.
    stated : str
        The MNE type that the file states, which holds unless the unit or a clear name contradicts it.

    Returns
    -------
    channel : Channel
        What it is; kind "misc" with no role if it is not recognised.
    """
    by_name = _by_name(label)
    if stated and stated != "eeg":
        keep = by_name if by_name.kind == stated else Channel(by_name.name, stated, _UNSIDED.get(stated, ""))
        return keep if unit.kind != "other" else Channel(by_name.name, "misc")
    if unit.kind == "other" and by_name.kind in VOLTAGE_KINDS:
        return Channel(by_name.name, "misc")
    if stated == "eeg" and by_name in (Channel(by_name.name, "misc"), Channel(by_name.name, "eeg")):
        # a file that says so itself may call its EEG what it likes
        return Channel(by_name.name, "eeg", role=by_name.name)
    return by_name


def _by_name(label: str) -> Channel:
    name, prefix = clean(label)
    text = _plain(label)
    if _IMPEDANCE.search(text):
        return Channel(name, "misc", is_known_misc=True)
    if prefix in {"", "EEG", "POL"} and (scalp := _scalp(name)) is not None:
        return scalp
    if (eye := _EYES.search(text)) is not None:
        return Channel(name, "eog", str(eye.lastgroup), _reference(name))
    for pattern, kind, role in _COMPILED:
        if pattern.search(text):
            reference = _reference(name) if kind in VOLTAGE_KINDS else ""
            return Channel(name, kind, role, reference, is_known_misc=kind == "misc")
    if prefix == "EEG":
        return Channel(name, "eeg")  # of which electrode, only a profile of its data set knows
    if prefix == "EOG" and name.casefold() in {"l", "r"}:
        return Channel(name, "eog", "E1" if name.casefold() == "l" else "E2")
    return Channel(name, "misc")


def clean(label: str) -> tuple[str, str]:
    """Return a label without prefix and brackets, and the prefix in capitals ("" for none)."""
    match = _PREFIX.match(label)
    prefix = match[1].upper() if match else ""
    name = re.sub(r"\s+", " ", re.sub(r"[()\[\]{}]", " ", label[match.end() :] if match else label)).strip()
    return (name, prefix) if name else (label.strip(), prefix)


def _plain(label: str) -> str:
    text = unicodedata.normalize("NFKC", label).casefold()
    return re.sub(r"\s+", " ", re.sub(r"[()\[\]{}_.]", " ", text)).strip()


def _scalp(name: str) -> Channel | None:
    """Understand "C3", "C3-M2", "C3A2", "Fpz-Cz", "C3-Ref" and lone mastoids."""
    parts = _parts(name)
    sites = [canonical(part) if electrode(part) else None for part in parts]
    if not sites or sites[0] is None or len(parts) > 3:
        return None
    anode = sites[0]
    if anode in MASTOIDS:
        between = all(site in MASTOIDS for site in sites)
        return (
            Channel(name, "misc", anode if len(sites) == 1 else "", "" if len(sites) == 1 else "-") if between else None
        )
    if len(parts) == 1:
        return Channel(name, "eeg", anode, "", (anode,))
    if any(site is None and part.casefold() not in _REFERENCES for part, site in zip(parts, sites, strict=True)):
        return None
    reference = "+".join(site or part.casefold() for part, site in zip(parts[1:], sites[1:], strict=True))
    bipolar = tuple(site for site in sites[1:] if site is not None and site not in MASTOIDS)
    return Channel(name, "eeg", anode, reference, (anode, *bipolar))


def _parts(name: str) -> list[str]:
    parts = [part for part in _SPLIT.split(name) if part]
    if len(parts) == 1 and electrode(parts[0]) is None:
        whole = parts[0].replace(" ", "")
        cuts = [[whole[:at], whole[at:]] for at in range(2, len(whole) - 1)]
        pairs = [cut for cut in cuts if all(electrode(part) for part in cut)]
        return pairs[0] if len(pairs) == 1 else parts
    return parts


def _reference(name: str) -> str:
    parts = _parts(name)
    if {"eog", "emg", "ecg", "ekg"} & {part.casefold() for part in parts}:
        return ""  # "EOG-L" and "L-EOG" name a side, not a reference
    eyes = [_EYES.fullmatch(part.casefold()) for part in parts]
    found = [canonical(part) if eye is None else str(eye.lastgroup) for part, eye in zip(parts, eyes, strict=True)]
    return "+".join(found[1:])


def eye(name: str) -> str:
    """Return which eye a name is, by itself: "E1", "E2" or ""."""
    found = _EYES.fullmatch(_plain(name))
    return "" if found is None else str(found.lastgroup)


def is_reference(name: str) -> bool:
    """Whether a name is that of a reference which is no electrode: "LE", "avg"."""
    return name.casefold() in _REFERENCES


def match_key(name: str) -> str:
    """Return what two names of one derivation have in common: C3-M2 for "EEG C3-A2", "c3:m2" and "C3A2"."""
    return "-".join(canonical(part) for part in _parts(clean(name)[0])).casefold()


def mark_chin(channels: Sequence[Channel], units: Sequence[Unit]) -> list[Channel]:
    """Recognise a chin EMG whose electrodes are only called 1, 2 and F.

    A number says nothing by itself. Noxturnal writes the electrodes 1, 2 and F (front) and their pairs, so these labels
    are the chin only when F, at least one of the pairs and at least three of the six are there, all in volts.
    """
    names = [channel.name.casefold().replace(" ", "") for channel in channels]
    places = [
        index
        for index, name in enumerate(names)
        if name in _CHIN_TRIPLE and channels[index].kind == "misc" and units[index].kind == "voltage"
    ]
    found = {names[index] for index in places}
    if "f" not in found or len(found) < 3 or not any("-" in name for name in found):
        return list(channels)
    return [
        replace(channel, kind="emg", role="CHIN", reference=names[index].partition("-")[2])
        if index in places
        else channel
        for index, channel in enumerate(channels)
    ]
