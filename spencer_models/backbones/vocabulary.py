"""Words → numbers, for families that start from nothing: what training texts say most often, kept as one JSON file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError

VOCABULARY_NAME = "vocabulary.json"
PADDING, UNKNOWN = "<pad>", "<unk>"
PADDING_ID, UNKNOWN_ID = 0, 1


class Vocabulary:
    """The words that a model knows; the first two are PADDING and UNKNOWN. ValueError where they are not, or repeat."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words)}
        if self.words[:2] != (PADDING, UNKNOWN) or len(self._ids) != len(self.words):
            raise ValueError(f"a vocabulary begins with {PADDING} and {UNKNOWN} and has every word once")

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, words: Iterable[str]) -> list[int]:
        """The words' numbers, UNKNOWN_ID for each that is not known."""
        return [self._ids.get(word, UNKNOWN_ID) for word in words]


def most_frequent(counts: Counter[str], size: int) -> Vocabulary:
    """A vocabulary of at most `size` words, the two special ones among them; ties are broken by the alphabet."""
    kept = sorted(counts.keys() - {PADDING, UNKNOWN}, key=lambda word: (-counts[word], word))[: max(0, size - 2)]
    return Vocabulary([PADDING, UNKNOWN, *kept])


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a model is: components of a word's vector and of an LSTM's state (each direction), and by the name of a
    sequence how long it may be."""

    embedding: int
    lstm: int
    lengths: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a family needs before it can be built: its shape, and a vocabulary for each kind of words."""

    family: str
    shape: Shape
    vocabularies: Mapping[str, Vocabulary]


def write_prepared(prepared: Prepared, folder: Path) -> None:
    """Writes VOCABULARY_NAME; it is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "family": prepared.family,
        "shape": asdict(prepared.shape),
        "words": {kind: vocabulary.words for kind, vocabulary in prepared.vocabularies.items()},
    }
    temporary = folder / (VOCABULARY_NAME + ".new")
    temporary.write_text(json.dumps(record, sort_keys=True), encoding="ascii")
    temporary.replace(folder / VOCABULARY_NAME)


def read_prepared(folder: Path, family: str, kinds: Iterable[str], lengths: Iterable[str]) -> Prepared:
    """What `write_prepared` wrote. UserError where it is missing, damaged, or of another family."""
    path = folder / VOCABULARY_NAME
    try:
        raw = json.loads(path.read_bytes())
        prepared = Prepared(raw["family"], _shape(raw["shape"]), {k: Vocabulary(raw["words"][k]) for k in kinds})
        if not set(lengths) <= prepared.shape.lengths.keys():
            raise ValueError("lengths are missing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"No usable vocabulary at {path} ({type(error).__name__}: {error})",
            hint="Prepare the family again from the training pairs.",
        ) from error
    if prepared.family != family:
        raise UserError(f"{folder} was prepared for the family {prepared.family!r}, not {family!r}")
    return prepared


def _shape(raw: Mapping[str, Any]) -> Shape:
    shape = Shape(raw["embedding"], raw["lstm"], dict(raw["lengths"]))
    if not all(type(n) is int and n > 0 for n in (shape.embedding, shape.lstm, *shape.lengths.values())):
        raise ValueError("sizes must be whole numbers above 0")
    return shape
