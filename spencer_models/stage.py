"""A step of a run: a folder named by all that it depends on, in which its result is made once.

So a run that was stopped goes on where it was, and a recipe that differs in the re-ranker alone keeps its students.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from spencer_models.curves import draw_curves
from spencer_models.loop import FitResult, Plan, Task, fit, forget
from spencer_models.machine import Machine
from spencer_models.progress import Report

_DONE = "done.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """One training of a run."""

    folder: Path

    @property
    def is_done(self) -> bool:
        return (self.folder / _DONE).is_file()

    def result(self) -> FitResult:
        """How the training went."""
        return FitResult(**self._done()["result"])

    def hardware(self) -> str:
        """What it was trained on, which may be another machine than the one that goes on from here."""
        return str(self._done()["hardware"])

    def _done(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / _DONE).read_text(encoding="utf-8")))

    def train(
        self, model: nn.Module, task: Task, plan: Plan, machine: Machine, save: Callable[[], None], report: Report
    ) -> None:
        """Trains `model` and has `save` keep it; what only an unfinished training needs is removed after that."""
        result = fit(model.to(machine.device), task, plan, machine, self.folder, report)
        save()
        draw_curves(self.folder)
        done = {"result": asdict(result), "hardware": machine.describe()}
        (self.folder / _DONE).write_text(json.dumps(done) + "\n", encoding="utf-8")
        forget(self.folder)
        report(f"{self.folder.name}: {result.steps} steps, loss {result.loss:.4f}, score {result.score:.4f}")
