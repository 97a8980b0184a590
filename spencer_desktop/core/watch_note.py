"""What the process that watches the folders tells others: a file in the data folder, true while that process lives."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_NAME = "watching.json"


def write_note(directory: Path, polled: Mapping[Path, str]) -> None:
    """This process watches; of the folders `polled` it hears nothing, and why. Not being able to say so is no fault."""
    words = {str(path): why for path, why in polled.items()}
    note = {"pid": os.getpid(), "born": psutil.Process().create_time(), "polled": words}
    new = directory / f"{_NAME}.new"
    with suppress(OSError):
        new.write_text(json.dumps(note), "utf-8")
        new.replace(directory / _NAME)


def drop_note(directory: Path) -> None:
    with suppress(OSError):
        (directory / _NAME).unlink()


def read_note(directory: Path) -> dict[str, str] | None:
    """Path → why it is looked at now and then instead of being watched; None while no process watches."""
    try:
        note = json.loads((directory / _NAME).read_text("utf-8"))
        alive = psutil.Process(note["pid"]).create_time() == note["born"]
        return {str(path): str(why) for path, why in note["polled"].items()} if alive else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, psutil.Error):
        return None
