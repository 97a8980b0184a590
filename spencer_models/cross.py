"""The re-ranker's training: a cross-encoder learns what the recall score of a candidate lacks.

A candidate's logit is `recall_scale` · cos(q̂, c) + ce(code, query), in training as in the application. A
cross-encoder that has seen a few thousand questions is weaker alone than the dual encoder whose candidates it orders;
as a residual it starts at the recall order and can only be paid for improving on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import query_text
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.minilm import PairScorer
from spencer_models.config import RerankConfig
from spencer_models.data.collation import Collator, batches_by_length
from spencer_models.data.negatives import Negatives, hard_negatives
from spencer_models.encode import tensors
from spencer_models.loop import FitResult, Plan, fit
from spencer_models.losses import group_matching, group_ranking
from spencer_models.progress import Report

_PAIR_BATCH = 8


@dataclass(frozen=True, slots=True)
class Pool:
    """Questions and codes of one source, answer i to question i, with the dual encoder's vectors (unit rows)."""

    name: str
    queries: tuple[str, ...]
    codes: tuple[str, ...]
    query_vectors: Floats
    code_vectors: Floats


@dataclass(frozen=True, slots=True)
class Group:
    """One question, its answer first among `codes`, and the cosine of each."""

    query: str
    codes: tuple[str, ...]
    cosines: Floats


class GroupSampler:
    """Draws groups: sources by the mix, questions at random, negatives from random to hard as training goes on."""

    def __init__(self, pools: Sequence[Pool], mix: Mapping[str, float], depth: int, negatives: int, seed: int) -> None:
        self._pools = [p for p in pools if mix.get(p.name, 0.0) > 0]
        self._mined = [hard_negatives(p.query_vectors, p.code_vectors, p.queries, depth) for p in self._pools]
        # A question whose answer is far down the list teaches nothing about the order of the first candidates.
        self._reachable = [np.flatnonzero((m.rank <= depth) & (m.codes[:, negatives] >= 0)) for m in self._mined]
        weights = np.array([mix[p.name] if len(r) else 0.0 for p, r in zip(self._pools, self._reachable, strict=True)])
        if not weights.any():
            raise UserError(
                "No question's answer is among the first candidates of its source",
                hint="Give more training pairs, or a larger rerank.depth.",
            )
        self._weights = weights / weights.sum()
        self._negatives = negatives
        self._seed = seed

    def groups(self, step: int, progress: float, count: int) -> list[Group]:
        """The groups of one step; they depend on the seed, the step and the progress alone."""
        random = np.random.default_rng([self._seed, step])
        return [self._group(random, progress) for _ in range(count)]

    def _group(self, random: np.random.Generator, progress: float) -> Group:
        which = random.choice(len(self._pools), p=self._weights)
        pool, mined = self._pools[which], self._mined[which]
        row = int(random.choice(self._reachable[which]))
        chosen = self._wrong(random, mined, row, progress, len(pool.codes))
        numbers = np.concatenate([[row], chosen])
        cosines = pool.code_vectors[numbers] @ pool.query_vectors[row]
        return Group(pool.queries[row], tuple(pool.codes[i] for i in numbers), cosines)

    def _wrong(self, random: np.random.Generator, mined: Negatives, row: int, progress: float, size: int) -> Ids:
        """int64 [negatives]: random codes, in a share that falls to none, then the narrowing head of the list."""
        found = mined.codes[row][mined.codes[row] >= 0]
        head = max(2 * self._negatives, round(len(found) * (1 - progress)))
        easy = random.binomial(self._negatives, 0.5 * (1 - min(1.0, 2 * progress)))
        hard = random.choice(found[:head], min(self._negatives - easy, len(found[:head])), replace=False)
        others = random.integers(0, size, self._negatives - len(hard))
        # A random code is hardly ever the answer itself; where it is, a mined one takes its place.
        others[others == row] = found[0]
        return np.concatenate([hard, others]).astype(np.int64)


def train_reranker(
    scorer: PairScorer,
    sampler: GroupSampler,
    collator: Collator,
    config: RerankConfig,
    plan: Plan,
    folder: Path,
    report: Report,
) -> FitResult:
    """Trains `scorer` in place on groups; the loss is the configured one, a mean over groups."""
    objective = group_ranking if config.loss == "listwise" else group_matching

    def loss_of(step: int, progress: float) -> Tensor:
        groups = sampler.groups(step, progress, config.groups)
        pairs = [(code, query_text(g.query)) for g in groups for code in g.codes]
        residual = _logits(scorer, collator, pairs, config.max_tokens).view(len(groups), -1)
        cosines = torch.from_numpy(np.stack([g.cosines for g in groups]))
        return objective(config.recall_scale * cosines + residual) / len(groups)

    return fit(scorer, loss_of, plan, folder, report)


def _logits(scorer: PairScorer, collator: Collator, pairs: list[tuple[str, str]], max_tokens: int) -> Tensor:
    """float32 [n], in the order of `pairs`; pairs of like length go through the model together, to save padding."""
    batches = list(batches_by_length([len(code) + len(query) for code, query in pairs], _PAIR_BATCH))
    parts = [scorer(*tensors(collator.pairs([pairs[i] for i in batch], max_tokens))) for batch in batches]
    order = torch.tensor([i for batch in batches for i in batch])
    return torch.cat(parts)[torch.argsort(order)]
