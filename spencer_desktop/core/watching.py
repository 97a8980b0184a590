"""Changes on disk, as hints: which folders may differ from the index. What differs, `files.walk` finds out by looking.

A repository's changes are reported when it has been quiet for a moment, or when it has not been for long; while git
holds its index, later. A folder in which something changed is to be looked at with all that is below it: a new name may
decide what becomes of its neighbours. What cannot be watched, because the system's watches are used up or because it
lies on another machine, is looked at now and then. So is everything, for events can be lost.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from watchdog.events import (
    EVENT_TYPE_CLOSED_NO_WRITE,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_OPENED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from spencer_desktop.core.exclusions import folder_reason, is_version_control
from spencer_desktop.core.rows import ROOT

QUIET_SECONDS = 0.5
PATIENCE_SECONDS = 10.0
POLL_SECONDS = 30.0
RECONCILE_SECONDS = 3600.0
# A git that was killed leaves its lock behind for good.
GIT_SECONDS = 60.0
# Where so many folders changed at once, events may be missing: all of it is looked at.
MOST_FOLDERS = 500

LIMIT_REACHED = "the system watches no more folders; raise fs.inotify.max_user_watches (sysctl)"
NETWORK_DRIVE = "it lies on another machine, whose changes are not reported"

_READING = frozenset({EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE})
_LIMITS = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE})
_NETWORK = frozenset("nfs nfs4 cifs smb smb2 smb3 smbfs afpfs ncpfs 9p sshfs fuse.sshfs davfs fuse.rclone".split())
# Watchdog says nothing else of events that were lost.
_LOGGERS = ("watchdog.observers.inotify", "watchdog.observers.inotify_c")

Clock = Callable[[], float]
Changed = Callable[[Path, frozenset[str]], None]
_ALL = frozenset({ROOT})


@dataclass(slots=True)
class _Unrest:
    """When the first and the last of the changes came that were not reported yet, and in which folders."""

    first: float
    last: float
    folders: set[str] = field(default_factory=set)

    @property
    def due(self) -> float:
        return min(self.last + QUIET_SECONDS, self.first + PATIENCE_SECONDS)


class Watcher:
    """Calls `changed` with a root and the folders below it (see `files.walk`) that may have changed.

    From a thread of its own, one root at a time.
    """

    def __init__(
        self,
        changed: Changed,
        *,
        include_vendored: bool = False,
        make_observer: Callable[[], BaseObserver] = Observer,
        clock: Clock = time.monotonic,
    ) -> None:
        """`include_vendored`: changes in folders that are left out by their names matter, too."""
        self._changed = changed
        self._everything = include_vendored
        self._clock = clock
        self._make_observer = make_observer
        self._observer: BaseObserver | None = None
        self._wake = threading.Condition()
        self._watches: dict[Path, ObservedWatch | None] = {}
        self._polled: dict[Path, str] = {}
        self._unrest: dict[Path, _Unrest] = {}
        self._looked: dict[Path, float] = {}
        self._stopped = False
        self._trap = _OverflowTrap(self.reconcile)
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self._trap)
        self._thread = threading.Thread(target=self._report, name="watching", daemon=True)
        self._thread.start()

    def watch(self, roots: Collection[Path]) -> None:
        """These folders and no others. Each new one is reported once, for what changed before it was watched."""
        for root in self._watches.keys() - set(roots):
            self._forget(root)
        new = [root for root in roots if root not in self._watches]
        for root in new:
            self._begin(root)
        if not new:
            self._prove()

    @property
    def polled(self) -> Mapping[Path, str]:
        """The folders that are looked at now and then instead, and why, in words."""
        with self._wake:
            return dict(self._polled)

    def reconcile(self) -> None:
        """Reports every folder soon, whatever was heard of it."""
        with self._wake:
            for root in self._watches:
                self._note(root, ROOT)
            self._wake.notify()

    def stop(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self._trap)
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()

    # Watches

    def _begin(self, root: Path) -> None:
        watch, reason = None, NETWORK_DRIVE if _on_network(root) else ""
        if not reason:
            try:
                watch = self._scheduled(root)
            except OSError as error:
                reason = LIMIT_REACHED if error.errno in _LIMITS else f"it cannot be watched ({error.strerror})"
        with self._wake:
            self._watches[root] = watch
            self._looked[root] = self._clock()
            if reason:
                self._polled[root] = reason
            self._note(root, ROOT)
            self._wake.notify()

    def _scheduled(self, root: Path) -> ObservedWatch:
        observer = self._running()
        hints = _Hints(root, self.note, everything=self._everything)
        watch = observer.schedule(hints, str(root), recursive=True)
        try:
            self._probe(observer)
        except OSError:
            observer.unschedule(watch)
            raise
        return watch

    def _probe(self, observer: BaseObserver) -> None:
        """OSError where no further folder can be watched.

        Watchdog passes over such folders, unless it is the very one that was asked for.
        """
        with tempfile.TemporaryDirectory() as folder:
            observer.unschedule(observer.schedule(FileSystemEventHandler(), folder))

    def _prove(self) -> None:
        """Folders that were made since may be too many; whose they are nobody says."""
        if self._observer is None:
            return
        try:
            self._probe(self._observer)
        except OSError:
            with self._wake:
                self._polled.update({root: LIMIT_REACHED for root, watch in self._watches.items() if watch})
                self._wake.notify()

    def _forget(self, root: Path) -> None:
        with self._wake:
            watch = self._watches.pop(root)
            for found in (self._polled, self._unrest, self._looked):
                found.pop(root, None)
        if watch is not None and self._observer is not None:
            self._observer.unschedule(watch)

    def _running(self) -> BaseObserver:
        if self._observer is None:
            self._observer = self._make_observer()
            self._observer.start()
        return self._observer

    # Reporting

    def note(self, root: Path, folder: str = ROOT) -> None:
        """Something changed in a folder below `root`. Called by the observer's threads."""
        with self._wake:
            if root in self._watches:
                self._note(root, folder)
                self._wake.notify()

    def _note(self, root: Path, folder: str) -> None:
        now = self._clock()
        unrest = self._unrest.setdefault(root, _Unrest(now, now))
        unrest.last = now
        if len(unrest.folders) <= MOST_FOLDERS:
            unrest.folders.add(folder)

    def _report(self) -> None:
        while True:
            with self._wake:
                if self._stopped:
                    return
                now = self._clock()
                root = self._due(now)
                if root is None:
                    self._wake.wait(self._pause(now))
                    continue
                unrest = self._unrest.pop(root, None)
                folders = frozenset(unrest.folders) if unrest else _ALL
                if ROOT in folders or len(folders) > MOST_FOLDERS:
                    folders = _ALL
                    self._looked[root] = now
            self._changed(root, folders)

    def _due(self, now: float) -> Path | None:
        for root, looked in self._looked.items():
            unrest = self._unrest.get(root)
            if unrest and unrest.due <= now:
                if now - unrest.first < GIT_SECONDS and os.path.lexists(root / ".git" / "index.lock"):
                    unrest.last = now
                    continue
                return root
            if looked + self._every(root) <= now:
                return root
        return None

    def _every(self, root: Path) -> float:
        return POLL_SECONDS if root in self._polled else RECONCILE_SECONDS

    def _pause(self, now: float) -> float:
        """Seconds until something may be due."""
        times = [looked + self._every(root) for root, looked in self._looked.items()]
        times += [max(u.due, now + QUIET_SECONDS / 5) for u in self._unrest.values()]
        return max(0.01, min(times, default=now + RECONCILE_SECONDS) - now)


class _Hints(FileSystemEventHandler):
    """Hears what happens below one root."""

    def __init__(self, root: Path, note: Callable[[Path, str], None], *, everything: bool) -> None:
        self._root = root
        self._note = note
        self._everything = everything
        self._at = len(os.fsencode(root)) + 1

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _READING:
            return
        # What is said of a folder itself is said of what is in it; all else changes the folder that it lies in.
        itself = event.is_directory and event.event_type == EVENT_TYPE_MODIFIED
        for path in (event.src_path, event.dest_path):
            if path:
                names = Path(os.fsdecode(os.fsencode(path)[self._at :])).parts
                if self._matters(names if event.is_directory else names[:-1], names):
                    self._note(self._root, "".join(f"{name}/" for name in (names if itself else names[:-1])))

    def _matters(self, folders: Sequence[str], names: Sequence[str]) -> bool:
        """Whether no folder on the way is left out by its name alone; what else is, the walk finds out."""
        if any(map(is_version_control, names)):
            return False
        return self._everything or not any(folder_reason(name, frozenset()) for name in folders)


class _OverflowTrap(logging.Handler):
    def __init__(self, overflowed: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._overflowed = overflowed

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage().lower():
            self._overflowed()


def _on_network(root: Path) -> bool:
    """Whether the file system that holds `root` is another machine's."""
    try:
        mounts = [(p.mountpoint, p.fstype, p.opts) for p in psutil.disk_partitions(all=True)]
    except (OSError, RuntimeError):
        return False
    holding = [(len(place), kind, how) for place, kind, how in mounts if root.is_relative_to(place)]
    if not holding:
        return False
    _, kind, how = max(holding)
    return kind.lower() in _NETWORK or "remote" in how.split(",")
