"""What a stager is given: its channels, their pass band, and the epochs around the one that is staged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ChannelSpec", "ContextSpec", "FilterSpec"]


@dataclass(frozen=True)
class FilterSpec:
    """Pass band in Hz, applied before anything is explained. ``None`` leaves that side open.

    See Also
    --------
    eegflex.ModelSpec : The contract of a stager.
    eegflex.spec.ChannelSpec : One input of a stager.

    Examples
    --------
    >>> from eegflex.spec import FilterSpec
    >>> FilterSpec(l_freq=0.3, h_freq=30.0)
    FilterSpec(l_freq=0.3, h_freq=30.0)
    """

    l_freq: float | None = None
    h_freq: float | None = None


@dataclass(frozen=True)
class ChannelSpec:
    """One input of a stager, and what may be connected to it.

    Attributes
    ----------
    name : str
        What the stager calls it, for example ``"eeg"``.
    types : tuple of str
        MNE channel types that fit. Empty: any type.
    sites : tuple of str
        Electrode sites or roles that fit (``"C4"``, ``"E1-E2"``, ``"CHIN"``), the preferred first. Empty: any of `types`.
    use : {"first", "each", "all"}
        Connect the first channel that fits; or each one by itself, so that the stager is run once for each (what becomes
        of the answers is for `ModelSpec.combine` to say); or all of them together.
    without : str
        The name of a stager that does without this input, for recordings that have none that fits.
    filter : FilterSpec or None
        Pass band of this input, in the place of that of all of them, such as ``{ l_freq = 10.0 }`` for EMG. ``None``: that.

    See Also
    --------
    eegflex.ModelSpec : The contract of a stager.
    eegflex.spec.FilterSpec : A pass band.

    Examples
    --------
    >>> from eegflex.spec import ChannelSpec, FilterSpec
    >>> eeg = ChannelSpec("eeg", types=("eeg",), sites=("C4", "C3"), use="first")
    >>> chin = ChannelSpec("emg", types=("emg",), sites=("CHIN",), filter=FilterSpec(l_freq=10.0))
    """

    name: str = "input"
    types: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    use: Literal["first", "each", "all"] = "all"
    without: str = ""
    filter: FilterSpec | None = None


@dataclass(frozen=True)
class ContextSpec:
    """How many neighbouring epochs a stager sees on each side; `whole` when it sees the recording's whole run.

    See Also
    --------
    eegflex.ModelSpec : The contract of a stager.
    eegflex.viz.plot_context : What the neighbours did.

    Examples
    --------
    >>> from eegflex.spec import ContextSpec
    >>> ContextSpec(before=10, after=10).alone, ContextSpec().alone
    (False, True)
    """

    before: int = 0
    after: int = 0
    whole: bool = False

    @property
    def alone(self) -> bool:
        """Whether it sees no neighbours."""
        return not (self.whole or self.before or self.after)
