"""What is known of many nights: a row for each recording, and means over its epochs by stage, channel and band."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

__all__ = ["BANDS", "STAGES", "Cohort"]

#: Columns of `Cohort.stages` that are always there.
STAGES = ("recording", "stage", "n_scored", "n_predicted", "n_explained", "n_trusted", "kappa")
#: Columns of `Cohort.bands`.
BANDS = ("recording", "stage", "channel", "band", "mean", "error", "n_epochs")


@dataclass(frozen=True, eq=False)
class Cohort:
    """Many recordings, each reduced to means over its own epochs: the recording is the unit of all that is told of a cohort.

    Attributes
    ----------
    recordings : pandas.DataFrame
        A row for each recording, also for those that failed. Its index, ``recording``, names it (``sub-01_ses-1``). Columns:
        ``subject``, ``session`` (empty where there is none), ``status`` (``"done"``, ``"failed"`` or ``"missing"``), ``error``
        and ``remedy`` (empty where nothing failed), ``kappa`` (of the stager and the scorer; NaN where nobody scored),
        ``disagreement`` (the share of epochs to which channels give different stages), ``n_epochs``, ``n_explained``,
        ``n_trusted`` (-1 where it was not evaluated), ``seconds`` that it took, ``result`` (the path of its file, relative to
        the folder), and each covariate of the source (``group``, ``age`` ...).
    stages : pandas.DataFrame
        A row for each recording and stage: epochs that were scored, predicted, explained and trusted, and kappa of this stage
        against all others.
    bands : pandas.DataFrame
        A row for each recording, stage, channel and band: the mean over epochs of the attribution, its own standard error (of
        the epochs, in blocks of time, and of what is not known of each of them), in units of the score, and the number of
        epochs. Where somebody scored there may be ``mean_agreed``, ``error_agreed`` and ``n_agreed``, too: the same over those
        epochs on which stager and scorer agree, for ``compare_groups(epochs="agreed")``.
    spectra : xarray.Dataset
        ``mean`` and ``error``, of dimensions (recording, stage, channel, freq): attribution per Hz; ``freq`` in Hz. NaN where a
        recording has no explained epoch of a stage, or has not the channel. Its attributes have ``score`` and ``stages``.
    """

    recordings: pd.DataFrame
    stages: pd.DataFrame
    bands: pd.DataFrame
    spectra: xr.Dataset

    def __repr__(self) -> str:
        """How many recordings there are, and how many are done."""
        done = int((self.recordings["status"] == "done").sum())
        people = self.recordings["subject"].nunique()
        return f"<Cohort | {len(self.recordings)} recordings of {people} people, {done} done>"
