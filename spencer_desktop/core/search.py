"""Answer a question: recall by vectors and text index, ranking, then the cross-encoder over the K best.

As in the paper, what the cross-encoder has not read follows in recall order.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.filters import scope_of
from spencer_desktop.core.grep import LineMatch, literal, matching_lines
from spencer_desktop.core.index import Index
from spencer_desktop.core.pack import ConfidenceCurve
from spencer_desktop.core.ranking import (
    Candidate,
    QuestionView,
    Weights,
    inverse_frequency,
    rank,
    reranked,
    view_question,
)
from spencer_desktop.core.rows import CandidateRow, ChunkRow, Scope
from spencer_desktop.core.text import code_text, query_text, terms
from spencer_desktop.core.types import (
    Encoder,
    Evidence,
    Filters,
    Floats,
    Hit,
    Mode,
    Query,
    Reranker,
    SearchUpdate,
    Stage,
)

_DEPTH = 200
_MAX_TERMS = 48
_MAX_SYMBOLS = 8
_MAX_DEFINITIONS = 50
_MAX_POSTINGS = 5_000
# A filter lets few of the postings through to be scored, and a word that is common elsewhere may be rare in it.
_MAX_FILTERED_POSTINGS = 80_000

Cancelled = Callable[[], bool]


class Ranked(NamedTuple):
    """A chunk in the list of answers, and what speaks for it; `cosine` and `logit` are NaN where they are not known.

    `pending`: meaning counts, but the chunk is not encoded yet.
    """

    row: CandidateRow
    score: float
    cosine: float
    bm25: float = 0.0
    logit: float = math.nan
    place: int = 0
    pending: bool = False


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

    def __init__(
        self,
        index: Index,
        models: SearchModels,
        *,
        candidates: int,
        recall_scale: float = 0.0,
        weights: Weights | None = None,
        confidence: Mapping[Stage, ConfidenceCurve] | None = None,
        rerank_by_default: bool = False,
    ) -> None:
        """The re-ranker reads the best `candidates`; `recall_scale` is what it was trained to add cosines with.

        `confidence` as in the pack's manifest.
        """
        self._index = index
        self._catalog = index.catalog
        self._models = models
        self._candidates = candidates
        self._recall_scale = recall_scale
        self._rerank_by_default = rerank_by_default
        self._weights = weights or Weights()
        self._confidence = confidence or {}

    def search(self, query: Query, cancelled: Cancelled = lambda: False) -> Iterator[SearchUpdate]:
        """RECALL, then RERANKED where a re-ranker runs. Stops early, without a further update, once `cancelled()`.

        `query.rerank` None: by default, where meaning is asked for, unless the question is one name.
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
        scope = scope_of(self._catalog, query.filters)
        view = view_question(text)
        if query.mode is Mode.REGEX or not view.terms:
            pattern = query.text.strip("\n") if query.mode is Mode.REGEX else literal(text)
            lines = self._grep(pattern, scope, query.limit, cancelled)
            if not cancelled():
                yield _update(Stage.RECALL, lines, began)
            return
        if scope.files is not None and not len(scope.files):
            yield _update(Stage.RECALL, (), began)
            return
        weights = self._weights if query.signals else self._weights.without_signals()
        with self._catalog.snapshot():
            ranked, nearest, notice = self._recall(text, view, query, scope, weights)
            hits = self._hits(ranked, query.limit)
        if cancelled():
            return
        # A name alone is found by what is called so; how near it is to code tells little.
        curves = {} if view.is_symbol else self._confidence
        sure = _confidence(curves.get(Stage.RECALL), nearest)
        yield _update(Stage.RECALL, hits, began, notice, sure)
        reranker = self._models.reranker if self._reranks(query, view) else None
        if reranker is None or cancelled():
            return
        ranked, evidence = self._rerank(reranker, text, ranked, weights)
        if not cancelled():
            sure = _confidence(curves.get(Stage.RERANKED), evidence) if nearest else None
            yield _update(Stage.RERANKED, self._hits(ranked, query.limit), began, notice, sure)

    def _reranks(self, query: Query, view: QuestionView) -> bool:
        if query.rerank is not None:
            return query.rerank
        # Of a name alone nothing is to be read but what is called so.
        return self._rerank_by_default and query.mode in (Mode.HYBRID, Mode.SEMANTIC) and not view.is_symbol

    def similar(self, path: Path, line: int, limit: int, filters: Filters) -> SearchUpdate:
        """The chunks nearest to the one at `line` (1-based) of an indexed file, by their code vectors."""
        began = time.perf_counter()
        self._require_space()
        row = self._chunk_at(path, line)
        near = self._near(code_text(row.symbol, row.text), limit, filters)
        others = [r for r in near if _unit(r.row) != _unit(row)]
        return _update(Stage.RECALL, self._hits(_places(others), limit), began)

    def similar_to(self, code: str, limit: int, filters: Filters) -> SearchUpdate:
        """The chunks nearest to `code`, which need not be indexed. UserError when it is blank."""
        began = time.perf_counter()
        self._require_space()
        if not code.strip():
            raise UserError("There is no code to compare with", hint="Copy a function, or a part of one.")
        near = self._near(code_text("", code), limit, filters)
        return _update(Stage.RECALL, self._hits(_places(near), limit), began)

    def _near(self, code: str, limit: int, filters: Filters) -> list[Ranked]:
        """By cosine, the nearest first."""
        vector = self._models.code_encoder.encode([code])[0]
        scope = scope_of(self._catalog, filters)
        ids, cosines = self._index.nearest(vector, _depth(limit), scope)
        score = dict(zip(ids.tolist(), cosines.tolist(), strict=True))
        chunks = np.array(self._catalog.chunks_of_contents(ids, scope), np.int64)
        near = [Ranked(r, score[r.content_id], score[r.content_id]) for r in self._catalog.candidate_rows(chunks)]
        return sorted(near, key=lambda r: (-r.score, r.row.id))

    # Recall

    def _recall(
        self, text: str, view: QuestionView, query: Query, scope: Scope, weights: Weights
    ) -> tuple[list[Ranked], list[float], str]:
        """The candidates in order, the cosines of the nearest contents, and a notice."""
        depth = _depth(query.limit)
        if query.mode is Mode.SEMANTIC:
            self._require_space()
        vector: Floats | None = None
        if query.mode is not Mode.LEXICAL and self._index.speaks_this_space:
            vector = self._models.query_encoder.encode([text])[0]
        words = list(dict.fromkeys(terms(" ".join(view.words))))[:_MAX_TERMS]
        found = self._catalog.document_frequencies(list(dict.fromkeys([*words, *view.terms[:_MAX_TERMS]])))
        known: dict[int, float] = {}
        definitions = self._definitions(view, scope)
        lexical = {} if query.mode is Mode.SEMANTIC else self._match(words, found, depth, scope, definitions)
        chunk_ids = {*lexical, *definitions}
        if vector is not None:
            ids, near = self._index.nearest(vector, depth, scope)
            known = dict(zip(ids.tolist(), near.tolist(), strict=True))
            chunk_ids.update(self._catalog.chunks_of_contents(ids, scope))
        rows = self._catalog.candidate_rows(np.array(sorted(chunk_ids), np.int64))
        cosines = self._cosines(vector, rows, known)
        candidates = [_candidate(row, c, lexical.get(row.id, 0.0)) for row, c in zip(rows, cosines, strict=True)]
        rarity = inverse_frequency(found, self._index.chunk_count)
        order = rank(view, candidates, rarity, weights)
        meant = vector is not None
        ranked = [
            Ranked(rows[i], score, cosines[i], candidates[i].lexical, pending=meant and math.isnan(cosines[i]))
            for i, score in order
        ]
        notice = self._notice(vector is None and query.mode is Mode.HYBRID)
        return _places(ranked), list(known.values()), notice

    def _cosines(self, vector: Floats | None, rows: Sequence[CandidateRow], known: Mapping[int, float]) -> list[float]:
        """Each row's cosine with the question, NaN where there is none; `known` has those of the nearest contents."""
        if vector is None:
            return [math.nan] * len(rows)
        others = [row.content_id for row in rows if row.content_id not in known]
        found = dict(zip(others, self._index.cosines(vector, np.array(others, np.int64)).tolist(), strict=True))
        return [known[i] if i in known else found[i] for i in (row.content_id for row in rows)]

    def _match(
        self, words: Sequence[str], found: Mapping[str, int], depth: int, scope: Scope, besides: Sequence[int]
    ) -> dict[int, float]:
        """Chunk → BM25 of those that hold some of `words`, and of those `besides`; `found` says in how many chunks each
        word stands.

        Its cost follows the postings read, so rare words come first and the rest is left out once the budget is spent:
        on a large index what every second file holds tells little and would take most of the time.
        """
        budget = _MAX_POSTINGS if scope.is_everything else _MAX_FILTERED_POSTINGS
        rare_first = sorted((w for w in words if found[w]), key=lambda w: found[w])
        if not rare_first:
            return {}
        spent = np.cumsum([found[w] for w in rare_first])
        chosen = rare_first[: max(1, int(np.searchsorted(spent, budget, side="right")))]
        # Where even the rarest word is everywhere, only the names that hold it tell anything apart.
        column = "symbol : " if spent[0] > budget else ""
        expression = f"{column}({' OR '.join(map(_quoted, chosen))})"
        return self._catalog.match(expression, depth, scope) | self._catalog.scored(expression, besides)

    def _definitions(self, view: QuestionView, scope: Scope) -> list[int]:
        """Chunks that define what the question names: however many others speak of it, they are among the answers."""
        if len(view.symbols) > _MAX_SYMBOLS:
            return []
        found: list[int] = []
        for name in view.symbols:
            if words := " AND ".join(map(_quoted, terms(name))):
                found += self._catalog.defining(name, words, _MAX_DEFINITIONS, scope)
        return found

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

    def _rerank(
        self, reranker: Reranker, text: str, ranked: list[Ranked], weights: Weights
    ) -> tuple[list[Ranked], list[float]]:
        """The new order, and recall scale · cosine + logit of what was read, NaN where there is no cosine."""
        head, tail = ranked[: self._candidates], ranked[self._candidates :]
        texts = self._catalog.chunk_rows(np.array([r.row.id for r in head], np.int64))
        read = [r for r in head if r.row.id in texts]
        logits = reranker.score(text, [code_text(r.row.symbol, texts[r.row.id].text) for r in read])
        cosines = np.array([r.cosine for r in read], np.float32)
        known = cosines[~np.isnan(cosines)]
        evidence = logits + self._recall_scale * np.nan_to_num(cosines, nan=float(known.min()) if len(known) else 0.0)
        order = reranked(np.array([r.score for r in read], np.float32), evidence, weights)
        known_evidence: list[float] = (logits + self._recall_scale * cosines).tolist()
        answers = [read[i]._replace(score=score, logit=float(logits[i])) for i, score in order]
        return answers + tail, known_evidence

    def _hits(self, ranked: list[Ranked], limit: int) -> tuple[Hit, ...]:
        shown = ranked[:limit]
        texts = self._catalog.chunk_rows(np.array([r.row.id for r in shown], np.int64))
        return tuple(_hit(texts[r.row.id], r) for r in shown if r.row.id in texts)

    # Other modes

    def _grep(self, pattern: str, scope: Scope, limit: int, cancelled: Cancelled) -> tuple[Hit, ...]:
        found = matching_lines(self._catalog, pattern, scope, self._weights, cancelled)
        return tuple(_line_hit(match) for match in islice(found, limit))

    def _chunk_at(self, path: Path, line: int) -> ChunkRow:
        absolute = Path(os.path.realpath(path.parent)) / path.name
        for repository in self._catalog.repositories():
            if absolute.is_relative_to(repository.root):
                rows = self._catalog.chunks_at(repository.root, absolute.relative_to(repository.root).as_posix())
                around = [r for r in rows if r.start_line <= line <= r.end_line]
                if around:
                    return min(around, key=lambda r: r.end_line - r.start_line)
                if rows:
                    raise UserError(f"{path} has no code at line {line}", hint="Give the number of a line with code.")
        raise UserError(f"{path} is not indexed", hint=f"Run `spencer index {absolute.parent}` first.")


def _quoted(word: str) -> str:
    return f'"{word}"'


def _confidence(curve: ConfidenceCurve | None, scores: Sequence[float]) -> float | None:
    return curve.at(scores) if curve else None


def _depth(limit: int) -> int:
    return max(_DEPTH, 4 * limit)


def _candidate(row: CandidateRow, semantic: float, lexical: float) -> Candidate:
    return Candidate(
        row.id, row.file_id, row.path, row.language, row.kind, row.symbol, (row.unit_start_line, row.unit_end_line),
        semantic, lexical,
    )  # fmt: skip


def _unit(row: CandidateRow | ChunkRow) -> tuple[str, int, int]:
    """The place on disk, so that a folder registered twice, alone and inside another, answers once."""
    place = f"{row.root.rstrip('/')}/{row.path}"
    return place.replace("\\", "/") if os.sep == "\\" else place, row.unit_start_line, row.unit_end_line


def _places(ranked: list[Ranked]) -> list[Ranked]:
    """A unit is one answer, however many of its chunks are found, in however many registered folders it lies."""
    best: dict[tuple[str, int, int], Ranked] = {}
    for candidate in ranked:
        best.setdefault(_unit(candidate.row), candidate._replace(place=len(best) + 1))
    return list(best.values())


def _hit(row: ChunkRow, ranked: Ranked) -> Hit:
    """The whole unit, shown by the chunk that answers."""
    place = (row.repository, row.root, row.path, row.unit_start_line, row.unit_end_line)
    what = (row.language, row.kind, row.symbol, row.signature)
    return Hit(row.id, ranked.score, *place, *what, row.text, row.start_line, _evidence(ranked))


def _evidence(ranked: Ranked) -> Evidence:
    cosine, logit = (None if math.isnan(x) else x for x in (ranked.cosine, ranked.logit))
    return Evidence(cosine, ranked.bm25, logit, ranked.place, ranked.pending)


def _line_hit(match: LineMatch) -> Hit:
    """One line, in the chunk it stands in."""
    row = match.chunk
    place = (row.repository, row.root, row.path, match.line, match.line)
    what = (row.language, row.kind, row.symbol, row.signature)
    return Hit(row.id, match.score, *place, *what, match.text, match.line)


def _update(
    stage: Stage, hits: tuple[Hit, ...], began: float, notice: str = "", confidence: float | None = None
) -> SearchUpdate:
    return SearchUpdate(stage, hits, 1000 * (time.perf_counter() - began), notice, confidence)
