"""Regular expressions and literal text over every indexed line, with RE2: linear time whatever the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import re2

from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.ranking import Weights, path_prior
from spencer_desktop.core.rows import CandidateRow, ChunkRow, Scope

_READ_AT_ONCE = 64
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


def matching_lines(
    catalog: Catalog, pattern: str, scope: Scope, weights: Weights, cancelled: Callable[[], bool]
) -> Iterator[LineMatch]:
    """Every line that matches, once, best first: where what matched is defined, then by prior, path and line.

    A match that spans lines counts for the line it begins on. Chunks are read again as their turn comes, so that a
    few lines cost one pass over the text whatever the pattern. Raises UserError for a pattern that RE2 does not take.
    """
    compiled = _compile(pattern)
    found: list[int] = []
    for chunk_id, text in catalog.texts(scope):
        if cancelled():
            return
        if compiled.search(_plain(text)):
            found.append(chunk_id)
    rows = catalog.candidate_rows(np.array(found, np.int64))
    prior = {row.id: path_prior(row.path, row.language, (), weights) for row in rows}
    rows.sort(key=lambda r: (-prior[r.id], r.root, r.path, r.unit_start_line, r.id))
    names = [r for r in rows if r.kind != "window" and compiled.search(r.symbol.rpartition(".")[2])]
    seen: set[tuple[int, int]] = set()
    for defining, wanted in ((True, names), (False, rows)):
        for chunk in _chunks(catalog, wanted, cancelled):
            for match in _lines(compiled, chunk, prior[chunk.id], defining=defining):
                if (chunk.file_id, match.line) not in seen:
                    seen.add((chunk.file_id, match.line))
                    yield match


def _chunks(catalog: Catalog, rows: Sequence[CandidateRow], cancelled: Callable[[], bool]) -> Iterator[ChunkRow]:
    """The rows with their text, in order, some at a time."""
    for start in range(0, len(rows), _READ_AT_ONCE):
        if cancelled():
            return
        batch = rows[start : start + _READ_AT_ONCE]
        chunks = catalog.chunk_rows(np.array([row.id for row in batch], np.int64))
        yield from (chunks[row.id] for row in batch if row.id in chunks)


def _lines(compiled: Any, chunk: ChunkRow, prior: float, *, defining: bool) -> Iterator[LineMatch]:
    """The chunk's matching lines; when `defining`, only the first, and only of a chunk that begins its unit."""
    if defining and chunk.start_line != chunk.unit_start_line:
        return
    text = _plain(chunk.text)
    lines = text.split("\n")
    at = row = 0
    while at <= len(text) and (match := compiled.search(text, at)):
        row += text.count("\n", at, match.start())
        yield LineMatch(chunk, chunk.start_line + row, lines[row], 2.0 * prior if defining else prior)
        end = text.find("\n", match.start())
        if defining or end < 0:
            return
        at, row = end + 1, row + 1


def _plain(text: str) -> str:
    """With line ends that `$` knows."""
    return text.replace("\r\n", "\n").removesuffix("\r")


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
