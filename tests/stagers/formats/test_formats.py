"""One network in every format: the same scores and the same attributions."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import shutil
import sys
import warnings

import numpy as np
import pytest
import torch
import trained
from models import Recurrent
from safetensors.torch import save_file
from torch import nn
from trained.networks import Chambon

import eegflex
from eegflex import load_model
from eegflex.errors import ModelError, ParameterError, SpecError
from eegflex.spec.model_spec import ModelSpec

FED = torch.randn(3, 2, 3000, generator=torch.Generator().manual_seed(0))
CONTRACT = trained.FOLDER / "chambon.toml"
#: A contract that names no file.
SPEC = trained.spec("chambon").replace(file="")


def network():
    return trained.chambon().module


def as_state_dict(path):
    torch.save(network().state_dict(), path / "a.pt")
    return load_model(path / "a.pt", spec=SPEC, module=Chambon())


def as_checkpoint(path):
    """As Lightning writes it: among other things, and every name with a prefix."""
    state = {f"model.{name}": value for name, value in network().state_dict().items()}
    torch.save(
        {"epoch": 3, "state_dict": state, "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}]},
        path / "a.ckpt",
    )
    return load_model(path / "a.ckpt", spec=SPEC, module=Chambon)


def as_safetensors(path):
    save_file(network().state_dict(), path / "a.safetensors")
    return load_model(path / "a.safetensors", spec=SPEC, module=Chambon())


def as_torchscript(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        trained_yet = network().requires_grad_(True)  # as most are kept
        torch.jit.save(torch.jit.trace(trained_yet, FED), path / "a.pt")
    return load_model(path / "a.pt", spec=SPEC)


def export(path, batch):
    shapes = {"epochs": {0: torch.export.Dim("batch", min=1, max=4096)}} if batch is None else None
    torch.export.save(torch.export.export(network(), (FED[: batch or 3],), dynamic_shapes=shapes), path)


def as_exported(path):
    export(path / "a.pt2", None)
    return load_model(path / "a.pt2", spec=SPEC)


def as_exported_for_two(path):
    """Exported without a thought for the batch, whose size is then part of the graph."""
    export(path / "a.pt2", 2)
    return load_model(path / "a.pt2", spec=SPEC)


def as_onnx(path):
    """As torch exports by default: a new opset, whose reshapes speak of sizes of zero."""
    needs("onnxscript", "test")
    return from_onnx(path, dynamo=True, dynamic_shapes={"epochs": {0: torch.export.Dim("batch", min=1, max=4096)}})


def as_old_onnx(path):
    return from_onnx(path, dynamo=False, dynamic_axes={"epochs": {0: "batch"}})


def as_onnx_for_three(path):
    return from_onnx(path, dynamo=False)


def from_onnx(path, **options):
    needs("onnx2torch", "onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network(), (FED,), path / "a.onnx", input_names=["epochs"], verbose=False, **options)
    return load_model(path / "a.onnx", spec=SPEC)


def keras_twin():
    """The same network in Keras, channels first, with the same weights."""
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    layers = keras.layers
    inputs = keras.Input((2, 3000))
    x = layers.Reshape((2, 3000, 1))(inputs)
    x = layers.Conv2D(2, (2, 1), name="spatial_conv")(x)
    x = layers.Permute((3, 2, 1))(x)  # virtual channel, time, 1
    for name in ("feature_extractor.0", "feature_extractor.4"):
        x = layers.ZeroPadding2D((0, 25))(x)
        x = layers.Conv2D(8, (1, 50), activation="relu", name=name.replace(".", "_"))(x)
        x = layers.MaxPooling2D((1, 13))(x)
    x = layers.Permute((3, 1, 2))(x)  # as torch flattens it
    model = keras.Model(inputs, layers.Dense(5, name="final_layer_1")(layers.Dropout(0.25)(layers.Flatten()(x))))
    state = {name: weight.numpy() for name, weight in network().state_dict().items()}
    for layer in model.layers:
        name = layer.name if layer.name == "spatial_conv" else ".".join(layer.name.rsplit("_", 1))
        if f"{name}.weight" in state:
            weight = state[f"{name}.weight"]
            layer.set_weights([weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T, state[f"{name}.bias"]])
    return model


def as_keras(path, name="a.keras"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras_twin().save(path / name)
    return load_model(path / name, spec=SPEC)


def as_keras_h5(path):
    return as_keras(path, "a.h5")


def as_keras_in_memory(path):
    return load_model(keras_twin(), spec=SPEC)


def needs(package, extra):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"the extra {extra} is not installed ({package})")


def as_module(path):
    return load_model(network(), spec=SPEC)


def as_folder(path):
    for name in ("chambon.toml", "chambon.safetensors"):
        shutil.copy(trained.FOLDER / name, path)
    return load_model(path, module=Chambon)


def as_pickle(path):
    torch.save(network(), path / "a.pt")
    return load_model(path / "a.pt", spec=SPEC, trusted=True)


FORMATS = {
    function.__name__.removeprefix("as_"): function
    for function in (
        *(as_state_dict, as_checkpoint, as_safetensors, as_torchscript, as_exported, as_exported_for_two),
        *(as_onnx, as_old_onnx, as_onnx_for_three, as_keras, as_keras_h5, as_keras_in_memory),
        *(as_module, as_folder, as_pickle),
    )
}


@pytest.fixture(scope="module")
def epochs():
    raw = eegflex.simulate_psg(hours=0.2, seed=2, verbose="error").raw
    return eegflex.make_epochs(raw, verbose="error")


@pytest.fixture(scope="module")
def stager_of(tmp_path_factory):
    """What each format loads as, written and loaded once. Not to be changed."""
    return functools.cache(lambda form: FORMATS[form](tmp_path_factory.mktemp(form)))


def explain(epochs, stager, **kwargs):
    kwargs = {"quadrature": "gauss-legendre", "n_steps": 8} | kwargs
    return eegflex.attribute_epochs(epochs[4:8], stager, verbose="error", **kwargs).to_xarray()


@pytest.fixture(scope="module")
def expected(epochs):
    return explain(epochs, trained.chambon())


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_scores_and_attributions(form, stager_of, epochs, expected):
    stager = stager_of(form)
    assert stager.spec.stages == SPEC.stages
    with torch.no_grad():
        torch.testing.assert_close(stager.score(FED[:, None]), network()(FED), atol=1e-4, rtol=0)
    found = explain(epochs, stager)
    for name in ("scores", "frequency_view", "gap"):
        np.testing.assert_allclose(found[name].values, expected[name].values, atol=1e-4)


@pytest.mark.parametrize("form", [form for form in FORMATS if not form.startswith("keras")])
def test_every_format_can_be_moved_to_double_precision(form, stager_of):
    stager = stager_of(form).to("cpu", torch.float64)
    with torch.no_grad():
        scores = stager.score(FED[:, None].double())
    assert scores.dtype == torch.float64
    torch.testing.assert_close(scores, network().double()(FED.double()), atol=1e-9, rtol=0)


def test_keras_keeps_its_own_precision(tmp_path):
    stager = as_keras(tmp_path).to("cpu", torch.float64)
    with torch.no_grad():
        scores = stager.score(FED[:, None].double())
    assert scores.dtype == torch.float64
    torch.testing.assert_close(scores, network()(FED).double(), atol=1e-4, rtol=0)


def test_onnx_that_cannot_be_converted_is_run_without_a_gradient(tmp_path, epochs):
    needs("onnx2torch", "onnx")
    needs("onnxruntime", "onnx")
    recurrent = Recurrent().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(recurrent, (FED[:, :1],), tmp_path / "a.onnx", dynamo=False)
    stager = load_model(tmp_path / "a.onnx", spec=SPEC.replace(channels=SPEC.channels[:1]))
    with torch.no_grad():
        torch.testing.assert_close(stager.score(FED[:, None, :1]), recurrent(FED[:, :1]), atol=1e-5, rtol=0)
    result = explain(epochs, stager, method="shapley")
    assert np.abs(result["gap"].values).max() < 1e-5
    with pytest.raises(ModelError, match="shapley"):
        explain(epochs, stager)


def test_what_runs_onnx_without_a_gradient_is_named_where_it_is_missing(tmp_path, monkeypatch):
    needs("onnx2torch", "onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Recurrent().eval(), (FED[:, :1],), tmp_path / "a.onnx", dynamo=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"onnxruntime.*eegflex\[onnx\]"):
        load_model(tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["a.toml", "spec.toml"])
def test_a_spec_beside_the_weights_is_found(tmp_path, name):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    (tmp_path / name).write_text(CONTRACT.read_text("utf-8").replace("chambon.safetensors", "a.safetensors"), "utf-8")
    stager = load_model(str(tmp_path / "a.safetensors"), module=Chambon())
    assert stager.spec.replace(file="") == SPEC
    assert load_model(tmp_path / name, module=Chambon()).spec == stager.spec
    assert load_model(tmp_path, module=Chambon()).spec == stager.spec


def test_the_spec_of_the_stem_comes_first(tmp_path):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    (tmp_path / "a.toml").write_text("[model]\nname = 'mine'")
    (tmp_path / "spec.toml").write_text("[model]\nname = 'not mine'")
    assert load_model(tmp_path / "a.safetensors", module=Chambon()).spec.name == "mine"


def test_the_spec_of_another_file_is_not_taken(tmp_path):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    (tmp_path / "spec.toml").write_text("[model]\nfile = 'b.safetensors'")
    with pytest.raises(SpecError, match=r"another file.*b\.safetensors"):
        load_model(tmp_path / "a.safetensors", module=Chambon())


def test_a_file_without_a_spec_says_what_was_assumed(tmp_path):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    spec = load_model(tmp_path / "a.safetensors", module=Chambon()).spec
    assert spec.name == "a"
    assert len(spec.assumed) == 3


def test_a_class_that_the_spec_names_needs_trust(tmp_path):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    text = "[model]\nfile = 'a.safetensors'\nclass = 'trained.networks:Chambon'\nkwargs = { n_channels = 2, sfreq = 100.0 }"
    (tmp_path / "spec.toml").write_text(text)
    with pytest.raises(ModelError, match=r"trained\.networks:Chambon.*trusted=True"):
        load_model(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path, trusted=True).score(FED[:, None]), network()(FED))


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("nowhere.networks:Net", "cannot be imported.*nowhere"),
        ("trained.networks:Nothing", "cannot be imported.*Nothing"),
        ("trained.networks", "not the address of a class.*package.module:Class"),
        ("json:dumps", "kwargs"),
        ("builtins:dict", "must be a torch.nn.Module.*dict"),
    ],
)
def test_a_class_that_is_none_is_refused(tmp_path, named, words):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=words):
        load_model(tmp_path / "a.safetensors", spec=ModelSpec(class_name=named), trusted=True)


def test_weights_need_their_network(tmp_path):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"no network.*module=MyNetwork"):
        load_model(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="those of Linear"):
        load_model(tmp_path / "a.safetensors", module=nn.Linear(3, 5))
    with pytest.raises(ModelError, match=r"those of Chambon.*size mismatch"):
        load_model(tmp_path / "a.safetensors", module=Chambon(n_channels=3))


def test_a_network_is_not_for_those_that_bring_their_own(tmp_path):
    export(tmp_path / "a.pt2", None)
    with pytest.raises(ParameterError, match="brings its own network"):
        load_model(tmp_path / "a.pt2", module=Chambon())
    with pytest.raises(ParameterError, match="weights in a file"):
        load_model("bandpower", module=Chambon())


def test_the_caller_s_network_is_left_as_it_was(tmp_path):
    save_file(network().state_dict(), tmp_path / "a.safetensors")
    own = Chambon().train()
    before = own.state_dict()["spatial_conv.weight"].clone()
    load_model(tmp_path / "a.safetensors", module=own)
    assert own.training
    assert own.spatial_conv.weight.requires_grad
    torch.testing.assert_close(own.state_dict()["spatial_conv.weight"], before)


def test_two_state_dicts_in_one_file_are_ambiguous(tmp_path):
    state = network().state_dict()
    torch.save({"student": state, "teacher": state}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"one state dict.*student, teacher"):
        load_model(tmp_path / "a.pt", module=Chambon())


@pytest.mark.parametrize("name", ["a.pt", "a.onnx", "a.safetensors", "a.txt", "a.pt2", "a.keras", "a.h5"])
@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 cut off", b"\x89HDF\r\n\x1a\n cut off"])
def test_what_is_no_model_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        (ModelError, ImportError), match=r"not a model|damaged|run any code|no network|pip install|opened"
    ):
        load_model(tmp_path / name)


@pytest.mark.parametrize("form", ["state_dict", "safetensors", "torchscript", "exported"])
def test_a_damaged_file_is_refused_or_loaded_and_nothing_else(form, tmp_path):
    """Bytes changed, cut off or left out at random: whatever the libraries raise, it becomes a ModelError."""
    FORMATS[form](tmp_path)
    (path,) = tmp_path.iterdir()
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(content)
        place = int(rng.integers(len(damaged)))
        if trial % 3 == 0:
            damaged[place] = int(rng.integers(256))
        elif trial % 3 == 1:
            del damaged[place:]
        else:
            del damaged[place : place + int(rng.integers(1, 200))]
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(ModelError):
            load_model(path, spec=SPEC, module=Chambon if form in {"state_dict", "safetensors"} else None)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"model does not exist.*b\.pt"):
        load_model(str(tmp_path / "b.pt"))


def test_a_spec_is_json_in_a_result(epochs, tmp_path):
    result = explain(epochs, as_safetensors(tmp_path))
    assert ModelSpec.from_dict(json.loads(result.attrs["spec"])) == SPEC
