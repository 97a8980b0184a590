from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from spencer_models.figures import (
    ALGORITHM_1,
    FIGURE_4,
    FIGURE_5,
    assistants_figure,
    candidates_figure,
    layers_figure,
    write_figures,
)
from spencer_models.paper import Expected, read_expected
from spencer_models.results import DUAL, NO_DISTILL_RECALL, SPENCER, SPENCER_NO_DISTILL, SPENCER_RECALL
from tests.models.results_cases import MRRS, PATH, merged, run, scores

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def expected() -> Expected:
    return read_expected()


def panel(figure: Figure | None, title: str) -> Axes:
    assert figure is not None
    (axes,) = [axes for axes in figure.axes if axes.get_title(loc="left") == title]
    return axes


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def of_style(axes: Axes, style: str) -> list[list[tuple[float, float]]]:
    return [points(line) for line in axes.get_lines() if line.get_linestyle() == style]


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize(("metric", "offset"), [("R@1", -0.1), ("R@3", 0.1), ("R@5", 0.2), ("MRR", 0.0)])
def test_figure_4_draws_each_metric_over_the_sizes(metric: str, offset: float, expected: Expected) -> None:
    figure = layers_figure([run()], expected, compact=True)
    ((*line,),) = of_style(panel(figure, f"Python, {metric}"), "-")
    assert line == [(size, pytest.approx(mrr + offset)) for size, mrr in ((2, 0.44), (4, 0.49), (6, 0.50))]


def test_figure_4_draws_the_papers_table_5_dashed_in_the_models_colour(expected: Expected) -> None:
    figure = layers_figure([run("codet5", layers=6)], expected)
    axes = panel(figure, "Java, MRR")
    assert len(of_style(axes, "--")) == 5
    assert of_style(axes, "-") == []
    assert [(1, 0.578), (3, 0.591), (6, 0.600), (9, 0.606), (12, 0.608)] in of_style(axes, "--")
    axes = panel(figure, "Python, R@1")
    (obtained,) = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    (printed,) = [line for line in axes.get_lines() if (12, 0.655) in points(line)]
    assert obtained.get_color() == printed.get_color()
    assert len({line.get_color() for line in axes.get_lines()}) == 5
    assert figure is not None
    assert labels(figure) == [
        *("CodeBERT", "GraphCodeBERT", "CodeT5", "UniXcoder", "SPTCode"),
        *("obtained", "the paper"),
    ]


def test_figure_4_compact_leaves_out_models_and_sets_without_runs(expected: Expected) -> None:
    figure = layers_figure([run()], expected, compact=True)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"Python, {m}" for m in ("R@1", "R@3", "R@5", "MRR")
    ]
    assert labels(figure) == ["MiniLM"]


def test_figure_4_without_two_sizes_is_not_drawn(expected: Expected) -> None:
    assert layers_figure([run(mrrs={DUAL: 0.5})], expected, compact=True) is None
    assert layers_figure([], expected, compact=True) is None


def test_figure_4_has_a_row_for_each_set(expected: Expected) -> None:
    figure = layers_figure([merged(run(), run(test_set="go"))], expected)
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title.split(",")[0] for title in titles] == ["Python"] * 4 + ["Java"] * 4 + ["Go"] * 4


def test_figure_5_draws_r1_and_mrr_in_the_order_of_k(expected: Expected) -> None:
    """K is text in the results, where "10" sorts before "2"."""
    figure = candidates_figure([run()], expected)
    for title, offset in (("R@1", -0.1), ("MRR", 0.0)):
        lines = [points(line) for line in panel(figure, title).get_lines()]
        assert lines == [
            [(k, pytest.approx(MRRS[way] - 0.1 / k + offset)) for k in (2, 5, 10)]
            for way in (SPENCER_NO_DISTILL, SPENCER)
        ]
    assert figure is not None
    assert labels(figure) == ["SPENCERnoDistill", "SPENCER"]


def test_figure_5_draws_the_ways_with_the_recall_score_dashed_in_the_same_colour(expected: Expected) -> None:
    results = run()
    ways = dict(results.candidates["python"])
    ways |= {way: {"2": scores(0.5), "3": scores(0.55)} for way in (NO_DISTILL_RECALL, SPENCER_RECALL)}
    figure = candidates_figure([replace(results, candidates={"python": ways})], expected)
    plain, recall, *_ = panel(figure, "MRR").get_lines()
    assert (plain.get_linestyle(), recall.get_linestyle()) == ("-", "--")
    assert plain.get_color() == recall.get_color()
    assert points(recall) == [(2, 0.5), (3, 0.55)]
    assert figure is not None
    assert len(labels(figure)) == 4


def test_figure_5_has_a_panel_for_each_model_and_set(expected: Expected) -> None:
    results = [merged(run(), run(test_set="java")), run("codebert", "other")]
    figure = candidates_figure(results, expected)
    assert figure is not None
    titles = [part.get_suptitle() for part in np.ravel(figure.subfigs)]
    assert [title for title in titles if title] == ["CodeBERT, Python", "MiniLM, Python", "MiniLM, Java"]
    assert len(figure.axes) == 6
    assert candidates_figure([replace(run(), candidates={})], expected) is None


def test_the_path_is_drawn_with_an_arrow_for_each_step(expected: Expected) -> None:
    axes = panel(assistants_figure([run()], expected), "MiniLM, minilm-small")
    arrows = [text for text in axes.texts if isinstance(text, Annotation)]
    # From the teacher's place to the pupil's.
    drawn = {(arrow.xyann, arrow.xy) for arrow in arrows}
    assert drawn == {
        ((6, 0.500), (4, 0.498)),
        ((6, 0.500), (2, 0.4925)),
        ((4, 0.498), (2, 0.4951)),
        ((4, 0.498), (1, 0.4811)),
        ((2, 0.4951), (1, 0.4711)),
    }
    assert len(arrows) == len(PATH.steps)
    left, right = axes.get_xlim()
    assert left > 6 > 1 > right


def test_the_path_marks_what_was_chosen_the_student_and_the_threshold(expected: Expected) -> None:
    axes = panel(assistants_figure([run()], expected), "MiniLM, minilm-small")
    *marks, threshold = axes.get_lines()
    hollow = [points(mark)[0] for mark in marks if mark.get_markerfacecolor() == "white"]
    assert hollow == [(2, 0.4925), (1, 0.4711)]
    filled = [points(mark)[0] for mark in marks if mark.get_marker() == "o" and mark.get_markerfacecolor() != "white"]
    assert sorted(filled) == [(1, 0.4811), (2, 0.4951), (4, 0.498), (6, 0.5)]
    assert [points(mark)[0] for mark in marks if mark.get_marker() == "*"] == [(2, 0.4951)]
    assert list(threshold.get_ydata()) == pytest.approx([0.49, 0.49])


def test_paths_of_several_runs_have_a_panel_each(expected: Expected) -> None:
    results = [run(), run("codebert", "a"), run("codet5", "b"), replace(run("unixcoder", "c"), path=None)]
    figure = assistants_figure(results, expected)
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["CodeBERT, a", "CodeT5, b", "MiniLM, minilm-small"]
    assert assistants_figure(results[3:], expected) is None


def test_figures_are_written_as_png_of_their_size(expected: Expected, tmp_path: Path) -> None:
    written = write_figures([run()], expected, tmp_path)
    assert list(written) == [FIGURE_4, FIGURE_5, ALGORITHM_1]
    sizes = {}
    for title, path in written.items():
        content = path.read_bytes()
        assert content.startswith(PNG)
        assert len(content) > 10_000
        sizes[title] = struct.unpack(">II", content[16:24])
    # At 160 pixels an inch: two rows of four, one panel of two, one panel.
    assert sizes[FIGURE_4] == (1920, round((2.9 * 2 + 0.7) * 160))
    assert sizes[FIGURE_5] == (1024, 560)
    assert sizes[ALGORITHM_1] == (1024, 704)


def test_nothing_to_draw_writes_nothing(expected: Expected, tmp_path: Path) -> None:
    bare = replace(run(mrrs={DUAL: 0.5}), candidates={}, path=None)
    assert write_figures([bare], expected, tmp_path, compact=True) == {}
    assert list(tmp_path.iterdir()) == []
