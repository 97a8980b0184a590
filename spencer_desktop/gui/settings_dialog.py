"""The settings, made of their one declaration: a page for each group, a control for each type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from spencer_desktop.core.settings import GROUPS, Settings, declared
from spencer_desktop.gui.bridge import Opened
from spencer_desktop.gui.modes import mode_titles


class SettingsDialog(QDialog):
    """Says what was changed when it is accepted."""

    changed = Signal(object)
    """dict: name → new value, of those that differ."""

    def __init__(self, settings: Settings, opened: Opened | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        self.setMinimumWidth(620)
        self._settings = settings
        self.controls: dict[str, QWidget] = {}
        self._read: dict[str, Callable[[], Any]] = {}
        tabs = QTabWidget()
        for group in GROUPS:
            tabs.addTab(self._page(group, opened), self._group_title(group))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        page = QVBoxLayout(self)
        page.addWidget(tabs)
        page.addWidget(buttons)

    def _page(self, group: str, opened: Opened | None) -> QWidget:
        page = QWidget()
        # The rows keep their height, or they would be drawn apart.
        outer = QVBoxLayout(page)
        rows = QGridLayout()
        outer.addLayout(rows)
        outer.addStretch()
        rows.setColumnStretch(1, 1)
        rows.setHorizontalSpacing(16)
        rows.setVerticalSpacing(3)
        for field in declared():
            if field.metadata["group"] == group:
                control = self._control(field)
                control.setAccessibleName(self._title(field.name))
                control.setAccessibleDescription(help_of(field))
                _add(rows, self._title(field.name), control, _help(help_of(field)))
        if group == "models":
            unknown = self.tr("not loaded yet")
            _add(rows, self.tr("Pack in use"), _plain(opened.pack if opened else unknown))
            _add(rows, self.tr("Running"), _plain(opened.device if opened else unknown))
            _add(rows, self.tr("Pack folder"), _plain(str(self._settings.pack_dir)))
        return page

    def _control(self, field: Field[Any]) -> QWidget:
        value, name = getattr(self._settings, field.name), field.name
        control: QWidget
        if field.metadata["choices"]:
            box = QComboBox()
            for choice in field.metadata["choices"]:
                box.addItem(self._choice_title(name, choice), choice)
            box.setCurrentIndex(box.findData(value))
            control, self._read[name] = box, box.currentData
        elif type(field.default) is bool:
            check = QCheckBox()
            check.setChecked(value)
            control, self._read[name] = check, check.isChecked
        elif type(field.default) is int:
            spin = QSpinBox()
            spin.setRange(field.metadata["least"], field.metadata["most"])
            spin.setValue(value)
            # A style sheet does not reach the line in it.
            spin.lineEdit().setTextMargins(8, 0, 0, 0)
            control, self._read[name] = spin, spin.value
        else:
            line = QLineEdit(value)
            control, self._read[name] = line, line.text
        self.controls[name] = control
        return control

    def changes(self) -> Mapping[str, Any]:
        """Name → value, of what differs from the settings as they are."""
        now = {name: read() for name, read in self._read.items()}
        return {name: value for name, value in now.items() if value != getattr(self._settings, name)}

    @Slot()
    def accept(self) -> None:
        if found := self.changes():
            self.changed.emit(found)
        super().accept()

    def _group_title(self, group: str) -> str:
        return {
            "indexing": self.tr("Indexing"),
            "search": self.tr("Search"),
            "models": self.tr("Models"),
            "editor": self.tr("Editor"),
            "appearance": self.tr("Appearance"),
        }[group]

    def _title(self, name: str) -> str:
        """A setting's name for people; the name itself where it has none."""
        return {
            "max_file_mib": self.tr("Largest file (MiB)"),
            "include_vendored": self.tr("Vendored and build folders"),
            "include_generated": self.tr("Generated files"),
            "exclude": self.tr("Left out"),
            "pause_on_battery": self.tr("Pause on battery"),
            "pause_under_load": self.tr("Pause under load"),
            "parse_seconds": self.tr("Seconds to parse a file"),
            "mode": self.tr("Search by"),
            "results": self.tr("Answers"),
            "candidates": self.tr("Answers read again"),
            "device": self.tr("Device"),
            "threads": self.tr("Threads"),
            "editor": self.tr("Editor"),
            "editor_command": self.tr("Editor command"),
            "theme": self.tr("Theme"),
            "code_font": self.tr("Font of code"),
            "code_font_size": self.tr("Size of code"),
            "language": self.tr("Language"),
            "tray": self.tr("System tray"),
        }.get(name, name)

    def _choice_title(self, name: str, choice: str) -> str:
        """A choice for people; as it stands in the file where it has no other name."""
        return {
            **{("mode", mode.value): title for mode, title in mode_titles().items()},
            ("device", "auto"): self.tr("GPU if there is one, else CPU"),
            ("device", "cpu"): "CPU",
            ("device", "cuda"): "GPU (CUDA)",
            ("theme", "system"): self.tr("As the system"),
            ("theme", "light"): self.tr("Light"),
            ("theme", "dark"): self.tr("Dark"),
            ("language", "system"): self.tr("As the system"),
            ("language", "en"): "English",
            ("language", "de"): "Deutsch",
            ("editor", "auto"): self.tr("The first that is installed"),
            ("editor", "vscode"): "Visual Studio Code",
            ("editor", "jetbrains"): "JetBrains IDE",
            ("editor", "zed"): "Zed",
            ("editor", "sublime"): "Sublime Text",
            ("editor", "emacs"): "Emacs",
            ("editor", "nvim"): "Neovim",
            ("editor", "vim"): "Vim",
            ("editor", "system"): self.tr("What the system opens it with"),
            ("editor", "custom"): self.tr("A command of your own"),
        }.get((name, choice), choice)


def _add(rows: QGridLayout, title: str, control: QWidget, explanation: QWidget | None = None) -> None:
    at = rows.rowCount()
    label = QLabel(title)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setBuddy(control)
    rows.addWidget(label, at, 0)
    rows.addWidget(control, at, 1)
    if explanation:
        rows.addWidget(explanation, at + 1, 1)
    rows.setRowMinimumHeight(at + 2, 8)


def _help(words: str) -> QLabel:
    label = _plain(words)
    label.setObjectName("dim")
    label.setWordWrap(True)
    return label


def _plain(words: str) -> QLabel:
    label = QLabel(words)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def help_of(field: Field[Any]) -> str:
    """The declaration's own words, translated where the language has them."""
    return QCoreApplication.translate("Settings", field.metadata["help"])
