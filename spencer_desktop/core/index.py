"""The one owner of catalogue and vectors. A reader follows the writer's changes by the catalogue's generation."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np

from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_desktop.core.rows import EVERYTHING, ROOT, FileRow, Repository, Scope, SkippedRow
from spencer_desktop.core.types import FilePatch, Floats, Ids
from spencer_desktop.core.vectors import Graph, GraphCache, exact_search

CATALOG = "catalog.sqlite3"
_LOCK = "writer.lock"
# The one thing that no file on disk could tell again: which folders are indexed, and what they are called.
_FOLDERS = "folders.json"
_ASIDE = "damaged"
# What is noted in the catalogue: a random token for each state of it, and that of the state whose graph was last saved.
# Counters would not do: a catalogue restored from a backup would give the same numbers to other contents.
_GENERATION = "generation"
_GRAPH_GENERATION = "graph_generation"
_KEPT_ORPHANS = 10_000


class Index:
    """Opened by one thread. `writable=True` takes the data folder's writer lock, which dies with the process.

    Raises EnvironmentFault when the folder cannot be used or another process writes to it, UserError when a reader
    finds no index at all.
    """

    def __init__(
        self, directory: Path, space_id: str, dimension: int, *, writable: bool, after: Index | None = None
    ) -> None:
        """`after`: an index of the same folder, closed by now, that need not prove the graph's files once more."""
        self.directory = directory
        self._space_id = space_id
        self._dimension = dimension
        self._cache: GraphCache = after._cache if after else GraphCache(directory, space_id, dimension)
        self._seen: tuple[str, tuple[str | None, int]] | None = None
        self._ids: Ids = np.empty(0, np.int64)
        self._matrix: Floats | None = None
        self._graph: Graph | None = None
        self._saved: tuple[str | None, int] = (None, 0)
        # What came since the graph was saved, ascending.
        self._late: Ids = np.empty(0, np.int64)
        self._late_rows: Floats = np.empty((0, dimension), np.float32)
        self._chunks = 0
        self._pending = 0
        # Last, so that nothing can fail that would leave them open.
        self._lock = _take_lock(directory) if writable else None
        try:
            if not writable and not has_catalog(directory):
                raise UserError(f"Nothing is indexed in {directory} yet", hint="Run `spencer index FOLDER` first.")
            self.catalog = Catalog(directory / CATALOG, writable=writable)
            self._file = self._identity()
        except BaseException:
            self._release()
            raise

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        try:
            self.catalog.close()
        finally:
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    # Writing

    def apply(self, repository: Repository, patches: list[tuple[FilePatch, FileRow | None]]) -> None:
        """Put these files' new state into the index, in one transaction."""
        with self.catalog.transaction():
            for patch, known in patches:
                self.catalog.apply(repository.id, patch, known)
            self._next_generation()

    def finish(
        self,
        repository: Repository,
        gone: list[FileRow],
        touched: list[tuple[int, int, int]],
        skipped: Mapping[str, SkippedRow],
        limits: str,
        *,
        hidden: Sequence[FileRow] = (),
        within: Collection[str] = (ROOT,),
    ) -> None:
        """End a pass over a repository: drop files that are gone, note (file id, size, mtime_ns) of unchanged ones.

        `within` are the folders that were looked at; of nothing else is `skipped` to say anything. Of those in `gone`
        that are also in `hidden` no text is kept, unless another file has it too. `limits` names what decided, beside
        the files themselves, which of them are indexed and how.
        """
        with self.catalog.transaction():
            hidden_contents = self.catalog.contents_in(Scope(np.array([file.id for file in hidden], np.int64)))
            for file in gone:
                self.catalog.remove_file(file.id)
            self.catalog.forget_orphans(hidden_contents)
            for file_id, size, mtime_ns in touched:
                self.catalog.touch(file_id, size, mtime_ns)
            self.catalog.replace_skipped(repository.id, skipped, within)
            self.catalog.mark_indexed(repository.id)
            self.catalog.set_meta(_limits_key(repository), limits)
            if gone:
                self._next_generation()

    def limits_of(self, repository: Repository) -> str | None:
        """The `limits` of the last pass over a repository that came to its end."""
        return self.catalog.meta(_limits_key(repository))

    def register(self, root: Path, name: str) -> None:
        with self.catalog.transaction():
            self.catalog.add_repository(root, name)

    def note_folders(self) -> None:
        """Write beside the catalogue which folders are registered, for the day when it is damaged."""
        folders = [{"root": str(r.root), "name": r.name} for r in self.catalog.repositories()]
        text = json.dumps(folders)
        file, new = self.directory / _FOLDERS, self.directory / f"{_FOLDERS}.new"
        with suppress(OSError, ValueError):
            if file.exists() and file.read_text("utf-8") == text:
                return
        try:
            new.write_text(text, "utf-8")
            new.replace(file)
        except OSError as error:
            raise _not_writable(self.directory, error) from error

    def remove_repository(self, repository: Repository) -> None:
        """Forget a repository, its text and its vectors for good. Its files on disk are not touched."""
        with self.catalog.transaction():
            self.catalog.remove_repository(repository.id)
            self.catalog.drop_meta(_limits_key(repository))
            self.catalog.forget_orphans()
            # Until segments are merged, the text index keeps the words of rows that are gone; a graph keeps vectors.
            self.catalog.optimize()
            self.catalog.drop_meta(_GRAPH_GENERATION)
            self._next_generation()
        self._cache.discard()
        self.catalog.compact()
        shutil.rmtree(self.directory / _ASIDE, ignore_errors=True)
        self.note_folders()

    @property
    def replaced(self) -> bool:
        """Whether another catalogue may stand where this one was opened."""
        return self._file != self._identity()

    def _identity(self) -> tuple[int, ...] | None:
        """Of the catalogue's file; one that is read as if nobody wrote it is another as soon as somebody did."""
        try:
            status = (self.directory / CATALOG).stat()
        except OSError:
            return None
        found = (status.st_dev, status.st_ino)
        return (*found, status.st_size, status.st_mtime_ns) if self.catalog.immutable else found

    def adopt_space(self) -> None:
        """Drop vectors that another pack's encoder made; they cannot be compared with this one's."""
        if self.catalog.meta("space_id") == self._space_id:
            return
        with self.catalog.transaction():
            self.catalog.drop_vectors()
            self.catalog.drop_meta(_GRAPH_GENERATION)
            self.catalog.set_meta("space_id", self._space_id)
            self._next_generation()

    def add_vectors(self, ids: Ids, vectors: Floats) -> None:
        """float32 [n, d] unit rows for the contents `ids` (int64 [n])."""
        with self.catalog.transaction():
            self.catalog.add_vectors(ids.tolist(), vectors)
            self._next_generation()

    def bound_orphans(self) -> None:
        """Forget what stands in no file once it is much, and more than what does; until then a branch may come back."""
        orphans = self.catalog.orphan_count()
        if orphans > _KEPT_ORPHANS and 2 * orphans > self.catalog.content_count():
            with self.catalog.transaction():
                self.catalog.forget_orphans()
                self._next_generation()

    def optimize(self) -> None:
        """Merge the text index; worth it after many files changed."""
        with self.catalog.transaction():
            self.catalog.optimize()

    def update_cache(self) -> None:
        """Bring the vector cache up to the catalogue's generation."""
        generation, base = self._generation(), self.catalog.meta(_GRAPH_GENERATION)
        held = self._cache.update(
            self.catalog.vector_ids(),
            generation,
            lambda batch: self.catalog.vectors(batch, self._dimension),
            base=base,
        )
        if held and base != held:
            with self.catalog.transaction():
                self.catalog.set_meta(_GRAPH_GENERATION, held)

    def _next_generation(self) -> None:
        self.catalog.set_meta(_GENERATION, secrets.token_hex(8))

    def _generation(self) -> str:
        return self.catalog.meta(_GENERATION) or ""

    # Reading

    @property
    def speaks_this_space(self) -> bool:
        """Whether the stored vectors were made by this pack's code encoder."""
        return self.catalog.meta("space_id") == self._space_id

    def nearest(self, query: Floats, k: int, scope: Scope = EVERYTHING) -> tuple[Ids, Floats]:
        """(content ids, cosines) of the k nearest contents, best first.

        `query` is a unit row, float32 [d]. Empty where the stored vectors belong to another pack.
        """
        with self.catalog.snapshot():
            self._refresh()
            if not scope.is_everything:
                rows = np.flatnonzero(np.isin(self._ids, self.catalog.contents_in(scope), assume_unique=True))
                return exact_search(self._rows()[rows], self._ids[rows], query, k)
            if self._graph is not None:
                # Raised where fewer than k can be reached: a graph does not connect everything with everything.
                with suppress(RuntimeError):
                    late = exact_search(self._late_rows, self._late, query, k)
                    return _merged(self._graph.search(query, k), late, k)
            return exact_search(self._rows(), self._ids, query, k)

    def nearest_exact(self, query: Floats, k: int) -> tuple[Ids, Floats]:
        """As `nearest`, without the graph: the oracle that the graph is measured against."""
        with self.catalog.snapshot():
            self._refresh()
            return exact_search(self._rows(), self._ids, query, k)

    @property
    def chunk_count(self) -> int:
        self._refresh()
        return self._chunks

    @property
    def pending_count(self) -> int:
        """How many contents are findable by text and not encoded yet."""
        self._refresh()
        return self._pending

    @property
    def uses_graph(self) -> bool:
        self._refresh()
        return self._graph is not None

    def cosines(self, query: Floats, content_ids: Ids) -> Floats:
        """float32 [n]: the cosine of each content (int64 [n]) with `query`, NaN for those not encoded yet."""
        wanted, back = np.unique(content_ids, return_inverse=True)
        found = np.full(len(wanted), np.nan, np.float32)
        with self.catalog.snapshot():
            self._refresh()
            known = np.isin(wanted, self._ids, assume_unique=True)
            found[known] = self.catalog.vectors(wanted[known], self._dimension) @ query
        return found[back]

    def _refresh(self) -> None:
        with self.catalog.snapshot():
            # The writer's graph comes after the generation that it holds, and the note of it after the graph.
            saved = (self.catalog.meta(_GRAPH_GENERATION), self._cache.stamp())
            seen = (self._generation(), saved)
            if seen == self._seen:
                return
            self._ids = self.catalog.vector_ids() if self.speaks_this_space else np.empty(0, np.int64)
            self._matrix = None
            self._follow(saved)
            self._chunks = self.catalog.chunk_count()
            self._pending = self.catalog.pending_count()
            self._seen = seen

    def _follow(self, saved: tuple[str | None, int]) -> None:
        """The graph that was saved last, loaded once, brought up to the vectors that there are now."""
        if saved != self._saved or self._graph is None:
            base, _ = saved
            self._graph = self._cache.load(base) if base and len(self._ids) else None
            self._saved = saved
        if self._graph is None:
            return
        wanted = frozenset(self._ids.tolist())
        self._graph.align(wanted)
        late = np.array(sorted(wanted - self._graph.labels), np.int64)
        # While much is being encoded these are many, and few of them are new.
        kept = np.isin(self._late, late, assume_unique=True)
        new = late[~np.isin(late, self._late, assume_unique=True)]
        ids = np.concatenate([self._late[kept], new])
        rows = np.concatenate([self._late_rows[kept], self.catalog.vectors(new, self._dimension)])
        order = np.argsort(ids)
        self._late, self._late_rows = ids[order], rows[order]

    def _rows(self) -> Floats:
        if self._matrix is None:
            self._matrix = self.catalog.vectors(self._ids, self._dimension)
        return self._matrix


def _merged(found: tuple[Ids, Floats], late: tuple[Ids, Floats], k: int) -> tuple[Ids, Floats]:
    """The best k of both, best first."""
    if not len(late[0]):
        return found
    ids, cosines = np.concatenate([found[0], late[0]]), np.concatenate([found[1], late[1]])
    best = np.lexsort((ids, -cosines))[:k]
    return ids[best], cosines[best]


def has_catalog(directory: Path) -> bool:
    """Whether anything was ever indexed in a data folder. Raises EnvironmentFault when it may not be looked into."""
    try:
        return (directory / CATALOG).exists()
    except OSError as error:
        raise EnvironmentFault(
            f"The data folder {directory} cannot be read ({error.strerror})",
            hint="Change its permissions, or choose another folder with --data-dir.",
        ) from error


def begin_anew(directory: Path) -> tuple[Path, list[tuple[Path, str]]]:
    """Set a damaged catalogue aside: where it is now, and the folders (root, name) that were registered in it.

    Of those set aside before none is kept. Raises EnvironmentFault where another process writes, or nothing can be.
    """
    aside = directory / _ASIDE
    lock = _take_lock(directory)
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        for name in (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm"):
            with suppress(FileNotFoundError):
                (directory / name).replace(aside / name)
    except OSError as error:
        raise _not_writable(directory, error) from error
    finally:
        lock.release()
    try:
        folders = json.loads((directory / _FOLDERS).read_text("utf-8"))
        return aside, [(Path(folder["root"]), str(folder["name"])) for folder in folders]
    except (OSError, ValueError, KeyError, TypeError):
        return aside, []


def _limits_key(repository: Repository) -> str:
    return f"limits of repository {repository.id}"


def _take_lock(directory: Path) -> filelock.BaseFileLock:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(directory, os.W_OK):
            raise PermissionError(13, "Permission denied", str(directory))
        lock = filelock.FileLock(directory / _LOCK)
        lock.acquire(timeout=0)
        return lock
    except filelock.Timeout as error:
        raise EnvironmentFault(
            f"Another `spencer` is writing to the index in {directory}",
            hint="Wait until it has finished, stop it, or choose another folder with --data-dir.",
        ) from error
    except OSError as error:
        raise _not_writable(directory, error) from error


def _not_writable(directory: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"The data folder {directory} cannot be written ({error.strerror})",
        hint="Change its permissions, or choose another folder with --data-dir.",
    )
