"""The paper's Figures 4 and 5 and the path of Algorithm 1, drawn from what runs found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spencer_models.paper import METRICS, Expected, Figures, Model, all_sets, models, set_name
from spencer_models.plotting import (
    COLOURS,
    INK,
    MARKERS,
    QUIET,
    key,
    legend_below,
    new_figure,
    save,
    style,
    whole_numbers,
)
from spencer_models.results import (
    NO_DISTILL_RECALL,
    SPENCER,
    SPENCER_NO_DISTILL,
    SPENCER_RECALL,
    AssistantPath,
    Results,
    layers_of,
)

FIGURE_4 = "Figure 4: recall by query encoders of different sizes"
FIGURE_5 = "Figure 5: the pipeline for different numbers of candidates"
ALGORITHM_1 = "Algorithm 1: the way from the teacher to the student"
FILE_NAMES = {FIGURE_4: "figure4.png", FIGURE_5: "figure5.png", ALGORITHM_1: "algorithm1.png"}

Look = Mapping[str, Any]
"""Keywords of a line."""

_OBTAINED: Look = {"linewidth": 2.0, "markersize": 6}
_PRINTED: Look = {"linewidth": 0.9, "markersize": 3, "linestyle": "--", "alpha": 0.75}
_CHOSEN: Look = {"color": COLOURS[0], "marker": "o", "markersize": 9}
_NOT_CHOSEN: Look = {"color": QUIET, "marker": "o", "markersize": 7, "markerfacecolor": "white"}
_KEPT: Look = {"color": COLOURS[1], "marker": "*", "markersize": 20, "markeredgecolor": "white"}
_THRESHOLD: Look = {"color": COLOURS[1], "linestyle": "--", "linewidth": 1.2}
_CHOSEN_ARROW = {"arrowstyle": "-|>", "color": COLOURS[0], "linewidth": 1.8, "shrinkA": 6, "shrinkB": 7}
_NOT_CHOSEN_ARROW = {**_CHOSEN_ARROW, "color": QUIET, "linewidth": 1.0, "linestyle": (0, (4, 3))}

# Figure 5: one colour for each query encoder; ranking by the cross-encoder's score alone is the solid line.
_CANDIDATE_LINES: Mapping[str, tuple[str, Look]] = {
    SPENCER_NO_DISTILL: ("SPENCERnoDistill", {"color": COLOURS[1], "marker": "s"}),
    NO_DISTILL_RECALL: ("SPENCERnoDistill with recall score", {"color": COLOURS[1], "marker": "s", "linestyle": "--"}),
    SPENCER: ("SPENCER", {"color": COLOURS[0], "marker": "o"}),
    SPENCER_RECALL: ("SPENCER with recall score", {"color": COLOURS[0], "marker": "o", "linestyle": "--"}),
}
_CANDIDATE_METRICS = (METRICS.index("R@1"), METRICS.index("MRR"))


def write_figures(
    results: Sequence[Results], expected: Expected, out: Path, *, compact: bool = False
) -> dict[str, Path]:
    """Writes those figures that there is something to draw in to `out`, as PNG: title → path."""
    drawn = {
        FIGURE_4: layers_figure(results, expected, compact=compact),
        FIGURE_5: candidates_figure(results, expected),
        ALGORITHM_1: assistants_figure(results, expected),
    }
    return {title: save(figure, out / FILE_NAMES[title]) for title, figure in drawn.items() if figure is not None}


def layers_figure(results: Sequence[Results], expected: Expected, *, compact: bool = False) -> Figure | None:
    """Figure 4: a row for each test set, a column for each metric, over the query encoder's layers.

    Solid is obtained, dashed the paper's Table 5; `compact` leaves out the models that no run has.
    """
    rows = [model for model in models(results, expected) if model.runs or not compact]
    curves = [_size_curve(model, name) for model in rows for name in all_sets(results)]
    curves = [curve for curve in curves if len(curve.obtained) > 1 or len(curve.printed) > 1]
    if not curves:
        return None
    sets = [name for name in all_sets(results) if any(curve.test_set == name for curve in curves)]
    labels = dict.fromkeys(curve.label for curve in curves)
    pairs = zip(labels, cycle(zip(COLOURS, MARKERS, strict=True)), strict=False)
    looks = {label: {"color": colour, "marker": marker} for label, (colour, marker) in pairs}
    figure = new_figure(12.0, 2.9 * len(sets) + 0.7)
    grid = figure.subplots(len(sets), len(METRICS), squeeze=False)
    for curve in curves:
        look = looks[curve.label]
        for metric, axes in enumerate(grid[sets.index(curve.test_set)]):
            _plot_sizes(axes, curve.printed, metric, {**look, **_PRINTED})
            _plot_sizes(axes, curve.obtained, metric, {**look, **_OBTAINED})
    sizes = sorted({size for curve in curves for size in (*curve.obtained, *curve.printed)})
    for name, row in zip(sets, grid, strict=True):
        for axes, metric_name in zip(row, METRICS, strict=True):
            style(axes, title=f"{set_name(name)}, {metric_name}", x="Layers")
            axes.set_xticks(sizes)
            axes.set_xlim(sizes[0] - 0.5, sizes[-1] + 0.5)
    keys = [key(label, **_OBTAINED, **look) for label, look in looks.items()]
    if any(curve.printed for curve in curves):
        keys += [key("obtained", color=QUIET, **_OBTAINED), key("the paper", color=QUIET, **_PRINTED)]
    legend_below(figure, keys)
    return figure


def candidates_figure(results: Sequence[Results], expected: Expected) -> Figure | None:
    """Figure 5: for each model and test set a panel of R@1 and MRR over K, the candidates that are re-ranked."""
    panels = [
        (f"{model.label}, {set_name(name)}", run.candidates[name])
        for model in models(results, expected)
        for name in all_sets(results)
        if (run := model.run(name)) and run.candidates.get(name)
    ]
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(6.4 * columns, 3.0 * rows + 0.5)
    parts = figure.subfigures(rows, columns, squeeze=False, wspace=0.04, hspace=0.04).flat
    for part, (title, ways) in zip(parts, panels, strict=False):
        part.suptitle(title, fontsize=11, color=INK)
        for axes, metric in zip(part.subplots(1, 2), _CANDIDATE_METRICS, strict=True):
            for way, (label, look) in _CANDIDATE_LINES.items():
                points = sorted((int(k), scores.figures[metric]) for k, scores in ways.get(way, {}).items())
                if points:
                    axes.plot(*zip(*points, strict=True), label=label, linewidth=1.8, markersize=4.5, **look)
            style(axes, title=METRICS[metric], x="K")
            whole_numbers(axes)
    shown = [line for way, line in _CANDIDATE_LINES.items() if any(way in ways for _, ways in panels)]
    legend_below(figure, [key(label, linewidth=1.8, **look) for label, look in shown])
    return figure


def assistants_figure(results: Sequence[Results], expected: Expected) -> Figure | None:
    """A panel for each path of Algorithm 1: sizes and scores, an arrow from each teacher to each of its pupils."""
    paths = [
        (f"{model.label}, {run.recipe}", run.path)
        for model in models(results, expected)
        for run in model.runs
        if run.path
    ]
    if not paths:
        return None
    columns = min(2, len(paths))
    rows = -(-len(paths) // columns)
    figure = new_figure(6.4 * columns, 4.0 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (title, path) in zip(panels, paths, strict=False):
        _draw_path(axes, path)
        style(axes, title=title, x="Layers of the query encoder", y=f"{path.metric}, validation")
    for axes in list(figure.axes)[len(paths) :]:
        axes.remove()
    legend_below(
        figure,
        [
            key("teacher or chosen pupil", linestyle="none", **_CHOSEN),
            key("pupil not chosen", linestyle="none", **_NOT_CHOSEN),
            key("student that was kept", linestyle="none", **_KEPT),
            key("threshold", **_THRESHOLD),
        ],
    )
    return figure


@dataclass(frozen=True, slots=True)
class _SizeCurve:
    """Layers → figures of one model on one test set."""

    label: str
    test_set: str
    obtained: Mapping[int, Figures]
    printed: Mapping[int, Figures]


def _size_curve(model: Model, test_set: str) -> _SizeCurve:
    depths = [(depth, way) for way in model.ways(5) if (depth := layers_of(way))]
    obtained = {depth: scores.figures for depth, way in depths if (scores := model.scores(way, test_set))}
    printed = {depth: figures for depth, way in depths if (figures := model.printed(5, way, test_set))}
    return _SizeCurve(model.label, test_set, obtained, printed)


def _plot_sizes(axes: Axes, by_size: Mapping[int, Figures], metric: int, look: Look) -> None:
    if by_size:
        sizes = sorted(by_size)
        axes.plot(sizes, [by_size[size][metric] for size in sizes], **look)


def _draw_path(axes: Axes, path: AssistantPath) -> None:
    places = {path.teacher_layers: path.teacher_score}
    places |= {step.layers: step.score for step in path.steps if step.chosen}
    # What was chosen is drawn last, on top of what was not.
    for step in sorted(path.steps, key=lambda step: step.chosen):
        teacher = (step.teacher_layers, places[step.teacher_layers])
        look, arrow = (_CHOSEN, _CHOSEN_ARROW) if step.chosen else (_NOT_CHOSEN, _NOT_CHOSEN_ARROW)
        axes.annotate("", (step.layers, step.score), teacher, arrowprops=arrow)
        axes.plot([step.layers], [step.score], **look)
    axes.plot([path.teacher_layers], [path.teacher_score], **_CHOSEN)
    axes.plot([path.student_layers], [places[path.student_layers]], **_KEPT)
    axes.axhline(path.teacher_score - path.threshold, **_THRESHOLD)
    axes.set_xticks(sorted(places))
    axes.margins(0.12, 0.15)
    # From left to right as the algorithm goes: from the teacher to ever smaller pupils.
    axes.invert_xaxis()
