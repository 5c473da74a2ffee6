"""A stager on a recording: stages, probabilities, the table, and files that a reader opens again."""

from __future__ import annotations

import pickle

import mne
import numpy as np
import pandas as pd
import pyedflib
import pytest
import torch
from attribution_helpers import noise_epochs, scored_epochs
from models import Smooth
from torch import nn

import eegflex
from eegflex.errors import OutputError, ParameterError
from eegflex.settings import Settings, StagingSettings
from eegflex.spec import ChannelSpec, ContextSpec, ModelSpec
from eegflex.stages import STAGES

SPEC = ModelSpec(name="table", unit="V", scores="probs", channels=(ChannelSpec("EEG", types=("eeg",), use="each"),))


class Table(nn.Module):
    """Returns the first five samples of an epoch as its scores."""

    def forward(self, x):
        return x[:, 0, :5]


def told(scores, **kwargs):
    """Epochs whose first samples are the scores, shape (n_epochs, n_channels, 5); beyond them, noise."""
    scores = np.asarray(scores, dtype=float)
    epochs = noise_epochs(n_epochs=len(scores), n_channels=scores.shape[1], **kwargs)
    epochs._data[:, :, :5] = scores
    return epochs


def stage(epochs, model=None, spec=SPEC, **kwargs):
    return eegflex.stage_epochs(epochs, Table() if model is None else model, spec=spec, verbose="error", **kwargs)


CLEAR = [0.1, 0.1, 0.6, 0.1, 0.1]
UNSURE = [0.3, 0.2, 0.2, 0.2, 0.1]
SURER = [0.05, 0.05, 0.05, 0.75, 0.1]


def test_the_most_confident_channel_set_speaks():
    night = stage(told([[CLEAR, UNSURE], [UNSURE, CLEAR], [CLEAR, SURER]]))
    assert night.predicted.tolist() == ["N2", "N2", "N3"]
    np.testing.assert_allclose(night.probabilities, [CLEAR, CLEAR, SURER], atol=1e-6)
    table = night.to_data_frame()
    assert table["agreeing"].tolist() == [1, 1, 1]
    np.testing.assert_allclose(table["margin"], [0.5, 0.5, 0.65], atol=1e-6)
    assert stage(told([[CLEAR, CLEAR]])).to_data_frame()["agreeing"].tolist() == [2]


def test_probabilities_are_not_taken_for_logits():
    close, closer = [0.40, 0.39, 0.07, 0.07, 0.07], [0.40, 0.15, 0.15, 0.15, 0.15]
    # Softmax would call the second surer: its others are smaller.
    logits = np.exp([close, closer])
    assert (logits / logits.sum(1, keepdims=True))[:, 0].argmax() == 1
    night = stage(told([[close, closer]]))
    np.testing.assert_allclose(night.probabilities[0], close, atol=1e-6)


def test_scores_of_each_kind_become_probabilities():
    for kind, scores in {"probs": CLEAR, "log_probs": np.log(CLEAR), "logits": np.log(CLEAR) + 3}.items():
        night = stage(told([[scores]]), spec=SPEC.replace(scores=kind))
        np.testing.assert_allclose(night.probabilities[0], CLEAR, atol=1e-6)


def test_an_epoch_that_cannot_be_staged_has_no_stage():
    epochs = told([[CLEAR]] * 5)
    epochs._data[1] = 0.0
    epochs._data[3, 0, 100] = np.nan
    night = stage(epochs)
    assert night.predicted.tolist() == ["N2", "UNSCORED", "N2", "UNSCORED", "N2"]
    assert np.isnan(night.probabilities[[1, 3]]).all()
    table = night.to_data_frame()
    assert table["fault"].tolist() == ["", "flat", "", "not finite", ""]
    assert table["agreeing"].tolist() == [1, 0, 1, 0, 1]
    assert "UNSCORED 2" in repr(night)


class Window(nn.Module):
    """Scores the middle of three epochs."""

    def forward(self, x):
        return x[:, 1, 0, :5]


def test_an_epoch_without_its_context_has_no_stage_and_says_so():
    spec = SPEC.replace(layout="b e c t", context=ContextSpec(1, 1))
    night = stage(told([[CLEAR]] * 4), Window(), spec)
    assert night.predicted.tolist() == ["UNSCORED", "N2", "N2", "UNSCORED"]
    assert night.to_data_frame()["fault"].tolist() == ["no context", "", "", "no context"]
    assert np.isnan(night.scores[[0, 3]]).all()
    padded = stage(told([[CLEAR]] * 4), Window(), spec, edges="pad")
    assert padded.predicted.tolist() == ["N2"] * 4


def test_agreement_with_the_hypnogram_counts_epochs_that_have_both():
    epochs = scored_epochs(stages=("N2", "N3", "UNSCORED"), n_epochs=6, n_channels=1)
    epochs._data[:, 0, :5] = [CLEAR, SURER, CLEAR, CLEAR, CLEAR, SURER]
    epochs._data[4] = 0.0  # scored N3
    night = stage(epochs)
    wanted = np.zeros((5, 5), dtype=int)
    wanted[2, 2], wanted[3, 3] = 2, 1
    np.testing.assert_array_equal(night.confusion, wanted)
    assert "kappa 1.00 with the hypnogram (n = 3)" in repr(night)
    assert "kappa" not in repr(stage(told([[CLEAR]])))


def test_a_night_is_staged_once():
    calls = []

    class Counting(nn.Module):
        def forward(self, x):
            calls.append(len(x))
            return x[:, 0, :5] * torch.ones(5)

    epochs = told([[CLEAR]] * 8, sfreq=32.0)
    night = stage(epochs, Counting(), SPEC.replace(scores="logits"))
    n_staging = sum(calls)
    assert n_staging == 8
    asked = {"quadrature": "gauss-legendre", "n_steps": 2, "on_check": "ignore", "verbose": "error"}
    calls.clear()
    of_night = eegflex.attribute_epochs(night, **asked)
    n_of_night = sum(calls)
    calls.clear()
    # The module is copied when it is loaded; its list of calls is not.
    of_epochs = eegflex.attribute_epochs(epochs, Counting(), spec=SPEC.replace(scores="logits"), **asked)
    assert sum(calls) == n_of_night + n_staging
    for name in ("frequency_view", "score", "baseline_score", "scores", "night_scores"):
        np.testing.assert_array_equal(of_night.data[name], of_epochs.data[name])
    assert of_night.parameters == of_epochs.parameters
    assert of_night.provenance["input_sha256"] == of_epochs.provenance["input_sha256"]


def test_the_doctor_takes_a_staged_night():
    epochs = noise_epochs(n_epochs=8)
    night = eegflex.stage_epochs(epochs, Smooth(), verbose="error")
    of_night = eegflex.check_model(night, verbose="error")
    of_epochs = eegflex.check_model(Smooth(), epochs, verbose="error")
    assert [(f.check, f.status) for f in of_night] == [(f.check, f.status) for f in of_epochs]


@pytest.mark.parametrize(
    "given",
    [
        {"model": "bandpower"},
        {"spec": SPEC},
        {"edges": "pad"},
        {"picks": "EEG0"},
        {"dtype": "float64"},
        {"filter_edges": "mask"},
        {"window_length": 5},
    ],
)
def test_what_was_decided_when_it_was_staged_cannot_be_chosen_again(given):
    night = stage(told([[CLEAR]] * 3))
    with pytest.raises(ParameterError, match=f"already staged: {next(iter(given))} cannot"):
        eegflex.attribute_epochs(night, **given)


def test_a_night_staged_otherwise_is_explained_as_it_was_staged():
    night = stage(told([[CLEAR]] * 3), dtype="float64", edges="skip", spec=SPEC.replace(scores="logits"))
    result = eegflex.attribute_epochs(night, on_check="ignore", verbose="error")
    assert (result.parameters["dtype"], result.parameters["edges"]) == ("float64", "skip")
    assert result.data["frequency_view"].dtype == np.float64


def test_what_is_missing_or_too_much_is_refused():
    epochs = told([[CLEAR]])
    with pytest.raises(ParameterError, match="model is missing"):
        eegflex.attribute_epochs(epochs)
    with pytest.raises(ParameterError, match="has its epochs"):
        eegflex.check_model(stage(epochs), epochs)
    with pytest.raises(ParameterError, match="edges must be one of"):
        stage(epochs, edges="wrap")


def test_the_epochs_are_left_alone_and_the_night_survives_a_worker():
    epochs = told([[CLEAR, SURER]] * 3)
    before = epochs.get_data().copy()
    night = stage(epochs)
    np.testing.assert_array_equal(epochs.get_data(), before)
    again = pickle.loads(pickle.dumps(night))
    pd.testing.assert_frame_equal(again.to_data_frame(), night.to_data_frame())


@pytest.fixture(scope="module")
def simulated_night():
    recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=4, verbose="error")
    return eegflex.stage_epochs(eegflex.make_epochs(recorded.raw, verbose="error"), "bandpower", verbose="error")


@pytest.mark.parametrize("suffix", [".edf", ".tsv", ".EDF"])
def test_a_hypnogram_is_read_again(suffix, simulated_night, tmp_path):
    fname = simulated_night.save(tmp_path / f"night{suffix}")
    read = eegflex.read_hypnogram(fname, verbose="error")
    assert read.description.tolist() == simulated_night.predicted.tolist()
    np.testing.assert_allclose(read.onset, simulated_night.segments.onset)
    np.testing.assert_allclose(read.duration, 30.0)


def test_a_viewer_sees_the_annotations_on_the_recording_s_clock(simulated_night, tmp_path):
    fname = simulated_night.save(tmp_path / "night.edf")
    with pyedflib.EdfReader(str(fname)) as file:
        onset, duration, text = file.readAnnotations()
        assert file.getStartdatetime() == simulated_night.epochs.info["meas_date"].replace(tzinfo=None)
    names = {
        "W": "Sleep stage W",
        "N1": "Sleep stage N1",
        "N2": "Sleep stage N2",
        "N3": "Sleep stage N3",
        "REM": "Sleep stage R",
    }
    assert text.tolist() == [names[stage] for stage in simulated_night.predicted]
    np.testing.assert_allclose(onset, simulated_night.segments.onset)
    assert set(duration) == {30.0}
    by_mne = mne.read_annotations(fname)
    assert by_mne.description.tolist() == text.tolist()


def test_gaps_and_epochs_without_a_stage_come_back(tmp_path):
    epochs = told([[CLEAR], [SURER], [CLEAR], [CLEAR]], sfreq=32.0)
    epochs.events[2:, 0] += 10 * 30 * 32  # five minutes later
    epochs._data[3] = 0.0
    night = stage(epochs)
    for suffix in (".edf", ".tsv"):
        read = eegflex.read_hypnogram(night.save(tmp_path / f"gap{suffix}"), verbose="error")
        assert read.description.tolist() == ["N2", "N3", "N2", "UNSCORED"]
        np.testing.assert_allclose(read.onset, [0, 30, 360, 390])


def test_the_table_is_written_as_it_is(simulated_night, tmp_path):
    table = pd.read_csv(simulated_night.save(tmp_path / "night.csv"), keep_default_na=False)
    wanted = simulated_night.to_data_frame()
    assert list(table) == list(wanted)
    assert table["predicted"].tolist() == wanted["predicted"].tolist()
    np.testing.assert_allclose(table[list(STAGES)].astype(float), wanted[list(STAGES)], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(table[list(STAGES)].astype(float).sum(axis=1), 1, rtol=1e-5)
    read = eegflex.read_hypnogram(tmp_path / "night.csv", column="predicted", verbose="error")
    assert read.description.tolist() == simulated_night.predicted.tolist()


def test_files_are_written_whole_or_refused(simulated_night, tmp_path):
    fname = simulated_night.save(tmp_path / "night.csv")
    with pytest.raises(OutputError, match="already exists"):
        simulated_night.save(fname)
    simulated_night.save(fname, overwrite=True)
    with pytest.raises(ParameterError, match=r"'\.csv', '\.edf', '\.tsv'"):
        simulated_night.save(tmp_path / "night.xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["night.csv"]


def test_the_night_draws_itself(simulated_night):
    fig = simulated_night.plot_night(show=False)
    assert len(fig.axes) == 4
    assert "compared with the hypnogram" in fig.get_suptitle()
    assert "explained" not in fig.get_supxlabel()


def test_settings_of_a_staging_are_those_of_an_attribution():
    staging, settings = StagingSettings(picks=["C3", "C4"], edges="pad"), Settings(picks=["C3", "C4"], edges="pad")
    for name in ("picks", "edges", "filter_edges", "window_length", "device", "dtype"):
        assert getattr(staging, name) == getattr(settings, name)
    assert staging.picks == ("C3", "C4")
