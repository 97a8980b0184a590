from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spencer_models.loop import CHECKPOINT_NAME, METRICS_NAME, Plan, fit

PLAN = Plan(
    learning_rate=0.05, warmup=0.1, weight_decay=0.01, seed=3, precision="float32", steps=30, checkpoint_seconds=0.0
)


class Stopped(Exception):
    """Stands for a killed process: nothing of the running step is kept."""


class Regression:
    """A linear fit with noise from torch's generator, so that a resume must restore that too."""

    def __init__(self, stop_at: int = -1) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.stop_at = stop_at

    def loss_of(self, step: int, progress: float) -> Tensor:
        if step == self.stop_at:
            raise Stopped
        x = torch.from_numpy(np.random.default_rng(step).normal(size=(16, 3)).astype(np.float32))
        return ((self.model(x)[:, 0] - x.sum(1)) ** 2).mean()


def _ignore(line: str) -> None:
    pass


def test_training_lowers_the_loss_and_writes_metrics(tmp_path: Path) -> None:
    work = Regression()
    before = float(work.loss_of(0, 0.0).detach())
    result = fit(work.model, work.loss_of, PLAN, tmp_path, _ignore)
    assert result.steps == 30
    assert result.loss < before / 2
    last = json.loads((tmp_path / METRICS_NAME).read_text().splitlines()[-1])
    assert (last["event"], last["step"], last["loss"]) == ("end", 30, result.loss)


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = Regression()
    fit(whole.model, whole.loss_of, PLAN, tmp_path / "whole", _ignore)
    killed = Regression(stop_at=17)
    with pytest.raises(Stopped):
        fit(killed.model, killed.loss_of, PLAN, tmp_path / "killed", _ignore)
    again = Regression()
    result = fit(again.model, again.loss_of, PLAN, tmp_path / "killed", _ignore)
    assert result.steps == 30
    for expected, found in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_metrics_after_the_checkpoint_are_written_once(tmp_path: Path) -> None:
    work = Regression()
    plan = Plan(**{**{f: getattr(PLAN, f) for f in PLAN.__slots__}, "report_seconds": 0.0})
    fit(work.model, work.loss_of, plan, tmp_path, _ignore)
    metrics = tmp_path / METRICS_NAME
    metrics.write_text(metrics.read_text() + json.dumps({"step": 99, "loss": 0.0}) + "\n")
    fit(work.model, work.loss_of, plan, tmp_path, _ignore)
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert 99 not in steps
    assert steps[:30] == list(range(1, 31))


def test_an_interrupted_save_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    work = Regression()
    fit(work.model, work.loss_of, PLAN, tmp_path, _ignore)
    (tmp_path / (CHECKPOINT_NAME + ".new")).write_bytes(b"half a file")
    assert fit(work.model, work.loss_of, PLAN, tmp_path, _ignore).steps == 30


def test_a_time_budget_ends_and_the_rate_falls_to_zero(tmp_path: Path) -> None:
    work = Regression()
    plan = Plan(learning_rate=0.05, warmup=0.1, weight_decay=0.0, seed=3, precision="float32", minutes=0.3 / 60)
    seen: list[float] = []

    def loss_of(step: int, progress: float) -> Tensor:
        seen.append(progress)
        return work.loss_of(step, progress)

    result = fit(work.model, loss_of, plan, tmp_path, _ignore)
    assert 0.3 <= result.seconds < 5
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] < 1.0


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="step 0"):
        fit(model, lambda step, progress: model.weight.sum() * float("nan"), PLAN, tmp_path, _ignore)
