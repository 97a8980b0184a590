"""The guards of conftest.py catch what they are there for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")


def outcome(folder: Path, body: str) -> str:
    """What pytest says about a test with this body that runs under the conftest of this project."""
    shutil.copy(CONFTEST, folder)
    quick = "import conftest, socket, threading, urllib.request\nconftest.THREAD_GRACE_SECONDS = 0.01\n"
    (folder / "test_it.py").write_text(f"{quick}def test_it():\n    {body}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def test_a_leaked_thread_is_named(tmp_path: Path) -> None:
    start = "threading.Thread(target=threading.Event().wait, name='left-behind', daemon=True).start()"
    assert "threads left running: left-behind" in outcome(tmp_path, start)


def test_a_thread_that_ends_is_no_leak(tmp_path: Path) -> None:
    done = outcome(tmp_path, "thread = threading.Thread(target=int); thread.start(); thread.join()")
    assert "1 passed" in done


@pytest.mark.parametrize(
    "use",
    [
        "socket.create_connection(('192.0.2.1', 9))",
        "socket.socket().connect_ex(('192.0.2.1', 9))",
        "urllib.request.urlopen('http://example.invalid')",
    ],
)
def test_the_network_is_refused(use: str, tmp_path: Path) -> None:
    assert "a test must not use the network" in outcome(tmp_path, use)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no local sockets")
def test_local_sockets_work(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))


def test_git_sees_the_test_home_only(user_home: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "config", "--global", "user.name", "Someone"], check=True)
    assert "Someone" in (user_home / ".gitconfig").read_text(encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    author = subprocess.run(
        ["git", "-C", str(tmp_path), "log", "--format=%ae"], capture_output=True, text=True, check=True
    ).stdout
    assert author.strip() == "test@example.invalid"
