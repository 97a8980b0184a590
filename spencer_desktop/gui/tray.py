"""The icon in the system tray, where the user wants one: how far indexing is, a pause, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from spencer_desktop.gui.repos_view import ReposView


class Tray(QSystemTrayIcon):
    """Pauses by the page of repositories, which knows what is paused."""

    shows = Signal()
    leaves = Signal()

    def __init__(self, icon: QIcon, repos: ReposView) -> None:
        super().__init__(icon)
        self._repos = repos
        self.menu = QMenu()
        self.menu.addAction(self.tr("Show the window")).triggered.connect(self.shows)
        self.pause = self.menu.addAction(self.tr("Pause indexing"))
        self.pause.triggered.connect(self._repos.toggle_all)
        self.menu.aboutToShow.connect(self.name_pause)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("Quit")).triggered.connect(self.leaves)
        self.setContextMenu(self.menu)
        self.setToolTip("SPENCER")
        self.activated.connect(self._clicked)

    @Slot(object)
    def show_progress(self, event: Mapping[str, Any]) -> None:
        share = 100 * event["done"] // max(1, event["total"])
        self.setToolTip(self.tr("SPENCER, indexing: {0} %").format(share))

    @Slot(str)
    def show_working(self, state: str) -> None:
        if state != "working":
            self.setToolTip("SPENCER")

    @Slot()
    def name_pause(self) -> None:
        self.pause.setText(self.tr("Resume indexing") if self._repos.all_paused else self.tr("Pause indexing"))

    @Slot(QSystemTrayIcon.ActivationReason)
    def _clicked(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self.shows.emit()
