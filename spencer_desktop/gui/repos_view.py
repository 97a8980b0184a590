"""The page of repositories: what is indexed, how far, what was left out and why, and what went wrong."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QDateTime,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from spencer_desktop.core.engine import RepositoryStatus
from spencer_desktop.core.rows import SkippedRow
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.progress_bar import IndexingBar

Index = QModelIndex | QPersistentModelIndex
_ALIGN_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Table(QAbstractTableModel):
    """Rows of texts and numbers under headings; numbers stand on the right, as the user's language writes them."""

    def __init__(self, headings: Sequence[str]) -> None:
        super().__init__()
        self._headings = list(headings)
        self._rows: list[Sequence[Any]] = []

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()

    def rows(self) -> list[Sequence[Any]]:
        return list(self._rows)

    def row(self, number: int) -> Sequence[Any]:
        return self._rows[number]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own
        return 0 if parent.isValid() else len(self._headings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        value = self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return QLocale().toString(value) if isinstance(value, int) else value
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(value, str):
            # A tooltip that looks like markup is read as such.
            return html.escape(value)
        if role == Qt.ItemDataRole.TextAlignmentRole and isinstance(value, int):
            return _ALIGN_RIGHT
        return None


class ReposView(QWidget):
    """Asks by signals."""

    adds = Signal(list)
    """list[Path]."""
    refreshes = Signal(list)
    """list[Path]; all when empty."""
    removes = Signal(str)
    pauses = Signal(object, str)
    """(name, or None for all; "pause" or "resume")."""
    wants_skipped = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._repositories: list[RepositoryStatus] = []
        self._paused: set[str] = set()
        self.all_paused = False
        self._read_since = (0.0, 0)
        self.table = Table(
            [
                self.tr("Repository"),
                self.tr("State"),
                self.tr("Files"),
                self.tr("Pieces of code"),
                self.tr("To encode"),
                self.tr("Left out"),
                self.tr("Last indexed"),
                self.tr("Folder"),
            ]
        )
        self.list = _table_view(self.table)
        self.bar = IndexingBar()
        self.doing = QLabel()
        self.polled = QLabel()
        self.faults = QLabel()
        self.add = QPushButton(self.tr("&Add folder…"))
        self.refresh = QPushButton(self.tr("&Refresh"))
        self.pause = QPushButton(self.tr("&Pause"))
        self.pause_all = QPushButton(self.tr("Pause a&ll"))
        self.skipped = QPushButton(self.tr("&Left out…"))
        self.remove = QPushButton(self.tr("Re&move…"))
        self._lay_out()
        self._wire()
        self._enable()

    def _lay_out(self) -> None:
        title = QLabel(self.tr("Repositories"))
        title.setObjectName("heading")
        self.list.setAccessibleName(self.tr("Repositories"))
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.list.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.doing.setTextFormat(Qt.TextFormat.PlainText)
        self.polled.setTextFormat(Qt.TextFormat.PlainText)
        self.polled.setObjectName("dim")
        self.polled.setWordWrap(True)
        self.polled.hide()
        self.faults.setTextFormat(Qt.TextFormat.PlainText)
        self.faults.setObjectName("error")
        self.faults.setWordWrap(True)
        self.faults.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.faults.hide()
        buttons = QHBoxLayout()
        for button in (self.add, self.refresh, self.pause, self.pause_all, self.skipped, self.remove):
            buttons.addWidget(button)
        buttons.addStretch()
        page = QVBoxLayout(self)
        page.setContentsMargins(12, 12, 12, 8)
        page.setSpacing(10)
        page.addWidget(title)
        page.addLayout(buttons)
        page.addWidget(self.list, 1)
        page.addWidget(self.doing)
        page.addWidget(self.bar)
        page.addWidget(self.polled)
        page.addWidget(self.faults)
        self.show_working("idle")

    def _wire(self) -> None:
        self.add.clicked.connect(self.choose_folder)
        self.refresh.clicked.connect(self._refresh)
        self.pause.clicked.connect(self._pause)
        self.pause_all.clicked.connect(self.toggle_all)
        self.skipped.clicked.connect(self._ask_skipped)
        self.remove.clicked.connect(self._remove)
        self.list.selectionModel().selectionChanged.connect(self._enable)

    # What is shown

    @Slot(object)
    def show_repositories(self, found: list[RepositoryStatus]) -> None:
        rows = [self._row(status) for status in found]
        if rows == self.table.rows():
            return
        chosen = self.current()
        self._repositories = found
        self.table.fill(rows)
        names = [status.repository.name for status in found]
        if chosen and chosen.repository.name in names:
            self.list.selectRow(names.index(chosen.repository.name))
        elif found:
            self.list.selectRow(0)
        self._enable()

    def _row(self, status: RepositoryStatus) -> tuple[Any, ...]:
        repository = status.repository
        at = repository.indexed_at
        when = QLocale().toString(QDateTime.fromSecsSinceEpoch(int(at)), QLocale.FormatType.ShortFormat) if at else ""
        numbers = (status.files, status.chunks, status.pending, status.skipped)
        return (repository.name, self._state(status), *numbers, when, str(repository.root))

    def _state(self, status: RepositoryStatus) -> str:
        if not status.present:
            return self.tr("folder is missing")
        if self.all_paused or status.repository.name in self._paused:
            return self.tr("paused")
        if status.repository.indexed_at is None:
            return self.tr("being read")
        return self.tr("being encoded") if status.pending else self.tr("ready")

    @Slot(object)
    def show_progress(self, event: Mapping[str, Any]) -> None:
        done, total = event["done"], max(1, event["total"])
        self.bar.show_progress(event)
        eta = event["eta_seconds"]
        left = "" if eta is None else " · " + self.tr("about {0} left").format(duration(eta))
        if event["stage"] == "read":
            self.doing.setText(
                self.tr("Reading {0}: {1} of {2} files").format(
                    event["repository"], *map(QLocale().toString, (done, total))
                )
                + self._rate(done)
                + left
            )
        else:
            self.doing.setText(self.tr("Encoding: {0} %").format(100 * done // total) + left)

    def _rate(self, done: int) -> str:
        """Files a second since the reading began."""
        began, first = self._read_since
        now = time.monotonic()
        if done <= first or not began:
            self._read_since = (now, done)
            return ""
        return " · " + self.tr("{0} files/s").format(round((done - first) / (now - began))) if now - began > 1 else ""

    @Slot(str)
    def show_working(self, state: str) -> None:
        """See `Bridge.working`."""
        working = state == "working"
        if not working:
            self._read_since = (0.0, 0)
            waiting = {
                "battery": self.tr("Waiting until the machine is plugged in (Settings, Indexing)."),
                "load": self.tr("Waiting until other programs need the processor less (Settings, Indexing)."),
            }
            rest = self.tr("Paused.") if self.all_paused else self.tr("Nothing to do.")
            self.doing.setText(waiting.get(state, rest))
        self.bar.setVisible(working)

    @Slot(object)
    def show_report(self, report: Mapping[str, Any]) -> None:
        words = [*report["faults"], *filter(None, [report["notice"]])]
        self.faults.setText("\n".join(words))
        self.faults.setVisible(bool(words))

    @Slot(object)
    def show_polled(self, polled: Mapping[str, str]) -> None:
        """Folders whose changes are not heard of, and why."""
        seen = self.tr("Changes in {0} are looked for every half a minute: {1}")
        self.polled.setText("\n".join(seen.format(path, why) for path, why in polled.items()))
        self.polled.setVisible(bool(polled))

    @Slot(object)
    def show_failure(self, failure: Failure) -> None:
        self.faults.setText(failure.words)
        self.faults.show()

    @Slot(str, object)
    def show_skipped(self, name: str, rows: Mapping[str, SkippedRow]) -> None:
        dialog = SkippedDialog(name, rows, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # What is asked

    def shown(self) -> list[RepositoryStatus]:
        return list(self._repositories)

    def current(self) -> RepositoryStatus | None:
        rows = self.list.selectionModel().selectedRows()
        return self._repositories[rows[0].row()] if rows and rows[0].row() < len(self._repositories) else None

    @Slot()
    def _enable(self) -> None:
        current = self.current()
        for button in (self.pause, self.skipped, self.remove):
            button.setEnabled(current is not None)
        self.refresh.setEnabled(bool(self._repositories))
        paused = current is not None and current.repository.name in self._paused
        self.pause.setText(self.tr("&Resume") if paused else self.tr("&Pause"))
        self.pause.setEnabled(current is not None and not self.all_paused)
        self.pause_all.setText(self.tr("Resume a&ll") if self.all_paused else self.tr("Pause a&ll"))

    @Slot()
    def choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Add a folder to search"))
        if folder:
            self.adds.emit([Path(folder)])

    @Slot()
    def _refresh(self) -> None:
        self.refreshes.emit([])

    @Slot()
    def _pause(self) -> None:
        if current := self.current():
            name = current.repository.name
            paused = name not in self._paused
            (self._paused.add if paused else self._paused.discard)(name)
            self.pauses.emit(name, "pause" if paused else "resume")
            self.show_repositories(self._repositories)

    @Slot()
    def toggle_all(self) -> None:
        self.all_paused = not self.all_paused
        self.pauses.emit(None, "pause" if self.all_paused else "resume")
        self.show_repositories(self._repositories)

    @Slot()
    def _ask_skipped(self) -> None:
        if current := self.current():
            self.wants_skipped.emit(current.repository.name)

    @Slot()
    def _remove(self) -> None:
        current = self.current()
        if current is None:
            return
        box = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setIcon(QMessageBox.Icon.Question)
        kept = self.tr("Its text and vectors leave the index for good. Your files in {0} are not touched.")
        # All in the first text: the format of the second cannot be set.
        asked = self.tr("Forget {0}?").format(current.repository.name)
        box.setText(f"{asked}\n\n{kept.format(current.repository.root)}")
        forget = box.addButton(self.tr("Forget"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        box.deleteLater()
        if box.clickedButton() is forget:
            self._paused.discard(current.repository.name)
            self.removes.emit(current.repository.name)


class SkippedDialog(QDialog):
    """What was left out of a repository, and why; the list can be narrowed by typing."""

    def __init__(self, name: str, rows: Mapping[str, SkippedRow], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Left out of {0}").format(name))
        self.resize(720, 480)
        self.shown = Table([self.tr("Path"), self.tr("Why")])
        self.shown.setParent(self)
        entries = [(path.encode("utf-8", "replace").decode(), row.reason) for path, row in rows.items()]
        # There may be a hundred thousand of them, which a model of Qt's would ask for one by one.
        self._entries = [(f"{path}\n{why}".lower(), (path, why)) for path, why in entries]
        self._narrow("")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter"))
        self.filter.setAccessibleName(self.tr("Filter"))
        self.filter.textChanged.connect(self._narrow)
        view = _table_view(self.shown)
        view.setColumnWidth(0, 420)
        hint = QLabel(self.tr('A line "!name" in .spencerignore brings a path back; secrets stay out.'))
        hint.setTextFormat(Qt.TextFormat.PlainText)
        hint.setObjectName("dim")
        page = QVBoxLayout(self)
        for widget in (self.filter, view, hint):
            page.addWidget(widget)

    @Slot(str)
    def _narrow(self, words: str) -> None:
        wanted = words.lower()
        self.shown.fill([entry for text, entry in self._entries if wanted in text])


def _table_view(model: QAbstractItemModel) -> QTableView:
    """Whole rows of one line each, which Tab leaves."""
    view = QTableView()
    view.setModel(model)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setTabKeyNavigation(False)
    view.verticalHeader().hide()
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.horizontalHeader().setStretchLastSection(True)
    return view


def duration(seconds: float) -> str:
    """A time that is left, in the words of the window."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
