"""Paints one answer in two lines: what it is, and where it stands and why it was found. Text is only ever text."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from spencer_desktop.core.freshness import Freshness
from spencer_desktop.core.types import Evidence
from spencer_desktop.gui.results_model import Row, RowRole, lines_of
from spencer_desktop.gui.style import Theme

_MARGIN, _GAP = 10, 8


class ResultDelegate(QStyledItemDelegate):
    """Needs the role `RowRole`."""

    def __init__(self, theme: Theme, code: QFont) -> None:
        super().__init__()
        self._theme = theme
        self._code = code

    def restyle(self, theme: Theme, code: QFont) -> None:
        self._theme, self._code = theme, code

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        height = QFontMetrics(self._code).height() + QFontMetrics(option.font).height()
        return QSize(200, height + 2 * _MARGIN)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: Row = index.data(RowRole)
        theme = self._theme
        rect: QRect = option.rect
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(theme.selection))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), QColor(theme.accent))
        painter.setPen(QColor(theme.border))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        inner = rect.adjusted(_MARGIN + 4, _MARGIN - 2, -_MARGIN, -_MARGIN + 2)
        upper, lower = QRect(inner), QRect(inner)
        upper.setHeight(QFontMetrics(self._code).height())
        lower.setTop(upper.bottom() + 4)
        self._what(painter, upper, row)
        self._where(painter, lower, row, option.font)
        painter.restore()

    def _what(self, painter: QPainter, rect: QRect, row: Row) -> None:
        """The symbol, then its signature."""
        bold = QFont(self._code)
        bold.setBold(True)
        name = row.hit.symbol or (self.tr("lines") if row.hit.kind == "window" else row.hit.kind)
        _draw(painter, rect, name, bold, self._theme.text)
        _draw(painter, rect, row.hit.signature, self._code, self._theme.dim)

    def _where(self, painter: QPainter, rect: QRect, row: Row, font: QFont) -> None:
        """On the right why, on the left where."""
        theme = self._theme
        for words, color in reversed(self._reasons(row.hit.evidence)):
            _draw(painter, rect, words, font, color, right=True)
        if row.anchor and row.anchor.state is not Freshness.CURRENT:
            _draw(painter, rect, f"● {self._freshness(row.anchor.state)}", font, theme.warning, right=True)
        place = f"{row.hit.path}:{lines_of(row.start_line, row.end_line)}"
        rest = f"{row.hit.repository} · {row.hit.language}"
        width = QFontMetrics(font).horizontalAdvance(rest) + _GAP
        shown = QRect(rect)
        if rect.width() > 2 * width:
            shown.setRight(rect.right() - width)
        _draw(painter, shown, place, font, theme.accent, middle=True)
        rect.setLeft(shown.left())
        _draw(painter, rect, rest, font, theme.dim)

    def _freshness(self, state: Freshness) -> str:
        return self.tr("moved") if state is Freshness.MOVED else self.tr("changed")

    def _reasons(self, evidence: Evidence) -> list[tuple[str, str]]:
        """(words, color): by meaning, by words, and whether it was read again."""
        found = []
        if evidence.pending:
            found.append((self.tr("not encoded yet"), self._theme.warning))
        if evidence.cosine is not None:
            found.append((self.tr("meaning {0}").format(f"{max(evidence.cosine, 0.0):.0%}"), self._theme.dim))
        if evidence.bm25 > 0:
            found.append((self.tr("words {0}").format(f"{evidence.bm25:.1f}"), self._theme.dim))
        if evidence.logit is not None:
            found.append((self.tr("read again"), self._theme.good))
        return found


def _draw(
    painter: QPainter, rect: QRect, text: str, font: QFont, color: str, *, right: bool = False, middle: bool = False
) -> None:
    """Draws on one line, elided, and takes the room that it needed from `rect`."""
    if rect.width() < _GAP or not text:
        return
    metrics = QFontMetrics(font)
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    shown = metrics.elidedText(_one_line(text), mode, rect.width())
    painter.setFont(font)
    painter.setPen(QColor(color))
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, shown)
    taken = metrics.horizontalAdvance(shown) + _GAP
    if right:
        rect.setRight(rect.right() - taken)
    else:
        rect.setLeft(rect.left() + taken)


def _one_line(text: str) -> str:
    """Names may hold line breaks and what else is not to be seen."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
