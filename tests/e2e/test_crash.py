"""Ctrl-C and `kill -9` at any moment of an index run: the next run completes it, as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from spencer_desktop.core.index import CATALOG
from spencer_desktop.core.settings import load_settings
from spencer_desktop.core.types import Mode, Query
from tests.e2e.harness import POSIX, PROJECT, PackedFakes, engine_with, spencer, sql, use_models, write_settings
from tests.e2e.runner import ENCODE_BATCH, prepare
from tests.fakes import write_tree

pytestmark = POSIX

FILES = 12
PAUSE = 0.01
DEADLINE = 60.0


def project(root: Path) -> Path:
    """Code, text, a file left out, and the same function in two files."""
    tree: dict[str, str | bytes] = {".env": "SECRET=1\n", "twin.py": function("word00")}
    for n in range(FILES):
        tree[f"src/word{n:02}.py"] = "\n\n".join((function(f"word{n:02}"), function(f"other{n:02}")))
        tree[f"notes/word{n:02}.md"] = f"# About word{n:02}\n\nIt makes things of things.\n"
    return write_tree(root, tree)


def function(name: str) -> str:
    return f'def {name}(value):\n    """Make {name} of it."""\n    return value * {name}_factor\n'


def start(data: Path, *arguments: str | Path, **plan: Any) -> subprocess.Popen[str]:
    """The command in a process of its own, with a log of what it encodes beside the data folder."""
    told = json.dumps({**plan, "log": str(log_of(data))})
    command = [sys.executable, "-m", "tests.e2e.runner", told, "--data-dir", data, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run(data: Path, *arguments: str | Path, **plan: Any) -> tuple[int, str, str]:
    process = start(data, *arguments, **plan)
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out, err


def log_of(data: Path) -> Path:
    return data.with_name(f"{data.name}.log")


def encoded(data: Path) -> int:
    """How many texts all runs on this data folder gave to the encoder."""
    log = log_of(data)
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def content(data: Path) -> dict[str, Any]:
    """All that a catalogue holds, keyed by what outlives a rebuild."""
    place = "f.path, c.start_line, c.end_line, c.unit_start_line, c.unit_end_line"
    chunks = f"SELECT {place}, c.kind, c.symbol, c.signature, c.doc, t.digest, t.header, t.text FROM chunk c"
    joined = "JOIN file f ON f.id = c.file_id JOIN content t ON t.id = c.content_id"
    with pytest.MonkeyPatch.context() as patch:
        use_models(patch, PackedFakes())
        asked = {word: answers(data, word) for word in ("word07", "things", "make value", "notes")}
        status = spencer("status", "--json", data=data).json
    (listed,) = status["repositories"]
    listed.pop("indexed_at")
    return {
        "files": sorted(sql(data, "SELECT path, size, digest, language, problem FROM file")),
        "chunks": sorted(sql(data, f"{chunks} {joined}")),
        "vectors": dict(sql(data, "SELECT t.digest, v.data FROM vector v JOIN content t ON t.id = v.content_id")),
        "skipped": sorted(sql(data, "SELECT path, reason FROM skipped")),
        "postings": sorted(sql(data, "SELECT term, doc, cnt FROM vocabulary")),
        "answers": asked,
        "listed": listed,
        "search": status["search"],
        "integrity": sql(data, "PRAGMA integrity_check"),
        "leftovers": sorted(p.name for p in data.iterdir()),
    }


def answers(data: Path, question: str) -> dict[str, Any]:
    """Every mode's answers, without ids and in an order of our own: ties may fall either way."""
    found = {}
    for mode in Mode:
        hits = spencer("search", question, "--mode", mode.value, "-k", "100", "--json", data=data).json["hits"]
        found[mode.value] = sorted((hit["path"], hit["start_line"], round(hit["score"], 3)) for hit in hits)
    return found


@dataclass(frozen=True, slots=True)
class Clean:
    """What an undisturbed run leaves, and how long it takes."""

    root: Path
    content: dict[str, Any]
    encoded: int
    seconds: float


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    root = project(tmp_path_factory.mktemp("crash") / "code")
    data = tmp_path_factory.mktemp("clean") / "data"
    began = time.monotonic()
    code, out, err = run(data, "index", root, "--json", pause=PAUSE)
    seconds = time.monotonic() - began
    assert code == 0, err
    assert json.loads(out)["encoded"] == encoded(data)
    assert sql(data, "SELECT count(*) FROM vector") == [(encoded(data),)]
    return Clean(root, content(data), encoded(data), seconds)


def complete(data: Path, clean: Clean) -> dict[str, Any]:
    """Index again, undisturbed, and compare with the clean run; the report of this last run."""
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch, {"log": str(log_of(data))})
        done = spencer("index", clean.root, "--json", data=data)
    assert done.code == 0, done.err
    after = content(data)
    for part, expected in clean.content.items():
        assert after[part] == expected, part
    report: dict[str, Any] = done.json
    return report


# Ctrl-C


@pytest.mark.parametrize("moment", ["walk 1", "read 9", "apply 5", "finish 1", "encode 4", "sync 2"])
def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(clean: Clean, data: Path, moment: str) -> None:
    code, out, err = run(data, "index", clean.root, "--json", at=moment, do="int")
    assert code == 130, err
    assert "press Ctrl-C again" in err
    stopped = json.loads(out)
    assert stopped["stopped"]
    again = complete(data, clean)
    assert stopped["encoded"] + again["encoded"] == encoded(data) == clean.encoded
    if moment.startswith("encode"):
        assert stopped["encoded"] == ENCODE_BATCH * int(moment.split()[1])
        assert again["added"] == again["changed"] == 0


@pytest.mark.parametrize("moment", ["read 9", "apply 5", "vectors 3"])
def test_a_second_ctrl_c_ends_the_run_at_once(clean: Clean, data: Path, moment: str, user_home: Path) -> None:
    # Longer than the test waits: nobody may wait for the parser's deadline.
    write_settings(user_home, "parse_seconds = 3600\n")
    code, out, err = run(data, "index", clean.root, at=moment, do="twice")
    assert (code, out) == (130, ""), err
    assert "Traceback" not in err
    complete(data, clean)
    assert encoded(data) <= clean.encoded + ENCODE_BATCH


def test_people_are_told_how_to_go_on(clean: Clean, data: Path) -> None:
    _, _, err = run(data, "index", clean.root, at="encode 2", do="int")
    assert "Stopped. What is done is kept; run `spencer index` again to go on." in err


@pytest.mark.timeout(120)
def test_ctrl_c_stops_the_real_command(tmp_path: Path, data: Path) -> None:
    """With the real pack: more pieces of code than one batch, stopped as soon as they are in the text index."""
    lines = [f"def f{n}(x):\n    return x + {n}\n" for n in range(300)]
    root = write_tree(tmp_path / "code", {"many.py": "\n\n".join(lines)})
    command = [sys.executable, "-m", "spencer_desktop.cli", "--data-dir", str(data), "index", str(root), "--json"]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    await_chunks(data, process)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, err
    assert "press Ctrl-C again" in err
    stopped = json.loads(out)
    again = spencer("index", "--json", data=data).json
    assert stopped["encoded"] < 300
    assert stopped["encoded"] + again["encoded"] == 300
    assert spencer("index", "--json", data=data).json["encoded"] == 0


def await_chunks(data: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            if sql(data, "SELECT count(*) FROM chunk")[0][0]:
                return
        except apsw.Error:
            pass
        time.sleep(0.01)
    pytest.fail("nothing was indexed in time")


# kill -9

IN_TEXT = ["read 1", "read 13", "apply 11", "finish 1"]
IN_VECTORS = ["encode 5", "vectors 1", "vectors 6"]


@pytest.mark.parametrize("moment", [*IN_TEXT, *IN_VECTORS, "sync 1", "sync 2", "sync 3"])
def test_a_run_that_is_killed_is_completed_by_the_next(clean: Clean, data: Path, moment: str) -> None:
    code, _, err = run(data, "index", clean.root, at=moment, do="kill")
    assert code == -signal.SIGKILL, err
    complete(data, clean)
    lost = ENCODE_BATCH if moment.startswith("vectors") else 0
    assert encoded(data) == clean.encoded + lost


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kills_at_random_moments(clean: Clean, data: Path, seed: int) -> None:
    kill_at_random(clean, data, random.Random(seed), kills=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_at_random_moments(clean: Clean, tmp_path: Path) -> None:
    chance = random.Random(0)
    for n in range(10):
        kill_at_random(clean, tmp_path / f"data{n}", chance, kills=5)


def kill_at_random(clean: Clean, data: Path, chance: random.Random, *, kills: int) -> None:
    for _ in range(kills):
        process = start(data, "index", clean.root, pause=PAUSE)
        try:
            process.communicate(timeout=chance.uniform(0.3, 1.1) * clean.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if (data / CATALOG).exists():
            assert sql(data, "PRAGMA integrity_check") == [("ok",)]
    complete(data, clean)
    assert clean.encoded <= encoded(data) <= clean.encoded + kills * ENCODE_BATCH


def test_a_killed_run_can_be_searched(clean: Clean, data: Path, models: PackedFakes) -> None:
    run(data, "index", clean.root, at="encode 5", do="kill")
    found = spencer("search", "word07", "--json", data=data)
    assert found.code == 0
    assert {"src/word07.py", "notes/word07.md"} <= set(found.paths)
    assert "not encoded yet" in found.json["notice"]
    status = spencer("status", "--json", data=data).json
    assert status["index"]["vectors"] == 4 * ENCODE_BATCH
    assert status["index"]["pending"] == clean.encoded - 4 * ENCODE_BATCH


# Two processes


def test_one_writes_while_others_read(clean: Clean, data: Path, models: PackedFakes) -> None:
    writer = start(data, "index", clean.root, "--json", at="vectors 3", do="hold")
    assert writer.stdout is not None
    assert writer.stdout.readline() == "holding\n"
    try:
        for arguments in (["index", str(clean.root)], ["remove", str(clean.root)]):
            second = spencer(*arguments, data=data)
            assert second.code == 2
            assert "Another `spencer` is writing" in second.err
            assert "--data-dir" in second.err
        found = spencer("search", "word07", "--json", data=data)
        assert "src/word07.py" in found.paths
        assert "not encoded yet" in found.json["notice"]
        assert spencer("list", data=data).code == 0
        assert spencer("status", data=data).code == 0
    finally:
        out, err = writer.communicate("go on\n", timeout=DEADLINE)
    assert (writer.returncode, json.loads(out)["encoded"]) == (0, clean.encoded), err
    assert spencer("search", "word07", "--json", data=data).json["notice"] == ""


def test_a_reader_follows_what_a_writer_commits(clean: Clean, data: Path, models: PackedFakes) -> None:
    """One engine that stays open, as the window's does, while another process removes what it has in memory."""
    spencer("index", clean.root, data=data)
    with engine_with(models, load_settings(data_dir=data)) as engine:
        assert list(engine.search(Query("word07")))[-1].hits
        assert run(data, "remove", clean.root)[0] == 0
        assert not list(engine.search(Query("word07")))[-1].hits
        spencer("index", clean.root, data=data)
        assert list(engine.search(Query("word07")))[-1].hits
