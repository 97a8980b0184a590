"""The one box: a line to type in whose filters are completed, and stand below it as chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QStringListModel, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QListView, QToolButton, QWidget

from spencer_desktop.core.types import Filters
from spencer_desktop.gui.question import Asked, Completion, completions, named, read, without_filter


class QuestionBox(QLineEdit):
    """Up and down leave it for the answers while no completion is open."""

    wants_answers = Signal()
    pastes_code = Signal()
    """Several lines were to be pasted: no question, but code to find the like of."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("question")
        self.setClearButtonEnabled(True)
        # A folder that is dropped here is meant for the window.
        self.setAcceptDrops(False)
        self.setPlaceholderText(self.tr("Ask your code: how are redirects followed"))
        self.setAccessibleName(self.tr("Question"))
        self.known: Mapping[str, Sequence[str]] = {}
        self._found: list[Completion] = []
        self._words = QStringListModel(self)
        self._completer = QCompleter(self._words, self)
        self._completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self._completer.setWidget(self)
        self._popup = QListView()
        self._completer.setPopup(self._popup)
        self._completer.activated.connect(self._complete)
        self.textEdited.connect(self._offer)

    def asked(self) -> Asked:
        return read(self.text())

    @Slot()
    def _offer(self) -> None:
        self._found = completions(self.text(), self.cursorPosition(), self.known)
        typed = self.text()[self._found[0].start : self._found[0].end] if self._found else ""
        if not self._found or [c.text for c in self._found] == [typed]:
            self._popup.hide()
            return
        self._words.setStringList([completion.text for completion in self._found])
        self._completer.complete()

    @Slot(str)
    def _complete(self, words: str) -> None:
        found = next((c for c in self._found if c.text == words), None)
        if found is None:
            return
        rest = self.text()[found.end :]
        # After a value a new word begins; after a name its value.
        gap = "" if words.endswith(":") or rest.startswith(" ") else " "
        self.setText(f"{self.text()[: found.start]}{words}{gap}{rest}")
        self.setCursorPosition(found.start + len(words) + len(gap))
        self.textEdited.emit(self.text())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        choosing = self._popup.isVisible()
        if event.matches(QKeySequence.StandardKey.Paste) and "\n" in QGuiApplication.clipboard().text().strip():
            self.pastes_code.emit()
            return
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_PageDown) and not choosing:
            self.wants_answers.emit()
            return
        if choosing and self._popup.currentIndex().isValid() and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            # It chooses the completion, and asks nothing.
            event.ignore()
            return
        super().keyPressEvent(event)


class Chips(QWidget):
    """A button for each filter that stands in the box; pressing it takes the filter away."""

    changed = Signal(object)
    """The `Asked` that is left."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = Asked("")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)
        self._row.addStretch()
        self.hide()

    def show_filters(self, asked: Asked) -> None:
        if asked.filters != self._asked.filters:
            while self._row.count() > 1:
                item = self._row.takeAt(0)
                if item and (widget := item.widget()):
                    widget.deleteLater()
            for name, value in named(asked.filters):
                self._row.insertWidget(self._row.count() - 1, self._chip(name, value))
        self._asked = asked
        self.setVisible(asked.filters != Filters())

    def _chip(self, name: str, value: str) -> QToolButton:
        chip = QToolButton()
        chip.setObjectName("chip")
        # Two of them are one that is seen; one alone is an accelerator's mark.
        chip.setText(f"{name}: {value}  ×".replace("&", "&&"))
        chip.setAccessibleName(self.tr("Remove the filter {0}").format(f"{name}: {value}"))
        chip.setToolTip(self.tr("Remove this filter"))
        chip.setProperty("filter", (name, value))
        chip.clicked.connect(self._remove)
        return chip

    @Slot()
    def _remove(self) -> None:
        name, value = self.sender().property("filter")
        asked = self._asked
        self.changed.emit(Asked(asked.text, without_filter(asked.filters, name, value), asked.mode))
