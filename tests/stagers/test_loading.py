"""Names, other packages' names, callables and estimators that only predict."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
import trained
from attribution_helpers import explain, noise_epochs
from models import Smooth
from typer.testing import CliRunner

import eegflex
from eegflex import load_model
from eegflex.errors import MissingExtraError, ModelError
from eegflex.stagers import loading
from eegflex.stagers.spec import ModelSpec
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
def registered(monkeypatch):
    """Another package's entry points."""

    def register(**points):
        found = [EntryPoint(name, value, loading.GROUP) for name, value in points.items()]
        monkeypatch.setattr(loading, "entry_points", lambda group: found if group == loading.GROUP else [])

    return register


def test_another_package_adds_a_name(registered):
    registered(simulated="trained:chambon")
    stager = load_model("simulated")
    assert stager.spec == trained.spec("chambon")
    assert loading.names()[:3] == ["gssc", "bandpower", "yasa"]
    assert loading.names()[-1] == "simulated"
    with pytest.raises(ModelError, match=r"gssc, bandpower, yasa, .*, simulated"):
        load_model("simulatde")


def test_another_package_does_not_replace_a_name(registered):
    registered(bandpower="trained:chambon")
    assert load_model("bandpower").spec.name == "bandpower"


def test_what_another_package_loads_must_be_a_stager(registered):
    registered(wrong="builtins:dict")
    with pytest.raises(ModelError, match=r"'wrong'.*no Stager.*dict"):
        load_model("wrong")


def test_a_list_of_names_is_an_ensemble():
    stager = load_model(["bandpower", load_model("bandpower")])
    assert isinstance(stager, Stager)
    assert stager.spec.name == "mean of bandpower"


@pytest.mark.parametrize(("package", "name"), [("onnx2torch", "a.onnx"), ("keras", "a.keras")])
def test_a_missing_extra_of_a_format_is_named(package, name, tmp_path, monkeypatch):
    import sys
    import zipfile

    monkeypatch.setitem(sys.modules, package, None)
    if name == "a.onnx":
        (tmp_path / name).write_bytes(b"")
    else:
        import io

        import h5py

        weights = io.BytesIO()
        h5py.File(weights, "w").close()
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", weights.getvalue())
    with pytest.raises(MissingExtraError, match=rf"eegflex\[{package.removesuffix('2torch')}\]"):
        load_model(tmp_path / name)


def test_the_command_line_takes_a_file_and_its_spec(tmp_path):
    from eegflex.cli import app

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
