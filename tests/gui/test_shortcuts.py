"""Everything that keys do, pressed as on a keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from spencer_desktop.gui.settings_dialog import SettingsDialog
from tests.fakes import SMALL_PROJECT
from tests.gui.conftest import Opened

Check = Callable[[Opened, Path], object]


def _answers(opened: Opened) -> QWidget:
    return opened.window.search.results


def _question(opened: Opened) -> QWidget:
    return opened.window.search.question


def _find(opened: Opened) -> QWidget:
    return opened.window.search.preview.find_bar.text


def _at(opened: Opened) -> str:
    row = opened.window.search.results.current_row()
    assert row
    return f"{row.hit.root}/{row.hit.path}:{row.start_line}"


def _ask(opened: Opened) -> None:
    opened.ask("parse a date")
    # Without a window manager nobody gives it back what a list of completions took.
    opened.window.activateWindow()
    opened.until(opened.window.isActiveWindow)


# Keys → (where they are pressed, what is true afterwards).
SHORTCUTS: dict[str, tuple[Callable[[Opened], QWidget], Check]] = {
    "Ctrl+L": (_answers, lambda o, p: o.window.search.question.selectedText() == "parse a date"),
    "Ctrl+K": (_answers, lambda o, p: o.window.search.question.hasFocus()),
    "Ctrl+1": (_answers, lambda o, p: o.window.pages.currentIndex() == 0),
    "Ctrl+2": (_question, lambda o, p: o.window.pages.currentIndex() == 1),
    "Ctrl+O": (_question, lambda o, p: [s.repository.name for s in o.window.repos.shown()] == ["other", "project"]),
    "F5": (_question, lambda o, p: o.window.repos.shown()[0].files == len(SMALL_PROJECT) + 1),
    "Ctrl+,": (_question, lambda o, p: o.window.findChildren(SettingsDialog)),
    "F1": (_question, lambda o, p: o.window.findChildren(QMessageBox)),
    "Ctrl+Q": (_question, lambda o, p: not o.window.isVisible()),
    "Ctrl+F": (_answers, lambda o, p: o.window.search.preview.find_bar.text.hasFocus()),
    "Esc": (_find, lambda o, p: not o.window.search.preview.find_bar.isVisible()),
    "Ctrl+Shift+V": (_question, lambda o, p: "like the copied code" in o.window.search.message.text()),
    "Return": (_answers, lambda o, p: o.started and str(p) in o.started[0][-1]),
    "Enter": (_answers, lambda o, p: o.started and str(p) in o.started[0][-1]),
    "Ctrl+C": (_answers, lambda o, p: "year, month, day" in QGuiApplication.clipboard().text()),
    "Ctrl+Shift+C": (_answers, lambda o, p: QGuiApplication.clipboard().text() == _at(o)),
    "Ctrl+Shift+F": (_answers, lambda o, p: "like parse_date" in o.window.search.message.text()),
    "Ctrl+Shift+R": (_answers, lambda o, p: o.started and o.started[0][-1] == str(p / "app")),
}


def test_no_shortcut_goes_without_a_test_and_none_is_given_twice(opened: Opened) -> None:
    window = opened.window
    given = [key for action in window.findChildren(QAction) for key in action.shortcuts()]
    given += [shortcut.key() for shortcut in window.findChildren(QShortcut)]
    named = [key.toString() for key in given if not key.isEmpty()]
    assert sorted(named) == sorted(SHORTCUTS)


@pytest.mark.parametrize("keys", SHORTCUTS)
def test_shortcut(opened: Opened, project: Path, keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, holds = SHORTCUTS[keys]
    other = project.parent / "other"
    other.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(other))
    opened.index(project)
    opened.window.change_settings({"editor": "custom", "editor_command": "ed {path}"})
    _ask(opened)
    opened.until(lambda: opened.window.search.preview.code.isVisible())
    QGuiApplication.clipboard().setText("def other(): pass")
    if keys == "Esc":
        opened.window.search.preview.find_bar.begin()
    if keys == "Ctrl+1":
        opened.window.show_repos.trigger()
    if keys == "F5":
        (project / "fresh.py").write_text("def fresh(): pass\n")
    where(opened).setFocus()
    assert keys == "Esc" or not holds(opened, project) or keys == "Ctrl+K"
    combination = QKeySequence(keys)[0]
    QTest.keyClick(where(opened), combination.key(), combination.keyboardModifiers())
    opened.until(lambda: holds(opened, project))


def test_arrows_go_from_the_question_to_the_answers_and_among_them(opened: Opened, project: Path) -> None:
    opened.index(project)
    _ask(opened)
    results = opened.window.search.results
    QTest.keyClick(_question(opened), Qt.Key.Key_Down)
    assert results.hasFocus()
    assert results.currentIndex().row() == 0
    QTest.keyClick(results, Qt.Key.Key_Down)
    QTest.keyClick(results, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert results.currentIndex().row() == 2
    assert len(results.selected_rows()) == 2
