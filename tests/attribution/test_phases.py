"""Every result knows what is left of its night with random phases, by stage, and its tables say where that limits them."""

from __future__ import annotations

import json

import example_results
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from attribution_helpers import explain, noise_epochs
from models import Edges, Template
from torch import nn

import eegflex
from eegflex.attribution import phases
from eegflex.errors import AttributionStopped, ParameterError
from eegflex.results import FlexResult
from eegflex.results.netcdf import write_dataset
from eegflex.settings import Settings
from eegflex.spec import ChannelSpec, ContextSpec, ModelSpec

SPEC = ModelSpec(name="known", unit="V", stages=("W", "REM"))
N_EPOCHS = 80  # 40 min
TIMES = np.arange(960) / 32.0
#: A tooth twice a second that rises at once and falls slowly, without its mean.
SAW = 0.5 - (2 * TIMES) % 1
WAVE = np.cos(2 * np.pi * 3 * TIMES) * np.exp(-((TIMES - 15) ** 2))


def alternating(wave, size, seed=0, n_epochs=N_EPOCHS):
    """Noise in four epochs, and in four epochs a wave in it."""
    epochs = noise_epochs(n_epochs=n_epochs, seed=seed)
    where = np.arange(n_epochs) // 4 % 2 == 1
    epochs._data[where] = 0.2 * epochs._data[where] + size * wave
    return epochs


def edges(**kwargs):
    return explain(alternating(SAW, 4.0), Edges(), spec=SPEC, **{"quadrature": "gauss-legendre", "n_steps": 3} | kwargs)


@pytest.fixture(scope="module")
def sharp():
    """A network of sharp edges, and all epochs of a night explained."""
    return edges()


class Power(nn.Module):
    """REM where there is more energy than noise has."""

    def forward(self, x):
        energy = 5 * (x.square().mean((1, 2)) - 1.3)
        return torch.stack([-energy, energy], 1)


class TestWhatIsKnown:
    def test_a_network_of_sharp_edges_is_told_by_waveforms(self, sharp):
        table = sharp.spectral_share()
        assert table["n_epochs"].tolist() == [N_EPOCHS // 2] * 2
        assert table.loc["REM", "decided_by"] == "waveforms"
        assert table.loc["REM", "agreement_joint"] < 0.1
        assert table.loc["W", "decided_by"] == "spectrum"

    def test_so_is_one_of_a_template_whose_phase_counts(self):
        result = explain(alternating(WAVE, 3.0), Template(WAVE), spec=SPEC, quadrature="gauss-legendre", n_steps=2)
        assert result.spectral_share().loc["REM", "decided_by"] == "waveforms"

    def test_one_of_power_is_told_by_the_spectrum(self):
        result = explain(alternating(SAW, 6.0), Power(), spec=SPEC, quadrature="gauss-legendre", n_steps=2)
        table = result.spectral_share()
        assert table["decided_by"].tolist() == ["spectrum"] * 2
        assert (table[["agreement_joint", "agreement_independent"]] == 1).all(axis=None)
        np.testing.assert_allclose(table["p_joint"], table["p"], atol=1e-4)

    def test_it_is_that_of_the_night(self):
        night = eegflex.stage_epochs(alternating(SAW, 4.0), Edges(), spec=SPEC, verbose="error")
        own = night.spectral_share(verbose="error")
        result = explain(night, None, quadrature="gauss-legendre", n_steps=3)
        pd.testing.assert_frame_equal(result.spectral_share(), own)
        assert result.spectral_share().attrs == own.attrs == {"n_draws": 3, "n_epochs": N_EPOCHS}

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["known-spindle", "known-slow-wave", "known-alpha", "known-shortcut"])
    def test_what_is_known_to_read_the_spectrum_keeps_its_stages(self, name):
        recorded = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=5, verbose="error")
        epochs = eegflex.make_epochs(recorded.raw, verbose="error")
        result = explain(epochs, name, sample_per_stage=2, on_check="ignore")
        table = result.spectral_share()
        assert (table[["agreement_joint", "agreement_independent"]] > 0.8).all(
            axis=None
        )  # some epochs are near a threshold
        assert set(table["decided_by"]) <= {"spectrum", "unclear"}  # one block of 10 min is no interval
        assert "spectrum" in set(table["decided_by"])
        assert "decided_by" not in result.band_table()


class TestWhatItCosts:
    def test_it_is_left_out_where_it_is_not_wanted(self, sharp):
        fed = []

        class Counting(Edges):
            def forward(self, x):
                fed.append(len(x))
                return super().forward(x)

        counts, asked = {}, {"spec": SPEC, "select": range(40), "quadrature": "gauss-legendre", "n_steps": 3}
        for draws in (0, 1, 2):
            fed.clear()
            explain(alternating(SAW, 4.0), Counting(), spectral_share=draws, on_check="ignore", **asked)
            counts[draws] = sum(fed)
        assert counts[1] - counts[0] == counts[2] - counts[1] == 2 * N_EPOCHS  # both kinds of phases
        off = edges(spectral_share=0)
        assert "random_phases" not in off.provenance
        for given in (off, FlexResult(sharp.to_xarray().drop_vars(["spectral_share", "share", "night_stage_share"]))):
            with pytest.raises(ParameterError, match="does not hold what is left of its night"):
                given.spectral_share()
            assert "decided_by" not in given.band_table()
            assert "decided_by" not in given.decided_by()
            assert not [one for one in given.main_findings() if one.check.endswith("phases")]
        pd.testing.assert_frame_equal(off.band_table(), sharp.band_table().drop(columns="decided_by"))

    def test_few_explained_epochs_have_a_sample_of_every_stage(self, monkeypatch):
        """Not of those that were chosen, which may be odd ones."""
        monkeypatch.setattr(phases, "N_OF_STAGE", 12)
        for chosen in (range(4), range(4, 8)):
            result = edges(select=chosen)
            table = result.spectral_share()
            assert table["n_epochs"].tolist() == [12, 12]
            assert table.attrs == {"n_draws": 1, "n_epochs": 24}
            assert result.provenance["random_phases"] == {"n_draws": 1, "n_epochs": 24, "of": N_EPOCHS}
            assert table.loc["REM", "decided_by"] == "waveforms"
            known = np.flatnonzero(result.data["night_stage_share"].values != "")
            assert known.max() > 60  # from all over the night

    def test_a_stager_of_whole_nights_is_given_the_whole_night(self):
        class Night(nn.Module):
            def forward(self, x):
                return Edges()(x.flatten(0, 1)).unflatten(0, x.shape[:2])

        spec = SPEC.replace(layout="b e c t", output="b e s", context=ContextSpec(whole=True))
        night = eegflex.stage_epochs(alternating(SAW, 4.0), Night(), spec=spec, verbose="error")
        n_each = len(night.random_phases.kinds) * N_EPOCHS
        for n_chosen, n_draws in (
            (1, 1),
            (N_EPOCHS, 1),
            (-(-2 * n_each // 3), 2),
            (10 * N_EPOCHS, 3),
        ):  # each as many as 100
            found = phases.restaged(night, Settings(), n_chosen)
            assert found.n_draws == n_draws
            assert (found.stage != "").all()

    def test_what_a_night_knows_is_not_staged_again(self):
        fed = []

        class Counting(Edges):
            def forward(self, x):
                fed.append(len(x))
                return super().forward(x)

        night = eegflex.stage_epochs(alternating(SAW, 4.0), Counting(), spec=SPEC, verbose="error")
        night.spectral_share(verbose="error")
        fed.clear()
        assert len(phases.restaged(night, Settings(), N_EPOCHS).numbers) == N_EPOCHS
        assert fed == []

    def test_it_is_quiet_where_asked(self, capfd):
        asked = {"spec": SPEC.replace(sfreq=32.0), "quadrature": "gauss-legendre", "n_steps": 2}
        eegflex.attribute_epochs(alternating(SAW, 4.0), Edges(), **asked, verbose=False)
        assert capfd.readouterr() == ("", "")


def test_an_explanation_does_not_fail_for_it(caplog):
    class Failing(Power):
        armed = False

        def forward(self, x):
            if type(self).armed:
                raise ValueError("unheard of")
            return super().forward(x)

    night = eegflex.stage_epochs(alternating(SAW, 6.0), Failing(), spec=SPEC, verbose="error")
    Failing.armed = True
    with caplog.at_level("WARNING", logger="mne"):
        assert phases.restaged(night, Settings(), N_EPOCHS) is None
    assert "Spectrum or waveform is not known: known failed on random phases" in caplog.text
    assert phases.told(None, night, Settings())["random_phases"] == {"n_draws": 0, "n_epochs": 0, "of": 80}


def test_scores_that_are_no_numbers_are_no_sign_of_waveforms(caplog):
    """A model that can make nothing of some epochs with random phases fails on them; nothing is decided by it."""

    class Undefined(Power):
        armed = False

        def forward(self, x):
            scores = super().forward(x)
            return scores * float("nan") if type(self).armed else scores

    night = eegflex.stage_epochs(alternating(SAW, 6.0), Undefined(), spec=SPEC, verbose="error")
    Undefined.armed = True
    with caplog.at_level("WARNING", logger="mne"):
        assert phases.restaged(night, Settings(), N_EPOCHS) is None
    assert "no finite scores of epochs with random phases" in caplog.text
    with pytest.raises(eegflex.errors.ModelError, match="no finite scores"):
        night.spectral_share(verbose="error")


class TestWhatKeepsIt:
    def test_a_file(self, sharp, tmp_path):
        read = eegflex.read_result(sharp.save(tmp_path / "r.nc"))
        assert read.data["spectral_share"].identical(sharp.data["spectral_share"])
        pd.testing.assert_frame_equal(read.spectral_share(), sharp.spectral_share())
        with eegflex.read_result(tmp_path / "r.nc", lazy=True) as lazy:
            pd.testing.assert_frame_equal(lazy.spectral_share(), sharp.spectral_share())

    @pytest.mark.parametrize(
        "part",
        [
            lambda result: result.sel(stage="REM"),
            lambda result: result.sel(channel="EEG1"),
            lambda result: result.sel(epoch=[3, 5]),
            lambda result: result[2:5],
            lambda result: result.copy(),
        ],
    )
    def test_a_part(self, sharp, part):
        pd.testing.assert_frame_equal(part(sharp).spectral_share(), sharp.spectral_share())

    def test_another_target(self):
        every = edges(target="all")
        for target in ("predicted", "W", ("REM", "W")):
            pd.testing.assert_frame_equal(every.for_target(target).spectral_share(), every.spectral_share())

    def test_one_of_several_channel_sets(self):
        """The stage is that of the stager with all its channels, whichever are chosen."""
        one = SPEC.replace(channels=(ChannelSpec("EEG", types=("eeg",), use="each"),))
        epochs = alternating(SAW, 4.0)
        epochs._data[8:20, 1] = noise_epochs(n_epochs=12, n_channels=1, seed=9)._data[:, 0]
        result = explain(epochs, Edges(), spec=one, quadrature="gauss-legendre", n_steps=2)
        part = result.sel(channel="EEG1")
        pd.testing.assert_frame_equal(part.spectral_share(), result.spectral_share())
        assert part.data.sizes["channel_set"] == 1

    def test_several_recordings(self, sharp):
        other = explain(alternating(SAW, 4.0, seed=1), Edges(), spec=SPEC, quadrature="gauss-legendre", n_steps=3)
        both = eegflex.concatenate_results([sharp, other], recordings=["a", "b"])
        for label, own in (("a", sharp), ("b", other)):
            pd.testing.assert_frame_equal(both.sel(recording=label).spectral_share(), own.spectral_share())
        table = both.spectral_share()
        assert table["n_epochs"].tolist() == [N_EPOCHS] * 2
        means = [one.spectral_share().loc["REM", "p_joint"] for one in (sharp, other)]
        assert table.loc["REM", "p_joint"] == pytest.approx(np.mean(means))
        by_recording = both.band_table(by=("recording", "stage"))
        assert by_recording["decided_by"].tolist() == ["spectrum", "waveforms"] * 2

    def test_several_recordings_of_which_one_does_not_know(self, sharp):
        other = explain(
            alternating(SAW, 4.0, seed=1), Edges(), spec=SPEC, quadrature="gauss-legendre", n_steps=3, spectral_share=0
        )
        for pair in ([sharp, other], [other, sharp]):
            both = eegflex.concatenate_results(pair, recordings=["a", "b"])
            assert "spectral_share" not in both.data
            assert "night_stage_share" not in both.data
            assert len(both) == 2 * N_EPOCHS

    def test_a_run_that_goes_on(self, sharp, tmp_path):
        """What was known before is taken as it is, bit for bit."""
        asked = {"spec": SPEC, "quadrature": "gauss-legendre", "n_steps": 3}
        partial = stopped_after(20, **asked)
        assert partial.is_partial
        again = eegflex.read_result(partial.save(tmp_path / "p.nc"))
        whole = explain(alternating(SAW, 4.0), Edges(), resume=again, **asked)
        assert whole.data["spectral_share"].identical(sharp.data["spectral_share"])
        assert whole.data["frequency_view"].identical(sharp.data["frequency_view"])
        assert whole.provenance["random_phases"] == sharp.provenance["random_phases"]
        other = explain(alternating(SAW, 4.0), Edges(), resume=again, spectral_share=1, **asked)
        assert other.spectral_share().attrs["n_draws"] == 1


def stopped_after(n, **asked):
    """What is left of a run that somebody stopped."""

    class Stopping(Edges):
        left = n

        def forward(self, x):
            if x.requires_grad:
                Stopping.left -= len(x) // 3
                if Stopping.left < 0:
                    raise KeyboardInterrupt
            return super().forward(x)

    with pytest.raises(AttributionStopped) as stop:
        explain(alternating(SAW, 4.0), Stopping(), on_check="ignore", batch_size=3, **asked)
    return stop.value.result


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda data: spoilt(data, "spectral_share", 2.0), "no share"),
            (lambda data: spoilt(data, "spectral_share", np.nan), "of no stage"),
            (lambda data: spoilt(data, "night_stage_share", "N7"), "of no stage"),
            (lambda data: spoilt(data, "night_stage_share", ""), "of no stage"),
            (lambda data: data.drop_vars("night_stage_share"), "without its stages"),
            (lambda data: data.drop_vars(["spectral_share", "share"]), "without"),
            (lambda data: told_otherwise(data, n_draws=0), "no draws"),
        ],
    )
    def test_what_contradicts_itself(self, sharp, spoil, words, tmp_path):
        fname = write_dataset(spoil(sharp.to_xarray()), tmp_path / "r.nc", overwrite=False)
        with pytest.raises(eegflex.errors.RecordingError, match=words):
            eegflex.read_result(fname)

    def test_what_is_laid_out_otherwise(self, sharp):
        data = sharp.to_xarray()
        with pytest.raises(ParameterError, match="share is not"):
            FlexResult(data.assign_coords(share=data["share"].values[::-1]))
        with pytest.raises(ParameterError, match="provenance"):
            FlexResult(told_otherwise(data, n_draws="3"))
        with pytest.raises(ParameterError, match="without its stages"):
            FlexResult(data.drop_vars("night_stage_share"))

    @pytest.mark.parametrize("value", [-1, 1.5, True])
    def test_draws_that_are_no_number(self, value):
        with pytest.raises(ParameterError, match="spectral_share must be a positive whole number or 0"):
            edges(spectral_share=value)


def spoilt(data, name, value):
    values = data[name].values.copy()
    values[3] = value
    put = data.assign if name in data.data_vars else data.assign_coords
    return put({name: (data[name].dims, values)})


def told_otherwise(data, **changes):
    told = json.loads(data.attrs["provenance"])
    told["random_phases"] |= changes
    return data.assign_attrs(provenance=json.dumps(told))


class TestWhatIsSaid:
    def test_tables_of_bands_say_it(self, sharp):
        for by in ("stage", ("stage", "channel"), ("channel", "stage")):
            table = sharp.band_table(by=by)
            stage = table.index.get_level_values("stage")
            assert (table["decided_by"] == np.where(stage == "REM", "waveforms", "spectrum")).all()
        every = sharp.band_table(by="stage", statistic="all")
        assert (every.loc["REM", "decided_by"] == "waveforms").all()
        assert "decided_by" not in sharp.band_table(by="channel")
        assert "decided_by" not in sharp.sel(stage="W").band_table(by="stage")
        assert "decided_by" not in sharp.band_table(by="stage", stage_from="scored")

    def test_what_decided_says_it(self, sharp):
        table = sharp.decided_by()
        assert table["decided_by"].to_dict() == {"W": "spectrum", "REM": "waveforms"}
        assert table["agreement_joint"].to_dict() == sharp.spectral_share()["agreement_joint"].to_dict()

    def test_main_findings_say_it_before_any_band(self, sharp):
        names = [one.check for one in sharp.main_findings()]
        assert names.index("REM phases") < min(names.index(one) for one in names if one in ("REM for", "REM against"))
        assert "W phases" not in names
        found, row = sharp.main_findings()["REM phases"], sharp.spectral_share().loc["REM"]
        assert found.status == "warning"
        assert found.measured.startswith("waveforms decided, which bands do not explain: ")
        assert "of 40 epochs of the night keep REM with all magnitudes and random phases" in found.measured
        assert "views by time" in found.remedy
        assert "'surrogate' or 'zero'" in found.remedy
        assert found.values["agreement_joint"] == row["agreement_joint"]

    def test_relations_and_what_is_unclear_are_told_in_their_own_words(self):
        epochs = alternating(SAW, 0.0)
        where = np.arange(N_EPOCHS) // 4 % 2 == 1
        epochs._data[where] = 5 * epochs._data[where][:, :1]

        class Together(nn.Module):
            def forward(self, x):
                product = 10 * (x[:, 0] * x[:, 1]).mean(1) - 5
                return torch.stack([torch.zeros_like(product), product], 1)

        related = explain(epochs, Together(), spec=SPEC, quadrature="gauss-legendre", n_steps=2)
        found = related.main_findings()["REM phases"]
        assert found.status == "warning"
        assert found.measured.startswith("relations between channels decided, and no channel by itself: 100 %")
        assert related.band_table(by="stage").loc["REM", "decided_by"] == "relations"
        power = np.square(alternating(SAW, 4.0)._data[where]).mean((1, 2))
        half = explain(
            alternating(SAW, 4.0), Half(float(np.median(power))), spec=SPEC, quadrature="gauss-legendre", n_steps=2
        )
        found = half.main_findings()["REM phases"]
        assert found.status == "unknown"
        assert found.measured.startswith("it is unclear whether the spectrum decided: ")
        assert half.band_table(by="stage").loc["REM", "decided_by"] == "unclear"

    def test_figures_say_it(self, sharp):
        words = "Staged with random phases: REM is decided by waveforms, which bands do not explain"
        for fig in (sharp.plot_bands(show=False), sharp.plot_spectrum(show=False), sharp.plot_epoch(4, show=False)):
            assert words in texts(fig)
        for fig in (map_of_context().plot_context(show=False), at_sites().plot_topomap(show=False)):
            assert words in texts(fig)
        for fig in (sharp.plot_bands(stage="W", show=False), sharp.plot_epoch(0, show=False)):
            assert "random phases" not in texts(fig)


def map_of_context():
    """The middle one of three epochs, all of which move."""

    class Middle(Edges):
        def forward(self, x):
            return super().forward(x[:, 1])

    spec = SPEC.replace(layout="b e c t", context=ContextSpec(1, 1))
    asked = {"edges": "pad", "context": "scaled", "quadrature": "gauss-legendre", "n_steps": 2}
    return explain(alternating(SAW, 4.0), Middle(), spec=spec, **asked)


def at_sites():
    """Channels that are at electrodes."""
    epochs = alternating(SAW, 4.0)
    epochs.rename_channels(dict(zip(epochs.ch_names, ("C3", "C4"), strict=True)))
    example_results.place(epochs, {"C3": "C3", "C4": "C4"})
    return explain(epochs, Edges(), spec=SPEC, quadrature="gauss-legendre", n_steps=2)


def texts(fig):
    said = " ".join(one.get_text() for one in fig.findobj(mpl.text.Text))
    return " ".join(said.split())


class Half(Edges):
    """REM for its edges, or, where it has none, for more power than half of the epochs have."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold = threshold

    def forward(self, x):
        by_edges = super().forward(x)
        by_power = 50 * (x.square().mean((1, 2)) - self.threshold)[:, None] * torch.tensor([-1.0, 1.0])
        return torch.where(by_edges[:, 1:] > 0, by_edges, by_power)
