"""The pipeline in numpy (paper, section 3.1): recall by cosine, the first K re-ranked, the rest behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spencer_desktop.core.types import Floats, Ids
from spencer_models.metrics import gold_ranks, reranked


@dataclass(frozen=True, slots=True)
class Recall:
    """What the dual encoder found for the questions of one pool; code i answers question i.

    `ranks` int64 [n]: the answers' places, from 1. `top` int64 [n, depth] and `cosines` float32 [n, depth]: the best
    codes, best first; an answer whose place is within `depth` stands there.
    """

    ranks: Ids
    top: Ids
    cosines: Floats

    def first(self, count: int) -> Recall:
        """What was found for the first `count` questions."""
        return Recall(self.ranks[:count], self.top[:count], self.cosines[:count])


def recall(queries: Floats, codes: Floats, depth: int) -> Recall:
    """`queries` [n, d] and `codes` [m ≥ n, d] are unit rows; ties count against the answer."""
    cosines = queries @ codes.T
    gold = np.arange(len(queries), dtype=np.int64)
    # Among equals the answer stands last, in the list as in its rank.
    is_gold = np.zeros(cosines.shape, np.bool_)
    is_gold[gold, gold] = True
    top = np.lexsort((is_gold, -cosines), axis=1)[:, :depth]
    ranks = gold_ranks(cosines, gold)
    return Recall(ranks, top, np.take_along_axis(cosines, top, 1))


def rerank(found: Recall, logits: Floats, k: int, recall_scale: float) -> Ids:
    """int64 [n]: the answers' places after the first `k` were put in the order of `recall_scale` · cosine + logit.

    `logits` float32 [n, depth] belong to `found.top`; a scale of 0 is the paper's order.
    """
    return reranked(found.ranks, np.float32(recall_scale) * found.cosines + logits, k)
