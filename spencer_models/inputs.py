"""What a run starts from: its recipe, the corpus as examples, the backbone, the machine, and the validation split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Ids
from spencer_models.backbones.base import Backbone, Pretrained
from spencer_models.backbones.checkpoint import WEIGHTS_NAME
from spencer_models.backbones.families import FAMILIES, open_backbone
from spencer_models.backbones.scratch import Scratch
from spencer_models.backbones.vocabulary import VOCABULARY_NAME
from spencer_models.config import Recipe, TrainingConfig, fingerprint
from spencer_models.cross import labelled_examples
from spencer_models.data.corpus import RERANK, TRAIN, Corpus, Pair, Sentence, read_corpus
from spencer_models.examples import Example, Examples
from spencer_models.loop import Plan
from spencer_models.machine import find_machine
from spencer_models.mixing import Mix, mix_of
from spencer_models.progress import Report
from spencer_models.validation import Reading, Validation


@dataclass(frozen=True, slots=True)
class Studied:
    """Some of a split, at the ascending positions `numbers` in it. `sentences` are what else the documentation says of
    them; `pair` is a position in `pairs`, in whose order all else is."""

    split: str
    numbers: Ids
    pairs: list[Pair]
    examples: list[Example]
    sentences: list[Sentence]
    mix: Mix


class Inputs:
    """Everything that is there before anything is trained; each part is made when it is first asked for."""

    def __init__(self, recipe: Recipe, corpus_folder: Path, work: Path, report: Report, save_seconds: float) -> None:
        self.recipe = recipe
        self.corpus_folder = corpus_folder
        self.work = work
        self.report = report
        self._save_seconds = save_seconds
        self.machine = find_machine(recipe.precision)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts, sources and hashes of the corpus."""
        return dict(self.corpus.summary)

    @cached_property
    def corpus(self) -> Corpus:
        return read_corpus(self.corpus_folder)

    @cached_property
    def pairs(self) -> list[Pair]:
        """The training split; `examples` are in this order."""
        return list(self.corpus.of(TRAIN))

    @cached_property
    def examples(self) -> Examples:
        return Examples(self.pairs, self.recipe.text)

    @property
    def shown(self) -> Callable[[int, int], Example] | None:
        """How a batch of the dual encoder's training shows `examples`; None where always alike."""
        return self.examples.shown if self.recipe.text.varied else None

    @cached_property
    def mix(self) -> Mix:
        """How often `examples` are shown, and in which groups."""
        return mix_of(self.pairs, self.recipe.mix)

    @cached_property
    def studied(self) -> Studied:
        """The examples that the trained encoder reads."""
        return self.sample(self.recipe.mix.studied)

    @cached_property
    def compared(self) -> Studied:
        """The examples that the re-ranker learns from: those kept for it alone, or, where there are none, `studied`."""
        kept = self.corpus.of(RERANK)
        if not kept:
            return self.studied
        return self._studied(RERANK, np.arange(len(kept)), mix_of(kept, replace(self.recipe.mix, repeats={})))

    def sample(self, count: int) -> Studied:
        """`count` examples as training comes upon them (0: all that it shows); a larger sample holds a smaller one."""
        return self._studied(TRAIN, self.mix.sample(count, self.recipe.seed), self.mix)

    def _studied(self, split: str, chosen: Ids, mix: Mix) -> Studied:
        numbers = [number for number, pair in enumerate(self.corpus.pairs) if pair.split == split]
        places = {numbers[i]: place for place, i in enumerate(chosen)}
        pairs = [self.corpus.pairs[numbers[i]] for i in chosen]
        return Studied(
            split,
            chosen,
            pairs,
            list(Examples(pairs, self.recipe.text)),
            [replace(s, pair=places[s.pair]) for s in self.corpus.sentences if s.pair in places],
            mix.of(chosen),
        )

    @cached_property
    def backbone(self) -> Backbone:
        config = self.recipe.backbone
        return self._open(config.start or config.checkpoint or self._vocabulary())

    def _open(self, source: str) -> Backbone:
        config = self.recipe.backbone
        return open_backbone(
            config.family, source, pooling=config.pooling, symbol_header=self.recipe.text.symbol_header
        )

    def _vocabulary(self) -> str:
        """The folder of the vocabulary of a family that starts from nothing; "" for a family with a checkpoint."""
        kind = FAMILIES.get(self.recipe.backbone.family)
        if kind is None or not issubclass(kind, Scratch):
            return ""
        folder = self.work / f"vocabulary-{fingerprint(kind.family, self.summary['sha256'], self.recipe.text)}"
        if not (folder / VOCABULARY_NAME).is_file():
            kind.prepare([e.code for e in self.examples], [e.query for e in self.examples], folder)
        return str(folder)

    @cached_property
    def blended(self) -> Backbone:
        """The recipe's own checkpoint, some of which is mixed back in."""
        return self._open(self.recipe.backbone.checkpoint or self._vocabulary())

    @cached_property
    def pretrained(self) -> Pretrained:
        """The backbone, where it is one that can be re-ranked with and distilled. UserError otherwise."""
        if not isinstance(self.backbone, Pretrained):
            raise UserError(
                f"{self.recipe.backbone.family} starts from nothing: it has no re-ranker and no students",
                hint="Leave [cross], [distill] and [export] out of its recipe.",
            )
        return self.backbone

    def plan(self, training: TrainingConfig, examples: int) -> Plan:
        """The plan for so many examples an epoch: at least one step, but for 0 epochs."""
        steps = round(training.epochs * examples / (training.batch * training.accumulate))
        if training.epochs:
            steps = max(1, steps)
        return Plan(
            steps,
            training.learning_rate,
            training.warmup,
            training.weight_decay,
            self.recipe.seed,
            accumulate=training.accumulate,
            validations=training.validations,
            patience=training.patience,
            checkpoint_seconds=self._save_seconds,
        )

    @cached_property
    def reading(self) -> Reading:
        return Reading(self.backbone, self.recipe.text, self.machine, self.report)

    @cached_property
    def validation(self) -> Validation:
        evaluate = self.recipe.evaluate
        return Validation(self.reading, evaluate, self.corpus, evaluate.valid_questions)

    @cached_property
    def labelled(self) -> list[tuple[Example, int]]:
        """The labelled pairs of the training split. UserError when there are none."""
        found = labelled_examples([x for x in self.corpus.labelled if x.split == TRAIN])
        if not found:
            raise UserError(
                "The corpus has no labelled pairs",
                hint='Set cross.data = "random" or "groups", or give <CODESPLIT> files.',
            )
        return found


def weights_hash(folder: Path) -> str:
    """SHA-256 of a checkpoint's weights; "" where there are none."""
    weights = folder / WEIGHTS_NAME
    return hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""
