"""Starts the window: one instance, one handler for what nobody expected, and everything wired."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QLibraryInfo, QLocale, QLockFile, QObject, QSettings, Qt, QTimer, QTranslator, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication, QMessageBox

from spencer_desktop.core.errors import SpencerError
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.settings import Settings
from spencer_desktop.gui import style
from spencer_desktop.gui.bridge import Bridge
from spencer_desktop.gui.failure import Failure
from spencer_desktop.gui.launcher import Launch, start_detached
from spencer_desktop.gui.main_window import MainWindow

_CONNECT_MS = 500
_ANSWER_MS = 5_000


def run(load: Callable[[], Settings], paths: Sequence[Path]) -> int:
    """Opens the window on these folders, or hands them to the one that is open; the exit code.

    SpencerError of `load`, which is also shown where no terminal is there to read it in.
    """
    app = QApplication(sys.argv[:1])
    app.setApplicationName("spencer")
    app.setApplicationDisplayName("SPENCER")
    app.setDesktopFileName("spencer")
    app.setWindowIcon(QIcon(str(resource_dir() / "icons/spencer.svg")))
    try:
        settings = load()
    except SpencerError as error:
        _tell(error)
        raise
    # Before anything else makes it, readable by all.
    with suppress(OSError):
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = [path.expanduser().absolute() for path in paths]
    instance = SingleInstance(settings.data_dir)
    if instance.hand_over(wanted):
        return 0
    window, bridge = build(app, settings)
    # In the tray it goes on without a window.
    app.setQuitOnLastWindowClosed(not window.in_tray)
    catcher = Catcher()
    catcher.caught.connect(window.show_failure)
    sys.excepthook = catcher.catch
    instance.called.connect(window.come_forward)
    app.styleHints().colorSchemeChanged.connect(window.restyle)
    window.show()
    # The window is seen before anything is loaded.
    QTimer.singleShot(0, bridge.start)
    if wanted:
        window.add_folders(wanted)
    code = app.exec()
    bridge.stop()
    instance.close()
    return code


def build(
    app: QApplication, settings: Settings, *, launch: Launch = start_detached, config: Path | None = None
) -> tuple[MainWindow, Bridge]:
    """The window in its language and colors, not shown yet, and what it asks, not started yet."""
    translate(app, settings.language)
    style.apply(app, style.theme_for(settings.theme))
    bridge = Bridge(settings)
    state = QSettings(str(settings.data_dir / "window.ini"), QSettings.Format.IniFormat)
    return MainWindow(settings, bridge, state, launch=launch, config=config), bridge


def _tell(error: SpencerError) -> None:
    if sys.stderr is None or not sys.stderr.isatty():
        box = QMessageBox(QMessageBox.Icon.Critical, "SPENCER", Failure.of(error).words)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.exec()


class Catcher(QObject):
    """Hands an exception that nobody caught to the window; whatever was being done, the window stays."""

    caught = Signal(object)

    def catch(self, kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        sys.__excepthook__(kind, error, at)
        self.caught.emit(Failure.of(error))


class SingleInstance(QObject):
    """One window for each data folder: a second start brings the first forward and hands over its folders."""

    called = Signal(object)
    """list[Path]."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__()
        user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
        digest = hashlib.blake2b(f"{user}\0{data_dir}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        self._name = f"spencer-{digest}"
        # Of two that start at once one has it; it is free again when its process is gone, however that ended.
        self._lock = QLockFile(str(data_dir / "window.lock"))
        self._lock.setStaleLockTime(0)
        self._server: QLocalServer | None = None

    def hand_over(self, paths: Sequence[Path]) -> bool:
        """Whether another window took them; otherwise this one listens from now on."""
        taken = not self._lock.tryLock(0) and self._lock.error() is QLockFile.LockError.LockFailedError
        if taken and self._hand_to_first(paths):
            return True
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        QLocalServer.removeServer(self._name)
        self._server.listen(self._name)
        self._server.newConnection.connect(self._take)
        return False

    def _hand_to_first(self, paths: Sequence[Path], *, wait: bool = True) -> bool:
        self._socket = QLocalSocket(self)
        # The first may have begun a moment ago, and not listen yet.
        end = time.monotonic() + _ANSWER_MS / 1000
        while not self._connected():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        self._socket.write(json.dumps([str(path) for path in paths]).encode() + b"\n")
        self._socket.flush()
        # Answered once it was read, so that the message is not lost with this process.
        if wait:
            self._socket.waitForReadyRead(_ANSWER_MS)
        return True

    def _connected(self) -> bool:
        self._socket.connectToServer(self._name)
        return self._socket.waitForConnected(_CONNECT_MS)

    @Slot()
    def _take(self) -> None:
        assert self._server
        while socket := self._server.nextPendingConnection():
            socket.disconnected.connect(socket.deleteLater)
            socket.readyRead.connect(self._read)

    @Slot()
    def _read(self) -> None:
        socket = self.sender()
        assert isinstance(socket, QLocalSocket)
        if not socket.canReadLine():
            return
        try:
            found = json.loads(bytes(socket.readLine().data()))
            paths = [Path(path) for path in found]
        except (ValueError, TypeError):
            paths = []
        socket.write(b"ok\n")
        socket.flush()
        self.called.emit(paths)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._lock.unlock()


def translate(app: QApplication, wish: str) -> list[QTranslator]:
    """Installs the translations of a language ("system": the user's), which live as long as `app`."""
    locale = QLocale() if wish == "system" else QLocale(wish)
    QLocale.setDefault(locale)
    found = []
    for name, folder in (
        ("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
        ("spencer", str(resource_dir() / "translations")),
    ):
        translator = QTranslator(app)
        if translator.load(locale, name, "_", folder):
            app.installTranslator(translator)
            found.append(translator)
    return found
