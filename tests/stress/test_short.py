"""The long commands of this folder, cut short: that they run, and find nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import POSIX, PROJECT


def run(module: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"tests.stress.{module}", *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_no_flipped_byte_gives_a_wrong_answer() -> None:
    found = run("flips", "--changes", "150", "--seed", "7")
    assert found["detected"] > 100
    assert found["detected"] + found.get("harmless", 0) == 150


@POSIX
@pytest.mark.timeout(120)
def test_kills_leave_what_a_clean_run_leaves() -> None:
    found = run("kills", "--kills", "3", "--seed", "7")
    assert found["kills"] >= 3
    assert found["failures"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="file systems in memory are made by Linux's tools")
@pytest.mark.timeout(120)
def test_a_full_disk_damages_nothing(tmp_path: Path) -> None:
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system of its own is allowed here")
    found = run("full_disk", "--rounds", "1", "--step", "40960", "--seed", "7")
    assert found["full"] > 0
    assert (found["through"], found["wrong"]) == (1, [])


def test_what_nobody_would_write_crashes_nothing() -> None:
    found = run("fuzz", "--minutes", "0.1", "--seed", "7", "--sources", str(PROJECT / "spencer_desktop"))
    assert set(found["executions"]) == {"chunker", "question", "ignore", "manifest"}
    assert min(found["executions"].values()) > 10
