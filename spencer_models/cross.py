"""The re-ranker's training (paper, section 2.2): labelled pairs as they stand, or a match among mined others.

The paper's cross-encoder is trained alone (`recall_scale` = 0). One that has seen a few thousand questions is weaker
than the dual encoder whose candidates it orders; trained as a residual, on `recall_scale` · cosine + logit, it starts
at the recall order and can only be paid for improving on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import query_text
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.base import Code, Features, Pretrained
from spencer_models.backbones.scorer import PairScorer
from spencer_models.cached_gradient import Pass, backward
from spencer_models.config import CrossConfig
from spencer_models.data.corpus import Labelled
from spencer_models.data.negatives import Negatives
from spencer_models.dual import part_rows
from spencer_models.examples import Example, parts_of
from spencer_models.losses import group_ranking, matching, score_matching
from spencer_models.machine import Machine


@dataclass(frozen=True, slots=True)
class Draw:
    """(code, query) pairs; 1 where they match, else 0; the recall score of each (0 where none is carried)."""

    pairs: list[tuple[Code, str]]
    labels: Floats
    cosines: Floats


class Sampler(Protocol):
    """Where the pairs of a batch come from."""

    def draw(self, number: int, progress: float) -> Draw:
        """The pairs of one batch; they depend on the arguments alone."""


class _Order:
    """Numbers in batches, shuffled anew each epoch; the order of an epoch is drawn once."""

    def __init__(self, numbers: Ids, batch: int, seed: int) -> None:
        self._numbers = numbers
        self._batch = batch
        self._seed = seed
        self._epoch = -1
        self._order = numbers

    def batch(self, number: int) -> tuple[tuple[int, int], Ids]:
        """(epoch, place in it), and the numbers of that batch."""
        epoch, place = divmod(number, -(-len(self._numbers) // self._batch))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self._seed, epoch]).permutation(self._numbers)
        return (epoch, place), self._order[place * self._batch : (place + 1) * self._batch]


class LabelledSampler:
    """Matched (label 1) and unmatched pairs as they are given, shuffled anew each epoch."""

    def __init__(self, labelled: Sequence[tuple[Example, int]], batch: int, seed: int) -> None:
        self._labelled = labelled
        self._order = _Order(np.arange(len(labelled)), batch, seed)

    def draw(self, number: int, progress: float) -> Draw:
        chosen = [self._labelled[i] for i in self._order.batch(number)[1]]
        labels = np.array([label for _, label in chosen], np.float32)
        return Draw([(x.code, x.query) for x, _ in chosen], labels, np.zeros_like(labels))


def labelled_examples(labelled: Sequence[Labelled]) -> list[tuple[Example, int]]:
    """The labelled pairs of a corpus."""
    return [(Example(query_text(x.query), Code(x.code, x.language)), x.label) for x in labelled]


def random_examples(examples: Sequence[Example], seed: int) -> list[tuple[Example, int]]:
    """Each example, and each of its questions with the code of another one."""
    # A shift of a shuffled order gives every code away exactly once, and none to its own question.
    order = np.random.default_rng(seed).permutation(len(examples))
    others = [Example(examples[a].query, examples[b].code) for a, b in zip(order, np.roll(order, 1), strict=True)]
    return [(example, 1) for example in examples] + [(example, 0) for example in others]


class GroupSampler:
    """Groups of one question, its answer first: questions at random, negatives from random to hard as training goes on.

    `query_vectors` and `code_vectors` are the dual encoder's, float32 [examples, d], unit rows; `mined` what it takes
    for answers though they are not.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        query_vectors: Floats,
        code_vectors: Floats,
        mined: Negatives,
        config: CrossConfig,
        seed: int,
    ) -> None:
        self._examples = examples
        self._query_vectors = query_vectors
        self._code_vectors = code_vectors
        self._mined = mined
        self._negatives = config.negatives
        self._seed = seed
        # A question whose answer is far down the list teaches nothing about the order of the first candidates, and
        # nothing is learnt where recall is sure.
        enough = mined.codes[:, config.negatives - 1] >= 0
        best = np.einsum("nd,nd->n", query_vectors, code_vectors[mined.codes[:, 0]])
        doubtful = np.abs(mined.own - best) <= config.doubt
        self.reachable = np.flatnonzero((mined.rank <= config.depth) & enough & doubtful)
        if not len(self.reachable):
            raise UserError(
                "No question's answer is among the first candidates, or none is in doubt",
                hint="Give more pairs, or a larger cross.depth or cross.doubt.",
            )
        self._order = _Order(self.reachable, config.training.batch, seed)

    def draw(self, number: int, progress: float) -> Draw:
        place, rows = self._order.batch(number)
        random = np.random.default_rng([self._seed, *place])
        pairs: list[tuple[Code, str]] = []
        cosines: list[Floats] = []
        for row in rows:
            numbers = np.concatenate([[row], self._wrong(random, int(row), progress)])
            pairs += [(self._examples[i].code, self._examples[row].query) for i in numbers]
            cosines.append(self._code_vectors[numbers] @ self._query_vectors[row])
        labels = np.zeros((len(rows), 1 + self._negatives), np.float32)
        labels[:, 0] = 1
        return Draw(pairs, labels.ravel(), np.concatenate(cosines))

    def _wrong(self, random: np.random.Generator, row: int, progress: float) -> Ids:
        """int64 [negatives]: random codes, in a share that falls to none, then the narrowing head of the list."""
        found = self._mined.codes[row][self._mined.codes[row] >= 0]
        head = max(2 * self._negatives, round(len(found) * (1 - progress)))
        easy = random.binomial(self._negatives, 0.5 * (1 - min(1.0, 2 * progress)))
        hard = random.choice(found[:head], self._negatives - easy, replace=False)
        others = random.integers(0, len(self._examples), easy)
        # A random code is hardly ever the answer itself; where it is, a mined one takes its place.
        others[others == row] = found[0]
        return np.concatenate([hard, others]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class CrossBatch:
    """Features in parts of like length; `order` says which pair each row is."""

    parts: list[Features]
    order: Tensor
    labels: Tensor
    cosines: Tensor


class CrossTask:
    """Trains the re-ranker on what a sampler draws; the loss is a mean over pairs (pointwise) or groups (listwise).

    With a `teacher` it learns that one's scores of the groups, and nothing from the labels.
    """

    def __init__(
        self,
        scorer: PairScorer,
        backbone: Pretrained,
        sampler: Sampler,
        config: CrossConfig,
        max_tokens: int,
        machine: Machine,
        validate: Callable[[], float],
        teacher: PairScorer | None = None,
    ) -> None:
        self._scorer = scorer
        self._teacher = teacher
        self._backbone = backbone
        self._sampler = sampler
        self._config = config
        self._max_tokens = max_tokens
        self._machine = machine
        self._validate = validate

    def batch(self, number: int, progress: float) -> CrossBatch:
        draw = self._sampler.draw(number, progress)
        order = sorted(range(len(draw.pairs)), key=lambda i: -len(draw.pairs[i][0].text) - len(draw.pairs[i][1]))
        parts = parts_of(
            [draw.pairs[i] for i in order],
            part_rows(self._config.training, self._machine),
            lambda part: self._backbone.pairs(part, self._max_tokens),
        )
        return CrossBatch(parts, torch.tensor(order), torch.from_numpy(draw.labels), torch.from_numpy(draw.cosines))

    def backward(self, batch: CrossBatch) -> float:
        config, device = self._config, self._machine.device
        back = torch.argsort(batch.order).to(device)
        labels = batch.labels.to(device)
        recall = config.recall_scale * batch.cosines.to(device)
        taught = None if self._teacher is None else self._groups(self._logits(self._teacher, batch)[back])

        def loss_of(vectors: Sequence[Tensor]) -> Tensor:
            logits = vectors[0][back]
            if taught is not None:
                # What recall adds is the same on both sides.
                return score_matching(self._groups(logits), taught) / len(taught)
            if config.loss == "pointwise":
                return matching(logits + recall, labels) / len(labels)
            groups = self._groups(logits + recall)
            return group_ranking(groups) / len(groups)

        cached = config.training.micro_batch > 0
        return backward([Pass(self._scorer, batch.parts)], loss_of, self._machine, cached=cached)

    def _groups(self, values: Tensor) -> Tensor:
        return values.view(-1, 1 + self._config.negatives)

    @torch.no_grad()
    def _logits(self, scorer: PairScorer, batch: CrossBatch) -> Tensor:
        with self._machine.autocast():
            return torch.cat([scorer(**self._machine.features(part)) for part in batch.parts])

    def validate(self) -> float:
        return self._validate()
