"""GSSC: its real network, against its own code."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from pathlib import Path

import mne
import numpy as np
import pytest
import torch
from attribution_helpers import with_gaps

import eegflex
from eegflex.errors import ChannelError, ParameterError, SpecError
from eegflex.preprocessing.segments import prepare

pytest.importorskip("gssc", reason="the extra gssc is not installed")

from eegflex.stagers.layers import ChannelsLast
from eegflex.stagers.passes import torchs_own, verdicts
from eegflex.stagers.zoo import gssc as adapter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stager():
    return adapter.load_gssc()


@pytest.fixture(scope="module")
def night():
    """A simulated night of 1 h; one EEG channel and a horizontal EOG."""
    raw = eegflex.simulate_psg(hours=1, seed=3, verbose="error").raw
    return eegflex.make_epochs(raw.copy().pick(["C4-M1", "E1-M2", "E2-M2"]), verbose="error")


@pytest.fixture(scope="module")
def segments(night, stager):
    return prepare(night, stager.spec)


@pytest.fixture(scope="module")
def bound(stager, segments):
    return stager.bind(segments)[0]


@pytest.fixture(scope="module")
def scores(bound):
    return bound.night_scores(lambda _: None)


def nobody(_):
    return None


def gssc_own(epochs, eeg=(0,), eog=(1,)):
    """What GSSC's own inference says of epochs with EEG and EOG channels at these places, without filtering them again."""
    from gssc import networks
    from gssc.infer import EEGInfer

    folder = Path(networks.__file__).parent / "nets"
    nets = [adapter._load_pickled(folder / name) for name in ("sig_net_v1.pt", "gru_net_v1.pt")]
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inference = EEGInfer(net=nets[0], con_net=nets[1], use_cuda=False)
        stages, _ = inference.mne_infer(
            epochs,
            eeg=[epochs.ch_names[place] for place in eeg],
            eog=[epochs.ch_names[place] for place in eog],
            eeg_drop=not eeg,
            eog_drop=not eog,
            filter=False,
        )
    return stages


@pytest.mark.slow
def test_predictions_equal_gsscs_own_on_every_epoch(night, segments, scores):
    """On the epochs that our preparation made: the whole night through both codes."""
    np.testing.assert_array_equal(scores.argmax(1).numpy(), gssc_own(prepared(segments)))


def prepared(segments):
    """What our preparation made, as epochs."""
    info = mne.create_info(list(segments.ch_names), segments.sfreq, list(segments.ch_types))
    with info._unlock():
        info["highpass"], info["lowpass"] = 0.3, 30.0
    return mne.EpochsArray(segments.signals.astype(float), info, baseline=None, verbose="error")


ONE_SIGNAL = {"gssc-eeg": {"eeg": (0,), "eog": ()}, "gssc-eog": {"eeg": (), "eog": (0,)}}


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_SIGNAL)
def test_of_one_signal_alone_it_says_what_gssc_does(night, name):
    """A recording without an EOG, or without an EEG: staged as by GSSC's own code, explained, and complete."""
    kind = name.removeprefix("gssc-")
    alone = night.copy().load_data().pick(kind)
    stager = eegflex.load_model(name)
    segments = prepare(alone, stager.spec)
    assert segments.signals.shape[1] == 1
    scores = stager.bind(segments)[0].night_scores(nobody)
    np.testing.assert_array_equal(scores.argmax(1).numpy(), gssc_own(prepared(segments), **ONE_SIGNAL[name]))
    result = eegflex.attribute_epochs(alone[90:111], stager, sample_per_stage=1, verbose="error")
    assert set(result.to_xarray()["ch_type"].values.tolist()) == {kind}
    # An epoch without a peak is its own baseline, and what it changes is rounding.
    assert ((result.relative_gap() <= 0.02) | result.within_error).all()
    assert not result.within_error.all()


@pytest.mark.parametrize(("kind", "name"), [("eeg", "gssc-eeg"), ("eog", "gssc-eog")])
def test_who_has_one_signal_only_is_told_what_takes_it(night, kind, name):
    with pytest.raises(ChannelError, match=f"take the model '{name}'"):
        eegflex.attribute_epochs(night.copy().load_data().pick(kind), "gssc", verbose="error")


def test_a_model_for_one_signal_is_no_member_beside_one_for_two():
    with pytest.raises(SpecError, match="disagree in their channels"):
        eegflex.load_model(["gssc", "gssc-eeg"])


def test_predictions_from_the_recording_equal_gsscs_own(stager, night, scores):
    """From the recording itself, each code with its own preparation; GSSC resamples each epoch by itself."""
    raw = mne.io.RawArray(np.hstack(night.get_data()), night.info, verbose="error")
    data = raw.get_data()
    info = mne.create_info(["C4-M1", "E1-E2"], raw.info["sfreq"], "eeg")  # GSSC would not filter a channel of type eog
    raw = mne.io.RawArray(np.stack([data[0], data[1] - data[2]]), info, verbose="error").filter(
        0.3, 30.0, verbose="error"
    )
    events = mne.make_fixed_length_events(raw, duration=30.0)
    epochs = mne.Epochs(
        raw, events, tmax=30 - 1 / raw.info["sfreq"], tmin=0, baseline=None, preload=True, verbose="error"
    )
    theirs = gssc_own(epochs)
    assert len(theirs) == len(scores)
    np.testing.assert_array_equal(scores.argmax(1).numpy(), theirs)


@pytest.mark.slow
def test_scores_do_not_change_with_the_batch_size(stager, segments, scores, monkeypatch):
    for size in (1, 5):
        monkeypatch.setattr(adapter, "FORWARD_BATCH", size)
        again = stager.bind(segments)[0].night_scores(nobody)
        torch.testing.assert_close(again, scores, rtol=0, atol=1e-5)


def test_a_window_without_room_for_its_epoch_is_refused(stager, segments):
    with pytest.raises(ParameterError, match="at least one epoch"):
        stager.bind(segments, window_length=0)


@pytest.mark.parametrize("window_length", [1, 8, 21, 500])
def test_a_window_scores_what_the_night_does(stager, segments, scores, window_length):
    bound = stager.bind(segments, window_length=window_length)[0]
    index = torch.tensor([0, 1, 10, 60, len(segments) - 1])
    with torch.no_grad():
        torch.testing.assert_close(bound(bound.inputs(index), index), scores[index], rtol=0, atol=1e-5)


def test_a_window_that_is_the_whole_run_needs_no_boundary_states(stager, night):
    run = prepare(night[:31], stager.spec)
    windows = torch.from_numpy(run.signals)[None]
    with torch.no_grad():
        middle = stager.score(windows)
    torch.testing.assert_close(middle[0], stager.bind(run)[0].night_scores(nobody)[15], rtol=0, atol=1e-5)


def test_members_of_a_batch_are_independent(bound):
    index = torch.tensor([5, 30, 70])
    x = bound.inputs(index) * torch.tensor([1.0, 0.3, 0.0])[:, None, None]
    with torch.no_grad():
        together = bound(x, index)
        alone = torch.cat([bound(x[i : i + 1], index[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_short_runs_are_scored_by_themselves(stager, night):
    parts = with_gaps(night, list(range(10)) + list(range(40, 80)))
    both = stager.bind(prepare(parts, stager.spec))[0]
    index = torch.tensor([2, 9, 10, 30])  # windows of two lengths in one batch
    with torch.no_grad():
        windowed = both(both.inputs(index), index)
    torch.testing.assert_close(windowed, both.night_scores(nobody)[index], rtol=0, atol=1e-5)


def test_the_gradient_of_a_window_is_near_that_of_the_night(bound, segments, scores):
    """Off the end of the path a window is an approximation; this bounds it on the epoch that it is least sure of.

    Of an epoch that it is sure of, the gradient is next to nothing, and so is what the window leaves out of it.
    """
    index = 21 + scores[21:-21].max(dim=1).values.argmin(keepdim=True)
    slopes = []
    for window_length in (21, len(segments)):
        one = bound.with_window_length(window_length)
        x = (0.7 * one.inputs(index)).requires_grad_(True)
        (slope,) = torch.autograd.grad(one(x, index)[0, scores[index[0]].argmax()], x)
        slopes.append(slope)
    assert (slopes[0] - slopes[1]).norm() < 0.3 * slopes[1].norm()


def test_only_what_the_networks_are_made_of_is_unpickled(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "canary",))

    torch.save(Harmful(), tmp_path / "net.pt")
    with pytest.raises(Exception, match=r"[Uu]nsupported|weights_only"):
        adapter._load_pickled(tmp_path / "net.pt")
    assert not (tmp_path / "canary").exists()


def test_each_eeg_channel_is_explained_by_itself(gssc_result):
    assert gssc_result.ch_names == ("C3-M2", "E1-E2 (with C3-M2)", "C4-M1", "E1-E2 (with C4-M1)")
    assert gssc_result.data["of_channel_set"].values.tolist() == [0, 0, 1, 1]
    assert (gssc_result.relative_gap() <= 0.01).mean() >= 0.95


def test_epochs_of_another_night_are_scored_by_what_is_known_there(stager, segments):
    bound, other = (
        stager.bind(one, window_length=5)[0]
        for one in (segments, dataclasses.replace(segments, signals=-segments.signals))
    )
    index = torch.tensor([0, 7, 20, len(segments) - 1])
    with torch.no_grad():
        expected = bound(other.inputs(index), index)
        found = bound.scored_as_in(other, index)
    assert float((expected - bound(bound.inputs(index), index)).abs().max()) > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_a_window_that_moves_adds_up_and_its_width_has_an_error(stager, night):
    short = night[20:32]
    numbers = {"sample_per_stage": 1, "window_length": 5, "quadrature": "graded", "n_steps": 36, "verbose": "error"}
    asked = {"context": "scaled", "target": "N2", "baseline": "zero"} | numbers
    result = eegflex.attribute_epochs(short, stager, **asked)
    data = result.to_xarray()
    assert data.sizes["context"] >= 5
    assert (result.relative_gap() < 0.03).all()
    parts = (
        np.nansum(data["context_map"].values, axis=(1, 3)).reshape(len(result), -1, 2).sum(axis=2)
        + data["beyond"].values
    )
    whole = data["scores"].values - data["replaced_scores"].sel(replaced="both").values
    change = whole[..., result.stages.index("N2")]  # to a night of silence, of which the rest of the night is a part
    np.testing.assert_allclose(parts - data["gap"].values, change, atol=1e-3)
    assert np.abs(data["beyond"].values).max() > 0.01
    assert result.provenance["window"]["length"] == 5
    assert 0 < result.provenance["window"]["error_median"] < 1
    assert (data["edge"] == "inside").all()


@pytest.mark.slow
def test_epochs_are_explained_in_windows_wide_enough_for_them(stager, night):
    """Gradients of an hour reach further than 21 epochs, those of some epochs. What is resumed keeps its windows."""
    asked = {"sample_per_stage": 3, "picks": ["C4-M1", "E1-M2", "E2-M2"], "verbose": "error"}
    rule = {"quadrature": "gauss-legendre", "n_steps": 12, "spectral_share": 0, "windows_per_stage": 0}
    result, *others = (
        eegflex.attribute_epochs(night, stager, window_length=length, **asked, **rule) for length in ("auto", 21, 120)
    )
    data = result.to_xarray()
    assert {21} < set(np.unique(data["window_length"]).tolist()) <= {21, 41, 81}
    own, narrow, whole = (
        eegflex.Bands().sum(one.to_xarray()["frequency_view"].values, data["freq"].values) for one in (result, *others)
    )
    errors, before = (np.abs(near - whole).sum(axis=(1, 2)) / np.abs(whole).sum(axis=(1, 2)) for near in (own, narrow))
    assert errors.max() < before.max()
    assert np.mean(errors <= 0.02) >= 0.8
    window = result.provenance["window"]
    assert set(window["error_by_stage"]) == set(data["predicted"].values.ravel())
    again = eegflex.attribute_epochs(night, stager, resume=result, **asked, **rule)
    np.testing.assert_array_equal(again.to_xarray()["window_length"], data["window_length"])
    assert again.provenance["window"] == window


def slopes(function, x):
    """Scores, and the slopes of a sum of them in which no two cancel."""
    x = x.clone().requires_grad_(True)
    scores = function(x)
    return scores.detach(), torch.autograd.grad((scores * torch.arange(1.0, 6.0).cos().to(x)).sum(), x)[0]


def test_the_quick_pass_is_torchs(stager, segments):
    """Both parts of it, for epochs in the middle of the night and at its ends in one batch: in double precision the same, and
    in single precision hardly farther from that than torch's own way is, which a network so deep leaves at a millionth.
    """
    index = torch.tensor([60, 0, 119, 61, 3, 60])
    found = {}
    for dtype in (torch.float64, torch.float32):
        bound = stager.to("cpu", dtype).bind(segments)[0]
        x = 0.3 * bound.inputs(index)
        with torchs_own():
            found[dtype, "torch"] = slopes(lambda x, bound=bound: bound(x, index), x)
        # In double precision channels last is not taken by itself, since it is no faster.
        with ChannelsLast() if dtype == torch.float64 else contextlib.nullcontext():
            found[dtype, "quick"] = slopes(lambda x, bound=bound: bound(x, index), x)
        ways = verdicts(bound.stager.module)
        assert {one.way for part, own in ways.items() if part != "encode" for one in own} == {"recorded steps"}
    assert [one.way for one in ways["encode"]] == ["as images"]
    for place, exact in enumerate(found[torch.float64, "torch"]):

        def error(dtype, way, place=place, exact=exact):
            return float((found[dtype, way][place] - exact).norm() / exact.norm())

        assert error(torch.float64, "quick") <= 1e-12
        assert error(torch.float32, "torch") <= 5e-6
        assert error(torch.float32, "quick") <= 1e-5


def test_codes_of_a_segment_serve_windows_of_any_length(bound):
    index = torch.tensor([60, 2, 119])
    x = 0.3 * bound.inputs(index)
    codes = bound.encode(x)
    for length in (5, 21, 41):
        other = bound.with_window_length(length)
        torch.testing.assert_close(other.decode(codes, index), other(x, index), rtol=0, atol=0)
