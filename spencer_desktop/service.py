"""The indexing service: a process of its own that keeps the index up to date for a window, told what to do by lines.

Indexing takes every core, and its native parts can crash; in a process of its own it never makes a window wait, and
ends with it. Commands come in and events go out as JSON, one object a line.

    {"do": "index", "paths": [PATH, …]}     folders to bring up to date; none: all that are registered
    {"do": "remove", "repository": NAME}
    {"do": "pause" | "resume"[, "repository": NAME]}     all indexing, or one repository's
    {"do": "look"}     somebody came back: whatever is registered may have changed
    {"do": "check"}     the index was found damaged; it is proven, and made anew where it is
    {"do": "stop"}     so does the end of the input

    {"event": "progress", …}     the fields of `IndexProgress`, at most ten a second
    {"event": "indexed", "asked": BOOLEAN, …}     the fields of `IndexReport`; not asked for: a change was heard of
    {"event": "removed", "name": …, "root": …}
    {"event": "failed", "message": …, "hint": …, "details": …}     `details` is the traceback of a bug, else ""
    {"event": "working" | "idle"}
    {"event": "waiting", "why": "battery" | "load"}     until the machine is plugged in, or others need it less
    {"event": "watching", "polled": {PATH: WHY, …}}     the folders whose changes are not heard of, but looked for

What changes on disk is indexed without being asked for; of that only an "indexed" is heard, unless it takes a while.

Paths are text with undecodable bytes as lone surrogates, escaped as JSON does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from spencer_desktop.core.database import DamagedIndex
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import SpencerError, UserError
from spencer_desktop.core.index import has_catalog
from spencer_desktop.core.indexer import IndexProgress
from spencer_desktop.core.priority import step_back
from spencer_desktop.core.restraint import Waits, restraint
from spencer_desktop.core.rows import Repository
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.watch_note import drop_note, write_note
from spencer_desktop.core.watching import Changed, Watcher

Event = dict[str, Any]
Say = Callable[[Event], None]
Watch = Callable[[Changed], Watcher]

_BETWEEN_PROGRESS = 0.1
_WAIT_SECONDS = 5.0
# A file that was saved is indexed before anybody could read that it is.
_UNHEARD_SECONDS = 1.0
# What each command needs.
_COMMANDS = {
    "index": "paths",
    "remove": "repository",
    **dict.fromkeys(("pause", "resume", "look", "check", "stop"), "do"),
}
_EVERYTHING: Event = {"do": "index", "paths": []}
_CHECK: Event = {"do": "check"}
# An index that is damaged again so soon lies on a broken disk.
_BETWEEN_REPAIRS = 600.0


class Service:
    """Obeys commands from one thread and works in another, so that a pause is heard while an index run goes on."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        say: Say,
        waits: Waits = lambda: "",
        watch: Watch | None = None,
    ) -> None:
        """`open_engine` is called in the working thread; `say` writes one event and is called from any thread.

        While `waits()` says why nothing is indexed. `watch` makes the watcher; without one nothing is watched.
        """
        self._open_engine = open_engine
        self._say = say
        self._waits = waits
        self._polled: dict[Path, str] | None = None
        self._changed = threading.Condition()
        self._todo: deque[Event] = deque()
        self._stopped = False
        self._paused = False
        self._paused_repositories: set[str] = set()
        # What runs is to end where it is, because something goes before it or it shall not run at all.
        self._interrupted = False
        self._working = False
        self._repaired = -_BETWEEN_REPAIRS
        # Last: it may be heard from its own thread at once.
        self._watcher = watch(self._hear) if watch else None

    def serve(self, lines: Iterable[str]) -> None:
        """Until told to stop, or the input ends; what is done by then is kept."""
        worker = threading.Thread(target=self._work, name="indexing")
        worker.start()
        try:
            for line in lines:
                if line.strip() and not self._obey(line):
                    break
        finally:
            self._tell(lambda: setattr(self, "_stopped", True))
            worker.join()
            if self._watcher:
                self._watcher.stop()

    def _obey(self, line: str) -> bool:
        """Whether to go on."""
        try:
            command = _command(line)
        except (ValueError, KeyError, TypeError):
            self._say(_failure(UserError(f"This is no command: {line.strip()[:200]}")))
            return True
        if command["do"] == "stop":
            return False
        self._tell(lambda: self._heed(command))
        return True

    def _tell(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _heed(self, command: Event) -> None:
        do, repository = command["do"], command.get("repository")
        if do == "index":
            self._queue(command)
        elif do == "check":
            self._queue(command, first=True)
        elif do == "look":
            if self._watcher:
                self._watcher.reconcile()
        elif do == "remove":
            self._todo.appendleft(command)
        elif repository is None:
            self._paused = do == "pause"
        elif do == "pause":
            self._paused_repositories.add(repository)
        else:
            self._paused_repositories.discard(repository)
        if do == "resume":
            self._queue(_EVERYTHING)
        self._interrupted = self._interrupted or do in ("pause", "remove")

    def _queue(self, command: Event, *, first: bool = False) -> None:
        if command["do"] == "refresh":
            for waiting in [c for c in self._todo if c["do"] == "refresh" and c["root"] == command["root"]]:
                self._todo.remove(waiting)
                command = {**command, "folders": command["folders"] | waiting["folders"]}
        if command not in self._todo:
            (self._todo.appendleft if first else self._todo.append)(command)

    def _work(self) -> None:
        engine: Engine | None = None
        try:
            while (command := self._next()) is not None:
                self._working = False
                if command["do"] != "refresh":
                    self._say_working()
                try:
                    engine = engine or self._open_engine()
                    self._do(engine, command)
                    self._watch(engine)
                except DamagedIndex as error:
                    self._say(_failure(error))
                    self._tell(lambda: self._queue(_CHECK, first=True))
                except SpencerError as error:
                    self._say(_failure(error))
                except Exception as error:  # noqa: BLE001 - a worker always reports, and goes on
                    self._say(_failure(error))
                if self._working:
                    self._say({"event": "idle"})
        finally:
            if engine:
                drop_note(engine.settings.data_dir)
                engine.close()

    def _next(self) -> Event | None:
        """Waits for something that may be done; None once stopped. While all is paused, that is a removal only."""
        said = ""
        with self._changed:
            while True:
                if self._stopped:
                    return None
                why = self._waits() if self._todo and not self._paused else ""
                for command in self._todo:
                    if command["do"] == "remove" or not (self._paused or why):
                        self._todo.remove(command)
                        self._interrupted = False
                        return command
                if why != said:
                    self._say({"event": "waiting", "why": why} if why else {"event": "idle"})
                    said = why
                self._changed.wait(_WAIT_SECONDS if why else None)

    def _do(self, engine: Engine, command: Event) -> None:
        if command["do"] == "remove":
            removed = engine.remove(command["repository"])
            self._tell(lambda: self._forget(removed))
            self._say({"event": "removed", "name": removed.name, "root": str(removed.root)})
            return
        if command["do"] == "check":
            self._check(engine)
            return
        within: dict[Path, Collection[str]] = {}
        if command["do"] == "refresh":
            # Registered still, and there: a folder that is gone has said so when it was last asked for.
            within = {r.root: command["folders"] for r in engine.registered() if r.root == command["root"]}
            if not any(root.is_dir() for root in within):
                return
        report = engine.index(
            list(within) or [Path(path) for path in command["paths"]],
            within=within,
            without=frozenset(self._paused_repositories),
            progress=self._progress(),
            cancelled=self._cancelled,
        )
        self._say({"event": "indexed", "asked": command["do"] == "index", **asdict(report)})
        if report.stopped:
            self._tell(lambda: self._queue(command, first=True))

    def _cancelled(self) -> bool:
        return self._stopped or self._interrupted or bool(self._waits())

    def _check(self, engine: Engine) -> None:
        if time.monotonic() - self._repaired < _BETWEEN_REPAIRS:
            return
        # Before: one that fails is not tried again at once either.
        before, self._repaired = self._repaired, time.monotonic()
        report = engine.repair(progress=self._progress(), cancelled=self._cancelled)
        if report is None:
            self._repaired = before
            return
        self._say({"event": "indexed", "asked": False, **asdict(report)})
        if report.stopped:
            self._tell(lambda: self._queue(_EVERYTHING, first=True))

    def _forget(self, removed: Repository) -> None:
        """Nothing that still waits may bring it back, and a folder of its name is another one."""
        self._paused_repositories.discard(removed.name)
        for command in [c for c in self._todo if c["do"] == "index" and c["paths"]]:
            self._todo.remove(command)
            if paths := [path for path in command["paths"] if Path(os.path.realpath(path)) != removed.root]:
                self._queue({**command, "paths": paths}, first=True)

    def _hear(self, root: Path, folders: frozenset[str]) -> None:
        """Called by the watcher's thread."""
        self._tell(lambda: self._queue({"do": "refresh", "root": root, "folders": folders}))

    def _watch(self, engine: Engine) -> None:
        """What is registered now, and no more."""
        if self._watcher is None or not has_catalog(engine.settings.data_dir):
            return
        self._watcher.watch([r.root for r in engine.registered() if r.root.is_dir()])
        if (polled := dict(self._watcher.polled)) != self._polled:
            write_note(engine.settings.data_dir, polled)
            if polled or self._polled:
                self._say({"event": "watching", "polled": {str(root): why for root, why in polled.items()}})
            self._polled = polled

    def _say_working(self) -> None:
        if not self._working:
            self._working = True
            self._say({"event": "working"})

    def _progress(self) -> Callable[[IndexProgress], None]:
        last, began = 0.0, time.monotonic()

        def tell(progress: IndexProgress) -> None:
            nonlocal last
            now = time.monotonic()
            if not self._working:
                if now - began < _UNHEARD_SECONDS:
                    return
                self._say_working()
            if now - last >= _BETWEEN_PROGRESS or progress.done == progress.total:
                last = now
                self._say({"event": "progress", **asdict(progress)})

        return tell


def _command(line: str) -> Event:
    """ValueError, KeyError or TypeError for what is none."""
    command: Event = json.loads(line)
    needed = _COMMANDS[command["do"]]
    texts = command[needed] if needed == "paths" else [command[needed], command.get("repository", "")]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(needed)
    return command


def run(settings: Settings) -> None:
    """A service on this process's standard input and output, with the models of the pack that is set."""
    # Ctrl-C in a terminal reaches a window's children, too; the window tells this one when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    step_back()
    watch = partial(Watcher, include_vendored=settings.include_vendored)
    Service(lambda: Engine.open(settings), Lines(sys.stdout), restraint(settings), watch).serve(sys.stdin)


class Lines:
    """Writes events as lines, each whole."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        # Where nobody listens any more the input ends, too, and with it the service.
        with self._lock, suppress(OSError):
            self._out.write(json.dumps(event) + "\n")
            self._out.flush()


def _failure(error: Exception) -> Event:
    bug = not isinstance(error, SpencerError)
    details = "".join(traceback.format_exception(error)) if bug else ""
    hint = "" if bug else getattr(error, "hint", "")
    return {"event": "failed", "message": str(error) or type(error).__name__, "hint": hint, "details": details}
