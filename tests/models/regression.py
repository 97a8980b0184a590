"""A training small enough for any test, and a program that runs it so that it can be killed from outside."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spencer_models.loop import Plan, fit
from spencer_models.machine import Machine

MACHINE = Machine(torch.device("cpu"), "float32")
STEPS = 60
PLAN = Plan(STEPS, 0.05, 0.1, 0.01, seed=3, validations=6, checkpoint_seconds=0.0)


def ignore(line: str) -> None:
    """A report that nobody reads."""


class Regression:
    """A linear fit with dropout, so that a resume must restore torch's generator too."""

    def __init__(self, pause: float = 0.0, weight_of_loss: float = 1.0) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.numbers: list[int] = []
        self._pause = pause
        self._weight = weight_of_loss

    def batch(self, number: int, progress: float) -> Tensor:
        return torch.from_numpy(np.random.default_rng(number).normal(size=(16, 3)).astype(np.float32))

    def backward(self, batch: Tensor) -> float:
        loss = self._weight * self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        time.sleep(self._pause)
        return float(loss.detach())

    def _loss(self, batch: Tensor) -> Tensor:
        return ((self.model(batch)[:, 0] - batch.sum(1)) ** 2).mean()

    def validate(self) -> float:
        # Draws from the generator, as dropout would: a validation must not change what training draws.
        torch.rand(3)
        with torch.no_grad():
            return -float(self._loss(self.batch(10_000, 0.0)))


def run(folder: Path, machine: Machine = MACHINE, **task: Any) -> tuple[Regression, Any]:
    """The whole training, or the rest of it."""
    work = Regression(**task)
    return work, fit(work.model, work, PLAN, machine, folder, ignore)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), pause=0.05)
