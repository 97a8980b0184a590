"""Ctrl-C as a wish to stop: long work ends where nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spencer_desktop import cli_output as out


class _Stop:
    """Set by the first Ctrl-C; a second one ends the process in the usual way."""

    def __init__(self) -> None:
        self.set = False

    def __call__(self) -> bool:
        return self.set

    def handle(self, number: int, frame: Any) -> None:
        self.set = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        out.note("Stopping after this batch; press Ctrl-C again to stop at once.")


@contextmanager
def interruptible() -> Iterator[_Stop]:
    """What it gives says whether to stop."""
    stop = _Stop()
    before = signal.signal(signal.SIGINT, stop.handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
