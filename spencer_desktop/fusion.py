"""`spencer weigh FILE`: how fusing semantic and lexical evidence does on questions with known answers.

What is shipped is chosen from such a table; a team can make one of its own questions about its own code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spencer_desktop import cli_output as out
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.ranking import Weights
from spencer_desktop.core.search import Searcher
from spencer_desktop.core.types import Mode, Query
from spencer_desktop.questions import Labelled, labelled_questions

LEXICAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Weights of lexical evidence that are tried; that of semantic evidence is 1."""

_DEPTH = 10


def compare(engine: Engine, file: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """MRR@10 of either evidence alone and by lexical weight, without ranking signals and with them.

    A question that is one symbol has a weight of its own, which is not tried. Raises UserError when the file cannot be
    read or has no question, or the vectors are of another pack.
    """
    labelled = labelled_questions(file)
    alone = {
        mode.value: _mrr(engine, labelled, Weights(), mode, signals=False) for mode in (Mode.SEMANTIC, Mode.LEXICAL)
    }
    rows = []
    for weight in LEXICAL:
        say(f"lexical weight {weight:g} …")
        weights = replace(Weights(), lexical=weight)
        plain, signals = (_mrr(engine, labelled, weights, Mode.HYBRID, signals=x) for x in (False, True))
        rows.append({"lexical": weight, "plain": plain, "signals": signals})
    return {"n": len(labelled), "alone": alone, "by_weight": rows, "shipped": Weights().lexical}


def _mrr(engine: Engine, labelled: Sequence[Labelled], weights: Weights, mode: Mode, *, signals: bool) -> float:
    searcher = Searcher(engine.reader, engine.models, candidates=1, weights=weights)
    total = 0.0
    for question in labelled:
        *_, update = searcher.search(Query(question.query, _DEPTH, mode, rerank=False, signals=signals))
        places = (place for place, hit in enumerate(update.hits, 1) if question.answered_by(hit))
        total += 1 / next(places, float("inf"))
    return round(total / len(labelled), 4)


def print_result(result: dict[str, Any]) -> None:
    alone = ", ".join(f"{mode} alone {value:.4f}" for mode, value in result["alone"].items())
    out.console().print(f"MRR@{_DEPTH} of {result['n']:,} questions: {alone}")
    out.console().print("lexical weight      plain    with signals")
    for row in result["by_weight"]:
        mark = "  (shipped)" if row["lexical"] == result["shipped"] else ""
        out.console().print(f"{row['lexical']:14g} {row['plain']:10.4f} {row['signals']:15.4f}{mark}")
