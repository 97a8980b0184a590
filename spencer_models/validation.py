"""How good a model is while it is trained: MRR on the validation split, each kind of question counting once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.base import Backbone, Code, Features, Pretrained
from spencer_models.backbones.scorer import PairScorer
from spencer_models.config import EvaluateConfig, TextConfig
from spencer_models.data.corpus import VALID, Corpus
from spencer_models.dual import DualEncoder
from spencer_models.encode import encode_codes, encode_queries, outputs_of
from spencer_models.examples import Pool, pools
from spencer_models.machine import Machine
from spencer_models.metrics import gold_ranks, mrr, recall_at
from spencer_models.progress import Report
from spencer_models.retrieval import Recall, recall, rerank

# Candidates for how much the cosine weighs beside the logit; cosines differ by hundredths where logits differ by units.
RECALL_SCALES = (0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that turns texts into vectors and logits: the family, the lengths and the machine."""

    backbone: Backbone
    text: TextConfig
    machine: Machine
    report: Report

    def codes(self, encoder: nn.Module, codes: Sequence[Code]) -> Floats:
        """float32 [n, d], unit rows."""
        return encode_codes(encoder, self.backbone, codes, self.text.code, self.machine, self.report)

    def queries(self, encoder: nn.Module, queries: Sequence[str]) -> Floats:
        """float32 [n, d], unit rows."""
        return encode_queries(encoder, self.backbone, queries, self.text.query, self.machine, self.report)

    def features(self, queries: Sequence[str]) -> Features:
        """What the query encoder reads of `queries`, on the machine's device."""
        return self.machine.features(self.backbone.queries(queries, self.text.query))

    def logits(self, scorer: PairScorer, pairs: Sequence[tuple[Code, str]]) -> Floats:
        """float32 [n]."""
        backbone = self.backbone
        assert isinstance(backbone, Pretrained)
        costs = [len(code.text) + len(query) for code, query in pairs]
        build = lambda part: backbone.pairs(part, self.text.pair)  # noqa: E731
        return outputs_of(scorer, build, pairs, costs, self.text.pair, self.machine, self.report)


class Validation:
    """One validation pool of every kind of question (`Corpus.judged_kinds`), and what is computed from them."""

    def __init__(self, reading: Reading, config: EvaluateConfig, corpus: Corpus, questions: int) -> None:
        """At most so many `questions` of each kind. UserError when the corpus has no validation split."""
        self.reading = reading
        self.config = config
        kinds = corpus.judged_kinds(VALID)
        self.kinds = list(kinds)
        self.pools: list[Pool] = [pools(pairs, questions, whole=False)[0][0] for pairs in kinds.values()]
        if not self.pools:
            raise UserError(
                "The corpus has no pairs for validation", hint="Hold out a package or a share of the files."
            )

    def dual(self, dual: DualEncoder) -> float:
        """MRR of recall by both encoders as they are now."""
        return self.queries(dual.query, self.codes(dual.code))

    def by_kind(self, dual: DualEncoder) -> dict[str, float]:
        """The same for each kind of question."""
        ranks = self._ranks(dual.query, self.codes(dual.code))
        return {kind: mrr(found) for kind, found in zip(self.kinds, ranks, strict=True)}

    def codes(self, encoder: nn.Module) -> list[Floats]:
        """The vectors of each pool's codes."""
        return [self.reading.codes(encoder, pool.codes) for pool in self.pools]

    def queries(self, encoder: nn.Module, codes: Sequence[Floats]) -> float:
        """MRR of recall by a query encoder among code vectors that stay."""
        return float(np.mean([mrr(ranks) for ranks in self._ranks(encoder, codes)]))

    def recall(self, encoder: nn.Module, codes: Sequence[Floats]) -> float:
        """R@K of recall by a query encoder among code vectors that stay, K as in the pipeline."""
        return float(np.mean([recall_at(ranks, self.config.candidates) for ranks in self._ranks(encoder, codes)]))

    def _ranks(self, encoder: nn.Module, codes: Sequence[Floats]) -> Iterator[Ids]:
        for pool, vectors in zip(self.pools, codes, strict=True):
            scores = self.reading.queries(encoder, pool.queries) @ vectors.T
            yield gold_ranks(scores, np.arange(len(pool.queries), dtype=np.int64))

    def recalls(self, encoder: nn.Module, codes: Sequence[Floats]) -> list[Recall]:
        """What a query encoder recalls among these code vectors for the questions that re-ranking is validated on."""
        asked = [pool.queries[: self.config.valid_reranked] for pool in self.pools]
        return [
            recall(self.reading.queries(encoder, queries), vectors, self.config.most_candidates)
            for queries, vectors in zip(asked, codes, strict=True)
        ]

    def reranked(self, scorer: PairScorer, recalls: Sequence[Recall], scale: float) -> float:
        """MRR after re-ranking the first K by `scale` · cosine + logit."""
        k = self.config.candidates
        return self.mean_mrr(recalls, self.logits(scorer, recalls, k), k, scale)

    def logits(self, scorer: PairScorer, recalls: Sequence[Recall], k: int) -> list[Floats]:
        """float32 [n, k] for each pool: the logits of the first `k` of each question."""
        out = []
        for pool, found in zip(self.pools, recalls, strict=True):
            pairs = [(pool.codes[c], pool.queries[q]) for q, row in enumerate(found.top[:, :k]) for c in row]
            out.append(self.reading.logits(scorer, pairs).reshape(len(found.ranks), -1))
        return out

    def best_scale(self, scorer: PairScorer, recalls: Sequence[Recall]) -> float:
        """The recall scale with which re-ranking the first K does best; the smallest of equals."""
        k = self.config.candidates
        logits = self.logits(scorer, recalls, k)
        return max(RECALL_SCALES, key=lambda scale: self.mean_mrr(recalls, logits, k, scale))

    def mean_mrr(self, recalls: Sequence[Recall], logits: Sequence[Floats], k: int, scale: float) -> float:
        """MRR after the first `k` were ordered by `scale` · cosine + logit; `logits` float32 [n, at least k] a pool."""
        cut = [Recall(r.ranks, r.top[:, :k], r.cosines[:, :k]) for r in recalls]
        return float(np.mean([mrr(rerank(r, x, k, scale)) for r, x in zip(cut, logits, strict=True)]))
