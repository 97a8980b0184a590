"""The indexing service as the window sees it: started when needed, and again when it crashed."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal, Slot

from spencer_desktop.core.settings import Settings
from spencer_desktop.gui.failure import Failure

# Not by `-m`, which would look for modules in the current folder first: it may be a hostile repository's.
_BOOT = "import sys; sys.path[:] = [p for p in sys.path if p]; from spencer_desktop.cli import main; main()"
_STOP_MS = 150
_KEPT_WORDS = 2_000
_MAX_RESTARTS = 3
_RESTARTS_WITHIN = 60.0


class ServiceProcess(QObject):
    """Nothing is started before it is first told something."""

    heard = Signal(object)
    """An event, a dict."""
    broke = Signal(object)
    """`Failure`: it could not be started, or ended by itself."""

    def __init__(self, command: list[str]) -> None:
        super().__init__()
        self._command = command
        self._process: QProcess | None = None
        self._pending = b""
        # What was asked for and not answered yet is asked for again when the process is started anew, and what is
        # paused stays so.
        self._unanswered: list[dict[str, Any]] = []
        self._words = ""
        self._pauses: dict[str | None, dict[str, Any]] = {}
        self._crashes: list[float] = []

    def tell(self, command: dict[str, Any]) -> None:
        if command["do"] in ("look", "check"):
            # One that begins looks at everything anyway.
            self._write(command)
            return
        if command["do"] == "pause":
            self._pauses[command.get("repository")] = command
        elif command["do"] == "resume":
            self._pauses.pop(command.get("repository"), None)
        else:
            self._unanswered.append(command)
            if command["do"] == "remove":
                self._pauses.pop(command["repository"], None)
        if self._process is None:
            self._start()
            for pause in self._pauses.values():
                self._write(pause)
        self._write(command)

    def _write(self, command: dict[str, Any]) -> None:
        if self._process is not None:
            self._process.write(json.dumps(command).encode() + b"\n")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.finished.disconnect(self._ended)
        process.errorOccurred.disconnect(self._could_not_start)
        # The service ends with its input, after the batch that it is at. Nobody waits for that: whatever moment it is
        # killed in, what was committed is kept.
        process.closeWriteChannel()
        if not process.waitForFinished(_STOP_MS):
            process.kill()
            process.waitForFinished(_STOP_MS)

    def _start(self) -> None:
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_words)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._could_not_start)
        self._process, self._pending, self._words = process, b"", ""
        process.start(self._command[0], self._command[1:])

    @Slot()
    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._pending = (self._pending + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            # A native library may write a line of its own.
            with suppress(ValueError):
                event = json.loads(line)
                if event["event"] == "indexed":
                    self._crashes = []
                self._unanswered = [c for c in self._unanswered if not _answers(event, c)]
                self.heard.emit(event)

    @Slot()
    def _read_words(self) -> None:
        if self._process is not None:
            words = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
            self._words = (self._words + words)[-_KEPT_WORDS:]

    @Slot(int, QProcess.ExitStatus)
    def _ended(self, code: int, status: QProcess.ExitStatus) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        self.heard.emit({"event": "idle"})
        now = time.monotonic()
        self._crashes = [at for at in self._crashes if now - at < _RESTARTS_WITHIN] + [now]
        again = len(self._crashes) <= _MAX_RESTARTS
        hint = "It is started again, and goes on where it was." if again else "Start it again with Refresh."
        said = f": {self._words.strip()}" if self._words.strip() else ""
        self.broke.emit(Failure(f"The indexing process ended unexpectedly (exit code {code}){said}", hint, ""))
        if again:
            waiting, self._unanswered = self._unanswered, []
            for command in waiting or [{"do": "index", "paths": []}]:
                self.tell(command)

    @Slot(QProcess.ProcessError)
    def _could_not_start(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            words = self._process.errorString()
            self._process = None
            self.broke.emit(
                Failure(f"The indexing process cannot be started: {words}", "Install the program anew.", "")
            )


def _answers(event: dict[str, Any], command: dict[str, Any]) -> bool:
    if event["event"] == "failed":
        return True
    kind = {"index": "indexed", "remove": "removed"}[command["do"]]
    return bool(event["event"] == kind and event.get("asked", True) and not event.get("stopped"))


def service_command(settings: Settings) -> list[str]:
    """What starts the indexing service on this installation."""
    # A packaged application is its own interpreter.
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-c", _BOOT]
    return [*program, "--data-dir", str(settings.data_dir), "service"]
