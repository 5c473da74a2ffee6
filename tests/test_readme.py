"""The README's Python runs as it stands, in its order, beside a simulated night."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import eegflex

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture
def beside_a_night(tmp_path, monkeypatch):
    eegflex.simulate_psg(hours=0.3, seed=2, verbose="error").save(tmp_path / "night.edf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_snippets(beside_a_night):
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) == 4
    names: dict = {}
    for snippet in snippets:
        exec(snippet, names)  # noqa: S102
    plt.close("all")
    assert (beside_a_night / "night.html").stat().st_size > 1e5
    shown = names["seen"].band_table(by=("channel",))
    assert shown["sigma"].abs().idxmax() == "C4-M1"
    assert shown.loc["C4-M1", "sigma"] > 0.9 * shown.drop(columns=["total", "n_epochs"]).abs().to_numpy().sum()
    assert names["mine"].parameters["target"] == ["N2", "N1"]


def test_shell_commands_exist():
    from eegflex.cli import main

    for command in set(re.findall(r"^    eegflex (\w+)", README.read_text(encoding="utf-8"), flags=re.MULTILINE)):
        assert main([command, "--help"]) == 0
