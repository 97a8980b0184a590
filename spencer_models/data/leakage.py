"""Keeps what a model is measured on out of what it is trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_models.data.corpus import Labelled, Pair
from spencer_models.data.keys import code_key, query_key

LEAKED = "stands in a measuring set"

# Shorter keys are idioms ("how to", "import os") that say nothing about where a text came from.
_MIN_KEY = 20


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Keys of every question and every code of the measuring sets."""

    queries: frozenset[str]
    codes: frozenset[str]

    def holds(self, pair: Pair | Labelled) -> bool:
        """Whether the pair's question or code, with or without documentation, stands in a measuring set."""
        codes = {pair.code, pair.bare} if isinstance(pair, Pair) else {pair.code}
        return self.asks(pair.query) or (bool(self.codes) and not self.codes.isdisjoint(map(code_key, codes)))

    def asks(self, text: str) -> bool:
        """Whether a text stands in a measuring set as a question."""
        return query_key(text) in self.queries


def read_held_out(paths: Iterable[Path]) -> HeldOut:
    """Keys from `[{"query", "code"}]` and `{"corpus", "queries": [{"q"}]}` files. UserError for any other file."""
    queries: set[str] = set()
    codes: set[str] = set()
    for path in paths:
        try:
            found_queries, found_codes = _texts(json.loads(path.read_bytes()))
            queries.update(query_key(q) for q in found_queries)
            codes.update(code_key(c) for c in found_codes)
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path} is not a measuring set ({type(error).__name__}: {error})") from error
    return HeldOut(frozenset(queries) - {""}, frozenset(c for c in codes if len(c) >= _MIN_KEY))


def _texts(data: Any) -> tuple[Sequence[str], Sequence[str]]:
    if isinstance(data, dict):
        return [q["q"] for q in data["queries"]], data["corpus"]
    return [r["query"] for r in data], [r["code"] for r in data]
