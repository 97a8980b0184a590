"""The definitions of a source file, by one tree-sitter query: names, nesting, signatures and documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tree_sitter import Node, Parser, QueryCursor

from spencer_desktop.core.doc_comments import clean_comment, clean_docstring
from spencer_desktop.core.grammars import load_grammar
from spencer_desktop.core.symbols import collapse, declared_name, is_method_name, plain_name

MAX_SIGNATURE_CHARS = 300

# In order of precedence, where two patterns find one name.
_ROLES = ("extension", "class", "module", "method", "function", "scope", "filescope")
_NOTE_ROLES = ("comment", "docattr", "attr")
_C_FAMILY = frozenset({"c", "cpp", "cuda"})

# Macros that a parser without a preprocessor takes for types: alone on a line, or between `class` and its name.
_MACRO = re.compile(
    rb"^[ \t]*[A-Z][A-Z0-9_]{3,}(?=[ \t\r]*$)"
    rb"|(?:(?<=\bclass )|(?<=\bstruct ))[A-Z][A-Z0-9_]{2,}(?= \w+\s*(?:final\b\s*)?[:{])",
    re.MULTILINE,
)
_END_OF_LINE = re.compile(rb"[ \t\r\f]*(?:\n|\Z)")

# What begins further right is not looked at as something that begins its line.
_MAX_INDENT = 500

# Consecutive definitions of one name are one unit: a Haskell type signature and its equations, Elixir's clauses. Those
# of an Elixir callback can go on for pages, so there the unit ends where it no longer fits a chunk.
_MERGED = frozenset({"haskell", "elixir"})
_MERGED_WITHOUT_LIMIT = frozenset({"haskell"})

Position = tuple[int, int]


@dataclass(slots=True)
class Definition:
    """One definition; rows are 0-based and inclusive, and begin with its comments and decorators.

    `kind` is "function", "method", "class", "module" (a class whose functions are no methods), "extension" (of a class
    defined elsewhere) or "scope" (a namespace or object: it only qualifies names). `symbol` is qualified with ".".
    `doc_at`: where the documentation as written begins and ends, as (row, column in UTF-8 bytes). `parent` is an index
    into the same list, or -1.
    """

    kind: str
    symbol: str
    signature: str
    first: int
    last: int
    parent: int
    doc: str = ""
    doc_at: tuple[Position, Position] | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """One match of a definition. `end` is a byte offset."""

    role: str
    node: Node
    end: int
    name: str
    owner: str
    body: Node | None


@dataclass(frozen=True, slots=True)
class _Note:
    """A comment or decorator with no code beside it. `start` and `end` are byte offsets."""

    role: str
    start: int
    end: int
    at: Position
    end_at: Position


@dataclass(slots=True)
class _Matches:
    """All that the query found. `notes` by last row, `docstrings` by the offset of the body they stand in."""

    found: dict[int, _Found] = field(default_factory=dict)
    notes: dict[int, _Note] = field(default_factory=dict)
    docstrings: dict[int, Node] = field(default_factory=dict)


def outline(language: str, source: str, merge_limit: int) -> list[Definition]:
    """The definitions of `source`, parents before children, in the order in which they begin.

    `language` has a grammar. Clauses of one Elixir function are merged up to `merge_limit` bytes. Nothing bounds the
    time here: a hostile file can take minutes.
    """
    data = source.encode("utf-8", "surrogatepass")
    matches = _run_query(language, data)
    in_order = sorted(matches.found.values(), key=lambda f: (f.node.start_byte, -f.end))
    return _Nesting(language, data, matches, merge_limit).arrange(in_order)


def _run_query(language: str, data: bytes) -> _Matches:
    grammar = load_grammar(language)
    readable = _MACRO.sub(lambda macro: b" " * len(macro[0]), data) if language in _C_FAMILY else data
    tree = Parser(grammar.language).parse(readable)
    out = _Matches()
    for pattern, captures in QueryCursor(grammar.query).matches(tree.root_node):
        role = next((r for r in _ROLES if r in captures), "")
        if role:
            found = _definition(role, captures, grammar.default_names.get(pattern, ""), language, data)
            key = captures.get("name", captures[role])[0].start_byte
            known = out.found.get(key)
            if found and (known is None or _says_more(found, known)):
                out.found[key] = found
        elif "docstring" in captures:
            out.docstrings.setdefault(captures["body"][0].start_byte, captures["docstring"][0])
        else:
            for note_role in _NOTE_ROLES:
                if note_role in captures and (note := _note(note_role, captures[note_role], data)):
                    out.notes[note.end_at[0]] = note
    return out


def _says_more(found: _Found, known: _Found) -> bool:
    return (_ROLES.index(found.role), not found.owner) < (_ROLES.index(known.role), not known.owner)


def _definition(role: str, captures: dict[str, list[Node]], default: str, language: str, data: bytes) -> _Found | None:
    """The match in our terms; None where broken source, or a C macro, only looks like a definition."""
    node = captures[role][0]
    body = captures["body"][0] if "body" in captures else None
    written = "".join(_text(data, n.start_byte, n.end_byte) for n in captures.get("name", []))
    owner = "".join(_text(data, n.start_byte, n.end_byte) for n in captures.get("owner", []))
    if role == "function" and language in _C_FAMILY and body is not None:
        before = _text(data, node.start_byte, captures["name"][0].start_byte)
        typed = node.child_by_field_name("type") is not None
        name = declared_name(before, _text(data, captures["name"][0].start_byte, body.start_byte), typed)
    else:
        name = plain_name(written) or default
    if not name:
        return None
    if role == "function" and is_method_name(language, written):
        role = "method"
    return _Found(role, node, len(data) if role == "filescope" else node.end_byte, name, plain_name(owner), body)


def _note(role: str, nodes: list[Node], data: bytes) -> _Note | None:
    """The note, unless code stands before or after it on its rows. Some grammars count the line end as part of it."""
    row, column = nodes[0].start_point
    start, end = nodes[0].start_byte, nodes[-1].end_byte
    end_row, end_column = nodes[-1].end_point
    if end_column == 0 and end_row > row:
        end -= 1
        end_row, end_column = end_row - 1, end - 1 - data.rfind(b"\n", 0, end)
    shebang = start == 0 and data.startswith(b"#!")
    alone = column <= _MAX_INDENT and not data[start - column : start].strip() and _END_OF_LINE.match(data, end)
    if shebang or not alone:
        return None
    return _Note(role, start, end, (row, column), (end_row, end_column))


class _Nesting:
    """Puts the definitions of one file in order: who stands in whom, under which name."""

    def __init__(self, language: str, data: bytes, matches: _Matches, merge_limit: int) -> None:
        self._merges = language in _MERGED
        self._xml_docs = language == "csharp"
        self._merge_limit = len(data) if language in _MERGED_WITHOUT_LIMIT else merge_limit
        self._data = data
        self._matches = matches
        self._definitions: list[Definition] = []
        self._ends: list[int] = []
        self._open: list[int] = []
        self._latest_child: dict[int, tuple[int, str, int]] = {}

    def arrange(self, in_order: Iterable[_Found]) -> list[Definition]:
        for found in in_order:
            start = found.node.start_byte
            if found.role == "filescope":
                self._open.clear()
            while self._open and self._ends[self._open[-1]] <= start:
                self._open.pop()
            parent = self._open[-1] if self._open else -1
            if self._merges and self._merge(parent, found):
                continue
            index = len(self._definitions)
            self._definitions.append(self._define(found, parent))
            self._ends.append(found.end)
            self._open.append(index)
            self._latest_child[parent] = (index, found.name, start)
        return self._definitions

    def _merge(self, parent: int, found: _Found) -> bool:
        """Continue the sibling before, when this is its next clause."""
        index, name, start = self._latest_child.get(parent, (-1, "", 0))
        if name != found.name or found.role != "function" or found.end - start > self._merge_limit:
            return False
        previous = self._definitions[index]
        previous.last = _last_row(found.node)
        self._ends[index] = found.end
        self._open.append(index)
        return True

    def _define(self, found: _Found, parent: int) -> Definition:
        above = self._definitions[parent].symbol if parent >= 0 else ""
        symbol = ".".join(part for part in (above, found.owner, found.name) if part)
        own_line, signature = _signature(found, self._data)
        notes = self._notes_above(found.node) if own_line else []
        definition = Definition(
            kind=self._kind(found, parent),
            symbol=symbol,
            signature=signature,
            first=notes[0].at[0] if notes else found.node.start_point.row,
            last=_last_row(found.node),
            parent=parent,
        )
        self._document(definition, found, notes)
        return definition

    def _kind(self, found: _Found, parent: int) -> str:
        if found.role != "function":
            return "scope" if found.role == "filescope" else found.role
        while parent >= 0 and self._definitions[parent].kind == "scope":
            parent = self._definitions[parent].parent
        inside_class = parent >= 0 and self._definitions[parent].kind in {"class", "extension"}
        return "method" if inside_class else "function"

    def _notes_above(self, node: Node) -> list[_Note]:
        """Comments and decorators on the rows right above, from the top."""
        row, column = node.start_point
        notes: list[_Note] = []
        while (note := self._matches.notes.get(row - 1)) is not None and note.at[1] <= column:
            notes.append(note)
            row = note.at[0]
        return notes[::-1]

    def _document(self, definition: Definition, found: _Found, notes: list[_Note]) -> None:
        docstring = self._matches.docstrings.get(found.body.start_byte) if found.body else None
        if docstring is not None:
            definition.doc = clean_docstring(_text(self._data, docstring.start_byte, docstring.end_byte))
            definition.doc_at = (docstring.start_point, docstring.end_point)
            return
        block = [note for note in notes if note.role == "docattr"][:1] or _first_block(notes)
        texts = [_text(self._data, note.start, note.end) for note in block]
        if block and block[0].role == "docattr":
            definition.doc = clean_docstring(texts[0])
        else:
            definition.doc = clean_comment(texts, xml=self._xml_docs)
        if definition.doc:
            definition.doc_at = (block[0].at, block[-1].end_at)


def _first_block(notes: list[_Note]) -> list[_Note]:
    """The comments at the top, down to the first decorator after them."""
    block: list[_Note] = []
    for note in notes:
        if note.role == "comment":
            block.append(note)
        elif block:
            break
    return block


def _signature(found: _Found, data: bytes) -> tuple[bool, str]:
    """Whether the definition begins its line (modifiers aside), and its declaration up to the body."""
    node = found.node
    column = node.start_point.column
    before = data[node.start_byte - column : node.start_byte] if column <= _MAX_INDENT else b";"
    own_line = not any(mark in before for mark in b"{};()=,")
    start = node.start_byte - column if own_line else node.start_byte
    end = found.body.start_byte if found.body else node.end_byte
    # A character is at most four bytes; no more of a giant declaration needs to be looked at.
    text = collapse(_text(data, start, min(end, start + 4 * MAX_SIGNATURE_CHARS)))
    return own_line, text.rstrip(" {:=")[:MAX_SIGNATURE_CHARS]


def _last_row(node: Node) -> int:
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point.row else row


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].decode("utf-8", "replace")
