"""The labelled result of an attribution: what was attributed to what, and how far it can be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.agreement import consensus
from eegflex.bands import Bands
from eegflex.errors import ParameterError, RecordingError
from eegflex.results import tables
from eegflex.targets import is_scored, resolve_target
from eegflex.utils.files import write_whole
from eegflex.utils.inside import check_hdf5

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["FlexResult", "read_result"]

#: What a file must hold to be a result, and the version of its layout.
LAYOUT = "eegflex result 1"


class FlexResult:
    """Attributions of a recording, labelled.

    Made by `eegflex.attribute_epochs` and `eegflex.read_result`.

    Parameters
    ----------
    dataset : xarray.Dataset
        See Notes.

    Notes
    -----
    The variables of `to_xarray`, with their dimensions:

    ``frequency_view`` (epoch, channel, freq)
        Attribution to each frequency, in the unit of the score. A positive value raised the score explained.
    ``time_view`` (epoch, channel, time), ``time_frequency_view`` (epoch, channel, frame_freq, frame)
        Attribution to each sample, and to each frequency in each frame of about 2 s, if those views were asked for. All
        views of an epoch have the same sum.
    ``band_view`` (epoch, channel, band)
        In place of the frequency view where the method attributes to whole bands.
    ``context_map`` (epoch, context, channel, band)
        With ``context="scaled"``: attribution to each epoch of the window, by its offset from the target. NaN where the
        window has no such epoch. Offset 0 is the segment itself, as in the other views.
    ``power`` (epoch, channel, freq)
        Power spectral density of the segment as the stager got it (after its filter), in µV²/Hz.
    ``signal`` (epoch, channel, time)
        The segment as the stager got it, in µV.
    ``scores`` (epoch, channel_set, stage_name)
        What the stager returned for the recorded epoch.
    ``score``, ``baseline_score`` (epoch, channel_set)
        F(x) and F(x_b), the score explained of the segment and of its baseline.
    ``gap`` (epoch, channel_set)
        Completeness gap: the sum of all attributions (the context's too) less F(x) - F(x_b). NaN for a method whose
        attributions are not meant to sum to that.
    ``n_gradients``, ``n_forwards`` (epoch, channel_set)
        Gradient evaluations spent, and scores without a gradient.
    ``error`` (epoch, channel_set)
        Estimated error of the band sums of all channels, relative to their absolute total: at most ``tol`` where the adaptive
        quadrature converged; NaN where there is no estimate.
    ``predicted``, ``target`` (epoch, channel_set)
        The stage with the highest score, and the score that is explained.
    ``night_scores`` (night, channel_set, stage_name)
        Scores of every epoch of the recording, explained or not.

    With ``target="all"`` the views, ``score``, ``baseline_score`` and ``gap`` have a dimension ``explained`` more, the
    stages; `for_target` gives the result of one target.

    A *channel set* is one way of connecting channels to the stager. A stager that takes all channels at once has one. A
    stager of a single EEG channel is run and explained once for each EEG channel; a channel that takes part in several
    channel sets then appears once in each, as in ``"E1-M2 (with C3-M2)"``.

    Coordinates of epoch: ``onset`` (s), ``run``, ``stage`` (the hypnogram's), ``number`` (place in the recording) and
    ``edge`` (whether its window was ``inside`` the run, ``shifted`` or ``padded``) and ``filter_edge`` (whether the edge of the
    run reaches into it through the preparation's filter);
    of channel: ``ch_name``, ``ch_type``, ``of_channel_set`` and the electrode's ``x``, ``y``, ``z`` (m, head coordinates).
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __repr__(self) -> str:
        data = self._dataset
        stages = ", ".join(f"{stage} {count}" for stage, count in self.counts().items())
        return (
            f"<FlexResult | {self.model}, target {self.parameters['target']!r}, {data.sizes['epoch']} of "
            f"{data.sizes['night']} epochs ({stages}), {data.sizes['channel']} channels, "
            f"{data.sizes['channel_set']} channel set(s), {self.sfreq:.5g} Hz>"
        )

    @property
    def _single(self) -> xr.Dataset:
        return self.for_target()._dataset

    @property
    def model(self) -> str:
        """Name of the stager."""
        return str(self.spec["model"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        """The stager's contract, in the sections of its TOML file."""
        return dict(json.loads(self._dataset.attrs["spec"]))

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments of the attribution."""
        return dict(json.loads(self._dataset.attrs["parameters"]))

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, notes on the recording, and a hash of what the stager was given."""
        return dict(json.loads(self._dataset.attrs["provenance"]))

    @property
    def sfreq(self) -> float:
        """Sampling rate of what the stager was given, in Hz."""
        return float(self._dataset.attrs["sfreq"])

    @property
    def stages(self) -> tuple[str, ...]:
        """The stager's stages."""
        return tuple(self._dataset["stage_name"].values.astype(str))

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Names of the channels of the attributions."""
        return tuple(self._dataset["channel"].values.astype(str))

    @property
    def freqs(self) -> npt.NDArray[np.float64]:
        """Frequencies in Hz, shape (n_freqs,)."""
        return self._dataset["freq"].values.copy()

    @property
    def is_sample(self) -> bool:
        """Whether only a sample of the epochs was explained."""
        return self.parameters.get("sample_per_stage") is not None

    def counts(self) -> dict[str, int]:
        """How many epochs were explained of each predicted stage, by the most confident channel set."""
        predicted = consensus(self._dataset["scores"].values, tables.score_kind(self._dataset))
        names = np.array(self.stages)[predicted]
        return {str(stage): int((names == stage).sum()) for stage in self.stages if (names == stage).any()}

    @property
    def is_partial(self) -> bool:
        """Whether the attribution was stopped before all epochs were explained."""
        return bool(self.parameters.get("partial", False))

    def for_target(self, target: str | tuple[str, str] | None = None) -> FlexResult:
        """The result of one target, of a result of all stages; without a further pass through the network.

        Attributions are linear in the score, so that a margin's are the difference of two stages'.

        Parameters
        ----------
        target : str | tuple of (str, str) | None
            As in `eegflex.attribute_epochs`. By default the target that was asked for, or, of a result of all stages, the
            predicted: that is what tables and figures of such a result show.

        Returns
        -------
        result : FlexResult
            The same result if it has that target already.

        Raises
        ------
        ParameterError
            If the result is of another target.
        """
        own = self.parameters["target"]
        if own != "all":
            if target is None or _as_tuple(target) == _as_tuple(own):
                return self
            raise ParameterError(
                "This result explains another target", seen=target, allowed=own, remedy="Attribute with target='all'"
            )
        if target == "all":
            return self
        return FlexResult(_of_target(self._dataset, self.parameters, "predicted" if target is None else target))

    def relative_gap(self) -> npt.NDArray[np.float64]:
        """Completeness gap relative to the absolute total of the band sums, shape (n_epochs, n_channel_sets)."""
        return tables.relative_gap(self._single, Bands())

    @property
    def data(self) -> xr.Dataset:
        """The labelled dataset itself, to be read and not to be changed; `to_xarray` gives a copy."""
        return self._dataset

    def to_xarray(self) -> xr.Dataset:
        """Copy of the result as a labelled dataset."""
        return self._dataset.copy(deep=True)

    def to_data_frame(self, bands: Bands | Mapping[str, tuple[float, float]] | None = None) -> pd.DataFrame:
        """One row for each epoch, channel and band.

        Parameters
        ----------
        bands : Bands | mapping | None
            Frequency bands; by default those of `Bands`.

        Returns
        -------
        table : pandas.DataFrame
            Columns number, onset (s), stage (scored), predicted, target, channel, band, attribution and power (µV²).
        """
        return tables.long_table(self._single, _as_bands(bands))

    def band_table(
        self,
        bands: Bands | Mapping[str, tuple[float, float]] | None = None,
        *,
        by: Sequence[str] = ("stage", "channel"),
        stage_from: str = "predicted",
    ) -> pd.DataFrame:
        """Mean attribution in each band.

        Parameters
        ----------
        bands : Bands | mapping | None
            Frequency bands; by default those of `Bands`.
        by : sequence of str
            What to average within: any of ``"stage"`` and ``"channel"``.
        stage_from : {"predicted", "scored", "target"}
            Whether ``"stage"`` is the stager's, the hypnogram's, or the score that was explained.

        Returns
        -------
        table : pandas.DataFrame
            One column a band, then ``rest``, ``total`` (their sum, which is the mean of F(x) - F(x_b) when summed over the
            channels of a channel set) and ``n_epochs``. In the unit of the score.
        """
        return tables.band_table(self._single, _as_bands(bands), by=tuple(by), stage_from=stage_from)

    def save(self, fname: str | Path, *, overwrite: bool = False) -> Path:
        """Write the result to a netCDF file.

        Parameters
        ----------
        fname : path-like
            The file, usually ``*.nc``.
        overwrite : bool
            Whether a file of that name may be replaced.

        Raises
        ------
        OutputError
            If the file is there already, or cannot be written. Nothing half-written is left.
        """
        encoding = {
            name: {"zlib": True, "complevel": 4}
            for name, variable in self._dataset.data_vars.items()
            if variable.dtype.kind == "f" and variable.ndim >= 3
        }

        def write(temporary: Path) -> None:
            self._dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)

        return write_whole(fname, write, overwrite=overwrite)

    def plot_spectrum(self, **kwargs: Any) -> Figure:
        """Attribution spectrum of each stage; see `eegflex.viz.plot_spectrum`."""
        from eegflex.viz import plot_spectrum

        return plot_spectrum(self, **kwargs)

    def plot_bands(self, **kwargs: Any) -> Figure:
        """Bands by stages; see `eegflex.viz.plot_bands`."""
        from eegflex.viz import plot_bands

        return plot_bands(self, **kwargs)

    def plot_topomap(self, **kwargs: Any) -> Figure:
        """Topography of bands; see `eegflex.viz.plot_topomap`."""
        from eegflex.viz import plot_topomap

        return plot_topomap(self, **kwargs)

    def plot_context(self, **kwargs: Any) -> Figure:
        """The epochs around an epoch; see `eegflex.viz.plot_context`."""
        from eegflex.viz import plot_context

        return plot_context(self, **kwargs)

    def plot_night(self, **kwargs: Any) -> Figure:
        """The night; see `eegflex.viz.plot_night`."""
        from eegflex.viz import plot_night

        return plot_night(self, **kwargs)

    def plot_epoch(self, number: int | None = None, **kwargs: Any) -> Figure:
        """One epoch; see `eegflex.viz.plot_epoch`."""
        from eegflex.viz import plot_epoch

        return plot_epoch(self, number, **kwargs)


def read_result(fname: str | Path) -> FlexResult:
    """Read a result that `FlexResult.save` wrote.

    Parameters
    ----------
    fname : path-like
        The file.

    Raises
    ------
    RecordingError
        If there is no such file, or it does not hold a result.
    """
    path = Path(fname)
    if not path.is_file():
        raise RecordingError("There is no such file", seen=path)
    check_hdf5(path, RecordingError)
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            loaded = dataset.load()
    except (OSError, ValueError) as error:
        raise RecordingError(
            "This is not a result of eegflex", seen=path, remedy="Write one with eegflex attribute, or FlexResult.save"
        ) from error
    if loaded.attrs.get("layout") != LAYOUT:
        raise RecordingError(
            "This netCDF file is not a result of this version of eegflex", seen=path, allowed=f"layout {LAYOUT!r}"
        )
    return FlexResult(loaded)


def _of_target(dataset: xr.Dataset, parameters: dict[str, Any], target: str | tuple[str, str]) -> xr.Dataset:
    """Collapse a dataset of all stages to one target: a weighted sum of what was attributed to each."""
    stages = dataset["stage_name"].values.astype(str).tolist()
    if target == "scored":
        dataset = dataset.isel(epoch=np.flatnonzero(is_scored(dataset["stage"].values.astype(str), stages)))
    scored = dataset["stage"].values.astype(str).tolist()
    resolved = [resolve_target(target, stages, own, scored) for own in dataset["scores"].values.swapaxes(0, 1)]
    weights = xr.DataArray(
        np.stack([one.weights[:, 0] for one in resolved], axis=1), dims=("epoch", "channel_set", "target_stage")
    )
    of_channel = weights[:, dataset["of_channel_set"].values].rename(channel_set="channel")
    variables = {}
    for name, variable in dataset.data_vars.items():
        if "target_stage" in variable.dims:
            bare = variable.reset_coords(drop=True)
            summed = xr.dot(bare, of_channel if "channel" in bare.dims else weights, dim="target_stage")
            variables[name] = summed.transpose(*(dim for dim in bare.dims if dim != "target_stage")).astype(bare.dtype)
    collapsed = dataset.drop_vars([*variables, "target_stage"]).assign(variables)
    labels = np.stack([one.labels for one in resolved], axis=1).astype(object)
    collapsed["target"] = ("epoch", "channel_set"), labels
    # Errors of several stages may add up, and are then relative to the size of what remains.
    sizes = np.stack([tables.sizes(dataset.isel(target_stage=k), Bands()) for k in range(len(stages))], axis=-1)
    error = dataset["error"].values * (np.abs(weights.values) * sizes).sum(axis=-1)
    collapsed["error"] = ("epoch", "channel_set"), error / tables.sizes(collapsed, Bands())
    collapsed.attrs["parameters"] = json.dumps({**parameters, "target": target})
    return collapsed


def _as_tuple(target: Any) -> Any:
    return tuple(target) if isinstance(target, list) else target


def _as_bands(bands: Bands | Mapping[str, tuple[float, float]] | None) -> Bands:
    if bands is None or isinstance(bands, Mapping):
        return bands if isinstance(bands, Bands) else Bands(bands)
    raise ParameterError("Bands must map names to edges in Hz", seen=repr(bands), allowed="{'sigma': (12, 16), ...}")
