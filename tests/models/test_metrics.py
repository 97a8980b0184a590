from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spencer_models.metrics import gold_ranks, mrr, recall_at, reranked

# Few distinct values, so that ties are common.
SCORES = arrays(np.float32, (4, 6), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def _naive_rank(row: np.ndarray, gold: int) -> int:
    worse_than_gold = [i for i in range(len(row)) if i != gold and row[i] < row[gold]]
    return len(row) - len(worse_than_gold)


@given(SCORES, st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_ranks_and_their_metrics_equal_a_naive_version(scores: np.ndarray, gold: list[int]) -> None:
    ranks = gold_ranks(scores, np.array(gold))
    naive = [_naive_rank(row, g) for row, g in zip(scores, gold, strict=True)]
    assert ranks.tolist() == naive
    assert mrr(ranks) == pytest.approx(sum(1 / r for r in naive) / 4)
    assert recall_at(ranks, 3) == pytest.approx(sum(r <= 3 for r in naive) / 4)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 6))
def test_reranking_moves_only_what_stands_in_the_first_k(ranks: list[int], k: int) -> None:
    scores = np.random.default_rng(len(ranks)).normal(size=(len(ranks), 6)).astype(np.float32)
    after = reranked(np.array(ranks), scores, k)
    for before, now, row in zip(ranks, after, scores, strict=True):
        if before > k:
            assert now == before
        else:
            order = sorted(range(k), key=lambda i: -row[i])
            assert now == order.index(before - 1) + 1


def test_a_tie_counts_against_the_gold() -> None:
    assert reranked(np.array([1]), np.array([[0.5, 0.5, 0.1]], np.float32), 3).tolist() == [2]
