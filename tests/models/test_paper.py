from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.paper import MODEL_NAMES, Expected, Figures, all_sets, models, read_expected, set_name
from spencer_models.results import DUAL, layers_way
from tests.models.results_cases import MRRS, merged, run

PRETRAINED = {"codebert", "graphcodebert", "codet5", "unixcoder"}

# Changes that the paper prints but that do not follow from the figures beside them: by table, backbone, way, set and
# column the printed figure, that of the first row, and the printed change.
CONTRADICTIONS = {
    (2, "codebert", "spencer", "java", 1): (0.711, 0.704, 1.3),
    (4, "graphcodebert", "loss_contra", "python", 2): (0.889, 0.901, -1.7),
    (4, "unixcoder", "loss_contra", "python", 0): (0.668, 0.693, -2.7),
    (5, "graphcodebert", "layers_6", "python", 3): (0.764, 0.771, -0.5),
    (5, "unixcoder", "layers_6", "python", 1): (0.860, 0.872, -1.1),
    (6, "graphcodebert", "direct_train", "python", 1): (0.809, 0.853, -3.2),
    # These four are those of CodeT5's row.
    (6, "unixcoder", "direct_train", "python", 0): (0.662, 0.693, -5.0),
    (6, "unixcoder", "direct_train", "python", 1): (0.855, 0.872, -3.0),
    (6, "unixcoder", "direct_train", "python", 2): (0.904, 0.914, -2.2),
    (6, "unixcoder", "direct_train", "python", 3): (0.768, 0.791, -3.7),
}


@pytest.fixture(scope="module")
def expected() -> Expected:
    return read_expected()


def rows(expected: Expected) -> Iterator[tuple[int, str, str, str, Figures]]:
    for table, backbones in expected.scores.items():
        for backbone, ways in backbones.items():
            for way, sets in ways.items():
                for test_set, figures in sets.items():
                    yield table, backbone, way, test_set, figures


def test_each_table_has_the_rows_and_columns_of_the_paper(expected: Expected) -> None:
    counts = {table: sum(len(ways) for ways in backbones.values()) for table, backbones in expected.scores.items()}
    assert counts == {2: 18, 4: 20, 5: 25, 6: 16}
    assert sum(len(sets) for sets in expected.timing.values()) == 8
    assert sum(1 for _ in rows(expected)) == 2 * (18 + 20 + 25 + 16)
    assert set(expected.scores[2]) == PRETRAINED | {"codenn", "cradle"}
    assert set(expected.scores[5]) == PRETRAINED | {"sptcode"}
    assert set(expected.scores[4]) == set(expected.scores[6]) == set(expected.timing) == PRETRAINED
    assert {test_set for _, _, _, test_set, _ in rows(expected)} == {"python", "java"}


def test_the_sum_of_all_figures_is_that_of_the_paper(expected: Expected) -> None:
    """A digit that someone changes by accident shows here; the sums were taken from the paper's text."""
    sums = {table: 0 for table in expected.scores}
    for table, _, _, _, figures in rows(expected):
        sums[table] += sum(round(1000 * figure) for figure in figures)
    assert sums == {2: 104934, 4: 113740, 5: 138171, 6: 90611}


def test_recall_rises_with_k_and_mrr_lies_between(expected: Expected) -> None:
    for *row, (r1, r3, r5, mrr) in rows(expected):
        assert r1 <= r3 <= r5, row
        # A gold answer at rank 2 or 3 counts at least 1/3, at 4 or 5 at least 1/5, behind them at most 1/6.
        assert r1 + (r3 - r1) / 3 + (r5 - r3) / 5 - 0.002 <= mrr, row
        assert mrr <= r1 + (r3 - r1) / 2 + (r5 - r3) / 4 + (1 - r5) / 6 + 0.002, row


def test_the_first_row_is_the_same_encoder_in_every_table(expected: Expected) -> None:
    for backbone in PRETRAINED:
        first = expected.scores[2][backbone][DUAL]
        assert expected.scores[4][backbone][DUAL] == expected.scores[6][backbone][DUAL] == first
        assert expected.scores[5][backbone][layers_way(12)] == first


def test_three_layers_are_the_same_encoders_in_every_table(expected: Expected) -> None:
    for backbone in PRETRAINED:
        table = expected.scores[6][backbone]
        assert table["direct_distill"] == expected.scores[5][backbone][layers_way(3)]
        assert table["assistants"] == expected.scores[4][backbone]["loss_spencer"]
        assert (table["assistants"] != table["direct_distill"]) == (backbone == "graphcodebert")


def test_reranking_five_keeps_r5(expected: Expected) -> None:
    different = set()
    for backbone in PRETRAINED:
        ways = expected.scores[2][backbone]
        for test_set in ("python", "java"):
            assert ways["spencer_no_distill"][test_set][2] == ways[DUAL][test_set][2]
            if ways["spencer"][test_set][2] != expected.scores[6][backbone]["assistants"][test_set][2]:
                different.add((backbone, test_set))
    # The paper contradicts itself here: 0.760 in Table 2, 0.763 in Tables 4 to 6.
    assert different == {("unixcoder", "java")}


def test_printed_changes_follow_from_the_figures_but_for_the_known_ones(expected: Expected) -> None:
    wrong = {}
    for table, backbone, way, test_set, figures in rows(expected):
        first = next(iter(expected.scores[table][backbone].values()))[test_set]
        changes = expected.changes[table].get(backbone, {}).get(way, {}).get(test_set)
        assert (changes is None) == (figures is first)
        for column, change in enumerate(changes or ()):
            value, base = figures[column], first[column]
            # Both figures may have been rounded by up to 0.0005, the change by up to 0.05.
            low = 100 * ((value - 0.0005) / (base + 0.0005) - 1) - 0.05
            high = 100 * ((value + 0.0005) / (base - 0.0005) - 1) + 0.05
            if not low - 1e-9 <= change <= high + 1e-9:
                wrong[table, backbone, way, test_set, column] = (value, base, change)
    assert wrong == CONTRADICTIONS


def test_printed_time_reductions_follow_from_the_seconds(expected: Expected) -> None:
    for sets in expected.timing.values():
        for row in sets.values():
            reduction = 100 * (1 - row.distilled_seconds / row.original_seconds)
            assert row.reduction_percent == pytest.approx(reduction, abs=0.051)
            assert row.p_value == "<0.0001"


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    path = tmp_path / "expected.json"
    for raw in ("", "{}", json.dumps({"timing": {}, "scores": {"table2": {"x": {"dual": {"python": [1]}}}}})):
        path.write_text(raw, encoding="utf-8")
        with pytest.raises(UserError, match=r"expected\.json holds no expected figures"):
            read_expected(path)


def test_models_are_those_of_the_paper_then_those_of_the_runs(expected: Expected) -> None:
    assert [model.backbone for model in models([], expected)] == [name for name in MODEL_NAMES if name != "minilm"]
    labels = [model.label for model in models([run("ours", "ours"), run()], expected)]
    assert labels[-2:] == ["MiniLM", "ours"]


def test_runs_on_different_sets_are_one_model(expected: Expected) -> None:
    python, java = run("codebert", "paper-codebert-python"), run("codebert", "paper-codebert-java", "java")
    (model,) = [model for model in models([python, java], expected) if model.runs]
    assert model.label == "CodeBERT"
    assert model.run("python") is python
    assert model.run("java") is java
    assert model.run("go") is None


def test_runs_on_the_same_set_are_told_apart_by_recipe(expected: Expected) -> None:
    runs = [run(), run(recipe="minilm-full"), run("codet5", "ours")]
    labels = [model.label for model in models(runs, expected) if model.runs]
    assert labels == ["CodeT5", "MiniLM (minilm-small)", "MiniLM (minilm-full)"]


def test_the_full_size_is_the_dual_encoder_as_trained(expected: Expected) -> None:
    (model,) = [model for model in models([run()], expected) if model.runs]
    full = model.scores(layers_way(6), "python")
    assert full is not None
    assert full.mrr == MRRS[DUAL]
    assert layers_way(6) in model.ways(5)
    assert model.scores(layers_way(5), "python") is None


def test_sets_are_those_of_the_paper_then_those_of_the_runs() -> None:
    results = [merged(run(test_set="rust"), run(test_set="go")), run(test_set="java"), run(test_set="cosqa")]
    assert all_sets(results) == ["python", "java", "cosqa", "go", "rust"]
    assert [set_name(name) for name in ("python", "csharp", "cosqa")] == ["Python", "C#", "cosqa"]
