"""Every equation against a value worked by hand and against an independent numpy version."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spencer_models.losses import (
    code_contrast,
    contrastive_distillation,
    cross_contrast,
    direct_training,
    distillation,
    dual_distillation,
    dual_training,
    group_ranking,
    info_nce,
    late_contrast,
    late_interaction,
    margin_ranking,
    matching,
    query_contrast,
    query_distillation,
    score_matching,
)

# Unit and longer vectors whose cosines are 0.6, 0.8, 0 and 1: the losses can be added up by hand.
STUDENT = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
TEACHER = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
CODES = torch.tensor([[0.0, 5.0], [0.0, 1.0]])

# Products 1, 0.6 and 0, 0.8: row i belongs to column i.
ANCHORS = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
CANDIDATES = torch.tensor([[1.0, 0.0], [0.6, 0.8]])


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _random(*shape: int) -> torch.Tensor:
    rows = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def _naive_info_nce(a: np.ndarray, b: np.ndarray, temperature: float, literal: bool) -> float:
    total = 0.0
    for i in range(len(a)):
        weights = [math.exp(float(a[i] @ b[j]) / temperature) for j in range(len(b))]
        others = sum(w for j, w in enumerate(weights) if not (literal and j == i))
        total -= math.log(weights[i] / others)
    return total


def test_contrast_by_hand() -> None:
    # τ = 0.2: row 0 has e^5 against e^3, row 1 has e^4 against e^0.
    by_hand = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-4))
    assert info_nce(ANCHORS, CANDIDATES, 0.2).item() == pytest.approx(by_hand, rel=1e-5)
    # As printed the positive is not in the denominator: −5 + 3 and −4 + 0.
    assert info_nce(ANCHORS, CANDIDATES, 0.2, literal=True).item() == pytest.approx(-6, rel=1e-5)


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize("loss", [code_contrast, query_contrast, cross_contrast])
def test_equations_1_to_3_agree_with_numpy(loss, literal: bool) -> None:  # type: ignore[no-untyped-def]
    a, b = _random(2, 6, 8)
    expected = _naive_info_nce(a.numpy(), b.numpy(), 0.05, literal)
    assert loss(a, b, literal=literal).item() == pytest.approx(expected, rel=1e-4)


def test_equation_3_takes_the_queries_as_negatives_of_a_code() -> None:
    codes, queries = ANCHORS, CANDIDATES
    assert cross_contrast(codes, queries, 0.2).item() != pytest.approx(cross_contrast(queries, codes, 0.2).item())
    assert cross_contrast(codes, queries, 0.2).item() == pytest.approx(info_nce(codes, queries, 0.2).item())


def test_equation_4_is_the_sum_of_the_three() -> None:
    codes, codes_again, queries, queries_again = _random(4, 5, 8)
    expected = sum(
        _naive_info_nce(a.numpy(), b.numpy(), 0.05, literal=False)
        for a, b in ((codes, codes_again), (queries, queries_again), (codes, queries))
    )
    assert dual_training(codes, codes_again, queries, queries_again).item() == pytest.approx(expected, rel=1e-4)


def test_further_candidates_are_negatives_of_every_anchor() -> None:
    extra = torch.cat([CANDIDATES, torch.tensor([[0.0, 1.0]])])
    # Row 0: e^5 against e^3 and e^0; row 1: e^4 against e^0 and e^5.
    by_hand = math.log(1 + math.exp(-2) + math.exp(-5)) + math.log(1 + math.exp(-4) + math.exp(1))
    assert info_nce(ANCHORS, extra, 0.2).item() == pytest.approx(by_hand, rel=1e-5)


def test_a_candidate_that_answers_too_is_no_negative() -> None:
    same = torch.tensor([[True, True], [False, True]])
    # Row 0 has no negative left; row 1 has e^4 against e^0. The diagonal is never left out.
    by_hand = math.log(1 + math.exp(-4))
    assert info_nce(ANCHORS, CANDIDATES, 0.2, same=same).item() == pytest.approx(by_hand, rel=1e-5)
    student, again, teacher, codes = _random(4, 2, 8)
    found = contrastive_distillation(student, again, teacher, codes, same=torch.ones(2, 2, dtype=torch.bool))
    assert found.item() == pytest.approx(distillation(student, teacher, codes).item(), rel=1e-5)


def test_the_literal_form_refuses_a_batch_of_one() -> None:
    assert info_nce(ANCHORS[:1], CANDIDATES[:1], 0.2).item() == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ValueError, match="batch of one"):
        info_nce(ANCHORS[:1], CANDIDATES[:1], 0.2, literal=True)


def test_the_literal_form_has_the_gradient_of_its_negatives() -> None:
    anchors = ANCHORS.clone().requires_grad_()
    info_nce(anchors, CANDIDATES, 0.2, literal=True).backward()  # type: ignore[no-untyped-call]
    # d/da of −(a·b_i − a·b_j) / τ
    expected = (CANDIDATES.flip(0) - CANDIDATES) / 0.2
    torch.testing.assert_close(anchors.grad, expected)


def test_equation_5_by_hand() -> None:
    # Logit 0 is a probability of one half; logit ln 3 one of three quarters.
    logits = torch.tensor([0.0, math.log(3), math.log(3)])
    labels = torch.tensor([1, 1, 0])
    expected = math.log(2) + math.log(4 / 3) + math.log(4)
    assert matching(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_equation_5_agrees_with_numpy() -> None:
    logits, labels = 3 * _random(12), torch.arange(12) % 2
    probability = 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))
    y = labels.numpy()
    expected = -(y * np.log(probability) + (1 - y) * np.log(1 - probability)).sum()
    assert matching(logits, labels).item() == pytest.approx(float(expected), rel=1e-5)


def test_group_ranking_by_hand_and_unmoved_by_a_shift() -> None:
    logits = torch.tensor([[math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]])
    # 2 / 4 and 1 / 3
    assert group_ranking(logits).item() == pytest.approx(math.log(2) + math.log(3), rel=1e-6)
    assert group_ranking(logits + 5).item() == pytest.approx(math.log(2) + math.log(3), rel=1e-5)


def test_equation_6_by_hand() -> None:
    # (1 − 0.6) + (1 − 0)
    assert query_distillation(STUDENT, TEACHER).item() == pytest.approx(1.4, abs=1e-6)


def test_equation_7_by_hand() -> None:
    # |0 − 0.8| + |1 − 0|
    assert dual_distillation(STUDENT, TEACHER, CODES).item() == pytest.approx(1.8, abs=1e-6)


def test_equation_8_is_the_sum_and_zero_for_a_perfect_student() -> None:
    assert distillation(STUDENT, TEACHER, CODES).item() == pytest.approx(3.2, abs=1e-6)
    assert distillation(3 * TEACHER, TEACHER, CODES).item() == pytest.approx(0.0, abs=1e-6)


def test_equations_6_to_8_agree_with_numpy() -> None:
    student, teacher, codes = 2 * _random(3, 9, 5)
    s, t, c = student.numpy(), teacher.numpy(), codes.numpy()
    single, dual = (1 - _cosine(s, t)).sum(), np.abs(_cosine(c, t) - _cosine(s, c)).sum()
    assert query_distillation(student, teacher).item() == pytest.approx(float(single), rel=1e-5)
    assert dual_distillation(student, teacher, codes).item() == pytest.approx(float(dual), rel=1e-5)
    assert distillation(student, teacher, codes).item() == pytest.approx(float(single + dual), rel=1e-5)


def test_equation_9_by_hand_and_with_numpy() -> None:
    # L_D = 0 for a perfect student. τ = 0.2, as above, both for the second pass and for the codes.
    contrast = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-4))
    found = contrastive_distillation(CANDIDATES, ANCHORS, CANDIDATES, ANCHORS, 0.2)
    turned = _naive_info_nce(CANDIDATES.numpy(), ANCHORS.numpy(), 0.2, literal=False)
    assert found.item() == pytest.approx(contrast + turned, rel=1e-5)
    student, again, teacher, codes = _random(4, 6, 8)
    s, a, t, c = (x.numpy() for x in (student, again, teacher, codes))
    direct = _naive_info_nce(s, a, 0.05, literal=False) + _naive_info_nce(c, s, 0.05, literal=False)
    distilled = (1 - _cosine(s, t)).sum() + np.abs(_cosine(c, t) - _cosine(s, c)).sum()
    assert direct_training(student, again, codes).item() == pytest.approx(direct, rel=1e-4)
    expected = float(distilled) + direct
    assert contrastive_distillation(student, again, teacher, codes).item() == pytest.approx(expected, rel=1e-4)


def test_margin_ranking_by_hand() -> None:
    # Cosines with the positives 0.6 and 1, with the negatives 0.8 and 0: only the first is short of the margin.
    queries = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    negatives = torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    assert margin_ranking(STUDENT, queries, negatives, 0.05).item() == pytest.approx(0.05 - 0.6 + 0.8, abs=1e-6)


def test_scores_are_matched_up_to_what_a_group_has_in_common() -> None:
    # Less their means: (-1, 0, 1) against (-2, 0, 2), and (-1, 1, 0) against the same.
    student = torch.tensor([[1.0, 2.0, 3.0], [0.0, 2.0, 1.0]])
    teacher = torch.tensor([[0.0, 2.0, 4.0], [7.0, 9.0, 8.0]])
    assert score_matching(student, teacher).item() == pytest.approx(2 / 3)
    assert score_matching(student, student + torch.tensor([[5.0], [-3.0]])).item() == pytest.approx(0, abs=1e-10)


def test_late_interaction_is_the_mean_of_the_best_matches() -> None:
    query = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    code = torch.tensor([[[0.6, 0.8], [0.8, -0.6], [-1.0, 0.0]]])
    assert late_interaction(query, code).item() == pytest.approx((0.8 + 0.8) / 2)


def test_padding_takes_no_part_in_late_interaction() -> None:
    queries, codes = _random(3, 5, 8), -_random(4, 6, 8).abs()
    queries[0, 3:] = 0
    # All cosines with these are negative, and a padding row's would be 0.
    queries[0, :3] = queries[0, :3].abs()
    codes[1, 2:] = 0
    found = late_interaction(queries, codes)
    for i, query in enumerate(queries):
        for j, code in enumerate(codes):
            read, written = query[query.any(1)], code[code.any(1)]
            assert found[i, j].item() == pytest.approx((read @ written.T).amax(1).mean().item(), abs=1e-6)


def test_late_contrast_tells_the_own_code_from_all_others() -> None:
    queries, codes = _random(3, 5, 8), _random(4, 6, 8)
    logits = late_interaction(queries, codes) / 0.1
    by_hand = -sum(math.log(math.exp(logits[i, i]) / logits[i].exp().sum()) for i in range(3))
    assert late_contrast(queries, codes, 0.1).item() == pytest.approx(by_hand, rel=1e-5)
