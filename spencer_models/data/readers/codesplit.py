"""CodeBERT's code search files: five columns with `<CODESPLIT>` between them, matched and unmatched pairs.

Columns of train.txt and valid.txt: label, address of the file, name of the function, documentation, code; the texts are
tokens with blanks between them. Every line is a judgement for the cross-encoder, the matched ones are pairs (paper,
section 4.2). In its test files (batch_*.txt) each of a thousand questions stands beside each of a thousand codes, the
label is always 1 and says nothing, and columns two and three are the addresses of the question and of the code: a line
is a pair where they are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from spencer_desktop.core.languages import LANGUAGES, TEXT, language_of
from spencer_models.data.corpus import TEST, Labelled, Pair
from spencer_models.data.readers.base import Account, Broken, ReadFile, language_named, read_lines, split_named

PATTERNS = ("*.txt",)

SEPARATOR = "<CODESPLIT>"
_HINT = f"Each line must be label{SEPARATOR}address{SEPARATOR}function{SEPARATOR}documentation{SEPARATOR}code."
_TEST_NAME = re.compile(r"batch_\d+\.txt")
_ADDRESS = re.compile(r"https?://")


def read(path: Path) -> ReadFile:
    """Matched lines as pairs, all lines of a training or validation file as labelled too.

    The language is that of the address, or else of the nearest folder that is named after one.
    """
    account = Account(path)
    split = TEST if _TEST_NAME.fullmatch(path.name) else split_named(path)
    parse = partial(_records, nearby=_language_nearby(path), split=split)
    for number, line in read_lines(path, account):
        account.take(f"line {number}", parse, line)
    return account.result(_HINT)


def _records(line: bytes, nearby: str, split: str) -> Iterator[Pair | Labelled]:
    columns = line.decode("utf-8").split(SEPARATOR)
    if len(columns) != 5:
        raise Broken(f"{len(columns)} columns where there must be 5")
    label, address, name, query, code = map(str.strip, columns)
    if label not in ("0", "1"):
        raise Broken(f"the label is {label[:20]!r}, neither 0 nor 1")
    if not query or not code:
        raise Broken("the documentation or the code is empty")
    crossed = _ADDRESS.match(name) is not None
    language = _language(name if crossed else address) or nearby
    if not language:
        raise Broken("neither the address nor a folder says which language it is")
    if not crossed:
        yield Labelled(query, code, language, int(label), split)
    if label == "1" and (not crossed or name == address):
        yield Pair(query, code, code, "" if crossed else name, language, "", split)


def _language(address: str) -> str:
    language = language_of(urlsplit(address).path)
    return "" if language == TEXT else language


def _language_nearby(path: Path) -> str:
    for folder in path.absolute().parents:
        if (language := language_named(folder.name)) in LANGUAGES - {TEXT}:
            return language
    return ""
