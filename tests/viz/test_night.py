"""The night."""

from __future__ import annotations

import itertools
from datetime import UTC

import example_results
import numpy as np
import pytest

import eegflex
from eegflex import viz
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.select import hypnogram_order
from eegflex.scores import consensus
from eegflex.spec import ModelSpec


def note(fig):
    return fig.get_supxlabel().replace("\n", " ")


def steps(ax):
    """Return the stage at the middle of each 30-s epoch of the hypnogram drawn in an axis."""
    line = ax.get_lines()[0]
    times, levels = line.get_data()
    names = [label.get_text() for label in ax.get_yticklabels()]
    found = []
    for epoch in range(10):
        inside = np.flatnonzero(np.isclose(times, epoch / 2) | np.isclose(times, (epoch + 1) / 2))
        pairs = [(a, b) for a, b in itertools.pairwise(inside) if b == a + 1 and times[b] > times[a]]
        level = levels[pairs[0][0]] if pairs else np.nan
        found.append(names[int(level)] if np.isfinite(level) else "")
    return found


def test_hypnograms_are_drawn_as_scored_and_predicted(result):
    fig = viz.plot_night(result, show=False)
    data = result.to_xarray()
    scored = ["" if stage == "UNSCORED" else stage for stage in data["night_stage"].values]
    assert steps(fig.axes[0]) == scored
    predicted = np.array(result.stages)[consensus(data["night_scores"].values, "log_probs")]
    assert steps(fig.axes[1]) == predicted.tolist()
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["W", "REM", "N1", "N2", "N3"]
    assert fig.axes[0].yaxis_inverted()


def test_kappa_is_in_the_title_only_with_a_hypnogram(result):
    kappa, _ = tables.agreement(result.to_xarray())
    assert f"kappa {kappa:.2f} (8 epochs)" in viz.plot_night(result, show=False).get_suptitle()
    fig = viz.plot_night(example_results.explain(example_results.make_epochs(scored=False)), show=False)
    assert "kappa" not in fig.get_suptitle()
    assert "no hypnogram" in note(fig)
    assert len(fig.axes) == 3


def test_gaps_are_counted(result):
    assert "2 epochs without a stage" in note(viz.plot_night(result, show=False))


def test_faulty_epochs_are_gaps(result):
    data = result.to_xarray()
    data["night_fault"].values[3] = "flat"
    fig = viz.plot_night(type(result)(data), show=False)
    assert steps(fig.axes[1])[3] == ""
    assert "1 epoch whose signal cannot be staged" in note(fig)


def test_a_break_in_time_breaks_the_line(result):
    data = result.to_xarray()
    data["night_onset"].values[5:] += 60.0
    line = viz.plot_night(type(result)(data), show=False).axes[1].get_lines()[0]
    assert np.isnan(line.get_ydata()).sum() == 1


def rows(fig):
    """Times in minutes of the marks below the night, by what they mark."""
    last = fig.axes[-1]
    return {one.get_gid(): [segment[0, 0] for segment in one.get_segments()] for one in last.collections}


def test_probabilities_fill_the_strip_with_the_mean_of_all_channel_sets(pair_result):
    data = pair_result.to_xarray()
    data["night_scores"].values[0] = np.log([[0.96, 0.01, 0.01, 0.01, 0.01], [0.2, 0.2, 0.2, 0.3, 0.1]])
    fig = viz.plot_night(type(pair_result)(data), show=False)
    areas = {area.get_label(): area.get_paths()[0].vertices for area in fig.axes[2].collections}
    assert list(areas) == ["N3", "N2", "N1", "REM", "W"]
    assert areas["N3"][:, 1].min() == 0
    assert areas["W"][:, 1].max() == pytest.approx(1)
    first = areas["N3"][areas["N3"][:, 0] == 0]
    assert first[:, 1].max() == pytest.approx((0.01 + 0.3) / 2)
    assert rows(fig)["channels disagree"] == [0.25]


def test_epochs_that_are_called_otherwise_than_scored_are_marked(result):
    data = result.to_xarray()
    data["night_stage"].values[[2, 5]] = "REM"
    fig = viz.plot_night(type(result)(data), show=False)
    assert rows(fig)["not as scored"] == [1.25, 2.75]
    assert "not as scored (n = 2)" in [label.get_text() for label in fig.axes[-1].get_yticklabels()]


def test_the_clock_is_shown_where_it_is_known(result):
    fig = viz.plot_night(result, began="23:58", show=False)
    fig.draw_without_rendering()
    assert [label.get_text() for label in fig.axes[-1].get_xticklabels()] == ["0:00"]
    assert fig.axes[-1].get_xticks() == pytest.approx([2.0])
    assert fig.axes[-1].get_xlabel() == "Clock time"
    with pytest.raises(ParameterError, match="22:30"):
        viz.plot_night(result, began="late", show=False)


def test_a_staged_night_knows_when_it_began():
    from datetime import datetime

    for hour, label in ((22, "Clock time"), (0, "Time from the start of the recording (min)")):
        epochs = example_results.make_epochs()
        epochs.info.set_meas_date(datetime(2020, 1, 1, hour, tzinfo=UTC))
        staged = eegflex.stage_epochs(epochs, example_results.TinyStager(6), verbose="error")
        assert label in [ax.get_xlabel() for ax in staged.plot_night(show=False).axes]


def test_what_the_context_decided_is_marked(context_result):
    data = context_result.to_xarray()
    alone = data["replaced_scores"].sel(replaced="nothing")
    for name in ("epoch", "context", "both"):
        data["replaced_scores"].loc[{"replaced": name}] = alone
    data["replaced_scores"].loc[{"replaced": ["context", "both"], "epoch": [3, 5]}] = alone.isel(epoch=[3, 5]) - 1
    data["replaced_scores"].loc[{"replaced": ["epoch", "both"], "epoch": [1]}] = alone.isel(epoch=[1]) - 1
    fig = viz.plot_night(type(context_result)(data), show=False)
    numbers = data["number"].sel(epoch=[3, 5]).values
    np.testing.assert_allclose(rows(fig)["context decided"], (numbers + 0.5) / 2)


def test_probabilities_of_a_model_that_returns_them_are_its_own(result):
    data = result.to_xarray()
    shares = np.exp(data["night_scores"].values)
    data["night_scores"].values[:] = shares
    data.attrs["spec"] = data.attrs["spec"].replace('"log_probs"', '"probs"')
    np.testing.assert_allclose(tables.night_stages(data)[0], shares[:, 0], atol=1e-6)


def test_explained_epochs_are_marked():
    sample = example_results.make_result(sample_per_stage=1)
    fig = viz.plot_night(sample, show=False)
    np.testing.assert_allclose(rows(fig)["explained"], (sample.to_xarray()["onset"].values + 15) / 60)
    assert "the 5 of 10 epochs" in note(fig)


def test_rem_is_drawn_thick(result):
    thick = [line for line in viz.plot_night(result, show=False).axes[1].get_lines() if line.get_linewidth() > 3]
    assert len(thick) == 1
    assert np.nanmax(thick[0].get_ydata()) == 1


def test_other_outputs_are_listed_as_they_are():
    spec = ModelSpec(name="odd", scores="log_probs", stages=("awake", "a", "b", "c", "dream"))
    fig = viz.plot_night(example_results.explain(example_results.make_epochs(), spec), show=False)
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["awake", "a", "b", "c", "dream"]
    assert "kappa" not in fig.get_suptitle()


def test_order():
    assert hypnogram_order(["REM", "N2", "W"]) == ["W", "REM", "N2"]
    assert hypnogram_order(["sleep", "W"]) == ["sleep", "W"]
