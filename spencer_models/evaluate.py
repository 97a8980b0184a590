"""How well a pack answers held-out questions, through the code that the application runs it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spencer_desktop.core.inference import Models
from spencer_desktop.core.text import code_text, query_text
from spencer_desktop.core.types import Ids
from spencer_models.data.corpus import VALID, text_number
from spencer_models.data.prepare import Corpus
from spencer_models.metrics import gold_ranks, mrr, recall_at, reranked

KS = (5, 10, 20)

POOL = 500
"""Codes of one set; the answers to its questions are among them."""


@dataclass(frozen=True, slots=True)
class ValidSet:
    """Questions and the codes they are asked of; code i answers question i, the codes behind are answers of others."""

    name: str
    queries: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one way of ranking one set."""

    mrr: float
    recall_at_1: float
    recall_at_5: float
    n: int


def valid_sets(corpus: Corpus, limit: int) -> list[ValidSet]:
    """The validation split by source: at most `limit` questions of each over one pool. Documentation is left out."""
    limit = min(limit, POOL)
    groups: dict[str, list[tuple[str, str]]] = {}
    for pair in corpus.pairs:
        if pair.split == VALID:
            entry = (query_text(pair.query), code_text(pair.symbol, pair.bare))
            groups.setdefault(corpus.group(pair), []).append(entry)
    out = []
    for name, entries in sorted(groups.items()):
        entries.sort(key=lambda e: text_number(e[0] + e[1]))
        out.append(ValidSet(name, tuple(q for q, _ in entries[:limit]), tuple(c for _, c in entries[:POOL])))
    return out


def evaluate(models: Models, sets: Sequence[ValidSet], ks: Sequence[int] = KS) -> dict[str, dict[str, Scores]]:
    """Set → way of ranking → scores.

    The ways: "full" and "distilled" (recall by either query encoder), and for each K, on top of "distilled", "cross@K"
    (order of the logit alone) and "mix@K" (recall scale · cosine + logit).
    """
    return {s.name: {way: _scores(ranks) for way, ranks in _ranks(models, s, ks).items()} for s in sets}


def means(scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, float]:
    """Way of ranking → mean of the sets' MRR, each set counting once."""
    ways = list(next(iter(scores.values())))
    return {way: float(np.mean([by_way[way].mrr for by_way in scores.values()])) for way in ways}


def rerank_helps(scores: Mapping[str, Mapping[str, Scores]], k: int, tolerance: float = 0.005) -> bool:
    """Whether the mix over the first `k` beats recall on the mean of the sets and on none falls behind beyond noise."""
    gains = [by_way[f"mix@{k}"].mrr - by_way["distilled"].mrr for by_way in scores.values()]
    return float(np.mean(gains)) > 0 and min(gains) > -tolerance


def _ranks(models: Models, valid: ValidSet, ks: Sequence[int]) -> dict[str, Ids]:
    gold = np.arange(len(valid.queries), dtype=np.int64)
    codes = models.code_encoder.encode(valid.codes)
    full = gold_ranks(models.code_encoder.encode(valid.queries) @ codes.T, gold)
    cosines = models.query_encoder.encode(valid.queries) @ codes.T
    distilled = gold_ranks(cosines, gold)
    out = {"full": full, "distilled": distilled}
    reranker, rerank = models.reranker, models.pack.manifest.rerank
    if reranker is None or rerank is None:
        return out
    width = min(max(ks), len(valid.codes))
    top = np.argsort(-cosines, axis=1, kind="stable")[:, :width]
    logits = np.stack(
        [reranker.score(query, [valid.codes[i] for i in row]) for query, row in zip(valid.queries, top, strict=True)]
    )
    mixed = np.float32(rerank.recall_scale) * np.take_along_axis(cosines, top, 1) + logits
    for k in ks:
        out[f"cross@{k}"] = reranked(distilled, logits, k)
        out[f"mix@{k}"] = reranked(distilled, mixed, k)
    return out


def _scores(ranks: Ids) -> Scores:
    return Scores(round(mrr(ranks), 4), round(recall_at(ranks, 1), 4), round(recall_at(ranks, 5), 4), len(ranks))


def table(scores: Mapping[str, Mapping[str, Scores]]) -> str:
    """A plain text table of MRR: one line for each set, one column for each way of ranking."""
    ways = list(next(iter(scores.values())))
    lines = [f"{'MRR':20s}" + "".join(f"{way:>11s}" for way in ways) + f"{'n':>7s}"]
    for name, by_way in scores.items():
        lines.append(f"{name:20s}" + "".join(f"{by_way[w].mrr:11.4f}" for w in ways) + f"{by_way[ways[0]].n:7d}")
    lines.append(f"{'mean':20s}" + "".join(f"{value:11.4f}" for value in means(scores).values()))
    return "\n".join(lines)
