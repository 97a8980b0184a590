"""The students of a run's query encoder: of any size, objective and teacher, and along Algorithm 1."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Floats, Ids
from spencer_models.assistants import select_assistants
from spencer_models.backbones.base import Encoder, compress
from spencer_models.config import DistillConfig, TrainingConfig, fingerprint
from spencer_models.distill import (
    TWO_PASSES,
    DistillTask,
    Objective,
    QueryCorpus,
    Teaching,
    all_queries,
    further_queries,
    queries_of_examples,
)
from spencer_models.encode import once
from spencer_models.inputs import Studied
from spencer_models.pipeline import Run
from spencer_models.results import AssistantPath
from spencer_models.stage import Stage
from spencer_models.validation import Validation

_PATH_NAME = "path.json"


@dataclass(frozen=True, slots=True)
class QueryModel:
    """A query encoder that stands in `folder`; `name` says how it came about and is its identity in fingerprints."""

    folder: Path
    depth: int
    name: str


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What a student learns from and for how long; `parts` are its identity in fingerprints.

    `codes` are the examples whose codes the numbers in the corpus mean.
    """

    corpus: Callable[[], QueryCorpus]
    codes: Callable[[], Studied]
    training: TrainingConfig
    parts: tuple[object, ...]


class Students:
    """Trains each student once. Implements `Distiller` for Algorithm 1."""

    def __init__(self, run: Run) -> None:
        if run.recipe.distill is None:
            raise UserError("The recipe has no [distill] section, and so no students")
        self._run = run
        self._config: DistillConfig = run.recipe.distill
        # Of no layers the first token's state is the same for every question.
        if 0 in self._config.sizes and run.pretrained.pooling == "cls":
            raise UserError("A student of no layers needs mean pooling", hint="Leave 0 out of distill.sizes.")
        self._by_recall = run.recipe.assistants.score == "recall"
        self._metric = f"R@{run.recipe.evaluate.candidates}" if self._by_recall else "MRR"
        self.stages: list[Stage] = []
        """The trainings of all students that were asked for."""

    @cached_property
    def teacher(self) -> QueryModel:
        """The full query encoder, trained."""
        dual = self._run.dual
        assert isinstance(dual.query, Encoder)
        return QueryModel(self._run.dual_folder / "query", dual.query.stack.depth, self._run.students_fingerprint)

    @cached_property
    def untrained(self) -> QueryModel:
        """The checkpoint's query encoder, from which DirectTrain starts."""
        return QueryModel(self._run.backbone.folder, self.teacher.depth, "checkpoint")

    @cached_property
    def _corpus(self) -> QueryCorpus:
        if self._config.queries == "pairs":
            return queries_of_examples(self._run.studied.examples)
        return all_queries(self._run.studied.pairs, self._run.studied.sentences)

    @cached_property
    def _read_further(self) -> Studied:
        """The examples of `distill.further` whose codes the full encoder reads."""
        assert self._config.further
        return self._run.sample(self._config.further.codes or self._config.further.studied)

    @cached_property
    def _further_corpus(self) -> QueryCorpus:
        """What `distill.further` learns from. Where a question's own code is not read it stands beside another one:
        L_DD asks how far a code is, whichever it is."""
        assert self._config.further
        read, asked = self._read_further.numbers, self._run.sample(self._config.further.studied)
        own = np.minimum(np.searchsorted(read, asked.numbers), len(read) - 1)
        codes: Ids = np.where(read[own] == asked.numbers, own, np.arange(len(asked.numbers)) % len(read))
        corpus = further_queries(asked.pairs, asked.sentences)
        return QueryCorpus(corpus.texts, codes[corpus.examples])

    @cached_property
    def _validation(self) -> Validation:
        """Whole pools: questions alone are cheap to encode, and the drops that Algorithm 1 judges are small."""
        run = self._run
        return Validation(run.reading, run.recipe.evaluate, run.corpus, run.recipe.evaluate.pool)

    @cached_property
    def _valid_codes(self) -> list[Floats]:
        return self._validation.codes(self._run.dual.code)

    def load(self, model: QueryModel) -> Encoder:
        """The encoder, in evaluation mode on the machine."""
        return self._run.pretrained.encoder("query", model.folder).to(self._run.machine.device).eval()

    def train(self, start: QueryModel, removed: int, teacher: QueryModel, objective: Objective) -> QueryModel:
        """`start` without `removed` of its layers, then trained on `objective`; made once."""
        run, config = self._run, self._config
        lesson = _Lesson(lambda: self._corpus, lambda: run.studied, self._training(objective), (config.queries,))
        return self._train(start, removed, teacher, objective, lesson)

    def _train(
        self, start: QueryModel, removed: int, teacher: QueryModel, objective: Objective, lesson: _Lesson
    ) -> QueryModel:
        run, training = self._run, lesson.training
        parts = (run.students_fingerprint, start.name, removed, teacher.name, objective, training, *lesson.parts)
        name = fingerprint(*parts)
        depth = start.depth - removed
        stage = Stage(run.work / f"student-{depth}-{objective}-{name}")
        if stage not in self.stages:
            self.stages.append(stage)
        if not stage.is_done:
            full = run.pretrained.encoder("query", start.folder, dropout=training.dropout)
            student = compress(full, removed)
            corpus = lesson.corpus()
            task = DistillTask(
                student,
                run.backbone,
                self._teaching(teacher, corpus, lesson),
                objective,
                training,
                run.recipe.text,
                run.machine,
                lambda: self._validation.queries(student, self._valid_codes),
                run.recipe.seed,
                run.recipe.dual,
            )
            plan = run.plan(training, len(corpus.texts))
            save = lambda: run.pretrained.save(student, stage.folder)  # noqa: E731
            stage.train(student, task, plan, run.machine, save, run.report)
        return QueryModel(stage.folder, depth, name)

    def _training(self, objective: Objective) -> TrainingConfig:
        training = self._config.training
        return replace(training, dropout=self._config.second_pass_dropout) if objective in TWO_PASSES else training

    def _teaching(self, teacher: QueryModel, corpus: QueryCorpus, lesson: _Lesson) -> Teaching:
        name = f"questions-{fingerprint(*lesson.parts, self._run.recipe.mix.studied)}.npy"
        queries = once(teacher.folder / name, lambda: self._run.reading.queries(self.load(teacher), corpus.texts))
        return Teaching(corpus, queries, self._run.code_vectors(lesson.codes()))

    def direct(self, layers: int, objective: Objective) -> QueryModel:
        """A student of `layers` layers taught by the full teacher itself, or (DirectTrain) by the labels alone."""
        start = self.untrained if objective == "direct_train" else self.teacher
        return self.train(start, self.teacher.depth - layers, self.teacher, objective)

    def select(self) -> tuple[QueryModel, AssistantPath]:
        """The student that Algorithm 1 keeps, and the path, which also stands in the run's folder."""
        config = self._run.recipe.assistants
        removed, threshold = config.removed, config.threshold
        return select_assistants(self.teacher, self, metric=self._metric, removed=removed, threshold=threshold)

    def further(self, kept: QueryModel) -> QueryModel:
        """`kept` after it has gone on learning from its full teacher, where the recipe asks for that."""
        config = self._config.further
        if config is None or kept == self.teacher:
            return kept
        parts = ("further", config.studied, config.codes)
        lesson = _Lesson(lambda: self._further_corpus, lambda: self._read_further, config.training, parts)
        return self._train(kept, 0, self.teacher, "loss_spencer", lesson)

    def depth(self, model: QueryModel) -> int:
        return model.depth

    def score(self, model: QueryModel) -> float:
        # Kept beside the model: who goes on elsewhere needs none of the path's weights but the last.
        path = model.folder / f"score-{self._metric}-{self._run.recipe.evaluate.pool}.npy"
        judge = self._validation.recall if self._by_recall else self._validation.queries
        return float(once(path, lambda: np.array(judge(self.load(model), self._valid_codes), np.float32), np.float32))

    def pupil(self, start: QueryModel, removed: int, teacher: QueryModel) -> QueryModel:
        return self.train(start, removed, teacher, "loss_spencer")

    def record(self, path: AssistantPath) -> None:
        folder = self._run.work / f"assistants-{fingerprint(self._run.students_fingerprint, self._config)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _PATH_NAME).write_text(json.dumps(asdict(path), indent=1) + "\n", encoding="utf-8")
        chosen = [step for step in path.steps if step.chosen][-1]
        scores = f"{path.metric} {chosen.score:.4f} of {path.teacher_score:.4f}"
        self._run.report(f"Algorithm 1: {chosen.layers} layers, {scores}{'' if chosen.kept else ': not kept'}")
