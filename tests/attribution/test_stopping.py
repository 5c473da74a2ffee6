"""Whatever ends an attribution, what was finished is kept; and it goes on from there as if nothing had happened."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading

import numpy as np
import pytest
import torch
import xarray as xr
from attribution_helpers import explain, noise_epochs, scored_epochs, view
from models import Smooth

import eegflex
from eegflex.attribution import request as requests
from eegflex.errors import AttributionFailed, AttributionStopped, ModelError, ParameterError
from eegflex.spec.model_spec import ChannelSpec, ModelSpec

RULE = {"batch_size": 5, "on_check": "ignore"}
EACH = ModelSpec(channels=(ChannelSpec("EEG", ("eeg",), use="each"),), layout="b c t")


class Ending(Smooth):
    """Does something once, after so many epochs were scored with a gradient."""

    left, then, seen = 10**9, None, 0

    def forward(self, x):
        if torch.is_grad_enabled():
            Ending.seen += len(x)
            Ending.left -= len(x)
            if Ending.left < 0:
                Ending.left = 10**9
                Ending.then()
        return super().forward(x)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(requests, "CHUNK", 4)
    Ending.left, Ending.seen = 10**9, 0


def raising(error):
    def then():
        raise error

    return then


def interrupted(signum=signal.SIGINT):
    return lambda: os.kill(os.getpid(), signum)


WAYS = {
    "an error of the model": (raising(ModelError("The model failed")), AttributionFailed, ModelError),
    "an error of a library": (raising(RuntimeError("mkldnn says no")), AttributionFailed, RuntimeError),
    "a bug": (raising(ZeroDivisionError("division by zero")), AttributionFailed, ZeroDivisionError),
    "Ctrl-C": (interrupted(), AttributionStopped, KeyboardInterrupt),
    "a scheduler": (interrupted(signal.SIGTERM), AttributionStopped, KeyboardInterrupt),
    "a closed terminal": (interrupted(signal.SIGHUP), AttributionStopped, KeyboardInterrupt),
    "an interrupt of a library": (raising(KeyboardInterrupt()), AttributionStopped, KeyboardInterrupt),
}


def ended(way, epochs, *, after, **asked):
    """What is left of a run that something ends."""
    Ending.left, Ending.then = after, WAYS[way][0]
    with pytest.raises(WAYS[way][1]) as caught:
        explain(epochs, Ending(), **RULE | asked)
    return caught.value


@pytest.mark.parametrize("way", WAYS)
def test_whatever_ends_it_what_was_finished_is_kept_and_goes_on(way, tmp_path):
    epochs = noise_epochs(n_epochs=14)
    stop = ended(way, epochs, after=110)
    kept = stop.result
    assert 0 < len(kept) == stop.n_finished < stop.n_wanted == 14
    assert kept.is_partial
    assert f"{len(kept)} of 14 epochs" in str(stop)
    causes = [stop]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    assert isinstance(causes[-1], WAYS[way][2])
    whole = explain(epochs, Ending(), **RULE)
    resumed = explain(epochs, Ending(), resume=kept.save(tmp_path / "partial.nc"), **RULE)
    xr.testing.assert_identical(resumed.data, whole.data)
    assert not resumed.is_partial


def test_memory_that_runs_out_somewhere_else_loses_nothing():
    stop = ended("Ctrl-C", noise_epochs(n_epochs=14), after=70)
    Ending.left, Ending.then = 50, raising(ValueError("later"))
    with pytest.raises(AttributionFailed, match="later") as caught:
        explain(noise_epochs(n_epochs=14), Ending(), resume=stop.result, **RULE)
    assert caught.value.n_finished > stop.n_finished
    assert set(caught.value.result.data["number"].values) > set(stop.result.data["number"].values)


def test_what_is_known_is_not_explained_again():
    epochs = noise_epochs(n_epochs=14)
    explain(epochs, Ending(), **RULE)
    all_of_it, Ending.seen = Ending.seen, 0
    kept = ended("Ctrl-C", epochs, after=110).result
    Ending.seen = 0
    explain(epochs, Ending(), resume=kept, **RULE)
    assert Ending.seen <= all_of_it * (1 - (len(kept) - 4) / 14)
    whole = explain(epochs, Ending(), resume=kept, **RULE)
    Ending.seen = 0
    again = explain(epochs, Ending(), resume=whole, **RULE)
    assert Ending.seen == 0
    assert len(again) == 14


@pytest.mark.parametrize(
    "asked",
    [
        {"target": "all"},
        {"target": "margin", "views": ("time", "time-frequency")},
        {"method": "gradient_shap"},
        {"method": "shapley_sampling", "seed": 3},
        {"method": "deeplift", "dtype": "float64"},
        {"baseline": "recording", "sample_per_stage": 5},
        {"select": "number > 2", "seed": 1},
        {"quadrature": "gauss-legendre", "n_steps": 9},
    ],
)
def test_resumed_is_undisturbed_bit_for_bit(asked):
    epochs = scored_epochs(n_epochs=14)
    Ending.left = 10**9
    whole = explain(epochs, Ending(), **RULE | asked)
    # without a gradient nothing is counted
    half = Ending.seen // 2
    kept = ended("Ctrl-C", epochs, after=half, **asked).result if half else whole[[0, 3, 4, 9]]
    resumed = explain(epochs, Ending(), resume=kept, **RULE | asked)
    assert 0 < len(kept) < len(whole)
    for name, variable in whole.data.variables.items():
        np.testing.assert_array_equal(resumed.data[name].values, variable.values, err_msg=name)
    assert resumed.provenance == whole.provenance


def test_several_channel_sets_and_moving_contexts_go_on_too():
    epochs = noise_epochs(n_epochs=10, n_channels=2)

    class Each(Ending):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.conv, self.head = torch.nn.Conv1d(1, 6, 9, stride=2), torch.nn.Linear(6, 5)

    torch.manual_seed(0)
    model = Each()
    whole = explain(epochs, model, spec=EACH, **RULE)
    Ending.left, Ending.then = Ending.seen // 2, interrupted()
    with pytest.raises(AttributionStopped) as caught:
        explain(epochs, model, spec=EACH, **RULE)
    resumed = explain(epochs, model, spec=EACH, resume=caught.value.result, **RULE)
    xr.testing.assert_identical(resumed.data, whole.data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed: 0, now 1"),
        ({"target": "N2"}, "target: predicted, now N2"),
        ({"tol": 0.05}, "tol: 0.02, now 0.05"),
        ({"sample_per_stage": 2}, "sample_per_stage: None, now 2"),
        ({"views": ("time",)}, "views"),
        ({"picks": ["EEG0"]}, "picks|channels"),
        ({"select": [1, 2]}, r"select: None, now \[1, 2\]"),
    ],
)
def test_another_question_is_refused_with_what_differs(change, words):
    kept = explain(noise_epochs(n_epochs=4), Smooth(), **RULE)[:2]
    model = Smooth(n_channels=1) if "picks" in change else Smooth()
    with pytest.raises(ParameterError, match=words):
        explain(noise_epochs(n_epochs=4), model, resume=kept, **RULE | change)


def test_another_recording_model_or_spec_is_refused():
    kept = explain(noise_epochs(n_epochs=4), Smooth(), **RULE)[:2]
    with pytest.raises(ParameterError, match=r"input_sha256: [0-9a-f]{12}…, now [0-9a-f]{12}…"):
        explain(noise_epochs(n_epochs=4, seed=1), Smooth(), resume=kept, **RULE)
    with pytest.raises(ParameterError, match=r"scores of the model|model_sha256"):
        explain(noise_epochs(n_epochs=4), Smooth(seed=1), resume=kept, **RULE)
    with pytest.raises(ParameterError, match=r"\.unit: V, now uV|input_sha256"):
        explain(noise_epochs(n_epochs=4), Smooth(), spec=ModelSpec(unit="uV"), resume=kept, **RULE)
    with pytest.raises(ParameterError, match="resume must be a result"):
        explain(noise_epochs(n_epochs=4), Smooth(), resume=12)
    both = eegflex.concatenate_results([kept, explain(noise_epochs(n_epochs=4, seed=1), Smooth(), **RULE)])
    with pytest.raises(ParameterError, match="of one recording"):
        explain(noise_epochs(n_epochs=4), Smooth(), resume=both, **RULE)
    with pytest.raises(ParameterError, match="channels"):
        explain(noise_epochs(n_epochs=4), Smooth(), resume=kept.sel(channel="EEG0"), **RULE)


def test_smaller_batches_may_finish_what_ran_out_of_memory():
    epochs = noise_epochs(n_epochs=8)
    whole = explain(epochs, Smooth(), **RULE)
    resumed = explain(epochs, Smooth(), resume=whole[[1, 5]], **RULE | {"batch_size": 2, "on_check": "warn"})
    np.testing.assert_allclose(view(resumed), view(whole), atol=1e-6 * np.abs(view(whole)).max())
    assert json.loads(resumed.data.attrs["parameters"])["batch_size"] == 2


def test_a_partial_result_is_a_fair_sample_of_the_night():
    """Not its beginning: of 40 epochs in random order, half are spread over it."""
    stop = ended("Ctrl-C", noise_epochs(n_epochs=40), after=320)
    numbers = stop.result.data["number"].values
    assert np.all(np.diff(numbers) > 0)
    assert 8 < len(numbers) < 32
    expected = 39 / 2
    assert abs(numbers.mean() - expected) < 2.5 * 40 / np.sqrt(12 * len(numbers))
    assert numbers.max() > 30
    assert numbers.min() < 10


def test_the_order_is_drawn_by_the_seed():
    orders = [np.concatenate(requests.order_of(np.arange(40), seed)).tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(40))
    assert orders[0] != sorted(orders[0])


def test_a_chunk_is_of_one_kind_and_of_many_epochs_it_is_larger():
    kinds = np.arange(600) % 3
    chunks = requests.order_of(np.arange(600), 0, kinds)
    assert sorted(np.concatenate(chunks).tolist()) == list(range(600))
    assert all(len(set(kinds[own].tolist())) == 1 for own in chunks)
    assert max(map(len, chunks)) == 600 // requests.MANY * requests.CHUNK
    first = [int(kinds[own[0]]) for own in chunks]
    assert first != sorted(first)


def test_a_stop_while_the_result_is_put_together_keeps_all_of_it(monkeypatch):
    from eegflex.attribution import attribute_epochs as module

    put_together = module.assemble
    monkeypatch.setattr(
        module, "assemble", lambda *a, **k: (os.kill(os.getpid(), signal.SIGINT), put_together(*a, **k))[1]
    )
    with pytest.raises(AttributionStopped) as caught:
        explain(noise_epochs(n_epochs=5), Smooth(), **RULE)
    assert len(caught.value.result) == 5
    assert not caught.value.result.is_partial


def test_it_works_in_a_thread_and_leaves_handlers_alone():
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    found = []
    thread = threading.Thread(target=lambda: found.append(explain(noise_epochs(n_epochs=3), Smooth(), **RULE)))
    thread.start()
    thread.join()
    assert len(found[0]) == 3
    explain(noise_epochs(n_epochs=3), Smooth(), **RULE)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_nothing_finished_is_the_error_itself():
    def at_once():
        Ending.left = -1  # and every time that it is tried
        raise RuntimeError("at once")

    Ending.left, Ending.then = 3, at_once
    with pytest.raises((RuntimeError, ModelError), match="at once") as caught:
        explain(noise_epochs(n_epochs=5), Ending(), **RULE)
    assert not isinstance(caught.value, AttributionFailed)


def test_a_failed_attribution_survives_a_worker():
    stop = ended("a bug", noise_epochs(n_epochs=14), after=110)
    again = pickle.loads(pickle.dumps(stop))
    assert (type(again), str(again), again.n_finished) == (AttributionFailed, str(stop), stop.n_finished)
    assert again.result.data.identical(stop.result.data)


@pytest.mark.parametrize("method", ["gradient_shap", "shapley_sampling"])
def test_what_is_drawn_for_an_epoch_is_its_own(method):
    """Whatever the batches, and with whatever other epochs it is explained."""
    epochs = noise_epochs(n_epochs=6)
    name = "frequency_view" if method == "gradient_shap" else "band_view"
    asked = {"method": method, "dtype": "float64", "on_check": "ignore"}
    few, many = (view(explain(epochs, Smooth(), batch_size=size, **asked), name) for size in (1, 200))
    np.testing.assert_allclose(few, many, rtol=0, atol=1e-12 * np.abs(many).max())
    some = view(explain(epochs, Smooth(), select=[1, 4], **asked), name)
    np.testing.assert_allclose(some, many[[1, 4]], rtol=0, atol=1e-12 * np.abs(many).max())


@pytest.mark.parametrize("method", ["gradient_shap", "shapley_sampling"])
def test_epochs_do_not_share_their_draws(method):
    """Of the same epoch twice, what is drawn is not the same: errors of draws average out over a night."""
    epochs = noise_epochs(n_epochs=4)
    epochs._data[2] = epochs._data[1]
    name = "frequency_view" if method == "gradient_shap" else "band_view"
    found = view(explain(epochs, Smooth(), method=method, dtype="float64", on_check="ignore"), name)
    assert not np.allclose(found[1], found[2], rtol=0, atol=1e-9 * np.abs(found).max())
    assert np.allclose(found[1], found[2], rtol=0, atol=0.3 * np.abs(found[1]).max())
