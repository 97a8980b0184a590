"""How fast and how steady the window is: `python -m tests.stress.measure_window latency|start|idle|use [--help]`.

    latency   the event loop, while 20,000 pieces of code are indexed and a question is typed at ten keys a second
    start     from process start to a window that can be used, beside an empty PySide6 window, in turn
    idle      memory of the application that does nothing
    use       thousands of random actions: exceptions, threads, handles, memory

Prints one JSON object. Every part uses the real pack and a data folder of its own, which `--data` keeps; the index of
the part start has vectors that mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.stress.indexing import INSTALLED, copy_python, fill

PROJECT = Path(__file__).resolve().parents[2]
QUESTIONS = (
    "how is a file read without following links",
    "where is the index saved",
    "lang:python parse a date",
    "mode:regex def \\w+\\(",
    "split an identifier into words",
    "kind:class settings",
)
_TICK_MS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("latency", "start", "idle", "use", "one-start", "empty-start"))
    parser.add_argument("--data", type=Path, help="where the index is kept")
    parser.add_argument("--sources", type=Path, nargs="*", default=[Path(os.__file__).parent], help="what is indexed")
    parser.add_argument("--copied", type=int, default=2_000, help="files in the index of the part start")
    parser.add_argument("--actions", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with _folder(given.data) as data:
        part: Callable[[Path, argparse.Namespace], dict[str, Any]] = {
            "latency": latency,
            "start": start,
            "idle": idle,
            "use": use,
            "one-start": one_start,
            "empty-start": empty_start,
        }[given.part]
        print(json.dumps(part(data, given)))


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data:
        yield data
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


class Window:
    """The application as `spencer gui` puts it together, without a display."""

    def __init__(self, data: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from spencer_desktop.core.settings import load_settings
        from spencer_desktop.gui.app import build

        self.app = QApplication([])
        settings = load_settings(data_dir=data, file=data / "settings.toml")
        self.started: list[list[str]] = []
        self.window, self.bridge = build(self.app, settings, launch=self._launch, config=data / "settings.toml")
        self.window.show()
        self.heard: dict[str, int] = dict.fromkeys(("opened", "indexed", "answered", "failed"), 0)
        self.failures: list[Any] = []
        self.bridge.opened.connect(lambda _: self._count("opened"))
        self.bridge.indexed.connect(lambda _: self._count("indexed"))
        self.bridge.answered.connect(lambda: self._count("answered"))
        self.bridge.failed.connect(self.failures.append)
        self.bridge.start()

    def _launch(self, argv: list[str]) -> bool:
        self.started.append(argv)
        return True

    def _count(self, what: str) -> None:
        self.heard[what] += 1

    def until(self, condition: Callable[[], object], seconds: float = 900) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError
            self.app.processEvents()
            time.sleep(0.002)

    def close(self) -> None:
        self.window.close()
        self.bridge.stop()


def latency(data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """How late a timer of 5 ms is served."""
    from PySide6.QtCore import QTimer
    from PySide6.QtTest import QTest

    shown = Window(data)
    shown.until(lambda: shown.heard["opened"])
    shown.window.add_folders(given.sources)
    shown.window.show_search.trigger()
    late: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        late.append(1000 * (now - last) - _TICK_MS)
        last = now

    timer = QTimer()
    timer.setInterval(_TICK_MS)
    timer.timeout.connect(tick)
    keys = QTimer()
    keys.setInterval(100)
    typed = iter("".join(f"{question}\0" for question in QUESTIONS * 10_000))

    def type_one() -> None:
        letter = next(typed)
        box = shown.window.search.question
        box.clear() if letter == "\0" else QTest.keyClicks(box, letter)

    keys.timeout.connect(type_one)
    timer.start()
    keys.start()
    began = last = time.perf_counter()
    # Not by a loop of one's own, which would look away between two events.
    shown.bridge.indexed.connect(shown.app.quit)
    shown.app.exec()
    seconds = time.perf_counter() - began
    chunks = sum(status.chunks for status in shown.window.repos.shown())
    shown.close()
    late.sort()
    return {
        "ticks": len(late),
        "seconds": round(seconds, 1),
        "pieces": chunks,
        "answers": shown.heard["answered"],
        "p50_ms": round(late[len(late) // 2], 2),
        "p99_ms": round(late[int(len(late) * 0.99)], 2),
        "max_ms": round(late[-1], 2),
    }


def start(data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Medians of rounds in turn."""
    if not (data / "catalog.sqlite3").exists():
        copy_python([INSTALLED], data / "project", given.copied)
        fill(data, [data / "project"])
    taken: dict[str, list[float]] = {"one-start": [], "empty-start": []}
    facts: dict[str, Any] = {}
    for _ in range(given.rounds):
        for part, times in taken.items():
            began = time.time()
            command = [sys.executable, "-m", "tests.stress.measure_window", part, "--data", str(data)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT)
            facts = {**facts, **json.loads(done.stdout)}
            times.append(facts["at"] - began)
    return {
        "window_s": round(statistics.median(taken["one-start"]), 3),
        "empty_window_s": round(statistics.median(taken["empty-start"]), 3),
        "rounds": given.rounds,
        "pieces": facts["pieces"],
    }


def one_start(data: Path, given: argparse.Namespace) -> dict[str, Any]:
    shown = Window(data)
    # Usable: it is painted, and takes what is typed.
    shown.until(shown.window.isVisible)
    for _ in range(3):
        shown.app.processEvents()
    at = time.time()
    shown.until(lambda: shown.window.repos.shown())
    pieces = sum(status.chunks for status in shown.window.repos.shown())
    shown.close()
    return {"at": at, "pieces": pieces}


def empty_start(data: Path, given: argparse.Namespace) -> dict[str, Any]:
    from PySide6.QtWidgets import QApplication, QMainWindow

    app = QApplication([])
    window = QMainWindow()
    window.show()
    for _ in range(3):
        app.processEvents()
    return {"at": time.time()}


def idle(data: Path, given: argparse.Namespace) -> dict[str, Any]:
    shown = Window(data)
    shown.until(lambda: shown.heard["opened"])
    end = time.monotonic() + 5
    shown.until(lambda: time.monotonic() > end)
    memory = psutil.Process().memory_info().rss
    pieces = sum(status.chunks for status in shown.window.repos.shown())
    shown.close()
    return {"rss_mb": round(memory / 1e6, 1), "pieces": pieces}


def use(data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Random valid actions, as fast as they are taken."""
    caught: list[str] = []
    sys.excepthook = lambda kind, error, at: caught.append(f"{kind.__name__}: {error}")
    shown = Window(data)
    shown.until(lambda: shown.heard["opened"])
    shown.window.add_folders(given.sources)
    shown.until(lambda: shown.heard["indexed"])
    chance = random.Random(given.seed)
    actions = _actions(shown, chance)
    process = psutil.Process()
    marks: list[tuple[int, int, float]] = []
    done: dict[str, int] = {}
    for number in range(given.actions):
        if number in (given.actions // 10, given.actions - 1):
            marks.append((process.num_threads(), process.num_fds(), process.memory_info().rss / 1e6))
        name = chance.choice(list(actions))
        actions[name]()
        done[name] = done.get(name, 0) + 1
        end = time.monotonic() + chance.choice((0.0, 0.02, 0.2))
        shown.until(lambda end=end: time.monotonic() >= end)  # type: ignore[misc]
    failures = [failure.message for failure in shown.failures]
    shown.close()
    (threads, handles, memory), (threads_after, handles_after, memory_after) = marks
    return {
        "actions": done,
        "exceptions": caught,
        "failures": failures,
        "threads": [threads, threads_after],
        "handles": [handles, handles_after],
        "rss_mb": [round(memory, 1), round(memory_after, 1)],
    }


def _actions(shown: Window, chance: random.Random) -> dict[str, Callable[[], object]]:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    window, search = shown.window, shown.window.search

    def close_popups() -> None:
        while popup := QApplication.activePopupWidget() or QApplication.activeModalWidget():
            popup.close()
            shown.app.processEvents()

    def press(key: Qt.Key) -> Callable[[], None]:
        return lambda: QTest.keyClick(search.results if search.results.hasFocus() else search.question, key)

    def settings() -> None:
        window.open_settings()
        shown.app.processEvents()
        close_popups()

    def theme() -> None:
        window.change_settings({"theme": chance.choice(("light", "dark", "system"))})

    return {
        "ask": lambda: search.set_text(chance.choice(QUESTIONS)),
        "type": lambda: QTest.keyClicks(search.question, chance.choice("abcdefg :")),
        "erase": lambda: QTest.keyClick(search.question, Qt.Key.Key_Backspace),
        "clear": search.question.clear,
        "down": press(Qt.Key.Key_Down),
        "up": press(Qt.Key.Key_Up),
        "open": search.results.open_selected,
        "copy": search.results.copy_code,
        "copy place": search.results.copy_place,
        "similar": search.results.find_similar,
        "select all": search.results.selectAll,
        "find": lambda: (search.preview.find_bar.begin(), search.preview.find_bar.text.setText("def")),
        "find next": search.preview.find_bar.next,
        "end find": search.preview.find_bar.end,
        "focus": search.focus_question,
        "mode": lambda: search.mode.setCurrentIndex(chance.randrange(4)),
        "to folders": window.show_repos.trigger,
        "to search": window.show_search.trigger,
        "refresh": lambda: shown.bridge.index([]),
        "pause": window.repos.toggle_all,
        "history": lambda: (search.past.fill(), search.past.history.ask(search.question.text())),
        "settings": settings,
        "theme": theme,
        "look again": search.look_again,
        "popups": close_popups,
        "resize": lambda: window.resize(chance.randrange(700, 1400), chance.randrange(500, 900)),
    }


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    main()
