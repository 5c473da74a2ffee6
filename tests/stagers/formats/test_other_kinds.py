"""Files that hold models, though none that stages sleep."""

from __future__ import annotations

import importlib.util
import logging
import warnings

import pytest
import torch
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.spec.model_spec import ModelSpec


@pytest.fixture(scope="module")
def epochs():
    raw = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").raw
    return eegflex.make_epochs(raw.pick(["C3-M2", "C4-M1", "E1-M2"]), verbose="error")


def images(n=1000):
    """A classifier of images."""
    return nn.Sequential(nn.Conv2d(3, 4, 7, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, n)).eval()


def signals(n, *more):
    """Something that takes what a stager takes, (batch, 3, time)."""
    return nn.Sequential(nn.Conv1d(3, 4, 9), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, n), *more).eval()


def as_pt2(path, network, fed):
    fname = path / "a.pt2"
    torch.export.save(torch.export.export(network, (fed,)), fname)
    return fname


def as_onnx(path, network, fed):
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("the extra onnx is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (fed,), path / "a.onnx", dynamo=False)
    return path / "a.onnx"


def as_torchscript(path, network, fed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(network, fed), path / "a.pt")
    return path / "a.pt"


IMAGES, SIGNALS = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 1920)


@pytest.mark.parametrize("write", [as_pt2, as_onnx])
@pytest.mark.parametrize("n", [5, 1000])
def test_a_classifier_of_images_is_refused_when_it_is_loaded(write, n, tmp_path):
    with pytest.raises(ModelError, match=r"takes a tensor of 4 axes.*'b c t'.*Got \(1, 3, 32, 32\)"):
        load_model(write(tmp_path, images(n), IMAGES))


@pytest.mark.parametrize("write", [as_pt2, as_onnx])
def test_more_outputs_than_stages_are_refused_when_it_is_loaded(write, tmp_path):
    fname = write(tmp_path, signals(527), SIGNALS)  # sounds of a tagger
    with pytest.raises(ModelError, match=r"returns 527 scores.*not a sleep stager.*names its stages"):
        load_model(fname)
    many = ModelSpec(stages=tuple(map(str, range(527))))
    assert load_model(fname, spec=many).spec == many  # who names them means it


@pytest.mark.parametrize("write", [as_pt2, as_onnx])
def test_scores_of_other_axes_are_told_when_it_is_loaded_and_refused_where_a_spec_says_so(write, tmp_path, caplog):
    network = nn.Sequential(nn.Conv1d(3, 5, 9, stride=640)).eval()
    fname = write(tmp_path, network, SIGNALS)
    with pytest.raises(ModelError, match=r"returns a tensor of 3 axes.*spec says 'b s'.*Got \(1, 5, 3\)"):
        load_model(fname, spec=ModelSpec())
    logger = logging.getLogger("mne")
    logger.addHandler(caplog.handler)
    try:
        load_model(fname)
    finally:
        logger.removeHandler(caplog.handler)
    assert "returns a tensor of 3 axes, where 'b s' is assumed, because there is no spec" in caplog.text
    assert load_model(fname, spec=ModelSpec(output="b s k")).spec.output == "b s k"


def test_keras_says_what_it_takes(tmp_path):
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = keras.Input((32, 32, 3))
        outputs = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(inputs))
        keras.Model(inputs, outputs).save(tmp_path / "a.keras")
    with pytest.raises(ModelError, match=r"takes a tensor of 4 axes.*Got \(any, 32, 32, 3\)"):
        load_model(tmp_path / "a.keras")
    with pytest.raises(ModelError, match=r"its spec says 'b c t'"):
        load_model(tmp_path / "a.keras", spec=ModelSpec())


def test_what_takes_several_inputs_needs_a_layout_for_each(tmp_path):
    class Two(nn.Module):
        def forward(self, a, b):
            return (a + b).mean(-1)

    torch.export.save(torch.export.export(Two(), (SIGNALS, SIGNALS)), tmp_path / "a.pt2")
    with pytest.raises(ModelError, match=r"takes 2 inputs.*layout for each"):
        load_model(tmp_path / "a.pt2")


def test_what_a_file_does_not_say_is_found_when_it_stages(tmp_path, epochs):
    stager = load_model(as_torchscript(tmp_path, signals(1000), SIGNALS))
    with pytest.raises(ModelError, match=r"returns 1,000 scores.*not a sleep stager"):
        eegflex.stage_epochs(epochs, stager, verbose="error")
    with pytest.raises(ModelError, match=r"failed on an input|b s"):
        eegflex.stage_epochs(epochs, load_model(as_torchscript(tmp_path, images(), IMAGES)), verbose="error")


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_other_numbers_of_outputs_are_told(n, epochs, caplog):
    logger = logging.getLogger("mne")
    logger.addHandler(caplog.handler)
    try:
        night = eegflex.stage_epochs(epochs, signals(n))
    finally:
        logger.removeHandler(caplog.handler)
    assert night.stages == tuple(f"output {k}" for k in range(n))
    assert f"returns {n} scores, where sleep has 5 stages" in caplog.text
