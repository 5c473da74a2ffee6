"""Names, other packages' names, callables and estimators that only predict."""

from __future__ import annotations

import io
import sys
import zipfile

import h5py
import numpy as np
import pytest
import torch
import trained
from attribution_helpers import explain, noise_epochs
from models import Smooth
from safetensors.torch import save_file
from typer.testing import CliRunner

import eegflex
from eegflex import load_model
from eegflex.errors import MissingExtraError, ModelError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers import loading
from eegflex.stagers.stager import Stager


class Estimator:
    """As scikit-learn's: it takes a table, sorts its classes, and gives probabilities."""

    classes_ = np.array(["N1", "N2", "N3", "REM", "W"])

    def predict_proba(self, table):
        assert table.ndim == 2
        power = np.log1p(np.square(table).mean(1))
        scores = np.stack([power * k for k in range(5)], axis=1)
        return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


ESTIMATOR_SPEC = ModelSpec(layout="b (c t)", scores="probs", stages=tuple(Estimator.classes_))


def test_an_estimator_is_explained_without_a_gradient():
    result = explain(noise_epochs(), Estimator(), spec=ESTIMATOR_SPEC, method="shapley").to_xarray()
    assert np.abs(result["gap"].values).max() < 1e-5
    assert set(result["predicted"].values.ravel()) <= set(Estimator.classes_)
    with pytest.raises(ModelError, match="shapley"):
        explain(noise_epochs(), Estimator(), spec=ESTIMATOR_SPEC)


def test_an_estimator_names_its_own_classes():
    """Sorted by the alphabet, wake comes last: the conventional order would be silently wrong."""
    spec = load_model(Estimator()).spec
    assert spec.stages == ("N1", "N2", "N3", "REM", "W")
    assert spec.scores == "probs"
    assert not any("stages" in note for note in spec.assumed)


def test_a_callable_without_a_gradient_is_explained():
    def staged(x):
        return torch.from_numpy(np.stack([x.detach().numpy().std((1, 2))] * 5, 1)) * torch.arange(5.0)

    result = explain(noise_epochs(), staged, method="feature_ablation").to_xarray()
    assert np.isfinite(result["band_view"].values).all()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install distributions with entry points, as a package manager leaves them on disk."""

    def distribution(name, code="", **points):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"[{loading.GROUP}]", *(f"{point} = {value}" for point, value in points.items())]
        (folder / "entry_points.txt").write_text("\n".join(lines))
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(tmp_path)

    return distribution


OTHER = """
from eegflex.spec import ModelSpec
from eegflex.stagers import Stager

def load():
    return Stager(lambda x: x.mean(-1)[:, :1].repeat(1, 5), ModelSpec(name="the other one"))
"""


def test_an_installed_package_adds_a_name(install):
    install("otherstagers", OTHER, theirs="otherstagers:load")
    assert load_model("theirs").spec.name == "the other one"
    assert loading.names()[:5] == ["gssc", "gssc-eeg", "gssc-eog", "bandpower", "yasa"]
    assert loading.names()[-1] == "theirs"
    with pytest.raises(ModelError, match=r"bandpower, yasa, .*, theirs"):
        load_model("theris")


def test_an_installed_package_is_not_imported_before_it_is_asked_for(install):
    install("otherstagers", "raise RuntimeError", theirs="otherstagers:load")
    assert "theirs" in loading.names()
    assert load_model("bandpower").spec.name == "bandpower"


def test_an_installed_package_does_not_replace_a_name(install):
    install("otherstagers", OTHER, bandpower="otherstagers:load")
    assert load_model("bandpower").spec.name == "bandpower"
    assert loading.names().count("bandpower") == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("builtins:dict", "not a Stager.*builtins:dict: dict"),
        ("otherstagers:gone", "cannot be loaded.*gone.*otherstagers:gone"),
        ("notthere:load", "cannot be loaded.*notthere"),
    ],
)
def test_what_an_installed_package_loads_must_be_a_stager(install, value, words):
    install("otherstagers", OTHER, theirs=value)
    with pytest.raises(ModelError, match=f"'theirs'.*{words}"):
        load_model("theirs")


def test_a_name_that_two_packages_add_is_ambiguous(install):
    install("otherstagers", OTHER, theirs="otherstagers:load")
    install("morestagers", OTHER, theirs="morestagers:load")
    with pytest.raises(ModelError, match=r"Several packages.*morestagers:load, otherstagers:load"):
        load_model("theirs")


def test_a_class_without_its_weights_is_no_model():
    with pytest.raises(ModelError, match=r"load_model\(Smooth\(\.\.\.\)\).*module=Smooth"):
        load_model(Smooth)


def test_a_list_of_names_is_an_ensemble():
    stager = load_model(["bandpower", load_model("bandpower")])
    assert isinstance(stager, Stager)
    assert stager.spec.name == "mean of bandpower"


def keras_archive(path):
    weights = io.BytesIO()
    h5py.File(weights, "w").close()
    with zipfile.ZipFile(path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights.getvalue())
    return path / "a.keras"


def keras_h5(path):
    with h5py.File(path / "a.h5", "w") as saved:
        saved.attrs["model_config"] = "{}"
    return path / "a.h5"


def onnx_file(path):
    (path / "a.onnx").write_bytes(b"")
    return path / "a.onnx"


def weights_of_braindecode(path):
    save_file({"a": torch.zeros(1)}, path / "a.safetensors")
    (path / "spec.toml").write_text("[model]\nfile = 'a.safetensors'\nclass = 'braindecode.models:USleep'")
    return path


#: What is missing -> what then cannot be loaded, and the extra that brings it.
EXTRAS = [
    ("gssc", lambda _: "gssc", "gssc"),
    ("gssc", lambda _: "gssc-eeg", "gssc"),
    *((package, lambda _: "yasa", "yasa") for package in ("yasa", "lightgbm", "sklearn")),
    *((package, onnx_file, "onnx") for package in ("onnx", "onnx2torch")),
    ("keras", keras_archive, "keras"),
    ("keras", keras_h5, "keras"),
    ("braindecode", weights_of_braindecode, "braindecode"),
]


@pytest.mark.parametrize(("package", "source", "extra"), EXTRAS)
def test_a_missing_extra_is_named(package, source, extra, tmp_path, monkeypatch):
    if package != extra:  # one of the packages of an extra is missing, the others are there
        pytest.importorskip(extra, reason=f"the extra {extra} is not installed")
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*pip install 'eegflex\[{extra}\]'"):
        load_model(source(tmp_path), trusted=True)


def test_the_command_line_takes_a_file_and_its_spec(tmp_path):
    from eegflex.cli.commands import app

    spec = ModelSpec(sfreq=100.0, n_times=3000, unit="uV", channels=trained.spec("chambon").channels)
    torch.save(Smooth(), tmp_path / "a.pt")
    (tmp_path / "mine.toml").write_text(
        "[input]\nsfreq = 100.0\nn_times = 3000\nunit = 'uV'\n"
        "[[input.channels]]\nname = 'eeg'\ntypes = ['eeg']\nuse = 'first'\n"
        "[[input.channels]]\nname = 'eog'\ntypes = ['eog']\nuse = 'first'\n"
    )
    assert spec.duration == 30
    night = eegflex.simulate_psg(hours=0.2, seed=1, sfreq=128.0, verbose="error").save(tmp_path / "night.edf")
    arguments = ["attribute", str(night.psg), "-o", str(tmp_path / "r.nc"), "--model", str(tmp_path / "a.pt")]
    arguments += ["--spec", str(tmp_path / "mine.toml"), "--sample-per-stage", "1"]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, ModelError)
    assert "trusted=True" in str(refused.exception)
    done = CliRunner().invoke(app, [*arguments, "--trusted"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.nc").exists()
