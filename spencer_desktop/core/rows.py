"""What the catalogue hands out: frozen rows of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spencer_desktop.core.types import Ids


# A folder below a repository's root is named by its path with a last slash; this is the root itself.
ROOT = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """A registered folder. `indexed_at` is None until its first pass has ended; seconds since the epoch."""

    id: int
    root: Path
    name: str
    indexed_at: float | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """What is remembered of a file, to tell whether it changed. `problem` says why it is plain lines only, if it is."""

    id: int
    size: int
    mtime_ns: int
    digest: bytes
    problem: str


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """Why a path was left out. `size` and `mtime_ns` tell whether bytes that were the reason have changed; else -1."""

    reason: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Which chunks a search may find: those in `files` (ascending ids; None: all), of these `kinds` (none: all)."""

    files: Ids | None = None
    kinds: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        return self.files is None and not self.kinds


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """What ranking needs to know of a chunk; hundreds are read for each question, so no text comes along."""

    id: int
    content_id: int
    file_id: int
    root: str
    path: str
    language: str
    kind: str
    symbol: str
    unit_start_line: int
    unit_end_line: int


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk with the file and repository it stands in."""

    id: int
    content_id: int
    file_id: int
    repository: str
    root: str
    path: str
    language: str
    kind: str
    symbol: str
    signature: str
    doc: str
    start_line: int
    end_line: int
    unit_start_line: int
    unit_end_line: int
    header: str
    text: str
