"""The child that parses: it answers in order, and neither a hostile file nor a signal stops the indexing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from spencer_desktop.core import chunk_worker
from spencer_desktop.core.chunk_worker import LOOK_AHEAD, ChunkWorker
from spencer_desktop.core.chunking import ChunkLimits, chunk_file, window_chunks
from spencer_desktop.core.errors import EnvironmentFault
from tests.core.test_chunking_braces import CASES as BRACES
from tests.core.test_chunking_systems import CASES as SYSTEMS
from tests.core.test_chunking_words import CASES as WORDS

NESTED = "x = " + "(" * 50_000
PLAIN = "def f():\n    return 1\n"
# Generous, for a loaded machine: what is tested is that the wait ends.
PATIENCE_S = 30.0
posix = pytest.mark.skipif(os.name != "posix", reason="signals and memory limits as POSIX knows them")


@pytest.fixture
def worker() -> Iterator[ChunkWorker]:
    with ChunkWorker() as started:
        yield started


def python(code: str) -> subprocess.Popen[bytes]:
    """A Python process of its own that finds the modules that this one finds."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def test_the_child_finds_what_the_parent_would(worker: ChunkWorker) -> None:
    files = [("file", case.language, case.text) for case in [*BRACES, *SYSTEMS, *WORDS]]
    files.append(("README.md", "markdown", "# Title\n\nWords.\n"))
    files.append(("odd.py", "python", "def f():\n    return 'undecodable \udcff, ß, \U0001f600, \x00'\r\n"))
    results = list(worker.chunk_many(files))
    assert [list(result.chunks) for result in results] == [chunk_file(*file) for file in files]
    assert {result.problem for result in results} == {""}
    assert [worker.chunk(*file) for file in files] == results


def test_other_limits_reach_the_child() -> None:
    source = "def f():\n" + "    number = 1\n" * 20
    limits = ChunkLimits(max_chars=100, overlap_lines=0)
    with ChunkWorker(limits=limits) as worker:
        result = worker.chunk("file", "python", source)
    assert list(result.chunks) == chunk_file("file", "python", source, limits)
    assert len(result.chunks) > 2


def test_files_are_read_only_a_little_ahead(worker: ChunkWorker) -> None:
    read = []

    def files() -> Iterator[tuple[str, str, str]]:
        for number in range(4 * LOOK_AHEAD):
            read.append(number)
            yield "file", "python", f"def f{number}(): pass\n"

    results = worker.chunk_many(files())
    assert next(results).chunks[0].symbol == "f0"
    assert len(read) == LOOK_AHEAD + 1
    symbols = [result.chunks[0].symbol for result in results]
    assert symbols == [f"f{number}" for number in range(1, 4 * LOOK_AHEAD)]


@pytest.mark.parametrize("language", ["python", "kotlin", "c"])
def test_nested_parentheses_come_back_in_time(language: str) -> None:
    source = "x = " + "(" * 50_000 + ")" * 50_000 + "\n\nprint(something_else)\n"
    with ChunkWorker(deadline_s=0.3) as worker:
        worker.chunk("file", language, "")
        began = time.monotonic()
        result = worker.chunk("file", language, source)
        assert time.monotonic() - began < 3.0
    assert "print(something_else)" in result.chunks[-1].text
    assert result.chunks[0].start_line == 1


def test_past_the_deadline_a_file_is_plain_lines_and_the_next_one_is_parsed() -> None:
    with ChunkWorker(deadline_s=0.05) as worker:
        late, after = worker.chunk_many([("a.java", "java", NESTED), ("b.py", "python", PLAIN)])
    assert late.problem == "parsing took longer than 0.05 s; indexed as plain lines"
    assert list(late.chunks) == window_chunks("java", NESTED)
    assert (after.problem, after.chunks[0].symbol) == ("", "f")


def test_a_file_too_long_is_plain_lines_without_a_child() -> None:
    with ChunkWorker(max_source_chars=len(PLAIN) - 1) as worker:
        result = worker.chunk("file", "python", PLAIN)
        assert worker.pid is None
    assert result.problem == "longer than 21 characters; indexed as plain lines"
    assert list(result.chunks) == window_chunks("python", PLAIN)


@posix
def test_a_killed_child_costs_no_file_its_chunks(worker: ChunkWorker) -> None:
    worker.chunk("file", "python", PLAIN)
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    result = worker.chunk("file", "python", PLAIN)
    assert (result.problem, result.chunks[0].symbol) == ("", "f")
    assert worker.pid != first


WINDOW = ["window", "", "", "", "text", 1, 1, 1, 1, None]


@pytest.mark.parametrize(
    "answer",
    [
        *("nonsense", "{", "3", "null", "[3]", '["text"]', '{"a": 1}', "[[]]", "[" * 100_000, "\xff"),
        json.dumps([WINDOW[:-1]]),
        json.dumps([[*WINDOW[:-1], 3]]),
        json.dumps([[*WINDOW[:5], "1", *WINDOW[6:]]]),
        json.dumps([[3, *WINDOW[1:]]]),
    ],
)
def test_an_answer_without_sense_is_plain_lines_and_ends_the_child(
    answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    said.write_text(answer, "latin-1")
    child = (
        "import sys; say = sys.stdout.buffer; say.write(b'ready\\n'); say.flush(); sys.stdin.readline(); "
        f"say.write(open({str(said)!r}, 'rb').read() + b'\\n'); say.flush(); sys.stdin.read()"
    )
    with monkeypatch.context() as damaged, ChunkWorker() as worker:
        damaged.setattr(chunk_worker, "_BOOT", child)
        result = worker.chunk("file", "python", PLAIN)
        assert result.problem == "the parser's answer made no sense; indexed as plain lines"
        assert list(result.chunks) == window_chunks("python", PLAIN)
        damaged.undo()
        assert worker.chunk("file", "python", PLAIN).chunks[0].symbol == "f"


def test_half_an_answer_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        chunk_worker, "_BOOT", "import sys; print('ready', flush=True); sys.stdin.readline(); print('[]', end='')"
    )
    with ChunkWorker() as worker:
        result = worker.chunk("file", "python", PLAIN)
    assert result.problem == "the parser crashed; indexed as plain lines"
    assert list(result.chunks) == window_chunks("python", PLAIN)


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not bound the address space")
def test_a_file_that_exhausts_the_memory_is_plain_lines() -> None:
    hungry = "a" + "<a" * 200_000
    with ChunkWorker(deadline_s=PATIENCE_S, memory_bytes=300 << 20) as worker:
        result = worker.chunk("file", "java", hungry)
        assert worker.chunk("file", "java", "class A { int size() { return 1; } }").chunks[0].symbol == "A"
    assert "; indexed as plain lines" in result.problem
    assert "longer" not in result.problem
    assert list(result.chunks) == window_chunks("java", hungry)


@posix
def test_an_interrupt_is_for_the_parent(worker: ChunkWorker) -> None:
    worker.chunk("file", "python", PLAIN)
    child = worker.pid
    assert child is not None
    os.kill(child, signal.SIGINT)
    assert worker.chunk("file", "python", PLAIN).chunks[0].symbol == "f"
    assert worker.pid == child
    assert os.getpgid(child) != os.getpgid(0)


def test_closing_ends_the_child_in_the_middle_of_a_file() -> None:
    worker = ChunkWorker(deadline_s=PATIENCE_S)
    worker.chunk("file", "python", PLAIN)
    assert worker.pid is not None
    child = psutil.Process(worker.pid)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(worker.chunk, "file", "csharp", NESTED)
        began = time.monotonic()
        worker.close()
        with pytest.raises((RuntimeError, CancelledError)):
            stuck.result(PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S / 2
    assert not child.is_running()
    worker.close()


@posix
def test_the_child_ends_with_a_parent_that_is_killed() -> None:
    code = (
        "import sys\n"
        "from spencer_desktop.core.chunk_worker import ChunkWorker\n"
        "worker = ChunkWorker()\n"
        "worker.chunk('file', 'python', 'x = 1')\n"
        "print(worker.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with python(code) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        child.wait(PATIENCE_S)
    assert not child.is_running()


def test_a_child_without_a_parent_does_not_parse_for_ever() -> None:
    code = "from spencer_desktop.core.chunk_worker import serve; serve(0.01, 2 << 30, {})"
    question = json.dumps(["file", "csharp", NESTED * 4]).encode() + b"\n"
    with python(code) as child:
        said, complaint = child.communicate(question, PATIENCE_S)
    assert (said, complaint, child.returncode) == (b"ready\n", b"", 1)


def test_the_child_loads_no_more_than_it_needs() -> None:
    code = (
        "import sys, spencer_desktop.core.chunk_worker\n"
        "print(sorted({'numpy', 'onnxruntime', 'apsw', 'PySide6', 'tokenizers'} & set(sys.modules)))\n"
    )
    with python(code) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert said.split() == [b"[]"]


def test_a_module_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "tree_sitter", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('trap-sprung', 'w').close(); raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    with ChunkWorker() as worker:
        assert worker.chunk("file", "python", PLAIN).chunks[0].symbol == "f"
    assert not (tmp_path / "trap-sprung").exists()


@pytest.mark.parametrize("program", ["no-such-program", "quits.sh"])
def test_a_child_that_cannot_start_is_a_fault_of_the_machine(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quits = tmp_path / "quits.sh"
    quits.write_text("#!/bin/sh\nexit 3\n")
    quits.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / program))
    with ChunkWorker() as worker, pytest.raises(EnvironmentFault, match="does not start") as raised:
        worker.chunk("file", "python", PLAIN)
    assert program in raised.value.hint
