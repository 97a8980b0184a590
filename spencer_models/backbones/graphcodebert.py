"""GraphCodeBERT (arXiv 2009.08366): RoBERTa's layers over the tokens of a function and the nodes of its data flow.

The input is `[CLS] code [SEP] nodes`, as in the published code for code search. A token has its ordinary position, a
node position 0, and a node's word embedding is the mean of those of the tokens it stands for. Who attends to whom
(graph-guided attention): tokens to tokens; [CLS] and [SEP] to everything; a node and the tokens it stands for to each
other; a node to the nodes that its value comes from, and to nothing else, itself included.

Of `max_tokens` the nodes have as many as there are, up to a fifth (the original's 64 of 320), and more where the code
leaves room. Different from the original: nodes whose tokens were cut off are left out, not kept without a meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import RobertaConfig

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import code_header, query_text
from spencer_models.backbones.base import Code, Features
from spencer_models.backbones.codebert import RobertaStack
from spencer_models.backbones.transformers_stack import TokenBackbone, states_of
from spencer_models.structure.dataflow import dataflow

NODE_POSITION = 0
NODE_SHARE = 5

Ids32: TypeAlias = "NDArray[np.int32]"
Bools: TypeAlias = "NDArray[np.bool_]"

_NO_PAIRS = np.zeros((0, 2), np.int32)

# A few kilobytes each: the functions of a training set are read anew in every epoch.
MAX_CACHED = 1 << 19


class GraphStack(RobertaStack):
    """RoBERTa's layers, told by a mask who attends to whom; the positions up to that of padding are for nodes, too.

    `input_ids`, `position_ids`: int64 [n, t]; `attention_mask`: bool [n, t, t], row i is what i attends to.
    """

    input_names = ("input_ids", "position_ids", "attention_mask")

    def forward(self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """The mask that comes out has tokens only: a mean over states is one over tokens, not over nodes."""
        words = self.embedded(input_ids, position_ids, attention_mask)
        # Padding, which nobody reads, attends to everything: a softmax over nothing is not a number.
        allowed = attention_mask | ~attention_mask.any(2, keepdim=True)
        bias = torch.zeros_like(allowed, dtype=words.dtype).masked_fill(~allowed, torch.finfo(words.dtype).min)
        out = self.model(
            inputs_embeds=words,
            position_ids=position_ids,
            token_type_ids=torch.zeros_like(position_ids),
            attention_mask=bias[:, None],
        )
        return states_of(out), (position_ids > self.config.pad_token_id).long()

    def embedded(self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """float32 [n, t, d]: word embeddings, those of nodes being the mean of their tokens'."""
        words: Tensor = self.model.embeddings.word_embeddings(input_ids)
        nodes = (position_ids == NODE_POSITION)[:, :, None]
        own = nodes & attention_mask & (position_ids > self.config.pad_token_id)[:, None, :]
        shares = own.to(words.dtype) / own.sum(2, keepdim=True).clamp(min=1)
        return torch.where(nodes, shares @ words, words)


@dataclass(frozen=True, slots=True)
class _Graph:
    """A text in pieces of the vocabulary, and the graph over them.

    `ids`: int32 [p]. `spans`: int32 [k, 2], of each node, in order, the half-open span of its pieces. `edges`: int32
    [e, 2], a node and a node that its value comes from.
    """

    ids: Ids32
    spans: Ids32
    edges: Ids32


@dataclass(frozen=True, slots=True)
class _Row:
    """One input before padding: its tokens, where [CLS] and [SEP] stand among them, and the graph as in `_Graph`."""

    ids: list[int]
    specials: list[int]
    spans: Ids32
    edges: Ids32

    def __len__(self) -> int:
        return len(self.ids) + len(self.spans)

    def attend(self, mask: Bools) -> None:
        """Sets in `mask` [t, t], t at least the row's length, who attends to whom."""
        tokens, both = len(self.ids), len(self)
        places = np.arange(tokens)
        own = (self.spans[:, :1] <= places) & (places < self.spans[:, 1:])
        mask[:tokens, :tokens] = True
        mask[self.specials, :both] = True
        mask[tokens:both, :tokens] = own
        mask[:tokens, tokens:both] |= own.T
        mask[tokens + self.edges[:, 0], tokens + self.edges[:, 1]] = True


class GraphCodeBert(TokenBackbone):
    """microsoft/graphcodebert-base. Reads the data flow of Python and Java; other languages as tokens alone."""

    family = "graphcodebert"
    public_checkpoint = "microsoft/graphcodebert-base"
    stack_kind = GraphStack
    config_kind = RobertaConfig
    weight_prefixes = ("roberta.", "")
    unused_weights = ("pooler.", "lm_head.", "embeddings.position_ids")

    def __init__(self, folder: Path, *, pooling: str = "", symbol_header: bool = False) -> None:
        super().__init__(folder, pooling=pooling, symbol_header=symbol_header)
        self._cls, self._sep, self._unknown = (self._special(token) for token in ("<s>", "</s>", "<unk>"))
        self._graph = lru_cache(MAX_CACHED)(self._read)

    def codes(self, codes: Sequence[Code], max_tokens: int) -> Features:
        """`[CLS] code [SEP] nodes` of each code, without its comments and docstrings."""
        return self._batch([self._row([self._graph(code)], max_tokens) for code in codes])

    def queries(self, queries: Sequence[str], max_tokens: int) -> Features:
        """`[CLS] query [SEP]`, every token attending to every other."""
        return self._batch([self._row([graph], max_tokens) for graph in self._plain(queries)])

    def pairs(self, pairs: Sequence[tuple[Code, str]], max_tokens: int) -> Features:
        """`[CLS] code [SEP] query [SEP] nodes` of each (code, query); the longer of the two is cut first."""
        queries = self._plain([query for _, query in pairs])
        graphs = [[self._graph(code), query] for (code, _), query in zip(pairs, queries, strict=True)]
        return self._batch([self._row(both, max_tokens) for both in graphs])

    def _plain(self, queries: Sequence[str]) -> list[_Graph]:
        encodings = self.tokenizer.encode_batch([query_text(q) for q in queries], add_special_tokens=False)
        return [_Graph(np.asarray(e.ids, np.int32), _NO_PAIRS, _NO_PAIRS) for e in encodings]

    def _read(self, code: Code) -> _Graph:
        header = code_header(code.symbol if self._symbol_header else "", code.text)
        text = self.source_text(code)[len(header) :]
        flow = dataflow(text, code.language)
        words = [header.strip()] if header else []
        before = len(words)
        words += [text[start:end] for start, end in flow.tokens]
        # In the middle of a text a word of this vocabulary begins with the space before it.
        spaced = [word if place == 0 else " " + word for place, word in enumerate(words)]
        encoding = self.tokenizer.encode(spaced, is_pretokenized=True, add_special_tokens=False)
        bounds = np.searchsorted(np.asarray(encoding.word_ids, np.int32), np.arange(len(words) + 1))
        ids = np.asarray(encoding.ids[: self.stack_kind.longest(self.config)], np.int32)
        places = [before + token for token in flow.nodes]
        spans = np.array([bounds[[place, place + 1]] for place in places], np.int32).reshape(-1, 2)
        number = {token: node for node, token in enumerate(flow.nodes)}
        edges = [(number[target], number[source]) for target, sources in flow.edges for source in sources]
        return _within(_Graph(ids, spans, np.array(edges, np.int32).reshape(-1, 2)), len(ids), len(spans))

    def _row(self, parts: Sequence[_Graph], max_tokens: int) -> _Row:
        """The parts, each ended by [SEP], and the nodes of the first, cut to `max_tokens`."""
        self.check_length(max_tokens, 1 + len(parts))
        room = max_tokens - 1 - len(parts)
        reserved = min(len(parts[0].spans), max_tokens // NODE_SHARE)
        sizes = _cut([len(part.ids) for part in parts], room - reserved)
        graph = _within(parts[0], sizes[0], room - sum(sizes))
        ids, specials = [self._cls], [0]
        for part, size in zip(parts, sizes, strict=True):
            ids += part.ids[:size].tolist()
            specials.append(len(ids))
            ids.append(self._sep)
        return _Row(ids, specials, graph.spans + 1, graph.edges)

    def _batch(self, rows: Sequence[_Row]) -> Features:
        shape = (len(rows), max(map(len, rows)))
        input_ids = np.full(shape, self.pad_id, np.int64)
        position_ids = np.full(shape, self.pad_id, np.int64)
        mask = np.zeros((*shape, shape[1]), np.bool_)
        for number, row in enumerate(rows):
            tokens = len(row.ids)
            input_ids[number, :tokens] = row.ids
            input_ids[number, tokens : len(row)] = self._unknown
            position_ids[number, :tokens] = np.arange(tokens) + self.pad_id + 1
            position_ids[number, tokens : len(row)] = NODE_POSITION
            row.attend(mask[number])
        arrays = (input_ids, position_ids, mask)
        return {name: torch.from_numpy(a) for name, a in zip(GraphStack.input_names, arrays, strict=True)}

    def _special(self, token: str) -> int:
        number = self.tokenizer.token_to_id(token)
        if number is None:
            raise UserError(f"The vocabulary at {self.folder} has no {token}", hint="Copy the checkpoint again, whole.")
        return number


def _within(graph: _Graph, pieces: int, nodes: int) -> _Graph:
    """The first pieces of a graph, and its first nodes: at most so many, and of these pieces."""
    nodes = min(nodes, int(np.searchsorted(graph.spans[:, 1], pieces, side="right")))
    return _Graph(graph.ids[:pieces], graph.spans[:nodes], graph.edges[(graph.edges < nodes).all(axis=1)])


def _cut(sizes: Sequence[int], room: int) -> list[int]:
    """One or two sizes that have room together: the longer is cut first."""
    if len(sizes) == 1:
        return [min(sizes[0], room)]
    half = room // 2
    first = min(sizes[0], max(room - half, room - sizes[1]))
    return [first, min(sizes[1], room - first)]
