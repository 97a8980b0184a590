from __future__ import annotations

import numpy as np
import pytest

from spencer_models.data.negatives import hard_negatives, pooled_negatives


def _unit(rows: list[list[float]]) -> np.ndarray:
    array = np.array(rows, np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_the_nearest_wrong_codes_come_first_and_the_answer_never() -> None:
    random = np.random.default_rng(0)
    queries = _unit(random.normal(size=(300, 24)).tolist())
    codes = _unit((queries + 0.9 * random.normal(size=(300, 24))).tolist())
    found = hard_negatives(queries, codes, [str(i) for i in range(300)], depth=5)
    scores = queries @ codes.T
    for i in range(300):
        assert found.rank[i] == 1 + sum(scores[i] > scores[i, i])
        allowed = [
            j
            for j in np.argsort(-scores[i])
            if j != i
            and codes[j] @ codes[i] <= 0.95
            and queries[j] @ queries[i] <= 0.9
            and scores[i, j] <= scores[i, i] + 0.15
        ]
        # Only the first of the list is looked at, so that fewer than `depth` may be left.
        chosen = found.codes[i][found.codes[i] >= 0]
        assert chosen.tolist() == allowed[: len(chosen)]
        assert i not in chosen


def test_likely_answers_are_left_out() -> None:
    queries = _unit([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.99, 0.1, 0], [0, 1, 1], [0, 1, -1]])
    codes = _unit([[1, 1, 0], [1, 1, 0.1], [1, 0, 0], [0.6, 0.2, 1], [0.5, 0, -1], [0.4, -1, 0.3]])
    keys = ["a", "b", "c", "d", "a", "e"]
    found = hard_negatives(queries, codes, keys, depth=5)
    # 1 has nearly the code of 0, 2 leads it by far, 3 asks nearly the same and 4 the same: only 5 is wrong for certain.
    assert found.codes[0].tolist() == [5, -1, -1, -1, -1]
    assert found.rank[0] == 2


def test_pools_are_mined_each_for_itself() -> None:
    random = np.random.default_rng(4)
    queries = _unit(random.normal(size=(60, 24)).tolist())
    codes = _unit((queries + 0.9 * random.normal(size=(60, 24))).tolist())
    keys = [str(n) for n in range(60)]
    found = pooled_negatives(queries, codes, keys, 8, pool=20, seed=1)
    order = np.random.default_rng(1).permutation(60)
    pool_of = {int(row): number for number, part in enumerate(np.array_split(order, 3)) for row in part}
    for row in range(60):
        chosen = found.codes[row][found.codes[row] >= 0]
        assert len(chosen) == len(set(chosen.tolist())) > 0
        assert {pool_of[int(code)] for code in chosen} == {pool_of[row]}
        assert row not in chosen
        assert found.rank[row] <= 20
        assert found.own[row] == pytest.approx(float(queries[row] @ codes[row]), abs=1e-6)
    # Of one group each, though the groups are not equally large.
    groups = np.array([0] * 45 + [1] * 15)
    found = pooled_negatives(queries, codes, keys, 8, pool=20, seed=1, groups=groups)
    for row in range(60):
        chosen = found.codes[row][found.codes[row] >= 0]
        assert len(chosen)
        assert set(groups[chosen]) == {groups[row]}
        assert found.rank[row] <= 23
    whole = pooled_negatives(queries, codes, keys, 8, pool=0, seed=1)
    np.testing.assert_array_equal(whole.codes, hard_negatives(queries, codes, keys, 8).codes)
