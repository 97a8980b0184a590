"""The file around a hit: read from disk, colored, with what answers marked, and a search within it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFont, QKeySequence, QShortcut, QTextDocument
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from spencer_desktop.core.freshness import Anchor, Freshness
from spencer_desktop.core.text import terms
from spencer_desktop.core.types import Hit
from spencer_desktop.gui.code_view import CodeView
from spencer_desktop.gui.coloring import Span, displayable
from spencer_desktop.gui.results_model import Row, lines_of
from spencer_desktop.gui.style import Theme

# Of a file so many lines before and after the hit are shown: enough to read around, and never slow.
_AROUND = 1_500


class Preview(QWidget):
    """Shows one hit at a time."""

    wants_colors = Signal(str, str, str)
    """(text, language, path): answered by `color`."""

    def __init__(self, theme: Theme, code: QFont) -> None:
        super().__init__()
        self._content: tuple[Hit, Anchor, frozenset[str]] | None = None
        self._shown = ""
        self.place = QLabel()
        self.place.setTextFormat(Qt.TextFormat.PlainText)
        self.place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        # A long path must not make the window wider.
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setObjectName("warning")
        self.code = CodeView(theme, code)
        self.code.setAccessibleName(self.tr("Code of the selected answer"))
        self._empty = QLabel(self.tr("Select an answer to read it here."))
        self._empty.setObjectName("dim")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.find_bar = FindBar(self.code)
        self._lay_out()
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.setContext(Qt.ShortcutContext.WindowShortcut)
        find.activated.connect(self.find_bar.begin)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(4, 0, 4, 4)
        top.addWidget(self.place, 1)
        top.addWidget(self.state)
        page = QWidget()
        inner = QVBoxLayout(page)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addLayout(top)
        inner.addWidget(self.code, 1)
        inner.addWidget(self.find_bar)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)

    def restyle(self, theme: Theme, code: QFont) -> None:
        self.code.restyle(theme, code)

    def clear(self) -> None:
        self._content = None
        self._pages.setCurrentIndex(0)

    def show_hit(self, hit: Hit, anchor: Anchor, words: frozenset[str]) -> None:
        """The file as it is now; lines that hold one of the stemmed `words` are marked.

        Whoever is reading the very same is left where they are.
        """
        if (hit, anchor, words) == self._content and self._pages.currentIndex():
            return
        self._content = (hit, anchor, words)
        lines = displayable(anchor.text).split("\n")
        first = max(1, anchor.start_line - _AROUND)
        shown = lines[first - 1 : anchor.end_line + _AROUND]
        self._shown = "\n".join(shown)
        self.code.show_text(self._shown, first)
        changed = anchor.state is Freshness.CHANGED
        chunk = range(0) if changed else range(anchor.start_line, anchor.end_line + 1)
        self.code.mark(chunk, lambda line: not words.isdisjoint(terms(line)))
        self.code.go_to(anchor.start_line if changed else Row(hit, anchor).answer_line)
        self.place.setText(f"{hit.path}:{lines_of(anchor.start_line, anchor.end_line)}")
        current = anchor.state is Freshness.CURRENT
        moved = self.tr("This code has moved since it was indexed.")
        self.state.setText(self.tr("This code has changed since it was indexed.") if changed else moved)
        self.state.setVisible(not current)
        self._pages.setCurrentIndex(1)
        self.wants_colors.emit(self._shown, hit.language, hit.path)

    @Slot(str, object)
    def color(self, text: str, spans: Sequence[Sequence[Span]]) -> None:
        """The colors of `text`, if that is still what is shown."""
        if text == self._shown:
            self.code.color(spans)


class FindBar(QWidget):
    """Finds text in the code that is shown."""

    def __init__(self, code: CodeView) -> None:
        super().__init__()
        self._code = code
        self.text = QLineEdit()
        self.text.setPlaceholderText(self.tr("Find in this file"))
        self.text.setAccessibleName(self.tr("Find in this file"))
        self.found = QLabel()
        self.found.setObjectName("dim")
        self._previous = _button("↑", self.tr("Previous match"))
        self._next = _button("↓", self.tr("Next match"))
        close = _button("×", self.tr("Close"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.text, self.found, self._previous, self._next, close):
            row.addWidget(widget)
        self.text.textChanged.connect(self._search_again)
        self.text.returnPressed.connect(self.next)
        self._next.clicked.connect(self.next)
        self._previous.clicked.connect(self.previous)
        close.clicked.connect(self.end)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(self.end)
        self.hide()

    @Slot()
    def begin(self) -> None:
        if not self._code.isVisible():
            return
        self.show()
        self.text.setFocus()
        self.text.selectAll()

    @Slot()
    def end(self) -> None:
        self.hide()
        self._code.setFocus()

    @Slot()
    def next(self) -> None:
        self._find(QTextDocument.FindFlag(0))

    @Slot()
    def previous(self) -> None:
        self._find(QTextDocument.FindFlag.FindBackward)

    @Slot()
    def _search_again(self) -> None:
        cursor = self._code.textCursor()
        cursor.setPosition(cursor.selectionStart())
        self._code.setTextCursor(cursor)
        self.next()

    def _find(self, flags: QTextDocument.FindFlag) -> None:
        wanted = self.text.text()
        if not wanted:
            self.found.clear()
            return
        code = self._code
        if code.find(wanted, flags):
            self.found.clear()
            return
        # Once more from the other end.
        before = code.textCursor()
        backward = bool(flags & QTextDocument.FindFlag.FindBackward)
        code.moveCursor(before.MoveOperation.End if backward else before.MoveOperation.Start)
        if not code.find(wanted, flags):
            code.setTextCursor(before)
            self.found.setText(self.tr("not found"))
            return
        self.found.setText(self.tr("from the other end"))


def _button(sign: str, name: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setToolTip(name)
    button.setAccessibleName(name)
    return button
