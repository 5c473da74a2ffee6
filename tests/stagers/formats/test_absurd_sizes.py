"""Files that declare more than there is: refused before memory is taken, and before anything is computed without end."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
import warnings

import pytest
import torch
from test_security import FED, edited, onnx_file, rewrite, save_exported  # noqa: F401  (a fixture)
from torch import nn
from trained.networks import Chambon

from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.stagers.formats.exported import _is_arithmetic
from eegflex.stagers.formats.safety import scan_pickle

#: 4 TB as float32.
HUGE = (10**6, 10**6)


def test_a_pickle_that_says_it_remembers_much_gets_no_room_for_it():
    """Python's unpickler in C makes room for as many objects as the largest number that a pickle gives one of them."""
    tracemalloc.start()
    scan_pickle(b"\x80\x02Nr" + struct.pack("<I", 2**27) + b".")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def save_state(path, value):
    torch.save({"a": value}, path)


class FromStorage:
    """A tensor of any size that stands on four bytes."""

    def __init__(self, size):
        self.size = size

    def __reduce__(self):
        storage = torch.zeros(1).storage()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch._utils._rebuild_tensor_v2, (storage, 0, self.size, (0,) * len(self.size), False, {})


class Subclassed(FromStorage):
    """The same by way of a function that calls another."""

    def __reduce__(self):
        function, arguments = super().__reduce__()
        return torch._tensor._rebuild_from_type_v2, (function, torch.Tensor, arguments, {})


class Zeros:
    """An array of zeros, made as it is opened."""

    def __reduce__(self):
        return bytearray, (2**42,)


@pytest.mark.parametrize(
    "value", [FromStorage(HUGE), Subclassed(HUGE), Zeros()], ids=lambda value: type(value).__name__
)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_a_state_dict_of_tensors_without_end_is_refused(tmp_path, value):
    save_state(tmp_path / "a.pt", value)
    with pytest.raises(ModelError, match="more than weights can be"):
        load_model(tmp_path / "a.pt", module=Chambon())


def test_torchscript_of_tensors_without_end_is_refused(tmp_path):
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("wide", torch.zeros(1).expand(HUGE))

        def forward(self, x):
            return x[:, 0, :5] + self.wide[0, 0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(Wide(), FED), tmp_path / "a.pt")
    with pytest.raises(ModelError, match="more than weights can be"):
        load_model(tmp_path / "a.pt")


def test_honest_strides_of_zero_are_no_harm(tmp_path):
    state = Chambon().state_dict()
    name = next(iter(state))
    torch.save(state | {name: torch.zeros(1).expand(state[name].shape)}, tmp_path / "a.pt")
    assert not load_model(tmp_path / "a.pt", module=Chambon()).module.state_dict()[name].any()


def test_an_exported_graph_of_tensors_without_end_is_refused(tmp_path):
    save_exported(tmp_path / "a.pt2")

    def change(members):
        name = "a/data/weights/model_weights_config.json"
        config = json.loads(members[name])
        meta = next(iter(config["config"].values()))["tensor_meta"]
        meta["sizes"], meta["strides"] = [{"as_int": size} for size in HUGE], [{"as_int": 0}] * 2
        return members | {name: json.dumps(config).encode()}

    rewrite(tmp_path / "a.pt2", change)
    with pytest.raises(ModelError, match="more than weights can be"):
        load_model(tmp_path / "a.pt2")


@pytest.mark.parametrize(
    "expression",
    [
        "Pow(Integer(10), Pow(Integer(10), Integer(10)))",
        "Pow(Pow(Symbol('s0'), Integer(9)), Integer(9))",
        "Pow(Symbol('s0'), Integer(10000000000))",
        "9 ** 9 ** 9",
        "1 << 10 ** 12",
        "'a' * 10 ** 11",
        "Symbol('a' * 100000000000)",
        "Float('1.5', precision=10000000000)",
        f"Integer({'9' * 1000})",
    ],
)
def test_an_expression_without_end_is_not_evaluated(tmp_path, expression):
    save_exported(tmp_path / "a.pt2")

    def change(graph):
        graph["graph_module"]["graph"]["tensor_values"]["conv2d"]["sizes"][0]["as_expr"]["expr_str"] = expression

    rewrite(tmp_path / "a.pt2", edited(change))
    with pytest.raises(ModelError, match=r"more than compute.*expr_str"):
        load_model(tmp_path / "a.pt2")


@pytest.mark.parametrize(
    "expression",
    [
        "Symbol('s0', positive=True, integer=True)",
        "Add(Mul(Integer(3), Pow(Symbol('s0', integer=True), Integer(2))), Integer(-1))",
        "FloorDiv(Add(Symbol('s0'), Integer(-50)), Integer(13))",
        "Mul(Rational(1, 2), Pow(Add(Symbol('s0'), Integer(1)), Integer(-1)))",
        "2*s0 // 3",
    ],
)
def test_an_expression_of_sizes_is_arithmetic(expression):
    assert _is_arithmetic(expression)


@pytest.mark.parametrize("depth", [900, 100_000])
def test_a_description_that_is_nested_without_end_is_damaged(tmp_path, depth):
    save_exported(tmp_path / "a.pt2")
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    rewrite(tmp_path / "a.pt2", lambda members: members | {"a/models/model.json": nested})
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path / "a.pt2")


@pytest.mark.parametrize("told", [{"offset": "abc"}, {"offset": "-10"}, {"length": "xyz"}, {"length": "-4"}])
def test_onnx_weights_that_are_nowhere_are_refused(onnx_file, told):  # noqa: F811
    onnx, model, path = onnx_file
    outside(onnx, model, path, **told)
    with pytest.raises(ModelError, match="are missing"):
        load_model(path)


def test_onnx_weights_with_two_names_are_refused_in_our_words(onnx_file):  # noqa: F811
    onnx, model, path = onnx_file
    if tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 22):
        pytest.skip("onnx does not mind a second name before 1.22")
    outside(onnx, model, path)
    os.link(path.parent / "weights", path.parent / "again")
    with pytest.raises(ModelError, match=r"cannot be read.*links.*Copy the model"):
        load_model(path)


def outside(onnx, model, path, **told):
    """Put the weights of an ONNX model beside it."""
    (path.parent / "weights").write_bytes(bytes(60))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in ({"location": "weights"} | told).items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_layers_of_keras_that_are_larger_than_their_weights_take_no_memory(tmp_path, name):
    """Keras makes the weights that a configuration declares before it looks for them in the file."""
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(3), keras.layers.Dense(4)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / name)
    widen(tmp_path / name, 10**9)
    with pytest.raises(ModelError, match=r"Keras cannot load this model|more than weights can be"):
        load_model(tmp_path / name)


def widen(path, units):
    """Let the layers of a saved model declare more units."""

    def wide(config):
        config = json.loads(config)
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Dense":
                layer["config"]["units"] = units
                layer.pop("build_config", None)
        return json.dumps(config)

    if path.suffix == ".keras":
        rewrite(path, lambda members: members | {"config.json": wide(members["config.json"]).encode()})
        return
    import h5py

    with h5py.File(path, "a") as saved:
        saved.attrs["model_config"] = wide(saved.attrs["model_config"])
