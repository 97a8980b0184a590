"""A finished run → a pack folder: exported twice, gated, measured, described."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import open_pack
from spencer_models.backbones.minilm import load_tokenizer
from spencer_models.card import CARD, render
from spencer_models.evaluate import KS, Scores, evaluate, means, rerank_helps, table, valid_sets
from spencer_models.packing import Trained, quantise_graphs, write_graphs, write_manifest
from spencer_models.pipeline import Run

# What int8 weights may cost of the mean MRR over the validation sets.
GATE = 0.01
# Float graphs run at half the speed, and the gate asks for a difference only.
_GATE_SHARE = 0.4

_BASE_LICENCE = {"name": "all-MiniLM-L6-v2", "licence": "Apache-2.0", "part": "base weights and tokenizer"}


def make_pack(run: Run, out: Path, questions: int, command: str) -> str:
    """Exports, quantises, checks and measures the pack and writes it to `out`; returns its scores as a table.

    `questions` of each validation set are asked. EnvironmentFault when int8 weights cost more than `GATE`.
    """
    recipe = run.recipe
    trained = Trained(load_tokenizer(run.base), run.teacher, run.student, run.reranker)
    licences = [_BASE_LICENCE, *_data_licences(run)]
    dimension = run.teacher.bert.config.hidden_size
    kept = {}
    for kind in ("float", "int8"):
        folder = run.pack_folder / kind
        if kind == "float":
            write_graphs(trained, recipe, folder, run.report)
        else:
            quantise_graphs(run.pack_folder / "float", folder, run.report)
        write_manifest(recipe, folder, dimension=dimension, licences=licences, rerank_by_default=False, figures={})
        kept[kind] = means(measure(run, folder, round(questions * _GATE_SHARE), (recipe.rerank.candidates,)))
        run.report(f"{kind}: mean MRR {kept[kind]}")
    lost = max(kept["float"][way] - kept["int8"][way] for way in kept["float"])
    if lost > GATE:
        raise EnvironmentFault(f"int8 weights lose {lost:.4f} of the mean MRR (allowed: {GATE})")
    folder = run.pack_folder / "int8"
    scores = measure(run, folder, questions, KS)
    helps = rerank_helps(scores, recipe.rerank.candidates)
    figures = {**_figures(run, scores, command), "int8_loss": round(lost, 4)}
    write_manifest(recipe, folder, dimension=dimension, licences=licences, rerank_by_default=helps, figures=figures)
    (folder / CARD).write_text(render(recipe, run.corpus_summary(), figures, helps=helps), encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.copyfile(path, out / path.name)
    return table(scores)


def measure(run: Run, pack: Path, questions: int, ks: Sequence[int] = KS) -> dict[str, dict[str, Scores]]:
    """The scores of any pack on the held-out questions of the run's corpus."""
    models = Models(open_pack(pack), choose_device("cpu", run.recipe.threads))
    return evaluate(models, valid_sets(run.corpus, questions), ks)


def _figures(run: Run, scores: Mapping[str, Mapping[str, Scores]], command: str) -> dict[str, Any]:
    return {
        "command": command,
        "mrr": {name: {way: s.mrr for way, s in by_way.items()} for name, by_way in scores.items()},
        "questions": {name: by_way["full"].n for name, by_way in scores.items()},
        "distilled_on_texts": len(run.questions.texts),
        "student": run.student_figures(),
        "corpus_sha256": run.corpus_summary()["sha256"],
    }


def _data_licences(run: Run) -> list[dict[str, str]]:
    """One entry for each source of training text."""
    summary = run.corpus_summary()
    named = {name: f"{p['licence']}" for name, p in summary["packages"].items() if p["split"] == "train"}
    named |= {name: run.recipe.licences.get(name, "as its owner states") for name in summary["files"]}
    return [{"name": name, "licence": licence, "part": "training text"} for name, licence in sorted(named.items())]
