#!/usr/bin/env python3
"""Pictures of the window: `python packaging/screenshots.py [--out FOLDER]`, in the project's environment.

Every scene in both themes, at 1280×800 and at 2560×1440 with a scale of 2, of this project's own code. Offscreen: no
display is needed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
THEMES = ("light", "dark")
# Name → (width and height in points, scale).
SIZES = {"1280x800": ((1280, 800), 1), "2560x1440": ((1280, 720), 2)}
WAIT_SECONDS = 300


def main() -> None:
    arguments = argparse.ArgumentParser(description="Pictures of the window")
    arguments.add_argument("--out", type=Path, default=PROJECT / "resources/screenshots")
    arguments.add_argument("--theme", choices=THEMES)
    arguments.add_argument("--size", choices=SIZES)
    given = arguments.parse_args()
    if given.theme:
        sys.exit(Scenes(given.out, given.theme, given.size).take())
    given.out.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        for size, (_, scale) in SIZES.items():
            # The scale is read once, when Qt is loaded.
            environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": str(scale)}
            command = [sys.executable, __file__, "--out", str(given.out), "--theme", theme, "--size", size]
            subprocess.run(command, check=True, env=environment)


class Scenes:
    """One window, brought from scene to scene."""

    def __init__(self, out: Path, theme: str, size: str) -> None:
        from PySide6.QtWidgets import QApplication

        from spencer_desktop.core.settings import load_settings
        from spencer_desktop.gui.app import build

        self._folder = tempfile.TemporaryDirectory()
        data = Path(self._folder.name)
        self._out, self._suffix = out, f"{theme}-{size}"
        self.app = QApplication([])
        settings = load_settings(data_dir=data / "data", file=data / "none.toml")
        settings = replace(settings, theme=theme, language="en")
        self.window, self.bridge = build(self.app, settings, config=data / "settings.toml")
        self.window.resize(*SIZES[size][0])
        self.answered = 0
        self.indexed = 0
        self.bridge.answered.connect(self._count_answer)
        self.bridge.indexed.connect(self._count_index)

    def _count_answer(self) -> None:
        self.answered += 1

    def _count_index(self) -> None:
        self.indexed += 1

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError
            self.app.processEvents()
            time.sleep(0.005)

    def shot(self, name: str) -> None:
        end = time.monotonic() + 0.3
        self.until(lambda: time.monotonic() > end)
        top = self.app.activeModalWidget() or self.window
        top.grab().save(str(self._out / f"{name}-{self._suffix}.png"))

    def ask(self, question: str) -> None:
        before = self.answered
        self.window.search.set_text(question)
        self.until(lambda: self.answered > before)

    def take(self) -> int:
        from spencer_desktop.gui.failure import Failure
        from spencer_desktop.gui.settings_dialog import SettingsDialog

        window, search = self.window, self.window.search
        window.show()
        opened: list[object] = []
        self.bridge.opened.connect(opened.append)
        self.bridge.start()
        self.until(lambda: opened)
        self.shot("first-run")
        window.add_folders([PROJECT / "spencer_desktop", PROJECT / "tests"])
        self.until(lambda: "Encoding" in window.repos.doing.text() and len(window.repos.shown()) > 1)
        self.shot("indexing")
        self.until(lambda: self.indexed)
        window.show_search.trigger()
        search.question.setText("lang:python how is a file read without following links")
        search.ask_now()
        self.until(lambda: search.model.rowCount())
        self.shot("searching")
        self.ask("lang:python how is a file read without following links")
        self.until(lambda: search.preview.code.toPlainText())
        self.shot("results")
        self.ask(r"mode:regex def \w+_reason\(")
        self.shot("regex")
        window.show_repos.trigger()
        self.shot("repositories")
        window.show_failure(Failure("list index out of range", "", _TRACEBACK))
        self.shot("error")
        self.app.activeModalWidget().close()
        window.open_settings()
        self.shot("settings")
        for dialog in window.findChildren(SettingsDialog):
            dialog.close()
        window.close()
        return 0


_TRACEBACK = """Traceback (most recent call last):
  File "spencer_desktop/gui/search_view.py", line 281, in show_update
    self.results.setCurrentIndex(self.model.index(number))
IndexError: list index out of range
"""

if __name__ == "__main__":
    main()
