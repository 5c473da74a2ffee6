"""What models return beside scores: tuples, dicts, time axes, halves; and files that are what they should be."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import importlib.util
import warnings

import numpy as np
import pytest
import torch
from models import Smooth
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.spec.model_spec import ContextSpec, ModelSpec
from eegflex.stagers.modules import from_layout

SPEC = ModelSpec(name="mine", sfreq=64.0, n_times=1920, unit="uV")
FED = torch.randn(3, 1, 2, 1920, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def epochs():
    raw = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").raw
    return eegflex.make_epochs(raw.pick(["C3-M2", "C4-M1"]), verbose="error")[4:7]


class Returns(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.net, self.make = Smooth(), make

    def forward(self, x):
        return self.make(self.net(x), x)


Pair = collections.namedtuple("Pair", "hidden scores")


@dataclasses.dataclass
class Answer:
    logits: torch.Tensor
    attention: torch.Tensor | None = None


SEVERAL = {
    "a tuple": (lambda scores, x: (scores, x), 0),
    "from the end": (lambda scores, x: (x, None, scores), -1),
    "a list": (lambda scores, x: [x.mean(), scores], 1),
    "a tuple in a tuple": (lambda scores, x: (scores, (x, x)), 0),
    "a dict": (lambda scores, x: {"attention": x, "logits": scores}, "logits"),
    "a dict by place": (lambda scores, x: {"attention": x, "logits": scores}, 1),
    "an ordered dict of one": (lambda scores, x: collections.OrderedDict(out=scores), "out"),
    "a named tuple": (lambda scores, x: Pair(x, scores), "scores"),
    "an object": (lambda scores, x: Answer(scores, x), "logits"),
}


@pytest.mark.parametrize("how", SEVERAL)
def test_the_scores_are_those_that_the_spec_says(how, epochs):
    make, key = SEVERAL[how]
    spec = SPEC.replace(output_key=key)
    with torch.no_grad():
        found = load_model(Returns(make), spec=spec).score(FED)
        torch.testing.assert_close(found, Smooth()(FED[:, 0]), rtol=0, atol=0)
    mine, other = (
        eegflex.attribute_epochs(epochs, net, spec=own, target="N2", on_check="ignore", verbose="error").to_xarray()
        for net, own in ((Returns(make), spec), (Smooth(), SPEC))
    )
    np.testing.assert_array_equal(mine["frequency_view"].values, other["frequency_view"].values)


@pytest.mark.parametrize("how", SEVERAL)
def test_what_is_not_said_is_asked_for(how, epochs):
    make, _ = SEVERAL[how]
    with pytest.raises(ModelError, match=r"returns a .*\(3, 5\).*in the spec's \[output\], for example output = "):
        load_model(Returns(make), spec=SPEC).score(FED)
    with pytest.raises(ModelError, match="output = "):
        eegflex.stage_epochs(epochs, Returns(make), verbose="error")


@pytest.mark.parametrize("key", ["logit", 2, -3])
def test_what_is_not_there_is_refused_with_what_is(key):
    spec = SPEC.replace(output_key=key)
    with pytest.raises(ModelError, match=r"no tensor .*\(3, 5\).*output = 0"):
        load_model(Returns(lambda scores, x: (scores, None)), spec=spec).score(FED)


def test_what_holds_no_tensor_is_refused():
    with pytest.raises(ModelError, match=r"must return a tensor of scores\. Got list"):
        load_model(Returns(lambda scores, x: [1, 2]), spec=SPEC).score(FED)


def exported(path, network, batch):
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},) if batch is None else None
    torch.export.save(torch.export.export(network.eval(), (FED[: batch or 3, 0],), dynamic_shapes=shapes), path)


@pytest.mark.parametrize("batch", [None, 2])
def test_a_graph_of_several_outputs_in_batches_of_one_size(batch, tmp_path):
    make, key = SEVERAL["a dict"]
    exported(tmp_path / "a.pt2", Returns(make), batch)
    with torch.no_grad():
        found = load_model(tmp_path / "a.pt2", spec=SPEC.replace(output_key=key)).score(FED)
        torch.testing.assert_close(found, Smooth()(FED[:, 0]))


@pytest.mark.parametrize("runs", ["converted", "run"])
def test_outputs_of_onnx_have_their_names(runs, tmp_path, monkeypatch):
    if any(importlib.util.find_spec(name) is None for name in ("onnx2torch", "onnxruntime")):
        pytest.skip("the extra onnx is not installed")
    from eegflex.stagers.formats import onnx as adapter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Returns(lambda scores, x: (x.mean(-1), scores)).eval(),
            (FED[:2, 0],),
            tmp_path / "a.onnx",
            output_names=["features", "stages"],
            dynamo=False,
        )
    if runs == "run":
        lowered = adapter.lowered

        def fails(*args):
            lowered(*args)
            raise RuntimeError("not to be converted")

        monkeypatch.setattr(adapter, "lowered", fails)
    with torch.no_grad():
        found = load_model(tmp_path / "a.onnx", spec=SPEC.replace(output_key="stages")).score(FED)
    torch.testing.assert_close(found, Smooth()(FED[:, 0]).detach(), atol=1e-5, rtol=0)
    with pytest.raises(ModelError, match=r"'features': \(3, 2\), 'stages': \(3, 5\).*output = 'stages'"):
        load_model(tmp_path / "a.onnx", spec=SPEC).score(FED)


class Detector(nn.Module):
    """A score for every eighth sample."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv1d(2, 4, 16, stride=8), nn.Tanh(), nn.Conv1d(4, 1, 1))

    def forward(self, x):
        return self.net(x)[:, 0]


def test_a_detector_has_the_mean_of_its_scores_over_time(epochs):
    spec = SPEC.replace(output="b t", stages=("spindle",))
    with torch.no_grad():
        found = load_model(Detector(), spec=spec).score(FED)
        assert found.shape == (3, 1)
        torch.testing.assert_close(found[:, 0], Detector()(FED[:, 0]).sum(-1) / 239)
    result = eegflex.attribute_epochs(
        epochs, Detector(), spec=spec, target="spindle", on_check="ignore", verbose="error"
    )
    data = result.to_xarray()
    assert np.abs(data["frequency_view"].values).max() > 0
    findings = eegflex.check_model(Detector(), epochs, spec=spec, verbose="error")
    assert [found.check for found in findings.errors] == []


def test_a_detector_of_several_epochs_is_read_at_the_one_that_is_meant():
    returned = torch.arange(2 * 3 * 4.0).reshape(2, 3, 4)
    spec = ModelSpec(output="b e t", stages=("arousal",), context=ContextSpec(1, 1))
    found = from_layout(returned, spec, batch=2, n_epochs=3)
    assert found.tolist() == [[5.5], [17.5]]


def test_scores_of_low_precision_are_explained(epochs):
    class Cast(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.net, self.kind = Smooth(), kind

        def forward(self, x):
            with torch.autocast("cpu", dtype=self.kind):
                return self.net(x)

    full = eegflex.attribute_epochs(epochs, Smooth(), spec=SPEC, target="N2", verbose="error").to_xarray()
    for kind in (torch.bfloat16, torch.float16):
        data = eegflex.attribute_epochs(epochs, Cast(kind), spec=SPEC, target="N2", verbose="error").to_xarray()
        largest = np.abs(full["frequency_view"].values).max()
        np.testing.assert_allclose(data["frequency_view"].values, full["frequency_view"].values, atol=0.1 * largest)


class Converts(nn.Module):
    """Converts its input to the precision of its weights, which it takes for granted."""

    def __init__(self, kind, of="all"):
        super().__init__()
        self.net, self.kind, self.of = Smooth(), kind, of
        (self.net if of == "all" else self.net.conv).to(kind)

    def forward(self, x):
        if self.of == "all":
            return self.net(x.to(self.kind))
        return self.net.head(torch.tanh(self.net.conv(x.to(self.kind))).float().square().mean(-1))


@pytest.mark.parametrize("of", ["all", "the first layer"])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_what_converts_its_input_itself_computes_in_its_own_precision(kind, of, epochs):
    with torch.no_grad():
        expected = Converts(kind, of).eval()(FED[:, 0]).float()
        moved = load_model(Converts(kind, of), spec=SPEC).to("cpu", torch.float32)
        torch.testing.assert_close(moved.score(FED).float(), expected, rtol=0, atol=0)
        again = moved.to("cpu", torch.float32)
        torch.testing.assert_close(again.score(FED).float(), expected, rtol=0, atol=0)
    assert moved.digest == load_model(Converts(kind, of)).digest
    full = eegflex.attribute_epochs(epochs, Smooth(), spec=SPEC, target="N2", verbose="error").to_xarray()
    data = eegflex.attribute_epochs(epochs, Converts(kind, of), spec=SPEC, target="N2", verbose="error").to_xarray()
    largest = np.abs(full["frequency_view"].values).max()
    np.testing.assert_allclose(data["frequency_view"].values, full["frequency_view"].values, atol=0.1 * largest)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_computed_with_in_the_one_that_is_asked_for(kind):
    with torch.no_grad():
        found = load_model(Smooth().to(kind), spec=SPEC).to("cpu", torch.float32).score(FED)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, Smooth().to(kind).float()(FED[:, 0]), rtol=0, atol=0)


def test_what_fails_in_every_precision_is_told_as_it_failed():
    stager = load_model(Smooth(n_channels=3).double(), spec=SPEC).to("cpu", torch.float32)
    with pytest.raises(ModelError, match=r"failed on an input of shape \(3, 2, 1920\).*to have 3 channels"):
        stager.score(FED)


def test_complex_scores_are_refused():
    with pytest.raises(ModelError, match="complex"):
        load_model(Returns(lambda scores, x: scores + 0j), spec=SPEC).score(FED)


@pytest.mark.parametrize("upper", [False, True])
def test_a_file_is_checked_against_the_sum_in_its_spec(upper, tmp_path):
    torch.save(Smooth().state_dict(), tmp_path / "a.pt")
    own = hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    said = own.upper() if upper else own
    (tmp_path / "a.toml").write_text(f"[model]\nname = 'mine'\nfile = 'a.pt'\nsha256 = '{said}'\n")
    assert load_model(tmp_path / "a.toml", module=Smooth).spec.sha256 == said
    torch.save(Smooth(seed=1).state_dict(), tmp_path / "a.pt")
    other = hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    for source in (tmp_path, tmp_path / "a.toml", tmp_path / "a.pt"):
        with pytest.raises(ModelError, match=rf"sha256 differs. Got {other}. Allowed: {own}"):
            load_model(source, module=Smooth)
    with pytest.raises(ModelError, match="sha256"):
        load_model(tmp_path / "a.pt", spec=SPEC.replace(sha256=own), module=Smooth)


def test_the_sum_is_looked_at_before_anything_is_opened(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"\x80\x02no pickle")
    with pytest.raises(ModelError, match="sha256"):
        load_model(tmp_path / "a.pt", spec=SPEC.replace(sha256="0" * 64), trusted=True)
