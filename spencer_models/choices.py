"""Packs side by side on the validation split, through the application's own inference: what a pack's defaults are
chosen from. Weights (float32, int8, float16), lengths and K are each a column or a line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from statistics import median

from spencer_desktop.core.errors import SpencerError, UserError
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import open_pack
from spencer_models.data.corpus import VALID, read_corpus
from spencer_models.evaluate import KS, QuestionSet, evaluate, means, question_sets
from spencer_models.markdown import markdown_table
from spencer_models.progress import Report

_ROUNDS = 5
_TIMED_CODES, _TIMED_QUERIES = 64, 20


@dataclass(frozen=True, slots=True)
class Choice:
    """A pack, read with so many tokens of a code."""

    name: str
    code_tokens: int
    models: Models
    megabytes: float


def compare_packs(
    packs: Sequence[Path], corpus: Path, questions: int, code_tokens: Sequence[int], report: Report
) -> str:
    """A Markdown table: a line for each pack and each of `code_tokens` (none: the pack's own).

    At most so many `questions` of each kind are asked. UserError when the corpus has no validation split.
    """
    sets = question_sets(read_corpus(corpus), VALID, questions)
    if not sets:
        raise UserError(f"The corpus at {corpus} has no validation split", hint="Prepare it with --valid.")
    choices = [_choice(pack, tokens) for pack in packs for tokens in (code_tokens or (0,))]
    for choice in choices:
        _try(choice)
    found = []
    for choice in choices:
        found.append(means(evaluate(choice.models, sets)))
        report(
            f"{choice.name}, {choice.code_tokens} tokens: " + ", ".join(f"{w} {m:.4f}" for w, m in found[-1].items())
        )
    ways = list(dict.fromkeys(way for by_way in found for way in by_way))
    header = ["pack", "code tokens", "MB", *ways, "functions/s", "query ms", f"re-rank ms, K = {KS[1]}"]
    rows = [
        [choice.name, str(choice.code_tokens), f"{choice.megabytes:.1f}"]
        + [f"{by_way[way]:.4f}" if way in by_way else "" for way in ways]
        + [f"{value:.1f}" if value else "" for value in times]
        for choice, by_way, times in zip(choices, found, _times(choices, sets), strict=True)
    ]
    asked = sum(len(s.queries) for s in sets)
    about = (
        f"Mean MRR of {len(sets)} kinds of questions ({asked:,} in all); times are medians of {_ROUNDS} rounds in turn."
    )
    return "\n".join([about, "", *markdown_table(header, rows)])


def _try(choice: Choice) -> None:
    """UserError when the model has no places for so many tokens, before anything is measured."""
    try:
        choice.models.code_encoder.encode(["x " * choice.code_tokens])
    except SpencerError as error:
        raise UserError(
            f"{choice.name} does not read {choice.code_tokens} tokens of a code", hint="Give fewer as --code-tokens."
        ) from error


def _choice(folder: Path, tokens: int) -> Choice:
    pack = open_pack(folder)
    tokens = tokens or pack.manifest.max_code_tokens
    pack = replace(pack, manifest=replace(pack.manifest, max_code_tokens=tokens))
    graphs = sum(file.size for name, file in pack.manifest.files.items() if name.endswith(".onnx"))
    name = f"{folder.resolve().parent.name}/{folder.resolve().name}"
    return Choice(name, tokens, Models(pack, choose_device("auto", 0)), graphs / 1e6)


def _times(choices: Sequence[Choice], sets: Sequence[QuestionSet]) -> list[tuple[float, float, float]]:
    """For each choice: functions encoded a second, milliseconds of a query, and of re-ranking (0: it cannot)."""
    codes = _in_turn([s.codes for s in sets])[:_TIMED_CODES]
    queries = _in_turn([s.queries for s in sets])[:_TIMED_QUERIES]
    taken: list[list[tuple[float, float, float]]] = [[] for _ in choices]
    for _ in range(_ROUNDS):
        for times, choice in zip(taken, choices, strict=True):
            times.append(_round(choice.models, codes, queries))
    # One slow moment of the machine spoils one round.
    return [(median(t[0] for t in times), median(t[1] for t in times), median(t[2] for t in times)) for times in taken]


def _in_turn(texts: Sequence[Sequence[str]]) -> list[str]:
    """The first of each, then the second of each, and so on."""
    return [text for turn in zip_longest(*texts) for text in turn if text is not None]


def _round(models: Models, codes: Sequence[str], queries: Sequence[str]) -> tuple[float, float, float]:
    rate = len(codes) / _seconds(lambda: models.code_encoder.encode(codes))
    query_ms = median(1000 * _seconds(lambda q=q: models.query_encoder.encode([q])) for q in queries)  # type: ignore[misc]
    reranker = models.reranker
    if reranker is None:
        return rate, query_ms, 0.0
    return rate, query_ms, 1000 * _seconds(lambda: reranker.score(queries[0], codes[: KS[1]]))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
