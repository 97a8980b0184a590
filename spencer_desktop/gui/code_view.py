"""Read-only code with line numbers, colors that are laid out as lines come into sight, and marked lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from pygments.styles import get_style_by_name
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from spencer_desktop.gui.coloring import Span
from spencer_desktop.gui.style import Theme

_TAB_COLUMNS = 4


class CodeView(QPlainTextEdit):
    """Shows part of a file; lines are counted as in the file, from 1."""

    def __init__(self, theme: Theme, code: QFont) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        # The cursor is needed to select by keyboard.
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._first_line = 1
        self._chunk = range(0)
        self._is_match: Callable[[str], bool] = lambda text: False
        self._matches: dict[int, bool] = {}
        self._spans: Sequence[Sequence[Span]] = ()
        self._colored: set[int] = set()
        self._numbers = _LineNumbers(self)
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._scroll_numbers)
        self.restyle(theme, code)

    def restyle(self, theme: Theme, code: QFont) -> None:
        self._theme = theme
        self._format = _formats(theme.code)
        self.setFont(code)
        option = QTextOption()
        option.setTabStopDistance(QFontMetricsF(code).horizontalAdvance(" ") * _TAB_COLUMNS)
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        self.document().setDefaultTextOption(option)
        self._colored.clear()
        self._make_room()
        self.viewport().update()

    def show_text(self, text: str, first_line: int) -> None:
        """`text` is `displayable` and begins at `first_line` of the file."""
        self._first_line = first_line
        self._spans, self._colored = (), set()
        self.mark(range(0), lambda text: False)
        self.setPlainText(text)
        self._make_room()

    def color(self, spans: Sequence[Sequence[Span]]) -> None:
        """Colors of the lines that are shown, in their order."""
        self._spans, self._colored = spans, set()
        self.viewport().update()

    def mark(self, chunk: range, is_match: Callable[[str], bool]) -> None:
        """Lines of the file that answer; `is_match` says of the text of one whether it holds words of the question."""
        self._chunk, self._is_match, self._matches = chunk, is_match, {}
        self.viewport().update()

    def is_match(self, block: QTextBlock) -> bool:
        """Found out when the line comes into sight: a chunk may be as long as its file."""
        number = block.blockNumber()
        if number not in self._matches:
            self._matches[number] = number + self._first_line in self._chunk and self._is_match(block.text())
        return self._matches[number]

    def go_to(self, line: int) -> None:
        """Shows a line of the file a third from the top."""
        block = self.document().findBlockByNumber(max(0, line - self._first_line))
        cursor = self.textCursor()
        cursor.setPosition(block.position())
        self.setTextCursor(cursor)
        rows = max(1, round(self.viewport().height() / max(1.0, self.blockBoundingRect(block).height())))
        self.verticalScrollBar().setValue(max(0, block.blockNumber() - rows // 3))
        self.horizontalScrollBar().setValue(0)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        block = self.firstVisibleBlock()
        width = self.viewport().width()
        while block.isValid():
            top = self.blockBoundingGeometry(block).translated(self.contentOffset()).toAlignedRect()
            if top.top() > event.rect().bottom():
                break
            line = block.blockNumber() + self._first_line
            if line in self._chunk:
                color = self._theme.match if self.is_match(block) else self._theme.chunk
                painter.fillRect(QRect(0, top.top(), width, top.height()), QColor(color))
            self._lay_out(block)
            block = block.next()
        painter.end()
        super().paintEvent(event)

    def _lay_out(self, block: QTextBlock) -> None:
        number = block.blockNumber()
        if number in self._colored or number >= len(self._spans):
            return
        self._colored.add(number)
        ranges = []
        for span in self._spans[number]:
            piece = QTextLayout.FormatRange()
            piece.start, piece.length, piece.format = span.start, span.length, self._format(span.kind)
            ranges.append(piece)
        block.layout().setFormats(ranges)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        inner = self.contentsRect()
        self._numbers.setGeometry(QRect(inner.left(), inner.top(), self._numbers.width_needed(), inner.height()))

    def _make_room(self) -> None:
        self.setViewportMargins(self._numbers.width_needed(), 0, 0, 0)
        inner = self.contentsRect()
        self._numbers.setGeometry(QRect(inner.left(), inner.top(), self._numbers.width_needed(), inner.height()))

    def _scroll_numbers(self, rect: QRect, dy: int) -> None:
        if dy:
            self._numbers.scroll(0, dy)
        else:
            self._numbers.update(0, rect.y(), self._numbers.width(), rect.height())

    def paint_numbers(self, event: QPaintEvent) -> None:
        """Called by the column beside the text."""
        painter = QPainter(self._numbers)
        painter.fillRect(event.rect(), QColor(self._theme.surface))
        painter.setFont(self.font())
        block = self.firstVisibleBlock()
        while block.isValid():
            rect = self.blockBoundingGeometry(block).translated(self.contentOffset()).toAlignedRect()
            if rect.top() > event.rect().bottom():
                break
            line = block.blockNumber() + self._first_line
            painter.setPen(QColor(self._theme.accent if line in self._chunk else self._theme.dim))
            place = QRect(0, rect.top(), self._numbers.width() - 10, rect.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(line))
            block = block.next()

    def last_line(self) -> int:
        return self._first_line + self.blockCount() - 1


class _LineNumbers(QWidget):
    def __init__(self, view: CodeView) -> None:
        super().__init__(view)
        self._view = view

    def width_needed(self) -> int:
        digits = max(3, len(str(self._view.last_line())))
        return 22 + self._view.fontMetrics().horizontalAdvance("9") * digits

    def sizeHint(self) -> QSize:
        return QSize(self.width_needed(), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._view.paint_numbers(event)


def _formats(style_name: str) -> Any:
    """Pygments token type → QTextCharFormat, in the colors of one of its styles."""
    style = get_style_by_name(style_name)

    @cache
    def of(kind: Any) -> QTextCharFormat:
        wanted = style.style_for_token(kind)
        made = QTextCharFormat()
        if wanted["color"]:
            made.setForeground(QColor(f"#{wanted['color']}"))
        if wanted["bold"]:
            made.setFontWeight(QFont.Weight.Bold)
        if wanted["italic"]:
            made.setFontItalic(True)
        return made

    return of
