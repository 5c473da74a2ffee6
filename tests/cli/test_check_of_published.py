"""``eegflex check`` of every published stager whose weights can be had here, as in the shell: nothing that is wrong is said."""

from __future__ import annotations

import importlib.util

import pytest

import eegflex
from eegflex import cli
from eegflex.spec import load_spec, spec_names

pytestmark = pytest.mark.slow

#: Stagers that have weights of their own, and the packages that these are in.
OWN = {"bandpower": (), "gssc": ("gssc",), "yasa": ("yasa", "lightgbm")}
#: What is said of some of them all the same, by the name of the check: what they are, and that the night is a short one.
_SHORT = {"front end": "of its 90 usable epochs only"}
SAID = {
    "yasa": {"differentiability": "method='shapley_sampling'"},
    "physioex:seqsleepnet-eeg": _SHORT,
    "physioex:seqsleepnet-eeg-eog-emg": _SHORT,
}
#: What must hold of a stager whatever the recording; how well it agrees with a short night is another matter.
HOLDS = (
    *(
        "shape",
        "rate",
        "finite scores",
        "eval mode",
        "determinism",
        "batch independence",
        "unit",
        "front end",
        "scores",
    ),
    *("scale", "differentiability", "context gradients", "window"),
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A simulated night of 45 min, written with its hypnogram."""
    night = eegflex.simulate_psg(hours=0.75, sfreq=128, seed=1, verbose="error")
    return night.save(tmp_path_factory.mktemp("night") / "night.edf")


@pytest.fixture
def weights_of(physioex_weights):
    """The shell's words for the weights of a stager; skips where there are none."""

    def words(name):
        if name in OWN:
            missing = [package for package in OWN[name] if importlib.util.find_spec(package) is None]
            if missing:
                pytest.skip(f"{name}: the package {missing[0]} is not installed")
            return []
        if not name.startswith("physioex:"):
            pytest.skip(f"{name}: a contract for weights of the user's own, of which none come along")
        path = physioex_weights(load_spec(name).file)
        return [] if path is None else ["--weights", str(path)]

    return words


@pytest.mark.parametrize("name", spec_names())
def test_a_published_stager_is_found_to_do_what_its_spec_says(name, recording, weights_of, capsys):
    given = ["check", name, str(recording.psg), *weights_of(name)]
    more = ["--hypnogram", str(recording.hypnogram), "--channels", "C4-M1,E1-M2,Chin1-Chin2"]
    status = cli.main([*given, *more])
    _, head, *lines = capsys.readouterr().out.partition(f"{load_spec(name).name}: ")
    assert status == 0, lines
    found = {check.strip(): (mark, said) for mark, check, said in map(_parts, lines[0].splitlines()[1:])}
    assert head
    assert "error" not in lines[0].splitlines()[0]
    for check in HOLDS:
        mark, said = found[check]
        assert mark == ("warning" if check in SAID.get(name, {}) else "ok"), (check, said)
        assert SAID.get(name, {}).get(check, "") in said


def _parts(line):
    """Status, check and words of a line."""
    mark, _, rest = line.strip().partition("  ")
    return mark, *rest.partition(": ")[::2]
