"""`spencer bench --labelled FILE`: how fusing semantic and lexical evidence does on questions with known answers.

What is shipped is chosen from such a table; a team can make one of its own questions about its own code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spencer_desktop import cli_output as out
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.ranking import Weights
from spencer_desktop.core.search import Searcher
from spencer_desktop.core.types import Hit, Mode, Query

LEXICAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Weights of lexical evidence that are tried; that of semantic evidence is 1."""

_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and where its answer stands: the end of a path, and a line of it (0: the whole file answers)."""

    query: str
    path: str
    line: int

    def answered_by(self, hit: Hit) -> bool:
        here = hit.path == self.path or hit.path.endswith(f"/{self.path}")
        return here and (not self.line or hit.start_line <= self.line <= hit.end_line)


def compare(engine: Engine, file: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """MRR@10 by lexical weight, and of either evidence alone; without ranking signals and with them.

    Raises UserError when the file cannot be read or has no question.
    """
    labelled = read_labelled(file)
    rows = []
    for weight in LEXICAL:
        say(f"lexical weight {weight:g} …")
        weights = replace(Weights(), lexical=weight)
        row = {"lexical": weight}
        for signals in (False, True):
            row["signals" if signals else "plain"] = _mrr(engine, labelled, weights, Mode.HYBRID, signals)
        rows.append(row)
    alone = _mrr(engine, labelled, Weights(), Mode.LEXICAL, False)
    return {"n": len(labelled), "lexical_alone": alone, "by_weight": rows, "shipped": Weights().lexical}


def _mrr(engine: Engine, labelled: Sequence[Labelled], weights: Weights, mode: Mode, signals: bool) -> float:
    searcher = Searcher(engine.reader, engine.models, candidates=1, weights=weights)
    total = 0.0
    for question in labelled:
        *_, update = searcher.search(Query(question.query, _DEPTH, mode, rerank=False, signals=signals))
        places = (place for place, hit in enumerate(update.hits, 1) if question.answered_by(hit))
        total += 1 / next(places, float("inf"))
    return round(total / len(labelled), 4)


def read_labelled(file: Path) -> list[Labelled]:
    """The questions in a file of JSON lines. Raises UserError that names the line that is none."""
    hint = 'Each line: {"query": "parse a date", "path": "app/dates.py", "line": 12}; the line may be left out.'
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}", hint=hint) from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
                found.append(Labelled(str(row["query"]), str(row["path"]), int(row.get("line", 0))))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UserError(f"{file}, line {number} is not a labelled question", hint=hint) from error
    if not found:
        raise UserError(f"{file} has no question", hint=hint)
    return found


def print_result(result: dict[str, Any]) -> None:
    out.console().print(f"MRR@{_DEPTH} of {result['n']:,} questions; lexical alone {result['lexical_alone']:.4f}")
    out.console().print("lexical weight      plain    with signals")
    for row in result["by_weight"]:
        mark = "  (shipped)" if row["lexical"] == result["shipped"] else ""
        out.console().print(f"{row['lexical']:14g} {row['plain']:10.4f} {row['signals']:15.4f}{mark}")
