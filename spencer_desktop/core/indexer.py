"""Bring the index up to date with the disk: walk → read what changed → chunk → text index, then encode what is new.

Text comes first, so that a large repository can be searched within seconds; vectors follow, batch by batch. What still
needs a vector is read from the catalogue, so a run that was stopped or killed goes on where it ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType

import numpy as np

from spencer_desktop.core.chunk_worker import ChunkResult, ChunkWorker
from spencer_desktop.core.database import DamagedIndex
from spencer_desktop.core.errors import SpencerError, UserError
from spencer_desktop.core.files import (
    UNREADABLE,
    VANISHED,
    FileContent,
    FileUnavailable,
    WalkLimits,
    folders_above,
    read_file,
    walk,
)
from spencer_desktop.core.index import Index
from spencer_desktop.core.rows import ROOT, FileRow, Repository, SkippedRow
from spencer_desktop.core.text import MAX_CODE_CHARS
from spencer_desktop.core.types import Encoder, FileEntry, FilePatch, SkippedFile

# One commit for so many files or seconds, whichever comes first: few fsyncs, and little to do again after a crash.
_COMMIT_FILES, _COMMIT_SECONDS = 200, 2.0
_ENCODE_BATCH = 256
_OPTIMIZE_FROM = 1_000
# A file written in the moment it is read may change again within the clock's grain; it is read once more next time.
_SETTLED_NS = 2_000_000_000
# Remembered as the time of the last change, which no file has.
_READ_AGAIN = -1


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """`done` of `total` files (stage "read") or characters (stage "encode"); the ETA is None until it can be told."""

    stage: str
    repository: str
    done: int
    total: int
    eta_seconds: float | None


@dataclass(slots=True)
class IndexReport:
    """What a run did. `faults` are repositories that could not be read, in words; their index is left as it was.

    `notice` says what else there is to know.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: int = 0
    chunks: int = 0
    encoded: int = 0
    text_seconds: float = 0.0
    encode_seconds: float = 0.0
    stopped: bool = False
    faults: list[str] = field(default_factory=list)
    notice: str = ""


@dataclass(slots=True)
class _Pass:
    """One repository while it is being read."""

    repository: Repository
    entries: list[FileEntry]
    known: dict[str, FileRow]
    skipped_before: dict[str, SkippedRow]
    skipped: dict[str, SkippedRow]
    same_limits: bool
    within: frozenset[str]
    present: set[str] = field(default_factory=set)
    touched: list[tuple[FileRow, FileContent]] = field(default_factory=list)


Progress = Callable[[IndexProgress], None]


class Indexer:
    """One run over some repositories. Checks `cancelled()` between files and between batches; what is done is kept."""

    def __init__(
        self,
        index: Index,
        encoder: Callable[[], Encoder],
        *,
        limits: WalkLimits,
        parse_seconds: float,
        progress: Progress = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._index = index
        self._encoder = encoder
        self._limits = limits
        self._parse_seconds = parse_seconds
        self._limits_text = f"{limits!r}, parse_seconds={parse_seconds:g}"
        self._progress = progress
        self._asked_to_stop = cancelled
        self._stopping = False
        self._report = IndexReport()

    def run(
        self, repositories: list[Repository], within: Mapping[int, Collection[str]] = MappingProxyType({})
    ) -> IndexReport:
        """Text of all of them first, then the vectors that are missing in them, then the vector cache.

        `within`: repository id → the folders (see `files.walk`) outside of which nothing is known to have changed.
        """
        report = self._report
        began = time.perf_counter()
        self._index.adopt_space()
        self._index.note_folders()
        with ChunkWorker(deadline_s=self._parse_seconds) as worker:
            for repository in repositories:
                if self._cancelled():
                    break
                try:
                    self._read(self._walk(repository, within.get(repository.id, (ROOT,))), worker)
                except DamagedIndex:
                    raise
                except SpencerError as error:
                    report.faults.append(f"{repository.root}: {error} {error.hint}".rstrip())
        if report.added + report.changed + report.removed >= _OPTIMIZE_FROM:
            self._index.optimize()
        read = time.perf_counter()
        self._encode([r.id for r in repositories])
        if not self._cancelled():
            self._index.bound_orphans()
            self._index.update_cache()
        report.text_seconds, report.encode_seconds = read - began, time.perf_counter() - read
        report.stopped = self._cancelled()
        return report

    def _cancelled(self) -> bool:
        """Once asked to stop, a run stops, though it be taken back: what it did not see is not gone."""
        self._stopping = self._stopping or self._asked_to_stop()
        return self._stopping

    def _read(self, state: _Pass, worker: ChunkWorker) -> None:
        repository = state.repository
        sent: deque[FileContent] = deque()
        patches: list[tuple[FilePatch, FileRow | None]] = []
        committed = time.monotonic()
        for result in worker.chunk_many(self._sources(state, sent)):
            content = sent.popleft()
            known = state.known.get(content.path)
            patches.append((_patch(content, result, known), known))
            if len(patches) >= _COMMIT_FILES or time.monotonic() - committed > _COMMIT_SECONDS:
                self._commit(repository, patches)
                patches, committed = [], time.monotonic()
        self._commit(repository, patches)
        if not self._cancelled():
            self._finish(state)

    def _walk(self, repository: Repository, within: Collection[str]) -> _Pass:
        same_limits = self._index.limits_of(repository) == self._limits_text
        # Where nothing was looked at yet, or by other rules, all of it is looked at.
        within = within if same_limits else (ROOT,)
        found = list(takewhile(lambda _: not self._cancelled(), walk(repository.root, self._limits, within)))
        skipped = {f.path: SkippedRow(f.reason, -1, -1) for f in found if isinstance(f, SkippedFile)}
        # A folder on the way that is left out takes with it all that is below.
        places = _outermost({*within, *(path for path in skipped if path.endswith("/"))})
        known = self._index.catalog.files(repository.id, places)
        if known and not found and ROOT in places and not self._cancelled():
            # What is left of a drive that is not there is an empty folder.
            raise UserError(
                f"The folder is empty, and {len(known):,} of its files are indexed: they stay so.",
                hint=f"Mount what belongs there, or forget it: spencer remove {repository.name}",
            )
        return _Pass(
            repository,
            entries=[f for f in found if isinstance(f, FileEntry)],
            known=known,
            skipped_before=self._index.catalog.skipped(repository.id, places),
            skipped=skipped,
            same_limits=same_limits,
            within=places,
        )

    def _sources(self, state: _Pass, sent: deque[FileContent]) -> Iterator[tuple[str, str, str]]:
        """(path, language, text) for the chunk worker, which reads ahead; `sent` keeps what it has not answered yet."""
        for content in self._contents(state):
            sent.append(content)
            yield content.path, content.language, content.text

    def _contents(self, state: _Pass) -> Iterator[FileContent]:
        """The files whose bytes are not those the index knows."""
        began = time.monotonic()
        for n, entry in enumerate(state.entries):
            if self._cancelled():
                return
            done, total = n + 1, len(state.entries)
            self._progress(IndexProgress("read", state.repository.name, done, total, _eta(began, done, total)))
            known, skipped = state.known.get(entry.path), state.skipped_before.get(entry.path)
            if state.same_limits and skipped is not None and _unchanged(skipped, entry):
                state.skipped[entry.path] = skipped
            elif state.same_limits and known is not None and _unchanged(known, entry):
                state.present.add(entry.path)
                self._report.unchanged += 1
            else:
                yield from self._content(state, entry, known)

    def _content(self, state: _Pass, entry: FileEntry, known: FileRow | None) -> Iterator[FileContent]:
        try:
            content = read_file(state.repository.root, entry.path, self._limits)
        except FileUnavailable as error:
            state.skipped[entry.path] = SkippedRow(error.reason, -1, -1)
            if error.reason != VANISHED:
                # What was indexed of it is the best that is known until it can be read again.
                state.present.add(entry.path)
            return
        if isinstance(content, SkippedFile):
            state.skipped[entry.path] = SkippedRow(content.reason, entry.size, _settled(entry.mtime_ns))
            return
        state.present.add(entry.path)
        retry = known is not None and known.problem and (not state.same_limits or known.mtime_ns == _READ_AGAIN)
        if known is not None and known.digest == content.digest and not retry:
            state.touched.append((known, content))
            self._report.unchanged += 1
            return
        yield content

    def _commit(self, repository: Repository, patches: list[tuple[FilePatch, FileRow | None]]) -> None:
        if not patches:
            return
        self._index.apply(repository, patches)
        changed = sum(row is not None for _, row in patches)
        self._report.changed += changed
        self._report.added += len(patches) - changed
        self._report.chunks += sum(len(patch.chunks) for patch, _ in patches)

    def _finish(self, state: _Pass) -> None:
        gone, hidden = [], []
        for path, row in state.known.items():
            reason = "" if path in state.present else _reason_left_out(path, state.skipped)
            if path in state.present or reason.startswith(UNREADABLE):
                # What cannot be read at present is not known to be gone.
                continue
            gone.append(row)
            if reason not in ("", VANISHED):
                # Ignored now, or found to be secret: unlike that of a file which another branch lacks, its text goes.
                hidden.append(row)
        touched = [(row.id, content.size, _settled(content.mtime_ns)) for row, content in state.touched]
        self._index.finish(
            state.repository, gone, touched, state.skipped, self._limits_text, hidden=hidden, within=state.within
        )
        self._report.removed += len(gone)
        self._report.skipped += len(state.skipped)

    def _encode(self, repositories: list[int]) -> None:
        pending = self._index.catalog.pending(repositories)
        sizes = [min(characters, MAX_CODE_CHARS) for _, characters in pending]
        total, done, began = sum(sizes), 0, time.monotonic()
        for start in range(0, len(pending), _ENCODE_BATCH):
            if self._cancelled():
                return
            ids = np.array([i for i, _ in pending[start : start + _ENCODE_BATCH]], np.int64)
            texts = self._index.catalog.contents(ids)
            self._index.add_vectors(ids, self._encoder().encode([texts[i] for i in ids.tolist()]))
            self._report.encoded += len(ids)
            done += sum(sizes[start : start + _ENCODE_BATCH])
            self._progress(IndexProgress("encode", "", done, total, _eta(began, done, total)))


def _patch(content: FileContent, result: ChunkResult, known: FileRow | None) -> FilePatch:
    # A busy machine may have been the reason why a parser was too slow, or was killed: the same bytes are parsed once
    # more in the next run. Failing again, they are left alone until they or the limits change.
    first_failure = result.problem != "" and (known is None or known.digest != content.digest)
    return FilePatch(
        content.path,
        content.size,
        _READ_AGAIN if first_failure else _settled(content.mtime_ns),
        content.digest,
        content.language,
        result.problem,
        result.chunks,
    )


def _outermost(places: Collection[str]) -> frozenset[str]:
    """Those that lie in no other."""
    return frozenset(p for p in places if not any(above in places for above in folders_above(p)))


def _reason_left_out(path: str, skipped: Mapping[str, SkippedRow]) -> str:
    """Why the walk left out this path or a folder that it lies in; "" where it did not."""
    return next((skipped[place].reason for place in (path, *folders_above(path)) if place in skipped), "")


def _unchanged(row: FileRow | SkippedRow, entry: FileEntry) -> bool:
    return (row.size, row.mtime_ns) == (entry.size, entry.mtime_ns)


def _settled(mtime_ns: int) -> int:
    """The time of a file's last change as it may be remembered."""
    return mtime_ns if time.time_ns() - mtime_ns > _SETTLED_NS else _READ_AGAIN


def _eta(began: float, done: int, total: int) -> float | None:
    elapsed = time.monotonic() - began
    return elapsed * (total - done) / done if done and elapsed > 1.0 else None
