"""Regular expressions over indexed lines: each matching line once, at its right number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spencer_desktop.core.chunking import chunk_file
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.grep import LineMatch, literal, matching_lines
from spencer_desktop.core.index import Index
from spencer_desktop.core.ranking import Weights
from spencer_desktop.core.rows import EVERYTHING, Scope
from tests.core.material import add_repository, chunk, open_index, patch, put

LONG_FUNCTION = "def walk(node):\n" + "".join(f"    step_{n}(node, {n})  # walk on\n" for n in range(120))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with open_index(tmp_path) as index:
        add_repository(index)
        yield index


def never() -> bool:
    return False


def grep(index: Index, pattern: str, cancelled: Callable[[], bool] = never) -> list[LineMatch]:
    return list(matching_lines(index.catalog, pattern, EVERYTHING, Weights(), cancelled))


def put_source(index: Index, path: str, source: str) -> None:
    put(index, index.catalog.repositories()[0], patch(path, *chunk_file(path, "python", source)))


def lines_of(found: list[LineMatch]) -> list[tuple[int, str]]:
    return [(match.line, match.text) for match in found]


def test_line_numbers_and_texts(index: Index) -> None:
    put_source(index, "a.py", "import os\n\n\ndef größe():\n    return ä, 日本, os\n\nos.x = 1\n")
    assert lines_of(grep(index, r"\bos\b")) == [(1, "import os"), (5, "    return ä, 日本, os"), (7, "os.x = 1")]


def test_overlapping_pieces_give_a_line_once(index: Index) -> None:
    put_source(index, "a.py", LONG_FUNCTION)
    pieces = index.catalog.chunks_at(Path("/r"), "a.py")
    assert sum(p.end_line - p.start_line + 1 for p in pieces) > 121
    assert sorted(match.line for match in grep(index, r"step_\d+")) == list(range(2, 122))


@settings(max_examples=25)
@given(
    st.lists(st.text("ab \té\r", max_size=8), min_size=1, max_size=30),
    st.sampled_from(["a", "b+", "a b", "é.", "^a", "b$"]),
)
def test_grep_equals_a_look_at_every_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], pattern: str
) -> None:
    with open_index(tmp_path_factory.mktemp("grep")) as index:
        add_repository(index)
        put_source(index, "a.py", "\n".join(lines))
        expected = [
            n + 1 for n, line in enumerate(lines) if line.strip() and re.search(pattern, line.removesuffix("\r"))
        ]
        assert sorted(match.line for match in grep(index, pattern)) == expected


def test_the_definition_of_a_symbol_comes_first(index: Index) -> None:
    put_source(index, "a_use.py", "x = walk(tree)\n" * 3)
    put_source(index, "z_definition.py", LONG_FUNCTION)
    found = grep(index, "walk")
    assert (found[0].chunk.path, found[0].line) == ("z_definition.py", 1)
    assert [(m.chunk.path, m.line) for m in found[1:4]] == [("a_use.py", 1), ("a_use.py", 2), ("a_use.py", 3)]
    assert found[0].score > found[1].score


def test_tests_come_after_what_they_test(index: Index) -> None:
    put_source(index, "a/tests/test_x.py", "value = 1\n")
    put_source(index, "b/x.py", "value = 1\n")
    assert [m.chunk.path for m in grep(index, "value")] == ["b/x.py", "a/tests/test_x.py"]


def test_a_match_over_several_lines_counts_for_its_first(index: Index) -> None:
    put_source(index, "a.py", "call(\n    first,\n)\n")
    assert lines_of(grep(index, r"\(\n\s*first")) == [(1, "call(")]


def test_anchors_mean_lines(index: Index) -> None:
    put_source(index, "a.py", "one = 1\ntwo = 2\n")
    assert lines_of(grep(index, "^two")) == [(2, "two = 2")]
    assert lines_of(grep(index, "1$")) == [(1, "one = 1")]
    assert lines_of(grep(index, "(?i)^TWO")) == [(2, "two = 2")]


@given(st.text(min_size=1, max_size=20).filter(lambda text: not set(text) & {"\n", "\0"}))
def test_a_literal_matches_itself(text: str) -> None:
    assert re.fullmatch(literal(text), text)


@pytest.mark.parametrize("text", ["a.b", "f(x)[0]", r"\d", "->", "日本?", "$HOME", "  ", "#{}", "a-b~c"])
def test_literal_text_is_found_as_it_stands(index: Index, text: str) -> None:
    put(index, index.catalog.repositories()[0], patch("a.py", chunk(f"before {text} after"), chunk("other", 2)))
    assert [m.line for m in grep(index, literal(text))] == [1]


@pytest.mark.parametrize("pattern", ["(", "a**", r"(a)\1", "(?=a)", "(?<!a)b", "[z-a]", "\udcff", "a{5000}"])
def test_a_pattern_that_re2_does_not_take(index: Index, pattern: str) -> None:
    with pytest.raises(UserError, match="is not a regular expression") as caught:
        grep(index, pattern)
    assert "RE2" in caught.value.hint


def test_a_huge_pattern_is_refused(index: Index) -> None:
    with pytest.raises(UserError, match="5001 characters"):
        grep(index, "x" * 5001)


def test_catastrophic_patterns_take_linear_time(index: Index) -> None:
    put_source(index, "a.py", "a" * 1_999 + "\n")
    assert grep(index, r"(a+)+$b|(a|aa)+c") == []


def test_a_cancelled_search_stops_reading(index: Index) -> None:
    put(index, index.catalog.repositories()[0], *(patch(f"{n}.py", "same") for n in range(20)))
    left = iter([False] * 5)
    assert grep(index, "same", lambda: next(left, True)) == []
    assert next(left, None) is None


def test_only_in_the_files_given(index: Index) -> None:
    repository = index.catalog.repositories()[0]
    put(index, repository, patch("a.py", "same"), patch("b.py", "same"))
    chosen = index.catalog.files(repository.id)["b.py"].id
    found = list(matching_lines(index.catalog, "same", Scope(np.array([chosen], np.int64)), Weights(), never))
    assert [m.chunk.path for m in found] == ["b.py"]
    assert list(matching_lines(index.catalog, "same", Scope(np.empty(0, np.int64)), Weights(), never)) == []
