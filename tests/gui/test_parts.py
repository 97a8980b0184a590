"""Parts of the window on their own: history, colors, one instance, how a list changes its order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPersistentModelIndex
from pytestqt.qtbot import QtBot

from spencer_desktop.core.freshness import Anchor, Freshness
from spencer_desktop.core.types import Hit
from spencer_desktop.gui.app import Catcher, SingleInstance
from spencer_desktop.gui.coloring import displayable, spans
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.history import History
from spencer_desktop.gui.results_model import ResultsModel


def test_history_keeps_each_question_once_and_the_last_form_of_it(tmp_path: Path) -> None:
    path = tmp_path / "data/history.json"
    history = History(path)
    for question in ("parse", "parse a", "parse a date", "open", "parse a date", " "):
        history.ask(question)
    history.save("open", kept=True)
    again = History(path)
    assert (again.asked, again.saved) == (["parse a date", "open"], ["open"])
    again.save("open", kept=False)
    again.forget()
    assert (History(path).asked, History(path).saved) == ([], [])


@pytest.mark.parametrize("text", ["", "[]", '{"asked": 1, "saved": []}', "\0"])
def test_a_history_that_cannot_be_read_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "h.json").write_text(text)
    assert History(tmp_path / "h.json").asked == []


@given(st.text(max_size=60))
def test_what_is_displayed_has_the_lines_of_the_index(text: str) -> None:
    shown = displayable(text)
    assert shown.count("\n") == text.count("\n")
    assert len(shown.splitlines()) <= shown.count("\n") + 1


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=80), st.sampled_from(["python", "go", "nothing"]))
def test_colors_lie_within_their_lines(text: str, language: str) -> None:
    shown = displayable(text)
    found = spans(shown, language, "a.unknown")
    lines = shown.split("\n")
    assert len(found) == len(lines)
    for line, pieces in zip(lines, found, strict=True):
        units = len(line.encode("utf-16-le")) // 2
        assert all(p.start >= 0 and p.length > 0 and p.start + p.length <= units for p in pieces)


def test_code_is_colored_by_its_language_or_its_name() -> None:
    assert [len(line) > 0 for line in spans("def f():\n\n    return 1", "python", "")] == [True, False, True]
    assert any(spans("FROM debian", "unheard of", "Dockerfile"))
    assert not any(spans("x = 1 " * 1000, "python", ""))


def hit(number: int) -> Hit:
    return Hit(number, 1.0, "r", "/r", f"{number}.py", 1, 2, "python", "function", f"f{number}", "", "", 1)


def test_a_list_changes_its_order_and_what_is_held_stays_held() -> None:
    model = ResultsModel()
    model.show([hit(n) for n in range(4)])
    held = QPersistentModelIndex(model.index(3))
    model.anchor(hit(3), Anchor(Freshness.MOVED, 5, 6, "text"))
    model.reorder([hit(n) for n in (3, 1, 0, 2)])
    assert held.row() == 0
    assert (model.row(0).start_line, model.row(0).anchor.text if model.row(0).anchor else None) == (5, "")
    model.anchor(hit(1), Anchor(Freshness.GONE, 1, 2, ""))
    assert [h.chunk_id for h in model.hits] == [3, 0, 2]
    model.reorder([hit(9)])
    assert (model.rowCount(), held.isValid()) == (1, False)


def test_a_second_start_hands_its_folders_to_the_first(qtbot: QtBot, tmp_path: Path) -> None:
    first, second, other = (SingleInstance(tmp_path / name) for name in ("a", "a", "b"))
    assert not first.hand_over([])
    assert not other.hand_over([])
    with qtbot.waitSignal(first.called) as heard:
        # As another process would, which waits for an answer.
        second._hand_to_first([tmp_path / "x"], wait=False)
    assert heard.args == [[tmp_path / "x"]]
    first.close()
    other.close()


_START = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from spencer_desktop.gui.app import SingleInstance

app = QCoreApplication([])
instance = SingleInstance(Path(sys.argv[1]))
heard = []
instance.called.connect(lambda paths: heard.extend(paths))
instance.called.connect(lambda _: len(heard) == 3 and QTimer.singleShot(200, app.quit))
if instance.hand_over([Path(sys.argv[2])]):
    print("handed over")
else:
    QTimer.singleShot(20_000, app.quit)
    app.exec()
    instance.close()
    print(len(heard))
"""


def test_of_several_that_start_at_once_one_is_the_first_and_hears_all_others(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", _START, str(tmp_path), f"/folder/{n}"] for n in range(4)]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    said = sorted(start.communicate(timeout=60)[0].strip() for start in starts)
    assert said == ["3", *["handed over"] * 3]


_BROKEN = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QMessageBox
from spencer_desktop.core.settings import load_settings
from spencer_desktop.gui.app import run

QMessageBox.exec = lambda box: print(box.text())
run(lambda: load_settings(file=Path(sys.argv[1])), [])
"""


def test_settings_that_cannot_be_read_are_told_where_no_terminal_is(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("theme = 'green'\n")
    ended = subprocess.run([sys.executable, "-c", _BROKEN, str(file)], capture_output=True, text=True, timeout=60)
    assert "theme = 'green' is not 'system' or 'light' or 'dark'" in ended.stdout
    assert "UserError" in ended.stderr


def test_what_nobody_caught_reaches_the_window(qtbot: QtBot, capsys: pytest.CaptureFixture[str]) -> None:
    catcher = Catcher()
    error = ZeroDivisionError("of the test")
    with qtbot.waitSignal(catcher.caught) as heard:
        catcher.catch(ZeroDivisionError, error, None)
    (failure,) = heard.args or [None]
    assert isinstance(failure, Failure)
    assert "ZeroDivisionError: of the test" in failure.details
    assert "ZeroDivisionError" in capsys.readouterr().err
