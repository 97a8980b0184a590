"""What all families of models share: what they read, the encoder, and how a stack of layers is thinned.

A family is one file with one `Backbone` class, listed in `families.py`. Everything that trains, distils, exports or
evaluates knows these classes only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import code_text
from spencer_models.backbones.pooling import POOLINGS, masked_mean
from spencer_models.backbones.scorer import PairScorer

Features: TypeAlias = dict[str, Tensor]
"""One padded batch by input name; every tensor has the batch as its first dimension."""

Side: TypeAlias = Literal["code", "query"]


@dataclass(frozen=True, slots=True)
class Code:
    """A function as a code side reads it: its source as written, and its qualified symbol where one is known."""

    text: str
    language: str
    symbol: str = ""


class Stack(nn.Module, ABC):
    """Layers with a checkpoint's weights: features → the last layer's token states.

    `input_names` are those of `forward`, in order; the first dimension of each is the batch.
    """

    input_names: ClassVar[tuple[str, ...]]

    @property
    @abstractmethod
    def width(self) -> int:
        """Components of a state."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Layers."""

    @abstractmethod
    def forward(self, **features: Tensor) -> tuple[Tensor, Tensor]:
        """(float32 [n, t, d] states, int64 [n, t] which is 1 where there is a token and 0 where there is padding)."""

    def apart(self, layers: int, **features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(float32 [n, t, d] apart, float32 [n, t, d] joint, the mask), for families that mark types of tokens.

        In the first `layers` the tokens of each type see their own alone, as if they were a text of their own. The
        layers above, j of them, see all tokens; they stand beside the uppermost j of the first, on the same states.
        """
        raise NotImplementedError

    def freeze(self, layers: int) -> None:
        """Embeddings and the first `layers` learn no more; for the families that have `apart`."""
        raise NotImplementedError

    @abstractmethod
    def thinned(self, layers: Sequence[int]) -> Stack:
        """A copy that has only these layers (0 is the lowest), in this order, and all other weights."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes the folder that `Pretrained.stack` reads: the family's public format, safetensors."""

    def set_attention(self, implementation: str) -> str:
        """Selects "eager" (trains and exports alike everywhere) or "sdpa" (fused), where there is a choice.

        Returns what was selected before.
        """
        return implementation


class Encoder(nn.Module):
    """Features → unit vectors: the first token's state ("cls", paper, section 2.1) or the mean over tokens ("mean")."""

    def __init__(self, stack: Stack, pooling: str) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UserError(f"Unknown pooling {pooling!r}", hint='Use "cls" or "mean".')
        self.stack = stack
        self.pooling = pooling

    @property
    def input_names(self) -> tuple[str, ...]:
        return self.stack.input_names

    @property
    def width(self) -> int:
        return self.stack.width

    def forward(self, **features: Tensor) -> Tensor:
        """float32 [n, d], unit rows."""
        return self._pooled(*self.stack(**features))

    def with_tokens(self, length: int, **features: Tensor) -> Tensor:
        """float32 [n, 1 + length, d]: each vector, then its token states, at most `length`. Unit rows; padding is 0."""
        states, mask = self.stack(**features)
        tokens = nn.functional.normalize(states, dim=2) * mask.unsqueeze(2)
        rows = torch.cat([self._pooled(states, mask).unsqueeze(1), tokens], dim=1)
        return nn.functional.pad(rows, (0, 0, 0, 1 + length - rows.shape[1]))

    def _pooled(self, states: Tensor, mask: Tensor) -> Tensor:
        pooled = states[:, 0] if self.pooling == "cls" else masked_mean(states, mask)
        return nn.functional.normalize(pooled, dim=1)


class Backbone(ABC):
    """One family bound to one folder: how its encoders are built, kept and fed.

    `folder` holds a checkpoint in the family's public format or, for a family that starts from nothing, the vocabulary
    that `prepare` wrote.
    """

    family: ClassVar[str]
    public_checkpoint: ClassVar[str] = ""
    """Hub name of the public checkpoint; "" for a family without one."""
    licence: ClassVar[str] = "as its owner states"
    """That of the public checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def codes(self, codes: Sequence[Code], max_tokens: int) -> Features:
        """What the code encoder reads of each code."""

    @abstractmethod
    def queries(self, queries: Sequence[str], max_tokens: int) -> Features:
        """What the query encoder reads of each question."""

    @abstractmethod
    def encoder(self, side: Side, folder: Path | None = None, *, dropout: float = 0.0) -> nn.Module:
        """A fresh encoder of that side with the weights of `self.folder`, or of a folder that `save` wrote.

        Its `forward(**features)` gives float32 [n, d], unit rows; `input_names` and `width` describe it.
        """

    @abstractmethod
    def save(self, encoder: nn.Module, folder: Path) -> None:
        """Writes what `encoder(side, folder)` reads; the weights file is written last and is there whole or not."""


class Pretrained(Backbone):
    """A family whose two encoders, and re-ranker, start from one public checkpoint."""

    default_pooling: ClassVar[str] = "cls"

    def __init__(self, folder: Path, *, pooling: str = "", symbol_header: bool = False) -> None:
        super().__init__(folder)
        self.pooling = pooling or self.default_pooling
        self._symbol_header = symbol_header

    @abstractmethod
    def stack(self, folder: Path, *, dropout: float = 0.0) -> Stack:
        """The layers that stand in `folder`. UserError when a weight is missing or does not fit."""

    @abstractmethod
    def pairs(self, pairs: Sequence[tuple[Code, str]], max_tokens: int) -> Features:
        """`[CLS] code [SEP] query` (paper, section 2.2) for each (code, query); the longer of the two is cut first.

        A family may open the question, too.
        """

    def encoder(self, side: Side, folder: Path | None = None, *, dropout: float = 0.0) -> Encoder:
        return Encoder(self.stack(folder or self.folder, dropout=dropout), self.pooling)

    def save(self, encoder: nn.Module, folder: Path) -> None:
        assert isinstance(encoder, Encoder)
        encoder.stack.save(folder)

    def scorer(self, head: str, folder: Path | None = None, *, dropout: float = 0.0, joint: int = 0) -> PairScorer:
        """A cross-encoder that starts from the weights of `self.folder`, or of a folder that `save` wrote.

        It has `joint` more layers, which start as copies of the uppermost and stand beside them.
        """
        stack: Stack = self.stack(folder or self.folder, dropout=dropout)
        if joint > stack.depth:
            raise UserError(f"The backbone has {stack.depth} layers: cross.joint must be at most that")
        if joint:
            stack = stack.thinned((*range(stack.depth), *range(stack.depth - joint, stack.depth)))
        return PairScorer(stack, head, joint)

    def source_text(self, code: Code) -> str:
        """The text of a code: as the application feeds it (`symbol_header`), or as written (the paper's sets)."""
        return code_text(code.symbol if self._symbol_header else "", code.text)


def kept_layers(depth: int, removed: int) -> tuple[int, ...]:
    """Which of `depth` layers stay when `removed` are taken out: evenly spread, the first and the last among them.

    The paper does not say which are taken. Of one layer it is the last: pupils of the last layer of a trained
    MiniLM kept 97 % of its validation MRR after one epoch, those of the first 89 %, at the better of two learning rates
    each. Of none what is left is a look-up of the tokens' embeddings. UserError when more than all are to be taken.
    """
    if not 0 <= removed <= depth:
        raise UserError(f"{removed} layers cannot be taken from a model of {depth} layers")
    if depth - removed <= 1:
        return tuple(range(removed, depth))
    return tuple(int(i) for i in np.linspace(0, depth - 1, depth - removed).round())


def compress_scorer(scorer: PairScorer, layers: int) -> PairScorer:
    """A copy of `scorer` with so many of its layers, chosen as for an encoder, and its head; joint layers all stay."""
    depth, joint = scorer.stack.depth, scorer.joint
    kept = (*kept_layers(depth - joint, depth - layers), *range(depth - joint, depth))
    with torch.no_grad():
        small = PairScorer(scorer.stack.thinned(kept), scorer.head, joint)
        small.weight.copy_(scorer.weight)
        small.bias.copy_(scorer.bias)
    return small


def compress(encoder: Encoder, removed: int) -> Encoder:
    """ModelCompression(M, P) of Algorithm 1: a copy of `encoder` without `removed` of its layers."""
    with torch.no_grad():
        return Encoder(encoder.stack.thinned(kept_layers(encoder.stack.depth, removed)), encoder.pooling)
