"""What became of a hit on disk: unchanged, moved, changed or gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spencer_desktop.core.freshness import Freshness, anchored, look
from spencer_desktop.core.types import Hit

CODE = "def paint(wall):\n    return wall.color\n"
SNIPPET = CODE.removesuffix("\n")


def hit_at(line: int, snippet: str = SNIPPET, *, root: str = "/r", start: int = 0, end: int = 0) -> Hit:
    last = line + snippet.count("\n")
    place = ("r", root, "a.py", start or line, end or last)
    return Hit(1, 0.5, *place, "python", "function", "paint", "def paint(wall):", snippet, line)


@given(st.lists(st.sampled_from(["", "x = 1", "# paint", "def paint(wall):"]), max_size=8), st.integers(0, 8))
def test_a_hit_is_found_wherever_lines_were_added(above: list[str], line: int) -> None:
    text = "".join(f"{row}\n" for row in above) + CODE + "tail\n"
    found = anchored(hit_at(line + 1), text)
    assert found.start_line == len(above) + 1
    assert text.split("\n")[found.start_line - 1 : found.end_line] == SNIPPET.split("\n")
    assert found.state is (Freshness.CURRENT if line == len(above) else Freshness.MOVED)


def test_of_equal_places_the_nearest_is_meant() -> None:
    text = f"{CODE}\n\n\n{CODE}\n"
    assert [anchored(hit_at(line), text).start_line for line in (1, 2, 5, 40)] == [1, 1, 6, 6]


def test_a_part_of_a_line_is_no_place() -> None:
    assert anchored(hit_at(1, "a = b"), "aa = b\na = bc\n").state is Freshness.CHANGED
    assert anchored(hit_at(1, "a = b"), "a = b\r\n").state is Freshness.CURRENT


def test_the_unit_moves_with_the_piece_that_answers() -> None:
    found = anchored(hit_at(10, start=4, end=30), "\n" * 11 + CODE)
    assert (found.state, found.start_line, found.end_line) == (Freshness.MOVED, 6, 32)


def test_changed_code_keeps_what_lines_there_are() -> None:
    found = anchored(hit_at(10, start=4, end=30), "a\nb\nc")
    assert (found.state, found.start_line, found.end_line) == (Freshness.CHANGED, 3, 3)


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (CODE.encode(), Freshness.CURRENT),
        (b"import os\n" + CODE.encode(), Freshness.MOVED),
        (b"def other():\n    pass\n", Freshness.CHANGED),
        (b"", Freshness.GONE),
        (b"\0binary", Freshness.GONE),
        (None, Freshness.GONE),
    ],
)
def test_the_file_is_read_as_the_indexer_would(tmp_path: Path, content: bytes | None, state: Freshness) -> None:
    if content is not None:
        (tmp_path / "a.py").write_bytes(content)
    found = look(hit_at(1, root=str(tmp_path)))
    assert found.state is state
    assert found.text == (content or b"").decode() or state is Freshness.GONE
