"""The window: puts the views together and says who hears whom. No logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QSettings, Qt, Slot
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QSystemTrayIcon,
    QToolBar,
)

from spencer_desktop import __version__
from spencer_desktop.core.engine import RepositoryStatus
from spencer_desktop.core.errors import SpencerError
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.settings_file import save_settings
from spencer_desktop.core.types import Mode
from spencer_desktop.gui import style
from spencer_desktop.gui.bridge import Bridge, Opened
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.history import History
from spencer_desktop.gui.launcher import Launch, Launcher, start_detached
from spencer_desktop.gui.progress_bar import IndexingBar
from spencer_desktop.gui.report import ReportDialog
from spencer_desktop.gui.repos_view import ReposView
from spencer_desktop.gui.search_view import SearchView
from spencer_desktop.gui.settings_dialog import SettingsDialog
from spencer_desktop.gui.tray import Tray
from spencer_desktop.gui.welcome import Welcome

_HEARD_MS = 8_000


class MainWindow(QMainWindow):
    """Needs a bridge that is not started yet; `state` is where the window's place is remembered."""

    def __init__(
        self,
        settings: Settings,
        bridge: Bridge,
        state: QSettings,
        *,
        launch: Launch = start_detached,
        config: Path | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._bridge = bridge
        self._state = state
        self._config = config
        self._opened: Opened | None = None
        self._working = False
        self.launcher = Launcher(settings, launch)
        theme, code = style.theme_for(settings.theme), style.code_font(settings.code_font, settings.code_font_size)
        history = History(settings.data_dir / "history.json")
        self.search = SearchView(theme, code, history, limit=settings.results)
        self.search.set_mode(Mode(settings.mode))
        self.welcome = Welcome()
        self.repos = ReposView()
        self.pages = QStackedWidget()
        self.device = QLabel()
        self.busy = IndexingBar()
        self._lay_out()
        self._wire()
        self._remembered()
        self._tray: Tray | None = None
        if settings.tray and QSystemTrayIcon.isSystemTrayAvailable():
            self._tray = self._put_in_tray()

    # Building

    def _lay_out(self) -> None:
        self.setWindowTitle("SPENCER")
        self.setAcceptDrops(True)
        self.search.set_placeholder(self.welcome)
        for page in (self.search, self.repos):
            self.pages.addWidget(page)
        self.setCentralWidget(self.pages)
        self.device.setTextFormat(Qt.TextFormat.PlainText)
        self.busy.setMaximumWidth(160)
        self.busy.hide()
        self.statusBar().addPermanentWidget(self.busy)
        self.statusBar().addPermanentWidget(self.device)
        self._make_actions()

    def _make_actions(self) -> None:
        bar = QToolBar(self.tr("Pages"))
        bar.setObjectName("pages")
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        self.show_search = self._action(self.tr("&Search"), "Ctrl+1", self._to_search, checkable=True)
        self.show_repos = self._action(self.tr("&Repositories"), "Ctrl+2", self._to_repos, checkable=True)
        add = self._action(self.tr("&Add folder…"), "Ctrl+O", self.repos.choose_folder)
        refresh = self._action(self.tr("Re&fresh"), "F5", self._refresh)
        settings = self._action(self.tr("Se&ttings…"), "Ctrl+,", self.open_settings)
        about = self._action(self.tr("A&bout"), "F1", self.open_about)
        leave = self._action(self.tr("&Quit"), "Ctrl+Q", self._quit)
        for action in (self.show_search, self.show_repos, settings):
            bar.addAction(action)
        places = self.menuBar().addMenu(self.tr("&Folders"))
        places.addActions([add, refresh])
        places.addSeparator()
        places.addAction(leave)
        view = self.menuBar().addMenu(self.tr("&View"))
        view.addActions([self.show_search, self.show_repos])
        view.addSeparator()
        view.addAction(settings)
        self.menuBar().addMenu(self.tr("&Answer")).addActions(
            [*self.search.results.actions_of_rows, self.search.paste_similar]
        )
        self.menuBar().addMenu(self.tr("&Help")).addAction(about)
        self._to_search()

    def _action(self, words: str, keys: str, slot: Callable[..., object], *, checkable: bool = False) -> QAction:
        action = QAction(words, self)
        action.setShortcut(QKeySequence(keys))
        action.setCheckable(checkable)
        action.setAutoRepeat(False)
        action.triggered.connect(slot)
        self.addAction(action)
        return action

    def _wire(self) -> None:
        bridge, search, repos, welcome = self._bridge, self.search, self.repos, self.welcome
        search.asked.connect(bridge.ask)
        search.emptied.connect(bridge.forget_question)
        search.wants_similar.connect(bridge.ask_similar)
        search.wants_look.connect(bridge.look)
        search.opens.connect(self.launcher.open)
        search.reveals.connect(self.launcher.reveal)
        self.launcher.failed.connect(self.show_failure)
        search.preview.wants_colors.connect(bridge.color)
        bridge.updated.connect(search.show_update)
        bridge.answered.connect(search.finish)
        bridge.question_failed.connect(search.show_failure)
        bridge.question_failed.connect(self._report_bug)
        bridge.looked.connect(search.anchor)
        bridge.colored.connect(search.preview.color)
        bridge.opened.connect(self._models_opened)
        bridge.repositories.connect(self._show_repositories)
        bridge.skipped.connect(repos.show_skipped)
        bridge.progress.connect(repos.show_progress)
        bridge.progress.connect(self.busy.show_progress)
        bridge.indexed.connect(repos.show_report)
        bridge.indexed.connect(self._indexed)
        bridge.removed.connect(search.ask_now)
        bridge.working.connect(repos.show_working)
        bridge.working.connect(self._show_working)
        bridge.failed.connect(self.show_failure)
        bridge.polled.connect(repos.show_polled)
        repos.adds.connect(self.add_folders)
        repos.refreshes.connect(bridge.index)
        repos.removes.connect(bridge.remove)
        repos.pauses.connect(self._pause)
        repos.wants_skipped.connect(bridge.list_skipped)
        welcome.wants_folder.connect(repos.choose_folder)
        welcome.asks.connect(search.set_text)

    @property
    def in_tray(self) -> bool:
        return self._tray is not None

    def _put_in_tray(self) -> Tray:
        tray = Tray(self.windowIcon(), self.repos)
        tray.shows.connect(self._come_back)
        tray.leaves.connect(self._quit)
        self._bridge.progress.connect(tray.show_progress)
        self._bridge.working.connect(tray.show_working)
        tray.show()
        return tray

    def _remembered(self) -> None:
        self.resize(1280, 800)
        if geometry := self._state.value("geometry"):
            self.restoreGeometry(geometry)
        if sizes := self._state.value("splitter"):
            self.search.splitter.restoreState(sizes)

    # Pages

    @Slot()
    def _to_search(self) -> None:
        self._page(0)
        self.search.focus_question()

    @Slot()
    def _to_repos(self) -> None:
        self._page(1)
        self.repos.list.setFocus()
        self._bridge.list_repositories()

    def _page(self, number: int) -> None:
        self.pages.setCurrentIndex(number)
        self.show_search.setChecked(number == 0)
        self.show_repos.setChecked(number == 1)
        self._show_busy()

    def _show_busy(self) -> None:
        # The page of repositories has a bar of its own.
        self.busy.setVisible(self._working and self.pages.currentIndex() == 0)

    @Slot()
    def _come_back(self) -> None:
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    @Slot(object)
    def come_forward(self, paths: list[Path]) -> None:
        """A second start: this window, with the folders that were meant for it."""
        self._come_back()
        if paths:
            self.add_folders(paths)

    # Repositories

    @Slot(list)
    def add_folders(self, paths: list[Path]) -> None:
        self._bridge.index(paths)
        self._to_repos()

    @Slot()
    def _refresh(self) -> None:
        self._bridge.index([])

    @Slot(object, str)
    def _pause(self, name: str | None, what: str) -> None:
        self._bridge.pause(paused=what == "pause", repository=name)

    @Slot(str)
    def _show_working(self, state: str) -> None:
        self._working = state == "working"
        self._show_busy()

    @Slot(object)
    def _show_repositories(self, found: list[RepositoryStatus]) -> None:
        self.repos.show_repositories(found)
        self.welcome.show_state(repositories=len(found))
        self.search.set_known([status.repository.name for status in found])

    @Slot(object)
    def _indexed(self, report: Mapping[str, Any]) -> None:
        if report["added"] or report["changed"] or report["removed"]:
            self.search.look_again()
            self.search.ask_again()

    @Slot(object)
    def _models_opened(self, opened: Opened) -> None:
        self._opened = opened
        self.device.setText(f"{opened.pack} · {opened.device}")
        self.welcome.show_models(opened)

    # What goes wrong

    @Slot(object)
    def show_failure(self, failure: Failure) -> None:
        """A bug is shown with its report; what a user can mend, where it is seen and out of the way."""
        if failure.details:
            # One at a time: a bug that repeats itself must not bury the window.
            if self.findChildren(ReportDialog):
                return
            dialog = ReportDialog(failure, self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()
            return
        self.repos.show_failure(failure)
        self.statusBar().showMessage(failure.words, _HEARD_MS)

    @Slot(object)
    def _report_bug(self, failure: Failure) -> None:
        """Of a question that could not be answered, the page of answers says why; a bug has a report, too."""
        if failure.details:
            self.show_failure(failure)

    # Settings

    @Slot()
    def open_settings(self) -> None:
        dialog = SettingsDialog(self._settings, self._opened, self)
        dialog.changed.connect(self.change_settings)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    @Slot(object)
    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Kept in the file; what can be is brought into effect at once, the rest by the next start."""
        try:
            save_settings(changes, file=self._config)
        except SpencerError as error:
            self.show_failure(Failure.of(error))
            return
        self._settings = settings = replace(self._settings, **changes)
        self.launcher.settings = settings
        self.restyle()
        if "mode" in changes:
            self.search.set_mode(Mode(settings.mode))
        self.search.set_limit(settings.results)
        if changes.keys() & _NEEDS_RESTART:
            self.statusBar().showMessage(
                self.tr("Some of this takes effect when the program is started again."), _HEARD_MS
            )

    @Slot()
    def restyle(self) -> None:
        settings = self._settings
        theme = style.theme_for(settings.theme)
        style.apply(_application(), theme)
        self.search.restyle(theme, style.code_font(settings.code_font, settings.code_font_size))

    @Slot()
    def open_about(self) -> None:
        box = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle(self.tr("About"))
        lines = [
            f"SPENCER {__version__}",
            self.tr("Finds code by questions in plain language, on this machine alone."),
            f"{self._opened.pack}\n{self._opened.device}" if self._opened else "",
            str(self._settings.data_dir),
        ]
        # All in the first text: the format of the second cannot be set.
        box.setText("\n\n".join(filter(None, lines)))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    # Qt's events

    def changeEvent(self, event: QEvent) -> None:
        # Whoever comes back may have edited what is shown.
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.search.look_again()
            self._bridge.look_around()
        super().changeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _folders(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if found := _folders(event):
            event.acceptProposedAction()
            self.add_folders(found)

    @Slot()
    def _quit(self) -> None:
        if self._tray is not None:
            self._tray.hide()
            self._tray = None
        self.close()
        # Hidden in the tray it is no last window that closes.
        QApplication.quit()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._tray is not None:
            event.ignore()
            self.hide()
            return
        self._state.setValue("geometry", self.saveGeometry())
        self._state.setValue("splitter", self.search.splitter.saveState())
        self._state.sync()
        # Gone from sight before anything is waited for.
        self.hide()
        self._bridge.stop()
        super().closeEvent(event)


# What the engine and the indexing process read when they start.
_NEEDS_RESTART = frozenset(
    (
        "max_file_mib include_vendored include_generated exclude pause_on_battery pause_under_load parse_seconds"
        " candidates device threads language tray"
    ).split()
)


def _application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


def _folders(event: QDropEvent) -> list[Path]:
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return [path for path in paths if path.is_dir()]
