"""Trained models → ranking files → scores, on the test split of each language (paper, section 4.5).

A ranking file is JSON lines: the pool and number of a question, the place of its answer, and the first codes in order.
Every score is computed from ranking files, and they stay: what a model answered can be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from torch import nn

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.scorer import PairScorer
from spencer_models.config import EvaluateConfig, fingerprint
from spencer_models.data.corpus import TEST, Corpus
from spencer_models.encode import once
from spencer_models.examples import Pool, pools
from spencer_models.metrics import gold_ranks, pooled_scores
from spencer_models.results import Scores
from spencer_models.retrieval import Recall, recall, rerank
from spencer_models.validation import Reading


@dataclass(frozen=True, slots=True)
class Ranking:
    """One way of ranking one pool: the answers' places int64 [n], from 1, and the first codes int64 [n, depth]."""

    ranks: Ids
    top: Ids


def write_rankings(rankings: Sequence[Ranking], path: Path) -> None:
    """Writes the ranking file of one way over all pools."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        for pool, ranking in enumerate(rankings):
            for question, (rank, top) in enumerate(zip(ranking.ranks, ranking.top, strict=True)):
                record = {"pool": pool, "question": question, "rank": int(rank), "top": top.tolist()}
                file.write(json.dumps(record) + "\n")


def read_ranks(path: Path) -> list[Ids]:
    """The places of the answers in a ranking file, int64 [n] for each pool. UserError when it is none."""
    by_pool: dict[int, list[int]] = {}
    try:
        with path.open(encoding="ascii") as file:
            for line in file:
                record = json.loads(line)
                by_pool.setdefault(record["pool"], []).append(record["rank"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no ranking file ({type(error).__name__}: {error})") from error
    return [np.array(ranks, np.int64) for _, ranks in sorted(by_pool.items())]


class TestSet:
    """The test split of one language under one trained dual encoder. UserError when it does not fill one pool."""

    __test__ = False  # No test class, whatever pytest makes of the name.

    def __init__(self, language: str, corpus: Corpus, reading: Reading, config: EvaluateConfig, folder: Path) -> None:
        own = corpus.of(TEST, language)
        self.pools, self.dropped = pools(own, config.pool)
        if not self.pools:
            raise UserError(
                f"The test split has {len(own)} pairs in {language}, fewer than one pool of {config.pool}",
                hint="Hold out more, or lower evaluate.pool in the recipe.",
            )
        self.language = language
        self._reading = reading
        self._config = config
        self._folder = folder

    def codes(self, encoder: nn.Module) -> list[Floats]:
        """The vectors of each pool's codes, kept."""
        return [
            once(
                self._folder / f"codes-{self.language}-{number}.npy",
                partial(self._reading.codes, encoder, pool.codes),
            )
            for number, pool in enumerate(self.pools)
        ]

    def recalls(self, encoder: nn.Module, codes: Sequence[Floats]) -> list[Recall]:
        """What a query encoder finds in each pool."""
        return [
            recall(self._reading.queries(encoder, pool.queries), vectors, self._config.most_candidates)
            for pool, vectors in zip(self.pools, codes, strict=True)
        ]

    def scores(self, way: str, rankings: Sequence[Ranking]) -> Scores:
        """Writes the ranking file of `way` and computes its scores from it."""
        path = self._folder / f"ranking-{self.language}-{way}.jsonl"
        write_rankings(rankings, path)
        return pooled_scores(read_ranks(path), self.dropped)

    def recalled(self, way: str, recalls: Sequence[Recall], asked: int = 0) -> Scores:
        """Scores of recall alone, for the first `asked` questions of each pool (0: all)."""
        return self.scores(way, [Ranking(r.ranks[: asked or None], r.top[: asked or None]) for r in recalls])

    def reranked(self, way: str, recalls: Sequence[Recall], logits: Sequence[Floats], k: int, scale: float) -> Scores:
        """Scores after the first `k` were re-ranked by `scale` · cosine + logit."""
        rankings = []
        for found, values in zip(recalls, logits, strict=True):
            order = np.argsort(-(np.float32(scale) * found.cosines + values)[:, :k], axis=1, kind="stable")
            top = np.concatenate([np.take_along_axis(found.top[:, :k], order, 1), found.top[:, k:]], axis=1)
            rankings.append(Ranking(rerank(found, values, k, scale), top))
        return self.scores(way, rankings)

    def logits(self, scorer: PairScorer, recalls: Sequence[Sequence[Recall]]) -> list[list[Floats]]:
        """For each list of recalls, the logits float32 [n, depth] of its candidates; each pair is scored once."""
        out: list[list[Floats]] = [[] for _ in recalls]
        for number, pool in enumerate(self.pools):
            tops = [found[number].top for found in recalls]
            wanted = sorted({(q, int(c)) for top in tops for q, row in enumerate(top) for c in row})
            # Another processor may break a tie of recall in another way: then other pairs are wanted.
            path = self._folder / f"logits-{self.language}-{number}-{fingerprint(wanted)}.npy"
            values = once(path, partial(self._score, scorer, pool, wanted), np.float32)
            place = {pair: i for i, pair in enumerate(wanted)}
            for mine, top in zip(out, tops, strict=True):
                mine.append(values[np.array([[place[q, int(c)] for c in row] for q, row in enumerate(top)])])
        return out

    def crossed(self, way: str, scorer: PairScorer) -> Scores:
        """Scores of whole pools in the re-ranker's order; `cross_questions` of each pool are asked."""
        rankings = []
        for number, pool in enumerate(self.pools):
            asked = min(self._config.cross_questions or len(pool.queries), len(pool.queries))
            wanted = [(q, c) for q in range(asked) for c in range(len(pool.codes))]
            path = self._folder / f"cross-{self.language}-{number}.npy"
            flat = once(path, partial(self._score, scorer, pool, wanted), np.float32)
            values = flat.reshape(asked, -1)
            top = np.argsort(-values, axis=1, kind="stable")[:, : self._config.most_candidates]
            rankings.append(Ranking(gold_ranks(values, np.arange(asked, dtype=np.int64)), top))
        return self.scores(way, rankings)

    def _score(self, scorer: PairScorer, pool: Pool, wanted: Sequence[tuple[int, int]]) -> Floats:
        return self._reading.logits(scorer, [(pool.codes[c], pool.queries[q]) for q, c in wanted])

    @cached_property
    def timed_queries(self) -> list[str]:
        """The questions that encoders are timed with."""
        return [q for pool in self.pools for q in pool.queries][: self._config.timed_questions]
