"""Keys that are equal for texts that count as the same."""

from __future__ import annotations

import re

from spencer_desktop.core.text import MAX_CODE_CHARS

_LITERAL = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*[\s\S]*?\*/")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W_]+")


def query_key(query: str) -> str:
    """Equal for questions that differ only in case, punctuation and spacing."""
    return " ".join(_WORD.findall(query.lower()))


def code_key(code: str) -> str:
    """Equal for near-duplicates: literals, comments, numbers, case, layout and what no model reads do not count."""
    plain = _COMMENT.sub(" ", _LITERAL.sub(" ", code[:MAX_CODE_CHARS]))
    return " ".join(_WORD.findall(_NUMBER.sub("0", plain).lower()))
