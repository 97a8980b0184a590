"""Confidence: the fitted curve is that of greatest likelihood, and its reliability is counted right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spencer_desktop.core.pack import ConfidenceCurve
from spencer_models.confidence import (
    Bin,
    Observed,
    calibration_error,
    fitted,
    observed,
    reliability,
    reliability_figure,
)
from spencer_models.evaluate import Answers
from spencer_models.plotting import save
from spencer_models.retrieval import Recall


def test_the_curve_that_made_the_answers_is_found_again() -> None:
    random = np.random.default_rng(0)
    made = ConfidenceCurve(12.0, -6.0)
    scores = random.uniform(0.1, 0.9, 20_000).astype(np.float32)
    right = random.random(len(scores)) < [made.at(float(score)) for score in scores]
    curve = fitted(Observed(scores, right))
    assert curve.slope == pytest.approx(12, rel=0.05)
    assert curve.intercept == pytest.approx(-6, rel=0.05)
    bins = reliability(curve, Observed(scores, right))
    assert sum(b.n for b in bins) == len(scores)
    assert calibration_error(bins) < 0.01
    assert calibration_error(reliability(ConfidenceCurve(0.0, 4.0), Observed(scores, right))) > 0.3


def test_scores_that_tell_right_from_wrong_without_fault_give_a_finite_curve() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9], np.float32)
    curve = fitted(Observed(scores, scores > 0.5))
    assert np.isfinite([curve.slope, curve.intercept]).all()
    assert curve.at(0.15) < 0.05 < 0.95 < curve.at(0.85)
    same = fitted(Observed(np.full(4, 0.5, np.float32), np.array([True, False, False, False])))
    assert same.at(0.5) == pytest.approx(0.25, abs=0.01)


def test_every_question_is_asked_with_and_without_its_code() -> None:
    # Of question 0 the own code is second, of question 1 it is not among the three.
    top = np.array([[4, 0, 2], [3, 2, 4]])
    cosines = np.array([[0.9, 0.8, 0.1], [0.5, 0.4, 0.3]], np.float32)
    logits = np.array([[0.0, 3.0, 1.0], [1.0, 2.0, 9.0]], np.float32)
    answers = [Answers("s", np.array([2, 5]), Recall(np.array([2, 5]), top, cosines), logits, 10.0)]
    recall = observed(answers, 2, reranked=False)
    np.testing.assert_allclose(recall.scores, [0.9, 0.5, 0.9, 0.5])
    assert recall.right.tolist() == [True, False, False, False]
    mixed = observed(answers, 2, reranked=True)
    np.testing.assert_allclose(mixed.scores, [11.0, 6.0, 9.0, 6.0])
    assert mixed.right.tolist() == recall.right.tolist()


def test_reliability_is_drawn(tmp_path: Path) -> None:
    path = save(reliability_figure({"recall": [Bin(0.1, 0.2, 5), Bin(0.9, 0.7, 5)]}), tmp_path / "r.png")
    assert path.read_bytes().startswith(b"\x89PNG")
