"""What the explorer's data say is what the result says, and nothing else is in them."""

import base64
import gzip
import itertools
import json
import re

import example_results
import numpy as np
import pytest
from example_results import SFREQ
from scipy.signal import lfilter

import eegflex
from benchmarks.explorer import long_night, page
from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.report.explorer import make_explorer
from eegflex.report.explorer.encode import CHUNK, Packing, as_json
from eegflex.report.explorer.quantise import LEVELS, as_differences, in_rows, in_steps, marked_sums, resampled, rounded

BLOB = re.compile(r'<script type="application/octet-stream" id="ex-data-(\w+)">([^<]*)</script>')


def blobs(explorer):
    """What is packed, by its name."""
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in BLOB.findall(explorer.blobs)}


def meta(explorer):
    return json.loads(re.search(r'id="ex-data-meta">(.*?)</script>', explorer.blobs, re.DOTALL).group(1))


def arrays(explorer, n_epochs):
    """The arrays of all chunks, one after the other."""
    layout, packed, found = meta(explorer)["chunk"]["layout"], blobs(explorer), {}
    for k in range(-(-n_epochs // CHUNK)):
        content, n, at = packed[str(k)], min(CHUNK, n_epochs - k * CHUNK), 0
        for one in layout:
            own = np.frombuffer(content, one["type"], n * int(np.prod(one["shape"])), at)
            at += own.nbytes
            found.setdefault(one["name"], []).append(own.reshape(n, *one["shape"]))
        assert at == len(content)
    return {name: np.concatenate(parts) for name, parts in found.items()}


@pytest.fixture(scope="module")
def whole():
    """30 epochs, more than one chunk, of six channels and all stages, with all views."""
    return example_results.make_whole_result()


def test_sums_over_any_stretch_are_off_by_one_level_at_most():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((200, 71)) * np.geomspace(1, 1e-3, 71)
    scale = np.abs(values).max(axis=-1, keepdims=True)
    told = rounded(values, scale) * (scale / LEVELS)
    sums, own = np.cumsum(values, axis=-1), np.cumsum(told, axis=-1)
    for low in (0, 7, 31):
        error = np.abs((own[:, low:] - own[:, [low]]) - (sums[:, low:] - sums[:, [low]]))
        assert (error <= scale / LEVELS * (1 + 1e-9)).all()
    assert np.abs(rounded(values, scale).astype(int)).max() <= 127


def test_what_is_within_its_error_stays_so_and_nothing_else_becomes_so():
    rng = np.random.default_rng(1)
    sums = rng.standard_normal((5000, 7)) * 10.0 ** rng.uniform(-7, 0, (5000, 7))
    errors = np.abs(sums) * rng.choice([0.0, 0.999999, 1.0, 1.000001, 3.0], sums.shape)
    errors[0], sums[1] = np.nan, 0.0
    scale = np.fmax(np.abs(sums), np.nan_to_num(errors)).max(axis=-1, keepdims=True).astype(np.float32)
    own, told = marked_sums(sums, errors, scale)
    known = np.isfinite(errors) & (own != 0)  # what is told as 0 is within any error
    np.testing.assert_array_equal((np.abs(own.astype(int)) <= told)[known], (np.abs(sums) <= errors)[known])
    assert (told[0] == -1).all()
    assert np.abs(own * (scale / 32767) - sums).max() <= scale.max() / 32767


def test_steps_hold_all_of_what_they_are_of():
    coordinate, edges = np.array([0.0, 0.5, 0.51, 0.999, 1.0, 7.0]), np.array([0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(in_steps(np.array([1.0, 2, 4, 8, 16, 32]), coordinate, edges), [1, 14, 48])


def test_a_signal_with_fewer_samples_is_that_signal():
    times = np.arange(3000) / 100
    wave = 50 * np.sin(2 * np.pi * 13 * times) + 20 * np.sin(2 * np.pi * 0.7 * times)
    fewer = resampled(wave[None], 1500)[0]
    np.testing.assert_allclose(fewer[25:-25], wave[::2][25:-25], atol=1.0)
    steps = np.array([3.2, -100.0, 140.0, 0.0])
    np.testing.assert_array_equal(np.cumsum(as_differences(steps)).astype(np.int8), [3, -100, 127, 0])


def test_band_sums_are_those_of_the_result(whole):
    found, data = arrays(make_explorer(whole), len(whole)), whole.data
    level = found["band_scale"][..., 0][..., None, None] / 32767
    truth = np.einsum("etcf,bf->etcb", data["frequency_view"].values.astype(float), Bands().masks(data["freq"].values))
    assert np.abs(found["bands"] * level - truth).max() <= level.max()
    error, own = data["band_error"].values, found["band_errors"] * level
    np.testing.assert_allclose(own, error, atol=2.1 * level.max())
    assert ((np.abs(found["bands"]) <= found["band_errors"]) == (np.abs(truth) <= error))[found["bands"] != 0].all()


def test_steps_of_each_view_sum_to_the_bands_to_one_percent(whole):
    found, told = arrays(make_explorer(whole), len(whole)), meta(make_explorer(whole))
    data, edges = whole.data, np.array(told["freqEdges"])
    total = np.abs(Bands().sum(data["frequency_view"].values, data["freq"].values)).sum(axis=(2, 3))
    steps = found["frequency"] * (found["frequency_scale"][..., 0] / told["levels"])[..., None, None]
    for low, high in [*Bands().values(), (0.5, 2.0), (9.0, 14.5)]:
        inside = (edges[:-1] >= low) & (edges[:-1] < high)
        freqs = data["freq"].values
        truth = data["frequency_view"].values[..., (freqs >= low) & (freqs < high)].sum(axis=-1, dtype=float)
        assert (np.abs(steps[..., inside].sum(axis=-1) - truth).max(axis=-1) <= 0.01 * total).all()
    for name, view in (("time", "time_view"), ("plane", "time_frequency_view")):
        levels = told["levels"] if name == "time" else told["planeLevels"]
        own = (
            found[name].reshape(*found[name].shape[:3], -1) * (found[f"{name}_scale"][..., 0] / levels)[..., None, None]
        )
        every = data[view].values.reshape(*own.shape[:3], -1).sum(axis=-1, dtype=float)
        near = 0.02 if name == "time" else 0.3  # the plane has 15 levels, ends at 30 Hz, and is for the eye
        assert (np.abs(own.sum(axis=-1) - every).max(axis=-1) <= near * total).all()


def test_signals_are_those_of_the_result(whole):
    explorer = make_explorer(whole)
    found, told = arrays(explorer, len(whole)), meta(explorer)
    own = np.cumsum(found["signal"], axis=-1, dtype=np.int64).astype(np.int8) * np.array(told["steps"])[:, None]
    recorded = whole.data["signal"].values
    same = resampled(recorded, told["nTimes"])
    clipped = np.abs(same) > 127 * np.array(told["steps"])[:, None]
    assert np.abs(own - same)[~clipped].max() <= 0.51 * max(told["steps"])
    assert clipped.mean() < 0.001
    assert told["nTimes"] == round(50 * recorded.shape[-1] / SFREQ)


def test_without_signals_none_is_there(whole):
    explorer = make_explorer(whole, signal=False)
    told, found = meta(explorer), arrays(explorer, len(whole))
    assert "signal" not in found
    assert "power" in found  # the spectrum stays: it has no phases
    assert "This page holds no signals" in explorer.html
    assert "treat it as the patient's data" not in explorer.html
    # nothing else has so many values of a moment that a signal could be in it
    per_second = {
        name: np.prod(one.shape[-1:]) / told["length"] for name, one in found.items() if name in ("time", "plane")
    }
    assert max(per_second.values()) <= 12  # 2 sums of time a second, or 12 rows of 1 s
    assert "treat it as the patient's data" in make_explorer(whole).html.replace("&#39;", "'")


def test_signal_is_yes_or_no(whole):
    with pytest.raises(ParameterError, match="True or False"):
        make_explorer(whole, signal="explained")
    with pytest.raises(ParameterError, match="time of the day"):
        make_explorer(whole, began="half past ten")


def test_an_explorer_is_of_one_recording(result):
    second = example_results.explain(example_results.make_epochs(seed=3), views=("time",))
    both = eegflex.concatenate_results([result, second])
    with pytest.raises(ParameterError, match="one recording"):
        make_explorer(both)
    assert make_explorer(both.sel(recording=both.recordings[1])).blobs


def test_a_channel_of_several_sets_has_one_signal(pair_result):
    packing = Packing(pair_result.data, signal=True)
    names = pair_result.data["ch_name"].values.tolist()
    assert [names[one] for one in packing.signals] == ["C3-M2", "EOG-L", "C4-M1"]
    assert [names[packing.signals[one]] for one in packing.signal_of] == names


def test_nothing_in_the_data_ends_a_script():
    assert "<" not in as_json({"</script><b>": ["<!--", "&amp;", "\u2028"]})
    assert json.loads(as_json({"</script>": "<!-- & \u2028"})) == {"</script>": "<!-- & \u2028"}


def test_the_baselines_power_is_told_where_the_result_knows_it(result):
    epochs = example_results.make_epochs(n_epochs=12)
    whole = example_results.explain(epochs, baseline="recording")
    told = meta(make_explorer(whole))
    assert len(told["baselinePower"]) == 6
    # the baseline of an epoch has the power that the ordinary one has: its band of alpha is the median of the epochs'
    power = whole.data["power"].values[:, 0].astype(float)
    freqs, edges = whole.freqs, np.array(told["freqEdges"])
    alpha, steps = (freqs >= 8) & (freqs < 12), (edges[:-1] >= 8) & (edges[:-1] < 12)
    level = 10 ** (np.array(told["baselinePower"][0])[steps] / 10)
    n = np.array([((freqs >= a) & (freqs < b)).sum() for a, b in itertools.pairwise(edges)])[steps]
    np.testing.assert_allclose((level * n).sum(), np.median(power[:, alpha].sum(axis=1)), rtol=0.01)
    sample = example_results.explain(epochs, baseline="recording", sample_per_stage=1)
    assert meta(make_explorer(sample))["baselinePower"] is None
    assert meta(make_explorer(result))["baselinePower"] is None


def test_a_long_night_is_no_larger_than_it_may_be(whole):
    """15 MB for 1,000 epochs of 6 channels and 5 stages with all views; here, a tenth of that."""
    data = whole.to_xarray()
    # that of an EEG falls with frequency, which the tiny stager's white noise does not
    noise = np.random.default_rng(0).standard_normal(data["signal"].shape)
    data["signal"] = data["signal"].copy(data=lfilter([5.0], [1, -0.95], noise).astype(np.float32))
    night = long_night(type(whole)(data), 100)
    for signal, most in ((True, 15e6), (False, 8e6)):
        explorer = make_explorer(night, signal=signal)
        fixed = len(page(explorer)) - len(explorer.blobs)
        assert fixed <= 0.1e6
        assert fixed + 10 * len(explorer.blobs) <= most


def test_sums_over_rows_are_those_over_steps():
    values, edges = (
        np.random.default_rng(0).standard_normal((2, 3, 9, 4)).astype(np.float32),
        np.array([0.0, 2, 3, 5, 6]),
    )
    places = np.array([0.0, 1, 1.5, 2, 2.5, 3, 3, 5, 9])
    np.testing.assert_array_equal(
        in_rows(values, places, edges), in_steps(values.swapaxes(-1, -2), places, edges).swapaxes(-1, -2)
    )
