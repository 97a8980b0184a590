"""Regular expressions and literal text over every indexed line, with RE2: linear time whatever the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import re2

from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.ranking import Weights, path_prior
from spencer_desktop.core.rows import ChunkRow
from spencer_desktop.core.types import Ids

_MAX_CHUNKS = 5_000
_MAX_PATTERN_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class LineMatch:
    """One matching line, 1-based, and the chunk it stands in."""

    chunk: ChunkRow
    line: int
    text: str
    score: float


def literal(text: str) -> str:
    """A pattern that matches exactly `text`, cut so that it stays a pattern that is read."""
    return re.escape(text[: _MAX_PATTERN_CHARS // 2])


def matching_lines(catalog: Catalog, pattern: str, files: Ids | None, cancelled: Callable[[], bool]) -> list[LineMatch]:
    """Every line that matches, best first: where a matched symbol is defined, then by path and line.

    A match that spans lines counts for the line it begins on. Raises UserError for a pattern that RE2 does not take.
    """
    compiled = _compile(pattern)
    found: list[int] = []
    for chunk_id, text in catalog.texts(files):
        if cancelled() or len(found) == _MAX_CHUNKS:
            break
        if compiled.search(text):
            found.append(chunk_id)
    matches: dict[tuple[int, int], LineMatch] = {}
    for row in catalog.chunk_rows(np.array(found, np.int64)).values():
        for match in _lines(compiled, row):
            known = matches.setdefault((row.file_id, match.line), match)
            # A line may stand in two overlapping pieces; the one that defines what matched says more.
            if known.score < match.score:
                matches[row.file_id, match.line] = match
    return sorted(matches.values(), key=lambda m: (-m.score, m.chunk.repository, m.chunk.path, m.line))


def _lines(compiled: Any, row: ChunkRow) -> Iterator[LineMatch]:
    lines = row.text.split("\n")
    prior = path_prior(row.path, row.language, Weights())
    begins = row.kind != "window" and row.start_line == row.unit_start_line
    defines = begins and compiled.search(row.symbol.rpartition(".")[2]) is not None
    offsets = dict.fromkeys(row.text.count("\n", 0, match.start()) for match in compiled.finditer(row.text))
    for n, offset in enumerate(offsets):
        score = prior * (2.0 if defines and n == 0 else 1.0)
        yield LineMatch(row, row.start_line + offset, lines[offset], score)


def _compile(pattern: str) -> Any:
    if len(pattern) > _MAX_PATTERN_CHARS:
        raise UserError(
            f"The pattern is {len(pattern)} characters long", hint=f"At most {_MAX_PATTERN_CHARS} characters are read."
        )
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?m){pattern}", options)
    except (re2.error, UnicodeEncodeError) as error:
        detail = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error
        raise UserError(
            f"The pattern {pattern!r} is not a regular expression that RE2 takes: {detail}",
            hint="RE2 has no look-around and no back-references; put \\ before characters that are meant literally.",
        ) from error
