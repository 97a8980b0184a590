"""The cached gradient is the plain one: in parts, with dropout, for shared encoders."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from spencer_models.cached_gradient import Pass, backward
from spencer_models.losses import code_contrast, cross_contrast
from spencer_models.machine import Machine

MACHINE = Machine(torch.device("cpu"), "float32")
ROWS, PART = 12, 5


class Net(nn.Module):
    """A small encoder with dropout that counts how often it runs."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 4))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return nn.functional.normalize(self.layers(x), dim=1)


def _parts(seed: int) -> list[dict[str, Tensor]]:
    rows = torch.randn(ROWS, 6, generator=torch.Generator().manual_seed(seed))
    return [{"x": part} for part in rows.split(PART)]


def _loss(vectors: Sequence[Tensor]) -> Tensor:
    queries, codes, again = vectors
    return (cross_contrast(codes, queries) + code_contrast(codes, again)) / len(codes)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("shared", [False, True])
def test_cached_equals_plain(dropout: float, shared: bool) -> None:
    torch.manual_seed(0)
    query = Net(dropout)
    code = query if shared else Net(dropout)
    gradients, losses, draws = [], [], []
    for cached in (False, True):
        query.zero_grad(), code.zero_grad()
        torch.manual_seed(1)
        passes = [Pass(query, _parts(1)), Pass(code, _parts(2)), Pass(code, _parts(2))]
        losses.append(backward(passes, _loss, MACHINE, cached=cached))
        draws.append(torch.rand(1))
        gradients.append([p.grad.clone() for net in {query, code} for p in net.parameters() if p.grad is not None])
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert len(gradients[0]) == 4 * (1 if shared else 2)
    for plain, cached_one in zip(*gradients, strict=True):
        torch.testing.assert_close(cached_one, plain, rtol=1e-4, atol=1e-7)
    # What is drawn next is what a plain run would draw.
    assert torch.equal(*draws)


def test_the_batch_in_one_part_without_dropout_has_the_same_gradient() -> None:
    torch.manual_seed(0)
    net = Net(0.0)
    gradients = []
    for cut in (PART, ROWS):
        net.zero_grad()
        parts = [[{"x": p} for p in torch.cat([x["x"] for x in _parts(s)]).split(cut)] for s in (1, 2)]
        backward([Pass(net, parts[0]), Pass(net, parts[1]), Pass(net, parts[1])], _loss, MACHINE, cached=cut == PART)
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_only_the_cached_form_runs_twice_and_without_a_graph_first() -> None:
    net = Net(0.0)
    passes = [Pass(net, _parts(1)), Pass(net, _parts(2)), Pass(net, _parts(2))]
    backward(passes, _loss, MACHINE, cached=False)
    assert net.calls == 9
    backward(passes, _loss, MACHINE, cached=True)
    assert net.calls == 9 + 18


def test_vectors_that_the_loss_does_not_use_get_no_gradient() -> None:
    net, idle = Net(0.0), Net(0.0)
    backward([Pass(net, _parts(1)), Pass(idle, _parts(2))], lambda v: v[0].sum(), MACHINE, cached=True)
    assert all(p.grad is not None for p in net.parameters())
    assert all(p.grad is None or not p.grad.any() for p in idle.parameters())
