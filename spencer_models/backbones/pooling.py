"""How token states become one vector."""

from __future__ import annotations

from torch import Tensor

POOLINGS = ("cls", "mean")


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """[n, d]: mean over the positions where `mask` [n, t] is not 0."""
    weights = mask.unsqueeze(2).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
