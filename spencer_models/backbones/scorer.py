"""The cross-encoder's head: token states of code and question read together → one logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.pooling import masked_mean

if TYPE_CHECKING:
    from spencer_models.backbones.base import Stack

HEADS = ("cls", "interaction")

# Logits for a cosine, as those of a dual encoder at its temperature.
_LATE_SCALE = 20.0


class PairScorer(nn.Module):
    """(code, query) read together → one logit (paper, section 2.2).

    The head is linear over the [CLS] state (`head="cls"`, the paper's), or over what the two texts share after
    attention has mixed them (`head="interaction"`, for stacks that read token types): the product of the unit mean
    states of code and query, and for the query's tokens the mean cosine of the best matching code token, which is late
    interaction. It starts at zero, so that an untrained scorer leaves the recall order as it is.

    The first `apart` layers read the two texts each for itself. Then the states compared are still near to those of
    the encoder that the stack comes from, and late interaction has its weight from the start.
    """

    def __init__(self, stack: Stack, head: str, apart: int = 0) -> None:
        super().__init__()
        if head not in HEADS:
            raise UserError(f"Unknown head of a re-ranker: {head!r}", hint='Use "cls" or "interaction".')
        if head == "interaction" and "token_type_ids" not in stack.input_names:
            raise UserError('This backbone does not mark the query\'s tokens, which the head "interaction" needs')
        self.stack = stack
        self.head = head
        self.apart = apart
        self.weight = nn.Parameter(torch.zeros(stack.width if head == "cls" else stack.width + 1))
        if apart:
            with torch.no_grad():
                self.weight[-1] = _LATE_SCALE / stack.width
        self.bias = nn.Parameter(torch.zeros(1))

    @property
    def input_names(self) -> tuple[str, ...]:
        return self.stack.input_names

    def forward(self, **features: Tensor) -> Tensor:
        """float32 [n]."""
        states, mask = self.stack.apart(self.apart, **features) if self.apart else self.stack(**features)
        pooled = states[:, 0] if self.head == "cls" else _interaction(states, mask, features["token_type_ids"])
        # Not a matrix product, which mixed precision would round to three digits.
        return (pooled * self.weight).sum(1) + self.bias


def _interaction(states: Tensor, mask: Tensor, token_type_ids: Tensor) -> Tensor:
    query_mask = mask * token_type_ids
    code_mask = mask * (1 - token_type_ids)
    code = nn.functional.normalize(masked_mean(states, code_mask), dim=1)
    query = nn.functional.normalize(masked_mean(states, query_mask), dim=1)
    tokens = nn.functional.normalize(states, dim=2)
    similar = tokens @ tokens.transpose(1, 2)
    best = similar.masked_fill(code_mask.unsqueeze(1) == 0, -1.0).amax(2, keepdim=True)
    # A product of two components of unit vectors is about 1/d. At size one, like those of the [CLS] state, its weight,
    # which starts at zero, matters after a few hundred steps.
    return torch.cat([code * query, masked_mean(best, query_mask)], dim=1) * states.shape[2]
