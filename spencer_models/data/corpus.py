"""The training corpus: (question, code) pairs, labelled pairs and further sentences, as JSON lines in one folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from spencer_desktop.core.errors import UserError

RERANK, TRAIN, VALID, TEST = "rerank", "train", "valid", "test"
SPLITS = (RERANK, TRAIN, VALID, TEST)
"""Where two hold the same question or code, the later one keeps it. RERANK is what the re-ranker alone is trained on:
of examples that the dual encoder knows by heart its cosine leaves nothing to learn. Without it, TRAIN serves."""
LEARNT = (RERANK, TRAIN)
"""What models are made of; the others judge them."""

PAIRS_NAME, LABELLED_NAME, SENTENCES_NAME = "pairs.jsonl", "labelled.jsonl", "sentences.jsonl"
SUMMARY_NAME = "corpus.json"
_DIGESTS = {PAIRS_NAME: "sha256", LABELLED_NAME: "labelled_sha256", SENTENCES_NAME: "sentences_sha256"}

_ENOUGH = 50

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Pair:
    """One question and the code that answers it.

    `code` stands as written, `bare` without its documentation (the same where it has none); `symbol` is qualified or
    empty; `source` names the package or data set; `split` is one of SPLITS.
    """

    query: str
    code: str
    bare: str
    symbol: str
    language: str
    source: str
    split: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and a code that answers it (`label` 1) or does not (0): what the cross-encoder of the paper learns."""

    query: str
    code: str
    language: str
    label: int
    split: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something else that the documentation says about the function of pair number `pair`."""

    pair: int
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """All pairs, mined ones first. `sentences` point into them by position; `summary` says where it came from."""

    pairs: tuple[Pair, ...]
    labelled: tuple[Labelled, ...]
    sentences: tuple[Sentence, ...]
    summary: Mapping[str, Any]

    def of(self, split: str, language: str = "") -> tuple[Pair, ...]:
        """The pairs of one split, in order; of one language, where it is given."""
        return tuple(p for p in self.pairs if p.split == split and language in ("", p.language))

    def kinds(self, split: str) -> dict[str, list[Pair]]:
        """The pairs of one split by "SOURCE, LANGUAGE", in the order of these names; all that was mined is one source,
        "mined"."""
        found: dict[str, list[Pair]] = {}
        for pair in self.of(split):
            source = "mined" if pair.source in self.summary["packages"] else pair.source
            found.setdefault(f"{source}, {pair.language}", []).append(pair)
        return dict(sorted(found.items()))

    def judged_kinds(self, split: str) -> dict[str, list[Pair]]:
        """The `kinds` that models are judged by: a handful of questions would count as much as hundreds."""
        kinds = self.kinds(split)
        return {name: pairs for name, pairs in kinds.items() if len(pairs) >= _ENOUGH} or kinds


def write_corpus(corpus: Corpus, folder: Path) -> dict[str, Any]:
    """Writes the corpus to `folder`; returns the summary that stands there, which has the SHA-256 of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_NAME).unlink(missing_ok=True)
    summary = {
        "sha256": write_records(corpus.pairs, folder / PAIRS_NAME),
        "labelled_sha256": write_records(corpus.labelled, folder / LABELLED_NAME),
        "sentences_sha256": write_records(corpus.sentences, folder / SENTENCES_NAME),
        **corpus.summary,
    }
    # Its presence says that the corpus is whole, so it must come last and at once.
    unfinished = folder / f"{SUMMARY_NAME}.part"
    unfinished.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(folder / SUMMARY_NAME)
    return summary


def read_corpus(folder: Path) -> Corpus:
    """The corpus that `write_corpus` wrote. UserError when there is none, or not what its summary says."""
    try:
        summary = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
        for name, key in _DIGESTS.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != summary[key]:
                raise ValueError(f"{name} is damaged")
        return Corpus(
            tuple(read_records(folder / PAIRS_NAME, Pair)),
            tuple(read_records(folder / LABELLED_NAME, Labelled)),
            tuple(read_records(folder / SENTENCES_NAME, Sentence)),
            summary,
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"No corpus at {folder} ({error})", hint="Run `spencer-models prepare` for it.") from error


def write_records(records: Iterable[Pair] | Iterable[Labelled] | Iterable[Sentence], path: Path) -> str:
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


def told_left_out(counts: Iterable[Mapping[str, int]]) -> str:
    """Why what the sources held was left out, as a sentence; "" where nothing was. `counts`: reason → how many."""
    reasons = sum(map(Counter, counts), Counter[str]())
    told = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common())
    return f"Found and left out: {told}." if told else ""


def scattered(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs in an order that no source decides, always the same."""
    return sorted(pairs, key=lambda p: text_number(p.query + p.bare))


def text_number(text: str) -> int:
    """A number that is spread evenly over texts and the same in every process: the choice by it is reproducible."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
