"""Results as netCDF files: their layout, and how they are written and read."""

from __future__ import annotations

import io
from pathlib import Path

import h5netcdf
import xarray as xr

from eegflex.errors import ParameterError, RecordingError
from eegflex.utils.files import check_input, write_whole
from eegflex.utils.inside import check_hdf5

__all__ = ["LAYOUT", "check_result_file", "is_large", "read_dataset", "write_dataset"]

#: What a file must hold to be a result, and the version of its layout.
LAYOUT = "eegflex result 2"
#: What writes other formats, by their suffix.
_WRITERS = {
    **dict.fromkeys(
        (".csv", ".xlsx", ".parquet"), "A table: result.to_data_frame() or result.band_table(), and its to_{}"
    ),
    **dict.fromkeys((".html", ".htm"), "A report: eegflex.make_report(result).save(...)"),
    **dict.fromkeys((".edf", ".tsv"), "A hypnogram: eegflex.stage_epochs(epochs, model).save(...)"),
    **dict.fromkeys(
        (".png", ".pdf", ".svg"), "A figure: result.plot_topomap().savefig(...), or that of another plot_*"
    ),
}
_FORMATS = {"xlsx": "excel"}


def check_result_file(fname: str | Path) -> Path:
    """Refuse a name that is not that of a result, and say what writes the format that it names.

    Parameters
    ----------
    fname : path-like
        The file to be written.

    Returns
    -------
    path : Path

    Raises
    ------
    ParameterError
        If the name does not end in ``.nc``.
    """
    path = Path(fname)
    suffix = path.suffix.casefold()
    if suffix == ".nc":
        return path
    kind = suffix.removeprefix(".")
    remedy = _WRITERS.get(suffix, "Name it night.nc, for example").format(_FORMATS.get(kind, kind))
    raise ParameterError("A result is written as netCDF", seen=path, allowed="a name that ends in .nc", remedy=remedy)


def is_large(variable: xr.DataArray | xr.Variable) -> bool:
    """Whether a variable has values for each epoch and channel: these make up nearly all of a result."""
    return {"epoch", "channel"} <= set(variable.dims)


def write_dataset(dataset: xr.Dataset, fname: str | Path, *, overwrite: bool) -> Path:
    """Write a dataset, whole or not at all.

    The large variables are compressed epoch by epoch, so that one epoch can be read by itself. It is put together in memory,
    which takes as much as the file: HDF5 that meets a full disk takes the process down with it.
    """
    encoding = {
        name: {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (1, *variable.shape[1:])}
        for name, variable in dataset.data_vars.items()
        if is_large(variable)
    }

    def write(temporary: Path) -> None:
        buffer = io.BytesIO()
        with h5netcdf.File(buffer, "w") as file:
            dataset.drop_encoding().dump_to_store(xr.backends.H5NetCDFStore(file), encoding=encoding)
        temporary.write_bytes(buffer.getbuffer())

    return write_whole(check_result_file(fname), write, overwrite=overwrite)


def read_dataset(fname: str | Path, *, lazy: bool) -> xr.Dataset:
    """Read a dataset; a lazy one has only what is small in memory.

    Raises
    ------
    RecordingError
        If there is no such file, it does not hold a result, or it is of another version of the layout.
    """
    path = check_input(fname, RecordingError, "result")
    check_hdf5(path, RecordingError)
    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", cache=False)
        _load(dataset, path, lazy=lazy)
    except RecordingError:
        raise
    except (OSError, ValueError) as error:
        raise RecordingError(
            "This is not a result of eegflex", seen=path, remedy="Write one with eegflex attribute, or FlexResult.save"
        ) from error
    return dataset


def _load(dataset: xr.Dataset, path: Path, *, lazy: bool) -> None:
    """Load what is to be in memory, and keep the file open only where that is not all."""
    keep_open = False
    try:
        _check_layout(str(dataset.attrs.get("layout", "")), path)
        for variable in dataset.variables.values():
            if not (lazy and is_large(variable)):
                variable.load()
        keep_open = lazy
    finally:
        if not keep_open:
            dataset.close()


def _check_layout(found: str, path: Path) -> None:
    if found == LAYOUT:
        return
    name, _, version = found.rpartition(" ")
    own_name, _, own_version = LAYOUT.rpartition(" ")
    if name != own_name or not version.isdecimal():
        raise RecordingError(
            "This netCDF file is not a result of eegflex", seen=path, allowed=f"a file whose layout is {LAYOUT!r}"
        )
    earlier = int(version) < int(own_version)
    raise RecordingError(
        f"This result was written by {'an earlier' if earlier else 'a later'} version of eegflex",
        seen=f"{path}, layout {found!r}",
        allowed=f"layout {LAYOUT!r}",
        remedy="Attribute the recording again" if earlier else "Update eegflex",
    )
