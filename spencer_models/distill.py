"""Query-encoder distillation (paper, section 3.2): a shallow student learns where its teacher puts questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from spencer_desktop.core.text import query_text
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.base import Backbone, Encoder, Features
from spencer_models.cached_gradient import Pass, backward
from spencer_models.config import DualConfig, TextConfig, TrainingConfig
from spencer_models.data.collation import ShuffledBatches
from spencer_models.data.corpus import Pair, Sentence, text_number
from spencer_models.data.queries import terse, training_query, variants, with_language
from spencer_models.examples import Example, parts_of
from spencer_models.losses import (
    contrastive_distillation,
    direct_training,
    distillation,
    dual_distillation,
    query_distillation,
)
from spencer_models.machine import Machine

Objective = Literal["loss_single", "loss_dual", "loss_spencer", "loss_contra", "direct_train"]
"""L_QD alone, L_DD alone, L_D (the paper's), L_CD, or no teacher at all: L_QT + L_DT (Table 6's DirectTrain)."""

TWO_PASSES = ("loss_contra", "direct_train")


@dataclass(frozen=True, slots=True)
class QueryCorpus:
    """Distinct texts, and for each the number of the training example whose code it speaks of."""

    texts: tuple[str, ...]
    examples: Ids


@dataclass(frozen=True, slots=True)
class Teaching:
    """What is learnt from, computed once: the teacher's vectors `queries` float32 [n, d] of the corpus's texts, and the
    full code encoder's `codes` [examples, d]."""

    corpus: QueryCorpus
    queries: Floats
    codes: Floats


def queries_of_examples(examples: Sequence[Example]) -> QueryCorpus:
    """The queries of the training pairs, as in the paper."""
    return _distinct((example.query, number) for number, example in enumerate(examples))


def all_queries(pairs: Sequence[Pair], sentences: Sequence[Sentence]) -> QueryCorpus:
    """Everything that is or could be a question about `pairs`: sentences, variants, terse forms, names.

    `Sentence.pair` is a position in `pairs`.
    """

    def texts() -> Iterable[tuple[str, int]]:
        for number, pair in enumerate(pairs):
            yield from ((text, number) for text in variants(pair.query, pair.symbol))
        for sentence in sentences:
            yield from ((text, sentence.pair) for text in (sentence.text, terse(sentence.text)))

    return _distinct((query_text(text), number) for text, number in texts())


def further_queries(pairs: Sequence[Pair], sentences: Sequence[Sentence]) -> QueryCorpus:
    """`all_queries`, what the full encoder was trained with, and of each pair one that names its language."""

    def texts() -> Iterable[tuple[str, int]]:
        for number, pair in enumerate(pairs):
            turn = text_number(pair.query)
            ways = variants(pair.query, pair.symbol)
            yield training_query(pair), number
            yield with_language(ways[turn % len(ways)], pair.language, turn // len(ways)), number

    told = all_queries(pairs, sentences)
    asked = ((query_text(text), number) for text, number in texts())
    return _distinct([*zip(told.texts, told.examples.tolist(), strict=True), *asked])


def _distinct(texts: Iterable[tuple[str, int]]) -> QueryCorpus:
    found: dict[str, int] = {}
    for text, number in texts:
        found.setdefault(text, number)
    found.pop("", None)
    return QueryCorpus(tuple(found), np.array(list(found.values()), np.int64))


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """Features of the questions in parts; their teacher's vectors and those of their codes, float32 [n, d].

    `same` bool [n, n]: which questions ask for the same code.
    """

    parts: list[Features]
    teacher: Tensor
    codes: Tensor
    same: Tensor


class DistillTask:
    """Trains a student on one of the objectives; what is contrasted is contrasted as the `dual` encoder was."""

    def __init__(
        self,
        student: Encoder,
        backbone: Backbone,
        teaching: Teaching,
        objective: Objective,
        training: TrainingConfig,
        text: TextConfig,
        machine: Machine,
        validate: Callable[[], float],
        seed: int,
        dual: DualConfig,
    ) -> None:
        self._student = student
        self._backbone = backbone
        self._teaching = teaching
        self._objective = objective
        self._training = training
        self._text = text
        self._machine = machine
        self._validate = validate
        self._dual = dual
        self._batches = ShuffledBatches([len(t) for t in teaching.corpus.texts], training.batch, seed)

    def batch(self, number: int, progress: float) -> QueryBatch:
        chosen = self._batches.at(number)
        texts = [self._teaching.corpus.texts[i] for i in chosen]
        examples = torch.from_numpy(self._teaching.corpus.examples[chosen])
        return QueryBatch(
            # Questions are short: whole batches fit a cache.
            parts_of(
                texts,
                self._training.micro_batch or len(texts),
                lambda part: self._backbone.queries(part, self._text.query),
            ),
            torch.from_numpy(self._teaching.queries[chosen]),
            torch.from_numpy(self._teaching.codes[examples]),
            examples[:, None] == examples[None, :],
        )

    def backward(self, batch: QueryBatch) -> float:
        teacher, codes, same = (x.to(self._machine.device) for x in (batch.teacher, batch.codes, batch.same))
        once = Pass(self._student, batch.parts)
        passes = [once, once] if self._objective in TWO_PASSES else [once]

        def loss_of(vectors: Sequence[Tensor]) -> Tensor:
            return self._loss(vectors[0], vectors[-1], teacher, codes, same) / len(codes)

        return backward(passes, loss_of, self._machine, cached=self._training.micro_batch > 0)

    def _loss(self, student: Tensor, again: Tensor, teacher: Tensor, codes: Tensor, same: Tensor) -> Tensor:
        if self._objective == "loss_single":
            return query_distillation(student, teacher)
        if self._objective == "loss_dual":
            return dual_distillation(student, teacher, codes)
        if self._objective == "loss_spencer":
            return distillation(student, teacher, codes)
        temperature, literal = self._dual.temperature, self._dual.literal
        if self._objective == "loss_contra":
            return contrastive_distillation(student, again, teacher, codes, temperature, literal=literal, same=same)
        return direct_training(student, again, codes, temperature, literal=literal, same=same)

    def validate(self) -> float:
        return self._validate()
