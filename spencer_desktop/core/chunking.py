"""A source file as the pieces that are encoded and found on their own.

Functions, methods and class-like definitions are units; all other lines are in line windows, so that every non-blank
line of a file is in at least one chunk. `line_windows` defines what a line is and the one exception to exact text.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from spencer_desktop.core.grammars import has_grammar
from spencer_desktop.core.line_windows import DEFAULT_LIMITS, ChunkLimits, SourceLines, split_span, window_chunks
from spencer_desktop.core.outline import Definition, Position, outline
from spencer_desktop.core.types import Chunk

__all__ = ["DEFAULT_LIMITS", "ChunkLimits", "chunk_file", "window_chunks"]

_FUNCTIONS = frozenset({"function", "method"})
_CLASS_LIKE = frozenset({"class", "module", "extension"})

# A longer line before the contents of a namespace or `impl` says enough to be a chunk of its own.
_MAX_BARE_CHARS = 120


def chunk_file(path: str, language: str, source: str, limits: ChunkLimits = DEFAULT_LIMITS) -> list[Chunk]:
    """The chunks of one file, ordered by (start_line, end_line). Pure; empty only when no line has text.

    Nothing bounds the time here: a hostile file can take minutes (`ChunkWorker` gives up in time). `path` is not read:
    the language says how to cut, and callers hand a file over as one thing.
    """
    if not has_grammar(language):
        return window_chunks(language, source, limits)
    lines = SourceLines(source, limits)
    definitions = outline(language, source, limits.max_chars)
    drafts = _Assembly(lines, definitions).drafts()
    chunks = [_finish(draft, language, lines) for draft in drafts]
    return sorted(chunks, key=lambda chunk: (chunk.start_line, chunk.end_line))


@dataclass(slots=True)
class _Unit:
    """The rows that are shown as one hit."""

    first: int
    last: int


@dataclass(slots=True)
class _Draft:
    """A chunk that may still grow by lines too small to stand alone. `documented`: it carries its definition's doc."""

    first: int
    last: int
    unit: _Unit
    symbol: str
    definition: Definition | None = None
    documented: bool = False


def _choose_units(definitions: list[Definition], lines: SourceLines) -> list[int]:
    """Per definition the index of the unit that its lines belong to: itself, the unit around it, or -1.

    A function that fits a chunk keeps what is defined inside it. A long one, and a class, hand out functions and
    classes; what is too small to be worth a chunk of its own stays.
    """
    limits = lines.limits
    has_functions = [False] * len(definitions)
    for index in reversed(range(len(definitions))):
        definition = definitions[index]
        if definition.parent >= 0 and (definition.kind in _FUNCTIONS or has_functions[index]):
            has_functions[definition.parent] = True
    units: list[int] = []
    sealed: list[bool] = []
    for index, definition in enumerate(definitions):
        around = units[definition.parent] if definition.parent >= 0 else -1
        shut = definition.parent >= 0 and sealed[definition.parent]
        width = lines.width(definition.first, definition.last)
        is_function = definition.kind in _FUNCTIONS
        if not shut and around >= 0 and width < limits.min_nested_chars:
            shut = definitions[around].kind in _FUNCTIONS if is_function else not has_functions[index]
        is_unit = not shut and definition.kind != "scope" and not _same_rows(definition, definitions, around)
        units.append(index if is_unit else around)
        sealed.append(shut or (is_function and width <= limits.max_chars))
    return units


def _same_rows(definition: Definition, definitions: list[Definition], around: int) -> bool:
    """Whether the unit around it has no line of its own: `typedef struct`, or a class on one line."""
    if around < 0:
        return False
    outer = definitions[around]
    return definition.first <= outer.first and definition.last >= outer.last


class _Assembly:
    """Goes over the rows of a file once, from the top, and gives each to a draft."""

    def __init__(self, lines: SourceLines, definitions: list[Definition]) -> None:
        self._lines = lines
        self._definitions = definitions
        self._drafts: list[_Draft] = []
        self._function_units: dict[int, _Unit] = {}
        self._held = -1
        units = _choose_units(definitions, lines)
        # Per row: the innermost unit, and the innermost unit or scope, which names a window.
        self._owner = [-1] * len(lines.rows)
        self._namer = [-1] * len(lines.rows)
        self._containers: set[int] = set()
        self._with_methods: set[int] = set()
        for index, definition in enumerate(definitions):
            rows = slice(definition.first, definition.last + 1)
            is_unit = units[index] == index
            if is_unit or definition.kind == "scope":
                self._namer[rows] = [index] * (definition.last + 1 - definition.first)
            if is_unit:
                self._owner[rows] = [index] * (definition.last + 1 - definition.first)
                around = units[definition.parent] if definition.parent >= 0 else -1
                self._containers.add(around)
                if definition.kind in _FUNCTIONS:
                    self._with_methods.add(around)

    def drafts(self) -> list[_Draft]:
        for owner, group in groupby(range(len(self._owner)), key=self._owner.__getitem__):
            rows = list(group)
            if owner < 0:
                self._windows(rows[0], rows[-1], "")
            elif owner in self._containers:
                self._container_rows(owner, rows[0], rows[-1])
            else:
                definition = self._definitions[owner]
                self._pieces(definition, definition.first, definition.last, _Unit(definition.first, definition.last))
        self._release()
        return self._drafts

    def _container_rows(self, owner: int, first: int, last: int) -> None:
        """Rows of a definition between the units that stand in it."""
        definition = self._definitions[owner]
        if definition.kind in _FUNCTIONS:
            unit = self._function_units.setdefault(owner, _Unit(definition.first, definition.last))
            self._pieces(definition, first, last, unit)
            return
        header = self._lines.trim(first, last) if first == definition.first else None
        if header is None:
            self._windows(first, last, definition.symbol)
        elif self._is_bare(definition, *header) and (definition.kind == "extension" or owner not in self._with_methods):
            self._hold(header[0])
        else:
            self._pieces(definition, *header, _Unit(*header))

    def _pieces(self, definition: Definition, first: int, last: int, unit: _Unit) -> None:
        limits = self._lines.limits
        for span in split_span(self._lines, first, last, limits.overlap_lines):
            begins = span[0] <= definition.first
            if not begins and self._absorb(*span):
                continue
            self._add(_Draft(*span, unit, definition.symbol, definition, documented=begins))

    def _windows(self, first: int, last: int, symbol: str) -> None:
        for span in split_span(self._lines, first, last):
            if self._only_opens_scopes(*span):
                self._hold(span[0])
            elif not self._absorb(*span):
                namer = self._namer[span[0]]
                named = namer >= 0 and namer == self._namer[span[1]]
                self._add(_Draft(*span, _Unit(*span), self._definitions[namer].symbol if named else symbol))

    def _only_opens_scopes(self, first: int, last: int) -> bool:
        """Whether these few rows begin namespaces or objects whose contents follow: `namespace shop {`."""
        lines = self._lines
        opened = False
        if lines.width(first, last) > 2 * _MAX_BARE_CHARS:
            return False
        for row in range(first, last + 1):
            namer = self._definitions[self._namer[row]] if self._namer[row] >= 0 else None
            if namer and namer.kind == "scope" and namer.first == row:
                opened = namer.last > last
            elif not lines.is_glue(row, row):
                return False
        return opened

    def _absorb(self, first: int, last: int) -> bool:
        """Give rows that say too little on their own ("}", "end") to the draft before them.

        At the top of a file ("<?php", "#!/bin/sh"), and after rows that wait themselves, they go to the next one.
        """
        if not self._lines.is_glue(first, last):
            return False
        if self._held >= 0 or not self._drafts:
            self._hold(first)
        else:
            self._extend(last)
        return True

    def _is_bare(self, definition: Definition, first: int, last: int) -> bool:
        """Whether rows `first..last` are one short line, and all that stands before the contents: `impl Stack {`."""
        if first != definition.first or last == definition.last or definition.doc:
            return False
        return self._lines.width(first, first) < _MAX_BARE_CHARS and self._lines.is_trivial(first + 1, last)

    def _hold(self, first: int) -> None:
        """Rows from `first` on wait for the next draft and become its beginning."""
        if self._held < 0:
            self._held = first

    def _add(self, draft: _Draft) -> None:
        if self._held >= 0:
            draft.first = draft.unit.first = self._held
            self._held = -1
        self._drafts.append(draft)

    def _extend(self, last: int) -> None:
        draft = self._drafts[-1]
        draft.last = max(draft.last, last)
        draft.unit.last = max(draft.unit.last, last)

    def _release(self) -> None:
        """At the end of the file nothing follows what still waits."""
        rest = self._lines.trim(self._held, len(self._owner) - 1) if self._held >= 0 else None
        if rest and self._drafts:
            self._extend(rest[1])
        elif rest:
            self._drafts.append(_Draft(*rest, _Unit(*rest), ""))


def _finish(draft: _Draft, language: str, lines: SourceLines) -> Chunk:
    definition = draft.definition
    documented = definition if draft.documented else None
    kind = definition.kind if definition else "window"
    return Chunk(
        language=language,
        kind="class" if kind in _CLASS_LIKE else kind,
        symbol=draft.symbol,
        signature=definition.signature if definition else "",
        doc=documented.doc if documented else "",
        text=lines.text(draft.first, draft.last),
        start_line=draft.first + 1,
        end_line=draft.last + 1,
        unit_start_line=draft.unit.first + 1,
        unit_end_line=draft.unit.last + 1,
        doc_span=_doc_span(documented.doc_at, draft, lines) if documented and documented.doc_at else None,
    )


def _doc_span(doc_at: tuple[Position, Position], draft: _Draft, lines: SourceLines) -> tuple[int, int] | None:
    (first, _), (last, _) = doc_at
    if first < draft.first or last > draft.last:
        return None
    base = lines.offsets[draft.first]
    begin, end = (lines.offsets[row] - base + _characters(lines.rows[row], column) for row, column in doc_at)
    return begin, end


def _characters(line: str, column: int) -> int:
    """A column in UTF-8 bytes → in characters."""
    return len(line.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "surrogatepass"))
