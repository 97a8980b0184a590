"""The answers as Qt sees them: a list of rows that can change its order without losing what is selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from spencer_desktop.core.freshness import Anchor, Freshness
from spencer_desktop.core.types import Hit

Index = QModelIndex | QPersistentModelIndex

RowRole = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Row:
    """A hit, and where it stands on disk; `anchor` is None until that was looked up."""

    hit: Hit
    anchor: Anchor | None = None

    @property
    def start_line(self) -> int:
        return self.anchor.start_line if self.anchor else self.hit.start_line

    @property
    def end_line(self) -> int:
        return self.anchor.end_line if self.anchor else self.hit.end_line

    @property
    def answer_line(self) -> int:
        """Of a long function, where the piece that answers begins."""
        return self.start_line + max(0, self.hit.snippet_line - self.hit.start_line)


def lines_of(first: int, last: int) -> str:
    """Lines in words: "3–7", and "3" where they are one."""
    return f"{first}–{last}" if last > first else str(first)


def place_of(hit: Hit) -> tuple[str, str, int, int]:
    """What makes a hit the same one in the next state of the answer."""
    return hit.root, hit.path, hit.start_line, hit.snippet_line


class ResultsModel(QAbstractListModel):
    """One column of `Row`s."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == RowRole:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            # Also what a screen reader says.
            name = row.hit.symbol or row.hit.kind
            lines = lines_of(row.start_line, row.end_line)
            return f"{name}, {row.hit.path}, {lines}, {row.hit.repository}, {row.hit.language}"
        return None

    def row(self, number: int) -> Row:
        return self._rows[number]

    @property
    def unknown(self) -> list[Hit]:
        """Those of which nobody has looked yet where they stand."""
        return [row.hit for row in self._rows if row.anchor is None]

    @property
    def hits(self) -> list[Hit]:
        return [row.hit for row in self._rows]

    def show(self, hits: Sequence[Hit]) -> None:
        """Other answers: nothing stays selected."""
        self.beginResetModel()
        self._rows = [Row(hit) for hit in hits]
        self.endResetModel()

    def reorder(self, hits: Sequence[Hit]) -> None:
        """The next state of the same answer: what is selected stays so, wherever it went."""
        known = {place_of(row.hit): row for row in self._rows}
        before = list(self._rows)
        # As many rows as before, so that every one keeps an index while they change places.
        rows = [replace(known.get(place_of(hit), Row(hit)), hit=hit) for hit in hits]
        if {place_of(row.hit) for row in rows} != known.keys():
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        self.layoutAboutToBeChanged.emit()
        self._rows = rows
        now = {place_of(row.hit): number for number, row in enumerate(rows)}
        old = self.persistentIndexList()
        self.changePersistentIndexList(old, [self.index(now[place_of(before[i.row()].hit)]) for i in old])
        self.layoutChanged.emit()

    def anchor(self, hit: Hit, anchor: Anchor) -> None:
        """Where a hit stands now; one whose file is gone is not shown any more."""
        number = next((n for n, row in enumerate(self._rows) if place_of(row.hit) == place_of(hit)), -1)
        if number < 0:
            return
        if anchor.state is Freshness.GONE:
            self.beginRemoveRows(QModelIndex(), number, number)
            del self._rows[number]
            self.endRemoveRows()
            return
        # The text is for the preview; a thousand rows must not hold a thousand files.
        self._rows[number] = replace(self._rows[number], anchor=replace(anchor, text=""))
        index = self.index(number)
        self.dataChanged.emit(index, index)
