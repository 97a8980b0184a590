"""What is told of watching holds as long as who told it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spencer_desktop.core.watch_note import drop_note, read_note, write_note

WATCH = "import sys; from pathlib import Path; from spencer_desktop.core.watch_note import write_note\n"
WATCH += "write_note(Path(sys.argv[1]), {})"


def test_a_note_is_read_while_its_writer_lives(tmp_path: Path) -> None:
    assert read_note(tmp_path) is None
    odd = Path("/far/\udcff")
    write_note(tmp_path, {odd: "why"})
    assert read_note(tmp_path) == {str(odd): "why"}
    drop_note(tmp_path)
    drop_note(tmp_path)
    assert read_note(tmp_path) is None
    subprocess.run([sys.executable, "-c", WATCH, str(tmp_path)], check=True)
    assert (tmp_path / "watching.json").exists()
    assert read_note(tmp_path) is None


def test_another_process_of_the_same_number_is_not_its_writer(tmp_path: Path) -> None:
    write_note(tmp_path, {})
    file = tmp_path / "watching.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "born": 1.0}))
    assert read_note(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x", "born": 1, "polled": {}}', "\x00"])
def test_what_is_no_note_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "watching.json").write_text(text)
    assert read_note(tmp_path) is None


def test_where_nothing_can_be_written_nothing_is_said(tmp_path: Path) -> None:
    write_note(tmp_path / "gone", {})
    assert read_note(tmp_path / "gone") is None
