"""The one training loop: wall-clock or step budgets, checkpoints, exact resume, metrics.jsonl."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spencer_models.progress import Report

CHECKPOINT_NAME = "checkpoint.pt"
METRICS_NAME = "metrics.jsonl"

LossOf = Callable[[int, float], Tensor]
"""(step, progress from 0 to 1) → the loss of that step's batch, which depends on these two alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train: `minutes` of wall-clock time, or exactly `steps` where that is not 0.

    The learning rate rises over the share `warmup` of the budget and then falls to zero along a line.
    """

    learning_rate: float
    warmup: float
    weight_decay: float
    seed: int
    precision: str
    minutes: float = 0.0
    steps: int = 0
    clip: float = 1.0
    checkpoint_seconds: float = 60.0
    report_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class FitResult:
    """`loss` is the mean over the last tenth of the steps that this process ran; `seconds` over all processes."""

    steps: int
    seconds: float
    loss: float


@dataclass(slots=True)
class _State:
    step: int = 0
    seconds: float = 0.0


def autocast(precision: str) -> AbstractContextManager[Any]:
    """Mixed precision on the CPU: weights stay float32, matrix products run in `precision`."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


def fit(model: nn.Module, loss_of: LossOf, plan: Plan, folder: Path, report: Report) -> FitResult:
    """Trains `model` in place; goes on from the checkpoint in `folder` where there is one.

    With a budget of steps, a run that was killed and started again ends exactly as one that was not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    optimizer = _optimizer(model, plan)
    state = _resume(model, optimizer, folder, report)
    model.train()
    losses: list[float] = []
    saved = told = now = time.monotonic()
    while (progress := _progress(plan, state)) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _rate(progress, plan.warmup)
        losses.append(_step(model, optimizer, loss_of, state.step, progress, plan))
        state.step += 1
        before, now = now, time.monotonic()
        state.seconds += now - before
        if now - told >= plan.report_seconds:
            told = now
            _tell(state, progress, losses[-20:], folder, report)
        if now - saved >= plan.checkpoint_seconds:
            saved = now
            _save(model, optimizer, state, folder)
    _save(model, optimizer, state, folder)
    tail = losses[-max(1, len(losses) // 10) :]
    result = FitResult(state.step, state.seconds, sum(tail) / len(tail) if tail else float("nan"))
    _log(folder, {"event": "end", "step": result.steps, "seconds": result.seconds, "loss": result.loss})
    return result


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: LossOf, step: int, progress: float, plan: Plan
) -> float:
    with autocast(plan.precision):
        loss = loss_of(step, progress)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
    optimizer.step()
    value = float(loss.detach())
    if value != value:
        raise FloatingPointError(f"the loss of step {step} is not a number")
    return value


def _optimizer(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    # Biases and layer norms are not decayed.
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate)


def _progress(plan: Plan, state: _State) -> float:
    return state.step / plan.steps if plan.steps else state.seconds / (60 * plan.minutes)


def _rate(progress: float, warmup: float) -> float:
    return max(progress, 1e-3) / warmup if progress < warmup else (1 - progress) / (1 - warmup)


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path, report: Report) -> _State:
    path = folder / CHECKPOINT_NAME
    metrics = folder / METRICS_NAME
    if not path.is_file():
        metrics.unlink(missing_ok=True)
        return _State()
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["rng"])
    state = _State(saved["step"], saved["seconds"])
    if metrics.is_file():
        # Lines written after the checkpoint tell of steps that are about to be run again.
        kept = [x for x in metrics.read_text(encoding="utf-8").splitlines() if json.loads(x)["step"] <= state.step]
        metrics.write_text("".join(x + "\n" for x in kept), encoding="utf-8")
    report(f"going on from step {state.step}")
    return state


def _save(model: nn.Module, optimizer: torch.optim.Optimizer, state: _State, folder: Path) -> None:
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": torch.get_rng_state(),
        "step": state.step,
        "seconds": state.seconds,
    }
    temporary = folder / (CHECKPOINT_NAME + ".new")
    torch.save(content, temporary)
    temporary.replace(folder / CHECKPOINT_NAME)


def _tell(state: _State, progress: float, losses: list[float], folder: Path, report: Report) -> None:
    loss = sum(losses) / len(losses)
    left = state.seconds / max(progress, 1e-9) * (1 - progress)
    report(f"step {state.step}  loss {loss:.4f}  {progress:4.0%}  about {left / 60:.0f} min left")
    _log(folder, {"step": state.step, "seconds": round(state.seconds, 1), "loss": loss})


def _log(folder: Path, record: Mapping[str, Any]) -> None:
    with (folder / METRICS_NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
