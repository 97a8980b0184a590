"""A corpus as the models read it: training examples, and the pools that questions are asked of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from spencer_desktop.core.text import query_text
from spencer_models.backbones.base import Code, Features
from spencer_models.config import TextConfig
from spencer_models.data.corpus import Pair, scattered, text_number
from spencer_models.data.queries import training_query

T = TypeVar("T")

# Rows of like length go through the layers together; smaller parts waste less on padding and stay in a CPU's cache.
PART_ROWS = 32

# A sentence goes on in the next line behind the marks of its comment, and its markup is no part of the question.
_BETWEEN_WORDS = re.compile(r"[\s*#/!<>`]+")
_SENTENCE_END = re.compile(r"[`>*]*[.:]?")
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


class Examples(Sequence[Example]):
    """One example for each pair, always the same, made when it is asked for."""

    def __init__(self, pairs: Sequence[Pair], text: TextConfig) -> None:
        self._pairs = pairs
        self._text = text

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, number: int) -> Example: ...
    @overload
    def __getitem__(self, number: slice) -> list[Example]: ...
    def __getitem__(self, number: int | slice) -> Example | list[Example]:
        if isinstance(number, slice):
            return [self.shown(i, 0) for i in range(*number.indices(len(self)))]
        return self.shown(number, 0)

    def shown(self, number: int, turn: int) -> Example:
        """Example `number` as this turn shows it: asked for in one of its ways, with documentation or without."""
        pair, text = self._pairs[number], self._text
        query = query_text(training_query(pair, turn) if text.rewritten else pair.query)
        # Real code carries documentation, and much does not. By another digit of the turn than the question's way.
        documented = text.documented and (text_number(pair.query) + turn // 8) % 2
        return Example(query, Code(_less_documented(pair) if documented else pair.bare, pair.language, pair.symbol))


def _less_documented(pair: Pair) -> str:
    """The code with what its documentation says beside the question; without any where that is nothing."""
    # To find the very words of a question in a comment would be all that there is to learn.
    found = _sentence_in(pair.code, pair.query.split())
    if found is None:
        return pair.bare
    start, end = found
    code = _without_name(pair.code[:start], pair.symbol.rpartition(".")[2]) + pair.code[end:]
    return code if _letters(code) - _letters(pair.bare) >= _FEW_WORDS else pair.bare


def _sentence_in(code: str, words: Sequence[str]) -> tuple[int, int] | None:
    """Where the words stand in the code for the first time, one after the other; to the end of the sentence."""
    start = code.find(words[0]) if words else -1
    while start >= 0:
        end = start + len(words[0])
        for word in words[1:]:
            gap = _BETWEEN_WORDS.match(code, end)
            # A word may open with a mark that a comment's line may open with, too.
            places = range(gap.end(), end, -1) if gap else ()
            place = next((i for i in places if code.startswith(word, i)), -1)
            if place < 0:
                break
            end = place + len(word)
        else:
            closing = _SENTENCE_END.match(code, end)
            return start, closing.end() if closing else end
        start = code.find(words[0], start + 1)
    return None


def _without_name(text: str, name: str) -> str:
    """`text` without the function's name at its end: a name that documentation begins with, as Go's does, is no part of
    the question either."""
    before = text.rstrip(" \t\r\n\f\v:-")
    bare = before.removesuffix("()").removesuffix(name)
    named = name and len(before) < len(text) and before.endswith((name, f"{name}()"))
    return bare if named and not re.search(r"\w\Z", bare) else text


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
