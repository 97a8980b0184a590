"""How a long step tells what it is doing: one line at a time, on the error stream, with the time since the start."""

from __future__ import annotations

import time
from collections.abc import Callable

import typer

Report = Callable[[str], None]
"""Takes one line for the user."""


def stderr_report() -> Report:
    """Lines on standard error, so that standard output holds results alone."""
    started = time.monotonic()

    def report(line: str) -> None:
        typer.echo(f"[{(time.monotonic() - started) / 60:6.1f} min] {line}", err=True)

    return report
