"""Where in a window an epoch is read: wherever it stands, at one place, or at all of them on average."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.doctor.behaviour import window
from eegflex.doctor.case import Case
from eegflex.errors import SpecError
from eegflex.spec import ContextSpec, LogSpec, ModelSpec, SpectrogramSpec
from eegflex.stagers.modules import from_layout

LENGTH = 4


class Placed(nn.Module):
    """Scores of every epoch of a window that depend on its place, and on the others."""

    def __init__(self, factors=False):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(8, 6)
        self.rnn = nn.RNN(6, 5, batch_first=True)
        if factors:
            self.encode, self.decode = self._encode, self._decode

    def _encode(self, x):
        return torch.tanh(self.first(20 * x.unflatten(-1, (8, -1)).square().mean(-1).sum(1).sqrt()))

    def _decode(self, codes):
        return self.rnn(codes)[0] * 3

    def forward(self, x):
        return self._decode(self._encode(x.flatten(0, 1)).unflatten(0, x.shape[:2]))


def spec_of(positions, **changes):
    given = {
        "sfreq": 64.0,
        "n_times": 1920,
        "unit": "mV",
        "layout": "b e c t",
        "output": "b e s",
        "context": ContextSpec(1, 2),
        "positions": positions,
    }
    return ModelSpec(**given | changes)


@pytest.fixture(scope="module")
def epochs():
    raw = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=3, verbose="error").raw
    return eegflex.make_epochs(raw.pick(["C4-M1"]), verbose="error")[:14]


@pytest.fixture(scope="module")
def every(epochs):
    """Scores of each epoch at each place of its windows, by hand; NaN where there is no such window."""
    x = torch.as_tensor(1e3 * epochs.get_data(copy=True), dtype=torch.float32)
    scores = np.full((len(x), LENGTH, 5), np.nan)
    net = Placed()
    with torch.no_grad():
        for start in range(len(x) - LENGTH + 1):
            for place, own in enumerate(net(x[None, start : start + LENGTH])[0]):
                scores[start + place, place] = own
    return scores


def staged(epochs, positions, net=None, **kwargs):
    return eegflex.stage_epochs(epochs, net or Placed(), spec=spec_of(positions), verbose="error", **kwargs)


@pytest.mark.parametrize("factors", [False, True])
def test_the_mean_is_over_all_windows_that_hold_an_epoch(epochs, every, factors):
    night = staged(epochs, "mean", Placed(factors))
    np.testing.assert_allclose(night.scores[:, 0], np.nanmean(every, axis=1), atol=1e-5)
    assert night.explicable.all()


def test_the_middle_is_read_there_and_nowhere_else(epochs, every):
    night = staged(epochs, "middle")
    np.testing.assert_allclose(night.scores[:, 0], every[:, 1], atol=1e-5)
    assert np.flatnonzero(~night.explicable).tolist() == [0, 12, 13]


def test_all_are_read_where_they_stand(epochs, every):
    scores = staged(epochs, "all").scores[:, 0]
    np.testing.assert_allclose(scores[1:12], every[1:12, 1], atol=1e-5)
    np.testing.assert_allclose(scores[[0, 12, 13]], every[[0, 12, 13], [0, 2, 3]], atol=1e-5)


def test_epochs_without_all_windows_may_be_skipped_or_have_silence(epochs, every):
    skipped = staged(epochs, "mean", edges="skip")
    assert np.flatnonzero(skipped.explicable).tolist() == list(range(3, 11))
    padded = staged(epochs, "mean", edges="pad")
    assert padded.explicable.all()
    np.testing.assert_allclose(padded.scores[3:11, 0], np.nanmean(every, axis=1)[3:11], atol=1e-5)


def test_no_window_reaches_across_two_runs(epochs):
    night = eegflex.stage_epochs(_apart(epochs), Placed(), spec=spec_of("mean"), verbose="error")
    alone = [staged(part, "mean").scores for part in (epochs[:5], epochs[8:])]
    np.testing.assert_allclose(night.scores, np.concatenate(alone), atol=1e-5)


def _apart(epochs):
    """Two runs, of 5 and of 6 epochs."""
    own = epochs.copy().load_data()
    own.metadata = own.metadata.assign(run=np.arange(len(own)) // 8)
    return own[np.r_[0:5, 8:14]]


@pytest.mark.parametrize("context", ["fixed", "scaled"])
def test_what_is_averaged_is_explained_exactly(epochs, context):
    result = eegflex.attribute_epochs(
        epochs, Placed(), spec=spec_of("mean"), sample_per_stage=1, context=context, verbose="error", on_check="ignore"
    )
    assert result.relative_gap().max() < 0.02


def test_the_mean_is_over_spectrograms_too(epochs):
    words = SpectrogramSpec("hann", 2.0, 1.0, "psd", fmax=3.5, log=LogSpec(10, 1e-9))

    class Bands(Placed):
        def _encode(self, x):
            return torch.tanh(self.first(x.mean((1, 2)) / 20))

    spec = spec_of("mean", spectrogram=words, layout="b e c w f")
    whole, factored = (eegflex.stage_epochs(epochs, Bands(f), spec=spec, verbose="error").scores for f in (False, True))
    np.testing.assert_allclose(whole, factored, atol=1e-4)


WRONG = {
    "one epoch": ({"output": "b s"}, "one is read"),
    "a target": ({"target_index": 1}, "one is read"),
    "no context": ({"context": ContextSpec()}, "none of a certain length"),
    "the whole night": ({"context": ContextSpec(whole=True)}, "none of a certain length"),
}


@pytest.mark.parametrize("positions", ["mean", "middle"])
@pytest.mark.parametrize("name", WRONG)
def test_positions_that_there_are_not_are_refused(name, positions):
    changes, said = WRONG[name]
    with pytest.raises(SpecError, match=said):
        spec_of(positions, **changes)


def test_a_word_that_is_none_is_refused():
    with pytest.raises(SpecError, match="positions must be one of 'all', 'middle', 'mean'"):
        spec_of("last")


def test_an_ensemble_may_have_members_that_are_averaged(epochs):
    members = [load_model(Placed(), spec=spec_of("mean")), load_model(Placed(), spec=spec_of("mean"))]
    both = eegflex.stage_epochs(epochs, eegflex.stagers.ensemble(members), verbose="error")
    np.testing.assert_allclose(both.scores, staged(epochs, "mean").scores, atol=1e-5)


def test_a_short_night_is_told_of(epochs, caplog):
    spec = spec_of("all", context=ContextSpec(100, 99))
    night = eegflex.stage_epochs(epochs, Placed(), spec=spec, verbose="warning")
    told = "14 of 14 epochs are not staged: stager sees 200 epochs at once, and the longest run of those has 14"
    assert told in caplog.text
    assert any(told in one for one in night.segments.notes["warnings"])
    assert set(night.predicted) == {"UNSCORED"}
    padded = eegflex.stage_epochs(epochs, Placed(), spec=spec, edges="pad", verbose="error")
    assert np.isfinite(padded.scores).all()


def test_of_two_runs_the_short_one_is_told_of(epochs, caplog):
    eegflex.stage_epochs(_apart(epochs), Placed(), spec=spec_of("all", context=ContextSpec(3, 2)), verbose="warning")
    assert "5 of 11 epochs are not staged" in caplog.text


@pytest.mark.parametrize("layout", ["b e c t", "b c t"])
def test_a_model_that_scores_every_epoch_and_is_given_one_is_told_of(epochs, layout):
    class Alone(Placed):
        def forward(self, x):
            return super().forward(x if x.ndim == 4 else x[:, None])

    spec = spec_of("all", context=ContextSpec(), layout=layout)
    finding = window(Case(eegflex.stage_epochs(epochs, Alone(), spec=spec, verbose="error")))
    assert finding.status == "warning"
    assert "given each epoch by itself" in finding.measured


@pytest.mark.parametrize("output", ["b t", "b k s", "b k t"])
def test_the_highest_of_parts_is_taken_where_the_spec_says_so(output):
    n = {"b": 3, "k": 4, "t": 7, "s": 1}
    returned = torch.randn([n[axis] for axis in output.split()], generator=torch.Generator().manual_seed(0))
    places = [place for place, axis in enumerate(output.split()) if axis in "kt"]
    for pool, by_hand in (("max", returned.amax(places)), ("mean", returned.mean(places))):
        spec = ModelSpec(output=output, stages=("spindle",), pool=pool)
        torch.testing.assert_close(from_layout(returned, spec, 3, 1), by_hand.reshape(3, 1))


def test_there_must_be_parts_for_the_highest_of_them():
    with pytest.raises(SpecError, match="its layout has none"):
        ModelSpec(pool="max")


class TwoHeads(nn.Module):
    """Stages, and a detector of spindles, by name or by place."""

    def __init__(self, named):
        super().__init__()
        self.named = named

    def forward(self, x):
        power = x.square().mean(1)
        heads = {"stages": power.mean(-1, keepdim=True) * x.new_tensor([1.0, 2, 3, 4, 5]), "spindles": power}
        return heads if self.named else tuple(heads.values())


@pytest.mark.parametrize("named", [True, False])
def test_either_head_of_two_is_explained(epochs, named):
    keys = ("stages", "spindles") if named else (0, 1)
    given = {"sfreq": 64.0, "n_times": 1920, "unit": "mV", "layout": "b c t"}
    stages = ModelSpec(**given, output_key=keys[0])
    spindles = ModelSpec(**given, output_key=keys[1], output="b t", stages=("spindle",), pool="max")
    x = 1e3 * epochs.get_data(copy=True)
    expected = {
        stages.output: np.square(x).mean((1, 2))[:, None] * np.arange(1, 6),
        "b t": np.square(x).max((1, 2))[:, None],
    }
    for spec in (stages, spindles):
        night = eegflex.stage_epochs(epochs, TwoHeads(named), spec=spec, verbose="error")
        np.testing.assert_allclose(night.scores[:, 0], expected[spec.output], rtol=1e-4)
