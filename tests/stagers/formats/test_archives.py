"""Archives: what is looked at is what torch opens, every checksum holds, and nothing is in them that their format has not."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import trained
from test_security import (  # noqa: F401  (canary is a fixture)
    FED,
    Evil,
    canary,
    evil_torch_file,
    rewrite,
    save_exported,
    save_torchscript,
)
from torch import nn
from trained.networks import Chambon

from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.stagers.formats.archive import Archive
from eegflex.stagers.formats.torchscript import _BEYOND


def save_state(path):
    torch.save(trained.chambon().module.state_dict(), path)


def save_keras(path):
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(3), keras.layers.Dropout(0.1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)


def load(path):
    return load_model(path, module=Chambon() if path.name == "a.pth" else None)


#: Each format of archives: a file of it, and a member that is read.
KINDS = {
    "a.pth": (save_state, "a/data.pkl"),
    "a.pt": (save_torchscript, "a/data.pkl"),
    "a.pt2": (save_exported, "a/models/model.json"),
    "a.keras": (save_keras, "config.json"),
}


@pytest.fixture(scope="module", params=KINDS)
def good(request, tmp_path_factory):
    """A good archive of each format, which loads."""
    path = tmp_path_factory.mktemp("good") / request.param
    KINDS[request.param][0](path)
    load(path)
    return path


@pytest.fixture
def archive(good, tmp_path):
    """A copy of it, and the name of a member."""
    return Path(shutil.copy(good, tmp_path)), KINDS[good.name][1]


def add(path, name, data=b""):
    with zipfile.ZipFile(path, "a") as target, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        target.writestr(name, data)


TWINS = {
    "case": str.upper,
    "case of one letter": lambda name: name[:-1] + name[-1].upper(),
    "the same": str,
    "a dot after it": lambda name: f"{name}.",
    "a blank after it": lambda name: f"{name} ",
    "a slash after it": lambda name: f"{name}/",
    "by way of here": lambda name: f"./{name}",
    "two slashes": lambda name: name.replace("/", "//") if "/" in name else f"./{name}",
    "slashes the other way": lambda name: name.replace("/", "\\") if "/" in name else f".\\{name}",
    "wide letters": lambda name: "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in name),
    "a sharp s": lambda name: name.replace("s", "\u017f") if "s" in name else name.replace("k", "\u212a"),
}


@pytest.mark.parametrize("twin", TWINS)
def test_two_members_that_are_one_to_another_reader_are_refused(archive, twin):
    path, member = archive
    add(path, TWINS[twin](member), b"other")
    with pytest.raises(ModelError, match="ambiguous"):
        load(path)


@pytest.mark.parametrize(
    "name", ["b/data.pkl", "a/extra.py", "a/CODE/x.PY", "a/data/aotinductor/m/a.so", "a/assets/x.txt"]
)
def test_members_that_a_format_has_not_are_refused(archive, name):
    path, _ = archive
    add(path, name, b"import os")
    with pytest.raises(ModelError, match=r"ambiguous|more than (weights|a network|a graph|layers and weights) in it"):
        load(path)


@pytest.mark.parametrize("name", ["/etc/a", "a/../../b", "\\\\server\\a", "a/\u0130.pkl", "a/data/\u0661", "a/"])
def test_members_with_odd_names_are_refused(archive, name):
    path, _ = archive
    add(path, name)
    with pytest.raises(ModelError, match=r"outside itself|ambiguous|more than"):
        load(path)


@pytest.mark.parametrize("trusted", [False, True])
def test_every_member_s_checksum_is_checked(archive, trusted):
    """One bit of each member, in turn: the whole is refused, whether its author is trusted or not."""
    path, _ = archive
    content = path.read_bytes()
    with zipfile.ZipFile(path) as opened:
        members = [member for member in opened.infolist() if member.compress_size]
    for member in members:
        damaged = bytearray(content)
        header = member.header_offset
        name, extra = struct.unpack("<HH", content[header + 26 : header + 30])
        damaged[header + 30 + name + extra + member.compress_size // 2] ^= 0x10
        path.write_bytes(bytes(damaged))
        with pytest.raises(ModelError, match="damaged"):
            load_model(path, module=Chambon() if path.name == "a.pth" else None, trusted=trusted)


def test_a_byte_that_changes_scores_is_never_read(tmp_path):
    """The scores of what loads are those of the whole file: single bytes, anywhere, in files of each format of torch."""
    for name in ("a.pth", "a.pt", "a.pt2"):
        path, rng = tmp_path / name, np.random.default_rng(7)
        KINDS[name][0](path)
        content = path.read_bytes()
        with torch.no_grad():
            expected = load(path).module(FED + 1)
            for place in rng.integers(len(content), size=36):
                path.write_bytes(
                    content[:place] + bytes([content[place] ^ 1 << rng.integers(8)]) + content[place + 1 :]
                )
                with contextlib.suppress(ModelError):
                    torch.testing.assert_close(load(path).module(FED + 1), expected, atol=0, rtol=0)


def test_a_file_without_checksums_is_refused_and_it_is_said_how_to_save_it(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        save_state(tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    with pytest.raises(ModelError, match=r"saved without checksums.*set_crc32_options\(True\)"):
        load(tmp_path / "a.pth")


@pytest.mark.parametrize("place", [6, 8, 14, 18, 22, 30])
def test_a_header_that_says_other_than_the_list_is_refused(archive, place):
    """Flags, method, checksum, both sizes, and the name."""
    path, member = archive
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as opened:
        header = opened.getinfo(member).header_offset
    content[header + place] ^= 0x41
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=r"ambiguous|damaged"):
        load(path)


@pytest.mark.parametrize("where", ["before", "after", "comment"])
def test_bytes_around_an_archive_are_refused(archive, where):
    path, _ = archive
    if where == "comment":
        with zipfile.ZipFile(path, "a") as opened:
            opened.comment = b"other"
    else:
        content, other = path.read_bytes(), b"PK\x03\x04 other"
        path.write_bytes(other + content if where == "before" else content + other)
    with pytest.raises(ModelError, match=r"ambiguous|damaged|not a model"):
        load(path)


def test_an_archive_within_one_is_held_to_the_same(tmp_path, canary):  # noqa: F811
    """The example inputs of a .pt2 are an archive, which torch opens whatever is in it if it does not open it otherwise."""
    save_exported(tmp_path / "a.pt2")

    def change(members):
        inner = io.BytesIO(members["a/data/sample_inputs/model.pt"])
        with zipfile.ZipFile(inner, "a") as opened:
            opened.writestr(opened.namelist()[0].partition("/")[0] + "/DATA.PKL", evil_torch_file(canary))
        return members | {"a/data/sample_inputs/model.pt": inner.getvalue()}

    rewrite(tmp_path / "a.pt2", change)
    with pytest.raises(ModelError, match="ambiguous"):
        load_model(tmp_path / "a.pt2")


class Hidden(nn.Module):
    """What its code is, is put in its place."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, :5]


def torchscript_with(path, canary, code, member="a/code/__torch__/test_archives.py"):  # noqa: F811
    """A TorchScript archive whose forward begins with a line of code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Hidden(str(canary))), path)
    head = "x: Tensor) -> Tensor:\n"

    def change(members):
        (own,) = (name for name in members if name.endswith("test_archives.py"))
        text = members.pop(own).decode()
        assert head in text
        return members | {member: text.replace(head, f"{head}    {code}\n").encode()}

    rewrite(path, change)


def run_by_torch_alone(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.load(path)(FED)


SAVING = {
    "plain": "torch.save(x, self.path)",
    "as an operator": "ops.aten.save(x, self.path)",
    "by a name in quotes": 'getattr(torch, "save")(x, self.path)',
    "by a name that is spelt": r'getattr(torch, "sa\166e")(x, self.path)',
    "in other quotes": r"getattr(torch, 's\141ve')(x, self.path)",
    "over two lines": 'getattr(torch,\n      "sa\\166e")(x, self.path)',
    "within another": r'getattr(getattr(self, "forward"), "x") if False else getattr(torch, "\163ave")(x, self.path)',
    "after an alias": 'm = torch\n    getattr(m, "sa\\166e")(x, self.path)',
}


@pytest.mark.parametrize("how", SAVING)
def test_torchscript_cannot_spell_what_writes_files(tmp_path, canary, how):  # noqa: F811
    torchscript_with(tmp_path / "a.pt", canary, SAVING[how])
    with pytest.raises(ModelError, match=r"does more than compute.*trusted=True"):
        load_model(tmp_path / "a.pt").module(FED)


@pytest.mark.parametrize("how", ["plain", "by a name that is spelt", "in other quotes", "over two lines"])
def test_which_torch_would_have_run(tmp_path, how):
    torchscript_with(tmp_path / "a.pt", tmp_path / "ran", SAVING[how])
    run_by_torch_alone(tmp_path / "a.pt")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("line", ["o = ops", "o = torch.ops", "o = (ops)", "x = ops.c10d.wait(x)", "o = ops.aoti"])
def test_operators_of_other_libraries_have_no_other_name(tmp_path, canary, line):  # noqa: F811
    torchscript_with(tmp_path / "a.pt", canary, line)
    with pytest.raises(ModelError, match=r"does more than compute.*ops"):
        load_model(tmp_path / "a.pt")


@pytest.mark.parametrize("suffix", [".PY", ".Py", ".py.", ".pyc", ""])
def test_code_with_another_suffix_is_not_read(tmp_path, canary, suffix):  # noqa: F811
    path = tmp_path / "a.pt"
    torchscript_with(path, canary, SAVING["plain"], f"a/code/__torch__/test_archives{suffix}")
    with pytest.raises(ModelError, match="more than a network"):
        load_model(path).module(FED)


def test_which_torch_would_have_read_too(tmp_path):
    torchscript_with(tmp_path / "a.pt", tmp_path / "ran", SAVING["plain"], "a/CODE/__TORCH__/test_archives.PY")
    run_by_torch_alone(tmp_path / "a.pt")
    assert (tmp_path / "ran").exists()


def test_every_operator_that_is_told_a_file_s_name_is_refused():
    """Of those that torch has itself, by the names of what they are told."""
    telling = ("file", "path", "dir", "url", "library")
    found = {
        schema.name.partition("::")[2]
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.startswith(("aten::", "prim::", "prims::"))
        and any(
            word in argument.name and str(argument.type) in {"str", "Optional[str]"}
            for argument in schema.arguments
            for word in telling
        )
    }
    assert {"save", "from_file"} <= found
    assert [name for name in found if not _BEYOND.fullmatch(name)] == []


def test_notes_beside_a_network_are_not_given_to_torch(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.trace(trained.chambon().module, FED)
        torch.jit.save(scripted, tmp_path / "a.pt", _extra_files={"notes/about.json": "{}"})
    kept = zipfile.ZipFile(Archive(tmp_path / "a.pt").copied(without=r"extra/.*|.*\.debug_pkl")).namelist()
    assert "archive/data.pkl" in kept
    assert not [name for name in kept if "extra" in name or "debug" in name]
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / "a.pt").module(FED), trained.chambon().module(FED))


def test_a_whole_archive_is_copied_member_by_member(tmp_path):
    save_exported(tmp_path / "a.pt2")
    with zipfile.ZipFile(tmp_path / "a.pt2") as opened:
        expected = {f"archive/{name.partition('/')[2]}": opened.read(name) for name in opened.namelist()}
    with zipfile.ZipFile(Archive(tmp_path / "a.pt2").copied({"archive_version": b"7"})) as copy:
        found = {name: copy.read(name) for name in copy.namelist()}
    assert found == expected | {"archive/archive_version": b"7"}


def test_a_description_of_weights_that_names_others_finds_none(tmp_path, canary):  # noqa: F811
    """A weight whose record is an object, whatever case it is written in."""
    save_exported(tmp_path / "a.pt2")

    def change(members):
        name = "a/data/constants/model_constants_config.json"
        config = json.loads(members[name])
        config["config"]["x"] = {
            "path_name": "custom_obj_0",
            "is_param": False,
            "use_pickle": False,
            "tensor_meta": None,
        }
        return members | {name: json.dumps(config).encode(), "a/data/constants/CUSTOM_OBJ_0": evil_torch_file(canary)}

    rewrite(tmp_path / "a.pt2", change)
    with pytest.raises(ModelError, match="more than a graph"):
        load_model(tmp_path / "a.pt2")


def test_evil_is_evil(tmp_path):
    """The pickles of these tests do run where nobody looks at them."""
    torch.save(Evil(tmp_path / "ran"), tmp_path / "a.pt")
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert (tmp_path / "ran").exists()
