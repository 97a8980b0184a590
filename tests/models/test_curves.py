from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.curves import (
    best,
    draw_curves,
    loss_figure,
    read_curves,
    smoothed,
    validation_figure,
)
from spencer_models.loop import METRICS_NAME

PNG = b"\x89PNG\r\n\x1a\n"

RECORDS: list[dict[str, Any]] = [
    {"step": 10, "seconds": 1.0, "loss": 3.0, "learning_rate": 1e-5},
    {"step": 20, "seconds": 2.0, "loss": 2.0, "something": {"new": [1]}},
    {"step": 20, "seconds": 2.5, "event": "valid", "score": 0.4},
    {"step": 30, "seconds": 3.0, "loss": 1.0},
    {"step": 30, "seconds": 3.5, "event": "valid", "score": 0.6},
    {"step": 40, "seconds": 4.5, "event": "valid", "score": 0.6},
    {"step": 40, "seconds": 4.5, "event": "end", "loss": 1.0, "best_step": 30},
]


def write(folder: Path, records: Sequence[Mapping[str, Any]], tail: str = "") -> Path:
    path = folder / METRICS_NAME
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail, encoding="utf-8")
    return path


def test_losses_and_scores_are_read_and_the_rest_is_left(tmp_path: Path) -> None:
    curves = read_curves(write(tmp_path, RECORDS))
    assert curves.losses == [(10, 3.0), (20, 2.0), (30, 1.0)]
    assert curves.scores == [(20, 0.4), (30, 0.6), (40, 0.6)]


@pytest.mark.parametrize("tail", ['{"step": 40, "los', '{"step"', "\x00\x00"])
def test_a_torn_last_line_is_left_out(tail: str, tmp_path: Path) -> None:
    assert read_curves(write(tmp_path, RECORDS, tail)) == read_curves(write(tmp_path, RECORDS))


def test_a_torn_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, RECORDS[:2], '{"step": 3\n{"step": 40, "loss": 1.0}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 3: not JSON"):
        draw_curves(tmp_path)


def test_steps_told_again_after_a_resume_count_once(tmp_path: Path) -> None:
    again = [{"step": 20, "loss": 2.5}, {"step": 20, "event": "valid", "score": 0.5}]
    curves = read_curves(write(tmp_path, [*RECORDS, *again]))
    assert curves.losses == [(10, 3.0), (20, 2.5), (30, 1.0)]
    assert curves.scores[0] == (20, 0.5)


def test_both_pictures_are_drawn(tmp_path: Path) -> None:
    write(tmp_path, RECORDS)
    drawn = draw_curves(tmp_path)
    assert [path.name for path in drawn] == ["loss.png", "validation.png"]
    for path in drawn:
        assert path.read_bytes().startswith(PNG)
        assert path.stat().st_size > 5000


def test_what_was_not_logged_is_not_drawn(tmp_path: Path) -> None:
    write(tmp_path, [record for record in RECORDS if "event" not in record])
    assert [path.name for path in draw_curves(tmp_path)] == ["loss.png"]
    write(tmp_path, [])
    assert draw_curves(tmp_path) == []


def test_a_folder_without_metrics_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No metrics of a training run"):
        draw_curves(tmp_path)


def test_the_loss_is_drawn_as_logged_and_smoothed() -> None:
    losses = [(step, float(step % 7)) for step in range(100)]
    (axes,) = loss_figure(losses).axes
    raw, smooth = axes.get_lines()
    for line in (raw, smooth):
        assert line.get_xdata().tolist() == [step for step, _ in losses]
    assert raw.get_ydata().tolist() == [loss for _, loss in losses]
    assert smooth.get_ydata().tolist() == smoothed([loss for _, loss in losses])


def test_the_best_validation_is_marked() -> None:
    scores = [(20, 0.4), (30, 0.6), (40, 0.6), (50, 0.5)]
    (axes,) = validation_figure(scores).axes
    line, mark = axes.get_lines()
    assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == scores
    assert (mark.get_xdata().tolist(), mark.get_ydata().tolist()) == ([30], [0.6])
    assert mark.get_label() == "best: 0.6000 at step 30"
    assert best(scores) == (30, 0.6)


def test_smoothing_is_the_mean_of_a_window_that_never_lags() -> None:
    values = [float((i * 37) % 11) for i in range(200)]
    smooth = smoothed(values)
    # A window of a twentieth of 200: five to either side.
    assert smooth[100] == pytest.approx(fmean(values[95:106]))
    assert smooth[2] == pytest.approx(fmean(values[0:5]))
    assert smooth[0] == values[0]
    assert smooth[-1] == values[-1]
    # A straight line stays itself, which an average of the past would not leave it.
    line = [float(i) for i in range(200)]
    assert smoothed(line) == pytest.approx(line)
    assert smoothed([1.0]) == [1.0]
