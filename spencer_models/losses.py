"""The training objectives: pure functions of tensors. Equations are those of the paper (arXiv 2508.00546)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, log_softmax


def query_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """L_QD, Eq. 6: Σ_i (1 − cos(q̂_i, q_i)). Both [n, d], student and teacher vectors of the same queries."""
    return (1 - cosine_similarity(student, teacher, dim=1)).sum()


def dual_distillation(student: Tensor, teacher: Tensor, codes: Tensor) -> Tensor:
    """L_DD, Eq. 7: Σ_i |cos(c_i, q_i) − cos(q̂_i, c_i)|. All [n, d]; `codes` from the full code encoder."""
    return (cosine_similarity(codes, teacher, dim=1) - cosine_similarity(student, codes, dim=1)).abs().sum()


def distillation(student: Tensor, teacher: Tensor, codes: Tensor) -> Tensor:
    """L_D, Eq. 8: L_QD + L_DD."""
    return query_distillation(student, teacher) + dual_distillation(student, teacher, codes)


def matching(logits: Tensor, labels: Tensor) -> Tensor:
    """L_C, Eq. 5: −Σ (y log ŷ + (1 − y) log(1 − ŷ)), ŷ the sigmoid of the logit. Both of one shape, labels 0 or 1."""
    return binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="sum")


def group_matching(logits: Tensor) -> Tensor:
    """Eq. 5 over groups: [g, m], where column 0 holds the match and the others do not match."""
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    return matching(logits, labels)


def group_ranking(logits: Tensor) -> Tensor:
    """Σ over groups of −log softmax of column 0: the listwise cross-entropy over [g, m] candidate logits.

    It is unmoved by what all candidates of a group have in common, as the order is.
    """
    return -log_softmax(logits, dim=1)[:, 0].sum()
