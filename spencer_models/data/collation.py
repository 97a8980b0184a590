"""Texts → padded token ids, in batches of similar length. The tokenizer calls are those that the application makes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from spencer_desktop.core.types import Ids

_BLOCK_BATCHES = 50


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

    An epoch shows index i `times[i]` times (once, where none are given), never twice in one batch. With `groups`, a
    number for each index, a batch is of one group; what fills none is batched together at last. `at(step)` depends on
    the seed and the step alone, so that a resumed run sees what an uninterrupted one would.
    """

    def __init__(
        self,
        lengths: Sequence[int] | Ids,
        batch: int,
        seed: int,
        *,
        times: Ids | None = None,
        groups: Ids | None = None,
    ) -> None:
        self._lengths = np.asarray(lengths)
        self._batch = batch
        self._seed = seed
        self._times = np.ones(len(lengths), np.int64) if times is None else times
        self._groups = groups
        self._epoch = 0
        self._batches = self._shuffled(0)
        self.per_epoch = len(self._batches)
        """How many batches an epoch has."""

    def at(self, step: int) -> Ids:
        """int64 [at most batch]: the indices of one step."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[position]

    def _shuffled(self, epoch: int) -> list[Ids]:
        random = np.random.default_rng([self._seed, epoch])
        batches: list[Ids] = []
        for copy in range(int(self._times.max(initial=1))):
            order = random.permutation(np.flatnonzero(self._times > copy))
            if self._groups is not None:
                full, order = self._grouped(order)
                batches += full
            batches += self._split(order)
        batches = _none_alone(batches)
        return [batches[i] for i in random.permutation(len(batches))]

    def _grouped(self, order: Ids) -> tuple[list[Ids], Ids]:
        """The full batches of each group, and what is left over."""
        assert self._groups is not None
        by_group = order[np.argsort(self._groups[order], kind="stable")]
        starts = np.flatnonzero(np.diff(self._groups[by_group])) + 1
        batches: list[Ids] = []
        left = []
        for members in np.split(by_group, starts):
            full = len(members) // self._batch * self._batch
            batches += self._split(members[:full])
            left.append(members[full:])
        return batches, np.concatenate(left)

    def _split(self, order: Ids) -> list[Ids]:
        """Batches of what stands in `order`, each of rows alike in length."""
        if not len(order):
            return []
        # Sorting inside blocks of many batches saves padding and keeps batches random in everything but length.
        block = _BLOCK_BATCHES * self._batch
        parts = [order[start : start + block] for start in range(0, len(order), block)]
        ordered = np.concatenate([part[np.argsort(self._lengths[part], kind="stable")] for part in parts])
        return np.split(ordered, range(self._batch, len(order), self._batch))


def _none_alone(batches: Sequence[Ids]) -> list[Ids]:
    """A row alone has nothing to contrast: it joins a batch that lacks it."""
    joined = [batch for batch in batches if len(batch) > 1]
    for row in (batch for batch in batches if len(batch) == 1):
        place = next((i for i, batch in enumerate(joined) if row[0] not in batch), len(joined))
        joined[place : place + 1] = [np.concatenate([*joined[place : place + 1], row])]
    return joined
