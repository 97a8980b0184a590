"""Ways of ordering the first candidates, side by side on the validation split: their MRR and their milliseconds.

Beside the cross-encoders stands late interaction (Khattab and Zaharia, arXiv 2004.12832) over the dual encoder's own
token states: it needs no training, and would need no cross-encoder in the pack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from spencer_desktop.core.types import Floats
from spencer_models.backbones.base import Code, Encoder, Features
from spencer_models.backbones.scorer import PairScorer
from spencer_models.dual import DualEncoder
from spencer_models.encode import evaluating
from spencer_models.examples import Pool
from spencer_models.losses import late_interaction
from spencer_models.metrics import mrr
from spencer_models.pipeline import Run
from spencer_models.progress import Report
from spencer_models.recipes import read_recipe
from spencer_models.retrieval import Recall
from spencer_models.validation import RECALL_SCALES, Reading, Validation

KS = (5, 10, 20)

_TIMED = 40
_PART = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way:
    """One way of ordering: its logits for the first candidates of each pool, float32 [n, depth], and what reads them.

    `read` scores some (code, query) pairs of one question, for the clock.
    """

    name: str
    logits: Sequence[Floats]
    read: Callable[[Sequence[Code], str], object]


def compare(recipe: Path, corpus: Path, work: Path, checkpoint: str, threads: int, report: Report) -> str:
    """A Markdown table: a line for each way and K; trains what is not trained yet. UserError without a re-ranker."""
    if threads:
        torch.set_num_threads(threads)
    run = Run(read_recipe(recipe, checkpoint), corpus, work, report)
    validation = run.validation
    scorers = {"cross-encoder": run.full_scorer}
    if run.recipe.cross and run.recipe.cross.student:
        scorers["its student"] = run.student_scorer
    recalls = validation.recalls(run.dual.query, validation.codes(run.dual.code))
    depth = run.recipe.evaluate.most_candidates
    pools = zip(validation.pools, recalls, strict=True)
    late = [_late_logits(run.reading, run.dual, pool, found) for pool, found in pools]
    ways = [Way("late interaction", late, lambda codes, query: _late(run.reading, run.dual, codes, query))]
    for name, scorer in scorers.items():
        title = f"{name}, {scorer.stack.depth} layers"
        ways.append(Way(title, validation.logits(scorer, recalls, depth), _reader(run.reading, scorer)))
    questions = sum(len(found.ranks) for found in recalls)
    return _table(validation, recalls, ways, [k for k in KS if k < depth] + [depth], questions)


def _table(
    validation: Validation, recalls: Sequence[Recall], ways: Sequence[Way], ks: Sequence[int], questions: int
) -> str:
    recall_alone = float(np.mean([mrr(found.ranks) for found in recalls]))
    lines = [
        f"Mean MRR of {len(recalls)} kinds of questions ({questions:,} in all); recall alone {recall_alone:.4f}.",
        f"Milliseconds for one question: medians of {_TIMED}, all ways in turn, on",
        f"{validation.reading.machine.describe()}.",
        "",
        "The scale of the recall score is the best of ten for these questions, the same for all kinds.",
        "",
        "| way | K | alone | with the recall score | scale | ms |",
        "|---|---|---|---|---|---|",
    ]
    for k in ks:
        times = _times(validation, recalls, ways, k)
        for way, ms in zip(ways, times, strict=True):
            # In units of their own deviation, logits of all kinds fit one grid of scales.
            unit = float(np.std(np.concatenate([logits[:, :k].ravel() for logits in way.logits]))) or 1.0
            by_scale = {scale: validation.mean_mrr(recalls, way.logits, k, unit * scale) for scale in RECALL_SCALES}
            best = max(by_scale, key=lambda scale: by_scale[scale])
            lines.append(
                f"| {way.name} | {k} | {by_scale[0.0]:.4f} | {by_scale[best]:.4f} | {unit * best:.3g} | {ms:.0f} |"
            )
    return "\n".join(lines)


def _times(validation: Validation, recalls: Sequence[Recall], ways: Sequence[Way], k: int) -> list[float]:
    """Median milliseconds in which each way reads the first `k` codes of a question; the same questions, in turn."""
    seconds: list[list[float]] = [[] for _ in ways]
    for turn in range(_TIMED):
        number = turn % len(recalls)
        pool, found = validation.pools[number], recalls[number]
        question = turn // len(recalls) % len(found.top)
        codes = [pool.codes[c] for c in found.top[question, :k]]
        for taken, way in zip(seconds, ways, strict=True):
            began = time.perf_counter()
            way.read(codes, pool.queries[question])
            taken.append(time.perf_counter() - began)
    return [1000 * median(taken) for taken in seconds]


def _reader(reading: Reading, scorer: PairScorer) -> Callable[[Sequence[Code], str], object]:
    silent = Reading(reading.backbone, reading.text, reading.machine, lambda line: None)
    return lambda codes, query: silent.logits(scorer, [(code, query) for code in codes])


def _late_logits(reading: Reading, dual: DualEncoder, pool: Pool, found: Recall) -> Floats:
    """float32 [n, depth]: late interaction of each question with its candidates; each code is read once."""
    wanted = sorted(set(found.top.ravel().tolist()))
    place = {code: number for number, code in enumerate(wanted)}
    codes = _code_tokens(reading, dual, [pool.codes[i] for i in wanted])
    queries = _query_tokens(reading, dual, pool.queries[: len(found.top)])
    rows = [
        late_interaction(query[None], codes[[place[code] for code in row]])[0]
        for query, row in zip(queries, found.top.tolist(), strict=True)
    ]
    return torch.stack(rows).numpy()


def _late(reading: Reading, dual: DualEncoder, codes: Sequence[Code], query: str) -> Tensor:
    return late_interaction(_query_tokens(reading, dual, [query]), _code_tokens(reading, dual, codes))


def _query_tokens(reading: Reading, dual: DualEncoder, queries: Sequence[str]) -> Tensor:
    tokens = reading.text.query
    return _tokens(dual.query, reading, queries, lambda part: reading.backbone.queries(part, tokens), tokens)


def _code_tokens(reading: Reading, dual: DualEncoder, codes: Sequence[Code]) -> Tensor:
    tokens = reading.text.code
    return _tokens(dual.code, reading, codes, lambda part: reading.backbone.codes(part, tokens), tokens)


@torch.inference_mode()
def _tokens(
    encoder: nn.Module, reading: Reading, texts: Sequence[T], build: Callable[[Sequence[T]], Features], tokens: int
) -> Tensor:
    """float32 [n, tokens, d]: the token states of each text, unit rows, zeros for padding."""
    assert isinstance(encoder, Encoder)
    with evaluating(encoder), reading.machine.autocast():
        parts = (build(texts[start : start + _PART]) for start in range(0, len(texts), _PART))
        rows = [encoder.with_tokens(tokens, **reading.machine.features(part))[:, 1:].float().cpu() for part in parts]
    return torch.cat(rows)
