"""How much of the machine a process takes: what others leave of it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

_LEAST = 19
_TRIES, _BETWEEN_TRIES = 3, 0.11
_AUTOGROUP = Path("/proc/self/autogroup")


def step_back() -> None:
    """Everybody else goes first, for good: processor and disk, all threads and processes that come from now on.

    Leaves the terminal's session where there is one. What the system does not allow is left as it is.
    """
    process = psutil.Process()
    if sys.platform == "win32":
        with suppress(psutil.Error, OSError):
            process.nice(psutil.IDLE_PRIORITY_CLASS)
        return
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _LEAST)
    if sys.platform == "linux":
        with suppress(psutil.Error, OSError):
            process.ionice(psutil.IOPRIO_CLASS_BE, value=7)
    stay_back()


def stay_back() -> None:
    """In a session of its own, begun by a process that has stepped back."""
    # Linux shares the processor among sessions first, and only then, in each of them, by what `nice` says.
    if sys.platform != "linux" or os.getpriority(os.PRIO_PROCESS, 0) != _LEAST:
        return
    with suppress(OSError):
        for _ in range(_TRIES):
            try:
                _AUTOGROUP.write_text(str(_LEAST))
                return
            except BlockingIOError:
                # Of all processes together it takes one such wish in a tenth of a second.
                time.sleep(_BETWEEN_TRIES)
