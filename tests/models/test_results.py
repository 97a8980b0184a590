from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.results import RESULTS_NAME, layers_of, layers_way, read_results, write_results
from tests.models.results_cases import PATH, run


@pytest.mark.parametrize("results", [run(), replace(run(), path=None, timing={}, candidates={})])
def test_what_is_written_is_read_again(results: object, tmp_path: Path) -> None:
    write_results(results, tmp_path / "new" / "folder")  # type: ignore[arg-type]
    assert read_results(tmp_path / "new" / "folder" / RESULTS_NAME) == results


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"text"', json.dumps({"recipe": "x"}), '{"scores": {"python": 3}}'], ids=repr
)
def test_a_file_that_holds_no_results_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / RESULTS_NAME
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"results\.json holds no results"):
        read_results(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no results"):
        read_results(tmp_path / RESULTS_NAME)


def test_a_figure_that_is_missing_is_an_error(tmp_path: Path) -> None:
    write_results(run(), tmp_path)
    path = tmp_path / RESULTS_NAME
    raw = json.loads(path.read_text(encoding="utf-8"))
    del raw["scores"]["python"]["dual"]["dropped"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(UserError, match="dropped"):
        read_results(path)


def test_layers_way_and_back() -> None:
    assert [layers_of(layers_way(depth)) for depth in (1, 9, 12)] == [1, 9, 12]
    assert [layers_of(way) for way in ("dual", "layers_", "layers_x", "more_layers_3")] == [0, 0, 0, 0]


def test_lineage_is_the_chain_of_teachers_of_the_kept_student() -> None:
    assert PATH.lineage == (6, 4, 2)
    # One layer was chosen as well, and its teacher was the four-layer one.
    assert replace(PATH, student_layers=1).lineage == (6, 4, 1)
    assert replace(PATH, student_layers=6).lineage == (6,)
