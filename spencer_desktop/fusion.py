"""`spencer weigh FILE`: how fusing the kinds of evidence does on questions with known answers.

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
from spencer_desktop.core.types import Floats, Mode, Query, Reranker
from spencer_desktop.questions import Labelled, labelled_questions

LEXICAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Weights of lexical evidence that are tried; that of semantic evidence is 1."""

RERANK = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)
"""Weights of the re-ranker's evidence that are tried; that of the recall stage's score is 1."""

_DEPTH = 10


def compare(engine: Engine, file: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """MRR@10 of either evidence alone, by lexical weight, without ranking signals and with them, and by the weight of
    re-ranking, with them.

    A question that is one symbol has a lexical weight of its own, which is not tried. Without a re-ranker `by_rerank`
    is empty. Raises UserError when the file cannot be read or has no question, or the vectors are of another pack.
    """
    labelled = labelled_questions(file)
    shipped = Weights()
    alone = {
        mode.value: _mrr(engine.searcher(), labelled, mode=mode, signals=False)
        for mode in (Mode.SEMANTIC, Mode.LEXICAL)
    }
    rows = []
    for weight in LEXICAL:
        say(f"lexical weight {weight:g} …")
        searcher = engine.searcher(replace(shipped, lexical=weight))
        plain, signals = (_mrr(searcher, labelled, signals=x) for x in (False, True))
        rows.append({"lexical": weight, "plain": plain, "signals": signals})
    return {
        "n": len(labelled),
        "alone": alone,
        "by_weight": rows,
        "by_rerank": _by_rerank(engine, labelled, say),
        "shipped": shipped.lexical,
        "shipped_rerank": shipped.rerank,
    }


def _by_rerank(engine: Engine, labelled: Sequence[Labelled], say: Callable[[str], None]) -> list[dict[str, float]]:
    if engine.models.reranker is None:
        return []
    reader = _Remembering(engine.models.reranker)
    rows = []
    for weight in RERANK:
        say(f"weight of re-ranking {weight:g} …")
        searcher = engine.searcher(replace(Weights(), rerank=weight), reader)
        rows.append({"rerank": weight, "signals": _mrr(searcher, labelled, rerank=True)})
    return rows


class _Remembering:
    """A re-ranker that reads nothing twice: its weight moves what was found, and finds nothing else."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker
        self._known: dict[tuple[str, ...], Floats] = {}

    def score(self, query: str, codes: Sequence[str]) -> Floats:
        key = (query, *codes)
        if key not in self._known:
            self._known[key] = self._reranker.score(query, codes)
        return self._known[key]


def _mrr(
    searcher: Searcher,
    labelled: Sequence[Labelled],
    *,
    mode: Mode = Mode.HYBRID,
    signals: bool = True,
    rerank: bool = False,
) -> float:
    total = 0.0
    for question in labelled:
        *_, update = searcher.search(Query(question.query, _DEPTH, mode, rerank=rerank, signals=signals))
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
    if result["by_rerank"]:
        out.console().print("re-rank weight                 with signals")
    for row in result["by_rerank"]:
        mark = "  (shipped)" if row["rerank"] == result["shipped_rerank"] else ""
        out.console().print(f"{row['rerank']:14g} {row['signals']:26.4f}{mark}")
