"""The list of answers: what is selected in it, and what can be done with that."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QFont, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu

from spencer_desktop.gui.results_delegate import ResultDelegate
from spencer_desktop.gui.results_model import ResultsModel, Row
from spencer_desktop.gui.style import Theme

_MOST_OPENED = 10


class AnswersList(QListView):
    """Shows the rows of `answers`."""

    opens = Signal(object)
    """`Row` to open in the editor."""
    reveals = Signal(object)
    """`Row` to show in the file manager."""
    wants_similar = Signal(object)
    """`Hit`."""

    def __init__(self, theme: Theme, code: QFont) -> None:
        super().__init__()
        self.answers = ResultsModel(self)
        self.delegate = ResultDelegate(theme, code)
        self.setAccessibleName(self.tr("Answers"))
        self.setModel(self.answers)
        self.setItemDelegate(self.delegate)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        self.doubleClicked.connect(self.open_selected)
        self.actions_of_rows = self._make_actions()
        self.addActions(self.actions_of_rows)

    def _make_actions(self) -> list[QAction]:
        made = []
        for words, keys, slot in (
            (self.tr("Open in editor"), "Return", self.open_selected),
            (self.tr("Copy code"), "Ctrl+C", self.copy_code),
            (self.tr("Copy path and line"), "Ctrl+Shift+C", self.copy_place),
            (self.tr("Find similar code"), "Ctrl+Shift+F", self.find_similar),
            (self.tr("Show in file manager"), "Ctrl+Shift+R", self.reveal_current),
        ):
            action = QAction(words, self)
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(slot)
            made.append(action)
        made[0].setShortcuts([QKeySequence("Return"), QKeySequence("Enter")])
        return made

    def restyle(self, theme: Theme, code: QFont) -> None:
        self.delegate.restyle(theme, code)
        self.doItemsLayout()

    def choose(self, number: int) -> None:
        """Makes the answer of this place the current one."""
        if self.currentIndex().row() != number:
            self.setCurrentIndex(self.answers.index(number))

    def current_row(self) -> Row | None:
        index = self.currentIndex()
        return self.answers.row(index.row()) if index.isValid() else None

    def selected_rows(self) -> list[Row]:
        """In the order in which they are shown; the current one where none is selected."""
        numbers = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        current = self.current_row()
        return [self.answers.row(number) for number in numbers] or ([current] if current else [])

    @Slot()
    def open_selected(self) -> None:
        for row in self.selected_rows()[:_MOST_OPENED]:
            self.opens.emit(row)

    @Slot()
    def reveal_current(self) -> None:
        if row := self.current_row():
            self.reveals.emit(row)

    @Slot()
    def find_similar(self) -> None:
        if row := self.current_row():
            self.wants_similar.emit(row.hit)

    @Slot()
    def copy_code(self) -> None:
        if rows := self.selected_rows():
            QGuiApplication.clipboard().setText("\n\n".join(row.hit.snippet for row in rows))

    @Slot()
    def copy_place(self) -> None:
        if rows := self.selected_rows():
            places = (f"{row.hit.root}/{row.hit.path}:{row.start_line}" for row in rows)
            QGuiApplication.clipboard().setText("\n".join(places))

    @Slot(QPoint)
    def _menu(self, at: QPoint) -> None:
        if self.current_row() is None:
            return
        menu = QMenu(self)
        menu.addActions(self.actions_of_rows)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(at))
