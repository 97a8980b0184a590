"""Students of the query encoder side by side: what each keeps of recall and of the pipeline, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from spencer_desktop.core.types import Floats
from spencer_models.backbones.base import Code, Encoder
from spencer_models.export import OnnxModel, export_float32, export_int8
from spencer_models.markdown import markdown_table
from spencer_models.metrics import mrr, recall_at
from spencer_models.pipeline import Run
from spencer_models.progress import Report
from spencer_models.recipes import read_recipe
from spencer_models.results import Timing
from spencer_models.retrieval import Recall
from spencer_models.students import Students
from spencer_models.timing import time_encoders
from spencer_models.validation import Validation

_PROBES = ("how to read a file", "sort")


@dataclass(frozen=True, slots=True)
class _Rung:
    """A query encoder, by a name that the table shows, and what it recalls on the validation split."""

    name: str
    encoder: Encoder
    recalls: Sequence[Recall]


def compare(recipe: Path, corpus: Path, work: Path, checkpoint: str, threads: int, report: Report) -> str:
    """A Markdown table: the full query encoder, the students of `distill.sizes` and the one that Algorithm 1 keeps.

    Trains what is not trained yet. UserError for a recipe without [distill].
    """
    if threads:
        torch.set_num_threads(threads)
    run = Run(read_recipe(recipe, checkpoint), corpus, work, report)
    students, config = Students(run), run.recipe.distill
    assert config
    kept, _ = students.select()
    chosen = {
        "full": students.teacher,
        **{f"{size}": students.direct(size, "loss_spencer") for size in config.sizes},
        f"{kept.depth} (Algorithm 1)": kept,
    }
    if config.further:
        chosen[f"{kept.depth} (Algorithm 1, further)"] = students.further(kept)
    validation = run.validation
    codes = validation.codes(run.dual.code)
    encoders = {name: students.load(model) for name, model in chosen.items()}
    rungs = [_Rung(name, x, validation.recalls(x, codes)) for name, x in encoders.items()]
    logits = _logits(run, validation, rungs)
    return _table(run, validation, rungs, logits, _timings(run, encoders))


def _logits(run: Run, validation: Validation, rungs: Sequence[_Rung]) -> Sequence[Sequence[Floats]] | None:
    """The re-ranker's logits of each rung's candidates, [n, K] for each pool; what several recalled is scored once."""
    if run.recipe.cross is None:
        return None
    k = run.recipe.evaluate.candidates
    out: list[list[Floats]] = [[] for _ in rungs]
    for number, pool in enumerate(validation.pools):
        tops = [rung.recalls[number].top[:, :k] for rung in rungs]
        wanted = sorted({(q, c) for top in tops for q, row in enumerate(top.tolist()) for c in row})
        pairs: list[tuple[Code, str]] = [(pool.codes[c], pool.queries[q]) for q, c in wanted]
        known = dict(zip(wanted, run.reading.logits(run.scorer, pairs).tolist(), strict=True))
        for top, found in zip(tops, out, strict=True):
            rows = [[known[q, c] for c in row] for q, row in enumerate(top.tolist())]
            found.append(np.array(rows, np.float32))
    return out


def _timings(run: Run, encoders: Mapping[str, Encoder]) -> list[Timing]:
    """Each encoder beside the full one as int8 graphs, one question at a time, on the machine's threads."""
    backbone, text, evaluate = run.pretrained, run.recipe.text, run.recipe.evaluate
    probes = [backbone.queries(_PROBES, text.query), backbone.queries(_PROBES[-1:], text.query)]
    threads = torch.get_num_threads()
    pools = run.validation.pools
    per_pool = -(-evaluate.timed_questions // len(pools))
    asked = [query for pool in pools for query in pool.queries[:per_pool]][: evaluate.timed_questions]
    features = {query: backbone.queries([query], text.query) for query in asked}
    graphs: list[OnnxModel] = []
    with TemporaryDirectory() as scratch:
        plain, fused, int8 = (Path(scratch) / f"{name}.onnx" for name in ("plain", "fused", "int8"))
        for encoder in encoders.values():
            export_float32(encoder, plain, fused, probes, output_name="vectors")
            export_int8(plain, int8, probes, list(features.values()))
            graphs.append(OnnxModel(int8, threads))
    return [
        time_encoders(
            lambda query, graph=graph: graph(features[query]),  # type: ignore[misc]
            lambda query: graphs[0](features[query]),
            asked,
            rounds=evaluate.timing_rounds,
        )
        for graph in graphs
    ]


def _table(
    run: Run,
    validation: Validation,
    rungs: Sequence[_Rung],
    logits: Sequence[Sequence[Floats]] | None,
    timings: Sequence[Timing],
) -> str:
    k, scale = run.recipe.evaluate.candidates, run.recall_scale if logits else 0.0
    header = ["layers", "MRR of recall", f"R@{k}", f"MRR re-ranked, K = {k}", "kept", "ms", "of the full one's time"]
    rows: list[list[str]] = []
    best = 0.0
    for number, (rung, timing) in enumerate(zip(rungs, timings, strict=True)):
        recalled = _mean([mrr(found.ranks) for found in rung.recalls])
        answered = recalled
        if logits:
            answered = validation.mean_mrr(rung.recalls, logits[number], k, scale)
        best = best or answered
        rows.append(
            [
                rung.name,
                f"{recalled:.4f}",
                f"{_mean([recall_at(found.ranks, k) for found in rung.recalls]):.4f}",
                f"{answered:.4f}" if logits else "",
                f"{answered / best:.4f}",
                f"{1000 * timing.distilled_seconds / timing.n:.2f}",
                f"{timing.distilled_seconds / timing.original_seconds:.3f}",
            ]
        )
    questions = sum(len(found.ranks) for found in rungs[0].recalls)
    about = [
        f"Means over {len(validation.pools)} kinds of validation questions ({questions:,} in all). Times: int8, one",
        f"question; medians of {timings[0].rounds} rounds of {timings[0].n} questions, each in turn with the full",
        f"encoder, on {run.machine.describe()}.",
        "",
    ]
    return "\n".join([*about, *markdown_table(header, rows)])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
