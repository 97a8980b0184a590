"""CRaDLe: a function as statements and what they depend on (Gu et al., Neural Networks 2021, arXiv 2012.01028)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spencer_models.backbones.base import Code, Features
from spencer_models.backbones.scratch import PooledLSTM, Scratch, WordVectors, unit
from spencer_models.backbones.vocabulary import PADDING_ID, UNKNOWN_ID, Shape
from spencer_models.structure.source import read_source
from spencer_models.structure.statements import Statement, dependency_rows, read_statements


class CradleEncoder(nn.Module):
    """Words → statements by attention; each beside its row of the dependency matrix → the function by LSTMs.

    The authors' program reads, in the place of the row, the mean of the statements that it names, and takes the last
    states of the LSTMs in the place of their maximum.
    """

    input_names = ("words", "dependencies")

    def __init__(self, words: int, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.width = 2 * shape.lstm
        self.vectors = WordVectors(words, shape.embedding, dropout)
        self.attention = nn.Linear(shape.embedding, 1)
        self.lstm = PooledLSTM(shape.embedding + shape.lengths["statements"], shape.lstm, dropout)

    def forward(self, words: Tensor, dependencies: Tensor) -> Tensor:
        """float32 [n, d], unit rows; of int64 [n, s, t] words and [n, s, the most statements] dependencies."""
        vectors = self.vectors(words)
        scores = self.attention(vectors).squeeze(3)
        scores = scores.masked_fill(words == PADDING_ID, torch.finfo(scores.dtype).min)
        statements = (scores.softmax(2).unsqueeze(3) * vectors).sum(2)
        inputs = torch.cat([statements, dependencies.to(statements.dtype)], dim=2)
        # Every statement has a word.
        return unit(self.lstm(inputs, words[:, :, 0] != PADDING_ID))


class Cradle(Scratch):
    """Sizes of the authors' program: words 256 wide, states of 1024 a direction; 20 statements of 5 words.

    Trained with a margin of 0.3986.
    """

    family = "cradle"
    kinds = ("words",)
    default_shape = Shape(256, 1024, {"statements": 20, "words": 5, "description": 30})

    @classmethod
    def code_words(cls, code: Code, shape: Shape) -> dict[str, list[str]]:
        return {"words": [word for s in _statements(code, shape) for word in s.words[: shape.lengths["words"]]]}

    def code_encoder(self, dropout: float) -> nn.Module:
        return CradleEncoder(len(self.vocabularies["words"]), self.shape, dropout)

    def codes(self, codes: Sequence[Code], max_tokens: int) -> Features:
        """At most `max_tokens` statements and as many words of each; no statement is read as one unknown word."""
        size, length = self.shape.lengths["statements"], min(self.shape.lengths["words"], max_tokens)
        functions = [_statements(code, self.shape)[:max_tokens] for code in codes]
        most = max(1, *(len(f) for f in functions))
        words = torch.full((len(codes), most, length), PADDING_ID)
        words[:, 0, 0] = UNKNOWN_ID
        dependencies = torch.zeros(len(codes), most, size, dtype=torch.int64)
        for number, statements in enumerate(functions):
            for place, statement in enumerate(statements):
                ids = self.vocabularies["words"].ids(statement.words[:length])
                words[number, place, : len(ids)] = torch.tensor(ids)
            dependencies[number, : len(statements)] = torch.from_numpy(dependency_rows(statements, size))
        return {"words": words, "dependencies": dependencies}


def _statements(code: Code, shape: Shape) -> list[Statement]:
    return read_statements(read_source(code.text, code.language), shape.lengths["statements"])
