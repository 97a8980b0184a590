"""The training corpus: (question, code) pairs as JSON lines, and how foreign pair files are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import code_text

TRAIN, VALID = "train", "valid"

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Pair:
    """One question and the code that answers it.

    `code` stands as written, `bare` without its documentation (the same where it has none); `symbol` is qualified or
    empty; `source` names the package or data set; `split` is "train" or "valid".
    """

    query: str
    code: str
    bare: str
    symbol: str
    language: str
    source: str
    split: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something else that the documentation says about the function of pair number `pair`."""

    pair: int
    text: str


@dataclass(frozen=True, slots=True)
class PairFile:
    """What `read_pair_file` found: the usable pairs, and how many lines were broken."""

    pairs: tuple[Pair, ...]
    broken: int


def read_pair_file(path: Path) -> PairFile:
    """Pairs from a file of `{"query", "code", "lang"}` objects, one a line; `source` becomes the file's name.

    Broken lines are counted and left out. UserError, naming the first broken line, when no line is usable.
    """
    pairs: list[Pair] = []
    complaints: list[str] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, start=1):
        try:
            pairs.append(_foreign_pair(json.loads(line), path.stem))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            complaints.append(f"line {number}: {type(error).__name__} {error}")
    if not pairs:
        raise UserError(
            f"{path} holds no usable pair ({complaints[0] if complaints else 'it is empty'})",
            hint='Each line must be a JSON object with the texts "query", "code" and "lang".',
        )
    return PairFile(tuple(pairs), len(complaints))


def _foreign_pair(record: Any, source: str) -> Pair:
    query, code, language = (record[name] for name in ("query", "code", "lang"))
    if not all(isinstance(x, str) and x.strip() for x in (query, code, language)):
        raise ValueError("query, code and lang must be texts that are not empty")
    return Pair(query, code, code, "", language, source, TRAIN)


def write_records(records: Iterable[Pair] | Iterable[Sentence], path: Path) -> str:
    """Writes a corpus file, one JSON object a line; returns the SHA-256 (hex) of its bytes."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for record in records:
            line = json.dumps(asdict(record), ensure_ascii=True).encode("ascii") + b"\n"
            digest.update(line)
            file.write(line)
    return digest.hexdigest()


def read_records(path: Path, kind: type[R]) -> list[R]:
    """The records, of class `kind`, of a file that `write_records` wrote."""
    with path.open(encoding="ascii") as file:
        return [kind(**json.loads(line)) for line in file]


def training_text(pair: Pair) -> str:
    """The code as a model reads it in training: one half of the functions with their documentation, one half without.

    Real code carries documentation; without the other half a model would learn no more than to find the question in it.
    """
    return code_text(pair.symbol, pair.code if text_number(pair.query) % 2 else pair.bare)


def text_number(text: str) -> int:
    """A number that is spread evenly over texts and the same in every process: the choice by it is reproducible."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
