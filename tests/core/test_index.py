"""One owner of catalogue and vectors: whatever its history it equals a fresh one, and readers follow the writer."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spencer_desktop.core import index as index_module
from spencer_desktop.core import vectors as vectors_module
from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_desktop.core.index import CATALOG, Index
from spencer_desktop.core.rows import ChunkRow, Scope
from spencer_desktop.core.types import FilePatch, Floats, Ids
from spencer_desktop.core.vectors import GraphCache
from tests.core.material import add_repository, chunk, encode_pending, open_index, patch, put, remove, unit_rows
from tests.fakes import DIMENSION, FakeEncoder

PATHS = ["a.py", "b.py", "lib/c.go", "d\udcff.py"] if os.name == "posix" else ["a.py", "b.py", "lib/c.go", "d.py"]
TEXTS = ["red green", "green blue", "blue red\nred", "red", "def paint(): red"]
WORDS = ["red", "green", "blue", "paint", "owner", "lib"]
QUERY = FakeEncoder().encode(["red paint"])[0]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with open_index(tmp_path / "data") as index:
        yield index


@pytest.fixture
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph is made from ten vectors on, and written again for every one."""
    monkeypatch.setattr(index_module, "GraphCache", functools.partial(GraphCache, build_from=10, most_late=0))


def fill(index: Index, files: int = 12) -> None:
    """Some files of one chunk each, all encoded."""
    put(index, add_repository(index), *(patch(f"{n}.py", f"text number{n}") for n in range(files)))
    encode_pending(index, FakeEncoder())


def texts_near(index: Index, query: Floats = QUERY, k: int = 3) -> list[str]:
    ids, _ = index.nearest(query, k)
    texts = index.catalog.contents(ids)
    return [texts[i] for i in ids.tolist()]


# Any history equals a fresh index

chunks = st.builds(
    chunk,
    st.sampled_from(TEXTS),
    st.integers(1, 30),
    symbol=st.sampled_from(["", "paint", "Owner.paint"]),
    kind=st.sampled_from(["function", "window"]),
    doc=st.sampled_from(["", "Blue."]),
)
patches = st.builds(lambda path, made: patch(path, *made), st.sampled_from(PATHS), st.lists(chunks, max_size=4))
removals = st.sets(st.sampled_from(PATHS), min_size=1)
# A batch of patches, a set of paths to remove, or (None) an encoding of what is pending
histories = st.lists(st.one_of(st.lists(patches, max_size=3, unique_by=lambda p: p.path), removals, st.none()))


def replay(index: Index, history: list[list[FilePatch] | set[str] | None]) -> dict[str, FilePatch]:
    """Do it all; the files as they are in the end."""
    repository, state = add_repository(index), dict[str, FilePatch]()
    for step in history:
        if step is None:
            encode_pending(index, FakeEncoder())
        elif isinstance(step, set):
            remove(index, repository, *(step & state.keys()))
            state = {path: p for path, p in state.items() if path not in step}
        else:
            put(index, repository, *step)
            state |= {p.path: p for p in step}
    return state


def place(row: ChunkRow) -> tuple[object, ...]:
    """A chunk without the numbers that differ between two indexes."""
    lines = (row.start_line, row.end_line, row.unit_start_line, row.unit_end_line)
    return (row.path, *lines, row.language, row.kind, row.symbol, row.signature, row.doc, row.text)


def rows_of(index: Index, ids: list[int]) -> list[ChunkRow]:
    found = index.catalog.chunk_rows(np.array(ids, np.int64))
    return [found[i] for i in ids]


def view(index: Index) -> dict[str, object]:
    """All that a search could see, without ids."""
    catalog = index.catalog
    everything = rows_of(index, [i for i, _ in catalog.texts()])
    ids = catalog.vector_ids()
    texts, vectors = catalog.contents(ids), catalog.vectors(ids, DIMENSION)
    matches = {word: catalog.match(f'"{word}"', 100) for word in WORDS}
    return {
        "files": {path: (row.size, row.mtime_ns, row.digest) for path, row in catalog.files(1).items()},
        "chunks": sorted(map(place, everything)),
        "matches": {word: sorted(map(place, rows_of(index, list(found)))) for word, found in matches.items()},
        "frequencies": catalog.document_frequencies(WORDS),
        "vectors": {texts[i]: row.tolist() for i, row in zip(ids.tolist(), vectors, strict=True)},
        "pending": index.pending_count,
    }


def figures(index: Index) -> dict[str, float]:
    """The scores by which a search would order what `view` shows."""
    ids, cosines = index.nearest(QUERY, 99)
    texts = index.catalog.contents(ids)
    found = {f"cosine of {texts[i]}": float(c) for i, c in zip(ids.tolist(), cosines, strict=True)}
    for word in WORDS:
        scores = index.catalog.match(f'"{word}"', 100).values()
        found |= {f"{word}, place {n}": score for n, score in enumerate(scores)}
    return found


@settings(max_examples=40)
@given(histories)
def test_any_history_equals_a_fresh_index(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[FilePatch] | set[str] | None]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    with open_index(folder / "old") as old, open_index(folder / "fresh") as fresh:
        state = replay(old, history)
        replay(fresh, [list(state.values())])
        for index in (old, fresh):
            encode_pending(index, FakeEncoder())
        assert view(old) == view(fresh)
        assert figures(old) == pytest.approx(figures(fresh), abs=1e-5)
        assert old.catalog.check() == []


# A reader follows the writer


def test_a_reader_follows_the_writer(index: Index) -> None:
    repository = add_repository(index)
    with open_index(index.directory, writable=False) as reader:
        assert (reader.chunk_count, reader.pending_count, texts_near(reader)) == (0, 0, [])
        put(index, repository, patch("a.py", "red"))
        assert (reader.chunk_count, reader.pending_count, texts_near(reader)) == (1, 1, [])
        encode_pending(index, FakeEncoder())
        assert (reader.pending_count, texts_near(reader)) == (0, ["red"])
        put(index, repository, patch("b.py", "blue"))
        encode_pending(index, FakeEncoder())
        assert texts_near(reader) == ["red", "blue"]
        remove(index, repository, "a.py")
        assert texts_near(reader) == ["blue"]
        index.remove_repository(repository)
        assert (reader.chunk_count, texts_near(reader)) == (0, [])


@pytest.mark.usefixtures("small_graphs")
def test_a_reader_takes_the_graph_that_comes_after_the_vectors(tmp_path: Path) -> None:
    with open_index(tmp_path) as writer, open_index(tmp_path, writable=False) as reader:
        fill(writer)
        assert not reader.uses_graph
        exact = texts_near(reader)
        writer.update_cache()
        assert reader.uses_graph
        assert texts_near(reader) == exact


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_that_lags_behind_is_made_up_for(tmp_path: Path) -> None:
    with open_index(tmp_path) as writer, open_index(tmp_path, writable=False) as reader:
        fill(writer)
        writer.update_cache()
        assert reader.uses_graph
        put(writer, writer.catalog.repositories()[0], patch("new.py", "red paint"))
        encode_pending(writer, FakeEncoder())
        # What is late is found beside what the graph holds, and what is gone is passed over.
        assert reader.uses_graph
        assert texts_near(reader)[0] == "red paint"
        nearest = texts_near(reader)[1]
        remove(writer, writer.catalog.repositories()[0], f"{nearest.removeprefix('text number')}.py")
        for _ in range(2):
            assert reader.uses_graph
            assert texts_near(reader, k=50) == texts_near(writer, k=50)
            assert nearest not in texts_near(reader, k=50)
            np.testing.assert_array_equal(reader.nearest(QUERY, 50)[0], reader.nearest_exact(QUERY, 50)[0])
            writer.update_cache()


def test_a_graph_is_written_again_only_when_much_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "GraphCache", functools.partial(GraphCache, build_from=10, most_late=3))
    graph = tmp_path / "vectors.hnsw"
    with open_index(tmp_path) as writer, open_index(tmp_path, writable=False) as reader:
        fill(writer)
        repository = writer.catalog.repositories()[0]
        writes = []
        for n in range(6):
            put(writer, repository, patch(f"new{n}.py", f"red paint{n}"))
            encode_pending(writer, FakeEncoder())
            writer.update_cache()
            writes.append(graph.stat().st_ino)
            assert reader.uses_graph
            np.testing.assert_array_equal(reader.nearest(QUERY, 9)[0], reader.nearest_exact(QUERY, 9)[0])
            assert texts_near(reader, FakeEncoder().encode([f"red paint{n}"])[0], 1) == [f"red paint{n}"]
        assert writes[0] == writes[3] != writes[4] == writes[5]


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_that_cannot_answer_gives_way_to_exact_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of one another link to nothing else, the more so the fewer links there are."""
    monkeypatch.setattr(vectors_module, "_M", 2)
    monkeypatch.setattr(vectors_module, "_EF_CONSTRUCTION", 2)
    rows = unit_rows(np.repeat(np.random.default_rng(0).standard_normal((10, DIMENSION)), 20, axis=0))
    with open_index(tmp_path) as writer:
        put(writer, add_repository(writer), patch("a.py", *(f"text {n}" for n in range(200))))
        writer.adopt_space()
        writer.add_vectors(np.array([i for i, _ in writer.catalog.pending()], np.int64), rows)
        writer.update_cache()
        assert writer.uses_graph
        assert sorted(writer.nearest(rows[0], 200)[0].tolist()) == writer.catalog.vector_ids().tolist()


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_of_a_catalogue_that_was_moved_away_is_not_used(tmp_path: Path) -> None:
    """Ids begin again in the new catalogue: the old graph fits it in all but what it holds."""
    with open_index(tmp_path) as old:
        fill(old)
        old.update_cache()
    for path in tmp_path.glob(CATALOG + "*"):
        path.unlink()
    with open_index(tmp_path) as new:
        put(new, add_repository(new), *(patch(f"{n}.py", f"other words{n}") for n in range(12)))
        encode_pending(new, FakeEncoder())
        query = FakeEncoder().encode(["words7"])[0]
        assert not new.uses_graph
        new.update_cache()
        assert new.uses_graph
        assert texts_near(new, query, 1) == ["other words7"]


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_of_a_catalogue_that_was_rolled_back_is_not_used(tmp_path: Path) -> None:
    """As after a restored backup: the ids that were given since are given again, to other contents."""
    with open_index(tmp_path) as index:
        fill(index)
        index.update_cache()
    backup = (tmp_path / CATALOG).read_bytes()

    def add(text: str) -> None:
        put(index, index.catalog.repositories()[0], *(patch(f"new{n}.py", f"{text}{n}") for n in range(4)))
        encode_pending(index, FakeEncoder())

    with open_index(tmp_path) as index:
        add("lost")
        index.update_cache()
    for path in tmp_path.glob(CATALOG + "*"):
        path.unlink()
    (tmp_path / CATALOG).write_bytes(backup)
    with open_index(tmp_path) as index:
        assert not index.uses_graph
        add("words")
        assert not index.uses_graph
        index.update_cache()
        assert index.uses_graph
        for n in range(4):
            assert texts_near(index, FakeEncoder().encode([f"words{n}"])[0], 1) == [f"words{n}"]


def fetched_for_the_graph(index: Index, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many vectors the next graph is made of that the last one had not."""
    sizes = []
    read = index.catalog.vectors

    def noting(ids: Ids, dimension: int) -> Floats:
        sizes.append(len(ids))
        return read(ids, dimension)

    with monkeypatch.context() as watched:
        watched.setattr(index.catalog, "vectors", noting)
        index.update_cache()
    return sum(sizes)


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_grows_unless_the_catalogue_does_not_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_index(tmp_path) as index:
        fill(index)
        fetched = []
        for known in (True, True, False, False):
            fetched.append(fetched_for_the_graph(index, monkeypatch))
            if not known:
                # As after a crash between the graph's last write and the note of it.
                with index.catalog.transaction():
                    index.catalog.drop_meta("graph_generation")
            put(index, index.catalog.repositories()[0], patch("new.py", f"text{len(fetched)}"))
            encode_pending(index, FakeEncoder())
        assert fetched == [12, 1, 1, 13]


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_that_was_saved_but_not_noted_is_noted_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_index(tmp_path) as index:
        fill(index)
        index.update_cache()
        with index.catalog.transaction():
            index.catalog.drop_meta("graph_generation")
        assert fetched_for_the_graph(index, monkeypatch) == 0
        put(index, index.catalog.repositories()[0], patch("new.py", "new"))
        encode_pending(index, FakeEncoder())
        assert fetched_for_the_graph(index, monkeypatch) == 1


@pytest.mark.usefixtures("small_graphs")
def test_the_graph_serves_whole_searches_and_filters_are_exact(tmp_path: Path) -> None:
    with open_index(tmp_path) as writer:
        fill(writer, 40)
        writer.update_cache()
        assert writer.uses_graph
        for k in (1, 5, 40, 100):
            np.testing.assert_array_equal(writer.nearest(QUERY, k)[0], writer.nearest_exact(QUERY, k)[0])


class Meddling:
    """Between two reads of a search another process removes everything."""

    def __init__(self, reader: Index, writer: Index, monkeypatch: pytest.MonkeyPatch) -> None:
        self._read: Callable[[], Ids] = reader.catalog.vector_ids
        self._writer = writer
        monkeypatch.setattr(reader.catalog, "vector_ids", self.vector_ids)

    def vector_ids(self) -> Ids:
        ids = self._read()
        for repository in self._writer.catalog.repositories():
            with self._writer.catalog.transaction():
                self._writer.catalog.remove_repository(repository.id)
                self._writer.catalog.forget_orphans()
        return ids


def test_a_search_sees_one_state_while_another_process_writes(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(index)
    with open_index(index.directory, writable=False) as reader:
        Meddling(reader, index, monkeypatch)
        assert len(reader.nearest(QUERY, 12)[0]) == 12
        assert index.catalog.counts()["vectors"] == 0


# Nearest with a filter


@settings(max_examples=40)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12), st.sets(st.integers(0, 11)), st.integers(1, 8))
def test_nearest_with_a_filter_equals_brute_force(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], chosen: set[int], k: int
) -> None:
    with open_index(tmp_path_factory.mktemp("filter")) as index:
        repository = add_repository(index)
        put(index, repository, *(patch(f"{n}.py", text) for n, text in enumerate(texts)))
        encode_pending(index, FakeEncoder())
        rows = index.catalog.files(repository.id)
        files = np.array(sorted(row.id for path, row in rows.items() if int(path[:-3]) in chosen), np.int64)
        ids, scores = index.nearest(QUERY, k, Scope(files))
        stored = index.catalog.contents(ids)
        allowed = {text for n, text in enumerate(texts) if n in chosen}
        cosine = {text: float(FakeEncoder().encode([text])[0] @ QUERY) for text in allowed}
        assert {stored[i] for i in ids.tolist()} <= allowed
        assert len(ids) == min(k, len(allowed))
        np.testing.assert_allclose(scores, sorted(cosine.values(), reverse=True)[:k], atol=2e-3)


def contents(rows: list[ChunkRow]) -> Ids:
    return np.array([row.content_id for row in rows], np.int64)


def test_cosines_of_chunks(index: Index) -> None:
    repository = add_repository(index)
    put(index, repository, patch("a.py", "red", "blue"))
    encode_pending(index, FakeEncoder())
    put(index, repository, patch("b.py", "red", "not encoded yet"))
    rows = [row for path in ("b.py", "a.py") for row in index.catalog.chunks_at(repository.root, path)]
    cosines = index.cosines(QUERY, contents(rows))
    expected = [float(FakeEncoder().encode([row.text])[0] @ QUERY) for row in rows]
    assert [bool(np.isnan(c)) for c in cosines] == [row.text == "not encoded yet" for row in rows]
    np.testing.assert_allclose(cosines, np.where(np.isnan(cosines), np.nan, expected), atol=2e-3)
    assert index.cosines(QUERY, contents([])).shape == (0,)


# Another pack's vectors


def test_vectors_of_another_space_are_never_compared(index: Index) -> None:
    fill(index)
    assert index.speaks_this_space
    with open_index(index.directory, writable=False, space="other") as reader:
        assert not reader.speaks_this_space
        assert texts_near(reader) == []
        rows = reader.catalog.chunks_at(Path("/r"), "1.py")
        assert np.isnan(reader.cosines(QUERY, contents(rows))).all()


def test_another_space_is_adopted_by_encoding_again(index: Index) -> None:
    fill(index)
    index.adopt_space()
    assert index.pending_count == 0
    index.close()
    with open_index(index.directory, space="other") as other:
        other.adopt_space()
        assert other.speaks_this_space
        assert other.pending_count == 12
        assert encode_pending(other, FakeEncoder()) == 12
        assert len(texts_near(other)) == 3


# Repositories and passes


def test_a_pass_that_ends_is_noted(index: Index) -> None:
    repository = add_repository(index)
    put(index, repository, patch("a.py", "red"), patch("b.py", "blue"))
    files = index.catalog.files(repository.id)
    assert index.limits_of(repository) is None
    index.finish(repository, [files["b.py"]], [(files["a.py"].id, 9, 10)], {}, "limits")
    assert index.limits_of(repository) == "limits"
    assert index.catalog.files(repository.id)["a.py"].mtime_ns == 10
    assert list(index.catalog.files(repository.id)) == ["a.py"]
    assert index.catalog.repositories()[0].indexed_at is not None


def test_a_removed_repository_leaves_nothing(index: Index) -> None:
    repository = add_repository(index)
    put(index, repository, patch("a.py", "red"))
    encode_pending(index, FakeEncoder())
    index.finish(repository, [], [], {}, "limits")
    index.remove_repository(repository)
    assert set(index.catalog.counts().values()) == {0}
    assert index.limits_of(repository) is None
    assert b"red" not in (index.directory / CATALOG).read_bytes()


@pytest.mark.usefixtures("small_graphs")
def test_a_repository_is_removed_although_a_reader_has_the_graph_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held_open(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with open_index(tmp_path) as index:
        fill(index)
        index.update_cache()
        with monkeypatch.context() as windows:
            windows.setattr(Path, "unlink", held_open)
            index.remove_repository(index.catalog.repositories()[0])
        assert b"number7" not in (tmp_path / CATALOG).read_bytes()
        fill(index)
        assert not index.uses_graph
        assert fetched_for_the_graph(index, monkeypatch) == 12


def test_what_is_hidden_leaves_no_text_but_what_others_have(index: Index) -> None:
    repository = add_repository(index)
    put(index, repository, patch("secret.py", "key", "shared"), patch("gone.py", "branch"), patch("c.py", "shared"))
    encode_pending(index, FakeEncoder())
    files = index.catalog.files(repository.id)
    gone = [files["secret.py"], files["gone.py"]]
    index.finish(repository, gone, [], {}, "limits", hidden=[files["secret.py"]])
    assert (index.catalog.content_count(), index.catalog.orphan_count()) == (2, 1)
    assert index.catalog.counts()["vectors"] == 2
    put(index, repository, patch("gone.py", "branch"))
    assert index.pending_count == 0


# The data folder


def test_one_writer_at_a_time(index: Index) -> None:
    with pytest.raises(EnvironmentFault, match="is writing to the index") as caught:
        open_index(index.directory)
    assert "--data-dir" in caught.value.hint
    index.close()
    with open_index(index.directory) as second:
        add_repository(second)


def test_a_writer_that_fails_to_open_frees_the_folder(tmp_path: Path) -> None:
    (tmp_path / CATALOG).write_bytes(b"no database " * 100)
    for _ in range(2):
        with pytest.raises(EnvironmentFault, match="damaged"):
            open_index(tmp_path)


def test_a_reader_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Nothing is indexed") as caught:
        open_index(tmp_path / "nowhere", writable=False)
    assert "spencer index" in caught.value.hint
    assert not (tmp_path / "nowhere").exists()


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        open_index(tmp_path / "file")
