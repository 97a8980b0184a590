"""Texts → padded token ids, in batches of similar length. The tokenizer calls are those that the application makes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from spencer_desktop.core.types import Ids


@dataclass(frozen=True, slots=True)
class Tokens:
    """One padded batch: three int64 [n, t]."""

    input_ids: Ids
    attention_mask: Ids
    token_type_ids: Ids


class Collator:
    """Cuts and pads texts, and (code, query) pairs, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, pad_id: int = 0) -> None:
        self._source = tokenizer.to_str()
        self._pad_id = pad_id
        # Truncation is a setting of the object, not of the call, and several threads make batches at once.
        self._cutting: dict[int, Tokenizer] = {}

    def texts(self, texts: Sequence[str], max_tokens: int) -> Tokens:
        """One row for each text, cut to `max_tokens`."""
        return self._padded(list(texts), max_tokens)

    def pairs(self, pairs: Sequence[tuple[str, str]], max_tokens: int) -> Tokens:
        """One row for each (code, query); the longer of the two is cut first."""
        return self._padded(list(pairs), max_tokens)

    def _padded(self, inputs: list[str] | list[tuple[str, str]], max_tokens: int) -> Tokens:
        if max_tokens not in self._cutting:
            tokenizer = Tokenizer.from_str(self._source)
            tokenizer.enable_truncation(max_tokens)
            self._cutting[max_tokens] = tokenizer
        encodings = self._cutting[max_tokens].encode_batch(inputs)
        width = max(len(e.ids) for e in encodings)
        shape = (len(encodings), width)
        tokens = Tokens(np.full(shape, self._pad_id, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64))
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            tokens.input_ids[row, :length] = encoding.ids
            tokens.attention_mask[row, :length] = 1
            tokens.token_type_ids[row, :length] = encoding.type_ids
        return tokens


def batches_by_length(lengths: Sequence[int], batch: int, budget: int = sys.maxsize) -> Iterator[list[int]]:
    """Index lists that cover all `lengths` once, the longest first, so that a batch wastes little on padding.

    A list has at most `batch` entries. Where it has several, their number times the greatest length is within `budget`.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        size = min(batch, max(1, budget // max(1, lengths[order[start]])))
        yield order[start : start + size]
        start += size


class ShuffledBatches:
    """Batches of indices for any number of steps: shuffled anew each epoch, alike in length inside a batch.

    `at(step)` depends on the seed and the step alone, so that a resumed run sees what an uninterrupted one would.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._batch = batch
        self._seed = seed
        # A last batch of one row has nothing to contrast: it joins the one before it.
        self._per_epoch = max(1, -(-len(lengths) // batch) - (len(lengths) % batch == 1 and batch > 1))
        self._epoch = -1
        self._batches: list[Ids] = []

    def at(self, step: int) -> Ids:
        """int64 [at most batch]: the indices of one step."""
        epoch, position = divmod(step, self._per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[position]

    def _shuffled(self, epoch: int) -> list[Ids]:
        random = np.random.default_rng([self._seed, epoch])
        order = random.permutation(len(self._lengths))
        # Sorting inside blocks of many batches saves padding and keeps batches random in everything but length.
        block = 50 * self._batch
        for start in range(0, len(order), block):
            part = order[start : start + block]
            order[start : start + block] = part[np.argsort(self._lengths[part], kind="stable")]
        batches = np.split(order, self._batch * np.arange(1, self._per_epoch))
        return [batches[i] for i in random.permutation(len(batches))]
