"""The indexing service: a process of its own that keeps the index up to date for a window, told what to do by lines.

Indexing takes every core, and its native parts can crash; in a process of its own it never makes a window wait, and
ends with it. Commands come in and events go out as JSON, one object a line.

    {"do": "index", "paths": [PATH, …]}     folders to bring up to date; none: all that are registered
    {"do": "remove", "repository": NAME}
    {"do": "pause" | "resume"[, "repository": NAME]}     all indexing, or one repository's
    {"do": "stop"}     so does the end of the input

    {"event": "progress", …}     the fields of `IndexProgress`, at most ten a second
    {"event": "indexed", …}      the fields of `IndexReport`
    {"event": "removed", "name": …, "root": …}
    {"event": "failed", "message": …, "hint": …, "details": …}     `details` is the traceback of a bug, else ""
    {"event": "working" | "idle"}

Paths are text with undecodable bytes as lone surrogates, escaped as JSON does.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import SpencerError, UserError
from spencer_desktop.core.indexer import IndexProgress
from spencer_desktop.core.settings import Settings

Event = dict[str, Any]
Say = Callable[[Event], None]

_BETWEEN_PROGRESS = 0.1
_EVERYTHING: Event = {"do": "index", "paths": []}


class Service:
    """Obeys commands from one thread and works in another, so that a pause is heard while an index run goes on."""

    def __init__(self, open_engine: Callable[[], Engine], say: Say) -> None:
        """`open_engine` is called in the working thread; `say` writes one event and is called from either thread."""
        self._open_engine = open_engine
        self._say = say
        self._changed = threading.Condition()
        self._todo: deque[Mapping[str, Any]] = deque()
        self._stopped = False
        self._paused = False
        self._paused_repositories: set[str] = set()
        self._running: frozenset[str] = frozenset()

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

    def _obey(self, line: str) -> bool:
        """Whether to go on."""
        try:
            command = _command(line)
        except (ValueError, KeyError, TypeError):
            self._say(_failure(UserError(f"This is no command: {line.strip()[:200]}")))
            return True
        do = command["do"]
        if do in ("pause", "resume"):
            self._tell(lambda: self._pause(command.get("repository"), paused=do == "pause"))
        elif do != "stop":
            self._tell(lambda: self._todo.append(command))
        return bool(do != "stop")

    def _tell(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _pause(self, repository: str | None, *, paused: bool) -> None:
        if repository is None:
            self._paused = paused
        elif paused:
            self._paused_repositories.add(repository)
        else:
            self._paused_repositories.discard(repository)
        if not paused:
            self._todo.append(_EVERYTHING)

    def _work(self) -> None:
        engine: Engine | None = None
        try:
            while (command := self._next()) is not None:
                self._say({"event": "working"})
                try:
                    engine = engine or self._open_engine()
                    self._do(engine, command)
                except SpencerError as error:
                    self._say(_failure(error))
                except Exception as error:  # noqa: BLE001 - a worker always reports, and goes on
                    self._say(_failure(error))
                self._say({"event": "idle"})
        finally:
            if engine:
                engine.close()

    def _next(self) -> Mapping[str, Any] | None:
        """Waits for something to do; None once stopped."""
        with self._changed:
            while not self._stopped and (not self._todo or (self._paused and self._todo[0]["do"] == "index")):
                self._changed.wait()
            return None if self._stopped else self._todo.popleft()

    def _do(self, engine: Engine, command: Mapping[str, Any]) -> None:
        if command["do"] == "remove":
            removed = engine.remove(command["repository"])
            self._say({"event": "removed", "name": removed.name, "root": str(removed.root)})
            return
        paths = engine.register([Path(path) for path in command["paths"]])
        known = [status.repository for status in engine.repositories()]
        chosen = [r for r in known if r.name not in self._paused_repositories and (not paths or r.root in paths)]
        if not chosen:
            return
        self._running = frozenset(r.name for r in chosen)
        report = engine.index([r.root for r in chosen], progress=self._progress(), cancelled=self._interrupted)
        self._say({"event": "indexed", **asdict(report)})
        if report.stopped:
            # What was paused is left out when its turn comes, or waits for as long as all is paused.
            self._tell(lambda: self._todo.appendleft(command))

    def _interrupted(self) -> bool:
        return self._stopped or self._paused or not self._running.isdisjoint(self._paused_repositories)

    def _progress(self) -> Callable[[IndexProgress], None]:
        last = 0.0

        def tell(progress: IndexProgress) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _BETWEEN_PROGRESS or progress.done == progress.total:
                last = now
                self._say({"event": "progress", **asdict(progress)})

        return tell


def _command(line: str) -> Event:
    """ValueError, KeyError or TypeError for what is none."""
    command: Event = json.loads(line)
    needed = {"index": "paths", "remove": "repository", "pause": "do", "resume": "do", "stop": "do"}[command["do"]]
    texts = command[needed] if needed == "paths" else [command[needed], command.get("repository", "")]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(needed)
    return command


def run(settings: Settings) -> None:
    """A service on this process's standard input and output, with the models of the pack that is set."""
    # Ctrl-C in a terminal reaches a window's children, too; the window tells this one when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Service(lambda: Engine.open(settings), Lines(sys.stdout)).serve(sys.stdin)


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
