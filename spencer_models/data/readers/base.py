"""What all readers share: lines of plain and gzip files, checked records, and the account of what was broken."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from spencer_desktop.core.chunking import ChunkLimits, chunk_file
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.grammars import has_grammar
from spencer_desktop.core.languages import canonical_language
from spencer_models.data.corpus import TEST, TRAIN, VALID, Labelled, Pair
from spencer_models.data.documentation import without_span

T = TypeVar("T")

# How many broken records are told of; all are counted.
SHOWN = 5

# No function is this long. What is longer would only fill the memory.
MAX_LINE_BYTES = 16 << 20
# Nothing bounds the time of a parser; functions that are written by people are far below this.
_MAX_PARSED_CHARS = 50_000
_WHOLE = ChunkLimits(max_chars=_MAX_PARSED_CHARS + 1, max_line_chars=_MAX_PARSED_CHARS + 1)

_SPLIT_WORDS = {"train": TRAIN, "valid": VALID, "validation": VALID, "val": VALID, "dev": VALID, "test": TEST}
_WORD = re.compile(r"[a-z]+")
_ESCAPED_HALF = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What is in one file. Of pairs and labelled pairs `split` is "" where neither record nor file name states it.

    `pairs` are what answers a question, `labelled` are all judgements, where the format has them. `broken` records were
    left out; `complaints` tell of the first few, with their line, and of a file that breaks off.
    """

    pairs: tuple[Pair, ...]
    labelled: tuple[Labelled, ...]
    broken: int
    complaints: tuple[str, ...]


class Broken(ValueError):
    """A record that cannot be used, and why."""


@dataclass(slots=True)
class Account:
    """What a reader gathers while it goes through a file."""

    path: Path
    pairs: list[Pair] = field(default_factory=list)
    labelled: list[Labelled] = field(default_factory=list)
    broken: int = 0
    complaints: list[str] = field(default_factory=list)

    def take(self, where: str, parse: Callable[[T], Iterable[Pair | Labelled]], record: T) -> None:
        """Adds what `parse` makes of one record, or counts it as broken."""
        try:
            found = list(parse(record))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            self.complain(f"{where}: {_words(error)}")
            return
        for item in found:
            if isinstance(item, Pair):
                self.pairs.append(item)
            else:
                self.labelled.append(item)

    def complain(self, complaint: str) -> None:
        """Counts a broken record; the first few are kept in words."""
        self.broken += 1
        if len(self.complaints) < SHOWN:
            self.complaints.append(f"{self.path.name}, {complaint}")

    def result(self, hint: str) -> ReadFile:
        """What was gathered. UserError, with the first complaint and `hint`, when no record was usable."""
        if not self.pairs and not self.labelled:
            why = self.complaints[0].removeprefix(f"{self.path.name}, ") if self.complaints else "it is empty"
            raise UserError(f"{self.path} holds nothing that can be used ({why})", hint=hint)
        return ReadFile(tuple(self.pairs), tuple(self.labelled), self.broken, tuple(self.complaints))


def _words(error: Exception) -> str:
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else f"{type(error).__name__} {error}"


def read_lines(path: Path, account: Account) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line without its end) of a plain or gzip file, blank ones left out, read as they are asked for.

    A line that is too long is counted as broken. A gzip file that breaks off ends with a complaint after its last whole
    line. UserError when the file cannot be opened.
    """
    number = 0
    try:
        with _open(path) as file:
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    account.complain(f"line {number}: longer than {MAX_LINE_BYTES >> 20} MiB")
                    _skip_line(file)
                elif line.strip():
                    yield number, line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        account.complain(f"line {number + 1}: the compressed file is damaged from here on ({error})")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass


def json_object(line: bytes) -> dict[str, Any]:
    """One JSON object. ValueError, or RecursionError, when it is none."""
    record = json.loads(line.decode("utf-8"))
    if not isinstance(record, dict):
        raise Broken("not a JSON object")
    return record


def text_of(record: dict[str, Any], *names: str) -> str:
    """The first of these entries that is there, a text that is not empty. Broken otherwise."""
    name = next((n for n in names if n in record), None)
    if name is None:
        raise Broken(f'no "{names[0]}"')
    value = record[name]
    if not isinstance(value, str) or not value.strip():
        raise Broken(f'"{name}" is not a text with something in it')
    return whole_text(value)


def whole_text(text: str) -> str:
    """The text itself. Broken when it holds half a character, which no tokenizer takes."""
    if _ESCAPED_HALF.search(text):
        raise Broken("a text holds half a character (a lone surrogate)")
    return text


def language_named(name: str) -> str:
    """The language as the rest of the program calls it; an unknown name as it is, in lower case."""
    try:
        return canonical_language(name)
    except UserError:
        return name.strip().lower()


def split_named(path: Path) -> str:
    """The split that a file's name states ("python_train_0.jsonl.gz", "cosqa-dev.json"), or ""."""
    return next((_SPLIT_WORDS[word] for word in _WORD.findall(path.name.lower()) if word in _SPLIT_WORDS), "")


def parsed_function(language: str, code: str) -> tuple[str, str]:
    """(`code` without its documentation, name) of the function that `code` begins with, as the application reads it.

    Where no function is found, the code as it is, and "".
    """
    if len(code) > _MAX_PARSED_CHARS or not has_grammar(language):
        return code, ""
    function = next(iter(chunk_file("", language, code, _WHOLE)), None)
    if function is None or function.kind not in ("function", "method"):
        return code, ""
    if function.doc_span is None:
        return code, function.symbol
    offset = sum(len(line) + 1 for line in code.split("\n")[: function.start_line - 1])
    begin, end = function.doc_span
    return without_span(code, (offset + begin, offset + end)), function.symbol
