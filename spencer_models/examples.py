"""A corpus as the models read it: training examples, and the pools that questions are asked of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from spencer_desktop.core.text import query_text
from spencer_models.backbones.base import Code, Features
from spencer_models.config import TextConfig
from spencer_models.data.corpus import Pair, scattered, text_number
from spencer_models.data.queries import training_query

T = TypeVar("T")

# Rows of like length go through the layers together; smaller parts waste less on padding and stay in a CPU's cache.
PART_ROWS = 32

# A sentence goes on in the next line behind the marks of its comment, and its markup is no part of the question.
_BETWEEN_WORDS = r"[\s*#/!<>`]+"
_SENTENCE_END = r"[`>*]*[.:]?"
# A name that documentation begins with, as Go's does, is no part of the question either.
_BETWEEN_NAME = r"[\s:-]+"
_TAG = re.compile(r"[@\\]\w+|</?\w[^<>]*>")
_FEW_WORDS = 15
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Example:
    """A question and the code that answers it."""

    query: str
    code: Code


@dataclass(frozen=True, slots=True)
class Pool:
    """Questions and codes; code i answers question i, and further codes may follow that answer none."""

    queries: tuple[str, ...]
    codes: tuple[Code, ...]


def training_examples(pairs: Sequence[Pair], text: TextConfig) -> list[Example]:
    """One example for each pair, always the same."""
    return [_training_example(pair, text) for pair in pairs]


def _training_example(pair: Pair, text: TextConfig) -> Example:
    query = query_text(training_query(pair) if text.rewritten else pair.query)
    # Real code carries documentation, and much does not.
    documented = text.documented and text_number(pair.query) % 2
    return Example(query, Code(_less_documented(pair) if documented else pair.bare, pair.language, pair.symbol))


def _less_documented(pair: Pair) -> str:
    """The code with what its documentation says beside the question; without any where that is nothing."""
    # To find the very words of a question in a comment would be all that there is to learn.
    name = re.escape(pair.symbol.rpartition(".")[2])
    words = _BETWEEN_WORDS.join(map(re.escape, pair.query.split()))
    code, found = re.subn(rf"(?:\b{name}(?:\(\))?{_BETWEEN_NAME})?{words}{_SENTENCE_END}", "", pair.code, count=1)
    return code if found and _letters(code) - _letters(pair.bare) >= _FEW_WORDS else pair.bare


def _letters(code: str) -> int:
    return len(_LETTER.findall(_TAG.sub("", code)))


def pools(pairs: Sequence[Pair], size: int, *, whole: bool = True) -> tuple[list[Pool], int]:
    """Pools of `size` in an order that no source decides, and how many pairs were dropped.

    The last pool, if incomplete, is dropped as in the paper; where it is not `whole` that counts, it stays.
    """
    ordered = scattered(pairs)
    parts = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    dropped = 0
    if whole and parts and len(parts[-1]) < size:
        dropped = len(parts.pop())
    return [_pool(part) for part in parts], dropped


def _pool(pairs: Sequence[Pair]) -> Pool:
    codes = tuple(Code(p.bare, p.language, p.symbol) for p in pairs)
    return Pool(tuple(query_text(p.query) for p in pairs), codes)


def parts_of(items: Sequence[T], rows: int, build: Callable[[Sequence[T]], Features]) -> list[Features]:
    """The features of `items` in parts of at most `rows` consecutive ones, each padded for itself."""
    return [build(items[i : i + rows]) for i in range(0, len(items), rows)]
