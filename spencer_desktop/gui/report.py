"""What is shown of a bug: what happened, what was kept, and a report that can be copied. Nothing is sent anywhere."""

from __future__ import annotations

import platform

import PySide6
from PySide6.QtCore import Qt, Slot, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from spencer_desktop import __version__
from spencer_desktop.gui.failure import Failure


class ReportDialog(QDialog):
    def __init__(self, failure: Failure, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Something went wrong"))
        self.resize(720, 420)
        self.report = report_of(failure)
        said = QLabel(failure.message)
        said.setTextFormat(Qt.TextFormat.PlainText)
        said.setObjectName("error")
        said.setWordWrap(True)
        kept = QLabel(
            self.tr(
                "This is a mistake in the program. Your files are untouched, and the index keeps what was finished; "
                "you can go on working. The report below names no contents of your files, but may name their paths."
            )
        )
        kept.setWordWrap(True)
        text = QPlainTextEdit(self.report)
        text.setReadOnly(True)
        text.setAccessibleName(self.tr("Report"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton(self.tr("Copy report"), QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        page = QVBoxLayout(self)
        for widget in (said, kept, text, buttons):
            page.addWidget(widget)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report)


def report_of(failure: Failure) -> str:
    """What whoever mends it needs to know."""
    about = f"SPENCER {__version__}, Python {platform.python_version()}, PySide6 {PySide6.__version__}, Qt {qVersion()}"
    return f"{about}\n{platform.platform()}\n\n{failure.message}\n\n{failure.details}".rstrip() + "\n"
