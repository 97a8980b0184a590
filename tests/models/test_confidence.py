"""Confidence: the fitted curve is that of greatest likelihood, and its reliability is counted right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spencer_desktop.core.pack import ConfidenceCurve
from spencer_models.confidence import (
    Bin,
    Observed,
    Reliability,
    fitted,
    recalled,
    reliability,
    reliability_figure,
    reranked,
)
from spencer_models.evaluate import Answers
from spencer_models.plotting import save
from spencer_models.retrieval import Recall, recall


def _drawn(curve: ConfidenceCurve, count: int) -> Observed:
    """Questions whose answers are right as often as `curve` says."""
    random = np.random.default_rng(0)
    scores = -np.sort(-random.uniform(0.1, 0.9, (count, curve.k)), axis=1).astype(np.float32)
    right = random.random(count) < [curve.at(row) or 0.0 for row in scores.tolist()]
    return Observed(scores, right)


def test_the_curve_that_made_the_answers_is_found_again() -> None:
    made = ConfidenceCurve(3, 12.0, 6.0, -11.0)
    seen = _drawn(made, 30_000)
    curve = fitted({"one": Observed(seen.scores[:9000], seen.right[:9000]), "two": seen})
    assert curve.k == 3
    found = (curve.best, curve.lead, curve.intercept)
    assert found == pytest.approx((12, 6, -11), rel=0.1)
    good = reliability(curve, seen)
    assert good.n == len(seen.right)
    assert good.error < 0.01
    assert reliability(ConfidenceCurve(3, 0.0, 0.0, 4.0), seen).error > 0.2


def test_scores_that_tell_right_from_wrong_without_fault_give_a_finite_curve() -> None:
    scores = np.array([[0.1, 0.0], [0.2, 0.1], [0.8, 0.1], [0.9, 0.2]], np.float32)
    curve = fitted({"": Observed(scores, scores[:, 0] > 0.5)})
    assert np.isfinite([curve.best, curve.lead, curve.intercept]).all()
    wrong, right = curve.at([0.15, 0.05]), curve.at([0.85, 0.15])
    assert wrong is not None
    assert right is not None
    assert wrong < 0.05 < 0.95 < right
    same = fitted({"": Observed(np.full((4, 2), 0.5, np.float32), np.array([True, False, False, False]))})
    assert same.at([0.5, 0.5]) == pytest.approx(0.25, abs=0.01)


def _answers(count: int, codes: int, seed: int, logits: bool = False) -> Answers:
    """Questions a little off their codes."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(codes, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:count] + random.normal(scale=0.2, size=(count, 8)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    found = recall(queries, vectors, 4)
    return Answers("s", queries, vectors, found.ranks, found, found.cosines * 0 if logits else None, 2.0)


def test_every_question_is_asked_with_and_without_its_code_in_pools_of_three_sizes() -> None:
    answers = [_answers(6, 40, 1), _answers(9, 30, 2)]
    seen = recalled(answers, 3)
    assert {name: len(found.right) for name, found in seen.items()} == {
        "right codes": 30,
        "one kind": 30,
        "all kinds": 30,
    }
    first = answers[0]
    cosines = first.queries @ first.codes.T
    with_own = -np.sort(-cosines, axis=1)[:, :3]
    np.testing.assert_allclose(seen["one kind"].scores[:6], with_own, rtol=1e-6)
    without = cosines.copy()
    without[np.arange(6), np.arange(6)] = -9
    np.testing.assert_allclose(seen["one kind"].scores[6:12], -np.sort(-without, axis=1)[:, :3], rtol=1e-6)
    assert seen["one kind"].right[:6].tolist() == (first.found.ranks <= 3).tolist()
    assert not seen["one kind"].right[6:12].any()
    # Among more codes the best wrong one is nearer.
    wrong = {name: found.scores[6:12, 0].mean() for name, found in seen.items()}
    assert wrong["right codes"] < wrong["one kind"] < wrong["all kinds"]


def test_pools_of_no_more_than_k_codes_are_left_out() -> None:
    assert set(recalled([_answers(2, 2, 1)], 3)) == set()
    assert set(recalled([_answers(2, 30, 1)], 3)) == {"one kind", "all kinds"}
    assert reranked([_answers(2, 30, 1)], 3) == {}
    assert reranked([_answers(2, 3, 1, logits=True)], 3) == {}


def test_what_was_reranked_is_judged_by_its_score() -> None:
    # Of question 0 the own code is second, of question 1 it is not among the three.
    top = np.array([[4, 0, 2], [3, 2, 4]])
    cosines = np.array([[0.9, 0.8, 0.1], [0.5, 0.4, 0.3]], np.float32)
    logits = np.array([[0.0, 3.0, 1.0], [1.0, 2.0, 9.0]], np.float32)
    vectors = np.zeros((2, 4), np.float32)
    found = Recall(np.array([2, 5]), top, cosines)
    (seen,) = reranked([Answers("s", vectors, vectors, found.ranks, found, logits, 10.0)], 2).values()
    np.testing.assert_allclose(seen.scores, [[11, 9], [6, 6], [9, 2], [6, 6]])
    assert seen.right.tolist() == [True, False, False, False]
    # Re-ranked may be fewer than were recalled.
    (fewer,) = reranked([Answers("s", vectors, vectors, found.ranks, found, logits[:1], 10.0)], 2).values()
    np.testing.assert_array_equal(fewer.scores, seen.scores[::2])


def test_who_is_warned_is_counted_by_kind() -> None:
    curve = ConfidenceCurve(2, 10.0, 0.0, -5.0)
    scores = np.array([[0.1, 0], [0.9, 0], [0.2, 0], [0.8, 0]], np.float32)
    found = reliability(curve, Observed(scores, np.array([False, False, True, True])), bins=2)
    assert (found.warned_wrong, found.warned_right) == (0.5, 0.5)
    assert [(round(b.confidence, 2), b.right, b.n) for b in found.bins] == [(0.03, 0.5, 2), (0.97, 0.5, 2)]
    assert found.error == pytest.approx(0.4666, abs=1e-3)


def test_reliability_is_drawn(tmp_path: Path) -> None:
    found = Reliability((Bin(0.1, 0.2, 5), Bin(0.9, 0.7, 5)), 0.1, 0.0)
    assert save(reliability_figure({"recall": found}), tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
