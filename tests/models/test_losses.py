from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spencer_models.losses import (
    distillation,
    dual_distillation,
    group_matching,
    group_ranking,
    matching,
    query_distillation,
)

# Unit and longer vectors whose cosines are 0.6, 0.8, 0 and 1: the losses can be added up by hand.
STUDENT = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
TEACHER = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
CODES = torch.tensor([[0.0, 5.0], [0.0, 1.0]])


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _random(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(7).normal(size=shape).astype(np.float32))


def test_query_distillation_by_hand() -> None:
    # (1 − 0.6) + (1 − 0)
    assert query_distillation(STUDENT, TEACHER).item() == pytest.approx(1.4, abs=1e-6)


def test_dual_distillation_by_hand() -> None:
    # |0 − 0.8| + |1 − 0|
    assert dual_distillation(STUDENT, TEACHER, CODES).item() == pytest.approx(1.8, abs=1e-6)


def test_distillation_is_the_sum_and_zero_for_a_perfect_student() -> None:
    assert distillation(STUDENT, TEACHER, CODES).item() == pytest.approx(3.2, abs=1e-6)
    assert distillation(3 * TEACHER, TEACHER, CODES).item() == pytest.approx(0.0, abs=1e-6)


def test_distillation_agrees_with_numpy() -> None:
    student, teacher, codes = _random(3, 9, 5)
    s, t, c = student.numpy(), teacher.numpy(), codes.numpy()
    expected = (1 - _cosine(s, t)).sum() + np.abs(_cosine(c, t) - _cosine(s, c)).sum()
    assert distillation(student, teacher, codes).item() == pytest.approx(float(expected), rel=1e-5)


def test_matching_by_hand() -> None:
    # Logit 0 is a probability of one half; logit ln 3 one of three quarters.
    logits = torch.tensor([0.0, math.log(3), math.log(3)])
    labels = torch.tensor([1, 1, 0])
    expected = math.log(2) + math.log(4 / 3) + math.log(4)
    assert matching(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_group_matching_labels_the_first_column() -> None:
    logits = _random(4, 3)
    probability = 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))
    expected = -np.log(probability[:, 0]).sum() - np.log(1 - probability[:, 1:]).sum()
    assert group_matching(logits).item() == pytest.approx(float(expected), rel=1e-5)


def test_group_ranking_by_hand_and_unmoved_by_a_shift() -> None:
    logits = torch.tensor([[math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]])
    # 2 / 4 and 1 / 3
    assert group_ranking(logits).item() == pytest.approx(math.log(2) + math.log(3), rel=1e-6)
    assert group_ranking(logits + 5).item() == pytest.approx(math.log(2) + math.log(3), rel=1e-5)
