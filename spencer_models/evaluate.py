"""How well a pack answers held-out questions, through the code that the application runs it with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spencer_desktop.core.inference import Models
from spencer_desktop.core.text import code_text, query_text
from spencer_desktop.core.types import Floats, Ids
from spencer_models.data.corpus import TEST, Corpus, scattered, text_number
from spencer_models.metrics import gold_ranks, mrr, recall_at
from spencer_models.retrieval import Recall, recall, rerank

KS = (5, 10, 20)

_LENGTHS = (32, 64, 128, 256)

POOL = 500
"""Codes of one set; the answers to its questions are among them."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions and the codes they are asked of; code i answers question i, the codes behind are answers of others."""

    name: str
    queries: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackScores:
    """Figures of one way of ranking one set."""

    mrr: float
    recall_at_1: float
    recall_at_5: float
    n: int


def question_sets(corpus: Corpus, split: str, limit: int) -> list[QuestionSet]:
    """A held-out split by kind: at most `limit` questions of each over one pool. Documentation is left out."""
    out = []
    for name, pairs in corpus.judged_kinds(split).items():
        entries = [(query_text(pair.query), code_text(pair.symbol, pair.bare)) for pair in pairs]
        entries.sort(key=lambda e: text_number(e[0] + e[1]))
        asked = entries[: min(limit, POOL)]
        out.append(QuestionSet(name, tuple(q for q, _ in asked), tuple(c for _, c in entries[:POOL])))
    return out


def translated_sets(corpus: Corpus, translations: Sequence[Mapping[str, str]]) -> list[QuestionSet]:
    """The same questions of the test split in each language, over one pool of up to POOL codes.

    `translations`: language → question; "en" is the question as it stands in the corpus. Empty when none of them is in
    its test split.
    """
    test = scattered(corpus.of(TEST))
    answers = {pair.query: pair for pair in test}
    asked = list({entry["en"]: entry for entry in translations if entry["en"] in answers}.values())[:POOL]
    if not asked:
        return []
    own = [answers[entry["en"]] for entry in asked]
    taken = set(own)
    others = [pair for pair in test if pair not in taken][: POOL - len(own)]
    codes = tuple(code_text(pair.symbol, pair.bare) for pair in (*own, *others))
    return [QuestionSet(x, tuple(query_text(entry[x]) for entry in asked), codes) for x in asked[0]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a pack answered to the questions of one set.

    `queries` [n, d] and `codes` [m, d]: their vectors, float32, unit rows. `full` int64 [n]: the answers' places by the
    full encoder on both sides; `found`: what the query encoder recalled; `logits` float32 [r ≤ n, depth]: of the codes
    found for the first r questions, where the pack re-ranks, by `recall_scale` · cosine + logit.
    """

    name: str
    queries: Floats
    codes: Floats
    full: Ids
    found: Recall
    logits: Floats | None
    recall_scale: float


def evaluate(models: Models, sets: Sequence[QuestionSet], ks: Sequence[int] = KS) -> dict[str, dict[str, PackScores]]:
    """`scored` of all sets."""
    return scored([ask(models, s, max(ks)) for s in sets], ks)


def scored(answers: Sequence[Answers], ks: Sequence[int] = KS) -> dict[str, dict[str, PackScores]]:
    """Set → way of ranking → scores.

    The ways: "full" and "distilled" (recall by either query encoder), and for each K, on top of "distilled", "cross@K"
    (order of the logit alone) and "mix@K" (recall scale · cosine + logit).
    """
    return {a.name: {way: _scores(ranks) for way, ranks in _ranks(a, ks).items()} for a in answers}


def by_length(
    answers: Sequence[Answers], sets: Sequence[QuestionSet], tokens: Callable[[str], int]
) -> dict[str, PackScores]:
    """Length of the right code in `tokens` → scores of recall by "distilled" over all sets, with lengths none has left
    out."""
    lengths = np.array([tokens(code) for s in sets for code in s.codes[: len(s.queries)]])
    ranks = np.concatenate([a.found.ranks for a in answers])
    bounds = [0, *_LENGTHS, sys.maxsize]
    members = [(lengths > low) & (lengths <= high) for low, high in pairwise(bounds)]
    names = [
        f"up to {_LENGTHS[0]}",
        *(f"{low + 1} to {high}" for low, high in pairwise(_LENGTHS)),
        f"over {_LENGTHS[-1]}",
    ]
    return {name: _scores(ranks[m]) for name, m in zip(names, members, strict=True) if m.any()}


def means(scores: Mapping[str, Mapping[str, PackScores]]) -> dict[str, float]:
    """Way of ranking → mean of the sets' MRR, each set counting once."""
    ways = list(next(iter(scores.values())))
    return {way: float(np.mean([by_way[way].mrr for by_way in scores.values()])) for way in ways}


def rerank_helps(answers: Sequence[Answers], k: int) -> bool:
    """Whether re-ranking the first `k` gains MRR on the mean of the sets, by more than two standard errors, and loses
    as much on none."""
    ranks = [_ranks(asked, (k,)) for asked in answers]
    gains = [1 / by_way[f"mix@{k}"] - 1 / by_way["distilled"][: len(by_way[f"mix@{k}"])] for by_way in ranks]
    means = np.array([gain.mean() for gain in gains])
    errors = np.array([gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf for gain in gains])
    overall = np.sqrt(np.square(errors).sum()) / len(errors)
    return bool(means.mean() > 2 * overall and (means > -2 * errors).all())


def ask(models: Models, asked: QuestionSet, depth: int, most_reranked: int = POOL) -> Answers:
    """Recalls `depth` codes for each question; where the pack re-ranks scores them for the first `most_reranked`."""
    codes = models.code_encoder.encode(asked.codes)
    gold = np.arange(len(asked.queries), dtype=np.int64)
    full = gold_ranks(models.code_encoder.encode(asked.queries) @ codes.T, gold)
    queries = models.query_encoder.encode(asked.queries)
    found = recall(queries, codes, min(depth, len(asked.codes)))
    reranker, defaults = models.reranker, models.pack.manifest.rerank
    if reranker is None or defaults is None:
        return Answers(asked.name, queries, codes, full, found, None, 0.0)
    rows = zip(asked.queries[:most_reranked], found.top, strict=False)
    logits = np.stack([reranker.score(query, [asked.codes[i] for i in row]) for query, row in rows])
    return Answers(asked.name, queries, codes, full, found, logits, defaults.recall_scale)


def _ranks(answers: Answers, ks: Sequence[int]) -> dict[str, Ids]:
    out = {"full": answers.full, "distilled": answers.found.ranks}
    if answers.logits is not None:
        found = answers.found.first(len(answers.logits))
        for k in ks:
            out[f"cross@{k}"] = rerank(found, answers.logits, k, 0.0)
            out[f"mix@{k}"] = rerank(found, answers.logits, k, answers.recall_scale)
    return out


def _scores(ranks: Ids) -> PackScores:
    return PackScores(round(mrr(ranks), 4), round(recall_at(ranks, 1), 4), round(recall_at(ranks, 5), 4), len(ranks))


def table(scores: Mapping[str, Mapping[str, PackScores]]) -> str:
    """A plain text table of MRR: one line for each set, one column for each way of ranking."""
    ways = list(next(iter(scores.values())))
    lines = [f"{'MRR':20s}" + "".join(f"{way:>11s}" for way in ways) + f"{'n':>7s}"]
    for name, by_way in scores.items():
        lines.append(f"{name:20s}" + "".join(f"{by_way[w].mrr:11.4f}" for w in ways) + f"{by_way[ways[0]].n:7d}")
    lines.append(f"{'mean':20s}" + "".join(f"{value:11.4f}" for value in means(scores).values()))
    return "\n".join(lines)
