"""Windows as wholes: what reaches into them from the rest of the night, and a sample of them where the context decides."""

from __future__ import annotations

import re

import mne
import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view, with_gaps
from models import Smooth, Window
from torch import nn

import eegflex
from eegflex.attribution import request as requests
from eegflex.attribution import window_sample
from eegflex.attribution.attribute_epochs import make_request
from eegflex.errors import AttributionFailed, AttributionStopped, ParameterError
from eegflex.results.decided import context_share
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.settings import Settings
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, ModelSpec
from eegflex.stagers import ensemble
from eegflex.stagers.zoo.gssc import GSSC, _Networks

CONTEXT = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
WHOLE = ModelSpec(
    name="states",
    layout="(b e) c t",
    output="(b e) s",
    context=ContextSpec(whole=True),
    channels=(ChannelSpec("eeg", types=("eeg",), use="each"),),
)
DENSE = {"quadrature": "gauss-legendre", "n_steps": 40, "dtype": "float64", "on_check": "ignore"}
SHORT = {"context": "scaled", "window_length": 3, "target": "N2"}


class Recurrent(_Networks):
    """Recurrent layers over codes of epochs of one channel, put together as GSSC's are, and small."""

    def __init__(self, seed=0, reach=1.0):
        nn.Module.__init__(self)
        torch.manual_seed(seed)
        self.names = ("eeg",)
        self.coder, self.signals, self.mixer = Smooth(n_channels=1, n_stages=6), nn.ModuleDict(), nn.Identity()
        sizes = [(6, 4), (8, 4)]
        self.layers = nn.ModuleList(nn.GRU(*size, bidirectional=True, batch_first=True) for size in sizes)
        for layer in self.layers:
            for name, value in layer.named_parameters():
                value.data *= reach if "weight_hh" in name else 2.0
        self.norm, self.relu, self.fc = nn.Identity(), nn.Tanh(), nn.Linear(8, 5)
        self.fc.weight.data *= 4

    def signal_codes(self, signal, name):
        return self.coder(signal[:, None])

    def mix(self, *codes):
        return codes[0]


def stager(seed=0, reach=1.0):
    return GSSC(Recurrent(seed, reach), WHOLE)


def varied_epochs(n_epochs, **kwargs):
    """Noise that is now loud, now soft, so that no epoch is an ordinary one."""
    epochs = noise_epochs(n_epochs=n_epochs, **kwargs)
    epochs._data *= np.resize([0.4, 1.0, 2.0, 0.7, 1.5], n_epochs)[:, None, None]
    return epochs


def both_replaced(result):
    """F of the recorded night less F of the night of baselines, for the target N2, by a pass over each."""
    data, place = result.to_xarray(), result.stages.index("N2")
    return (data["scores"].values - data["replaced_scores"].sel(replaced="both").values)[..., place]


@pytest.mark.parametrize("baseline", ["zero", "recording", pytest.param("surrogate", marks=pytest.mark.slow)])
@pytest.mark.parametrize("numbers", [range(7), [0, 1, 2, 3, 7, 8, 9]])
def test_window_and_what_is_beyond_it_add_up_to_the_change_of_the_whole_night(baseline, numbers):
    epochs = with_gaps(varied_epochs(n_epochs=10), list(numbers))
    result = explain(epochs, stager(), baseline=baseline, **SHORT, **DENSE)
    data = result.to_xarray()
    assert data["beyond"].dims == ("epoch", "channel_set")
    total = np.nansum(data["context_map"].values, axis=(1, 3)) + data["beyond"].values
    np.testing.assert_allclose(total, data["score"] - data["baseline_score"] + data["gap"], atol=1e-6)
    assert np.abs(data["gap"]).max() < 1e-4
    assert np.abs(data["beyond"]).max() > 0.005  # so that it matters
    if baseline != "surrogate":  # of which a score of the night is that of the first draw
        np.testing.assert_allclose(total, both_replaced(result), atol=1e-4)


def test_at_the_ends_of_the_night_nothing_is_beyond():
    """A window that is the whole night has no states from anywhere else."""
    result = explain(varied_epochs(n_epochs=5), stager(), **SHORT | {"window_length": 5}, **DENSE)
    assert not view(result, "beyond").any()
    np.testing.assert_allclose(np.nansum(view(result, "context_map"), axis=(1, 3)), both_replaced(result), atol=1e-4)


@pytest.mark.slow
def test_what_is_beyond_is_what_wider_windows_give_to_their_outer_epochs():
    """On a path that is nearly straight in the scores: beyond a window of 3 is what epochs outside of it have in all of 9."""
    epochs = varied_epochs(n_epochs=9)
    narrow, wide = (
        explain(epochs, stager(reach=0.3), **SHORT | {"window_length": length}, **DENSE) for length in (3, 21)
    )
    beyond = view(narrow, "beyond")[4]
    outside = wide.to_xarray()["context_map"].isel(epoch=4).sel(context=[-4, -3, -2, 2, 3, 4]).sum(("context", "band"))
    np.testing.assert_allclose(beyond, outside.values, rtol=0.25)


def test_an_epoch_with_a_fault_stays_as_it_is_in_the_window_as_in_the_night():
    epochs = varied_epochs(n_epochs=9)
    data = epochs.get_data(copy=True)
    data[5] = 0.0
    broken = mne.EpochsArray(data, epochs.info, events=epochs.events, baseline=None, verbose="error")
    result = explain(broken, stager(), baseline="recording", **SHORT, **DENSE)
    found = result.to_xarray()
    assert 5 not in found["number"].values
    total = np.nansum(found["context_map"].values, axis=(1, 3)) + found["beyond"].values
    np.testing.assert_allclose(total, both_replaced(result), atol=1e-4)
    beside = found["context_map"].sel(context=1).values[found["number"].values == 4]
    assert not beside.any()


@pytest.mark.slow
def test_states_of_all_members_of_an_ensemble_move():
    both = ensemble([stager(0), stager(1)])
    result = explain(varied_epochs(n_epochs=9), both, **SHORT, **DENSE)
    parts = [explain(varied_epochs(n_epochs=9), stager(seed), **SHORT, **DENSE) for seed in (0, 1)]
    np.testing.assert_allclose(
        view(result, "beyond"), np.mean([view(part, "beyond") for part in parts], axis=0), atol=1e-6
    )
    total = np.nansum(view(result, "context_map"), axis=(1, 3)) + view(result, "beyond")
    np.testing.assert_allclose(total, both_replaced(result), atol=1e-4)


def test_of_all_stages_a_target_has_its_own_part_beyond():
    epochs = varied_epochs(n_epochs=4)
    every = explain(epochs, stager(), **SHORT | {"target": "all"}, **DENSE).for_target(("N2", "W"))
    one = explain(epochs, stager(), **SHORT | {"target": ("N2", "W")}, **DENSE)
    for name in ("beyond", "size", "gap"):
        np.testing.assert_allclose(view(every, name), view(one, name), atol=1e-6)


def test_the_size_and_the_error_have_the_part_beyond_in_them(tmp_path):
    result = explain(varied_epochs(n_epochs=7), stager(), **SHORT)
    data = result.to_xarray()
    parts = np.nansum(np.abs(data["context_map"].values.astype(float)), axis=(1, 3)) + np.abs(data["beyond"].values)
    np.testing.assert_allclose(data["size"], parts, rtol=1e-5)
    assert (np.abs(data["gap"].values) <= data["error"].values * parts * 1.01).all()
    assert eegflex.read_result(result.save(tmp_path / "scaled.nc")).data.equals(data)
    spoilt = data.copy(deep=True)
    spoilt["beyond"][3] += 1.0
    with pytest.raises(eegflex.errors.RecordingError, match="sum to"):
        eegflex.read_result(eegflex.FlexResult(spoilt).save(tmp_path / "spoilt.nc"))


def test_stagers_without_states_have_no_part_beyond():
    for model, spec in ((Smooth(), None), (Window(), CONTEXT)):
        result = explain(noise_epochs(), model, spec=spec, context="scaled", target="N2")
        assert "beyond" not in result.data


class Weighed(nn.Module):
    """The middle one of three epochs by itself, and both neighbours by themselves, in given proportions."""

    def __init__(self, own=0.3, context=1.0):
        super().__init__()
        self.net, self.own, self.context = Smooth(), own, context

    def forward(self, x):
        before, middle, after = x.unbind(1)
        return self.own * self.net(middle) + self.context * (self.net(before) + self.net(after))


THREE = ModelSpec(layout="b e c t", context=ContextSpec(1, 1))
ASKED = {"spec": THREE, "edges": "pad", "baseline": "recording", "on_check": "ignore"}
WINDOWS = ("window_map", "beyond", "window_baseline_score", "window_gap", "window_error")


def sampled(result):
    """Which epochs have a window, shape (n_epochs,)."""
    data = result.to_xarray()
    there = np.isfinite(data["window_baseline_score"].values.reshape(len(result), -1))
    assert (there.all(axis=1) == there.any(axis=1)).all()
    return there.all(axis=1)


def test_where_the_context_decides_few_windows_are_explained_as_if_all_moved():
    epochs = varied_epochs(n_epochs=40)
    result = explain(epochs, Weighed(), windows_per_stage=3, **ASKED)
    data, there = result.to_xarray(), sampled(result)
    predicted = data["predicted"].values[:, 0]
    decided = (context_share(data)[:, 0] > 0.5) | result.within_error[:, 0]
    assert (decided[there]).all()
    assert not decided.all()
    for stage in np.unique(predicted):
        assert there[predicted == stage].sum() == min(3, decided[predicted == stage].sum())
    scaled = explain(epochs, Weighed(), context="scaled", **ASKED).to_xarray()
    for name, other in (
        ("window_map", "context_map"),
        ("window_gap", "gap"),
        ("window_baseline_score", "baseline_score"),
    ):
        scale = np.nanmax(np.abs(scaled["context_map"].values))
        np.testing.assert_allclose(data[name].values[there], scaled[other].values[there], atol=1e-4 * scale)
        assert np.isnan(data[name].values[~there]).all()
    error = (scaled["error"] * scaled["size"]).values
    np.testing.assert_allclose(data["window_error"].values[there], error[there], rtol=0.05, atol=1e-6)
    plain = explain(epochs, Weighed(), windows_per_stage=0, **ASKED).to_xarray()
    assert not set(WINDOWS) & set(plain.data_vars)
    for name in plain.data_vars:
        np.testing.assert_array_equal(plain[name].values, data[name].values)


def test_an_epoch_whose_own_change_is_within_its_error_is_asked_about_its_window():
    """Noise beside noise of random phases: what it changes is little, and the draws differ by more."""
    asked = ASKED | {"baseline": "surrogate", "windows_per_stage": 8}
    result = explain(noise_epochs(n_epochs=8), Weighed(1.0, 0.01), **asked)
    share = context_share(result.to_xarray())[:, 0]
    assert (result.within_error[:, 0] & (share < 0.5)).any()
    np.testing.assert_array_equal(sampled(result), result.within_error[:, 0] | (share > 0.5))


@pytest.mark.parametrize(("n_epochs", "n_each"), [(12, 1), (72, 3)])
def test_by_default_windows_are_few_beside_the_epochs(n_epochs, n_each, caplog):
    """Three epochs a window, of two stages: a quarter of 72 epochs is six windows; of 12 it is one, but each stage has one."""
    result = eegflex.attribute_epochs(varied_epochs(n_epochs=n_epochs), Weighed(0.0), **ASKED, verbose="info")
    predicted = result.to_xarray()["predicted"].values[:, 0]
    assert {stage: sampled(result)[predicted == stage].sum() for stage in ("N2", "REM")} == {
        "N2": n_each,
        "REM": n_each,
    }
    assert "windows_per_stage=0" in caplog.text
    assert result.parameters["windows_per_stage"] == "auto"


@pytest.mark.parametrize(("model", "more"), [
    (Smooth(), {"spec": None}),
    (Weighed(0.0), {"method": "saliency"}),
    (Weighed(0.0), {"context": "scaled"}),
    (Weighed(0.0), {"windows_per_stage": 0}),
])  # fmt: skip
def test_windows_are_of_flex_with_a_fixed_context_that_there_is(model, more):
    result = explain(noise_epochs(), model, **ASKED | more)
    assert not {"window_map", "beyond"} & set(result.data)
    if more != {"context": "scaled"}:
        with pytest.raises(ParameterError, match="no windows"):
            result.window_rhythms()


NO_WINDOWS = {
    "no neighbours": (Smooth(), {"spec": None}, "sees no neighbours", 0),
    "no path": (Weighed(0.0), {"method": "saliency"}, "takes no path", None),
    "all of them are": (Weighed(0.0), {"context": "scaled"}, "with its whole window", 0),
}


@pytest.mark.parametrize("why", NO_WINDOWS)
def test_windows_that_are_asked_for_where_there_can_be_none_are_told_and_the_result_says_what_was_done(why, caplog):
    """So that it goes with results of those who left the argument out: put together, and resumed."""
    model, more, words, recorded = NO_WINDOWS[why]
    epochs, asked = noise_epochs(), ASKED | more | {"on_check": "ignore", "sample_per_stage": 1}
    result = eegflex.attribute_epochs(epochs, model, windows_per_stage=4, **asked, verbose="warning")
    assert "windows_per_stage=4" in caplog.text
    assert words in caplog.text
    assert result.parameters.get("windows_per_stage") == recorded
    caplog.clear()
    plain = eegflex.attribute_epochs(epochs, model, resume=result, **asked, verbose="warning")
    assert plain.parameters == result.parameters
    other = explain(noise_epochs(seed=1), model, **asked)
    assert "No effect of" not in caplog.text, "nothing was asked for"
    together = eegflex.concatenate_results([other, result], recordings=["one", "other"])
    assert together.parameters.get("windows_per_stage") == recorded


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"method": "saliency", "tol": 0.1, "max_evals": 50},
            r"tol=0\.1, max_evals=50: method='saliency' takes no path",
        ),
        ({"quadrature": "graded", "n_steps": 12, "tol": 0.1}, r"tol=0\.1: quadrature='graded' has its number of nodes"),
    ],
)
def test_other_settings_that_nothing_comes_of_are_told_too(given, words, caplog):
    asked = {"target": "N2", "spectral_share": 0, "on_check": "ignore", "sample_per_stage": 1}
    eegflex.attribute_epochs(noise_epochs(), Smooth(), **asked, **given, verbose="warning")
    assert re.search(f"No effect of {words}", caplog.text)


def test_where_the_epoch_decides_there_are_none_and_an_empty_table():
    result = explain(varied_epochs(n_epochs=5), Weighed(1.0, 0.0), **ASKED | {"baseline": "zero"})
    assert not sampled(result).any()
    assert result.window_rhythms().empty


def test_the_table_says_what_its_parts_did():
    """Against sums by hand of what a stager of three epochs was given."""
    result = explain(varied_epochs(n_epochs=30), Weighed(0.0), windows_per_stage=6, **ASKED)
    data, there = result.to_xarray(), sampled(result)
    stage = "N2"
    there &= data["predicted"].values[:, 0] == stage
    maps, beyond = data["window_map"].values[there].astype(float), data["beyond"].values[there]
    assert there.sum() == 6 >= MIN_EPOCHS
    assert not beyond.any()
    table = result.window_rhythms().loc[stage]
    names = data["band"].values.tolist()
    for channel, own in (("EEG0", [0]), ("EEG1", [1]), ("all", [0, 1])):
        for part, offsets in (("epoch", [1]), ("neighbours", [0, 2])):
            sums = maps[:, offsets][:, :, own].sum(axis=(1, 2))
            rows = table.loc[(part, channel)]
            np.testing.assert_allclose(rows.loc[names, "median"], np.median(sums, axis=0), atol=1e-9)
            assert rows.loc["total", "mean"] == pytest.approx(sums.sum(axis=1).mean())
            assert (rows["n_epochs"] == 6).all()
            assert (rows["ci_low"] <= rows["mean"]).all()
    whole = table.loc[(slice(None), "all", "total"), "mean"].droplevel(["channel", "band"])
    assert whole["change"] == pytest.approx(whole[["epoch", "neighbours", "beyond"]].sum(), abs=result_gap(data))
    assert abs(whole["epoch"]) < 1e-6
    by_offset = result.window_rhythms(by_offset=True).loc[stage]
    for place, offset in enumerate([-1, 0, 1]):
        found = by_offset.loc[(offset, "EEG1"), "mean"][names]
        np.testing.assert_allclose(found, maps[:, place, 1].mean(axis=0), atol=1e-9)


def result_gap(data):
    return float(np.nanmax(np.abs(data["window_gap"].values))) + 1e-6


def test_of_few_epochs_there_is_no_interval():
    table = explain(varied_epochs(n_epochs=12), Weighed(0.0), windows_per_stage=4, **ASKED).window_rhythms()
    assert (table["n_epochs"] == 4).all()
    assert table[["ci_low", "ci_high"]].isna().all(axis=None)
    assert table["median"].notna().all()


def test_a_scaled_result_has_the_table_of_all_epochs():
    result = explain(varied_epochs(n_epochs=9), stager(), **SHORT)
    table = result.window_rhythms()
    total = table.xs("all", level="channel").xs("total", level="band")
    parts = total["mean"].unstack("part")
    gaps = np.abs(view(result, "gap")).max() + 1e-6
    np.testing.assert_allclose(parts["change"], parts[["epoch", "neighbours", "beyond"]].sum(axis=1), atol=gaps)
    assert total["n_epochs"].groupby("part").sum().unique().tolist() in ([9], [10], [11], [12])
    assert parts["beyond"].abs().max() > 0


def test_each_channel_set_has_its_windows():
    """Of a stager that keeps states: the part beyond is in the sample too."""
    result = explain(varied_epochs(n_epochs=9), stager(reach=2.0), windows_per_stage=2, window_length=3, tol=0.005)
    data, there = result.to_xarray(), sampled(result)
    assert there.any()
    sums = np.nansum(data["window_map"].values[there].astype(float), axis=(1, 3)) + data["beyond"].values[there]
    change = (data["score"] - data["window_baseline_score"] + data["window_gap"]).values[there]
    np.testing.assert_allclose(sums, change, atol=1e-4)
    assert np.abs(data["beyond"].values[there]).min() > 0


def test_files_parts_and_targets_have_the_windows(tmp_path):
    epochs, asked = varied_epochs(n_epochs=14), ASKED | {"target": "all", "windows_per_stage": 3, "resolution": "full"}
    result = explain(epochs, Weighed(0.1), **asked)
    there = sampled(result)
    assert 0 < there.sum() < len(result)
    read = eegflex.read_result(result.save(tmp_path / "windows.nc"))
    assert read.data.equals(result.data)
    assert read.window_rhythms().equals(result.window_rhythms())
    single = explain(epochs, Weighed(0.1), **asked | {"target": "predicted"})
    np.testing.assert_array_equal(sampled(single), there)
    for name in WINDOWS[:-1]:
        np.testing.assert_allclose(
            view(result.for_target(), name)[there], view(single, name)[there], rtol=1e-3, atol=2e-4
        )
    part = result[np.flatnonzero(there)]
    assert part.window_rhythms().equals(result.window_rhythms())
    one = result.sel(channel="EEG1").window_rhythms()
    assert set(one.index.get_level_values("channel")) == {"EEG1", "all"}
    other = explain(varied_epochs(n_epochs=9, seed=1), Weighed(0.1), **asked)
    both = eegflex.concatenate_results([result, other], recordings=["a", "b"])
    np.testing.assert_array_equal(sampled(both), np.concatenate([there, sampled(other)]))
    assert both.sel(recording="a").window_rhythms().equals(result.window_rhythms())


def test_a_file_whose_windows_do_not_add_up_is_refused(tmp_path):
    result = explain(varied_epochs(n_epochs=9), Weighed(0.0), windows_per_stage=2, **ASKED)
    for name in ("window_map", "window_gap", "beyond"):
        spoilt = result.to_xarray()
        spoilt[name] = spoilt[name] + 1.0
        with pytest.raises(eegflex.errors.RecordingError, match="window"):
            eegflex.read_result(eegflex.FlexResult(spoilt).save(tmp_path / f"{name}.nc"))


def test_what_is_stopped_among_the_windows_goes_on_there(monkeypatch, tmp_path):
    monkeypatch.setattr(requests, "CHUNK", 4)
    epochs, asked = varied_epochs(n_epochs=16), ASKED | {"windows_per_stage": 4}
    whole = explain(epochs, Weighed(0.0), **asked)
    explained, calls = window_sample.explain_flex, []

    def failing(request, channel_set, numbers):
        calls.append(numbers)
        if len(calls) == 3:
            raise KeyboardInterrupt
        yield from explained(request, channel_set, numbers)

    monkeypatch.setattr(window_sample, "explain_flex", failing)
    with pytest.raises(AttributionStopped) as caught:
        explain(epochs, Weighed(0.0), **asked)
    part = caught.value.result
    assert len(part) == 16
    assert sampled(part).sum() == 2
    resumed = explain(epochs, Weighed(0.0), resume=part.save(tmp_path / "part.nc"), **asked)
    assert len(calls) == 3 + sampled(whole).sum() - 2  # only those that were missing
    for name in (*WINDOWS, "frequency_view"):
        np.testing.assert_array_equal(view(resumed, name), view(whole, name))
    with pytest.raises(ParameterError, match="windows_per_stage"):
        explain(epochs, Weighed(0.0), resume=part, **asked | {"windows_per_stage": 0})


def test_what_is_stopped_before_has_room_for_windows(monkeypatch):
    monkeypatch.setattr(requests, "CHUNK", 4)

    class Failing(Weighed):
        left = 90

        def forward(self, x):
            Failing.left -= len(x) * torch.is_grad_enabled()
            if Failing.left < 0:
                raise RuntimeError("out of luck")
            return super().forward(x)

    with pytest.raises(AttributionFailed) as caught:
        explain(varied_epochs(n_epochs=16), Failing(0.0), batch_size=6, **ASKED)
    part = caught.value.result
    assert 0 < len(part) < 16
    assert not sampled(part).any()
    assert part.window_rhythms().empty


@pytest.mark.parametrize("wrong", [-1, 2.5, "many", None, True])
def test_a_number_of_windows_is_one(wrong):
    with pytest.raises(ParameterError, match="windows_per_stage"):
        Settings(windows_per_stage=wrong)
    assert Settings(windows_per_stage="2").windows_per_stage == 2


@pytest.mark.slow
def test_windows_of_a_sample_are_short_and_what_is_left_out_is_beyond_them():
    """Epochs are explained in windows of 27 here; those that move as wholes have 9, as if that had been asked for."""
    epochs, asked = (
        varied_epochs(n_epochs=30, n_channels=1),
        {"target": "N2", "baseline": "recording", "dtype": "float64"},
    )
    wide = explain(epochs, stager(reach=2.0), window_length=27, windows_per_stage=1, **asked)
    data, there = wide.to_xarray(), sampled(wide)
    assert there.any()
    assert data.sizes["context"] <= 2 * 8 + 1
    narrow = explain(epochs, stager(reach=2.0), window_length=9, context="scaled", max_evals=40, **asked).to_xarray()
    assert data["context"].values.tolist() == narrow["context"].values.tolist()
    for name, other in (("window_map", "context_map"), ("beyond", "beyond"), ("window_gap", "gap")):
        np.testing.assert_allclose(data[name].values[there], narrow[other].values[there], atol=1e-6)


def test_an_ensemble_has_short_windows_only_if_all_members_score_any_window_alike():
    """A bare network of whole nights does not: its windows stay as they are."""
    spec = WHOLE.replace(layout="b e c t", output="b e s", name="bare")

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Smooth(n_channels=1)

        def forward(self, x):
            own = self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            return own + own.mean(dim=1, keepdim=True)

    epochs = varied_epochs(n_epochs=25, n_channels=1)
    for members, length in (((stager(0), stager(1)), 9), ((stager(0), eegflex.load_model(Bare(), spec=spec)), 23)):
        night = eegflex.stage_epochs(epochs, ensemble(list(members)), window_length=23, verbose="error")
        request = make_request(night, Settings(window_length=23))
        assert {int(own.windows.length.max()) for own in request.moved} == {length}
    both = ensemble([ensemble([stager(0), stager(1)]), eegflex.load_model(Bare(), spec=spec)])
    (bound,) = eegflex.stage_epochs(epochs, both, window_length=9, verbose="error").bound
    starts = [member.windows.start.tolist() for one in bound.members for member in getattr(one, "members", [one])]
    assert len(starts) == 3
    assert all(own == bound.windows.start.tolist() for own in starts)  # at the ends of the night, too


def test_windows_of_a_sample_are_drawn_as_those_of_all():
    result = explain(varied_epochs(n_epochs=30), Weighed(0.0), windows_per_stage=2, **ASKED)
    fig = result.plot_context(show=False)
    assert [ax.get_title().splitlines()[0] for ax in fig.axes[:2]] == ["N2 (n = 2)", "REM (n = 2)"]
    data = result.to_xarray()
    own = sampled(result) & (data["predicted"].values[:, 0] == "N2")
    heights = [bar.get_height() for bar in fig.axes[0].patches]
    expected = data["window_map"].values[own].astype(float).sum(axis=(2, 3)).mean(axis=0)
    np.testing.assert_allclose(heights, expected, atol=1e-6)
