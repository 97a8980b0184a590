"""A scored run → model packs for the application: float32, int8 for CPUs, float16 for GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import ConfidenceCurve, open_pack
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.types import Stage
from spencer_models.backbones.base import Encoder
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
from spencer_models.config import (
    CrossConfig,
    DistillConfig,
    DualConfig,
    ExportConfig,
    Recipe,
    TrainingConfig,
    fingerprint,
)
from spencer_models.data.corpus import TEST, VALID, Corpus
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
    translated_sets,
)
from spencer_models.origin import origin_of
from spencer_models.packing import INT8, VARIANTS, PackSpec, Trained, application_tokenizer
from spencer_models.pipeline import Run
from spencer_models.plotting import save
from spencer_models.release import describe, make_pack, read_translations
from spencer_models.reproduce import Reproduction

# Of each kind, re-ranked: a re-ranker on a CPU answers two questions a second. Of 60 a difference as large as the gate
# allows is a coin's toss. Recall is gated on whole pools.
_VALID_RERANKED, _TEST_QUESTIONS = 120, 80

# Of each kind, to smooth activations by.
_SAMPLES = 5

_RELIABILITY = "reliability.png"

# The same questions in several languages; those that are in a corpus are asked.
_TRANSLATIONS = resource_dir() / "results" / "default" / "translations.json"


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
    spec = _spec(run, recipe, recipe.export)
    asked = question_sets(run.corpus, VALID, POOL)
    answered: dict[str, list[Answers]] = {}

    def measure(pack: Path) -> Mapping[str, float]:
        answered[pack.name] = _answers(pack, asked, spec.candidates, _VALID_RERANKED)
        return means(scored(answered[pack.name], (spec.candidates,)))

    packed = make_pack(trained, spec, measure, folder, run.report)
    if packed.means:
        curves = {stage: fitted(seen) for stage, seen in _observed(answered[INT8], spec.candidates).items()}
        measured = _measured(run.corpus, trained, folder / INT8, spec.candidates, curves)
        run.report("int8\n" + table(measured.scores))
        save(reliability_figure(measured.reliability), folder / _RELIABILITY)
        card = _card(reproduction, measured)
        describe(trained, spec, packed, folder, rerank_by_default=measured.rerank_helps, card=card, confidence=curves)
    run.report(f"packs: {folder}")
    return folder


def _spec(run: Run, recipe: Recipe, export: ExportConfig) -> PackSpec:
    return PackSpec(
        name=recipe.name,
        version=recipe.version,
        query_tokens=recipe.text.query,
        code_tokens=export.code_tokens or recipe.text.code,
        pair_tokens=export.pair_tokens or recipe.text.pair,
        candidates=recipe.evaluate.candidates,
        recall_scale=run.recall_scale if recipe.cross else 0.0,
        licences=origin_of(run.backbone).licences_with(run.summary),
        gate=export.gate,
        weights=export.weights,
        samples=[
            pair
            for pool in run.validation.pools
            for pair in zip(pool.codes[:_SAMPLES], pool.queries[:_SAMPLES], strict=False)
        ],
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one pack does on the test split: by kind of question, by length of the code, by language of the question."""

    scores: Mapping[str, Mapping[str, PackScores]]
    reliability: Mapping[str, Reliability]
    lengths: Mapping[str, PackScores]
    spoken: Mapping[str, PackScores]
    rerank_helps: bool


def _measured(
    corpus: Corpus, trained: Trained, pack: Path, k: int, curves: Mapping[Stage, ConfidenceCurve]
) -> _Measured:
    tests = question_sets(corpus, TEST, _TEST_QUESTIONS)
    answers = _answers(pack, tests, k)
    sure = {
        f"{stage.value}, {pool}": reliability(curves[stage], seen)
        for stage, by_pool in _observed(answers, k).items()
        for pool, seen in by_pool.items()
    }
    tokenizer = application_tokenizer(trained)
    assert tokenizer
    lengths = by_length(answers, tests, lambda code: len(tokenizer.encode(code).ids))
    spoken = _answers(pack, translated_sets(corpus, read_translations(_TRANSLATIONS)), k)
    by_language = {name: ways["distilled"] for name, ways in scored(spoken, (k,)).items()}
    helps = trained.scorer is not None and rerank_helps(answers, k)
    return _Measured(scored(answers, (k,)), sure, lengths, by_language, helps)


def _answers(pack: Path, sets: Sequence[QuestionSet], k: int, most_reranked: int = POOL) -> list[Answers]:
    models = Models(open_pack(pack), choose_device("auto", 0))
    # One more than K, so that something stands in the place of an answer that is taken away.
    return [ask(models, asked, k + 1, most_reranked) for asked in sets]


def _observed(answers: Sequence[Answers], k: int) -> dict[Stage, dict[str, Observed]]:
    seen = {Stage.RECALL: recalled(answers, k), Stage.RERANKED: reranked(answers, k)}
    return {stage: by_pool for stage, by_pool in seen.items() if by_pool}


def _card(reproduction: Reproduction, measured: _Measured) -> Card:
    run, recipe = reproduction.run, reproduction.recipe
    code = run.dual.code
    assert isinstance(code, Encoder)
    distill, cross, dual = recipe.distill, recipe.cross, recipe.dual
    origin = origin_of(run.backbone)
    start = f", from the weights of the pack {origin.pack}" if origin.pack else ""
    size = f"{code.stack.depth} layers, {code.width} wide, {code.pooling} pooling"
    return Card(
        command=reproduction.command,
        base=f"{recipe.backbone.family}, {size}{start}",
        student_layers=reproduction.selected[0].depth if distill else code.stack.depth,
        dual=_dual(run, dual),
        distilled=_distilled(distill) if distill else {},
        reranker=_reranker(cross) if cross else {},
        path=reproduction.selected[1] if distill else None,
        mrr={name: {way: s.mrr for way, s in by_way.items()} for name, by_way in measured.scores.items()},
        questions={name: next(iter(by_way.values())).n for name, by_way in measured.scores.items()},
        measured=INT8,
        pool=POOL,
        reliability=measured.reliability,
        lengths={name: (scores.mrr, scores.n) for name, scores in measured.lengths.items()},
        spoken={name: (scores.mrr, scores.n) for name, scores in measured.spoken.items()},
        corpus=run.summary,
        hardware=reproduction.hardware(),
        hours=reproduction.training_seconds() / 3600,
        history=origin.runs,
        weaknesses=_weaknesses(run.summary),
    )


def _dual(run: Run, dual: DualConfig) -> dict[str, object]:
    """Nothing where the encoder is still the checkpoint's."""
    told: dict[str, object] = {}
    if dual.training.epochs or dual.hard_epochs:
        told = {"contrasts": " + ".join(dual.contrasts), **_settings(dual.training)}
    if dual.hard_epochs:
        told |= {"then with hard negatives, epochs": dual.hard_epochs}
    if run.blend and run.blend.share:
        told |= {"first checkpoint mixed back in": f"{run.blend.share:.0%}"}
    return told


def _distilled(distill: DistillConfig) -> dict[str, object]:
    told: dict[str, object] = {"queries": distill.queries, **_settings(distill.training)}
    if distill.further:
        studied = f"{distill.further.studied:,} examples" if distill.further.studied else "all examples"
        told |= {"then all that could be asked of": studied, **_settings(distill.further.training, "then ")}
    return told


def _reranker(cross: CrossConfig) -> dict[str, object]:
    student = cross.student if cross.student and cross.student.shipped else None
    joint = {"joint layers": cross.joint} if cross.head == "late" else {}
    told: dict[str, object] = {"head": cross.head, **joint, "loss": cross.loss, **_settings(cross.training)}
    if student:
        told |= {"then": f"{student.layers} layers that learnt its scores", **_settings(student.training, "then ")}
    return told


def _weaknesses(summary: Mapping[str, Any]) -> list[str]:
    languages = ", ".join(sorted(summary["languages"].get("train", ())))
    return [f"Trained on {languages} alone; in other languages it relies on what its checkpoint knows."]


def _settings(training: TrainingConfig, when: str = "") -> dict[str, object]:
    return {when + name: asdict(training)[name] for name in ("epochs", "batch", "learning_rate", "dropout")}
