"""How often the host waits for a GPU: counted on a device that is none, but that is told apart from the host."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from attribution_helpers import noise_epochs
from models import Smooth, Window
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

import eegflex
from eegflex.attribution import paths as module
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.context import moving
from eegflex.attribution.methods.flex import band_rates
from eegflex.attribution.paths import Paths, average_gradients, baseline_scores
from eegflex.settings import Settings
from eegflex.spec.model_spec import ContextSpec, ModelSpec
from eegflex.stagers import passes
from eegflex.stagers.batches import BatchSize

THERE = torch.device("meta")  # what it calls itself
READS = ("cpu", "item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "__array__")
INDEXING = ("__getitem__", "__setitem__", "index_select")


class There(torch.Tensor):
    """What lies on the device, and so does all that is made of it."""


class Device(TorchFunctionMode):
    """Counts what goes to and fro, and refuses to compute with what lies on both sides."""

    def __init__(self):
        super().__init__()
        self.reads, self.uploads = 0, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        flat = tree_flatten((args, kwargs))[0]
        there = [one for one in flat if isinstance(one, There)]
        if func == torch.Tensor.device.__get__ and there:
            return THERE
        if name in READS and there:
            self.reads += 1
            return func(*tree_map(here, args), **kwargs)
        if name == "to" and isinstance(args[0], There) and "cpu" in map(str, flat[1:]):
            self.reads += 1
            return here(args[0])
        if name == "to" and not isinstance(args[0], There) and (there or THERE in flat):
            return self._upload(func, args, kwargs)
        if kwargs.get("device") == THERE:
            self.uploads += name in ("tensor", "as_tensor")
            return func(*args, **kwargs | {"device": "cpu"}).as_subclass(There)
        return self._on_one_side(func, name, there, flat, args, kwargs)

    def _upload(self, func, args, kwargs):
        self.uploads += 1
        found = func(*tree_map(lambda one: "cpu" if one == THERE else here(one), args), **kwargs)
        return found.as_subclass(There)

    def _on_one_side(self, func, name, there, flat, args, kwargs):
        hosts = [one for one in flat if type(one) is torch.Tensor and one.ndim and not isinstance(one, nn.Parameter)]
        if there and hosts:
            assert name in INDEXING, f"{name} of what lies on the device and on the host"
            self.uploads += len(hosts)
        assert not (name in INDEXING and any(type(one) is There and one.dtype == torch.bool for one in flat[1:])), (
            "it waits"
        )
        found = func(*args, **kwargs)
        return found


class Reads(Device):
    """Counts what is read; weights lie on the host."""

    def _on_one_side(self, func, name, there, flat, args, kwargs):
        return func(*args, **kwargs)


def there(one):
    return one.as_subclass(There) if isinstance(one, torch.Tensor) else one


def here(one):
    return one.as_subclass(torch.Tensor) if isinstance(one, There) else one


class Coded(Window):
    """The same by codes of single epochs."""

    def encode(self, segments):
        return self.net(segments)

    def decode(self, codes):
        before, middle, after = codes.unbind(1)
        return middle * (1 + before * after)


CONTEXT = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))


@pytest.mark.parametrize(("model", "spec"), [(Smooth, None), (Window, CONTEXT), (Coded, CONTEXT)])
def test_a_batch_is_read_from_the_device_once(model, spec, monkeypatch):
    night = eegflex.stage_epochs(noise_epochs(n_epochs=12), model(), spec=spec, verbose="error")
    request = make_request(night, Settings(baseline="zero", target="all"))
    numbers = request.chosen
    counted, evaluate = [], module._evaluate

    def run():
        what = moving(request, 0, numbers)
        end, begin = what.ends
        paths = Paths(what.model, end, begin, request.weights(numbers, 0), BatchSize(32))
        rates = band_rates(paths.change, request.band_masks)
        return dict(average_gradients(paths, request.make_nodes(0), baseline_scores(paths), rates))

    alone = run()
    with Device() as device:
        for bound in night.bound:
            bound.stager.like = bound.stager.like.as_subclass(There)
            if bound._codes is not None:
                bound._codes = bound._codes.as_subclass(There)
        night.stager.like = night.stager.like.as_subclass(There)

        def counting(paths, batch, rates):
            before = device.reads, device.uploads
            evaluate(paths, batch, rates)
            counted.append((device.reads - before[0], device.uploads - before[1]))

        monkeypatch.setattr(module, "_evaluate", counting)
        found = run()
    assert len(counted) >= 4
    reads, uploads = np.array(counted[1:]).T  # what is made once is made in the first
    assert set(reads) == {1}
    assert uploads.max() <= 8
    for row, path in alone.items():
        own, size = here(found[row].gradient).numpy(), float(path.gradient.abs().max())
        np.testing.assert_allclose(own, path.gradient.numpy(), rtol=0, atol=1e-5 * size)


def test_the_windows_of_gssc_are_not_read_at_the_ends_of_a_run_either():
    pytest.importorskip("gssc")
    epochs = eegflex.make_epochs(eegflex.simulate_psg(hours=0.5, seed=1, verbose="error").raw, verbose="error")
    bound = eegflex.stage_epochs(epochs, "gssc", verbose="error").bound[0].with_window_length(21)
    index = torch.tensor([2, 30, 31, 57])  # the windows of two of them are cut
    codes, scores, outputs, night = bound._recorded()
    own = codes[index] * 1.1

    def run(points):
        points = points.clone().requires_grad_(True)
        return torch.autograd.grad(bound.decode(points, index).sum(0)[2], points)[0]

    alone = run(own)
    with Reads() as device:
        bound._night = tree_map(there, (codes, scores, outputs, dataclasses.astuple(night)))
        bound._night = (*bound._night[:3], type(night)(*bound._night[3]))
        run(there(own))  # which way is right is read
        tried, device.reads = device.reads, 0
        found = run(there(own))
    ways = [verdict.way for verdict in passes.verdicts(bound.stager.module)["decode in 21 epochs"]]
    assert ways == ["recorded steps"] * 2
    assert device.reads == 0 < tried
    np.testing.assert_allclose(here(found).numpy(), alone.numpy(), rtol=0, atol=1e-6 * float(alone.abs().max()))


def test_a_read_and_a_mixture_are_noticed():
    with Device() as device:
        there = torch.arange(3.0).to(THERE)
        assert (there * 2).device == THERE
        assert float((there * 2).sum()) == 6
        assert there.cpu().device.type == "cpu"
        assert there.to("cpu").device.type == "cpu"
        assert there[torch.tensor([0])].device == THERE
        with pytest.raises(AssertionError, match="on the device and on the host"):
            there + torch.arange(3.0)
    assert (device.reads, device.uploads) == (3, 2)
