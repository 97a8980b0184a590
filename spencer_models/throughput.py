"""What the training loop costs beside bare forward and backward passes over the same batches, on the dual encoder."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from spencer_models.dual import DualTask
from spencer_models.loop import Plan, fit
from spencer_models.pipeline import Run
from spencer_models.progress import Report
from spencer_models.recipes import read_recipe

_ROUNDS = 3


def measure(recipe_path: Path, corpus: Path, steps: int, threads: int, report: Report) -> str:
    """JSON: rows a second of the loop and of the bare passes, in turn, and the ratio of their medians over the rounds.

    Bare passes have their features made beforehand, and no optimiser.
    """
    if threads:
        torch.set_num_threads(threads)
    recipe = read_recipe(recipe_path)
    with tempfile.TemporaryDirectory() as work:
        run = Run(recipe, corpus, Path(work), report)
        dual = run.fresh_dual(recipe.dual.training.dropout)
        training = replace(recipe.dual.training, validations=0)
        task = DualTask(
            dual,
            run.backbone,
            run.examples,
            replace(recipe.dual, training=training),
            recipe.text,
            run.machine,
            lambda: 0.0,
            recipe.seed,
            run.mix,
            shown=run.shown,
        )
        plan = Plan(steps, training.learning_rate, training.warmup, training.weight_decay, recipe.seed)
        _bare(dual, task, 2)
        loop_seconds, bare_seconds = [], []
        for number in range(_ROUNDS):
            loop_seconds.append(fit(dual, task, plan, run.machine, Path(work) / str(number), report).seconds)
            bare_seconds.append(_bare(dual, task, steps))
            report(f"round {number + 1}: loop {loop_seconds[-1]:.1f} s, bare {bare_seconds[-1]:.1f} s")
    rows = steps * training.batch
    found = {
        "ratio": round(statistics.median(bare_seconds) / statistics.median(loop_seconds), 3),
        "loop_rows_per_second": round(rows / statistics.median(loop_seconds), 2),
        "bare_rows_per_second": round(rows / statistics.median(bare_seconds), 2),
        "steps": steps,
        "batch": training.batch,
        "rounds": _ROUNDS,
        "hardware": run.machine.describe(),
    }
    return json.dumps(found, indent=1)


def _bare(model: nn.Module, task: DualTask, steps: int) -> float:
    """Seconds of forward and backward over the first `steps` batches."""
    batches = [task.batch(number, 0.0) for number in range(steps)]
    model.train()
    started = time.perf_counter()
    for batch in batches:
        model.zero_grad(set_to_none=True)
        task.backward(batch)
    return time.perf_counter() - started
