"""Plain pair files: one JSON object a line with the texts "query", "code" and "lang"."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spencer_models.data.corpus import Pair
from spencer_models.data.readers.base import Account, ReadFile, json_object, language_named, read_lines, text_of

PATTERNS = ("*.jsonl", "*.jsonl.gz")

_HINT = 'Each line must be a JSON object with the texts "query", "code" and "lang".'


def read(path: Path) -> ReadFile:
    """All pairs; `bare` is the code itself."""
    account = Account(path)
    for number, line in read_lines(path, account):
        account.take(f"line {number}", _pair, line)
    return account.result(_HINT)


def _pair(line: bytes) -> Iterable[Pair]:
    record = json_object(line)
    query, code, language = (text_of(record, name) for name in ("query", "code", "lang"))
    return [Pair(query, code, code, "", language_named(language), "", "")]
