"""Answer a question: recall by vectors and text index, ranking, then the cross-encoder over the K best.

As in the paper, what the cross-encoder has not read follows in recall order.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pathspec

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.grep import literal, matching_lines
from spencer_desktop.core.index import Index
from spencer_desktop.core.languages import canonical_language
from spencer_desktop.core.ranking import (
    Candidate,
    QuestionView,
    Weights,
    inverse_frequency,
    rank,
    reranked,
    view_question,
)
from spencer_desktop.core.rows import CandidateRow, ChunkRow
from spencer_desktop.core.text import code_text, query_text, terms
from spencer_desktop.core.types import Encoder, Filters, Floats, Hit, Ids, Mode, Query, Reranker, SearchUpdate, Stage

_DEPTH = 200
_MAX_TERMS = 48
_MAX_POSTINGS = 8_000

Cancelled = Callable[[], bool]
Ranked = list[tuple[CandidateRow, float]]


class SearchModels(Protocol):
    """What a search needs of the model pack; each model is loaded when first asked for."""

    @property
    def query_encoder(self) -> Encoder: ...

    @property
    def code_encoder(self) -> Encoder: ...

    @property
    def reranker(self) -> Reranker | None: ...


class Searcher:
    """Answers questions from one index. Used by one thread at a time."""

    def __init__(self, index: Index, models: SearchModels, *, candidates: int, weights: Weights | None = None) -> None:
        self._index = index
        self._catalog = index.catalog
        self._models = models
        self._candidates = candidates
        self._weights = weights or Weights()

    def search(self, query: Query, cancelled: Cancelled = lambda: False) -> Iterator[SearchUpdate]:
        """RECALL, then RERANKED where a re-ranker runs. Stops early, without a further update, once `cancelled()`.

        Raises UserError for an empty question, an unknown filter value or a pattern that cannot be read.
        """
        began = time.perf_counter()
        text = query_text(query.text)
        if not text:
            raise UserError(
                "The question is empty", hint="Ask for something, for example: spencer search 'parse a date'"
            )
        if query.limit < 1:
            raise UserError("The number of answers must be at least 1", hint="Use -k 1 or more.")
        files = self._files(query.filters)
        view = view_question(text)
        if query.mode is Mode.REGEX or not view.terms:
            pattern = query.text.strip("\n") if query.mode is Mode.REGEX else literal(text)
            lines = self._grep(pattern, files, query.limit, cancelled)
            if not cancelled():
                yield _update(Stage.RECALL, lines, began)
            return
        if files is not None and not len(files):
            yield _update(Stage.RECALL, (), began)
            return
        ranked, notice = self._recall(text, view, query, files)
        if cancelled():
            return
        yield _update(Stage.RECALL, self._hits(ranked, query.limit), began, notice)
        reranker = self._models.reranker if query.rerank else None
        if reranker is None or cancelled():
            return
        ranked = self._rerank(reranker, text, ranked)
        if not cancelled():
            yield _update(Stage.RERANKED, self._hits(ranked, query.limit), began, notice)

    def similar(self, path: Path, line: int, limit: int, filters: Filters) -> SearchUpdate:
        """The chunks nearest to the one at `line` (1-based) of an indexed file, by their code vectors."""
        began = time.perf_counter()
        self._require_space()
        row = self._chunk_at(path, line)
        vector = self._models.code_encoder.encode([code_text(row.symbol, row.text)])[0]
        files = self._files(filters)
        ids, cosines = self._index.nearest(vector, _depth(limit), files)
        score = dict(zip(ids.tolist(), cosines.tolist(), strict=True))
        found = [(r, score[r.content_id]) for r in self._places(ids, files) if _unit(r) != _unit(row)]
        found.sort(key=lambda pair: (-pair[1], pair[0].id))
        return _update(Stage.RECALL, self._hits(_one_per_unit(found), limit), began)

    def _places(self, content_ids: Ids, files: Ids | None) -> list[CandidateRow]:
        """Every chunk in which these contents stand."""
        chunks = [chunk for chunk, _ in self._catalog.chunks_of_contents(content_ids, files)]
        return self._catalog.candidate_rows(np.array(chunks, np.int64))

    # Recall

    def _recall(self, text: str, view: QuestionView, query: Query, files: Ids | None) -> tuple[Ranked, str]:
        depth = _depth(query.limit)
        if query.mode is Mode.SEMANTIC:
            self._require_space()
        vector: Floats | None = None
        if query.mode is not Mode.LEXICAL and self._index.speaks_this_space:
            vector = self._models.query_encoder.encode([text])[0]
        lexical = {} if query.mode is Mode.SEMANTIC else dict(self._match(text, depth, files))
        chunk_ids = set(lexical)
        if vector is not None:
            near, _ = self._index.nearest(vector, depth, files)
            chunk_ids |= {chunk for chunk, _ in self._catalog.chunks_of_contents(near, files)}
        rows = self._catalog.candidate_rows(np.array(sorted(chunk_ids), np.int64))
        contents = np.array([row.content_id for row in rows], np.int64)
        cosines = np.full(len(rows), np.nan, np.float32) if vector is None else self._index.cosines(vector, contents)
        candidates = [_candidate(row, float(c), lexical.get(row.id, 0.0)) for row, c in zip(rows, cosines, strict=True)]
        weights = self._weights if query.signals else self._weights.without_signals()
        ranked = [(rows[i], score) for i, score in rank(view, candidates, self._rarity(view), weights)]
        return _one_per_unit(ranked), self._notice(vector is None and query.mode is Mode.HYBRID)

    def _match(self, text: str, depth: int, files: Ids | None) -> list[tuple[int, float]]:
        """Chunks that hold the question's words, by BM25.

        Its cost follows the postings read, so rare words come first and the rest is left out once the budget is spent:
        on a large index what every second file holds tells little and would take most of the time.
        """
        words = list(dict.fromkeys(terms(" ".join(view_question(text).words))))[:_MAX_TERMS]
        found = self._catalog.document_frequencies(words)
        rare_first = sorted((w for w in words if found[w]), key=lambda w: found[w])
        if not rare_first:
            return []
        spent = np.cumsum([found[w] for w in rare_first])
        chosen = rare_first[: max(1, int(np.searchsorted(spent, _MAX_POSTINGS, side="right")))]
        # Where even the rarest word is everywhere, only the names that hold it tell anything apart.
        column = "symbol : " if spent[0] > _MAX_POSTINGS else ""
        either = " OR ".join(f'"{word}"' for word in chosen)
        return self._catalog.match(f"{column}({either})", depth, files)

    def _rarity(self, view: QuestionView) -> dict[str, float]:
        return inverse_frequency(self._catalog.document_frequencies(view.terms), self._index.chunk_count)

    def _notice(self, text_only: bool) -> str:
        if text_only:
            return "text search only: the vectors were made by another model pack; run `spencer index`"
        pending = self._index.pending_count
        return f"{pending:,} pieces of code are not encoded yet and are found by text only" if pending else ""

    def _require_space(self) -> None:
        if not self._index.speaks_this_space:
            raise UserError(
                "The stored vectors were made by another model pack", hint="Run `spencer index` to encode them again."
            )

    # Re-ranking

    def _rerank(self, reranker: Reranker, text: str, ranked: Ranked) -> Ranked:
        head, tail = ranked[: self._candidates], ranked[self._candidates :]
        texts = self._catalog.chunk_rows(np.array([row.id for row, _ in head], np.int64))
        read = [(row, score) for row, score in head if row.id in texts]
        logits = reranker.score(text, [code_text(row.symbol, texts[row.id].text) for row, _ in read])
        order = reranked(np.array([score for _, score in read], np.float32), logits, self._weights)
        return [(read[i][0], score) for i, score in order] + tail

    def _hits(self, ranked: Ranked, limit: int) -> tuple[Hit, ...]:
        shown = ranked[:limit]
        texts = self._catalog.chunk_rows(np.array([row.id for row, _ in shown], np.int64))
        found = [(texts[row.id], score) for row, score in shown if row.id in texts]
        return tuple(_hit(row, score, (row.unit_start_line, row.unit_end_line), row.text) for row, score in found)

    # Other modes

    def _grep(self, pattern: str, files: Ids | None, limit: int, cancelled: Cancelled) -> tuple[Hit, ...]:
        found = matching_lines(self._catalog, pattern, files, cancelled)[:limit]
        return tuple(_hit(m.chunk, m.score, (m.line, m.line), m.text) for m in found)

    def _chunk_at(self, path: Path, line: int) -> ChunkRow:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow symbolic links out of the root
        for repository in self._catalog.repositories():
            if absolute.is_relative_to(repository.root):
                rows = self._catalog.chunks_at(repository.root, absolute.relative_to(repository.root).as_posix())
                around = [r for r in rows if r.start_line <= line <= r.end_line]
                if around:
                    return min(around, key=lambda r: r.end_line - r.start_line)
                if rows:
                    raise UserError(f"{path} has no code at line {line}", hint="Give the number of a line with code.")
        raise UserError(f"{path} is not indexed", hint=f"Run `spencer index {absolute.parent}` first.")

    # Filters

    def _files(self, filters: Filters) -> Ids | None:
        """Ascending ids of the files that may be found, or None for all. Raises UserError for unknown names."""
        if filters == Filters():
            return None
        roots = self._roots(filters.repositories)
        languages = {canonical_language(name) for name in filters.languages}
        globs = _globs(filters.path_globs) if filters.path_globs else None
        return np.array(
            [
                file_id
                for file_id, root, path, language in self._catalog.files_for_filter()
                if (roots is None or root in roots)
                and (not languages or language in languages)
                and (globs is None or globs.match_file(path))
            ],
            np.int64,
        )

    def _roots(self, wanted: Sequence[str]) -> set[str] | None:
        if not wanted:
            return None
        known = self._catalog.repositories()
        roots: set[str] = set()
        for name in wanted:
            absolute = Path(os.path.abspath(name))  # noqa: PTH100 - see _chunk_at
            found = {str(r.root) for r in known if name == r.name or absolute == r.root}
            if not found:
                names = ", ".join(sorted({r.name for r in known})) or "none"
                raise UserError(f"No repository {name!r} is indexed", hint=f"Indexed: {names}.")
            roots |= found
        return roots


def _globs(lines: Sequence[str]) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        raise UserError(
            f"--path {' '.join(lines)} cannot be read: {error}", hint="Write it as in .gitignore, e.g. 'src/**/*.py'."
        ) from error


def _depth(limit: int) -> int:
    return max(_DEPTH, 4 * limit)


def _candidate(row: CandidateRow, semantic: float, lexical: float) -> Candidate:
    return Candidate(row.id, row.file_id, row.path, row.language, row.kind, row.symbol, semantic, lexical)


def _unit(row: CandidateRow | ChunkRow) -> tuple[str, int, int]:
    """The place on disk, so that a folder registered twice, alone and inside another, answers once."""
    return f"{row.root}/{row.path}", row.unit_start_line, row.unit_end_line


def _one_per_unit(ranked: Ranked) -> Ranked:
    """A long function is several chunks and one answer: its best chunk stands for it."""
    best: dict[tuple[str, int, int], tuple[CandidateRow, float]] = {}
    for row, score in ranked:
        best.setdefault(_unit(row), (row, score))
    return list(best.values())


def _hit(row: ChunkRow, score: float, lines: tuple[int, int], snippet: str) -> Hit:
    place = (row.repository, row.root, row.path, *lines)
    return Hit(row.id, score, *place, row.language, row.kind, row.symbol, row.signature, snippet)


def _update(stage: Stage, hits: tuple[Hit, ...], began: float, notice: str = "") -> SearchUpdate:
    return SearchUpdate(stage, hits, 1000 * (time.perf_counter() - began), notice)
