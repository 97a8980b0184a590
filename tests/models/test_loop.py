"""The training loop: it learns, stops early, keeps the best, and after kill -9 ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError
from spencer_models.loop import CHECKPOINT_NAME, METRICS_NAME, Plan, fit, forget
from tests.models.regression import MACHINE, PLAN, STEPS, Regression, ignore, run

ROOT = Path(__file__).resolve().parents[2]


def _lines(folder: Path) -> list[dict[str, Any]]:
    """The metrics without their times, which no two runs share."""
    records = [json.loads(line) for line in (folder / METRICS_NAME).read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def _same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_training_lowers_the_loss_and_writes_metrics(tmp_path: Path) -> None:
    before = -Regression().validate()
    _, result = run(tmp_path)
    assert (result.steps, result.best_step) == (STEPS, STEPS)
    assert -result.score < before / 2
    lines = _lines(tmp_path)
    assert [x["step"] for x in lines if "learning_rate" in x] == list(range(1, STEPS + 1))
    assert [x["step"] for x in lines if x.get("event") == "valid"] == [10, 20, 30, 40, 50, 60]
    assert lines[-1] == {"event": "end", "step": STEPS, "loss": result.loss, "best_step": STEPS}


def test_the_rate_rises_and_falls_along_lines(tmp_path: Path) -> None:
    run(tmp_path)
    rates = [x["learning_rate"] for x in _lines(tmp_path) if "learning_rate" in x]
    assert max(rates) == rates[6] == pytest.approx(PLAN.learning_rate)
    assert rates[3] == pytest.approx(PLAN.learning_rate / 2)
    assert rates[33] == pytest.approx(PLAN.learning_rate / 2, rel=0.01)
    assert rates[-1] < 0.02 * PLAN.learning_rate


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_workers_make_the_batches_that_a_thread_makes(tmp_path: Path) -> None:
    by_thread, expected = run(tmp_path / "thread")
    by_workers, result = run(tmp_path / "workers", replace(MACHINE, workers=2))
    assert _same(by_thread.model, by_workers.model)
    assert (result.loss, result.score) == (expected.loss, expected.score)


def test_after_kill_9_a_run_ends_as_one_that_was_not_killed(tmp_path: Path) -> None:
    whole, expected = run(tmp_path / "whole")
    folder = tmp_path / "killed"
    program = [sys.executable, "-m", "tests.models.regression", str(folder)]
    for least in (7, 23):
        process = subprocess.Popen(program, cwd=ROOT)
        deadline = time.monotonic() + 60
        while not _has_line(folder, least):
            assert process.poll() is None, "ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -9
    again, found = run(folder)
    assert _same(whole.model, again.model)
    assert replace(found, seconds=0.0) == replace(expected, seconds=0.0)
    assert _lines(folder) == _lines(tmp_path / "whole")


def _has_line(folder: Path, step: int) -> bool:
    path = folder / METRICS_NAME
    # A line that is being written has no end yet.
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return any(json.loads(x)["step"] >= step for x in lines if x.endswith("\n"))


def test_ctrl_c_saves_at_the_end_of_the_step_and_nothing_is_lost(tmp_path: Path) -> None:
    class Interrupted(Regression):
        """Ctrl-C is pressed in the middle of the sixth step."""

        def backward(self, batch: Tensor) -> float:
            self.steps = getattr(self, "steps", 0) + 1
            if self.steps == 6:
                os.kill(os.getpid(), signal.SIGINT)
            return super().backward(batch)

    whole, expected = run(tmp_path / "whole")
    plan = replace(PLAN, checkpoint_seconds=1e9)
    task, lines = Interrupted(), list[str]()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(task.model, task, plan, MACHINE, tmp_path / "stopped", lines.append)
    assert signal.getsignal(signal.SIGINT) is handler
    assert "stopped after step 6" in lines[-1]
    again = Regression()
    found = fit(again.model, again, plan, MACHINE, tmp_path / "stopped", lines.append)
    assert "going on from step 6" in lines[-1]
    assert _same(whole.model, again.model)
    assert replace(found, seconds=0.0) == replace(expected, seconds=0.0)


def test_what_a_killed_process_leaves_half_written_does_not_matter(tmp_path: Path) -> None:
    whole, expected = run(tmp_path)
    (tmp_path / (CHECKPOINT_NAME + ".new")).write_bytes(b"half a file")
    with (tmp_path / METRICS_NAME).open("a") as file:
        file.write('{"step": 61, "loss": 0.1}\n{"step": 6')
    again, found = run(tmp_path)
    assert _same(whole.model, again.model)
    assert replace(found, seconds=0.0) == replace(expected, seconds=0.0)
    assert [x["step"] for x in _lines(tmp_path)][-1] == STEPS
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".new"] == [METRICS_NAME]


def test_accumulated_batches_are_one_step_of_their_mean(tmp_path: Path) -> None:
    class Halves(Regression):
        """The batches of `Regression`, each in two halves, without dropout."""

        def batch(self, number: int, progress: float) -> Tensor:
            return super().batch(number // 2, progress)[8 * (number % 2) : 8 + 8 * (number % 2)]

    models = []
    for task, accumulate in ((Regression(), 1), (Halves(), 2)):
        task.model[1] = nn.Identity()
        fit(task.model, task, replace(PLAN, accumulate=accumulate), MACHINE, tmp_path / str(accumulate), ignore)
        models.append(task.model)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_the_best_weights_are_kept_and_training_ends_without_progress(tmp_path: Path) -> None:
    class Scripted(Regression):
        """Validations whose scores are given; it notes the weights of the second."""

        def __init__(self) -> None:
            super().__init__()
            self.scores = [0.1, 0.5, 0.4, 0.3, 0.9, 0.9]
            self.weights: list[Tensor] = []

        def validate(self) -> float:
            if len(self.scores) == 5:
                self.weights = [p.detach().clone() for p in self.model.parameters()]
            return self.scores.pop(0)

    task = Scripted()
    result = fit(task.model, task, replace(PLAN, patience=2), MACHINE, tmp_path, ignore)
    assert (result.steps, result.score, result.best_step) == (40, 0.5, 20)
    assert all(torch.equal(p, w) for p, w in zip(task.model.parameters(), task.weights, strict=True))


def test_without_validation_the_last_weights_stay(tmp_path: Path) -> None:
    task = Regression()
    result = fit(task.model, task, replace(PLAN, validations=0), MACHINE, tmp_path, ignore)
    assert result.best_step == 0
    assert result.score != result.score


def test_a_batch_sees_the_progress_of_its_step(tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []

    class Watched(Regression):
        def batch(self, number: int, progress: float) -> Tensor:
            seen.append((number, progress))
            return super().batch(number, progress)

    task = Watched()
    fit(task.model, task, Plan(10, 0.01, 0.1, 0.0, seed=1, accumulate=2), MACHINE, tmp_path, ignore)
    assert seen == [(number, number // 2 / 10) for number in range(20)]


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="step 0"):
        run(tmp_path, weight_of_loss=float("nan"))


def test_a_gradient_that_is_not_finite_stops_the_run_before_it_spoils_the_weights(tmp_path: Path) -> None:
    class Steep(Regression):
        """A loss of 0 whose gradient is infinite."""

        def backward(self, batch: Tensor) -> float:
            loss = (self.model(batch) * 0).abs().sqrt().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())

    task = Steep()
    before = [p.detach().clone() for p in task.model.parameters()]
    with pytest.raises(UserError, match="gradient of step 0"):
        fit(task.model, task, PLAN, MACHINE, tmp_path, ignore)
    assert all(torch.equal(a, b) for a, b in zip(before, task.model.parameters(), strict=True))


def test_an_error_in_a_batch_reaches_the_caller(tmp_path: Path) -> None:
    class Broken(Regression):
        def batch(self, number: int, progress: float) -> Tensor:
            if number == 5:
                raise ValueError("no such text")
            return super().batch(number, progress)

    task = Broken()
    with pytest.raises(ValueError, match="no such text"):
        fit(task.model, task, PLAN, MACHINE, tmp_path, ignore)
