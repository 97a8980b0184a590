"""Syntax colors of a text by Pygments: for each line which characters are what. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Token
from pygments.util import ClassNotFound

# Where a line is longer than people write them, some lexers take seconds, and nobody reads colors.
_MAX_LINE = 2_000
_MAX_CHARS = 400_000
_MAX_SHOWN = 4_000

_ALIASES = {"csharp": "c#", "objectivec": "objective-c", "vue": "html", "svelte": "html"}


@dataclass(frozen=True, slots=True)
class Span:
    """`length` UTF-16 code units from `start`, as Qt counts; `kind` is a Pygments token type."""

    start: int
    length: int
    kind: Any


def displayable(text: str) -> str:
    """The text with one line for each of the index's, cut where nobody reads on; what else would break a line is shown
    as a space."""
    plain = "\n".join(line[:_MAX_SHOWN] for line in text.replace("\r\n", "\n").split("\n"))
    return plain.translate(
        dict.fromkeys((0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029, 0xFDD0, 0xFDD1), " ")
    )


def spans(text: str, language: str, path: str) -> list[list[Span]]:
    """One list for each line of `text`, which is `displayable`; empty lists where there are no colors."""
    lines: list[list[Span]] = [[] for _ in range(text.count("\n") + 1)]
    lexer = _lexer(language, path)
    if lexer is None or len(text) > _MAX_CHARS or max(map(len, text.split("\n"))) > _MAX_LINE:
        return lines
    number = column = 0
    for kind, value in lexer.get_tokens(text):
        for part, piece in enumerate(value.split("\n")):
            if part:
                number, column = number + 1, 0
            units = len(piece.encode("utf-16-le", "surrogatepass")) // 2
            if units and kind not in _PLAIN and number < len(lines):
                lines[number].append(Span(column, units, kind))
            column += units
    return lines


_PLAIN = frozenset({Token.Text, Token.Text.Whitespace, Token.Name, Token.Punctuation})


def _lexer(language: str, path: str) -> Any:
    options = {"stripnl": False, "ensurenl": False}
    try:
        return get_lexer_by_name(_ALIASES.get(language, language), **options)
    except ClassNotFound:
        pass
    try:
        return get_lexer_for_filename(path.rpartition("/")[2], **options)
    except ClassNotFound:
        return None
