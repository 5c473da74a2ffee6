"""What is known of a cohort, out of its sidecars; and its tables as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.cohort.cohort import AGREED, BANDS, STAGES, Cohort
from eegflex.cohort.extra import from_extra
from eegflex.cohort.folder import DONE, Folder, make_folder
from eegflex.cohort.recording import Recording
from eegflex.utils.arguments import checked
from eegflex.utils.files import write_whole

__all__ = ["bands_of", "read_cohort", "write_tables"]

MISSING = "missing"
#: What the spectra say of what was asked.
_ASKED = ("target", "baseline", "context", "method", "sample_per_stage")
#: What spectra and their axes are, and in what unit: a score per Hz; a text has none.
_SPECTRA = {
    "mean": {"long_name": "mean over epochs of the attribution per Hz", "units": "Hz-1"},
    "error": {"long_name": "standard error of the mean", "units": "Hz-1"},
    "mean_agreed": {"long_name": "mean over epochs on which stager and scorer agree", "units": "Hz-1"},
    "freq": {"long_name": "frequency", "units": "Hz"},
    "recording": {"long_name": "name of the recording"},
    "stage": {"long_name": "predicted stage"},
    "channel": {"long_name": "label of the channel"},
}
_TEXTS = ("subject", "session", "status", "error", "remedy")
_NUMBERS = {
    "kappa": np.nan, "disagreement": np.nan, "n_epochs": 0, "n_explained": 0, "n_trusted": -1, "n_tested": 0, "seconds": np.nan
}  # fmt: skip


@checked
def read_cohort(out: str | Path) -> Cohort:
    """Read a cohort, finished or not.

    Parameters
    ----------
    out : path-like
        The folder of `run_cohort`.

    Returns
    -------
    cohort : Cohort
        The recordings of the last run; those that are neither done nor failed are ``"missing"``. What earlier runs left of
        other recordings is not in it.

    Raises
    ------
    ParameterError
        If the folder is not one of a cohort.

    See Also
    --------
    eegflex.cohort.Cohort : Many nights, a row for each.
    eegflex.cohort.run_cohort : Explain many nights.
    eegflex.cohort.cohort_status : How far a run is.

    Examples
    --------
    Of a folder of `run_cohort`, whose own example makes one:

    >>> from eegflex.cohort import read_cohort
    >>> read_cohort("out").recordings  # doctest: +SKIP
    """
    folder = Folder(Path(out))
    listed = folder.read_listing()
    said = folder.known(listed)
    done = {name: found for name, found in said.items() if found["status"] == DONE}
    return Cohort(
        recordings=_recordings(folder, listed, said),
        stages=_stages(done),
        bands=bands_of(done),
        spectra=_spectra(folder, listed, done),
    )


def _recordings(folder: Folder, listed: Iterable[Recording], said: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    rows = []
    for one in listed:
        found = said.get(one.name, {"status": MISSING})
        numbers = found.get("summary", {}).get("recording", {}) | found.get("run", {})
        texts = {name: found.get(name, "") for name in ("status", "error", "remedy")}
        given = {name: numbers.get(name) for name in _NUMBERS}
        filled = {name: _NUMBERS[name] if value is None else value for name, value in given.items()}
        result = folder.result(one).relative_to(folder.root).as_posix() if found["status"] == DONE else ""
        own = {"recording": one.name, "subject": one.subject, "session": one.session}
        rows.append({**_free(one.covariates, filled), **own, **texts, **filled, "result": result})
    table = pd.DataFrame(rows).set_index("recording")
    fixed = [*_TEXTS, *_NUMBERS, "result"]
    return table[[*fixed, *(name for name in table.columns if name not in fixed)]]


def _free(covariates: Mapping[str, Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Covariates under names that no column of ours has."""
    taken = {*numbers, *_TEXTS, "recording", "result"}
    return {f"{name}_given" if name in taken else name: value for name, value in covariates.items()}


def _stages(done: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    rows = [{"recording": name, **row} for name, said in done.items() for row in said["summary"]["stages"]]
    table = pd.DataFrame(rows, columns=list(STAGES))
    return table.astype({"kappa": float} | {name: int for name in STAGES if name.startswith("n_")})


def bands_of(done: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """The table of bands of what is said of recordings that are done."""
    parts: list[dict[str, npt.NDArray[Any]]] = []
    columns = (*BANDS, *AGREED) if _any_agreed(done) else BANDS
    for name, said in done.items():
        summary = said["summary"]
        shape = (len(summary["names"]), len(summary["channels"]), len(summary["bands"]))
        axes = np.meshgrid(summary["names"], summary["channels"], summary["bands"], indexing="ij")
        stage, channel, band = (axis.ravel().astype(object) for axis in axes)
        found = {"recording": np.full(len(stage), name, dtype=object), "stage": stage, "channel": channel, "band": band}
        for what in columns[len(found) :]:
            own = np.array(summary[what], dtype=int if what.startswith("n_") else float)
            found[what] = np.broadcast_to(own[..., None] if what.startswith("n_") else own, shape).ravel()
        parts.append({what: found[what][found["n_epochs"] > 0] for what in columns})
    if not parts:
        return pd.DataFrame(columns=list(BANDS)).astype({"mean": float, "error": float, "n_epochs": int})
    return pd.DataFrame({what: np.concatenate([part[what] for part in parts]) for what in columns})


def _any_agreed(done: Mapping[str, dict[str, Any]]) -> bool:
    """Whether stager and scorer agree on any epoch that was explained."""
    return any(np.any(said["summary"]["n_agreed"]) for said in done.values())


def _spectra(folder: Folder, listed: Iterable[Recording], done: Mapping[str, dict[str, Any]]) -> xr.Dataset:
    """Spectra of all, on axes that have what any of them has."""
    summaries = {name: said["summary"] for name, said in done.items()}
    stages, channels, freqs = (
        _union(one[axis] for one in summaries.values()) for axis in ("names", "channels", "freqs")
    )
    freqs = sorted(freqs)
    places = [{value: place for place, value in enumerate(axis)} for axis in (stages, channels, freqs)]
    names = ("mean", "error", "mean_agreed") if _any_agreed(done) else ("mean", "error")
    planes = range(len(names))
    values = np.full((len(names), len(summaries), len(stages), len(channels), len(freqs)), np.nan, dtype=np.float32)
    files = {one.name: folder.spectra(one) for one in listed}
    for row, (name, summary) in enumerate(summaries.items()):
        own = [
            [axis[value] for value in summary[what]]
            for axis, what in zip(places, ("names", "channels", "freqs"), strict=True)
        ]
        values[:, row][np.ix_(planes, *own)] = np.load(files[name])[: len(names)]
    dims = ("recording", "stage", "channel", "freq")
    told = next(iter(done.values()))["settings"] if done else {}
    asked = (
        {name: str(told["attribution"].get(name)) for name in _ASKED} | {"model": str(told["model"])} if done else {}
    )
    spectra = xr.Dataset(
        {what: (dims, plane) for what, plane in zip(names, values, strict=True)},
        coords={
            **{
                name: np.array(axis, dtype=str)
                for name, axis in zip(dims[:3], (list(summaries), stages, channels), strict=True)
            },
            "freq": np.array(freqs, dtype=float),
        },
        attrs={"score": _score(done), "stages": list(stages), **asked},
    )
    for name in (*spectra.data_vars, *spectra.coords):
        spectra[name].attrs = _SPECTRA[str(name)]
    return spectra


def _score(done: Mapping[str, dict[str, Any]]) -> str:
    return str(next(iter(done.values()))["summary"]["score"]) if done else ""


def _union(axes: Iterable[Iterable[Any]]) -> list[Any]:
    return list(dict.fromkeys(value for axis in axes for value in axis))


def write_tables(cohort: Cohort, folder: Path) -> None:
    """Write the tables of a cohort, as Parquet and CSV, and its spectra; each whole."""
    from_extra("pyarrow")
    make_folder(folder)
    tables = {
        "recordings": cohort.recordings.reset_index(),
        "stages": cohort.stages,
        "bands": cohort.bands,
    }
    for name, table in tables.items():
        write_whole(folder / f"{name}.parquet", table.to_parquet, overwrite=True)
        write_whole(folder / f"{name}.csv", partial(_to_csv, table), overwrite=True)
    write_whole(folder / "spectra.nc", lambda path: cohort.spectra.to_netcdf(path, engine="h5netcdf"), overwrite=True)


def _to_csv(table: pd.DataFrame, path: Path) -> None:
    """Numbers to nine digits, through Arrow, which is ten times as quick as pandas."""
    arrow, csv = from_extra("pyarrow"), from_extra("pyarrow.csv")
    csv.write_csv(arrow.Table.from_pandas(table, preserve_index=False), path)
