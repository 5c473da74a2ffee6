"""In several processes as in one: the same numbers, errors, words and partial results, and nothing is left of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
import xarray as xr
from attribution_helpers import explain, noise_epochs, scored_epochs
from models import Smooth, Window
from torch import nn

import eegflex
from eegflex.attribution import crew as crews
from eegflex.attribution import request as requests
from eegflex.attribution.helper import begin
from eegflex.attribution.packing import LARGE, pack, unpack
from eegflex.errors import AttributionFailed, ModelError
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, ModelSpec
from eegflex.stagers import passes
from eegflex.stagers.passes import CHANNELS_LAST, found_of

RULE = {"on_check": "ignore", "spectral_share": 0}
EACH = ModelSpec(channels=(ChannelSpec("EEG", ("eeg",), use="each"),), layout="b c t")
CONTEXT = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
POOL = crews._Pool


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path, monkeypatch):
    """No folder of ours, no process, no thread more, and as many threads of torch as before."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = torch.get_num_threads()
    yield
    assert list(folder.glob("eegflex-*")) == []
    assert torch.get_num_threads() == before
    assert [one.name for one in threading.enumerate() if "ExecutorManager" in one.name] == []


@pytest.fixture
def asked_of(monkeypatch):
    """Numbers of other processes that were begun."""
    begun = []

    def counting(request, n, threads):
        begun.append(n)
        return POOL(request, n, threads)

    monkeypatch.setattr(crews, "_Pool", counting)
    return begun


@pytest.fixture
def patient(monkeypatch):
    """Small parts, the first of which are left to others even if these take long to begin."""
    monkeypatch.setattr(requests, "CHUNK", 8)
    monkeypatch.setattr(POOL, "taken_back", lambda _: None)


class Obedient(Smooth):
    """Does what it is told to, in other processes than the one where it was made, or in any."""

    def __init__(self, elsewhere=None, anywhere=None, n_channels=2):
        super().__init__(n_channels)
        self.caller, self.elsewhere, self.anywhere = os.getpid(), elsewhere, anywhere

    def forward(self, x):
        if torch.is_grad_enabled() and len(x) > 1:
            for then in (self.elsewhere if os.getpid() != self.caller else None, self.anywhere):
                if then is not None:
                    then(x)
        return super().forward(x)


def same(result, other, atol=0.0):
    for name in ("method", "parameters", "provenance"):
        assert result.data.attrs[name] == other.data.attrs[name]
    for name, values in other.data.variables.items():
        if values.dtype.kind != "f":
            np.testing.assert_array_equal(result.data[name].values, values.values, err_msg=name)
        else:
            size = np.abs(np.nan_to_num(values.values)).max(initial=0.0)
            np.testing.assert_allclose(result.data[name].values, values.values, rtol=0, atol=atol * size, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"baseline": "recording", "second_opinion": "shapley", "views": ("time", "time-frequency")}, (2, 3, 2)),
        ({"baseline": "surrogate", "target": "all", "spec": EACH, "max_evals": 13}, (2,)),
        ({"method": "feature_ablation", "spec": EACH}, (2,)),
        ({"baseline": "recording", "windows_per_stage": 2, "spec": CONTEXT}, (2,)),
    ],
)
def test_as_in_one_process_and_the_same_every_time(asked, numbers, asked_of, patient):
    epochs = scored_epochs(n_epochs=24)
    spec = asked.get("spec")
    model = Window() if spec is CONTEXT else Obedient(n_channels=1 if spec is EACH else 2)
    one, *others = (explain(epochs, model, n_jobs=n, **RULE | asked) for n in (1, *numbers))
    assert asked_of == [n - 1 for n in numbers]
    assert ("window_map" in one.data) == (spec is CONTEXT)
    for other in others:
        same(other, one, 1e-7)
    xr.testing.assert_identical(others[0].data, others[-1].data)


def refuse_large(x):
    """Fails on one epoch, wherever it is asked about it."""
    if (x[..., :3].abs().amax((1, 2)) > 50).any():
        raise ModelError("The model failed on what is large")


@pytest.mark.slow
def test_an_error_is_the_same_one_and_what_was_finished_goes_on(patient):
    epochs = noise_epochs(n_epochs=40)
    epochs._data[33, :, 0] = 400.0
    known = explain(epochs, Obedient(), n_jobs=1, **RULE)
    with pytest.raises(AttributionFailed, match="failed on what is large") as caught:
        explain(epochs, Obedient(anywhere=refuse_large), n_jobs=2, **RULE)
    assert isinstance(caught.value.__cause__, ModelError)
    kept = caught.value.result
    assert 0 < len(kept) < 40
    assert 33 not in kept.data["number"].values
    same(explain(epochs, Obedient(), n_jobs=2, resume=kept, **RULE), known, 1e-7)


def end(x):
    os._exit(3)


def raise_there(x):
    raise ZeroDivisionError


class Unread:
    """Can be written, and not read."""

    def __reduce__(self):
        return _unreadable, ()


def _unreadable():
    if multiprocessing.current_process().name != "MainProcess":
        raise ImportError("it is not here")
    return Unread()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: Obedient(elsewhere=raise_there), None),
        (lambda: Obedient(elsewhere=end), "another process ended"),
        (lambda: Obedient(elsewhere=_with(Unread())), "cannot read the task"),
        (lambda: Obedient(elsewhere=_with(threading.Lock())), "cannot be sent to another process"),
    ],
)
def test_what_others_cannot_do_is_done_here(model, words, caplog, patient):
    epochs = noise_epochs(n_epochs=24)
    with caplog.at_level("INFO", "mne"):
        result = eegflex.attribute_epochs(epochs, model(), baseline="zero", n_jobs=2, verbose="info", **RULE)
    assert (words is None) == ("Explaining in one process" not in caplog.text)
    assert (words or "") in caplog.text
    same(result, explain(epochs, Smooth(), n_jobs=1, **RULE), 1e-7)


def _with(thing):
    return lambda x: thing and None


def tell(x):
    warnings.warn("it is late", UserWarning, stacklevel=1)


@pytest.mark.slow
def test_what_is_said_elsewhere_is_said_here(caplog, patient):
    from mne.utils import logger

    def log(x):
        logger.info("rather slow")

    epochs = noise_epochs(n_epochs=24)
    with warnings.catch_warnings(record=True) as told, caplog.at_level("INFO", "mne"):
        warnings.simplefilter("always")
        eegflex.attribute_epochs(
            epochs, Obedient(elsewhere=lambda x: (tell(x), log(x))), baseline="zero", n_jobs=2, verbose="info", **RULE
        )
    assert [str(one.message) for one in told] == ["it is late"]
    assert caplog.text.count("rather slow") == 1


@pytest.mark.slow
def test_torchscript_travels(asked_of, caplog, patient):
    epochs = noise_epochs(n_epochs=24)
    model = torch.jit.trace(Smooth(), torch.zeros(1, 2, 960))
    with caplog.at_level("INFO", "mne"):
        two = eegflex.attribute_epochs(epochs, model, baseline="zero", n_jobs=2, verbose="info", **RULE)
    assert "in one process" not in caplog.text
    assert asked_of == [1]
    same(two, explain(epochs, model, n_jobs=1, **RULE), 1e-7)


def test_what_is_large_is_shared_and_the_recording_stays(tmp_path):
    from eegflex.attribution.attribute_epochs import make_request
    from eegflex.settings import Settings

    night = eegflex.stage_epochs(noise_epochs(n_epochs=150), Smooth(), verbose="error")
    request = make_request(night, Settings(baseline="zero"))
    assert night.segments.signals.nbytes > LARGE
    pack(request, tmp_path, more=3)
    again, more = unpack(tmp_path)
    assert more == {"more": 3}
    assert again.night.epochs is None
    mapped = again.segments.signals
    np.testing.assert_array_equal(mapped, night.segments.signals)
    assert again.night.bound[0].signals is mapped
    assert isinstance(mapped.base, np.memmap)
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) < 1.2 * night.segments.signals.nbytes
    mapped[0] = 7.0  # it is a copy of ours that is written to
    np.testing.assert_array_equal(unpack(tmp_path)[0].segments.signals, night.segments.signals)


class Twisted(nn.Module):
    """A convolution, for which there is a quicker way than torch's."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv1d(2, 8, 9, padding=4), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(torch.tanh(self.conv(x)).mean(-1))


def test_which_way_is_right_is_found_once_and_told_to_others(tmp_path, monkeypatch):
    """At the border of what is allowed, another input might say something else elsewhere."""
    from eegflex.attribution.attribute_epochs import make_request
    from eegflex.attribution.context import moving, try_out
    from eegflex.settings import Settings

    torch.manual_seed(0)
    night = eegflex.stage_epochs(noise_epochs(n_epochs=6), Twisted(), verbose="error")
    request = make_request(night, Settings(baseline="zero"))
    assert found_of(request.stager.module) == {}
    try_out(request)
    found = found_of(request.stager.module)
    assert {one.way for one in found.values()} == {CHANNELS_LAST}
    pack(request, tmp_path)
    again, _ = unpack(tmp_path)
    assert again.stager.module is not request.stager.module
    assert found_of(again.stager.module) == found
    assert again.batches == request.batches

    def never(*_):
        raise AssertionError("it is tried again")

    monkeypatch.setattr(passes, "_tried", never)
    what = moving(again, 0, again.chosen[:2])
    x = what.ends[0].requires_grad_(True)
    (slopes,) = torch.autograd.grad(what.model(x, torch.arange(2)).sum(), x)
    assert slopes.abs().max() > 0


@pytest.mark.slow
def test_it_is_found_before_others_begin(monkeypatch, patient):
    told = []

    def noting(request, n, threads):
        told.append(found_of(request.stager.module))
        return POOL(request, n, threads)

    monkeypatch.setattr(crews, "_Pool", noting)
    torch.manual_seed(0)
    explain(noise_epochs(n_epochs=24), Twisted(), n_jobs=2, **RULE)
    assert [{one.way for one in known.values()} for known in told] == [{CHANNELS_LAST}]


def test_short_work_and_one_process_never_begin_another(asked_of):
    epochs = noise_epochs(n_epochs=70)
    explain(epochs, Smooth(), **RULE)
    explain(epochs, Smooth(), n_jobs=1, **RULE)
    explain(epochs[:4], Smooth(), n_jobs=8, **RULE)  # all of it is one part
    assert asked_of == []


@pytest.mark.slow
def test_long_work_begins_others_by_itself(asked_of, monkeypatch, caplog):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    epochs = noise_epochs(n_epochs=80)
    alone = explain(epochs, Obedient(), **RULE)
    assert asked_of == []
    monkeypatch.setattr(crews, "WORTH", 0.1)
    same(explain(epochs, Obedient(), **RULE), alone)
    assert asked_of == [1]


def asking(n_jobs, n_epochs=1000, device="cpu"):
    """As much of a request as it takes to divide the work."""
    return SimpleNamespace(
        settings=SimpleNamespace(n_jobs=n_jobs),
        stager=SimpleNamespace(like=torch.empty(0, device=device)),
        chosen=np.arange(n_epochs),
        night=SimpleNamespace(bound=(None,)),
    )


@pytest.mark.parametrize(
    ("n_jobs", "n_epochs", "device", "expected"),
    [
        (None, 1000, "cpu", (4, 1)),
        (None, 20, "cpu", (1, None)),
        (None, 1000, "meta", (1, None)),
        (3, 1000, "meta", (1, None)),
        (1, 1000, "cpu", (1, None)),
        (2, 20, "cpu", (2, 2)),
        (-1, 20, "cpu", (4, 1)),
        (-2, 20, "cpu", (3, 1)),
        (-9, 20, "cpu", (1, 4)),
        (9, 20, "cpu", (9, 1)),
    ],
)
def test_processes_and_their_threads(n_jobs, n_epochs, device, expected, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.setattr(crews, "_free_memory", lambda: 2**40)
    request = asking(n_jobs, n_epochs, device)
    assert crews._divided(request) == expected
    for gibibytes, fit in ((4, (2, 2)), (3, (1, 4))):
        monkeypatch.setattr(crews, "_free_memory", lambda n=gibibytes: n * 2**30)
        assert crews._divided(request) == (fit if expected == (4, 1) and n_jobs is None else expected)


@pytest.mark.parametrize(
    ("n_jobs", "n_others", "expected"),
    [(1, None, (30.0, 1)), (None, None, (7.5, 4)), (None, 3, (7.5, 4)), (3, 2, (10.0, 3)), (3, None, (30.0, 1))],
)
def test_how_long_all_takes_is_judged_by_what_is_done_here(n_jobs, n_others, expected, monkeypatch):
    """Others begin later: what is done by all at first would be too little."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.setattr(crews, "_free_memory", lambda: 2**40)
    crew = crews.Crew(asking(n_jobs))
    assert crew.takes(15) is None
    crew._each, crew._pool = 2.0, n_others and SimpleNamespace(n=n_others)
    assert crew.takes(15) == expected


COMMAND = """
import sys, time
import eegflex.stagers.zoo.bandpower as zoo
from eegflex.cli import main

known = zoo.BandPower.forward

def slowly(self, x):
    time.sleep(0.1)
    return known(self, x)

zoo.BandPower.forward = slowly
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    night = eegflex.simulate_psg(hours=0.75, sfreq=128, seed=1, verbose="error")
    return night.save(tmp_path_factory.mktemp("night") / "night.edf").psg


def processes_of(session):
    """The processes of a session that are there, but for what has ended and nobody asked about."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def left_of(process, folder, within):
    """What is left of a program, after so many s at most: processes, and what they shared.

    An old torch makes a folder of its own wherever it is imported, which it takes away only if its program ends by itself.
    """
    until = time.monotonic() + within
    while left := [
        *processes_of(process.pid),
        *(one for one in (folder / "shared").iterdir() if not (one / "_remote_module_non_scriptable.py").exists()),
    ]:
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    return left


def begun(folder, night, *, after):
    """The program, when so many epochs are explained."""
    shared = folder / "shared"
    shared.mkdir(exist_ok=True)
    asked = ["attribute", str(night), "--model", "bandpower", "--n-jobs", "2", "--spectral-share", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *asked, "--batch-size", "40", "-o", str(folder / "r.nc")],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(shared)},
        start_new_session=True,
    )
    seen = ""
    while not re.search(rf"Explaining[^\n]*?\b{after}/\d", seen):
        more = process.stderr.read(1)
        assert more, seen
        seen += more
    return process


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="of Linux")
@pytest.mark.parametrize(("signum", "of_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_stopped_program_keeps_what_is_finished_and_leaves_nothing(signum, of_all, night, tmp_path):
    """A terminal sends Ctrl-C to all processes, and so do schedulers what ends a job."""
    with begun(tmp_path, night, after=r"(1[6-9]|[2-9]\d)") as process:
        assert len(processes_of(process.pid)) >= 3  # itself, another, and what tracks what they share
        (os.killpg if of_all else os.kill)(process.pid, signum)
        said = process.stderr.read()
        assert process.wait(30) == 128 + signum
    assert said.endswith("eegflex: stopped\n")
    assert "Traceback" not in said
    assert left_of(process, tmp_path, within=5) == []
    kept = eegflex.read_result(tmp_path / "r.nc")
    assert kept.is_partial
    assert len(kept) >= 16


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="of Linux")
def test_a_killed_program_leaves_nothing(night, tmp_path):
    with begun(tmp_path, night, after=r"(1[6-9]|[2-9]\d)") as process:
        process.kill()
        process.wait(30)
    assert left_of(process, tmp_path, within=30) == []


def _grow(n_bytes):
    sys.modules["__main__"].kept = np.ones(n_bytes, dtype=np.uint8)
    time.sleep(1.1)  # loky looks once a second
    return os.getpid()


@pytest.mark.slow
def test_a_process_that_takes_more_memory_for_a_larger_batch_goes_on():
    with joblib.externals.loky.ProcessPoolExecutor(1, timeout=60, initializer=begin) as executor:
        assert len({executor.submit(_grow, n_bytes).result() for n_bytes in (1, 500_000_000, 1, 500_000_000)}) == 1
