"""How a training run went, as pictures: its loss and its validation score over the steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from spencer_desktop.core.errors import UserError
from spencer_models.loop import METRICS_NAME
from spencer_models.plotting import COLOURS, INK, new_figure, save, style, whole_numbers

LOSS_NAME = "loss.png"
VALIDATION_NAME = "validation.png"

SMOOTHING_WINDOW = 0.05
"""Share of the logged losses that one point of the smoothed curve is the mean of."""

Series = list[tuple[int, float]]
"""(step, value), steps rising."""


@dataclass(frozen=True, slots=True)
class Curves:
    """What a run logged: its losses, and the scores of its validations (higher is better)."""

    losses: Series
    scores: Series


def draw_curves(folder: Path) -> list[Path]:
    """Draws loss.png and validation.png beside the metrics.jsonl of a training run; leaves out what was not logged."""
    curves = read_curves(folder / METRICS_NAME)
    drawn = []
    if curves.losses:
        drawn.append(save(loss_figure(curves.losses), folder / LOSS_NAME))
    if curves.scores:
        drawn.append(save(validation_figure(curves.scores), folder / VALIDATION_NAME))
    return drawn


def read_curves(path: Path) -> Curves:
    """The curves in a metrics.jsonl; a last line that was torn by a kill is left out. UserError when it is none."""
    losses: dict[int, float] = {}
    scores: dict[int, float] = {}
    for record in _records(path):
        # A resumed run tells again of steps after its checkpoint: the later line is the one that counts.
        if record.get("event") == "valid":
            scores[int(record["step"])] = float(record["score"])
        elif "event" not in record and "loss" in record:
            losses[int(record["step"])] = float(record["loss"])
    return Curves(sorted(losses.items()), sorted(scores.items()))


def smoothed(values: Sequence[float]) -> list[float]:
    """The mean over a window around each value; towards the ends the window narrows on both sides, so it never lags."""
    reach = round(len(values) * SMOOTHING_WINDOW / 2)
    windows = [min(reach, i, len(values) - 1 - i) for i in range(len(values))]
    return [fmean(values[i - window : i + window + 1]) for i, window in enumerate(windows)]


def best(scores: Series) -> tuple[int, float]:
    """The step and score of the best validation, the first of equals: the weights that a run keeps."""
    return max(scores, key=lambda point: point[1])


def loss_figure(losses: Series) -> Figure:
    """The loss as logged, faint, and smoothed."""
    steps, values = zip(*losses, strict=True)
    figure = new_figure(7.2, 4.0)
    axes = figure.add_subplot()
    axes.plot(steps, values, color=COLOURS[0], alpha=0.3, linewidth=1.0, label="as logged")
    axes.plot(steps, smoothed(values), color=COLOURS[0], linewidth=2.0, label="smoothed")
    style(axes, title="Training loss", x="Step", y="Loss")
    whole_numbers(axes)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def validation_figure(scores: Series) -> Figure:
    """The validations, the best marked."""
    steps, values = zip(*scores, strict=True)
    at, top = best(scores)
    figure = new_figure(7.2, 4.0)
    axes = figure.add_subplot()
    axes.plot(steps, values, color=COLOURS[0], marker="o", markersize=4, linewidth=1.6)
    label = f"best: {top:.4f} at step {at:,}"
    axes.plot([at], [top], linestyle="none", marker="*", markersize=14, color=COLOURS[1], label=label)
    style(axes, title="Validation", x="Step", y="Score")
    whole_numbers(axes)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"No metrics of a training run at {path} ({error.strerror}).") from error
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise UserError(f"{path}, line {number}: not JSON ({error})") from error
    return records
