"""Good files of every kind that eegflex reads, and how each is read: what `fuzz.py` damages.

`read` returns what was read as bytes, so that two readings can be compared. A kind is *sealed* if its format has
checksums, or eegflex's own: whatever is changed in such a file must be refused, or read as it was.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Attributes
    ----------
    write : callable
        ``write(folder)`` writes a good file, with what belongs beside it, and returns those that are damaged; the first
        of them is the one that is read.
    read : callable
        ``read(path)`` is what eegflex makes of it, as bytes.
    share : float
        How many of all mutations, relative to other kinds.
    sealed : bool
        Whether what was changed can be told.
    second : callable | None
        ``second(path)`` compares a file that was read with what another program reads, and says how they differ; ``""`` if
        they do not, or the other one refuses the file.
    forge : callable | None
        ``forge(path)`` makes eegflex's own checksum anew, after a value was changed by the library that writes such files: what
        someone does who wants to be believed.
    """

    write: Callable[[Path], list[Path]]
    read: Callable[[Path], bytes]
    share: float = 1.0
    sealed: bool = False
    second: Callable[[Path], str] | None = None
    forge: Callable[[Path], None] | None = None


def _digest(*values: Any) -> bytes:
    found = hashlib.sha256()
    for value in values:
        found.update(np.ascontiguousarray(value).tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return found.digest()


# Recordings


def _night() -> Any:
    import mne

    rng = np.random.default_rng(0)
    info = mne.create_info(["C3", "C4", "M1", "M2", "E1", "EMG chin"], 64.0, "eeg")
    data = rng.normal(0, 2e-5, (6, 64 * 90)).round(7)
    return mne.io.RawArray(data, info, verbose="error")


def _edf(folder: Path, **options: Any) -> list[Path]:
    from edf_files import Edf, Sig, times

    labels = ("EEG C3-A2", "EEG C4-A1", "EOG(L)", "EMG chin")
    file = Edf([Sig(label, n=64) for label in labels], n_records=90, **options)
    if "reserved" in options:
        file.tals = times(90, extra={3: b"+3.5\x1530\x14Sleep stage N2\x14\x00"})
    path = folder / ("night.bdf" if options.get("bdf") else "night.edf")
    path.write_bytes(file.to_bytes())
    return [path]


def _fif(folder: Path) -> list[Path]:
    _night().save(folder / "night_raw.fif", verbose="error")
    return [folder / "night_raw.fif"]


def _brainvision(folder: Path) -> list[Path]:
    raw = _night()
    np.round(raw.get_data() * 1e7).astype("<i2").T.tofile(folder / "night.eeg")
    channels = "".join(f"Ch{k}={label},,0.1,µV\n" for k, label in enumerate(raw.ch_names, 1))
    (folder / "night.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nDataFile=night.eeg\n[Marker Infos]\n"
        "Mk1=New Segment,,1,1,0,20200330235500000000\nMk2=Comment,N2,1921,1,0\n",
        encoding="utf-8",
    )
    (folder / "night.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=night.eeg\n"
        "MarkerFile=night.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=6\n"
        "SamplingInterval=15625\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n" + channels,
        encoding="utf-8",
    )
    return [folder / f"night.{suffix}" for suffix in ("vhdr", "vmrk", "eeg")]


def _eeglab(folder: Path, *, beside: bool) -> list[Path]:
    import scipy.io

    raw = _night()
    data = (raw.get_data() * 1e6).astype(np.float32)
    events = np.array(
        [("boundary", 1000.5, 640.0), ("N2", 1921.0, 0.0)],
        dtype=[("type", "O"), ("latency", "O"), ("duration", "O")],
    )
    eeg = {
        "data": "night.fdt" if beside else data,
        "nbchan": 6,
        "pnts": data.shape[1],
        "trials": 1,
        "srate": 64.0,
        "xmin": 0.0,
        "xmax": 89.98,
        "setname": "night",
        "filename": "night.set",
        "chanlocs": np.array([(label,) for label in raw.ch_names], dtype=[("labels", "O")]),
        "event": events,
        "epoch": [],
        "icawinv": [],
    }
    scipy.io.savemat(folder / "night.set", {"EEG": eeg}, appendmat=False)
    if not beside:
        return [folder / "night.set"]
    data.T.astype("<f4").tofile(folder / "night.fdt")
    return [folder / "night.set", folder / "night.fdt"]


def _read_recording(path: Path) -> bytes:
    import eegflex

    raw = eegflex.read_psg(path, verbose="error")
    times = [(one["onset"], one["duration"], one["description"]) for one in raw.annotations]
    return _digest(raw.ch_names, raw.info["sfreq"], raw.info["meas_date"], times, raw.get_data())


def _against_edfio(path: Path) -> str:
    import edfio

    from eegflex.readers.recordings.registry import open_source

    try:
        other = (edfio.read_bdf if path.suffix == ".bdf" else edfio.read_edf)(path)
        theirs = [np.asarray(signal.data) for signal in other.signals]
    except Exception:
        return ""
    source = open_source(path)
    n = len(source.signals) + 1  # with that of the annotations
    limits = path.read_bytes()[256 + 104 * (n - 1) : 256 + 136 * n]
    if len(source.runs) > 1 or b"\x00" in limits:
        return ""  # edfio has no time between records, and digital values where numbers are filled up with zero bytes
    if len(theirs) != len(source.signals):
        return f"{len(source.signals)} signals, edfio {len(theirs)}"
    for signal, values in zip(source.signals, theirs, strict=True):
        if signal.fault:
            continue
        n = min(signal.n_times, len(values))
        own = source.read(signal.index, 0, n)
        if not np.allclose(own, values[:n], rtol=1e-6, atol=1e-9 * np.abs(values).max(initial=0), equal_nan=True):
            return f"other samples than edfio in signal {signal.index}"
    return ""


# Hypnograms


def _write_hypnogram(name: str, folder: Path) -> list[Path]:
    from hypnogram_files import FILES

    written = FILES[name][0]()
    parts: Mapping[str, bytes] = written if isinstance(written, Mapping) else {"hypnogram": written}
    paths = []
    for suffix, data in parts.items():
        paths.append(folder / suffix)
        paths[-1].write_bytes(data)
    return paths


def _read_hypnogram(name: str, path: Path) -> bytes:
    from hypnogram_files import FILES

    import eegflex

    length = {"epoch_length": 30.0} if FILES[name][1] else {}
    stages = eegflex.read_hypnogram(path, **length, verbose="error")
    return _digest(stages.onset, stages.duration, stages.description.tolist(), stages.orig_time)


# Results and models


def _result(folder: Path) -> list[Path]:
    from example_results import make_result

    make_result().save(folder / "result.nc")
    return [folder / "result.nc"]


def _read_result(path: Path) -> bytes:
    import eegflex

    result = eegflex.read_result(path)
    data = result.to_xarray()
    result.band_table()  # what is read can be used
    parts = [(str(name), data[name].dims, data[name].values.tolist()) for name in sorted(map(str, data.variables))]
    return _digest(parts, sorted(data.attrs.items()))


def _seal_anew(path: Path) -> None:
    from eegflex.results.seal import _LENGTH, is_sealed, seal

    if is_sealed(path):
        path.write_bytes(path.read_bytes()[:-_LENGTH])
    seal(path)


def _network() -> Any:
    import torch
    from trained.networks import Chambon

    torch.manual_seed(0)
    return Chambon().eval()


def _weights(folder: Path) -> list[Path]:
    from safetensors.torch import save_file

    save_file(_network().state_dict(), folder / "model.safetensors")
    return [folder / "model.safetensors"]


def _pickled(folder: Path) -> list[Path]:
    import torch

    torch.save(_network().state_dict(), folder / "model.pth")
    return [folder / "model.pth"]


def _torchscript(folder: Path) -> list[Path]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(_network(), torch.zeros(2, 2, 3000)), folder / "model.pt")
    return [folder / "model.pt"]


def _exported(folder: Path) -> list[Path]:
    import torch

    shapes = {"epochs": {0: torch.export.Dim("batch", min=1, max=64)}}
    torch.export.save(
        torch.export.export(_network(), (torch.zeros(2, 2, 3000),), dynamic_shapes=shapes), folder / "model.pt2"
    )
    return [folder / "model.pt2"]


def _onnx(folder: Path) -> list[Path]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _network(), (torch.zeros(1, 2, 3000),), folder / "model.onnx", dynamo=False, dynamic_axes={"x": [0]},
            input_names=["x"],
        )  # fmt: skip
    return [folder / "model.onnx"]


def _keras(folder: Path, suffix: str) -> list[Path]:
    import keras

    keras.utils.set_random_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = keras.Sequential([keras.Input((64, 2)), keras.layers.Conv1D(4, 8), keras.layers.Flatten()])
        model.add(keras.layers.Dense(5))
        model.save(folder / f"model{suffix}")
    return [folder / f"model{suffix}"]


def _toml(folder: Path) -> list[Path]:
    import shutil

    shutil.copy(TESTS / "trained" / "chambon.safetensors", folder)
    shutil.copy(TESTS / "trained" / "chambon.toml", folder)
    return [folder / "chambon.toml"]


def _read_model(path: Path) -> bytes:
    import torch

    import eegflex

    module = _network() if path.suffix in {".safetensors", ".pth", ".toml"} else None
    stager = eegflex.load_model(path, module=module)
    shape = (2, 64, 2) if path.suffix in {".keras", ".h5"} else (2, 2, 3000)
    fed = torch.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    with torch.no_grad():
        try:
            scores = stager.module(fed.to(stager.like))
        except eegflex.errors.EegflexError:
            raise
        except Exception as error:  # a network that loads and cannot run is refused where it is run
            raise eegflex.errors.ModelError("The model fails", seen=type(error).__name__) from error
    return _digest(scores.numpy() if isinstance(scores, torch.Tensor) else np.asarray(scores), stager.spec.to_dict())


def _hypnograms() -> dict[str, Kind]:
    from hypnogram_files import FILES

    return {
        f"hypnogram: {name}": Kind(
            functools.partial(_write_hypnogram, name), functools.partial(_read_hypnogram, name), 0.35
        )
        for name in FILES
    }


def kinds() -> dict[str, Kind]:
    """Every kind of file."""
    return {
        "EDF": Kind(_edf, _read_recording, 2, second=_against_edfio),
        "EDF+": Kind(functools.partial(_edf, reserved="EDF+C"), _read_recording, 2, second=_against_edfio),
        "EDF+D": Kind(functools.partial(_edf, reserved="EDF+D"), _read_recording, second=_against_edfio),
        "BDF": Kind(functools.partial(_edf, bdf=True), _read_recording, second=_against_edfio),
        "FIF": Kind(_fif, _read_recording, 2),
        "BrainVision": Kind(_brainvision, _read_recording, 2),
        "EEGLAB": Kind(functools.partial(_eeglab, beside=False), _read_recording, 1.5),
        "EEGLAB with .fdt": Kind(functools.partial(_eeglab, beside=True), _read_recording, 1.5),
        **_hypnograms(),
        "result": Kind(_result, _read_result, 2, sealed=True),
        "result: forged": Kind(_result, _read_result, forge=_seal_anew),
        "model: safetensors": Kind(_weights, _read_model),
        "model: state dict": Kind(_pickled, _read_model, sealed=True),
        "model: TorchScript": Kind(_torchscript, _read_model, sealed=True),
        "model: torch.export": Kind(_exported, _read_model, 0.5, sealed=True),
        "model: ONNX": Kind(_onnx, _read_model, 0.7),
        "model: Keras": Kind(functools.partial(_keras, suffix=".keras"), _read_model, 0.5, sealed=True),
        "model: Keras, HDF5": Kind(functools.partial(_keras, suffix=".h5"), _read_model, 0.5),
        "spec": Kind(_toml, _read_model),
    }


def main() -> None:
    """Write each and read it: what cannot be read undamaged is no seed."""
    for name, kind in kinds().items():
        with tempfile.TemporaryDirectory() as folder:
            paths = kind.write(Path(folder))
            first, again = kind.read(paths[0]), kind.read(paths[0])
            sys.stdout.write(f"{name}: {'same' if first == again else 'DIFFERS'} {[p.stat().st_size for p in paths]}\n")


if __name__ == "__main__":
    main()
