"""Where threads and processes meet Qt, and nowhere else.

Questions are answered in one thread, by an engine of its own, and files are read in another; indexing goes on in a
process (`service`). All answer by signals, which arrive in the window's thread. Whatever goes wrong is a `Failure`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot

from spencer_desktop.core.database import DamagedIndex
from spencer_desktop.core.engine import Engine, RepositoryStatus
from spencer_desktop.core.errors import SpencerError, UserError
from spencer_desktop.core.files import WalkLimits
from spencer_desktop.core.freshness import look
from spencer_desktop.core.index import has_catalog
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.types import Hit, Query
from spencer_desktop.gui.coloring import spans
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.service_process import ServiceProcess, service_command

_COUNT_MS = 1_500
_THREAD_MS = 10_000
_LOOK_AROUND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Opened:
    """The pack in use and the device it runs on, in words."""

    pack: str
    device: str


class _Token:
    """The number of the newest question; written by the window's thread, read by the one that answers."""

    def __init__(self) -> None:
        self.newest = 0


class _Worker(QObject):
    """Lives in a thread. Its slots are called by signals alone."""

    failed = Signal(int, object)
    damaged = Signal()

    def _reporting(self, token: int, work: Callable[[], None]) -> None:
        try:
            work()
        except DamagedIndex as error:
            self.failed.emit(token, Failure.of(error))
            self.damaged.emit()
        except Exception as error:  # noqa: BLE001 - a worker always reports
            self.failed.emit(token, Failure.of(error))


class _Answerer(_Worker):
    """Answers questions, by an engine of its own."""

    opened = Signal(object)
    updated = Signal(int, object)
    done = Signal(int)
    repositories = Signal(object)
    skipped = Signal(str, object)

    def __init__(self, settings: Settings, token: _Token, open_engine: Callable[[Settings], Engine]) -> None:
        super().__init__()
        self._settings = settings
        self._token = token
        self._open_engine = open_engine
        self._engine: Engine | None = None

    def _ready(self) -> Engine:
        if self._engine is None:
            self._engine = self._open_engine(self._settings)
        return self._engine

    @Slot()
    def open(self) -> None:
        """Loads what the first question needs, before it is asked."""

        def work() -> None:
            engine = self._ready()
            manifest = engine.models.pack.manifest
            engine.models.query_encoder.encode(["warm"])
            self.opened.emit(Opened(f"{manifest.name} {manifest.version}", engine.models.device_note()))

        self._reporting(0, work)
        self.list_repositories()

    @Slot(int, object)
    def search(self, token: int, query: Query) -> None:
        def work() -> None:
            if token != self._token.newest:
                return
            engine = self._ready()
            if not has_catalog(engine.settings.data_dir):
                raise UserError("No folder is indexed yet", hint="Add one under Repositories.")
            for update in engine.search(query, lambda: token != self._token.newest):
                self.updated.emit(token, update)

        self._reporting(token, work)
        self.done.emit(token)

    @Slot(int, object, int)
    def find_similar(self, token: int, to: Hit | str, limit: int) -> None:
        def work() -> None:
            engine = self._ready()
            if isinstance(to, str):
                update = engine.similar_to(to, limit=limit)
            else:
                update = engine.similar(Path(to.root) / to.path, to.start_line, limit=limit)
            self.updated.emit(token, update)

        if token == self._token.newest:
            self._reporting(token, work)
        self.done.emit(token)

    @Slot()
    def list_repositories(self) -> None:
        found: list[RepositoryStatus] = []

        def work() -> None:
            engine = self._ready()
            if has_catalog(engine.settings.data_dir):
                found.extend(engine.repositories())

        self._reporting(0, work)
        self.repositories.emit(found)

    @Slot(str)
    def list_skipped(self, name: str) -> None:
        self._reporting(0, lambda: self.skipped.emit(name, self._ready().skipped(name)))

    @Slot()
    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


class _Reader(_Worker):
    """Reads files, so that a question never waits for one."""

    looked = Signal(object, object)
    colored = Signal(str, object)

    def __init__(self, settings: Settings, token: _Token) -> None:
        super().__init__()
        self._token = token
        self._limits = WalkLimits(max_bytes=settings.max_file_mib << 20, include_vendored=True, include_generated=True)

    @Slot(int, object)
    def look(self, token: int, hit: Hit) -> None:
        # Answers to an old question are nobody's concern any more.
        if token == self._token.newest:
            self._reporting(0, lambda: self.looked.emit(hit, look(hit, self._limits)))

    @Slot(str, str, str)
    def color(self, text: str, language: str, path: str) -> None:
        self._reporting(0, lambda: self.colored.emit(text, spans(text, language, path)))


class Bridge(QObject):
    """What the window may ask for, and what it hears of it.

    Each question has a token; updates of any but the newest are not passed on.
    """

    opened = Signal(object)
    """`Opened`, once the models are loaded."""
    updated = Signal(object)
    """`SearchUpdate` of the newest question."""
    answered = Signal()
    """No further update follows."""
    question_failed = Signal(object)
    """`Failure` of the newest question."""
    looked = Signal(object, object)
    """A `Hit`, and the `Anchor` where it stands now."""
    repositories = Signal(object)
    """list[RepositoryStatus]."""
    colored = Signal(str, object)
    """A text, and its colors as `coloring.spans` gives them."""
    skipped = Signal(str, object)
    """A repository's name; path → SkippedRow."""
    progress = Signal(object)
    """The service's event of that name, a dict; so are the next two."""
    indexed = Signal(object)
    removed = Signal(object)
    working = Signal(str)
    """What the service is: "working", "idle", or waiting for the "battery" or the "load" of the machine."""
    polled = Signal(object)
    """dict: a folder's path → why its changes are not heard of, but looked for."""
    failed = Signal(object)
    """`Failure` of anything else."""

    _ask = Signal(int, object)
    _ask_similar = Signal(int, object, int)
    _look = Signal(int, object)
    _color = Signal(str, str, str)
    _list = Signal()
    _list_skipped = Signal(str)
    _open = Signal()
    _close = Signal()

    def __init__(
        self,
        settings: Settings,
        *,
        service: list[str] | None = None,
        open_engine: Callable[[Settings], Engine] = Engine.open,
    ) -> None:
        """`service`: the arguments that start the indexing service; None for this program's own."""
        super().__init__()
        self._settings = settings
        self._token = _Token()
        self._listing = self._listed_again = False
        self._looked_around = time.monotonic()
        self._thread = QThread()
        self._thread.setObjectName("answers")
        self._answerer = _Answerer(settings, self._token, open_engine)
        self._answerer.moveToThread(self._thread)
        self._reading = QThread()
        self._reading.setObjectName("files")
        self._reader = _Reader(settings, self._token)
        self._reader.moveToThread(self._reading)
        self._wire()
        self._service = ServiceProcess(service or service_command(settings))
        self._service.heard.connect(self._hear)
        # How far each repository is, while the service is at work.
        self._counting = QTimer(self)
        self._counting.setInterval(_COUNT_MS)
        self._counting.timeout.connect(self.list_repositories)
        self._service.broke.connect(self.failed)

    def _wire(self) -> None:
        answerer = self._answerer
        self._open.connect(answerer.open)
        self._close.connect(answerer.close)
        self._ask.connect(answerer.search)
        self._ask_similar.connect(answerer.find_similar)
        self._look.connect(self._reader.look)
        self._color.connect(self._reader.color)
        self._reader.looked.connect(self.looked)
        self._reader.colored.connect(self.colored)
        self._reader.failed.connect(self._pass_failure)
        self._list.connect(answerer.list_repositories)
        self._list_skipped.connect(answerer.list_skipped)
        answerer.opened.connect(self.opened)
        answerer.repositories.connect(self._pass_repositories)
        answerer.skipped.connect(self.skipped)
        answerer.updated.connect(self._pass_update)
        answerer.done.connect(self._pass_done)
        answerer.failed.connect(self._pass_failure)
        answerer.damaged.connect(self._check)

    def start(self) -> None:
        """Loads the models in the background and brings every registered folder up to date."""
        self._thread.start()
        self._reading.start()
        self._open.emit()
        try:
            known = has_catalog(self._settings.data_dir)
        except SpencerError as error:
            self.failed.emit(Failure.of(error))
            return
        if known:
            self.index([])

    def stop(self) -> None:
        """At once, whatever runs: what is done by then is kept."""
        self._token.newest += 1
        self._counting.stop()
        self._service.stop()
        self._close.emit()
        for thread in (self._thread, self._reading):
            thread.quit()
            thread.wait(_THREAD_MS)

    # Questions

    @Slot(object)
    def ask(self, query: Query) -> None:
        self._token.newest += 1
        self._ask.emit(self._token.newest, query)

    @Slot(object, int)
    def ask_similar(self, to: Hit | str, limit: int) -> None:
        """Code like a hit's, or like a text."""
        self._token.newest += 1
        self._ask_similar.emit(self._token.newest, to, limit)

    @Slot()
    def forget_question(self) -> None:
        """Nothing more is heard of what was asked."""
        self._token.newest += 1

    @Slot(object)
    def look(self, hit: Hit) -> None:
        self._look.emit(self._token.newest, hit)

    @Slot(str, str, str)
    def color(self, text: str, language: str, path: str) -> None:
        self._color.emit(text, language, path)

    @Slot(int, object)
    def _pass_update(self, token: int, update: object) -> None:
        if token == self._token.newest:
            self.updated.emit(update)

    @Slot(int)
    def _pass_done(self, token: int) -> None:
        if token == self._token.newest:
            self.answered.emit()

    @Slot(int, object)
    def _pass_failure(self, token: int, failure: object) -> None:
        if token == 0:
            self.failed.emit(failure)
        elif token == self._token.newest:
            self.question_failed.emit(failure)

    # Repositories

    @Slot()
    def list_repositories(self) -> None:
        """Once, however often it is asked for before the answer: on a large index it takes its time."""
        self._listed_again = self._listing
        if not self._listing:
            self._listing = True
            self._list.emit()

    @Slot(object)
    def _pass_repositories(self, found: object) -> None:
        self._listing = False
        self.repositories.emit(found)
        if self._listed_again:
            self.list_repositories()

    @Slot(str)
    def list_skipped(self, name: str) -> None:
        self._list_skipped.emit(name)

    @Slot(list)
    def index(self, paths: list[Path]) -> None:
        """These folders, which are registered where they are not; none: all that are."""
        self._service.tell({"do": "index", "paths": [str(path) for path in paths]})

    def look_around(self) -> None:
        """Somebody came back to the window, and may have changed files meanwhile; heeded once a minute."""
        now = time.monotonic()
        if now - self._looked_around > _LOOK_AROUND_SECONDS:
            self._looked_around = now
            self._service.tell({"do": "look"})

    @Slot()
    def _check(self) -> None:
        self._service.tell({"do": "check"})

    @Slot(str)
    def remove(self, name: str) -> None:
        self._service.tell({"do": "remove", "repository": name})

    def pause(self, *, paused: bool, repository: str | None = None) -> None:
        command = {"do": "pause" if paused else "resume"}
        self._service.tell(command if repository is None else {**command, "repository": repository})

    @Slot(object)
    def _hear(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self.progress.emit(event)
        elif kind == "indexed":
            self.indexed.emit(event)
            self.list_repositories()
        elif kind == "removed":
            self.removed.emit(event)
            self.list_repositories()
        elif kind in ("working", "idle", "waiting"):
            (self._counting.start if kind == "working" else self._counting.stop)()
            self.working.emit(event.get("why", kind))
        elif kind == "watching":
            self.polled.emit(event["polled"])
        else:
            self.failed.emit(Failure(event["message"], event["hint"], event["details"]))
