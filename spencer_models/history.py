"""How weights came about: one record for each run that trained them, kept in a pack or beside a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.pack import MANIFEST, open_pack

HISTORY_NAME = "history.json"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its version, its command, the hours that its trainings took, and on what."""

    version: str
    command: str
    hours: float
    hardware: str


def read_history(folder: Path) -> list[RunRecord]:
    """The runs that made the weights in `folder`, the oldest first; none for weights that are not of this project."""
    path = folder / HISTORY_NAME
    try:
        if (folder / MANIFEST).is_file():
            records = open_pack(folder).manifest.figures.get("history", ())
        else:
            records = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else ()
        return [RunRecord(**record) for record in records]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder} does not say how its weights came about ({error})", hint="Copy it again.") from error


def write_history(records: Sequence[RunRecord], folder: Path) -> None:
    """What `read_history` reads, beside a checkpoint."""
    text = json.dumps([asdict(record) for record in records], indent=1) + "\n"
    (folder / HISTORY_NAME).write_text(text, encoding="utf-8")
