"""A network in a module beside its spec."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch

import eegflex
from eegflex import load_model
from eegflex.errors import ModelError


def model(folder, scale, module="network", imports="from layers_of_mine import scale"):
    """A folder with a spec, weights, a network and a module that this one imports; its scores are all `scale`."""
    folder.mkdir()
    (folder / "layers_of_mine.py").write_text(f"scale = {scale}\n")
    path = folder.joinpath(*module.split("."))
    path.parent.mkdir(exist_ok=True)
    if path.parent != folder:
        (path.parent / "__init__.py").write_text("")
    path.with_suffix(".py").write_text(
        textwrap.dedent(f"""
            import torch
            {imports}

            class Net(torch.nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = torch.nn.Parameter(torch.zeros(n))

                def forward(self, x):
                    return x.mean((1, 2))[:, None] * 0 + self.weight + scale
        """)
    )
    torch.save({"state_dict": {"model.weight": torch.zeros(5)}}, folder / "a.pt")
    (folder / "spec.toml").write_text(
        f"[input]\nsfreq = 64.0\nn_times = 64\n[model]\nfile = 'a.pt'\nclass = '{module}:Net'\nkwargs = {{ n = 5 }}\n"
    )
    return folder


def score(stager):
    with torch.no_grad():
        return float(stager.score(torch.zeros(1, 1, 2, 64))[0, 0])


@pytest.fixture(autouse=True)
def _modules_as_they_were():
    before, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(before):
        if name.partition(".")[0] in {"network", "layers_of_mine", "mine", "broken", "json"}:
            del sys.modules[name]
    assert sys.path == path


def test_it_is_found_only_if_its_author_is_trusted(tmp_path):
    folder = model(tmp_path / "one", 3.0)
    with pytest.raises(ModelError, match=r"names a class.*trusted=True"):
        load_model(folder)
    assert "network" not in sys.modules
    for source in (folder, folder / "spec.toml", folder / "a.pt"):
        assert score(load_model(source, trusted=True)) == 3.0


def test_so_it_is_by_a_spec_of_another_folder(tmp_path):
    folder = model(tmp_path / "one", 3.0)
    (tmp_path / "weights").mkdir()
    moved = (folder / "a.pt").rename(tmp_path / "weights" / "b.pt")
    assert score(load_model(moved, spec=folder / "spec.toml", trusted=True)) == 3.0


def test_a_package_beside_it_is_found_too(tmp_path):
    assert score(load_model(model(tmp_path / "one", 4.0, "mine.nets"), trusted=True)) == 4.0


def test_modules_of_one_name_in_two_folders_are_two(tmp_path):
    stagers = [load_model(model(tmp_path / str(n), float(n)), trusted=True) for n in (1, 2, 3)]
    again = load_model(tmp_path / "1", trusted=True)
    assert [score(one) for one in (*stagers, again)] == [1.0, 2.0, 3.0, 1.0]


def test_what_was_imported_by_that_name_before_is_as_it_was(tmp_path, monkeypatch):
    model(tmp_path / "here", 9.0)
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    import network

    assert score(load_model(model(tmp_path / "one", 3.0), trusted=True)) == 3.0
    assert sys.modules["network"] is network
    assert sys.modules["layers_of_mine"].scale == 9.0


def test_a_file_named_as_a_module_of_python_hides_nothing(tmp_path):
    import json

    folder = model(tmp_path / "one", 3.0)
    (folder / "json.py").write_text("raise RuntimeError('not this one')")
    (folder / "torch.py").write_text("raise RuntimeError('not this one')")
    assert score(load_model(folder, trusted=True)) == 3.0
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise LookupError('broken on purpose')", "LookupError: broken on purpose"),
        ("import a_package_that_is_not_there", "a_package_that_is_not_there.*beside the spec"),
        ("Other = 3", "Net"),
        ("(", "SyntaxError"),
    ],
)
def test_what_goes_wrong_in_it_is_told(code, words, tmp_path):
    folder = model(tmp_path / "one", 3.0)
    (folder / "network.py").write_text(code)
    with pytest.raises(ModelError, match=words):
        load_model(folder, trusted=True)


def test_a_network_that_cannot_be_made_is_told(tmp_path):
    folder = model(tmp_path / "one", 3.0)
    spec = eegflex.ModelSpec.from_toml(folder / "spec.toml").replace(kwargs={"n": "five"})
    with pytest.raises(ModelError, match=r"kwargs: TypeError.*five"):
        load_model(folder / "a.pt", spec=spec, trusted=True)
