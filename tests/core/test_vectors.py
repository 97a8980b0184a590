"""Nearest vectors: exact search against a naive one, the graph against exact search, files that cannot be trusted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spencer_desktop.core import vectors
from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.types import Floats, Ids
from spencer_desktop.core.vectors import Graph, GraphCache, exact_search
from tests.core.material import unit_rows

D = 32
FILES = ["vectors.hnsw", "vectors.json"]


class Store:
    """Vectors by id, clustered as those of code are. Remembers which were fetched."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(7)
        centres = rng.standard_normal((max(1, count // 25), D))
        self.rows = unit_rows(centres[rng.integers(0, len(centres), count)] + 0.6 * rng.standard_normal((count, D)))
        self.fetched: list[int] = []

    def __call__(self, ids: Ids) -> Floats:
        self.fetched += ids.tolist()
        return self.rows[ids - 1]

    def exact(self, ids: Ids, query: Floats, k: int) -> list[int]:
        return [int(i) for i in exact_search(self.rows[ids - 1], ids, query, k)[0]]


def numbers(first: int, last: int) -> Ids:
    return np.arange(first, last + 1, dtype=np.int64)


@pytest.fixture
def cache(tmp_path: Path) -> GraphCache:
    return GraphCache(tmp_path, "space", D, build_from=10, most_late=0)


def loaded(cache: GraphCache, generation: str | None = None) -> Graph:
    graph = cache.load(generation)
    assert graph is not None
    return graph


# Exact search


@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), max_size=40),
    st.lists(st.integers(-2, 2), min_size=3, max_size=3),
    st.integers(1, 50),
    st.randoms(use_true_random=False),
)
def test_exact_search_is_a_sort_by_score_then_id(rows: list[list[int]], query: list[int], k: int, order: Any) -> None:
    ids = list(range(100, 100 + len(rows)))
    order.shuffle(ids)
    matrix = np.array(rows, np.float32).reshape(len(rows), 3)
    found, scores = exact_search(matrix, np.array(ids, np.int64), np.array(query, np.float32), k)
    naive = sorted((-sum(a * b for a, b in zip(row, query, strict=True)), i) for i, row in zip(ids, rows, strict=True))
    assert list(zip((-scores).tolist(), found.tolist(), strict=True)) == naive[:k]
    assert scores.dtype == np.float32


# The graph


def test_the_graph_finds_what_exact_search_finds(cache: GraphCache) -> None:
    store, ids = Store(3_000), numbers(1, 3_000)
    cache.update(ids, "1", store)
    graph = loaded(cache)
    rng = np.random.default_rng(5)
    queries = unit_rows(store.rows[rng.integers(0, 3_000, 100)] + 0.3 * rng.standard_normal((100, D)))
    common = 0
    for query in queries:
        found, cosines = graph.search(query, 10)
        common += len(set(found.tolist()) & set(store.exact(ids, query, 10)))
        np.testing.assert_allclose(cosines, store.rows[found - 1] @ query, atol=1e-5)
        assert (np.diff(cosines) <= 0).all()
    assert common / 1_000 >= 0.98


def test_a_graph_never_gives_more_than_it_holds(cache: GraphCache) -> None:
    store = Store(20)
    cache.update(numbers(1, 20), "1", store)
    cache.update(numbers(1, 18), "2", store, base="1")
    found, _ = loaded(cache).search(store.rows[0], 50)
    assert sorted(found.tolist()) == list(range(1, 19))


def test_a_small_index_has_no_graph(cache: GraphCache, tmp_path: Path) -> None:
    store = Store(20)
    cache.update(numbers(1, 20), "1", store)
    assert not cache.update(numbers(1, 9), "2", store)
    assert cache.load() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("base", [None, "0"])
def test_a_graph_of_a_state_that_was_lost_is_built_anew(cache: GraphCache, base: str | None) -> None:
    lost, store = Store(100), Store(100)
    lost.rows = lost.rows[::-1].copy()
    assert cache.update(numbers(1, 90), "1", lost)
    assert cache.update(numbers(1, 100), "2", store, base=base)
    assert store.fetched == list(range(1, 101))
    assert loaded(cache, "2").search(store.rows[2], 1)[0].tolist() == [3]


def test_a_graph_of_this_generation_is_left_alone(cache: GraphCache, tmp_path: Path) -> None:
    store = Store(20)
    cache.update(numbers(1, 20), "1", store)
    store.fetched.clear()
    inode = (tmp_path / "vectors.hnsw").stat().st_ino
    assert cache.update(numbers(1, 20), "1", store)
    assert store.fetched == []
    assert (tmp_path / "vectors.hnsw").stat().st_ino == inode


def test_a_graph_that_lags_behind_by_little_is_left_alone(tmp_path: Path) -> None:
    cache, store = GraphCache(tmp_path, "space", D, build_from=10, most_late=2), Store(40)
    assert cache.update(numbers(1, 20), "1", store) == "1"
    # One that came, one that is gone.
    assert cache.update(numbers(2, 21), "2", store, base="1") == "1"
    assert loaded(cache, "1").labels == frozenset(range(1, 21))
    assert cache.update(numbers(2, 22), "3", store, base="1") == "3"
    assert store.fetched == list(range(1, 23))
    # What another state left behind is never nearly right.
    assert cache.update(numbers(2, 22), "4", store) == "4"


def test_files_that_are_proven_are_not_read_again_until_they_are_others(
    cache: GraphCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(20)
    cache.update(numbers(1, 20), "one", store)
    read: list[Path] = []
    hashed = vectors._sha256
    monkeypatch.setattr(vectors, "_sha256", lambda path: (read.append(path), hashed(path))[1])
    assert cache.update(numbers(1, 20), "two", store, base="one") == "one"
    assert not read
    # Another writer does not know them yet, and does then.
    other = GraphCache(tmp_path, "space", D, build_from=10, most_late=0)
    for _ in range(2):
        assert other.update(numbers(1, 20), "two", store, base="one") == "one"
    assert len(read) == 1
    store.fetched.clear()
    (tmp_path / "vectors.hnsw").write_bytes(b"not a graph")
    assert cache.update(numbers(1, 20), "two", store, base="one") == "two"
    assert len(store.fetched) == 20
    assert loaded(cache, "two").labels == frozenset(range(1, 21))


def test_a_loaded_graph_follows_what_comes_back_and_goes(cache: GraphCache) -> None:
    store = Store(40)
    cache.update(numbers(1, 40), "1", store)
    graph = loaded(cache)
    for wanted in ({1, 2, 3}, set(range(1, 41)), {5, 50}, set(range(20, 41))):
        graph.align(frozenset(wanted))
        ids = np.array(sorted(wanted - {50}), np.int64)
        assert graph.search(store.rows[4], 40)[0].tolist() == store.exact(ids, store.rows[4], 40)


def test_a_graph_grows_by_what_is_new(cache: GraphCache) -> None:
    store = Store(300)
    cache.update(numbers(1, 200), "1", store)
    store.fetched.clear()
    cache.update(numbers(1, 300), "2", store, base="1")
    assert store.fetched == list(range(201, 301))
    graph = loaded(cache, "2")
    assert graph.labels == frozenset(range(1, 301))
    for i in (1, 150, 250, 300):
        assert graph.search(store.rows[i - 1], 1)[0].tolist() == [i]


def test_what_is_gone_is_marked_dead_and_can_be_revived(cache: GraphCache) -> None:
    store = Store(100)
    every, without = numbers(1, 100), np.delete(numbers(1, 100), [4, 49])
    cache.update(every, "1", store)
    store.fetched.clear()
    cache.update(without, "2", store, base="1")
    graph = loaded(cache)
    assert graph.dead == {5, 50}
    assert not {5, 50} & set(graph.search(store.rows[4], 100)[0].tolist())
    cache.update(every, "3", store, base="2")
    graph = loaded(cache)
    assert graph.dead == frozenset()
    assert graph.search(store.rows[4], 1)[0].tolist() == [5]
    assert store.fetched == []


def test_a_graph_with_too_many_dead_is_built_anew(cache: GraphCache) -> None:
    store = Store(120)
    cache.update(numbers(1, 120), "1", store)
    cache.update(numbers(21, 120), "2", store, base="1")
    assert len(loaded(cache).dead) == 20
    store.fetched.clear()
    cache.update(numbers(22, 120), "3", store, base="2")
    graph = loaded(cache)
    assert (graph.labels, graph.dead) == (frozenset(range(22, 121)), frozenset())
    assert sorted(store.fetched) == list(range(22, 121))


@settings(max_examples=15)
@given(st.lists(st.sets(st.integers(1, 40), min_size=10), min_size=1, max_size=5))
def test_any_history_of_a_graph_ends_in_the_same_answers(
    tmp_path_factory: pytest.TempPathFactory, history: list[set[int]]
) -> None:
    store = Store(40)
    cache = GraphCache(tmp_path_factory.mktemp("cache"), "space", D, build_from=10, most_late=0)
    held: str | None = None
    for generation, state in enumerate(history):
        held = cache.update(np.array(sorted(state), np.int64), str(generation), store, base=held)
    ids = np.array(sorted(history[-1]), np.int64)
    graph = loaded(cache, held)
    assert graph.labels - graph.dead == history[-1]
    for query in store.rows[:5]:
        assert graph.search(query, 40)[0].tolist() == store.exact(ids, query, 40)


# Files that cannot be trusted


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "vectors.json"
        manifest = json.loads(path.read_text("utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), "utf-8")

    return apply


def flip_a_byte(folder: Path) -> None:
    path = folder / "vectors.hnsw"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_short(folder: Path) -> None:
    os.truncate(folder / "vectors.hnsw", 100)


def write_manifest(text: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / "vectors.json").write_text(text, "utf-8")

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        cut_short,
        edit(lambda m: m.update(format=99)),
        edit(lambda m: m.update(space_id="another")),
        edit(lambda m: m.update(size=m["size"] + 1)),
        edit(lambda m: m.update(sha256="0" * 64)),
        edit(lambda m: m.pop("generation")),
        edit(lambda m: m.pop("dead")),
        edit(lambda m: m.update(dead=3)),
        write_manifest(""),
        write_manifest("[]"),
        write_manifest("null"),
        lambda folder: (folder / "vectors.hnsw").unlink(),
        lambda folder: (folder / "vectors.json").unlink(),
    ],
    ids=(
        "flipped byte|cut|format|space|size|hash|no generation|no dead|wrong dead|empty|list|null|no graph|no manifest"
    ).split("|"),
)
def test_a_graph_that_is_in_doubt_is_not_loaded_and_made_anew(
    cache: GraphCache, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    store, ids = Store(50), numbers(1, 50)
    cache.update(ids, "1", store)
    damage(tmp_path)
    assert cache.load() is None
    store.fetched.clear()
    cache.update(ids, "1", store)
    assert store.fetched == ids.tolist()
    assert loaded(cache, "1").search(store.rows[2], 1)[0].tolist() == [3]


def test_only_the_wanted_generation_is_loaded(cache: GraphCache) -> None:
    cache.update(numbers(1, 50), "7", Store(50))
    assert cache.load("8") is None
    assert loaded(cache, "7").generation == "7"


def test_a_graph_that_is_replaced_while_it_is_loaded_is_not_used(
    cache: GraphCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(60)
    cache.update(numbers(1, 50), "1", store)

    class Slow(hnswlib.Index):  # type: ignore[misc]
        def load_index(self, path: str, **options: object) -> None:
            monkeypatch.undo()
            cache.update(numbers(1, 60), "2", store)
            super().load_index(path, **options)

    monkeypatch.setattr(hnswlib, "Index", Slow)
    assert cache.load("1") is None
    assert cache.load("2") is not None


def test_the_stamp_tells_of_other_files(cache: GraphCache, tmp_path: Path) -> None:
    assert cache.stamp() == 0
    cache.update(numbers(1, 50), "1", Store(50))
    os.utime(tmp_path / "vectors.json", ns=(1, 1))
    stamp = cache.stamp()
    assert stamp == cache.stamp() != 0
    cache.update(numbers(1, 50), "2", Store(50))
    assert cache.stamp() != stamp
    cache.discard()
    assert cache.stamp() == 0


# Writing that fails


class ShortWrite(hnswlib.Index):  # type: ignore[misc]
    """hnswlib on a full disk: the file ends early, and nobody is told."""

    def save_index(self, path: str) -> None:
        super().save_index(path)
        os.truncate(path, os.stat(path).st_size - 1)  # noqa: PTH116 - hnswlib's path is a str


class NoWrite(hnswlib.Index):  # type: ignore[misc]
    """hnswlib where it cannot open the file: nothing is written, and nobody is told."""

    def save_index(self, path: str) -> None:
        pass


@pytest.mark.parametrize("failing", [ShortWrite, NoWrite])
def test_a_graph_that_cannot_be_saved_leaves_nothing_that_loads(
    cache: GraphCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: type
) -> None:
    store = Store(60)
    cache.update(numbers(1, 50), "1", store)
    with monkeypatch.context() as full_disk:
        full_disk.setattr(hnswlib, "Index", failing)
        with pytest.raises(EnvironmentFault, match="cannot be written") as caught:
            cache.update(numbers(1, 60), "2", store)
    assert "exact" in caught.value.hint
    assert cache.load() is None
    assert list(tmp_path.iterdir()) == []
    cache.update(numbers(1, 60), "2", store)
    assert loaded(cache).labels == frozenset(range(1, 61))


def test_a_manifest_that_cannot_be_written_leaves_nothing_that_loads(
    cache: GraphCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    cache.update(numbers(1, 50), "1", Store(50))
    with monkeypatch.context() as full_disk:
        full_disk.setattr(Path, "write_text", full)
        with pytest.raises(EnvironmentFault, match="No space left on device"):
            cache.update(numbers(1, 50), "2", Store(50))
    assert cache.load() is None
    assert list(tmp_path.iterdir()) == []


def held_open(*_: object, **__: object) -> None:
    """What Windows says of a file that a reader has open."""
    raise PermissionError(13, "Permission denied")


def test_files_that_a_reader_has_open_are_left_for_later(
    cache: GraphCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.update(numbers(1, 50), "1", Store(50))
    with monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", held_open)
        cache.discard()
        with pytest.raises(EnvironmentFault, match="Permission denied") as caught:
            cache.update(numbers(1, 50), "2", Store(50))
    assert "close" in caught.value.hint
    assert loaded(cache).generation == "1"
    cache.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_a_run_that_died_while_it_wrote_does_no_harm(cache: GraphCache, tmp_path: Path, name: str) -> None:
    store = Store(50)
    (tmp_path / f"{name}.new").write_bytes(b"half of a file")
    assert cache.load() is None
    cache.update(numbers(1, 50), "1", store)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert loaded(cache).search(store.rows[2], 1)[0].tolist() == [3]
