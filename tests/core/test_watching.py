"""Changes on disk are heard, together, once, and not too early."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import Observer

from spencer_desktop.core import watching
from spencer_desktop.core.rows import ROOT
from spencer_desktop.core.watching import LIMIT_REACHED, NETWORK_DRIVE, Watcher
from tests.fakes import write_tree


class Heard:
    """What was reported, in order."""

    def __init__(self) -> None:
        self.roots: list[Path] = []
        self.folders: list[set[str]] = []
        self._more = threading.Condition()

    def __call__(self, root: Path, folders: frozenset[str]) -> None:
        with self._more:
            self.roots.append(root)
            self.folders.append(set(folders))
            self._more.notify_all()

    def wait(self, count: int, seconds: float = 10.0) -> bool:
        with self._more:
            return self._more.wait_for(lambda: len(self.roots) >= count, seconds)


Start = Callable[..., Watcher]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def start(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts watchers that are ten times as impatient as in life."""
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 0.5)
    made: list[Watcher] = []

    def begin(*roots: Path, **options: Any) -> Watcher:
        watcher = Watcher(heard, **options)
        made.append(watcher)
        watcher.watch(roots)
        assert heard.wait(len(roots))
        assert heard.folders == [{ROOT}] * len(roots)
        heard.roots.clear()
        heard.folders.clear()
        return watcher

    yield begin
    for watcher in made:
        watcher.stop()


def test_changes_that_belong_together_are_reported_once(start: Start, heard: Heard, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "project", {"a.py": "1", "deep/er/b.py": "2"})
    start(root)
    write_tree(root, {"a.py": "3", "deep/er/c.py": "4", "new/d.py": "5"})
    (root / "deep").rename(root / "moved")
    assert heard.wait(1)
    assert not heard.wait(2, 0.3)
    (root / "new/d.py").unlink()
    assert heard.wait(2)
    assert heard.roots == [root, root]


def _saved_anew(root: Path) -> None:
    """As editors do, so that nobody reads half a file."""
    write_tree(root, {"a/b/c.py.tmp": "2"})
    (root / "a/b/c.py.tmp").rename(root / "a/b/c.py")


@pytest.mark.parametrize(
    ("change", "folders"),
    [
        (lambda root: (root / "a/b/c.py").write_text("2"), {"a/b/"}),
        (_saved_anew, {"a/b/"}),
        (lambda root: (root / "a/b/c.py").unlink(), {"a/b/"}),
        (lambda root: (root / "a/b/c.py").chmod(0o600), {"a/b/"}),
        (lambda root: (root / "a/b/new").mkdir(), {"a/b/"}),
        (lambda root: (root / "a/b").rename(root / "x/b"), {"a/", "x/"}),
        (lambda root: (root / "top.py").write_text("2"), {ROOT}),
    ],
)
def test_the_folders_in_which_something_changed_are_named(
    change: Callable[[Path], None], folders: set[str], start: Start, heard: Heard, tmp_path: Path
) -> None:
    root = write_tree(tmp_path / "project", {"a/b/c.py": "1", "x/y.py": "1", "top.py": "1"})
    start(root)
    change(root)
    assert heard.wait(1)
    # Of a folder that moved what is in it may be said to have moved, too.
    assert folders <= heard.folders[0] <= folders | {"a/b/", "x/b/"}


def test_where_much_changed_all_is_looked_at(
    start: Start, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_FOLDERS", 3)
    root = write_tree(tmp_path / "project", {"a.py": "1"})
    watcher = start(root)
    for name in "abc":
        watcher.note(root, f"{name}/")
    assert heard.wait(1)
    for name in "abcdef":
        watcher.note(root, f"{name}/")
    assert heard.wait(2)
    assert heard.folders == [{"a/", "b/", "c/"}, {ROOT}]


def test_a_folder_that_never_rests_is_reported_all_the_same(start: Start, heard: Heard, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "project", {"a.py": "1"})
    watcher = start(root)
    end = threading.Event()

    def storm() -> None:
        while not end.wait(0.01):
            watcher.note(root)

    thread = threading.Thread(target=storm)
    thread.start()
    assert heard.wait(2, 5)
    end.set()
    thread.join()


@pytest.mark.parametrize("place", [".git/objects/x", "node_modules/x.js", "sub/__pycache__/x.pyc", "sub/.git/HEAD"])
def test_what_is_left_out_anyway_is_no_change(place: str, start: Start, heard: Heard, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "project", {"a.py": "1", place: "1"})
    start(root)
    (root / place).write_text("2")
    assert not heard.wait(1, 0.3)


def test_what_is_let_in_is_heard_of(start: Start, heard: Heard, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "project", {"node_modules/x.js": "1", ".git/HEAD": ""})
    start(root, include_vendored=True)
    (root / ".git/HEAD").write_text("2")
    assert not heard.wait(1, 0.3)
    (root / "node_modules/x.js").write_text("2")
    assert heard.wait(1)


def test_git_is_not_interrupted(start: Start, heard: Heard, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "project", {"a.py": "1", ".git/index.lock": ""})
    watcher = Watcher(heard)
    watcher.watch([root])
    assert not heard.wait(1, 0.4)
    (root / ".git/index.lock").unlink()
    assert heard.wait(1)
    watcher.stop()


def test_a_lock_that_git_left_behind_stops_nothing_for_good(
    start: Start, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "GIT_SECONDS", 0.3)
    root = write_tree(tmp_path / "project", {"a.py": "1", ".git/index.lock": ""})
    start(root)
    (root / "a.py").write_text("2")
    assert heard.wait(1)


def test_only_what_is_asked_for_is_watched(start: Start, heard: Heard, tmp_path: Path) -> None:
    first, second = (write_tree(tmp_path / name, {"a.py": "1"}) for name in ("first", "second"))
    watcher = start(first, second)
    watcher.watch([second])
    (first / "a.py").write_text("2")
    (second / "a.py").write_text("2")
    assert heard.wait(1)
    assert not heard.wait(2, 0.3)
    assert heard.roots == [second]


def test_events_that_were_lost_are_made_up_for(start: Start, heard: Heard, tmp_path: Path) -> None:
    first, second = (write_tree(tmp_path / name, {"a.py": "1"}) for name in ("first", "second"))
    start(first, second)
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    assert heard.wait(2)
    assert set(heard.roots) == {first, second}


def test_now_and_then_everything_is_looked_at(
    start: Start, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RECONCILE_SECONDS", 0.2)
    start(write_tree(tmp_path / "project", {"a.py": "1"}))
    assert heard.wait(2)


class _FullObserver(Observer):  # type: ignore[misc, valid-type]
    def schedule(self, *_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_where_the_system_watches_no_more_folders_they_are_polled(
    start: Start, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.2)
    root = write_tree(tmp_path / "project", {"a.py": "1"})
    watcher = start(root, make_observer=_FullObserver)
    assert watcher.polled == {root: LIMIT_REACHED}
    assert "max_user_watches" in LIMIT_REACHED
    assert heard.wait(2)
    watcher.watch([])
    assert watcher.polled == {}


class _NarrowObserver(Observer):  # type: ignore[misc, valid-type]
    """Watches no more from a certain moment on, but says nothing of folders below those that were asked for."""

    full = False

    def schedule(self, event_handler: Any, path: str, *, recursive: bool = False, **options: Any) -> Any:
        if self.full and not recursive:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return super().schedule(event_handler, path, recursive=recursive, **options)


def test_folders_that_are_watched_in_part_are_polled(start: Start, heard: Heard, tmp_path: Path) -> None:
    first, second = (write_tree(tmp_path / name, {"a.py": "1"}) for name in ("first", "second"))
    observer = _NarrowObserver()
    watcher = start(first, make_observer=lambda: observer)
    assert watcher.polled == {}
    observer.full = True
    watcher.watch([first])
    assert watcher.polled == {first: LIMIT_REACHED}, "a folder that was made since may not be watched"
    watcher.watch([first, second])
    assert watcher.polled == {first: LIMIT_REACHED, second: LIMIT_REACHED}
    watcher.watch([])
    observer.full = False
    watcher.watch([first])
    assert watcher.polled == {}


def test_a_folder_on_another_machine_is_polled(
    start: Start, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mount:
        def __init__(self, mountpoint: Path, fstype: str) -> None:
            self.mountpoint, self.fstype, self.opts = str(mountpoint), fstype, "rw"

    mounts = [Mount(Path("/"), "ext4"), Mount(tmp_path / "far", "nfs4"), Mount(tmp_path / "far/near", "ext4")]
    monkeypatch.setattr(watching.psutil, "disk_partitions", lambda all: mounts)
    far, near = (write_tree(tmp_path / name, {"a.py": "1"}) for name in ("far/project", "far/near/project"))
    assert start(far, near).polled == {far: NETWORK_DRIVE}
