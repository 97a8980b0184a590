"""The menu of what was asked, and of what is kept."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLineEdit, QMenu, QToolButton

from spencer_desktop.gui.history import History

_SHOWN = 15
_SHOWN_CHARS = 80


class HistoryButton(QToolButton):
    asks = Signal(str)

    def __init__(self, history: History, question: QLineEdit) -> None:
        """`question` is what can be kept."""
        super().__init__()
        self.history = history
        self._question = question
        self.setText(self.tr("History"))
        self.setAccessibleName(self.tr("History and saved questions"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self.fill)
        self.setMenu(self._menu)

    @Slot()
    def fill(self) -> None:
        menu, history = self._menu, self.history
        menu.clear()
        text = self._question.text().strip()
        saved = text in history.saved
        keep = menu.addAction(self.tr("Forget this question") if saved else self.tr("Save this question"))
        keep.setEnabled(bool(text))
        keep.triggered.connect(self._keep)
        for title, questions in ((self.tr("Saved"), history.saved), (self.tr("Asked"), history.asked)):
            menu.addSection(title)
            for question in questions[:_SHOWN]:
                action = menu.addAction(question[:_SHOWN_CHARS].replace("&", "&&"))
                action.setData(question)
                action.triggered.connect(self._ask)
        menu.addSeparator()
        menu.addAction(self.tr("Clear history")).triggered.connect(self._forget)

    @Slot()
    def _ask(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.asks.emit(action.data())

    @Slot()
    def _keep(self) -> None:
        text = self._question.text().strip()
        self.history.save(text, kept=text not in self.history.saved)

    @Slot()
    def _forget(self) -> None:
        self.history.forget()
