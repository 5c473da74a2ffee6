"""What a report says where waveforms decide a stage, and where nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
from attribution_helpers import explain, noise_epochs
from models import Edges
from pages import written

from eegflex.report.facts import of_stages
from eegflex.results import FlexResult
from eegflex.spec import ChannelSpec, ModelSpec

pytestmark = pytest.mark.slow

SPEC = ModelSpec(name="sharp", unit="V", stages=("W", "REM"))
SAW = 0.5 - np.arange(960) / 16 % 1


def sharp(spec=SPEC, **kwargs):
    """Forty minutes, in half of whose epochs waves rise at once and fall slowly."""
    epochs = noise_epochs(n_epochs=80)
    rem = np.arange(80) // 4 % 2 == 1
    epochs._data[rem] = 0.2 * epochs._data[rem] + 4 * SAW
    return explain(epochs, Edges(), spec=spec, quadrature="gauss-legendre", n_steps=2, **kwargs)


@pytest.fixture(scope="module")
def result():
    return sharp()


@pytest.fixture(scope="module")
def page(result):
    return written(result)


def test_the_summary_says_what_decided(result, page):
    row = result.spectral_share().loc["REM"]
    kept, low, high = (f"{100 * row[f'agreement_joint{end}']:.2g} %" for end in ("", "_low", "_high"))
    assert (
        f"REM: waveforms decided, which bands do not explain: {kept} (95 % interval {low} to {high}) of 40 epochs of the "
        "night keep REM with all magnitudes and random phases. What follows does not explain it; look at the views by time and "
        "time-frequency, compared with 'surrogate' or 'zero'." in page
    )
    assert "W: waveforms decided" not in page


def test_the_first_screen_says_what_decides_each_stage(result):
    assert {one.stage: one.way for one in of_stages(result)} == {"W": "spectrum", "REM": "waveforms"}
    nobody = FlexResult(result.to_xarray().drop_vars(["spectral_share", "share", "night_stage_share"]))
    assert {one.way for one in of_stages(nobody)} == {""}


def test_rows_of_bands_say_it(page):
    assert "stage, channel delta theta alpha sigma beta below above total n decided by W EEG0" in page
    assert page.count("40 waveforms") == 2 + 1  # of two channels, and of the night
    assert page.count("40 spectrum") == 2 + 1


def test_the_table_of_shares_is_that_of_the_result(result, page):
    assert "random phases: all 80 epochs that have a stage, 3 times. The phases of all channels were rotated" in page
    assert "stage n decided by kept, joint kept, independent W 40 spectrum 100" in page
    for stage, row in result.spectral_share().iterrows():
        cells = [
            f"{100 * row[f'agreement_{kind}']:.0f}\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}("
            f"{100 * row[f'agreement_{kind}_low']:.0f}–{100 * row[f'agreement_{kind}_high']:.0f})"
            for kind in ("joint", "independent")
        ]
        assert f"{stage} 40 {row['decided_by']} {' '.join(cells)}".replace("\N{NO-BREAK SPACE}", " ") in page.replace(
            "\N{NO-BREAK SPACE}", " "
        )


def test_of_one_channel_at_a_time_both_kinds_are_one():
    one = SPEC.replace(channels=(ChannelSpec("EEG", types=("eeg",), use="each"),))
    said = written(sharp(one, select=range(8)))
    assert "stage n decided by kept W" in said
    assert "rotated together" not in said
    assert "a sample of 80 of 80" not in said


def test_nothing_is_said_where_nobody_knows(result):
    for unknown in (
        sharp(spectral_share=0),
        FlexResult(result.to_xarray().drop_vars(["spectral_share", "share", "night_stage_share"])),
    ):
        said = written(unknown)
        assert "random phases" not in said
        assert "Spectrum or waveforms" not in said
