"""CODEnn: a function by its name, its API sequence and its tokens (Gu et al., Deep code search, ICSE 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from spencer_desktop.core.text import split_identifier
from spencer_models.backbones.base import Code, Features
from spencer_models.backbones.scratch import Scratch, SequenceEncoder, WordVectors, masked_max, padded, unit
from spencer_models.backbones.vocabulary import PADDING_ID, Shape, Vocabulary
from spencer_models.structure.api_calls import api_calls
from spencer_models.structure.source import function_name, identifier_words, read_source


class CodeNNEncoder(nn.Module):
    """Name and API sequence by bidirectional LSTMs, tokens by a layer each; maxima; fused by one more layer.

    Both layers end in tanh. The vector is as wide as a description's.
    """

    input_names = ("name", "calls", "tokens")

    def __init__(self, vocabularies: Mapping[str, Vocabulary], shape: Shape, dropout: float) -> None:
        super().__init__()
        self.width = 2 * shape.lstm
        self.name = SequenceEncoder(len(vocabularies["name"]), shape, dropout)
        self.calls = SequenceEncoder(len(vocabularies["calls"]), shape, dropout)
        self.token_vectors = WordVectors(len(vocabularies["tokens"]), shape.embedding, dropout)
        self.token_layer = nn.Linear(shape.embedding, shape.embedding)
        self.fusion = nn.Linear(2 * self.width + shape.embedding, self.width)

    def forward(self, name: Tensor, calls: Tensor, tokens: Tensor) -> Tensor:
        """float32 [n, d], unit rows."""
        states = torch.tanh(self.token_layer(self.token_vectors(tokens)))
        bag = masked_max(states, tokens != PADDING_ID)
        fused = torch.tanh(self.fusion(torch.cat([self.name(name), self.calls(calls), bag], dim=1)))
        return unit(fused)


class CodeNN(Scratch):
    """Sizes of the paper: words 100 wide, states of 200 a direction, vectors of 400; lengths of the authors' program.

    Trained with a margin of 0.05. The authors' later program, in PyTorch, has 512, 1024, 512 and a margin of 0.413.
    """

    family = "codenn"
    kinds = ("name", "calls", "tokens")
    default_shape = Shape(100, 200, {"name": 6, "calls": 30, "tokens": 50, "description": 30})

    @classmethod
    def code_words(cls, code: Code, shape: Shape) -> dict[str, list[str]]:
        source = read_source(code.text, code.language)
        words = {
            "name": split_identifier(code.symbol.rpartition(".")[2] or function_name(source)),
            "calls": api_calls(source),
            "tokens": identifier_words(source, [source.root]),
        }
        return {kind: words[kind][: shape.lengths[kind]] for kind in cls.kinds}

    def code_encoder(self, dropout: float) -> nn.Module:
        return CodeNNEncoder(self.vocabularies, self.shape, dropout)

    def codes(self, codes: Sequence[Code], max_tokens: int) -> Features:
        words = [self.code_words(code, self.shape) for code in codes]
        return {k: padded([self.vocabularies[k].ids(row[k][:max_tokens]) for row in words]) for k in self.kinds}
