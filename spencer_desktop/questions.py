"""What is asked, as it is typed or stands in files: a place FILE:LINE, and files of questions, one JSON object a line
(those of `search --batch`, and labelled ones for `weigh`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import query_text
from spencer_desktop.core.types import Hit

_BATCH_HINT = 'Each line: {"id": 1, "query": "parse a date"}'
_LABELLED_HINT = (
    'Each line: {"query": "parse a date", "path": "app/dates.py", "line": 12}, where the line may be left out, or '
    '{"query": "parse a date", "symbols": ["parse_date", "strptime"]}.'
)

_LINE_DIGITS = 9

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and where its answer stands: the end of a path, and a line of it (0: the whole file answers); or, with
    an empty path, in any definition that is called like one of `symbols`."""

    query: str
    path: str
    line: int
    symbols: frozenset[str] = frozenset()

    def answered_by(self, hit: Hit) -> bool:
        if not self.path:
            return hit.symbol.rpartition(".")[2] in self.symbols
        here = hit.path == self.path or hit.path.endswith(f"/{self.path}")
        return here and (not self.line or hit.start_line <= self.line <= hit.end_line)


def code_place(place: str) -> tuple[Path, int]:
    """The file and the line of FILE:LINE. Raises UserError for anything else."""
    file, separator, line = place.rpartition(":")
    if not separator or not line.isdecimal() or len(line) > _LINE_DIGITS or int(line) < 1:
        raise UserError(f"{place!r} is not FILE:LINE", hint="For example: spencer similar src/parser.py:42")
    return Path(file), int(line)


def piped_code() -> str:
    """What stands on standard input."""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def batch_questions(file: Path) -> list[tuple[Any, str]]:
    """(id, question) of each line. Raises UserError that names the line that is none."""
    return _lines(file, _batch, "a question", _BATCH_HINT)


def labelled_questions(file: Path) -> list[Labelled]:
    """At least one. Raises UserError that names the line that is none."""
    found = _lines(file, _labelled, "a labelled question", _LABELLED_HINT)
    if not found:
        raise UserError(f"{file} has no question", hint=_LABELLED_HINT)
    return found


def _lines(file: Path, read: Callable[[Any], T], kind: str, hint: str) -> list[T]:
    try:
        # Not `splitlines`: JSON may hold the other separators of lines that Unicode knows.
        lines = file.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file} cannot be read: {error}", hint="Give a UTF-8 file with one JSON object a line."
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(read(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UserError(f"{file}, line {number} is not {kind}", hint=hint) from error
    return found


def _batch(row: Any) -> tuple[Any, str]:
    key, text = row["id"], row["query"]
    if not isinstance(text, str):
        raise TypeError("the query is not a text")
    return key, text


def _labelled(row: Any) -> Labelled:
    query = row["query"]
    if not (isinstance(query, str) and query_text(query)):
        raise TypeError("the query must be a text")
    if "symbols" in row:
        symbols = row["symbols"]
        if "path" in row or not (isinstance(symbols, list) and symbols and all(isinstance(s, str) for s in symbols)):
            raise TypeError("the symbols must be texts, without a path")
        return Labelled(query, "", 0, frozenset(symbols))
    path, line = row["path"], row.get("line", 0)
    if not (isinstance(path, str) and path):
        raise TypeError("the path must be a text")
    if not isinstance(line, int) or isinstance(line, bool) or line < 0:
        raise TypeError("the line must be a number")
    return Labelled(query, path, line)
