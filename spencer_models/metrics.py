"""Retrieval metrics from ranks (paper, section 4.4), averaged over pools; numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spencer_desktop.core.types import Floats
from spencer_models.results import Scores


def gold_ranks(scores: Floats, gold: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 [n]: the rank (from 1) of column `gold[i]` in row i of `scores` [n, m]. Ties count against the gold."""
    own = scores[np.arange(len(gold)), gold]
    return np.asarray((scores >= own[:, None]).sum(1), np.int64)


def reranked(ranks: NDArray[np.int64], scores: Floats, k: int) -> NDArray[np.int64]:
    """int64 [n]: ranks after the first k of each list are put in the order of `scores` [n, at least k].

    Row i of `scores` belongs to list i in recall order. What stands behind k keeps its place (paper, section 3.1). Ties
    count against the gold.
    """
    out: NDArray[np.int64] = ranks.copy()
    for i in np.flatnonzero(ranks <= k):
        out[i] = int((scores[i, :k] >= scores[i, ranks[i] - 1]).sum())
    return out


def mrr(ranks: ArrayLike) -> float:
    """Mean reciprocal rank (paper, Eq. 11)."""
    return float((1.0 / np.asarray(ranks, np.float64)).mean())


def recall_at(ranks: ArrayLike, k: int) -> float:
    """Share of questions whose gold stands among the first k (paper, Eq. 10)."""
    return float((np.asarray(ranks) <= k).mean())


def pooled_scores(ranks: Sequence[NDArray[np.int64]], dropped: int) -> Scores:
    """The mean over pools of each pool's metrics; `ranks` are those of each pool's questions, `dropped` of none."""

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    return Scores(
        r1=mean([recall_at(r, 1) for r in ranks]),
        r3=mean([recall_at(r, 3) for r in ranks]),
        r5=mean([recall_at(r, 5) for r in ranks]),
        mrr=mean([mrr(r) for r in ranks]),
        n=sum(len(r) for r in ranks),
        pools=len(ranks),
        dropped=dropped,
    )
