"""What the tests of the index put into it: chunks and patches made by hand, without reading files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spencer_desktop.core.index import Index
from spencer_desktop.core.rows import Repository
from spencer_desktop.core.types import Chunk, Encoder, FilePatch, Floats
from tests.fakes import DIMENSION

SPACE = "space"


def chunk(
    text: str,
    start: int = 1,
    *,
    unit: tuple[int, int] | None = None,
    kind: str = "window",
    symbol: str = "",
    signature: str = "",
    doc: str = "",
) -> Chunk:
    """A chunk that begins at line `start`; its unit is itself unless `unit` gives (first, last) line."""
    end = start + text.count("\n")
    return Chunk("python", kind, symbol, signature, doc, text, start, end, *(unit or (start, end)))


def patch(path: str, *chunks: Chunk | str, language: str = "python") -> FilePatch:
    """A file of these chunks; one given as text begins at line 1."""
    made = tuple(chunk(c) if isinstance(c, str) else c for c in chunks)
    size = sum(len(c.text) for c in made)
    return FilePatch(path, size, 1, b"digest of " + path.encode("utf-8", "surrogateescape"), language, "", made)


def open_index(directory: Path, *, writable: bool = True, space: str = SPACE) -> Index:
    return Index(directory, space, DIMENSION, writable=writable)


def add_repository(index: Index, root: str = "/r") -> Repository:
    index.register(Path(root), Path(root).name)
    return next(r for r in index.catalog.repositories() if r.root == Path(root))


def put(index: Index, repository: Repository, *patches: FilePatch) -> None:
    """The files' new state, in one transaction."""
    known = index.catalog.files(repository.id)
    index.apply(repository, [(p, known.get(p.path)) for p in patches])


def remove(index: Index, repository: Repository, *paths: str) -> None:
    known = index.catalog.files(repository.id)
    index.finish(repository, [known[path] for path in paths], [], {}, "")


def encode_pending(index: Index, encoder: Encoder) -> int:
    """Encode what has no vector yet; how many that was."""
    index.adopt_space()
    ids = np.array([i for i, _ in index.catalog.pending()], np.int64)
    texts = index.catalog.contents(ids)
    if len(ids):
        index.add_vectors(ids, encoder.encode([texts[i] for i in ids.tolist()]))
    return len(ids)


def unit_rows(rows: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
