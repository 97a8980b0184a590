"""The SQLite catalogue: repositories, files, chunks, text index and vectors. It is the truth; all else is a cache.

Written only through `index.Index`. Each thread has a Catalog of its own. apsw brings a SQLite without the WAL
checkpoint bug of 3.7.0 to 3.51.2, whatever the system has.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from spencer_desktop.core.conditions import array, below, in_scope
from spencer_desktop.core.database import is_immutable, open_database, snapshot, transaction, translated
from spencer_desktop.core.rows import EVERYTHING, ROOT, CandidateRow, ChunkRow, FileRow, Repository, Scope, SkippedRow
from spencer_desktop.core.text import code_header, content_digest, terms
from spencer_desktop.core.types import Chunk, FilePatch, Floats, Ids

# Weights of the text index's columns (path, symbol, doc, body) in BM25.
_BM25 = "bm25(posting, 2.0, 4.0, 2.0, 1.0)"

# What is findable but not encoded yet: rows of `chunk`, whose content ids are to be counted or read DISTINCT.
_PENDING = "FROM chunk WHERE content_id NOT IN (SELECT content_id FROM vector)"

_CHUNK_ROW = """
    SELECT c.id, c.content_id, c.file_id, r.name, r.root, f.path, f.language, c.kind, c.symbol, c.signature, c.doc,
           c.start_line, c.end_line, c.unit_start_line, c.unit_end_line, t.header, t.text
    FROM chunk c JOIN file f ON f.id = c.file_id JOIN repository r ON r.id = f.repository_id
    JOIN content t ON t.id = c.content_id
"""


class Catalog:
    """Typed access to the tables of `schema`. Not thread-safe. Raises SpencerError when the file cannot be used."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self._db = open_database(path, writable=writable)

    def close(self) -> None:
        self._db.close()

    @property
    def immutable(self) -> bool:
        """Whether it was opened where nothing can be written: what is written after all is not seen."""
        return is_immutable(self._db)

    def transaction(self) -> AbstractContextManager[None]:
        """One atomic change; every writing method below must run inside one."""
        return transaction(self._db)

    def snapshot(self) -> AbstractContextManager[None]:
        """Several reads of one state, whatever another process commits meanwhile."""
        return snapshot(self._db)

    def _rows(self, sql: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self._db.execute(sql, bindings).fetchall()

    # Meta

    def meta(self, key: str) -> str | None:
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def set_meta(self, key: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )

    def drop_meta(self, key: str) -> None:
        self._db.execute("DELETE FROM meta WHERE key = ?", (key,))

    # Repositories

    def repositories(self) -> list[Repository]:
        rows = self._rows("SELECT id, root, name, indexed_at FROM repository ORDER BY name, id")
        return [Repository(i, Path(os.fsdecode(root)), name, at) for i, root, name, at in rows]

    def add_repository(self, root: Path, name: str) -> None:
        self._db.execute(
            "INSERT INTO repository (root, name, added_at) VALUES (?, ?, ?)", (os.fsencode(root), name, time.time())
        )

    def mark_indexed(self, repository_id: int) -> None:
        self._db.execute("UPDATE repository SET indexed_at = ? WHERE id = ?", (time.time(), repository_id))

    def remove_repository(self, repository_id: int) -> None:
        for (file_id,) in self._rows("SELECT id FROM file WHERE repository_id = ?", (repository_id,)):
            self.remove_file(file_id)
        self._db.execute("DELETE FROM repository WHERE id = ?", (repository_id,))

    # Files

    def files(self, repository_id: int, within: Collection[str] = (ROOT,)) -> dict[str, FileRow]:
        """path → row, of the files below the folders `within`."""
        sql = "SELECT path, id, size, mtime_ns, digest, problem FROM file"
        return {os.fsdecode(path): FileRow(*rest) for path, *rest in self._rows_below(sql, repository_id, within)}

    def _rows_below(self, sql: str, repository_id: int, within: Collection[str]) -> Iterator[tuple[Any, ...]]:
        for place in within:
            where, bindings = below(repository_id, place)
            yield from self._rows(f"{sql} WHERE {where} ORDER BY path", bindings)

    def apply(self, repository_id: int, patch: FilePatch, known: FileRow | None) -> None:
        """Replace what is known of one file."""
        path = os.fsencode(patch.path)
        values = (patch.size, patch.mtime_ns, patch.digest, patch.language, patch.problem)
        if known:
            self._db.execute(
                "UPDATE file SET size = ?, mtime_ns = ?, digest = ?, language = ?, problem = ? WHERE id = ?",
                (*values, known.id),
            )
            file_id = known.id
            self._remove_chunks(file_id)
        else:
            self._db.execute(
                "INSERT INTO file (repository_id, path, size, mtime_ns, digest, language, problem)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (repository_id, path, *values),
            )
            file_id = self._db.last_insert_rowid()
        path_terms = " ".join(terms(os.fsencode(patch.path).decode("utf-8", "replace")))
        for chunk in patch.chunks:
            self._insert_chunk(file_id, path_terms, chunk)

    def touch(self, file_id: int, size: int, mtime_ns: int) -> None:
        self._db.execute("UPDATE file SET size = ?, mtime_ns = ? WHERE id = ?", (size, mtime_ns, file_id))

    def remove_file(self, file_id: int) -> None:
        self._remove_chunks(file_id)
        self._db.execute("DELETE FROM file WHERE id = ?", (file_id,))

    def _remove_chunks(self, file_id: int) -> None:
        self._db.execute("DELETE FROM posting WHERE rowid IN (SELECT id FROM chunk WHERE file_id = ?)", (file_id,))
        self._db.execute("DELETE FROM chunk WHERE file_id = ?", (file_id,))

    def _insert_chunk(self, file_id: int, path_terms: str, chunk: Chunk) -> None:
        header = code_header(chunk.symbol, chunk.text)
        digest = content_digest(header, chunk.text)
        self._db.execute(
            "INSERT INTO content (digest, header, text) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
            (digest, header, chunk.text),
        )
        content_id = self._db.execute("SELECT id FROM content WHERE digest = ?", (digest,)).get
        self._db.execute(
            "INSERT INTO chunk (file_id, content_id, kind, symbol, signature, doc, start_line, end_line,"
            " unit_start_line, unit_end_line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (file_id, content_id, chunk.kind, chunk.symbol, chunk.signature, chunk.doc, chunk.start_line,
             chunk.end_line, chunk.unit_start_line, chunk.unit_end_line),
        )  # fmt: skip
        self._db.execute(
            "INSERT INTO posting (rowid, path, symbol, doc, body) VALUES (?, ?, ?, ?, ?)",
            (self._db.last_insert_rowid(), path_terms, " ".join(terms(chunk.symbol)), " ".join(terms(chunk.doc)),
             " ".join(terms(chunk.text))),
        )  # fmt: skip

    # Skipped files

    def skipped(self, repository_id: int, within: Collection[str] = (ROOT,)) -> dict[str, SkippedRow]:
        """path → row, of what was left out of the folders `within`, or is one of them; by path."""
        sql = "SELECT path, reason, size, mtime_ns FROM skipped"
        return {os.fsdecode(path): SkippedRow(*rest) for path, *rest in self._rows_below(sql, repository_id, within)}

    def replace_skipped(
        self, repository_id: int, skipped: Mapping[str, SkippedRow], within: Collection[str] = (ROOT,)
    ) -> None:
        """`skipped` is all that is left out of the folders `within`."""
        for place in within:
            where, bindings = below(repository_id, place)
            self._db.execute(f"DELETE FROM skipped WHERE {where}", bindings)
        self._db.executemany(
            "INSERT INTO skipped (repository_id, path, reason, size, mtime_ns) VALUES (?, ?, ?, ?, ?)",
            ((repository_id, os.fsencode(path), _text(s.reason), s.size, s.mtime_ns) for path, s in skipped.items()),
        )

    # Vectors

    def pending(self, repositories: Sequence[int] | None = None) -> list[tuple[int, int]]:
        """(content id, characters) of what is findable but not yet encoded; of all repositories, or of these ids.

        What stands in the file that was changed last comes first.
        """
        within, bindings = "", tuple[Any, ...]()
        if repositories is not None:
            within = "AND f.repository_id IN carray(?)"
            bindings = (array(np.array(repositories, np.int64)),)
        # A file that has just been written is remembered without its time, which is below zero then.
        sql = f"""
        SELECT t.id, length(t.header) + length(t.text) FROM content t
        JOIN chunk c ON c.content_id = t.id JOIN file f ON f.id = c.file_id
        WHERE t.id NOT IN (SELECT content_id FROM vector) {within}
        GROUP BY t.id ORDER BY min(f.mtime_ns) < 0 DESC, max(f.mtime_ns) DESC, t.id
        """
        return [(i, n) for i, n in self._rows(sql, bindings)]

    def contents(self, ids: Ids) -> dict[int, str]:
        """content id → the input of the code encoder."""
        rows = self._rows("SELECT id, header || text FROM content WHERE id IN carray(?)", (array(ids),))
        return dict(rows)

    def add_vectors(self, ids: Iterable[int], vectors: Floats) -> None:
        """Keep float32 [n, d] rows as float16; the row order is that of `ids`."""
        rows = zip(ids, vectors.astype(np.float16), strict=True)
        self._db.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?)", ((i, v.tobytes()) for i, v in rows))

    def drop_vectors(self) -> None:
        self._db.execute("DELETE FROM vector")

    def vector_ids(self) -> Ids:
        """Content ids, ascending, that have a vector and stand in some file."""
        sql = "SELECT content_id FROM vector WHERE content_id IN (SELECT content_id FROM chunk) ORDER BY content_id"
        return np.array([i for (i,) in self._rows(sql)], np.int64)

    def vectors(self, ids: Ids, dimension: int) -> Floats:
        """float32 [n, d] in the order of `ids`, each of which must have a vector and which must be ascending."""
        if not len(ids):
            return np.empty((0, dimension), np.float32)
        sql = "SELECT data FROM vector WHERE content_id IN carray(?) ORDER BY content_id"
        data = b"".join(row for (row,) in self._rows(sql, (array(ids),)))
        return np.frombuffer(data, np.float16).reshape(len(ids), dimension).astype(np.float32)

    def content_count(self) -> int:
        return int(self._rows("SELECT count(*) FROM content")[0][0])

    def orphan_count(self) -> int:
        """How many contents stand in no file any more."""
        return int(self._rows("SELECT count(*) FROM content WHERE id NOT IN (SELECT content_id FROM chunk)")[0][0])

    def forget_orphans(self, among: Ids | None = None) -> None:
        """Drop contents, and with them vectors, that stand in no file any more; only those in `among` if given."""
        where, bindings = ("", ()) if among is None else ("AND id IN carray(?)", (array(among),))
        self._db.execute(f"DELETE FROM content WHERE id NOT IN (SELECT content_id FROM chunk) {where}", bindings)

    # Reading for search

    def files_for_filter(self) -> list[tuple[int, str, str, str]]:
        """(file id, root, path, language) of every file, by id."""
        rows = self._rows(
            "SELECT f.id, r.root, f.path, f.language FROM file f JOIN repository r ON r.id = f.repository_id"
            " ORDER BY f.id"
        )
        return [(i, os.fsdecode(root), os.fsdecode(path), language) for i, root, path, language in rows]

    def match(self, expression: str, limit: int, scope: Scope = EVERYTHING) -> dict[int, float]:
        """chunk id → BM25 score, higher is better, best first, for an FTS5 expression."""
        within, bindings = in_scope(scope)
        where = "" if scope.is_everything else f"AND rowid IN (SELECT c.id FROM chunk c WHERE {within})"
        sql = f"SELECT rowid, -{_BM25} AS score FROM posting WHERE posting MATCH ? {where} ORDER BY score DESC LIMIT ?"
        return dict(self._rows(sql, (expression, *bindings, limit)))

    def scored(self, expression: str, chunk_ids: Sequence[int]) -> dict[int, float]:
        """As `match`, of these chunks; those that do not match are left out."""
        if not chunk_ids:
            return {}
        sql = f"SELECT rowid, -{_BM25} FROM posting WHERE posting MATCH ? AND rowid IN carray(?)"
        return dict(self._rows(sql, (expression, array(np.array(chunk_ids, np.int64)))))

    def defining(self, name: str, words: str, limit: int, scope: Scope = EVERYTHING) -> list[int]:
        """Chunks whose symbol is `name`, or ends with it after a dot; `words` is the FTS5 expression of its terms."""
        within, bindings = in_scope(scope)
        sql = f"""
        SELECT c.id FROM posting JOIN chunk c ON c.id = posting.rowid
        WHERE posting MATCH ? AND (c.symbol = ? OR substr(c.symbol, ?) = ?) AND {within} LIMIT ?
        """
        ending = f".{name}"
        wanted = (f"symbol : ({words})", name, -len(ending), ending)
        return [i for (i,) in self._rows(sql, (*wanted, *bindings, limit))]

    def document_frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """How many chunks hold each of these index terms; 0 for terms that none holds."""
        sql = "SELECT term, doc FROM vocabulary WHERE term = ?"
        found = dict(row for word in words for row in self._rows(sql, (word,)))
        for word in words:
            if not word.isascii():
                # SQLite's tokenizer goes on to fold accents and the like; the vocabulary has only what came of it.
                found[word] = self._rows("SELECT count(*) FROM posting WHERE posting MATCH ?", (f'"{word}"',))[0][0]
        return {word: found.get(word, 0) for word in words}

    def chunks_of_contents(self, content_ids: Ids, scope: Scope = EVERYTHING) -> list[int]:
        """Ascending ids of the chunks in which these contents stand."""
        within, bindings = in_scope(scope)
        sql = f"SELECT c.id FROM chunk c WHERE c.content_id IN carray(?) AND {within} ORDER BY c.id"
        return [i for (i,) in self._rows(sql, (array(content_ids), *bindings))]

    def contents_in(self, scope: Scope) -> Ids:
        """Ascending ids of the contents that stand there."""
        within, bindings = in_scope(scope)
        sql = f"SELECT DISTINCT c.content_id FROM chunk c WHERE {within} ORDER BY c.content_id"
        return np.array([i for (i,) in self._rows(sql, bindings)], np.int64)

    def chunk_rows(self, ids: Ids) -> dict[int, ChunkRow]:
        """chunk id → row; ids that no longer exist are left out."""
        rows = self._rows(f"{_CHUNK_ROW} WHERE c.id IN carray(?)", (array(ids),))
        return {row[0]: _chunk_row(row) for row in rows}

    def candidate_rows(self, ids: Ids) -> list[CandidateRow]:
        """The chunks `ids`, in the order of their ids; those that no longer exist are left out."""
        if not len(ids):
            return []
        rows = self._rows(
            "SELECT c.id, c.content_id, c.file_id, r.root, f.path, f.language, c.kind, c.symbol, c.unit_start_line,"
            " c.unit_end_line FROM chunk c JOIN file f ON f.id = c.file_id JOIN repository r ON r.id = f.repository_id"
            " WHERE c.id IN carray(?) ORDER BY c.id",
            (apsw.carray(ids),),
        )
        return [
            CandidateRow(i, content, file, os.fsdecode(root), os.fsdecode(path), *rest)
            for i, content, file, root, path, *rest in rows
        ]

    def chunks_at(self, root: Path, path: str) -> list[ChunkRow]:
        """Every chunk of one file, in order."""
        where = "WHERE r.root = ? AND f.path = ? ORDER BY c.start_line, c.end_line"
        return [_chunk_row(row) for row in self._rows(f"{_CHUNK_ROW} {where}", (os.fsencode(root), os.fsencode(path)))]

    def texts(self, scope: Scope = EVERYTHING) -> Iterator[tuple[int, str]]:
        """(chunk id, text) of every chunk, in no order."""
        within, bindings = in_scope(scope)
        with translated(self.path):
            yield from self._db.execute(
                f"SELECT c.id, t.text FROM chunk c JOIN content t ON t.id = c.content_id WHERE {within}", bindings
            )

    def chunks_by_file(self) -> dict[int, int]:
        return dict(self._rows("SELECT file_id, count(*) FROM chunk GROUP BY file_id"))

    def sample_documentation(self, limit: int) -> list[tuple[str, str]]:
        """(symbol, documentation) of up to `limit` documented chunks, spread over the index, the same each time."""
        sql = "SELECT symbol, doc FROM chunk WHERE symbol != '' AND doc != '' ORDER BY (id * 2654435761) % 4294967296"
        return [(symbol, doc) for symbol, doc in self._rows(f"{sql} LIMIT ?", (limit,))]

    def chunk_count(self) -> int:
        return int(self._rows("SELECT count(*) FROM chunk")[0][0])

    def pending_count(self) -> int:
        """How many contents stand in some file and are not encoded yet."""
        return int(self._rows(f"SELECT count(DISTINCT content_id) {_PENDING}")[0][0])

    def counts(self) -> dict[str, int]:
        """Rows by kind, for `status`: files, chunks, contents, vectors, pending."""
        names = ("files", "chunks", "contents", "vectors", "pending")
        row = self._rows(
            "SELECT (SELECT count(*) FROM file), (SELECT count(*) FROM chunk), (SELECT count(*) FROM content),"
            f" (SELECT count(*) FROM vector), (SELECT count(DISTINCT content_id) {_PENDING})"
        )[0]
        return dict(zip(names, row, strict=True))

    def repository_counts(self, repository_id: int) -> dict[str, int]:
        """Files, chunks, pending contents and skipped paths of one repository."""
        of_it = "file_id IN (SELECT id FROM file WHERE repository_id = ?1)"
        row = self._rows(
            "SELECT (SELECT count(*) FROM file WHERE repository_id = ?1),"
            f" (SELECT count(*) FROM chunk WHERE {of_it}),"
            f" (SELECT count(DISTINCT content_id) {_PENDING} AND {of_it}),"
            " (SELECT count(*) FROM skipped WHERE repository_id = ?1)",
            (repository_id,),
        )[0]
        return dict(zip(("files", "chunks", "pending", "skipped"), row, strict=True))

    def check(self) -> list[str]:
        """SQLite's own integrity check; empty when all is well."""
        found = [str(message) for (message,) in self._rows("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def optimize(self) -> None:
        """Merge the text index into one segment; worth it after many files changed."""
        self._db.execute("INSERT INTO posting (posting) VALUES ('optimize')")

    def compact(self) -> None:
        """Give freed pages back to the disk."""
        with translated(self.path):
            self._db.execute("VACUUM")


def _text(words: str) -> str:
    """Words that may quote a path, as SQLite can keep them: bytes that are no text become "?"."""
    return words.encode("utf-8", "replace").decode("utf-8")


def _chunk_row(row: tuple[Any, ...]) -> ChunkRow:
    values = list(row)
    values[4], values[5] = os.fsdecode(row[4]), os.fsdecode(row[5])
    return ChunkRow(*values)
