"""Nearest vectors: exact search, and an hnswlib graph as a cache that is loaded only when it is proven whole.

hnswlib 0.8 reports neither a full disk nor flipped bytes, so the graph lies beside a manifest with its size, SHA-256
and the catalogue's generation, a random token that names one state of it. In any doubt the answer is exact search; the
writer makes the graph anew.

A graph may lag behind: what came since it was saved is searched exactly, what is gone is passed over, and it is written
again only when that has become much. Saving one file must not write a hundred megabytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.types import Floats, Ids

# Below this many vectors exact search answers in a few milliseconds, and a graph would only be one more file.
GRAPH_FROM = 20_000
_M, _EF_CONSTRUCTION, _EF = 16, 200, 160
_MAX_DEAD = 0.2
_ADD_BATCH = 2_048
# So many vectors take half a millisecond to search exactly.
MOST_LATE = 2_000
_FORMAT = 1

Fetch = Callable[[Ids], Floats]


@dataclass(slots=True)
class Graph:
    """An hnswlib index over content ids. `dead` labels are in the graph but marked deleted."""

    index: Any
    labels: frozenset[int]
    dead: frozenset[int]
    generation: str

    def align(self, wanted: frozenset[int]) -> None:
        """From now on only labels among `wanted` are found; changes nothing but this copy."""
        dead = self.labels - wanted
        for label in dead - self.dead:
            self.index.mark_deleted(label)
        for label in self.dead - dead:
            self.index.unmark_deleted(label)
        self.dead = dead

    def search(self, query: Floats, k: int) -> tuple[Ids, Floats]:
        """(content ids int64 [k'], cosines float32 [k']), best first, for a unit row float32 [d]; k' ≤ k."""
        k = min(k, len(self.labels) - len(self.dead))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        self.index.set_ef(max(_EF, 2 * k))
        labels, distances = self.index.knn_query(query[None, :], k=k, num_threads=1)
        return labels[0].astype(np.int64), (1.0 - distances[0]).astype(np.float32)


def exact_search(matrix: Floats, ids: Ids, query: Floats, k: int) -> tuple[Ids, Floats]:
    """The k rows of `matrix` (float32 [n, d]) nearest to `query` (float32 [d]), best first; ties broken by id."""
    scores = matrix @ query
    top = np.arange(len(scores))
    if 0 < k < len(scores):
        # All that tie with the last of the k, so that the ids decide which of them stays.
        top = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
    top = top[np.lexsort((ids[top], -scores[top]))][:k]
    return ids[top], scores[top].astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Proven:
    """Files that were found whole, or written: while they are the same ones they need not be read again."""

    files: tuple[tuple[int, int, int], ...]
    generation: str
    live: frozenset[int]


class GraphCache:
    """The graph's two files in the data folder. Written by the one writer, loaded by anyone.

    One object may serve a writer after another: it remembers which files it has proven.
    """

    def __init__(
        self,
        directory: Path,
        space_id: str,
        dimension: int,
        *,
        build_from: int = GRAPH_FROM,
        most_late: int = MOST_LATE,
    ) -> None:
        self._build_from = build_from
        self._most_late = most_late
        self._file = directory / "vectors.hnsw"
        self._manifest = directory / "vectors.json"
        self._new_file = directory / "vectors.hnsw.new"
        self._new_manifest = directory / "vectors.json.new"
        self._space_id = space_id
        self._dimension = dimension
        self._proven: _Proven | None = None

    def stamp(self) -> int:
        """Changes when other files may have been written; 0 while there are none."""
        try:
            return self._manifest.stat().st_mtime_ns
        except OSError:
            return 0

    def load(self, generation: str | None = None) -> Graph | None:
        """The graph (of that generation, if given), or None when its files are missing or not beyond doubt.

        They must agree with each other and be of this vector space.
        """
        try:
            files = self._files()
            raw = self._manifest.read_text("utf-8")
            manifest = json.loads(raw)
            if (manifest["format"], manifest["space_id"]) != (_FORMAT, self._space_id):
                return None
            if generation is not None and manifest["generation"] != generation:
                return None
            if self._file.stat().st_size != manifest["size"] or _sha256(self._file) != manifest["sha256"]:
                return None
            index = hnswlib.Index(space="ip", dim=self._dimension)
            index.load_index(str(self._file), allow_replace_deleted=False)
            # A writer takes the manifest away before it replaces the graph: what was loaded is what was hashed.
            if self._manifest.read_text("utf-8") != raw:
                return None
            labels = frozenset(index.get_ids_list())
            graph = Graph(index, labels, frozenset(manifest["dead"]), str(manifest["generation"]))
            self._proven = _Proven(files, graph.generation, graph.labels - graph.dead)
            return graph
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            return None

    def update(self, ids: Ids, generation: str, fetch: Fetch, *, base: str | None = None) -> str | None:
        """Make the files hold `ids` (ascending), or nearly; the generation that they are of now.

        None where there are too few ids for a graph. A graph of `base`, the last generation that this catalogue
        remembers to have saved, is left as it is while it differs by no more than `most_late` ids, and added to after
        that. Any other is built anew: in the graph of a state that was since lost (a catalogue restored from a backup),
        the same ids may stand for other contents. Raises EnvironmentFault when the files cannot be written; the old
        ones, if any, are then gone or whole.
        """
        if len(ids) < self._build_from:
            self.discard()
            return None
        if held := self._still(ids, generation, base):
            return held
        old = self.load()
        if held := self._still(ids, generation, base):
            return held
        extended = self._extended(old, ids, generation, fetch) if old and old.generation == base else None
        graph = extended or self._built(ids, generation, fetch)
        try:
            self._save(graph)
        except OSError as error:
            self.discard()
            raise EnvironmentFault(
                f"The vector cache {self._file} cannot be written ({error.strerror or error})",
                hint="Free some space, or close what has it open; until then search is exact, slower on large indexes.",
            ) from error
        return generation

    def _still(self, ids: Ids, generation: str, base: str | None) -> str | None:
        """The generation of the files where they are proven and may stay as they are."""
        proven = self._proven
        if proven is None:
            return None
        try:
            same = proven.files == self._files()
        except OSError:
            same = False
        if not same:
            self._proven = None
            return None
        near = proven.generation == base and len(frozenset(ids.tolist()) ^ proven.live) <= self._most_late
        return proven.generation if near or proven.generation == generation else None

    def _files(self) -> tuple[tuple[int, int, int], ...]:
        found = [path.stat() for path in (self._file, self._manifest)]
        return tuple((status.st_size, status.st_mtime_ns, status.st_ino) for status in found)

    def discard(self) -> None:
        """Take the files away as far as possible. Never fails: what stays is of a generation that nobody asks for."""
        for path in (self._manifest, self._file, self._new_manifest, self._new_file):
            # Windows does not remove a file that a reader has open.
            with suppress(OSError):
                path.unlink()

    def _built(self, ids: Ids, generation: str, fetch: Fetch) -> Graph:
        index = hnswlib.Index(space="ip", dim=self._dimension)
        index.init_index(max_elements=len(ids), M=_M, ef_construction=_EF_CONSTRUCTION, random_seed=42)
        _add(index, ids, fetch)
        return Graph(index, frozenset(ids.tolist()), frozenset(), generation)

    def _extended(self, old: Graph, ids: Ids, generation: str, fetch: Fetch) -> Graph | None:
        """`old` with ids added, marked dead or revived; None when too much of it would be dead."""
        wanted = frozenset(ids.tolist())
        if len(old.labels - wanted) > _MAX_DEAD * len(wanted):
            return None
        old.align(wanted)
        new = np.array(sorted(wanted - old.labels), np.int64)
        old.index.resize_index(max(old.index.get_max_elements(), len(old.labels) + len(new)))
        _add(old.index, new, fetch)
        return Graph(old.index, old.labels | wanted, old.dead, generation)

    def _save(self, graph: Graph) -> None:
        graph.index.save_index(str(self._new_file))
        size = self._new_file.stat().st_size
        if size != graph.index.index_file_size():
            raise OSError(f"only {size} bytes were written")
        manifest = {
            "format": _FORMAT,
            "space_id": self._space_id,
            "generation": graph.generation,
            "size": size,
            "sha256": _sha256(self._new_file),
            "dead": sorted(graph.dead),
        }
        _sync(self._new_file)
        self._manifest.unlink(missing_ok=True)
        self._new_file.replace(self._file)
        self._new_manifest.write_text(json.dumps(manifest), "utf-8")
        _sync(self._new_manifest)
        self._new_manifest.replace(self._manifest)
        if os.name == "posix":
            _sync(self._file.parent)
        self._proven = _Proven(self._files(), graph.generation, graph.labels - graph.dead)


def _add(index: Any, ids: Ids, fetch: Fetch) -> None:
    for start in range(0, len(ids), _ADD_BATCH):
        batch = ids[start : start + _ADD_BATCH]
        index.add_items(fetch(batch), batch)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    # Windows flushes only what is open for writing; POSIX opens folders only for reading.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
