"""What every test gets: its own home, no network, no threads left behind."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

# Before the first import of Qt, which reads it once.
os.environ["QT_QPA_PLATFORM"] = "offscreen"

# Threads that end with the process by design, by the name of their class: tqdm's monitor, and Python's stand-in for
# a thread that native code started.
BENIGN_THREADS = {"TMonitor", "_DummyThread"}
THREAD_GRACE_SECONDS = 5.0
USER_FOLDERS = {
    "APPDATA": "AppData/Roaming",
    "LOCALAPPDATA": "AppData/Local",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}


@pytest.fixture(autouse=True)
def user_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder that this test and the programs it starts see as the user's, with a git identity."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name, folder in USER_FOLDERS.items():
        monkeypatch.setenv(name, str(home / folder))
    # Set by git while it runs a hook: with them every git command of a test would work on the outer repository.
    for name in ("SPENCER_DATA_DIR", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    config = home / ".gitconfig"
    config.touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.invalid")
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections other than local ones between processes fail the test (in this process)."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object, /) -> None:
        if self.family != getattr(socket, "AF_UNIX", None):
            refuse(address)
        connect(self, address)  # type: ignore[arg-type]

    def refuse(target: object, *_: object, **__: object) -> NoReturn:
        pytest.fail(f"a test must not use the network: {target!r}")

    monkeypatch.setattr(socket.socket, "connect", local_only)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """A thread that the test started and that outlives it, and all its fixtures, fails the test."""
    before = set(threading.enumerate())
    yield
    started = [thread for thread in threading.enumerate() if thread not in before]
    leaked = [thread for thread in started if type(thread).__name__ not in BENIGN_THREADS]
    for thread in leaked:
        thread.join(THREAD_GRACE_SECONDS)
    alive = [thread.name for thread in leaked if thread.is_alive()]
    if alive:
        pytest.fail(f"threads left running: {', '.join(alive)}")
