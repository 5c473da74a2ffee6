"""Results as netCDF files: how they are written, sealed, checked and read."""

from __future__ import annotations

import io
import mmap
import re
from pathlib import Path
from typing import Any

import h5netcdf
import xarray as xr

from eegflex.errors import ParameterError, RecordingError
from eegflex.results.consistency import check_values
from eegflex.results.layout import COORDINATES, LAYOUT, VARIABLES, check_layout, is_large
from eegflex.results.seal import check_seal, is_sealed, seal
from eegflex.results.stored import OFFSET, STEP, Stored, decoded, stored
from eegflex.utils.files import check_input, write_whole
from eegflex.utils.inside import data_sets

__all__ = ["check_result_file", "read_dataset", "write_dataset"]

#: What writes other formats, by their suffix.
_WRITERS = {
    **dict.fromkeys(
        (".csv", ".xlsx", ".parquet"), "A table: result.to_data_frame() or result.band_table(), and its to_{}"
    ),
    **dict.fromkeys((".html", ".htm"), "A report: eegflex.make_report(result).save(...)"),
    **dict.fromkeys(
        (".edf", ".tsv"), "A hypnogram: eegflex.stage_epochs(epochs, model).save(...); tracks: result.export_edf(...)"
    ),
    **dict.fromkeys(
        (".png", ".pdf", ".svg"), "A figure: result.plot_topomap().savefig(...), or that of another plot_*"
    ),
}
_FORMATS = {"xlsx": "excel"}
#: How many bytes of zeros zlib makes of one, at most.
_MOST_COMPRESSED = 1100
#: Bytes of a chunk that are worth it.
_CHUNK = 1 << 14


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


def write_dataset(dataset: xr.Dataset, fname: str | Path, *, overwrite: bool) -> Path:
    """Write a dataset, whole or not at all, and seal it.

    The large variables are compressed epoch by epoch, so that one epoch can be read by itself; those of a light result in steps
    that its errors justify, a few epochs at a time. It is put together in memory, which takes as much as the file: HDF5 that
    meets a full disk takes the process down with it.
    """
    light = stored(dataset)
    steps = {f"{name}{STEP}": _described(name, how.step) for name, how in light.items() if how.step is not None}
    plain = dataset.drop_vars(light).assign(steps)
    encoding: dict[str, dict[str, Any]] = {
        str(name): {"_FillValue": None} for name, variable in plain.variables.items() if variable.dtype.kind == "f"
    }
    for name, variable in plain.data_vars.items():
        if is_large(variable):
            own = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": _chunks(variable)}
            encoding[str(name)] |= own

    def write(temporary: Path) -> None:
        buffer = io.BytesIO()
        with h5netcdf.File(buffer, "w") as file:
            plain.drop_encoding().dump_to_store(xr.backends.H5NetCDFStore(file), encoding=encoding)
            for name, how in light.items():
                _write_blocks(file, name, how)
        temporary.write_bytes(buffer.getbuffer())
        seal(temporary)

    return write_whole(check_result_file(fname), write, overwrite=overwrite)


def _described(name: str, step: xr.Variable) -> xr.Variable:
    """Steps, with what they are of and in what unit."""
    known = VARIABLES[name].attrs
    own = step.copy(deep=False)
    own.attrs = known | {"long_name": f"step of: {known['long_name']}"}
    return own


def _chunks(variable: xr.DataArray) -> tuple[int, ...]:
    """One epoch of what is large; as many of what is small as are worth a chunk of their own."""
    together = max(1, min(len(variable), _CHUNK // max(variable[0].nbytes, 1)))
    return (together, *variable.shape[1:])


def _write_blocks(file: h5netcdf.File, name: str, how: Stored) -> None:
    """Write a variable a few epochs at a time."""
    chunks, dims = (1, *how.variable.shape[1:]), tuple(map(str, how.variable.dims))
    packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "chunks": chunks}
    there = file.create_variable(name, dims, how.dtype, **packed)
    attrs = dict(how.variable.attrs)
    if how.step is not None:  # each epoch and channel has a step of its own, so that scale_factor could not say it
        attrs = {"long_name": f"{attrs['long_name']}: (number - {OFFSET}) * {name}{STEP}", "units": "1"}
    there.attrs.update(attrs)
    for rows, values in how.blocks():
        there[rows] = values


def read_dataset(fname: str | Path, *, lazy: bool) -> xr.Dataset:
    """Read a dataset; a lazy one has only what is small in memory.

    Raises
    ------
    RecordingError
        If there is no such file, it is not as it was written, does not hold a result, is of another version of the layout, or
        contradicts itself.
    """
    path = check_input(fname, RecordingError, "result")
    try:
        if not is_sealed(path):
            _check_version(_layout_within(path), path)
        check_seal(path, RecordingError, "result")
        _check_sizes(path)
        # as it is in the file: nothing there may change a number on its way
        dataset = xr.open_dataset(
            path, engine="h5netcdf", cache=False, mask_and_scale=False, decode_times=False, decode_coords=False
        )
        return _checked(dataset, path, lazy=lazy)
    except RecordingError:
        raise
    except Exception as error:  # whatever a library makes of a file that is none of ours
        raise RecordingError(
            "This is not a result of eegflex", seen=path, remedy="Write one with eegflex attribute, or FlexResult.save"
        ) from error


def _checked(dataset: xr.Dataset, path: Path, *, lazy: bool) -> xr.Dataset:
    """Load what is to be in memory and check it; the file stays open only where that is not all."""
    keep_open = False
    try:
        _check_version(str(dataset.attrs.get("layout", "")), path)
        dataset.attrs.pop("coordinates", None)
        dataset = dataset.set_coords([name for name in COORDINATES if name in dataset])
        for variable in dataset.variables.values():
            variable.attrs.clear()  # they say which of them are coordinates; what else they say, the layout knows
            if not is_large(variable):
                variable.load()
        in_file = dataset
        dataset = decoded(in_file, path, RecordingError)
        if dataset is not in_file:
            dataset.set_close(in_file.close)
        if not lazy:
            dataset.load()
        check_layout(dataset, RecordingError)
        check_values(dataset, RecordingError, views=not lazy)
        keep_open = lazy
    finally:
        if not keep_open:
            dataset.close()
    return dataset


def _check_sizes(path: Path) -> None:
    """Refuse data sets that no result has, that lie in other files, or claim more than their bytes in the file can hold."""
    import h5py

    with h5py.File(path, "r") as file:
        for name, found in data_sets(file, path, RecordingError).items():
            if name in ("epoch", "night"):  # they have a length, and nothing else
                continue
            if name.removesuffix(STEP) not in VARIABLES and name not in COORDINATES:
                raise RecordingError(f"{path.name} has a data set that no result has", seen=f"{name!r:.80}")
            if found.nbytes > _MOST_COMPRESSED * found.id.get_storage_size():
                raise RecordingError(
                    f"{path.name} states more data than it has",
                    seen=f"{name}, {found.nbytes:.3g} bytes",
                    remedy="Do not open it; attribute the recording again",
                )


def _layout_within(path: Path) -> str:
    """The layout that a file names which cannot be opened safely: its text stands in it as it is."""
    if not path.stat().st_size:
        return ""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = re.search(rb"eegflex result \d{1,9}", content)
        return "" if found is None else found[0].decode()


def _check_version(found: str, path: Path) -> None:
    """Refuse what is of another version; what names this one, or is not sealed and names it, passes."""
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
