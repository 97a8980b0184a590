"""A window on the real engine, with the models of the tests and an indexing process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from spencer_desktop.core.pack import RerankDefaults
from spencer_desktop.core.settings import Settings, load_settings
from spencer_desktop.gui.bridge import Bridge
from spencer_desktop.gui.main_window import MainWindow
from tests.e2e.harness import PROJECT, PackedFakes, engine_with
from tests.fakes import SMALL_PROJECT, FakeReranker, write_tree

WAIT_MS = 20_000


@dataclass
class Opened:
    """A window under test. `started` are the programs that it started."""

    window: MainWindow
    bridge: Bridge
    settings: Settings
    models: PackedFakes
    qtbot: QtBot
    config: Path
    started: list[list[str]] = field(default_factory=list)

    def ask(self, question: str) -> None:
        """Types a question and waits for the last word on it."""
        with self.qtbot.waitSignal(self.bridge.answered, timeout=WAIT_MS):
            self.window.search.question.clear()
            self.qtbot.keyClicks(self.window.search.question, question)

    def until(self, condition: Callable[[], Any]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)

    def index(self, *folders: Path) -> None:
        with self.qtbot.waitSignal(self.bridge.indexed, timeout=WAIT_MS):
            self.window.add_folders(list(folders))
        names = {folder.name for folder in folders}
        self.until(lambda: names <= {status.repository.name for status in self.window.repos.shown()})
        self.window.show_search.trigger()

    @property
    def paths(self) -> list[str]:
        return [hit.path for hit in self.window.search.model.hits]


Open = Callable[..., Opened]


@pytest.fixture
def open_window(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens windows on the same data folder; all are closed at the end."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    opened: list[Opened] = []

    def open_one(**changes: Any) -> Opened:
        data, config = tmp_path / "data", tmp_path / "settings.toml"
        settings = load_settings(data_dir=data, file=config)
        models = PackedFakes(reranker=FakeReranker(changes.pop("prefers", "close")))
        object.__setattr__(models.pack.manifest, "rerank", RerankDefaults(10, 0.0, True))
        service = [sys.executable, "-m", "tests.gui.fake_service", str(data)]
        bridge = Bridge(settings, service=service, open_engine=lambda s: engine_with(models, s))
        state = QSettings(str(data / "window.ini"), QSettings.Format.IniFormat)
        started: list[list[str]] = []
        window = MainWindow(
            settings, bridge, state, launch=lambda argv: not started.append(argv), config=config, **changes
        )
        qtbot.addWidget(window)
        made = Opened(window, bridge, settings, models, qtbot, config, started)
        opened.append(made)
        with qtbot.waitSignal(bridge.opened, timeout=WAIT_MS):
            window.show()
            bridge.start()
        return made

    yield open_one
    for made in opened:
        made.window.close()
        made.bridge.stop()


@pytest.fixture
def opened(open_window: Open) -> Opened:
    return open_window()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "project", SMALL_PROJECT)
