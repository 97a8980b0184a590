"""Source as lines, and how a run of lines is cut into pieces that fit a model.

A line ends at "\\n" and nowhere else, as git and tree-sitter count them; the "\\r" of a Windows line end stays part of
its line, so joining lines with "\\n" gives back the exact text. The one exception: of a line longer than
`ChunkLimits.max_line_chars` (minified code, embedded data) only the beginning is kept.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from spencer_desktop.core.types import Chunk

_WORD_CHARACTER = re.compile(r"[^\W_]")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]")
_FENCE = re.compile(r" {0,3}(```|~~~)")

# Lines that lead to others or close them: a macro, one comment, one `#if`, `<?php`. Longer comments are worth finding.
_GLUE = re.compile(
    r"^[ \t]*[A-Z][A-Z0-9_]+[ \t\r]*$|//.*|/\*.*?\*/|--\s.*|\{-.*?-\}"
    r"|#(?:[\s!].*|$|\s*(?:if|ifdef|ifndef|else|elif|elifdef|endif|region|endregion|pragma|undef)\b.*)"
    r"|^<\?php\b|^(?:namespace|package) [\w.\\]+;?",
    re.MULTILINE,
)
_GLUE_CHARS = 80

# What it costs to begin a piece inside a paragraph, or with the line that closes a block, in columns of indent.
_NO_BLANK_LINE = 4
_CLOSING_LINE = 1_000

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How large a chunk may be.

    A longer definition is cut into pieces of at most `max_chars`, each repeating up to `overlap_lines` lines of the one
    before. `max_line_chars` is kept of a longer line. Inside another definition, functions and plain types shorter than
    `min_nested_chars` stay part of it. Left-over lines with fewer than `min_letters` letters and digits ("}", "end",
    "#endif", "public:") join the chunk before them.
    """

    max_chars: int = 1_500
    overlap_lines: int = 3
    max_line_chars: int = 2_000
    min_nested_chars: int = 200
    min_letters: int = 12


DEFAULT_LIMITS = ChunkLimits()


class SourceLines:
    """The lines of one file; rows are 0-based, spans inclusive."""

    def __init__(self, source: str, limits: ChunkLimits) -> None:
        cap = limits.max_line_chars
        self.rows = [line if len(line) <= cap else line[:cap] for line in source.split("\n")]
        self.offsets = [0, *accumulate(len(row) + 1 for row in self.rows)]
        self.limits = limits

    def text(self, first: int, last: int) -> str:
        return "\n".join(self.rows[first : last + 1])

    def width(self, first: int, last: int) -> int:
        """Length of `text(first, last)`."""
        return self.offsets[last + 1] - self.offsets[first] - 1

    def is_blank(self, row: int) -> bool:
        return not self.rows[row] or self.rows[row].isspace()

    def trim(self, first: int, last: int) -> Span | None:
        """The span without blank rows at its ends; None when nothing is left."""
        while first <= last and self.is_blank(first):
            first += 1
        while last > first and self.is_blank(last):
            last -= 1
        return (first, last) if first <= last else None

    def is_trivial(self, first: int, last: int) -> bool:
        """Whether the rows say too little to be found by: punctuation, `end`, `public:`, a ruler."""
        return self._is_short(self.text(first, last))

    def is_glue(self, first: int, last: int) -> bool:
        """Whether rows of code are trivial but for a comment, a macro or a directive that leads on or closes."""
        text = self.text(first, last)
        return self._is_short(_GLUE.sub("", text) if len(text) < _GLUE_CHARS else text)

    def _is_short(self, text: str) -> bool:
        return len(_WORD_CHARACTER.findall(text)) < self.limits.min_letters

    def indent(self, row: int) -> int:
        line = self.rows[row]
        margin = line[: len(line) - len(line.lstrip())]
        return len(margin.expandtabs(4))


def split_span(lines: SourceLines, first: int, last: int, overlap: int = 0) -> list[Span]:
    """Cut rows `first..last` where they break best, so that each piece has at most `max_chars` (or is one long line).

    Every non-blank row is in a piece; each piece but the first begins with up to `overlap` rows of the one before.
    """
    spans: list[Span] = []
    limit = lines.limits.max_chars
    content = first
    while (rest := lines.trim(content, last)) is not None:
        content, last = rest
        begin = _with_overlap(lines, content, overlap) if spans else content
        remaining = lines.width(begin, last)
        if remaining <= limit or content == last:
            spans.append((begin, last))
            break
        # Two halves are better than a full piece and a crumb.
        budget = limit if remaining > limit * 3 // 2 else remaining * 2 // 3
        following = _best_break(lines, begin, content, last, budget)
        spans.append(lines.trim(begin, following - 1) or (begin, content))
        content = following
    return spans


def _with_overlap(lines: SourceLines, content: int, overlap: int) -> int:
    begin = content
    while content - begin < overlap and begin > 0:
        if lines.width(begin - 1, content - 1) > lines.limits.max_chars // 4:
            break
        begin -= 1
    while lines.is_blank(begin):
        begin += 1
    return begin


def _best_break(lines: SourceLines, begin: int, content: int, last: int, budget: int) -> int:
    """The row that begins the next piece: little indented, after a blank row, as far on as `budget` allows."""
    end = bisect_right(lines.offsets, lines.offsets[begin] + budget + 1) - 1
    end = min(max(end, content + 1), last)
    start = bisect_right(lines.offsets, lines.offsets[begin] + budget // 2, lo=content + 1, hi=end)
    best, best_cost = end, _CLOSING_LINE * 2
    for row in range(end, start - 1, -1):
        if lines.is_blank(row):
            continue
        cost = lines.indent(row)
        cost += 0 if lines.is_blank(row - 1) else _NO_BLANK_LINE
        cost += 0 if _WORD_CHARACTER.search(lines.rows[row]) else _CLOSING_LINE
        if cost < best_cost:
            best, best_cost = row, cost
    return best


def window_chunks(language: str, source: str, limits: ChunkLimits = DEFAULT_LIMITS) -> list[Chunk]:
    """The whole file as line windows, in order. Markdown breaks at headings; `symbol` is then the path of headings."""
    lines = SourceLines(source, limits)
    sections = _markdown_sections(lines) if language == "markdown" else iter([(0, len(lines.rows) - 1, "")])
    spans = [(span, symbol) for first, last, symbol in sections for span in split_span(lines, first, last)]
    joined: list[tuple[Span, str]] = []
    for span, symbol in spans:
        if joined and lines.is_trivial(*span):
            joined[-1] = ((joined[-1][0][0], span[1]), joined[-1][1])
        else:
            joined.append((span, symbol))
    return [window(lines, language, first, last, symbol) for (first, last), symbol in joined]


def window(lines: SourceLines, language: str, first: int, last: int, symbol: str) -> Chunk:
    """Rows `first..last` as a chunk that is no definition."""
    return Chunk(
        language=language,
        kind="window",
        symbol=symbol,
        signature="",
        doc="",
        text=lines.text(first, last),
        start_line=first + 1,
        end_line=last + 1,
        unit_start_line=first + 1,
        unit_end_line=last + 1,
    )


def _markdown_sections(lines: SourceLines) -> Iterator[tuple[int, int, str]]:
    """Row spans with the headings above them ("Install > From source"). A short section continues into the next."""
    path: list[tuple[int, str]] = []
    fence = ""
    first, symbol = 0, ""
    for row, line in enumerate(lines.rows):
        if mark := _FENCE.match(line):
            fence = mark[1] if not fence else "" if mark[1] == fence else fence
        heading = None if fence else _HEADING.match(line)
        if heading is None:
            continue
        path = [(level, title) for level, title in path if level < len(heading[1])]
        path.append((len(heading[1]), line.strip().strip("#").strip()))
        if row > first and lines.width(first, row - 1) >= lines.limits.min_nested_chars:
            yield first, row - 1, symbol
            first, symbol = row, ""
        symbol = symbol or " > ".join(title for _, title in path)
    yield first, len(lines.rows) - 1, symbol
