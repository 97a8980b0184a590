"""A namespace of its own for a command of this folder, in which it may mount and set limits (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.harness import PROJECT

_INSIDE = "SPENCER_STRESS_INSIDE"
_BLOCK = 4096


def run_inside(module: str) -> int | None:
    """Runs this command again in a namespace: its exit code; None where this process is in one."""
    if _INSIDE in os.environ:
        return None
    command = ["unshare", "-rm", sys.executable, "-m", module, *sys.argv[1:]]
    return subprocess.run(command, cwd=PROJECT, env={**os.environ, _INSIDE: "1"}, check=False).returncode


def mount(place: Path, size: int, *, again: bool = False) -> None:
    """A file system in memory at a folder; `again`: the one that is there gets another size."""
    options = f"{'remount,' if again else ''}size={size // _BLOCK * _BLOCK}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
