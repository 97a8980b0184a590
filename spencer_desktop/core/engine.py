"""The facade: everything the command line and the window can do, in one object."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType

from spencer_desktop.core.database import DamagedIndex
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.files import WalkLimits, discover_root
from spencer_desktop.core.index import Index, begin_anew
from spencer_desktop.core.indexer import Indexer, IndexReport, Progress
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import open_pack
from spencer_desktop.core.ranking import Weights
from spencer_desktop.core.rows import Repository, SkippedRow
from spencer_desktop.core.search import Searcher
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.types import Encoder, Filters, Query, Reranker, SearchUpdate

_DEFAULT_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class RepositoryStatus:
    """A registered folder and how far its index is. `pending` chunks are found by text only as yet."""

    repository: Repository
    present: bool
    files: int
    chunks: int
    pending: int
    skipped: int


class Engine:
    """Used by one thread at a time. Opens the index and each model when it first needs them."""

    def __init__(self, settings: Settings, models: Models) -> None:
        self.settings = settings
        self.models = models
        self._written: Index | None = None

    @classmethod
    def open(cls, settings: Settings) -> Engine:
        """Wire the parts. Raises UserError when the model pack cannot be used."""
        pack = open_pack(settings.pack_dir)
        return cls(settings, Models(pack, choose_device(settings.device, settings.threads)))

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.__dict__.pop("_searcher", None)
        if reader := self.__dict__.pop("_reader", None):
            reader.close()

    # Indexing

    def index(
        self,
        paths: Sequence[Path],
        *,
        without: Collection[str] = (),
        within: Mapping[Path, Collection[str]] = MappingProxyType({}),
        progress: Progress = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> IndexReport:
        """Register the folders `paths` and bring them up to date; without paths, every registered folder.

        Where the index turns out to be damaged it is set aside, and all of it made anew; the report's notice says so.
        A folder is known by its real path, however it is spelled; repositories named in `without` are left as they are.
        `within`: root → the folders below it (see `files.walk`) outside of which nothing is known to have changed.
        Raises UserError for a path that is not a folder, EnvironmentFault when the index cannot be written.
        """
        roots = [discover_root(path) for path in paths]
        try:
            return self._index(roots, without, within, progress, cancelled)
        except DamagedIndex as error:
            return self._anew(str(error), roots, without, progress, cancelled)

    def repair(
        self, *, progress: Progress = lambda _: None, cancelled: Callable[[], bool] = lambda: False
    ) -> IndexReport | None:
        """Proves the whole index. Where it is damaged it is set aside, and all of it made anew; else None."""
        try:
            with self._reading():
                problems = self._reader.catalog.check()
        except DamagedIndex as error:
            problems = [str(error)]
        return self._anew("; ".join(problems), [], (), progress, cancelled) if problems else None

    def _anew(
        self,
        why: str,
        roots: Sequence[Path],
        without: Collection[str],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> IndexReport:
        self.close()
        aside, folders = begin_anew(self.settings.data_dir)
        with self._writer() as index:
            for root, name in folders:
                index.register(root, name)
            _register(index, roots)
        report = self._index([], without, {}, progress, cancelled)
        report.notice = f"{why}. It was set aside in {aside}, and is made anew."
        return report

    def _index(
        self,
        roots: Sequence[Path],
        without: Collection[str],
        within: Mapping[Path, Collection[str]],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> IndexReport:
        with self._writer() as index:
            _register(index, roots)
            registered = index.catalog.repositories()
            chosen = [r for r in registered if r.name not in without and (not roots or r.root in roots)]
            indexer = Indexer(
                index,
                lambda: self.models.code_encoder,
                limits=self._limits(),
                parse_seconds=self.settings.parse_seconds,
                progress=progress,
                cancelled=cancelled,
            )
            return indexer.run(chosen, {r.id: within[r.root] for r in chosen if r.root in within})

    def remove(self, name_or_path: str) -> Repository:
        """Forget a repository: its text, its vectors, its registration. Its files on disk are not touched."""
        with self._writer() as index:
            repository = _find(index.catalog.repositories(), name_or_path)
            index.remove_repository(repository)
            index.update_cache()
            return repository

    # Searching

    def search(self, query: Query, cancelled: Callable[[], bool] = lambda: False) -> Iterator[SearchUpdate]:
        """See `search.Searcher.search`; what is the default, the pack advises."""
        with self._reading():
            yield from self._searcher.search(query, cancelled)

    def similar(self, path: Path, line: int, *, limit: int = 10, filters: Filters | None = None) -> SearchUpdate:
        """Code like that at `line` (1-based) of `path`."""
        with self._reading():
            return self._searcher.similar(path, line, limit, filters or Filters())

    def similar_to(self, code: str, *, limit: int = 10, filters: Filters | None = None) -> SearchUpdate:
        """Code like `code`, which need not be indexed."""
        with self._reading():
            return self._searcher.similar_to(code, limit, filters or Filters())

    # Looking

    def repositories(self) -> list[RepositoryStatus]:
        with self._reading():
            catalog = self._reader.catalog
            return [
                RepositoryStatus(r, _present(r.root), **catalog.repository_counts(r.id)) for r in catalog.repositories()
            ]

    def registered(self) -> list[Repository]:
        """As `repositories`, without looking at anything but the registration."""
        with self._reading():
            return self._reader.catalog.repositories()

    def skipped(self, name_or_path: str) -> dict[str, SkippedRow]:
        """path → why it was left out, for one repository."""
        with self._reading():
            catalog = self._reader.catalog
            return catalog.skipped(_find(catalog.repositories(), name_or_path).id)

    @property
    def reader(self) -> Index:
        """The index as searches see it, for measuring and checking."""
        return self._reader

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """With the index that there is now: one that was damaged may have been made anew meanwhile."""
        if "_reader" in self.__dict__ and self._reader.replaced:
            self.close()
        try:
            yield
        except DamagedIndex:
            self.close()
            raise

    @cached_property
    def _reader(self) -> Index:
        return self._open(writable=False)

    @cached_property
    def _searcher(self) -> Searcher:
        return self.searcher()

    def searcher(self, weights: Weights | None = None, reranker: Reranker | None = None) -> Searcher:
        """One that ranks by other `weights`, or re-ranks with another `reranker`, for measuring."""
        rerank = self.models.pack.manifest.rerank
        advised = rerank.candidates if rerank else _DEFAULT_CANDIDATES
        return Searcher(
            self._reader,
            _Rereading(self.models, reranker) if reranker else self.models,
            candidates=self.settings.candidates or advised,
            recall_scale=rerank.recall_scale if rerank else 0.0,
            weights=weights,
            confidence=self.models.pack.manifest.confidence,
            rerank_by_default=rerank is not None and rerank.default,
        )

    def _writer(self) -> Index:
        self._written = self._open(writable=True)
        return self._written

    def _open(self, *, writable: bool) -> Index:
        manifest = self.models.pack.manifest
        after = self._written if writable else None
        return Index(self.settings.data_dir, manifest.space_id, manifest.dimension, writable=writable, after=after)

    def _limits(self) -> WalkLimits:
        return WalkLimits(
            max_bytes=self.settings.max_file_mib << 20,
            include_vendored=self.settings.include_vendored,
            include_generated=self.settings.include_generated,
            exclude=self.settings.exclude,
        )


@dataclass(frozen=True, slots=True)
class _Rereading:
    """The models with another re-ranker."""

    models: Models
    reranker: Reranker

    @property
    def query_encoder(self) -> Encoder:
        return self.models.query_encoder

    @property
    def code_encoder(self) -> Encoder:
        return self.models.code_encoder


def _present(root: Path) -> bool:
    return os.path.isdir(root)  # noqa: PTH112 - `Path.is_dir` raises where a parent may not be looked into


def _register(index: Index, roots: Sequence[Path]) -> None:
    for root in roots:
        known = index.catalog.repositories()
        if all(r.root != root for r in known):
            index.register(root, _free_name(root, {r.name for r in known}))


def _free_name(root: Path, taken: set[str]) -> str:
    """The folder's name; where it is taken, with as much of the path before it as tells them apart."""
    # A name is text; what a path is made of need not be.
    parts = [os.fsencode(p).decode("utf-8", "replace") for p in root.parts if p != root.anchor]
    for n in range(1, len(parts) + 1):
        name = "/".join(parts[-n:])
        if name not in taken:
            return name
    return root.anchor + "/".join(parts)


def _find(repositories: list[Repository], name_or_path: str) -> Repository:
    # As it is written too: a link may stand today where the folder itself was registered.
    places = {Path(os.path.abspath(name_or_path)), Path(os.path.realpath(name_or_path))}  # noqa: PTH100
    for repository in repositories:
        if repository.name == name_or_path or repository.root in places:
            return repository
    names = ", ".join(r.name for r in repositories) or "none"
    raise UserError(f"No repository {name_or_path!r} is indexed", hint=f"Indexed: {names}.")
