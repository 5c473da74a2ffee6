"""Files that would run code, fill the memory, or reach outside their folder: nothing of it happens, and it is said."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import trained
from safetensors.torch import save_file
from torch import nn
from trained.networks import Chambon

from eegflex import load_model
from eegflex.errors import ModelError, SpecError
from eegflex.stagers.formats.safety import scan_pickle

FED = torch.zeros(2, 2, 3000)


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


@pytest.fixture
def canary(tmp_path):
    """What must not be there at the end."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "the file ran its code"


def rewrite(path, change, out=None):
    """Copy an archive, each member through ``change(name, data)``, which may return more members."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members = change(members)
    with zipfile.ZipFile(out or path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)


def save_torchscript(path, module=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(module or Chambon().eval(), FED), path)


def save_exported(path):
    shapes = {"epochs": {0: torch.export.Dim("batch", min=1, max=64)}}
    torch.export.save(torch.export.export(Chambon().eval(), (FED,), dynamic_shapes=shapes), path)


def as_torch_zip(path, canary):
    torch.save({"weight": torch.zeros(2), "note": Evil(canary)}, path)


def as_bare_pickle(path, canary):
    path.write_bytes(pickle.dumps(Evil(canary)))


def as_legacy_torch(path, canary):
    torch.save(Evil(canary), path, _use_new_zipfile_serialization=False)


def as_text_pickle(path, canary):
    path.write_bytes(pickle.dumps(Evil(canary), protocol=0))


@pytest.mark.parametrize("write", [as_torch_zip, as_bare_pickle, as_legacy_torch, as_text_pickle])
@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt"])
def test_a_pickle_is_not_opened(tmp_path, canary, write, name):
    write(tmp_path / name, canary)
    with pytest.raises(ModelError, match=rf"{name}.*would run any code.*mkdir.*trusted=True"):
        load_model(tmp_path / name, module=Chambon())


@pytest.mark.parametrize("name", ["a.pkl", "a.joblib", "a.onnx", "a.safetensors", "a.pt2", "a.h5", "a.keras", "model"])
def test_nor_under_another_name(tmp_path, canary, name):
    as_bare_pickle(tmp_path / name, canary)
    with pytest.raises((ModelError, ImportError)):
        load_model(tmp_path / name, module=Chambon() if name == "a.safetensors" else None)


def test_it_is_opened_for_those_who_trust_it(tmp_path):
    torch.save({"note": Evil(tmp_path / "ran")}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match="one state dict"):
        load_model(tmp_path / "a.pt", module=Chambon(), trusted=True)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("record", ["data.pkl", "constants.pkl", "attributes.pkl", "traced_inputs.pkl"])
def test_a_pickle_inside_torchscript_is_not_opened(tmp_path, canary, record):
    save_torchscript(tmp_path / "a.pt")
    rewrite(tmp_path / "a.pt", lambda members: members | {f"a/{record}": pickle.dumps(Evil(canary), protocol=2)})
    with pytest.raises(ModelError, match=r"TorchScript.*foreign pickle.*mkdir"):
        load_model(tmp_path / "a.pt")


def test_a_zip_that_only_looks_like_torchscript_is_not_opened(tmp_path, canary):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(Evil(canary), protocol=2))
        archive.writestr("a/constants.pkl", pickle.dumps(()))
        archive.writestr("a/code/__torch__.py", "")
        archive.writestr("a/version", "3")
    with pytest.raises(ModelError, match=r"mkdir"):
        load_model(tmp_path / "a.pt")


class Writes(nn.Module):
    """TorchScript can write files by itself."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.path)
        return x[:, 0, :5]


class WritesAsAMethod(nn.Module):
    """In other words."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(x, self.path)
        return x[:, 0, :5]


class Maps(nn.Module):
    """And create them."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, :5] + torch.from_file(self.path, True, 5)


@pytest.mark.parametrize("kind", [Writes, WritesAsAMethod, Maps])
def test_torchscript_that_writes_files_is_not_opened(tmp_path, canary, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(kind(str(canary))), tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"does more than compute.*(save|from_file)"):
        load_model(tmp_path / "a.pt").score(FED[:, None])


def edited(change):
    """A change of the graph in a .pt2."""

    def change_members(members):
        (name,) = (name for name in members if name.endswith("models/model.json"))
        graph = json.loads(members[name])
        change(graph)
        return members | {name: json.dumps(graph).encode()}

    return change_members


def set_target(graph):
    graph["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"


def set_file_target(graph):
    graph["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def set_guards(graph):
    graph["guards_code"] = ["__import__('os').mkdir('CANARY')"]


def set_expression(graph):
    sizes = graph["graph_module"]["graph"]["tensor_values"]["conv2d"]["sizes"]
    sizes[0]["as_expr"]["expr_str"] = "__import__('os').mkdir('CANARY')"


def set_range(graph):
    graph["range_constraints"]["__import__('os').mkdir('CANARY')"] = {"min_val": 1, "max_val": 2}


def set_name(graph):
    """torch writes the names of inputs into the source of a function."""
    old, new = '"epochs"', '"epochs=__import__(\\"os\\").mkdir(\\"CANARY\\")"'
    renamed = json.loads(json.dumps(graph).replace(old, new))
    graph.clear()
    graph.update(renamed)


CHANGES = [set_target, set_file_target, set_guards, set_expression, set_range, set_name]


@pytest.mark.parametrize("change", CHANGES)
def test_a_graph_that_is_more_than_arithmetic_is_not_opened(tmp_path, canary, change):
    save_exported(tmp_path / "a.pt2")
    text = edited(change)
    rewrite(
        tmp_path / "a.pt2",
        lambda members: {n: d.replace(b"CANARY", str(canary).encode()) for n, d in text(members).items()},
    )
    with pytest.raises(ModelError, match="does more than compute"):
        load_model(tmp_path / "a.pt2")


def evil_torch_file(canary):
    buffer = io.BytesIO()
    torch.save(Evil(canary), buffer)
    return buffer.getvalue()


def test_a_pickle_in_place_of_the_example_inputs_is_not_opened(tmp_path, canary):
    save_exported(tmp_path / "a.pt2")
    rewrite(tmp_path / "a.pt2", lambda m: m | {"a/data/sample_inputs/model.pt": evil_torch_file(canary)})
    with pytest.raises(ModelError, match=r"pickled Python object.*mkdir"):
        load_model(tmp_path / "a.pt2")


def test_a_pickled_weight_is_not_opened(tmp_path, canary):
    save_exported(tmp_path / "a.pt2")

    def change(members):
        name = "a/data/weights/model_weights_config.json"
        config = json.loads(members[name])
        next(iter(config["config"].values()))["use_pickle"] = True
        return members | {name: json.dumps(config).encode(), "a/data/weights/weight_0": evil_torch_file(canary)}

    rewrite(tmp_path / "a.pt2", change)
    with pytest.raises(ModelError, match="use_pickle"):
        load_model(tmp_path / "a.pt2")


@pytest.mark.parametrize(
    "name", ["data/constants/custom_obj_0", "data/constants/opaque_obj_0", "data/aotinductor/m/a.so"]
)
def test_objects_and_libraries_in_a_graph_are_not_opened(tmp_path, canary, name):
    save_exported(tmp_path / "a.pt2")
    rewrite(tmp_path / "a.pt2", lambda members: members | {f"a/{name}": pickle.dumps(Evil(canary))})
    with pytest.raises(ModelError, match="more than a graph"):
        load_model(tmp_path / "a.pt2")


def test_scanning_a_pickle_runs_nothing(canary):
    assert scan_pickle(pickle.dumps(Evil(canary))).names == {"posix.mkdir"}


@pytest.mark.parametrize("where", ["before", "twice", "comment"])
def test_an_archive_that_two_readers_would_read_differently_is_refused(tmp_path, where):
    path = tmp_path / "a.pt"
    torch.save(Chambon().state_dict(), path)
    if where == "before":
        path.write_bytes(b"PK\x03\x04" + path.read_bytes())
    else:
        with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if where == "comment":
                archive.comment = b"PK"
            else:
                archive.writestr("a/data.pkl", pickle.dumps({}))
    with pytest.raises(ModelError, match="ambiguous"):
        load_model(path, module=Chambon())


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(2**27))
    with pytest.raises(ModelError, match="more than weights can be"):
        load_model(tmp_path / "a.pt", module=Chambon())


def test_weights_declared_larger_than_they_are_are_refused(tmp_path):
    torch.save(Chambon().state_dict(), tmp_path / "a.pt")

    def change(members):
        return members | {"a/data/0": members["a/data/0"][:4]}

    rewrite(tmp_path / "a.pt", change)
    with pytest.raises(ModelError, match=r"declared as 16 bytes, of which 4"):
        load_model(tmp_path / "a.pt", module=Chambon())


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2**62) + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        (lambda h: struct.pack("<Q", len(h)) + h)(
            b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,399999999996]}}'
        ),
    ],
)
def test_safetensors_with_absurd_sizes_are_refused(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="damaged, or not safetensors"):
        load_model(tmp_path / "a.safetensors", module=Chambon())


@pytest.mark.parametrize("named", ["../a.safetensors", "{outside}", "link.safetensors"])
def test_a_spec_does_not_lead_out_of_its_folder(tmp_path, named):
    outside, folder = tmp_path / "a.safetensors", tmp_path / "model"
    save_file(Chambon().state_dict(), outside)
    folder.mkdir()
    (folder / "link.safetensors").symlink_to(outside)
    (folder / "spec.toml").write_text(f"[model]\nfile = '{named.format(outside=outside)}'")
    with pytest.raises(SpecError, match="outside its own folder"):
        load_model(folder, module=Chambon())


@pytest.fixture
def onnx_file(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("the extra onnx is not installed")
    weight = onnx.numpy_helper.from_array(np.zeros((5, 3), np.float32), "w")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, ["b", 3])],
        [onnx.helper.make_tensor_value_info("y", 1, ["b", 5])],
        [weight],
    )
    return onnx, onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), tmp_path / "a.onnx"


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/../../secret", "link"])
def test_onnx_does_not_lead_out_of_its_folder(onnx_file, location):
    onnx, model, path = onnx_file
    path = path.parent / "model" / "a.onnx"
    path.parent.mkdir()
    (path.parent.parent / "secret").write_bytes(bytes(60))
    (path.parent / "link").symlink_to(path.parent.parent / "secret")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside its own folder"):
        load_model(path)


@pytest.mark.parametrize("field", ["node", "output", "input"])
def test_names_in_onnx_do_not_become_code(onnx_file, canary, field):
    """The converter writes the names of nodes into the source of a function, in quotes that a name can end."""
    _, model, path = onnx_file
    evil = f'x"), __import__("os").mkdir("{canary}"), getattr(self, "'
    if field == "node":
        model.graph.node[0].name = evil
    elif field == "output":
        model.graph.node[0].output[0] = model.graph.output[0].name = evil
    else:
        model.graph.node[0].input[0] = model.graph.input[0].name = evil
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="names that could be code"):
        load_model(path).module(torch.ones(7, 3))


def test_onnx_beside_its_weights_is_read(onnx_file):
    onnx, model, path = onnx_file
    onnx.save_model(model, path, save_as_external_data=True, location="a.weights", size_threshold=0)
    assert load_model(path).module(torch.ones(7, 3)).shape == (7, 5)


@pytest.mark.parametrize("dims", [[10**6, 10**6], [5, 4], [-1, 3]])
def test_onnx_tensors_declared_larger_than_they_are_are_refused(onnx_file, dims):
    _, model, path = onnx_file
    model.graph.initializer[0].dims[:] = dims
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"declared as|negative size"):
        load_model(path)


KERAS = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
import warnings
warnings.simplefilter("ignore")
import keras
inputs = keras.Input((2, 3000))
sprung = lambda x: (__import__("os").path.exists({armed!r}) and __import__("os").makedirs({canary!r}, exist_ok=True), x)[1]
model = keras.Model(inputs, keras.layers.Lambda(sprung)(inputs))
for name in sys.argv[1:]:
    model.save(name)
"""


@pytest.mark.slow
def test_a_lambda_of_keras_is_not_run(tmp_path, canary):
    pytest.importorskip("keras", reason="the extra keras is not installed")
    armed, files = tmp_path / "armed", [str(tmp_path / name) for name in ("a.keras", "a.h5")]
    written = KERAS.format(armed=str(armed), canary=str(canary))
    subprocess.run([sys.executable, "-c", written, *files], check=True, capture_output=True)
    armed.touch()
    for file in files:
        with pytest.raises(ModelError, match=r"not Keras' own.*Lambda.*trusted=True"):
            load_model(file)
        assert not canary.exists()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_model(file, trusted=True)
        canary.rmdir()  # so it was no dud


def keras_file(path, layer):
    """An archive whose one layer is what an attacker wants to be made."""
    config = {"module": "keras.src.models.functional", "class_name": "Functional", "config": {"layers": [layer]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "mkdir", "config": {"path": "CANARY"}},
        {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "file:///etc/passwd"}},
        {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
        {"module": "keras.src.saving.serialization_lib", "class_name": "enable_unsafe_deserialization", "config": {}},
        {"module": "builtins", "class_name": "exec", "config": {"source": "0"}},
        {"module": "builtins", "class_name": "function", "config": "os.system"},
        {"module": "mine", "class_name": "Layer", "config": {}, "registered_name": "mine>Layer"},
        {"class_name": "Lambda", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/somewhere"}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "AAAA"}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"module": "keras.models", "class_name": "function", "config": "load_model"},
    ],
)
def test_what_is_no_part_of_keras_is_not_made(tmp_path, canary, layer):
    keras_file(tmp_path / "a.keras", json.loads(json.dumps(layer).replace("CANARY", str(canary))))
    with pytest.raises(ModelError, match="not Keras' own"):
        load_model(tmp_path / "a.keras")


def test_weights_of_keras_in_other_files_are_not_read(tmp_path):
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros(3)
    with h5py.File(tmp_path / "a.h5", "w") as saved:
        saved.attrs["model_config"] = "{}"
        saved["weights"] = h5py.ExternalLink("other.h5", "secret")
    with pytest.raises(ModelError, match="in other files"):
        load_model(tmp_path / "a.h5")


def test_weights_of_keras_with_absurd_shapes_are_not_read(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as saved:
        saved.attrs["model_config"] = "{}"
        saved.create_dataset("weights", shape=(10**6, 10**6), chunks=(100, 100), dtype="f4")
    with pytest.raises(ModelError, match="more than weights can be"):
        load_model(tmp_path / "a.h5")


def test_the_trained_networks_need_no_trust():
    assert Path(trained.FOLDER / "chambon.safetensors").exists()
    load_model(trained.FOLDER / "chambon.toml", module=Chambon())
