"""A scored run → model packs for the application: float32, int8 for CPUs, float16 for GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import open_pack
from spencer_desktop.core.types import Stage
from spencer_models.backbones.base import Backbone, Encoder
from spencer_models.card import CARD, Card
from spencer_models.confidence import (
    Observed,
    Reliability,
    fitted,
    recalled,
    reliability,
    reliability_figure,
    reranked,
)
from spencer_models.config import TrainingConfig, fingerprint
from spencer_models.data.corpus import TEST, VALID
from spencer_models.evaluate import (
    POOL,
    Answers,
    PackScores,
    QuestionSet,
    ask,
    by_length,
    means,
    question_sets,
    rerank_helps,
    scored,
    table,
)
from spencer_models.packing import INT8, VARIANTS, PackSpec, Trained, application_tokenizer
from spencer_models.plotting import save
from spencer_models.release import describe, make_pack
from spencer_models.reproduce import Reproduction

# Graphs on a CPU answer some tens of questions a second; the gate asks for a difference of means over all sources.
_VALID_QUESTIONS, _TEST_QUESTIONS = 100, 150

_RELIABILITY = "reliability.png"

Sureness = Mapping[Stage, Mapping[str, Reliability]]
"""Stage → kind of pool → how right the confidence was."""

_WEAKNESSES = (
    "Languages other than those in the table above were not trained on.",
    "Questions in other languages than English were not measured.",
)


def make_packs(reproduction: Reproduction) -> Path:
    """Exports, gates, measures and describes the packs of a run; returns the folder that holds one for each variant.

    EnvironmentFault when a graph does not agree with torch or a variant costs more than the recipe allows.
    """
    run, recipe = reproduction.run, reproduction.recipe
    assert recipe.export
    folder = run.work / f"pack-{fingerprint(reproduction.folder.name, recipe.version, recipe.export)}"
    # Cards are written last: packs that have them are whole.
    if all((folder / variant / CARD).is_file() for variant in VARIANTS):
        return folder
    students = reproduction.students
    query = students.load(reproduction.selected[0]) if students else run.dual.query
    trained = Trained(run.backbone, run.dual.code, query, run.scorer if recipe.cross else None)
    spec = PackSpec(
        name=recipe.name,
        version=recipe.version,
        query_tokens=recipe.text.query,
        code_tokens=recipe.export.code_tokens or recipe.text.code,
        pair_tokens=recipe.text.pair,
        candidates=recipe.evaluate.candidates,
        recall_scale=run.recall_scale if recipe.cross else 0.0,
        licences=_licences(run.summary, run.backbone),
        gate=recipe.export.gate,
        weights=recipe.export.weights,
    )
    ks = (spec.candidates,)
    asked = question_sets(run.corpus, VALID, _VALID_QUESTIONS)
    answered: dict[str, list[Answers]] = {}

    def measure(pack: Path) -> Mapping[str, float]:
        answered[pack.name] = _answers(pack, asked, spec.candidates)
        return means(scored(answered[pack.name], ks))

    packed = make_pack(trained, spec, measure, folder, run.report)
    if packed.means:
        confidence = {stage: fitted(seen) for stage, seen in _observed(answered[INT8], spec.candidates).items()}
        tests = question_sets(run.corpus, TEST, _TEST_QUESTIONS)
        tested = _answers(folder / INT8, tests, spec.candidates)
        sure = {
            stage: {pool: reliability(confidence[stage], seen) for pool, seen in by_pool.items()}
            for stage, by_pool in _observed(tested, spec.candidates).items()
        }
        save(reliability_figure(_by_stage_and_pool(sure)), folder / _RELIABILITY)
        scores = scored(tested, ks)
        run.report("int8\n" + table(scores))
        mrr = {name: {way: s.mrr for way, s in by_way.items()} for name, by_way in scores.items()}
        questions = {name: next(iter(by_way.values())).n for name, by_way in scores.items()}
        helps = bool(recipe.cross) and rerank_helps(scores, spec.candidates)
        tokenizer = application_tokenizer(trained)
        assert tokenizer
        lengths = by_length(tested, tests, lambda code: len(tokenizer.encode(code).ids))
        card = _card(reproduction, mrr, questions, sure, lengths)
        describe(trained, spec, packed, folder, rerank_by_default=helps, card=card, confidence=confidence)
    run.report(f"packs: {folder}")
    return folder


def _answers(pack: Path, sets: Sequence[QuestionSet], k: int) -> list[Answers]:
    models = Models(open_pack(pack), choose_device("auto", 0))
    # One more than K, so that something stands in the place of an answer that is taken away.
    return [ask(models, asked, k + 1) for asked in sets]


def _observed(answers: Sequence[Answers], k: int) -> dict[Stage, dict[str, Observed]]:
    seen = {Stage.RECALL: recalled(answers, k), Stage.RERANKED: reranked(answers, k)}
    return {stage: by_pool for stage, by_pool in seen.items() if by_pool}


def _by_stage_and_pool(sure: Sureness) -> dict[str, Reliability]:
    return {f"{stage.value}, {pool}": found for stage, by_pool in sure.items() for pool, found in by_pool.items()}


def _card(
    reproduction: Reproduction,
    mrr: Mapping[str, Mapping[str, float]],
    questions: Mapping[str, int],
    sure: Sureness,
    lengths: Mapping[str, PackScores],
) -> Card:
    run, recipe = reproduction.run, reproduction.recipe
    code = run.dual.code
    assert isinstance(code, Encoder)
    distill, cross = recipe.distill, recipe.cross
    return Card(
        command=reproduction.command,
        base=f"{recipe.backbone.family}, {code.stack.depth} layers, {code.width} wide, {code.pooling} pooling",
        student_layers=reproduction.selected[0].depth if distill else code.stack.depth,
        dual={"contrasts": " + ".join(recipe.dual.contrasts), **_settings(recipe.dual.training)},
        distilled={"queries": distill.queries, **_settings(distill.training)} if distill else {},
        reranker={"head": cross.head, "loss": cross.loss, **_settings(cross.training)} if cross else {},
        path=reproduction.selected[1] if distill else None,
        mrr=mrr,
        questions=questions,
        measured=INT8,
        pool=POOL,
        reliability=_by_stage_and_pool(sure),
        lengths={name: (scores.mrr, scores.n) for name, scores in lengths.items()},
        corpus=run.summary,
        hardware=run.machine.describe(),
        hours=reproduction.training_seconds() / 3600,
        weaknesses=_WEAKNESSES,
    )


def _settings(training: TrainingConfig) -> dict[str, object]:
    return {name: asdict(training)[name] for name in ("epochs", "batch", "learning_rate", "dropout")}


def _licences(summary: Mapping[str, Any], backbone: Backbone) -> list[dict[str, str]]:
    """One entry for the base weights and one for each source of training text."""
    base = {"name": backbone.family, "licence": backbone.licence, "part": "base weights and tokenizer"}
    sources = {**summary["packages"], **summary["files"]}
    return [
        base,
        *(
            {"name": name, "licence": source["licence"] or "as its owner states", "part": "training text"}
            for name, source in sorted(sources.items())
            if source["languages"].get("train")
        ),
    ]
