"""Read a result from its file."""

from __future__ import annotations

from pathlib import Path

from eegflex.results.netcdf import read_dataset
from eegflex.results.result import FlexResult
from eegflex.utils.arguments import checked

__all__ = ["read_result"]


@checked
def read_result(fname: str | Path, *, lazy: bool = False) -> FlexResult:
    """Read a result that `FlexResult.save` wrote.

    Parameters
    ----------
    fname : path-like
        The file.
    lazy : bool
        Whether to leave views, power and signals on disk, and to read of them what is asked for when it is asked for, again
        each time. The file must stay where it is, and as it is; `FlexResult.close`, or a ``with`` block, closes it.

    Returns
    -------
    result : FlexResult
        The result.

    Raises
    ------
    RecordingError
        If there is no such file, it is not as it was written, it does not hold a result or one that contradicts itself, or
        another version of eegflex wrote it in another layout.

    See Also
    --------
    eegflex.FlexResult : Attributions, labelled.
    eegflex.concatenate_results : Results of several recordings as one.

    Notes
    -----
    `FlexResult.save` ends a file with a hash of all that is in it, which is checked before anything else is read, of a lazy
    result too: at a few hundred MB/s or more. Names, dimensions, kinds and coordinates are then held against the layout of a
    result, epochs against their night, and the sums of attributions against F(x) - F(x_b) and the gap; of a lazy result
    without the last, which reads every view.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    >>> result = eegflex.attribute_epochs(eegflex.make_epochs(night.raw, verbose="error"), "bandpower", verbose="error")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fname = result.save(Path(folder) / "night.nc")
    ...     with eegflex.read_result(fname, lazy=True) as again:
    ...         len(again), len(again.sel(channel="C4-M1").to_data_frame())
    (24, 168)
    """
    return FlexResult(read_dataset(fname, lazy=lazy))
