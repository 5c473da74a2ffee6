"""Every place of a .pt2 in which torch looks a name up: refused before torch sees the file, or not there when it does."""

from __future__ import annotations

import json
import math
import pickletools
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import torch
import trained
from test_security import FED, canary, edited, rewrite, save_exported  # noqa: F401  (a fixture)
from torch import nn

from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.stagers.formats.exported import _dispatched, _is_tree, _without_notes

LEAF = {"type": None, "context": None, "children_spec": []}


def tree(kind, context, *inner):
    return {"type": kind, "context": context, "children_spec": list(inner)}


ENUM = {"__enum__": True, "fqn": "eegflex_canary:Enum", "name": "MEMBER"}
FACTORY = {"default_factory_module": "eegflex_canary", "default_factory_name": "factory", "dict_context": ["x"]}
#: What makes torch import a module that the file names.
TREES = {
    "a factory": tree("collections.defaultdict", FACTORY, LEAF),
    "a factory within": tree(
        "builtins.tuple", "null", tree("builtins.list", "null", *[tree("collections.defaultdict", FACTORY)])
    ),
    "an enum for a key": tree("builtins.dict", json.dumps([ENUM]), LEAF),
    "an enum for nothing": tree("builtins.tuple", json.dumps(ENUM), LEAF),
    "an enum within": tree("builtins.list", json.dumps({"a": [{"b": ENUM}]}), LEAF),
    "an enum in a deque": tree("collections.deque", json.dumps(ENUM), LEAF),
    "an enum in an ordered dict": tree("collections.OrderedDict", json.dumps([ENUM]), LEAF),
}
#: What names no module, and is none of what is allowed either.
OTHERS = {
    "another protocol": [2, LEAF],
    "a named tuple": [1, tree("collections.namedtuple", "torch.return_types.max", LEAF)],
    "a class of its own": [1, tree("mine.Container", "null", LEAF)],
    "a leaf with a context": [1, tree(None, "{}")],
    "a leaf with more": [1, tree(None, None, LEAF)],
    "a tuple with a context": [1, tree("builtins.tuple", "[1]", LEAF)],
    "a dict of other keys": [1, tree("builtins.dict", '["a"]', LEAF, LEAF)],
    "a dict whose key ends a name": [1, tree("builtins.dict", '["x=__import__(\\"os\\")"]', LEAF)],
    "a field that is none": [1, LEAF | {"fqn": "eegflex_canary:Enum"}],
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "a.pt2"
    save_exported(path)
    return path


@pytest.fixture
def exported(good, tmp_path):
    """A good file, beside a module that leaves a file when it is imported."""
    return Path(shutil.copy(good, tmp_path))


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that sings when it is imported, and where it can be heard."""
    heard = tmp_path / "heard"
    lines = [
        "import enum, pathlib",
        f"pathlib.Path({str(heard)!r}).touch()",
        "class Enum(enum.Enum): MEMBER = 1",
        "factory = dict",
    ]
    (tmp_path / "eegflex_canary.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    yield heard
    sys.modules.pop("eegflex_canary", None)


@pytest.fixture
def unopened(monkeypatch):
    """torch is not asked to open anything."""

    def opened(*_, **__):
        pytest.fail("torch was given the file")

    monkeypatch.setattr(torch.export, "load", opened)


def set_tree(spec, text, entry=0):
    """Put a text in the place of what is fed or returned, by the whole or by a part of the network."""

    def change(graph):
        (calls,) = [graph["graph_module"]["module_call_graph"]]
        plain = {"inputs": [], "outputs": [], "in_spec": json.dumps([1, LEAF]), "out_spec": json.dumps([1, LEAF])}
        calls[entry]["signature"] = (calls[entry]["signature"] or plain) | {spec: text}

    return edited(change)


@pytest.mark.parametrize("entry", [0, 1])
@pytest.mark.parametrize("spec", ["in_spec", "out_spec"])
@pytest.mark.parametrize("name", TREES)
def test_a_tree_that_names_a_module_is_refused(exported, trap, unopened, name, spec, entry):
    rewrite(exported, set_tree(spec, json.dumps([1, TREES[name]]), entry))
    with pytest.raises(ModelError, match=rf"does more than compute.*{spec}.*trusted=True"):
        load_model(exported)
    assert not trap.exists()
    assert "eegflex_canary" not in sys.modules


@pytest.mark.parametrize("name", ["a factory", "an enum for a key", "an enum within"])
def test_which_torch_imports(exported, trap, name):
    """So would we, for those who trust it."""
    torch.utils._pytree.treespec_loads.cache_clear()
    rewrite(exported, set_tree("out_spec", json.dumps([1, TREES[name]])))
    load_model(exported, trusted=True)
    assert trap.exists()


@pytest.mark.parametrize("name", OTHERS)
def test_a_tree_is_of_plain_containers(exported, unopened, name):
    rewrite(exported, set_tree("out_spec", json.dumps(OTHERS[name])))
    with pytest.raises(ModelError, match=r"does more than compute|damaged"):
        load_model(exported)


@pytest.mark.parametrize(
    "text", ["", "[1]", "[1, 2]", "null", "[1, {}]", '[1, {"type": "builtins.dict"}]', "[" * 10**5, 7, {}]
)
def test_what_is_no_tree_is_damaged(exported, unopened, text):
    rewrite(exported, set_tree("out_spec", text))
    with pytest.raises(ModelError, match=r"does more than compute|damaged"):
        load_model(exported)


@pytest.mark.parametrize(
    "value",
    [0, [0], (0, [0, {"a": 0}]), {"logits": 0, "more": (0, [])}, ((), {}), {"a": {"b": {"c": [0, 0]}}}],
)
def test_trees_of_plain_containers_are_known(value):
    _, spec = torch.utils._pytree.tree_flatten(value)
    assert _is_tree(torch.utils._pytree.treespec_dumps(spec))


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.__class__.mro",
        "torch.ops.aten.__getattr__.__call__",
        "torch.ops.aten.conv2d.__class__",
        "torch.ops.aten.save.default",
        "torch.ops.aten.load.default",
        "torch.ops.aten.from_file.out",
        "torch.ops.aten.conv2d",
        "torch.ops.aten.\uff53in.default",
        "torch.ops.higher_order.cond",
        "torch.ops.c10d.send.default",
        "torch.ops.load_library",
        "torch.sym_constrain_range",
        "torch._dynamo.config",
        "math.__loader__",
        "_operator.methodcaller",
        "_operator.attrgetter",
        "#mine:op",
        "os.system",
    ],
)
@pytest.mark.parametrize("place", ["target", "as_operator"])
def test_only_operators_that_compute_are_called(exported, unopened, target, place):
    """Also where an operator is what another one is told."""

    def change(graph):
        node = graph["graph_module"]["graph"]["nodes"][1]
        if place == "target":
            node["target"] = target
        else:
            node["inputs"][2]["arg"] = {"as_operator": target}

    rewrite(exported, edited(change))
    with pytest.raises(ModelError, match=rf"does more than compute.*{place}.*trusted=True"):
        load_model(exported)


def test_operators_that_compute_are_those_that_torch_dispatches():
    assert {"aten::conv2d", "aten::conv2d.padding", "aten::lstm.input"} <= _dispatched()
    assert not {"aten::save", "aten::load", "aten::__class__"} & _dispatched()


def set_object(graph):
    graph["graph_module"]["graph"]["custom_obj_values"] = {
        "x": {"name": "x", "class_fqn": "__torch__.torch.classes.a.B"}
    }


def set_object_input(graph):
    graph["graph_module"]["signature"]["input_specs"][0] = {
        "custom_obj": {"arg": {"name": "x", "class_fqn": "a"}, "custom_obj_name": "x"}
    }


def set_object_argument(graph):
    graph["graph_module"]["graph"]["nodes"][0]["inputs"][1]["arg"] = {"as_custom_obj": {"name": "x", "class_fqn": "a"}}


def set_named_tuple(graph):
    graph["graph_module"]["treespec_namedtuple_fields"] = {"mine.Tuple": {"field_names": ["a"]}}


def set_text(graph):
    """What an operator is told is written into the source of a function, too."""
    graph["graph_module"]["graph"]["nodes"][0]["inputs"][1]["arg"] = {"as_string": "x\n__import__('os')"}


def set_texts(graph):
    graph["graph_module"]["graph"]["nodes"][0]["inputs"][1]["arg"] = {"as_strings": ["x", 'y"']}


def set_float(graph):
    graph["graph_module"]["graph"]["nodes"][0]["inputs"][1]["arg"] = {"as_float": "__import__('os')"}


def set_verifier(graph):
    graph["verifiers"] = ["a/b"]


def set_device(graph):
    graph["graph_module"]["graph"]["tensor_values"]["conv2d"]["device"] = {"type": "cpu:0;import os", "index": None}


def set_version(graph):
    graph["torch_version"] = "2.13\n__import__('os')"


def set_wide_name(graph):
    """Python reads wide letters as plain ones."""
    renamed = json.loads(json.dumps(graph).replace('"epochs"', '"\uff45val"'))
    graph.clear()
    graph.update(renamed)


def set_comment(graph):
    """sympy drops the ends of lines, and Python's parser what comes before them."""
    sizes = graph["graph_module"]["graph"]["tensor_values"]["conv2d"]["sizes"]
    sizes[0]["as_expr"]["expr_str"] = "Symbol('s13') #\n"


SETTERS = [
    *(set_object, set_object_input, set_object_argument, set_named_tuple, set_text, set_texts, set_float, set_verifier),
    *(set_device, set_version, set_wide_name, set_comment),
]


@pytest.mark.parametrize("change", SETTERS)
def test_no_text_of_a_description_is_exempt(exported, unopened, change):
    rewrite(exported, edited(change))
    with pytest.raises(ModelError, match=r"does more than compute.*trusted=True"):
        load_model(exported)


def test_notes_of_the_author_s_code_never_reach_torch(exported, trap):
    """torch looks up what they name; a model computes the same without them."""
    notes = {
        "source_fn_stack": "conv,torch.hub.load",
        "custom": json.dumps({"a": ENUM}),
        "from_node": json.dumps(
            [{"name": "x", "target": "torch.hub.load", "pass_name": "p", "action": [], "from_node": []}]
        ),
        "nn_module_stack": "a,b,__import__('os')",
    }
    described = []

    def change(graph):
        for node in graph["graph_module"]["graph"]["nodes"]:
            node["metadata"] = notes
        graph["graph_module"]["metadata"] = {"custom": "{}"}
        described.append(graph)

    with torch.no_grad():
        expected = load_model(exported).module(FED + 1)
        rewrite(exported, edited(change))
        torch.testing.assert_close(load_model(exported).module(FED + 1), expected, atol=0, rtol=0)
    assert "torch.hub.load" in json.dumps(described)
    assert "torch.hub.load" not in json.dumps(_without_notes(described[0]))
    assert not trap.exists()


def test_example_inputs_that_are_opened_in_another_way_are_not(exported, tmp_path, unopened):
    """What torch cannot open safely it opens otherwise: here by a call that only the other way makes."""

    def change(members):
        name = "a/data/sample_inputs/model.pt"
        with zipfile.ZipFile(exported) as opened, zipfile.ZipFile(opened.open(name)) as inner:
            parts = {own: inner.read(own) for own in inner.namelist()}
        (pickled,) = (own for own in parts if own.endswith("data.pkl"))
        # PROTO 2, an ordered dict, called with a tuple that it cannot take
        parts[pickled] = b"\x80\x02ccollections\nOrderedDict\n(K\x01K\x02tR."
        assert {op.name for op, _, _ in pickletools.genops(parts[pickled])} >= {"GLOBAL", "REDUCE"}
        made = tmp_path / "inner.zip"
        with zipfile.ZipFile(made, "w") as inner:
            for own, data in parts.items():
                inner.writestr(own, data)
        return members | {name: made.read_bytes()}

    rewrite(exported, change)
    with pytest.raises(ModelError, match=r"example inputs.*damaged"):
        load_model(exported)


class Wordy(nn.Module):
    """Operators that are told words and numbers that JSON has not, and a dict that comes out."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(30, 5)
        self.register_buffer("mask", torch.ones(30, 30, dtype=torch.bool).triu(1))

    def forward(self, target, metadata=None):
        x = target[:, 0, :30]
        attended = torch.einsum("bi,bj->bij", x, x).masked_fill(self.mask, -math.inf).softmax(-1)
        x = nn.functional.gelu((attended @ x[..., None])[..., 0], approximate="tanh")
        return {"logits": self.out(nn.functional.pad(x, (1, 0), mode="reflect")[:, 1:]), "more": [x, (x.mean(),)]}


def test_honest_words_are_no_harm(tmp_path):
    network = Wordy().eval()
    shapes = {"target": {0: torch.export.Dim("batch", min=1, max=64)}, "metadata": None}
    torch.export.save(torch.export.export(network, (FED, None), dynamic_shapes=shapes), tmp_path / "a.pt2")
    with torch.no_grad():
        found = load_model(tmp_path / "a.pt2").module.graph(FED + 1, None)
        torch.testing.assert_close(found["logits"], network(FED + 1)["logits"])


def test_a_graph_still_refuses_what_it_was_not_exported_for(exported):
    """What torch learns from the example inputs: how long an epoch is."""
    with pytest.raises((AssertionError, RuntimeError), match="3000"):
        load_model(exported).module(FED[..., :2900])


def test_a_trained_network_scores_as_before(tmp_path):
    network = trained.chambon().module
    torch.export.save(torch.export.export(network, (FED,)), tmp_path / "a.pt2")
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / "a.pt2").module(FED + 1), network(FED + 1))
