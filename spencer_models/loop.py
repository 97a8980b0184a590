"""The one training loop: seeded, mixed precision, accumulation, validation, early stopping, exact resume.

What is trained is a `Task`. A run that is killed and started again ends with the very weights and figures of one that
was not: a batch depends on its number alone, and a checkpoint holds all else that a step depends on.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from spencer_desktop.core.errors import UserError
from spencer_models.ahead import made_ahead
from spencer_models.machine import Machine
from spencer_models.progress import Report, Track

CHECKPOINT_NAME = "checkpoint.pt"
METRICS_NAME = "metrics.jsonl"

_LOG_LINES = 200


class Task(Protocol):
    """What `fit` trains; it knows the data, the loss and how well the model does."""

    def batch(self, number: int, progress: float) -> Any:
        """The features of one batch, on the CPU; depends on the arguments alone.

        Called ahead of time, from another thread or process.
        """

    def backward(self, batch: Any) -> float:
        """Adds the gradient of the batch's mean loss to the weights; returns the loss."""

    def validate(self) -> float:
        """How good the model is now; higher is better."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train.

    `steps` steps of `accumulate` batches each. The learning rate rises over the share `warmup` of the steps and then
    falls to zero along a line. The model is validated `validations` times, evenly spread, the last time at the end (0:
    never); the best weights seen are kept, and after `patience` validations without a better score training ends
    (0: it does not).
    """

    steps: int
    learning_rate: float
    warmup: float
    weight_decay: float
    seed: int
    accumulate: int = 1
    validations: int = 0
    patience: int = 0
    clip: float = 1.0
    checkpoint_seconds: float = 300.0


@dataclass(slots=True)
class _State:
    """Everything beside weights and optimiser that the next step depends on."""

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best_score: float = -math.inf
    best_step: int = 0
    since_best: int = 0


@dataclass(frozen=True, slots=True)
class FitResult:
    """`loss` is the mean over the last logged stretch; `score` the best validation, at `best_step` (nan, 0: none)."""

    steps: int
    seconds: float
    loss: float
    score: float
    best_step: int


def fit(model: nn.Module, task: Task, plan: Plan, machine: Machine, folder: Path, report: Report) -> FitResult:
    """Trains `model` (on the machine's device) in place; goes on from the checkpoint in `folder` where there is one.

    Leaves metrics.jsonl in `folder`, and the checkpoint until `forget`. UserError when a loss or gradient is no number.
    Ctrl-C ends the running step and saves, then raises KeyboardInterrupt; a second one does not wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    run = _Run(model, task, plan, machine, folder)
    run.resume(report)
    model.train()
    with Track(folder.name, plan.steps, report, done=run.state.step) as track, _interrupts_noted() as interrupted:
        run.train(track, interrupted)
    if interrupted() and run.state.step < plan.steps:
        run.save()
        report(f"{folder.name}: stopped after step {run.state.step}; the same command goes on from there")
        raise KeyboardInterrupt
    return run.finish()


@contextmanager
def _interrupts_noted() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; it no longer ends what runs. Only the main thread can note it."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def forget(folder: Path) -> None:
    """Removes what only an unfinished run needs; called when the trained weights are safe elsewhere."""
    (folder / CHECKPOINT_NAME).unlink(missing_ok=True)


class _Run:
    """One call of `fit`."""

    def __init__(self, model: nn.Module, task: Task, plan: Plan, machine: Machine, folder: Path) -> None:
        self.model = model
        self.task = task
        self.plan = plan
        self.machine = machine
        self.folder = folder
        self.optimizer = _optimizer(model, plan)
        self.state = _State()
        self._best: dict[str, Tensor] = {}
        self._valid_steps = {round(plan.steps * i / plan.validations) for i in range(1, plan.validations + 1)}
        self._log_every = max(1, plan.steps // _LOG_LINES)
        self._loss = math.nan

    def train(self, track: Track, interrupted: Callable[[], bool]) -> None:
        state, saved = self.state, time.monotonic()
        now = saved
        with closing(_prefetched(self.task, self.plan, state.step, self.machine.workers)) as steps:
            for step, batches in steps:
                if self._gave_up() or interrupted():
                    break
                rate = _rate(step / self.plan.steps, self.plan.warmup)
                self._step(step, batches, self.plan.learning_rate * rate)
                state.step = step + 1
                self._measure()
                before, now = now, time.monotonic()
                state.seconds += now - before
                best = f"  best {state.best_score:.4f}" if state.best_step else ""
                track.update(state.step, f"loss {self._loss:.4f}{best}")
                if now - saved >= self.plan.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()

    def _gave_up(self) -> bool:
        return 0 < self.plan.patience <= self.state.since_best

    def _step(self, step: int, batches: list[Any], learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = sum(self.task.backward(batch) for batch in batches) / len(batches)
        if not math.isfinite(loss):
            raise self._diverged(f"the loss of step {step} is {loss}")
        if len(batches) > 1:
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.grad /= len(batches)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        if not torch.isfinite(norm):
            raise self._diverged(f"the gradient of step {step} is not finite")
        self.optimizer.step()
        self.state.loss_sum += loss
        self.state.loss_steps += 1

    def _diverged(self, what: str) -> UserError:
        return UserError(
            f"{self.folder.name} went astray: {what}",
            hint="Lower the learning_rate of this training in the recipe, or raise its warmup.",
        )

    def _measure(self) -> None:
        state, last = self.state, self.state.step == self.plan.steps
        if state.step % self._log_every == 0 or last:
            self._loss = state.loss_sum / state.loss_steps
            state.loss_sum, state.loss_steps = 0.0, 0
            rate = self.optimizer.param_groups[0]["lr"]
            self._log(loss=self._loss, learning_rate=rate)
        if state.step in self._valid_steps:
            self._validate()

    def _validate(self) -> None:
        state = self.state
        self.model.eval()
        rng = self.machine.rng_state()
        score = self.task.validate()
        self.machine.set_rng_state(rng)
        self.model.train()
        if score > state.best_score:
            state.best_score, state.best_step, state.since_best = score, state.step, 0
            self._best = {k: v.detach().to("cpu", copy=True) for k, v in self.model.state_dict().items()}
        else:
            state.since_best += 1
        self._log(event="valid", score=score)

    def _log(self, **record: Any) -> None:
        line = {"step": self.state.step, "seconds": round(self.state.seconds, 1), **record}
        with (self.folder / METRICS_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def resume(self, report: Report) -> None:
        path, metrics = self.folder / CHECKPOINT_NAME, self.folder / METRICS_NAME
        if not path.is_file():
            metrics.unlink(missing_ok=True)
            return
        saved = torch.load(path, weights_only=True, map_location="cpu")
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.machine.set_rng_state(saved["rng"])
        self.state = _State(**saved["state"])
        self._best = saved["best"]
        self._loss = saved["loss"]
        _keep_lines(metrics, self.state.step)
        report(f"{self.folder.name}: going on from step {self.state.step}")

    def save(self) -> None:
        content = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.machine.rng_state(),
            "state": asdict(self.state),
            # In the same file, so that the best weights and the best score are never of two different steps.
            "best": self._best,
            "loss": self._loss,
        }
        temporary = self.folder / (CHECKPOINT_NAME + ".new")
        torch.save(content, temporary)
        temporary.replace(self.folder / CHECKPOINT_NAME)

    def finish(self) -> FitResult:
        state = self.state
        self.save()
        if self._best:
            self.model.load_state_dict(self._best)
        score = state.best_score if state.best_step else math.nan
        result = FitResult(state.step, state.seconds, self._loss, score, state.best_step)
        self._log(event="end", loss=result.loss, best_step=result.best_step)
        return result


class _Steps(Dataset[tuple[int, list[Any]]]):
    """Step → (it, its batches)."""

    def __init__(self, task: Task, plan: Plan) -> None:
        self._task = task
        self._plan = plan

    def __getitem__(self, step: int) -> tuple[int, list[Any]]:
        numbers = range(step * self._plan.accumulate, (step + 1) * self._plan.accumulate)
        return step, [self._task.batch(number, step / self._plan.steps) for number in numbers]


def _prefetched(task: Task, plan: Plan, first: int, workers: int) -> Generator[tuple[int, list[Any]], None, None]:
    """(step, its batches) from step `first` on; a thread, or so many processes, make the next ones ready meanwhile."""
    steps, numbers = _Steps(task, plan), range(first, plan.steps)
    if not workers:
        yield from made_ahead(steps.__getitem__, numbers)
        return
    yield from DataLoader(
        steps,
        None,
        sampler=numbers,
        num_workers=workers,
        collate_fn=_as_it_is,
        # Forked, not started anew: what a batch is made of is there already, and a task is not made to be sent.
        multiprocessing_context="fork",
        # Its seeds are not to be drawn from the generator that dropout draws from.
        generator=torch.Generator(),
    )


def _as_it_is(made: Any) -> Any:
    return made


def _optimizer(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    # Biases and layer norms are not decayed.
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=plan.learning_rate)


def _rate(progress: float, warmup: float) -> float:
    return max(progress, 1e-3) / warmup if progress < warmup else (1 - progress) / (1 - warmup)


def _keep_lines(metrics: Path, step: int) -> None:
    """Lines written after the checkpoint tell of steps that are about to be run again; a torn one of none."""
    if metrics.is_file():
        lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [x for x in lines if x.endswith("\n") and _told_step(x) <= step]
        metrics.write_text("".join(kept), encoding="utf-8")


def _told_step(line: str) -> int:
    record: Mapping[str, Any] = json.loads(line)
    return math.inf if record.get("event") == "end" else int(record["step"])  # type: ignore[return-value]
