"""Keeping the index up to date with the disk: what is read, committed, encoded and said, and what stopping leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from spencer_desktop.core import index as index_module
from spencer_desktop.core import indexer as indexer_module
from spencer_desktop.core.chunk_worker import ChunkResult, ChunkWorker
from spencer_desktop.core.chunking import window_chunks
from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.files import CHANGED, VANISHED, FileContent, FileUnavailable, WalkLimits, read_file
from spencer_desktop.core.index import Index
from spencer_desktop.core.indexer import Indexer, IndexProgress, IndexReport
from spencer_desktop.core.rows import FileRow, Repository
from spencer_desktop.core.types import FilePatch, Floats, SkippedFile
from tests.core.material import add_repository, open_index
from tests.fakes import SMALL_PROJECT, FakeEncoder, write_tree

SECOND = 1_000_000_000
PLAIN: dict[str, str | bytes] = {f"{n:03}.txt": f"words of text number {n}\n" for n in range(450)}


class Clock:
    """Time as the indexer sees it: stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wall_ns = 2_000_000_000 * SECOND

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic

    def time_ns(self) -> int:
        return self.wall_ns


class World:
    """A folder, an index, and what happened between them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        self.index = open_index(folder / "data")
        self.repository = add_repository(self.index, str(self.root))
        self.encoder = FakeEncoder()
        self.reads: list[str] = []
        self.progress: list[IndexProgress] = []

    def write(self, files: dict[str, str | bytes], *, age_s: float = 3600.0) -> None:
        """Files that were last changed `age_s` before the clock of the test."""
        write_tree(self.root, files)
        when = 2_000_000_000 * SECOND - int(age_s * SECOND)
        for name in files:
            os.utime(self.root / name, ns=(when, when))

    def run(
        self,
        cancelled: Callable[[], bool] = lambda: False,
        limits: WalkLimits | None = None,
        repositories: list[Repository] | None = None,
        parse_seconds: float = 20,
    ) -> IndexReport:
        self.reads.clear()
        self.progress.clear()
        self.encoder.encoded.clear()
        indexer = Indexer(
            self.index,
            lambda: self.encoder,
            limits=limits or WalkLimits(),
            parse_seconds=parse_seconds,
            progress=self.progress.append,
            cancelled=cancelled,
        )
        return indexer.run(repositories or [self.repository])

    def texts(self) -> dict[str, list[str]]:
        """path → the texts of its chunks."""
        found: dict[str, list[str]] = {}
        for path in self.index.catalog.files(self.repository.id):
            found[path] = [row.text for row in self.index.catalog.chunks_at(self.root, path)]
        return found

    def skipped(self) -> dict[str, str]:
        return {path: row.reason for path, row in self.index.catalog.skipped(self.repository.id).items()}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(indexer_module, "time", clock)
    return clock


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)

    def noting(root: Path, path: str, limits: WalkLimits) -> FileContent | SkippedFile:
        world.reads.append(path)
        return read_file(root, path, limits)

    monkeypatch.setattr(indexer_module, "read_file", noting)
    yield world
    world.index.close()


def counts(report: IndexReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.removed, report.unchanged


# What is read


def test_a_first_run_reads_and_encodes_everything(world: World) -> None:
    world.write(SMALL_PROJECT)
    report = world.run()
    assert counts(report) == (len(SMALL_PROJECT), 0, 0, 0)
    assert sorted(world.reads) == sorted(SMALL_PROJECT)
    assert report.encoded == len(world.encoder.encoded) == len(set(world.encoder.encoded)) > len(SMALL_PROJECT)
    assert (report.chunks, report.stopped, report.faults) == (world.index.catalog.chunk_count(), False, [])
    assert world.index.pending_count == 0
    assert world.index.catalog.repositories()[0].indexed_at is not None
    assert any("Session.open_connection" in text for text in world.encoder.encoded)


def test_a_second_run_reads_and_encodes_nothing(world: World) -> None:
    world.write(SMALL_PROJECT)
    world.run()
    assert counts(world.run()) == (0, 0, 0, len(SMALL_PROJECT))
    assert world.reads == world.encoder.encoded == []


def test_only_what_changed_is_read_and_only_new_code_encoded(world: World) -> None:
    world.write({"a.txt": "first\n", "b.txt": "second\n", "c.txt": "third\n"})
    world.run()
    world.write({"b.txt": "other\n", "d.txt": "first\n"}, age_s=60)
    (world.root / "c.txt").unlink()
    assert counts(world.run()) == (1, 1, 1, 1)
    assert world.reads == ["b.txt", "d.txt"]
    assert world.encoder.encoded == ["other"]
    assert world.texts() == {"a.txt": ["first"], "b.txt": ["other"], "d.txt": ["first"]}


def test_a_branch_switched_back_encodes_nothing(world: World) -> None:
    for n, text in enumerate(("main\n", "feature\n", "main\n")):
        world.write({"a.txt": text}, age_s=900 - n)
        report = world.run()
        assert report.encoded == (0 if n == 2 else 1)
    assert world.texts() == {"a.txt": ["main"]}


def test_a_touched_file_is_read_once_more_and_then_not_again(world: World) -> None:
    world.write({"a.txt": "text\n"})
    world.run()
    world.write({"a.txt": "text\n"}, age_s=60)
    assert counts(world.run()) == (0, 0, 0, 1)
    assert world.reads == ["a.txt"]
    assert counts(world.run()) == (0, 0, 0, 1)
    assert world.reads == []


@pytest.mark.parametrize(("content", "found"), [(b"text\n", True), (b"\0\1\2\3\n", False)])
def test_a_file_written_a_moment_ago_is_read_again(world: World, clock: Clock, content: bytes, found: bool) -> None:
    """It may have changed within the clock's grain, which neither its size nor its time would tell."""
    world.write({"a.txt": content}, age_s=1)
    world.run()
    assert ("a.txt" in world.texts()) == found
    world.write({"a.txt": b"word\n"}, age_s=1)
    world.run()
    assert world.reads == ["a.txt"]
    assert world.texts() == {"a.txt": ["word"]}
    clock.wall_ns += 60 * SECOND
    world.run()
    assert world.reads == ["a.txt"]
    world.run()
    assert world.reads == []


def test_a_file_that_is_left_out_is_read_once(world: World) -> None:
    world.write({"a.txt": b"\0\1\2", "b.txt": "text\n"})
    assert world.run().skipped == 1
    assert world.skipped() == {"a.txt": "binary"}
    world.run()
    assert world.reads == []
    assert world.skipped() == {"a.txt": "binary"}
    world.write({"a.txt": "text\n"}, age_s=60)
    world.run()
    assert (world.skipped(), list(world.texts())) == ({}, ["a.txt", "b.txt"])
    world.write({"a.txt": b"\0\1\2"}, age_s=30)
    assert counts(world.run()) == (0, 0, 1, 1)
    assert (world.skipped(), list(world.texts())) == ({"a.txt": "binary"}, ["b.txt"])


def test_other_limits_look_at_every_file_again(world: World) -> None:
    generated = "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage p\n\nfunc F() {}\n"
    world.write({"a.go": generated, "b.txt": "text\n"})
    world.run()
    assert list(world.texts()) == ["b.txt"]
    everything = WalkLimits(include_generated=True)
    world.run(limits=everything)
    assert sorted(world.texts()) == ["a.go", "b.txt"]
    assert "text" not in world.encoder.encoded
    world.run(limits=everything)
    assert world.reads == []
    world.run()
    assert list(world.texts()) == ["b.txt"]


class Slow:
    """Parsers that are too slow for every file, and which files they were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parsed: list[str] = []
        monkeypatch.setattr(ChunkWorker, "chunk_many", self.chunk_many)

    def chunk_many(self, files: Iterable[tuple[str, str, str]]) -> Iterator[ChunkResult]:
        for path, language, text in files:
            self.parsed.append(path)
            yield ChunkResult(tuple(window_chunks(language, text)), "too slow")


def kinds(world: World) -> set[str]:
    return {row.kind for row in world.index.catalog.chunks_at(world.root, "a.py")}


def test_a_file_that_was_too_slow_to_parse_gets_one_more_chance(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write({"a.py": "def f():\n    return 1\n"})
    with monkeypatch.context() as busy:
        Slow(busy)
        world.run()
    assert kinds(world) == {"window"}
    assert counts(world.run()) == (0, 1, 0, 0)
    assert kinds(world) == {"function"}
    world.run()
    assert world.reads == []


def test_a_file_that_is_always_too_slow_is_parsed_again_only_for_a_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    parsed = []

    def run(parse_seconds: float) -> None:
        slow.parsed.clear()
        world.run(parse_seconds=parse_seconds)
        parsed.append(len(slow.parsed))

    world.write({"a.py": "x = 1\n"})
    for parse_seconds in (5, 5, 5, 9, 9):
        run(parse_seconds)
    assert parsed == [1, 1, 0, 1, 0]
    world.write({"a.py": "x = 1\n"}, age_s=60)
    run(9)
    assert parsed[-1] == 0
    world.write({"a.py": "x = 2\n"}, age_s=30)
    for _ in range(3):
        run(9)
    assert parsed[-3:] == [1, 1, 0]


def test_another_deadline_parses_no_file_again_that_was_parsed(world: World) -> None:
    world.write({"a.py": "def f():\n    return 1\n"})
    world.run()
    assert counts(world.run(parse_seconds=30)) == (0, 0, 0, 1)


# Files that are not to be indexed any more


@pytest.mark.parametrize("rule", ["kept/\n", "kept/key.txt\n"])
def test_the_text_of_a_file_that_is_ignored_now_is_forgotten(world: World, rule: str) -> None:
    world.write({"kept/key.txt": "hush\n", "b.txt": "other\n", "c.txt": "third\n"})
    world.run()
    (world.root / "c.txt").unlink()
    world.write({".spencerignore": rule}, age_s=60)
    assert world.run().removed == 2
    stored = set(all_contents(world.index))
    assert "hush" not in stored
    assert {"other", "third"} <= stored


def test_the_text_of_a_file_that_became_a_secret_is_forgotten(world: World) -> None:
    world.write({"a.txt": "hush\n", "b.txt": "other\n"})
    world.run()
    world.write({"a.txt": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"}, age_s=60)
    assert world.run().removed == 1
    assert all_contents(world.index) == ["other"]


def all_contents(index: Index) -> list[str]:
    """Every text that the catalogue holds, whether it stands in a file or not."""
    return list(index.catalog.contents(np.arange(1, 1_000, dtype=np.int64)).values())


# Files that cannot be read just now


def unavailable(monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    def failing(root: Path, path: str, limits: WalkLimits) -> FileContent | SkippedFile:
        if path == name:
            raise FileUnavailable(path, reason)
        return read_file(root, path, limits)

    monkeypatch.setattr(indexer_module, "read_file", failing)


@pytest.mark.parametrize("reason", [CHANGED, "unreadable (Permission denied)"])
def test_a_file_that_cannot_be_read_now_keeps_what_was_indexed(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    world.write({"a.txt": "before\n"})
    world.run()
    world.write({"a.txt": "after\n", "new.txt": "x\n"}, age_s=60)
    with monkeypatch.context() as busy:
        unavailable(busy, "a.txt", reason)
        assert counts(world.run()) == (1, 0, 0, 0)
    assert world.texts()["a.txt"] == ["before"]
    assert world.skipped() == {"a.txt": reason}
    world.run()
    assert world.texts()["a.txt"] == ["after"]
    assert world.skipped() == {}


def test_a_file_that_vanishes_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({"a.txt": "before\n"})
    world.run()
    world.write({"a.txt": "after\n"}, age_s=60)
    unavailable(monkeypatch, "a.txt", VANISHED)
    assert counts(world.run()) == (0, 0, 1, 0)
    assert world.texts() == {}


def test_a_folder_that_is_empty_all_at_once_may_be_a_drive_that_is_not_there(world: World) -> None:
    world.write(SMALL_PROJECT)
    world.run()
    before = world.texts()
    away = world.root.with_name("away")
    world.root.rename(away)
    world.root.mkdir()
    report = world.run()
    assert (report.removed, len(report.faults)) == (0, 1)
    assert f"{len(before)} of its files are indexed: they stay so" in report.faults[0]
    assert "spencer remove" in report.faults[0]
    assert world.texts() == before
    world.root.rmdir()
    away.rename(world.root)
    report = world.run()
    assert (report.faults, report.unchanged, report.encoded) == ([], len(before), 0)


def test_a_folder_that_is_gone_is_a_fault_and_its_index_stays(world: World, tmp_path: Path) -> None:
    world.write({"a.txt": "text\n"})
    world.run()
    world.root.rename(tmp_path / "elsewhere")
    other = add_repository(world.index, str(write_tree(tmp_path / "other", {"b.txt": "other\n"})))
    report = world.run(repositories=[world.repository, other])
    assert len(report.faults) == 1
    assert str(world.root) in report.faults[0]
    assert (report.added, report.encoded, report.stopped) == (1, 1, False)
    assert world.texts() == {"a.txt": ["text"]}


# The order of work, and its commits


class Diary(FakeEncoder):
    """Writes down what is committed and encoded, in order."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.entries: list[tuple[str, int]] = []
        apply, add_vectors, update_cache = Index.apply, Index.add_vectors, Index.update_cache

        def applying(index: Index, repository: Repository, patches: list[tuple[FilePatch, FileRow | None]]) -> None:
            self.entries.append(("files", len(patches)))
            apply(index, repository, patches)

        def adding(index: Index, ids: np.ndarray, vectors: Floats) -> None:
            self.entries.append(("vectors", len(ids)))
            add_vectors(index, ids, vectors)

        def caching(index: Index) -> None:
            self.entries.append(("cache", 0))
            update_cache(index)

        monkeypatch.setattr(Index, "apply", applying)
        monkeypatch.setattr(Index, "add_vectors", adding)
        monkeypatch.setattr(Index, "update_cache", caching)
        world.encoder = self

    def encode(self, texts: Sequence[str]) -> Floats:
        self.entries.append(("encode", len(texts)))
        return super().encode(texts)


def test_text_of_all_comes_first_then_vectors_batch_by_batch(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(PLAIN)
    other = add_repository(world.index, str(write_tree(tmp_path / "other", {"b.txt": "other\n"})))
    diary = Diary(world, monkeypatch)
    world.run(repositories=[world.repository, other])
    assert diary.entries == [
        ("files", 200), ("files", 200), ("files", 50), ("files", 1),
        ("encode", 256), ("vectors", 256), ("encode", 195), ("vectors", 195),
        ("cache", 0),
    ]  # fmt: skip


def test_a_slow_run_commits_every_few_seconds(world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({f"{n:03}.txt": f"text {n}\n" for n in range(60)})
    diary = Diary(world, monkeypatch)

    def slow(root: Path, path: str, limits: WalkLimits) -> FileContent | SkippedFile:
        clock.now += 0.25
        return read_file(root, path, limits)

    monkeypatch.setattr(indexer_module, "read_file", slow)
    world.run()
    commits = [size for what, size in diary.entries if what == "files"]
    assert sum(commits) == 60
    assert len(commits) > 4
    assert max(commits[1:-1]) <= 9


def test_nothing_new_loads_no_encoder(world: World) -> None:
    def no_encoder() -> FakeEncoder:
        pytest.fail("an encoder was loaded")

    Indexer(world.index, no_encoder, limits=WalkLimits(), parse_seconds=5).run([world.repository])
    assert world.index.catalog.repositories()[0].indexed_at is not None


# Stopping


@pytest.mark.parametrize("stage", ["read", "encode"])
@pytest.mark.parametrize("at", [1, 3])
def test_a_stopped_run_is_taken_up_where_it_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, stage: str, at: int
) -> None:
    monkeypatch.setattr(indexer_module, "_ENCODE_BATCH", 2)
    world.write(SMALL_PROJECT)

    def cancelled() -> bool:
        return sum(p.stage == stage for p in world.progress) >= at

    first = world.run(cancelled)
    assert first.stopped
    assert first.encoded == (0 if stage == "read" else 2 * at)
    assert len(world.reads) == (at if stage == "read" else len(SMALL_PROJECT))
    assert len(world.texts()) == len(world.reads)
    assert (world.index.catalog.repositories()[0].indexed_at is None) == (stage == "read")
    encoded = list(world.encoder.encoded)
    second = world.run()
    assert not second.stopped
    assert second.unchanged == len(world.texts()) - second.added
    assert not set(encoded) & set(world.encoder.encoded)
    assert len(encoded) + second.encoded == world.index.catalog.counts()["vectors"]
    assert world.index.pending_count == 0


def test_a_run_stopped_before_it_begins_does_nothing(world: World) -> None:
    world.write(SMALL_PROJECT)
    report = world.run(lambda: True)
    assert report.stopped
    assert world.progress == []
    assert world.texts() == {}


def test_a_stopped_pass_forgets_no_file(world: World) -> None:
    world.write({"a.txt": "one\n", "b.txt": "two\n"})
    world.run()
    world.write({"a.txt": "other\n"}, age_s=60)
    report = world.run(lambda: bool(world.progress))
    assert report.removed == 0
    assert sorted(world.texts()) == ["a.txt", "b.txt"]


def test_a_stopped_run_does_not_make_the_cache(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(SMALL_PROJECT)
    diary = Diary(world, monkeypatch)
    world.run(lambda: bool(world.encoder.encoded))
    assert "cache" not in dict(diary.entries)


def test_an_encoder_that_fails_loses_no_text(world: World) -> None:
    class Failing(FakeEncoder):
        def encode(self, texts: Sequence[str]) -> Floats:
            raise EnvironmentFault("no memory")

    world.write({"a.txt": "text\n"})
    world.encoder = Failing()
    with pytest.raises(EnvironmentFault, match="no memory"):
        world.run()
    assert world.texts() == {"a.txt": ["text"]}
    world.encoder = FakeEncoder()
    assert world.run().encoded == 1


# What is said meanwhile


def test_progress_counts_files_then_characters(world: World) -> None:
    world.write(SMALL_PROJECT)
    world.run()
    reading = [p for p in world.progress if p.stage == "read"]
    encoding = [p for p in world.progress if p.stage == "encode"]
    assert world.progress == reading + encoding
    assert [p.done for p in reading] == list(range(1, len(SMALL_PROJECT) + 1))
    assert {p.total for p in reading} == {len(SMALL_PROJECT)}
    assert {p.repository for p in reading} == {"project"}
    assert encoding[-1].done == encoding[-1].total == sum(map(len, world.encoder.encoded))


def test_the_time_left_follows_from_the_pace(world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_module, "_ENCODE_BATCH", 1)
    world.write({f"{n}.txt": f"text {n}\n" for n in range(10)})

    class Slow(FakeEncoder):
        def encode(self, texts: Sequence[str]) -> Floats:
            clock.now += 0.5
            return super().encode(texts)

    world.encoder = Slow()
    world.run()
    etas = [p.eta_seconds for p in world.progress if p.stage == "encode"]
    assert etas[:2] == [None, None]
    assert etas[2:] == pytest.approx([0.5 * (10 - n) for n in range(3, 11)])
    assert {p.eta_seconds for p in world.progress if p.stage == "read"} == {None}


def test_text_and_vectors_are_timed_apart(world: World, clock: Clock) -> None:
    class Slow(FakeEncoder):
        def encode(self, texts: Sequence[str]) -> Floats:
            clock.now += 7.0
            return super().encode(texts)

    world.write({"a.txt": "text\n"})
    world.encoder = Slow()
    report = world.run()
    assert (report.text_seconds, report.encode_seconds) == (0.0, 7.0)


def test_what_stands_in_no_file_is_kept_within_bounds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_KEPT_ORPHANS", 3)
    kept = []
    for n in range(8):
        world.write({"a.txt": f"text number {n}\n"}, age_s=900 - n)
        world.run()
        kept.append(world.index.catalog.orphan_count())
    assert kept == [0, 1, 2, 3, 0, 1, 2, 3]
    assert world.texts() == {"a.txt": ["text number 7"]}
