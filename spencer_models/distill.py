"""Query-encoder distillation (paper, section 3.2): a shallow student learns where the teacher puts questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spencer_desktop.core.text import query_text
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.minilm import Encoder
from spencer_models.data.collation import Collator, ShuffledBatches
from spencer_models.data.corpus import TRAIN
from spencer_models.data.prepare import Corpus
from spencer_models.data.queries import terse, variants
from spencer_models.encode import tensors
from spencer_models.loop import FitResult, Plan, fit
from spencer_models.losses import distillation
from spencer_models.progress import Report


@dataclass(frozen=True, slots=True)
class QueryCorpus:
    """Distinct texts, and for each the number of the pair whose code it speaks of."""

    texts: tuple[str, ...]
    pairs: Ids


@dataclass(frozen=True, slots=True)
class Teaching:
    """The teacher's vectors, computed once: `queries` float32 [n, d] of the texts, `codes` [p, d] of the pairs."""

    corpus: QueryCorpus
    queries: Floats
    codes: Floats


def query_corpus(corpus: Corpus) -> QueryCorpus:
    """Everything in the training split that is or could be a question: sentences, variants, terse forms, names."""
    found: dict[str, int] = {}
    for number, pair in enumerate(corpus.pairs):
        if pair.split == TRAIN:
            for text in variants(pair.query, pair.symbol):
                found.setdefault(query_text(text), number)
    for sentence in corpus.sentences:
        if corpus.pairs[sentence.pair].split == TRAIN:
            for text in (sentence.text, terse(sentence.text)):
                found.setdefault(query_text(text), sentence.pair)
    found.pop("", None)
    return QueryCorpus(tuple(found), np.array(list(found.values()), np.int64))


def distil(
    student: Encoder,
    teaching: Teaching,
    collator: Collator,
    plan: Plan,
    *,
    batch: int,
    max_tokens: int,
    folder: Path,
    report: Report,
) -> FitResult:
    """Trains `student` in place on L_D (Eq. 8), without ground truth, and returns how it went."""
    texts = teaching.corpus.texts
    batches = ShuffledBatches([len(t) for t in texts], batch, plan.seed)

    def loss_of(step: int, progress: float) -> Tensor:
        chosen = batches.at(step)
        tokens = collator.texts([texts[i] for i in chosen], max_tokens)
        targets = torch.from_numpy(teaching.queries[chosen])
        codes = torch.from_numpy(teaching.codes[teaching.corpus.pairs[chosen]])
        # The mean, not the equation's sum, keeps the clipping limit independent of the batch size.
        return distillation(student(*tensors(tokens)), targets, codes) / len(chosen)

    return fit(student, loss_of, plan, folder, report)


def mean_cosine(a: Floats, b: Floats) -> float:
    """The mean cosine of corresponding unit rows."""
    return float((a * b).sum(1).mean())
