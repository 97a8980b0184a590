"""Gradients of a loss over a whole batch of vectors, with the memory of a small part of it (GradCache).

A contrastive loss needs all vectors of a batch at once, its layers do not: the batch is encoded in parts without
keeping what backpropagation needs, the loss gives each vector its gradient, and each part is then encoded again and
takes its share. The second pass repeats the first one's dropout, so that the gradient is the plain one
(Gao et al., arXiv 2101.06983).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spencer_models.machine import Machine

LossOf = Callable[[Sequence[Tensor]], Tensor]
"""What every pass gives, a row for each of its rows → the loss."""

Encode = Callable[..., Tensor]
"""Features → a row for each row: a vector, or a vector and its tokens."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One encoder over one batch, which `parts` hold: features of consecutive rows, each padded for itself."""

    encoder: Encode
    parts: Sequence[dict[str, Tensor]]


def backward(passes: Sequence[Pass], loss_of: LossOf, machine: Machine, *, cached: bool) -> float:
    """Adds the gradient of `loss_of` over the passes' vectors to the encoders' weights; returns the loss.

    Not `cached`, every part is encoded once and memory holds them all.
    """
    if not cached:
        with machine.autocast():
            vectors = [torch.cat([p.encoder(**machine.features(part)) for part in p.parts]) for p in passes]
        return _propagate(loss_of(vectors))
    states: list[dict[str, Tensor]] = []
    vectors = [_without_graph(p, states, machine) for p in passes]
    loss = _propagate(loss_of(vectors))
    after = machine.rng_state()
    for number, (encoder, part, gradient) in enumerate(_shares(passes, vectors)):
        machine.set_rng_state(states[number])
        with machine.autocast():
            again = encoder(**machine.features(part))
        torch.autograd.backward(again, gradient)
    machine.set_rng_state(after)
    return loss


def _without_graph(one: Pass, states: list[dict[str, Tensor]], machine: Machine) -> Tensor:
    """The vectors of a pass as a leaf; the random state before each part is appended to `states`."""
    rows = []
    with torch.no_grad(), machine.autocast():
        for part in one.parts:
            states.append(machine.rng_state())
            rows.append(one.encoder(**machine.features(part)))
    return torch.cat(rows).requires_grad_()


def _shares(passes: Sequence[Pass], vectors: Sequence[Tensor]) -> Sequence[tuple[Encode, dict[str, Tensor], Tensor]]:
    """(encoder, part, gradient of the part's vectors) in the order in which the parts were encoded."""
    out = []
    for one, leaf in zip(passes, vectors, strict=True):
        sizes = [len(next(iter(part.values()))) for part in one.parts]
        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        out += [(one.encoder, part, g) for part, g in zip(one.parts, torch.split(gradient, sizes), strict=True)]
    return out


def _propagate(loss: Tensor) -> float:
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())
