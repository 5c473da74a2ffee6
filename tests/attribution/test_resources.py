"""Memory that runs out, and work that is stopped."""

from __future__ import annotations

import _thread

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view
from models import Smooth

import eegflex
from eegflex.errors import AttributionStopped, ModelError
from eegflex.stagers.batches import BatchSize


class Narrow(Smooth):
    """Runs out of memory with more than five epochs at once."""

    def forward(self, x):
        if len(x) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return super().forward(x)


class Stopping(Smooth):
    """Somebody presses Ctrl-C after so many epochs were scored."""

    after = 0

    def forward(self, x):
        if torch.is_grad_enabled():
            type(self).after -= len(x)
        if type(self).after < 0:
            type(self).after = 10**9
            _thread.interrupt_main()
        return super().forward(x)


def test_a_batch_that_does_not_fit_is_halved_and_said(caplog):
    epochs = noise_epochs(n_epochs=3)
    result = eegflex.attribute_epochs(epochs, Narrow(), baseline="zero", batch_size=64, verbose="info")
    np.testing.assert_allclose(view(result), view(explain(epochs, Smooth())), atol=1e-7)
    assert caplog.text.count("Memory is short") == 4  # 32, 16, 8, 4


def test_what_never_fits_is_refused():
    class Never(Smooth):
        def forward(self, x):
            if torch.is_grad_enabled() and x.requires_grad and len(x) < 10:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
            return super().forward(x)

    with pytest.raises(ModelError, match="single epoch"):
        explain(noise_epochs(n_epochs=2), Never(), batch_size=8, on_check="ignore")


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def compute(_):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        BatchSize(4)(compute, torch.zeros(8))


def test_each_row_is_computed_once_whatever_fits():
    seen = []

    def compute(rows):
        if len(rows) > 3:
            raise torch.OutOfMemoryError("out of memory")
        seen.extend(rows.tolist())
        return (rows * 2,)

    batch = BatchSize(7)
    (doubled,) = batch(compute, torch.arange(20))
    assert doubled.tolist() == [2 * i for i in range(20)]
    assert seen == list(range(20))
    assert batch.points == 3


def test_what_was_finished_survives_ctrl_c(tmp_path):
    epochs = noise_epochs(n_epochs=12)
    Stopping.after = 60
    with pytest.raises(AttributionStopped) as caught:
        explain(epochs, Stopping(), batch_size=5)
    assert isinstance(caught.value, KeyboardInterrupt)
    result = caught.value.result
    numbers = result.to_xarray()["number"].values
    assert 0 < len(numbers) < 12
    assert result.is_partial
    assert str(len(numbers)) in str(caught.value)
    whole = explain(epochs, Smooth(), batch_size=5)
    assert not whole.is_partial
    np.testing.assert_allclose(view(result), view(whole)[numbers], atol=1e-7)
    assert eegflex.read_result(result.save(tmp_path / "partial.nc")).is_partial


def test_a_stop_before_anything_is_finished_is_an_ordinary_one():
    Stopping.after = 5
    with pytest.raises(KeyboardInterrupt) as caught:
        explain(noise_epochs(), Stopping(), batch_size=5)
    assert not isinstance(caught.value, AttributionStopped)
