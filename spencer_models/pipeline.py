"""From a recipe to trained models: corpus → dual encoder → re-ranker; `students` goes on from here.

Asking for a result makes whatever it needs and is not there yet.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Floats, Ids
from spencer_models.backbones.base import Backbone, Stack, compress_scorer
from spencer_models.backbones.checkpoint import WEIGHTS_NAME, write_weights
from spencer_models.backbones.scorer import PairScorer
from spencer_models.blending import Blend, blend
from spencer_models.config import CrossConfig, Recipe, TrainingConfig, fingerprint
from spencer_models.cross import (
    CrossTask,
    GroupSampler,
    LabelledSampler,
    Sampler,
    random_examples,
)
from spencer_models.data.negatives import hard_negatives, pooled_negatives
from spencer_models.dual import DualEncoder, DualTask
from spencer_models.encode import once
from spencer_models.examples import Example
from spencer_models.inputs import Inputs, Studied, weights_hash
from spencer_models.mixing import Mix
from spencer_models.progress import Report
from spencer_models.stage import Stage

_SCALE_NAME = "recall_scale.json"
_BLEND_NAME = "blend.json"

M = TypeVar("M", bound=nn.Module)


class Run(Inputs):
    """One recipe on one corpus. Folders stand under `work`, named by all that they depend on but the machine: what was
    trained on a GPU goes on anywhere."""

    def __init__(
        self, recipe: Recipe, corpus_folder: Path, work: Path, report: Report, *, save_seconds: float = 300.0
    ) -> None:
        super().__init__(recipe, corpus_folder, work, report, save_seconds)
        corpus = {k: v for k, v in self.summary.items() if k.endswith("sha256")}
        evaluate = recipe.evaluate
        start = (recipe.backbone, weights_hash(self.backbone.folder))
        shown = replace(recipe.mix, studied=0)
        first = (corpus, *start, recipe.text, shown, recipe.seed, recipe.precision, evaluate.valid_questions)
        unmixed = replace(recipe.dual, forgotten=1.0, asked=())
        self.dual_stage = self._stage("dual", *first, replace(unmixed, hard_epochs=0.0))
        base = (*first, recipe.mix.studied)
        self.hard_stage = self._stage("dual-hard", *base, unmixed)
        # Without a blend nothing depends on the checkpoint that would be mixed in.
        blended = weights_hash(self.blended.folder) if recipe.dual.forgotten < 1 else ""
        dual = (*base, recipe.dual, blended)
        self.blend_folder = self._stage("dual-blend", *dual).folder
        judged = (evaluate.candidates, evaluate.most_candidates, evaluate.valid_reranked)
        cross = recipe.cross and replace(recipe.cross, student=None)
        self.cross_stage = self._stage("cross", *dual, cross, *judged)
        student = recipe.cross and recipe.cross.student and replace(recipe.cross.student, shipped=False)
        self.cross_student_stage = self._stage("cross-student", *dual, cross, student, *judged)
        self.students_fingerprint = fingerprint(*dual, evaluate.pool)

    def _stage(self, kind: str, *parts: Any) -> Stage:
        return Stage(self.work / f"{kind}-{fingerprint(kind, *parts)}")

    def check_blend(self) -> None:
        """UserError when the checkpoint to mix in is of another shape than what is trained."""
        if self.recipe.dual.forgotten < 1:
            trained, other = (x.encoder("code").state_dict() for x in (self.backbone, self.blended))
            if {k: v.shape for k, v in trained.items()} != {k: v.shape for k, v in other.items()}:
                raise UserError(
                    f"{self.blended.folder} cannot be mixed with {self.backbone.folder}: their shapes differ",
                    hint="Name a checkpoint of the same family and size as --checkpoint, or set dual.forgotten = 1.",
                )

    def check_scorer(self) -> None:
        """UserError for a re-ranker that this backbone cannot have."""
        cross = self._cross
        depth = self.pretrained.scorer(cross.head, joint=cross.joint).stack.depth
        if cross.student and cross.student.layers >= depth:
            raise UserError(f"The re-ranker has {depth} layers: cross.student.layers must be below that")

    @cached_property
    def dual_folder(self) -> Path:
        """Where the trained sides stand, "code" and "query"."""
        return self.blend_folder if self.recipe.dual.forgotten < 1 else self._trained_stage.folder

    @property
    def _trained_stage(self) -> Stage:
        return self.hard_stage if self.recipe.dual.hard_epochs else self.dual_stage

    @cached_property
    def dual(self) -> DualEncoder:
        """The trained dual encoder, in evaluation mode on the machine."""
        self._ensure_trained()
        if self.recipe.dual.forgotten < 1 and not (self.blend_folder / _BLEND_NAME).is_file():
            self._blend()
        return self._load_dual(self.dual_folder)

    @property
    def blend(self) -> Blend | None:
        """What was mixed back into the dual encoder; None where the recipe asks for nothing."""
        _ = self.dual
        path = self.blend_folder / _BLEND_NAME
        return Blend(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def _blend(self) -> None:
        """Mixes the recipe's checkpoint back in."""
        dual, checkpoint = self._load_dual(self._trained_stage.folder), self._encoders(self.blended, None, 0.0)
        config = self.recipe.dual
        found = blend(dual, checkpoint, lambda: self.validation.by_kind(dual), config.forgotten, config.asked)
        self._save_dual(dual, self.blend_folder)
        self.report(f"{self.blend_folder.name}: {found.share:g} of the checkpoint mixed in")
        text = json.dumps(asdict(found), indent=1) + "\n"
        (self.blend_folder / _BLEND_NAME).write_text(text, encoding="utf-8")

    def _ensure_trained(self) -> None:
        training = self.recipe.dual.training
        if not self.dual_stage.is_done:
            fresh = self.fresh_dual(training.dropout)
            self._train_dual(self.dual_stage, fresh, training, self.examples, self.mix, shown=self.shown)
        if self.recipe.dual.hard_epochs and not self.hard_stage.is_done:
            first = self._load_dual(self.dual_stage.folder)
            hard = self._mine(first, self.recipe.dual.hard_depth)
            longer = replace(training, epochs=self.recipe.dual.hard_epochs)
            started = self._load_dual(self.dual_stage.folder, training.dropout)
            self._train_dual(self.hard_stage, started, longer, self.studied.examples, self.studied.mix, hard=hard)

    def fresh_dual(self, dropout: float) -> DualEncoder:
        """The dual encoder as training begins."""
        # Weights that no checkpoint has are drawn.
        torch.manual_seed(self.recipe.seed)
        return self._load_dual(None, dropout)

    def _load_dual(self, folder: Path | None, dropout: float = 0.0) -> DualEncoder:
        return self._placed(self._encoders(self.backbone, folder, dropout))

    def _encoders(self, backbone: Backbone, folder: Path | None, dropout: float) -> DualEncoder:
        """Both sides with the weights in `folder`, or with those that the backbone starts from."""
        code = backbone.encoder("code", folder and folder / "code", dropout=dropout)
        shared = self.recipe.backbone.shared
        query = code if shared else backbone.encoder("query", folder and folder / "query", dropout=dropout)
        return DualEncoder(query, code)

    def _placed(self, model: M) -> M:
        """The model on the machine, in evaluation mode."""
        for module in model.modules():
            if isinstance(module, Stack):
                # On a CPU plain attention trains faster; dropout keeps the fused kind from its fast path.
                module.set_attention("eager" if self.machine.device.type == "cpu" else "sdpa")
        return model.to(self.machine.device).eval()

    def _train_dual(
        self,
        stage: Stage,
        dual: DualEncoder,
        training: TrainingConfig,
        examples: Sequence[Example],
        mix: Mix,
        *,
        hard: Ids | None = None,
        shown: Callable[[int, int], Example] | None = None,
    ) -> None:
        config = replace(self.recipe.dual, training=training)
        seed = self.recipe.seed
        task = DualTask(
            dual,
            self.backbone,
            examples,
            config,
            self.recipe.text,
            self.machine,
            lambda: self.validation.dual(dual),
            seed,
            mix,
            hard,
            shown,
        )

        save = lambda: self._save_dual(dual, stage.folder)  # noqa: E731
        stage.train(dual, task, self.plan(training, int(mix.times.sum())), self.machine, save, self.report)

    def _save_dual(self, dual: DualEncoder, folder: Path) -> None:
        self.backbone.save(dual.code, folder / "code")
        self.backbone.save(dual.query, folder / "query")

    def _mine(self, dual: DualEncoder, depth: int) -> Ids:
        folder, studied = self.dual_stage.folder, self.studied
        queries, codes = self._query_vectors(dual, folder, studied), self._code_vectors(dual, folder, studied)
        return hard_negatives(queries, codes, [e.query for e in studied.examples], depth).codes

    def _query_vectors(self, dual: DualEncoder, folder: Path, studied: Studied) -> Floats:
        texts = [e.query for e in studied.examples]
        path = folder / f"queries-{studied.split}-{len(texts)}.npy"
        return once(path, lambda: self.reading.queries(dual.query, texts))

    def _code_vectors(self, dual: DualEncoder, folder: Path, studied: Studied) -> Floats:
        codes = [e.code for e in studied.examples]
        path = folder / f"codes-{studied.split}-{len(codes)}.npy"
        return once(path, lambda: self.reading.codes(dual.code, codes))

    def query_vectors(self, studied: Studied) -> Floats:
        """The trained dual encoder's vectors of a sample's queries, float32 [n, d]."""
        return self._query_vectors(self.dual, self.dual_folder, studied)

    def code_vectors(self, studied: Studied) -> Floats:
        """The trained dual encoder's vectors of a sample's codes, float32 [n, d]."""
        return self._code_vectors(self.dual, self.dual_folder, studied)

    @cached_property
    def scorer(self) -> PairScorer:
        """The trained re-ranker that packs carry, in evaluation mode on the machine."""
        return self.student_scorer if self._ships_student else self.full_scorer

    @property
    def _ships_student(self) -> bool:
        cross = self.recipe.cross
        return cross is not None and cross.student is not None and cross.student.shipped

    @property
    def _cross(self) -> CrossConfig:
        if self.recipe.cross is None:
            raise UserError("The recipe has no [cross] section, and so no re-ranker")
        return self.recipe.cross

    @cached_property
    def full_scorer(self) -> PairScorer:
        """The re-ranker with all its layers, trained, in evaluation mode on the machine."""
        config, stage = self._cross, self.cross_stage
        if not stage.is_done:
            _ = self.dual
            fresh = self._placed(self._fresh_scorer(config.training.dropout))
            fresh.freeze()
            self._train_cross(stage, fresh, config, config.training, None)
        return self._placed(self._loaded_scorer(0.0))

    @cached_property
    def student_scorer(self) -> PairScorer:
        """The re-ranker that learnt the full one's scores with fewer layers, in evaluation mode on the machine."""
        config, stage = self._cross, self.cross_student_stage
        student = config.student
        if student is None:
            raise UserError("The recipe has no [cross.student] section")
        if not stage.is_done:
            teacher = self.full_scorer
            fresh = compress_scorer(self._loaded_scorer(student.training.dropout), student.layers)
            self._train_cross(stage, self._placed(fresh), config, student.training, teacher)
        scorer = compress_scorer(self._fresh_scorer(0.0), student.layers)
        scorer.load_state_dict(load_file(stage.folder / WEIGHTS_NAME))
        return self._placed(scorer)

    def _fresh_scorer(self, dropout: float) -> PairScorer:
        """The re-ranker as its training begins."""
        # The paper starts from the checkpoint; in a run of thousands of questions, what the code encoder learnt helps.
        start = self.dual_folder / "code" if self._cross.start == "dual" else None
        return self.pretrained.scorer(self._cross.head, start, dropout=dropout, joint=self._cross.joint)

    def _loaded_scorer(self, dropout: float) -> PairScorer:
        """The re-ranker as its training left it."""
        scorer = self._fresh_scorer(dropout)
        scorer.load_state_dict(load_file(self.cross_stage.folder / WEIGHTS_NAME))
        return scorer

    def _train_cross(
        self,
        stage: Stage,
        scorer: PairScorer,
        config: CrossConfig,
        training: TrainingConfig,
        teacher: PairScorer | None,
    ) -> None:
        config = replace(config, training=training)
        sampler, examples = self._sampler(config)
        recalls = self.validation.recalls(self.dual.query, self.validation.codes(self.dual.code))
        task = CrossTask(
            scorer,
            self.pretrained,
            sampler,
            config,
            self.recipe.text.pair,
            self.machine,
            lambda: self.validation.reranked(scorer, recalls, config.recall_scale),
            teacher,
        )

        def save() -> None:
            scale = config.recall_scale
            # The head "late" has the full encoder's cosine in it, beside which a student's is noise.
            if not scale and config.head != "late":
                scale = self.validation.best_scale(scorer, recalls)
            (stage.folder / _SCALE_NAME).write_text(json.dumps(scale), encoding="utf-8")
            write_weights(scorer, stage.folder)

        stage.train(scorer, task, self.plan(training, examples), self.machine, save, self.report)

    def _sampler(self, config: CrossConfig) -> tuple[Sampler, int]:
        """Where the pairs come from, and how many pairs or questions make an epoch."""
        seed = self.recipe.seed
        if config.data == "labelled":
            return LabelledSampler(self.labelled, config.training.batch, seed), len(self.labelled)
        if config.data == "random":
            drawn = random_examples(self.examples, seed)
            return LabelledSampler(drawn, config.training.batch, seed), len(drawn)
        compared = self.compared
        queries, codes, examples = self.query_vectors(compared), self.code_vectors(compared), compared.examples
        asked, groups = [e.query for e in examples], compared.mix.groups
        mined = pooled_negatives(queries, codes, asked, config.depth, config.pool, seed, groups)
        sampler = GroupSampler(examples, queries, codes, mined, config, seed)
        return sampler, len(sampler.reachable)

    @cached_property
    def recall_scale(self) -> float:
        """How much the cosine weighs beside the logit of `scorer`: as trained, or as chosen on the validation split."""
        _ = self.scorer
        return self.scale_of(self.shipped_cross_stage)

    @property
    def shipped_cross_stage(self) -> Stage:
        """Where the re-ranker that packs carry stands."""
        return self.cross_student_stage if self._ships_student else self.cross_stage

    def scale_of(self, stage: Stage) -> float:
        """The recall scale of one of the two trained re-rankers."""
        return float(json.loads((stage.folder / _SCALE_NAME).read_text(encoding="utf-8")))
