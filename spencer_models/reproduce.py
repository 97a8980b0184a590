"""A whole run, scored: every row of the paper's Tables 2 to 6 and both figures for which the recipe has a section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Encoder
from spencer_models.config import fingerprint
from spencer_models.data.corpus import TEST, told_left_out
from spencer_models.distill import Objective
from spencer_models.origin import ORIGIN_NAME, Origin, RunRecord, origin_of, write_origin
from spencer_models.pipeline import Run
from spencer_models.results import (
    ASSISTANTS,
    CROSS,
    DIRECT_DISTILL,
    DIRECT_TRAIN,
    DUAL,
    DUAL_FOR_CROSS,
    LOSSES,
    NO_DISTILL_RECALL,
    SPENCER,
    SPENCER_NO_DISTILL,
    SPENCER_RECALL,
    AssistantPath,
    Results,
    Scores,
    Timing,
    layers_way,
    write_results,
)
from spencer_models.retrieval import Recall
from spencer_models.scoring import TestSet
from spencer_models.stage import Stage
from spencer_models.students import QueryModel, Students
from spencer_models.timing import time_encoders


class Reproduction:
    """Trains what is missing and scores everything."""

    def __init__(self, run: Run, command: str) -> None:
        self.run = run
        self.recipe = run.recipe
        self.students = Students(run) if run.recipe.distill else None
        self.command = command

    def check(self, *, scored: bool, packed: bool) -> None:
        """UserError for what would fail only after hours of training; of what is `scored` or `packed` only then."""
        run, text = self.run, self.recipe.text
        if not run.examples:
            sources = (*run.summary["packages"].values(), *run.summary["files"].values())
            why = told_left_out(source["left_out"] for source in sources)
            raise UserError("The corpus has no pairs for training", hint=f"Hold out less. {why}")
        _ = run.validation
        if scored:
            _ = self.test_sets
        code, pair = text.code, text.pair
        if packed and self.recipe.export:
            code = max(code, self.recipe.export.code_tokens)
            pair = max(pair, self.recipe.export.pair_tokens)
            if not run.corpus.of(TEST):
                raise UserError("The corpus has no test split, which a pack's card needs", hint="Hold out a package.")
        run.backbone.codes([run.examples[0].code], code)
        run.backbone.queries([run.examples[0].query], text.query)
        run.check_blend()
        if self.recipe.cross:
            run.pretrained.pairs([(run.examples[0].code, run.examples[0].query)], pair)
            if self.recipe.cross.data == "labelled":
                _ = run.labelled
            run.check_scorer()
        if self.recipe.cross or self.recipe.distill:
            depth = self.run.pretrained.encoder("query").stack.depth
            layers = (*(self.recipe.distill.sizes if self.recipe.distill else ()), self.recipe.assistants.removed)
            if self.recipe.distill and not all(n < depth for n in layers):
                raise UserError(
                    f"The backbone has {depth} layers: distill.sizes and assistants.removed must be below that",
                    hint="Change them in the recipe, or start from a deeper checkpoint.",
                )

    def dual(self) -> None:
        """Trains the dual encoder. Its code side is a checkpoint to go on from, which says how it came about."""
        run = self.run
        _ = run.dual
        folder = run.dual_folder / "code"
        if not (folder / ORIGIN_NAME).is_file():
            before = origin_of(run.backbone)
            own = RunRecord(self.recipe.version, self.command, self.training_seconds() / 3600, self.hardware())
            write_origin(Origin("", [*before.runs, own], before.licences_with(run.summary)), folder)

    @cached_property
    def selected(self) -> tuple[QueryModel, AssistantPath]:
        """The student that Algorithm 1 keeps, with all that it goes on to learn, and its path."""
        assert self.students
        kept, path = self.students.select()
        return self.students.further(kept), path

    @cached_property
    def query_models(self) -> dict[str, QueryModel]:
        """Way of ranking → the query encoder that recalls so: every student of Tables 4, 5 and 6."""
        if self.students is None or self.recipe.distill is None:
            return {}
        student, _ = self.selected
        direct = partial(self.students.direct, student.depth)
        losses: dict[str, Objective] = {name: name for name in LOSSES}  # type: ignore[misc]
        models = {way: direct(objective) for way, objective in losses.items()}
        models |= {layers_way(n): self.students.direct(n, "loss_spencer") for n in self.recipe.distill.sizes}
        models |= {DIRECT_TRAIN: direct("direct_train"), DIRECT_DISTILL: direct("loss_spencer"), ASSISTANTS: student}
        return models

    def results(self) -> Results:
        """Everything that was found out; also written to the run's results folder."""
        run = self.run
        _ = run.dual
        if self.recipe.cross:
            _ = run.scorer
        models = self.query_models
        scored = {language: self._language(test, models) for language, test in self.test_sets.items()}
        depth = run.dual.query.stack.depth if isinstance(run.dual.query, Encoder) else 0
        results = Results(
            recipe=self.recipe.name,
            backbone=self.recipe.backbone.family,
            layers=depth,
            student_layers=self.selected[0].depth if self.students else 0,
            command=self.command,
            hardware=run.machine.describe(),
            data=self._counts(),
            scores={language: scores for language, (scores, _, _) in scored.items()},
            candidates={language: figures for language, (_, figures, _) in scored.items()},
            timing={language: timing for language, (_, _, timing) in scored.items() if timing},
            path=self.selected[1] if self.students else None,
        )
        write_results(results, self.folder)
        return results

    @cached_property
    def test_sets(self) -> dict[str, TestSet]:
        """By language. UserError when one that the recipe names does not fill a pool, or none does."""
        run, config = self.run, self.recipe.evaluate
        counts = Counter(p.language for p in run.corpus.of(TEST))
        languages = config.languages or tuple(sorted(x for x, n in counts.items() if n >= config.pool))
        if not languages:
            raise UserError(
                f"No language has a test split of {config.pool} pairs, which is one pool ({dict(counts)})",
                hint="Hold out more, or lower evaluate.pool in the recipe.",
            )
        return {x: TestSet(x, run.corpus, run.reading, config, self.folder) for x in languages}

    @cached_property
    def folder(self) -> Path:
        """Where ranking files and results stand."""
        stages = (self.run.students_fingerprint, self.run.shipped_cross_stage.folder.name, self.recipe.evaluate)
        return self.run.work / f"results-{fingerprint(*stages, self.recipe.distill, self.recipe.assistants)}"

    def training_seconds(self) -> float:
        """How long all that this run trained took."""
        return sum(stage.result().seconds for stage in self._stages)

    def hardware(self) -> str:
        """What all that was trained on."""
        return "; ".join(dict.fromkeys(stage.hardware() for stage in self._stages)) or self.run.machine.describe()

    @property
    def _stages(self) -> list[Stage]:
        """The trainings that were done."""
        stages = [self.run.dual_stage, self.run.hard_stage, self.run.cross_stage]
        if self.run.shipped_cross_stage is not self.run.cross_stage:
            stages.append(self.run.shipped_cross_stage)
        stages += self.students.stages if self.students else []
        return [stage for stage in stages if stage.is_done]

    def _counts(self) -> dict[str, Any]:
        pairs = self.run.corpus.pairs
        languages = sorted({p.language for p in pairs})
        splits = sorted({p.split for p in pairs})
        counts = {s: {x: sum(p.split == s and p.language == x for p in pairs) for x in languages} for s in splits}
        return {
            "pairs": counts,
            "corpus_sha256": self.run.summary["sha256"],
            "left_out_as_measuring_sets": self.run.summary["left_out_as_measuring_sets"],
        }

    def _language(
        self, test: TestSet, models: dict[str, QueryModel]
    ) -> tuple[dict[str, Scores], dict[str, dict[str, Scores]], Timing | None]:
        run = self.run
        codes = test.codes(run.dual.code)
        full = test.recalls(run.dual.query, codes)
        scores = {DUAL: test.recalled(DUAL, full)}
        recalls: dict[str, list[Recall]] = {}
        # Several ways may have one encoder; its questions are encoded once.
        for model in {m.name: m for m in models.values()}.values():
            assert self.students
            recalls[model.name] = test.recalls(self.students.load(model), codes)
        scores |= {way: test.recalled(way, recalls[model.name]) for way, model in models.items()}
        figures: dict[str, dict[str, Scores]] = {}
        if self.recipe.cross:
            distilled = recalls[self.selected[0].name] if self.students else None
            figures = self._reranked(test, full, distilled)
            k = str(self.recipe.evaluate.candidates)
            scores |= {way: by_k[k] for way, by_k in figures.items()}
            scores[CROSS] = test.crossed(CROSS, run.scorer)
            if asked := self.recipe.evaluate.cross_questions:
                scores[DUAL_FOR_CROSS] = test.recalled(DUAL_FOR_CROSS, full, asked)
        return scores, figures, self._timing(test)

    def _reranked(
        self, test: TestSet, full: list[Recall], distilled: list[Recall] | None
    ) -> dict[str, dict[str, Scores]]:
        """Way → K as text → scores, for every K of Figure 5."""
        run, most = self.run, self.recipe.evaluate.most_candidates
        lists = {SPENCER_NO_DISTILL: full} | ({SPENCER: distilled} if distilled else {})
        with_recall = {SPENCER_NO_DISTILL: NO_DISTILL_RECALL, SPENCER: SPENCER_RECALL}
        logits = test.logits(run.scorer, list(lists.values()))
        figures: dict[str, dict[str, Scores]] = {}
        for (way, recalls), values in zip(lists.items(), logits, strict=True):
            for name, scale in ((way, 0.0), (with_recall[way], run.recall_scale)):
                figures[name] = {
                    str(k): test.reranked(f"{name}-{k}", recalls, values, k, scale) for k in range(2, most + 1)
                }
        return figures

    def _timing(self, test: TestSet) -> Timing | None:
        """The selected student beside the full query encoder, one question at a time, inputs made beforehand."""
        if self.students is None:
            return None
        run = self.run
        student = self.students.load(self.selected[0])
        features = {q: run.reading.features([q]) for q in test.timed_queries}

        def answer(encoder: Encoder) -> Callable[[str], object]:
            def encode(query: str) -> object:
                with torch.inference_mode():
                    # Copied back, so that the time is that of the answer and not of its request.
                    return encoder(**features[query]).cpu()

            return encode

        full = run.dual.query
        assert isinstance(full, Encoder)
        queries: Sequence[str] = test.timed_queries
        return time_encoders(answer(student), answer(full), queries, rounds=self.recipe.evaluate.timing_rounds)
