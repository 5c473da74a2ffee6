"""Weights are real and floating point, or what the network's own are; nothing is cast without a word."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import torch
import trained
from safetensors.torch import save_file
from test_security import FED, rewrite, save_exported
from torch import nn
from trained.networks import Chambon

from eegflex import load_model
from eegflex.errors import ModelError

NAME = "final_layer.1.bias"
OTHER_KINDS = {
    "int8": lambda own: (own * 100).to(torch.int8),
    "uint8": lambda own: (own * 100).abs().to(torch.uint8),
    "int64": lambda own: (own * 100).long(),
    "bool": lambda own: own > 0,
    "complex64": lambda own: torch.complex(own, own),
    "complex128": lambda own: torch.complex(own, own).to(torch.complex128),
    "quantised qint8": lambda own: torch.quantize_per_tensor(own, 0.1, 0, torch.qint8),
    "sparse float32": lambda own: own.to_sparse(),
}
REAL_KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn)


def network():
    return trained.chambon().module


def save_state(path, state):
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)


def kinds_for(suffix):
    return [kind for kind in OTHER_KINDS if suffix == "pt" or kind.startswith(("int", "uint", "bool", "complex64"))]


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor|.*TypedStorage")
@pytest.mark.parametrize(
    ("suffix", "kind"), [(suffix, kind) for suffix in ("pt", "safetensors") for kind in kinds_for(suffix)]
)
@pytest.mark.parametrize("nested", [False, True])
def test_weights_of_another_kind_are_refused_by_name(tmp_path, suffix, kind, nested):
    state = network().state_dict()
    state |= {NAME: OTHER_KINDS[kind](state[NAME])}
    state = {f"model.{name}": own for name, own in state.items()} if nested else state
    save_state(tmp_path / f"a.{suffix}", state)
    with pytest.raises(ModelError, match=rf"kinds.*{NAME}: {kind}\. Allowed: real floating point"):
        load_model(tmp_path / f"a.{suffix}", module=Chambon())


@pytest.mark.parametrize("dtype", REAL_KINDS)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_real_weights_of_any_precision_are_taken(tmp_path, dtype, suffix):
    state = {name: own.to(dtype) for name, own in network().state_dict().items()}
    save_state(tmp_path / f"a.{suffix}", state)
    found = load_model(tmp_path / f"a.{suffix}", module=Chambon()).module.state_dict()
    for name, own in state.items():
        torch.testing.assert_close(found[name], own.float(), atol=0, rtol=0)


class Counting(nn.Module):
    """A counter, a mask and an index of its own, which may be there under two names."""

    def __init__(self, again=False):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.out = nn.Linear(30, 5)
        self.register_buffer("index", torch.arange(30))
        self.register_buffer("mask", torch.arange(30) % 2 == 0)
        if again:
            self.register_buffer("again", self.index)

    def forward(self, x):
        return self.out(self.norm(x)[:, 0, self.index].where(self.mask, 0.0))


def counting(**kwargs):
    own = Counting(**kwargs)
    own(torch.randn(8, 2, 3000, generator=torch.Generator().manual_seed(1)))
    return own.eval()


def test_whole_numbers_are_legitimate_where_the_network_s_own_are(tmp_path):
    state = counting(again=True).state_dict()
    torch.save(state, tmp_path / "a.pt")
    found = load_model(tmp_path / "a.pt", module=Counting(again=True)).module.state_dict()
    assert found["norm.num_batches_tracked"] == 1
    assert all(torch.equal(found[name], own) for name, own in state.items())


@pytest.mark.parametrize("name", ["norm.num_batches_tracked", "index", "mask"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int16])
def test_and_nothing_else_is(tmp_path, name, dtype):
    state = counting().state_dict()
    torch.save(state | {name: state[name].to(dtype)}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=rf"kinds.*{name}: (real floating point|int16)"):
        load_model(tmp_path / "a.pt", module=Counting())


class Complex(nn.Module):
    """A network of complex numbers, of which a change of precision would drop half."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Parameter(torch.randn(5, 30, dtype=torch.complex64))

    def forward(self, x):
        return (x[:, 0, :30].to(self.filters.dtype) @ self.filters.T).real


class Wavelets(Complex):
    """The same as a buffer."""

    def __init__(self):
        super().__init__()
        filters = self.filters.detach()
        del self.filters
        self.register_buffer("filters", filters)


def save_whole(path, module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if path.suffix == ".pt2":
            torch.export.save(torch.export.export(module, (FED,)), path)
        else:
            torch.jit.save(torch.jit.trace(module, FED), path)


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
@pytest.mark.parametrize("kind", [Complex, Wavelets])
def test_a_network_of_complex_numbers_is_refused_by_name(tmp_path, suffix, kind):
    save_whole(tmp_path / f"a{suffix}", kind().eval())
    with pytest.raises(ModelError, match=r"kinds.*filters: complex64"):
        load_model(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("kind", [Complex, Wavelets])
def test_and_so_are_its_weights(tmp_path, kind):
    torch.save(kind().state_dict(), tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"kinds.*filters: complex64"):
        load_model(tmp_path / "a.pt", module=kind())


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
def test_a_network_with_counters_and_masks_is_taken(tmp_path, suffix):
    network = counting()
    save_whole(tmp_path / f"a{suffix}", network)
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / f"a{suffix}").module(FED + 1), network(FED + 1))


def test_quantised_torchscript_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(
            nn.Sequential(nn.Flatten(), nn.Linear(6000, 5)).eval(), {nn.Linear}, dtype=torch.qint8
        )
        torch.jit.save(torch.jit.trace(quantised, FED), tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"kinds.*quantised.*not quantised"):
        load_model(tmp_path / "a.pt")


@pytest.mark.parametrize(("code", "kind"), [(2, "int8"), (4, "int32"), (12, "bool"), (10, "complex64"), (6, "float16")])
def test_weights_that_a_graph_does_not_compute_with_are_refused(tmp_path, code, kind):
    """The same bytes, said to be of another kind in the description of the weights."""
    save_exported(tmp_path / "a.pt2")

    def change(members):
        name = "a/data/weights/model_weights_config.json"
        config = json.loads(members[name])
        meta = config["config"]["spatial_conv.bias"]["tensor_meta"]
        meta["dtype"], meta["sizes"], meta["requires_grad"] = code, [{"as_int": 1}], False
        return members | {name: json.dumps(config).encode()}

    rewrite(tmp_path / "a.pt2", change)
    with pytest.raises(ModelError, match=rf"kinds.*spatial_conv.bias: torch.{kind} in place of torch.float32|damaged"):
        load_model(tmp_path / "a.pt2")


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory):
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    layers, folder = keras.layers, tmp_path_factory.mktemp("keras")
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(size=(8, 10)))
    model = keras.Sequential([keras.Input((10,)), norm, layers.Dense(3), layers.Dropout(0.1), layers.Dense(2)])
    model.compile("adam", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("a.keras", "a.h5"):
            model.save(folder / name)
    return folder


KERNELS = {"a.keras": "layers/dense_1/vars/0", "a.h5": "model_weights/dense_1/sequential/dense_1/kernel"}


def cast(path, dtype):
    """Save the last kernel of a Keras model as another kind; returns its name."""
    import h5py

    def change(source):
        with h5py.File(source, "a") as saved:
            names = []
            saved.visititems(lambda name, own: names.append(name) if getattr(own, "shape", None) == (3, 2) else None)
            (name,) = (name for name in names if not name.startswith("optimizer"))
            values = saved[name][()]
            del saved[name]
            saved[name] = (values * 100).astype(dtype)
        return name

    if path.suffix == ".h5":
        return change(path)
    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    name = change(weights)
    rewrite(path, lambda members: members | {"model.weights.h5": weights.getvalue()})
    return name


@pytest.mark.parametrize("dtype", ["int8", "int32", "bool", "complex64"])
@pytest.mark.parametrize("name", KERNELS)
def test_keras_weights_of_another_kind_are_refused_by_name(keras_files, tmp_path, name, dtype):
    path = shutil.copy(keras_files / name, tmp_path)
    kernel = cast(tmp_path / name, dtype)
    with pytest.raises(ModelError, match=rf"kinds.*{kernel}: {dtype}"):
        load_model(path)


@pytest.mark.parametrize("name", KERNELS)
def test_keras_counts_in_whole_numbers(keras_files, tmp_path, name):
    """A layer that normalises has a counter, and an optimiser its steps."""
    shutil.copy(keras_files / name, tmp_path)
    assert load_model(tmp_path / name).module(torch.zeros(4, 10)).shape == (4, 2)
    cast(tmp_path / name, "float16")
    assert load_model(tmp_path / name).module(torch.zeros(4, 10)).shape == (4, 2)


@pytest.mark.parametrize("kind", ["INT8", "INT32", "BOOL", "COMPLEX64"])
@pytest.mark.parametrize("weight", ["final_layer.1.weight", "final_layer.1.bias", "spatial_conv.weight"])
def test_onnx_weights_of_another_kind_are_refused_by_name(tmp_path, kind, weight):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("the extra onnx is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network(), (FED,), tmp_path / "a.onnx", dynamo=False)
    model = onnx.load(tmp_path / "a.onnx")
    (tensor,) = (own for own in model.graph.initializer if own.name == weight)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, kind))
    tensor.CopyFrom(onnx.numpy_helper.from_array((onnx.numpy_helper.to_array(tensor) * 100).astype(dtype), weight))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=rf"kinds.*{weight}: {kind.lower()}"):
        load_model(tmp_path / "a.onnx")
