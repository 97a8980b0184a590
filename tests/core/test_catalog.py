"""The catalogue: what goes in comes out, whatever the names; and files that are not, or no longer, a catalogue."""

from __future__ import annotations

import dataclasses
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spencer_desktop.core import schema
from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.database import DamagedIndex, translated
from spencer_desktop.core.errors import EnvironmentFault, SpencerError, UserError
from spencer_desktop.core.rows import FileRow, Repository, Scope, SkippedRow
from spencer_desktop.core.text import terms
from spencer_desktop.core.types import Chunk, FilePatch, Ids
from tests.core.material import chunk, patch

ODD_PATHS = ["a\udcff.py", "new\nline.py", "größe.py", "日本/ä.py", " ", "-x", "a'b\"c"]
DIMENSION = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite3"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    catalog = Catalog(path, writable=True)
    yield catalog
    catalog.close()


@pytest.fixture
def repository(catalog: Catalog) -> Repository:
    return register(catalog, "/r")


def register(catalog: Catalog, root: str) -> Repository:
    with catalog.transaction():
        catalog.add_repository(Path(root), "name of " + Path(root).name)
    return next(r for r in catalog.repositories() if str(r.root) == root)


def put(catalog: Catalog, repository: Repository, *patches: FilePatch) -> None:
    known = catalog.files(repository.id)
    with catalog.transaction():
        for p in patches:
            catalog.apply(repository.id, p, known.get(p.path))


def found(catalog: Catalog, words: str, files: Ids | None = None, limit: int = 10) -> list[str]:
    """Paths of the chunks that hold some of the words, best first."""
    expression = " OR ".join(f'"{term}"' for term in terms(words))
    ids = list(catalog.match(expression, limit, Scope(files)))
    rows = catalog.chunk_rows(np.array(ids, np.int64))
    return [rows[i].path for i in ids]


def ids_of(catalog: Catalog, repository: Repository, *paths: str) -> Ids:
    files = catalog.files(repository.id)
    return np.array(sorted(files[p].id for p in paths), np.int64)


# Round trips


@pytest.mark.skipif(os.name != "posix", reason="names of this kind exist on POSIX only")
def test_any_name_survives(catalog: Catalog) -> None:
    repository = register(catalog, "/r\udcfe/ä\n")
    put(catalog, repository, *(patch(p, f"word{n}") for n, p in enumerate(ODD_PATHS)))
    with catalog.transaction():
        catalog.replace_skipped(repository.id, {p: SkippedRow("why", 3, 4) for p in ODD_PATHS})
    assert sorted(catalog.files(repository.id)) == sorted(ODD_PATHS)
    assert sorted(catalog.skipped(repository.id)) == sorted(ODD_PATHS)
    assert [(r, p) for _, r, p, _ in catalog.files_for_filter()] == [("/r\udcfe/ä\n", p) for p in ODD_PATHS]
    for n, odd in enumerate(ODD_PATHS):
        (row,) = catalog.chunks_at(repository.root, odd)
        assert (row.root, row.path, row.text) == ("/r\udcfe/ä\n", odd, f"word{n}")


def test_a_chunk_comes_back_whole(catalog: Catalog, repository: Repository) -> None:
    fields = {"kind": "method", "symbol": "Session.get", "signature": "def get(self)", "doc": "Fetch."}
    put(catalog, repository, patch("a.go", chunk("b\nc", 7, unit=(3, 9), **fields), language="go"))
    (row,) = catalog.chunks_at(repository.root, "a.go")
    assert (row.repository, row.language, row.kind, row.symbol) == (repository.name, "go", "method", "Session.get")
    assert (row.signature, row.doc, row.text) == ("def get(self)", "Fetch.", "b\nc")
    assert (row.start_line, row.end_line, row.unit_start_line, row.unit_end_line) == (7, 8, 3, 9)
    assert catalog.contents(np.array([row.content_id])) == {row.content_id: "Session.get\nb\nc"}
    assert catalog.chunk_rows(np.array([row.id, 999])) == {row.id: row}


def test_a_file_is_remembered_until_it_is_touched(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "text"))
    row = catalog.files(repository.id)["a.py"]
    assert (row.size, row.mtime_ns, row.digest) == (4, 1, b"digest of a.py")
    with catalog.transaction():
        catalog.touch(row.id, 4, 77)
    assert catalog.files(repository.id) == {"a.py": FileRow(row.id, 4, 77, row.digest, "")}


def test_skipped_paths_are_replaced_as_a_whole(catalog: Catalog, repository: Repository) -> None:
    for state in ({"a": SkippedRow("binary", 1, 2)}, {"b": SkippedRow("empty", -1, -1)}):
        with catalog.transaction():
            catalog.replace_skipped(repository.id, state)
        assert catalog.skipped(repository.id) == state


def test_vectors_are_kept_as_float16_in_the_order_of_their_ids(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "one", "two", "three"))
    ids = np.array([i for i, _ in catalog.pending()], np.int64)
    vectors = np.random.default_rng(1).standard_normal((3, DIMENSION)).astype(np.float32)
    with catalog.transaction():
        catalog.add_vectors(ids[::-1].tolist(), vectors[::-1])
    stored = catalog.vectors(ids, DIMENSION)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, vectors.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(catalog.vectors(ids[1:], DIMENSION), stored[1:])
    assert catalog.vectors(ids[:0], DIMENSION).shape == (0, DIMENSION)


def test_meta(catalog: Catalog) -> None:
    assert catalog.meta("key") is None
    for value in ("one", "two"):
        with catalog.transaction():
            catalog.set_meta("key", value)
        assert catalog.meta("key") == value
    with catalog.transaction():
        catalog.drop_meta("key")
    assert catalog.meta("key") is None


# The text index


def test_the_name_of_a_thing_counts_more_than_its_body(catalog: Catalog, repository: Repository) -> None:
    put(
        catalog, repository,
        patch("body.py", chunk("return parse(text)")),
        patch("symbol.py", chunk("return other(text)", symbol="parse", kind="function")),
        *(patch(f"other{n}.py", f"word{n} text") for n in range(20)),
    )  # fmt: skip
    assert found(catalog, "parse") == ["symbol.py", "body.py"]


def test_rare_words_and_short_texts_count_more(catalog: Catalog, repository: Repository) -> None:
    put(
        catalog, repository,
        patch("common.py", "socket"),
        patch("long.py", "socket handshake of some more words"),
        patch("short.py", "socket handshake"),
        *(patch(f"other{n}.py", "socket") for n in range(20)),
        *(patch(f"more{n}.py", f"word{n}") for n in range(60)),
    )  # fmt: skip
    assert found(catalog, "socket handshake", limit=2) == ["short.py", "long.py"]


def test_path_symbol_and_documentation_are_searched(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("lib/httpClient.py", chunk("x", symbol="Session.openAll", doc="Opens sockets.")))
    for word in ("http", "httpClient", "libs", "session", "OPENALL", "opening", "socket"):
        assert found(catalog, word) == ["lib/httpClient.py"], word
    assert found(catalog, "absent") == []


@given(st.text(st.characters(codec="utf-8")))
def test_every_question_is_a_valid_expression(text: str) -> None:
    with_quotes = " OR ".join(f'"{term}"' for term in terms(text)) or '"x"'
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE VIRTUAL TABLE posting USING fts5(body, tokenize=\"unicode61 tokenchars '_'\")")
    assert connection.execute("SELECT * FROM posting WHERE posting MATCH ?", (with_quotes,)).fetchall() == []
    connection.close()


def test_document_frequencies_count_chunks(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "one one two", "one"), patch("b.py", "one"))
    assert catalog.document_frequencies(["one", "two", "none"]) == {"one": 3, "two": 1, "none": 0}
    put(catalog, repository, patch("a.py", "two"))
    assert catalog.document_frequencies(["one", "two"]) == {"one": 1, "two": 1}


@pytest.mark.parametrize("word", ["café", "ΟΔΟΣ", "İstanbul", "йод", "Straße", "日本語", "10µm", "ñ"])
def test_words_of_every_script_are_counted_and_found(catalog: Catalog, repository: Repository, word: str) -> None:
    put(catalog, repository, patch("a.py", f"one {word} two"), patch("b.py", "other"))
    assert found(catalog, word) == ["a.py"]
    assert set(catalog.document_frequencies(terms(word)).values()) == {1}


def test_the_text_index_forgets(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "before"), patch("b.py", "before"))
    put(catalog, repository, patch("a.py", "after"))
    assert found(catalog, "before") == ["b.py"]
    assert found(catalog, "after") == ["a.py"]
    with catalog.transaction():
        catalog.optimize()
    assert found(catalog, "before") == ["b.py"]
    assert catalog.check() == []


# Filters


def test_a_filter_holds_for_every_way_of_reading(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "same"), patch("b.py", "same", "other"), patch("c.py", "other"))
    content = {row.text: row.content_id for p in ("b.py",) for row in catalog.chunks_at(repository.root, p)}
    only = ids_of(catalog, repository, "b.py", "c.py")
    assert found(catalog, "same", only) == ["b.py"]
    assert sorted(text for _, text in catalog.texts(Scope(only))) == ["other", "other", "same"]
    assert catalog.contents_in(Scope(only)).tolist() == sorted(content.values())
    places = catalog.chunks_of_contents(np.array([content["same"]]), Scope(only))
    assert [catalog.chunk_rows(np.array([i]))[i].path for i in places] == ["b.py"]
    assert len(catalog.chunks_of_contents(np.array([content["same"]]))) == 2


def test_a_filter_that_leaves_no_file(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "same"))
    none = np.empty(0, np.int64)
    assert catalog.match('"same"', 10, Scope(none)) == {}
    assert list(catalog.texts(Scope(none))) == []
    assert catalog.contents_in(Scope(none)).tolist() == []
    assert catalog.chunks_of_contents(np.array([1]), Scope(none)) == []
    assert catalog.defining("same", '"same"', 10, Scope(none)) == []
    assert catalog.scored('"same"', []) == {}
    assert catalog.chunks_of_contents(none) == []
    assert catalog.chunk_rows(none) == {}
    assert catalog.contents(none) == {}


# Contents and vectors outlive their files


def encode_all(catalog: Catalog) -> int:
    ids = [i for i, _ in catalog.pending()]
    with catalog.transaction():
        catalog.add_vectors(ids, np.ones((len(ids), DIMENSION), np.float32))
    return len(ids)


def test_the_same_code_is_encoded_once(catalog: Catalog) -> None:
    for root in ("/clone", "/worktree"):
        put(catalog, register(catalog, root), patch("a.py", "shared", "only " + root), patch("copy.py", "shared"))
    assert catalog.pending_count() == len(catalog.pending()) == encode_all(catalog) == 3
    assert catalog.counts() == {"files": 4, "chunks": 6, "contents": 3, "vectors": 3, "pending": 0}


def test_switching_back_encodes_nothing(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "main branch"))
    encode_all(catalog)
    (kept,) = catalog.vector_ids().tolist()
    put(catalog, repository, patch("a.py", "feature branch"))
    assert catalog.vector_ids().tolist() == []
    assert encode_all(catalog) == 1
    put(catalog, repository, patch("a.py", "main branch"))
    assert catalog.pending() == []
    assert catalog.vector_ids().tolist() == [kept]


def test_orphans_can_be_forgotten(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "gone"), patch("b.py", "stays"))
    encode_all(catalog)
    with catalog.transaction():
        catalog.remove_file(catalog.files(repository.id)["a.py"].id)
        catalog.forget_orphans()
    assert catalog.counts() == {"files": 1, "chunks": 1, "contents": 1, "vectors": 1, "pending": 0}
    put(catalog, repository, patch("a.py", "gone"))
    assert encode_all(catalog) == 1


def test_some_orphans_can_be_forgotten(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "gone", "shared"), patch("b.py", "shared"), patch("c.py", "replaced"))
    put(catalog, repository, patch("c.py", "now"))
    (row,) = (row for row in catalog.chunks_at(repository.root, "a.py") if row.text == "gone")
    contents = catalog.contents_in(Scope(ids_of(catalog, repository, "a.py")))
    with catalog.transaction():
        catalog.remove_file(row.file_id)
        catalog.forget_orphans(np.empty(0, np.int64))
        assert catalog.orphan_count() == 2
        catalog.forget_orphans(contents)
    assert catalog.contents(contents).keys() == set(contents.tolist()) - {row.content_id}
    assert catalog.orphan_count() == 1


def test_what_is_pending_is_what_stands_in_some_file(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", chunk("text", symbol="Owner.name")))
    put(catalog, repository, patch("b.py", "replaced"))
    put(catalog, repository, patch("b.py", "now"))
    sizes = [size for _, size in catalog.pending()]
    assert sizes == [len("Owner.name\ntext"), len("now")]
    assert catalog.counts()["contents"] == 3


def test_what_was_changed_last_is_encoded_first(catalog: Catalog, repository: Repository) -> None:
    changed = {"old.py": 10, "new.py": 30, "middle.py": 20, "in this moment.py": -1}
    for path, mtime_ns in changed.items():
        put(catalog, repository, dataclasses.replace(patch(path, path, "in all"), mtime_ns=mtime_ns))
    texts = catalog.contents(np.array([i for i, _ in catalog.pending()], np.int64))
    order = [texts[i] for i, _ in catalog.pending()]
    assert order == ["in all", "in this moment.py", "new.py", "middle.py", "old.py"]


def test_removing_a_repository_leaves_the_others(catalog: Catalog, repository: Repository) -> None:
    other = register(catalog, "/other")
    for r in (repository, other):
        put(catalog, r, patch("a.py", "shared", "own " + r.name))
        with catalog.transaction():
            catalog.replace_skipped(r.id, {"s": SkippedRow("binary", 1, 1)})
    with catalog.transaction():
        catalog.remove_repository(repository.id)
    assert catalog.repositories() == [other]
    assert catalog.repository_counts(other.id) == {"files": 1, "chunks": 2, "pending": 2, "skipped": 1}
    assert catalog.repository_counts(repository.id) == {"files": 0, "chunks": 0, "pending": 0, "skipped": 0}
    assert found(catalog, "shared") == ["a.py"]
    assert [text for _, text in catalog.texts()] == ["shared", "own " + other.name]
    assert catalog.check() == []


def test_a_repository_is_marked_when_its_pass_has_ended(catalog: Catalog, repository: Repository) -> None:
    assert repository.indexed_at is None
    with catalog.transaction():
        catalog.mark_indexed(repository.id)
    assert catalog.repositories()[0].indexed_at is not None


def test_the_sample_of_documentation_is_the_same_each_time(catalog: Catalog, repository: Repository) -> None:
    documented = [chunk(f"c{n}", n + 1, symbol=f"s{n}", doc=f"Does {n}.") for n in range(50)]
    put(catalog, repository, patch("a.py", *documented, chunk("c", 90, symbol="bare"), chunk("d", 91, doc="nameless")))
    sample = catalog.sample_documentation(10)
    assert sample == catalog.sample_documentation(10)
    assert len(set(sample)) == 10
    assert set(sample) < {(c.symbol, c.doc) for c in documented}
    assert sample != [(c.symbol, c.doc) for c in documented[:10]]
    assert set(catalog.sample_documentation(100)) == {(c.symbol, c.doc) for c in documented}


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "kept"))
    before = catalog.counts()
    bad: list[Chunk | str] = ["lost", chunk("lost too", symbol="x"), chunk("not text", symbol=None)]  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        put(catalog, repository, patch("a.py", "changed"), patch("b.py", *bad))
    assert catalog.counts() == before
    assert found(catalog, "kept") == ["a.py"]
    assert found(catalog, "changed lost") == []
    with catalog.transaction():
        catalog.set_meta("still", "usable")


def test_a_snapshot_does_not_move(catalog: Catalog, repository: Repository, path: Path) -> None:
    reader = Catalog(path, writable=False)
    with reader.snapshot():
        assert reader.chunk_count() == 0
        put(catalog, repository, patch("a.py", "new"))
        with reader.snapshot():
            assert reader.chunk_count() == 0
        assert reader.chunk_count() == 0
    assert reader.chunk_count() == 1
    reader.close()


def test_a_snapshot_that_sqlite_ended_hides_no_error(catalog: Catalog) -> None:
    def failing() -> None:
        with catalog.snapshot():
            catalog._rows("ROLLBACK")
            raise KeyError("the cause")

    with pytest.raises(KeyError, match="the cause"):
        failing()
    assert catalog.chunk_count() == 0


def test_a_commit_is_on_the_disk_when_it_returns(catalog: Catalog) -> None:
    assert catalog._rows("PRAGMA synchronous") == [(2,)]


# Files that are no catalogue of this version


def test_an_older_schema_is_emptied_by_a_writer_and_keeps_its_folders(
    catalog: Catalog, repository: Repository, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(catalog, repository, patch("a.py", "text", chunk("more", 3, symbol="f")))
    encode_all(catalog)
    with catalog.transaction():
        catalog.set_meta("generation", "of what is lost")
        catalog.replace_skipped(repository.id, {"s": SkippedRow("binary", 1, 1)})
        catalog.mark_indexed(repository.id)
    catalog.close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(UserError, match="older version") as caught:
        Catalog(path, writable=False)
    assert "spencer index" in caught.value.hint
    emptied = Catalog(path, writable=True)
    (kept,) = emptied.repositories()
    assert (kept.root, kept.name, kept.indexed_at) == (repository.root, repository.name, None)
    assert set(emptied.counts().values()) == {0}
    assert emptied.meta("generation") is None
    put(emptied, kept, patch("a.py", "text"))
    assert found(emptied, '"text"') == ["a.py"]
    assert emptied.check() == []
    emptied.close()
    again = Catalog(path, writable=False)
    assert again.chunk_count() == 1
    again.close()


@pytest.mark.parametrize("writable", [True, False])
def test_a_newer_schema_is_left_alone(
    catalog: Catalog, repository: Repository, path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    put(catalog, repository, patch("a.py", "text"))
    monkeypatch.setattr(schema, "VERSION", 0)
    with pytest.raises(UserError, match="newer version") as caught:
        Catalog(path, writable=writable)
    assert caught.value.hint
    assert found(catalog, "text") == ["a.py"]


@pytest.mark.parametrize("writable", [True, False])
def test_a_database_of_another_program_is_left_alone(path: Path, writable: bool) -> None:
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    with pytest.raises(UserError, match="not a SPENCER index"):
        Catalog(path, writable=writable)
    assert other.execute("SELECT x FROM theirs").get == 1
    other.close()


@pytest.mark.parametrize("writable", [True, False])
def test_a_file_that_is_no_database(path: Path, writable: bool) -> None:
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(DamagedIndex, match="damaged") as caught:
        Catalog(path, writable=writable)
    assert "doctor --repair" in caught.value.hint


def test_a_page_of_garbage_is_a_fault_not_a_crash(catalog: Catalog, repository: Repository, path: Path) -> None:
    put(catalog, repository, *(patch(f"f{n}.py", f"word{n} " * 400) for n in range(40)))
    catalog.close()
    data = bytearray(path.read_bytes())
    data[8192:] = os.urandom(len(data) - 8192)
    path.write_bytes(data)
    damaged = Catalog(path, writable=False)
    with pytest.raises(DamagedIndex, match="damaged"):
        list(damaged.texts())
    with pytest.raises(DamagedIndex, match="damaged"):
        damaged.match('"word1"', 10)
    damaged.close()


def test_no_changed_byte_is_read_as_if_it_were_none(catalog: Catalog, repository: Repository, path: Path) -> None:
    put(catalog, repository, *(patch(f"f{n}.py", f"word{n} " * 90) for n in range(60)))
    encode_all(catalog)
    catalog.close()
    whole, chance = path.read_bytes(), random.Random(1)
    assert whole[20] == 8, "bytes are kept for a checksum in each page"
    for _ in range(150):
        data = bytearray(whole)
        data[chance.randrange(100 if chance.random() < 0.2 else len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        with pytest.raises(SpencerError):
            read_all(path)
    for size in [0, 1, 100, 4096, len(whole) // 2, len(whole) - 2000, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(SpencerError):
            read_all(path)
    path.write_bytes(whole)
    read_all(path)


def read_all(path: Path) -> None:
    catalog = Catalog(path, writable=False)
    try:
        if problems := catalog.check():
            raise DamagedIndex("; ".join(problems), hint="")
        assert len(list(catalog.texts())) == len(catalog.vectors(catalog.vector_ids(), DIMENSION)) == 60
    finally:
        catalog.close()


def test_a_disk_that_fails_is_not_taken_for_a_damaged_index(path: Path) -> None:
    failing = apsw.IOError("disk I/O error")
    failing.extendedresult = apsw.SQLITE_IOERR_READ
    with pytest.raises(EnvironmentFault, match="cannot be read") as caught, translated(path):
        raise failing
    assert not isinstance(caught.value, DamagedIndex)


@pytest.mark.skipif(sys.platform == "win32", reason="the plain VFS has another name there")
def test_a_catalogue_without_checksums_gets_them(path: Path) -> None:
    plain = apsw.Connection(str(path), vfs="unix")
    plain.execute("PRAGMA journal_mode = WAL")
    plain.execute(schema.TABLES)
    plain.execute("INSERT INTO repository (root, name, added_at) VALUES (?, 'r', 1)", (b"/r",))
    plain.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = 1")
    plain.close()
    with pytest.raises(UserError, match="older version"):
        Catalog(path, writable=False)
    catalog = Catalog(path, writable=True)
    (repository,) = catalog.repositories()
    put(catalog, repository, patch("a.py", "text"))
    catalog.close()
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    reader = Catalog(path, writable=False)
    with pytest.raises(DamagedIndex, match="checksum"):
        reader.check()
    reader.close()


def test_a_reader_needs_an_index(path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be opened"):
        Catalog(path, writable=False)
    assert not path.exists()


def test_a_reader_cannot_write(catalog: Catalog, repository: Repository, path: Path) -> None:
    reader = Catalog(path, writable=False)
    with pytest.raises(EnvironmentFault, match="cannot be opened or written"):
        put(reader, repository, patch("a.py", "text"))
    reader.close()
    assert catalog.chunk_count() == 0


def test_a_full_disk_is_said_in_words_and_undone(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, patch("a.py", "kept"))
    pages = catalog._rows("PRAGMA page_count")[0][0]
    catalog._rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(EnvironmentFault, match="The disk is full"):
        put(catalog, repository, *(patch(f"{n}.py", f"word{n} " * 1000) for n in range(50)))
    assert list(catalog.files(repository.id)) == ["a.py"]
    assert found(catalog, "kept") == ["a.py"]


def test_compacting_gives_pages_back(catalog: Catalog, repository: Repository) -> None:
    put(catalog, repository, *(patch(f"{n}.py", f"word{n} " * 500) for n in range(50)))
    before = catalog._rows("PRAGMA page_count")[0][0]
    with catalog.transaction():
        catalog.remove_repository(repository.id)
        catalog.forget_orphans()
    catalog.compact()
    assert catalog._rows("PRAGMA page_count")[0][0] < before / 2
