"""What `spencer-models reproduce` was asked for, before anything heavy is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from spencer_desktop.core.errors import UserError


class Step(str, Enum):
    """The steps of a run, in order; each needs those before it."""

    CORPUS = "corpus"
    DUAL = "dual"
    CROSS = "cross"
    STUDENTS = "students"
    SCORES = "scores"
    PACK = "pack"


def make_folder(folder: Path) -> None:
    """Makes a folder that results will be written to. UserError, before any work is done, when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made a folder ({error.strerror})", hint="Name another place.") from error


@dataclass(frozen=True, slots=True)
class Job:
    """One call: the recipe and its inputs, where finished steps and packs are kept (`work`) and tables go (`out`).

    `roots` are what the recipe's paths are relative to, `excluded` the measuring sets; a prepared `corpus` stands in
    for both. `checkpoint` "" is the recipe's; `threads` 0 is all cores; `command` is what the user typed. Every
    `save_minutes` a training is saved so that it can go on.
    """

    recipe: Path
    roots: tuple[Path, ...]
    excluded: tuple[Path, ...]
    corpus: Path | None
    work: Path
    out: Path
    checkpoint: str
    threads: int
    save_minutes: float
    command: str
