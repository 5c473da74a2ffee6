"""The trust in a result, as its method."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import xarray as xr

from eegflex.results.trust import trust_table
from eegflex.utils.arguments import checked_methods

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ResultTrust"]


@checked_methods
class ResultTrust:
    """Which explanations of a result can be believed."""

    @property
    @abstractmethod
    def _single(self) -> xr.Dataset:
        """The dataset of one target."""

    def trust(self, *, limits: Mapping[str, float] | None = None) -> pd.DataFrame:
        """Which explanations can be believed, by what was measured of them, and why others cannot.

        Parameters
        ----------
        limits : mapping of str to float | None
            Other limits than those below, by the name of the criterion.

        Returns
        -------
        table : pandas.DataFrame
            One row for each epoch and channel set: recording, number, onset (s), stage (scored), channel_set, predicted;
            ``verdict``, one of ``"trusted"``, ``"not trusted"``, ``"not explained by the epoch"`` and ``"not tested"``;
            ``reasons``, why it is not trusted, separated by semicolons, in the order of the criteria; ``n_measured``, how many
            of the criteria were measured; and each criterion: True where it holds, False where it does not, and NA where it
            was not measured.
            ``table.attrs`` has ``n_criteria``; ``n_measured``, of how many explanations each was measured that was measured at
            all; ``not_measured``, the names of the others; and ``counts`` of the verdicts.

        Raises
        ------
        ParameterError
            If a limit is of no criterion, or not a number.

        Notes
        -----
        What must hold, in this order:

        ``change``, ``context``
            The epoch changed the score by more than the error of that (at most 1 of it), and its context made at most 0.5 of
            the change. Where one of them does not hold, the decision is not explained by the epoch.
        ``converged``, ``adds up``
            The estimated error of the band sums, and the completeness gap, are at most 0.05 of their absolute total.
        ``beyond silence``
            At most 0.5 of the attribution arises below 1/32 of the way from the baseline.
        ``baseline``
            The baseline in the place of the epoch is not called the stage that is explained.
        ``spectrum``
            The predicted stage is not lost with random phases: see `spectral_share`. Not measured where that is unclear.
        ``channels``
            Where there are several channel sets, this one gives the epoch's stage, and its band sums have a cosine of at least
            0.5 with those of the others.
        ``second opinion``
            The second opinion differs by at most 0.5 of the absolute total, beyond its own error.
        ``one by one``, ``deletion``, ``stable``, ``no shortcut``
            What `eegflex.evaluate` measured: at least 0.85 of the attribution is what each band does by itself, put in first or
            left out first; deletion in its order is quicker than in at least 0.9 of orders at random; with noise, and shifted,
            its cosine with itself is at least 0.7; and where no sleep can be seen lies at most 0.1 of it, as the shortcut
            audit reckons it: of the mains, heartbeats and artifacts more than by chance; of a level at most 0.25 more.

        Nothing is trusted that was not tested: an estimate of the error (for methods whose attributions sum to a change), and
        either ``one by one`` or the ``second opinion``. So a result that was not evaluated has no trusted explanation, and of
        one that was evaluated on a sample, only explanations of the sample are.

        That an explanation can be believed says that bands did what it says that they did to the score. It does not say that
        the model is right. On five simulated nights, with stagers whose truth is known and two others, all of 222
        explanations that were trusted lay in the true place by at least 90 %, and none of 714 that were wrong was trusted.

        What is trusted is no random sample: a stage that the baseline is called already has no trusted epoch, and clear epochs
        pass sooner than others. Tables and figures are therefore of all epochs, with the number that is trusted beside them,
        unless ``trust="trusted"`` asks for these.

        Examples
        --------
        >>> import eegflex
        >>> psg = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
        >>> result = eegflex.attribute_epochs(night, sample_per_stage=2, verbose="error")
        >>> result.trust()["reasons"][0]
        'it was not tested on the model'
        >>> evaluation = eegflex.evaluate(result, night, parts="one by one", verbose="error")
        >>> table = evaluation.result.trust()
        >>> table[table["predicted"] == "W"]["verdict"].tolist()
        ['trusted', 'trusted']
        >>> table[table["predicted"] == "N2"]["reasons"].tolist()
        ['the baseline is called its stage already', 'the baseline is called its stage already']
        """
        return trust_table(self._single, limits)
