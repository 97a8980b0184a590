"""Frozen values and Protocols that cross layers. Nothing here does work; everything may import it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Left unevaluated: the chunk worker's process imports this module, and numpy would be most of its start.
Floats: TypeAlias = "NDArray[np.float32]"
Ids: TypeAlias = "NDArray[np.int64]"


class Mode(str, Enum):
    """How `search` looks for the answer. HYBRID fuses SEMANTIC and LEXICAL evidence."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    LEXICAL = "lexical"
    REGEX = "regex"


class Stage(str, Enum):
    """RECALL: the candidates in recall order. RERANKED: the final order."""

    RECALL = "recall"
    RERANKED = "reranked"


KINDS = ("function", "method", "class", "window")
"""What a chunk may be; a window is a run of lines where there is no definition."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a file that is encoded and found on its own.

    `text` is the exact source of lines `start_line..end_line` (1-based, inclusive), without the last newline.
    A long function is several chunks that share one unit (`unit_start_line..unit_end_line`) and are shown as one hit;
    for every other chunk the unit is the chunk itself. `kind` is one of `KINDS`.
    `symbol` is qualified with "." whatever the language ("Session.get"); for a window, the enclosing symbol or "".
    `doc` is the documentation without its comment marks; `doc_span` are the character offsets in `text` of the
    documentation as written, when it stands inside this chunk (training removes it).
    """

    language: str
    kind: str
    symbol: str
    signature: str
    doc: str
    text: str
    start_line: int
    end_line: int
    unit_start_line: int
    unit_end_line: int
    doc_span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file that the walk found. `path` is relative to the root, "/"-separated, undecodable bytes as surrogates."""

    path: str
    size: int
    mtime_ns: int
    language: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or folder that the walk left out, and why, in words for the user."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What one file is now: replaces all that the index knew of it. `digest` is the hash of its bytes.

    `problem` says in words why the file was not read as its language ("" when it was).
    """

    path: str
    size: int
    mtime_ns: int
    digest: bytes
    language: str
    problem: str
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be found at all; applied before ranking. Empty means everything."""

    repositories: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    path_globs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the user put it. `rerank=None` means: the default of this mode.

    Without `signals` the order is that of the fused scores alone, and names, paths and files count for nothing.
    """

    text: str
    limit: int = 10
    mode: Mode = Mode.HYBRID
    filters: Filters = field(default_factory=Filters)
    rerank: bool | None = None
    signals: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a hit was found.

    `cosine` with the question, None where it is not encoded or meaning was not asked for; `bm25`, 0 where no word is
    shared; `logit` of the re-ranker, None for what it has not read; `place` before that, from 1 (0: of a pattern).
    `pending`: meaning was asked for, but is not known yet.
    """

    cosine: float | None = None
    bm25: float = 0.0
    logit: float | None = None
    place: int = 0
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer. Lines are 1-based and inclusive; `path` is relative to `root`; a higher score is better.

    `snippet` begins at `snippet_line`: of a long function it is the part that answers, not the beginning.
    """

    chunk_id: int
    score: float
    repository: str
    root: str
    path: str
    start_line: int
    end_line: int
    language: str
    kind: str
    symbol: str
    signature: str
    snippet: str
    snippet_line: int
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True)
class SearchUpdate:
    """One state of the answer: RECALL, then (where a re-ranker runs) RERANKED.

    `elapsed_ms` counts from the question. `notice` says in one line what the answer could not take into account.
    `confidence`, from 0 to 1, is how likely it is that an answer is there at all: that one of the K nearest codes, or
    of the K that were re-ranked, is right (K is the pack's). None where the pack cannot say.
    """

    stage: Stage
    hits: tuple[Hit, ...]
    elapsed_ms: float
    notice: str = ""
    confidence: float | None = None


class Encoder(Protocol):
    """Texts → unit vectors."""

    @property
    def dimension(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """float32 [n, d], unit rows, in the order of `texts`."""
        ...


class Reranker(Protocol):
    """Reads question and code together (paper, section 2.2)."""

    def score(self, query: str, codes: Sequence[str]) -> Floats:
        """float32 [n]: the cross-encoder's logit for each (code, query) pair; higher is better."""
        ...
