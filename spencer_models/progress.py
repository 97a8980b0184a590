"""How a long step tells what it is doing, always on the error stream: standard output is for results alone.

On a terminal a bar shows how far it is and how long it will take; elsewhere a line says so twice a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Report = Callable[[str], None]
"""Takes one line for the user."""

LINE_SECONDS = 30.0


def stderr_report() -> Report:
    """Lines on standard error with the time since the start."""
    started = time.monotonic()

    def report(line: str) -> None:
        typer.echo(f"[{(time.monotonic() - started) / 60:6.1f} min] {line}", err=True)

    return report


class Track:
    """The progress of one step, from `done` = 0 to `total`, with an estimate of what is left. A context manager.

    A step inside another one (a validation in a training) has its bar below that one's.
    """

    _shown: ClassVar[Progress | None] = None
    """The bars on the terminal: two displays at once would overwrite each other."""

    def __init__(self, title: str, total: int, report: Report, *, done: int = 0) -> None:
        self._title = title
        self._total = max(1, total)
        self._report = report
        self._begin = done
        self._started = self._told = time.monotonic()
        self._bars: Progress | None = None
        self._owns_bars = False
        self._task = TaskID(0)

    def __enter__(self) -> Track:
        if sys.stderr.isatty():
            self._owns_bars = Track._shown is None
            self._bars = Track._shown = Track._shown or _bars()
            self._task = self._bars.add_task(self._title, total=self._total, completed=self._begin, note="")
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is None:
            return
        if self._owns_bars:
            self._bars.stop()
            Track._shown = None
        else:
            self._bars.remove_task(self._task)

    def update(self, done: int, note: str = "") -> None:
        """`done` of the total are finished."""
        if self._bars:
            self._bars.update(self._task, completed=done, note=note)
        elif time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            left = (self._told - self._started) / max(1, done - self._begin) * (self._total - done)
            self._report(f"{self._title}: {done / self._total:4.0%}, about {left / 60:.0f} min left  {note}".rstrip())


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True))
