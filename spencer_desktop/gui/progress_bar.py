"""The thin bar that shows how far indexing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QProgressBar

# Characters of a large index are more than a bar can count.
_PARTS = 1_000


class IndexingBar(QProgressBar):
    def __init__(self) -> None:
        super().__init__()
        self.setTextVisible(False)
        self.setMaximumHeight(8)
        self.setMaximum(_PARTS)
        self.setAccessibleName(self.tr("Progress of indexing"))

    @Slot(object)
    def show_progress(self, event: Mapping[str, Any]) -> None:
        """An event of the indexing service."""
        self.setValue(_PARTS * event["done"] // max(1, event["total"]))
