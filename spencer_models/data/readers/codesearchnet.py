"""CodeSearchNet: JSON lines, most often gzipped, with the fields that the benchmark's own files have.

Its `docstring_tokens` are the first paragraph of the documentation, its `code_tokens` are without documentation; models
were measured on them. https://github.com/github/CodeSearchNet, "Data format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spencer_models.data.corpus import SPLITS, Pair
from spencer_models.data.readers.base import (
    Account,
    Broken,
    ReadFile,
    json_object,
    language_named,
    parsed_function,
    read_lines,
    split_named,
    text_of,
    whole_text,
)

PATTERNS = ("*.jsonl.gz", "*.jsonl")

_HINT = 'Each line must be a JSON object with "code", "language", "docstring_tokens" and "code_tokens".'


def read_as_written(path: Path) -> ReadFile:
    """The question is the benchmark's; `code` stands as written, `bare` without the documentation inside it."""
    return _read(path, _as_written)


def read_tokens(path: Path) -> ReadFile:
    """Question and code are the benchmark's tokens with blanks between them, as CodeBERT makes its test set of them.

    So they agree with the text of the `<CODESPLIT>` files.
    """
    return _read(path, _tokens)


def _read(path: Path, codes: Callable[[dict[str, Any], str], tuple[str, str]]) -> ReadFile:
    account = Account(path)
    named = split_named(path)

    def pairs(line: bytes) -> Iterable[Pair]:
        record = json_object(line)
        language = language_named(text_of(record, "language"))
        code, bare = codes(record, language)
        return [Pair(_query(record), code, bare, _symbol(record), language, "", _split(record, named))]

    for number, line in read_lines(path, account):
        account.take(f"line {number}", pairs, line)
    return account.result(_HINT)


def _as_written(record: dict[str, Any], language: str) -> tuple[str, str]:
    code = text_of(record, "code", "original_string")
    return code, parsed_function(language, code)[0]


def _tokens(record: dict[str, Any], language: str) -> tuple[str, str]:
    code = _joined(record, "code_tokens")
    if not code:
        raise Broken('"code_tokens" is empty')
    return code, code


def _query(record: dict[str, Any]) -> str:
    return _joined(record, "docstring_tokens") or text_of(record, "docstring").split("\n\n")[0].strip()


def _joined(record: dict[str, Any], name: str) -> str:
    """A list of tokens as one text on one line; empty where there is no such list."""
    tokens = record.get(name, [])
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise Broken(f'"{name}" is not a list of texts')
    return whole_text(" ".join(" ".join(token.splitlines()) for token in tokens)).strip()


def _symbol(record: dict[str, Any]) -> str:
    name = record.get("func_name", "")
    return whole_text(name).strip() if isinstance(name, str) else ""


def _split(record: dict[str, Any], named: str) -> str:
    split = record.get("partition", named)
    if split not in ("", *SPLITS):
        raise Broken(f'"partition" is {split!r}')
    return str(split)
