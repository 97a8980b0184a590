"""The window as its users know it: ask, read, jump, and keep an eye on the folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QToolButton

from spencer_desktop.core.freshness import Freshness
from spencer_desktop.core.types import Mode, SearchUpdate, Stage
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.question import read
from spencer_desktop.gui.report import ReportDialog
from spencer_desktop.gui.repos_view import SkippedDialog
from spencer_desktop.gui.settings_dialog import SettingsDialog
from tests.fakes import SMALL_PROJECT, write_tree
from tests.gui.conftest import Open, Opened


def test_what_was_found_is_said_once_to_whoever_does_not_see_it(
    opened: Opened, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.index(project)
    heard: list[str] = []
    monkeypatch.setattr(QAccessible, "updateAccessibility", lambda event: heard.append(event.message()))
    search = opened.window.search
    search.question.setText("parse a date")
    with opened.qtbot.waitSignal(opened.bridge.answered):
        search.ask_now()
    assert len(heard) == 1
    assert heard[0].startswith(f"{search.model.rowCount()} answer")
    search.question.setText("mode:regex (")
    with opened.qtbot.waitSignal(opened.bridge.question_failed):
        search.ask_now()
    assert heard[1] == search.warning.text() != ""


def test_the_first_run_explains_itself_and_a_folder_makes_questions_possible(opened: Opened, project: Path) -> None:
    window = opened.window
    assert window.search.question.hasFocus() or not window.isActiveWindow()
    assert window.welcome.isVisible()
    assert window.welcome.add.isVisible()
    assert not any(example.isEnabled() for example in window.welcome.examples)
    assert "fake 1" in window.welcome.models.text()
    opened.index(project)
    assert not window.welcome.add.isVisible()
    with opened.qtbot.waitSignal(opened.bridge.answered):
        window.welcome.examples[2].click()
    assert opened.paths[0] == "app/session.py"


def test_a_question_is_answered_while_it_is_typed_and_then_read_again(opened: Opened, project: Path) -> None:
    opened.index(project)
    seen: list[SearchUpdate] = []
    opened.bridge.updated.connect(seen.append)
    opened.ask("open a connection to a server")
    assert [update.stage for update in seen] == [Stage.RECALL, Stage.RERANKED]
    assert opened.window.search.model.hits == list(seen[-1].hits)
    assert "read again" in opened.window.search.message.text()
    opened.until(lambda: "def" in opened.window.search.preview.code.toPlainText())


def test_reranking_moves_the_answers_and_not_the_selection(opened: Opened, project: Path) -> None:
    opened.index(project)
    search = opened.window.search
    opened.ask("connection")
    search.results.setFocus()
    updates: list[SearchUpdate] = []
    opened.bridge.updated.connect(updates.append)
    chosen = search.model.hits[-1]
    search.results.setCurrentIndex(search.model.index(search.model.rowCount() - 1))
    flipped = tuple(reversed(search.model.hits))
    search.show_update(SearchUpdate(Stage.RERANKED, flipped, 1.0))
    row = search.results.current_row()
    assert row is not None
    assert row.hit == chosen
    assert search.results.currentIndex().row() == 0


def test_only_the_newest_question_is_answered(opened: Opened, project: Path) -> None:
    opened.index(project)
    seen: list[SearchUpdate] = []
    opened.bridge.updated.connect(seen.append)
    for words in ("push", "push item", "parse a date"):
        opened.window.search.question.setText(words)
        opened.window.search.ask_now()
    with opened.qtbot.waitSignal(opened.bridge.answered):
        pass
    assert opened.paths[0] == "app/session.py"
    assert len(seen) == 2


def test_filters_are_chips_that_can_be_taken_away(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("lang:go push an item")
    assert set(opened.paths) == {"lib/queue.go"}
    (chip,) = opened.window.search.chips.findChildren(QToolButton)
    assert chip.text().startswith("lang: go")
    with opened.qtbot.waitSignal(opened.bridge.answered):
        chip.click()
    assert opened.window.search.question.text() == "push an item"
    assert len(set(opened.paths)) > 1
    assert not opened.window.search.chips.isVisible()


@pytest.mark.parametrize(("mode", "question"), [(Mode.REGEX, r"def \w+date"), (Mode.LEXICAL, "parse date")])
def test_how_to_search_is_chosen_beside_the_box_or_in_it(
    opened: Opened, project: Path, mode: Mode, question: str
) -> None:
    opened.index(project)
    opened.ask(f"mode:{mode.value} {question}")
    inside = opened.paths
    box = opened.window.search.mode
    assert (box.isEnabled(), box.currentData()) == (False, mode)
    with opened.qtbot.waitSignal(opened.bridge.answered):
        opened.window.search.question.setText(question)
        assert (box.isEnabled(), box.currentData()) == (True, Mode.HYBRID)
        box.setCurrentIndex(box.findData(mode))
    assert opened.paths == inside
    assert inside[0] == "app/session.py"


def test_a_filter_is_completed(opened: Opened, project: Path) -> None:
    opened.index(project)
    box = opened.window.search.question
    opened.qtbot.keyClicks(box, "parse repo:pro")
    opened.until(lambda: box._popup.isVisible())
    with opened.qtbot.waitSignal(opened.bridge.answered):
        opened.qtbot.keyClick(box._popup, Qt.Key.Key_Down)
        opened.qtbot.keyClick(box._popup, Qt.Key.Key_Return)
    assert box.text() == "parse repo:project "
    assert read(box.text()).filters.repositories == ("project",)


@pytest.mark.parametrize("question", ["mode:regex (", "lang:klingon x", "repo:nowhere x"])
def test_a_question_that_cannot_be_answered_says_why(opened: Opened, project: Path, question: str) -> None:
    opened.index(project)
    with opened.qtbot.waitSignal(opened.bridge.question_failed):
        opened.window.search.set_text(question)
    assert opened.window.search.warning.text()
    assert not opened.paths


def test_nothing_found_and_probably_nothing_are_said(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("mode:lexical zebra")
    assert opened.window.search.message.text() == "Nothing found."
    opened.ask("connection")
    hits = tuple(opened.window.search.model.hits)
    opened.window.search.show_update(SearchUpdate(Stage.RECALL, hits, 1.0, "a notice", 0.05))
    assert "a notice" in opened.window.search.warning.text()
    assert "Probably nothing" in opened.window.search.warning.text()


# Jumping


def test_enter_opens_the_answer_in_the_editor(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.window.change_settings({"editor": "custom", "editor_command": "ed --at {line} {path}"})
    opened.ask("parse a date")
    opened.qtbot.keyClick(opened.window.search.question, Qt.Key.Key_Return)
    row = opened.window.search.results.current_row()
    assert row is not None
    assert opened.started == [["ed", "--at", str(row.start_line), str(project / row.hit.path)]]
    assert 'editor = "custom"' in opened.config.read_text()


def test_an_editor_that_is_not_there_is_said_with_a_remedy(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.window.change_settings({"editor": "custom", "editor_command": "ed 'x"})
    opened.ask("parse a date")
    opened.window.search.results.open_selected()
    assert "cannot be read" in opened.window.statusBar().currentMessage()
    assert not opened.started


def test_the_code_and_its_place_are_copied(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("parse a date")
    search = opened.window.search
    search.results.setFocus()
    row = search.results.current_row()
    assert row is not None
    search.results.copy_code()
    assert QGuiApplication.clipboard().text() == row.hit.snippet
    search.results.selectAll()
    search.results.copy_place()
    places = QGuiApplication.clipboard().text().split("\n")
    assert len(places) == search.model.rowCount()
    assert places[0] == f"{project}/{row.hit.path}:{row.start_line}"


def test_similar_code_is_found_from_an_answer(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("parse a date")
    first = opened.window.search.results.current_row()
    assert first is not None
    with opened.qtbot.waitSignal(opened.bridge.answered):
        opened.window.search.results.find_similar()
    assert first.hit not in opened.window.search.model.hits
    assert "like parse_date" in opened.window.search.message.text()


def test_code_that_was_copied_finds_its_like(opened: Opened, project: Path) -> None:
    opened.index(project)
    search = opened.window.search
    # As it would be in another program: where several lines are pasted, no question is meant.
    QGuiApplication.clipboard().setText((project / "app/session.py").read_text())
    search.question.setFocus()
    with opened.qtbot.waitSignal(opened.bridge.answered):
        QTest.keyClick(search.question, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "like the copied code" in search.message.text()
    assert "app/session.py" in opened.paths
    assert search.question.text() == ""
    QGuiApplication.clipboard().setText("def parse_date(text):")
    with opened.qtbot.waitSignal(opened.bridge.answered):
        search.paste_similar.trigger()
    assert search.model.rowCount()
    QTest.keyClick(search.question, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert search.question.text() == "def parse_date(text):"
    QGuiApplication.clipboard().setText(" ")
    with opened.qtbot.waitSignal(opened.bridge.question_failed):
        search.paste_similar.trigger()
    assert "no code" in search.warning.text()


def test_the_preview_marks_what_answers_and_finds_in_the_file(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("mode:lexical close")
    preview = opened.window.search.preview
    opened.until(lambda: preview.code._spans)
    row = opened.window.search.results.current_row()
    assert row is not None
    assert preview.code._chunk == range(row.start_line, row.end_line + 1)
    lines = [preview.code.document().findBlockByNumber(n) for n in range(preview.code.blockCount())]
    assert {line.text().strip() for line in lines if preview.code.is_match(line)} == {
        "def close(self):",
        '"""Close the connection."""',
        "self.socket.close()",
    }
    assert preview.place.text().startswith("app/session.py:")
    preview.find_bar.begin()
    opened.qtbot.keyClicks(preview.find_bar.text, "parse_date")
    assert preview.code.textCursor().selectedText() == "parse_date"
    opened.qtbot.keyClicks(preview.find_bar.text, "zzz")
    assert preview.find_bar.found.text() == "not found"
    preview.find_bar.end()
    assert not preview.find_bar.isVisible()


def test_enter_opens_nothing_that_answers_another_question(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("parse a date")
    opened.window.search.set_text("push an item")
    opened.qtbot.keyClick(opened.window.search.question, Qt.Key.Key_Return)
    opened.until(lambda: opened.paths[0] == "lib/queue.go")
    assert not opened.started


def test_choosing_a_completion_opens_nothing(opened: Opened, project: Path) -> None:
    opened.index(project)
    box = opened.window.search.question
    opened.ask("parse repo:pro")
    opened.until(lambda: box._popup.isVisible())
    # Names of repositories are found by what they hold; the question is answered already.
    opened.window.search._fresh = False
    opened.qtbot.keyClick(box._popup, Qt.Key.Key_Down)
    opened.qtbot.keyClick(box._popup, Qt.Key.Key_Return)
    opened.until(lambda: box.text() == "parse repo:project ")
    assert not opened.started


def test_whoever_reads_on_in_the_preview_is_left_there(opened: Opened, tmp_path: Path) -> None:
    lines = "".join(f"    step_{n}()\n" for n in range(300))
    opened.index(write_tree(tmp_path / "long", {"a.py": f"def walk():\n{lines}"}))
    opened.ask("mode:lexical walk")
    code = opened.window.search.preview.code
    opened.until(lambda: code.toPlainText())
    code.verticalScrollBar().setValue(100)
    with opened.qtbot.waitSignal(opened.bridge.looked):
        opened.window.search.look_again()
    assert code.verticalScrollBar().value() == 100


# What changes on disk


def test_a_file_that_was_edited_is_marked_and_then_indexed_anew(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("parse a date")
    search = opened.window.search
    file = project / "app/session.py"
    text = file.read_text()
    file.write_text("# new\n" + text)
    search.look_again()
    opened.until(lambda: (row := search.results.current_row()) and row.anchor and row.anchor.state is Freshness.MOVED)
    file.write_text(text.replace("def parse_date", "def read_date"))
    search.look_again()
    opened.until(lambda: (row := search.results.current_row()) and row.anchor and row.anchor.state is Freshness.CHANGED)
    assert search.preview.state.isVisible()
    with opened.qtbot.waitSignal(opened.bridge.indexed):
        opened.window.repos.refresh.click()
    opened.ask("read date")
    opened.until(lambda: (row := search.results.current_row()) and row.anchor and row.anchor.state is Freshness.CURRENT)
    file.unlink()
    count = search.model.rowCount()
    search.look_again()
    opened.until(lambda: search.model.rowCount() < count)


# Folders


def test_what_is_saved_while_the_window_is_open_is_found(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH", "1")
    opened = open_window()
    opened.index(project)
    opened.ask("mode:lexical fresh")
    assert not opened.paths
    (project / "fresh.py").write_text("def fresh():\n    return 1\n")
    # The question is asked again once there may be another answer.
    opened.until(lambda: opened.paths == ["fresh.py"])
    (project / "fresh.py").unlink()
    opened.until(lambda: not opened.paths)


def test_folders_whose_changes_are_not_heard_of_are_named(opened: Opened, project: Path) -> None:
    repos = opened.window.repos
    opened.window.show_repos.trigger()
    opened.bridge._hear({"event": "watching", "polled": {str(project): "it is far away"}})
    assert f"Changes in {project} " in repos.polled.text()
    assert "it is far away" in repos.polled.text()
    assert repos.polled.isVisible()
    opened.bridge._hear({"event": "watching", "polled": {}})
    assert not repos.polled.isVisible()


def test_folders_are_dropped_into_the_window(opened: Opened, project: Path, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(project)), QUrl.fromLocalFile(str(tmp_path / "nowhere"))])
    drop = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with opened.qtbot.waitSignal(opened.bridge.indexed):
        opened.window.dropEvent(drop)
    opened.until(lambda: [s.repository.root for s in opened.window.repos.shown()] == [project])


def test_a_repository_is_forgotten(opened: Opened, project: Path, tmp_path: Path) -> None:
    opened.index(project, write_tree(tmp_path / "other", SMALL_PROJECT))
    with opened.qtbot.waitSignal(opened.bridge.removed):
        opened.window.repos.removes.emit("other")
    opened.until(lambda: [s.repository.name for s in opened.window.repos.shown()] == ["project"])
    assert (tmp_path / "other/app/session.py").exists()


def test_one_repository_or_all_are_paused(opened: Opened, project: Path) -> None:
    opened.index(project)
    repos = opened.window.repos
    repos.pause.click()
    assert repos.table.row(0)[1] == "paused"
    repos.pause.click()
    assert repos.table.row(0)[1] == "ready"
    repos.pause_all.click()
    assert repos.table.row(0)[1] == "paused"
    assert not repos.pause.isEnabled()
    write_tree(project, {"new.py": "def fresh():\n    pass\n"})
    repos.refresh.click()
    opened.qtbot.wait(300)
    opened.ask("mode:lexical fresh")
    assert not opened.paths
    with opened.qtbot.waitSignal(opened.bridge.indexed):
        repos.pause_all.click()
    opened.ask("mode:lexical fresh")
    assert opened.paths == ["new.py"]


def test_what_was_left_out_is_shown_with_its_reason(opened: Opened, project: Path) -> None:
    write_tree(project, {"empty.py": ""})
    opened.index(project)
    opened.window.repos.skipped.click()
    opened.until(lambda: opened.window.findChildren(SkippedDialog))
    (dialog,) = opened.window.findChildren(SkippedDialog)
    rows = [dialog.shown.index(n, 0).data() for n in range(dialog.shown.rowCount())]
    assert "empty.py" in rows
    dialog.filter.setText("no such thing")
    assert dialog.shown.rowCount() == 0
    dialog.close()


def test_a_folder_that_cannot_be_indexed_is_said(opened: Opened, tmp_path: Path) -> None:
    with opened.qtbot.waitSignal(opened.bridge.failed):
        opened.window.add_folders([tmp_path / "nowhere"])
    assert "nowhere" in opened.window.repos.faults.text()


# Settings, bugs, and the next start


def test_settings_are_changed_kept_and_in_effect(opened: Opened) -> None:
    opened.window.open_settings()
    (dialog,) = opened.window.findChildren(SettingsDialog)
    assert dialog.changes() == {}
    theme: Any = dialog.controls["theme"]
    theme.setCurrentIndex(theme.findData("dark"))
    dialog.accept()
    assert 'theme = "dark"' in opened.config.read_text()
    assert opened.window.palette().window().color().lightness() < 60


def test_every_control_of_the_window_has_a_name(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.window.open_settings()
    for widget in opened.window.findChildren(QLabel):
        assert widget.textFormat() is Qt.TextFormat.PlainText or not widget.text().count("<"), widget.text()
    nameless = [
        type(w).__name__
        for w in QApplication.allWidgets()
        if w.isVisible() and w.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(w, QDialog)
        if not (w.accessibleName() or getattr(w, "text", str)())
    ]
    assert set(nameless) <= {"QTabBar", "QTabWidget", "QLineEdit"}


def test_a_bug_is_shown_with_a_report_and_the_window_stays(opened: Opened) -> None:
    opened.window.show_failure(Failure("oh", "", "Traceback: oh"))
    (dialog,) = opened.window.findChildren(ReportDialog)
    dialog.copy.click()
    assert "Traceback: oh" in QGuiApplication.clipboard().text()
    dialog.close()
    assert opened.window.isVisible()


def test_the_next_start_finds_all_as_it_was(open_window: Open, project: Path) -> None:
    first = open_window()
    first.index(project)
    first.ask("parse a date")
    first.window.search.results.open_selected()
    first.window.resize(760, 555)
    first.window.search.splitter.setSizes([250, 450])
    before = first.window.size(), first.window.search.splitter.sizes()
    first.window.close()
    second = open_window()
    assert second.window.size() == before[0]
    second.until(lambda: [s.repository.name for s in second.window.repos.shown()] == ["project"])
    assert second.window.search.past.history.asked == ["parse a date"]
    second.window.search.past.fill()
    asked = [a for a in second.window.search.past.menu().actions() if a.data() == "parse a date"]
    with second.qtbot.waitSignal(second.bridge.answered):
        asked[0].trigger()
    assert second.paths[0] == "app/session.py"
    assert second.window.search.splitter.sizes() == before[1]


def test_closing_while_indexing_is_quick_and_loses_nothing(open_window: Open, tmp_path: Path) -> None:
    many = {f"m{n}.py": f"def paint_{n}(wall_{n}):\n    return wall_{n}\n" for n in range(600)}
    first = open_window()
    with first.qtbot.waitSignal(first.bridge.progress):
        first.window.add_folders([write_tree(tmp_path / "many", many)])
    first.window.close()
    second = open_window()
    with second.qtbot.waitSignal(second.bridge.indexed, timeout=30_000):
        second.bridge.index([])
    second.ask("mode:lexical paint_599")
    assert second.paths[0] == "m599.py"


def test_an_indexing_process_that_dies_is_started_again(opened: Opened, project: Path) -> None:
    opened.index(project)
    process = opened.bridge._service._process
    assert process is not None
    with opened.qtbot.waitSignals([opened.bridge.failed, opened.bridge.indexed]):
        process.kill()
    assert "ended unexpectedly" in opened.window.statusBar().currentMessage()


def test_the_context_menu_offers_all_that_can_be_done(opened: Opened, project: Path) -> None:
    opened.index(project)
    opened.ask("parse a date")
    opened.window.search.results._menu(QPoint(5, 5))
    menu = QApplication.activePopupWidget()
    assert menu is not None
    assert len(menu.actions()) == 5
    menu.close()


def test_the_tray_says_how_far_it_is_and_pauses(opened: Opened, project: Path) -> None:
    opened.index(project)
    tray = opened.window._put_in_tray()
    tray.show_progress({"done": 1, "total": 4})
    assert "25 %" in tray.toolTip()
    tray.show_working("idle")
    assert tray.toolTip() == "SPENCER"
    tray.pause.trigger()
    tray.name_pause()
    assert opened.window.repos.table.row(0)[1] == "paused"
    assert tray.pause.text() == "Resume indexing"
    opened.window._tray = tray
    opened.window.close()
    assert opened.window.isHidden()
    tray.shows.emit()
    assert opened.window.isVisible()
    opened.window._tray = None
    tray.hide()
