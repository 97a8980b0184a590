"""A process that steps back does so with all that it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STEP_BACK = """
import json, os, subprocess, sys, threading, psutil
from spencer_desktop.core.chunk_worker import ChunkWorker
from spencer_desktop.core.priority import step_back
step_back()
found = {"session": os.getsid(0) == os.getpid(), "self": os.getpriority(os.PRIO_PROCESS, 0)}
def look():
    found["thread"] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id() if sys.platform == "linux" else 0)
thread = threading.Thread(target=look)
thread.start()
thread.join()
with ChunkWorker() as worker:
    worker.chunk("a.py", "python", "def a(): pass")
    found["worker"] = os.getpriority(os.PRIO_PROCESS, worker.pid)
    if sys.platform == "linux":
        found["disk"] = [psutil.Process(pid).ionice().value for pid in (os.getpid(), worker.pid)]
        groups = [f"/proc/{pid}/autogroup" for pid in (os.getpid(), worker.pid)]
        found["groups"] = [open(g).read().split()[-1] for g in groups if os.path.exists(g)]
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is POSIX's")
def test_who_steps_back_does_so_with_all_threads_and_children() -> None:
    done = subprocess.run([sys.executable, "-c", STEP_BACK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["session"], found["self"], found["thread"], found["worker"]) == (True, 19, 19, 19)
    if sys.platform == "linux":
        assert found["disk"] == [7, 7]
        assert set(found["groups"]) <= {"19"}
    assert Path("/proc/self/autogroup").exists() == bool(found.get("groups"))
