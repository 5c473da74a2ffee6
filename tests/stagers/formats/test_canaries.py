"""One canary for each format of models: opening a file neither runs it nor writes one, and says how to go on."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import pickle
import sys
import warnings
import zipfile

import joblib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from test_archives import SAVING, torchscript_with
from test_exported_names import TREES, set_tree
from test_security import FED, Evil, keras_file, rewrite, save_exported
from torch import nn
from trained.networks import Chambon

from eegflex import load_model
from eegflex.errors import EegflexError

TRUST = r"pass trusted=True|or trusted=True"


class Singing(nn.Module):
    """A module whose pickle makes a folder."""

    def __init__(self, canary):
        super().__init__()
        self.evil = Evil(canary)


def exported(folder, canary):
    save_exported(folder / "a.pt2")
    rewrite(folder / "a.pt2", set_tree("out_spec", json.dumps([1, TREES["a factory"]])))
    return folder / "a.pt2", TRUST


def torchscript(folder, canary):
    torchscript_with(folder / "a.pt", canary, SAVING["by a name that is spelt"])
    return folder / "a.pt", TRUST


def torch_save(folder, canary):
    torch.save({"state_dict": Chambon().state_dict(), "note": Evil(canary)}, folder / "a.ckpt")
    return folder / "a.ckpt", TRUST


def whole_module(folder, canary):
    torch.save(Singing(canary), folder / "a.pt")
    return folder / "a.pt", TRUST


def old_torch(folder, canary):
    torch.save(Singing(canary), folder / "a.pth", _use_new_zipfile_serialization=False)
    return folder / "a.pth", TRUST


def bare_pickle(folder, canary):
    (folder / "a.pkl").write_bytes(pickle.dumps(Singing(canary)))
    return folder / "a.pkl", TRUST


def joblib_file(folder, canary):
    joblib.dump(Evil(canary), folder / "a.joblib")
    return folder / "a.joblib", TRUST


def safetensors(folder, canary):
    """It has no place for code; what is called so may be anything."""
    (folder / "a.safetensors").write_bytes(pickle.dumps(Singing(canary)))
    return folder / "a.safetensors", "damaged, or not safetensors"


def onnx(folder, canary):
    """The converter writes names into the source of a function."""
    package, model = onnx_model()
    model.graph.node[0].name = f'x"), __import__("os").mkdir("{canary}"), getattr(self, "'
    package.save(model, folder / "a.onnx")
    return folder / "a.onnx", "names that could be code.*export it again with plain names"


def onnx_weights(folder, canary):
    """Weights in a file elsewhere, which must not be read."""
    package, model = onnx_model()
    (folder.parent / "secret").write_bytes(bytes(60))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = package.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    package.save(model, folder / "a.onnx")
    return folder / "a.onnx", "outside its own folder.*Put the file itself in the same folder"


def onnx_model():
    package = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("the extra onnx is not installed")
    helper = package.helper
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [helper.make_tensor_value_info("x", 1, ["b", 3])],
        [helper.make_tensor_value_info("y", 1, ["b", 5])],
        [package.numpy_helper.from_array(np.zeros((5, 3), np.float32), "w")],
    )
    return package, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def keras_with_code(path, canary):
    """A layer that brings its code, which makes a folder as soon as there is a file beside that says so."""
    package = pytest.importorskip("keras", reason="the extra keras is not installed")
    armed = path.with_name("armed")
    os = "__import__('os')"
    code = f"lambda x: ({os}.path.exists({str(armed)!r}) and {os}.mkdir({str(canary)!r}), x)[1]"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package.Sequential([package.Input((2, 3000)), package.layers.Lambda(eval(code))]).save(path)  # noqa: S307
    armed.touch()
    return path, TRUST


def keras(folder, canary):
    return keras_with_code(folder / "a.keras", canary)


def keras_h5(folder, canary):
    return keras_with_code(folder / "a.h5", canary)


def folder_with_a_class(folder, canary):
    save_file(Chambon().state_dict(), folder / "a.safetensors")
    (folder / "spec.toml").write_text("[model]\nfile = 'a.safetensors'\nclass = 'eegflex_canary:Network'")
    return folder, TRUST


FORMATS = (
    *(
        exported,
        torchscript,
        torch_save,
        whole_module,
        old_torch,
        bare_pickle,
        joblib_file,
        safetensors,
        onnx,
        onnx_weights,
    ),
    *(keras, keras_h5, folder_with_a_class),
)
WEIGHTS_ONLY = (torch_save, whole_module, old_torch, bare_pickle, safetensors)


@pytest.fixture
def cage(tmp_path, monkeypatch):
    """A folder for the model, what must not be made, and a module that makes it when it is imported."""
    canary, modules, folder = tmp_path / "canary", tmp_path / "modules", tmp_path / "model"
    for place in (modules, folder):
        place.mkdir()
    (modules / "eegflex_canary.py").write_text(f"import os\nos.mkdir({str(canary)!r})\nfactory = dict\n")
    monkeypatch.syspath_prepend(modules)
    yield folder, canary
    sys.modules.pop("eegflex_canary", None)


@pytest.mark.parametrize("form", FORMATS)
def test_a_canary_is_silent(cage, form):
    folder, canary = cage
    path, says = form(folder, canary)
    before = {place: place.stat().st_mtime_ns for place in folder.parent.rglob("*")}
    with pytest.raises(EegflexError, match=says):
        load_model(path, module=Chambon if form in WEIGHTS_ONLY else None)
    assert not canary.exists()
    assert "eegflex_canary" not in sys.modules
    assert {place: place.stat().st_mtime_ns for place in folder.parent.rglob("*")} == before


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in {safetensors, onnx, onnx_weights}])
def test_and_alive(cage, form):
    """It sings for those who trust it: by itself when it is opened, or TorchScript when it is run."""
    folder, canary = cage
    path, _ = form(folder, canary)
    torch.utils._pytree.treespec_loads.cache_clear()
    # what it makes is no model, mostly
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        load_model(path, module=Chambon if form in WEIGHTS_ONLY else None, trusted=True).module(FED)
    assert canary.exists()


@pytest.mark.parametrize("name", ["a.keras", "a.npz", "a.zip", "a.pt2", "a.bin"])
def test_an_archive_of_arrays_is_no_model(cage, name):
    """Pickles may lie in arrays, too."""
    folder, canary = cage
    with zipfile.ZipFile(folder / name, "w") as archive, archive.open("w.npy", "w") as member:
        np.save(member, np.array([Evil(canary)], dtype=object), allow_pickle=True)
    with pytest.raises(EegflexError, match="not a model that can be read"):
        load_model(folder / name)
    assert not canary.exists()


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "keras.models", "class_name": "load_model", "config": {"filepath": "other.keras"}},
        {"module": "keras.layers", "class_name": "deserialize", "config": {"config": {}}},
        {"module": "keras.src.models.cloning", "class_name": "clone_model", "config": {}},
        {"module": "keras.layers", "class_name": "__typespec__", "spec_name": "TFSMLayer", "config": []},
        {"module": "keras.layers", "class_name": "__bytes__", "config": {"value": "x"}},
        {"module": "keras.layers", "class_name": "Dense.from_config", "config": {}},
        {"module": "keras.layers\uff0eos", "class_name": "Dense", "config": {}},
        {"module": "keras.src.backend.torch.core", "class_name": "Variable", "config": {}},
        {"module": "keras.optimizers", "class_name": "function", "config": "get"},
    ],
)
def test_what_is_no_class_of_keras_is_not_called(cage, layer):
    folder, _ = cage
    keras_file(folder / "a.keras", layer)
    with pytest.raises(EegflexError, match="not Keras' own"):
        load_model(folder / "a.keras")


@pytest.mark.parametrize("place", ["a sparse constant", "a nested graph", "a function", "a default of a function"])
def test_weights_of_onnx_are_looked_for_everywhere(cage, place):
    """Tensors lie in many places, and each may say that its values are in another file."""
    folder, _ = cage
    package, model = onnx_model()
    helper = package.helper
    tensor = package.TensorProto(name="t", dims=[15], data_type=1, data_location=package.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    if place == "a sparse constant":
        sparse = package.SparseTensorProto(values=tensor, dims=[15])
        model.graph.node.append(helper.make_node("Constant", [], ["t"], sparse_value=sparse))
    elif place == "a nested graph":
        inner = helper.make_graph([helper.make_node("Constant", [], ["t"], value=tensor)], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner))
    else:
        node = helper.make_node("Constant", [], ["t"], value=tensor)
        made = helper.make_function("own", "F", [], ["t"], [node], [helper.make_opsetid("", 17)])
        if place == "a default of a function":
            del made.node[:]
            made.attribute_proto.append(helper.make_attribute("value", tensor))
        model.functions.append(made)
    (folder / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(EegflexError, match="outside its own folder"):
        load_model(folder / "a.onnx")
