"""Recurrent layers of which one step varies: what torch computes, and its slopes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from eegflex.stagers.recurrent import ROWS, layers_of, one_varies, recorded

N_INPUTS, SIZE, BATCH = 7, 4, 3


def network(n_layers, dtype):
    torch.manual_seed(n_layers)
    sizes = [N_INPUTS, *[2 * SIZE] * (n_layers - 1)]
    grus = [nn.GRU(n, SIZE, bidirectional=True, batch_first=True).requires_grad_(False).to(dtype) for n in sizes]
    return grus, layers_of(grus)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("n_layers", [2, 3, 5])
@pytest.mark.parametrize(("n_epochs", "start", "length"), [(9, 2, 6), (9, 0, 9), (6, 5, 1), (1, 0, 1), (8, 3, 5)])
def test_it_is_the_whole_night_seen_from_one_epoch(products, n_layers, n_epochs, start, length, dtype, tolerance):
    """The states at its edges are the recorded night's."""
    grus, layers = network(n_layers, dtype)
    night = torch.randn(1, n_epochs, N_INPUTS, dtype=dtype)
    outputs, states = [], night
    for gru in grus:
        states, _ = gru(states)
        outputs.append(states[0])
    zero = torch.zeros(BATCH, SIZE, dtype=dtype)
    stop = start + length
    left = torch.stack([own[start - 1, :SIZE].expand(BATCH, -1) if start else zero for own in outputs])
    right = torch.stack([own[stop, SIZE:].expand(BATCH, -1) if stop < n_epochs else zero for own in outputs])
    known = recorded(layers, night[0], outputs[0])
    members = torch.arange(start, stop)[:, None].expand(-1, BATCH)
    weights = torch.arange(1, 2 * SIZE * BATCH + 1, dtype=dtype).cos().reshape(BATCH, 2 * SIZE)
    for at in range(length):
        code = torch.randn(BATCH, N_INPUTS, dtype=dtype).requires_grad_(True)
        found = one_varies(layers, code, known, members, (left, right), at)
        with torch.no_grad():
            assert torch.equal(one_varies(layers, code, known, members, (left, right), at), found)
        there = (torch.arange(length) == at)[:, None]
        states = torch.where(there, code[:, None], night[:, start:stop])
        for gru, before, after in zip(grus, left, right, strict=True):
            states, _ = gru(states, torch.stack([before, after]))
        expected = states[:, at]
        slopes = [torch.autograd.grad((weights * one).sum(), code)[0] for one in (found, expected)]
        for own, theirs in ((found.detach(), expected.detach()), slopes):
            assert float((own - theirs).norm()) <= tolerance * float(theirs.norm())


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0], ids=["fading", "as made", "lasting"])
@pytest.mark.parametrize("batch", [1, ROWS // 3, ROWS + 1])
def test_epochs_of_several_windows_share_a_batch(gain, batch):
    """Whatever is far away counts, whether states fade or not; and however many steps are made ready at once."""
    grus, _ = network(3, torch.float64)
    for gru in grus:
        for weight in gru.parameters():
            weight.mul_(gain)
    layers, n_epochs, length, at = layers_of(grus), 70, 41, 20
    night, outputs, states = torch.randn(1, n_epochs, N_INPUTS, dtype=torch.float64), [], None
    for gru in grus:
        states, _ = gru(night if states is None else states)
        outputs.append(states[0])
    start = torch.arange(batch) % 28 + 1
    members = start + torch.arange(length)[:, None]
    edges = (
        torch.stack([own[start - 1, :SIZE] for own in outputs]),
        torch.stack([own[start + length, SIZE:] for own in outputs]),
    )
    code = torch.randn(batch, N_INPUTS, dtype=torch.float64).requires_grad_(True)
    found = one_varies(layers, code, recorded(layers, night[0], outputs[0]), members, edges, at)
    states = torch.where((torch.arange(length) == at)[:, None], code[:, None], night[0][members.T])
    for gru, *ends in zip(grus, *edges, strict=True):
        states, _ = gru(states, torch.stack(ends))
    for target in (0, 2 * SIZE - 1):  # one graph, asked twice
        own, theirs = (
            torch.autograd.grad(one[:, target].sum(), code, retain_graph=True)[0] for one in (found, states[:, at])
        )
        assert float((own - theirs).norm()) <= 1e-12 * float(theirs.norm())


@pytest.mark.parametrize("n_layers", [2, 4])
def test_windows_that_end_elsewhere_share_a_batch_too(n_layers):
    """Each is put around its epoch: what another one has beside it there, with whatever epochs, does not count."""
    grus, layers = network(n_layers, torch.float64)
    n_epochs, outputs, states = 12, [], torch.randn(1, 12, N_INPUTS, dtype=torch.float64)
    night = states[0]
    for gru in grus:
        states, _ = gru(states)
        outputs.append(states[0])
    target = torch.tensor([0, 1, 5, 6, 11, 6])
    start, stop = torch.tensor([0, 0, 2, 0, 8, 6]), torch.tensor([4, 6, 9, 12, 12, 7])
    zero = torch.zeros(len(target), SIZE, dtype=torch.float64)
    left = torch.stack([torch.where((start > 0)[:, None], own[start - 1, :SIZE], zero) for own in outputs])
    right = torch.stack(
        [torch.where((stop < n_epochs)[:, None], own[stop.clamp(max=11), SIZE:], zero) for own in outputs]
    )
    code, known = torch.randn(len(target), N_INPUTS, dtype=torch.float64), recorded(layers, night, outputs[0])
    weights = torch.arange(1.0, 2 * SIZE + 1, dtype=torch.float64).cos()

    def slopes(rows):
        own = code[rows].requires_grad_(True)
        at = int((target - start)[rows].max())
        steps = torch.arange(-at, int((stop - target)[rows].max()))[:, None] + target[rows]
        within = (steps >= start[rows]) & (steps < stop[rows])
        edges = left[:, rows], right[:, rows]
        found = one_varies(
            layers, own, known, steps.clamp(0, n_epochs - 1), edges, at, None if within.all() else within
        )
        return torch.cat([found.detach(), torch.autograd.grad((weights * found).sum(), own)[0]], dim=1)

    alone = torch.cat([slopes([row]) for row in range(len(target))])
    torch.testing.assert_close(slopes(list(range(len(target)))), alone, rtol=0, atol=1e-13)
