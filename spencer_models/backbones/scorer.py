"""The cross-encoder's head: token states of code and question read together → one logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.pooling import masked_mean

if TYPE_CHECKING:
    from spencer_models.backbones.base import Stack

HEADS = ("cls", "interaction", "late")

# Logits for a cosine, as a dual encoder has at its temperature.
_COSINE_SCALE = 20.0


class PairScorer(nn.Module):
    """(code, query) read together → one logit (paper, section 2.2).

    The head is linear over the [CLS] state (`head="cls"`, the paper's), or over what the two texts share after
    attention has mixed them (`head="interaction"`, for stacks that read token types): the product of the unit mean
    states of code and query, and for the query's tokens the mean cosine of the best matching code token. It starts at
    zero, so that an untrained scorer leaves the recall order as it is.

    With `head="late"` all but the `joint` last layers read the two texts each for itself, as a dual encoder does. What
    is compared after these is its cosine and late interaction, and has its weight from the start; what the joint layers
    find is compared in the same way and added, with a weight that starts at zero. So an untrained scorer orders as the
    encoder that it was made of, and learns what that one cannot see.
    """

    def __init__(self, stack: Stack, head: str, joint: int = 0) -> None:
        super().__init__()
        if head not in HEADS:
            raise UserError(f"Unknown head of a re-ranker: {head!r}", hint=f"Known are {', '.join(HEADS)}.")
        if head != "cls" and "token_type_ids" not in stack.input_names:
            raise UserError(f'This backbone does not mark the query\'s tokens, which the head "{head}" needs')
        self.stack = stack
        self.head = head
        self.joint = joint
        features = stack.width if head == "cls" else stack.width + 1
        known = [torch.full((features,), _COSINE_SCALE / stack.width)] if head == "late" else []
        learnt = [torch.zeros(features)] if head != "late" or joint else []
        self.weight = nn.Parameter(torch.cat([*known, *learnt]))
        self.bias = nn.Parameter(torch.zeros(1))

    def freeze(self) -> None:
        """With the head "late", the layers that it has from a dual encoder learn no more: their score is kept."""
        if self.head == "late":
            self.stack.freeze(self.stack.depth - self.joint)

    @property
    def input_names(self) -> tuple[str, ...]:
        return self.stack.input_names

    def forward(self, **features: Tensor) -> Tensor:
        """float32 [n]."""
        # Not a matrix product, which mixed precision would round to three digits.
        return (self._compared(features) * self.weight).sum(1) + self.bias

    def _compared(self, features: dict[str, Tensor]) -> Tensor:
        if self.head == "cls":
            states, mask = self.stack(**features)
            first: Tensor = states[:, 0]
            return first
        types = features["token_type_ids"]
        if self.head == "interaction":
            states, mask = self.stack(**features)
            return _interaction(states, mask, types)
        apart, together, mask = self.stack.apart(self.stack.depth - self.joint, **features)
        stages = (apart, together) if self.joint else (apart,)
        return torch.cat([_interaction(states, mask, types) for states in stages], dim=1)


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
