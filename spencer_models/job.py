"""What `spencer-models reproduce` was asked for, before anything heavy is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Step(str, Enum):
    """The steps of a run, in order; each needs those before it."""

    CORPUS = "corpus"
    DUAL = "dual"
    CROSS = "cross"
    STUDENTS = "students"
    SCORES = "scores"
    PACK = "pack"


@dataclass(frozen=True, slots=True)
class Job:
    """One call: the recipe and its inputs, where finished steps are kept (`work`) and results go (`out`).

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
