"""Profiles: cards that say how a data set's recordings and hypnograms are to be read.

A card is a TOML file. Those of public data sets come with the package, from the folder `datasets`; a user's own is
given by its path.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eegflex.errors import ChannelError, ParameterError, check_choice
from eegflex.readers.hypnograms.formats.registry import HYPNOGRAM_FORMATS
from eegflex.readers.hypnograms.read import HypnogramOptions
from eegflex.readers.recordings.source import Source
from eegflex.spec.toml import Schema
from eegflex.utils.arguments import checked

__all__ = ["ChannelCard", "FilesCard", "HypnogramCard", "Profile", "load_profile", "profile_names"]

_PACKAGE = Path(__file__).parents[1]
#: Where the cards lie: in an installed package, or beside it in a checkout.
_FOLDERS = (_PACKAGE / "cards", _PACKAGE.parent / "datasets")


@dataclass(frozen=True)
class ChannelCard:
    """One signal of a data set.

    Attributes
    ----------
    label : str
        As the files have it, in any case.
    name : str
        What it is, such as "C4-A1"; "" where the label says so itself.
    rate : float | None
        Native rate in Hz.
    unit : str
        Its unit, where the files give none or a wrong one.
    """

    label: str
    name: str = ""
    rate: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class HypnogramCard:
    """How the hypnograms of a data set are written.

    Attributes
    ----------
    format : str
        A name of `HYPNOGRAM_FORMATS`; "" if it is not known.
    coding : str
        As in `read_psg`.
    epoch_length : float | None
        Length of an epoch in s.
    column : str | None
        The column or rater that holds the stages.
    file : str
        What the files are called beside their recording, for people.
    rules : str
        The scoring manual: "AASM" or "R&K".
    labels : dict of str to str
        What labels or codes mean that are coded in no known way: ``{ "1" = "REM" }``.
    columns : dict of str to str
        What the columns of a table are called, as in `read_psg`.
    """

    format: str = ""
    coding: str = "auto"
    epoch_length: float | None = None
    column: str | None = None
    file: str = ""
    rules: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.format:
            check_choice("format", self.format, HYPNOGRAM_FORMATS)
        HypnogramOptions(
            self.coding, self.epoch_length, labels=self.labels, columns=self.columns
        )  # refuses what it does not know


@dataclass(frozen=True)
class FilesCard:
    """What the files of a data set are called, for whoever looks for many of them.

    Attributes
    ----------
    recording, hypnogram : str
        Regular expressions of whole names, in any case. Files belong together whose group ``key`` is the same; the groups
        ``subject`` and ``session`` of a recording's, where there are such, say whose it is. "" where the names are like any
        other's.
    """

    recording: str = ""
    hypnogram: str = ""

    def __post_init__(self) -> None:
        for name in ("recording", "hypnogram"):
            pattern = getattr(self, name)
            try:
                known = not pattern or "key" in re.compile(pattern).groupindex
            except re.error:
                known = False
            if not known:
                raise ParameterError(
                    f"files.{name} must be a regular expression with a group key", seen=repr(pattern),
                    allowed=r"(?P<key>night\d+)\.edf",
                )  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """The profile of a data set.

    Attributes
    ----------
    name, title, description : str
        What it is called and what it is.
    persons, recordings : int | None
        How many.
    licence, access, url : str
        Under which terms it is given, to whom, and where.
    obtain : str
        How to get it, in a sentence or a command; "" where its page says enough.
    citation, sources : tuple of str
        What to cite, and where the facts of the card are from.
    channels : tuple of ChannelCard
        The signals that need a word.
    hypnogram : HypnogramCard
        The hypnograms.
    files : FilesCard
        What the files are called.

    See Also
    --------
    eegflex.readers.load_profile : Load the card of a data set.
    eegflex.datasets.describe_dataset : A data set in words.

    Examples
    --------
    >>> from eegflex.readers import load_profile
    >>> profile = load_profile("sleep_edf")
    >>> profile.title
    'Sleep-EDF Database Expanded'
    """

    name: str
    title: str = ""
    description: str = ""
    persons: int | None = None
    recordings: int | None = None
    licence: str = ""
    access: str = ""
    obtain: str = ""
    url: str = ""
    citation: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    channels: tuple[ChannelCard, ...] = ()
    hypnogram: HypnogramCard = field(default_factory=HypnogramCard)
    files: FilesCard = field(default_factory=FilesCard)

    def options(self, given: HypnogramOptions) -> HypnogramOptions:
        """Fill in arguments for the hypnogram that the user did not give."""
        card = self.hypnogram
        return replace(
            given,
            coding=card.coding if given.coding == "auto" else given.coding,
            epoch_length=card.epoch_length if given.epoch_length is None else given.epoch_length,
            column=card.column if given.column is None else given.column,
            labels={**card.labels, **(given.labels or {})} or None,
            columns={**card.columns, **(given.columns or {})} or None,
        )

    def rename(self, source: Source) -> dict[str, str]:
        """Rename the signals of a recording by the profile.

        Returns
        -------
        renamed : dict of str to str
            New name -> label in the file.

        Raises
        ------
        ChannelError
            If the recording has none of the signals that the card names, or two would get one name.
        """
        cards = {card.label.casefold(): card for card in self.channels}
        known = [signal for signal in source.signals if signal.label.casefold() in cards]
        if cards and not known:
            raise ChannelError(
                f"The recording has no channel of the profile {self.name!r}",
                seen=[signal.label for signal in source.signals],
                allowed=[card.label for card in self.channels],
                remedy="Check that the recording belongs to this data set",
            )
        renamed: dict[str, str] = {}
        signals = list(source.signals)
        for signal in known:
            card = cards[signal.label.casefold()]
            name = card.name or signal.label
            if name != signal.label and (name in renamed or any(name == other.label for other in signals)):
                raise ChannelError(
                    f"Two signals would have the name {name!r}", seen=[renamed.get(name, name), signal.label]
                )
            if name != signal.label:
                renamed[name] = signal.label
            place = source.signals.index(signal)
            signals[place] = replace(signal, label=name, unit=card.unit or signal.unit)
        source.signals = signals
        return renamed

    def check(self, report: Mapping[str, Any]) -> list[str]:
        """Warn if a hypnogram has another format than the profile."""
        wanted, found = self.hypnogram.format, report["format"]
        if not wanted or found in {wanted, "mne.Annotations"}:
            return []
        return [f"the profile {self.name!r} expects its hypnograms as {wanted}, and this one is {found}"]


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the package, sorted.

    Returns
    -------
    names : list of str
        As `load_profile` and ``profile=`` take them.

    See Also
    --------
    eegflex.readers.load_profile : Load the card of a data set.
    eegflex.datasets.list_datasets : A table of the data sets.

    Examples
    --------
    >>> profile_names()[:4]
    ['anphy', 'boas', 'cap', 'dod']
    """
    return sorted(_cards())


@checked
def load_profile(profile: str | Path) -> Profile:
    """Load a profile.

    Parameters
    ----------
    profile : str | Path
        A name of `profile_names`, or the path of a card, which ends in ``.toml``.

    Returns
    -------
    profile : Profile
        The card.

    Raises
    ------
    ParameterError
        If there is none such, or the card has a key or a value that is not known.

    See Also
    --------
    eegflex.readers.profile_names : Which cards there are.
    eegflex.readers.Profile : The card of a data set.
    eegflex.read_psg : Read a recording with its hypnogram.

    Examples
    --------
    >>> load_profile("shhs").channels[0]
    ChannelCard(label='EEG', name='C4-A1', rate=125, unit='')
    """
    path = Path(profile) if str(profile).endswith(".toml") else _cards().get(str(profile).casefold())
    if path is None:
        near = difflib.get_close_matches(str(profile).casefold(), profile_names(), n=1)
        raise ParameterError(
            "There is no data set with this name",
            seen=repr(str(profile)),
            allowed=[*profile_names(), "a path that ends in .toml"],
            remedy=f"Nearest: {near[0]}" if near else None,
        )
    return _SCHEMA.read(path, name=path.stem)


def _cards() -> dict[str, Path]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    files = [] if folder is None else folder.glob("*.toml")
    # The simulated night's card is a recipe: what it makes needs no profile.
    return {path.stem: path for path in files if path.stem != "simulated"}


_SCHEMA = Schema(Profile, "profile", ParameterError)
