from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.paper import Expected, read_expected
from spencer_models.results import (
    ASSISTANTS,
    CROSS,
    DIRECT_DISTILL,
    DUAL,
    DUAL_FOR_CROSS,
    NO_DISTILL_RECALL,
    SPENCER,
    SPENCER_RECALL,
    Results,
    Scores,
    layers_way,
    write_results,
)
from spencer_models.tables import render_tables, write_tables
from tests.models.results_cases import MRRS, PATH, TIMING, merged, run, scores

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def expected() -> Expected:
    return read_expected()


def section(text: str, title: str) -> list[str]:
    """The lines between the heading that starts like this and the next one."""
    (start,) = [i for i, line in enumerate(text.splitlines()) if line.startswith(f"## {title}")]
    lines = text.splitlines()[start + 1 :]
    end = next((i for i, line in enumerate(lines) if line.startswith("## ")), len(lines))
    return [line for line in lines[:end] if line]


def table(text: str, title: str) -> list[str]:
    return [line for line in section(text, title) if line.startswith("|")]


def notes(text: str, title: str) -> list[str]:
    return [line for line in section(text, title) if line.startswith("- ")]


def with_mrrs(**changes: float) -> Results:
    return run(mrrs={**MRRS, **changes})


def test_table_2_whole(expected: Expected) -> None:
    text = render_tables([run()], expected, compact=True)
    assert section(text, "Table 2") == [
        "- MiniLM, Python: n = 2,000 in 2 pools, 123 dropped; recipe minilm-small, "
        "`spencer-models reproduce minilm-small`",
        "| Model | Python R@1 | Python R@3 | Python R@5 | Python MRR |",
        "| :-- | --: | --: | --: | --: |",
        "| MiniLM Dual | 0.400 / — | 0.600 / — | 0.700 / — | 0.500 / — |",
        "| MiniLM SPENCERnoDistill "
        "| 0.500 (↑25.0%) / — | 0.700 (↑16.7%) / — | 0.800 (↑14.3%) / — | 0.600 (↑20.0%) / — |",
        "| MiniLM SPENCER | 0.494 (↑23.5%) / — | 0.694 (↑15.7%) / — | 0.794 (↑13.4%) / — | 0.594 (↑18.8%) / — |",
        "| MiniLM Cross | 0.510 (↑27.5%) / — | 0.710 (↑18.3%) / — | 0.810 (↑15.7%) / — | 0.610 (↑22.0%) / — |",
    ]


def test_obtained_stands_beside_expected_and_a_dash_where_there_is_none(expected: Expected) -> None:
    mrrs = {DUAL: 0.75, SPENCER: 0.75, CROSS: 0.7501}
    rows = table(render_tables([run("codebert", layers=12, mrrs=mrrs)], expected), "Table 2")
    assert (
        rows[2]
        == "| CODEnn | — / 0.294 | — / 0.536 | — / 0.713 | — / 0.494 | — / 0.235 | — / 0.433 | — / 0.629 | — / 0.395 |"
    )
    java = "— / 0.533 | — / 0.704 | — / 0.754 | — / 0.633 |"
    assert rows[4] == f"| CodeBERT Dual | 0.650 / 0.652 | 0.850 / 0.839 | 0.950 / 0.888 | 0.750 / 0.757 | {java}"
    java = "— / 0.575 | — / 0.722 | — / 0.754 | — / 0.661 |"
    assert rows[5] == f"| CodeBERT SPENCERnoDistill | — / 0.714 | — / 0.865 | — / 0.888 | — / 0.798 | {java}"
    # Equal figures, and those that are equal once rounded, changed by "0.0%" as in the paper.
    assert rows[6].startswith("| CodeBERT SPENCER | 0.650 (0.0%) / 0.710 |")
    assert rows[7].startswith("| CodeBERT Cross | 0.650 (0.0%) / 0.714 |")


def test_rows_are_those_of_the_paper_in_its_order(expected: Expected) -> None:
    text = render_tables([], expected)
    names = {number: [row.split(" | ")[0][2:] for row in table(text, f"Table {number}")[2:]] for number in range(2, 7)}
    assert {number: len(rows) for number, rows in names.items()} == {2: 18, 3: 8, 4: 20, 5: 25, 6: 16}
    assert names[2][:4] == ["CODEnn", "CRaDLe", "CodeBERT Dual", "CodeBERT SPENCERnoDistill"]
    assert names[3][:3] == ["CodeBERT Python", "CodeBERT Java", "GraphCodeBERT Python"]
    assert names[4][5:10] == [
        f"GraphCodeBERT {loss}" for loss in ("Original", "Single", "Dual", "SPENCER", "SPENCER+Contra")
    ]
    assert names[5][-5:] == [f"SPTCode {size}" for size in ("12 layers", "9 layers", "6 layers", "3 layers", "1 layer")]
    assert names[6][-4:] == [f"UniXcoder {way}" for way in ("Original", "DirectTrain", "DirectDistill", "SPENCER")]
    assert "MiniLM" not in text


def test_compact_has_only_what_runs_have(expected: Expected) -> None:
    mrrs = {DUAL: 0.7, CROSS: 0.8, layers_way(9): 0.6}
    text = render_tables([run("codebert", layers=12, mrrs=mrrs)], expected, compact=True)
    assert [row.split(" | ")[0] for row in table(text, "Table 2")[2:]] == ["| CodeBERT Dual", "| CodeBERT Cross"]
    assert [row.split(" | ")[0] for row in table(text, "Table 5")[2:]] == [
        "| CodeBERT 12 layers",
        "| CodeBERT 9 layers",
    ]
    assert [row.split(" | ")[0] for row in table(text, "Table 3")[2:]] == ["| CodeBERT Python"]
    assert "Java" not in text


def test_the_rows_with_the_recall_score_are_shown_where_they_are(expected: Expected) -> None:
    text = render_tables([with_mrrs(**{NO_DISTILL_RECALL: 0.63, SPENCER_RECALL: 0.62})], expected)
    names = [row.split(" | ")[0] for row in table(text, "Table 2")]
    assert names[-6:] == [
        "| MiniLM Dual",
        "| MiniLM SPENCERnoDistill",
        "| MiniLM SPENCERnoDistill with recall score",
        "| MiniLM SPENCER",
        "| MiniLM SPENCER with recall score",
        "| MiniLM Cross",
    ]
    assert names[4] == "| CodeBERT Dual"
    assert not any("recall score" in name for name in names[:-6])


def test_table_3(expected: Expected) -> None:
    python = run("codebert", layers=12)
    slow = replace(TIMING, distilled_seconds=13.04, original_seconds=12.0, reduction=-0.0867, p_value=0.0304)
    java = replace(run("codebert", "ours", "java"), timing={"java": slow})
    text = render_tables([python, java], expected)
    assert table(text, "Table 3")[:4] == [
        "| Model | Distilled | Original | Time reduction | P-value | n | Rounds |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
        "| CodeBERT Python | 3.25s / 15.0s | 13.0s / 52.2s | 75.0% / 71.3% | <0.0001 / <0.0001 | 2,123 | 5 |",
        "| CodeBERT Java | 13.0s / 12.4s | 12.0s / 42.2s | -8.7% / 70.6% | 0.0304 / <0.0001 | 2,123 | 5 |",
    ]
    assert table(text, "Table 3")[4] == (
        "| GraphCodeBERT Python | — / 14.2s | — / 51.4s | — / 72.4% | — / <0.0001 | — | — |"
    )
    assert notes(text, "Table 3")[0] == (
        "- CodeBERT, Python: 2,123 questions; 2 CPU cores; recipe minilm-small, `spencer-models reproduce minilm-small`"
    )


def test_table_5_has_the_sizes_that_there_are(expected: Expected) -> None:
    rows = table(render_tables([run()], expected), "Table 5")
    assert [row.split(" | ")[0] for row in rows[-3:]] == ["| MiniLM 6 layers", "| MiniLM 4 layers", "| MiniLM 2 layers"]
    assert rows[-3].startswith("| MiniLM 6 layers | 0.400 / — |")
    assert rows[-2].startswith("| MiniLM 4 layers | 0.390 (↓2.5%) / — |")


def test_a_size_stands_beside_the_papers_figure_of_the_same_size(expected: Expected) -> None:
    """A six-layer run is compared with the paper's six layers, not with its twelve."""
    rows = table(render_tables([run("codebert")], expected), "Table 5")
    by_name = {row.split(" | ")[0][2:]: row for row in rows}
    assert by_name["CodeBERT 12 layers"].startswith("| CodeBERT 12 layers | — / 0.652 |")
    assert by_name["CodeBERT 6 layers"].startswith("| CodeBERT 6 layers | 0.400 / 0.642 |")
    assert by_name["CodeBERT 4 layers"].startswith("| CodeBERT 4 layers | 0.390 (↓2.5%) / — |")


def test_table_6_says_which_assistants_were_chosen(expected: Expected) -> None:
    rows = table(render_tables([run()], expected, compact=True), "Table 6")
    assert rows[0].endswith(" | Python MRR | Sizes from teacher to student |")
    assert rows[2].endswith(" | 0.500 / — |  |")
    assert rows[5].startswith("| MiniLM SPENCER | 0.355 (↓11.3%) / — |")
    assert rows[5].endswith(" | 6 → 4 → 2 |")


def test_table_6_with_a_path_for_each_set(expected: Expected) -> None:
    straight = replace(PATH, student_layers=4)
    java = replace(run("codebert", "java-recipe", "java"), path=straight)
    rows = table(render_tables([run("codebert"), java], expected), "Table 6")
    assert rows[5].endswith(" | Python: 6 → 4 → 2; Java: 6 → 4 |")


def test_the_path_of_algorithm_1(expected: Expected) -> None:
    text = render_tables([run()], expected)
    assert section(text, "Algorithm 1") == [
        "- Teacher: 6 layers, R@5 0.5000 on the validation split; 2 layers less per step; "
        "a chosen pupil is kept as the student while its drop is under 0.01.",
        "- Kept: 2 layers, by way of 6 → 4 → 2; recipe minilm-small, `spencer-models reproduce minilm-small`",
        "| Layers | Teacher's layers | Teacher | R@5 | Drop | Chosen | Kept |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
        "| 4 | 6 | first | 0.4980 | 0.0020 | yes | yes |",
        "| 2 | 6 | from A1 | 0.4925 | 0.0075 | no | no |",
        "| 2 | 4 | from A2 | 0.4951 | 0.0049 | yes | yes |",
        "| 1 | 4 | from A1 | 0.4811 | 0.0189 | yes | no |",
        "| 1 | 2 | from A2 | 0.4711 | 0.0289 | no | no |",
    ]
    assert "Algorithm 1" not in render_tables([replace(run(), path=None)], expected)


def test_order_checks_that_hold(expected: Expected) -> None:
    assert notes(render_tables([run()], expected), "Order checks") == [
        "- MiniLM, Python: the pipeline stands above the dual encoder: **holds**, "
        "MRR 0.5940 against 0.5000 (n = 2,000)",
        "- MiniLM, Python: L_D stands above either of its parts: **holds**, MRR 0.4800 against 0.4700 (n = 2,000)",
        "- MiniLM, Python: directly distilled stands above directly trained: **holds**, "
        "MRR 0.4500 against 0.4000 (n = 2,000)",
        "- MiniLM, Python: the pipeline keeps 98% of its MRR at a time cut of 70%: "
        "**holds**, 99.0% (n = 2,000) at a cut of 75.0% (n = 2,123)",
    ]


@pytest.mark.parametrize(
    ("changes", "line", "says"),
    [
        # A tie is no order.
        ({DUAL: 0.594}, 0, "**does not hold**, MRR 0.5940 against 0.5940 (n = 2,000)"),
        # The better part counts, whichever of the two it is.
        ({"loss_dual": 0.485}, 1, "**does not hold**, MRR 0.4800 against 0.4850 (n = 2,000)"),
        ({"loss_single": 0.485}, 1, "**does not hold**, MRR 0.4800 against 0.4850 (n = 2,000)"),
        ({DIRECT_DISTILL: 0.39}, 2, "**does not hold**, MRR 0.3900 against 0.4000 (n = 2,000)"),
        ({SPENCER: 0.58}, 3, "**does not hold**, 96.7% (n = 2,000) at a cut of 75.0% (n = 2,123)"),
    ],
)
def test_order_checks_that_do_not_hold(changes: dict[str, float], line: int, says: str, expected: Expected) -> None:
    checks = notes(render_tables([with_mrrs(**changes)], expected), "Order checks")
    assert checks[line].endswith(f": {says}")
    assert sum("does not hold" in check for check in checks) == 1


def test_retention_without_the_time_cut_does_not_hold(expected: Expected) -> None:
    results = replace(run(), timing={"python": replace(TIMING, reduction=0.69)})
    assert notes(render_tables([results], expected), "Order checks")[3].endswith(
        "**does not hold**, 99.0% (n = 2,000) at a cut of 69.0% (n = 2,123)"
    )


def test_what_was_not_measured_is_said_and_baselines_are_not_checked(expected: Expected) -> None:
    bare = replace(run(mrrs={DUAL: 0.5, "loss_spencer": 0.5, "loss_single": 0.4}), timing={})
    baseline = run("codenn", "codenn", mrrs={DUAL: 0.3})
    checks = notes(render_tables([bare, baseline], expected), "Order checks")
    assert len(checks) == 4
    assert all(check.endswith(": not measured") for check in checks)


def test_runs_of_two_languages_share_a_row(expected: Expected) -> None:
    python, java = run("codet5", "ours-python"), run("codet5", "ours-java", "java", mrrs={DUAL: 0.4})
    text = render_tables([python, java], expected, compact=True)
    assert table(text, "Table 2")[2] == (
        "| CodeT5 Dual | 0.400 / 0.655 | 0.600 / 0.842 | 0.700 / 0.892 | 0.500 / 0.760 "
        "| 0.300 / 0.500 | 0.500 / 0.681 | 0.600 / 0.737 | 0.400 / 0.608 |"
    )
    assert [note.split("; ")[1] for note in notes(text, "Table 2")] == [
        f"recipe ours-{language}, `spencer-models reproduce ours-{language}`" for language in ("python", "java")
    ]


def test_another_language_has_its_own_columns(expected: Expected) -> None:
    text = render_tables([merged(run(), run(test_set="go"))], expected)
    header, _, *rows = table(text, "Table 2")
    assert header.endswith("| Java MRR | Go R@1 | Go R@3 | Go R@5 | Go MRR |")
    assert rows[0].endswith("| — / 0.395 | — | — | — | — |")
    assert rows[-4].endswith("| — | — | — | — | 0.400 / — | 0.600 / — | 0.700 / — | 0.500 / — |")


def test_rows_of_one_table_that_were_asked_differently_are_told(expected: Expected) -> None:
    results = run()
    ways = {**results.scores["python"], CROSS: Scores(0.5, 0.7, 0.8, 0.6, n=1000, pools=1, dropped=1123)}
    text = render_tables([replace(results, scores={"python": ways})], expected)
    assert notes(text, "Table 2")[0].startswith(
        "- MiniLM, Python: n = 2,000 in 2 pools, 123 dropped (Dual, SPENCERnoDistill, SPENCER); "
        "n = 1,000 in 1 pool, 1,123 dropped (Cross); recipe"
    )
    assert notes(text, "Table 4")[0].startswith("- MiniLM, Python: n = 2,000 in 2 pools, 123 dropped; recipe")


def test_cross_is_compared_on_its_own_questions(expected: Expected) -> None:
    results = with_mrrs(**{DUAL_FOR_CROSS: 0.305})
    rows = table(render_tables([results], expected, compact=True), "Table 2")[2:]
    assert [row.split(" | ")[0] for row in rows[-2:]] == ["| MiniLM Dual for Cross's questions", "| MiniLM Cross"]
    assert rows[-2].endswith("| 0.305 / — |")
    assert rows[-1].endswith("| 0.610 (↑100.0%) / — |")


def test_changes_need_a_first_row(expected: Expected) -> None:
    without = run(mrrs={CROSS: 0.61})
    assert table(render_tables([without], expected, compact=True), "Table 2")[2:] == [
        "| MiniLM Cross | 0.510 / — | 0.710 / — | 0.810 / — | 0.610 / — |"
    ]
    zero = replace(run(), scores={"python": {DUAL: Scores(0, 0, 0, 0, 9, 1, 0), CROSS: scores(0.61)}})
    assert table(render_tables([zero], expected, compact=True), "Table 2")[3].startswith("| MiniLM Cross | 0.510 / — |")


def test_each_run_is_described(expected: Expected) -> None:
    assert notes(render_tables([run()], expected), "Runs") == [
        "- MiniLM: 6 layers; query encoder distilled to 2; recipe minilm-small, "
        "`spencer-models reproduce minilm-small`; 2 CPU cores; "
        "data: python train 41,217, python test 2,123, corpus abc123"
    ]
    baseline = replace(
        run("codenn", "ours", mrrs={DUAL: 0.3}), layers=0, student_layers=0, data={"pairs": 7}, path=None
    )
    assert notes(render_tables([baseline], expected), "Runs") == [
        "- CODEnn: recipe ours, `spencer-models reproduce ours`; 2 CPU cores; data: pairs 7"
    ]
    assert notes(render_tables([], expected), "Runs") == ["- None."]


def test_a_baseline_has_one_row_and_no_size(expected: Expected) -> None:
    baseline = replace(run("codenn", "ours", mrrs={DUAL: 0.3}), layers=0, student_layers=0, path=None)
    text = render_tables([baseline], expected)
    assert table(text, "Table 2")[2].startswith("| CODEnn | 0.200 / 0.294 |")
    assert not any("CODEnn" in line for number in (4, 5, 6) for line in section(text, f"Table {number}"))
    compact = render_tables([baseline], expected, compact=True)
    assert [line for line in compact.splitlines() if line.startswith("## Table")] == [
        "## Table 2: the dual encoder, the pipeline and the cross-encoder",
        "## Table 3: what the query encoders cost",
    ]


def test_every_row_of_a_table_has_as_many_cells_as_its_header(expected: Expected) -> None:
    results = [
        run(),
        merged(run("codebert"), run(test_set="go")),
        run("codenn", "c", mrrs={DUAL: 0.3, ASSISTANTS: 0.2}),
    ]
    widths = None
    for line in render_tables(results, expected).splitlines():
        if line.startswith("|"):
            widths = widths or line.count("|")
            assert line.count("|") == widths
        else:
            widths = None


def test_write_tables_finds_results_below_a_folder_and_links_the_figures(tmp_path: Path) -> None:
    write_results(run(), tmp_path / "runs" / "a" / "deep")
    write_results(run("codebert", "paper", layers=12), tmp_path / "runs" / "b")
    write_results(run("codebert", "paper", layers=12), tmp_path / "runs" / "copy of b")
    written = write_tables([tmp_path / "runs"], tmp_path / "out" / "new")
    assert [path.name for path in written] == ["tables.md", "figure4.png", "figure5.png", "algorithm1.png"]
    text = written[0].read_text(encoding="utf-8")
    assert "| MiniLM Dual | 0.400 / — |" in text
    assert "| CodeBERT Dual | 0.400 / 0.652 |" in text
    for path in written[1:]:
        assert f"]({path.name})" in text
        assert path.read_bytes().startswith(PNG)


def test_write_tables_takes_files_and_writes_no_empty_figure(tmp_path: Path) -> None:
    bare = replace(run(mrrs={DUAL: 0.5}), candidates={}, path=None)
    write_results(bare, tmp_path)
    written = write_tables([tmp_path / "results.json"], tmp_path / "out", compact=True)
    assert [path.name for path in written] == ["tables.md"]
    assert "Figures" not in written[0].read_text(encoding="utf-8")


def test_two_results_of_one_recipe_are_both_named(tmp_path: Path) -> None:
    write_results(run(), tmp_path / "a")
    write_results(with_mrrs(**{DUAL: 0.1}), tmp_path / "b")
    with pytest.raises(UserError, match=r"a/results\.json and .*b/results\.json are two results"):
        write_tables([tmp_path], tmp_path / "out")
    write_results(run(test_set="java"), tmp_path / "b")
    assert write_tables([tmp_path], tmp_path / "out")


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No results\.json in"):
        write_tables([tmp_path], tmp_path / "out")
