"""What stands in place of answers before anything is asked, or indexed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from spencer_desktop.gui.bridge import Opened


class Welcome(QWidget):
    """Explains the first steps."""

    wants_folder = Signal()
    asks = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        title = _label(self.tr("Ask your own code a question"), "title")
        self.lead = _label("", "dim")
        self.add = QPushButton(self.tr("Add a folder…"))
        self.add.setObjectName("primary")
        self.add.clicked.connect(self.wants_folder)
        self.drop = _label(self.tr("or drop one anywhere in this window"), "dim")
        self.try_one = _label(self.tr("Try one of these:"), "dim")
        self.examples = [self._example(words) for words in self._questions()]
        self.models = _label("", "dim")
        page = QVBoxLayout(self)
        page.setAlignment(Qt.AlignmentFlag.AlignCenter)
        page.setSpacing(10)
        for widget in (title, self.lead, self.add, self.drop, self.try_one, *self.examples, self.models):
            page.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        self.show_state(repositories=0)

    def _questions(self) -> list[str]:
        # The models understand English best, in whatever language the window is.
        return ["where are settings read from a file", "how is an error shown to the user", "parse a date"]

    def _example(self, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setFlat(False)
        button.setProperty("question", words)
        button.clicked.connect(self._ask)
        return button

    @Slot()
    def _ask(self) -> None:
        self.asks.emit(self.sender().property("question"))

    def show_state(self, *, repositories: int) -> None:
        """Before the first folder: how to add one. After: what may be asked."""
        none = repositories == 0
        self.lead.setText(
            self.tr("In plain language. Everything stays on this machine: no account, no server, no network.")
            if none
            else self.tr("%n folder(s) can be searched. Type above, or", "", repositories)
        )
        self.add.setVisible(none)
        self.drop.setVisible(none)
        self.try_one.setText(self.tr("Then ask, for example:") if none else self.tr("try one of these:"))
        for example in self.examples:
            example.setEnabled(not none)

    def show_models(self, opened: Opened) -> None:
        self.models.setText(self.tr("Model pack {0}, {1}").format(opened.pack, opened.device))


def _label(words: str, name: str) -> QLabel:
    label = QLabel(words)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
