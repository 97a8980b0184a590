"""Opens answers in the editor that is set, and shows them in the file manager."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from spencer_desktop.core.errors import SpencerError
from spencer_desktop.core.settings import Settings
from spencer_desktop.gui import editors
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.results_model import Row

Launch = Callable[[list[str]], bool]
"""Starts a program and leaves it alone; whether it could be started."""


def start_detached(argv: list[str]) -> bool:
    # Not Qt's, which hands on names that are no text as other names.
    try:
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    return True


class Launcher(QObject):
    failed = Signal(object)
    """`Failure`."""

    def __init__(self, settings: Settings, launch: Launch) -> None:
        super().__init__()
        self.settings = settings
        self._launch = launch

    @Slot(object)
    def open(self, row: Row) -> None:
        """At the line where the part of it that answers begins."""
        path = Path(row.hit.root) / row.hit.path
        settings = self.settings
        self._start(lambda: editors.command(settings.editor, settings.editor_command, path, row.answer_line))

    @Slot(object)
    def reveal(self, row: Row) -> None:
        self._start(lambda: editors.reveal_command(Path(row.hit.root) / row.hit.path))

    def _start(self, arguments: Callable[[], list[str]]) -> None:
        try:
            argv = arguments()
        except SpencerError as error:
            self.failed.emit(Failure.of(error))
            return
        if not self._launch(argv):
            hint = self.tr("Choose another editor in the settings.")
            self.failed.emit(Failure(self.tr("{0} cannot be started").format(argv[0]), hint, ""))
