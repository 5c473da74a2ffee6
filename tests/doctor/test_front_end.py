"""The doctor knows front ends: units, floors, limits and statistics that do not fit the recording."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from sabotage import ReadsBands, spectral

import eegflex
from eegflex.doctor.case import Case
from eegflex.doctor.front_end import front_end
from eegflex.errors import EegflexError
from eegflex.spec import LogSpec

TINY = LogSpec(10, 1e-18)


@pytest.fixture(scope="module")
def night():
    raw = eegflex.simulate_psg(hours=1.2, sfreq=64, seed=21, verbose="error").raw
    return eegflex.make_epochs(raw.pick(["C4-M1"]), verbose="error")


@pytest.fixture(scope="module")
def decibels(night):
    """Mean and sd of each frequency from 0 to 30 Hz, in µV, by scipy."""
    data = 1e6 * night.get_data(copy=True)[:, 0]
    _, _, power = scipy.signal.spectrogram(data, 64.0, "hann", nperseg=128, noverlap=64, detrend=False)
    values = 10 * np.log10(power[:, :61] + 1e-3)
    return values.mean((0, 2)), values.std((0, 2))


def found(night, **changes):
    return front_end(Case(eegflex.stage_epochs(night, ReadsBands(), spec=spectral(**changes), verbose="error")))


def given(mean, sd):
    return {"mean": tuple(mean.tolist()), "sd": tuple(sd.tolist())}


def test_a_front_that_fits_is_well(night, decibels):
    finding = found(night, **given(*decibels))
    assert finding.status == "ok"
    assert "29 windows of 61 frequencies" in finding.measured


def test_a_model_of_signals_has_none(night):
    finding = front_end(Case(eegflex.stage_epochs(simulated_psg(), "bandpower", verbose="error")))
    assert "the signal itself" in finding.measured


def simulated_psg():
    return eegflex.make_epochs(eegflex.simulate_psg(hours=0.3, sfreq=128, seed=1, verbose="error").raw, verbose="error")


#: What is wrong -> what the spec says then, given the right statistics; status, and words of the finding.
WRONG = {
    "V for µV": (lambda m, s: {"unit": "V", "log": TINY, **given(m, s)}, "error", "trained in uV"),
    "V for mV": (lambda m, s: {"unit": "V", "log": TINY, **given(m - 60, s)}, "error", "trained in mV"),
    "µV for V": (lambda m, s: {"log": TINY, **given(m - 120, s)}, "error", "trained in V"),
    "V for µV, magnitudes": (
        lambda m, s: {"unit": "V", "scaling": "magnitude", "log": LogSpec(20, 1e-18), **given(m + 32, s)},
        "error",
        "trained in uV",
    ),
    "statistics of something else": (lambda m, s: given(m[::-1] + 45, s), "error", "does not fit"),
    "no filter": (lambda m, s: given(np.where(np.arange(61) > 50, m - 60, m), s), "warning", "between 25.5 and 30 Hz"),
    "half the factor": (lambda m, s: {"log": LogSpec(20, 1e-3), **given(m, s / 2)}, None, ""),
    "spread": (lambda m, s: given(m, 5 * s), "warning", "spread 0.2"),
    "a floor above it all": (lambda m, s: {"log": LogSpec(10, 1e6)}, "error", "below its floor"),
    "volts below the floor": (lambda m, s: {"unit": "V", "log": LogSpec(10, 1e-3)}, "error", "signals in V"),
    "limits": (lambda m, s: {"clip": (0.0, 10.0)}, "warning", "beyond clip"),
    "the end left out": (lambda m, s: {"hop": 27.0}, "warning", "are in no window"),
    "gaps": (lambda m, s: {"hop": 5.0}, "warning", "are in no window"),
    "few epochs": (lambda m, s: {"mean": "recording", "sd": "recording"}, "warning", "144 usable epochs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_front_is_said(name, night, decibels):
    words, status, said = WRONG[name]
    own = night if name != "few epochs" else night[:100]
    finding = found(own, **words(*decibels))
    if status is None:
        assert finding.status != "ok"
        return
    assert finding.status == status, finding
    assert said.replace("144", "100") in finding.measured


def test_statistics_of_a_whole_night_are_told_and_well(night, caplog):
    assert found(night, mean="recording", sd="recording").measured.endswith("mean and sd are those of this recording")
    staged = eegflex.stage_epochs(night, ReadsBands(), spec=spectral(mean="recording"), verbose="error")
    assert "over its 144 sound epochs" in staged.segments.notes["spectrogram"]
    result = eegflex.attribute_epochs(staged, sample_per_stage=1, verbose="error")
    assert any("mean of the spectrogram" in one for one in result.provenance["warnings"])


def test_an_error_refuses_the_explanation(night, decibels):
    spec = spectral(unit="V", log=TINY, **given(*decibels))
    with pytest.raises(EegflexError, match="trained in uV"):
        eegflex.attribute_epochs(night, ReadsBands(), spec=spec, sample_per_stage=1, verbose="error")
