"""What the families that start from nothing share: sequences of words, LSTMs over them, and the description's encoder.

CODEnn and CRaDLe embed code and description jointly: cosine similarity, and a margin by which the right description
must be nearer than a random one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from spencer_desktop.core.text import identifiers, query_text, split_identifier
from spencer_models.backbones.base import Backbone, Code, Features, Side
from spencer_models.backbones.checkpoint import fill, read_weights, write_weights
from spencer_models.backbones.vocabulary import (
    PADDING_ID,
    UNKNOWN_ID,
    Prepared,
    Shape,
    most_frequent,
    read_prepared,
    write_prepared,
)

VOCABULARY_SIZE = 10_000
DESCRIPTION = "description"


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """int64 [n, t]; a row of nothing is read as one unknown word."""
    tensors = [torch.tensor(row or [UNKNOWN_ID]) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=PADDING_ID)


def masked_max(states: Tensor, mask: Tensor) -> Tensor:
    """[n, d]: for each component the maximum over the positions where `mask` [n, t] holds."""
    return states.masked_fill(~mask.unsqueeze(2), torch.finfo(states.dtype).min).amax(1)


def unit(vectors: Tensor) -> Tensor:
    """float32 [n, d], unit rows, whatever precision the layers ran in."""
    return nn.functional.normalize(vectors.float(), dim=1)


class WordVectors(nn.Embedding):
    """int64 [n, …] → float32 [n, …, d]; weights begin within ±0.1, as in both papers' programs."""

    def __init__(self, words: int, width: int, dropout: float) -> None:
        super().__init__(words, width, padding_idx=PADDING_ID)
        self._dropout = nn.Dropout(dropout)

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.weight, -0.1, 0.1)
        with torch.no_grad():
            self.weight[PADDING_ID] = 0

    def forward(self, input: Tensor) -> Tensor:
        return cast(Tensor, self._dropout(super().forward(input)))


class PooledLSTM(nn.Module):
    """float32 [n, t, d] → [n, 2 w]: the maximum of the states of one LSTM in reading direction and one against it.

    Neither sees padding: what is turned round is the sequence, not its row. In ONNX both are one operator that is told
    the lengths, because torch 2.13 exports LSTMs with a fixed length in all but the first graph of a process.
    """

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.onward = nn.LSTM(inputs, width, batch_first=True)
        self.back = nn.LSTM(inputs, width, batch_first=True)
        self._dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return masked_max(self._onnx_states(inputs, mask), mask)
        places = torch.arange(mask.shape[1], device=mask.device).unsqueeze(0)
        last = mask.sum(1, keepdim=True) - 1
        turned = torch.where(mask, last - places, places).unsqueeze(2).expand_as(inputs)
        states = [self.onward(inputs)[0], self.back(inputs.gather(1, turned))[0]]
        return torch.cat([masked_max(self._dropout(s), mask) for s in states], dim=1)

    def _onnx_states(self, inputs: Tensor, mask: Tensor) -> Tensor:
        both = (self.onward, self.back)
        biases = ("bias_ih_l0", "bias_hh_l0")
        [states] = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            (
                inputs.transpose(0, 1),
                torch.stack([_onnx_gates(lstm, "weight_ih_l0") for lstm in both]),
                torch.stack([_onnx_gates(lstm, "weight_hh_l0") for lstm in both]),
                torch.cat([torch.stack([_onnx_gates(lstm, name) for lstm in both]) for name in biases], dim=1),
                mask.sum(1).to(torch.int32),
            ),
            {"direction": "bidirectional", "hidden_size": self.onward.hidden_size},
            dtypes=(inputs.dtype,),
            shapes=((mask.shape[1], 2, mask.shape[0], self.onward.hidden_size),),
        )
        return states.permute(2, 0, 1, 3).flatten(2)


def _onnx_gates(lstm: nn.LSTM, name: str) -> Tensor:
    """Weights with the rows of input, forget, cell and output gate in ONNX's order: input, output, forget, cell."""
    inward, forget, cell, outward = lstm.get_parameter(name).chunk(4)
    return torch.cat([inward, outward, forget, cell])


class SequenceEncoder(nn.Module):
    """int64 [n, t] words → float32 [n, 2 w]."""

    def __init__(self, words: int, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.vectors = WordVectors(words, shape.embedding, dropout)
        self.lstm = PooledLSTM(shape.embedding, shape.lstm, dropout)

    def forward(self, words: Tensor) -> Tensor:
        return cast(Tensor, self.lstm(self.vectors(words), words != PADDING_ID))


class DescriptionEncoder(nn.Module):
    """The query encoder of both families."""

    input_names = ("words",)

    def __init__(self, words: int, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.width = 2 * shape.lstm
        self.sequence = SequenceEncoder(words, shape, dropout)

    def forward(self, words: Tensor) -> Tensor:
        """float32 [n, d], unit rows."""
        return unit(self.sequence(words))


class Scratch(Backbone):
    """A family with fresh weights and a vocabulary of its own, which `prepare` writes.

    `kinds` are the kinds of words on the code side.
    """

    kinds: ClassVar[tuple[str, ...]]
    default_shape: ClassVar[Shape]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        prepared = read_prepared(folder, self.family, (*self.kinds, DESCRIPTION), self.default_shape.lengths)
        self.shape = prepared.shape
        self.vocabularies = prepared.vocabularies

    @classmethod
    def prepare(
        cls,
        codes: Iterable[Code],
        queries: Iterable[str],
        folder: Path,
        *,
        size: int = VOCABULARY_SIZE,
        shape: Shape | None = None,
    ) -> None:
        """Writes what this family is opened on: the `size` most frequent words of each kind in the training pairs."""
        shape = shape or cls.default_shape
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in (*cls.kinds, DESCRIPTION)}
        for code in codes:
            for kind, words in cls.code_words(code, shape).items():
                counts[kind].update(words)
        for query in queries:
            counts[DESCRIPTION].update(_query_words(query))
        vocabularies = {kind: most_frequent(count, size) for kind, count in counts.items()}
        write_prepared(Prepared(cls.family, shape, vocabularies), folder)

    @classmethod
    @abstractmethod
    def code_words(cls, code: Code, shape: Shape) -> dict[str, list[str]]:
        """By each of `kinds`, the words that are read of a code."""

    @abstractmethod
    def code_encoder(self, dropout: float) -> nn.Module:
        """The code side with fresh weights."""

    def queries(self, queries: Sequence[str], max_tokens: int) -> Features:
        length = min(self.shape.lengths[DESCRIPTION], max_tokens)
        return {"words": padded([self.vocabularies[DESCRIPTION].ids(_query_words(q)[:length]) for q in queries])}

    def encoder(self, side: Side, folder: Path | None = None, *, dropout: float = 0.0) -> nn.Module:
        """A fresh encoder of that side, its weights drawn from torch's generator or read from what `save` wrote."""
        if side == "code":
            encoder = self.code_encoder(dropout)
        else:
            encoder = DescriptionEncoder(len(self.vocabularies[DESCRIPTION]), self.shape, dropout)
        if folder is not None:
            fill(encoder, read_weights(folder), folder)
        return encoder

    def save(self, encoder: nn.Module, folder: Path) -> None:
        write_weights(encoder, folder)


def _query_words(query: str) -> list[str]:
    return [word for identifier in identifiers(query_text(query)) for word in split_identifier(identifier)]
