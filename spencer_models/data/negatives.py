"""Hard negatives: the codes that the dual encoder takes for the answer though they are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spencer_desktop.core.types import Floats, Ids

# Codes this alike answer the same question.
_SAME_CODE = 0.95
# Questions this alike have the same answers.
_SAME_QUERY = 0.90
# An unlabelled code that the dual encoder prefers by this much to the labelled one is more likely right than wrong.
_SUSPICIOUS_LEAD = 0.15
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Negatives:
    """For each question of a pool the hardest wrong codes, best first; all positions are those of the pool.

    `own` float32 [n]: cosine with the right code; `rank` int64 [n]: its place, from 1; `codes` int64 [n, depth], -1
    where fewer were found.
    """

    own: Floats
    rank: Ids
    codes: Ids


def hard_negatives(queries: Floats, codes: Floats, keys: Sequence[str], depth: int) -> Negatives:
    """Row i of `queries` [n, d] is answered by row i of `codes` [n, d]; all rows are unit vectors.

    `keys` are equal for questions that count as the same. A candidate is left out as a likely false negative when its
    question or its code is nearly that of the right answer, or when it leads the right answer by far.
    """
    n = len(queries)
    seen: dict[str, int] = {}
    numbers = np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)
    out = Negatives(
        np.empty(n, np.float32),
        np.empty(n, np.int64),
        np.full((n, depth), -1, np.int64),
    )
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(n, start + _BLOCK))
        scores = queries[rows] @ codes.T
        own = scores[np.arange(len(rows)), rows][:, None]
        out.own[rows] = own[:, 0]
        out.rank[rows] = (scores > own).sum(1) + 1
        # Twice the depth, since some will be left out.
        wide = min(n, 2 * depth + 1)
        top = (
            np.argpartition(-scores, wide - 1, axis=1)[:, :wide] if wide < n else np.tile(np.arange(n), (len(rows), 1))
        )
        top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1)
        kept = _plausible(rows, top, np.take_along_axis(scores, top, 1), own, numbers, queries, codes)
        for row, candidates, keep in zip(rows, top, kept, strict=True):
            chosen = candidates[keep][:depth]
            out.codes[row, : len(chosen)] = chosen
    return out


def _plausible(
    rows: Ids,
    top: Ids,
    scores: Floats,
    own: Floats,
    numbers: Ids,
    queries: Floats,
    codes: Floats,
) -> NDArray[np.bool_]:
    """bool [r, w]: which of the candidates `top` [r, w] of the questions `rows` [r] are wrong answers for certain."""
    alike_code = np.einsum("rwd,rd->rw", codes[top], codes[rows]) > _SAME_CODE
    alike_query = np.einsum("rwd,rd->rw", queries[top], queries[rows]) > _SAME_QUERY
    same = (top == rows[:, None]) | (numbers[top] == numbers[rows][:, None])
    return np.asarray(~(alike_code | alike_query | same | (scores > own + _SUSPICIOUS_LEAD)))


def pooled_negatives(
    queries: Floats, codes: Floats, keys: Sequence[str], depth: int, pool: int, seed: int, groups: Ids | None = None
) -> Negatives:
    """`hard_negatives` within random pools of about `pool` rows (0: within all), by their positions among all rows.

    With `groups`, a number for each row, int64 [n], a pool has rows of one group.
    """
    n = len(queries)
    order = np.random.default_rng(seed).permutation(n)
    out = Negatives(np.empty(n, np.float32), np.empty(n, np.int64), np.full((n, depth), -1, np.int64))
    for rows in _pools(order, pool, groups):
        found = hard_negatives(queries[rows], codes[rows], [keys[i] for i in rows], depth)
        out.own[rows], out.rank[rows] = found.own, found.rank
        out.codes[rows] = np.where(found.codes < 0, -1, rows[found.codes])
    return out


def _pools(order: Ids, pool: int, groups: Ids | None) -> Iterator[Ids]:
    """The rows of each pool, in the order that is given."""
    for rows in [order] if groups is None else [order[groups[order] == group] for group in np.unique(groups)]:
        yield from np.array_split(rows, max(1, round(len(rows) / pool)) if pool else 1)
