"""The paper's training objectives (arXiv 2508.00546): pure functions of tensors, one for each equation.

All are sums over the batch, as printed; whoever trains divides by the number of rows. Vectors are unit rows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, cross_entropy, log_softmax, relu

TEMPERATURE = 0.05
"""τ of Eq. 1 to 3. The paper does not give it; this is that of SimCSE, which it follows."""


def info_nce(
    anchors: Tensor, candidates: Tensor, temperature: float, *, literal: bool = False, same: Tensor | None = None
) -> Tensor:
    """Σ_i −log(exp(a_i·b_i / τ) / Σ_j exp(a_i·b_j / τ)): row i of `anchors` [n, d] belongs to row i of `candidates`.

    `candidates` [m ≥ n, d] may have further rows, which are negatives of every anchor. The denominator holds the
    positive (j = i), as InfoNCE is commonly defined; with `literal` it leaves it out, as Eq. 1 to 3 are printed. Then
    the loss has no lower bound, and one candidate alone is a ValueError. Where `same` (bool [n, m]) holds, the
    candidate answers the anchor, too: it is no negative of it.
    """
    logits = anchors @ candidates.T / temperature
    own = logits.diagonal()
    if same is not None:
        others = ~torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(same & others, -torch.inf)
    if literal:
        if len(candidates) < 2:
            raise ValueError("the literal form has no negative for a batch of one")
        positive = torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(positive, -torch.inf)
    return (logits.logsumexp(1) - own).sum()


def code_contrast(codes: Tensor, again: Tensor, temperature: float = TEMPERATURE, *, literal: bool = False) -> Tensor:
    """L_CT, Eq. 1. [n, d]: the same codes in two passes, whose dropout masks differ (SimCSE)."""
    return info_nce(codes, again, temperature, literal=literal)


def query_contrast(
    queries: Tensor, again: Tensor, temperature: float = TEMPERATURE, *, literal: bool = False
) -> Tensor:
    """L_QT, Eq. 2. [n, d]: the same queries in two passes, whose dropout masks differ (SimCSE)."""
    return info_nce(queries, again, temperature, literal=literal)


def cross_contrast(
    codes: Tensor, queries: Tensor, temperature: float = TEMPERATURE, *, literal: bool = False
) -> Tensor:
    """L_DT, Eq. 3. [n, d]: query i is the positive of code i, the other queries of the batch are its negatives."""
    return info_nce(codes, queries, temperature, literal=literal)


def dual_training(
    codes: Tensor,
    codes_again: Tensor,
    queries: Tensor,
    queries_again: Tensor,
    temperature: float = TEMPERATURE,
    *,
    literal: bool = False,
) -> Tensor:
    """L_T, Eq. 4: L_CT + L_QT + L_DT. All [n, d]."""
    return (
        code_contrast(codes, codes_again, temperature, literal=literal)
        + query_contrast(queries, queries_again, temperature, literal=literal)
        + cross_contrast(codes, queries, temperature, literal=literal)
    )


def late_interaction(queries: Tensor, codes: Tensor) -> Tensor:
    """[n, m]: for each query and code, the mean over the query's tokens of their greatest cosine with the code's.

    Token states [n, s, d] and [m, t, d], unit rows; a row of zeros is padding. Not in the paper: Khattab and Zaharia,
    arXiv 2004.12832.
    """
    written = codes.any(2)
    # Where all codes are short, most columns are padding.
    used = written.any(0)
    codes, written = codes[:, used], written[:, used]
    read = queries.any(2)
    owners = read.nonzero()[:, 0]
    similar = (queries[read] @ codes.flatten(0, 1).T).view(-1, *written.shape)
    best = similar.masked_fill(~written, -1.0).amax(2)
    sums = best.new_zeros(len(queries), len(codes)).index_add(0, owners, best)
    return sums / read.sum(1, keepdim=True)


def late_contrast(queries: Tensor, codes: Tensor, temperature: float) -> Tensor:
    """InfoNCE over late interaction: query i belongs to code i of the m ≥ n codes; shapes as in `late_interaction`."""
    logits = late_interaction(queries, codes) / temperature
    return cross_entropy(logits, torch.arange(len(queries), device=logits.device), reduction="sum")


def matching(logits: Tensor, labels: Tensor) -> Tensor:
    """L_C, Eq. 5: −Σ (y log ŷ + (1 − y) log(1 − ŷ)), ŷ the sigmoid of the logit. Both of one shape, labels 0 or 1."""
    return binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="sum")


def group_ranking(logits: Tensor) -> Tensor:
    """Σ over groups of −log softmax of column 0, the match: the listwise cross-entropy over [g, m] candidate logits.

    Not in the paper. It is unmoved by what all candidates of a group have in common, as the order is.
    """
    return -log_softmax(logits, dim=1)[:, 0].sum()


def score_matching(student: Tensor, teacher: Tensor) -> Tensor:
    """Σ over groups of the mean squared difference of two [g, m] candidate logits, each less its group's mean.

    Not in the paper: Margin-MSE (Hofstätter et al., arXiv 2010.02666) over all pairs of a group at once. What all
    candidates of a group have in common moves no order and is not learnt.
    """
    difference = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    return difference.square().mean(1).sum()


def query_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """L_QD, Eq. 6: Σ_i (1 − cos(q̂_i, q_i)). Both [n, d], student and teacher vectors of the same queries."""
    return (1 - cosine_similarity(student, teacher, dim=1)).sum()


def dual_distillation(student: Tensor, teacher: Tensor, codes: Tensor) -> Tensor:
    """L_DD, Eq. 7: Σ_i |cos(c_i, q_i) − cos(q̂_i, c_i)|. All [n, d]; `codes` from the full code encoder."""
    return (cosine_similarity(codes, teacher, dim=1) - cosine_similarity(student, codes, dim=1)).abs().sum()


def distillation(student: Tensor, teacher: Tensor, codes: Tensor) -> Tensor:
    """L_D, Eq. 8: L_QD + L_DD."""
    return query_distillation(student, teacher) + dual_distillation(student, teacher, codes)


def direct_training(
    student: Tensor,
    again: Tensor,
    codes: Tensor,
    temperature: float = TEMPERATURE,
    *,
    literal: bool = False,
    same: Tensor | None = None,
) -> Tensor:
    """L_QT + L_DT: what Eq. 9 adds to L_D, and what a query encoder of Table 6's DirectTrain learns from alone.

    `same` [n, n]: which queries ask for the same code.
    """
    queries = info_nce(student, again, temperature, literal=literal, same=same)
    return queries + info_nce(codes, student, temperature, literal=literal, same=same)


def contrastive_distillation(
    student: Tensor,
    again: Tensor,
    teacher: Tensor,
    codes: Tensor,
    temperature: float = TEMPERATURE,
    *,
    literal: bool = False,
    same: Tensor | None = None,
) -> Tensor:
    """L_CD, Eq. 9: L_D + L_QT + L_DT; `again` is the student's second pass over the same queries."""
    contrast = direct_training(student, again, codes, temperature, literal=literal, same=same)
    return distillation(student, teacher, codes) + contrast


def margin_ranking(codes: Tensor, queries: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """Σ_i max(0, margin − cos(c_i, q_i) + cos(c_i, q⁻_i)), all [n, d]: what CODEnn and CRaDLe learn from."""
    return relu(margin - cosine_similarity(codes, queries) + cosine_similarity(codes, negatives)).sum()
